//! Leaving out of a set of operations what a proof does not need, whatever the proof is.
//!
//! A *proof* is a function: it answers for a set of members what is left of the history when everything else
//! is weakened. Weakening only ever allows more, so a set that is refuted stays so with more members. That
//! makes greedy deletion right (it is the minimising half of Zeller and Hildebrandt's delta debugging, 2002):
//! one pass that tries every member once leaves an irreducible set.
//!
//! The minimiser keeps the budget. It never says that a set is refuted when the proof did not say so: where
//! an attempt ends undecided, the set counts as one that proves nothing, and [`Minimiser::decided`] tells.

use super::general::{Answer, Limits};

/// What share of the object's budget one attempt may use: attempts are many, and most are small.
const ATTEMPT_SHARE: u64 = 8;

/// Of more members than this, no smaller chunks are tried once none of a size could go.
const MANY: usize = 64;

/// A proof, and what is left of its budget.
pub(super) struct Minimiser<P> {
    prove: P,
    limits: Limits,
    decided: bool,
}

impl<P: FnMut(&[usize], Limits) -> (Answer, u64)> Minimiser<P> {
    /// `prove` answers for a set of members, and says what that cost in steps.
    pub(super) fn new(limits: Limits, prove: P) -> Self {
        Self { prove, limits, decided: true }
    }

    /// Whether every attempt since [`Self::begin_pass`] was decided.
    pub(super) fn decided(&self) -> bool {
        self.decided
    }

    /// From here on, attempts are looked at anew.
    pub(super) fn begin_pass(&mut self) {
        self.decided = true;
    }

    /// Whether these entries alone, everything else weakened, are refuted.
    pub(super) fn proves(&mut self, members: &[usize]) -> bool {
        let attempt = Limits { steps: self.limits.steps / ATTEMPT_SHARE, ..self.limits };
        let (answer, steps) = (self.prove)(members, attempt);
        self.limits.steps -= steps.min(self.limits.steps);
        self.decided &= !matches!(answer, Answer::Unknown { .. });
        matches!(answer, Answer::Not { .. })
    }

    /// The shortest beginning that is refuted; all, if none is. About log₂ n attempts.
    pub(super) fn until_refuted(&mut self, members: &mut Vec<usize>) {
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

    /// Leaves out what can be left out: large chunks first, then one by one; what stands last is tried first.
    /// Afterwards [`Self::decided`] says whether every member was shown to be necessary.
    pub(super) fn shrink(&mut self, members: &mut Vec<usize>) {
        let mut chunk = members.len().div_ceil(2);
        loop {
            // The last pass tries each by itself, and what it keeps was necessary.
            self.begin_pass();
            let before = members.len();
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
            if before > MANY && members.len() == before {
                // No large part can go, so hardly a smaller one can: the last pass is long enough.
                chunk = 1;
            }
        }
    }
}
