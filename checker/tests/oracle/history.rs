//! Small histories of one register: operations as small numbers, and as the events that the checker reads.
//!
//! The contract's section 4 says what an event is. Here it is read a second time, without the checker's
//! pairing and without its table.

use growler_checker::history::{Consistency, Event, EventType, Process};
use serde_json::{Value as Json, json};

/// A value: 0 is absence.
pub(crate) type Value = u8;

/// No item.
pub(crate) const ABSENT: Value = 0;

/// The greatest value: no history here writes it.
pub(crate) const NEVER: Value = 63;

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Read,
    /// Of a value, or of absence: a delete.
    Write(Value),
    /// The old value and the new one.
    Cas(Value, Value),
}

/// What the completion says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// `ok`; with the value that was read, or the one that was replaced where that was said.
    Ok(Option<Value>),
    /// `fail`, because the condition did not hold; with the value that was met, where that was said.
    Refused(Option<Value>),
    /// `fail`, for a reason that says nothing.
    Failed,
    /// `info`.
    Info,
}

/// An operation: its call and its completion, each with its place among the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Op {
    /// The index of the invocation.
    pub(crate) index: u64,
    pub(crate) called: usize,
    pub(crate) call: Call,
    /// None for an operation that was never heard of again.
    pub(crate) ended: Option<(usize, Answer)>,
}

impl Op {
    pub(crate) fn new(called: usize, call: Call, ended: Option<(usize, Answer)>) -> Self {
        Self { index: called as u64, called, call, ended }
    }

    pub(crate) fn answer(&self) -> Answer {
        self.ended.map_or(Answer::Info, |(_, answer)| answer)
    }
}

fn json(value: Value) -> Json {
    if value == ABSENT { Json::Null } else { json!(value) }
}

/// The events of these operations, each of a process of its own. Their places are 0, 1, 2 and so on.
pub(crate) fn events(ops: &[Op]) -> Vec<Event> {
    let places = ops.iter().map(|op| 1 + usize::from(op.ended.is_some())).sum();
    let mut events: Vec<Option<Event>> = vec![None; places];
    for (process, op) in ops.iter().enumerate() {
        let (f, argument) = match op.call {
            Call::Read => ("read", Json::Null),
            Call::Write(new) => ("write", json(new)),
            Call::Cas(old, new) => ("cas", json!([json(old), json(new)])),
        };
        let event = |place: usize, kind| {
            let mut event = Event::new(Process::Client(process as u64), kind, f, argument.clone());
            event.index = place as u64;
            event
        };
        events[op.called] = Some(event(op.called, EventType::Invoke));
        if let Some((place, answer)) = op.ended {
            events[place] = Some(completed(event(place, EventType::Ok), op.call, answer));
        }
    }
    events.into_iter().flatten().collect()
}

/// The completion that says this.
fn completed(mut event: Event, call: Call, answer: Answer) -> Event {
    let (kind, error) = match answer {
        Answer::Ok(_) => (EventType::Ok, None),
        // With an image, it says the same whatever the reason is.
        Answer::Refused(Some(_)) if event.index % 2 == 1 => (EventType::Fail, Some("refused")),
        Answer::Refused(_) => (EventType::Fail, Some("condition-failed")),
        Answer::Failed => (EventType::Fail, Some("throttled")),
        Answer::Info => (EventType::Info, Some("timeout")),
    };
    event.kind = kind;
    event.error = error.map(Into::into);
    match (call, answer) {
        (Call::Read, Answer::Ok(seen)) => event.value = json(seen.unwrap_or(ABSENT)),
        (_, Answer::Ok(seen) | Answer::Refused(seen)) => event.observed = seen.map(json),
        (_, Answer::Failed | Answer::Info) => {}
    }
    event
}

/// The operations of a history that is well formed and concerns one key. Eventual reads are left out.
pub(crate) fn operations(events: &[Event]) -> Vec<Op> {
    let mut values = vec![Json::Null];
    let mut value = |json: &Json| -> Value {
        let known = values.iter().position(|value| value == json).unwrap_or(values.len());
        if known == values.len() {
            values.push(json.clone());
        }
        Value::try_from(known).expect("a small history has few values")
    };
    let mut ops = Vec::new();
    for (called, event) in events.iter().enumerate() {
        let Process::Client(_) = event.process else { continue };
        if event.kind != EventType::Invoke || event.consistency == Some(Consistency::Eventual) {
            continue;
        }
        let call = match &*event.f {
            "read" => Call::Read,
            "write" => Call::Write(value(&event.value)),
            "cas" => Call::Cas(value(&event.value[0]), value(&event.value[1])),
            other => panic!("a register has no {other}"),
        };
        let end = events[called + 1..].iter().position(|end| end.process == event.process);
        let ended = end.map(|distance| called + 1 + distance).map(|place| {
            let end = &events[place];
            let observed = end.observed.as_ref().map(&mut value);
            let failed = end.error.as_deref() == Some(&json!("condition-failed"));
            let answer = match (end.kind, call) {
                (EventType::Ok, Call::Read) => Answer::Ok(Some(value(&end.value))),
                (EventType::Ok, _) => Answer::Ok(observed),
                (EventType::Fail, Call::Cas(..)) if observed.is_some() || failed => Answer::Refused(observed),
                (EventType::Fail, _) => Answer::Failed,
                _ => Answer::Info,
            };
            (place, answer)
        });
        ops.push(Op { index: event.index, called, call, ended });
    }
    ops
}
