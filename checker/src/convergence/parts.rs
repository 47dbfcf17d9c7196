//! What each session does in each life of a key, numbered.
//!
//! A check keeps something for every such part of a history, and asks for it at every operation. All are numbered in a
//! pass of its own, which does not wait for one look-up after the other.

use std::collections::HashMap;

use super::order::{Act, Book, Place};
use crate::history::hash::Fast;

/// No part.
pub(super) const NONE: u32 = u32::MAX;

/// The parts of a history.
#[derive(Debug)]
pub(super) struct Parts {
    /// Of each operation, its part, or [`NONE`].
    pub(super) of: Vec<u32>,
    /// Of each part, its session and its life.
    pub(super) owners: Vec<(u32, u32)>,
    known: HashMap<(u32, u32), u32, Fast>,
}

impl Parts {
    /// Numbers the parts in the order of their first answered operations; `life` says of which life one tells.
    pub(super) fn new(book: &Book<'_>, life: impl Fn(Place) -> Option<u32>) -> Self {
        let mut parts =
            Self { of: vec![NONE; book.entries.len()], owners: Vec::new(), known: HashMap::default() };
        for (place, entry) in (0..).zip(&book.entries) {
            if !entry.is_ok() || entry.act == Act::Other {
                continue;
            }
            let Some(life) = life(place) else { continue };
            let owner = (entry.session, life);
            parts.of[place as usize] = *parts.known.entry(owner).or_insert_with(|| {
                parts.owners.push(owner);
                (parts.owners.len() - 1) as u32
            });
        }
        parts
    }

    /// The part of a session in a life.
    pub(super) fn find(&self, session: u32, life: u32) -> Option<u32> {
        self.known.get(&(session, life)).copied()
    }
}
