//! Replicas are asked until they agree, or for as long as they may take.

use super::*;
use crate::generator::invocation;
use growler_checker::history::{Consistency, Key, Process};
use serde_json::json;

/// Nodes that hold something, and a clock.
struct System {
    reads: ReplicaReads,
    nodes: usize,
    now: Duration,
    asked: Vec<(Duration, Key, usize)>,
}

fn read(key: &str) -> Invocation {
    Invocation {
        key: Some(key.into()),
        consistency: Some(Consistency::Eventual),
        ..invocation("read", Value::Null)
    }
}

fn answer(client: u64, kind: EventType, value: Value, version: &str) -> Event {
    let mut event =
        Event { client: Some(client), ..Event::new(Process::Client(client), kind, REPLICA_READ, value) };
    event.extra_mut().version = Some(version.into());
    event
}

fn no_replica(client: u64) -> Event {
    Event {
        client: Some(client),
        error: Some(json!(NOT_A_REPLICA).into()),
        ..Event::new(Process::Client(client), EventType::Fail, REPLICA_READ, Value::Null)
    }
}

impl System {
    fn new(keys: &[&str], through: Through, nodes: usize) -> Self {
        let reads = keys.iter().map(|key| read(key)).collect();
        let reads = ReplicaReads::new(reads, through, Duration::from_secs(10));
        Self { reads, nodes, now: Duration::from_secs(100), asked: Vec::new() }
    }

    /// One worker asks until there is nothing more; `holds` answers, from when, what and where it is asked.
    fn run(&mut self, mut holds: impl FnMut(Duration, &str, usize) -> Event) {
        for _ in 0..10_000 {
            match self.reads.next(&Context { time: self.now, client: 0, nodes: self.nodes }) {
                Next::Op(op) => {
                    let (key, node) = (op.key.clone().unwrap(), op.node.unwrap());
                    self.asked.push((self.now, key.clone(), node));
                    self.now += Duration::from_millis(1);
                    let event = holds(self.now, &key.to_string(), node);
                    self.reads.update(&event);
                }
                Next::Wait(longest) => self.now += longest,
                Next::Done => return,
            }
        }
        panic!("it never ends");
    }

    fn took(&self) -> Duration {
        self.now - Duration::from_secs(100)
    }
}

#[test]
fn every_key_is_asked_of_every_node_in_two_rounds() {
    let mut system = System::new(&["k0", "k1"], Through::Replicas, 3);
    system.run(|_, key, _| answer(0, EventType::Ok, json!(key), "n1/1:1"));
    let asked: Vec<_> = system.asked.iter().map(|(_, key, node)| (key.to_string(), *node)).collect();
    let round = ["k0", "k1"].map(|key| [0, 1, 2].map(|node| (key.to_owned(), node))).concat();
    assert_eq!(asked, [round.clone(), round].concat());
    assert!(system.took() < Duration::from_secs(1), "{:?}", system.took());
}

#[test]
fn replica_reads_say_what_they_are_and_name_the_node() {
    let mut reads = ReplicaReads::new(vec![read("k0")], Through::Replicas, Duration::ZERO);
    let Next::Op(op) = reads.next(&Context { time: Duration::ZERO, client: 0, nodes: 3 }) else { panic!() };
    assert_eq!((op.f, op.consistency, op.node), (REPLICA_READ, None, Some(0)));
    let mut reads = ReplicaReads::new(vec![read("k0")], Through::Reads, Duration::ZERO);
    let Next::Op(op) = reads.next(&Context { time: Duration::ZERO, client: 0, nodes: 3 }) else { panic!() };
    assert_eq!((op.f, op.consistency), ("read", Some(Consistency::Eventual)));
}

#[test]
fn only_keys_that_differ_are_asked_again_and_until_they_agree() {
    let mut system = System::new(&["k0", "k1"], Through::Replicas, 3);
    let heals = Duration::from_secs(103);
    system.run(|now, key, node| {
        let stale = key == "k1" && node == 2 && now < heals;
        answer(0, EventType::Ok, json!(i32::from(stale)), if stale { "n1/1:1" } else { "n1/1:2" })
    });
    let of = |name: &str| system.asked.iter().filter(|(_, key, _)| *key == name.into()).count();
    assert_eq!(of("k0"), 6);
    assert!(of("k1") > 12 && of("k1") % 3 == 0, "{}", of("k1"));
    assert!(system.took() > Duration::from_secs(3) && system.took() < Duration::from_secs(5));
}

#[test]
fn replicas_that_never_agree_are_given_up_after_their_time() {
    let mut system = System::new(&["k0"], Through::Replicas, 2);
    system.run(|_, _, node| answer(0, EventType::Ok, json!(node), "n1/1:1"));
    assert!(system.took() >= Duration::from_secs(10) && system.took() < Duration::from_secs(11));
}

#[test]
fn a_node_without_a_part_in_the_key_is_asked_once() {
    let mut system = System::new(&["k0"], Through::Replicas, 5);
    system.run(
        |_, _, node| {
            if node < 3 { answer(0, EventType::Ok, json!(1), "n1/1:1") } else { no_replica(0) }
        },
    );
    let nodes: Vec<_> = system.asked.iter().map(|(_, _, node)| *node).collect();
    assert_eq!(nodes, [0, 1, 2, 3, 4, 0, 1, 2]);
}

#[test]
fn a_collected_tombstone_agrees_with_the_tombstone_and_with_nothing_else() {
    let held = |value: Value, version: &str| Held { value, version: Some(version.into()) };
    let (tombstone, forgotten) = (held(Value::Null, "n1/1:2"), held(Value::Null, ""));
    assert!(tombstone.agrees_with(&forgotten) && forgotten.agrees_with(&tombstone));
    assert!(!tombstone.agrees_with(&held(Value::Null, "n1/1:3")));
    assert!(!forgotten.agrees_with(&held(json!(1), "n1/1:1")));
    let list = |value: Value| Held::of(&answer(0, EventType::Ok, value, "n1/1:1"));
    assert!(list(json!([2, 10, 1])).agrees_with(&list(json!([1, 2, 10]))));
}

#[test]
fn the_first_round_waits_for_open_writes() {
    let reads = ReplicaReads::new(vec![read("k0")], Through::Replicas, Duration::from_secs(10));
    let mut reads = reads.after([7]);
    let at = |seconds| Context { time: Duration::from_secs(seconds), client: 0, nodes: 1 };
    assert_eq!(reads.next(&at(100)), Next::Wait(IDLE));
    assert_eq!(reads.next(&at(102)), Next::Wait(IDLE));
    let write = Event::new(Process::Client(7), EventType::Info, "write", json!(1));
    reads.clone().update(&write);
    let mut stuck = reads.clone();
    reads.update(&Event { client: Some(7), ..write });
    assert!(matches!(reads.next(&at(102)), Next::Op(_)));
    assert!(matches!(stuck.next(&at(111)), Next::Op(_)), "but not for ever");
}

#[test]
fn an_unanswered_node_is_asked_again_and_nobody_at_all_is_given_up() {
    let mut system = System::new(&["k0"], Through::Replicas, 2);
    let mut failures = 3;
    system.run(|_, _, node| {
        let fails = node == 1 && failures > 0;
        failures -= i32::from(fails);
        answer(0, if fails { EventType::Fail } else { EventType::Ok }, json!(1), "n1/1:1")
    });
    let of_n2 = system.asked.iter().filter(|(_, _, node)| *node == 1).count();
    assert_eq!(of_n2, 4);
    let mut system = System::new(&["k0", "k1"], Through::Replicas, 30);
    system.run(|_, _, _| answer(0, EventType::Fail, json!(1), ""));
    assert!(system.took() < Duration::from_secs(12), "{:?}", system.took());
}

#[test]
fn a_cap_ends_them() {
    let mut system = System::new(&["k0", "k1"], Through::Replicas, 3);
    system.run(|_, _, _| Event {
        error: Some(json!([crate::dynamodb::outcome::CAP_REACHED, "10"]).into()),
        ..no_replica(0)
    });
    assert_eq!(system.asked.len(), 1);
}

#[test]
fn ordinary_reads_count_once_stale_answers_are_over() {
    let mut system = System::new(&["k0"], Through::Reads, 1);
    system.run(|_, _, _| answer(0, EventType::Ok, json!(1), ""));
    let late = system.asked.iter().filter(|(at, ..)| *at >= Duration::from_secs(100) + SETTLES_WITHIN);
    assert_eq!((system.asked.len(), late.count()), (6, 3), "one endpoint may hide several replicas");
}

#[test]
fn workers_share_a_round_and_one_that_could_not_send_asks_again() {
    let mut reads = ReplicaReads::new(vec![read("k0")], Through::Replicas, Duration::from_secs(10));
    let context = |client| Context { time: Duration::from_secs(1), client, nodes: 2 };
    let node = |next| match next {
        Next::Op(op) => op.node.unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!(node(reads.next(&context(0))), 0);
    assert_eq!(node(reads.next(&context(0))), 0);
    assert_eq!(node(reads.next(&context(1))), 1);
    assert_eq!(reads.next(&context(2)), Next::Wait(IDLE));
    reads.update(&answer(0, EventType::Ok, json!(1), "n1/1:1"));
    assert_eq!(reads.next(&context(2)), Next::Wait(IDLE));
    reads.update(&answer(1, EventType::Ok, json!(1), "n1/1:1"));
    assert_eq!(reads.next(&context(2)), Next::Wait(PAUSE));
}
