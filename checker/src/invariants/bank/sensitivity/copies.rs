//! What a fault makes of the reads, and what the check says to that.
//!
//! **Torn.** The transfer is the last acknowledged one that was invoked before the read's answer, of those that were
//! open during it. Whether the read saw it is not known, and does not matter: it shows one account from before and the
//! other from after, so that money is missing or is in both. It is one of the ways in which no balance falls below zero.
//!
//! **Half.** Money is lost (nothing reached `to`) or made (nothing left `from`). Which of the transfers that came later
//! such a store would have refused for want of money does not matter either, since none of them changes the total: what
//! `to` does not have is missing elsewhere then, and no balance is below zero.

use serde_json::{Map, Value};

use super::{Fault, Kind, Subject, Transfer};
use crate::history::{Event, Operation};
use crate::sensitivity::{CONCURRENT, Dice, INDISTINGUISHABLE, NO_LATER_READ, Reason};
use crate::verdict::{Budget, Check, Validity};

/// A fault as it is put in.
pub(super) enum Slip<'s, 'h> {
    /// The read that was invoked at `call` has an account off by `by`.
    Torn { call: usize, account: &'s str, by: i128 },
    /// Every read that is invoked after the transfer has an account off by `by`.
    Half { transfer: &'s Transfer<'h>, account: &'s str, by: i128 },
}

type Balances = Map<String, Value>;

impl<'h> Subject<'h> {
    /// Whether the check finds the fault; why not.
    pub(super) fn outcome(&self, fault: Fault, seed: u64) -> Result<(), &'static Reason> {
        let slip = self.slip(fault, seed)?;
        let source = self.ledger.source.as_ref();
        if source.is_some_and(|source| self.shown(&slip, source).is_some()) {
            let valid = self.bank.check(&self.copy(&slip), &Budget::default()).valid;
            return if valid == Validity::Invalid { Ok(()) } else { Err(&INDISTINGUISHABLE) };
        }
        let read = self.look(&slip).ok_or_else(|| self.excuse(&slip))?;
        let is_refuted = self.shown(&slip, read).is_some_and(|shown| self.refutes(read, shown));
        if is_refuted { Ok(()) } else { Err(&INDISTINGUISHABLE) }
    }

    /// What happens. An error says why nobody can see it.
    pub(super) fn slip(&self, fault: Fault, seed: u64) -> Result<Slip<'_, 'h>, &'static Reason> {
        let mut dice = Dice::new(seed, ((fault.place as u64) << 8) | (fault.kind as u64 + 1));
        match fault.kind {
            Kind::TornRead => self.torn(&self.crossed[fault.place], &mut dice),
            Kind::HalfTransfer => {
                let transfer = &self.acknowledged[fault.place];
                let (account, by) = match dice.below(2) {
                    0 => (&transfer.to, -transfer.amount),
                    _ => (&transfer.from, transfer.amount),
                };
                Ok(Slip::Half { transfer, account, by })
            }
        }
    }

    fn torn(&self, read: &Operation<'h>, dice: &mut Dice) -> Result<Slip<'_, 'h>, &'static Reason> {
        let transfer = self.open_during(read).ok_or(&INDISTINGUISHABLE)?;
        let (from, to) = (transfer.from.as_str(), transfer.to.as_str());
        let mut ways = [
            (from, -transfer.amount),
            (to, transfer.amount),
            (from, transfer.amount),
            (to, -transfer.amount),
        ];
        dice.shuffle(&mut ways);
        let balances = balances_of(read).ok_or(&INDISTINGUISHABLE)?;
        let is_possible = |&&(account, by): &&(&str, i128)| balance(balances, account) + by >= 0;
        let &(account, by) = ways.iter().find(is_possible).ok_or(&INDISTINGUISHABLE)?;
        Ok(Slip::Torn { call: read.call, account, by })
    }

    /// The last acknowledged transfer that was open at some moment of the read.
    pub(super) fn open_during(&self, read: &Operation<'h>) -> Option<&Transfer<'h>> {
        let began = self.acknowledged.partition_point(|t| read.ret.is_some_and(|end| t.operation.call < end));
        let before = self.acknowledged[..began].iter().zip(&self.latest_end).rev();
        let mut near = before.take_while(|&(_, &latest)| latest > read.call).map(|(transfer, _)| transfer);
        near.find(|transfer| transfer.overlaps(read))
    }

    /// The first read of one moment that shows it: others show it alike.
    fn look(&self, slip: &Slip<'_, 'h>) -> Option<&Operation<'h>> {
        let since = match slip {
            Slip::Torn { call, .. } => self.snapshots.partition_point(|read| read.call < *call),
            Slip::Half { transfer, .. } => {
                self.snapshots.partition_point(|read| read.call < transfer.answered())
            }
        };
        self.snapshots.get(since)
    }

    /// What a read shows after the slip; none where that is what it shows anyway.
    pub(super) fn shown(&self, slip: &Slip<'_, 'h>, read: &Operation<'h>) -> Option<Balances> {
        let (shows, account, by) = match slip {
            Slip::Torn { call, account, by } => (read.call == *call, account, *by),
            Slip::Half { transfer, account, by } => (read.call > transfer.answered(), account, *by),
        };
        if shows { book(balances_of(read)?, account, by) } else { None }
    }

    /// Why nobody sees it.
    fn excuse(&self, slip: &Slip<'_, 'h>) -> &'static Reason {
        let Slip::Half { transfer, .. } = slip else { return &INDISTINGUISHABLE };
        let is_open = |read: &Operation<'_>| read.ret.is_some_and(|end| end > transfer.operation.call);
        if self.snapshots.iter().any(is_open) {
            &CONCURRENT
        } else if self.reads.iter().any(|read| read.call > transfer.answered()) {
            &INDISTINGUISHABLE
        } else {
            &NO_LATER_READ
        }
    }

    /// Whether the check refutes a read that shows this.
    fn refutes(&self, read: &Operation<'h>, shown: Balances) -> bool {
        let Some(completion) = read.completion else { return false };
        let changed = Event { value: shown.into(), ..completion.clone() };
        let read = Operation { completion: Some(&changed), ..*read };
        let mut audit = self.ledger.audit();
        audit.read(&read).is_ok() && !audit.found.is_empty()
    }

    /// The whole history with the slip in it.
    pub(super) fn copy(&self, slip: &Slip<'_, 'h>) -> Vec<Event> {
        let mut events = self.events.to_vec();
        for read in &self.reads {
            if let (Some(shown), Some(ret)) = (self.shown(slip, read), read.ret) {
                events[ret].value = shown.into();
            }
        }
        events
    }
}

impl Transfer<'_> {
    /// When it was answered. Only transfers that were have faults.
    fn answered(&self) -> usize {
        self.operation.ret.unwrap_or(usize::MAX)
    }
}

fn balances_of<'h>(read: &Operation<'h>) -> Option<&'h Balances> {
    read.result().and_then(Value::as_object)
}

fn balance(balances: &Balances, account: &str) -> i128 {
    balances.get(account).and_then(Value::as_i64).unwrap_or_default().into()
}

/// Books money into an account or out of it. None where that is no balance any more.
fn put(mut balances: Balances, account: &str, by: i128) -> Option<Balances> {
    let changed = i64::try_from(balance(&balances, account) + by).ok()?;
    balances.insert(account.to_owned(), changed.into());
    Some(balances)
}

/// The same, and what the account does not have is missing in others.
fn book(balances: &Balances, account: &str, by: i128) -> Option<Balances> {
    let mut missing = -(balance(balances, account) + by).min(0);
    let mut booked = put(balances.clone(), account, by + missing)?;
    let others = balances.keys().filter(|name| name.as_str() != account);
    for other in others {
        let taken = missing.min(balance(balances, other).max(0));
        booked = if taken > 0 { put(booked, other, -taken)? } else { booked };
        missing -= taken;
    }
    Some(booked)
}
