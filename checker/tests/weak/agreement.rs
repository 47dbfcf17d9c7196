//! The checks against the brute-force statements of their rules: not one difference.

use std::collections::BTreeSet;
use std::time::Duration;

use growler_checker::convergence::causal::Causal;
use growler_checker::convergence::order::Rules;
use growler_checker::convergence::sessions::SessionGuarantees;
use growler_checker::convergence::staleness::Staleness;
use growler_checker::history::Event;
use growler_checker::verdict::{Anomaly, Budget, Check, CheckResult, Validity};
use serde_json::Value;

use super::rules;
use super::simulation::{Replicas, Versions};
use super::statement::Statement;

/// Histories of each sort.
fn histories() -> u64 {
    400 * crate::times()
}

fn plans() -> Vec<(Replicas, Rules)> {
    let base = Replicas {
        operations: 14,
        keys: 2,
        clients: 4,
        deletes: 0.0,
        unanswered: 0.15,
        hops: 0.5,
        lag_us: 4_000.0,
        ..Replicas::HEALTHY
    };
    let mut plans = Vec::new();
    for versions in [Versions::Clocks, Versions::Timestamps, Versions::Numbers, Versions::Nothing] {
        for (lies, deletes, keys, operations) in
            [(0.15, 0.0, 2, 14), (0.15, 0.4, 1, 14), (0.05, 0.2, 2, 30), (0.5, 0.1, 3, 24)]
        {
            let plan = Replicas { versions, lies, deletes, keys, operations, ..base };
            let lww = versions == Versions::Timestamps;
            plans.push((plan, Rules { lww, ordered_writes: true }));
        }
    }
    plans
}

fn each(mut compare: impl FnMut(&[Event], Rules, &str) -> bool) {
    for (number, (plan, rules)) in plans().into_iter().enumerate() {
        let mut violations = 0;
        for seed in 0..histories() {
            let events = plan.run(seed);
            violations += u64::from(compare(&events, rules, &format!("plan {number}, seed {seed}")));
        }
        let share = violations as f64 / histories() as f64;
        assert!((0.05..=1.0).contains(&share), "plan {number}: {share} of the histories are violations");
    }
}

fn show(events: &[Event]) -> String {
    events.iter().map(|event| serde_json::to_string(event).expect("JSON") + "\n").collect()
}

fn check(check: &dyn Check, events: &[Event]) -> CheckResult {
    let result = check.check(events, &Budget::default());
    assert_ne!(result.valid, Validity::Unknown);
    assert_eq!(result.anomalies.is_empty(), result.valid == Validity::Valid);
    for anomaly in &result.anomalies {
        assert!(growler_checker::anomaly::find(&anomaly.kind).is_some(), "{}", anomaly.kind);
        assert!(anomaly.explanation.ends_with('.'), "{}", anomaly.explanation);
        assert!(anomaly.ops.is_sorted() && !anomaly.ops.is_empty());
    }
    result
}

#[test]
fn sessions_agree_with_their_rules() {
    each(|events, rules, name| {
        let statement = Statement::new(events, rules);
        let expected = rules::sessions(&statement);
        let result = check(&SessionGuarantees::new(rules), events);
        for guarantee in ["read-your-writes", "monotonic-reads", "monotonic-writes", "writes-follow-reads"] {
            let expected = expected.violated.get(guarantee).cloned().unwrap_or_default();
            let kind = format!("{guarantee}-violated");
            let anomalies = result.anomalies.iter().filter(|anomaly| anomaly.kind == kind);
            // The operation that lacks something is the last one, and a read where it was shown another's write.
            let last = |anomaly: &Anomaly| {
                let of = |op: &u64| statement.ops.iter().find(|one| one.index == *op).expect("an operation");
                let alone = anomaly.ops.len() == 2;
                let judged = anomaly.ops.iter().copied().filter(|op| alone || of(op).reads);
                judged.max_by_key(|op| of(op).end).expect("a judged operation")
            };
            let reported: BTreeSet<u64> = anomalies.map(last).collect();
            assert!(reported.is_subset(&expected), "{name}: {guarantee}: {reported:?} of {expected:?}");
            let counted = result.stats[guarantee]["violated"].as_u64();
            assert_eq!(
                counted,
                Some(expected.len() as u64),
                "{name}: {guarantee}: expected {expected:?}\n{}\n{:#?}",
                show(events),
                result.anomalies
            );
            assert_eq!(
                reported.len(),
                expected.len().min(10),
                "{name}: {guarantee}: {:#?}",
                result.anomalies
            );
        }
        let all = |sets: &rules::Sessions| sets.violated.values().map(BTreeSet::len).sum::<usize>();
        all(&expected) > 0
    });
}

#[test]
fn causes_agree_with_their_rules() {
    each(|events, rules, name| {
        let expected = rules::causes(&Statement::new(events, rules));
        let result = check(&Causal::new(rules), events);
        let counted = ["baseless_reads", "lacking", "circles"]
            .map(|name| result.stats[name].as_u64().expect("a count"));
        assert_eq!(
            counted,
            [expected.baseless.len(), expected.lacking.len(), expected.circles].map(|n| n as u64),
            "{name}: expected {expected:?}\n{}\n{:#?}",
            show(events),
            result.anomalies
        );
        result.valid == Validity::Invalid
    });
}

#[test]
fn staleness_agrees_with_its_rules() {
    each(|events, rules, name| {
        let expected = rules::staleness(&Statement::new(events, rules));
        let max_ns = 1_500_000;
        let result = check(&Staleness::new(rules, Some(Duration::from_nanos(max_ns))), events);
        for (kind, eventual) in [("eventual", true), ("strong", false)] {
            let reads: Vec<_> = expected.iter().filter(|read| read.eventual == eventual).collect();
            let found = result.stats["by"].get(kind).cloned().unwrap_or_default();
            if reads.is_empty() {
                assert_eq!(found, Value::Null, "{name}");
                continue;
            }
            let context = || format!("{name}: {kind}: {reads:#?}\n{}", show(events));
            assert_eq!(found["reads"].as_u64(), Some(reads.len() as u64), "{}", context());
            let stale = reads.iter().filter(|read| read.versions > 0).count();
            assert_eq!(found["stale"].as_u64(), Some(stale as u64), "{}", context());
            for (name, of) in [
                ("versions_behind", (|read| read.versions) as fn(&rules::Behind) -> u64),
                ("time_behind_ns", |read| read.time_ns),
            ] {
                let mut all: Vec<u64> = reads.iter().map(|read| of(read)).collect();
                all.sort_unstable();
                for (name_of, share) in
                    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999), ("max", 1.0)]
                {
                    let rank = (share * all.len() as f64 - 1e-9).ceil().max(1.0) as usize;
                    assert_eq!(
                        found[name][name_of].as_u64(),
                        Some(all[rank - 1]),
                        "{name} {name_of}: {}",
                        context()
                    );
                }
            }
            let ages = &found["by_age"];
            for (bucket, bound) in ages["below_us"].as_array().expect("bounds").iter().enumerate() {
                let bound_ns = bound.as_u64().expect("a bound") * 1_000;
                let from_ns = if bucket == 0 { 0 } else { bound_ns / 2 };
                let inside = |read: &&&rules::Behind| {
                    read.age.is_some_and(|(age, _)| (from_ns..bound_ns).contains(&age))
                };
                let old = |read: &&&rules::Behind| read.age.is_some_and(|(_, lacks)| lacks);
                let (all, lacking) =
                    (reads.iter().filter(inside).count(), reads.iter().filter(inside).filter(old).count());
                assert_eq!(
                    (ages["reads"][bucket].as_u64(), ages["stale"][bucket].as_u64()),
                    (Some(all as u64), Some(lacking as u64)),
                    "{}",
                    context()
                );
            }
        }
        let too_stale: Vec<u64> =
            expected.iter().filter(|read| read.time_ns > max_ns).map(|read| read.index).collect();
        assert_eq!(result.stats["too_stale"].as_u64(), Some(too_stale.len() as u64), "{name}");
        for anomaly in &result.anomalies {
            assert!(anomaly.ops.iter().any(|op| too_stale.contains(op)), "{name}: {anomaly:?}");
        }
        expected.iter().any(|read| read.versions > 0)
    });
}

/// What measuring sensitivity rests on: it judges the key of a fault by itself first, and the whole only where
/// that shows nothing.
#[test]
fn what_is_refuted_of_one_key_is_refuted_of_all() {
    let (mut refuted, mut only_together) = (0, 0);
    each(|events, rules, name| {
        let keys: BTreeSet<String> = events.iter().flat_map(|e| &e.key).map(ToString::to_string).collect();
        let of = |key: &str| -> Vec<Event> {
            let is_of = |event: &&Event| event.key.as_ref().is_some_and(|k| k.to_string() == key);
            events.iter().filter(is_of).cloned().collect()
        };
        let mut violated = false;
        for check in [&SessionGuarantees::new(rules) as &dyn Check, &Causal::new(rules)] {
            let answer = |events: &[Event]| check.check(events, &Budget::default()).valid;
            let alone = keys.iter().any(|key| answer(&of(key)) == Validity::Invalid);
            let together = answer(events) == Validity::Invalid;
            assert!(together || !alone, "{name}, {}: {}", check.name(), show(events));
            refuted += u64::from(alone);
            only_together += u64::from(together && !alone);
            violated |= together;
        }
        violated
    });
    assert!(refuted > 0 && only_together > 0, "{refuted} {only_together}");
}
