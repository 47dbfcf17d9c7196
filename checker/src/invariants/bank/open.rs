//! Which transfer of an amount was open during a read: the first of them, in O(log n).
//!
//! A bank that loses money has many wrong totals, and each asks which transfer it may have torn. To try them all for
//! each takes a minute where the run took seconds.

use std::collections::HashMap;

use super::Transfer;
use crate::history::Operation;

/// Transfers by amount, in the order in which they were invoked.
#[derive(Default)]
pub(super) struct Open {
    by_amount: HashMap<i128, Vec<Entry>>,
}

/// One transfer: its place, and when the last of it and those before it ended.
struct Entry {
    place: usize,
    latest_end: usize,
}

impl Open {
    /// Of these transfers, which must be in the order in which they were invoked.
    pub(super) fn of(transfers: &[Transfer<'_>]) -> Self {
        let mut by_amount: HashMap<i128, Vec<Entry>> = HashMap::new();
        for (place, transfer) in transfers.iter().enumerate() {
            let same = by_amount.entry(transfer.amount).or_default();
            let latest = same.last().map_or(0, |entry| entry.latest_end);
            same.push(Entry { place, latest_end: latest.max(transfer.ended().unwrap_or(usize::MAX)) });
        }
        Self { by_amount }
    }

    /// The place of the first transfer of this amount that was open at some moment of the read.
    pub(super) fn during(
        &self,
        read: &Operation<'_>,
        amount: i128,
        transfers: &[Transfer<'_>],
    ) -> Option<usize> {
        let same = self.by_amount.get(&amount)?;
        // The first that ended after the read began; all that come later began later.
        let first = same.get(same.partition_point(|entry| entry.latest_end <= read.call))?;
        transfers[first.place].overlaps(read).then_some(first.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Event, EventType, Process, pair};
    use crate::sensitivity::Dice;
    use serde_json::json;

    /// Processes that transfer and read, in any order.
    fn history(seed: u64) -> Vec<Event> {
        let mut dice = Dice::new(seed, 1);
        let mut open: Vec<Option<Event>> = vec![None; 6];
        let mut events: Vec<Event> = Vec::new();
        for step in 0..60_u64 {
            let who = dice.below(6) as usize;
            let event = match open[who].take() {
                None => {
                    let (f, value) = match dice.below(3) {
                        0 => ("read", json!(null)),
                        _ => ("transfer", json!({"from": "a", "to": "b", "amount": 1 + dice.below(3)})),
                    };
                    let process = Process::Client(who as u64 + 6 * step);
                    let event = Event::new(process, EventType::Invoke, f, value);
                    open[who] = Some(event.clone());
                    event
                }
                Some(invoked) => {
                    let kind = if dice.below(8) == 0 { EventType::Info } else { EventType::Ok };
                    Event { kind, ..invoked }
                }
            };
            events.push(Event { index: step, ..event });
        }
        events
    }

    #[test]
    fn it_is_the_one_that_trying_them_all_finds() {
        let mut found = 0;
        for seed in 0..500 {
            let events = history(seed);
            let operations = pair(&events).expect("a history");
            let transfers: Vec<Transfer<'_>> = operations.iter().filter_map(Transfer::of).collect();
            let open = Open::of(&transfers);
            for read in operations.iter().filter(|operation| operation.f() == "read") {
                for amount in 0..5 {
                    let all = transfers.iter().position(|t| t.amount == amount && t.overlaps(read));
                    assert_eq!(
                        open.during(read, amount, &transfers),
                        all,
                        "seed {seed}, read {}",
                        read.index
                    );
                    found += u64::from(all.is_some());
                }
            }
        }
        assert!(found > 1_000, "{found}");
    }
}
