//! Where can a value have come from? From nobody, from a write that certainly failed, or from one that had not
//! been invoked yet.
//!
//! A value can have been in force by a moment if a write of it was invoked before that moment and did not
//! certainly fail, and if what that write asks for can have been in force too. What was seen although it cannot
//! have been there is one of three things:
//!
//! - [`Origin::Aborted`]: it can have been there if writes that certainly failed count as well, of those invoked
//!   before that moment;
//! - [`Origin::Future`]: else, it can if writes invoked later count as well;
//! - [`Origin::Nobody`]: else. No write of it was ever tried, or only one that failed and came too late.
//!
//! Each question takes one pass over the writes, and is asked only of a member whose value no plain write brings.

use std::collections::{HashMap, HashSet};

use super::Case;
use crate::history::hash::Fast;
use crate::linearizability::object::{Action, Entry};
use crate::model::register::{ABSENT, Symbol};

/// What became of the write of a value that cannot have been in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::linearizability) enum Origin {
    /// Nobody wrote it.
    Nobody,
    /// This operation (not an entry) would have, and certainly failed.
    Aborted { failed: usize },
    /// This entry wrote it, later.
    Future { writer: usize },
}

/// A value that was seen although it cannot have been in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::linearizability) struct Unwritten {
    /// The entry that saw it, or saw what can only have been written over it.
    pub(in crate::linearizability) seer: usize,
    /// The value.
    pub(in crate::linearizability) root: Symbol,
    /// What became of its write.
    pub(in crate::linearizability) origin: Origin,
}

/// Which values writes bring, and over which.
#[derive(Default)]
struct Ways {
    /// Values that are written whatever is there.
    free: Vec<Symbol>,
    /// What conditional writes ask for, and what they write.
    steps: Vec<(Symbol, Symbol)>,
}

type Values = HashSet<Symbol, Fast>;

impl Ways {
    fn of<'e>(entries: impl Iterator<Item = &'e Entry>) -> Self {
        let mut ways = Self::default();
        for entry in entries {
            match entry.action {
                Action::Write { new, .. } => ways.free.push(new),
                Action::Cas { old, new, .. } => ways.steps.push((old, new)),
                Action::Read(_) | Action::Refused { .. } => {}
            }
        }
        ways
    }

    /// The values that can have been in force.
    fn values(&self) -> Values {
        reach(self.free.iter().copied().chain([ABSENT]), self.steps.iter().copied())
    }

    /// The values from which conditional writes lead to this one, and itself.
    fn leading_to(&self, value: Symbol) -> Values {
        reach([value], self.steps.iter().map(|&(old, new)| (new, old)))
    }
}

/// What can be reached over these steps.
fn reach(from: impl IntoIterator<Item = Symbol>, steps: impl Iterator<Item = (Symbol, Symbol)>) -> Values {
    let mut next: HashMap<Symbol, Vec<Symbol>, Fast> = HashMap::default();
    steps.for_each(|(from, to)| next.entry(from).or_default().push(to));
    let mut reached: Values = from.into_iter().collect();
    let mut open: Vec<Symbol> = reached.iter().copied().collect();
    while let Some(value) = open.pop() {
        open.extend(next.get(&value).into_iter().flatten().filter(|&&to| reached.insert(to)));
    }
    reached
}

impl Case<'_, '_> {
    /// The first member that saw what cannot have been there.
    pub(super) fn unwritten(&self) -> Option<Unwritten> {
        self.members.iter().find_map(|&seer| self.origin_of_what_was_seen_by(seer))
    }

    fn origin_of_what_was_seen_by(&self, seer: usize) -> Option<Unwritten> {
        let (saw, ret) = (self.entry(seer).saw()?, self.entry(seer).ret?);
        let in_time = |entry: &&Entry| entry.call < ret;
        let is_plain = |at: usize| matches!(self.entry(at).action, Action::Write { .. });
        if saw == ABSENT || self.writers(saw).any(|at| is_plain(at) && self.entry(at).call < ret) {
            return None;
        }
        let known = Ways::of(self.object.entries.iter().take_while(in_time));
        let there = known.values();
        if there.contains(&saw) {
            return None;
        }
        let before = known.leading_to(saw);
        let was_tried = |&&(op, value): &&(usize, Symbol)| {
            before.contains(&value) && (self.object.ops[op].call as u64) + 1 < u64::from(ret)
        };
        // Of several, the last one that was tried before the answer came.
        if let Some(&(failed, root)) = self.object.failed.iter().rfind(was_tried) {
            return Some(Unwritten { seer, root, origin: Origin::Aborted { failed } });
        }
        let all = Ways::of(self.object.entries.iter());
        if all.values().contains(&saw) {
            let before = all.leading_to(saw);
            let brings = |at: &usize| self.entry(*at).action.wrote().is_some_and(|new| before.contains(&new));
            let is_late = |at: &usize| self.entry(*at).call > ret;
            let all = || (0..self.object.entries.len()).filter(is_late);
            let writer = self.writers(saw).find(is_late).or_else(|| all().find(brings))?;
            let root = self.entry(writer).action.wrote()?;
            return Some(Unwritten { seer, root, origin: Origin::Future { writer } });
        }
        // Conditional writes that only lead to each other have no root: they are another contradiction.
        let is_root = |value: &Symbol| before.contains(value) && self.writers(*value).next().is_none();
        let root = self
            .chain(saw)
            .into_iter()
            .find(is_root)
            .or_else(|| before.iter().copied().filter(is_root).min())?;
        Some(Unwritten { seer, root, origin: Origin::Nobody })
    }
}
