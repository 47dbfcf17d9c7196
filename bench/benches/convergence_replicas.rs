//! How long the checks of what there is in the end take from recorded events to a verdict, and how much memory.

use std::collections::BTreeMap;
use std::time::Duration;

use growler_bench::checks::{Bounds, Case, measure};
use growler_bench::simulation_replicas::{Replicas, Versions};
use growler_checker::convergence::availability::{Availability, Floor};
use growler_checker::convergence::lww::Lww;
use growler_checker::convergence::order::Rules;
use growler_checker::convergence::replicas::Convergence;
use growler_checker::convergence::resurrection::Resurrection;
use growler_checker::convergence::set_full::SetFull;
use growler_checker::convergence::siblings::Siblings;
use growler_checker::history::{CausalContext, Event, EventType, Key, Name, Process};
use growler_checker::verdict::Check;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

const SEED: u64 = 1;

fn cases() -> Vec<Case> {
    let clocks = Replicas::HEALTHY;
    let stamps = Replicas { versions: Versions::Timestamps, ..clocks };
    let few = |plan| Replicas { keys: 10, ..plan };
    let rules = |lww| Rules { lww, ordered_writes: true };
    let floor = Floor { share: 0.99, after: Duration::from_millis(100), nodes: 2, writes_only: true };
    vec![
        store(
            "1,000 keys, clocks",
            clocks,
            vec![
                Box::new(Convergence::new(rules(false))),
                Box::new(Resurrection::new(rules(false))),
                Box::<Siblings>::default(),
            ],
        ),
        store(
            "1,000 keys, timestamps",
            stamps,
            vec![Box::new(Convergence::new(rules(true))), Box::<Lww>::default()],
        ),
        store(
            "10 keys, clocks",
            few(clocks),
            vec![Box::new(Resurrection::new(rules(false))), Box::<Siblings>::default()],
        ),
        store("10 keys, timestamps", few(stamps), vec![Box::<Lww>::default()]),
        Case { about: "50,000 carts", events: Box::new(carts), checks: vec![Box::<Siblings>::default()] },
        Case { about: "10,000 sets", events: Box::new(sets), checks: vec![Box::new(SetFull::eventual())] },
        Case {
            about: "a partition a second",
            events: Box::new(move |operations| partitions(Replicas { operations, ..clocks }.run(SEED))),
            checks: vec![Box::new(Availability { floor: Some(floor) })],
        },
    ]
}

/// A store of three replicas, every one of which is read twice in the end.
fn store(about: &'static str, plan: Replicas, checks: Vec<Box<dyn Check>>) -> Case {
    let events = move |operations| read_replicas(Replicas { operations, ..plan }.run(SEED));
    Case { about, events: Box::new(events), checks }
}

/// What each key's last read showed, as three replicas show it in two rounds.
fn read_replicas(mut events: Vec<Event>) -> Vec<Event> {
    let mut last: BTreeMap<Key, Event> = BTreeMap::new();
    for event in events.iter().filter(|event| event.kind == EventType::Ok && event.f == "read") {
        last.extend(event.key.clone().map(|key| (key, event.clone())));
    }
    let mut now = events.last().map_or(0, |event| event.time) + 1_000_000_000;
    for (key, shown) in last.iter().chain(&last) {
        for node in ["n1", "n2", "n3"] {
            let mut event =
                Event::new(Process::Client(u64::MAX), EventType::Invoke, "replica-read", Value::Null);
            (event.key, event.node) = (Some(key.clone()), Some(node.into()));
            push(&mut events, event.clone(), &mut now);
            (event.kind, event.value, event.extra) =
                (EventType::Ok, shown.value.clone(), shown.extra.clone());
            push(&mut events, event, &mut now);
        }
    }
    events
}

fn push(events: &mut Vec<Event>, mut event: Event, now: &mut u64) {
    *now += 1_000;
    (event.index, event.time) = (events.len() as u64, *now);
    events.push(event);
}

/// The same events, with a partition that begins every second and is healed half a second later.
fn partitions(events: Vec<Event>) -> Vec<Event> {
    let grudge = json!({"grudge": {"n1": ["n2", "n3"], "n2": ["n1"], "n3": ["n1"]}});
    let (mut all, mut next, mut healed) = (Vec::with_capacity(events.len()), 500_000_000, true);
    for event in events {
        if event.time >= next {
            let f = if healed { "partition" } else { "heal-partition" };
            let mut change = Event::new(Process::Nemesis, EventType::Info, f, grudge.clone());
            (change.index, change.time) = (all.len() as u64, next);
            all.push(change);
            (next, healed) = (next + 500_000_000, !healed);
        }
        let index = all.len() as u64;
        let node = match event.process {
            Process::Client(process) => Some(["n1", "n2", "n3"][process as usize % 3].into()),
            Process::Nemesis => None,
        };
        all.push(Event { index, node, ..event });
    }
    all
}

/// Writes whole operations, one after the other.
struct Writer {
    rng: ChaCha8Rng,
    events: Vec<Event>,
    now: u64,
    add: Name,
    remove: Name,
    read: Name,
}

impl Writer {
    fn new() -> Self {
        Self {
            rng: ChaCha8Rng::seed_from_u64(SEED),
            events: Vec::new(),
            now: 0,
            add: "add".into(),
            remove: "remove".into(),
            read: "read".into(),
        }
    }

    fn operation(&mut self, f: &Name, key: &Key, argument: &Value, result: Value) -> (&mut Event, usize) {
        let mut event = Event::new(Process::Client(0), EventType::Invoke, f.clone(), argument.clone());
        event.key = Some(key.clone());
        push(&mut self.events, event.clone(), &mut self.now);
        (event.kind, event.value) = (EventType::Ok, result);
        push(&mut self.events, event, &mut self.now);
        let last = self.events.len() - 1;
        (&mut self.events[last], last - 1)
    }
}

/// Sets of a hundred operations each, one of ten a read.
fn sets(operations: u32) -> Vec<Event> {
    let mut writer = Writer::new();
    let (add, read) = (writer.add.clone(), writer.read.clone());
    for set in 0..operations.div_ceil(100) {
        let key = Key::from(i64::from(set));
        let mut elements: Vec<Value> = Vec::new();
        for at in 0..100 {
            if at % 10 == 9 {
                writer.operation(&read, &key, &Value::Null, Value::from(elements.clone()));
            } else {
                let element = json!(set * 100 + at);
                writer.operation(&add, &key, &element, element.clone());
                elements.push(element);
            }
        }
    }
    writer.events
}

/// Carts of twenty operations each.
fn carts(operations: u32) -> Vec<Event> {
    let mut writer = Writer::new();
    let (add, remove, read) = (writer.add.clone(), writer.remove.clone(), writer.read.clone());
    for cart in 0..operations.div_ceil(20) {
        let key = Key::from(i64::from(cart));
        let (mut elements, mut counter) = (Vec::<Value>::new(), 0_u64);
        for at in 0..20 {
            let known = CausalContext::from(json!({"n1/1": counter}));
            let what = writer.rng.random_range(0..10);
            if what < 5 {
                let (answer, _) = writer.operation(&read, &key, &Value::Null, Value::from(elements.clone()));
                let extra = answer.extra_mut();
                extra.context = Some(known.clone());
                extra.version = Some(if counter == 0 { json!("") } else { json!(format!("n1/1:{counter}")) });
                continue;
            }
            let removed = if what == 9 { elements.pop() } else { None };
            let f = if removed.is_some() { &remove } else { &add };
            let element = removed.clone().unwrap_or_else(|| json!(cart * 20 + at));
            if removed.is_none() {
                elements.push(element.clone());
            }
            counter += 1;
            let (answer, call) = writer.operation(f, &key, &element, element.clone());
            let extra = answer.extra_mut();
            extra.context = Some(json!({"n1/1": counter}).into());
            extra.version = Some(json!(format!("n1/1:{counter}")));
            writer.events[call].extra_mut().context = Some(known);
        }
    }
    writer.events
}

fn main() {
    measure("convergence_replicas", Bounds::USUAL, &cases());
}
