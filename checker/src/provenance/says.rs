//! What each model's operations bring into an object, and what their answers show of it.
//!
//! | model | brings | shows |
//! |---|---|---|
//! | `register`, `cas-register` | `write` v, `cas` [e, v]: v | `read`, `replica-read`; `observed`; e, where a `cas` was applied |
//! | `set`, `cart` | `add` e: e | each element of `read`, `replica-read` and `observed` |
//! | `queue` | `enqueue` e: e | `dequeue`; each element of `replica-read` |
//! | `multi-register` | `txn`: what its `w` steps write | what its `r` steps found |
//! | `mutex` | `acquire`: its token, unknown where it was not answered | the token under which a `release` found the lock held |
//!
//! Only what was answered shows anything; what a failed condition met was shown too. Null is absence, which
//! needs no writer; as an element it is one like any other.

use serde_json::Value;

use crate::history::{Operation, Outcome};

/// The sorts of objects, as far as it matters where their values come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// One value at a time, perhaps with versions beside it.
    Register,
    /// Elements.
    Elements,
    /// Elements that come and go.
    Queue,
    /// Several registers behind one object.
    Registers,
    /// Fencing tokens.
    Lock,
    /// A sum.
    Counter,
    /// A string that grows.
    Text,
    /// Sums that transfers leave.
    Bank,
}

impl Kind {
    /// The sort of a model's objects.
    pub(super) fn of(model: &str) -> Option<Self> {
        Some(match model {
            "register" | "cas-register" => Self::Register,
            "set" | "cart" => Self::Elements,
            "queue" => Self::Queue,
            "multi-register" => Self::Registers,
            "mutex" => Self::Lock,
            "counter" => Self::Counter,
            "kv" => Self::Text,
            "bank" => Self::Bank,
            _ => return None,
        })
    }
}

/// What part of an answer shows a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Facet {
    /// The result.
    Read,
    /// What was in force before.
    Image,
    /// What the condition was held against, and held.
    Condition,
}

/// A value that an operation brings or shows: of which part of the object (none where it has none), and which.
pub(super) type Said<'h> = (Option<&'h Value>, &'h Value);

/// What an operation brings, or would have brought had it not failed. A lock's token is not known before the answer:
/// null stands for one that nobody told.
pub(super) fn brought<'h>(kind: Kind, operation: &Operation<'h>, mut each: impl FnMut(Said<'h>)) {
    let argument = operation.argument();
    match (kind, operation.f()) {
        (Kind::Register, _) => {
            let written = written(operation).filter(|value| !value.is_null());
            written.into_iter().for_each(|value| each((None, value)));
        }
        (Kind::Elements, "add") | (Kind::Queue, "enqueue") => each((None, argument)),
        (Kind::Registers, "txn") => {
            let writes = steps(argument).filter(|step| step.0 == "w" && !step.2.is_null());
            writes.for_each(|(_, register, value)| each((Some(register), value)));
        }
        (Kind::Lock, "acquire") => match (operation.outcome(), operation.result()) {
            (Outcome::Ok, Some(token)) => each((None, token)),
            (Outcome::Fail, _) => {}
            _ => each((None, &Value::Null)),
        },
        _ => {}
    }
}

/// What an operation's answer shows, but for what [`listed`] has. Whether there was anything is said only of
/// registers, since absence may carry a version too.
pub(super) fn shown<'h>(kind: Kind, operation: &Operation<'h>, mut each: impl FnMut(Facet, Said<'h>)) {
    let outcome = operation.outcome();
    if outcome == Outcome::Info {
        return;
    }
    let result = operation.result().filter(|_| outcome == Outcome::Ok);
    let mut whole = |facet, value: Option<&'h Value>| {
        value.into_iter().for_each(|value| each(facet, (None, value)));
    };
    match (kind, operation.f()) {
        (Kind::Register, "read" | "replica-read") => whole(Facet::Read, result),
        (Kind::Register, "write" | "cas") => {
            whole(Facet::Image, operation.observed().filter(|observed| !observed.is_null()));
            if outcome == Outcome::Ok && operation.f() == "cas" {
                let old = operation.argument().get(0).filter(|old| !old.is_null());
                whole(Facet::Condition, old.filter(|&old| operation.observed() != Some(old)));
            }
        }
        (Kind::Elements, "add" | "remove") => {
            let elements = operation.observed().and_then(Value::as_array).into_iter().flatten();
            elements.for_each(|element| each(Facet::Image, (None, element)));
        }
        (Kind::Queue, "dequeue") => whole(Facet::Read, result.filter(|element| !element.is_null())),
        (Kind::Registers, "txn") => {
            let reads = result.into_iter().flat_map(steps).filter(|step| step.0 == "r" && !step.2.is_null());
            reads.for_each(|(_, register, value)| each(Facet::Read, (Some(register), value)));
        }
        (Kind::Lock, "release") => {
            let token = Some(operation.argument()).filter(|token| !token.is_null()).or(result);
            whole(Facet::Condition, token.filter(|token| outcome == Outcome::Ok && !token.is_null()));
        }
        _ => {}
    }
}

/// The list that a read returned, every element of which it shows; null is an empty one. The value itself where it
/// should be a list and is none.
pub(super) fn listed<'h>(kind: Kind, operation: &Operation<'h>) -> Option<Result<&'h [Value], &'h Value>> {
    let is_list = match (kind, operation.f()) {
        (Kind::Elements, f) => f == "read" || f == "replica-read",
        (Kind::Queue, f) => f == "replica-read",
        _ => false,
    };
    let result = operation.result().filter(|_| is_list && operation.outcome() == Outcome::Ok)?;
    Some(match result {
        Value::Null => Ok(&[]),
        Value::Array(elements) => Ok(elements),
        other => Err(other),
    })
}

/// What an operation of a register writes, null to delete.
pub(super) fn written<'h>(operation: &Operation<'h>) -> Option<&'h Value> {
    match operation.f() {
        "write" => Some(operation.argument()),
        "cas" => operation.argument().get(1),
        _ => None,
    }
}

/// The steps of a transaction: `r` or `w`, the register, the value. What is none is passed over.
fn steps(value: &Value) -> impl Iterator<Item = (&str, &Value, &Value)> {
    value.as_array().into_iter().flatten().filter_map(parts)
}

fn parts(step: &Value) -> Option<(&str, &Value, &Value)> {
    match step.as_array()?.as_slice() {
        [Value::String(kind), register, value] => Some((kind, register, value)),
        _ => None,
    }
}
