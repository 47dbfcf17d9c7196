//! What each replica holds in the end: every key, from every node by itself, in rounds, until they agree.
//!
//! Eventual consistency speaks of the time when nothing is broken or written any more. So the first round waits
//! for writes that are still open. A round asks for each key node after node; a node that says that it has no
//! part in a key is not asked for it again. The keys on which the answers differ, or are missing, are asked for
//! in the next round, until there are none, or the replicas have had their time. Every key takes part in two
//! rounds at least: what was true once may have been a moment between two late writes.
//!
//! A server that cannot be asked for one replica's own state is read ordinarily instead ([`Through::Reads`]),
//! several times a round, since nobody knows which replica answers. Such reads show the end only once stale
//! answers are no longer possible, so that the rounds that count begin [`SETTLES_WITHIN`] after the writes.
//!
//! None of these reads changes anything: a replica read asks no other node, and repairs nothing.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use growler_checker::history::{Event, EventType};
use serde_json::Value;

use super::IDLE;
use super::final_reads::refused_by_cap;
use crate::workload::{Context, Invocation, Next};

/// The function that asks one node for what it holds itself.
pub const REPLICA_READ: &str = "replica-read";

/// What the history records when the node that was asked has no part in the key.
pub const NOT_A_REPLICA: &str = "not-a-replica";

/// How long after the last write an ordinary read may lag behind. The check of convergence takes reads for the
/// end only after 5 s; a little more, so that no clock's rounding matters.
pub const SETTLES_WITHIN: Duration = Duration::from_millis(5_100);

/// Rounds that every key takes part in.
const LEAST_ROUNDS: u32 = 2;

/// Ordinary reads of a key in one round, at least.
const READS: usize = 3;

/// Between two rounds.
const PAUSE: Duration = Duration::from_millis(200);

/// How long open writes are waited for. They have deadlines of their own, mostly shorter.
const LONGEST_WRITE: Duration = Duration::from_secs(10);

/// How long no read may succeed before all are given up: nobody is there any more.
const GIVE_UP_AFTER: Duration = Duration::from_secs(10);

/// How the replicas are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Through {
    /// Each by itself.
    Replicas,
    /// By ordinary reads, which any of them may answer.
    Reads,
}

/// The state of the rounds.
#[derive(Debug, Clone)]
pub struct ReplicaReads {
    through: Through,
    /// How long the replicas may take to agree.
    patience: Duration,
    targets: Vec<Target>,
    /// Of this round, what is still to be asked: a target, and which of its places.
    pending: VecDeque<(usize, usize)>,
    open: BTreeMap<u64, (usize, usize)>,
    /// Sessions with a write that was invoked and has not ended.
    writing: BTreeMap<u64, Duration>,
    nodes: usize,
    now: Duration,
    /// When the rounds could begin.
    began: Option<Duration>,
    /// When this round began, or will.
    round_at: Option<Duration>,
    served: Duration,
    over: bool,
}

/// One key, and what was last answered in each of its places.
#[derive(Debug, Clone)]
struct Target {
    read: Invocation,
    places: Vec<Place>,
    rounds: u32,
    settled: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum Place {
    Unknown,
    NoReplica,
    Held(Held),
}

/// What an answer showed.
#[derive(Debug, Clone, PartialEq)]
struct Held {
    value: Value,
    version: Option<Value>,
}

impl Held {
    fn of(event: &Event) -> Self {
        let mut value = event.value.clone();
        if let Value::Array(elements) = &mut value {
            elements.sort_by_key(Value::to_string);
        }
        Self { value, version: event.extra().version.clone() }
    }

    /// A replica that has forgotten a deleted item holds the same as one that still knows of the deletion.
    fn agrees_with(&self, other: &Self) -> bool {
        let nothing = |held: &Self| held.version.as_ref().is_none_or(|v| v.as_str() == Some(""));
        let absent = self.value.is_null() && other.value.is_null();
        self == other || (absent && (nothing(self) || nothing(other)))
    }
}

impl Target {
    /// Whether all places were answered, and alike.
    fn agrees(&self) -> bool {
        let mut held = Vec::new();
        for place in &self.places {
            match place {
                Place::Unknown => return false,
                Place::NoReplica => {}
                Place::Held(one) => held.push(one),
            }
        }
        held.iter().enumerate().all(|(i, one)| held[..i].iter().all(|other| one.agrees_with(other)))
    }
}

impl ReplicaReads {
    /// Reads of these keys, each given as the ordinary eventual read of it, until all replicas agree, or for
    /// `patience` and the round that is under way then.
    #[must_use]
    pub fn new(reads: Vec<Invocation>, through: Through, patience: Duration) -> Self {
        let target = |read| Target { read, places: Vec::new(), rounds: 0, settled: false };
        Self {
            through,
            patience,
            targets: reads.into_iter().map(target).collect(),
            pending: VecDeque::new(),
            open: BTreeMap::new(),
            writing: BTreeMap::new(),
            nodes: 1,
            now: Duration::ZERO,
            began: None,
            round_at: None,
            served: Duration::ZERO,
            over: false,
        }
    }

    /// How many reads of a key there are at least, where nobody knows who answers.
    pub(super) fn of_a_key(nodes: u64) -> u64 {
        u64::from(LEAST_ROUNDS) * nodes.max(READS as u64)
    }

    /// The next read for this worker.
    pub fn next(&mut self, context: &Context) -> Next {
        self.nodes = context.nodes.max(1);
        self.now = self.now.max(context.time);
        if self.over {
            return Next::Done;
        }
        // A worker has one operation open: if it asks again, its last one was never sent.
        if let Some(unsent) = self.open.remove(&context.client) {
            self.pending.push_front(unsent);
        }
        if self.began.is_none() && !self.begins() {
            return Next::Wait(IDLE);
        }
        if self.now.saturating_sub(self.served) >= GIVE_UP_AFTER && self.round_at.is_none() {
            self.over = true;
            return Next::Done;
        }
        if self.pending.is_empty() && self.open.is_empty() && self.ends_round() {
            self.over = true;
            return Next::Done;
        }
        if let Some(at) = self.round_at {
            let wait = at.saturating_sub(self.now);
            if !wait.is_zero() {
                return Next::Wait(wait);
            }
            self.round_at = None;
            self.served = self.now;
            self.start_round();
        }
        match self.pending.pop_front() {
            Some(asked) => {
                self.open.insert(context.client, asked);
                Next::Op(self.question(asked))
            }
            None => Next::Wait(IDLE),
        }
    }

    /// Tells of an event.
    pub fn update(&mut self, event: &Event) {
        let Some(client) = event.session() else { return };
        if event.f != "read" && event.f != REPLICA_READ {
            if event.kind != EventType::Invoke {
                self.writing.remove(&client);
            }
            return;
        }
        if event.kind == EventType::Invoke {
            return;
        }
        let Some((target, place)) = self.open.remove(&client) else { return };
        let answer = match event.kind {
            EventType::Ok => Place::Held(Held::of(event)),
            _ if is_no_replica(event) => Place::NoReplica,
            _ => Place::Unknown,
        };
        if answer != Place::Unknown {
            self.served = self.now;
        }
        if refused_by_cap(event) {
            self.over = true;
        }
        self.targets[target].places[place] = answer;
    }

    /// Tells of writes that are open when the load ends, by the sessions that wait for them.
    #[must_use]
    pub fn after(self, writing: impl IntoIterator<Item = u64>) -> Self {
        Self { writing: writing.into_iter().map(|client| (client, Duration::ZERO)).collect(), ..self }
    }

    /// Whether the first round can begin. The time of the first question counts as that of open writes.
    fn begins(&mut self) -> bool {
        let now = self.now;
        for since in self.writing.values_mut().filter(|since| since.is_zero()) {
            *since = now;
        }
        let in_hand = |since: &Duration| now.saturating_sub(*since) < LONGEST_WRITE;
        if self.writing.values().any(in_hand) {
            return false;
        }
        (self.began, self.round_at, self.served) = (Some(now), Some(now), now);
        true
    }

    /// The round is over, if there was one: judges it, and appoints the next. True: there is none.
    fn ends_round(&mut self) -> bool {
        if self.round_at.is_some() {
            return false;
        }
        let began = self.began.unwrap_or(self.now);
        let settles_at = match self.through {
            Through::Replicas => began,
            Through::Reads => began + SETTLES_WITHIN,
        };
        for target in self.targets.iter_mut().filter(|target| !target.settled) {
            target.settled = target.rounds >= LEAST_ROUNDS && target.agrees();
        }
        let deadline = began + self.patience.max(settles_at.saturating_sub(began));
        let last_began = self.targets.iter().all(|target| target.settled || target.rounds >= LEAST_ROUNDS);
        if self.targets.iter().all(|target| target.settled) || (self.now >= deadline && last_began) {
            return true;
        }
        // What an ordinary read shows before that proves nothing.
        self.round_at = Some((self.now + PAUSE).max(settles_at));
        false
    }

    /// Everything that is not settled is asked for again.
    fn start_round(&mut self) {
        let places = match self.through {
            Through::Replicas => self.nodes,
            Through::Reads => self.nodes.max(READS),
        };
        for (i, target) in self.targets.iter_mut().enumerate().filter(|(_, target)| !target.settled) {
            target.rounds += 1;
            target.places.resize(places, Place::Unknown);
            for place in 0..places {
                if target.places[place] != Place::NoReplica {
                    target.places[place] = Place::Unknown;
                    self.pending.push_back((i, place));
                }
            }
        }
    }

    fn question(&self, (target, place): (usize, usize)) -> Invocation {
        let read = self.targets[target].read.clone();
        let node = Some(place % self.nodes);
        match self.through {
            Through::Replicas => Invocation { f: REPLICA_READ, consistency: None, via: None, node, ..read },
            Through::Reads => Invocation { node, ..read },
        }
    }
}

fn is_no_replica(event: &Event) -> bool {
    event.error.as_deref().and_then(Value::as_str) == Some(NOT_A_REPLICA)
}

#[cfg(test)]
mod tests;
