//! What an account can hold.
//!
//! Transfers neither make nor lose money, and are conditional, so that no account goes below zero: no account ever
//! holds more than all of them together. How much that is, the first balances say, or the first transactional read of
//! whole balances, which is then part of the proof. Where the first balances are known, an account holds these and what
//! the transfers can have brought and taken that were invoked before the answer came ([`Sums`]).
//!
//! That holds of every read, however weak. Whether a read adds up is for [`crate::invariants::bank`] to say.

use std::collections::HashMap;

use serde_json::Value;

use super::report::{Report, Shown, name};
use super::says::Facet;
use super::sources::{NEVER, position};
use super::sums::Sums;
use crate::history::{Operation, Outcome};
use crate::invariants::bank::{Balances, is_snapshot, whole};

/// Judges all balances that were read.
pub(super) fn judge(report: &mut Report<'_, '_>, initial: Option<&Balances>) {
    let operations = report.operations;
    let total = |balances: &Balances| balances.values().map(|&balance| i128::from(balance)).sum::<i128>();
    let known = initial.map(|balances| (total(balances), None));
    let snapshot = || {
        let is_read = |operation: &&Operation<'_>| {
            operation.f() == "read" && operation.outcome() == Outcome::Ok && is_snapshot(operation)
        };
        let reads = operations.iter().zip(0..).filter(|(operation, _)| is_read(operation));
        let whole = reads.filter_map(|(read, place)| Some((read.ret, place, whole(read)?)));
        whole.min_by_key(|&(ret, ..)| ret).map(|(_, place, balances)| (total(&balances), Some(place)))
    };
    let money = known.or_else(snapshot);
    let transfers = initial.map(|_| transfers(operations));
    for (operation, place) in operations.iter().zip(0..) {
        let is_read = operation.f() == "read" && operation.outcome() == Outcome::Ok;
        let balances = operation.result().filter(|_| is_read).and_then(Value::as_object);
        for (account, value) in balances.into_iter().flatten() {
            let Some(balance) = value.as_i64().map(i128::from) else { continue };
            let shown = Shown { place, facet: Facet::Read, part: None, value };
            report.count();
            if let Some((total, source)) = money.filter(|&(total, _)| balance > total) {
                report.more_than_there_is(shown, account, total, source);
                continue;
            }
            let Some((first, transfers)) = initial.zip(transfers.as_ref()) else { continue };
            // Of accounts that do not exist the check of the bank tells.
            let Some(&first) = first.get(account) else { continue };
            let end = operation.ret.map_or(0, position);
            let none = (Sums::default(), Sums::default());
            let (moved, failed) = transfers.get(account.as_str()).unwrap_or(&none);
            let by = balance - i128::from(first);
            if !moved.explain(&none.0, end, by) {
                let name = name(moved.explain(failed, end, by), moved.explain(&none.0, NEVER, by));
                let (low, high) = moved.bounds(end);
                report.unreachable(name, shown, account, (low + i128::from(first), high + i128::from(first)));
            }
        }
    }
}

/// What transfers moved into each account and out of it: those that did not certainly fail, and those that did.
fn transfers<'h>(operations: &[Operation<'h>]) -> HashMap<&'h str, (Sums, Sums)> {
    let mut moved: HashMap<&str, (Sums, Sums)> = HashMap::new();
    for operation in operations.iter().filter(|operation| operation.f() == "transfer") {
        let argument = operation.argument();
        let amount = argument.get("amount").and_then(Value::as_i64).map(i128::from);
        for (side, sign) in [("from", -1), ("to", 1)] {
            let account = argument.get(side).and_then(Value::as_str);
            let Some((account, amount)) = account.zip(amount) else { continue };
            let (sums, failed) = moved.entry(account).or_default();
            let sums = if operation.outcome() == Outcome::Fail { failed } else { sums };
            sums.add(position(operation.call), sign * amount);
        }
    }
    moved
}
