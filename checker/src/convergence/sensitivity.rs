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
//! | `sibling-dropped` | a read shows one of several concurrent versions less, and the same context: one of a client, before the end, which has faults of its own |
//!
//! The last two are told apart by whether a write of the key was open then ([`AMID_WRITES`]).
//!
//! The end of a key is every answer that was asked for after its last write had ended. A key that nobody could
//! read then has places for these faults like any other, and none of them is found. Where nothing that had been
//! acknowledged is lost, or what was lost had been replaced for certain, no promise is broken, and there is no place
//! for a fault (`promised`). What may have been replaced by a write of which nobody knows what became is a place,
//! and so is every read: but only who had seen the newer answer knows that one is behind. Such faults are not found,
//! and counted as [`EXCUSED`]. This is the share that a user has to know: how often such a fault would have shown in
//! *this* run.
//!
//! **Cost.** A check that judges each key by itself judges the changed copy of that key again. The others are
//! shown that copy first, since what they refute of one key they refute of all: their rules hold between
//! operations that are there, and no further operation takes one back. Only where that is not refuted the whole
//! history is judged. Fewer faults are tried where the plan's operations do not suffice, or it says stop. A
//! history that does not pass, or a key that does not, is left out: what would show there is known already.

mod looks;
mod promised;

#[cfg(test)]
mod tests;

use looks::{Change, History};

use crate::history::Event;
use crate::parallel::in_parallel;
use crate::sensitivity::{
    self as sampling, AMID_WRITES, Dice, EXCUSED, NO_LATER_READ, Reason, Sensitivity, SensitivityPlan,
    UNDECIDED, tallies,
};
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
    /// Whether such a fault may be amid writes. The others are at the end, when nothing is written any more.
    fn may_be_amid(self) -> bool {
        matches!(self, Self::StaleRead | Self::SiblingDropped)
    }

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
    /// Everything, where the key alone does not show it.
    History,
}

/// Tries faults of these kinds. None where the events are no history, or there is no place for any.
pub(super) fn measure(
    check: &dyn Check,
    kinds: &[Kind],
    scope: Scope,
    events: &[Event],
    plan: &SensitivityPlan<'_>,
) -> Option<Sensitivity> {
    let history = History::new(events)?;
    let answer = |events: &[Event]| check.check(events, &Budget::default()).valid;
    let keys: Vec<usize> = match scope {
        Scope::Key => {
            let answers = in_parallel(0..history.keys(), |key| answer(&history.of(key)));
            // Of a key that nobody read in the end a check may know nothing.
            let passes = |&key: &usize| match answers[key] {
                Validity::Valid => true,
                Validity::Unknown => history.is_unread(key),
                Validity::Invalid => false,
            };
            (0..history.keys()).filter(passes).collect()
        }
        Scope::History if answer(events) == Validity::Valid => (0..history.keys()).collect(),
        Scope::History => Vec::new(),
    };
    let picked = |(number, (kind, amid)): (usize, (Kind, bool))| {
        let changes = keys.iter().flat_map(|&key| history.changes(key, kind, amid)).collect();
        let (places, picked) = pick(&history, scope, changes, plan, &mut Dice::new(plan.seed, number as u64));
        let name = format!("{}{}", kind.name(), if amid { AMID_WRITES } else { "" });
        sampling::Kind { name, places, picked }
    };
    let calm = kinds.iter().map(|&kind| (kind, false));
    let amid = kinds.iter().filter(|kind| kind.may_be_amid()).map(|&kind| (kind, true));
    let kinds = calm.chain(amid).enumerate().map(picked).collect();
    let outcome = |change: &Change| outcome(check, &history, scope, change);
    let sensitivity = Sensitivity { kinds: tallies(kinds, plan, outcome).collect() };
    (!sensitivity.kinds.is_empty()).then_some(sensitivity)
}

/// How many places there are, and which of them are tried: as many as the plan asks for and affords.
fn pick(
    history: &History<'_>,
    scope: Scope,
    changes: Vec<Change>,
    plan: &SensitivityPlan<'_>,
    dice: &mut Dice,
) -> (u64, Vec<Change>) {
    let places = changes.len() as u64;
    let operations = |change: &Change| match scope {
        Scope::Key => history.operations_of(change.key),
        Scope::History => history.operations(),
    };
    let cost: u64 = changes.iter().map(operations).sum();
    let affordable = u128::from(plan.operations) * u128::from(places) / u128::from(cost.max(1));
    let count = plan.injections.min(u64::try_from(affordable).unwrap_or(u64::MAX).max(1));
    let mut wanted = dice.one_of_each_stratum(places, count).peekable();
    let is_wanted = |(number, change)| wanted.next_if_eq(&number).map(|_| change);
    (places, (0..).zip(changes).filter_map(is_wanted).collect())
}

/// Whether the check finds the fault; why not.
fn outcome(
    check: &dyn Check,
    history: &History<'_>,
    scope: Scope,
    change: &Change,
) -> Result<(), &'static Reason> {
    if change.is_unseen() {
        return Err(&NO_LATER_READ);
    }
    let answer = |events: Vec<Event>| check.check(&events, &Budget::default()).valid;
    let valid = match answer(history.of_key_with(change)) {
        Validity::Valid | Validity::Unknown if scope == Scope::History => answer(history.with(change)),
        valid => valid,
    };
    match valid {
        Validity::Invalid => Ok(()),
        Validity::Valid => Err(&EXCUSED),
        Validity::Unknown => Err(&UNDECIDED),
    }
}
