//! How long the checks of what there is in the end take from recorded events to a verdict, on one core, and how
//! much memory: a table of `checker/BENCHMARKS.md`, which a whole run rewrites.
//!
//! Times are processor times of the one thread that works, so that a busy machine does not count. Memory is the
//! kernel's high-water mark during one check, less what was there before: the events themselves, which the
//! table shows apart.

use std::cell::{LazyCell, RefCell};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use criterion::Criterion;
use growler_bench::memory::{forget_peak, processor_time, resident};
use growler_bench::report::{self, megabytes, time};
use growler_bench::simulation_replicas::{Replicas, Versions};
use growler_checker::convergence::availability::{Availability, Floor};
use growler_checker::convergence::lww::Lww;
use growler_checker::convergence::order::Rules;
use growler_checker::convergence::replicas::Convergence;
use growler_checker::convergence::resurrection::Resurrection;
use growler_checker::convergence::set_full::SetFull;
use growler_checker::convergence::siblings::Siblings;
use growler_checker::history::{Event, EventType, Key, Name, Process};
use growler_checker::verdict::{Budget, Check};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

const SEED: u64 = 1;
/// What each check must keep to.
const MUST_S: f64 = 2.0;
const MUST_BYTES: u64 = 1_000_000_000;

/// Where the histories come from.
#[derive(Clone, Copy)]
enum Source {
    /// A store of three replicas, every one of which is read twice in the end.
    Store(Replicas),
    /// The same, with a partition every second.
    Partitioned(Replicas),
    /// Sets of a hundred operations each, one of ten a read.
    Sets,
    /// Carts of twenty operations each.
    Carts,
}

impl Source {
    fn events(self, operations: u32) -> Vec<Event> {
        match self {
            Self::Store(plan) => read_replicas(Replicas { operations, ..plan }.run(SEED)),
            Self::Partitioned(plan) => partitions(Replicas { operations, ..plan }.run(SEED)),
            Self::Sets => sets(operations),
            Self::Carts => carts(operations),
        }
    }
}

struct Case {
    check: Box<dyn Check>,
    about: &'static str,
    source: Source,
}

fn cases() -> Vec<Case> {
    let clocks = Replicas::HEALTHY;
    let stamps = Replicas { versions: Versions::Timestamps, ..clocks };
    let few = Replicas { keys: 10, ..clocks };
    let rules = |lww| Rules { lww, ordered_writes: true };
    let floor = Floor { share: 0.99, after: Duration::from_millis(100), nodes: 2, writes_only: true };
    let case = |check, about, source| Case { check, about, source };
    vec![
        case(Box::new(Convergence::new(rules(false))), "1,000 keys, clocks", Source::Store(clocks)),
        case(Box::new(Convergence::new(rules(true))), "1,000 keys, timestamps", Source::Store(stamps)),
        case(Box::new(Resurrection::new(rules(false))), "1,000 keys, clocks", Source::Store(clocks)),
        case(Box::new(Resurrection::new(rules(false))), "10 keys, clocks", Source::Store(few)),
        case(Box::<Siblings>::default(), "1,000 keys, clocks", Source::Store(clocks)),
        case(Box::<Siblings>::default(), "10 keys, clocks", Source::Store(few)),
        case(Box::<Siblings>::default(), "50,000 carts", Source::Carts),
        case(Box::<Lww>::default(), "1,000 keys, timestamps", Source::Store(stamps)),
        case(Box::<Lww>::default(), "10 keys, timestamps", Source::Store(Replicas { keys: 10, ..stamps })),
        case(Box::new(SetFull::eventual()), "10,000 sets", Source::Sets),
        case(
            Box::new(Availability { floor: Some(floor) }),
            "a partition a second",
            Source::Partitioned(clocks),
        ),
    ]
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

fn carts(operations: u32) -> Vec<Event> {
    let mut writer = Writer::new();
    let (add, remove, read) = (writer.add.clone(), writer.remove.clone(), writer.read.clone());
    for cart in 0..operations.div_ceil(20) {
        let key = Key::from(i64::from(cart));
        let (mut elements, mut counter) = (Vec::<Value>::new(), 0_u64);
        for at in 0..20 {
            let known = json!({"n1/1": counter});
            let what = writer.rng.random_range(0..10);
            if what < 5 {
                let (answer, _) = writer.operation(&read, &key, &Value::Null, Value::from(elements.clone()));
                let extra = answer.extra_mut();
                extra.context = Some(known);
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
            extra.context = Some(json!({"n1/1": counter}));
            extra.version = Some(json!(format!("n1/1:{counter}")));
            writer.events[call].extra_mut().context = Some(known);
        }
    }
    writer.events
}

struct Measured {
    check: &'static str,
    about: &'static str,
    median_s: f64,
    beside_bytes: u64,
    input_bytes: u64,
    verdict: String,
}

fn main() {
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    let is_test = std::env::args().any(|argument| argument == "--test" || argument == "--list");
    let mut group = criterion.benchmark_group("convergence_replicas");
    group.warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_secs(3));
    let mut measured = Vec::new();
    for Case { check, about, source } in cases() {
        let before_bytes = resident().expect("the kernel tells the memory").now;
        let events = LazyCell::new(|| source.events(if is_test { 10_000 } else { 1_000_000 }));
        let (samples, facts) = (RefCell::new(Vec::new()), RefCell::new(None));
        group.bench_function(format!("{}: {about}", check.name()), |b| {
            let events: &[Event] = &events;
            b.iter_custom(|passes| {
                let mut spent = Duration::ZERO;
                for _ in 0..passes {
                    forget_peak().expect("the kernel forgets");
                    let held = resident().expect("the kernel tells the memory");
                    let began = processor_time().expect("the kernel tells the time");
                    let result = check.check(events, &Budget::default());
                    spent += processor_time().expect("the kernel tells the time") - began;
                    let peak = resident().expect("the kernel tells the memory").peak;
                    *facts.borrow_mut() = Some((format!("{:?}", result.valid), held.now, peak - held.now));
                }
                samples.borrow_mut().push(spent.as_secs_f64() / passes as f64);
                spent
            });
        });
        let mut samples = samples.into_inner();
        samples.sort_by(f64::total_cmp);
        if let (Some(&median_s), Some((verdict, held, beside_bytes))) =
            (samples.get(samples.len() / 2), facts.into_inner())
        {
            let input_bytes = held.saturating_sub(before_bytes);
            let check = check.name();
            measured.push(Measured { check, about, median_s, beside_bytes, input_bytes, verdict });
        }
    }
    group.finish();
    criterion.final_summary();
    let content = format!("Measured on {}.\n\n{}", report::machine(), table(&measured));
    eprintln!("{content}");
    if is_test || measured.len() < cases().len() {
        eprintln!("not everything was measured: checker/BENCHMARKS.md is left as it is");
        return;
    }
    report::replace_section(&report::page(), "convergence_replicas", &content)
        .expect("the page can be written");
}

fn table(measured: &[Measured]) -> String {
    let mut text = String::from(
        "| check | 1 M operations | verdict | must | time | memory beside the events | the events | reached |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for Measured { check, about, median_s, beside_bytes, input_bytes, verdict } in measured {
        let reached = if *median_s < MUST_S && *beside_bytes < MUST_BYTES { "must" } else { "**no**" };
        let _ = writeln!(
            text,
            "| {check} | {about} | {} | < {}, {} | {} | {} | {} | {reached} |",
            verdict.to_lowercase(),
            time(MUST_S),
            megabytes(MUST_BYTES),
            time(*median_s),
            megabytes(*beside_bytes),
            megabytes(*input_bytes),
        );
    }
    text
}
