//! Which operations of other sessions a session must include, since it has seen what these wrote later.
//!
//! A write carries the whole past of its session: the number of operations that were answered before it was
//! invoked. For each session, and each other of which it has seen a write, the greatest such number is kept,
//! with the write and the read that showed it.

use std::collections::HashMap;

use crate::convergence::order::{Book, Dot, Order, Place, add, counter};
use crate::convergence::shown::{Made, Shown};
use crate::history::hash::Fast;

/// A session has seen a write, and through it the past of the writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sighting {
    /// All operations of the writer with lesser numbers came before the write.
    pub(super) number: u32,
    pub(super) write: Place,
    /// The read that showed it.
    pub(super) read: Place,
}

/// What of a key a session has looked at already.
#[derive(Debug, Default)]
struct Taken {
    clock: Vec<Dot>,
    number: u64,
}

/// All sightings so far.
pub(super) struct Sights<'b, 'h> {
    book: &'b Book<'h>,
    shown: &'b Shown<'h>,
    /// Of each write, how many operations of its session had been answered before it began.
    before: Vec<u32>,
    seen: Seen,
    /// By the number of what a session did in a life of a key.
    taken: Vec<Taken>,
    steps: u64,
    /// The read at which the budget was spent.
    pub(super) exhausted: Option<Place>,
}

impl<'b, 'h> Sights<'b, 'h> {
    pub(super) fn new(book: &'b Book<'h>, shown: &'b Shown<'h>, steps: u64) -> Self {
        Self {
            book,
            shown,
            before: vec![0; book.entries.len()],
            seen: Seen::new(book.sessions.len()),
            taken: Vec::new(),
            steps,
            exhausted: None,
        }
    }

    /// An operation begins, after so many answered ones of its session.
    pub(super) fn begun(&mut self, place: Place, before: u32) {
        self.before[place as usize] = before;
    }

    /// Takes so many steps off the budget, if there are any left.
    pub(super) fn spend(&mut self, steps: u64, place: Place) -> bool {
        if self.exhausted.is_none() {
            match self.steps.checked_sub(steps) {
                Some(rest) => self.steps = rest,
                None => self.exhausted = Some(place),
            }
        }
        self.exhausted.is_none()
    }

    /// What `session` has seen of another.
    pub(super) fn of(&self, session: u32, other: u32) -> Option<Sighting> {
        self.seen.of(session, other)
    }

    /// A read, in what its session did in a life of the key, if it knows one: what has it taken in that the
    /// session had not seen before?
    pub(super) fn look(&mut self, read: Place, own: Option<u32>) {
        if let Some(own) = own {
            self.take(read, own as usize);
        }
        if let Some(write) = self.shown.write_of(self.book, read) {
            let entry = self.book.entry_at(write);
            self.see(read, &[Made { stand: 0, place: write, session: entry.session, call: entry.call }]);
        }
    }

    fn take(&mut self, read: Place, own: usize) {
        if self.taken.len() <= own {
            self.taken.resize_with(own + 1, Taken::default);
        }
        let mut taken = std::mem::take(&mut self.taken[own]);
        if let Some(clock) = self.book.clock(read) {
            for &dot in clock {
                let after = counter(&taken.clock, dot.actor);
                // A write that is only begun later must be looked at again by then.
                let early = self.see(read, self.shown.minted(dot.actor, after, dot.counter));
                let counter = early.map_or(dot.counter, |early| early.saturating_sub(1));
                if counter > after {
                    add(&mut taken.clock, Dot { counter, ..dot });
                }
            }
        } else if self.book.order(read) == Order::Integer && self.book.entry_at(read).number.is_some() {
            let (key, after, until) = (self.book.entry_at(read).key, taken.number, self.book.has(read));
            let early = self.see(read, self.shown.numbered(key, after, until));
            let until = early.map_or(until, |early| early.saturating_sub(1));
            taken.number = after.max(until);
        }
        self.taken[own] = taken;
    }

    /// Notes writes that a read has taken in. Gives where the first of them stands that was only begun after the
    /// read: its answer claims what was there before it.
    fn see(&mut self, read: Place, writes: &[Made]) -> Option<u64> {
        if !self.spend(writes.len() as u64, read) {
            return None;
        }
        let mut early = None;
        let reader = self.book.entry_at(read);
        for write in writes {
            let number = self.before[write.place as usize];
            if write.call > reader.end {
                early = early.or(Some(write.stand));
            } else if write.session != reader.session && number > 0 {
                self.seen.note(reader.session, write.session, Sighting { number, write: write.place, read });
            }
        }
        early
    }
}

/// With more sessions than this, most pairs will never meet.
const DENSE: usize = 1_024;

/// Of each session, the last write that it has seen of each other.
enum Seen {
    /// A row for each session, of all sessions. A number of 0 is none.
    Dense {
        sessions: usize,
        all: Vec<Sighting>,
    },
    Sparse(Vec<HashMap<u32, Sighting, Fast>>),
}

impl Seen {
    fn new(sessions: usize) -> Self {
        if sessions > DENSE {
            return Self::Sparse(vec![HashMap::default(); sessions]);
        }
        let none = Sighting { number: 0, write: 0, read: 0 };
        Self::Dense { sessions, all: vec![none; sessions * sessions] }
    }

    fn of(&self, reader: u32, writer: u32) -> Option<Sighting> {
        match self {
            Self::Dense { sessions, all } => {
                Some(all[reader as usize * sessions + writer as usize]).filter(|sighting| sighting.number > 0)
            }
            Self::Sparse(rows) => rows[reader as usize].get(&writer).copied(),
        }
    }

    fn note(&mut self, reader: u32, writer: u32, sighting: Sighting) {
        let best = match self {
            Self::Dense { sessions, all } => &mut all[reader as usize * *sessions + writer as usize],
            Self::Sparse(rows) => rows[reader as usize].entry(writer).or_insert(sighting),
        };
        if sighting.number > best.number {
            *best = sighting;
        }
    }
}
