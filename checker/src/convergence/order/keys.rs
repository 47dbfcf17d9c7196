//! What a book knows of a key beside its operations: the numbers of its actors, and when it was deleted.

use std::collections::HashMap;

use crate::history::hash::Fast;
use crate::history::name::{Letters, letters};

/// The actors of all keys, numbered.
#[derive(Debug, Default)]
pub(super) struct Actors<'h> {
    /// By key, and the letters of a short name, as nearly all are: nothing has to be looked up to compare them.
    short: HashMap<(u32, Letters), u32, Fast>,
    long: HashMap<(u32, &'h str), u32, Fast>,
    pub(super) names: Vec<&'h str>,
}

impl<'h> Actors<'h> {
    pub(super) fn number(&mut self, key: u32, name: &'h str) -> u32 {
        let next = self.names.len() as u32;
        let number = match letters(name) {
            Some(letters) => *self.short.entry((key, letters)).or_insert(next),
            None => *self.long.entry((key, name)).or_insert(next),
        };
        if number == next {
            self.names.push(name);
        }
        number
    }
}

/// The deletes of one key, in order of invocation, each with the latest end of those up to it.
#[derive(Debug, Default)]
pub(super) struct Deletes(Vec<(u32, u32)>);

impl Deletes {
    pub(super) fn push(&mut self, call: u32, end: u32) {
        let latest = self.0.last().map_or(0, |&(_, latest)| latest);
        self.0.push((call, end.max(latest)));
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one began before `before` and had not ended before `since`.
    pub(super) fn any(&self, since: u32, before: u32) -> bool {
        self.last_end(before) > since
    }

    /// The latest end of those that began before a position; 0 if there are none.
    pub(super) fn last_end(&self, before: u32) -> u32 {
        let begun = self.0.partition_point(|&(call, _)| call < before);
        begun.checked_sub(1).map_or(0, |last| self.0[last].1)
    }
}
