//! Pairing: from the events of a history to its operations.
//!
//! Pairing never guesses. A history in which a process has two operations open, comes back after an `info`, or
//! completes something else than it invoked, is refused.

use std::collections::HashMap;

use super::hash::Fast;
use super::said::contradicts;
use super::{Event, EventType, Key, Operation, Outcome, Process};

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
    /// An `ok` that says another value than its invocation.
    #[error(
        "event {index}: the `{f}` that process {process} invoked at event {open} with {invoked} is ok with \
         {completed}: one of the two was never sent, and nobody can tell which; give both the same value, or \
         only one of them any"
    )]
    Contradiction {
        /// The completion.
        index: u64,
        /// Who.
        process: u64,
        /// The invocation.
        open: u64,
        /// The function.
        f: String,
        /// What it was invoked with.
        invoked: String,
        /// What the completion says.
        completed: String,
    },
    /// An operation of unknown outcome whose argument nobody knows, in a history whose completions say them.
    #[error(
        "event {index}: nobody knows with what value process {process} invoked `{f}`: here the values of \
         `{f}` stand in its completions (event {said} has one), and this one has no ok; put values into \
         invocations"
    )]
    Unsaid {
        /// The invocation.
        index: u64,
        /// Who.
        process: u64,
        /// The function.
        f: String,
        /// An `ok` that says what its invocation did not.
        said: u64,
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
    let mut said = None;
    for (position, event) in events.iter().enumerate() {
        let index = index(position, event);
        increasing &= last < Some(index);
        last = Some(index);
        let Process::Client(process) = event.process else { continue };
        let slot = processes.entry(process).or_insert(Slot::Idle);
        match step(&mut operations, slot, event, position, index, process) {
            Ok(late) => said = said.or_else(|| late.then(|| (index, event.f.clone()))),
            Err(error) => return (Err(error), increasing),
        }
    }
    if let Some((said, f)) = said {
        let unsaid = |op: &&Operation<'_>| {
            op.outcome() == Outcome::Info && op.invocation.f == f && op.argument().is_null()
        };
        if let Some(op) = operations.iter().find(unsaid) {
            let Process::Client(process) = op.invocation.process else { return (Ok(operations), increasing) };
            return (Err(PairError::Unsaid { index: op.index, process, f: f.to_string(), said }), increasing);
        }
    }
    (Ok(operations), increasing)
}

/// Takes one event of a process that is in this slot, and tells whether it says an argument that its
/// invocation did not.
fn step<'h>(
    operations: &mut Vec<Operation<'h>>,
    slot: &mut Slot,
    event: &'h Event,
    position: usize,
    index: u64,
    process: u64,
) -> Result<bool, PairError> {
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
            Ok(false)
        }
        (Slot::Idle, _) => Err(PairError::NotOpen { index, process, f: event.f.to_string() }),
        (&Slot::Open(open), kind) => {
            let operation = &mut operations[open];
            same_call(operation, event, index, process)?;
            same_value(operation, event, index, process)?;
            operation.ret = Some(position);
            operation.completion = Some(event);
            *slot = if kind == EventType::Info { Slot::Retired(index) } else { Slot::Idle };
            Ok(operation.argument_came_late())
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

/// Refuses an `ok` that contradicts what was invoked.
fn same_value(open: &Operation<'_>, event: &Event, index: u64, process: u64) -> Result<(), PairError> {
    let invoked = &open.invocation.value;
    if event.kind != EventType::Ok || !contradicts(&event.f, invoked, &event.value) {
        return Ok(());
    }
    Err(PairError::Contradiction {
        index,
        process,
        open: open.index,
        f: event.f.to_string(),
        invoked: invoked.to_string(),
        completed: event.value.to_string(),
    })
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
    fn errors_name_positions_where_indexes_do_not_increase_to_the_end() {
        let mut events = HistoryBuilder::new().read(0, 1).invoke(0, "read", ()).events();
        events.push(Event { index: 7, ..events[2].clone() });
        assert!(matches!(pair(&events), Err(PairError::StillOpen { index: 7, open: 2, .. })));
        // The same fault, but now an index goes back after it.
        events.push(Event { index: 5, ..events[3].clone() });
        assert!(matches!(pair(&events), Err(PairError::StillOpen { index: 3, open: 2, .. })));
    }

    #[test]
    fn refuses_an_ok_that_says_another_value_and_lets_info_and_fail_say_anything() {
        let write = |kind: EventType, value: &str| {
            let events = HistoryBuilder::new().invoke(0, "write", 1).ok(0, 1).events();
            let completed = Event { kind, value: value.into(), ..events[1].clone() };
            pair(&[events[0].clone(), completed]).map(|operations| operations.len())
        };
        assert!(matches!(write(EventType::Ok, "2"), Err(PairError::Contradiction { index: 1, open: 0, .. })));
        assert_eq!(write(EventType::Info, "timed-out"), Ok(1));
        assert_eq!(write(EventType::Fail, "2"), Ok(1));
    }

    #[test]
    fn where_the_invocation_has_no_value_that_of_the_ok_counts() {
        let late = HistoryBuilder::new().invoke(0, "write", ()).ok(0, 5).read(0, 5);
        let events = late.clone().events();
        let operations = pair(&events).unwrap();
        assert_eq!((operations[0].argument(), operations[1].argument()), (&5.into(), &().into()));
        // A delete is acknowledged without a value: that says nothing else.
        let events = HistoryBuilder::new().write(0, ()).events();
        assert!(pair(&events).unwrap()[0].argument().is_null());
        // What a write without an ok wrote in such a history nobody knows: a delete it need not be.
        let events = late.invoke(1, "write", ()).events();
        assert!(matches!(pair(&events), Err(PairError::Unsaid { index: 4, process: 1, said: 1, .. })));
    }
}
