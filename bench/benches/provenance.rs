//! How long it takes to find out where the values of a history came from, from recorded events to a verdict, and how
//! much memory.

use std::time::Duration;

use growler_bench::checks::{Bounds, Case, measure};
use growler_bench::simulation_replicas::{Replicas, Versions};
use growler_checker::history::{Event, EventType, Process};
use growler_checker::provenance::Provenance;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

const SEED: u64 = 1;

/// What is promised of this check: it is part of every run.
const BOUNDS: Bounds =
    Bounds { must: Duration::from_millis(250), aim: Some(Duration::from_millis(100)), bytes: 1_000_000_000 };

fn case(about: &'static str, model: &'static str, events: impl Fn(u32) -> Vec<Event> + 'static) -> Case {
    let check = Provenance::of(model).expect("a model");
    Case { about, events: Box::new(events), checks: vec![Box::new(check)] }
}

/// Sets of elements that only grow, added by some clients and read by others.
fn sets(operations: u32, keys: u32) -> Vec<Event> {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let mut held: Vec<Vec<Value>> = vec![Vec::new(); keys as usize];
    let names: Vec<_> = (0..keys).map(|key| format!("s{key}").into()).collect();
    let mut events: Vec<Event> = Vec::with_capacity(2 * operations as usize);
    for operation in 0..operations {
        let key = rng.random_range(0..keys) as usize;
        let (f, value, result) = if rng.random_bool(0.4) {
            ("read", Value::Null, Value::Array(held[key].clone()))
        } else {
            held[key].push(json!(operation));
            ("add", json!(operation), json!(operation))
        };
        for (kind, value) in [(EventType::Invoke, value), (EventType::Ok, result)] {
            let mut event = Event::new(Process::Client(u64::from(operation % 50)), kind, f, value);
            event.index = events.len() as u64;
            event.time = event.index * 1_000;
            event.key = Some(growler_checker::history::Key::Text(names[key].clone()));
            events.push(event);
        }
    }
    events
}

fn main() {
    let base = Replicas::HEALTHY;
    let replicas = move |replicas: Replicas| move |operations| Replicas { operations, ..replicas }.run(SEED);
    let cases = [
        case("1,000 keys, 50 clients, clocks", "register", replicas(base)),
        case("10 keys, 50 clients, clocks", "register", replicas(Replicas { keys: 10, ..base })),
        case(
            "10,000 keys, 100 clients, timestamps",
            "register",
            replicas(Replicas { keys: 10_000, clients: 100, versions: Versions::Timestamps, ..base }),
        ),
        case(
            "1,000 keys, 50 clients, no versions",
            "register",
            replicas(Replicas { versions: Versions::Nothing, ..base }),
        ),
        case(
            "one key, 100 clients, no versions",
            "cas-register",
            replicas(Replicas { keys: 1, clients: 100, versions: Versions::Nothing, ..base }),
        ),
        case("20,000 sets", "set", |operations| sets(operations, operations / 50)),
    ];
    measure("provenance", BOUNDS, &cases);
}
