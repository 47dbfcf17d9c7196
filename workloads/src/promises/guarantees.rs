//! Which session guarantees the quorum style gives, by its settings and the faults.
//!
//! For clients that go from node to node and ask for eventual reads. That a client stays with its node changes
//! nothing: the node asks N owners and takes the first R answers, whichever they are.
//!
//! Two things are behind most rows. *Partial writes*: a write that too few nodes took is not taken back, so that
//! one read meets it and the next one does not, even at R + W > N. And *who decides what a write replaces*: the
//! node that coordinates it, by what it has itself, unless the client says what it has seen.

use serde::Serialize;

use super::{System, When};

/// One of the four guarantees of a session (Terry et al. 1994), or what all of them and more amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guarantee {
    /// A session reads what it wrote.
    ReadYourWrites,
    /// What a session read once it goes on reading.
    MonotonicReads,
    /// The writes of a session take effect in its order.
    MonotonicWrites,
    /// A session's writes come after what it had read.
    WritesFollowReads,
}

impl Guarantee {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::ReadYourWrites, Self::MonotonicReads, Self::MonotonicWrites, Self::WritesFollowReads];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadYourWrites => "read-your-writes",
            Self::MonotonicReads => "monotonic-reads",
            Self::MonotonicWrites => "monotonic-writes",
            Self::WritesFollowReads => "writes-follow-reads",
        }
    }

    /// How it is said that it does not hold.
    #[must_use]
    pub fn name_of_absence(self) -> &'static str {
        match self {
            Self::ReadYourWrites => "no read-your-writes",
            Self::MonotonicReads => "no monotonic-reads",
            Self::MonotonicWrites => "no monotonic-writes",
            Self::WritesFollowReads => "no writes-follow-reads",
        }
    }
}

/// Whether a guarantee holds, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuaranteeRow {
    /// Which.
    pub guarantee: Guarantee,
    /// When this row applies; all of it must.
    pub when: &'static [When],
    /// Whether it holds then.
    pub holds: bool,
    /// Why.
    pub why: &'static str,
}

const STRICT: When = When::Set("quorum", "strict");
const SLOPPY: When = When::Set("quorum", "sloppy");
const LWW: When = When::Set("resolve", "lww");

const fn row(guarantee: Guarantee, when: &'static [When], holds: bool, why: &'static str) -> GuaranteeRow {
    GuaranteeRow { guarantee, when, holds, why }
}

/// The rows. Of each guarantee the first that applies decides, and its last row applies always.
pub const GUARANTEES: &[GuaranteeRow] = &[
    row(
        Guarantee::ReadYourWrites,
        &[LWW, When::Fault("clock")],
        false,
        "a client whose second write goes through a slow clock never reads it: its first one, or anybody's, is \
         greater. That is the rule, by design",
    ),
    row(
        Guarantee::ReadYourWrites,
        &[SLOPPY],
        false,
        "the W nodes that have a write may be standing in for others, and a read through owners that are back \
         does not ask them: R + W > N says nothing in a sloppy quorum",
    ),
    row(
        Guarantee::ReadYourWrites,
        &[STRICT, When::Overlap],
        true,
        "the R owners that a read asks and the W that acknowledged the write have one in common",
    ),
    row(
        Guarantee::ReadYourWrites,
        &[],
        false,
        "R + W ≤ N: a read may ask only owners that the write has not reached",
    ),
    row(
        Guarantee::MonotonicReads,
        &[SLOPPY],
        false,
        "one read may ask a node that stands in, and the next one the owner that it stands in for",
    ),
    row(
        Guarantee::MonotonicReads,
        &[STRICT, When::ReadsAll],
        true,
        "every read asks all owners, so that what one of them has shown is in the next answer too",
    ),
    row(
        Guarantee::MonotonicReads,
        &[],
        false,
        "a write that too few owners have, because it is under way or failed, is in one read and not in the next, \
         even at R + W > N",
    ),
    row(
        Guarantee::MonotonicWrites,
        &[LWW, When::Fault("clock")],
        false,
        "a session's second write gets a lesser timestamp than its first where the clock of its coordinator is \
         behind",
    ),
    row(
        Guarantee::MonotonicWrites,
        &[SLOPPY],
        false,
        "the coordinator of the second write may not have the first: then they stand beside each other",
    ),
    row(
        Guarantee::MonotonicWrites,
        &[STRICT, When::WritesAll],
        true,
        "when a write is acknowledged every owner has it, and each of them puts the next one after it",
    ),
    row(
        Guarantee::MonotonicWrites,
        &[STRICT, LWW, When::Overlap],
        true,
        "with clocks that agree a later write has the greater timestamp, and whoever sees it and asks for the \
         earlier one meets that at R + W > N",
    ),
    row(
        Guarantee::MonotonicWrites,
        &[],
        false,
        "the coordinator of the second write may be an owner that the first has not reached: then they stand \
         beside each other, or the first is missing where the second is seen",
    ),
    row(
        Guarantee::WritesFollowReads,
        &[LWW, When::Fault("clock")],
        false,
        "a write gets a lesser timestamp than what its client had read where the clock of its coordinator is \
         behind",
    ),
    row(
        Guarantee::WritesFollowReads,
        &[STRICT, When::ReadsAll, LWW],
        true,
        "with clocks that agree a later write has the greater timestamp, and every read asks all owners",
    ),
    row(
        Guarantee::WritesFollowReads,
        &[],
        false,
        "a read may show what its write's coordinator does not have, and a write that does not say what its \
         client had seen replaces only what its coordinator has",
    ),
];

/// Which guarantees this system gives if it is of the quorum style.
#[must_use]
pub fn guarantees(system: &System<'_>) -> [&'static GuaranteeRow; 4] {
    const LAST: &GuaranteeRow = &GUARANTEES[GUARANTEES.len() - 1];
    Guarantee::ALL.map(|guarantee| {
        let applies = |row: &&GuaranteeRow| row.guarantee == guarantee && system.all(row.when);
        GUARANTEES.iter().find(applies).unwrap_or(LAST)
    })
}
