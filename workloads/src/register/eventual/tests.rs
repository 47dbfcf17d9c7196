//! What registers are asked for where reads may be stale.

use super::*;
use crate::generator::REPLICA_READ;
use crate::workload::{Mode, Popularity};
use growler_checker::history::Process;
use growler_checker::promise::Terms;
use std::collections::{BTreeSet, HashSet};

fn shape() -> Shape {
    Shape {
        keys: 6,
        popularity: Popularity::Zipf(1.0),
        ops_per_key: 100,
        concurrency: 4,
        seed: 7,
        table_prefix: String::new(),
        mode: Mode::Eventual,
        terms: Terms::default(),
        convergence: Duration::from_secs(10),
    }
}

fn event(op: &Invocation, client: u64, kind: EventType) -> Event {
    let mut event = Event {
        client: Some(client),
        key: op.key.clone(),
        ..Event::new(Process::Client(client), kind, op.f, op.value.clone())
    };
    event.extra_mut().context = op.context.clone();
    event
}

/// What four clients are told to do by a store that numbers its answers, one after the other.
fn operations(habits: Habits, shape: &Shape, count: usize) -> Vec<(u64, Invocation)> {
    let mut generator = EventualGenerator::new(shape, habits, Through::Replicas);
    let mut operations = Vec::new();
    for step in 0..count {
        let client = (step % shape.concurrency) as u64;
        let context = Context { time: Duration::from_millis(step as u64), client, nodes: 5 };
        let Next::Op(op) = generator.next(&context) else { panic!("the load goes on") };
        generator.update(&event(&op, client, EventType::Invoke));
        let mut done = event(&op, client, EventType::Ok);
        done.extra_mut().context = Some(json!({"n1/1": step}).into());
        generator.update(&done);
        operations.push((client, op));
    }
    operations
}

fn share(operations: &[(u64, Invocation)], of: impl Fn(&Invocation) -> bool) -> f64 {
    operations.iter().filter(|(_, op)| of(op)).count() as f64 / operations.len() as f64
}

fn near(actual: f64, expected: f64) {
    assert!((actual - expected).abs() < 0.03, "{actual} instead of {expected}");
}

#[test]
fn the_same_seed_and_completions_give_the_same_operations() {
    for habits in [REGISTER, SESSION, LWW] {
        assert_eq!(operations(habits, &shape(), 500), operations(habits, &shape(), 500));
        let other = operations(habits, &Shape { seed: 8, ..shape() }, 500);
        assert_ne!(operations(habits, &shape(), 500), other);
    }
}

#[test]
fn shares_are_what_the_habits_say() {
    for habits in [REGISTER, SESSION, LWW] {
        let all = operations(habits, &shape(), 8_000);
        let percent = |n: u32| f64::from(n) / 100.0;
        let reads = percent(habits.reads);
        near(share(&all, |op| op.f == "read"), reads);
        let strong = |op: &Invocation| op.f == "read" && op.consistency.is_none();
        near(share(&all, strong), reads * percent(habits.strong));
        let deletes = |op: &Invocation| op.f == "write" && op.value.is_null();
        near(share(&all, deletes), (1.0 - reads) * percent(habits.deletes));
        if habits.contexts == 0 {
            assert!(all.iter().all(|(_, op)| op.context.is_none()));
        }
    }
}

#[test]
fn every_written_value_is_written_once() {
    let all = operations(SESSION, &shape(), 3_000);
    let mut seen = HashSet::new();
    let written = all.iter().filter(|(_, op)| op.f == "write").filter_map(|(_, op)| op.value.as_i64());
    assert!(written.inspect(|value| assert!(seen.insert(*value), "{value}")).count() > 1_000);
}

#[test]
fn a_context_is_what_the_same_client_last_saw_of_the_same_key() {
    let all = operations(SESSION, &shape(), 4_000);
    let mut last: BTreeMap<(u64, Key), usize> = BTreeMap::new();
    let mut carried = 0;
    for (step, (client, op)) in all.iter().enumerate() {
        let place = (*client, op.key.clone().unwrap());
        if let Some(context) = &op.context {
            assert_eq!(op.f, "write");
            assert_eq!(*context, json!({"n1/1": last[&place]}).into());
            carried += 1;
        }
        last.insert(place, step);
    }
    assert!(carried > 500, "{carried}");
}

#[test]
fn sessions_hop_and_meet_their_own_keys_through_other_nodes() {
    let all = operations(SESSION, &shape(), 4_000);
    for client in 0..4 {
        let own: Vec<_> = all.iter().filter(|(c, _)| *c == client).map(|(_, op)| op).collect();
        let nodes: BTreeSet<_> = own.iter().map(|op| op.node.unwrap()).collect();
        assert_eq!(nodes.len(), 5);
        let elsewhere = own.windows(2).filter(|pair| pair[0].f == "write" && pair[1].f == "read");
        let elsewhere = elsewhere.filter(|pair| pair[0].key == pair[1].key && pair[0].node != pair[1].node);
        assert!(elsewhere.count() > 20);
    }
}

#[test]
fn keys_of_lww_live_for_a_short_time() {
    let all = operations(LWW, &shape(), 2_000);
    let mut operations: BTreeMap<Key, u64> = BTreeMap::new();
    all.iter().for_each(|(_, op)| *operations.entry(op.key.clone().unwrap()).or_default() += 1);
    assert!(operations.len() > 25 && operations.values().all(|count| *count <= LWW.life));
}

#[test]
fn what_sessions_have_seen_of_retired_keys_is_forgotten() {
    let mut generator = EventualGenerator::new(&shape(), LWW, Through::Replicas);
    for step in 0..5_000_u64 {
        let context = Context { time: Duration::from_millis(step), client: step % 4, nodes: 5 };
        let Next::Op(op) = generator.next(&context) else { panic!("the load goes on") };
        let mut done = event(&op, step % 4, EventType::Ok);
        done.extra_mut().context = Some(json!({"n1/1": step}).into());
        generator.update(&done);
        assert!(generator.sessions.seen.len() <= 12);
    }
    assert!(generator.keys.used().len() > 50);
}

#[test]
fn the_end_asks_the_replicas_first_and_then_reads_every_key() {
    let mut generator =
        EventualGenerator::new(&Shape { ops_per_key: 20, ..shape() }, REGISTER, Through::Replicas);
    let context = |ms| Context { time: Duration::from_millis(ms), client: 0, nodes: 3 };
    let mut used = BTreeSet::new();
    for step in 0..300 {
        let Next::Op(op) = generator.next(&context(step)) else { panic!("the load goes on") };
        used.insert(op.key.clone().unwrap());
        generator.update(&event(&op, 0, EventType::Invoke));
        generator.update(&event(&op, 0, EventType::Ok));
    }
    generator.finish();
    let (mut at, mut asked) = (300, Vec::new());
    loop {
        match generator.next(&context(at)) {
            Next::Op(op) => {
                generator.update(&event(&op, 0, EventType::Invoke));
                generator.update(&Event { value: json!(1), ..event(&op, 0, EventType::Ok) });
                asked.push(op);
            }
            Next::Wait(longest) => at += u64::try_from(longest.as_millis()).unwrap(),
            Next::Done => break,
        }
    }
    let of = |f: &str| asked.iter().filter(|op| op.f == f).filter_map(|op| op.key.clone()).collect();
    // A key that nobody has drawn yet is in use all the same.
    let in_use: BTreeSet<Key> = generator.keys.used().iter().cloned().collect();
    assert!(used.is_subset(&in_use));
    assert_eq!((of(REPLICA_READ), of("read")), (in_use.clone(), in_use));
    let first_read = asked.iter().position(|op| op.f == "read").unwrap();
    assert!(asked[first_read..].iter().all(|op| op.f == "read" && op.consistency.is_some()));
}
