//! The checks against the brute-force rules, on random histories of a store that misbehaves.

use std::time::Duration;

use growler_checker::convergence::lww::Lww;
use growler_checker::convergence::order::Rules;
use growler_checker::convergence::replicas::Convergence;
use growler_checker::convergence::resurrection::Resurrection;
use growler_checker::convergence::siblings::Siblings;
use growler_checker::history::{Event, Process};
use growler_checker::verdict::{Budget, Check, CheckResult, Validity};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::reading::keys;
use crate::rules::{self, Ending, ending};
use crate::rules_of_siblings::{Counts, siblings};
use crate::simulated::{Flaws, Plan, history};
use crate::undressed::undress;

const SETTLE: Duration = Duration::from_secs(1);

/// Partitions: where they began, and where and when they were healed.
fn partitions(events: &[Event]) -> Vec<(usize, Option<(usize, u64)>)> {
    let mut found = Vec::new();
    for (at, event) in events.iter().enumerate().filter(|(_, event)| event.process == Process::Nemesis) {
        if event.f == "partition" {
            found.push((at, None));
        } else {
            found.last_mut().expect("a partition").1 = Some((at, event.time));
        }
    }
    found
}

/// What the rules say of a whole history: the counts of each check, and whether convergence is undecided.
struct Expected {
    convergence: Counts,
    undecided: bool,
    resurrection: Counts,
    lww: Counts,
    losses: (u64, u64),
    siblings: Counts,
}

fn expected(events: &[Event], rules: Rules) -> Expected {
    let lww = rules.lww;
    let faults = partitions(events);
    let settle_ns = SETTLE.as_nanos() as u64;
    let mut all = Expected {
        convergence: Counts::new(),
        undecided: false,
        resurrection: Counts::new(),
        lww: Counts::new(),
        losses: (0, 0),
        siblings: Counts::new(),
    };
    let (mut written, mut unread) = (0, 0);
    for ops in keys(events).values() {
        let ending = ending(ops, &faults, settle_ns);
        written += u64::from(!matches!(ending, Ending::Unwritten));
        unread += u64::from(matches!(ending, Ending::Unread));
        all.undecided |= matches!(ending, Ending::Blind);
        let end = if let Ending::Seen(end) = &ending { Some(end) } else { None };
        if let Some(end) = end {
            let diverged = rules::diverged(ops, end, lww);
            all.undecided |= diverged.is_none();
            *all.convergence.entry("diverged").or_insert(0) += u64::from(diverged == Some(true));
            *all.convergence.entry("lost-write").or_insert(0) += rules::lost_writes(ops, end, rules);
        }
        *all.resurrection.entry("resurrected").or_insert(0) += rules::resurrected(ops, end, rules);
        *all.lww.entry("lost-against-lww").or_insert(0) += rules::lost_against_lww(ops, end);
        let (losses, skewed) = rules::lww_losses(ops, end);
        all.losses = (all.losses.0 + losses, all.losses.1 + skewed);
        for (kind, count) in siblings(ops, end) {
            *all.siblings.entry(kind).or_insert(0) += count;
        }
    }
    all.undecided |= written > 0 && unread == written;
    all
}

fn counted(result: &CheckResult) -> Counts {
    let kinds = [
        "diverged",
        "lost-write",
        "resurrected",
        "lost-against-lww",
        "sibling-lost",
        "false-conflict",
        "unresolved-siblings",
    ];
    let count = |kind: &'static str| Some((kind, result.stats.get(kind)?.as_u64()?));
    kinds.into_iter().filter_map(count).collect()
}

fn nonzero(counts: Counts) -> Counts {
    counts.into_iter().filter(|&(_, count)| count > 0).collect()
}

fn checks(rules: Rules) -> Vec<Box<dyn Check>> {
    let mut checks: Vec<Box<dyn Check>> = vec![
        Box::new(Convergence::new(rules).settling(SETTLE)),
        Box::new(Resurrection::new(rules).settling(SETTLE)),
    ];
    if rules.lww {
        checks.push(Box::new(Lww::default().settling(SETTLE)));
    } else {
        checks.push(Box::new(Siblings::default().settling(SETTLE)));
    }
    checks
}

fn compare(name: &str, events: &[Event], rules: Rules) -> Vec<CheckResult> {
    let (expected, lww) = (expected(events, rules), rules.lww);
    let results: Vec<CheckResult> =
        checks(rules).iter().map(|check| check.check(events, &Budget::default())).collect();
    let show =
        || events.iter().map(|e| serde_json::to_string(e).expect("JSON")).collect::<Vec<_>>().join("\n");
    let third = if lww { expected.lww.clone() } else { expected.siblings.clone() };
    for (result, counts) in
        results.iter().zip([expected.convergence.clone(), expected.resurrection.clone(), third])
    {
        assert_eq!(counted(result), nonzero(counts), "{name}\n{}\n{result:#?}", show());
        let invalid = !counted(result).is_empty();
        assert_eq!(result.valid == Validity::Invalid, invalid, "{name}");
        let invoked =
            |index: &u64| events[*index as usize].kind == growler_checker::history::EventType::Invoke;
        assert!(result.anomalies.iter().all(|anomaly| anomaly.ops.iter().all(invoked)), "{name}");
    }
    assert_eq!(results[0].unknown.is_empty(), !expected.undecided, "{name}\n{}\n{:#?}", show(), results[0]);
    if lww {
        let count = |stat: &str| results[2].stats[stat].as_u64().expect("a count");
        assert_eq!((count("lww_losses"), count("lww_losses_by_skew")), expected.losses, "{name}\n{}", show());
    }
    results
}

fn plan(rng: &mut ChaCha8Rng, flaws: Flaws) -> Plan {
    Plan { lww: rng.random_bool(0.5), cart: rng.random_bool(0.3), steps: rng.random_range(20..120), flaws }
}

#[test]
fn an_honest_store_raises_no_alarm() {
    let mut undecided = 0;
    for seed in 0..3_000 * crate::times() {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let plan = plan(&mut rng, Flaws::default());
        let mut events = history(&mut rng, plan);
        if rng.random_bool(0.3) {
            undress(&mut rng, &mut events);
        }
        // Its writes are not linearizable: without versions, nothing says which came first.
        let rules = Rules { lww: plan.lww, ordered_writes: false };
        for result in compare(&format!("honest {seed}"), &events, rules) {
            let show = || {
                events.iter().map(|e| serde_json::to_string(e).expect("JSON")).collect::<Vec<_>>().join("\n")
            };
            assert_ne!(result.valid, Validity::Invalid, "seed {seed}: {plan:?} {result:#?}\n{}", show());
            undecided += u64::from(result.valid == Validity::Unknown);
        }
    }
    assert!(undecided > 50 && undecided < 4_500 * crate::times(), "{undecided}");
}

#[test]
fn the_checks_say_what_the_rules_say_of_a_store_that_misbehaves() {
    let mut seen = Counts::new();
    for seed in 0..4_000 * crate::times() {
        let mut rng = ChaCha8Rng::seed_from_u64(1_000_000 + seed);
        let mut flaw = || if rng.random_bool(0.25) { 0.3 } else { 0.0 };
        let flaws = Flaws {
            lose: flaw(),
            keep: flaw(),
            collect: flaw(),
            older: flaw(),
            wall: flaw(),
            forget: flaw(),
            stuck: flaw(),
        };
        let plan = plan(&mut rng, flaws);
        let mut events = history(&mut rng, plan);
        if rng.random_bool(0.3) {
            undress(&mut rng, &mut events);
        }
        if rng.random_bool(0.2) {
            events.retain(|event| event.f != "replica-read");
            events.iter_mut().zip(0..).for_each(|(event, index)| event.index = index);
        }
        let rules = Rules { lww: plan.lww, ordered_writes: rng.random_bool(0.5) };
        for result in compare(&format!("flawed {seed}"), &events, rules) {
            for (kind, count) in counted(&result) {
                *seen.entry(kind).or_insert(0) += count;
            }
        }
    }
    assert_eq!(seen.len(), 7, "every anomaly is seen: {seen:?}");
    assert!(seen.values().all(|&count| count > 30), "{seen:?}");
}
