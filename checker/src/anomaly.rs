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
/// An old value was seen although a newer one was in force, and nothing shows that the newer one is lost.
pub const STALE_READ: &str = "stale-read";
/// A write that was in force is gone for good, and what it had replaced is back.
pub const LOST_WRITE: &str = "lost-write";
/// Two operations replaced the same value or absence, or a condition held on a value already replaced.
pub const LOST_UPDATE: &str = "lost-update";
/// A value was seen that nobody ever wrote, or only by a write that failed and began later.
pub const PHANTOM_VALUE: &str = "phantom-value";
/// A value was seen of which only a write had been invoked that certainly failed.
pub const ABORTED_READ: &str = "aborted-read";
/// A value was seen before its write was invoked.
pub const FUTURE_READ: &str = "future-read";
/// A value was shown beside a version that is not its own.
pub const WRONG_VERSION: &str = "wrong-version";
/// A deleted item came back for good.
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
/// Replicas still hold different things after the faults were healed and the writes had stopped.
pub const DIVERGED: &str = "diverged";
/// An element was added, and later reads do not have it.
pub const LOST_ELEMENT: &str = "lost-element";
/// An element was read that cannot have been added.
pub const UNEXPECTED_ELEMENT: &str = "unexpected-element";
/// An element was twice in one read.
pub const DUPLICATE_ELEMENT: &str = "duplicate-element";
/// A read that began after an element was known to be there did not have it.
pub const STALE_ELEMENT: &str = "stale-element";
/// A last-writer-wins store kept a write with a lower timestamp.
pub const LOST_AGAINST_LWW: &str = "lost-against-lww";
/// A write vanished that nobody had replaced.
pub const SIBLING_LOST: &str = "sibling-lost";
/// A write and one that it had replaced were shown as siblings.
pub const FALSE_CONFLICT: &str = "false-conflict";
/// Siblings that were reconciled are still there in the end.
pub const UNRESOLVED_SIBLINGS: &str = "unresolved-siblings";
/// Less was served on a side of a partition than must be.
pub const UNAVAILABLE: &str = "unavailable";
/// A client went back in time, in one of the four ways.
pub const SESSION_VIOLATED: &str = "session-violated";
/// A client's read misses a write of its own.
pub const READ_YOUR_WRITES_VIOLATED: &str = "read-your-writes-violated";
/// A client's read misses what an earlier one showed.
pub const MONOTONIC_READS_VIOLATED: &str = "monotonic-reads-violated";
/// A client's write is there without an earlier one of the same client.
pub const MONOTONIC_WRITES_VIOLATED: &str = "monotonic-writes-violated";
/// A client's write is there without what the client had read before.
pub const WRITES_FOLLOW_READS_VIOLATED: &str = "writes-follow-reads-violated";
/// An effect was seen without its cause.
pub const CAUSALITY_VIOLATED: &str = "causality-violated";
/// A read was further behind than is allowed.
pub const TOO_STALE: &str = "too-stale";

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
        "an old value was seen although a newer one was in force before, and nothing shows that the newer one is \
         lost: it was seen at that time or later, or this one look is the only one that is old",
    ),
    kind(
        LOST_WRITE,
        Some(NONLINEARIZABLE),
        "a write that was acknowledged or seen is gone for good: what was there before it was seen after it by at \
         least two operations, or replaced by a later write, and its value never again; or the replicas came to \
         agree without an acknowledged write that nothing had replaced",
    ),
    kind(
        LOST_UPDATE,
        Some(NONLINEARIZABLE),
        "two operations replaced the same value or the same absence, or a condition held on a value that had been \
         replaced before",
    ),
    kind(
        PHANTOM_VALUE,
        Some(NONLINEARIZABLE),
        "a value was seen that nobody ever wrote, or only a write that certainly failed and began later",
    ),
    kind(
        ABORTED_READ,
        Some(NONLINEARIZABLE),
        "a value was seen whose only writes that had been invoked by then certainly failed",
    ),
    kind(
        FUTURE_READ,
        Some(NONLINEARIZABLE),
        "a value was seen before any write of it was invoked; one was invoked later",
    ),
    kind(
        WRONG_VERSION,
        None,
        "a value was shown beside a version that is not that of a write of it, or a version beside two values",
    ),
    kind(
        RESURRECTED,
        Some(NONLINEARIZABLE),
        "a deleted item came back for good: its value was seen after the delete by at least two operations, or \
         replaced by a later write, and the absence never again; or an answer that knows of the delete shows what \
         it had replaced",
    ),
    kind(
        DOUBLE_APPLY,
        Some(NONLINEARIZABLE),
        "the value of one write, sent again or never answered, came back for good after it had been replaced, or \
         was replaced twice",
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
    kind(
        DIVERGED,
        None,
        "replicas hold different versions of a key although the faults are healed and the writes have stopped",
    ),
    kind(LOST_ELEMENT, None, "an element was known to be in a set, and the last reads do not have it"),
    kind(UNEXPECTED_ELEMENT, None, "an element was read that nobody had tried to add, or not successfully"),
    kind(DUPLICATE_ELEMENT, None, "an element was more than once in one read of a set"),
    kind(
        STALE_ELEMENT,
        None,
        "a read that began after an element was known to be in the set did not have it",
    ),
    kind(
        LOST_AGAINST_LWW,
        None,
        "an acknowledged write is gone although its timestamp is higher than that of what was kept",
    ),
    kind(SIBLING_LOST, None, "a write is gone that no write had replaced, and no sibling shows it"),
    kind(
        FALSE_CONFLICT,
        None,
        "two versions were shown as siblings although the writer of one had replaced the other",
    ),
    kind(UNRESOLVED_SIBLINGS, None, "siblings that a write had reconciled are still there in the end"),
    kind(UNAVAILABLE, None, "less was served on a side of a partition than was promised"),
    kind(SESSION_VIOLATED, None, "a client was shown the past of what it had written or seen"),
    kind(
        READ_YOUR_WRITES_VIOLATED,
        Some(SESSION_VIOLATED),
        "a client read an item and did not see a write of its own that had been acknowledged before",
    ),
    kind(
        MONOTONIC_READS_VIOLATED,
        Some(SESSION_VIOLATED),
        "a client read an item and did not see what an earlier read of its own had shown",
    ),
    kind(
        MONOTONIC_WRITES_VIOLATED,
        Some(SESSION_VIOLATED),
        "a client's later write was ordered before an earlier one, or was seen without it",
    ),
    kind(
        WRITES_FOLLOW_READS_VIOLATED,
        Some(SESSION_VIOLATED),
        "a client's write was ordered before what the client had read, or was seen without it",
    ),
    kind(
        CAUSALITY_VIOLATED,
        None,
        "an effect was seen without its cause: an operation misses a write that led to it, through whatever clients and items, or a value was seen that nobody had written",
    ),
    kind(TOO_STALE, None, "a read was further behind in time than the bound allows"),
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
