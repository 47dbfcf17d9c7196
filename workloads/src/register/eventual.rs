//! Which operation comes next on a register that promises no more than to converge.
//!
//! Clients go from node to node, since one that stays mostly reads its own writes from any store. Much of what a
//! client does is on the key that it touched last, so that it meets, through another node, what it has written
//! or read. Some writes say what their client had seen of the item (its *context*, the clock of the answer that
//! it got last), so that they replace that and nothing else; the others say nothing.
//!
//! What is done how often is data: [`Habits`], one row a workload.

use std::collections::BTreeMap;
use std::time::Duration;

use growler_checker::history::{CausalContext, Event, EventType, Key};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::generator::{
    Ending, FinalReads, Hops, KeyPool, OpenWrites, ReplicaReads, Through, eventual_read, invocation,
};
use crate::workload::{Context, Generator, Invocation, Next, Shape};

/// How often a workload does what, in percent where nothing else is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Habits {
    /// Operations that read.
    pub(super) reads: u32,
    /// Reads that are strong.
    pub(super) strong: u32,
    /// Writes that delete.
    pub(super) deletes: u32,
    /// Writes that carry the context of their session, where it has one.
    pub(super) contexts: u32,
    /// Operations on the key that the client touched last.
    pub(super) again: u32,
    /// How many operations a client stays with a node, at least and at most.
    pub(super) stays: (u32, u32),
    /// Operations on a key at most, whatever the command line says.
    pub(super) life: u64,
}

/// The workload `register`.
pub(super) const REGISTER: Habits =
    Habits { reads: 50, strong: 0, deletes: 4, contexts: 50, again: 25, stays: (8, 64), life: 120 };

/// The workload `session`.
pub(super) const SESSION: Habits =
    Habits { reads: 50, strong: 10, deletes: 2, contexts: 50, again: 70, stays: (1, 5), life: u64::MAX };

/// The workload `lww`: blind writes through all nodes, on keys that many write at once.
pub(super) const LWW: Habits =
    Habits { reads: 50, strong: 0, deletes: 6, contexts: 0, again: 0, stays: (1, 1), life: 40 };

/// The generator of registers in eventual mode.
pub(super) struct EventualGenerator {
    habits: Habits,
    rng: ChaCha8Rng,
    keys: KeyPool,
    hops: Hops,
    sessions: Sessions,
    open: OpenWrites,
    written: i64,
    ending: Option<Ending>,
    through: Through,
    convergence: Duration,
}

impl EventualGenerator {
    pub(super) fn new(shape: &Shape, habits: Habits, through: Through) -> Self {
        let life = shape.ops_per_key.min(habits.life);
        Self {
            habits,
            rng: ChaCha8Rng::seed_from_u64(shape.seed),
            keys: KeyPool::new(&Shape { ops_per_key: life, ..shape.clone() }),
            hops: Hops::new(habits.stays.0, habits.stays.1),
            sessions: Sessions::default(),
            open: OpenWrites::default(),
            written: 0,
            ending: None,
            through,
            convergence: shape.convergence,
        }
    }

    /// True so many times in a hundred.
    fn happens(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    /// The key that this client touched last, or any; for a look mostly one that is at rest.
    fn key(&mut self, client: u64, looks: bool) -> Key {
        if self.happens(self.habits.again)
            && let Some(key) = self.sessions.latest.get(&client)
            && let Some(state) = self.keys.pick_again(key)
        {
            return state.key.clone();
        }
        let pick = if looks { KeyPool::pick_quiet } else { KeyPool::pick };
        let key = pick(&mut self.keys, &mut self.rng).key.clone();
        self.sessions.latest.insert(client, key.clone());
        key
    }

    fn write(&mut self, client: u64, key: &Key) -> Invocation {
        let value = if self.happens(self.habits.deletes) {
            Value::Null
        } else {
            self.written += 1;
            json!(self.written)
        };
        let carries = self.happens(self.habits.contexts);
        let context = self.sessions.seen(client, key).filter(|_| carries).cloned();
        Invocation { context, ..invocation("write", value) }
    }
}

impl Generator for EventualGenerator {
    fn next(&mut self, context: &Context) -> Next {
        if let Some(ending) = &mut self.ending {
            return ending.next(context);
        }
        let node = self.hops.node(context, &mut self.rng);
        let reads = self.happens(self.habits.reads);
        let key = self.key(context.client, reads);
        let op = if reads {
            let strong = self.happens(self.habits.strong);
            let read = eventual_read(&key);
            Invocation { consistency: read.consistency.filter(|_| !strong), ..read }
        } else {
            self.write(context.client, &key)
        };
        Next::Op(Invocation { key: Some(key), node: Some(node), ..op })
    }

    fn update(&mut self, event: &Event) {
        self.keys.update(event);
        self.open.update(event);
        if let Some(ending) = &mut self.ending {
            return ending.update(event);
        }
        self.sessions.update(event, &self.keys);
    }

    fn finish(&mut self) {
        if self.ending.is_none() {
            let reads: Vec<_> = self.keys.used().iter().map(eventual_read).collect();
            let replicas = ReplicaReads::new(reads.clone(), self.through, self.convergence);
            let replicas = replicas.after(self.open.sessions());
            self.ending = Some(Ending::new(Some(replicas), FinalReads::new(reads)));
        }
    }
}

/// What each client touched last, and what it has seen of the keys in use.
#[derive(Debug, Default)]
struct Sessions {
    latest: BTreeMap<u64, Key>,
    seen: BTreeMap<Key, BTreeMap<u64, CausalContext>>,
}

impl Sessions {
    /// The clock of the last answer that this client had for the key.
    fn seen(&self, client: u64, key: &Key) -> Option<&CausalContext> {
        self.seen.get(key)?.get(&client)
    }

    fn update(&mut self, event: &Event, keys: &KeyPool) {
        if event.kind != EventType::Ok {
            return;
        }
        let (Some(client), Some(key), Some(clock)) =
            (event.session(), &event.key, event.extra().context.as_ref())
        else {
            return;
        };
        if !keys.has(key) {
            self.seen.remove(key);
            return;
        }
        self.seen.entry(key.clone()).or_default().insert(client, clock.clone());
        if self.seen.len() > 2 * keys.slots() {
            self.seen.retain(|key, _| keys.has(key));
        }
    }
}

#[cfg(test)]
mod tests;
