//! When which faults were in force, as the nemesis' events tell it.
//!
//! A fault's heal carries the same `value` as its beginning, and says when the heal was complete. A heal closes
//! the fault of its kind with an equal value, else the oldest one of its kind that is open, so that events
//! written by others, without values, pair too. What has no name here begins a fault that is never healed.

use serde_json::Value;

use crate::history::{Event, Process};

/// The kinds of fault, each with the name of its heal.
const HEALS: [(&str, &str); 5] = [
    ("partition", "heal-partition"),
    ("kill", "start"),
    ("pause", "resume"),
    ("clock", "reset-clock"),
    ("delay", "heal-delay"),
];

/// One fault.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fault<'h> {
    /// Its kind: the function of the event.
    pub(super) kind: &'h str,
    /// What was done to whom.
    pub(super) value: &'h Value,
    /// The `index` of the event that began it.
    pub(super) index: u64,
    /// The position of that event in the history.
    pub(super) begun: usize,
    /// The position of the event that ended it.
    pub(super) healed: Option<usize>,
}

impl Fault<'_> {
    /// Whether it keeps a node, or a link, from answering; a clock that is wrong does not.
    pub(super) fn keeps_from_answering(&self) -> bool {
        self.kind != "clock"
    }
}

/// All faults, in the order in which they began.
pub(super) fn faults(events: &[Event]) -> Vec<Fault<'_>> {
    let mut all: Vec<Fault<'_>> = Vec::new();
    for (position, event) in events.iter().enumerate().filter(|(_, event)| event.process == Process::Nemesis)
    {
        let Some((kind, _)) = HEALS.iter().find(|(_, heal)| event.f == *heal) else {
            let (kind, value) = (event.f.as_str(), &event.value);
            all.push(Fault { kind, value, index: event.index, begun: position, healed: None });
            continue;
        };
        let is_open = |fault: &Fault<'_>| fault.kind == *kind && fault.healed.is_none();
        let same = all.iter().position(|fault| is_open(fault) && *fault.value == event.value);
        if let Some(at) = same.or_else(|| all.iter().position(is_open)) {
            all[at].healed = Some(position);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::history::EventType;

    #[test]
    fn a_heal_closes_the_fault_that_it_names_else_the_oldest_of_its_kind() {
        let event = |(f, target): (&str, &str)| {
            Event::new(Process::Nemesis, EventType::Info, f, json!({"targets": [target]}))
        };
        let events: Vec<Event> = [
            ("kill", "n1"),
            ("kill", "n2"),
            ("clock", "n3"),
            ("start", "n2"),
            ("start", "another"),
            ("resume", "n9"),
            ("meteor", "n4"),
        ]
        .map(event)
        .into();
        let told: Vec<_> = faults(&events).iter().map(|fault| (fault.kind, fault.healed)).collect();
        let expected = [("kill", Some(4)), ("kill", Some(3)), ("clock", None), ("meteor", None)];
        assert_eq!(told, expected);
    }
}
