//! Of what kind an operation is, for the rates that checks report.

use super::Act;
use crate::history::Operation;

/// How operations were asked, for rates: `write`, and of reads what they promise and the way they took:
/// `eventual`, `strong`, `eventual query`, ….
#[derive(Debug, Default)]
pub(crate) struct Kinds<'h> {
    /// Whether it promises no more than eventual consistency, and the way. In the order of their first reads.
    known: Vec<(bool, Option<&'h str>)>,
}

impl<'h> Kinds<'h> {
    /// The number of writes.
    const WRITE: u16 = 0;

    /// The number of an operation's kind, from 0. There are few, so they are looked through.
    pub(super) fn of(&mut self, operation: &Operation<'h>, act: Act) -> u16 {
        if act != Act::Read {
            return Self::WRITE;
        }
        let kind = (operation.is_eventual(), operation.via().filter(|&via| via != "get"));
        let at = self.known.iter().position(|&known| known == kind).unwrap_or_else(|| {
            self.known.push(kind);
            self.known.len() - 1
        });
        u16::try_from(at + 1).unwrap_or(u16::MAX)
    }

    /// The name of a number.
    pub(crate) fn name(&self, kind: usize) -> String {
        let Some(&(eventual, via)) = kind.checked_sub(1).and_then(|at| self.known.get(at)) else {
            return "write".to_owned();
        };
        let promise = if eventual { "eventual" } else { "strong" };
        via.map_or_else(|| promise.to_owned(), |via| format!("{promise} {via}"))
    }
}
