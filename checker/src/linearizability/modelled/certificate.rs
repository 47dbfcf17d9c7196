//! The few operations that prove a violation, whatever the model.
//!
//! The way is that of registers (`super::super::certificate`): operations around the moment where the search
//! got stuck, twice as many each time, until they are enough with everything else weakened; of those, the
//! shortest run that ended first; and of that, whatever can be left out is.

use super::super::general::{Answer, Limits};

/// The operations that prove a violation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Certificate {
    /// Places of the entries, in order of invocation.
    pub(super) members: Vec<usize>,
    /// Whether every member was shown to be necessary; not so if the budget ended first.
    pub(super) irreducible: bool,
}

/// What share of the object's budget one attempt may use: attempts are many, and most are small.
const ATTEMPT_SHARE: u64 = 8;

/// Among this many times as many operations as were enough, those that are refuted first are looked for.
const NEIGHBOURHOOD: usize = 4;

struct Minimiser<P> {
    prove: P,
    /// What is left of the budget.
    limits: Limits,
    /// Whether every attempt of this pass was decided.
    decided: bool,
}

/// Finds a certificate among entries with these calls and returns. The engine got stuck `at` this moment.
/// `prove` answers for a set of members what is left when everything else is weakened, and its cost in steps.
pub(super) fn find(
    spans: &[(u32, u32)],
    at: u32,
    limits: Limits,
    prove: impl FnMut(&[usize], Limits) -> (Answer, u64),
) -> Certificate {
    let mut search = Minimiser { prove, limits, decided: true };
    let mut order: Vec<usize> = (0..spans.len()).collect();
    order.sort_by_key(|&entry| {
        let (call, ret) = spans[entry];
        // What is open at that moment is near, however long it takes.
        if ret < at { at - ret } else { call.saturating_sub(at) }
    });
    let mut count = 1;
    while count < order.len() && !search.proves(&order[..count]) {
        count *= 2;
    }
    order.truncate(count.saturating_mul(NEIGHBOURHOOD));
    order.sort_by_key(|&entry| spans[entry].1);
    search.until_refuted(&mut order);
    // Those that ended last are what it hangs on: they are the last to be left out.
    order.reverse();
    search.shrink(&mut order);
    order.sort_unstable();
    Certificate { members: order, irreducible: search.decided }
}

impl<P: FnMut(&[usize], Limits) -> (Answer, u64)> Minimiser<P> {
    /// Whether these entries alone, everything else weakened, are refuted.
    fn proves(&mut self, members: &[usize]) -> bool {
        let attempt = Limits { steps: self.limits.steps / ATTEMPT_SHARE, ..self.limits };
        let (answer, steps) = (self.prove)(members, attempt);
        self.limits.steps -= steps.min(self.limits.steps);
        self.decided &= !matches!(answer, Answer::Unknown { .. });
        matches!(answer, Answer::Not { .. })
    }

    /// The shortest beginning that is refuted; all, if none is.
    fn until_refuted(&mut self, members: &mut Vec<usize>) {
        let (mut low, mut high) = (0, members.len());
        while low + 1 < high {
            let middle = low.midpoint(high);
            if self.proves(&members[..middle]) {
                high = middle;
            } else {
                low = middle;
            }
        }
        members.truncate(high);
    }

    /// Leaves out what can be left out: large chunks first, then one by one.
    fn shrink(&mut self, members: &mut Vec<usize>) {
        let mut chunk = members.len().div_ceil(2);
        loop {
            // The last pass tries each by itself, and what it keeps was necessary.
            self.decided = true;
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
