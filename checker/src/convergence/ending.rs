//! What there is in the end: the answers by which checks judge what the replicas came to hold.
//!
//! Eventual consistency speaks of the time after the faults are healed and the writes have stopped. For each
//! key that time is seen through
//!
//! - the last `replica-read` of every node, where there are any: what each replica holds. A node whose last one
//!   was not answered, or that was left out of the last round (another node was asked twice since), leaves the
//!   key *uncovered*: it may hold what the others lack. An error `not-a-replica` says that the node has no part
//!   in the key.
//! - elsewhere the ordinary reads that were invoked at least [`Quiet::settle`] after the last fault was healed
//!   and the last write of the key had ended. Which replicas stand behind these is not known.
//!
//! While a fault that keeps nodes from answering is in force, nothing of it counts as the end.

use std::time::Duration;

use super::faults::{Fault, faults};
use super::order::{Act, Book, Place};
use crate::history::{Event, Operation, Outcome};

/// Since when nothing was broken.
pub(super) struct Quiet<'h> {
    faults: Vec<Fault<'h>>,
    events: &'h [Event],
    settle: Duration,
}

/// Where the answers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// From every replica by itself.
    Replicas,
    /// From ordinary reads.
    Reads,
}

/// The answers that show the end of one key.
#[derive(Debug)]
pub(super) struct End {
    /// In order of invocation, never empty.
    pub(super) answers: Vec<Place>,
    /// The position at which the first of them was invoked.
    pub(super) since: u32,
    pub(super) source: Source,
    /// When the last fault was healed and the last write of the key had ended, in nanoseconds.
    pub(super) quiet_ns: u64,
}

/// What can be said of the end of one key.
#[derive(Debug)]
pub(super) enum Ending {
    Seen(End),
    /// Nobody wrote it.
    Unwritten,
    /// Nobody read it after the writes.
    Unread,
    /// The node asked by this operation was not covered.
    Uncovered(Place),
    /// The fault of the event with this index was still in force.
    Unhealed(u64),
}

impl Ending {
    pub(super) fn seen(self) -> Option<End> {
        match self {
            Self::Seen(end) => Some(end),
            _ => None,
        }
    }
}

impl<'h> Quiet<'h> {
    pub(super) fn new(events: &'h [Event], settle: Duration) -> Self {
        Self { faults: faults(events), events, settle }
    }

    /// The end of the key with these operations.
    pub(super) fn ending(&self, book: &Book<'_>, places: &[Place]) -> Ending {
        let Some(written_ns) = last_write_ns(book, places) else { return Ending::Unwritten };
        let (answers, source) = match last_round(book, places) {
            Some(Ok(round)) => (round, Source::Replicas),
            Some(Err(place)) => return Ending::Uncovered(place),
            None => (self.late_reads(book, places, written_ns), Source::Reads),
        };
        let Some(since) = answers.iter().map(|&place| book.entry_at(place).call).min() else {
            return Ending::Unread;
        };
        match self.healed_before(since) {
            Ok(healed_ns) => {
                Ending::Seen(End { answers, since, source, quiet_ns: written_ns.max(healed_ns) })
            }
            Err(fault) => Ending::Unhealed(fault),
        }
    }

    /// When the last fault was healed before a position; the index of one that was not.
    fn healed_before(&self, since: u32) -> Result<u64, u64> {
        let mut healed_ns = 0;
        for fault in self.faults.iter().filter(|fault| fault.begun < since as usize) {
            match fault.healed.filter(|&healed| healed < since as usize) {
                Some(healed) => healed_ns = healed_ns.max(self.events[healed].time),
                None if fault.keeps_from_answering() => return Err(fault.index),
                None => {}
            }
        }
        Ok(healed_ns)
    }

    /// The ordinary reads that come long enough after the last write, and after the last heal in the history.
    fn late_reads(&self, book: &Book<'_>, places: &[Place], written_ns: u64) -> Vec<Place> {
        let heals = self.faults.iter().filter_map(|fault| fault.healed);
        let healed_ns = heals.map(|healed| self.events[healed].time).max().unwrap_or(0);
        let settled_ns = u128::from(written_ns.max(healed_ns)) + self.settle.as_nanos();
        let is_late = |&&place: &&Place| {
            let entry = book.entry_at(place);
            let time = book.operation(place).invocation.time;
            entry.act == Act::Read && entry.is_ok() && u128::from(time) >= settled_ns
        };
        places.iter().filter(is_late).copied().collect()
    }
}

/// When the last write of a key ended, or was invoked if it never did.
fn last_write_ns(book: &Book<'_>, places: &[Place]) -> Option<u64> {
    let is_write = |&&place: &&Place| {
        let entry = book.entry_at(place);
        entry.act.writes() && entry.outcome != Outcome::Fail
    };
    let end = |operation: &Operation<'_>| operation.completion.unwrap_or(operation.invocation).time;
    places.iter().filter(is_write).map(|&place| end(book.operation(place))).max()
}

/// Of one node, the last `replica-read`, and where the one before it was invoked.
struct Asked<'b> {
    node: &'b str,
    last: Place,
    before: Option<u32>,
}

/// The last `replica-read` of every node, or one that shows that a node is not covered. None where there are
/// no such reads.
fn last_round(book: &Book<'_>, places: &[Place]) -> Option<Result<Vec<Place>, Place>> {
    let mut nodes: Vec<Asked<'_>> = Vec::new();
    for &place in places.iter().filter(|&&place| book.operation(place).f() == "replica-read") {
        let node = book.operation(place).node().unwrap_or_default();
        match nodes.iter_mut().find(|asked| asked.node == node) {
            Some(asked) => {
                (asked.before, asked.last) = (Some(book.entry_at(asked.last).call), place);
            }
            None => nodes.push(Asked { node, last: place, before: None }),
        }
    }
    let is_replica = |asked: &Asked<'_>| {
        let answer = book.operation(asked.last);
        !(answer.outcome() == Outcome::Fail && answer.error().is_some_and(|error| *error == "not-a-replica"))
    };
    nodes.retain(is_replica);
    let asked_before = nodes.iter().filter_map(|asked| asked.before).max();
    let mut answers: Vec<Place> = nodes.iter().map(|asked| asked.last).collect();
    answers.sort_unstable();
    let is_uncovered = |&&place: &&Place| {
        let entry = book.entry_at(place);
        !entry.is_ok() || asked_before.is_some_and(|before| entry.call < before)
    };
    answers.first()?;
    let uncovered = answers.iter().find(is_uncovered).copied();
    Some(uncovered.map_or(Ok(answers), Err))
}
