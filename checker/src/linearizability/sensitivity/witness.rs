//! What the store did, as far as anyone can tell: the order that makes a history valid, with moments.
//!
//! An order alone does not say when. Each operation is taken to have had its effect in the middle of where it
//! can be without changing the order: between the latest call so far and the earliest return from here on.
//! Both grow along the order, and so do the middles. This decides only what was in force at a call, for those
//! faults that ask; it is a store's behaviour that the history does not contradict.

use super::super::object::Entry;
use crate::model::register::{ABSENT, Symbol};

/// A replayed order. Places are positions in it.
#[derive(Debug)]
pub(super) struct Witness {
    /// Entries, in order of their effects.
    pub(super) order: Vec<u32>,
    /// What was in force before each place, and after the last.
    pub(super) before: Vec<Symbol>,
    /// The moment of each place.
    pub(super) moments: Vec<u32>,
    /// Every value that was in force, in order. The first is absence.
    versions: Vec<Version>,
}

/// A value in force.
#[derive(Debug, Clone, Copy)]
struct Version {
    value: Symbol,
    /// Since when.
    since: u32,
    /// The place after which it was in force; 0 for the first.
    place: u32,
}

impl Witness {
    /// Replays an order of entries that explains their answers.
    pub(super) fn new(entries: &[Entry], order: Vec<u32>) -> Self {
        let horizon = entries.iter().map(|entry| entry.ret.unwrap_or(entry.call)).max().unwrap_or(0) + 1;
        let mut latest = vec![horizon; order.len()];
        let mut earliest_return = horizon;
        for (latest, &at) in latest.iter_mut().zip(&order).rev() {
            earliest_return = earliest_return.min(entries[at as usize].ret.unwrap_or(horizon));
            *latest = earliest_return;
        }
        let mut before = Vec::with_capacity(order.len() + 1);
        let mut moments = Vec::with_capacity(order.len());
        let mut versions = vec![Version { value: ABSENT, since: 0, place: 0 }];
        let (mut state, mut latest_call) = (ABSENT, 0);
        for (place, (&at, latest)) in order.iter().zip(latest).enumerate() {
            let entry = &entries[at as usize];
            latest_call = entry.call.max(latest_call);
            let moment = latest_call + latest.saturating_sub(latest_call) / 2;
            before.push(state);
            moments.push(moment);
            let after = entry.action.wrote().unwrap_or(state);
            if after != state {
                state = after;
                versions.push(Version { value: state, since: moment, place: place as u32 });
            }
        }
        before.push(state);
        Self { order, before, moments, versions }
    }

    /// What was in force `count` ≥ 1 versions before the one that was in force at the moment of this call.
    /// None where there were not as many.
    pub(super) fn behind(&self, call: u32, count: usize) -> Option<Symbol> {
        let begun = self.versions.partition_point(|version| version.since < call);
        begun.checked_sub(1 + count).map(|version| self.versions[version].value)
    }

    /// What was in force before the write that gave the item the value which it has before this place.
    pub(super) fn before_last_write(&self, place: usize) -> Option<Symbol> {
        let written = self.versions[1..].partition_point(|version| (version.place as usize) < place);
        written.checked_sub(1).map(|version| self.versions[version].value)
    }

    /// Whether the operation of this place changed what is in force.
    pub(super) fn changed(&self, place: usize) -> bool {
        self.before[place] != self.before[place + 1]
    }
}
