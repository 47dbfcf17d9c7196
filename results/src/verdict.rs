//! The verdict of a run: what the checks, the faults and the accidents of a run come to, as one word and
//! one exit code.
//!
//! [`Verdict`] is the contract's table of exit codes. [`fn@judge`] is the only place where a verdict is
//! decided: a pure function of everything that bears on it, whether a run has just ended or is judged again from
//! its files ([`RunEnd`]). [`Results`] is the file that keeps the verdict.

mod coverage;
mod end;
mod ending;
mod exposure;
mod judge;
mod results;
mod sensitivity;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use coverage::{Coverage, Cut, FaultCoverage};
pub use end::{Crash, RecoveryMiss, RunEnd};
pub use ending::Ending;
pub use exposure::{Exposure, OPEN_MIN, Raced};
pub use judge::{Expectations, Judgement, judge, outranked};
pub use results::{OpCounts, Results};
pub use sensitivity::{PLACES_MIN, by_kind, within};

/// The verdicts, contract section 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every check passed, and the test meant something.
    Pass,
    /// A check failed: an anomaly was found.
    Violation,
    /// A check could not decide.
    Unknown,
    /// Nothing was refuted, but the run proves nothing.
    Vacuous,
    /// The system could not be set up or reached, or the machine stood in the way.
    Environment,
    /// Ctrl-C.
    Interrupted,
    /// The command line or a file given to it is wrong.
    Usage,
    /// A defect of growler.
    Internal,
}

impl Verdict {
    /// All verdicts, by exit code.
    pub const ALL: [Self; 8] = [
        Self::Pass,
        Self::Violation,
        Self::Unknown,
        Self::Vacuous,
        Self::Environment,
        Self::Interrupted,
        Self::Usage,
        Self::Internal,
    ];

    /// The process's exit code.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Violation => 1,
            Self::Unknown => 2,
            Self::Vacuous => 3,
            Self::Environment => 4,
            Self::Interrupted => 130,
            Self::Usage => 254,
            Self::Internal => 255,
        }
    }

    /// The word in `results.json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Violation => "violation",
            Self::Unknown => "unknown",
            Self::Vacuous => "vacuous",
            Self::Environment => "environment",
            Self::Interrupted => "interrupted",
            Self::Usage => "usage",
            Self::Internal => "internal",
        }
    }

    /// The one that wins where both apply: 1, 255, 130, 4, 2, 3, 0, in this order. `usage` ends a command
    /// before anything else can apply, so it comes first.
    #[must_use]
    pub fn combine(self, other: Self) -> Self {
        if self.precedence() <= other.precedence() { self } else { other }
    }

    /// The sign that stands beside the name: colour never speaks alone.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::Pass => "✓",
            Self::Violation => "✕",
            Self::Unknown | Self::Vacuous => "?",
            Self::Environment | Self::Interrupted | Self::Usage | Self::Internal => "!",
        }
    }

    /// The place in the order, 0 wins.
    fn precedence(self) -> u8 {
        match self {
            Self::Usage => 0,
            Self::Violation => 1,
            Self::Internal => 2,
            Self::Interrupted => 3,
            Self::Environment => 4,
            Self::Unknown => 5,
            Self::Vacuous => 6,
            Self::Pass => 7,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_codes_are_the_contracts_table() {
        let table = [
            (0, "pass"),
            (1, "violation"),
            (2, "unknown"),
            (3, "vacuous"),
            (4, "environment"),
            (130, "interrupted"),
            (254, "usage"),
            (255, "internal"),
        ];
        assert_eq!(Verdict::ALL.map(|v| (v.exit_code(), v.name())), table);
        for verdict in Verdict::ALL {
            assert_eq!(serde_json::to_string(&verdict).unwrap(), format!("{:?}", verdict.name()));
        }
    }

    #[test]
    fn where_several_apply_the_contracts_order_decides() {
        let order = [1, 255, 130, 4, 2, 3, 0];
        let by_code = |code| Verdict::ALL.into_iter().find(|v| v.exit_code() == code).unwrap();
        for (place, &winner) in order.iter().enumerate() {
            for &loser in &order[place..] {
                assert_eq!(by_code(winner).combine(by_code(loser)).exit_code(), winner);
                assert_eq!(by_code(loser).combine(by_code(winner)).exit_code(), winner);
            }
        }
    }
}
