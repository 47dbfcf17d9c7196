//! Histories of many independent objects, as `jepsen.independent` writes them.
//!
//! Jepsen lifts a test of one register to many by making every value a pair of a key and the value proper:
//! a read is invoked with `[k nil]`, a compare-and-set with `[k [old new]]`. In the file such a pair is a
//! plain vector of two, so it has to be recognised. That is safe only where nothing else can be meant, and
//! then it must be all or nothing:
//!
//! - every client's invocation carries a pair whose first member is an integer or a text;
//! - none of them is a transaction, whose value is a list of steps;
//! - at least one invocation is impossible otherwise: one of `[k nil]` (a plain read asks nothing), or a
//!   `cas` of `[k [old new]]`;
//! - every `ok` answers with a pair of the same key as its invocation.
//!
//! Anything else is left as it is. A history of writes alone is never split, because `[1 2]` may be a value
//! like any other; but nothing in it can be refuted either.

use std::collections::HashMap;

use growler_checker::history::{Event, EventType, Key, Names, Process};
use serde_json::Value;

/// Moves keys out of values, if the history is one of independent objects.
pub(super) fn split(events: &mut [Event]) -> bool {
    if !recognised(events) {
        return false;
    }
    let mut open: HashMap<u64, Key> = HashMap::new();
    let mut names = Names::default();
    for event in events {
        let Process::Client(process) = event.process else { continue };
        let invoked = if event.kind == EventType::Invoke { None } else { open.remove(&process) };
        let own = pair_of(&event.value, &mut names).map(|(key, _)| key);
        // What is not `ok` may carry anything, or nothing.
        let key = match (invoked, own) {
            (Some(invoked), own) => {
                if own.as_ref() == Some(&invoked) {
                    take_second(&mut event.value);
                }
                invoked
            }
            (None, Some(own)) => {
                take_second(&mut event.value);
                own
            }
            (None, None) => continue,
        };
        if event.kind == EventType::Invoke {
            open.insert(process, key.clone());
        }
        event.key = Some(key);
    }
    true
}

fn recognised(events: &[Event]) -> bool {
    let mut open: HashMap<u64, Key> = HashMap::new();
    let mut names = Names::default();
    let mut certain = false;
    for event in events {
        let Process::Client(process) = event.process else { continue };
        if event.key.is_some() || &*event.f == "txn" {
            return false;
        }
        let pair = pair_of(&event.value, &mut names);
        match (event.kind, pair) {
            (EventType::Invoke, None) | (EventType::Ok, None) => return false,
            (EventType::Invoke, Some((key, value))) => {
                let compares = &*event.f == "cas";
                let is_pair = value.as_array().is_some_and(|pair| pair.len() == 2);
                if compares && !is_pair {
                    return false;
                }
                certain |= value.is_null() || compares;
                open.insert(process, key);
            }
            (EventType::Ok, Some((key, _))) => {
                if open.remove(&process).is_some_and(|invoked| invoked != key) {
                    return false;
                }
            }
            (EventType::Fail | EventType::Info, _) => {
                open.remove(&process);
            }
        }
    }
    certain
}

/// Reads `[key value]`.
fn pair_of<'v>(value: &'v Value, names: &mut Names) -> Option<(Key, &'v Value)> {
    let [key, value] = value.as_array()?.as_slice() else { return None };
    let key = match key {
        Value::String(text) => Key::Text(names.name(text)),
        Value::Number(number) => Key::from(number.as_i64()?),
        _ => return None,
    };
    Some((key, value))
}

fn take_second(value: &mut Value) {
    if let Some(second) = value.as_array_mut().and_then(Vec::pop) {
        *value = second;
    }
}
