//! What a run's folder holds, read for those who show it.
//!
//! Only the history is needed. A file that is missing or cannot be read leaves a note, and what depends on
//! it says so; a report of half a run is worth more than none.

use serde::de::DeserializeOwned;

use crate::history::{History, ReadError, read_history};
use crate::plan::PlanFile;
use crate::run::{RunError, RunFolder};
use crate::test_file::TestFile;
use crate::verdict::Results;

/// Why something cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file of the run cannot be read or written.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The history cannot be read.
    #[error(transparent)]
    History(#[from] ReadError),
    /// There is no verdict to show.
    #[error("{} holds no results.json: the run was cut short; judge it with `growler check {}` first", .0, .0)]
    NoResults(String),
    /// What was to be written cannot be rendered.
    #[error("cannot render {what}: {reason} (defect of growler)")]
    Render {
        /// What was being rendered.
        what: &'static str,
        /// Why it cannot be.
        reason: String,
    },
}

/// Everything that a run's folder tells.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) test: Option<TestFile>,
    pub(crate) plan: Option<PlanFile>,
    pub(crate) results: Option<Results>,
    pub(crate) history: History,
    /// What is missing, as sentences.
    pub(crate) notes: Vec<String>,
}

impl Contents {
    /// Reads the folder.
    pub(crate) fn read(run: &RunFolder) -> Result<Self, ReportError> {
        let history = read_history(run.path())?;
        let mut notes = history.warnings.clone();
        let test = optional(run, &run.test_json(), "test.json", &mut notes);
        let plan = optional(run, &run.plan_json(), "plan.json", &mut notes);
        let results = optional(run, &run.results_json(), "results.json", &mut notes);
        Ok(Self { test, plan, results, history, notes })
    }

    /// What is missing, and what the verdict has noted.
    pub(crate) fn all_notes(&self) -> Vec<String> {
        let noted = self.results.iter().flat_map(|results| &results.notes);
        self.notes.iter().chain(noted).cloned().collect()
    }

    /// When the last thing happened, ns since the run began.
    pub(crate) fn end_ns(&self) -> u64 {
        let history = self.history.events.iter().map(|e| e.time).max();
        let phases = self.test.iter().flat_map(|t| &t.timings.phases).map(|p| p.end_ns).max();
        history.max(phases).unwrap_or(0)
    }
}

fn optional<T: DeserializeOwned>(
    run: &RunFolder,
    path: &std::path::Path,
    name: &str,
    notes: &mut Vec<String>,
) -> Option<T> {
    match run.read_json(path) {
        Ok(Some(value)) => Some(value),
        Ok(None) => {
            notes.push(format!("there is no {name} in the run's folder"));
            None
        }
        Err(e) => {
            notes.push(e.to_string());
            None
        }
    }
}

/// The verdict of a run, for those who cannot do without.
pub(crate) fn results_of(run: &RunFolder) -> Result<Results, ReportError> {
    run.read_json(&run.results_json())?
        .ok_or_else(|| ReportError::NoResults(run.path().display().to_string()))
}
