//! How a run ended: all that bears on its verdict beside the answers of the checks.
//!
//! The driver makes a [`RunEnd`] when the run is over, judges with it, and keeps it in `test.json`. `growler
//! check` of the run's folder reads it back and judges with it again, so that only the checks' answers are
//! new. Whatever bears on a verdict and is not told by the history belongs in here (or in [`Coverage`]): what
//! is left out is forgotten by the next check, and makes it greener than the run was.

use serde::{Deserialize, Serialize};

use super::{Coverage, Ending, Verdict};

/// How a run ended. A run whose `test.json` has none was killed, or is still going on: see
/// [`RunEnd::unrecorded`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunEnd {
    /// What the run covered, against what it had to.
    pub coverage: Coverage,
    /// Recoveries that came too late.
    pub not_recovered: Vec<RecoveryMiss>,
    /// Nodes that died unasked.
    pub crashed: Vec<Crash>,
    /// What a person should know that is no failure, as sentences.
    pub notes: Vec<String>,
    /// What was asked of the system that it does not offer, as sentences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub usage: Vec<String>,
    /// What stood in the way, as sentences.
    pub environment: Vec<String>,
    /// That it was cut short and when, as a sentence, where it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interrupted: Option<String>,
    /// Defects of growler that showed in the run, but for those of the checks, as sentences.
    pub internal: Vec<String>,
    /// Findings of which only the words are known: what an older growler found, see [`super::Results::end`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<(Verdict, String)>,
}

impl RunEnd {
    /// The end of a run that recorded none.
    #[must_use]
    pub fn unrecorded() -> Self {
        let why = "the run has no recorded end: growler was killed while it was going on, or it still is";
        Self { interrupted: Some(why.to_owned()), ..Self::default() }
    }

    /// What is known of the end of the keys. Of a run that was interrupted or had to end that says nothing.
    pub(super) fn last_answers(&self) -> Option<&Ending> {
        let whole = self.interrupted.is_none() && self.usage.is_empty() && self.environment.is_empty();
        self.coverage.ending.as_ref().filter(|_| whole)
    }
}

/// A part of the system that did not serve again in time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RecoveryMiss {
    /// When the last fault was healed, ns since the run began.
    pub healed_ns: u64,
    /// How long the system had, ns.
    pub allowed_ns: u64,
    /// The node asked.
    pub node: String,
    /// The partition.
    pub partition: String,
    /// What was asked for: `write`, `strong read` or `eventual read`.
    pub asked: String,
    /// When it served again at last, ns since the run began.
    pub recovered_ns: Option<u64>,
}

/// A node that died unasked, or could not start from its own data.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Crash {
    /// The node.
    pub node: String,
    /// When it was noticed, ns since the run began.
    pub at_ns: u64,
    /// What is known: the exit status, the last line of its log.
    pub reason: String,
}
