//! Availability, by hand and against a count that looks at every event for every operation.

use std::collections::BTreeMap;
use std::time::Duration;

use growler_checker::convergence::availability::{Availability, Floor};
use growler_checker::history::{Event, EventType, Process};
use growler_checker::verdict::{Budget, Check, CheckResult, Validity};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

const NODES: [&str; 5] = ["n1", "n2", "n3", "n4", "n5"];

fn judge(events: &[Event], floor: Floor) -> CheckResult {
    Availability { floor: Some(floor) }.check(events, &Budget::default())
}

fn floor(share: f64) -> Floor {
    Floor { share, after: Duration::from_secs(1), nodes: 2, writes_only: true }
}

/// Events in their order, given (milliseconds, event).
fn in_order(events: Vec<(u64, Event)>) -> Vec<Event> {
    let timed = events.into_iter().zip(0..);
    timed.map(|((ms, event), index)| Event { index, time: ms * 1_000_000, ..event }).collect()
}

fn nemesis(f: &str, value: Value) -> Event {
    Event::new(Process::Nemesis, EventType::Info, f, value)
}

fn halves() -> Value {
    json!({"grudge": {"n1": ["n3", "n4", "n5"], "n2": ["n3", "n4", "n5"]}})
}

fn write(process: u64, kind: EventType, node: &str) -> Event {
    let mut event = Event::new(Process::Client(process), kind, "write", 1.into());
    event.node = Some(node.into());
    event
}

#[test]
fn each_side_of_a_partition_must_reach_the_floor() {
    let mut events = vec![(1_000, nemesis("partition", halves()))];
    for at in 0..10 {
        let ms = 3_000 + 10 * at;
        events.push((ms, write(at, EventType::Invoke, "n1")));
        events.push((ms + 1, write(at, if at < 3 { EventType::Fail } else { EventType::Ok }, "n1")));
        events.push((ms + 2, write(100, EventType::Invoke, "n4")));
        events.push((ms + 3, write(100, EventType::Ok, "n4")));
    }
    events.push((9_000, nemesis("heal-partition", halves())));
    let events = in_order(events);
    let result = judge(&events, floor(0.75));
    let found: Vec<_> = result
        .anomalies
        .iter()
        .map(|anomaly| (anomaly.kind.as_str(), &anomaly.ops, &anomaly.context))
        .collect();
    assert_eq!(found, [("unavailable", &vec![1, 5, 9], &vec![0])]);
    assert!(result.anomalies[0].explanation.contains("n1+n2 served 7 of 10"), "{result:#?}");
    assert_eq!(judge(&events, floor(0.7)).valid, Validity::Valid);
    let settled = json!({
        "majority": {"operations": 10, "served": 10},
        "minority": {"operations": 10, "served": 7},
    });
    assert_eq!(result.stats["settled"], settled);
    let few = judge(&events, Floor { nodes: 3, ..floor(0.75) });
    assert_eq!(
        (few.valid, &few.stats["judged_sides"]),
        (Validity::Valid, &json!(1)),
        "a side of two promises nothing"
    );
    let unnoticed = judge(&events, Floor { after: Duration::from_secs(3), ..floor(0.75) });
    assert_eq!((unnoticed.valid, &unnoticed.stats["judged_sides"]), (Validity::Valid, &json!(0)));
    let measured = Availability::default().check(&events, &Budget::default());
    assert_eq!(measured.valid, Validity::Valid);
    assert_eq!(measured.stats["seconds"], json!([[3, "n1", "n1+n2", 10, 7], [3, "n4", "n3+n4+n5", 10, 10]]));
    assert_eq!(judge(&events[2..], floor(0.75)).valid, Validity::Unknown, "that is no history");
}

/// Whether two nodes reach each other, perhaps through others, with these pairs cut.
fn reaches(one: &str, other: &str, cut: &[(String, String)]) -> bool {
    let linked = |a: &str, b: &str| !cut.iter().any(|(x, y)| (x == a && y == b) || (x == b && y == a));
    let mut near = vec![one.to_owned()];
    for _ in 0..NODES.len() {
        for node in NODES {
            if !near.iter().any(|known| known == node) && near.iter().any(|known| linked(known, node)) {
                near.push(node.to_owned());
            }
        }
    }
    near.iter().any(|node| node == other)
}

fn cut_by(value: &Value) -> Vec<(String, String)> {
    let grudge = value["grudge"].as_object().cloned().unwrap_or_default();
    let pair = |node: &str, other: &Value| (node.to_owned(), other.as_str().expect("a node").to_owned());
    grudge
        .iter()
        .flat_map(|(node, others)| {
            others.as_array().expect("nodes").iter().map(|other| pair(node, other)).collect::<Vec<_>>()
        })
        .collect()
}

/// Of each partition and side, the writes that count and those served, straight from the definition.
fn counted(events: &[Event], floor: Floor) -> BTreeMap<(u64, String), (u64, u64)> {
    let mut counts = BTreeMap::new();
    for (at, call) in events.iter().enumerate().filter(|(_, event)| event.kind == EventType::Invoke) {
        let end = events[at + 1..]
            .iter()
            .position(|event| event.process == call.process)
            .map(|after| at + 1 + after);
        let Some(end) = end.filter(|&end| events[end].kind != EventType::Invoke) else { continue };
        let mut open: Vec<&Event> = Vec::new();
        let (mut last, mut changed) = (0, false);
        for (place, event) in events.iter().enumerate().filter(|(_, event)| event.process == Process::Nemesis)
        {
            changed |= place > at && place < end;
            if place > at {
                continue;
            }
            last = event.time;
            match event.f.as_str() {
                "heal-partition" => {
                    let closed =
                        open.iter().position(|fault| fault.f == "partition" && fault.value == event.value);
                    let _ = open.remove(closed.expect("it was open"));
                }
                "start" => open.retain(|fault| fault.f != "kill"),
                _ => open.push(event),
            }
        }
        let partitions: Vec<&&Event> = open.iter().filter(|fault| fault.f == "partition").collect();
        let late = call.time >= last + floor.after.as_nanos() as u64;
        let Some(first) = partitions.first() else { continue };
        if changed
            || !late
            || open.iter().any(|fault| fault.f == "kill")
            || (floor.writes_only && call.f == "read")
        {
            continue;
        }
        let cut: Vec<_> = partitions.iter().flat_map(|fault| cut_by(&fault.value)).collect();
        let node = call.node.as_deref().expect("a node");
        let side: Vec<&str> = NODES.into_iter().filter(|other| reaches(node, other, &cut)).collect();
        if side.len() < floor.nodes {
            continue;
        }
        let served = match events[end].kind {
            EventType::Ok => true,
            EventType::Fail => events[end].error.as_deref() == Some(&json!("condition-failed")),
            _ => false,
        };
        let count = counts.entry((first.index, side.join("+"))).or_insert((0, 0));
        *count = (count.0 + 1, count.1 + u64::from(served));
    }
    counts
}

fn random(rng: &mut ChaCha8Rng) -> Vec<Event> {
    let (mut events, mut open, mut partitions, mut killed) =
        (Vec::new(), Vec::new(), Vec::<Value>::new(), false);
    let (mut ms, mut fresh) = (0, 0);
    // Every node is known from the start.
    for (node, process) in NODES.iter().zip(1_000..) {
        events.push((0, write(process, EventType::Invoke, node)));
        events.push((0, write(process, EventType::Ok, node)));
    }
    for _ in 0..rng.random_range(20..150) {
        ms += rng.random_range(0..200);
        match rng.random_range(0..40) {
            0 => {
                let mut grudge = serde_json::Map::new();
                for node in &NODES[..rng.random_range(1..3)] {
                    let others: Vec<&str> =
                        NODES.into_iter().filter(|other| other != node && rng.random_bool(0.8)).collect();
                    grudge.insert((*node).to_owned(), json!(others));
                }
                let value = json!({"grudge": grudge, "id": ms});
                events.push((ms, nemesis("partition", value.clone())));
                partitions.push(value);
            }
            1 if !partitions.is_empty() => {
                let value = partitions.swap_remove(rng.random_range(0..partitions.len()));
                events.push((ms, nemesis("heal-partition", value)));
            }
            2 => {
                killed = !killed;
                events.push((ms, nemesis(if killed { "kill" } else { "start" }, json!({}))));
            }
            3..20 => {
                fresh += 1;
                let mut event = write(fresh, EventType::Invoke, NODES[rng.random_range(0..NODES.len())]);
                event.f = if rng.random_bool(0.3) { "read".into() } else { "write".into() };
                open.push(event.clone());
                events.push((ms, event));
            }
            _ if !open.is_empty() => {
                let mut event = open.swap_remove(rng.random_range(0..open.len()));
                event.kind =
                    [EventType::Ok, EventType::Ok, EventType::Fail, EventType::Info][rng.random_range(0..4)];
                if event.kind == EventType::Fail && rng.random_bool(0.5) {
                    event.error = Some("condition-failed".into());
                }
                events.push((ms, event));
            }
            _ => {}
        }
    }
    in_order(events)
}

#[test]
fn counts_what_the_definition_counts() {
    let (mut valid, mut invalid, mut judged) = (0, 0, 0);
    for seed in 0..3_000 * crate::times() {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let events = random(&mut rng);
        let floor = Floor {
            share: rng.random_range(0.0..1.0),
            after: Duration::from_millis(rng.random_range(0..300)),
            nodes: rng.random_range(1..4),
            writes_only: rng.random_bool(0.5),
        };
        let counts = counted(&events, floor);
        let result = judge(&events, floor);
        assert_eq!(result.stats["judged_sides"], json!(counts.len()), "seed {seed}");
        let short =
            counts.values().filter(|&&(all, served)| (served as f64) < floor.share * all as f64).count();
        assert_eq!(result.anomalies.len(), short.min(10), "seed {seed}");
        for ((_, side), (all, served)) in &counts {
            let told = format!("the side {side} served {served} of {all}");
            let is_short = (*served as f64) < floor.share * *all as f64;
            let is_told = result.anomalies.iter().any(|anomaly| anomaly.explanation.contains(&told));
            assert!(is_told || !is_short || short > 10, "seed {seed}: {told}");
        }
        judged += counts.len();
        if short > 0 { invalid += 1 } else { valid += 1 }
    }
    assert!(valid > 500 && invalid > 500 && judged > 2_000, "{valid} {invalid} {judged}");
}
