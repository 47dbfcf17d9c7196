//! How the versions of a key compare: what the store said of its own ordering, read once for all checks.
//!
//! A [`Book`] is a history made ready: its operations (paired), their keys and sessions as small numbers, and
//! for each answer what it carries: a clock, dots, a timestamp, a version number. Of each key, [`Order`] says
//! by what its versions are compared: the best thing that its answers carry.
//!
//! | order | an answer includes a write if |
//! |---|---|
//! | [`Order::Clock`] | its clock covers the write's dot (dotted version vectors; Preguiça et al. 2010) |
//! | [`Order::Timestamp`] | its timestamp is not less than the write's: last-writer-wins, where older ones never count |
//! | [`Order::Integer`] | its version number is not less than the write's |
//! | [`Order::RealTime`] | its value was not written by an operation that had ended before the write began |
//!
//! A clock is a list of [`Dot`]s, one for each actor, sorted by actor: it covers every dot of an actor up to
//! the counter. Actors are numbered for each key apart, so that a dot names its key too.
//!
//! **What an answer lacks.** [`Book::lacks`] is the one question that the checks ask. It says *yes* only for
//! certain, so that no check raises a false alarm:
//!
//! - An answer that carries nothing comparable lacks nothing.
//! - *Collected tombstones.* Once all replicas hold the same tombstone, a store may forget the key, clock and
//!   all; it then answers as if there never had been one, and actors begin new epochs. So an answer that lacks
//!   a dot is no proof if the key may have been forgotten in between: if a delete was invoked before the answer
//!   came, and had not ended before the write of the dot began. But forgetting is complete: what is forgotten
//!   is a whole state, and the state of a write's own answer is part of every later one. So if the answer still
//!   knows any actor of the write's own clock, then nothing was forgotten, and the dot is missing.
//! - *Real time* is used where an item's writes are linearizable, which the caller must know. A write that was
//!   never answered may take effect at any later time, so it never counts as older. Where several operations
//!   wrote the same value, it counts as older only if all of them are.
//!
//! This module must never order two versions by their values or by their wall-clock times of recording.

mod act;
mod clock;
mod keys;
mod kinds;
mod line;
mod lives;
mod reading;
mod session;
#[cfg(test)]
mod tests;

use super::counted::upto;
use super::groups::Groups;
use crate::history::{Event, Key, Objects, Operation, Outcome, PairError, pair};

pub(crate) use act::Act;
pub(crate) use clock::{Dot, Stamp, add, counter, covers, includes, meet};
use keys::{Actors, Deletes};
pub(crate) use kinds::Kinds;
pub(crate) use session::Session;
use session::Sessions;

/// The place of an operation in [`Book::entries`].
pub(crate) type Place = u32;

/// How far along the line of versions an answer is that may include everything.
const ANYTHING: u64 = u64::MAX;

/// How far along the line of versions one must be to include what asks for nothing.
const NOTHING: u64 = 0;

/// The end of an operation that may still take effect.
pub(crate) const OPEN: u32 = u32::MAX;

/// What a check is told of the store, since no history says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Conflicts are resolved by the greatest timestamp.
    pub lww: bool,
    /// The writes of one item are linearizable, so that real time orders them where there are no versions.
    pub ordered_writes: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self { lww: false, ordered_writes: true }
    }
}

/// By what the versions of one key are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// By clocks and dots.
    Clock,
    /// By the store's timestamps.
    Timestamp,
    /// By version numbers.
    Integer,
    /// By the order of events, through unique values.
    RealTime,
    /// Nothing is known of it.
    Nothing,
}

impl Order {
    /// Its name in the stats.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Clock => "clock",
            Self::Timestamp => "timestamp",
            Self::Integer => "integer",
            Self::RealTime => "real-time",
            Self::Nothing => "nothing",
        }
    }
}

/// A piece of a list that many share, or none.
#[derive(Debug, Clone, Copy)]
struct Piece {
    start: u32,
    length: u32,
}

impl Piece {
    const NONE: Self = Self { start: u32::MAX, length: 0 };
}

/// The life of an answer that knows none.
const NO_LIFE: u32 = u32::MAX;

/// What is known of one operation. See [`Book`] for what its numbers mean.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'h> {
    /// The number of the key.
    pub(crate) key: u32,
    /// The number of the session.
    pub(crate) session: u32,
    /// How many operations of the session had been answered before it began.
    pub(crate) before: u32,
    /// The position of the invocation.
    pub(crate) call: u32,
    /// The position of the completion; [`OPEN`] where the operation may still take effect.
    pub(crate) end: u32,
    /// What it does.
    pub(crate) act: Act,
    /// What is known of its outcome.
    pub(crate) outcome: Outcome,
    /// Its number among the book's kinds.
    pub(crate) kind: u16,
    clock: Piece,
    sent: Piece,
    dots: Piece,
    life: u32,
    /// The store's timestamp of the version shown or made, where the answer carries one.
    pub(crate) stamp: Option<Stamp<'h>>,
    /// The version number, where the answer carries one.
    pub(crate) number: Option<i64>,
    /// Where the versions of the key stand in one line: how far along it this answer is for certain not behind.
    has: u64,
    /// And how far along it whoever includes this answer must be.
    needs: u64,
}

impl Entry<'_> {
    /// Whether it was answered.
    pub(crate) fn is_ok(&self) -> bool {
        self.outcome == Outcome::Ok
    }
}

/// A history made ready for the checks of this module.
#[derive(Debug)]
pub(crate) struct Book<'h> {
    /// In order of invocation.
    pub(crate) operations: Vec<Operation<'h>>,
    /// One for each operation.
    pub(crate) entries: Vec<Entry<'h>>,
    /// The keys, in the order of their first operations.
    pub(crate) keys: Vec<Option<&'h Key>>,
    /// The order of each key.
    pub(crate) orders: Vec<Order>,
    /// The sessions, in the order of their first operations. Each is a sequence.
    pub(crate) sessions: Vec<Session>,
    /// The kinds of operations.
    pub(crate) kinds: Kinds<'h>,
    actors: Actors<'h>,
    dots: Vec<Dot>,
    /// Of each key, its deletes that did not fail.
    deletes: Vec<Deletes>,
    /// Of each actor, its answered writes by their counters. Of several that claim a dot it is the first one's.
    writers: Groups<(u64, Place)>,
    /// Of each actor, its life.
    lives: Vec<u32>,
    /// Of each life, the call of its last write.
    last_writes: Vec<u32>,
}

impl<'h> Book<'h> {
    /// Reads a history. Linear, but for the deletes.
    ///
    /// # Errors
    ///
    /// What is no history.
    pub(crate) fn new(events: &'h [Event], rules: Rules) -> Result<Self, PairError> {
        let operations = pair(events)?;
        let mut book = Self {
            entries: Vec::with_capacity(operations.len()),
            operations: Vec::new(),
            keys: Vec::new(),
            orders: Vec::new(),
            sessions: Vec::new(),
            kinds: Kinds::default(),
            actors: Actors::default(),
            dots: Vec::new(),
            deletes: Vec::new(),
            writers: Groups::default(),
            lives: Vec::new(),
            last_writes: Vec::new(),
        };
        let (mut keys, mut sessions) = (Objects::default(), Sessions::new(&operations));
        for operation in &operations {
            let (session, answered) = sessions.number(operation);
            let mut entry = book.entry(operation, keys.place(operation.key()), session);
            entry.before = *answered;
            *answered += u32::from(entry.is_ok() && entry.act != Act::Other);
            book.entries.push(entry);
        }
        book.keys = keys.into_keys();
        book.sessions = sessions.all;
        book.operations = operations;
        book.orders = book.choose(rules);
        book.index();
        lives::tell_apart(&mut book);
        line::up(&mut book);
        Ok(book)
    }

    fn choose(&self, rules: Rules) -> Vec<Order> {
        let by_nothing = if rules.ordered_writes { Order::RealTime } else { Order::Nothing };
        let mut orders = vec![by_nothing; self.keys.len()];
        for entry in &self.entries {
            let order = &mut orders[entry.key as usize];
            if rules.lww && entry.stamp.is_some() {
                *order = Order::Timestamp;
            } else if entry.clock.start != Piece::NONE.start && *order != Order::Timestamp {
                *order = Order::Clock;
            } else if entry.number.is_some() && matches!(order, Order::RealTime | Order::Nothing) {
                *order = Order::Integer;
            }
        }
        orders
    }

    fn index(&mut self) {
        self.deletes.resize_with(self.keys.len(), Deletes::default);
        let mut writers = Vec::new();
        for (place, entry) in self.entries.iter().enumerate() {
            if entry.act == Act::Delete && entry.outcome != Outcome::Fail {
                self.deletes[entry.key as usize].push(entry.call, entry.end);
            }
            if let Some(dot) = self.own_dot(place as Place) {
                writers.push((dot.actor, (dot.counter, place as Place)));
            }
        }
        self.writers = Groups::new(self.actors(), &writers).sorted();
    }

    /// The entry at a place.
    pub(crate) fn entry_at(&self, place: Place) -> &Entry<'h> {
        &self.entries[place as usize]
    }

    /// The operation at a place.
    pub(crate) fn operation(&self, place: Place) -> &Operation<'h> {
        &self.operations[place as usize]
    }

    /// The clock that an answer carries: all that its state had taken in.
    pub(crate) fn clock(&self, place: Place) -> Option<&[Dot]> {
        self.cut(self.entries[place as usize].clock)
    }

    /// The clock that an operation was sent with.
    pub(crate) fn sent(&self, place: Place) -> Option<&[Dot]> {
        self.cut(self.entries[place as usize].sent)
    }

    /// The dots that an answer carries: of a read those of all versions there were, of a write its own.
    pub(crate) fn dots(&self, place: Place) -> Option<&[Dot]> {
        self.cut(self.entries[place as usize].dots)
    }

    /// The dot that an answered write made.
    pub(crate) fn own_dot(&self, place: Place) -> Option<Dot> {
        let entry = self.entry_at(place);
        match self.dots(place)? {
            &[dot] if entry.act.writes() => Some(dot),
            _ => None,
        }
    }

    /// The answered write that made a dot, the first if several claim it.
    pub(crate) fn writer(&self, dot: Dot) -> Option<Place> {
        let of_actor = self.writers.of(dot.actor);
        let first = dot.counter.checked_sub(1).map_or(0, |before| upto(of_actor, before, |&(own, _)| own));
        of_actor.get(first).filter(|&&(counter, _)| counter == dot.counter).map(|&(_, place)| place)
    }

    /// The name of an actor.
    pub(crate) fn actor(&self, actor: u32) -> &'h str {
        self.actors.names[actor as usize]
    }

    /// The number of actors of all keys.
    pub(crate) fn actors(&self) -> usize {
        self.actors.names.len()
    }

    /// The order of an operation's key.
    pub(crate) fn order(&self, place: Place) -> Order {
        self.orders[self.entry_at(place).key as usize]
    }

    /// A dot as the store writes it.
    pub(crate) fn show(&self, dot: Dot) -> String {
        format!("{}:{}", self.actor(dot.actor), dot.counter)
    }

    fn cut(&self, Piece { start, length }: Piece) -> Option<&[Dot]> {
        self.dots.get(start as usize..start as usize + length as usize)
    }

    /// Whether the answer at `later` certainly lacks what the answer at `earlier` wrote or showed, both of one
    /// key. An answer that shows nothing comparable lacks nothing, and so does one that may include anything.
    pub(crate) fn lacks(&self, later: Place, earlier: Place) -> bool {
        if self.order(later) != Order::Clock {
            return self.has(later) < self.needs(earlier) && !self.may_have_restarted(later, earlier);
        }
        if !self.entry_at(earlier).act.writes() {
            return self
                .clock(earlier)
                .is_some_and(|seen| seen.iter().any(|&dot| self.lacks_dot(later, dot)));
        }
        self.own_dot(earlier).is_some_and(|dot| self.lacks_dot(later, dot))
    }

    /// Whether the answer at `later` certainly lacks this dot of its key: its clock does not cover it, and the
    /// key cannot have been forgotten since. Logarithmic in the deletes of the key.
    pub(crate) fn lacks_dot(&self, later: Place, dot: Dot) -> bool {
        let Some(clock) = self.clock(later) else { return false };
        !covers(clock, dot) && !self.may_be_forgotten(later, clock, dot)
    }

    /// Where versions stand in one line (any order but [`Order::Clock`]): how far along it this answer is at
    /// most. It certainly lacks whatever needs more, if the line did not begin anew ([`Book::may_have_restarted`]).
    pub(crate) fn has(&self, place: Place) -> u64 {
        self.entry_at(place).has
    }

    /// Where versions stand in one line: how far along it an answer must be that includes this one.
    pub(crate) fn needs(&self, place: Place) -> u64 {
        self.entry_at(place).needs
    }

    /// Where versions stand in one line: whether it may have begun anew between two answers, so that to be
    /// behind means nothing.
    pub(crate) fn may_have_restarted(&self, later: Place, earlier: Place) -> bool {
        if self.order(later) == Order::RealTime {
            return false;
        }
        match (self.clock(later), self.dots(earlier)) {
            (Some(clock), Some(&[dot])) => self.may_be_forgotten(later, clock, dot),
            _ => {
                let earlier = self.entry_at(earlier);
                self.may_be_deleted(later, if earlier.act.writes() { earlier.call } else { 0 })
            }
        }
    }

    fn may_be_forgotten(&self, later: Place, clock: &[Dot], dot: Dot) -> bool {
        if counter(clock, dot.actor) > 0 || !self.may_be_deleted(later, 0) {
            return false;
        }
        let writer = self.writer(dot);
        let known = writer.and_then(|writer| self.clock(writer));
        if known.is_some_and(|known| meet(known, clock)) {
            return false;
        }
        self.may_be_deleted(later, writer.map_or(0, |writer| self.entry_at(writer).call))
    }

    /// The number of lives of all keys.
    pub(crate) fn lives(&self) -> usize {
        self.last_writes.len()
    }

    /// The life that an answer knows; none where it knows nothing.
    pub(crate) fn life(&self, place: Place) -> Option<u32> {
        Some(self.entry_at(place).life).filter(|&life| life != NO_LIFE)
    }

    /// The life that a dot is of.
    pub(crate) fn life_of(&self, dot: Dot) -> u32 {
        self.lives[dot.actor as usize]
    }

    /// The call of the last answered write of a life.
    pub(crate) fn last_write(&self, life: u32) -> u32 {
        self.last_writes[life as usize]
    }

    /// The latest end of the deletes of the key that were invoked before this answer came; 0 without any.
    pub(crate) fn deleted_until(&self, place: Place) -> u32 {
        let entry = self.entry_at(place);
        self.deletes[entry.key as usize].last_end(entry.end)
    }

    /// Whether a key may have been deleted at any time.
    pub(crate) fn is_deleted(&self, key: u32) -> bool {
        !self.deletes[key as usize].is_empty()
    }

    /// Whether a delete of the key was invoked before the answer at `later` came, and had not ended before the
    /// position `since`.
    pub(crate) fn may_be_deleted(&self, later: Place, since: u32) -> bool {
        let entry = self.entry_at(later);
        self.deletes[entry.key as usize].any(since, entry.end)
    }
}
