//! The contract's table for registers (section 4), and what weakening leaves of it (section 5).
//!
//! | operation and outcome | needs | sets |
//! |---|---|---|
//! | `read`, ok → v | v | nothing |
//! | `write` v, ok or info | anything; what it `observed`, where an ok one says so | v |
//! | `cas` [e, v], ok or info | e; and what it `observed`, where an ok one says so | v |
//! | `cas` [e, v], fail, met o | o, which must not be e | nothing |
//! | `cas` [e, v], fail, `condition-failed` and nothing observed | anything but e | nothing |
//! | anything else that failed, a read without an answer, an eventual read | says nothing | |
//!
//! Operations that ended with `info`, or never, may happen; those that say something otherwise, must. A
//! history that has been validated has no other function and no other shape of argument; what is met all
//! the same says nothing here.

use serde_json::Value;

use crate::history::{Operation, Outcome};

/// What must be in force where an operation takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need<'h> {
    /// Anything will do.
    Any,
    /// Exactly this.
    Is(&'h Value),
    /// Anything but this.
    Not(&'h Value),
    /// Nothing will do: the answer contradicts itself.
    Never,
}

impl Need<'_> {
    /// Whether it is met where `state` is in force.
    pub(super) fn is_met(self, state: &Value) -> bool {
        match self {
            Self::Any => true,
            Self::Is(value) => state == value,
            Self::Not(value) => state != value,
            Self::Never => false,
        }
    }
}

/// What an operation does to the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Effect<'h> {
    /// What it needs.
    pub(super) need: Need<'h>,
    /// What it leaves; none where nothing changes.
    pub(super) sets: Option<&'h Value>,
}

/// What an operation says with its answer; none if it says nothing.
pub(super) fn recorded<'h>(operation: &Operation<'h>) -> Option<Effect<'h>> {
    let outcome = operation.outcome();
    let observed = operation.observed();
    let replaced = observed.filter(|_| outcome == Outcome::Ok);
    match (operation.f(), outcome) {
        ("read", Outcome::Ok) if !operation.is_eventual() => {
            Some(Effect { need: Need::Is(operation.result()?), sets: None })
        }
        ("write", Outcome::Ok | Outcome::Info) => {
            Some(Effect { need: replaced.map_or(Need::Any, Need::Is), sets: Some(operation.argument()) })
        }
        ("cas", Outcome::Ok | Outcome::Info) => {
            let (old, new) = condition(operation)?;
            let agrees = replaced.is_none_or(|replaced| replaced == old);
            Some(Effect { need: if agrees { Need::Is(old) } else { Need::Never }, sets: Some(new) })
        }
        ("cas", Outcome::Fail) => {
            let (old, _) = condition(operation)?;
            let refused = operation.error().and_then(Value::as_str) == Some("condition-failed");
            let need = match observed {
                Some(met) if met == old => Need::Never,
                Some(met) => Need::Is(met),
                None if refused => Need::Not(old),
                None => return None,
            };
            Some(Effect { need, sets: None })
        }
        _ => None,
    }
}

/// What is left of an operation that was weakened: a write still does what it did, condition included.
pub(super) fn weakened<'h>(operation: &Operation<'h>) -> Option<Effect<'h>> {
    match (operation.f(), operation.outcome()) {
        ("write", Outcome::Ok | Outcome::Info) => {
            Some(Effect { need: Need::Any, sets: Some(operation.argument()) })
        }
        ("cas", Outcome::Ok | Outcome::Info) => {
            let (old, new) = condition(operation)?;
            Some(Effect { need: Need::Is(old), sets: Some(new) })
        }
        _ => None,
    }
}

fn condition<'h>(operation: &Operation<'h>) -> Option<(&'h Value, &'h Value)> {
    match operation.argument().as_array().map(Vec::as_slice) {
        Some([old, new]) => Some((old, new)),
        _ => None,
    }
}
