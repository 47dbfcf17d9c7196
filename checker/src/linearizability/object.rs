//! One object's history, normalised: what each operation says about a register.
//!
//! The contract's table for `register` and `cas-register` is applied here and nowhere else. What says
//! nothing (a failed write, a read that never returned, an eventual read) is left out; writes that failed
//! for certain are remembered apart, because a value that was seen although its write failed is worth a
//! name. Values are interned, so that the engines compare numbers.

use std::collections::HashMap;

use serde_json::Value;

use crate::history::hash::Fast;
use crate::history::{Key, Operation, Outcome};
use crate::model::register::{ABSENT, Symbol};

/// What an operation says, with its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// It returned this value.
    Read(Symbol),
    /// It wrote `new`; the server may have said what it replaced.
    Write { new: Symbol, replaced: Option<Symbol> },
    /// It wrote `new` on the condition that `old` was in force.
    Cas { old: Symbol, new: Symbol, replaced: Option<Symbol> },
    /// It did not write `new`, since something else than `old` was in force; the server may have said what.
    Refused { old: Symbol, new: Symbol, met: Option<Symbol> },
}

impl Action {
    /// The value that it wrote.
    pub(crate) fn wrote(self) -> Option<Symbol> {
        match self {
            Self::Write { new, .. } | Self::Cas { new, .. } => Some(new),
            Self::Read(_) | Self::Refused { .. } => None,
        }
    }

    /// The value that it says was in force.
    pub(crate) fn saw(self) -> Option<Symbol> {
        match self {
            Self::Read(value) => Some(value),
            Self::Write { replaced, .. } => replaced,
            Self::Cas { old, replaced, .. } => Some(replaced.unwrap_or(old)),
            Self::Refused { met, .. } => met,
        }
    }
}

/// An operation that says something.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    /// Its place in [`Object::ops`].
    pub(crate) op: usize,
    /// The moment of its invocation, from 1.
    pub(crate) call: u32,
    /// The moment of its completion; none where it is indeterminate.
    pub(crate) ret: Option<u32>,
    /// What it says. Indeterminate operations never saw anything.
    pub(crate) action: Action,
}

impl Entry {
    /// The value that it certainly saw.
    pub(crate) fn saw(&self) -> Option<Symbol> {
        self.ret.and_then(|_| self.action.saw())
    }

    /// Whether it ended before the other began.
    pub(crate) fn precedes(&self, other: &Self) -> bool {
        self.ret.is_some_and(|ret| ret < other.call)
    }
}

/// The history of one object.
#[derive(Debug)]
pub(crate) struct Object<'h> {
    /// Whose; none where events carry no key.
    pub(crate) key: Option<&'h Key>,
    /// Its operations, in order of invocation.
    pub(crate) ops: Vec<Operation<'h>>,
    /// Those that say something, in the same order.
    pub(crate) entries: Vec<Entry>,
    /// The interned values; [`ABSENT`] comes first.
    pub(crate) values: Vec<&'h Value>,
    /// Writes that certainly failed: the operation and its value.
    pub(crate) failed: Vec<(usize, Symbol)>,
}

/// Why a history cannot be judged as that of a register. Every message names the event by its `index`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// A function that the model does not have.
    #[error(
        "event {index}: the `{model}` model has no function `{f}`; choose the model that fits with --model"
    )]
    UnknownFunction {
        /// The invocation.
        index: u64,
        /// Its function.
        f: String,
        /// The model that was asked for.
        model: &'static str,
    },
    /// An argument of the wrong shape.
    #[error("event {index}: the value of `cas` must be [old, new], not {found}")]
    NotAPair {
        /// The invocation.
        index: u64,
        /// What was there.
        found: String,
    },
    /// The history is longer than the checker can number.
    #[error("the history has more than {max} events; split it by key or by time")]
    TooLong {
        /// The greatest number of events.
        max: u32,
    },
}

static NULL: Value = Value::Null;

/// Interns values. Whole numbers, which nearly all written values are, are found by themselves; what else
/// there is goes through the hash of a JSON value. No value is both, and `1` is not `1.0`.
struct Interner<'h> {
    numbers: HashMap<u64, Symbol, Fast>,
    others: HashMap<&'h Value, Symbol, Fast>,
    values: Vec<&'h Value>,
}

impl<'h> Interner<'h> {
    fn new() -> Self {
        debug_assert_eq!(ABSENT, 0, "null is the first value");
        Self { numbers: HashMap::default(), others: HashMap::default(), values: vec![&NULL] }
    }

    fn symbol(&mut self, value: &'h Value) -> Symbol {
        let values = &mut self.values;
        let next = || {
            values.push(value);
            // There are at most three values an event, and events are numbered in 32 bits less a few.
            Symbol::try_from(values.len() - 1).unwrap_or(Symbol::MAX)
        };
        match value.as_u64() {
            Some(number) => *self.numbers.entry(number).or_insert_with(next),
            None if value.is_null() => ABSENT,
            None => *self.others.entry(value).or_insert_with(next),
        }
    }
}

impl<'h> Object<'h> {
    /// The largest history that can be judged, in events.
    pub(crate) const MAX_EVENTS: u32 = u32::MAX / 4;

    /// Normalises the operations of one key, given in order of invocation.
    pub(crate) fn new(
        model: &'static str,
        key: Option<&'h Key>,
        ops: Vec<Operation<'h>>,
    ) -> Result<Self, InputError> {
        let mut interner = Interner::new();
        let mut entries = Vec::with_capacity(ops.len());
        let mut failed = Vec::new();
        for (op, operation) in ops.iter().enumerate() {
            let Some(action) = action_of(model, operation, &mut |value| interner.symbol(value))? else {
                continue;
            };
            match (operation.outcome(), action) {
                (Outcome::Fail, Action::Refused { new, .. }) => failed.push((op, new)),
                (Outcome::Fail, Action::Write { new, .. } | Action::Cas { new, .. }) => {
                    failed.push((op, new));
                    continue;
                }
                _ => {}
            }
            let ret = if operation.outcome() == Outcome::Info { None } else { operation.ret };
            entries.push(Entry {
                op,
                call: moment(operation.call)?,
                ret: ret.map(moment).transpose()?,
                action,
            });
        }
        Ok(Self { key, ops, entries, values: interner.values, failed })
    }

    /// The operation of an entry.
    pub(crate) fn operation(&self, entry: usize) -> &Operation<'h> {
        &self.ops[self.entries[entry].op]
    }
}

fn moment(position: usize) -> Result<u32, InputError> {
    let max = Object::MAX_EVENTS;
    u32::try_from(position)
        .ok()
        .filter(|&position| position < max)
        .map(|position| position + 1)
        .ok_or(InputError::TooLong { max })
}

/// What one operation says; nothing if it is of no concern. A failed write keeps the value that it did not
/// write, for [`Object::failed`].
pub(crate) fn action_of<'h>(
    model: &'static str,
    operation: &Operation<'h>,
    symbol: &mut impl FnMut(&'h Value) -> Symbol,
) -> Result<Option<Action>, InputError> {
    let outcome = operation.outcome();
    let observed = operation.observed();
    let f = operation.f();
    Ok(match (f, outcome) {
        ("read", Outcome::Ok) if !operation.is_eventual() => {
            operation.result().map(|value| Action::Read(symbol(value)))
        }
        ("read", _) | ("replica-read", _) => None,
        ("write", _) => {
            let new = symbol(operation.argument());
            let replaced = observed.filter(|_| outcome == Outcome::Ok).map(&mut *symbol);
            Some(Action::Write { new, replaced })
        }
        ("cas", _) if model == "cas-register" => {
            let Some([old, new]) = operation.argument().as_array().map(Vec::as_slice) else {
                let found = operation.argument().to_string();
                return Err(InputError::NotAPair { index: operation.index, found });
            };
            let (old, new) = (symbol(old), symbol(new));
            let opaque = operation.error().and_then(Value::as_str) == Some("condition-failed");
            let seen = observed.filter(|_| outcome != Outcome::Info).map(&mut *symbol);
            Some(match outcome {
                Outcome::Fail if seen.is_some() || opaque => Action::Refused { old, new, met: seen },
                Outcome::Ok | Outcome::Fail | Outcome::Info => Action::Cas { old, new, replaced: seen },
            })
        }
        _ => {
            return Err(InputError::UnknownFunction { index: operation.index, f: f.to_owned(), model });
        }
    })
}
