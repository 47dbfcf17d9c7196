//! Versions that stand in one line: timestamps, version numbers, and the order of real time.
//!
//! Of each answer two numbers are found: how far along the line of its key it is (`has`), and how far another
//! must be to include it (`needs`). An answer lacks another if it has less than that needs.
//!
//! | order | has | needs |
//! |---|---|---|
//! | timestamp | the rank of the timestamp among those of the key; nothing for an item that never was | the same |
//! | integer | the version number; nothing for an absent item without one | the same |
//! | real time | of a read, the last end of the operations that may have written its value | of a write, its call; of a read, the first call of the operations that may have written its value |
//!
//! In real time: what had ended before a write began is older than it. A write of this order is never behind,
//! and a value that nobody wrote says nothing. An absent item may be older than all operations.

use std::collections::HashMap;

use serde_json::Value;

use super::{ANYTHING, Book, Entry, NOTHING, OPEN, Order};
use crate::convergence::groups::Groups;
use crate::history::hash::Fast;
use crate::history::{Operation, Outcome};

/// Finds the places in the line of all answers whose keys have one.
pub(super) fn up(book: &mut Book<'_>) {
    for (order, arrange) in [
        (Order::Timestamp, by_timestamp as fn(&mut Book<'_>)),
        (Order::Integer, by_number),
        (Order::RealTime, by_real_time),
    ] {
        if book.orders.contains(&order) {
            arrange(book);
        }
    }
}

/// Whether a read found nothing.
fn is_absent(operation: &Operation<'_>) -> bool {
    operation.f() == "read" && operation.result().is_some_and(Value::is_null)
}

fn by_timestamp(book: &mut Book<'_>) {
    let orders = &book.orders;
    let judged = |entry: &Entry<'_>| entry.is_ok() && orders[entry.key as usize] == Order::Timestamp;
    let answers = book.entries.iter().zip(0_u32..).filter(|(entry, _)| judged(entry));
    let stamps: Vec<_> =
        answers.filter_map(|(entry, place)| Some((entry.key, (entry.stamp?, place)))).collect();
    for of_key in Groups::new(book.keys.len(), &stamps).sorted().iter() {
        let (mut rank, mut last) = (NOTHING, None);
        for &(stamp, place) in of_key {
            rank += u64::from(last.replace(stamp) != Some(stamp));
            let entry = &mut book.entries[place as usize];
            (entry.has, entry.needs) = (rank, rank);
        }
    }
    for (entry, operation) in book.entries.iter_mut().zip(&book.operations) {
        let of_key = entry.is_ok() && book.orders[entry.key as usize] == Order::Timestamp;
        if of_key && entry.stamp.is_none() && is_absent(operation) {
            entry.has = NOTHING;
        }
    }
}

fn by_number(book: &mut Book<'_>) {
    for (entry, operation) in book.entries.iter_mut().zip(&book.operations) {
        if !entry.is_ok() || book.orders[entry.key as usize] != Order::Integer {
            continue;
        }
        if let Some(number) = entry.number {
            // Keeps the order of signed numbers.
            let along = (number.cast_unsigned() ^ (1 << 63)).clamp(1, ANYTHING - 1);
            (entry.has, entry.needs) = (along, along);
        } else if is_absent(operation) {
            entry.has = NOTHING;
        }
    }
}

/// Who may have written a value: the first call and the last end among them.
#[derive(Debug, Clone, Copy)]
struct Source {
    first_call: u32,
    last_end: u32,
}

/// What an operation of a register writes; none if it writes nothing, or cannot have.
fn written<'h>(entry: &Entry<'_>, operation: &Operation<'h>) -> Option<&'h Value> {
    if entry.outcome == Outcome::Fail {
        return None;
    }
    match operation.f() {
        "write" => Some(operation.argument()),
        "cas" => operation.argument().get(1),
        _ => None,
    }
}

/// A position as a place in the line, which begins with what was there before all positions.
fn after(position: u32) -> u64 {
    if position == OPEN { ANYTHING } else { u64::from(position) + 1 }
}

fn by_real_time(book: &mut Book<'_>) {
    let mut sources: HashMap<(u32, &Value), Source, Fast> = HashMap::default();
    let orders = &book.orders;
    let of_key = |entry: &Entry<'_>| orders[entry.key as usize] == Order::RealTime;
    for (entry, operation) in book.entries.iter_mut().zip(&book.operations).filter(|(entry, _)| of_key(entry))
    {
        let Some(value) = written(entry, operation).filter(|value| !value.is_null()) else { continue };
        let source =
            sources.entry((entry.key, value)).or_insert(Source { first_call: entry.call, last_end: 0 });
        source.last_end = source.last_end.max(entry.end);
    }
    for (entry, operation) in book.entries.iter_mut().zip(&book.operations).filter(|(entry, _)| of_key(entry))
    {
        if !entry.is_ok() {
            continue;
        }
        if entry.act.writes() {
            entry.needs = after(entry.call);
            continue;
        }
        let Some(value) = operation.result().filter(|_| operation.f() == "read") else { continue };
        if value.is_null() {
            let end = book.deletes[entry.key as usize].last_end(entry.end);
            entry.has = if end == 0 { NOTHING } else { after(end) };
        } else if let Some(source) = sources.get(&(entry.key, value)) {
            (entry.has, entry.needs) = (after(source.last_end), after(source.first_call));
        }
    }
}
