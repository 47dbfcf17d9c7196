//! Certificates: the few operations that prove a violation.
//!
//! What a certificate is, the contract says (section 5): the history stays non-linearizable when every
//! operation outside it is weakened, and becomes linearizable when any member is weakened too. Weakening
//! only ever allows more, so the first half is monotone: what is refuted stays so with more operations at
//! full strength. That makes greedy deletion right (it is the minimising half of Zeller and Hildebrandt's
//! delta debugging, 2002): one pass that tries every member once leaves an irreducible set.
//!
//! Where the [item](super::item) algorithm names suspects, the search starts with them. Elsewhere it starts
//! where the engine got stuck. A violation is mostly between operations that ended around that moment and
//! operations, from whatever time, that concern the values that the engine was stuck with. So operations of
//! both sorts are taken alternately, the nearest first, twice as many each time, until they are enough. Of
//! those and some more, what ended last is left out first: the story is that of the first answer that was
//! wrong, not of the confusion after it.
//!
//! An irreducible set is not always a smallest one. Among the operations nearest to the violation, every one
//! by itself and every pair are tried too, so that what two operations can show is never shown by three.

use super::general::{Answer, END, Limits};
use super::object::Entry;
use super::problem::{Engine, Solution};
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
const READABLE: usize = 6;

/// Objects with more entries than this are not searched as a whole again.
const SMALL_OBJECT: usize = 4_000;

/// How many entries are looked at before all are.
const VICINITY: usize = 4_096;

/// How many orders of deletion are tried otherwise.
const ROUNDS: usize = 8;

/// Among how many operations nearest to the violation a smaller certificate is looked for.
const NEAREST: usize = 12;

/// Finds a certificate for a history that is not linearizable. It was found out `at` this moment.
pub(crate) fn find(
    history: &mut Weakening<'_, '_>,
    at: u32,
    solution: &Solution,
    engine: Engine,
    limits: Limits,
) -> Certificate {
    let mut search = Minimiser { history, engine, limits, decided: true };
    let suspects: Vec<usize> = solution.suspects.iter().map(|&job| job as usize).collect();
    let mut enough = suspects;
    if enough.is_empty() || !search.proves(&enough) {
        enough = search.enough(at, &solution.clues);
    }
    let found = search.irreducible(&enough);
    search.smaller(at, &enough, found)
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

struct Minimiser<'w, 'o, 'h> {
    history: &'w mut Weakening<'o, 'h>,
    engine: Engine,
    /// What is left of the budget.
    limits: Limits,
    /// Whether every attempt of this pass was decided.
    decided: bool,
}

impl Minimiser<'_, '_, '_> {
    /// Whether these entries alone, everything else weakened, are refuted.
    fn proves(&mut self, members: &[usize]) -> bool {
        let attempt = Limits { steps: self.limits.steps / ATTEMPT_SHARE, ..self.limits };
        let Solution { answer, steps, .. } = self.history.problem(members).solve(self.engine, attempt);
        self.limits.steps -= steps.min(self.limits.steps);
        self.decided &= !matches!(answer, Answer::Unknown { .. });
        matches!(answer, Answer::Not { .. })
    }

    /// An irreducible part of entries that are enough; the smallest of a few, if they are large.
    fn irreducible(&mut self, enough: &[usize]) -> Certificate {
        let whole: Vec<usize> = (0..self.history.object.entries.len()).collect();
        let mut best = Certificate { entries: enough.to_vec(), irreducible: false };
        for round in 0..ROUNDS {
            // Every other round begins with the whole object: the first moment may be the hardest to tell.
            let from = if round % 2 == 1 && whole.len() <= SMALL_OBJECT { &whole } else { enough };
            let mut entries = reordered(from, round / 2);
            self.shrink(&mut entries);
            entries.sort_unstable();
            let found = Certificate { entries, irreducible: self.decided };
            // An irreducible set is not always a smallest one: another order of deletion may leave fewer.
            if round == 0 || found.rank() < best.rank() {
                best = found;
            }
            if best.entries.len() <= READABLE {
                break;
            }
        }
        best
    }

    /// One or two operations that are enough too, if there are such close by, or else what was found.
    fn smaller(&mut self, at: u32, enough: &[usize], found: Certificate) -> Certificate {
        if found.entries.len() <= 1 {
            return found;
        }
        let mut near = self.nearest(at, NEAREST);
        near.extend(enough.iter().copied().take(NEAREST));
        near.sort_unstable();
        near.dedup();
        self.decided = true;
        let single = near.iter().copied().find(|&entry| self.proves(&[entry]));
        let mut pairs =
            near.iter().enumerate().flat_map(|(n, &a)| near[n + 1..].iter().map(move |&b| [a, b]));
        let mut smaller = single.map(|entry| vec![entry]);
        if smaller.is_none() && found.entries.len() > 2 {
            smaller = pairs.find(|pair| self.proves(pair)).map(|pair| pair.to_vec());
        }
        let Some(mut entries) = smaller else { return found };
        entries.sort_unstable();
        Certificate { entries, irreducible: self.decided }
    }

    /// The entries that ended nearest to a moment, the nearest first.
    fn nearest(&self, at: u32, count: usize) -> Vec<usize> {
        let entries = &self.history.object.entries;
        let distance = |entry: &Entry| entry.ret.unwrap_or(entry.call).abs_diff(at);
        let mut nearest: Vec<(u32, usize)> =
            entries.iter().enumerate().map(|(place, entry)| (distance(entry), place)).collect();
        if nearest.len() > count {
            nearest.select_nth_unstable(count);
            nearest.truncate(count);
        }
        nearest.sort_unstable();
        nearest.into_iter().map(|(_, place)| place).collect()
    }

    /// Entries that are refuted with everything else weakened.
    fn enough(&mut self, at: u32, clues: &[Symbol]) -> Vec<usize> {
        let all = self.history.object.entries.len();
        let mut order = self.by_nearness(at, clues, VICINITY);
        let mut count = 1;
        while !self.proves(&order[..count.min(order.len())]) {
            if count >= order.len() {
                if order.len() == all {
                    return order;
                }
                order = self.by_nearness(at, clues, all);
            }
            count *= 2;
        }
        order.truncate(count.saturating_mul(NEIGHBOURHOOD));
        self.until_refuted(order)
    }

    /// The entries that ended nearest to a moment and, in between, those of them that concern the clues.
    fn by_nearness(&self, at: u32, clues: &[Symbol], count: usize) -> Vec<usize> {
        let entries = &self.history.object.entries;
        let nearest = self.nearest(at, count);
        let concerns = |&&entry: &&usize| {
            let action = entries[entry].action;
            [action.saw(), action.wrote()].into_iter().flatten().any(|value| clues.contains(&value))
        };
        let mut related = nearest.iter().filter(concerns);
        let mut listed = vec![false; entries.len()];
        let mut order = Vec::with_capacity(nearest.len());
        for &near in &nearest {
            for entry in [Some(near), related.next().copied()].into_iter().flatten() {
                if !std::mem::replace(&mut listed[entry], true) {
                    order.push(entry);
                }
            }
        }
        order
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

impl Certificate {
    /// The smaller, the better.
    fn rank(&self) -> (bool, usize) {
        (!self.irreducible, self.entries.len())
    }
}
