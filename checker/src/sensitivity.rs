//! How much would this very run have shown? The measure, and the words for it.
//!
//! A check that passes says that nothing was wrong, or that nobody looked. To tell one from the other, single
//! faults are put into copies of a history that passed, and the same check judges each copy. The share that
//! it refutes is the *sensitivity* of the run, per kind of fault. What is not refuted is counted by its
//! reason, so that a low share says what to change.
//!
//! What a kind of fault does to a history is known only to those who know the object: see
//! [`Check::sensitivity`](crate::verdict::Check::sensitivity). Here is what they have in common: what is asked
//! of them ([`SensitivityPlan`]), what they answer ([`Sensitivity`], [`Tally`]), and the catalogue of reasons.
//! Nothing here reads a clock: the same history and plan give the same numbers, unless whoever asks ends the
//! measure early ([`SensitivityPlan::stop`]). Then fewer faults were tried, and the share is less exact:
//! [`Tally::interval`] says how much.

mod dice;
mod sampling;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use serde::{Deserialize, Serialize};

pub(crate) use dice::Dice;
pub(crate) use sampling::{Kind, tallies};

/// What the name of a kind of fault ends with where the fault is amid writes: while it happened, another write of the
/// item was open. Most answers that are wrong then would be right in another order of the two, so that no test could
/// tell. Such kinds are told apart, and a run is not held to them: what they might hide shows where it is calm, and
/// that there were races at all is another measure, the exposure.
pub const AMID_WRITES: &str = "-amid-writes";

/// Whether a run is held to this kind of fault.
#[must_use]
pub fn is_judged(kind: &str) -> bool {
    !kind.ends_with(AMID_WRITES)
}

/// Faults of each kind that are tried in any case, where there are as many places.
pub const LEAST: u64 = 20;

/// What to measure, and how much work that may be.
#[derive(Debug, Clone, Copy)]
pub struct SensitivityPlan<'s> {
    /// Every random choice follows from it.
    pub seed: u64,
    /// Faults of each kind to try, where there are as many suitable places.
    pub injections: u64,
    /// Operations to be judged again, all copies together. Where the plan would take more, fewer faults are
    /// tried.
    pub operations: u64,
    /// Once this is true no more faults are tried, but for [`LEAST`] of each kind.
    pub stop: Option<&'s AtomicBool>,
}

impl SensitivityPlan<'_> {
    /// The usual plan: 400 faults of each kind, which makes a share exact to about 5 %.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, injections: 400, operations: 50_000_000, stop: None }
    }
}

/// 95 % of a normal distribution lie within so many standard deviations.
const Z: f64 = 1.959_964;

/// What was measured with one check: a tally for each kind of fault that the history has a place for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sensitivity {
    /// Tallies by the name of the kind.
    pub kinds: BTreeMap<String, Tally>,
}

/// What became of the faults of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Where in the history such a fault could have been.
    pub places: u64,
    /// Faults that were tried, each alone in a copy of the history.
    pub injected: u64,
    /// Those that the check refuted.
    pub refuted: u64,
    /// The rest by its reason: names of [`reasons`].
    pub rest: BTreeMap<String, u64>,
}

impl Tally {
    /// The share that was refuted, 0 to 1.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.refuted as f64 / self.injected.max(1) as f64
    }

    /// Where the share of all places lies, with a confidence of 95 %: Wilson's score interval (Wilson 1927). Where
    /// every place was tried the share is exact.
    #[must_use]
    pub fn interval(&self) -> [f64; 2] {
        if self.injected == 0 {
            return [0.0, 1.0];
        }
        let (n, share) = (self.injected as f64, self.share());
        if self.injected >= self.places {
            return [share, share];
        }
        let z2 = Z * Z;
        let middle = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
        let half = Z / (1.0 + z2 / n) * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
        [(middle - half).max(0.0), (middle + half).min(1.0)]
    }

    /// The commonest reason why a fault was not refuted.
    #[must_use]
    pub fn main_reason(&self) -> Option<&'static Reason> {
        let most = self.rest.iter().max_by_key(|&(name, &count)| (count, std::cmp::Reverse(name)))?;
        reason(most.0)
    }

    /// Counts one fault: refuted, or not for a reason.
    pub(crate) fn count(&mut self, outcome: Result<(), &'static Reason>) {
        self.injected += 1;
        match outcome {
            Ok(()) => self.refuted += 1,
            Err(reason) => *self.rest.entry(reason.name.to_owned()).or_default() += 1,
        }
    }
}

/// Why a fault was not refuted.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// Its name in `results.json`.
    pub name: &'static str,
    /// What it means, in one clause.
    pub about: &'static str,
    /// What to change in the test.
    pub advice: &'static str,
}

/// Nobody looked at the item again.
pub static NO_LATER_READ: Reason = Reason {
    name: "no-later-read",
    about: "nobody looked at the item again",
    advice: "read more, or use fewer keys, so that items are looked at again",
};

/// The next write wiped the difference out unseen.
pub static NEXT_WRITE_IS_BLIND: Reason = Reason {
    name: "next-write-is-blind",
    about: "the next write had no condition and did not say what it replaced",
    advice: "use writes that return what they replaced, or conditional ones, or read more between writes",
};

/// Operations of unknown outcome explain it.
pub static INDETERMINATE: Reason = Reason {
    name: "indeterminate",
    about: "an operation of unknown outcome explains it, or took the answer that would have shown it",
    advice: "leave fewer operations without an answer: shorter or fewer faults, or a longer --timeout",
};

/// Overlapping operations could have taken effect in another order.
pub static CONCURRENT: Reason = Reason {
    name: "concurrent",
    about: "operations at the same time could have taken effect in another order",
    advice: "let fewer clients meet on a key: more keys, or a lower --concurrency",
};

/// The answers are the same, or fit another state as well.
pub static INDISTINGUISHABLE: Reason = Reason {
    name: "indistinguishable",
    about: "the answers fit the right state as well as the wrong one",
    advice: "use a server that returns old images, or read more",
};

/// The checker's budget ran out.
pub static UNDECIDED: Reason = Reason {
    name: "undecided",
    about: "the check could not decide the copy",
    advice: "use fewer operations a key (--ops-per-key), or a server that returns old images",
};

/// An eventually consistent store may answer so, as far as anybody knows.
pub static EXCUSED: Reason = Reason {
    name: "excused",
    about: "what was missing was never acknowledged, had been replaced, or was known to nobody who looked",
    advice: "use fewer keys, or let each client come back to its keys more often",
};

/// Every reason there is.
#[must_use]
pub fn reasons() -> [&'static Reason; 7] {
    [
        &NO_LATER_READ,
        &NEXT_WRITE_IS_BLIND,
        &INDETERMINATE,
        &CONCURRENT,
        &INDISTINGUISHABLE,
        &UNDECIDED,
        &EXCUSED,
    ]
}

/// The reason of this name.
#[must_use]
pub fn reason(name: &str) -> Option<&'static Reason> {
    reasons().into_iter().find(|reason| reason.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_adds_up_and_names_its_main_reason() {
        let mut tally = Tally::default();
        assert_eq!(tally.main_reason(), None);
        for outcome in [Ok(()), Err(&CONCURRENT), Err(&NO_LATER_READ), Err(&CONCURRENT), Ok(())] {
            tally.count(outcome);
        }
        assert_eq!((tally.injected, tally.refuted), (5, 2));
        assert!((tally.share() - 0.4).abs() < 1e-9);
        assert_eq!(tally.main_reason(), Some(&CONCURRENT));
        let json = serde_json::to_value(&tally).unwrap();
        assert_eq!(json["rest"], serde_json::json!({"concurrent": 2, "no-later-read": 1}));
    }

    #[test]
    fn the_interval_is_wilsons_and_exact_where_every_place_was_tried() {
        let tally = |places, injected, refuted| Tally { places, injected, refuted, ..Tally::default() };
        for (n, found) in [(400, 300), (20, 20), (20, 0), (33, 1)] {
            let measured = tally(9_000, n, found);
            let share = measured.share();
            // Each end is the p from which what was seen is just as far away as 95 % allow.
            let off = |p: f64| (share - p).powi(2) - Z * Z * p * (1.0 - p) / n as f64;
            let [low, high] = measured.interval();
            assert!(off(low).abs() < 1e-9 && off(high).abs() < 1e-9, "{found} of {n}: {low} to {high}");
            assert!((0.0..=share).contains(&low) && (share..=1.0).contains(&high) && low < high);
        }
        assert_eq!(tally(20, 20, 10).interval(), [0.5, 0.5]);
        assert_eq!(tally(20, 0, 0).interval(), [0.0, 1.0], "nothing is known");
    }

    #[test]
    fn reasons_have_different_names() {
        let names: std::collections::BTreeSet<_> = reasons().map(|reason| reason.name).into();
        assert_eq!(names.len(), reasons().len());
        assert!(names.iter().all(|name| reason(name).is_some()));
    }
}
