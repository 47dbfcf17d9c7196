//! What the store owed: the acknowledged versions, and until when each was in force.
//!
//! Only what breaks a promise is a fault. To drop a version that was never acknowledged, or that an acknowledged
//! write had replaced, breaks none, so neither is a place for one. What *may* have been replaced, by a write of which
//! nobody knows what became, is a place all the same: there a fault might hide.

use super::super::causes;
use super::super::order::{Book, Dot, Place, Rules, counter};
use crate::history::Event;

/// What was acknowledged of each version, and by what it was replaced.
pub(super) struct Promised<'h> {
    book: Book<'h>,
    /// Of each actor of a key: up to which counter acknowledged writes had replaced its versions, and the call of
    /// the first of those that replaced so much. Both rise.
    replaced: Vec<Vec<(u64, u32)>>,
}

impl<'h> Promised<'h> {
    /// None where the events are no history.
    pub(super) fn new(events: &'h [Event]) -> Option<Self> {
        let book = Book::new(events, Rules::default()).ok()?;
        let mut replaced: Vec<Vec<(u64, u32)>> = vec![Vec::new(); book.actors()];
        // In order of their calls, so that an actor's line grows only where a write replaced more than those before.
        for place in 0..book.entries.len() as Place {
            let entry = book.entry_at(place);
            if !entry.act.writes() || !entry.is_ok() {
                continue;
            }
            let own = book.own_dot(place);
            for &dot in causes::at_least(&book, place).unwrap_or_default() {
                let is_own = own.is_some_and(|own| own == dot);
                let upto = dot.counter - u64::from(is_own && dot.counter > 0);
                let line = &mut replaced[dot.actor as usize];
                if line.last().is_none_or(|&(before, _)| before < upto) {
                    line.push((upto, entry.call));
                }
            }
        }
        Some(Self { book, replaced })
    }

    /// The versions that the answer at a place shows.
    pub(super) fn shown(&self, place: Place) -> &[Dot] {
        self.book.dots(place).unwrap_or_default()
    }

    /// The name of a version, as answers have it.
    pub(super) fn name(&self, dot: Dot) -> String {
        self.book.show(dot)
    }

    /// Whether it was acknowledged, and no acknowledged write that had been called before this position had replaced
    /// it for certain.
    pub(super) fn is_in_force(&self, dot: Dot, position: usize) -> bool {
        let line = &self.replaced[dot.actor as usize];
        let first = line.partition_point(|&(upto, _)| upto < dot.counter);
        let replaced = line.get(first).is_some_and(|&(_, call)| (call as usize) < position);
        !replaced && self.is_acknowledged(dot)
    }

    /// Whether the newer of two answers knew of an acknowledged write that the older one did not. Of answers that do
    /// not say what they know, it is taken for granted.
    pub(super) fn knows_more(&self, newer: Place, older: Place) -> bool {
        let (Some(newer), Some(older)) = (self.book.clock(newer), self.book.clock(older)) else {
            return true;
        };
        newer.iter().any(|&Dot { actor, counter: upto }| {
            let mut more = counter(older, actor) + 1..=upto;
            more.any(|counter| self.is_acknowledged(Dot { actor, counter }))
        })
    }

    fn is_acknowledged(&self, dot: Dot) -> bool {
        self.book.writer(dot).is_some_and(|writer| self.book.entry_at(writer).is_ok())
    }
}
