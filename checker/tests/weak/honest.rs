//! Histories that are right by construction must pass: no false alarm, whatever was never answered, deleted,
//! forgotten or written at once.

use std::time::Duration;

use growler_checker::convergence::causal::Causal;
use growler_checker::convergence::order::Rules;
use growler_checker::convergence::sessions::SessionGuarantees;
use growler_checker::convergence::staleness::Staleness;
use growler_checker::history::Event;
use growler_checker::verdict::{Budget, Check, Validity};

use super::simulation::{Replicas, Versions};

fn histories() -> u64 {
    200 * crate::times()
}

fn pass(checks: &[&dyn Check], events: &[Event], name: &str) {
    for check in checks {
        let result = check.check(events, &Budget::default());
        let shown: String =
            events.iter().map(|event| serde_json::to_string(event).expect("JSON") + "\n").collect();
        assert_eq!(
            result.valid,
            Validity::Valid,
            "{name}: {}: {:#?}\n{shown}",
            check.name(),
            result.anomalies
        );
    }
}

fn base() -> Replicas {
    Replicas { operations: 80, keys: 3, clients: 5, deletes: 0.4, unanswered: 0.2, ..Replicas::HEALTHY }
}

#[test]
fn one_replica_keeps_every_promise() {
    for versions in [Versions::Clocks, Versions::Timestamps, Versions::Numbers, Versions::Nothing] {
        for deletes in [0.0, 0.4] {
            let rules = Rules { lww: versions == Versions::Timestamps, ordered_writes: true };
            let plan = Replicas { replicas: 1, versions, deletes, ..base() };
            let bound = Staleness::new(rules, Some(Duration::ZERO));
            for seed in 0..histories() {
                let name = format!("{versions:?}, {deletes} deletes, seed {seed}");
                let checks: [&dyn Check; 3] = [&SessionGuarantees::new(rules), &Causal::new(rules), &bound];
                pass(&checks, &plan.run(seed), &name);
            }
        }
    }
}

/// Each client stays with its replica, and replicas take over all keys at one moment: causal, though siblings
/// and stale reads abound.
#[test]
fn clients_that_stay_with_replicas_that_copy_each_other_whole_see_no_effect_without_its_cause() {
    for deletes in [0.0, 0.4] {
        let plan = Replicas { hops: 0.0, whole: true, lag_us: 4_000.0, deletes, ..base() };
        let mut stale = 0;
        for seed in 0..histories() {
            let events = plan.run(seed);
            let rules = Rules::default();
            pass(&[&SessionGuarantees::new(rules), &Causal::new(rules)], &events, &format!("seed {seed}"));
            let measured = Staleness::new(rules, None).check(&events, &Budget::default());
            stale += measured.stats["by"]["eventual"]["stale"].as_u64().unwrap_or(0);
        }
        assert!(stale > histories(), "only {stale} stale reads: the histories show nothing");
    }
}

/// Followers that answer eventual reads are behind, and strong reads never are.
#[test]
fn strong_reads_of_a_leader_are_never_stale() {
    for versions in [Versions::Numbers, Versions::Nothing] {
        let plan = Replicas { versions, lag_us: 6_000.0, hops: 1.0, deletes: 0.2, ..base() };
        let mut stale = 0;
        for seed in 0..histories() {
            let result = Staleness::new(Rules::default(), None).check(&plan.run(seed), &Budget::default());
            assert_eq!(
                result.stats["by"]["strong"]["stale"].as_u64().unwrap_or(0),
                0,
                "{versions:?}, seed {seed}"
            );
            stale += result.stats["by"]["eventual"]["stale"].as_u64().unwrap_or(0);
        }
        assert!(stale > histories(), "{versions:?}: only {stale} stale reads");
    }
}
