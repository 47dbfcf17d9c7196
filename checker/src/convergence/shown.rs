//! Whose write does an answer show, and which writes has it taken in?
//!
//! A read shows the write whose dot it carries, if it carries one; else the only write of its value. What a
//! clock covers, the answer has taken in as well, shown or not; where versions are numbered, and the item was
//! never deleted, so is every write with a lesser number.
//!
//! A write that was never answered told nobody its dot. If a read that carries a single dot shows its value,
//! then that is its dot.

use std::collections::HashMap;

use serde_json::Value;

use super::groups::Groups;
use super::order::{Act, Book, Dot, Order, Place};
use crate::history::Outcome;
use crate::history::hash::Fast;

/// A write that stands in a line of versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Made {
    /// Its counter among those of its actor, or its version number.
    pub(super) stand: u64,
    pub(super) place: Place,
    pub(super) session: u32,
    pub(super) call: u32,
    /// How many operations of its session had been answered before it began.
    pub(super) before: u32,
}

impl Made {
    pub(super) fn new(book: &Book<'_>, stand: u64, place: Place) -> Self {
        let entry = book.entry_at(place);
        Self { stand, place, session: entry.session, call: entry.call, before: entry.before }
    }
}

/// The writes of a history, to be found by what reads show.
#[derive(Debug)]
pub(super) struct Shown<'h> {
    /// Of each value of a key that an answered read returned without naming a known dot: who wrote it.
    by_value: HashMap<(u32, &'h Value), Writers, Fast>,
    /// The dots of writes that were never answered.
    unanswered: HashMap<Dot, Place, Fast>,
    /// Of each actor, the known writes in the order of their counters.
    by_actor: Groups<Made>,
    /// Of each key whose versions are numbered and that was never deleted, the writes in that order.
    by_number: Groups<Made>,
}

/// Who wrote a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writers {
    Nobody,
    One(Place),
    Several,
}

/// The value that an operation writes; none if it writes nothing or null.
pub(super) fn written<'h>(book: &Book<'h>, place: Place) -> Option<&'h Value> {
    let operation = book.operation(place);
    match operation.f() {
        "write" => Some(operation.argument()).filter(|value| !value.is_null()),
        "cas" => operation.argument().get(1).filter(|value| !value.is_null()),
        _ => None,
    }
}

/// The values whose writers will be asked for.
fn sought<'h>(book: &Book<'h>) -> HashMap<(u32, &'h Value), Writers, Fast> {
    let mut sought = HashMap::default();
    for (place, entry) in (0..).zip(&book.entries) {
        let named = || matches!(book.dots(place), Some(&[dot]) if book.writer(dot).is_some());
        if entry.is_ok() && entry.act == Act::Read && !named() {
            let value = book.operation(place).result();
            sought.extend(value.map(|value| ((entry.key, value), Writers::Nobody)));
        }
    }
    sought
}

impl<'h> Shown<'h> {
    /// Looks through a history. Linear, but for sorting.
    pub(super) fn new(book: &Book<'h>) -> Self {
        let writes = book.entries.iter().filter(|entry| entry.act.writes()).count();
        let mut shown = Self {
            by_value: sought(book),
            unanswered: HashMap::default(),
            by_actor: Groups::default(),
            by_number: Groups::default(),
        };
        let mut by_actor = Vec::with_capacity(writes);
        let mut by_number = Vec::new();
        let mut deleted = vec![false; book.keys.len()];
        for (place, entry) in book.entries.iter().enumerate() {
            let place = place as Place;
            if entry.outcome == Outcome::Fail || !entry.act.writes() {
                continue;
            }
            deleted[entry.key as usize] |= entry.act == Act::Delete;
            let asked = written(book, place).and_then(|value| shown.by_value.get_mut(&(entry.key, value)));
            if let Some(writers) = asked {
                *writers = if *writers == Writers::Nobody { Writers::One(place) } else { Writers::Several };
            }
            // Of several that claim a dot it is the first one's.
            if let Some(dot) = book.own_dot(place).filter(|&dot| book.writer(dot) == Some(place)) {
                by_actor.push((dot.actor, Made::new(book, dot.counter, place)));
            }
            if entry.number.is_some() && book.order(place) == Order::Integer {
                by_number.push((entry.key, Made::new(book, book.needs(place), place)));
            }
        }
        shown.find_unanswered(book, &mut by_actor);
        by_number.retain(|&(key, _)| !deleted[key as usize]);
        shown.by_actor = Groups::new(book.actors(), &by_actor).sorted();
        shown.by_number = Groups::new(book.keys.len(), &by_number).sorted();
        shown
    }

    fn find_unanswered(&mut self, book: &Book<'h>, by_actor: &mut Vec<(u32, Made)>) {
        for (place, entry) in book.entries.iter().enumerate() {
            let place = place as Place;
            let Some(&[dot]) = book.dots(place) else { continue };
            if entry.act != Act::Read || book.writer(dot).is_some() || self.unanswered.contains_key(&dot) {
                continue;
            }
            let Some(write) = self.by_its_value(book, place) else { continue };
            if book.entry_at(write).outcome == Outcome::Info {
                self.unanswered.insert(dot, write);
                by_actor.push((dot.actor, Made::new(book, dot.counter, write)));
            }
        }
    }

    /// The only write of the value that a read returned.
    fn by_its_value(&self, book: &Book<'h>, read: Place) -> Option<Place> {
        let value = book.operation(read).result()?;
        match self.by_value.get(&(book.entry_at(read).key, value)) {
            Some(&Writers::One(write)) => Some(write),
            Some(Writers::Nobody | Writers::Several) | None => None,
        }
    }

    /// Whether somebody wrote the value that a read returned, which shows no write by its dot ([`Shown::write_of`]).
    pub(super) fn is_written(&self, book: &Book<'h>, read: Place) -> bool {
        let value = book.operation(read).result().map(|value| (book.entry_at(read).key, value));
        value.and_then(|value| self.by_value.get(&value)).is_some_and(|&writers| writers != Writers::Nobody)
    }

    /// The write that made a dot.
    pub(super) fn writer(&self, book: &Book<'h>, dot: Dot) -> Option<Place> {
        book.writer(dot).or_else(|| self.unanswered.get(&dot).copied())
    }

    /// The write whose version a read shows.
    pub(super) fn write_of(&self, book: &Book<'h>, read: Place) -> Option<Place> {
        let by_dot = match book.dots(read) {
            Some(&[dot]) => self.writer(book, dot),
            _ => None,
        };
        by_dot.or_else(|| self.by_its_value(book, read))
    }

    /// The known writes of an actor, in the order of their counters.
    pub(super) fn of_actor(&self, actor: u32) -> &[Made] {
        self.by_actor.of(actor)
    }

    /// The writes of a key in the order of their numbers, if its versions are numbered and it was never deleted.
    pub(super) fn numbered(&self, key: u32) -> &[Made] {
        self.by_number.of(key)
    }
}
