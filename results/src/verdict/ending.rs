//! Which keys were read to the end, and which nobody knows the end of.
//!
//! The final reads show what the system kept. Where none of a key was answered, whatever was lost of it last
//! cannot have shown: the key is *not judged to the end*. A few such keys are told. Where they are more than
//! one in twenty the run proves nothing, and where the system is one that growler broke and healed itself, it
//! has not recovered.

use std::collections::BTreeMap;

use growler_checker::history::{Event, Key, Outcome, pair};
use serde::{Deserialize, Serialize};

use crate::words::count;

/// One key in so many may be without a final answer.
const ONE_IN: u64 = 20;

/// What is known of the end of the keys that were written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ending {
    /// Keys of which a write took effect, or may have.
    pub keys: u64,
    /// Those of which a final read was asked for, and none answered.
    pub unanswered: u64,
    /// Those of which none was asked for.
    pub unasked: u64,
    /// The first of both sorts.
    pub first: Option<String>,
    /// Whether the system is one that growler runs and heals, and had the time to answer.
    pub ours: bool,
}

/// What the final reads of one key came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    Unasked,
    Unanswered,
    Answered,
}

impl Ending {
    /// The end of a history whose final reads began at `from_ns`. None where the events are no history.
    #[must_use]
    pub fn of(events: &[Event], from_ns: u64, ours: bool) -> Option<Self> {
        let operations = pair(events).ok()?;
        let reads = |f: &str| matches!(f, "read" | "replica-read");
        let mut keys: BTreeMap<Option<&Key>, Look> = BTreeMap::new();
        for operation in &operations {
            if !reads(operation.f()) && operation.outcome() != Outcome::Fail {
                keys.insert(operation.key(), Look::Unasked);
            }
        }
        for operation in &operations {
            let is_final = reads(operation.f()) && operation.invocation.time >= from_ns;
            if let Some(look) =
                keys.get_mut(&operation.key()).filter(|look| is_final && **look != Look::Answered)
            {
                let answered = operation.outcome() == Outcome::Ok;
                *look = if answered { Look::Answered } else { Look::Unanswered };
            }
        }
        let number = |sort: Look| keys.values().filter(|look| **look == sort).count() as u64;
        let name = |key: &Option<&Key>| key.map_or_else(|| "the one object".to_owned(), ToString::to_string);
        Some(Self {
            keys: keys.len() as u64,
            unanswered: number(Look::Unanswered),
            unasked: number(Look::Unasked),
            first: keys.iter().find(|(_, look)| **look != Look::Answered).map(|(key, _)| name(key)),
            ours,
        })
    }

    /// Whether so many keys are not judged to the end that the run proves nothing.
    pub(super) fn is_open(&self) -> bool {
        (self.unanswered + self.unasked) * ONE_IN > self.keys
    }

    /// Whether the system is to blame for that: it was asked, and it is one that growler itself healed.
    pub(super) fn is_not_recovered(&self) -> bool {
        self.ours && self.unanswered * ONE_IN > self.keys
    }

    /// How many keys are not judged to the end, and why; none where all are.
    pub(super) fn sentence(&self) -> Option<String> {
        let first = self.first.as_ref()?;
        let of = format!("of {} keys that were written", count(self.keys));
        let why = match (self.unanswered, self.unasked) {
            (unanswered, 0) => format!("no final read of {} {of} was answered", count(unanswered)),
            (0, unasked) => format!("no final read of {} {of} was made", count(unasked)),
            (unanswered, unasked) => format!(
                "of {} {of} no final read was answered, and of {} none was made",
                count(unanswered),
                count(unasked)
            ),
        };
        Some(format!("{why} ({first} among them): what became of these keys in the end is not judged"))
    }
}

#[cfg(test)]
mod tests {
    use growler_checker::history::{EventType, Process};
    use serde_json::Value;

    use super::*;

    /// An operation of this key, invoked at this time, with this outcome.
    fn operation(key: &str, f: &str, time: u64, outcome: EventType) -> [Event; 2] {
        let event = |kind, time| Event {
            time,
            key: Some(key.into()),
            ..Event::new(Process::Client(time * 2), kind, f, Value::Null)
        };
        let invoke = event(EventType::Invoke, time);
        [invoke.clone(), Event { kind: outcome, time: time + 1, ..invoke }]
    }

    #[test]
    fn a_key_is_judged_to_the_end_when_a_read_that_began_then_was_answered() {
        use EventType::{Fail, Info, Ok};
        let history: Vec<Event> = [
            operation("answered", "write", 1, Ok),
            operation("replica", "write", 2, Info),
            operation("refused", "write", 3, Ok),
            operation("unasked", "write", 4, Ok),
            operation("never-written", "write", 5, Fail),
            operation("unasked", "read", 6, Ok),
            operation("answered", "read", 100, Fail),
            operation("answered", "read", 110, Ok),
            operation("answered", "read", 120, Info),
            operation("replica", "replica-read", 130, Ok),
            operation("refused", "read", 140, Fail),
            operation("refused", "read", 150, Info),
        ]
        .into_iter()
        .flatten()
        .collect();
        let ending = Ending::of(&history, 100, true).unwrap();
        let first = Some("refused".to_owned());
        assert_eq!(ending, Ending { keys: 4, unanswered: 1, unasked: 1, first, ours: true });
        assert!(ending.is_open() && ending.is_not_recovered());
        assert!(!Ending { ours: false, ..ending }.is_not_recovered());
    }

    #[test]
    fn one_key_in_twenty_is_told_and_no_more() {
        let ending = |keys, unanswered, unasked| Ending {
            keys,
            unanswered,
            unasked,
            first: (unanswered + unasked > 0).then(|| "k7".to_owned()),
            ours: true,
        };
        assert_eq!(ending(40, 0, 0).sentence(), None);
        assert!(
            !ending(40, 1, 1).is_open() && ending(40, 1, 2).is_open() && ending(0, 0, 0).sentence().is_none()
        );
        assert!(!ending(40, 1, 2).is_not_recovered(), "who was not asked is not to blame");
        assert!(ending(40, 3, 0).is_not_recovered());
        let told = ending(40, 1, 0).sentence().unwrap();
        assert_eq!(
            told,
            "no final read of 1 of 40 keys that were written was answered (k7 among them): what became of these \
             keys in the end is not judged"
        );
    }
}
