//! An oracle for small histories: it tries every order, straight from the contract's text.
//!
//! It shares no code with the engine. Section 4's table says what an answer means, section 5 what weakening
//! is; both are written down here a second time, as plainly as possible, and nothing is clever: operations
//! are placed one after another in every order that real time allows, and only (placed, state) pairs that
//! were tried before are skipped. Histories have at most 16 operations.

use std::collections::HashSet;

use growler_checker::history::{Consistency, Event, EventType, Process};
use serde_json::Value;

/// An operation, as the contract describes it.
pub(crate) struct Op {
    /// The index of its invocation.
    pub(crate) index: u64,
    call: usize,
    /// `usize::MAX` for an operation that never ended, or ended with `info`.
    ret: usize,
    f: String,
    argument: Value,
    /// The type of its completion; `Info` where there is none.
    outcome: EventType,
    result: Value,
    observed: Option<Value>,
    condition_failed: bool,
    eventual: bool,
}

/// Pairs events by process. The histories that come here are well formed.
pub(crate) fn operations(events: &[Event]) -> Vec<Op> {
    let mut ops: Vec<Op> = Vec::new();
    for (at, event) in events.iter().enumerate() {
        let Process::Client(_) = event.process else { continue };
        if event.kind == EventType::Invoke {
            let end =
                events[at + 1..].iter().position(|end| end.process == event.process).map(|n| at + 1 + n);
            let completion = end.map(|end| &events[end]);
            let outcome = completion.map_or(EventType::Info, |end| end.kind);
            ops.push(Op {
                index: event.index,
                call: at,
                ret: if outcome == EventType::Info { usize::MAX } else { end.unwrap_or(usize::MAX) },
                f: event.f.to_string(),
                argument: event.value.clone(),
                outcome,
                result: completion.map_or(Value::Null, |end| end.value.clone()),
                observed: completion.and_then(|end| end.observed.clone()),
                condition_failed: completion.and_then(|end| end.error.as_deref())
                    == Some(&Value::from("condition-failed")),
                eventual: event.consistency == Some(Consistency::Eventual),
            });
        }
    }
    ops
}

/// What an operation still means.
struct Meaning<'o> {
    /// The interval in which it happens, if it does.
    start: Option<usize>,
    end: Option<usize>,
    must: bool,
    /// What holds at that moment, and what it writes.
    happens: Happens<'o>,
}

/// The state after an operation that happens in this one; nothing if it cannot.
type Happens<'o> = Box<dyn Fn(&'o Value) -> Option<&'o Value> + 'o>;

/// What an operation means at full strength; nothing if it says nothing.
fn as_recorded(op: &Op) -> Option<Meaning<'_>> {
    let ok = op.outcome == EventType::Ok;
    let replaced = move |state: &Value| !ok || op.observed.as_ref().is_none_or(|observed| observed == state);
    let happens: Happens<'_> = match (op.f.as_str(), op.outcome) {
        ("read", EventType::Ok) if !op.eventual => {
            Box::new(move |state| (*state == op.result).then_some(state))
        }
        ("write", EventType::Ok | EventType::Info) => {
            Box::new(move |state| replaced(state).then_some(&op.argument))
        }
        ("cas", EventType::Ok | EventType::Info) => {
            Box::new(move |state| (*state == op.argument[0] && replaced(state)).then_some(&op.argument[1]))
        }
        ("cas", EventType::Fail) if op.observed.is_some() => Box::new(move |state| {
            (Some(state) == op.observed.as_ref() && *state != op.argument[0]).then_some(state)
        }),
        ("cas", EventType::Fail) if op.condition_failed => {
            Box::new(move |state| (*state != op.argument[0]).then_some(state))
        }
        _ => return None,
    };
    let must = op.outcome != EventType::Info;
    Some(Meaning { start: Some(op.call), end: must.then_some(op.ret), must, happens })
}

/// What is left of an operation that was weakened.
fn weakened(op: &Op) -> Option<Meaning<'_>> {
    if op.outcome == EventType::Fail {
        return None;
    }
    let (new, happens): (&Value, Happens<'_>) = match op.f.as_str() {
        "write" => (&op.argument, Box::new(move |_| Some(&op.argument))),
        "cas" => {
            let new = &op.argument[1];
            (new, Box::new(move |state| (*state == op.argument[0]).then_some(new)))
        }
        _ => return None,
    };
    let own_interval = new.is_null();
    let end = (own_interval && op.ret != usize::MAX).then_some(op.ret);
    Some(Meaning { start: own_interval.then_some(op.call), end, must: false, happens })
}

/// Whether the operations can be ordered. Those whose place is not in `strong` (a bit each) are weakened.
pub(crate) fn linearizable(ops: &[Op], strong: u32) -> bool {
    let meaning = |(at, op)| if strong >> at & 1 == 1 { as_recorded(op) } else { weakened(op) };
    let meanings: Vec<Meaning<'_>> = ops.iter().enumerate().filter_map(meaning).collect();
    extend(&meanings, 0, &Value::Null, &mut HashSet::new())
}

/// Whether the history can be completed after these operations have been placed, in this state.
fn extend<'o>(
    all: &[Meaning<'o>],
    placed: u32,
    state: &'o Value,
    tried: &mut HashSet<(u32, &'o Value)>,
) -> bool {
    let is_placed = |at: usize| placed >> at & 1 == 1;
    if all.iter().enumerate().all(|(at, op)| is_placed(at) || !op.must) {
        return true;
    }
    if !tried.insert((placed, state)) {
        return false;
    }
    let before = |a: &Meaning<'_>, b: &Meaning<'_>| matches!((a.end, b.start), (Some(end), Some(start)) if end < start);
    (0..all.len()).filter(|&next| !is_placed(next)).any(|next| {
        let in_time = (0..all.len()).all(|other| {
            let overtakes = !is_placed(other) && all[other].must && before(&all[other], &all[next]);
            let too_late = is_placed(other) && before(&all[next], &all[other]);
            !overtakes && !too_late
        });
        in_time
            && (all[next].happens)(state).is_some_and(|state| extend(all, placed | 1 << next, state, tried))
    })
}

/// What is wrong with a certificate, by the contract's definition; nothing if it is right.
pub(crate) fn fault_of_certificate(ops: &[Op], certificate: &[u64]) -> Option<String> {
    let mut strong = 0_u32;
    for index in certificate {
        let Some(at) = ops.iter().position(|op| op.index == *index) else {
            return Some(format!("{index} is no invocation"));
        };
        strong |= 1 << at;
    }
    if strong.count_ones() as usize != certificate.len() {
        return Some("it names an operation twice".to_owned());
    }
    if linearizable(ops, strong) {
        return Some(
            "it proves nothing: with everything else weakened, the history is linearizable".to_owned(),
        );
    }
    (0..ops.len()).filter(|at| strong >> at & 1 == 1).find_map(|at| {
        let without = linearizable(ops, strong & !(1 << at));
        (!without).then(|| format!("operation {} is not needed", ops[at].index))
    })
}
