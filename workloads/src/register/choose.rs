//! Which operation comes next on a register.
//!
//! Plain registers get half reads and half writes. With conditions, about half of them should hold and half
//! should fail: both are what a checker learns from. Whether one holds is steered by where `old` comes from.
//! The newest value that a completion showed mostly holds; an older one, or "absent" of what is there, mostly
//! fails. The share that held so far decides which is tried. The mix is the same under any contention: a
//! compare-and-set that meets an open write *is* the race that is looked for, and one that fails is a look.
//!
//! Each key has hot and calm stretches ([`KeyPool::pick_in_turn`]). A hot stretch begins with a *burst*: the next few
//! clients all race for the key from the value that the calm stretch left, which nobody but them is changing.
//!
//! What is to look and not to change (reads, and conditions that should fail) mostly goes to keys that are not
//! being written: a stale answer that overlaps the write which it missed proves nothing. The sensitivity that
//! runs report is what this is tuned by.

use growler_checker::history::{Event, EventType, Key};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::dynamodb::outcome::CONDITION_FAILED;
use crate::generator::{FinalReads, IDLE, KeyPool, KeyState, invocation};
use crate::workload::{Context, Generator, Invocation, Next, Shape};

/// A value that is never written: a condition on it fails on every key. Written values start at 1.
const NEVER_WRITTEN: i64 = 0;

/// The generator of both register workloads.
pub(super) struct RegisterGenerator {
    rng: ChaCha8Rng,
    keys: KeyPool,
    chooser: Chooser,
    /// Clients that race in a burst.
    racers: u32,
    burst: Option<Burst>,
    final_reads: Option<FinalReads>,
}

/// A race that is going on: who comes next joins it.
struct Burst {
    key: Key,
    /// The value that all of them saw.
    from: Value,
    left: u32,
}

/// Clients in a burst at most.
const RACERS: usize = 16;

impl RegisterGenerator {
    pub(super) fn new(shape: &Shape, conditional: bool) -> Self {
        Self {
            rng: ChaCha8Rng::seed_from_u64(shape.seed),
            keys: KeyPool::new(shape),
            chooser: Chooser { conditional, ..Chooser::default() },
            racers: u32::try_from(shape.concurrency.min(RACERS)).unwrap_or(0),
            burst: None,
            final_reads: None,
        }
    }

    /// The next operation of the burst, if one is going on.
    fn join(&mut self) -> Option<Invocation> {
        let Burst { key, from, left } = self.burst.take()?;
        self.keys.pick_again(&key)?;
        self.burst = (left > 1).then(|| Burst { key: key.clone(), from: from.clone(), left: left - 1 });
        Some(Invocation { key: Some(key), ..self.chooser.race(&from, &mut self.rng) })
    }
}

impl Generator for RegisterGenerator {
    fn next(&mut self, context: &Context) -> Next {
        if let Some(reads) = &mut self.final_reads {
            return reads.next(context);
        }
        if let Some(op) = self.join() {
            return Next::Op(op);
        }
        let wish = self.chooser.wish(&mut self.rng);
        let looks = matches!(wish, Wish::Read | Wish::Refusal);
        let Some((state, begins)) = self.keys.pick_in_turn(looks, &mut self.rng) else {
            return Next::Wait(IDLE);
        };
        let key = state.key.clone();
        let op = if begins && self.racers > 1 {
            let from = state.latest.clone().unwrap_or_default();
            let op = self.chooser.race(&from, &mut self.rng);
            self.burst = Some(Burst { key: key.clone(), from, left: self.racers - 1 });
            op
        } else {
            self.chooser.choose(wish, state, &mut self.rng)
        };
        Next::Op(Invocation { key: Some(key), ..op })
    }

    fn update(&mut self, event: &Event) {
        self.keys.update(event);
        self.chooser.update(event);
        if let Some(reads) = &mut self.final_reads {
            reads.update(event);
        }
    }

    fn finish(&mut self) {
        if self.final_reads.is_none() {
            let read =
                |key: &_| Invocation { key: Some(Clone::clone(key)), ..invocation("read", Value::Null) };
            self.final_reads = Some(FinalReads::new(self.keys.used().iter().map(read).collect()));
        }
    }
}

/// What is to be done, before a key is chosen.
#[derive(Debug, Clone, Copy)]
enum Wish {
    Read,
    Write,
    Delete,
    /// A condition that holds.
    Update,
    /// A condition that does not: it looks, and changes nothing.
    Refusal,
}

/// Chooses functions and arguments.
#[derive(Debug, Default)]
struct Chooser {
    conditional: bool,
    written: i64,
    held: u64,
    failed: u64,
}

impl Chooser {
    fn wish(&self, rng: &mut impl Rng) -> Wish {
        let roll = rng.random_range(0..100);
        match (self.conditional, roll) {
            (false, 0..50) | (true, 0..35) => Wish::Read,
            (false, 50..97) | (true, 35..54) => Wish::Write,
            (false, _) | (true, 54) => Wish::Delete,
            (true, _) if rng.random_bool(if self.held <= self.failed { 0.9 } else { 0.1 }) => Wish::Update,
            (true, _) => Wish::Refusal,
        }
    }

    fn choose(&mut self, wish: Wish, key: &KeyState, rng: &mut impl Rng) -> Invocation {
        match wish {
            Wish::Read => read(),
            Wish::Write => self.write(),
            Wish::Delete => invocation("write", Value::Null),
            Wish::Update => self.cas(true, key, rng),
            Wish::Refusal => self.cas(false, key, rng),
        }
    }

    fn update(&mut self, event: &Event) {
        if event.f == "cas" {
            let failed = event.error.as_deref().and_then(Value::as_str) == Some(CONDITION_FAILED);
            self.held += u64::from(event.kind == EventType::Ok);
            self.failed += u64::from(failed);
        }
    }

    fn cas(&mut self, hold: bool, key: &KeyState, rng: &mut impl Rng) -> Invocation {
        let latest = key.latest.as_ref().filter(|value| value.is_i64() || value.is_null());
        let old = match latest {
            Some(latest) if hold => latest.clone(),
            // Of a fresh key nobody has told anything: there is nothing yet.
            None if hold => Value::Null,
            _ => failing(key, rng),
        };
        self.cas_from(&old, rng)
    }

    /// One of several that start from the same value: with conditions at most one of them can win.
    fn race(&mut self, from: &Value, rng: &mut impl Rng) -> Invocation {
        let can_match = from.is_i64() || from.is_null();
        if self.conditional && can_match && rng.random_ratio(7, 8) {
            return self.cas_from(from, rng);
        }
        self.write()
    }

    fn cas_from(&mut self, old: &Value, rng: &mut impl Rng) -> Invocation {
        let new = if !old.is_null() && rng.random_ratio(1, 6) { Value::Null } else { json!(self.fresh()) };
        let via = (!old.is_null() && !new.is_null() && rng.random_bool(0.5)).then_some("update");
        Invocation { via, ..invocation("cas", json!([old, new])) }
    }

    fn write(&mut self) -> Invocation {
        invocation("write", json!(self.fresh()))
    }

    /// A value that was not written before.
    fn fresh(&mut self) -> i64 {
        self.written += 1;
        self.written
    }
}

fn read() -> Invocation {
    invocation("read", Value::Null)
}

/// A condition's value that probably is not in force.
fn failing(key: &KeyState, rng: &mut impl Rng) -> Value {
    if key.latest.as_ref().is_some_and(|latest| !latest.is_null()) && rng.random_ratio(1, 3) {
        return Value::Null;
    }
    key.earlier.clone().filter(Value::is_i64).unwrap_or(json!(NEVER_WRITTEN))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::{Mode, Popularity};
    use growler_checker::history::Process;
    use growler_checker::promise::Terms;
    use std::collections::{BTreeMap, HashSet};
    use std::time::Duration;

    fn shape(keys: usize) -> Shape {
        Shape {
            keys,
            popularity: Popularity::Zipf(1.0),
            ops_per_key: 200,
            concurrency: 8,
            seed: 7,
            table_prefix: String::new(),
            mode: Mode::Strong,
            terms: Terms::default(),
            convergence: Duration::from_secs(10),
        }
    }

    /// What a generator was asked for and told, in order, by eight workers on registers that work.
    fn simulate(shape: &Shape, conditional: bool, operations: usize) -> Vec<Event> {
        let mut generator = RegisterGenerator::new(shape, conditional);
        let mut registers: BTreeMap<Key, Value> = BTreeMap::new();
        let mut open: Vec<Option<Invocation>> = vec![None; shape.concurrency];
        let mut events = Vec::new();
        for step in 0..operations * 2 {
            // A fixed order that overlaps operations: worker 5k mod n either begins or ends.
            let worker = (step * 5 + step / 7) % open.len();
            let context =
                Context { time: Duration::from_millis(step as u64), client: worker as u64, nodes: 3 };
            let event = match open[worker].take() {
                Some(op) => complete(&op, worker, &mut registers),
                None => {
                    let Next::Op(op) = generator.next(&context) else { continue };
                    let event = event(&op, worker, EventType::Invoke);
                    open[worker] = Some(op);
                    event
                }
            };
            generator.update(&event);
            events.push(event);
        }
        events
    }

    fn event(op: &Invocation, worker: usize, kind: EventType) -> Event {
        let process = Process::Client(worker as u64);
        Event { key: op.key.clone(), ..Event::new(process, kind, op.f, op.value.clone()) }
    }

    fn complete(op: &Invocation, worker: usize, registers: &mut BTreeMap<Key, Value>) -> Event {
        let register = registers.entry(op.key.clone().unwrap()).or_insert(Value::Null);
        let mut event = event(op, worker, EventType::Ok);
        match op.f {
            "read" => event.value = register.clone(),
            "write" => *register = op.value.clone(),
            _ if op.value[0] == *register => *register = op.value[1].clone(),
            _ => {
                event.kind = EventType::Fail;
                event.error = Some(CONDITION_FAILED.into());
                event.observed = Some(register.clone());
            }
        }
        event
    }

    fn share(events: &[Event], of: impl Fn(&Event) -> bool, among: impl Fn(&Event) -> bool) -> f64 {
        let completions = || events.iter().filter(|e| e.kind != EventType::Invoke && among(e));
        completions().filter(|e| of(e)).count() as f64 / completions().count() as f64
    }

    #[test]
    fn the_same_seed_and_completions_give_the_same_operations() {
        for conditional in [false, true] {
            let run = || simulate(&shape(5), conditional, 2_000);
            assert_eq!(run(), run());
            let other = simulate(&Shape { seed: 8, ..shape(5) }, conditional, 2_000);
            assert_ne!(run(), other);
        }
    }

    #[test]
    fn at_least_a_third_of_what_succeeds_are_writes() {
        for conditional in [false, true] {
            let events = simulate(&shape(5), conditional, 5_000);
            let writes = share(&events, |e| e.f != "read", |e| e.kind == EventType::Ok);
            assert!(writes > 0.34, "{writes}");
        }
    }

    #[test]
    fn conditions_hold_and_fail_often_also_on_one_contended_key() {
        for (keys, least) in [(1, 0.15), (5, 0.25), (50, 0.25)] {
            let events = simulate(&shape(keys), true, 5_000);
            let held = share(&events, |e| e.kind == EventType::Ok, |e| e.f == "cas");
            assert!((least..0.75).contains(&held), "{keys} keys: {held}");
            let conditional = share(&events, |e| e.f == "cas", |_| true);
            assert!((0.35..0.6).contains(&conditional), "the mix holds with {keys} keys: {conditional}");
        }
    }

    /// Of the operations on each key in the order of their invocations: whether others were open on it then.
    fn met(events: &[Event]) -> Vec<bool> {
        let (mut open, mut met): (BTreeMap<Key, u32>, Vec<bool>) = Default::default();
        for event in events {
            let open = open.entry(event.key.clone().unwrap()).or_default();
            if event.kind == EventType::Invoke {
                met.push(*open > 0);
                *open += 1;
            } else {
                *open -= 1;
            }
        }
        met
    }

    #[test]
    fn hot_and_calm_stretches_alternate_however_hot_the_load() {
        let met = met(&simulate(&Shape { concurrency: 32, ..shape(1) }, true, 20_000));
        for stretch in met.chunks_exact(100) {
            assert!(stretch[75..].iter().all(|met| !met), "the last quarter is calm");
            assert!(stretch[..75].iter().filter(|met| **met).count() > 60, "the rest is hot");
        }
    }

    #[test]
    fn a_hot_stretch_begins_with_a_race_from_one_value() {
        for concurrency in [4, 32] {
            let events = simulate(&Shape { concurrency, ..shape(1) }, true, 4_000);
            let invoked: Vec<&Event> = events.iter().filter(|e| e.kind == EventType::Invoke).collect();
            for stretch in invoked.chunks_exact(100) {
                let racers = &stretch[..concurrency.min(RACERS)];
                assert!(racers.iter().all(|e| e.f != "read"), "{racers:?}");
                let from: HashSet<_> =
                    racers.iter().filter(|e| e.f == "cas").map(|e| e.value[0].to_string()).collect();
                assert!(from.len() <= 1, "{from:?}");
            }
        }
        let alone = simulate(&Shape { concurrency: 1, ..shape(1) }, true, 1_000);
        assert!(!met(&alone).contains(&true), "one client races with nobody");
    }

    #[test]
    fn every_written_value_is_written_once() {
        for conditional in [false, true] {
            let events = simulate(&shape(5), conditional, 2_000);
            let written =
                events.iter().filter(|e| e.kind == EventType::Invoke).filter_map(|e| match e.f.as_str() {
                    "write" => e.value.as_i64(),
                    "cas" => e.value[1].as_i64(),
                    _ => None,
                });
            let (mut seen, mut count) = (HashSet::new(), 0);
            for value in written {
                assert!(value > NEVER_WRITTEN && seen.insert(value), "{value}");
                count += 1;
            }
            assert!(count > 500);
        }
    }

    #[test]
    fn most_deletes_are_conditional_and_some_use_update_item() {
        let mut generator = RegisterGenerator::new(&shape(5), true);
        let (mut registers, mut deletes, mut updates) = (BTreeMap::new(), [0, 0], 0);
        for step in 0..5_000 {
            let context = Context { time: Duration::from_millis(step), client: 0, nodes: 3 };
            let Next::Op(op) = generator.next(&context) else { panic!("the load goes on") };
            match op.f {
                "write" => deletes[0] += u32::from(op.value.is_null()),
                "cas" => deletes[1] += u32::from(op.value[1].is_null()),
                _ => {}
            }
            updates += u32::from(op.via == Some("update"));
            generator.update(&event(&op, 0, EventType::Invoke));
            generator.update(&complete(&op, 0, &mut registers));
        }
        assert!(deletes[1] > 2 * deletes[0] && deletes[0] > 0 && updates > 200, "{deletes:?} {updates}");
    }

    #[test]
    fn the_end_reads_every_key_that_was_ever_used() {
        let mut generator = RegisterGenerator::new(&Shape { ops_per_key: 10, ..shape(3) }, false);
        let context = Context { time: Duration::ZERO, client: 0, nodes: 3 };
        let mut used = HashSet::new();
        for _ in 0..500 {
            let Next::Op(op) = generator.next(&context) else { panic!("the load goes on") };
            used.insert(op.key.unwrap());
        }
        generator.finish();
        let mut nodes: BTreeMap<Key, HashSet<usize>> = BTreeMap::new();
        while let Next::Op(op) = generator.next(&context) {
            nodes.entry(op.key.clone().unwrap()).or_default().insert(op.node.unwrap());
            generator.update(&event(&op, 0, EventType::Ok));
        }
        assert!(used.len() > 40 && used.iter().all(|key| nodes[key].len() == 3));
    }
}
