//! Operations: an invocation and its completion.
//!
//! Real time is the order of the events, so an operation's interval is a pair of *positions* in the slice
//! that it was paired from, not a pair of times. An operation that never completed is indeterminate, like
//! one that completed with `info`: it may take effect at any moment after its invocation, or never.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::hash::Fast;
use super::said::is_argument;
use super::{Consistency, Event, EventType, Key};

/// What is known of an operation once the history has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It happened between its invocation and its completion.
    Ok,
    /// It certainly did not happen.
    Fail,
    /// It may have happened, at any moment after its invocation, or not: `info`, or still open at the end.
    Info,
}

/// An invocation and, where there is one, its completion.
#[derive(Debug, Clone, Copy)]
pub struct Operation<'h> {
    /// The `index` of the invocation, as certificates name it. Where the events carry no usable indexes
    /// (they do not increase), the position of the invocation.
    pub index: u64,
    /// The position of the invocation in the history.
    pub call: usize,
    /// The position of the completion, if there is one.
    pub ret: Option<usize>,
    /// The event that began it.
    pub invocation: &'h Event,
    /// The event that ended it; none while it is open.
    pub completion: Option<&'h Event>,
}

impl<'h> Operation<'h> {
    /// What is known of it.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self.completion.map(|event| event.kind) {
            Some(EventType::Ok) => Outcome::Ok,
            Some(EventType::Fail) => Outcome::Fail,
            Some(EventType::Info | EventType::Invoke) | None => Outcome::Info,
        }
    }

    /// The function.
    #[must_use]
    pub fn f(&self) -> &'h str {
        &self.invocation.f
    }

    /// The key, as the invocation names it.
    #[must_use]
    pub fn key(&self) -> Option<&'h Key> {
        self.invocation.key.as_ref()
    }

    /// The argument: the invocation's value, and where it had none, that of the `ok`.
    #[must_use]
    pub fn argument(&self) -> &'h Value {
        match self.completion {
            Some(event) if self.invocation.value.is_null() && says_argument(event) => &event.value,
            _ => &self.invocation.value,
        }
    }

    /// Whether the argument stands in the completion only.
    pub(super) fn argument_came_late(&self) -> bool {
        self.invocation.value.is_null() && !self.argument().is_null()
    }

    /// The result: the completion's value, if it completed.
    #[must_use]
    pub fn result(&self) -> Option<&'h Value> {
        self.completion.map(|event| &event.value)
    }

    /// The value in force just before, where the server said.
    #[must_use]
    pub fn observed(&self) -> Option<&'h Value> {
        self.completion.and_then(|event| event.observed.as_ref())
    }

    /// Why it is not `ok`, where the completion says.
    #[must_use]
    pub fn error(&self) -> Option<&'h Value> {
        self.completion.and_then(|event| event.error.as_deref())
    }

    /// How it was asked, from whichever of its two events says.
    #[must_use]
    pub fn via(&self) -> Option<&'h str> {
        let completed = self.completion.and_then(|event| event.via.as_deref());
        completed.or(self.invocation.via.as_deref())
    }

    /// The node that was asked, from whichever of its two events says.
    #[must_use]
    pub fn node(&self) -> Option<&'h str> {
        let completed = self.completion.and_then(|event| event.node.as_deref());
        self.invocation.node.as_deref().or(completed)
    }

    /// Whether this is a read that promises no more than eventual consistency.
    #[must_use]
    pub fn is_eventual(&self) -> bool {
        let eventual = |event: &Event| event.consistency == Some(Consistency::Eventual);
        eventual(self.invocation) || self.completion.is_some_and(eventual)
    }

    /// The session: the client, or the process where no client is named.
    #[must_use]
    pub fn session(&self) -> Option<u64> {
        self.invocation.session()
    }
}

/// Whether an event's value is an argument that can stand for the invocation's.
fn says_argument(event: &Event) -> bool {
    event.kind == EventType::Ok && is_argument(&event.f)
}

/// Splits operations into the objects that they concern, each in order of invocation. Operations without a
/// key are one object, whose key is `None`.
#[must_use]
pub fn by_key<'h>(operations: &[Operation<'h>]) -> BTreeMap<Option<&'h Key>, Vec<Operation<'h>>> {
    let mut objects = Objects::default();
    let places: Vec<u32> = operations.iter().map(|operation| objects.place(operation.key())).collect();
    let mut split: Vec<_> =
        objects.found.into_iter().map(|(key, size)| (key, Vec::with_capacity(size))).collect();
    for (&place, operation) in places.iter().zip(operations) {
        split[place as usize].1.push(*operation);
    }
    split.into_iter().collect()
}

/// How to find a key again without looking at its text.
#[derive(PartialEq, Eq, Hash)]
enum Handle {
    Nothing,
    Int(i64),
    TextAt(usize),
}

/// The objects that were found, in the order of their first operations.
#[derive(Default)]
pub(crate) struct Objects<'h> {
    /// Each with the number of its operations.
    found: Vec<(Option<&'h Key>, usize)>,
    by_handle: HashMap<Handle, u32, Fast>,
    /// Needed once for each place where a text is kept: one and the same text may be kept in several.
    by_key: HashMap<Option<&'h Key>, u32, Fast>,
}

impl<'h> Objects<'h> {
    /// The keys of all objects.
    pub(crate) fn into_keys(self) -> Vec<Option<&'h Key>> {
        self.found.into_iter().map(|(key, _)| key).collect()
    }

    /// The place of the object with this key, which has one operation more.
    pub(crate) fn place(&mut self, key: Option<&'h Key>) -> u32 {
        let handle = match key {
            None => Handle::Nothing,
            Some(Key::Int(n)) => Handle::Int(*n),
            Some(Key::Text(name)) => Handle::TextAt(name.address()),
        };
        let place = *self.by_handle.entry(handle).or_insert_with(|| {
            *self.by_key.entry(key).or_insert_with(|| {
                self.found.push((key, 0));
                u32::try_from(self.found.len() - 1).unwrap_or(u32::MAX)
            })
        });
        self.found[place as usize].1 += 1;
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{HistoryBuilder, pair};

    #[test]
    fn keys_are_told_apart_by_what_they_are_and_not_by_where_they_are_kept() {
        let mut history = HistoryBuilder::new();
        let keys = || [Key::from("1"), 1.into(), (-1).into(), "10".into(), "2".into()];
        for _ in 0..3 {
            // New keys each time: equal texts at different places.
            for key in keys() {
                history = history.on(key).read(0, 5);
            }
        }
        let events = history.events();
        let operations = pair(&events).unwrap();
        let objects = by_key(&operations);
        let order: Vec<_> = objects.keys().copied().flatten().cloned().collect();
        assert_eq!(order, [Key::from(-1), 1.into(), "1".into(), "10".into(), "2".into()]);
        for (key, operations) in objects {
            assert_eq!(operations.len(), 3, "{key:?}");
            assert!(operations.is_sorted_by_key(|operation| operation.call));
            assert!(operations.iter().all(|operation| operation.key() == key));
        }
    }

    #[test]
    fn splits_by_key_and_keeps_keyless_events_together() {
        let events = HistoryBuilder::new()
            .on("a")
            .write(0, 1)
            .on(1)
            .write(0, 2)
            .on("a")
            .read(1, 1)
            .without_key()
            .read(2, 5)
            .read(2, 6)
            .events();
        let operations = pair(&events).unwrap();
        let objects = by_key(&operations);
        assert_eq!(objects.len(), 3);
        assert_eq!(objects[&None].len(), 2);
        assert_eq!(objects[&Some(&Key::from("a"))].len(), 2);
    }
}
