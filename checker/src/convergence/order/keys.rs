//! What a book knows of a key beside its operations: the numbers of its actors, and when it was deleted.

use std::collections::HashMap;

use crate::history::Name;
use crate::history::hash::Fast;
use crate::history::name::{Letters, letters};

/// The actors of all keys, numbered.
#[derive(Debug, Default)]
pub(super) struct Actors<'h> {
    /// By key, and the letters of a short name, as nearly all are: nothing has to be looked up to compare them.
    short: HashMap<(u32, Letters), u32, Fast>,
    long: HashMap<(u32, &'h str), u32, Fast>,
    pub(super) names: Vec<&'h str>,
    /// Of each key, those that were met last: the next answer nearly always names the same ones.
    recent: Vec<Recent>,
}

/// So many actors of a key are at hand, as many as most keys have replicas.
const RECENT: usize = 3;

/// Some actors of one key.
#[derive(Debug, Clone, Copy, Default)]
struct Recent {
    known: [Option<Met>; RECENT],
    next: u8,
}

/// An actor that was met.
#[derive(Debug, Clone, Copy)]
struct Met {
    number: u32,
    letters: Letters,
    /// Where its name was kept, if it was a [`Name`]: to find it there again, no text has to be looked at.
    address: Option<usize>,
}

impl<'h> Actors<'h> {
    /// The number of the actor of a key with this name.
    pub(super) fn named(&mut self, key: u32, name: &'h Name) -> u32 {
        let address = name.address();
        let recent = self.recent.get(key as usize).map(|recent| recent.known).unwrap_or_default();
        let met = recent.into_iter().flatten().find(|met| met.address == Some(address));
        met.map_or_else(|| self.number(key, name, Some(address)), |met| met.number)
    }

    /// The number of the actor of a key with this name, which may be kept somewhere as a [`Name`].
    pub(super) fn number(&mut self, key: u32, name: &'h str, address: Option<usize>) -> u32 {
        let next = self.names.len() as u32;
        let number = match letters(name) {
            Some(letters) => self.short(key, letters, address),
            None => *self.long.entry((key, name)).or_insert(next),
        };
        if number == next {
            self.names.push(name);
        }
        number
    }

    fn short(&mut self, key: u32, letters: Letters, address: Option<usize>) -> u32 {
        if self.recent.len() <= key as usize {
            self.recent.resize(key as usize + 1, Recent::default());
        }
        let Recent { known, next } = &mut self.recent[key as usize];
        if let Some(met) = known.iter_mut().flatten().find(|met| met.letters == letters) {
            met.address = address.or(met.address);
            return met.number;
        }
        let number = *self.short.entry((key, letters)).or_insert(self.names.len() as u32);
        known[usize::from(*next)] = Some(Met { number, letters, address });
        *next = (*next + 1) % RECENT as u8;
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
