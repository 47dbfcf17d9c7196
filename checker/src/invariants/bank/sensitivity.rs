//! How many single faults would the check have found in this history of a bank?
//!
//! | kind | the fault | a place |
//! |---|---|---|
//! | `torn-read` | a transaction reads its accounts at two moments: of one transfer that was open meanwhile, it shows one half | each read of one moment beside which an acknowledged transfer was open |
//! | `half-transfer` | of an acknowledged transfer only one half took effect: from then on there is too little money, or too much | each acknowledged transfer |
//!
//! A fault changes what the store holds, so every later read shows it, for as long as it can be seen ([`copies`]).
//! Where nobody knows at which moment something took effect, the moment is taken that shows least: what half a transfer
//! did is seen only by reads that were invoked after its answer.
//!
//! Where no transfer was open beside a read, nothing can tear it. How much met in a run at all is its exposure.
//!
//! Left out are two faults that the check cannot see in any run, a transfer that is lost *whole* and a read of one
//! moment that is *past*: they neither make nor lose money, and it is that alone which is promised here. Left out is
//! also a transfer that is made although there is not enough. How long an account stays below zero follows from the
//! order of the transfers that overlap there, and this check knows of no order.
//!
//! **Cost.** A read is judged by itself, against books that a fault does not touch, and those that a fault leaves as
//! they are pass as before. So the check is shown the changed reads alone, until it refutes one: as a rule, one read of
//! as many accounts as there are. Only where the books are taken from a read that the fault changes
//! ([`Bank::from_history`]) the whole copy is judged. A history that does not pass is left out.

mod copies;

#[cfg(test)]
mod tests;

use super::{Bank, Ledger, Transfer, is_snapshot, reads};
use crate::history::{Event, Operation, Outcome, pair};
use crate::sensitivity::{self as sampling, Dice, Sensitivity, SensitivityPlan, tallies};
use crate::verdict::{Budget, Check, Validity};

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    TornRead,
    HalfTransfer,
}

impl Kind {
    const ALL: [Self; 2] = [Self::TornRead, Self::HalfTransfer];

    fn name(self) -> &'static str {
        match self {
            Self::TornRead => "torn-read",
            Self::HalfTransfer => "half-transfer",
        }
    }
}

/// A fault that is to be put in.
#[derive(Debug, Clone, Copy)]
struct Fault {
    kind: Kind,
    /// Which of the places of its kind.
    place: usize,
}

/// A history that passed, and where its store could have failed. All in order of invocation.
struct Subject<'h> {
    bank: &'h Bank,
    events: &'h [Event],
    ledger: Ledger<'h>,
    reads: Vec<Operation<'h>>,
    snapshots: Vec<Operation<'h>>,
    /// Those snapshots that a transfer could have torn.
    crossed: Vec<Operation<'h>>,
    acknowledged: Vec<Transfer<'h>>,
    /// When the last of each acknowledged transfer and those before it ended.
    latest_end: Vec<usize>,
}

/// Measures. None where the events are no history of a bank, or do not pass.
pub(super) fn measure(bank: &Bank, events: &[Event], plan: &SensitivityPlan<'_>) -> Option<Sensitivity> {
    if bank.check(events, &Budget::default()).valid != Validity::Valid {
        return None;
    }
    let subject = Subject::new(bank, events)?;
    let kinds = Kind::ALL.map(|kind| subject.picked(kind, plan));
    let outcome = |fault: &Fault| subject.outcome(*fault, plan.seed);
    let sensitivity = Sensitivity { kinds: tallies(kinds.into(), plan, outcome).collect() };
    (!sensitivity.kinds.is_empty()).then_some(sensitivity)
}

impl<'h> Subject<'h> {
    fn new(bank: &'h Bank, events: &'h [Event]) -> Option<Self> {
        let operations = pair(events).ok()?;
        let ledger = bank.ledger(&operations);
        let reads: Vec<Operation<'h>> = reads(&operations).copied().collect();
        let snapshots = reads.iter().filter(|read| is_snapshot(read)).copied().collect();
        let answered = operations.iter().filter(|operation| operation.outcome() == Outcome::Ok);
        let moved = answered.filter_map(Transfer::of).filter(|transfer| transfer.moves_money(&ledger));
        let acknowledged: Vec<Transfer<'h>> = moved.collect();
        let latest_end = acknowledged.iter().scan(0, |latest: &mut usize, transfer| {
            *latest = transfer.ended().unwrap_or(usize::MAX).max(*latest);
            Some(*latest)
        });
        let latest_end = latest_end.collect();
        let crossed = Vec::new();
        let mut subject = Self { bank, events, ledger, reads, snapshots, crossed, acknowledged, latest_end };
        let crossed = subject.snapshots.iter().filter(|read| subject.open_during(read).is_some());
        subject.crossed = crossed.copied().collect();
        Some(subject)
    }

    fn places(&self, kind: Kind) -> usize {
        match kind {
            Kind::TornRead => self.crossed.len(),
            Kind::HalfTransfer => self.acknowledged.len(),
        }
    }

    /// The places that are tried: as many as the plan asks for and affords.
    fn picked(&self, kind: Kind, plan: &SensitivityPlan<'_>) -> sampling::Kind<Fault> {
        let places = self.places(kind) as u64;
        let affordable = (plan.operations / Kind::ALL.len() as u64).max(1);
        let mut dice = Dice::new(plan.seed, kind as u64);
        let wanted = dice.one_of_each_stratum(places, plan.injections.min(affordable));
        let picked = wanted.map(|place| Fault { kind, place: place as usize }).collect();
        sampling::Kind { name: kind.name().to_owned(), places, picked }
    }
}

impl Transfer<'_> {
    /// Whether it changes what is in two accounts that there are.
    fn moves_money(&self, ledger: &Ledger<'_>) -> bool {
        let exists = |account| ledger.books.accounts.contains(account);
        self.amount > 0 && self.from != self.to && exists(&self.from) && exists(&self.to)
    }
}
