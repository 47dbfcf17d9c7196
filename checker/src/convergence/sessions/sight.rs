//! Which operations of other sessions a session must include, since it has seen what these wrote later.
//!
//! A write carries the whole past of its session: the number of operations that were answered before it was
//! invoked. For each session, and each other of which it has seen a write, the greatest such number is kept,
//! with the write and the read that showed it.

use std::collections::HashMap;

use smallvec::SmallVec;

use crate::convergence::order::{Book, Dot, Order, Place};
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

/// A line of versions, an actor's or a key's, and how many of its writes a session has looked at already.
type Taken = (u32, u32);

/// All sightings so far.
pub(super) struct Sights<'b, 'h> {
    book: &'b Book<'h>,
    shown: &'b Shown<'h>,
    seen: Seen,
    /// By the number of what a session did in a life of a key.
    taken: Vec<SmallVec<[Taken; 4]>>,
    steps: u64,
    /// The read at which the budget was spent.
    pub(super) exhausted: Option<Place>,
}

impl<'b, 'h> Sights<'b, 'h> {
    pub(super) fn new(book: &'b Book<'h>, shown: &'b Shown<'h>, steps: u64) -> Self {
        Self { book, shown, seen: Seen::new(book.sessions.len()), taken: Vec::new(), steps, exhausted: None }
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
        let seen = own.is_some_and(|own| self.take(read, own as usize));
        if !seen && let Some(write) = self.shown.write_of(self.book, read) {
            self.see(read, &[Made::new(self.book, 0, write)]);
        }
    }

    /// Notes what a read has taken in. Gives whether the write that it shows is among that for certain.
    fn take(&mut self, read: Place, own: usize) -> bool {
        if self.taken.len() <= own {
            self.taken.resize_with(own + 1, SmallVec::new);
        }
        let (book, shown) = (self.book, self.shown);
        let entry = book.entry_at(read);
        let mut seen = false;
        if let Some(clock) = book.clock(read) {
            let shows = book.dots(read).unwrap_or_default();
            for &Dot { actor, counter } in clock {
                let newest = self.follow(read, own, actor, shown.of_actor(actor), counter);
                seen |= newest.is_some_and(|counter| *shows == [Dot { actor, counter }]);
            }
        } else if book.order(read) == Order::Integer && entry.number.is_some() {
            self.follow(read, own, entry.key, shown.numbered(entry.key), book.has(read));
        }
        seen
    }

    /// Notes the writes of a line, up to where they stand that a read has taken in, which its session had not
    /// looked at before. Gives where the newest stands that it has looked at.
    fn follow(&mut self, read: Place, own: usize, line: u32, writes: &[Made], until: u64) -> Option<u64> {
        let taken = &mut self.taken[own];
        let at = taken.iter().position(|&(known, _)| known == line).unwrap_or_else(|| {
            taken.push((line, 0));
            taken.len() - 1
        });
        let from = taken[at].1 as usize;
        let news = writes[from..].iter().take_while(|write| write.stand <= until).count();
        let looked_at = self.see(read, &writes[from..from + news]);
        self.taken[own][at].1 += looked_at as u32;
        (from + looked_at).checked_sub(1).map(|newest| writes[newest].stand)
    }

    /// Notes writes that a read has taken in. Gives how many of them need not be looked at again: those before
    /// the first that was only begun after the read, whose answer claims what was there before it.
    fn see(&mut self, read: Place, writes: &[Made]) -> usize {
        if !self.spend(writes.len() as u64, read) {
            return writes.len();
        }
        let mut early = None;
        let reader = self.book.entry_at(read);
        for (at, write) in writes.iter().enumerate() {
            if write.call > reader.end {
                early = early.or(Some(at));
            } else if write.session != reader.session && write.before > 0 {
                let sighting = Sighting { number: write.before, write: write.place, read };
                self.seen.note(reader.session, write.session, sighting);
            }
        }
        early.unwrap_or(writes.len())
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
