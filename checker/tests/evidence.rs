//! Whatever the checker answers about long histories, its evidence holds: every order explains its key, and
//! every certificate proves its anomaly.

#[path = "oracle/simulation.rs"]
mod simulation;

use std::collections::BTreeMap;

use growler_checker::evidence::certificate::{CertificateFault, verify_all};
use growler_checker::evidence::order::{OrderFault, explains};
use growler_checker::history::{Event, EventType, Key, by_key, pair};
use growler_checker::linearizability::Linearizable;
use growler_checker::verdict::{Budget, Check};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use simulation::Simulation;

const RUN: Simulation = Simulation {
    keys: 40,
    ops: 6_000,
    clients: 12,
    hot: 0.1,
    writes: 0.3,
    cas: 0.2,
    deletes: 0.06,
    images: 0.5,
    opaque: false,
    indeterminate: 0.1,
    values: None,
};

/// The same runs, with some answers replaced by others that were given on the same key.
fn with_lies(simulation: &Simulation, seed: u64) -> Vec<Event> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut events = simulation.events(seed);
    let mut given: BTreeMap<Key, Vec<Value>> = BTreeMap::new();
    for event in &mut events {
        let Some(key) = event.key.clone().filter(|_| event.kind != EventType::Invoke) else { continue };
        let answer = match &*event.f {
            "read" if event.kind == EventType::Ok => Some(&mut event.value),
            _ => event.observed.as_mut(),
        };
        let Some(answer) = answer else { continue };
        let given = given.entry(key).or_default();
        if rng.random_bool(0.004) && !given.is_empty() {
            *answer = given[rng.random_range(0..given.len())].clone();
        } else {
            given.push(answer.clone());
        }
    }
    events
}

/// The verdict on each certificate of a run with lies.
fn verdicts(simulation: &Simulation, seed: u64) -> Vec<Result<(), CertificateFault>> {
    let events = with_lies(simulation, seed);
    let result = Linearizable::cas_register().check(&events, &Budget::default());
    assert!(result.anomalies.len() > 2, "{} anomalies", result.anomalies.len());
    verify_all(&events, "cas-register", &result.anomalies)
}

#[test]
fn every_certificate_of_a_long_history_passes_the_verifier() {
    let runs = [
        RUN,
        Simulation { cas: 0.4, writes: 0.2, images: 1.0, ..RUN },
        Simulation { deletes: 0.3, ..RUN },
        Simulation { indeterminate: 0.4, deletes: 0.2, ..RUN },
        Simulation { keys: 8, clients: 24, hot: 0.5, ..RUN },
    ];
    for (at, run) in runs.iter().enumerate() {
        for seed in 0..3 {
            let verdicts = verdicts(run, seed);
            assert!(verdicts.iter().all(Result::is_ok), "run {at}, seed {seed}: {verdicts:?}");
        }
    }
}

#[test]
fn where_refusals_say_nothing_or_values_repeat_too() {
    let runs = [
        Simulation { opaque: true, cas: 0.4, writes: 0.2, ..RUN },
        Simulation { opaque: true, deletes: 0.2, cas: 0.3, ..RUN },
        Simulation { values: Some(200), clients: 5, indeterminate: 0.02, ..RUN },
    ];
    for (at, run) in runs.iter().enumerate() {
        for seed in 1..=2 {
            let verdicts = verdicts(run, seed);
            assert!(verdicts.iter().all(Result::is_ok), "run {at}, seed {seed}: {verdicts:?}");
        }
    }
}

#[test]
fn every_order_of_a_long_history_explains_it_and_no_changed_one_does() {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let mut refused: BTreeMap<&str, u32> = BTreeMap::new();
    for seed in 0..3 {
        let events = RUN.events(seed);
        let operations = pair(&events).unwrap();
        let objects = by_key(&operations);
        let orders = Linearizable::cas_register().orders(&events, &Budget::default()).unwrap();
        assert_eq!(orders.len(), objects.len());
        for ((key, operations), found) in objects.iter().zip(orders) {
            assert_eq!(*key, found.key.as_ref());
            let mut order = found.order.expect("the history is linearizable");
            assert_eq!(explains(operations, &order), Ok(()));
            let at = rng.random_range(1..order.len());
            order.swap(at - 1, at);
            // Two that do not depend on each other may be exchanged.
            if let Err(fault) = explains(operations, &order) {
                *refused.entry(name(fault)).or_default() += 1;
            }
            order.swap(at - 1, at);
            let first = order.remove(0);
            if let Err(fault) = explains(operations, &order) {
                *refused.entry(name(fault)).or_default() += 1;
            }
            order.push(first);
            if let Err(fault) = explains(operations, &order) {
                *refused.entry(name(fault)).or_default() += 1;
            }
            order.insert(0, first);
            assert_eq!(explains(operations, &order), Err(OrderFault::Twice { name: first }));
        }
    }
    assert!(["out of time", "missing", "unexplained"].iter().all(|name| refused[name] > 9), "{refused:?}");
}

fn name(fault: OrderFault) -> &'static str {
    match fault {
        OrderFault::Stranger { .. } => "stranger",
        OrderFault::Twice { .. } => "twice",
        OrderFault::Missing { .. } => "missing",
        OrderFault::OutOfTime { .. } => "out of time",
        OrderFault::Unexplained { .. } => "unexplained",
    }
}
