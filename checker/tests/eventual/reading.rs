//! Operations as the brute-force rules read them: straight from the events, with maps and strings.

use std::collections::BTreeMap;

use growler_checker::history::{CausalContext, Event, EventType, Process, Timestamp};
use serde_json::Value;

pub(crate) type Dot = (String, u64);
pub(crate) type Clock = BTreeMap<String, u64>;
pub(crate) type Stamp = (i64, String);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Out {
    Ok,
    Fail,
    Info,
}

/// What no position reaches: where an operation ends that may still take effect.
pub(crate) const NEVER: usize = usize::MAX;

#[derive(Debug, Clone)]
pub(crate) struct Op {
    pub(crate) f: String,
    pub(crate) key: String,
    pub(crate) argument: Value,
    pub(crate) call: usize,
    /// The position of an `ok` or `fail`, else [`NEVER`].
    pub(crate) end: usize,
    pub(crate) out: Out,
    pub(crate) call_ns: u64,
    pub(crate) end_ns: u64,
    pub(crate) result: Value,
    pub(crate) observed: Option<Value>,
    pub(crate) error: Option<Value>,
    pub(crate) node: String,
    pub(crate) dots: Option<Vec<Dot>>,
    pub(crate) number: Option<i64>,
    pub(crate) clock: Option<Clock>,
    pub(crate) sent: Option<Clock>,
    pub(crate) stamp: Option<Stamp>,
    pub(crate) siblings: Option<u64>,
}

impl Op {
    pub(crate) fn is_ok(&self) -> bool {
        self.out == Out::Ok
    }

    pub(crate) fn is_read(&self) -> bool {
        self.f == "read"
    }

    /// It shows what somebody holds.
    pub(crate) fn shows(&self) -> bool {
        self.is_ok() && (self.is_read() || self.f == "replica-read")
    }

    pub(crate) fn written(&self) -> Option<Value> {
        match self.f.as_str() {
            "write" => Some(self.argument.clone()),
            "cas" => self.argument.get(1).cloned(),
            _ => None,
        }
    }

    pub(crate) fn is_delete(&self) -> bool {
        self.written() == Some(Value::Null)
    }

    /// It writes something other than a delete.
    pub(crate) fn is_write(&self) -> bool {
        ["add", "remove"].contains(&self.f.as_str()) || self.written().is_some_and(|value| !value.is_null())
    }

    /// The version that an answered write made.
    pub(crate) fn own_dot(&self) -> Option<Dot> {
        match self.dots.as_deref() {
            Some([dot]) if self.is_write() || self.is_delete() => Some(dot.clone()),
            _ => None,
        }
    }

    /// What it can have replaced at most; none: anything.
    pub(crate) fn at_most(&self) -> Option<Clock> {
        self.sent.clone().or_else(|| self.clock.clone())
    }

    /// Whether it replaced this version for certain, if it took effect.
    pub(crate) fn replaced(&self, dot: &Dot) -> bool {
        if self.own_dot().as_ref() == Some(dot) {
            return false;
        }
        let blind = ["write", "cas"].contains(&self.f.as_str()) && self.siblings.is_none_or(|n| n <= 1);
        match (&self.sent, &self.clock) {
            (Some(sent), _) => covers(sent, dot),
            (None, Some(clock)) if blind => covers(clock, dot),
            _ => false,
        }
    }

    pub(crate) fn elements(&self) -> Vec<Value> {
        self.result.as_array().cloned().unwrap_or_default()
    }
}

pub(crate) fn covers(clock: &Clock, dot: &Dot) -> bool {
    clock.get(&dot.0).is_some_and(|&counter| counter >= dot.1)
}

/// The operations of each key, in order of invocation.
pub(crate) fn keys(events: &[Event]) -> BTreeMap<String, Vec<Op>> {
    let mut all: Vec<Op> = Vec::new();
    let mut open: BTreeMap<u64, usize> = BTreeMap::new();
    for (at, event) in events.iter().enumerate() {
        let Process::Client(process) = event.process else { continue };
        if event.kind == EventType::Invoke {
            open.insert(process, all.len());
            all.push(Op {
                f: event.f.to_string(),
                key: format!("{:?}", event.key),
                argument: event.value.clone(),
                call: at,
                end: NEVER,
                out: Out::Info,
                call_ns: event.time,
                end_ns: event.time,
                result: Value::Null,
                observed: None,
                error: None,
                node: event.node.as_deref().unwrap_or_default().to_owned(),
                dots: None,
                number: None,
                clock: None,
                sent: clock(event.extra().context.as_ref()),
                stamp: None,
                siblings: None,
            });
            continue;
        }
        let op = &mut all[open.remove(&process).expect("it is open")];
        op.end_ns = event.time;
        op.error = event.error.as_deref().cloned();
        op.observed.clone_from(&event.observed);
        if event.kind == EventType::Info {
            continue;
        }
        op.end = at;
        op.out = Out::Fail;
        if event.kind == EventType::Ok {
            op.out = Out::Ok;
            op.result = event.value.clone();
            op.clock = clock(event.extra().context.as_ref());
            op.stamp = event.extra().timestamp.as_ref().and_then(stamp);
            op.siblings = event.extra().siblings;
            op.number = event.extra().version.as_ref().and_then(Value::as_i64);
            op.dots = event.extra().version.as_ref().and_then(Value::as_str).map(dots);
        }
    }
    let mut keys: BTreeMap<String, Vec<Op>> = BTreeMap::new();
    for op in all {
        keys.entry(op.key.clone()).or_default().push(op);
    }
    keys
}

fn clock(context: Option<&CausalContext>) -> Option<Clock> {
    let entries = context?.clock()?.iter();
    Some(entries.map(|(actor, counter)| (actor.to_string(), *counter)).collect())
}

fn stamp(timestamp: &Timestamp) -> Option<Stamp> {
    timestamp.parts().map(|(ns, node)| (ns, node.to_owned()))
}

fn dots(text: &str) -> Vec<Dot> {
    let dot = |dot: &str| {
        let (actor, counter) = dot.rsplit_once(':').expect("a dot has a counter");
        (actor.to_owned(), counter.parse().expect("a counter is a number"))
    };
    let mut dots: Vec<Dot> = text.split('|').filter(|text| !text.is_empty()).map(dot).collect();
    dots.sort();
    dots
}
