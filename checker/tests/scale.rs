//! Real runs are checked without trouble: thousands of operations, many clients, indeterminate writes.
//!
//! A simulated register store answers clients that overlap at random; the work that the checker does is
//! measured in steps, which do not depend on the machine.

#[path = "oracle/simulation.rs"]
mod simulation;

use std::collections::BTreeMap;

use growler_checker::history::{Event, EventType, Key, Process};
use growler_checker::linearizability::Linearizable;
use growler_checker::verdict::{Budget, Check, CheckResult, Validity};
use serde_json::{Value, json};
use simulation::Simulation;

/// Half a minute of the default workload or so.
const RUN: Simulation = Simulation {
    keys: 40,
    ops: 15_000,
    clients: 24,
    hot: 0.1,
    writes: 0.4,
    cas: 0.0,
    deletes: 0.03,
    images: 1.0,
    opaque: false,
    indeterminate: 0.05,
    values: None,
};

fn check(simulation: &Simulation, seed: u64) -> CheckResult {
    let events = simulation.events(seed);
    Linearizable::cas_register().check(&events, &Budget::default())
}

fn passes(name: &str, simulation: &Simulation) {
    for seed in 0..2 {
        let result = check(simulation, seed);
        let steps = result.stats["steps"].as_u64().unwrap_or(u64::MAX);
        assert_eq!(result.valid, Validity::Valid, "{name}: {result:?}");
        let each = steps / simulation.ops as u64;
        assert!(each < 200, "{name}: {each} steps an operation");
    }
}

#[test]
fn a_run_with_images() {
    passes("images", &RUN);
}

#[test]
fn a_run_without_images() {
    passes("no images", &Simulation { images: 0.0, ..RUN });
}

#[test]
fn a_conditional_run_with_images() {
    passes("cas", &Simulation { cas: 0.4, writes: 0.2, ..RUN });
}

#[test]
fn a_conditional_run_with_opaque_failures() {
    let opaque = Simulation { cas: 0.45, writes: 0.2, opaque: true, ..RUN };
    passes("opaque", &opaque);
    passes("opaque, few images", &Simulation { images: 0.5, ..opaque });
    passes("opaque, no images", &Simulation { images: 0.0, ..opaque });
    passes("opaque, bad", &Simulation { indeterminate: 0.3, ..opaque });
    passes(
        "opaque, bad, no images",
        &Simulation { indeterminate: 0.1, images: 0.0, keys: 200, hot: 0.02, ..opaque },
    );
}

#[test]
fn all_clients_on_one_key() {
    let hot = Simulation { keys: 1, ops: 2_000, hot: 1.0, ..RUN };
    passes("hot", &hot);
    passes("hot, no images", &Simulation { images: 0.0, ..hot });
    passes("hot, cas", &Simulation { cas: 0.4, writes: 0.2, ..hot });
    passes("hot, opaque", &Simulation { cas: 0.4, writes: 0.2, opaque: true, ..hot });
    passes(
        "hot, opaque, few images",
        &Simulation { cas: 0.4, writes: 0.2, opaque: true, images: 0.5, ..hot },
    );
    passes("hot, opaque, no images", &Simulation { cas: 0.4, writes: 0.2, opaque: true, images: 0.0, ..hot });
}

/// Clients that all work on one key, many of whose refusals do not say what they met.
const HOT: Simulation = Simulation {
    keys: 1,
    ops: 5_000,
    hot: 1.0,
    writes: 0.2,
    cas: 0.4,
    deletes: 0.05,
    images: 0.5,
    indeterminate: 0.1,
    ..RUN
};

#[test]
fn one_key_on_which_orders_have_to_be_repaired() {
    passes("half of the images", &HOT);
    passes("half of the images, bad", &Simulation { indeterminate: 0.3, ..HOT });
    passes(
        "mostly conditional",
        &Simulation { clients: 50, writes: 0.1, cas: 0.6, indeterminate: 0.3, ..HOT },
    );
    passes("more deletes", &Simulation { clients: 50, writes: 0.3, cas: 0.3, deletes: 0.1, ..HOT });
}

#[test]
fn a_refusal_of_what_was_in_force_all_the_time_is_found_on_one_key() {
    let mut events = HOT.events(1);
    let mut add = |kind, f: &str, value: Value| {
        let mut event = Event::new(Process::Client(1_000_000), kind, f, value);
        event.index = events.len() as u64;
        event.time = event.index * 50_000;
        event.key = Some(Key::from("k0"));
        event.error = (kind == EventType::Fail).then(|| "condition-failed".into());
        events.push(event);
    };
    for (f, argument, kind, answer) in [
        ("write", json!(-1), EventType::Ok, json!(-1)),
        ("cas", json!([-1, -2]), EventType::Fail, json!([-1, -2])),
        ("read", Value::Null, EventType::Ok, json!(-1)),
    ] {
        add(EventType::Invoke, f, argument);
        add(kind, f, answer);
    }
    let result = Linearizable::cas_register().check(&events, &Budget::default());
    assert_eq!(result.valid, Validity::Invalid, "{result:?}");
    assert_eq!(result.anomalies[0].kind, "condition-failed-though-it-held");
    assert_eq!(result.anomalies[0].ops.len(), 3, "{:?}", result.anomalies[0]);
    assert!(result.stats["steps"].as_u64() < Some(10 * HOT.ops as u64), "{:?}", result.stats);
}

#[test]
fn many_indeterminate_writes() {
    let bad = Simulation { indeterminate: 0.4, ..RUN };
    passes("bad", &bad);
    passes("bad, no images", &Simulation { images: 0.0, ..bad });
    passes("bad, cas", &Simulation { cas: 0.4, writes: 0.2, ..bad });
}

#[test]
fn few_values_over_and_over() {
    let few = Simulation { values: Some(5), clients: 5, keys: 10, ops: 4_000, ..RUN };
    passes("few", &Simulation { indeterminate: 0.02, ..few });
    passes("few, cas", &Simulation { cas: 0.3, writes: 0.3, indeterminate: 0.02, images: 0.0, ..few });
}

/// A run in which some reads are answered with what was in force long before.
fn with_stale_reads(simulation: &Simulation, seed: u64) -> Vec<Event> {
    let mut events = simulation.events(seed);
    let mut first: BTreeMap<Key, Value> = BTreeMap::new();
    for event in &mut events {
        let (Some(key), EventType::Ok, "read") = (event.key.clone(), event.kind, event.f.as_str()) else {
            continue;
        };
        let old = first.entry(key).or_insert_with(|| event.value.clone());
        if event.index > 20_000 && event.index % 2_000 < 10 {
            event.value = old.clone();
        }
    }
    events
}

#[test]
fn the_same_history_gives_the_same_bytes_and_small_certificates() {
    let events = with_stale_reads(&RUN, 7);
    let check = || Linearizable::cas_register().check(&events, &Budget::default());
    let result = check();
    assert!(result.anomalies.len() > 5, "{}", result.anomalies.len());
    assert!(result.anomalies.iter().all(|anomaly| anomaly.ops.len() <= 12), "{result:?}");
    let bytes = serde_json::to_string(&result).unwrap();
    assert_eq!(bytes, serde_json::to_string(&check()).unwrap());
}

/// One client after the other, so that only the length makes it hard.
fn in_sequence(calls: impl Iterator<Item = (&'static str, i64)>) -> Vec<Event> {
    let mut events = Vec::new();
    for (f, value) in calls {
        for kind in [EventType::Invoke, EventType::Ok] {
            let asks = f == "read" && kind == EventType::Invoke;
            let value = if asks { Value::Null } else { Value::from(value) };
            let mut event = Event::new(Process::Client(0), kind, f, value);
            event.index = events.len() as u64;
            events.push(event);
        }
    }
    events
}

#[test]
fn a_wrong_sum_late_in_a_long_history_is_proven_by_a_few_operations() {
    for wrong in [-7, 1_000_000] {
        let mut sum = 0;
        let calls = (0..10_000).map(|n| match n % 20 {
            19 => ("read", if n == 8_019 { sum + wrong } else { sum }),
            by => {
                sum += by % 5 + 1;
                ("add", by % 5 + 1)
            }
        });
        let events = in_sequence(calls);
        let checks = growler_checker::checks_for("counter", "linearizable").unwrap();
        let result = checks[0].check(&events, &Budget::default());
        let [found] = &result.anomalies[..] else { panic!("{result:?}") };
        assert!(found.ops.len() <= 25 && !found.explanation.contains("budget"), "{found:?}");
    }
}

/// Any write of the value, from whatever time, would explain the read if it were weakened: all are needed.
#[test]
fn a_stale_read_of_a_value_that_was_often_written_is_proven_by_its_writes() {
    let writes = (0..1_600).map(|n| ("write", n % 4));
    let events = in_sequence(writes.chain([("read", 3), ("write", 0), ("read", 2), ("read", 0)]));
    let result = Linearizable::register().check(&events, &Budget::default());
    let [found] = &result.anomalies[..] else { panic!("{result:?}") };
    assert!(found.ops.len() <= 402 && !found.explanation.contains("budget"), "{}", found.ops.len());
}
