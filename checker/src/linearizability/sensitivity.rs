//! How many single faults would the check have found in this history of registers?
//!
//! A fault is put in where it would have happened: in the store. The witness (the order that makes the
//! history valid) is taken for what the store did. It is replayed up to a place, the store slips once, and
//! from there every operation is answered as a store in that state answers it, until the difference is gone.
//! A copy of the history with these answers is what an otherwise honest store would have led to ([`slip`]).
//!
//! | kind | the slip |
//! |---|---|
//! | `stale-read` | a read, or a refusal that says what it met, is answered from a replica that is some versions behind (mostly one): with a value that was no longer in force when it was called |
//! | `lost-write` | an acknowledged write of a value is answered as it was, and not applied |
//! | `lost-update` | a write that says what it replaced, or a refused condition, is evaluated against the state before the write that precedes it, and applied over the newer one |
//! | `delete-undone` | the item that an acknowledged delete removed is back at some moment before the next write |
//!
//! Each is two kinds: where no other write of the item was open then, and where one was
//! ([`AMID_WRITES`](crate::sensitivity::AMID_WRITES)).
//!
//! Linearizability is local, so only the key of the fault is judged again, in O(n log n). [`verdict`] says
//! what the check answers, and if it did not notice, why. Places are chosen evenly over the whole history:
//! as many strata as faults, and one place at random in each.
//!
//! Keys without a witness (an anomaly that is allowed, or a check that could not decide) are left out.

mod slip;
mod verdict;
mod witness;

#[cfg(test)]
mod tests;

use slip::{Images, Kind};
use witness::Witness;

use super::object::Object;
use super::problem::{Engine, Problem};
use super::{Limits, entries_of, in_parallel, share};
use crate::sensitivity::{self as sampling, Dice, Reason, Sensitivity, SensitivityPlan, tallies};
use crate::verdict::Budget;

/// One key: its history, what its store did, and where it could have slipped.
struct Subject<'o, 'h> {
    object: &'o Object<'h>,
    whole: Problem,
    engine: Engine,
    witness: Witness,
    /// Places in the witness, by kind.
    places: [Vec<u32>; Kind::COUNT],
}

/// A fault that is to be put in.
#[derive(Debug, Clone, Copy)]
struct Pick {
    subject: usize,
    kind: Kind,
    /// Where in the witness.
    place: u32,
    /// The place's number among all of its kind: it names the stream of its random choices.
    number: u64,
}

/// What became of a fault: refuted, or not for a reason.
type Outcome = Result<(), &'static Reason>;

/// Measures. `objects` are those of one history.
pub(super) fn measure(objects: &[Object<'_>], engine: Engine, plan: &SensitivityPlan<'_>) -> Sensitivity {
    let images = Images::of(objects);
    let budget = Budget::default();
    let all = entries_of(objects);
    let subject = |object| Subject::new(object, engine, share(&budget, object, all));
    let subjects: Vec<Subject<'_, '_>> = in_parallel(objects.iter(), subject).into_iter().flatten().collect();
    let mut kinds = Kind::all().map(|kind| {
        let places = subjects.iter().map(|subject| subject.places[kind.number()].len() as u64).sum();
        sampling::Kind { name: kind.name(), places, picked: Vec::new() }
    });
    for pick in affordable(&subjects, plan) {
        kinds[pick.kind.number()].picked.push(pick);
    }
    let outcome = |pick: &Pick| subjects[pick.subject].outcome(*pick, &images, plan.seed);
    Sensitivity { kinds: tallies(kinds.into(), plan, outcome).collect() }
}

/// As many faults as the plan asks for, or as it affords.
fn affordable(subjects: &[Subject<'_, '_>], plan: &SensitivityPlan<'_>) -> Vec<Pick> {
    let wanted = picks(subjects, plan.injections, plan.seed);
    let cost: u64 = wanted.iter().map(|pick| subjects[pick.subject].whole.jobs.len() as u64).sum();
    if cost <= plan.operations {
        return wanted;
    }
    let fewer = u128::from(plan.injections) * u128::from(plan.operations) / u128::from(cost);
    picks(subjects, u64::try_from(fewer).unwrap_or(plan.injections).max(1), plan.seed)
}

/// `count` places of each kind, or all where there are not as many.
fn picks(subjects: &[Subject<'_, '_>], count: u64, seed: u64) -> Vec<Pick> {
    let mut picks = Vec::new();
    for kind in Kind::all() {
        let mut dice = Dice::new(seed, kind.number() as u64);
        let total: u64 = subjects.iter().map(|subject| subject.places[kind.number()].len() as u64).sum();
        let mut numbers = dice.one_of_each_stratum(total, count).peekable();
        let mut passed = 0;
        for (at, subject) in subjects.iter().enumerate() {
            let places = &subject.places[kind.number()];
            let end = passed + places.len() as u64;
            while let Some(number) = numbers.next_if(|&number| number < end) {
                let place = places[(number - passed) as usize];
                picks.push(Pick { subject: at, kind, place, number });
            }
            passed = end;
        }
    }
    picks
}

impl<'o, 'h> Subject<'o, 'h> {
    /// None where the key has no witness.
    fn new(object: &'o Object<'h>, engine: Engine, limits: Limits) -> Option<Self> {
        let whole = Problem::whole(object);
        let witness = Witness::new(&object.entries, whole.solve(engine, limits).order?);
        let writes = slip::writes(&object.entries);
        let places = Kind::all().map(|kind| slip::places(&object.entries, &writes, &witness, kind));
        Some(Self { object, whole, engine, witness, places })
    }

    fn outcome(&self, pick: Pick, images: &Images<'_>, seed: u64) -> Outcome {
        let mut dice = Dice::new(seed, (pick.number << 8) | (pick.kind.number() as u64 + 1));
        let slip =
            slip::slip(self.object, &self.witness, images, pick.kind.fault, pick.place as usize, &mut dice);
        verdict::of(self, &slip)
    }
}
