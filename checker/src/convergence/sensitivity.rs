//! How many single faults would a check have found in this history of an eventually consistent store?
//!
//! A fault changes answers as a replica that is behind would have given them: an answer is replaced by the
//! newest older one that differs from it, with its value, version, context, timestamp and siblings, so that
//! what is put in is something that this very store did hold.
//!
//! | kind | the fault |
//! |---|---|
//! | `replica-behind` | in the end one replica holds what was there before |
//! | `write-lost` | in the end every replica holds what was there before |
//! | `delete-undone` | in the end every replica holds what was there before an acknowledged delete |
//! | `stale-read` | a read of a session that had an answer of the key before is answered from before |
//! | `sibling-dropped` | a read shows one of several concurrent versions less, and the same context |
//!
//! The end of a key is every answer that was asked for after its last write had ended. Nobody can see that a
//! write is missing that was never acknowledged, or that had been replaced, and only who had seen it knows that
//! a read is behind: such faults are not found, and counted as [`EXCUSED`]. This is the share that a user has
//! to know: how often such a fault would have shown in *this* run.
//!
//! **Cost.** Checks that judge each key by itself judge the changed copy of that key again, the others the whole
//! history; fewer faults are tried where the plan's operations do not suffice. A history that does not pass,
//! or a key that does not, is left out: what would show there is known already.

mod looks;

#[cfg(test)]
mod tests;

use looks::{Change, History};

use crate::history::Event;
use crate::sensitivity::{Dice, EXCUSED, Reason, Sensitivity, SensitivityPlan, Tally, UNDECIDED};
use crate::verdict::{Budget, Check, Validity};

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    ReplicaBehind,
    WriteLost,
    DeleteUndone,
    StaleRead,
    SiblingDropped,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::ReplicaBehind => "replica-behind",
            Self::WriteLost => "write-lost",
            Self::DeleteUndone => "delete-undone",
            Self::StaleRead => "stale-read",
            Self::SiblingDropped => "sibling-dropped",
        }
    }
}

/// What a check has to look at to see a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// The key of the fault.
    Key,
    /// Everything.
    History,
}

/// Tries faults of these kinds. None where the events are no history, or there is no place for any.
pub(super) fn measure(
    check: &dyn Check,
    kinds: &[Kind],
    scope: Scope,
    events: &[Event],
    plan: &SensitivityPlan,
) -> Option<Sensitivity> {
    let parts = match scope {
        Scope::Key => looks::by_key(events),
        Scope::History => vec![events.to_vec()],
    };
    let mut histories: Vec<History> = parts
        .into_iter()
        .filter(|part| check.check(part, &Budget::default()).valid == Validity::Valid)
        .filter_map(History::new)
        .collect();
    let mut sensitivity = Sensitivity::default();
    for (&kind, name) in kinds.iter().zip(0..) {
        let places: Vec<Vec<Change>> = histories.iter().map(|history| history.changes(kind)).collect();
        let total = places.iter().map(Vec::len).sum::<usize>() as u64;
        if total > 0 {
            let picked = picks(&histories, &places, plan, &mut Dice::new(plan.seed, name));
            let mut tally = Tally { places: total, ..Tally::default() };
            for (history, place) in picked {
                tally.count(outcome(check, &mut histories[history], &places[history][place]));
            }
            sensitivity.kinds.insert(kind.name().to_owned(), tally);
        }
    }
    (!sensitivity.kinds.is_empty()).then_some(sensitivity)
}

/// Which places are tried: as many as the plan asks for and affords.
fn picks(
    histories: &[History],
    places: &[Vec<Change>],
    plan: &SensitivityPlan,
    dice: &mut Dice,
) -> Vec<(usize, usize)> {
    let all = places.iter().enumerate();
    let all: Vec<_> =
        all.flat_map(|(history, of)| (0..of.len()).map(move |place| (history, place))).collect();
    let total = all.len() as u64;
    let cost: u64 = all.iter().map(|&(history, _)| histories[history].operations()).sum();
    let affordable = u128::from(plan.operations) * u128::from(total) / u128::from(cost.max(1));
    let count = plan.injections.min(u64::try_from(affordable).unwrap_or(u64::MAX).max(1));
    dice.one_of_each_stratum(total, count).map(|number| all[number as usize]).collect()
}

/// Whether the check finds the fault; why not.
fn outcome(check: &dyn Check, history: &mut History, change: &Change) -> Result<(), &'static Reason> {
    match history.with(change, |events| check.check(events, &Budget::default())).valid {
        Validity::Invalid => Ok(()),
        Validity::Valid => Err(&EXCUSED),
        Validity::Unknown => Err(&UNDECIDED),
    }
}
