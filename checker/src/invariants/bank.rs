//! The bank: transfers neither make nor lose money.
//!
//! Accounts start with known balances. A `transfer` {from, to, amount} moves money in one transaction, on
//! the condition that `from` has enough; a `read` returns {account: balance} for all accounts. Money is
//! conserved, so every moment between two transactions shows the same total. What a read promises depends on
//! how it was asked (`via`):
//!
//! - `txn`, or nothing said: one transaction, so one moment. Its balances add up to the total
//!   (`wrong-total`; `torn-read` where it is off by exactly the amount of a transfer that was open during
//!   the read: one half of it was seen).
//! - Anything else (`query`, `scan`, `batch`, `gsi`, `get`), and every `eventual` read: each balance is of
//!   some moment of its own, so the total may be anything. But each must be one that was in force at some
//!   time.
//!
//! Every read, however it was asked, shows each account (`nil-balance`: the account is missing, or has no
//! whole number), no others (`unexpected-key`), and no balance below zero (`negative-value`), because
//! transfers are conditional. Outcomes of transfers do not matter for any of this: an indeterminate one
//! moves money too, or moves none.
//!
//! This is Jepsen's bank check, with the weaker reads added. It does not look for an order of the
//! transactions; it refutes only what no order can explain.

mod open;
mod sensitivity;

use std::collections::{BTreeMap, BTreeSet};

use open::Open;
use serde_json::Value;

use crate::anomaly;
use crate::convergence::findings::shown;
use crate::history::{Event, Operation, Outcome, pair};
use crate::linearizability::explain::{capitalised, when, who};
use crate::sensitivity::{Sensitivity, SensitivityPlan};
use crate::verdict::{Anomaly, Budget, Check, CheckResult, Validity};

/// What each account holds.
pub type Balances = BTreeMap<String, i64>;

/// The check that money is conserved. Its name in verdicts is `bank`.
#[derive(Debug, Clone)]
pub struct Bank {
    initial: Option<Balances>,
}

impl Bank {
    /// The check for a bank that started with these balances.
    #[must_use]
    pub fn new(initial: Balances) -> Self {
        Self { initial: Some(initial) }
    }

    /// The check for a bank of which only the history is known. The first transactional read with nothing
    /// but whole balances says which accounts there are and how much money; it cannot be refuted itself, so
    /// who knows the first balances should use [`Bank::new`].
    #[must_use]
    pub fn from_history() -> Self {
        Self { initial: None }
    }

    /// What is known beforehand, and the read that it was taken from, if it was.
    fn books<'h>(&self, operations: &[Operation<'h>]) -> (Books, Option<Operation<'h>>) {
        if let Some(initial) = &self.initial {
            return (Books::of(initial), None);
        }
        let mut snapshots: Vec<&Operation<'h>> = reads(operations).filter(|read| is_snapshot(read)).collect();
        snapshots.sort_by_key(|read| read.ret);
        let first = snapshots.into_iter().find_map(|read| Some((read, whole(read)?)));
        let (mut books, source) = match first {
            Some((read, balances)) => (Books::of(&balances), Some(*read)),
            None => (Books::default(), None),
        };
        books.accounts.extend(operations.iter().filter_map(Transfer::of).flat_map(|t| [t.from, t.to]));
        (books, source)
    }

    /// All that is known of a bank's history before its reads are judged.
    fn ledger<'h>(&self, operations: &[Operation<'h>]) -> Ledger<'h> {
        let (books, source) = self.books(operations);
        let transfers: Vec<Transfer<'_>> = operations.iter().filter_map(Transfer::of).collect();
        let open = Open::of(&transfers);
        let timed = operations.iter().any(|operation| operation.invocation.time > 0);
        Ledger { books, source, transfers, open, timed }
    }
}

/// The accounts that exist, and the money that there is.
#[derive(Debug, Default)]
struct Books {
    accounts: BTreeSet<String>,
    /// Unknown where no transactional read says.
    total: Option<i128>,
}

impl Books {
    fn of(balances: &Balances) -> Self {
        let total = balances.values().map(|&balance| i128::from(balance)).sum();
        Self { accounts: balances.keys().cloned().collect(), total: Some(total) }
    }
}

/// A transfer that may have moved money.
struct Transfer<'h> {
    operation: Operation<'h>,
    from: String,
    to: String,
    amount: i128,
}

impl<'h> Transfer<'h> {
    fn of(operation: &Operation<'h>) -> Option<Self> {
        if operation.f() != "transfer" || operation.outcome() == Outcome::Fail {
            return None;
        }
        let argument = operation.argument();
        let account = |name| argument.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            operation: *operation,
            from: account("from")?,
            to: account("to")?,
            amount: argument.get("amount").and_then(Value::as_i64)?.into(),
        })
    }

    /// When it ended for certain; none where it may take effect for ever.
    fn ended(&self) -> Option<usize> {
        self.operation.ret.filter(|_| self.operation.outcome() != Outcome::Info)
    }

    /// Whether it was open at some moment of the read.
    fn overlaps(&self, read: &Operation<'_>) -> bool {
        self.ended().is_none_or(|end| end > read.call)
            && read.ret.is_some_and(|end| self.operation.call < end)
    }
}

/// The reads that returned something.
fn reads<'o, 'h>(operations: &'o [Operation<'h>]) -> impl Iterator<Item = &'o Operation<'h>> {
    operations.iter().filter(|operation| operation.f() == "read" && operation.outcome() == Outcome::Ok)
}

/// Whether a read is of a single moment.
pub(crate) fn is_snapshot(read: &Operation<'_>) -> bool {
    read.via().is_none_or(|via| via == "txn") && !read.is_eventual()
}

/// The balances of a read, if they are all whole numbers.
pub(crate) fn whole(read: &Operation<'_>) -> Option<Balances> {
    let balances = read.result()?.as_object()?;
    balances.iter().map(|(account, balance)| Some((account.clone(), balance.as_i64()?))).collect()
}

impl Check for Bank {
    fn name(&self) -> &'static str {
        "bank"
    }

    fn check(&self, events: &[Event], _budget: &Budget) -> CheckResult {
        let mut result = CheckResult {
            valid: Validity::Valid,
            anomalies: Vec::new(),
            unknown: Vec::new(),
            stats: BTreeMap::new(),
        };
        let operations = match pair(events) {
            Ok(operations) => operations,
            Err(error) => {
                result.valid = Validity::Unknown;
                result.unknown.push(error.to_string());
                return result;
            }
        };
        let ledger = self.ledger(&operations);
        let mut audit = ledger.audit();
        let (mut snapshots, mut all) = (0_u64, 0_u64);
        let mut in_order: Vec<&Operation<'_>> = reads(&operations).collect();
        in_order.sort_by_key(|read| read.ret);
        for read in in_order {
            all += 1;
            snapshots += u64::from(is_snapshot(read));
            if let Err(reason) = audit.read(read) {
                result.valid = result.valid.max(Validity::Unknown);
                result.unknown.push(reason);
            }
        }
        let counts = [("reads", all), ("snapshots", snapshots), ("transfers", ledger.transfers.len() as u64)];
        result.stats.extend(counts.map(|(name, count)| (name.to_owned(), Value::from(count))));
        for (name, (count, anomaly)) in audit.found {
            result.valid = Validity::Invalid;
            result.stats.insert(name.to_owned(), Value::from(count));
            result.anomalies.push(anomaly);
        }
        result.anomalies.sort_by(|a, b| a.ops.last().cmp(&b.ops.last()).then_with(|| a.kind.cmp(&b.kind)));
        result
    }

    fn sensitivity(&self, events: &[Event], plan: &SensitivityPlan<'_>) -> Option<Sensitivity> {
        sensitivity::measure(self, events, plan)
    }
}

/// What reads are held against.
struct Ledger<'h> {
    books: Books,
    /// The read that the books were taken from.
    source: Option<Operation<'h>>,
    transfers: Vec<Transfer<'h>>,
    open: Open,
    /// Whether the history has times.
    timed: bool,
}

impl<'h> Ledger<'h> {
    /// When an operation was called and answered, in words.
    fn when(&self, operation: &Operation<'_>) -> String {
        when(operation, self.timed)
    }

    /// Who moved how much and when, in words.
    fn tell(&self, Transfer { operation, from, to, amount }: &Transfer<'_>) -> String {
        let (who, when) = (who(operation), self.when(operation));
        format!("{who} moved from {from} to {to} {when}, {amount},")
    }

    /// An audit that has seen no read yet.
    fn audit(&self) -> Audit<'_, 'h> {
        Audit { ledger: self, last_right: None, found: BTreeMap::new() }
    }
}

/// The books, held against one read after the other.
struct Audit<'l, 'h> {
    ledger: &'l Ledger<'h>,
    /// The last snapshot that added up.
    last_right: Option<u64>,
    /// Of each kind of anomaly, how many there were and the first.
    found: BTreeMap<&'static str, (u64, Anomaly)>,
}

impl Audit<'_, '_> {
    /// Judges one read. An error says why it cannot be judged.
    fn read(&mut self, read: &Operation<'_>) -> Result<(), String> {
        let Some(balances) = read.result().and_then(Value::as_object) else {
            return Err(format!(
                "event {}: a bank's read must return an object of balances, not {}",
                read.index,
                shown(read.result())
            ));
        };
        let mut complete = true;
        for account in &self.ledger.books.accounts {
            let Some(balance) = balances.get(account).and_then(Value::as_i64) else {
                complete = false;
                let found = shown(balances.get(account));
                let did = format!("found {found} instead of a balance in account {account}");
                self.note(anomaly::NIL_BALANCE, vec![read.index], self.told(read, &did) + ".");
                continue;
            };
            if balance < 0 {
                let did = format!("read a balance of {balance} in account {account}");
                self.note(anomaly::NEGATIVE_VALUE, vec![read.index], self.told(read, &did) + ".");
            }
        }
        if let Some((account, balance)) =
            balances.iter().find(|(name, _)| !self.ledger.books.accounts.contains(*name))
        {
            let told = self.told(read, &format!("read {} in account {account}", shown(Some(balance))));
            self.note(anomaly::UNEXPECTED_KEY, vec![read.index], told + ", which does not exist.");
            complete = false;
        }
        if let Some(expected) = self.ledger.books.total.filter(|_| complete && is_snapshot(read)) {
            let total = balances.values().filter_map(Value::as_i64).map(i128::from).sum::<i128>();
            self.total(read, total, expected);
        }
        Ok(())
    }

    /// Judges the total of a snapshot that shows every account.
    fn total(&mut self, read: &Operation<'_>, total: i128, expected: i128) {
        let off = total - expected;
        if off == 0 {
            self.last_right = Some(read.index);
            return;
        }
        let told = self.told(read, &format!("read a total of {total} instead of {expected}"));
        if let Some(place) = self.ledger.open.during(read, off.abs(), &self.ledger.transfers) {
            let transfer = &self.ledger.transfers[place];
            let half = if off < 0 { "had left the one and not reached the other" } else { "was in both" };
            let text = format!("{told}: what {} {half}.", self.ledger.tell(transfer));
            let mut ops = vec![read.index, transfer.operation.index];
            ops.sort_unstable();
            self.note(anomaly::TORN_READ, ops, text);
            return;
        }
        let text = format!("{told}, in one transaction.");
        let mut ops: Vec<u64> = self.ledger.source.map(|source| source.index).into_iter().collect();
        ops.push(read.index);
        self.note(anomaly::WRONG_TOTAL, ops, text);
    }

    /// Who did it and when, in words.
    fn told(&self, read: &Operation<'_>, did: &str) -> String {
        format!("{} {did} {}", capitalised(&who(read)), self.ledger.when(read))
    }

    fn note(&mut self, kind: &'static str, ops: Vec<u64>, explanation: String) {
        let context: Vec<u64> = self.last_right.into_iter().filter(|index| !ops.contains(index)).collect();
        let first =
            Anomaly { kind: kind.to_owned(), key: None, ops, context, explanation, cycle: Vec::new() };
        self.found.entry(kind).or_insert((0, first)).0 += 1;
    }
}
