//! Who may have brought a value: what of that can be looked up at once.

use std::collections::HashMap;

use serde_json::Value;

use crate::history::hash::Fast;
use crate::history::{Event, Extra, Operation, Outcome};

/// Where an operation is invoked that never is.
pub(super) const NEVER: u32 = u32::MAX;

/// Who may have brought one value into one object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'h> {
    /// Where the first operation was invoked that brings it, and did not certainly fail.
    pub(super) call: u32,
    /// Where the first one was invoked that would have brought it, and certainly failed.
    pub(super) failed: u32,
    /// What the first of the former was answered of versions, if it was.
    pub(super) answer: Option<&'h Extra>,
}

impl Source<'_> {
    /// Of what nobody ever tried to bring.
    pub(super) const NONE: Self = Self { call: NEVER, failed: NEVER, answer: None };

    /// Whether an answer that came at this position may show it.
    pub(super) fn explains(&self, end: u32) -> bool {
        self.call < end
    }
}

/// The sources of all values. Whole numbers, which nearly all are, are found by themselves.
#[derive(Debug, Default)]
pub(super) struct Sources<'h> {
    numbers: HashMap<(u32, u64), Source<'h>, Fast>,
    others: HashMap<(u32, &'h Value), Source<'h>, Fast>,
}

impl<'h> Sources<'h> {
    /// Takes in an operation that brings a value into an object. They come in the order of their invocations.
    pub(super) fn add(&mut self, object: u32, value: &'h Value, operation: &Operation<'h>) {
        let source = match value.as_u64() {
            Some(number) => self.numbers.entry((object, number)).or_insert(Source::NONE),
            None => self.others.entry((object, value)).or_insert(Source::NONE),
        };
        let call = position(operation.call);
        if operation.outcome() == Outcome::Fail {
            source.failed = source.failed.min(call);
        } else if source.call == NEVER {
            source.call = call;
            let answer = operation.completion.filter(|_| operation.outcome() == Outcome::Ok);
            source.answer = answer.map(Event::extra);
        }
    }

    /// The source of a value in an object.
    pub(super) fn of(&self, object: u32, value: &Value) -> Source<'h> {
        let source = match value.as_u64() {
            Some(number) => self.numbers.get(&(object, number)),
            None => self.others.get(&(object, value)),
        };
        source.copied().unwrap_or(Source::NONE)
    }
}

/// A position of the history as a small number.
pub(super) fn position(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(NEVER)
}
