//! Operations: an invocation and its completion, paired.
//!
//! Real time is the order of the events, so an operation's interval is a pair of *positions* in the slice
//! that it was paired from, not a pair of times. An operation that never completed is indeterminate, like
//! one that completed with `info`: it may take effect at any moment after its invocation, or never.
//! Pairing never guesses: a history in which a process has two operations open, or comes back after an
//! `info`, is refused.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::hash::Fast;
use super::{Consistency, Event, EventType, Key, Process};

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

    /// The argument: the invocation's value.
    #[must_use]
    pub fn argument(&self) -> &'h Value {
        &self.invocation.value
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

/// Why a sequence of events is not a history. Every message names the event by its `index`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PairError {
    /// A process invoked while its last operation was open.
    #[error(
        "event {index}: process {process} invokes again while the operation it invoked at event {open} is \
         still open; complete that one first, or use one process per concurrent operation"
    )]
    StillOpen {
        /// The second invocation.
        index: u64,
        /// Who.
        process: u64,
        /// The invocation that is still open.
        open: u64,
    },
    /// A completion without an invocation.
    #[error("event {index}: process {process} completes `{f}`, but has no operation open")]
    NotOpen {
        /// The completion.
        index: u64,
        /// Who.
        process: u64,
        /// The function that it names.
        f: String,
    },
    /// A process was used again after an `info`.
    #[error(
        "event {index}: process {process} comes back after its `info` at event {retired}; an operation that \
         ended so may still take effect, so go on under a new process number"
    )]
    Retired {
        /// The event that must not be there.
        index: u64,
        /// Who.
        process: u64,
        /// The `info` after which the number is spent.
        retired: u64,
    },
    /// A completion that is not that of the open operation.
    #[error(
        "event {index}: process {process} completes {completed}, but the operation it has open since event \
         {open} is {invoked}"
    )]
    Mismatch {
        /// The completion.
        index: u64,
        /// Who.
        process: u64,
        /// The invocation that is open.
        open: u64,
        /// What the completion names.
        completed: String,
        /// What was invoked.
        invoked: String,
    },
}

/// Where a process is.
enum Slot {
    /// It has an operation open: its place in the list of operations.
    Open(usize),
    /// Its last operation ended with `ok` or `fail`.
    Idle,
    /// Its last operation ended with `info`, at the event with this index.
    Retired(u64),
}

/// Pairs invocations with completions, in the order of the invocations. The nemesis' events are skipped.
///
/// # Errors
///
/// A [`PairError`] for the first event that cannot belong to a history.
pub fn pair(events: &[Event]) -> Result<Vec<Operation<'_>>, PairError> {
    // Nearly every history is numbered; whether this one is shows on the way.
    if let (Ok(operations), true) = pair_by(events, |_, event| event.index) {
        return Ok(operations);
    }
    if events.is_sorted_by(|one, next| one.index < next.index) {
        pair_by(events, |_, event| event.index).0
    } else {
        pair_by(events, |position, _| position as u64).0
    }
}

/// Pairs events whose indexes are what `index` says, and tells whether these increased all along.
fn pair_by(
    events: &[Event],
    index: impl Fn(usize, &Event) -> u64,
) -> (Result<Vec<Operation<'_>>, PairError>, bool) {
    let mut operations: Vec<Operation<'_>> = Vec::with_capacity(events.len() / 2 + 1);
    let mut processes: HashMap<u64, Slot, Fast> = HashMap::default();
    let (mut last, mut increasing) = (None, true);
    for (position, event) in events.iter().enumerate() {
        let index = index(position, event);
        increasing &= last < Some(index);
        last = Some(index);
        let Process::Client(process) = event.process else { continue };
        let slot = processes.entry(process).or_insert(Slot::Idle);
        if let Err(error) = step(&mut operations, slot, event, position, index, process) {
            return (Err(error), increasing);
        }
    }
    (Ok(operations), increasing)
}

/// Takes one event of a process that is in this slot.
fn step<'h>(
    operations: &mut Vec<Operation<'h>>,
    slot: &mut Slot,
    event: &'h Event,
    position: usize,
    index: u64,
    process: u64,
) -> Result<(), PairError> {
    match (&*slot, event.kind) {
        (&Slot::Retired(retired), _) => Err(PairError::Retired { index, process, retired }),
        (&Slot::Open(open), EventType::Invoke) => {
            Err(PairError::StillOpen { index, process, open: operations[open].index })
        }
        (Slot::Idle, EventType::Invoke) => {
            *slot = Slot::Open(operations.len());
            operations.push(Operation {
                index,
                call: position,
                ret: None,
                invocation: event,
                completion: None,
            });
            Ok(())
        }
        (Slot::Idle, _) => Err(PairError::NotOpen { index, process, f: event.f.to_string() }),
        (&Slot::Open(open), kind) => {
            let operation = &mut operations[open];
            same_call(operation, event, index, process)?;
            operation.ret = Some(position);
            operation.completion = Some(event);
            *slot = if kind == EventType::Info { Slot::Retired(index) } else { Slot::Idle };
            Ok(())
        }
    }
}

/// Refuses a completion of another function or key than what its process has open.
fn same_call(open: &Operation<'_>, event: &Event, index: u64, process: u64) -> Result<(), PairError> {
    let same_key = event.key.is_none() || event.key.as_ref() == open.key();
    if event.f == open.f() && same_key {
        return Ok(());
    }
    let describe = |f: &str, key: Option<&Key>| match key {
        Some(key) => format!("`{f}` of key {key}"),
        None => format!("`{f}`"),
    };
    Err(PairError::Mismatch {
        index,
        process,
        open: open.index,
        completed: describe(&event.f, event.key.as_ref()),
        invoked: describe(open.f(), open.key()),
    })
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
    use crate::history::HistoryBuilder;

    #[test]
    fn pairs_overlapping_operations_and_leaves_open_ones_indeterminate() {
        let events = HistoryBuilder::new().invoke(0, "write", 1).invoke(1, "read", ()).ok(0, 1).events();
        let operations = pair(&events).unwrap();
        assert_eq!(operations.len(), 2);
        assert_eq!((operations[0].call, operations[0].ret), (0, Some(2)));
        assert_eq!(operations[0].outcome(), Outcome::Ok);
        assert_eq!(operations[1].outcome(), Outcome::Info);
    }

    #[test]
    fn skips_the_nemesis_and_accepts_events_without_index_time_or_client() {
        let lines = [
            r#"{"process":"nemesis","type":"info","f":"partition","value":null}"#,
            r#"{"process":7,"type":"invoke","f":"read","value":null}"#,
            r#"{"process":7,"type":"ok","f":"read","value":3,"surprise":1}"#,
        ];
        let events: Vec<Event> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let operations = pair(&events).unwrap();
        assert_eq!(operations.len(), 1);
        assert_eq!(operations[0].index, 1, "positions stand in for missing indexes");
        assert_eq!(operations[0].session(), Some(7));
    }

    #[test]
    fn refuses_a_second_invocation_of_a_busy_process() {
        let events = HistoryBuilder::new().invoke(0, "read", ()).ok(0, 1).invoke(0, "read", ()).events();
        let mut again = events.clone();
        again.push(Event { index: 3, ..events[2].clone() });
        assert_eq!(pair(&again).unwrap_err(), PairError::StillOpen { index: 3, process: 0, open: 2 });
    }

    #[test]
    fn refuses_a_process_that_comes_back_after_info() {
        let mut events = HistoryBuilder::new().invoke(4, "write", 1).info(4).events();
        events.push(Event { index: 9, kind: EventType::Invoke, ..events[0].clone() });
        assert_eq!(pair(&events).unwrap_err(), PairError::Retired { index: 9, process: 4, retired: 1 });
    }

    #[test]
    fn refuses_a_completion_of_nothing_and_of_something_else() {
        let events = HistoryBuilder::new().invoke(0, "read", ()).ok(0, 1).events();
        assert!(matches!(pair(&events[1..]), Err(PairError::NotOpen { index: 1, process: 0, .. })));
        let mut other = events.clone();
        other[1].f = "write".into();
        let error = pair(&other).unwrap_err().to_string();
        assert!(
            error.contains("event 1") && error.contains("`write`") && error.contains("`read`"),
            "{error}"
        );
        let mut elsewhere = events;
        elsewhere[0].key = Some("a".into());
        elsewhere[1].key = Some("b".into());
        assert!(matches!(pair(&elsewhere), Err(PairError::Mismatch { .. })));
    }

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
    fn errors_name_positions_where_indexes_do_not_increase_to_the_end() {
        let mut events = HistoryBuilder::new().read(0, 1).invoke(0, "read", ()).events();
        events.push(Event { index: 7, ..events[2].clone() });
        assert!(matches!(pair(&events), Err(PairError::StillOpen { index: 7, open: 2, .. })));
        // The same fault, but now an index goes back after it.
        events.push(Event { index: 5, ..events[3].clone() });
        assert!(matches!(pair(&events), Err(PairError::StillOpen { index: 3, open: 2, .. })));
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
