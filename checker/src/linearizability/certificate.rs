//! Certificates: the few operations that prove a violation.
//!
//! What a certificate is, the contract says (section 5): the history stays non-linearizable when every
//! operation outside it is weakened, and becomes linearizable when any member is weakened too. Weakening
//! only ever allows more, so the first half is monotone: what is refuted stays so with more operations at
//! full strength. That makes greedy deletion right (it is the minimising half of Zeller and Hildebrandt's
//! delta debugging, 2002): one pass that tries every member once leaves an irreducible set.
//!
//! The search starts where the engine got stuck. A violation is mostly between operations that ended around
//! that moment and operations, from whatever time, that concern the values that the engine was stuck with.
//! So operations of both sorts are taken alternately, the nearest first, twice as many each time, until they
//! are enough. Of those and some more, what ended last is left out first: the story is that of the first
//! answer that was wrong, not of the confusion after it.

use super::general::{Answer, END, Limits};
use super::object::Object;
use super::problem::Solution;
use super::weaken::Weakening;
use crate::model::register::Symbol;

/// The operations that prove a violation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Certificate {
    /// Places of the entries, in order of invocation.
    pub(crate) entries: Vec<usize>,
    /// Whether every member was shown to be necessary; not so if the budget ended first.
    pub(crate) irreducible: bool,
}

/// What share of the object's budget one attempt may use: attempts are many, and most are small.
const ATTEMPT_SHARE: u64 = 8;

/// Among this many times as many operations as were enough, those that are refuted first are looked for.
const NEIGHBOURHOOD: usize = 8;

/// A certificate of this size is small enough to be read: no other order of deletion is tried.
const READABLE: usize = 12;

/// Objects with more entries than this are not searched as a whole again.
const SMALL_OBJECT: usize = 4_000;

/// How many orders of deletion are tried otherwise.
const ROUNDS: usize = 8;

/// Finds a certificate for an object that is not linearizable. The engine got stuck `at` this moment, with
/// values that are its `clues`.
pub(crate) fn find(object: &Object<'_>, at: u32, clues: &[Symbol], limits: Limits) -> Certificate {
    let mut search = Minimiser { history: Weakening::new(object), limits, decided: true };
    let enough = search.enough(at, clues);
    let whole: Vec<usize> = (0..object.entries.len()).collect();
    let mut best: Option<Certificate> = None;
    for round in 0..ROUNDS {
        // Every other round begins with the whole object: the first moment may be the hardest to tell.
        let from = if round % 2 == 1 && whole.len() <= SMALL_OBJECT { &whole } else { &enough };
        let mut entries = reordered(from, round / 2);
        search.shrink(&mut entries);
        entries.sort_unstable();
        let found = Certificate { entries, irreducible: search.decided };
        // An irreducible set is not always a smallest one: another order of deletion may leave fewer.
        let better = |best: &Certificate| {
            (!found.irreducible, found.entries.len()) < (!best.irreducible, best.entries.len())
        };
        if best.as_ref().is_none_or(better) {
            best = Some(found);
        }
        if best.as_ref().is_some_and(|best| best.entries.len() <= READABLE) {
            break;
        }
    }
    best.unwrap_or(Certificate { entries: enough, irreducible: false })
}

/// The entries in another order for each round, the same in every run.
fn reordered(entries: &[usize], round: usize) -> Vec<usize> {
    let mut order = entries.to_vec();
    if round > 0 {
        // A stride through the list; what is equally far stays in order.
        order.sort_by_key(|at| (at * (2 * round + 1)) % entries.len().max(1));
    }
    if round % 2 == 1 {
        order.reverse();
    }
    order
}

struct Minimiser<'o, 'h> {
    history: Weakening<'o, 'h>,
    /// What is left of the budget.
    limits: Limits,
    /// Whether every attempt of this pass was decided.
    decided: bool,
}

impl Minimiser<'_, '_> {
    /// Whether these entries alone, everything else weakened, are refuted.
    fn proves(&mut self, members: &[usize]) -> bool {
        let attempt = Limits { steps: self.limits.steps / ATTEMPT_SHARE, ..self.limits };
        let Solution { answer, steps, .. } = self.history.problem(members).solve(attempt);
        self.limits.steps -= steps.min(self.limits.steps);
        self.decided &= !matches!(answer, Answer::Unknown { .. });
        matches!(answer, Answer::Not { .. })
    }

    /// Entries that are refuted with everything else weakened.
    fn enough(&mut self, at: u32, clues: &[Symbol]) -> Vec<usize> {
        let entries = &self.history.object.entries;
        let mut nearest: Vec<usize> = (0..entries.len()).collect();
        nearest.sort_by_key(|&entry| entries[entry].ret.unwrap_or(entries[entry].call).abs_diff(at));
        let concerns = |&&entry: &&usize| {
            let action = entries[entry].action;
            [action.saw(), action.wrote()].into_iter().flatten().any(|value| clues.contains(&value))
        };
        let mut related = nearest.iter().filter(concerns);
        let mut listed = vec![false; entries.len()];
        let mut order = Vec::with_capacity(entries.len());
        for &near in &nearest {
            for entry in [Some(near), related.next().copied()].into_iter().flatten() {
                if !std::mem::replace(&mut listed[entry], true) {
                    order.push(entry);
                }
            }
        }
        let mut count = 1;
        while count < order.len() && !self.proves(&order[..count]) {
            count *= 2;
        }
        order.truncate(count.saturating_mul(NEIGHBOURHOOD));
        self.until_refuted(order)
    }

    /// Of entries that are enough, the shortest run of those that ended first.
    fn until_refuted(&mut self, mut entries: Vec<usize>) -> Vec<usize> {
        let end = |&entry: &usize| self.history.object.entries[entry].ret.unwrap_or(END);
        entries.sort_by_key(end);
        let (mut low, mut high) = (0, entries.len());
        while low + 1 < high {
            let middle = low.midpoint(high);
            if self.proves(&entries[..middle]) {
                high = middle;
            } else {
                low = middle;
            }
        }
        entries.truncate(high);
        // Those that ended last are what it hangs on: they are the last to be left out.
        entries.reverse();
        entries
    }

    /// Leaves out what can be left out: large chunks first, then one by one.
    fn shrink(&mut self, members: &mut Vec<usize>) {
        let mut chunk = members.len().div_ceil(2);
        loop {
            // The last pass tries each by itself, and what it keeps was necessary.
            self.decided = true;
            // Those farthest from the violation are tried first.
            let mut end = members.len();
            while end > 0 {
                let start = end.saturating_sub(chunk);
                let rest: Vec<usize> = members[..start].iter().chain(&members[end..]).copied().collect();
                if self.proves(&rest) {
                    *members = rest;
                }
                end = start;
            }
            if chunk <= 1 {
                return;
            }
            chunk = chunk.min(members.len()).div_ceil(2);
        }
    }
}
