//! A simulated store of replicas that clients talk to: histories of a store that promises little, made in a
//! moment, with all that it says of its versions.
//!
//! Every replica holds every key. A client asks a replica, which answers from what it holds; what it took in
//! reaches the others later, after an exponential delay. Clients stay with a replica or hop from one to the
//! next. A share of the operations is never answered; of those half take effect, some long after. [`Versions`]
//! says what versions the store keeps:
//!
//! - clocks: dotted version vectors with an actor for each replica, key and epoch, siblings where writes meet;
//! - timestamps: the same, where only the version with the greatest timestamp survives, and each replica's
//!   clock is off by something;
//! - numbers, or nothing: all writes and strong reads go to the first replica, eventual reads to any.
//!
//! Replicas take over whole states, so a clock never covers what was not there. Keys that all replicas hold as
//! the same tombstone may be forgotten, clocks and all. Where replicas exchange all keys at one moment
//! ([`Replicas::whole`]) and clients stay, the store is causal. A given share of the answers is a lie.
//!
//! The same seed gives the same history on every machine. This file must stand alone (it uses the checker and
//! the random numbers), so that tests of other crates can take it in by its path.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use growler_checker::history::{Consistency, Event, EventType, Name, Names, Process, Timestamp};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

/// Mean time from a call to its answer, in microseconds.
const LATENCY_US: f64 = 2_000.0;
/// Mean time from an answer to the next call.
const THINK_US: f64 = 500.0;

/// What the store says of its versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versions {
    /// Dots and clocks.
    Clocks,
    /// Dots, clocks and timestamps; the greatest timestamp wins.
    Timestamps,
    /// Numbers.
    Numbers,
    /// Nothing.
    Nothing,
}

/// What is simulated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Replicas {
    /// Operations.
    pub operations: u32,
    /// Keys, equally popular.
    pub keys: u32,
    /// Clients, each with one operation open at a time.
    pub clients: u32,
    /// Replicas of every key.
    pub replicas: u32,
    /// What the store says of its versions.
    pub versions: Versions,
    /// The share of operations that are reads.
    pub reads: f64,
    /// The share of the writes that are deletes.
    pub deletes: f64,
    /// The share of operations that is never answered.
    pub unanswered: f64,
    /// The share of operations for which a client asks another replica than its own.
    pub hops: f64,
    /// Mean time until another replica takes over a write, in microseconds.
    pub lag_us: f64,
    /// Whether replicas take over all keys at one moment, and not one key.
    pub whole: bool,
    /// The share of the answers that are lies.
    pub lies: f64,
}

impl Replicas {
    /// Three replicas that take over within a millisecond, as mostly healthy stores do.
    pub const HEALTHY: Self = Self {
        operations: 1_000_000,
        keys: 1_000,
        clients: 50,
        replicas: 3,
        versions: Versions::Clocks,
        reads: 0.5,
        deletes: 0.02,
        unanswered: 0.01,
        hops: 0.3,
        lag_us: 1_000.0,
        whole: false,
        lies: 0.0,
    };
}

type Clock = BTreeMap<String, u64>;

#[derive(Debug, Clone, PartialEq)]
struct Version {
    dot: (String, u64),
    value: Value,
    stamp: (i64, u32),
    number: i64,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct State {
    clock: Clock,
    versions: Vec<Version>,
}

impl State {
    fn merge(&mut self, other: &Self, lww: bool) {
        let covers =
            |clock: &Clock, dot: &(String, u64)| clock.get(&dot.0).is_some_and(|&counter| counter >= dot.1);
        let own = std::mem::take(&mut self.versions);
        let kept = |version: &Version, others: &Self| {
            others.versions.iter().any(|theirs| theirs.dot == version.dot)
                || !covers(&others.clock, &version.dot)
        };
        let before = Self { clock: self.clock.clone(), versions: own };
        self.versions = before.versions.iter().filter(|version| kept(version, other)).cloned().collect();
        let new = other.versions.iter().filter(|version| !covers(&before.clock, &version.dot));
        self.versions.extend(new.cloned());
        for (actor, &counter) in &other.clock {
            let known = self.clock.entry(actor.clone()).or_default();
            *known = counter.max(*known);
        }
        if lww {
            self.versions.sort_by_key(|version| version.stamp);
            self.versions.drain(..self.versions.len().saturating_sub(1));
        }
        self.versions.sort_by(|a, b| a.dot.cmp(&b.dot));
    }

    /// The version that a client is shown who knows no siblings.
    fn shown(&self) -> Option<&Version> {
        self.versions.iter().max_by_key(|version| (!version.value.is_null(), version.stamp, &version.dot))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Effect(usize),
    Completion(usize),
    Invocation(u32),
    Exchange { from: u32, to: u32, key: u32 },
}

#[derive(Debug, Clone)]
struct Open {
    process: u64,
    client: u32,
    key: u32,
    replica: u32,
    write: Option<Value>,
    eventual: bool,
    answered: bool,
    state: State,
}

struct Store<'s> {
    plan: &'s Replicas,
    rng: ChaCha8Rng,
    due: BinaryHeap<Reverse<(u64, u32, Due)>>,
    order: u32,
    now: u64,
    processes: Vec<u64>,
    open: BTreeMap<usize, Open>,
    invoked: usize,
    epochs: Vec<u64>,
    rows: Vec<BTreeMap<u32, State>>,
    /// Of each key, a few states that were once answered: what lies are made of.
    past: Vec<Vec<State>>,
    names: [Name; 2],
    actors: Names,
    keys: Vec<Name>,
    number: i64,
    events: Vec<Event>,
}

impl Replicas {
    /// The history that this seed gives.
    #[must_use]
    pub fn run(&self, seed: u64) -> Vec<Event> {
        let mut store = Store {
            plan: self,
            rng: ChaCha8Rng::seed_from_u64(seed),
            due: BinaryHeap::new(),
            order: 0,
            now: 0,
            processes: (0..u64::from(self.clients)).collect(),
            open: BTreeMap::new(),
            invoked: 0,
            epochs: vec![0; self.replicas as usize],
            rows: vec![BTreeMap::new(); self.replicas as usize],
            past: vec![Vec::new(); self.keys as usize],
            actors: Names::default(),
            names: ["read", "write"].map(Name::from),
            keys: (0..self.keys).map(|key| Name::from(format!("k{key}"))).collect(),
            number: 0,
            events: Vec::with_capacity(2 * self.operations as usize),
        };
        for client in 0..self.clients {
            store.later(THINK_US, Due::Invocation(client));
        }
        while let Some(Reverse((now, _, due))) = store.due.pop() {
            store.now = now;
            match due {
                Due::Effect(operation) => store.take_effect(operation),
                Due::Completion(operation) => store.complete(operation),
                Due::Invocation(client) => store.invoke(client),
                Due::Exchange { from, to, key } => store.exchange(from, to, key),
            }
        }
        store.events
    }

    fn has_clocks(&self) -> bool {
        matches!(self.versions, Versions::Clocks | Versions::Timestamps)
    }
}

impl Store<'_> {
    fn exponential(&mut self, mean: f64) -> u64 {
        let uniform: f64 = self.rng.random();
        (-mean * (1.0 - uniform).ln()) as u64 + 1
    }

    fn later(&mut self, mean_us: f64, due: Due) {
        let wait = self.exponential(mean_us);
        self.at(self.now + wait, due);
    }

    fn at(&mut self, when: u64, due: Due) {
        self.order += 1;
        self.due.push(Reverse((when, self.order, due)));
    }

    fn chance(&mut self, share: f64) -> bool {
        share > 0.0 && self.rng.random_bool(share)
    }

    fn below(&mut self, limit: u32) -> u32 {
        if limit <= 1 { 0 } else { self.rng.random_range(0..limit) }
    }

    fn invoke(&mut self, client: u32) {
        if self.invoked >= self.plan.operations as usize {
            return;
        }
        let operation = self.invoked;
        self.invoked += 1;
        let key = self.below(self.plan.keys);
        let write = if self.chance(self.plan.reads) {
            None
        } else if self.chance(self.plan.deletes) {
            Some(Value::Null)
        } else {
            Some(json!(operation + 1))
        };
        let eventual = write.is_none() && self.chance(0.7);
        let led = !self.plan.has_clocks() && !eventual;
        let replica = if led {
            0
        } else if self.chance(self.plan.hops) {
            self.below(self.plan.replicas)
        } else {
            client % self.plan.replicas
        };
        let answered = !self.chance(self.plan.unanswered);
        let process = self.processes[client as usize];
        let open = Open { process, client, key, replica, write, eventual, answered, state: State::default() };
        self.record(&open, EventType::Invoke, open.write.clone().unwrap_or_default());
        self.open.insert(operation, open);
        let wait = self.exponential(LATENCY_US);
        let share: f64 = self.rng.random();
        if answered {
            self.at(self.now + (share * wait as f64) as u64, Due::Effect(operation));
        } else if self.chance(0.5) {
            let late = share * (wait as f64 + 4.0 * LATENCY_US);
            self.at(self.now + late as u64, Due::Effect(operation));
        }
        self.at(self.now + wait, Due::Completion(operation));
    }

    fn take_effect(&mut self, operation: usize) {
        let Some(open) = self.open.get(&operation).cloned() else { return };
        if let Some(value) = open.write.clone() {
            self.write(&open, value);
            for to in (0..self.plan.replicas).filter(|&to| to != open.replica) {
                self.later(self.plan.lag_us, Due::Exchange { from: open.replica, to, key: open.key });
            }
        }
        let state = self.rows[open.replica as usize].get(&open.key).cloned().unwrap_or_default();
        if self.plan.lies > 0.0 {
            self.past[open.key as usize].push(state.clone());
        }
        if open.answered {
            self.open.insert(operation, Open { state, ..open });
        }
    }

    fn write(&mut self, open: &Open, value: Value) {
        let replica = open.replica as usize;
        let skew = i64::from(open.replica) * 1_500;
        let own = format!("n{}/", replica + 1);
        let row = self.rows[replica].entry(open.key).or_default();
        let actor = row.clock.keys().filter(|actor| actor.starts_with(&own)).max().cloned();
        // An actor is of this replica's own row: who took a state over from others still begins an epoch.
        let actor = actor.unwrap_or_else(|| {
            self.epochs[replica] += 1;
            format!("{own}{:09}", self.epochs[replica])
        });
        let newest = row.versions.iter().map(|version| version.stamp.0).max();
        let wall = self.now as i64 * 1_000 + skew * 1_000;
        let stamp = newest.map_or(wall, |newest| wall.max(newest + 1));
        self.number += 1;
        let counter = row.clock.get(&actor).copied().unwrap_or(0) + 1;
        row.clock.insert(actor.clone(), counter);
        let dot = (actor, counter);
        row.versions = vec![Version { dot, value, stamp: (stamp, open.replica), number: self.number }];
    }

    /// One replica takes over from another what that holds by now.
    fn exchange(&mut self, from: u32, to: u32, key: u32) {
        let lww = self.plan.versions != Versions::Clocks;
        let keys: Vec<u32> =
            if self.plan.whole { self.rows[from as usize].keys().copied().collect() } else { vec![key] };
        for key in keys {
            if let Some(state) = self.rows[from as usize].get(&key).cloned() {
                self.rows[to as usize].entry(key).or_default().merge(&state, lww);
            }
            self.forget(key);
        }
    }

    /// Forgets a key that all replicas hold as the same tombstones.
    fn forget(&mut self, key: u32) {
        let Some(state) = self.rows[0].get(&key) else { return };
        let gone = state.versions.iter().all(|version| version.value.is_null());
        if gone && self.rows.iter().all(|rows| rows.get(&key) == Some(state)) {
            for rows in &mut self.rows {
                rows.remove(&key);
            }
        }
    }

    fn complete(&mut self, operation: usize) {
        let Some(mut open) = self.open.get(&operation).cloned() else {
            return;
        };
        // What is not answered may still take effect.
        if open.answered {
            self.open.remove(&operation);
            if self.chance(self.plan.lies) {
                self.lie(&mut open);
            }
            let value = match &open.write {
                Some(value) => value.clone(),
                None => open.state.shown().map_or(Value::Null, |version| version.value.clone()),
            };
            self.record(&open, EventType::Ok, value);
            self.tell(&open);
        } else {
            self.record(&open, EventType::Info, open.write.clone().unwrap_or_default());
            self.processes[open.client as usize] = u64::from(self.plan.clients) + operation as u64;
        }
        self.later(THINK_US, Due::Invocation(open.client));
    }

    /// Answers from another state than the right one.
    fn lie(&mut self, open: &mut Open) {
        let past = &self.past[open.key as usize];
        let choice = self.rng.random_range(0..10);
        let old = if past.is_empty() {
            State::default()
        } else {
            past[self.rng.random_range(0..past.len())].clone()
        };
        match choice {
            0 => open.state = State::default(),
            1..5 => open.state = old,
            5 => drop(open.state.clock.pop_first()),
            6 => drop(open.state.clock.pop_last()),
            7 => open.state.clock.values_mut().for_each(|counter| *counter = (*counter).max(2) - 1),
            8 => {
                let value = json!(self.rng.random_range(0..=self.invoked + 2));
                open.state.versions.iter_mut().for_each(|version| version.value = value.clone());
            }
            _ => open.state.versions = old.versions,
        }
    }

    fn record(&mut self, open: &Open, kind: EventType, value: Value) {
        let name = self.names[usize::from(open.write.is_some())].clone();
        let mut event = Event::new(Process::Client(open.process), kind, name, value);
        event.index = self.events.len() as u64;
        event.time = self.now * 1_000;
        event.client = Some(open.client.into());
        event.key = Some(self.keys[open.key as usize].clone().into());
        event.consistency = open.eventual.then_some(Consistency::Eventual);
        self.events.push(event);
    }

    /// Says of the versions in the last event what the store says.
    fn tell(&mut self, open: &Open) {
        let Some(event) = self.events.last_mut() else { return };
        let shown = open.state.shown();
        if self.plan.has_clocks() {
            let dots: Vec<String> = open
                .state
                .versions
                .iter()
                .map(|version| format!("{}:{}", version.dot.0, version.dot.1))
                .collect();
            let clock = open.state.clock.iter().map(|(actor, &counter)| (self.actors.name(actor), counter));
            event.extra_mut().version = Some(dots.join("|").into());
            event.extra_mut().context = Some(clock.collect());
        }
        if self.plan.versions == Versions::Timestamps {
            let stamp = shown.map(|version| {
                let node = self.actors.name(&format!("n{}", version.stamp.1 + 1));
                Timestamp::new(version.stamp.0, node)
            });
            event.extra_mut().timestamp = stamp;
        }
        if self.plan.versions == Versions::Numbers {
            event.extra_mut().version = shown.map(|version| version.number.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use growler_checker::history::pair;

    use super::*;

    #[test]
    fn a_history_is_one_and_follows_from_its_seed() {
        for versions in [Versions::Clocks, Versions::Timestamps, Versions::Numbers, Versions::Nothing] {
            let plan = Replicas { operations: 2_000, versions, lies: 0.1, ..Replicas::HEALTHY };
            let events = plan.run(7);
            let operations = pair(&events).expect("a history");
            assert_eq!(operations.len(), 2_000);
            assert!(
                operations.iter().all(|operation| operation.ret.is_some()),
                "every client goes on to the end"
            );
            assert_eq!(events, plan.run(7));
            assert_ne!(events, plan.run(8));
        }
    }
}
