//! What operations are called in sentences, in stats and in rates.

use serde_json::{Map, Value, json};

use super::findings::shown;
use super::order::{Act, Book, Entry, Order, Place};
use crate::history::Operation;
use crate::linearizability::explain;

/// Operations that were judged, and those of them that did not keep the promise.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rate {
    pub(super) judged: u64,
    pub(super) violated: u64,
}

impl Rate {
    pub(super) fn count(&mut self, violated: bool) {
        self.judged += 1;
        self.violated += u64::from(violated);
    }

    pub(super) fn json(self) -> Value {
        json!({
            "judged": self.judged,
            "violated": self.violated,
            "share": self.violated as f64 / self.judged.max(1) as f64,
        })
    }
}

/// A moment of the run, for people.
pub(super) fn moment(ns: u64) -> String {
    format!("{}.{:03} s", ns / 1_000_000_000, ns / 1_000_000 % 1_000)
}

/// A stretch of time, for people.
pub(super) fn lapse(ns: u64) -> String {
    let milliseconds = ns / 1_000_000;
    if milliseconds < 10_000 { format!("{milliseconds}.{:03} ms", ns / 1_000 % 1_000) } else { moment(ns) }
}

/// The version that an answer carries, if it carries one.
fn version(book: &Book<'_>, place: Place) -> Option<String> {
    let entry = book.entry_at(place);
    match book.order(place) {
        Order::Clock => {
            let dots: Vec<_> = book.dots(place)?.iter().map(|&dot| book.show(dot)).collect();
            Some(if dots.is_empty() {
                "no version".to_owned()
            } else {
                format!("version {}", dots.join("|"))
            })
        }
        Order::Timestamp => Some(
            entry
                .stamp
                .map_or("no timestamp".to_owned(), |stamp| format!("version {},{}", stamp.ns, stamp.node)),
        ),
        Order::Integer => {
            Some(entry.number.map_or("no version".to_owned(), |number| format!("version {number}")))
        }
        Order::RealTime | Order::Nothing => None,
    }
}

/// The key of an operation, in words.
pub(super) fn key(book: &Book<'_>, place: Place) -> String {
    let key = book.keys[book.entry_at(place).key as usize];
    key.map_or_else(|| "the object".to_owned(), |key| format!("key {key}"))
}

/// What was done, without who: `wrote 5 to key k7 (version n1/3:5, answered at 1.204 s)`.
pub(super) fn deed(book: &Book<'_>, place: Place) -> String {
    let (operation, entry) = (book.operation(place), book.entry_at(place));
    let key = key(book, place);
    let deed = match (entry.act, operation.f()) {
        (Act::Read, _) => match operation.result() {
            None | Some(Value::Null) => format!("found nothing in {key}"),
            value => format!("read {} from {key}", shown(value)),
        },
        (Act::Delete, _) => format!("deleted {key}"),
        (_, "cas") => {
            let argument = operation.argument();
            let part = |at: usize| shown(argument.get(at));
            format!("replaced {} by {} in {key}", part(0), part(1))
        }
        (_, "write") => format!("wrote {} to {key}", shown(Some(operation.argument()))),
        (_, f) if operation.argument().is_null() => format!("did `{f}` on {key}"),
        (_, f) => format!("did `{f}` {} on {key}", shown(Some(operation.argument()))),
    };
    let when = match operation.completion.filter(|_| entry.is_ok()) {
        Some(_) if !is_timed(book) => format!("event {}", operation.index),
        None if !is_timed(book) => format!("event {}, never answered", operation.index),
        Some(answer) => format!("answered at {}", moment(answer.time)),
        None => format!("begun at {} and never answered", moment(operation.invocation.time)),
    };
    match version(book, place) {
        Some(version) if entry.is_ok() => format!("{deed} ({version}, {when})"),
        _ => format!("{deed} ({when})"),
    }
}

/// A write as a noun: `the write of 5`, `the delete`.
pub(super) fn noun(operation: &Operation<'_>) -> String {
    match (operation.f(), operation.argument()) {
        ("write", Value::Null) => "the delete".to_owned(),
        ("cas", Value::Array(pair)) if pair.len() == 2 => match (&pair[0], &pair[1]) {
            (old, Value::Null) => format!("the delete of {old}"),
            (Value::Null, new) => format!("the write of {new} over nothing"),
            (old, new) => format!("the write of {new} over {old}"),
        },
        (f, argument) => format!("the {f} of {argument}"),
    }
}

/// Who did it.
pub(super) fn who(book: &Book<'_>, place: Place) -> String {
    explain::who(book.operation(place))
}

/// When it was called and answered.
pub(super) fn when(book: &Book<'_>, place: Place) -> String {
    explain::when(book.operation(place), is_timed(book))
}

/// Whether the history has times.
fn is_timed(book: &Book<'_>) -> bool {
    book.operations.iter().any(|operation| operation.invocation.time > 0)
}

/// How many keys compare by which order, and what else all checks count.
pub(super) fn counts(book: &Book<'_>) -> Vec<(String, Value)> {
    let mut orders = Map::new();
    for order in [Order::Clock, Order::Timestamp, Order::Integer, Order::RealTime, Order::Nothing] {
        let keys = book.orders.iter().filter(|&&of_key| of_key == order).count();
        if keys > 0 {
            orders.insert(order.name().to_owned(), json!(keys));
        }
    }
    let count =
        |counted: fn(&Entry<'_>) -> bool| json!(book.entries.iter().filter(|&entry| counted(entry)).count());
    let reads = count(|entry| entry.act == Act::Read && entry.is_ok());
    let writes = count(|entry| entry.act.writes() && entry.is_ok());
    let named = |name: &str, value| (name.to_owned(), value);
    vec![
        named("keys", json!(book.keys.len())),
        named("orders", Value::Object(orders)),
        named("reads", reads),
        named("sessions", json!(book.sessions.len())),
        named("writes", writes),
    ]
}

/// Why a check cannot speak of some keys, if there are such.
pub(super) fn incomparable(book: &Book<'_>) -> Option<String> {
    let read = |entry: &&Entry<'_>| entry.act == Act::Read && entry.is_ok();
    let of =
        book.entries.iter().filter(read).find(|entry| book.orders[entry.key as usize] == Order::Nothing)?;
    let keys = book.orders.iter().filter(|&&order| order == Order::Nothing).count();
    let name = book.keys[of.key as usize].map_or_else(|| "the object".to_owned(), |key| format!("key {key}"));
    Some(format!(
        "{keys} of {} keys ({name}, for one) cannot be judged: their answers carry no versions, and the store is \
         not known to order its writes",
        book.keys.len()
    ))
}
