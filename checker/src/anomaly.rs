//! The catalogue of anomalies: every name that a check may put into a verdict.
//!
//! Names are public interface: people write them after `--expect` and `--allow`, and scripts read them from
//! `results.json`. A name may have a parent, which admits it: who expects `nonlinearizable` is served by a
//! `stale-read`. No check may report a name that is not listed here.

use serde::Serialize;

/// One kind of anomaly, as `growler list anomalies` shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Kind {
    /// Its name in verdicts and on the command line.
    pub name: &'static str,
    /// What happened, in one sentence.
    pub about: &'static str,
    /// The more general anomaly that this is a case of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<&'static str>,
}

/// No sequential order of the operations explains the answers.
pub const NONLINEARIZABLE: &str = "nonlinearizable";
/// An old value was seen although a newer one was in force, and the newer one was seen again.
pub const STALE_READ: &str = "stale-read";
/// A write that was in force is gone, and what it had replaced is back.
pub const LOST_WRITE: &str = "lost-write";
/// Two operations replaced the same value, or a condition held on a value already replaced.
pub const LOST_UPDATE: &str = "lost-update";
/// A value was seen that nobody wrote.
pub const PHANTOM_VALUE: &str = "phantom-value";
/// A value was seen whose write had failed for certain.
pub const ABORTED_READ: &str = "aborted-read";
/// A value was seen before its write was invoked.
pub const FUTURE_READ: &str = "future-read";
/// A deleted item came back.
pub const RESURRECTED: &str = "resurrected";
/// One write took effect twice.
pub const DOUBLE_APPLY: &str = "double-apply";
/// A condition was refused although it held.
pub const CONDITION_REFUSED: &str = "condition-failed-though-it-held";
/// A condition was accepted although it did not hold.
pub const CONDITION_ACCEPTED: &str = "condition-held-though-it-failed";
/// The system did not serve again in time after the faults were healed.
pub const NOT_RECOVERED: &str = "not-recovered";
/// A node died unasked, or cannot start from its own data.
pub const NODE_CRASHED: &str = "node-crashed";
/// The balances of one snapshot do not add up.
pub const WRONG_TOTAL: &str = "wrong-total";
/// A snapshot shows half of a transfer.
pub const TORN_READ: &str = "torn-read";
/// An account went below zero.
pub const NEGATIVE_VALUE: &str = "negative-value";
/// An account was read that does not exist.
pub const UNEXPECTED_KEY: &str = "unexpected-key";
/// An account that exists was read without a balance.
pub const NIL_BALANCE: &str = "nil-balance";

const fn kind(name: &'static str, parent: Option<&'static str>, about: &'static str) -> Kind {
    Kind { name, about, parent }
}

/// Every anomaly that a check may report, parents before their children.
#[must_use]
pub fn catalogue() -> &'static [Kind] {
    CATALOGUE
}

const CATALOGUE: &[Kind] = &[
    kind(
        NONLINEARIZABLE,
        None,
        "no order of the operations that respects real time explains what the clients were told",
    ),
    kind(
        STALE_READ,
        Some(NONLINEARIZABLE),
        "an old value was seen although a newer one was in force before; the newer one was seen again",
    ),
    kind(
        LOST_WRITE,
        Some(NONLINEARIZABLE),
        "an old value was seen although a newer one was in force before, and the newer one is never seen again",
    ),
    kind(
        LOST_UPDATE,
        Some(NONLINEARIZABLE),
        "two operations replaced the same value, or a condition held on a value that had been replaced before",
    ),
    kind(PHANTOM_VALUE, Some(NONLINEARIZABLE), "a value was seen that nobody ever wrote"),
    kind(ABORTED_READ, Some(NONLINEARIZABLE), "a value was seen whose write had certainly failed"),
    kind(FUTURE_READ, Some(NONLINEARIZABLE), "a value was seen before its write was invoked"),
    kind(
        RESURRECTED,
        Some(NONLINEARIZABLE),
        "a deleted item came back: its value was seen after the delete, and the delete is never seen again",
    ),
    kind(
        DOUBLE_APPLY,
        Some(NONLINEARIZABLE),
        "the value of one write, sent again or never answered, came back after it had been replaced",
    ),
    kind(
        CONDITION_REFUSED,
        Some(NONLINEARIZABLE),
        "a conditional write was refused although its condition held all the time",
    ),
    kind(
        CONDITION_ACCEPTED,
        Some(NONLINEARIZABLE),
        "a conditional write was applied although the value that it replaced did not satisfy its condition",
    ),
    kind(
        NOT_RECOVERED,
        None,
        "the system did not serve again within the recovery deadline after the faults were healed",
    ),
    kind(NODE_CRASHED, None, "a node died unasked, or cannot start from its own data"),
    kind(WRONG_TOTAL, None, "the balances of one transactional read do not add up to the money there is"),
    kind(
        TORN_READ,
        Some(WRONG_TOTAL),
        "a transactional read shows one half of a concurrent transfer and not the other",
    ),
    kind(NEGATIVE_VALUE, None, "an account went below zero although transfers are conditional"),
    kind(UNEXPECTED_KEY, None, "an account was read that does not exist"),
    kind(NIL_BALANCE, None, "an account that exists was read without a balance"),
];

/// The catalogue's entry of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Kind> {
    CATALOGUE.iter().find(|kind| kind.name == name)
}

/// Whether who names `named` means `found` too: it is the same, or one of its cases.
///
/// ```
/// use growler_checker::anomaly::admits;
/// assert!(admits("nonlinearizable", "stale-read"));
/// assert!(!admits("stale-read", "nonlinearizable"));
/// ```
#[must_use]
pub fn admits(named: &str, found: &str) -> bool {
    let mut current = Some(found);
    while let Some(name) = current {
        if name == named {
            return true;
        }
        current = find(name).and_then(|kind| kind.parent);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parent_is_listed_before_its_children_and_names_are_unique() {
        for (at, kind) in CATALOGUE.iter().enumerate() {
            let before = &CATALOGUE[..at];
            assert!(before.iter().all(|other| other.name != kind.name), "{} is listed twice", kind.name);
            if let Some(parent) = kind.parent {
                assert!(before.iter().any(|other| other.name == parent), "{} has no parent", kind.name);
            }
        }
    }

    #[test]
    fn a_name_admits_itself_and_its_cases_only() {
        assert!(admits("not-recovered", "not-recovered"));
        assert!(admits("wrong-total", "torn-read"));
        assert!(!admits("nonlinearizable", "wrong-total"));
        assert!(admits("unlisted", "unlisted"), "a name always admits itself");
    }
}
