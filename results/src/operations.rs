//! Invocations with their completions, as figures and pictures need them.
//!
//! Pairing follows the contract: a process has one operation open at a time. What never completed may or may
//! not have happened, like `info`. Nothing here judges a history.

use std::collections::BTreeMap;

use growler_checker::history::{Event, EventType, Process};
use serde_json::Value;

/// One operation of a client.
#[derive(Debug, Clone, Copy)]
pub struct Operation<'a> {
    /// Its beginning.
    pub invoke: &'a Event,
    /// Its end; `None` where it was still open when the history ended.
    pub complete: Option<&'a Event>,
}

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It happened.
    Ok,
    /// It certainly did not happen.
    Fail,
    /// It may or may not have happened.
    Info,
}

impl Outcome {
    /// The word in a history.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Fail => "fail",
            Self::Info => "info",
        }
    }
}

impl<'a> Operation<'a> {
    /// How it ended.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self.complete.map(|e| e.kind) {
            Some(EventType::Ok) => Outcome::Ok,
            Some(EventType::Fail) => Outcome::Fail,
            Some(EventType::Info | EventType::Invoke) | None => Outcome::Info,
        }
    }

    /// Its beginning, ns since the run began.
    #[must_use]
    pub fn start_ns(&self) -> u64 {
        self.invoke.time
    }

    /// When it was known how it ended, ns since the run began; `None` where it never was.
    #[must_use]
    pub fn end_ns(&self) -> Option<u64> {
        self.complete.map(|e| e.time.max(self.invoke.time))
    }

    /// How long it took, ns, counted from when it was due where the load was open-loop; `None` where it never
    /// ended.
    #[must_use]
    pub fn latency_ns(&self) -> Option<u64> {
        let due = self.invoke.intended.unwrap_or(self.invoke.time);
        self.end_ns().map(|end| end.saturating_sub(due))
    }

    /// Whether it failed because its condition did not hold: the system answered, and did what it should.
    #[must_use]
    pub fn condition_failed(&self) -> bool {
        let Some(end) = self.complete.filter(|e| e.kind == EventType::Fail) else { return false };
        end.observed.is_some() || error_name(end) == Some("condition-failed")
    }

    /// Whether the system served it: `ok`, or a condition that did not hold. All else is a refusal.
    #[must_use]
    pub fn served(&self) -> bool {
        self.outcome() == Outcome::Ok || self.condition_failed()
    }

    /// The node that was asked.
    #[must_use]
    pub fn node(&self) -> Option<&'a str> {
        self.invoke.node.as_deref().or_else(|| self.complete.and_then(|e| e.node.as_deref()))
    }

    /// The partition that answered, where it said so.
    #[must_use]
    pub fn partition(&self) -> Option<&'a str> {
        self.complete.and_then(|e| e.partition.as_deref()).or(self.invoke.partition.as_deref())
    }
}

/// The first word of an event's error.
#[must_use]
pub fn error_name(event: &Event) -> Option<&str> {
    match event.error.as_deref()? {
        Value::String(name) => Some(name),
        Value::Array(words) => words.first().and_then(Value::as_str),
        _ => None,
    }
}

/// The operations of a history, in the order of their invocations. Events of the nemesis, and completions
/// of nothing, are left out.
#[must_use]
pub fn pair(events: &[Event]) -> Vec<Operation<'_>> {
    let mut operations: Vec<Operation<'_>> = Vec::with_capacity(events.len() / 2);
    let mut open = BTreeMap::new();
    for event in events {
        let Process::Client(process) = event.process else { continue };
        if event.kind == EventType::Invoke {
            open.insert(process, operations.len());
            operations.push(Operation { invoke: event, complete: None });
        } else if let Some(at) = open.remove(&process) {
            operations[at].complete = Some(event);
        }
    }
    operations
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(process: u64, kind: EventType) -> Event {
        Event::new(Process::Client(process), kind, "cas", json!([1, 2]))
    }

    #[test]
    fn completions_find_their_invocations() {
        let nemesis = Event::new(Process::Nemesis, EventType::Info, "kill", json!("n1"));
        let history = [
            event(0, EventType::Ok),
            event(0, EventType::Invoke),
            nemesis,
            event(1, EventType::Invoke),
            event(1, EventType::Fail),
            event(0, EventType::Ok),
            event(1, EventType::Invoke),
        ];
        let outcomes: Vec<_> = pair(&history).iter().map(|op| (op.invoke.process, op.outcome())).collect();
        let [zero, one] = [0, 1].map(Process::Client);
        assert_eq!(outcomes, [(zero, Outcome::Ok), (one, Outcome::Fail), (one, Outcome::Info)]);
    }

    #[test]
    fn a_failed_condition_is_served_and_other_failures_are_not() {
        let invoke = event(0, EventType::Invoke);
        let served = |end: &Event| Operation { invoke: &invoke, complete: Some(end) }.served();
        let fail = event(0, EventType::Fail);
        assert!(!served(&fail));
        assert!(!served(&Event { error: Some("throttled".into()), ..fail.clone() }));
        assert!(served(&Event { error: Some(json!(["condition-failed", "…"]).into()), ..fail.clone() }));
        assert!(served(&Event { observed: Some(Value::Null), ..fail }));
        assert!(!served(&event(0, EventType::Info)));
        assert!(served(&event(0, EventType::Ok)));
    }
}
