//! The states that a sweep goes through, and when one of them makes another superfluous.
//!
//! A [`Way`] is a state of the sweep: is there an item, which tasks are open, what was chosen. Of two ways that
//! have made the same choices (as far as these still matter), one is dropped if the other can do all that it
//! can: see [`Way::serves_for`]. The rule is one-sided on purpose: ways that it cannot compare both stay.
//!
//! Most deletes that are open for long are never due (they were never answered, and may take effect at any
//! time). They are all alike, so a way only counts how many of them it has spent.

use std::collections::BTreeSet;
use std::iter::repeat_n;

use super::NONE;
use super::tasks::Task;
use crate::linearizability::general::END;

/// A state of the sweep.
#[derive(Debug, Clone)]
pub(super) struct Way {
    pub(super) absent: bool,
    /// The end of the zone that it is in, or 0.
    pub(super) busy_until: u32,
    pub(super) writes: Vec<u32>,
    pub(super) absents: Vec<u32>,
    /// By when they are due.
    pub(super) inserts: BTreeSet<(u32, u32)>,
    pub(super) deletes: BTreeSet<(u32, u32)>,
    /// How many of the deletes that are never due were spent.
    pub(super) spent: u32,
    /// Choices that still matter, and the task that was chosen.
    pub(super) chosen: Vec<(u32, u32)>,
    /// The last entry of the sweep's log.
    pub(super) last: u32,
}

/// Drops every way that another is at least as good as.
pub(super) fn prune(ways: &mut Vec<Way>) {
    let mut kept: Vec<Way> = Vec::with_capacity(ways.len());
    for way in ways.drain(..) {
        if !kept.iter().any(|other| other.serves_for(&way)) {
            kept.retain(|other| !way.serves_for(other));
            kept.push(way);
        }
    }
    *ways = kept;
}

impl Way {
    /// Whether this can do all that the other can.
    fn serves_for(&self, other: &Self) -> bool {
        let better = self.absent && !other.absent && other.busy_until == 0;
        (self.absent == other.absent || better)
            && self.busy_until == other.busy_until
            && self.chosen == other.chosen
            && (better || is_part_of(&self.writes, &other.writes))
            && is_part_of(&self.absents, &other.absents)
            && no_more_urgent(&self.inserts, &other.inserts)
            && self.has_as_many_deletes(other)
    }

    /// Whether each of the other's deletes can be matched with one of these that is due no sooner.
    fn has_as_many_deletes(&self, other: &Self) -> bool {
        // What both have of those that are never due cancels out; who has spent less has more.
        let (more, fewer) = (other.spent.saturating_sub(self.spent), self.spent.saturating_sub(other.spent));
        let last_first = |way: &Self, extra: u32| {
            let due: Vec<u32> = way.deletes.iter().rev().map(|&(due, _)| due).collect();
            repeat_n(END, extra as usize).chain(due)
        };
        let mut mine = last_first(self, more);
        last_first(other, fewer).all(|theirs| mine.next().is_some_and(|due| due >= theirs))
    }

    /// Whether a task concerns this way: it is no choice, or was chosen.
    pub(super) fn concerns(&self, at: u32, task: &Task) -> bool {
        task.choice == NONE || self.chosen.contains(&(task.choice, at))
    }
}

/// Whether every task of one list, in order, is in the other, which has the same order.
fn is_part_of(part: &[u32], whole: &[u32]) -> bool {
    let mut whole = whole.iter();
    part.iter().all(|task| whole.any(|other| other == task))
}

/// Whether each of some inserts can be matched with one of the others that is due no later.
fn no_more_urgent(inserts: &BTreeSet<(u32, u32)>, others: &BTreeSet<(u32, u32)>) -> bool {
    inserts.len() <= others.len() && inserts.iter().zip(others).all(|(mine, theirs)| mine.0 >= theirs.0)
}
