//! Trying faults in an order in which the measure can end at any time.
//!
//! A fault costs as much as judging a key again, or the whole history, and there is no knowing beforehand how
//! long that takes on this machine. So whoever asks can end the measure ([`SensitivityPlan::stop`]). Of each kind
//! the faults are tried in random order, the kinds in turn, so that those which were tried by then are a fair
//! sample of each kind, and [`LEAST`] of each are tried in any case.

use std::sync::atomic::Ordering;

use super::{Dice, LEAST, Reason, SensitivityPlan, Tally};
use crate::parallel::in_parallel;

/// One kind of fault: how many places there are for it, and those that were picked to be tried.
pub(crate) struct Kind<T> {
    pub(crate) name: String,
    pub(crate) places: u64,
    pub(crate) picked: Vec<T>,
}

/// Tries the faults that were picked, until the plan says stop. Kinds without a place have no tally.
pub(crate) fn tallies<T: Send + Sync>(
    kinds: Vec<Kind<T>>,
    plan: &SensitivityPlan<'_>,
    outcome: impl Fn(&T) -> Result<(), &'static Reason> + Sync,
) -> impl Iterator<Item = (String, Tally)> {
    let mut tallies: Vec<Tally> =
        kinds.iter().map(|kind| Tally { places: kind.places, ..Tally::default() }).collect();
    let names: Vec<String> = kinds.iter().map(|kind| kind.name.clone()).collect();
    let mut turns: Vec<(usize, usize, T)> = Vec::new();
    for (number, kind) in kinds.into_iter().enumerate() {
        let mut picked = kind.picked;
        Dice::new(plan.seed, SHUFFLES + number as u64).shuffle(&mut picked);
        turns.extend(picked.into_iter().enumerate().map(|(turn, fault)| (turn, number, fault)));
    }
    turns.sort_by_key(|&(turn, number, _)| (turn, number));
    let is_over = || plan.stop.is_some_and(|stop| stop.load(Ordering::Relaxed));
    let tried = in_parallel(turns.iter(), |(turn, number, fault)| {
        let goes_on = (*turn as u64) < LEAST || !is_over();
        goes_on.then(|| (*number, outcome(fault)))
    });
    for (number, outcome) in tried.into_iter().flatten() {
        tallies[number].count(outcome);
    }
    let named = names.into_iter().zip(tallies);
    named.filter(|(_, tally)| tally.places > 0)
}

/// The streams of the shuffles, beyond those that pick places.
const SHUFFLES: u64 = 1 << 32;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::sensitivity::EXCUSED;

    /// A kind of which every second fault is found.
    fn kind(name: &str, picked: u64) -> Kind<u64> {
        Kind { name: name.to_owned(), places: picked, picked: (0..picked).collect() }
    }

    fn even(fault: &u64) -> Result<(), &'static Reason> {
        if fault.is_multiple_of(2) { Ok(()) } else { Err(&EXCUSED) }
    }

    #[test]
    fn without_a_stop_everything_is_tried_once() {
        let plan = SensitivityPlan::new(1);
        let measured: BTreeMap<_, _> =
            tallies(vec![kind("a", 100), kind("b", 7), kind("none", 0)], &plan, even).collect();
        assert_eq!(measured.len(), 2, "what has no place has no tally");
        assert_eq!((measured["a"].injected, measured["a"].refuted), (100, 50));
        assert_eq!((measured["b"].injected, measured["b"].refuted), (7, 4));
    }

    #[test]
    fn a_stop_leaves_a_fair_sample_of_each_kind() {
        let stop = AtomicBool::new(false);
        let plan = SensitivityPlan { stop: Some(&stop), ..SensitivityPlan::new(1) };
        let seen = Mutex::new(Vec::new());
        let until_enough = |fault: &u64| {
            let mut seen = seen.lock().unwrap();
            seen.push(*fault);
            stop.store(seen.len() >= 400, Ordering::Relaxed);
            even(fault)
        };
        let measured: BTreeMap<_, _> =
            tallies(vec![kind("a", 10_000), kind("b", 5_000)], &plan, until_enough).collect();
        for tally in measured.values() {
            assert!((190..=210).contains(&tally.injected), "{measured:?}");
            assert!((70..130).contains(&tally.refuted), "{measured:?}");
        }
        let seen = seen.into_inner().unwrap();
        assert!(seen.iter().any(|fault| *fault < 1_000) && seen.iter().any(|fault| *fault > 9_000));
    }

    #[test]
    fn a_few_of_each_kind_are_tried_in_any_case() {
        let stop = AtomicBool::new(true);
        let plan = SensitivityPlan { stop: Some(&stop), ..SensitivityPlan::new(1) };
        let measured: BTreeMap<_, _> = tallies(vec![kind("a", 1_000), kind("b", 5)], &plan, even).collect();
        assert_eq!((measured["a"].injected, measured["b"].injected), (LEAST, 5));
    }
}
