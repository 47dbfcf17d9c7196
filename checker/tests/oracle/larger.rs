//! Larger histories, on which the engines are compared with each other: they are beyond the oracle.
//!
//! They come from the simulated store, on one key, with few clients or many; half of them have one answer
//! changed. The engines must agree; the orders that they give must explain the history, and the verifier must
//! not object to the certificates. (With repeated values those can be so large that it cannot decide.)

use growler_checker::evidence::{certificate, order};
use growler_checker::history::{Event, EventType, pair};
use growler_checker::verdict::{Budget, Check, Validity};
use rand::{Rng, RngExt};
use serde_json::{Value, json};

use super::compare::{Tally, engines};
use super::simulation::Simulation;

/// What each engine may spend. Repeated values may be undecided then, which is counted.
pub(crate) const BUDGET: Budget = Budget { steps: 1_000_000, bytes: 1 << 26 };

/// A history of 30 to 300 operations, and whether one of its answers was changed.
pub(crate) fn history(rng: &mut impl Rng) -> (Vec<Event>, bool) {
    let share = |rng: &mut dyn FnMut(usize) -> usize, of: &[f64]| of[rng(of.len())];
    let mut below = |n: usize| rng.random_range(0..n);
    let simulation = Simulation {
        keys: 1,
        ops: 30 + below(271),
        clients: 2 + below(9),
        hot: 1.0,
        writes: share(&mut below, &[0.1, 0.3, 0.5]),
        cas: share(&mut below, &[0.0, 0.2, 0.4]),
        deletes: share(&mut below, &[0.0, 0.05, 0.1]),
        images: share(&mut below, &[0.0, 0.5, 1.0]),
        opaque: below(4) == 0,
        indeterminate: share(&mut below, &[0.0, 0.05, 0.2, 0.4]),
        values: [None, None, None, Some(4)][below(4)],
    };
    let mut events = simulation.events(rng.random());
    let changed = rng.random_bool(0.5) && change(&mut events, rng);
    (events, changed)
}

/// Changes one answer; false if none that was drawn could be.
fn change(events: &mut [Event], rng: &mut impl Rng) -> bool {
    let answers: Vec<usize> =
        (0..events.len()).filter(|&at| matches!(events[at].kind, EventType::Ok | EventType::Fail)).collect();
    let seen: Vec<Value> = answers
        .iter()
        .map(|&at| &events[at])
        .filter(|event| &*event.f == "read")
        .map(|event| event.value.clone())
        .collect();
    for _ in 0..20 {
        let event = &mut events[answers[rng.random_range(0..answers.len())]];
        let other = seen.get(rng.random_range(0..seen.len().max(1))).cloned().unwrap_or(json!(0));
        match (&*event.f, event.kind, rng.random_range(0..3)) {
            ("read", ..) if event.value != other => event.value = other,
            ("write", EventType::Ok, 0) => event.kind = EventType::Fail,
            ("cas", EventType::Ok, 0..2) => {
                event.kind = EventType::Fail;
                event.observed = None;
                event.error = Some("condition-failed".into());
            }
            ("cas", EventType::Fail, 0..2) => {
                event.kind = EventType::Ok;
                event.observed = None;
                event.error = None;
            }
            ("write" | "cas", _, 2) if event.observed.is_some() && event.observed != Some(other.clone()) => {
                event.observed = Some(other);
            }
            _ => continue,
        }
        return true;
    }
    false
}

/// What the engines do with histories of this sort, counted.
pub(crate) fn compare(number: u64, events: &[Event], changed: bool, budget: Budget, tally: &mut Tally) {
    tally.histories += 1;
    let results = engines().map(|(engine, check)| (engine, check, check.check(events, &budget)));
    let (all, invalid) = tally.sorts.entry(if changed { "changed" } else { "as it was" }).or_default();
    *all += 1;
    let refuted = results[0].2.valid == Validity::Invalid;
    *invalid += u64::from(refuted);
    tally.invalid += u64::from(refuted);
    let mut faults = Vec::new();
    if !changed && refuted {
        faults.push("a run of the store is refuted".to_owned());
    }
    for (engine, check, result) in &results {
        if result.valid == Validity::Unknown {
            *tally.undecided.entry(engine).or_default() += 1;
            continue;
        }
        if result.valid != results[0].2.valid && results[0].2.valid != Validity::Unknown {
            faults.push(format!(
                "{engine} says {:?}, {} says {:?}",
                result.valid, results[0].0, results[0].2.valid
            ));
        }
        for found in &result.anomalies {
            tally.judged += 1;
            if *engine == results[0].0 {
                *tally.names.entry(found.kind.to_string()).or_default() += 1;
                *tally.sizes.entry((found.ops.len(), None)).or_default() += 1;
            }
            match certificate::verify(events, "cas-register", found) {
                // Where the budget ends first, a certificate is a proof that could be smaller.
                Err(fault) if fault.proves_violation() => {
                    *tally.undecided.entry("what a smallest certificate is").or_default() += 1;
                }
                Err(fault) if fault.is_defect() => faults.push(format!("{engine}: {:?}: {fault}", found.ops)),
                _ => {}
            }
        }
        let orders = check.orders(events, &budget).unwrap_or_default();
        let operations = pair(events).unwrap_or_default();
        for order in orders.iter().filter_map(|found| found.order.as_ref()) {
            if let Err(fault) = order::explains(&operations, order) {
                faults.push(format!("{engine}: {order:?} is no linearization: {fault}"));
            }
        }
        if result.valid == Validity::Valid && orders.iter().any(|found| found.order.is_none()) {
            faults.push(format!("{engine} gives no order"));
        }
    }
    for fault in faults {
        // The history is too long to be read; its number says how to have it again.
        tally.disagree(number, &fault, &[]);
    }
}
