//! How much of a history raced: the writes of a key that really overlapped another write of it.
//!
//! A store that loses one of two updates loses it when they meet. A run in which no two met passes such a store, so
//! a run has to show that enough of them did (`--min-exposure`). It is told per sort of write, from the recorded
//! order alone: two operations overlap when each was invoked before the other had ended. One of unknown outcome has
//! ended when its client gave it up, though it may have its effect later.
//!
//! **Cost.** O(n log n): an overlap is seen by counting, for each operation, the writes of its key that had begun
//! before it ended and those that were over before it began.

use std::collections::BTreeMap;

use growler_checker::history::{Event, EventType, Key, Overlaps, Process};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `exposure` in `results.json`: what raced, by sort of write.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Exposure {
    /// Writes with a condition.
    pub conditional: Raced,
    /// Writes without one.
    pub blind: Raced,
    /// Deletes without one.
    pub deletes: Raced,
    /// Operations that were open at a time, on average from the first invocation to the last.
    pub open: f64,
}

/// Of one sort of write.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Raced {
    /// How many there were.
    pub operations: u64,
    /// How many overlapped another write of their key.
    pub overlapped: u64,
    /// How many of these were acknowledged.
    pub acknowledged: u64,
}

/// Fewer operations open at a time than this, and a load that comes at a given rate forbids races.
pub const OPEN_MIN: f64 = 2.0;

/// A write: from its invocation to its end, as positions in the history.
struct Write {
    call: usize,
    ret: usize,
    sort: Sort,
    ok: bool,
}

#[derive(Clone, Copy)]
enum Sort {
    Conditional,
    Blind,
    Delete,
}

impl Exposure {
    /// That of a history; what is no history has none.
    #[must_use]
    pub fn of(events: &[Event]) -> Self {
        let Ok(operations) = growler_checker::history::pair(events) else { return Self::default() };
        let mut keys: BTreeMap<Option<&Key>, Vec<Write>> = BTreeMap::new();
        let mut open_ns = 0_u64;
        for operation in &operations {
            let ret = operation.ret.unwrap_or(events.len());
            let ended = events.get(ret).map_or(events[operation.call].time, |event| event.time);
            open_ns += ended.saturating_sub(events[operation.call].time);
            if let Some(sort) = sort_of(operation.f(), operation.argument()) {
                let ok = operation.ret.is_some_and(|ret| events[ret].kind == EventType::Ok);
                keys.entry(operation.key()).or_default().push(Write { call: operation.call, ret, sort, ok });
            }
        }
        let mut exposure = Self { open: average(events, open_ns), ..Self::default() };
        keys.values().for_each(|writes| exposure.count(writes));
        exposure
    }

    /// Counts the writes of one key.
    fn count(&mut self, writes: &[Write]) {
        let all = Overlaps::new(writes.iter().map(|write| (write.call, write.ret)));
        for write in writes {
            let raced = match write.sort {
                Sort::Conditional => &mut self.conditional,
                Sort::Blind => &mut self.blind,
                Sort::Delete => &mut self.deletes,
            };
            // Itself is one of them.
            let overlaps = all.meeting(write.call, write.ret) > 1;
            raced.operations += 1;
            raced.overlapped += u64::from(overlaps);
            raced.acknowledged += u64::from(overlaps && write.ok);
        }
    }

    /// Acknowledged operations that overlapped a rival on their key.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        [self.conditional, self.blind, self.deletes].iter().map(|raced| raced.acknowledged).sum()
    }

    /// In a line, for people.
    #[must_use]
    pub fn words(&self) -> String {
        let sorts =
            [("conditional writes", self.conditional), ("writes", self.blind), ("deletes", self.deletes)];
        let told = sorts.iter().filter(|(_, raced)| raced.operations > 0).map(|(name, raced)| {
            format!("{} of {} {name} ({} ok)", raced.overlapped, raced.operations, raced.acknowledged)
        });
        let told: Vec<_> = told.collect();
        if told.is_empty() { "no writes".to_owned() } else { told.join(", ") }
    }
}

/// What sort of write it is, if any.
fn sort_of(f: &str, argument: &Value) -> Option<Sort> {
    match f {
        "read" | "replica-read" | "get" | "txn" => None,
        "cas" => Some(Sort::Conditional),
        // A transfer is made on the condition that there is enough.
        "transfer" => Some(Sort::Conditional),
        "remove" => Some(Sort::Delete),
        "write" if argument.is_null() => Some(Sort::Delete),
        _ => Some(Sort::Blind),
    }
}

fn average(events: &[Event], open_ns: u64) -> f64 {
    let mut invoked = events.iter().filter(|e| e.kind == EventType::Invoke && e.process != Process::Nemesis);
    let (Some(first), Some(last)) = (invoked.next(), invoked.next_back()) else { return 0.0 };
    open_ns as f64 / last.time.saturating_sub(first.time).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use serde_json::json;

    fn event(process: u64, kind: EventType, f: &str, key: &str, value: Value) -> Event {
        Event { key: Some(key.into()), ..Event::new(Process::Client(process), kind, f, value) }
    }

    #[test]
    fn writes_of_a_key_that_were_open_together_raced() {
        use EventType::{Fail, Info, Invoke, Ok};
        let events = [
            event(0, Invoke, "write", "a", json!(1)),
            event(1, Invoke, "cas", "a", json!([1, 2])),
            event(2, Invoke, "write", "b", json!(3)),
            event(3, Invoke, "read", "b", Value::Null),
            event(0, Ok, "write", "a", json!(1)),
            event(1, Fail, "cas", "a", json!([1, 2])),
            event(2, Ok, "write", "b", json!(3)),
            event(3, Ok, "read", "b", json!(3)),
            event(4, Invoke, "write", "a", Value::Null),
            event(4, Ok, "write", "a", Value::Null),
            event(5, Invoke, "write", "a", Value::Null),
            event(6, Invoke, "write", "a", json!(9)),
            event(5, Info, "write", "a", Value::Null),
        ];
        let exposure = Exposure::of(&events);
        let raced = |operations, overlapped, acknowledged| Raced { operations, overlapped, acknowledged };
        assert_eq!(exposure.conditional, raced(1, 1, 0));
        assert_eq!(exposure.blind, raced(3, 2, 1), "on another key, or with a read, it is no race");
        assert_eq!(exposure.deletes, raced(2, 1, 0));
        assert_eq!(exposure.acknowledged(), 1);
        let told = "1 of 1 conditional writes (0 ok), 2 of 3 writes (1 ok), 1 of 2 deletes (0 ok)";
        assert_eq!(exposure.words(), told);
    }

    /// Every pair, one after the other.
    fn by_pairs(events: &[Event]) -> [Raced; 3] {
        let operations = growler_checker::history::pair(events).unwrap();
        let mut raced = [Raced::default(); 3];
        for one in &operations {
            let Some(sort) = sort_of(one.f(), one.argument()) else { continue };
            let end =
                |operation: &growler_checker::history::Operation<'_>| operation.ret.unwrap_or(usize::MAX);
            let overlaps = operations.iter().any(|other| {
                other.call != one.call
                    && other.key() == one.key()
                    && sort_of(other.f(), other.argument()).is_some()
                    && other.call < end(one)
                    && one.call < end(other)
            });
            let ok = one.ret.is_some_and(|ret| events[ret].kind == EventType::Ok);
            let raced = &mut raced[sort as usize];
            raced.operations += 1;
            raced.overlapped += u64::from(overlaps);
            raced.acknowledged += u64::from(overlaps && ok);
        }
        raced
    }

    #[test]
    fn counting_says_what_looking_at_every_pair_says() {
        for seed in 0..2_000 {
            let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
            let (mut open, mut events) = (vec![None; 4], Vec::new());
            for _ in 0..rng.random_range(2..40) {
                let process = rng.random_range(0..open.len());
                let number = process as u64;
                match open[process].take() {
                    None => {
                        let f = ["read", "write", "cas", "remove"][rng.random_range(0..4)];
                        let key = ["a", "b"][rng.random_range(0..2)];
                        let value = if rng.random_bool(0.3) { Value::Null } else { json!(1) };
                        events.push(event(number, EventType::Invoke, f, key, value.clone()));
                        open[process] = Some((f, key, value));
                    }
                    Some((f, key, value)) => {
                        let kind = [EventType::Ok, EventType::Fail][rng.random_range(0..2)];
                        events.push(event(number, kind, f, key, value));
                    }
                }
            }
            let Exposure { conditional, blind, deletes, .. } = Exposure::of(&events);
            assert_eq!([conditional, blind, deletes], by_pairs(&events), "seed {seed}: {events:#?}");
        }
    }
}
