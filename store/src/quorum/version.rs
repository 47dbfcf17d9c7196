//! What a key holds on one replica, and how two replicas' views of it become one.
//!
//! A key's replicated value is a [`State`]: a dotted version vector set (Preguiça et al., *Dotted
//! Version Vectors*, 2010, and *Concise server-wide causality management*, 2014; in use as Riak's
//! DVVSet). Every write mints one [`Dot`], an event of one [`Actor`]; the state's [`Clock`] says which
//! events it has seen, and its versions are those of them that no later write has superseded. A version
//! that the other side has seen and no longer holds was superseded there, so it goes; one that the other
//! side has not seen stays: that is all of [`Rules::sync`].
//!
//! Two things make it right. Actors are per node *and per key* and carry an epoch that is never used
//! twice, so that a node that forgot a key cannot mint one of its old dots again. And it is always whole
//! states that travel: a clock never covers an event that the versions beside it did not take into
//! account.
//!
//! With [`Resolve::Lww`] a state keeps the one version with the greatest timestamp, whatever superseded
//! what: only then is the merge of three states the same in every order, however wrong the clocks are.
//!
//! Everything here is pure. What it must never do: drop a version that nobody superseded, or keep one
//! that somebody did.

mod clock;

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

pub use clock::{Actor, BadContext, Clock, Context, Dot};

pub use super::options::Resolve;

use crate::api::backend::Timestamp;
use crate::bugs::{Bug, Bugs};
use crate::item::Item;

/// One write's value that nothing has superseded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// The write.
    pub dot: Dot,
    /// When it was written, by its coordinator's wall clock.
    pub timestamp: Timestamp,
    /// The item; `None` is a tombstone.
    pub value: Option<Item>,
}

impl Version {
    /// What decides between versions where only one can be kept or shown.
    fn rank(&self) -> (i64, &str, &Dot) {
        (self.timestamp.ns, &self.timestamp.node, &self.dot)
    }
}

/// All that is known about one key: what was seen, and what of it still counts.
///
/// The default state, without events, is that of a key that was never there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The events that this state has taken into account.
    pub clock: Clock,
    /// What none of them superseded, in the order of dots.
    pub versions: Vec<Version>,
}

/// How states change: the same on every node of a cluster.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// What becomes of concurrent versions.
    pub resolve: Resolve,
    /// The planted bug, if any.
    pub bugs: Bugs,
}

/// A write that is about to become a version.
#[derive(Clone, Debug)]
pub struct Write<'a> {
    /// Who mints.
    pub actor: &'a Actor,
    /// What the writer had seen; `None`: all that the state has.
    pub context: Option<&'a Context>,
    /// The item, or `None` for a deletion.
    pub value: Option<Item>,
    /// The coordinator's wall clock, in nanoseconds since 1970.
    pub wall_ns: i64,
}

impl State {
    /// Whether the key was never there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.clock.is_empty() && self.versions.is_empty()
    }

    /// Whether there is nothing but tombstones.
    #[must_use]
    pub fn is_grave(&self) -> bool {
        !self.versions.is_empty() && self.versions.iter().all(|version| version.value.is_none())
    }

    /// The version that a client sees that does not ask for all: values before tombstones, then the
    /// greatest time, node and dot.
    #[must_use]
    pub fn shown(&self) -> Option<&Version> {
        self.versions.iter().max_by_key(|version| (version.value.is_some(), version.rank()))
    }

    /// The versions' dots in order, joined with `|`.
    #[must_use]
    pub fn dots(&self) -> String {
        let dots: Vec<String> = self.versions.iter().map(|version| version.dot.to_string()).collect();
        dots.join("|")
    }

    /// Two states with the same digest are the same but for one chance in 2^64. A dot says what its
    /// value is, so values are not looked at. O(actors + versions).
    #[must_use]
    pub fn digest(&self) -> u64 {
        let mut hasher = Hasher::default();
        for (actor, counter) in self.clock.iter() {
            hasher.event(actor, counter);
        }
        hasher.bytes(b"|");
        for version in &self.versions {
            hasher.event(&version.dot.actor, version.dot.counter);
        }
        hasher.finish()
    }

    fn has(&self, dot: &Dot) -> bool {
        self.versions.binary_search_by(|version| version.dot.cmp(dot)).is_ok()
    }
}

impl Rules {
    /// What two replicas of a key know together. Commutative, associative and idempotent.
    #[must_use]
    pub fn sync(self, left: &State, right: &State) -> State {
        let mut clock = left.clock.clone();
        clock.join(&right.clock);
        let mut versions: Vec<Version> = match self.resolve {
            Resolve::Siblings => {
                let counts = |version: &&Version, other: &State| {
                    other.has(&version.dot) || !other.clock.covers(&version.dot)
                };
                let mine = left.versions.iter().filter(|version| counts(version, right));
                let theirs = right.versions.iter().filter(|version| counts(version, left));
                mine.chain(theirs).cloned().collect()
            }
            Resolve::Lww => left.versions.iter().chain(&right.versions).cloned().collect(),
        };
        versions.sort_by(|one, other| one.dot.cmp(&other.dot));
        versions.dedup_by(|one, other| one.dot == other.dot);
        let mut state = State { clock, versions };
        if self.resolve == Resolve::Lww || self.bugs.has(Bug::SiblingsCollapsed) {
            self.keep_latest(&mut state);
        }
        state
    }

    /// Only the greatest by time, if there is one.
    fn keep_latest(self, state: &mut State) {
        if let Some(latest) = state.versions.iter().max_by(|one, other| self.compare(one, other)).cloned() {
            state.versions = vec![latest];
        }
    }

    /// Which of two concurrent versions wins, where only one can.
    fn compare(self, one: &Version, other: &Version) -> Ordering {
        if self.bugs.has(Bug::NodeBeforeTime) {
            return one.timestamp.node.cmp(&other.timestamp.node).then(one.rank().cmp(&other.rank()));
        }
        one.rank().cmp(&other.rank())
    }

    /// Makes a write a version of `state`, which must be that of the minting node, and stores it there.
    pub fn put(self, state: &mut State, write: Write<'_>) -> Version {
        let timestamp = self.timestamp(state, &write);
        match (self.resolve, write.context) {
            (Resolve::Siblings, Some(context)) => {
                // A plain vector says of the writer no more than how many of its writes were seen.
                let plain = self.bugs.has(Bug::PlainVersionVectors);
                let passed = |dot: &Dot| context.clock.covers(dot) || (plain && dot.actor == *write.actor);
                state.versions.retain(|version| !passed(&version.dot));
                state.clock.join(&context.clock);
            }
            (Resolve::Siblings, None) | (Resolve::Lww, _) => state.versions.clear(),
        }
        if let (Resolve::Lww, Some(context)) = (self.resolve, write.context) {
            state.clock.join(&context.clock);
        }
        let dot = state.clock.mint(write.actor);
        if self.bugs.has(Bug::VectorPrunedEarly) {
            state.clock.prune(write.actor);
        }
        let version = Version { dot, timestamp, value: write.value };
        state.versions.push(version.clone());
        state.versions.sort_by(|one, other| one.dot.cmp(&other.dot));
        version
    }

    /// The wall clock's time, unless that is not after what is written over.
    fn timestamp(self, state: &State, write: &Write<'_>) -> Timestamp {
        if self.bugs.has(Bug::TrustsItsClock) {
            return Timestamp { ns: write.wall_ns, node: write.actor.node.clone() };
        }
        let here = state.versions.iter().map(|version| version.timestamp.ns);
        let seen = write.context.and_then(|context| context.latest_ns);
        let after = here.chain(seen).max().map(|known| known.saturating_add(1));
        let ns = after.map_or(write.wall_ns, |after| after.max(write.wall_ns));
        Timestamp { ns, node: write.actor.node.clone() }
    }
}

/// FNV-1a with MurmurHash3's 64-bit finaliser.
#[derive(Debug)]
pub(super) struct Hasher(u64);

impl Default for Hasher {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher {
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn event(&mut self, actor: &Actor, counter: u64) {
        self.bytes(actor.node.as_bytes());
        self.bytes(b"/");
        self.bytes(&actor.epoch.to_le_bytes());
        self.bytes(&counter.to_le_bytes());
    }

    pub(super) fn finish(&self) -> u64 {
        let mut hash = self.0;
        hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        hash ^ (hash >> 33)
    }
}
