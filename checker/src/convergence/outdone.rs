//! Which timestamps may be gone although none that is there in the end is greater.
//!
//! A write that was sent with a context replaces what this covers, even where its coordinator had seen neither that nor
//! its timestamp, and has taken a lesser one. So a write may lose to one with a greater timestamp, by the rule, and
//! that one be replaced by one with a lesser. What a context covers and no answer claims was written by somebody whose
//! answer does not name it, or who got none, if there is such a write: then its timestamp may be any.

use std::collections::HashMap;

use super::counted::upto;
use super::order::{Book, Dot, Place, Stamp};
use crate::history::Outcome;
use crate::history::hash::Fast;

/// The greatest timestamp that may have won over others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Newest<'h> {
    Of(Stamp<'h>),
    /// It may be any.
    Unknown,
}

impl<'h> Newest<'h> {
    pub(super) fn of(stamp: Option<Stamp<'h>>) -> Self {
        stamp.map_or(Self::Unknown, Self::Of)
    }

    /// Whether it may have won over a write with this timestamp, or over one that has none.
    pub(super) fn may_beat(self, stamp: Option<Stamp<'_>>) -> bool {
        match (self, stamp) {
            (Self::Of(own), Some(stamp)) => own >= stamp,
            _ => true,
        }
    }
}

/// A counter of an actor that an answered write claims.
#[derive(Debug, Clone, Copy)]
struct Known<'h> {
    counter: u64,
    /// How many counters up to this one are claimed.
    number: u64,
    /// The greatest timestamp up to it.
    newest: Newest<'h>,
}

/// The timestamps of one key's versions, by what covers them.
#[derive(Debug)]
pub(super) struct Outdone<'h> {
    lines: HashMap<u32, Vec<Known<'h>>, Fast>,
    /// Whether there is a write of the key that no answer gives a dot.
    nameless: bool,
}

impl<'h> Outdone<'h> {
    pub(super) fn new(book: &Book<'h>, places: &[Place]) -> Self {
        let mut outdone = Self { lines: HashMap::default(), nameless: false };
        for &place in places {
            let entry = book.entry_at(place);
            let dot = book.own_dot(place).filter(|dot| dot.counter > 0);
            outdone.nameless |= entry.act.writes() && entry.outcome != Outcome::Fail && dot.is_none();
            if let Some(dot) = dot {
                let known = Known { counter: dot.counter, number: 1, newest: Newest::of(entry.stamp) };
                outdone.lines.entry(dot.actor).or_default().push(known);
            }
        }
        for line in outdone.lines.values_mut() {
            line.sort_by_key(|known| known.counter);
            for at in 1..line.len() {
                let before = line[at - 1];
                line[at].number = before.number + u64::from(before.counter != line[at].counter);
                line[at].newest = line[at].newest.max(before.newest);
            }
        }
        outdone
    }

    /// The greatest timestamp among what a clock covers; none where that is nothing.
    pub(super) fn newest(&self, clock: &[Dot]) -> Option<Newest<'h>> {
        clock.iter().filter(|dot| dot.counter > 0).filter_map(|&dot| self.newest_of(dot)).max()
    }

    fn newest_of(&self, dot: Dot) -> Option<Newest<'h>> {
        let line = self.lines.get(&dot.actor).map_or(&[][..], Vec::as_slice);
        let last = upto(line, dot.counter, |known| known.counter).checked_sub(1).map(|last| line[last]);
        let is_whole = last.is_some_and(|last| last.number == dot.counter);
        if self.nameless && !is_whole { Some(Newest::Unknown) } else { last.map(|last| last.newest) }
    }
}
