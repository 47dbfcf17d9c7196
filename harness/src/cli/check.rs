//! `growler check`: judges a recorded history, and runs nothing.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use growler_checker::history::Event;
use growler_checker::model::InferError;
use growler_checker::verdict::Validity;
use growler_results::formats::{self, Format};
use growler_results::test_file::TestFile;
use growler_results::verdict::{Expectations, Judgement, OpCounts, Results, Verdict};

use super::bounds::Bounds;
use crate::driver::{check_anomalies, recorded_terms, run_checks};
use crate::error::{CommandError, Sort};

/// Options of `growler check`.
#[derive(Debug, Args)]
pub(crate) struct CheckCommand {
    /// A run's folder, or a history, from here or from another tool, plain or zstd-compressed
    #[arg(value_name = "HISTORY")]
    history: PathBuf,

    /// The history's format: see `growler list formats`. [default: told from its content]
    #[arg(long, value_name = "NAME", value_parser = super::format)]
    format: Option<Format>,

    /// What the object is: see `growler list models`. [default: from test.json beside the history, else from
    /// the functions in it]
    #[arg(long, value_name = "NAME")]
    model: Option<String>,

    /// What it is held to: see `growler list promises`. [default: from test.json beside the history, else
    /// linearizable]
    #[arg(long, value_name = "NAME")]
    promise: Option<String>,

    /// An anomaly that is known here: reported, and not a failure
    #[arg(long, value_name = "NAME")]
    allow: Vec<String>,

    /// At least one of these anomalies must show; anything else fails
    #[arg(long, value_name = "NAME")]
    expect: Vec<String>,

    /// Hold eventually consistent reads to the promise as well, which the check of linearizability else passes
    /// over: were they linearizable all the same?
    #[arg(long)]
    all_reads: bool,

    #[command(flatten)]
    bounds: Bounds,

    /// Print the verdict as JSON on standard output, and nothing else there
    #[arg(long)]
    json: bool,
}

impl CheckCommand {
    pub(crate) fn run(self) -> Result<Verdict, CommandError> {
        check_anomalies(&self.allow, &self.expect).usage()?;
        let (format, mut history) = formats::read(&self.history, self.format).usage()?;
        if self.all_reads {
            history.events.iter_mut().for_each(|event| event.consistency = None);
        }
        for warning in &history.warnings {
            eprintln!("growler: warning: {warning}");
        }
        let beside = test_file_beside(&self.history);
        let model = match (&self.model, &beside) {
            (Some(name), _) => name.clone(),
            (None, Some(test)) => test.model.clone(),
            (None, None) => model_of(&history.events, format)
                .with_context(|| format!("{}: name its model with --model", self.history.display()))
                .usage()?
                .to_owned(),
        };
        let promise = match (&self.promise, &beside) {
            (Some(name), _) => name.clone(),
            (None, Some(test)) => test.promise.clone(),
            (None, None) => growler_checker::default_promise(&model).to_owned(),
        };
        self.bounds.check(&model, &promise).usage()?;
        let terms = recorded_terms(beside.as_ref(), self.bounds);
        let checks = growler_checker::promise::checks_on_terms(&model, &promise, &terms).usage()?;
        let expectations = Expectations { allow: self.allow, expect: self.expect };
        let mut judgement = Judgement { expectations, ..Judgement::default() };
        let checked = run_checks(&checks, &model, &history.events, &self.history);
        // A check answers unknown where the events are no history; in a file that is a mistake of the file.
        if checked.checks.values().any(|check| check.valid == Validity::Unknown) {
            growler_checker::validate(&model, &history.events)
                .with_context(|| format!("{} is no history of a {model}", self.history.display()))
                .usage()?;
        }
        for warning in &checked.warnings {
            eprintln!("growler: warning: {warning}");
        }
        checked.hand_over(&mut judgement);
        let counts = OpCounts::of(&history.events);
        let results = Results::new(&judgement, &growler_checker::anomaly::admits, counts);
        if self.json {
            super::print(&serde_json::to_string_pretty(&results).internal()?);
        } else {
            super::print(&super::test::verdict_lines(&results));
        }
        Ok(results.verdict)
    }
}

/// The model that the functions tell; where there is none, the one that the format is for.
fn model_of(events: &[Event], format: Format) -> Result<&'static str, InferError> {
    match (growler_checker::infer_model(events), format.model()) {
        (Err(InferError::Empty), Some(model)) => Ok(model),
        (told, _) => told,
    }
}

/// The `test.json` of the run that a history belongs to, where there is one.
fn test_file_beside(history: &Path) -> Option<TestFile> {
    let folder = if history.is_dir() { history } else { history.parent()? };
    let text = std::fs::read(folder.join("test.json")).ok()?;
    serde_json::from_slice(&text).ok()
}
