//! The planted bugs: mistakes that real replicated stores have made, to prove that the harness finds
//! them.
//!
//! Every bug is always compiled in, is off unless a node was started with its name, and sits at the
//! place where the real bug would be: that place asks [`Bugs::has`]. When a bug is off it changes
//! nothing. The catalogue says for each what it is, which anomaly it must show and under which
//! options of `growler test`; a bug that needs a fault must be invisible without one.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// A planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// See [`catalogue`].
    AckBeforeQuorum,
    /// See [`catalogue`].
    StaleLeaderRead,
    /// See [`catalogue`].
    NoFsync,
    /// See [`catalogue`].
    NoReplay,
    /// See [`catalogue`].
    ConditionIgnored,
    /// See [`catalogue`].
    SplitBrain,
    /// See [`catalogue`].
    LeaseOnWallClock,
    /// See [`catalogue`].
    DeletedComesBack,
}

/// What the catalogue says about a bug.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct BugInfo {
    /// The bug.
    #[serde(skip)]
    pub bug: Bug,
    /// Its name on the command line.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub about: &'static str,
    /// The styles of the store that have it.
    pub stores: &'static [&'static str],
    /// At least one of these anomalies shows.
    pub expect: &'static [&'static str],
    /// Arguments of `growler test` under which it shows.
    pub options: &'static [&'static str],
}

/// All planted bugs.
const CATALOGUE: &[BugInfo] = &[
    BugInfo {
        bug: Bug::AckBeforeQuorum,
        name: "ack-before-quorum",
        about: "a leader whose followers are slow to answer acknowledges a write that only its own log holds",
        stores: &["leader"],
        expect: &["lost-write", "lost-update"],
        options: &["--workload", "register", "--faults", "partition"],
    },
    BugInfo {
        bug: Bug::StaleLeaderRead,
        name: "stale-leader-read",
        about: "a node that believes to be leader answers strong reads without asking a quorum",
        stores: &["leader"],
        expect: &["stale-read"],
        options: &["--workload", "register", "--faults", "partition"],
    },
    BugInfo {
        bug: Bug::NoFsync,
        name: "no-fsync",
        about: "a write is acknowledged before the disk has it: a power loss takes it away",
        stores: &["leader"],
        expect: &["lost-write", "lost-update"],
        options: &["--workload", "register", "--faults", "kill"],
    },
    BugInfo {
        bug: Bug::NoReplay,
        name: "no-replay",
        about: "a restarted node keeps its tables as of the last checkpoint and never replays the log after it",
        stores: &["leader"],
        expect: &["lost-write", "lost-update", "resurrected", "stale-read"],
        options: &["--workload", "register", "--faults", "kill"],
    },
    BugInfo {
        bug: Bug::ConditionIgnored,
        name: "condition-ignored",
        about: "now and then a conditional write takes place although its condition does not hold",
        stores: &["leader"],
        expect: &["condition-held-though-it-failed"],
        options: &["--workload", "cas-register", "--faults", "none"],
    },
    BugInfo {
        bug: Bug::SplitBrain,
        name: "split-brain",
        about: "a leader that is cut off goes on answering reads and writes by itself",
        stores: &["leader"],
        expect: &["lost-write", "lost-update", "stale-read"],
        options: &["--workload", "register", "--faults", "partition"],
    },
    BugInfo {
        bug: Bug::LeaseOnWallClock,
        name: "lease-on-wall-clock",
        about: "the leader's lease is measured on the wall clock: a jump back while cut off revives it",
        stores: &["leader"],
        expect: &["stale-read"],
        options: &[
            "--workload",
            "register",
            "--faults",
            "partition,clock",
            "--set",
            "reads=lease",
            "--set",
            "partitions=1",
            "--timeout",
            "300ms",
        ],
    },
    BugInfo {
        bug: Bug::DeletedComesBack,
        name: "deleted-comes-back",
        about: "now and then a deleted item is back a little later, as if its tombstone were dropped too soon",
        stores: &["leader"],
        expect: &["resurrected", "lost-update"],
        options: &["--workload", "register", "--faults", "none"],
    },
];

/// All planted bugs.
#[must_use]
pub fn catalogue() -> &'static [BugInfo] {
    CATALOGUE
}

impl Bug {
    /// The bug's entry in the catalogue.
    #[must_use]
    pub fn info(self) -> &'static BugInfo {
        let position = CATALOGUE.iter().position(|info| info.bug == self).unwrap_or_default();
        &CATALOGUE[position]
    }
}

impl fmt::Display for Bug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.info().name)
    }
}

/// There is no bug of this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no planted bug is called `{0}`: `growler list bugs` names them")]
pub struct UnknownBug(pub String);

impl FromStr for Bug {
    type Err = UnknownBug;

    fn from_str(name: &str) -> Result<Self, UnknownBug> {
        let info = CATALOGUE.iter().find(|info| info.name == name);
        info.map(|info| info.bug).ok_or_else(|| UnknownBug(name.to_owned()))
    }
}

/// The bug that a node runs with, or none: what the places of the bugs ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bugs(Option<Bug>);

impl Bugs {
    /// A healthy node.
    pub const NONE: Self = Self(None);

    /// A node with this bug.
    #[must_use]
    pub const fn with(bug: Bug) -> Self {
        Self(Some(bug))
    }

    /// Whether this bug is on.
    #[must_use]
    pub fn has(self, bug: Bug) -> bool {
        self.0 == Some(bug)
    }

    /// The bug that is on, if any.
    #[must_use]
    pub const fn on(self) -> Option<Bug> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bug_is_in_the_catalogue_once_and_found_by_its_name() {
        for info in CATALOGUE {
            assert_eq!(info.name.parse(), Ok(info.bug));
            assert_eq!(info.bug.info().name, info.name);
            assert_eq!(CATALOGUE.iter().filter(|other| other.bug == info.bug).count(), 1);
        }
        assert!("no-such-bug".parse::<Bug>().is_err());
    }
}
