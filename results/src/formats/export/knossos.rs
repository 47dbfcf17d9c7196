//! Says everything that a history shows in operations that Knossos' registers have.
//!
//! Knossos judges `write`, `read` and `cas` by themselves; what an operation *showed* beside its effect
//! (`observed`) it never looks at, and a read of `nil` it takes for one of which nothing is known. The same
//! facts can be put so that it does look:
//!
//! | recorded | written |
//! |---|---|
//! | `write` v, `ok`, replaced e | `cas` [e v], `ok`: it took effect, and e was in force just before |
//! | `cas` [a b], `fail`, met e | `read`, `ok`, e |
//! | nothing is there (null) | the text `absent`, which a first `write` for each key puts there |
//! | a read that promises only eventual consistency | left out |
//!
//! The written history is linearizable exactly if the recorded one is, but for three things that Knossos'
//! operations cannot say: that a failed condition met the very value that it asked for, that an `ok` `cas`
//! replaced another value than it asked for, and that a condition failed on nobody knows what. They stay as
//! they were, and Knossos does not see them. Events are numbered anew; each names its recorded `:index` as
//! `:recorded`.

use std::collections::BTreeSet;

use growler_checker::history::{Event, EventType, Key, Operation, Outcome, Process, pair};
use serde_json::{Value, json};

use super::ExportError;

/// A history for Knossos.
pub(super) struct Translated {
    pub(super) events: Vec<Event>,
    /// The index that each event had; none for the first writes.
    pub(super) recorded: Vec<Option<u64>>,
    /// Operations that Knossos cannot be asked about.
    pub(super) left_out: u64,
}

/// What an event becomes.
enum Change {
    Stays,
    Goes,
    Becomes { kind: EventType, f: &'static str, value: Value },
}

/// The same history for Knossos.
pub(super) fn translated(events: &[Event]) -> Result<Translated, ExportError> {
    let operations = pair(events)?;
    let absent = unused_word(events);
    let mut changes: Vec<Change> = events.iter().map(|_| Change::Stays).collect();
    let mut left_out = 0;
    for operation in &operations {
        if operation.is_eventual() || operation.f() == "replica-read" {
            left_out += 1;
            for at in [operation.call].into_iter().chain(operation.ret) {
                changes[at] = Change::Goes;
            }
            continue;
        }
        let (f, argument, result) = said(operation, &absent)?;
        let kind = if result.is_some() { EventType::Ok } else { kind_of(operation) };
        if let Some(ret) = operation.ret {
            let value = result.unwrap_or_else(|| argument.clone());
            changes[ret] = Change::Becomes { kind, f, value };
        }
        changes[operation.call] = Change::Becomes { kind: EventType::Invoke, f, value: argument };
    }
    let mut written = first_writes(events, &absent);
    let mut recorded = vec![None; written.len()];
    for (event, change) in events.iter().zip(changes) {
        let mut event = event.clone();
        match change {
            Change::Goes => continue,
            Change::Stays => {}
            Change::Becomes { kind, f, value } => {
                (event.kind, event.f, event.value) = (kind, f.into(), value);
            }
        }
        event.observed = None;
        recorded.push(Some(event.index));
        written.push(event);
    }
    for (index, event) in written.iter_mut().enumerate() {
        event.index = index as u64;
    }
    Ok(Translated { events: written, recorded, left_out })
}

/// An operation in Knossos' words: the function, the argument, and for a read its answer.
fn said(
    operation: &Operation<'_>,
    absent: &Value,
) -> Result<(&'static str, Value, Option<Value>), ExportError> {
    let present = |value: &Value| if value.is_null() { absent.clone() } else { value.clone() };
    let argument = operation.argument();
    let observed = operation.observed();
    Ok(match (operation.f(), operation.outcome(), observed) {
        ("read", Outcome::Ok, _) => {
            ("read", Value::Null, Some(operation.result().map_or(Value::Null, present)))
        }
        ("read", ..) => ("read", Value::Null, None),
        ("write", Outcome::Ok, Some(replaced)) => {
            ("cas", json!([present(replaced), present(argument)]), None)
        }
        ("write", ..) => ("write", present(argument), None),
        ("cas", Outcome::Fail, Some(met)) => ("read", Value::Null, Some(present(met))),
        ("cas", ..) => {
            let sides = argument.as_array().into_iter().flatten().map(present);
            ("cas", sides.collect(), None)
        }
        (other, ..) => return Err(ExportError::NotForKnossos(other.to_owned())),
    })
}

fn kind_of(operation: &Operation<'_>) -> EventType {
    operation.completion.map_or(EventType::Info, |completion| completion.kind)
}

/// Every object begins with nothing there.
fn first_writes(events: &[Event], absent: &Value) -> Vec<Event> {
    let clients = || events.iter().filter(|event| event.process != Process::Nemesis);
    let keys: BTreeSet<Option<&Key>> =
        clients().filter(|event| event.kind == EventType::Invoke).map(|event| event.key.as_ref()).collect();
    let last =
        clients().filter_map(|event| if let Process::Client(n) = event.process { Some(n) } else { None });
    let process = Process::Client(last.max().map_or(0, |n| n.saturating_add(1)));
    let mut writes = Vec::new();
    for key in keys {
        for kind in [EventType::Invoke, EventType::Ok] {
            let mut event = Event::new(process, kind, "write", absent.clone());
            event.key = key.cloned();
            writes.push(event);
        }
    }
    writes
}

/// A text that is no value of this history.
fn unused_word(events: &[Event]) -> Value {
    let mut word = "absent".to_owned();
    let is_used = |word: &str| {
        let says = |value: &Value| match value {
            Value::String(text) => text == word,
            Value::Array(items) => items.iter().any(|item| item.as_str() == Some(word)),
            _ => false,
        };
        events.iter().any(|event| says(&event.value) || event.observed.as_ref().is_some_and(says))
    };
    while is_used(&word) {
        word.push('-');
    }
    Value::String(word)
}
