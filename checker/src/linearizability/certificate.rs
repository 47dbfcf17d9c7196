//! Certificates: the few operations that prove a violation.
//!
//! What a certificate is, the contract says (section 5): the history stays non-linearizable when every
//! operation outside it is weakened, and becomes linearizable when any member is weakened too. So operations
//! that are enough are left out one after the other, as long as the rest is enough ([`super::minimise`]).
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

use std::collections::HashSet;
use std::rc::Rc;

use super::buckets::Buckets;
use super::general::{Answer, END, Limits};
use super::minimise::Minimiser;
use super::object::{Entry, Object};
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

/// A certificate of more operations than this is not looked for again in another order: each order takes as
/// many attempts as there are operations.
const MANY: usize = 64;

/// So many operations near the violation are tried with all writes of a value.
const SOME: usize = 4;

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
    let (object, writers) = (history.object, Rc::clone(&history.writers));
    let minimiser = Minimiser::new(limits, |members: &[usize], limits| {
        let Solution { answer, steps, .. } = history.problem(members).solve(engine, limits);
        (answer, steps)
    });
    let mut search = Search { object, writers, minimiser };
    let suspects: Vec<usize> = solution.suspects.iter().map(|&job| job as usize).collect();
    let mut enough = suspects;
    if enough.is_empty() || !search.minimiser.proves(&enough) {
        enough = search.enough(at, &solution.clues);
    }
    let found = search.irreducible(&enough);
    search.smaller(at, &enough, found)
}

/// The first entries, and those of the others that are not among them.
fn union(first: &[usize], others: &[usize]) -> Vec<usize> {
    let listed: HashSet<usize> = first.iter().copied().collect();
    first.iter().chain(others.iter().filter(|other| !listed.contains(other))).copied().collect()
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

/// The search for a certificate of one object.
struct Search<'o, 'h, P> {
    object: &'o Object<'h>,
    /// The entries that write each value.
    writers: Rc<Buckets>,
    minimiser: Minimiser<P>,
}

impl<P: FnMut(&[usize], Limits) -> (Answer, u64)> Search<'_, '_, P> {
    /// An irreducible part of entries that are enough; the smallest of a few, if they are large.
    fn irreducible(&mut self, enough: &[usize]) -> Certificate {
        let whole: Vec<usize> = (0..self.object.entries.len()).collect();
        let mut best = Certificate { entries: enough.to_vec(), irreducible: false };
        for round in 0..ROUNDS {
            // Every other round begins with the whole object: the first moment may be the hardest to tell.
            let from = if round % 2 == 1 && whole.len() <= SMALL_OBJECT { &whole } else { enough };
            let mut entries = reordered(from, round / 2);
            self.minimiser.shrink(&mut entries);
            entries.sort_unstable();
            let found = Certificate { entries, irreducible: self.minimiser.decided() };
            // An irreducible set is not always a smallest one: another order of deletion may leave fewer.
            if round == 0 || found.rank() < best.rank() {
                best = found;
            }
            if best.entries.len() <= READABLE || best.entries.len() > MANY {
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
        self.minimiser.begin_pass();
        let single = near.iter().copied().find(|&entry| self.minimiser.proves(&[entry]));
        let mut pairs =
            near.iter().enumerate().flat_map(|(n, &a)| near[n + 1..].iter().map(move |&b| [a, b]));
        let mut smaller = single.map(|entry| vec![entry]);
        if smaller.is_none() && found.entries.len() > 2 {
            smaller = pairs.find(|pair| self.minimiser.proves(pair)).map(|pair| pair.to_vec());
        }
        let Some(mut entries) = smaller else { return found };
        entries.sort_unstable();
        Certificate { entries, irreducible: self.minimiser.decided() }
    }

    /// The entries that ended nearest to a moment, the nearest first.
    fn nearest(&self, at: u32, count: usize) -> Vec<usize> {
        let entries = &self.object.entries;
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
    ///
    /// Where a value repeats, a read of it is wrong only if none of its writes can have come late, so all of
    /// them are needed, from whatever time. So those of the value that the engine was stuck with are tried
    /// too, together with what is near.
    fn enough(&mut self, at: u32, clues: &[Symbol]) -> Vec<usize> {
        let all = self.object.entries.len();
        let mut order = self.by_nearness(at, clues, VICINITY);
        let all_writers = Rc::clone(&self.writers);
        // The engine has names of its own for values that nobody needs.
        let known = |&&clue: &&Symbol| (clue as usize) < self.object.values.len();
        let writers = clues.last().filter(known).map_or(&[][..], |&clue| all_writers.of(clue));
        let mut count = 1;
        loop {
            let near = &order[..count.min(order.len())];
            if self.minimiser.proves(near) {
                order.truncate(count.saturating_mul(NEIGHBOURHOOD));
                break;
            }
            if count >= SOME && writers.len() > 1 {
                let with_writers = union(near, writers);
                if self.minimiser.proves(&with_writers) {
                    let near = order.len().min(count.saturating_mul(NEIGHBOURHOOD));
                    order = union(&order[..near], writers);
                    break;
                }
            }
            if count >= order.len() {
                if order.len() == all {
                    return order;
                }
                order = self.by_nearness(at, clues, all);
            }
            count *= 2;
        }
        self.until_refuted(order)
    }

    /// The entries that ended nearest to a moment and, in between, those of them that concern the clues.
    fn by_nearness(&self, at: u32, clues: &[Symbol], count: usize) -> Vec<usize> {
        let entries = &self.object.entries;
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
        let end = |&entry: &usize| self.object.entries[entry].ret.unwrap_or(END);
        entries.sort_by_key(end);
        self.minimiser.until_refuted(&mut entries);
        // Those that ended last are what it hangs on: they are the last to be left out.
        entries.reverse();
        entries
    }
}

impl Certificate {
    /// The smaller, the better.
    fn rank(&self) -> (bool, usize) {
        (!self.irreducible, self.entries.len())
    }
}
