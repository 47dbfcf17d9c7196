//! One event of a history: an invocation or a completion, as the contract's section 4 defines it. How it
//! looks as JSON is the matter of `line`.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CausalContext, Key, Name, Reason, Timestamp};

/// Who an event belongs to: a numbered client process, or the nemesis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Process {
    /// A logical client process. It has one operation open at a time, and after an `info` completion its
    /// number is never used again.
    Client(u64),
    /// The fault injector: its events are kept and shown, and checkers ignore them.
    Nemesis,
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(n) => write!(f, "{n}"),
            Self::Nemesis => f.write_str("nemesis"),
        }
    }
}

impl Serialize for Process {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Client(n) => s.serialize_u64(*n),
            Self::Nemesis => s.serialize_str("nemesis"),
        }
    }
}

impl<'de> Deserialize<'de> for Process {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Process;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a process number or \"nemesis\"")
            }
            fn visit_u64<E: serde::de::Error>(self, n: u64) -> Result<Process, E> {
                Ok(Process::Client(n))
            }
            fn visit_str<E: serde::de::Error>(self, s: &str) -> Result<Process, E> {
                if s == "nemesis" {
                    Ok(Process::Nemesis)
                } else {
                    Err(E::invalid_value(serde::de::Unexpected::Str(s), &self))
                }
            }
        }
        d.deserialize_any(Visitor)
    }
}

/// What an event says about its operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventType {
    /// The operation begins: the line takes its place before the first byte is sent.
    Invoke,
    /// It happened, and the answer is in `value`.
    Ok,
    /// It certainly did not happen.
    Fail,
    /// It may or may not have happened, now or later.
    Info,
}

/// How much a read promises. Absent means a strong read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Consistency {
    /// An eventually consistent read: linearizability checks skip it.
    Eventual,
}

/// One event of a history. Field meanings: contract, section 4.
///
/// `observed: None` means that the server did not say; `Some(Value::Null)` that it said there was nothing.
/// A history has millions of these, so text that repeats is shared, and what few events have is kept apart
/// in [`Extra`].
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Position in the history, from 0. Readers fill it in where a history has none.
    pub index: u64,
    /// Nanoseconds since the run began, for durations and display only: real time is the order of events.
    pub time: u64,
    /// Who.
    pub process: Process,
    /// The session: survives `info`. Without it the process is the session.
    pub client: Option<u64>,
    /// Invocation or kind of completion; in JSON, `type`.
    pub kind: EventType,
    /// The function.
    pub f: Name,
    /// The key, for per-key workloads.
    pub key: Option<Key>,
    /// The argument; in a completion, the result.
    pub value: Value,
    /// The value in force just before, where the server said.
    pub observed: Option<Value>,
    /// Why a completion is not `ok`.
    pub error: Option<Reason>,
    /// `eventual` where the read promises no more.
    pub consistency: Option<Consistency>,
    /// How it was asked: `get`, `query`, `scan`, `gsi`, `batch`, `txn`.
    pub via: Option<Name>,
    /// The node that was asked.
    pub node: Option<Name>,
    /// The partition that answered, where the server says so: availability is counted by it.
    pub partition: Option<Name>,
    /// On an invocation of an open-loop load: when it was due, in nanoseconds since the run began. Latency
    /// counts from here.
    pub intended: Option<u64>,
    /// What few events have; see [`Event::extra`]. None where there is nothing in it.
    pub extra: Option<Box<Extra>>,
}

/// What few events have: the token of an operation that was sent more than once, and what a store returned
/// of its own ordering.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Extra {
    /// The idempotency token.
    pub token: Option<String>,
    /// Which sending of the token this was.
    pub attempt: Option<u64>,
    /// What the store returned of its own ordering.
    pub version: Option<Value>,
    /// The causal context: on a completion what the store returned, on an invocation what the operation was
    /// sent with.
    pub context: Option<CausalContext>,
    /// On a completion: the causal context that the operation was sent with, where it became known only after
    /// the invocation, since the operation began with a read of its own.
    pub sent: Option<CausalContext>,
    /// The store's own timestamp.
    pub timestamp: Option<Timestamp>,
    /// How many versions the store held beside each other, where it said that there were several.
    pub siblings: Option<u64>,
    /// The store's region.
    pub region: Option<Name>,
}

impl Extra {
    /// What most events have.
    pub const NOTHING: Self = Self {
        token: None,
        attempt: None,
        version: None,
        context: None,
        sent: None,
        timestamp: None,
        siblings: None,
        region: None,
    };
}

static NOTHING: Extra = Extra::NOTHING;

impl Event {
    /// An event with the given process, type, function and value, and nothing else.
    #[must_use]
    pub fn new(process: Process, kind: EventType, f: impl Into<Name>, value: Value) -> Self {
        Self {
            index: 0,
            time: 0,
            process,
            client: None,
            kind,
            f: f.into(),
            key: None,
            value,
            observed: None,
            error: None,
            consistency: None,
            via: None,
            node: None,
            partition: None,
            intended: None,
            extra: None,
        }
    }

    /// What few events have.
    #[must_use]
    pub fn extra(&self) -> &Extra {
        self.extra.as_deref().unwrap_or(&NOTHING)
    }

    /// What few events have, to be filled in.
    pub fn extra_mut(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    /// The session of this event: its `client`, else its process number. None for the nemesis.
    #[must_use]
    pub fn session(&self) -> Option<u64> {
        match (self.client, self.process) {
            (Some(c), _) => Some(c),
            (None, Process::Client(p)) => Some(p),
            (None, Process::Nemesis) => None,
        }
    }
}
