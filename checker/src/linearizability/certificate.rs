//! Certificates: the few operations that prove a violation.
//!
//! What a certificate is, the contract says (section 5): the history stays non-linearizable when every
//! operation outside it is weakened, and becomes linearizable when any member is weakened too. Weakening
//! only ever allows more, so the first half is monotone: what is refuted stays so with more operations at
//! full strength. That makes greedy deletion right (it is the minimising half of Zeller and Hildebrandt's
//! delta debugging, 2002): one pass that tries every member once leaves an irreducible set.
//!
//! The search starts where the history first goes wrong. The shortest refuted prefix is found by galloping
//! from the moment at which the engine gave up; then the last operations of the prefix, twice as many each
//! time, until they are enough. Some violations need an operation from after the prefix (a value that was
//! read before its write was invoked): those are taken last, in order of invocation.

use super::general::{Answer, Limits};
use super::object::Object;
use super::problem::Problem;
use super::weaken::Weakening;

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

/// A certificate of this size is small enough to be read: no other order of deletion is tried.
const READABLE: usize = 12;

/// How many orders of deletion are tried otherwise.
const ROUNDS: usize = 4;

/// Finds a certificate for an object that is not linearizable, `at` being where the engine gave up.
pub(crate) fn find(object: &Object<'_>, at: u32, limits: Limits) -> Certificate {
    let mut search = Minimiser { history: Weakening::new(object), limits, decided: true };
    let end = search.shortest_prefix(at);
    let enough = search.enough(end);
    let mut best: Option<Certificate> = None;
    for round in 0..ROUNDS {
        let mut entries = reordered(&enough, round);
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
    /// Whether the problem certainly has no solution.
    fn refuted(&mut self, problem: &Problem) -> bool {
        let attempt = Limits { steps: self.limits.steps / ATTEMPT_SHARE, ..self.limits };
        let (answer, steps) = problem.solve(attempt);
        self.limits.steps -= steps.min(self.limits.steps);
        self.decided &= !matches!(answer, Answer::Unknown { .. });
        matches!(answer, Answer::Not { .. })
    }

    /// Whether these entries alone, everything else weakened, are refuted.
    fn proves(&mut self, members: &[usize]) -> bool {
        let problem = self.history.problem(members);
        self.refuted(&problem)
    }

    /// The first completion after which the history is refuted, from `at` on.
    fn shortest_prefix(&mut self, at: u32) -> u32 {
        let object = self.history.object;
        let mut ends: Vec<u32> =
            object.entries.iter().filter_map(|entry| entry.ret).filter(|&ret| ret >= at).collect();
        ends.sort_unstable();
        // The engine looks ahead, so it may give up a little before the prefix is refuted.
        let mut reach = 1;
        while reach < ends.len() && !self.refuted(&Problem::prefix(object, ends[reach - 1])) {
            reach *= 2;
        }
        let (mut low, mut high) = (reach / 2, reach.min(ends.len()));
        while low + 1 < high {
            let middle = low.midpoint(high);
            if self.refuted(&Problem::prefix(object, ends[middle - 1])) {
                high = middle;
            } else {
                low = middle;
            }
        }
        high.checked_sub(1).map_or(at, |last| ends[last])
    }

    /// Entries that are refuted with everything else weakened. Tried first, alternately: the last of the
    /// prefix, and the last that concern a value of the one that ended it. A violation is mostly between the
    /// two, however far back the value comes from.
    fn enough(&mut self, end: u32) -> Vec<usize> {
        let entries = &self.history.object.entries;
        let (mut inside, after): (Vec<usize>, Vec<usize>) =
            (0..entries.len()).partition(|&at| entries[at].ret.is_some_and(|ret| ret <= end));
        inside.sort_by_key(|&at| std::cmp::Reverse(entries[at].ret));
        let values = |at: usize| [entries[at].action.saw(), entries[at].action.wrote()];
        let final_values = inside.first().map_or([None; 2], |&last| values(last));
        let concerns =
            |&&at: &&usize| values(at).into_iter().flatten().any(|value| final_values.contains(&Some(value)));
        let mut related = inside.iter().filter(concerns);
        let mut listed = vec![false; entries.len()];
        let mut order = Vec::with_capacity(entries.len());
        for &recent in inside.iter().chain(&after) {
            for at in [Some(recent), related.next().copied()].into_iter().flatten() {
                if !std::mem::replace(&mut listed[at], true) {
                    order.push(at);
                }
            }
        }
        let mut count = 1;
        while count < order.len() && !self.proves(&order[..count]) {
            count *= 2;
        }
        order.truncate(count);
        order
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
