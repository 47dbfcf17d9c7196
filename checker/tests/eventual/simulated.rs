//! A small store with dotted version vectors, whose replicas exchange their states now and then, clients that
//! use it, and faults of the store that happen with some probability. With no flaws it is an honest one: no
//! check may find anything in its histories.

use growler_checker::history::{Event, EventType, Process};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::state::{Clock, State, Version, join, merged, shown};

/// How often each fault of the store happens where it could.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Flaws {
    /// Two replicas merge, and one version is dropped.
    pub(crate) lose: f64,
    /// Two replicas merge, and a version stays that the other side's clock covers.
    pub(crate) keep: f64,
    /// A tombstone is collected before all replicas have it.
    pub(crate) collect: f64,
    /// The older of two timestamps wins.
    pub(crate) older: f64,
    /// A write's timestamp is its node's wall clock, whatever it replaces.
    pub(crate) wall: f64,
    /// A write is acknowledged, and not kept.
    pub(crate) forget: f64,
    /// A replica takes no part in the end.
    pub(crate) stuck: f64,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) lww: bool,
    pub(crate) cart: bool,
    pub(crate) steps: usize,
    pub(crate) flaws: Flaws,
}

const NODES: usize = 3;
const KEYS: [&str; 2] = ["a", "b"];
const CLIENTS: u64 = 4;

struct Call {
    client: usize,
    key: usize,
    node: usize,
    f: &'static str,
    value: Value,
    context: Option<Clock>,
    /// What the write leaves in the store.
    stored: Value,
}

/// A client: what it knows, and what it is doing.
struct Client {
    process: u64,
    /// Of each key, the last read: the clock, and the elements of its cart.
    known: [Option<(Clock, Vec<Value>)>; 2],
    open: Option<Call>,
    answer: Option<Event>,
}

struct Store<'r> {
    rng: &'r mut ChaCha8Rng,
    plan: Plan,
    /// By node and key.
    states: Vec<[State; 2]>,
    actors: Vec<[Option<u64>; 2]>,
    epochs: Vec<u64>,
    skew: Vec<i64>,
    cut: Option<usize>,
    clients: Vec<Client>,
    /// Never answered, and not yet in effect.
    pending: Vec<Call>,
    events: Vec<Event>,
    time: u64,
    processes: u64,
    values: i64,
}

/// One random history.
pub(crate) fn history(rng: &mut ChaCha8Rng, plan: Plan) -> Vec<Event> {
    let skew = (0..NODES).map(|_| rng.random_range(-20..20)).collect();
    let client = |process| Client { process, known: [None, None], open: None, answer: None };
    let mut store = Store {
        rng,
        plan,
        states: vec![Default::default(); NODES],
        actors: vec![[None; 2]; NODES],
        epochs: vec![0; NODES],
        skew,
        cut: None,
        clients: (0..CLIENTS).map(client).collect(),
        pending: Vec::new(),
        events: Vec::new(),
        time: 0,
        processes: CLIENTS,
        values: 0,
    };
    for _ in 0..plan.steps {
        store.step();
    }
    store.end();
    store.events
}

impl Store<'_> {
    fn chance(&mut self, probability: f64) -> bool {
        self.rng.random_bool(probability)
    }

    fn push(&mut self, mut event: Event) {
        self.time += self.rng.random_range(0..3_000_000);
        (event.index, event.time) = (self.events.len() as u64, self.time);
        self.events.push(event);
    }

    fn step(&mut self) {
        match self.rng.random_range(0..20) {
            0 => self.nemesis(),
            1..4 => self.gossip_somewhere(),
            4 => self.collect(),
            5 if !self.pending.is_empty() => self.effect_of_pending(),
            _ => {
                let client = self.rng.random_range(0..self.clients.len());
                self.client(client);
            }
        }
    }

    fn nemesis(&mut self) {
        let (f, node) = match self.cut.take() {
            Some(node) => ("heal-partition", node),
            None => ("partition", self.rng.random_range(0..NODES)),
        };
        if f == "partition" {
            self.cut = Some(node);
        }
        let others: Vec<String> = (0..NODES).filter(|&other| other != node).map(name).collect();
        let value = json!({"grudge": {name(node): others}, "targets": [name(node)]});
        self.push(Event::new(Process::Nemesis, EventType::Info, f, value));
    }

    fn gossip_somewhere(&mut self) {
        let (one, other) = (self.rng.random_range(0..NODES), self.rng.random_range(0..NODES));
        let key = self.rng.random_range(0..KEYS.len());
        let is_cut = self.cut.is_some_and(|node| node == one || node == other);
        if one != other && !is_cut {
            self.gossip(one, other, key);
        }
    }

    fn gossip(&mut self, one: usize, other: usize, key: usize) {
        let merged = self.merge(&self.states[one][key].clone(), &self.states[other][key].clone());
        self.states[one][key] = merged.clone();
        self.states[other][key] = merged;
    }

    fn merge(&mut self, one: &State, other: &State) -> State {
        let keep = self.chance(self.plan.flaws.keep);
        let stays = |version: &Version, own: &State, others: &State| {
            let covered = others.clock.get(&version.dot.0).is_some_and(|&upto| upto >= version.dot.1);
            own.versions.contains(version) && (others.versions.contains(version) || !covered || keep)
        };
        let mut versions: Vec<Version> =
            one.versions.iter().filter(|version| stays(version, one, other)).cloned().collect();
        let more = other.versions.iter().filter(|version| stays(version, other, one));
        for version in more {
            if !versions.contains(version) {
                versions.push(version.clone());
            }
        }
        let mut clock = one.clock.clone();
        join(&mut clock, &other.clock);
        if versions.len() > 1 && self.chance(self.plan.flaws.lose) {
            let gone = self.rng.random_range(0..versions.len());
            versions.remove(gone);
        }
        let mut state = State { clock, versions };
        self.resolve(&mut state);
        state
    }

    /// Where the last writer wins, only one stays.
    fn resolve(&mut self, state: &mut State) {
        if !self.plan.lww || state.versions.len() < 2 {
            return;
        }
        state.versions.sort_by(|one, other| one.stamp.cmp(&other.stamp));
        let kept = if self.chance(self.plan.flaws.older) {
            state.versions.remove(0)
        } else {
            state.versions.pop().expect("two")
        };
        state.versions = vec![kept];
    }

    /// Collects the tombstones of a key at some replicas, if all have them (or before, by a flaw).
    fn collect(&mut self) {
        let key = self.rng.random_range(0..KEYS.len());
        let flawed = self.chance(self.plan.flaws.collect);
        let is_dead = |state: &State| state.versions.iter().all(|version| version.value.is_null());
        let first = &self.states[0][key];
        let all = self.states.iter().all(|states| states[key] == *first);
        for node in 0..NODES {
            let dead = is_dead(&self.states[node][key]);
            if dead && (all || flawed) && self.chance(0.6) {
                self.states[node][key] = State::default();
                self.actors[node][key] = None;
            }
        }
    }

    fn client(&mut self, at: usize) {
        if let Some(answer) = self.clients[at].answer.take() {
            let lost = self.chance(0.1);
            self.clients[at].open = None;
            if lost {
                self.retire(at, &answer);
            } else {
                self.push(answer);
            }
        } else if self.clients[at].open.is_some() {
            let call = self.clients[at].open.take().expect("it is open");
            match self.rng.random_range(0..20) {
                0 => {
                    let event = self.completion(&call, EventType::Fail);
                    self.push(event);
                }
                1 => {
                    let event = self.completion(&call, EventType::Info);
                    self.retire(at, &event);
                    self.pending.push(call);
                }
                _ => {
                    let answer = self.effect(&call);
                    self.clients[at].answer = Some(answer);
                    self.clients[at].open = Some(call);
                }
            }
        } else {
            self.invoke(at);
        }
    }

    /// The answer is lost, and the process with it.
    fn retire(&mut self, at: usize, answer: &Event) {
        let mut event = Event::new(answer.process, EventType::Info, answer.f.clone(), Value::Null);
        event.key.clone_from(&answer.key);
        self.push(event);
        self.clients[at].process = self.processes;
        self.processes += 1;
    }

    fn invoke(&mut self, at: usize) {
        let key = self.rng.random_range(0..KEYS.len());
        let node = self.rng.random_range(0..NODES);
        let what = self.rng.random_range(0..10);
        let known = self.clients[at].known[key].clone();
        let (mut context, mut stored) = (None, Value::Null);
        let (f, value) = if what < 4 {
            ("read", Value::Null)
        } else if self.plan.cart {
            let (clock, mut elements) = known.unwrap_or_default();
            context = Some(clock);
            let removed = elements.last().cloned().filter(|_| what == 4);
            let call = if let Some(element) = removed {
                elements.pop();
                ("remove", element)
            } else {
                self.values += 1;
                elements.push(self.values.into());
                ("add", self.values.into())
            };
            stored = Value::from(elements);
            call
        } else {
            context = known.map(|(clock, _)| clock).filter(|_| self.rng.random_bool(0.5));
            self.values += 1;
            stored = if what < 7 { Value::Null } else { self.values.into() };
            ("write", stored.clone())
        };
        let call = Call { client: at, key, node, f, value, context, stored };
        let mut event =
            Event::new(Process::Client(self.clients[at].process), EventType::Invoke, f, call.value.clone());
        (event.key, event.node) = (Some(KEYS[key].into()), Some(name(node).into()));
        event.extra_mut().context = call.context.as_ref().map(|clock| json!(clock).into());
        self.push(event);
        self.clients[at].open = Some(call);
    }

    fn completion(&self, call: &Call, kind: EventType) -> Event {
        let process = Process::Client(self.clients[call.client].process);
        let mut event = Event::new(process, kind, call.f, call.value.clone());
        event.key = Some(KEYS[call.key].into());
        event
    }

    fn effect_of_pending(&mut self) {
        let at = self.rng.random_range(0..self.pending.len());
        let call = self.pending.swap_remove(at);
        if call.f != "read" {
            self.effect(&call);
        }
    }

    fn effect(&mut self, call: &Call) -> Event {
        let mut answer = self.completion(call, EventType::Ok);
        if call.f == "read" {
            let mut state = self.states[call.node][call.key].clone();
            if self.cut.is_none() && self.chance(0.3) {
                state = self.merge(&state.clone(), &self.states[(call.node + 1) % NODES][call.key].clone());
            }
            self.answer_read(&state, &mut answer);
            self.clients[call.client].known[call.key] = Some((state.clock.clone(), merged(&state)));
            return answer;
        }
        self.put(call, &mut answer);
        answer
    }

    fn put(&mut self, call: &Call, answer: &mut Event) {
        let (node, key) = (call.node, call.key);
        let mut state = self.states[node][key].clone();
        let before = shown(&state).map_or(Value::Null, |version| version.value.clone());
        let context = call.context.clone().unwrap_or_else(|| state.clock.clone());
        let newest = state.versions.iter().map(|version| version.stamp.0).max();
        state.versions.retain(|version| context.get(&version.dot.0).is_none_or(|&upto| upto < version.dot.1));
        join(&mut state.clock, &context);
        let epoch = *self.actors[node][key].get_or_insert_with(|| {
            self.epochs[node] += 1;
            self.epochs[node]
        });
        let actor = format!("{}/{epoch}", name(node));
        let counter = state.clock.get(&actor).map_or(1, |counter| counter + 1);
        state.clock.insert(actor.clone(), counter);
        let wall = 1_000 + i64::try_from(self.time / 1_000_000).expect("short") + self.skew[node];
        let trusts_itself = self.chance(self.plan.flaws.wall);
        let ns = newest.filter(|_| !trusts_itself).map_or(wall, |newest| wall.max(newest + 1));
        let stamp = (ns, name(node));
        state.versions.push(Version {
            dot: (actor.clone(), counter),
            value: call.stored.clone(),
            stamp: stamp.clone(),
        });
        self.resolve(&mut state);
        let extra = answer.extra_mut();
        extra.version = Some(json!(format!("{actor}:{counter}")));
        extra.context = Some(json!(state.clock).into());
        extra.timestamp = Some(json!(stamp).into());
        extra.siblings = Some(state.versions.len() as u64).filter(|&n| n > 1);
        if call.context.is_none() && self.rng.random_bool(0.5) {
            answer.observed = Some(before);
        }
        if !self.chance(self.plan.flaws.forget) {
            self.states[node][key] = state;
        }
    }

    fn answer_read(&self, state: &State, answer: &mut Event) {
        let version = shown(state);
        answer.value = version.map_or(Value::Null, |version| version.value.clone());
        if self.plan.cart && !state.versions.is_empty() {
            answer.value = Value::from(merged(state));
        }
        let mut dots: Vec<String> =
            state.versions.iter().map(|version| format!("{}:{}", version.dot.0, version.dot.1)).collect();
        dots.sort();
        let extra = answer.extra_mut();
        extra.version = Some(json!(dots.join("|")));
        extra.context = Some(json!(state.clock).into());
        extra.timestamp = version.map(|version| json!(version.stamp).into());
        extra.siblings = Some(state.versions.len() as u64).filter(|&n| n > 1);
    }

    /// The faults are healed, all exchange their states, and every replica is read, twice or more.
    fn end(&mut self) {
        if self.cut.is_some() {
            self.nemesis();
        }
        let keeps_working = self.chance(0.3);
        let stuck =
            if self.chance(self.plan.flaws.stuck) { Some(self.rng.random_range(0..NODES)) } else { None };
        for at in 0..self.clients.len() {
            while self.clients[at].open.is_some() && !keeps_working {
                self.client(at);
            }
        }
        let rounds = self.rng.random_range(2..4);
        for round in 0..rounds {
            if round > 0 || self.chance(0.5) {
                self.exchange(stuck);
            }
            for key in 0..KEYS.len() {
                for node in 0..NODES {
                    self.replica_read(node, key, round + 1 == rounds);
                    if self.chance(0.1) && !self.pending.is_empty() {
                        self.effect_of_pending();
                    }
                }
            }
        }
        self.final_reads();
    }

    fn exchange(&mut self, stuck: Option<usize>) {
        let nodes: Vec<usize> = (0..NODES).filter(|&node| Some(node) != stuck).collect();
        for _ in 0..2 {
            for key in 0..KEYS.len() {
                for pair in nodes.windows(2) {
                    self.gossip(pair[0], pair[1], key);
                }
                self.gossip(nodes[0], nodes[nodes.len() - 1], key);
            }
        }
    }

    fn replica_read(&mut self, node: usize, key: usize, last: bool) {
        let process = Process::Client(self.processes);
        let mut event = Event::new(process, EventType::Invoke, "replica-read", Value::Null);
        (event.key, event.node) = (Some(KEYS[key].into()), Some(name(node).into()));
        self.push(event.clone());
        event.kind = EventType::Ok;
        if last && self.chance(0.02) {
            event.kind = EventType::Info;
            self.processes += 1;
        } else {
            let state = self.states[node][key].clone();
            self.answer_read(&state, &mut event);
        }
        self.push(event);
    }

    fn final_reads(&mut self) {
        self.time += 10_000_000_000;
        for at in 0..CLIENTS as usize {
            if self.clients[at].open.is_none() {
                for key in 0..KEYS.len() {
                    let node = self.rng.random_range(0..NODES);
                    let call = Call {
                        client: at,
                        key,
                        node,
                        f: "read",
                        value: Value::Null,
                        context: None,
                        stored: Value::Null,
                    };
                    let mut event = self.completion(&call, EventType::Invoke);
                    event.node = Some(name(node).into());
                    self.push(event);
                    let mut answer = self.completion(&call, EventType::Ok);
                    let state = self.states[node][key].clone();
                    self.answer_read(&state, &mut answer);
                    self.push(answer);
                }
            }
        }
    }
}

fn name(node: usize) -> String {
    format!("n{}", node + 1)
}
