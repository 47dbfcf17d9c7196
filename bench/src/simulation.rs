//! A simulated item store that clients talk to: honest histories of any length, made in a moment.
//!
//! Every client sends one operation at a time: it thinks for a while, calls, and waits for the answer. The
//! operation takes effect at one moment between the two, so the history is linearizable by construction. A
//! given share of the operations is never answered; of those, half take effect, some of them long after the
//! client has given up and gone on (under a new process number, as the contract wants it). Delays are
//! exponential, so that a client now and then waits ten times as long as the others.
//!
//! The position of an event is its place among all invocations and completions: no two are equal. Values are
//! interned as the checker interns them, per key, from 1; 0 is [`ABSENT`]. The same seed gives the same
//! history on every machine.
//!
//! This file must stand alone (it uses the checker and the random numbers, nothing else of this crate), so
//! that tests of other crates can take it in by its path.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use growler_checker::linearizability::{END, Job};
use growler_checker::model::register::{ABSENT, Need, RegisterOp, Symbol};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Mean time from a call to its answer, in ticks.
const LATENCY_TICKS: f64 = 10_000.0;
/// Mean time from an answer to the next call.
const THINK_TICKS: f64 = 1_000.0;
/// An unanswered operation takes effect at most so many mean latencies after the client gave up.
const LATE_LATENCIES: f64 = 5.0;

/// What is simulated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Simulation {
    /// Operations that say something. Reads without an answer come on top.
    pub operations: u32,
    /// Keys, equally popular.
    pub keys: u32,
    /// Clients, each with one operation open at a time.
    pub clients: u32,
    /// Which operations.
    pub mix: Mix,
    /// The share of the operations that is never answered.
    pub unanswered: f64,
    /// Times in which far more writes than that are not.
    pub bursts: Option<Bursts>,
}

/// Shares of the operations; what they leave of 1 are reads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mix {
    /// Blind writes of a new value.
    pub put: f64,
    /// Writes of a new value that ask what they replaced.
    pub put_with_image: f64,
    /// Writes of a new value on the condition that the value is the one that the client saw last.
    pub put_if_same: f64,
    /// Writes of a new value on the condition that there is none.
    pub put_if_absent: f64,
    /// Blind deletes.
    pub delete: f64,
    /// Deletes on the condition that the value is the one that the client saw last.
    pub delete_if_same: f64,
}

impl Mix {
    /// Half reads, half blind writes.
    pub const RW: Self = Self {
        put: 0.5,
        put_with_image: 0.0,
        put_if_same: 0.0,
        put_if_absent: 0.0,
        delete: 0.0,
        delete_if_same: 0.0,
    };
    /// Half reads, a quarter blind writes, a quarter conditional ones.
    pub const CASX: Self = Self { put: 0.25, put_if_same: 0.25, ..Self::RW };
    /// All that an item can be asked.
    pub const ITEM: Self = Self {
        put: 0.07,
        put_with_image: 0.08,
        put_if_same: 0.10,
        put_if_absent: 0.05,
        delete: 0.10,
        delete_if_same: 0.10,
    };
}

/// Windows of trouble that come again and again, as under partitions. Reads are answered as ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bursts {
    /// Ticks from the start of one window to the start of the next.
    pub every_ticks: u64,
    /// Ticks that a window lasts.
    pub lasts_ticks: u64,
    /// The share of the writes in a window that is never answered, in percent.
    pub lost_percent: u32,
}

impl Bursts {
    /// Windows in which four of five writes are lost, three fifths of the time: with one in twenty outside,
    /// half of all writes.
    pub const HALF: Self = Self { every_ticks: 20_000_000, lasts_ticks: 12_000_000, lost_percent: 80 };
}

/// What a client asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// The value.
    Read,
    /// A write of a value, [`ABSENT`] to delete.
    Write {
        /// The value.
        new: Symbol,
        /// Whether it wants to know what was replaced.
        image: bool,
    },
    /// A write on the condition that the value in force is `old`.
    Cas {
        /// The value that must be in force.
        old: Symbol,
        /// The value to write.
        new: Symbol,
    },
}

/// How the client was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It was done.
    Done,
    /// The condition did not hold.
    Refused,
    /// Not at all.
    Missing,
}

/// One operation of a simulated history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// Which key.
    pub key: u32,
    /// Which client.
    pub client: u32,
    /// The client's process number at the time.
    pub process: u32,
    /// The position of the invocation.
    pub call: u32,
    /// The position of the completion; of an unanswered one, that at which the client gave up.
    pub ret: u32,
    /// What was asked.
    pub ask: Ask,
    /// The answer.
    pub answer: Answer,
    /// The value in force just before it took effect.
    pub met: Symbol,
}

impl Operation {
    /// What it means to a checker; nothing if it says nothing.
    #[must_use]
    pub fn job(&self) -> Option<Job<RegisterOp>> {
        let must = self.answer != Answer::Missing;
        let (need, set) = match (self.ask, self.answer) {
            (Ask::Read, Answer::Missing) => return None,
            (Ask::Read, _) => (Need::Is(self.met), None),
            (Ask::Cas { .. }, Answer::Refused) => (Need::Is(self.met), None),
            (Ask::Cas { old, new }, _) => (Need::Is(old), Some(new)),
            (Ask::Write { new, image }, _) if image && must => (Need::Is(self.met), Some(new)),
            (Ask::Write { new, .. }, _) => (Need::Any, Some(new)),
        };
        let ret = if must { self.ret + 1 } else { END };
        Some(Job { op: RegisterOp { need, set }, call: self.call + 1, ret, must })
    }
}

/// A simulated history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// In order of invocation.
    pub operations: Vec<Operation>,
    /// Per key, the number of its values, [`ABSENT`] included.
    pub values: Vec<u32>,
    /// The number of events.
    pub events: u32,
}

/// What happens next. At equal times the order is this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Effect { operation: usize },
    Completion { operation: usize },
    Invocation { client: usize },
}

/// What a client remembers.
#[derive(Debug, Clone, Copy)]
struct Client {
    process: u32,
    /// The last key and value that it saw.
    saw: Option<(u32, Symbol)>,
}

struct Store<'s> {
    plan: &'s Simulation,
    rng: ChaCha8Rng,
    due: BinaryHeap<Reverse<(u64, Due)>>,
    clients: Vec<Client>,
    processes: u32,
    /// Per key, the value in force.
    state: Vec<Symbol>,
    /// Per key, the last value that any client saw.
    known: Vec<Symbol>,
    history: History,
    told: u32,
}

impl Simulation {
    /// The history that this seed gives.
    #[must_use]
    pub fn run(&self, seed: u64) -> History {
        let absent = vec![ABSENT; self.keys as usize];
        let mut store = Store {
            plan: self,
            rng: ChaCha8Rng::seed_from_u64(seed),
            due: BinaryHeap::new(),
            clients: (0..self.clients).map(|process| Client { process, saw: None }).collect(),
            processes: self.clients,
            state: absent.clone(),
            known: absent,
            history: History {
                operations: Vec::with_capacity(self.operations as usize),
                values: vec![1; self.keys as usize],
                events: 0,
            },
            told: 0,
        };
        for client in 0..self.clients as usize {
            store.invoke_later(0, client);
        }
        while let Some(Reverse((now, due))) = store.due.pop() {
            match due {
                Due::Effect { operation } => store.take_effect(operation),
                Due::Completion { operation } => store.complete(now, operation),
                Due::Invocation { client } => store.invoke(now, client),
            }
        }
        store.history
    }
}

impl Store<'_> {
    fn exponential(&mut self, mean_ticks: f64) -> u64 {
        let uniform: f64 = self.rng.random();
        (-mean_ticks * (1.0 - uniform).ln()) as u64 + 1
    }

    fn position(&mut self) -> u32 {
        self.history.events += 1;
        self.history.events - 1
    }

    fn invoke_later(&mut self, now: u64, client: usize) {
        let think_ticks = self.exponential(THINK_TICKS);
        self.due.push(Reverse((now + think_ticks, Due::Invocation { client })));
    }

    fn invoke(&mut self, now: u64, client: usize) {
        if self.told >= self.plan.operations {
            return;
        }
        let key = if self.plan.keys == 1 { 0 } else { self.rng.random_range(0..self.plan.keys) };
        let ask = self.ask(key, client);
        let answered = !self.rng.random_bool(self.loss(now, ask));
        self.told += u32::from(answered || ask != Ask::Read);
        let call = self.position();
        let operation = self.history.operations.len();
        self.history.operations.push(Operation {
            key,
            client: client as u32,
            process: self.clients[client].process,
            call,
            ret: call,
            ask,
            answer: if answered { Answer::Done } else { Answer::Missing },
            met: ABSENT,
        });
        let wait_ticks = self.exponential(LATENCY_TICKS);
        let share: f64 = self.rng.random();
        if answered {
            let effect = now + (share * wait_ticks as f64) as u64;
            self.due.push(Reverse((effect, Due::Effect { operation })));
        } else if self.rng.random_bool(0.5) {
            let latest_ticks = wait_ticks as f64 + LATE_LATENCIES * LATENCY_TICKS;
            let effect = now + (share * latest_ticks) as u64;
            self.due.push(Reverse((effect, Due::Effect { operation })));
        }
        self.due.push(Reverse((now + wait_ticks, Due::Completion { operation })));
    }

    fn ask(&mut self, key: u32, client: usize) -> Ask {
        let mix = self.plan.mix;
        let mut roll: f64 = self.rng.random();
        let mut falls_in = |share: f64| {
            roll -= share;
            roll < 0.0
        };
        let saw = match self.clients[client].saw {
            Some((at, value)) if at == key => value,
            _ => self.known[key as usize],
        };
        if falls_in(mix.put) {
            Ask::Write { new: self.fresh(key), image: false }
        } else if falls_in(mix.put_with_image) {
            Ask::Write { new: self.fresh(key), image: true }
        } else if falls_in(mix.put_if_same) {
            Ask::Cas { old: saw, new: self.fresh(key) }
        } else if falls_in(mix.put_if_absent) {
            Ask::Cas { old: ABSENT, new: self.fresh(key) }
        } else if falls_in(mix.delete) {
            Ask::Write { new: ABSENT, image: false }
        } else if falls_in(mix.delete_if_same) {
            // There is nothing to delete for one who saw nothing.
            let new = if saw == ABSENT { self.fresh(key) } else { ABSENT };
            Ask::Cas { old: saw, new }
        } else {
            Ask::Read
        }
    }

    fn fresh(&mut self, key: u32) -> Symbol {
        let values = &mut self.history.values[key as usize];
        *values += 1;
        *values - 1
    }

    fn loss(&self, now: u64, ask: Ask) -> f64 {
        match self.plan.bursts {
            Some(bursts) if now % bursts.every_ticks < bursts.lasts_ticks && ask != Ask::Read => {
                f64::from(bursts.lost_percent) / 100.0
            }
            _ => self.plan.unanswered,
        }
    }

    fn take_effect(&mut self, operation: usize) {
        let operation = &mut self.history.operations[operation];
        let state = &mut self.state[operation.key as usize];
        operation.met = *state;
        match operation.ask {
            Ask::Read => {}
            Ask::Write { new, .. } => *state = new,
            Ask::Cas { old, new } if old == *state => *state = new,
            Ask::Cas { .. } if operation.answer == Answer::Done => operation.answer = Answer::Refused,
            Ask::Cas { .. } => {}
        }
    }

    fn complete(&mut self, now: u64, operation: usize) {
        let ret = self.position();
        let operation = &mut self.history.operations[operation];
        operation.ret = ret;
        let client = &mut self.clients[operation.client as usize];
        let sees = match (operation.answer, operation.ask) {
            (Answer::Missing, _) => None,
            (Answer::Refused, _) | (Answer::Done, Ask::Read) => Some(operation.met),
            (Answer::Done, Ask::Write { new, .. } | Ask::Cas { new, .. }) => Some(new),
        };
        if let Some(value) = sees {
            client.saw = Some((operation.key, value));
            self.known[operation.key as usize] = value;
        } else {
            client.process = self.processes;
            self.processes += 1;
        }
        let client = operation.client as usize;
        self.invoke_later(now, client);
    }
}

impl History {
    /// Lets one read, the first that will do from this share of the history on, return a value that was
    /// certainly overwritten before the read began: another client had read a later one. The value is the
    /// youngest such. Returns the place of the operation, or none if there is no such read.
    pub fn stale_read(&mut self, from_share: f64) -> Option<usize> {
        let begin = (self.operations.len() as f64 * from_share) as usize;
        let written: HashMap<(u32, Symbol), u32> =
            self.operations.iter().filter_map(|op| Some(((op.key, op.written()?), op.call))).collect();
        for place in begin..self.operations.len() {
            let Operation { key, call, .. } = self.operations[place];
            if self.operations[place].seen().is_none() {
                continue;
            }
            let seen = || self.operations.iter().filter(|op| op.key == key).take_while(|op| op.call < call);
            let values = || seen().filter_map(|op| Some((op, op.seen().filter(|&value| value != ABSENT)?)));
            let written_at = |value| written.get(&(key, value)).copied();
            let before = values().filter(|(op, _)| op.ret < call);
            let Some(since) = before.filter_map(|(_, value)| written_at(value)).max() else { continue };
            let overwritten = values().filter(|(op, _)| op.ret < since).max_by_key(|(op, _)| op.ret);
            if let Some((_, value)) = overwritten {
                self.operations[place].met = value;
                return Some(place);
            }
        }
        None
    }
}

impl Operation {
    /// The value that an answered read returned.
    fn seen(&self) -> Option<Symbol> {
        (self.ask == Ask::Read && self.answer == Answer::Done).then_some(self.met)
    }

    /// The value, not a delete, that it asked to write.
    fn written(&self) -> Option<Symbol> {
        match self.ask {
            Ask::Read => None,
            Ask::Write { new, .. } | Ask::Cas { new, .. } => (new != ABSENT).then_some(new),
        }
    }
}
