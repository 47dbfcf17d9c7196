//! The shortest way from a cause to its effect.
//!
//! A search in breadth, backwards from the effect. One step of session order leads to any earlier operation of
//! the session, so a way names only the operations that matter. Each operation is looked at once: of each
//! session it is known up to where its operations have been reached. O(n) for a search.

use std::collections::{HashMap, VecDeque};

use super::NONE;
use crate::convergence::order::{Book, Entry, Place};
use crate::history::hash::Fast;

/// How one operation leads to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The same session went on.
    Session,
    /// The value that was written was read.
    Read,
    /// The version that was written was superseded.
    Version,
}

/// An operation of a way, and how the one before it led to it.
pub(super) type Hop = (Step, Place);

/// What is before what.
pub(super) struct Pasts<'b, 'h> {
    pub(super) book: &'b Book<'h>,
    pub(super) causes: &'b [Place],
    /// Of each session, its answered operations.
    pub(super) lines: Vec<Vec<Place>>,
}

impl<'b, 'h> Pasts<'b, 'h> {
    /// The write that a read shows, if it was invoked before the read ended.
    pub(super) fn cause(&self, read: Place) -> Option<Place> {
        let cause = self.causes[read as usize];
        let known = cause != NONE && self.book.entry_at(cause).call < self.book.entry_at(read).end;
        known.then_some(cause)
    }

    /// The shortest way to `effect` from an operation that is wanted, both included; `superseded` gives the
    /// writes that a write comes after in version order. The first hop's step says nothing.
    pub(super) fn way<I: IntoIterator<Item = Place>>(
        &self,
        effect: Place,
        superseded: impl Fn(Place) -> I,
        wanted: impl Fn(Place) -> bool,
    ) -> Option<Vec<Hop>> {
        // Of each operation that was reached: the one that it leads to, and how.
        let mut reached: HashMap<Place, Hop, Fast> = HashMap::default();
        let mut lines: HashMap<u32, u32, Fast> = HashMap::default();
        let (mut queue, mut found) = (VecDeque::from([effect]), Vec::new());
        while let Some(place) = queue.pop_front() {
            found.extend(self.cause(place).map(|cause| (Step::Read, cause)));
            let &Entry { session, before, .. } = self.book.entry_at(place);
            let until = lines.entry(session).or_insert(0);
            for at in *until..before {
                found.push((Step::Session, self.lines[session as usize][at as usize]));
            }
            *until = before.max(*until);
            found.extend(superseded(place).into_iter().map(|write| (Step::Version, write)));
            for (step, earlier) in found.drain(..) {
                if reached.contains_key(&earlier) {
                    continue;
                }
                reached.insert(earlier, (step, place));
                if wanted(earlier) {
                    return Some(unwind(&reached, earlier, effect));
                }
                queue.push_back(earlier);
            }
        }
        None
    }
}

fn unwind(reached: &HashMap<Place, Hop, Fast>, from: Place, effect: Place) -> Vec<Hop> {
    let mut way = vec![(Step::Session, from)];
    let mut at = from;
    while let Some(&hop) = reached.get(&at).filter(|_| at != effect || way.len() == 1) {
        way.push(hop);
        at = hop.1;
    }
    way
}
