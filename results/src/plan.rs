//! The faults of a run as the report reads them: `plan.json`, contract section 6.
//!
//! The nemesis writes the file; this is a reader's own view of it, tolerant of what it does not know, so
//! that a report can be made of runs from other versions.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `plan.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PlanFile {
    /// The seed that the schedule came from.
    #[serde(default)]
    pub seed: u64,
    /// The faults, in the order of their planned starts.
    #[serde(default)]
    pub faults: Vec<FaultEntry>,
}

/// One fault: what was meant, what happened, and the proof.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FaultEntry {
    /// Its kind: `partition`, `kill`, `pause`, `clock`, ….
    pub fault: String,
    /// The nodes that it was aimed at.
    #[serde(default)]
    pub targets: Vec<String>,
    /// The particulars, by kind.
    #[serde(default)]
    pub detail: Value,
    /// Planned start and end, ns since the run began.
    #[serde(default)]
    pub planned: Option<(u64, u64)>,
    /// Actual start and end, ns since the run began. Absent where it never started; the end is null where
    /// it was still in force when the run ended.
    #[serde(default)]
    pub actual: Option<(u64, Option<u64>)>,
    /// What became of it; absent until the run is over.
    #[serde(default)]
    pub outcome: Option<FaultOutcome>,
    /// Why it was skipped, or is indeterminate.
    #[serde(default)]
    pub reason: Option<String>,
    /// What shows that it took effect.
    #[serde(default)]
    pub evidence: Value,
}

/// What became of a planned fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FaultOutcome {
    /// It took effect, and there is evidence.
    Installed,
    /// It was not tried; the reason says why.
    Skipped,
    /// It was requested, but nothing shows that it bit.
    Indeterminate,
}

impl FaultOutcome {
    /// The word in the file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Installed => "installed",
            Self::Skipped => "skipped",
            Self::Indeterminate => "indeterminate",
        }
    }
}

/// Why a fault was skipped whose time had not come when the run was stopped: the nemesis' own words.
pub const NOT_REACHED: &str = "the run was stopped early, before its time had come";

impl FaultEntry {
    /// Whether the run was over before it was due.
    #[must_use]
    pub fn is_unreached(&self) -> bool {
        self.outcome == Some(FaultOutcome::Skipped) && self.reason.as_deref() == Some(NOT_REACHED)
    }

    /// When it was in force, ns since the run began: `None` where it never was. `run_end_ns` stands in for
    /// the end of one that was never healed.
    #[must_use]
    pub fn window(&self, run_end_ns: u64) -> Option<(u64, u64)> {
        if self.outcome == Some(FaultOutcome::Skipped) {
            return None;
        }
        self.actual.map(|(start, end)| (start, end.unwrap_or(run_end_ns).max(start)))
    }

    /// Whether it was in force at some moment of the interval, ends included.
    #[must_use]
    pub fn overlaps(&self, from_ns: u64, to_ns: u64, run_end_ns: u64) -> bool {
        self.window(run_end_ns).is_some_and(|(start, end)| start <= to_ns && end >= from_ns)
    }
}
