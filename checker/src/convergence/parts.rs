//! What each session does in each life of a key, numbered.
//!
//! A check keeps something for every such part of a history, and asks for it at every operation. The parts of one life
//! have numbers next to each other, so what is kept for them lies together.

use super::groups::Groups;
use super::order::{Act, Book, Place};

/// No part.
pub(super) const NONE: u32 = u32::MAX;

/// The parts of a history.
#[derive(Debug)]
pub(super) struct Parts {
    /// Of each operation, its part, or [`NONE`].
    pub(super) of: Vec<u32>,
    /// Of each part, its session and its life: in the order of the lives, and in each in that of the sessions.
    pub(super) owners: Vec<(u32, u32)>,
    /// Of each life, its first part; and behind them all, their number.
    first: Vec<u32>,
}

impl Parts {
    /// Numbers the parts in which anything was answered; `life` says of which life an answer tells. Linear, but for
    /// sorting the sessions of each life.
    pub(super) fn new(book: &Book<'_>, life: impl Fn(Place) -> Option<u32>) -> Self {
        let answers =
            book.entries.iter().zip(0..).filter(|(entry, _)| entry.is_ok() && entry.act != Act::Other);
        let answers: Vec<_> =
            answers.filter_map(|(entry, place)| Some((life(place)?, (entry.session, place)))).collect();
        let mut parts = Self {
            of: vec![NONE; book.entries.len()],
            owners: Vec::new(),
            first: Vec::with_capacity(book.lives()),
        };
        for (life, answers) in (0..).zip(Groups::new(book.lives(), &answers).sorted().iter()) {
            parts.first.push(parts.owners.len() as u32);
            for of_session in answers.chunk_by(|(one, _), (other, _)| one == other) {
                for &(_, place) in of_session {
                    parts.of[place as usize] = parts.owners.len() as u32;
                }
                parts.owners.extend(of_session.first().map(|&(session, _)| (session, life)));
            }
        }
        parts.first.push(parts.owners.len() as u32);
        parts
    }

    /// Of each operation that has a part: the operation, and its part.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Place, u32)> {
        (0..).zip(self.of.iter().copied()).filter(|&(_, part)| part != NONE)
    }

    /// Of each operation that has a part: the life that it tells of.
    pub(super) fn lives(&self) -> impl Iterator<Item = u32> {
        self.iter().map(|(_, part)| self.owners[part as usize].1)
    }

    /// The part of a session in a life. Logarithmic in the sessions of the life.
    pub(super) fn find(&self, session: u32, life: u32) -> Option<u32> {
        let first = *self.first.get(life as usize)?;
        let of_life = self.owners.get(first as usize..*self.first.get(life as usize + 1)? as usize)?;
        let at = of_life.binary_search_by_key(&session, |&(session, _)| session).ok()?;
        Some(first + at as u32)
    }
}
