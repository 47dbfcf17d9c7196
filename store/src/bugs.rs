//! The planted bugs: mistakes that real replicated stores have made, to prove that the harness finds
//! them.
//!
//! Every bug is always compiled in, is off unless a node was started with its name, and sits at the
//! place where the real bug would be: that place asks [`Bugs::has`]. When a bug is off it changes
//! nothing. The catalogue says for each what it is, which anomaly it must show and under which
//! options of `growler test`, and under which it must not: a bug that needs a fault must be invisible
//! without one, any other where its mechanism is not used.

mod catalogue;

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use self::catalogue::CATALOGUE;

/// A planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// See [`catalogue()`].
    AckBeforeQuorum,
    /// See [`catalogue()`].
    StaleLeaderRead,
    /// See [`catalogue()`].
    NoFsync,
    /// See [`catalogue()`].
    NoReplay,
    /// See [`catalogue()`].
    ConditionIgnored,
    /// See [`catalogue()`].
    SplitBrain,
    /// See [`catalogue()`].
    LeaseOnWallClock,
    /// See [`catalogue()`].
    DeletedComesBack,
    /// See [`catalogue()`].
    DecidedEarly,
    /// See [`catalogue()`].
    HintDropped,
    /// See [`catalogue()`].
    HintToWrongNode,
    /// See [`catalogue()`].
    ReadRepairOverwrites,
    /// See [`catalogue()`].
    PlainVersionVectors,
    /// See [`catalogue()`].
    VectorPrunedEarly,
    /// See [`catalogue()`].
    SiblingsCollapsed,
    /// See [`catalogue()`].
    TombstoneCollectedEarly,
    /// See [`catalogue()`].
    MerkleRangeSkipped,
    /// See [`catalogue()`].
    DuplicatesCounted,
    /// See [`catalogue()`].
    AcknowledgedBeforeW,
    /// See [`catalogue()`].
    NeverHandsBack,
    /// See [`catalogue()`].
    NodeBeforeTime,
    /// See [`catalogue()`].
    TrustsItsClock,
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
    /// Arguments of `growler test` under which it shows, beside `--store` with one of `stores`.
    pub options: &'static [&'static str],
    /// Arguments of `growler test` under which it must not show: the run passes. The same as `options`, but
    /// without the faults that the bug needs, or with what it breaks switched off or not asked for.
    pub quiet: &'static [&'static str],
}

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
            assert_ne!(info.options, info.quiet, "{} cannot both show and not", info.name);
        }
        assert!("no-such-bug".parse::<Bug>().is_err());
    }
}
