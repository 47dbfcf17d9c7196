//! `growler check`: judges a recorded history, and runs nothing.
//!
//! A bare history is held to its checks, and to have something `ok` in it. A run's is given the whole verdict
//! of the run anew: the checks answer again, and what else befell the run comes from its own files
//! ([`RecordedRun`]). Model and promise, where they are named, change the checks only.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use growler_checker::history::Event;
use growler_checker::model::InferError;
use growler_checker::verdict::Validity;
use growler_results::formats::{self, Format};
use growler_results::verdict::{Expectations, Judgement, OpCounts, Results, Verdict};
use growler_results::{RecordedRun, TestFile};

use super::bounds::Bounds;
use crate::driver::{check_anomalies, recorded_terms, run_checks};
use crate::error::{CommandError, Sort};
use crate::terminal::say;

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

    /// An anomaly that is known here: reported, and not a failure. [default: those of the run]
    #[arg(long, value_name = "NAME")]
    allow: Vec<String>,

    /// At least one of these anomalies must show; anything else fails. [default: those of the run]
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
            say(&format!("growler: warning: {warning}"));
        }
        let run = RecordedRun::of(&self.history).usage()?;
        let test = run.as_ref().map(|run| &run.test);
        let mut judgement = Judgement {
            stats: OpCounts::of(&history.events),
            expectations: self.expectations(test),
            run: run.as_ref().map(|run| run.end.clone()),
            ..Judgement::default()
        };
        self.check(&history.events, format, test, &mut judgement)?;
        let mut results = Results::new(&judgement, &growler_checker::anomaly::admits);
        if let Some(run) = &run {
            results = results.of_run(run.folder.path().display().to_string(), run.test.seed);
        }
        if self.json {
            super::print(&serde_json::to_string_pretty(&results).internal()?);
        } else {
            super::print(&super::test::verdict_lines(&results));
        }
        Ok(results.verdict)
    }

    /// Those of the command line, and where it has none, those of the run.
    fn expectations(&self, test: Option<&TestFile>) -> Expectations {
        let recorded = test.map(TestFile::expectations).unwrap_or_default();
        let first = |mine: &[String], recorded| if mine.is_empty() { recorded } else { mine.to_vec() };
        Expectations {
            allow: first(&self.allow, recorded.allow),
            expect: first(&self.expect, recorded.expect),
        }
    }

    /// Runs the checks, and hands their answers over.
    fn check(
        &self,
        events: &[Event],
        format: Format,
        test: Option<&TestFile>,
        judgement: &mut Judgement,
    ) -> Result<(), CommandError> {
        let recorded = |of: fn(&TestFile) -> &String| test.map(of).filter(|name| !name.is_empty()).cloned();
        let model = match self.model.clone().or_else(|| recorded(|test| &test.model)) {
            Some(name) => name,
            None => model_of(events, format)
                .with_context(|| format!("{}: name its model with --model", self.history.display()))
                .usage()?
                .to_owned(),
        };
        let promise = self.promise.clone().or_else(|| recorded(|test| &test.promise));
        let promise = promise.unwrap_or_else(|| growler_checker::default_promise(&model).to_owned());
        self.bounds.check(&model, &promise).usage()?;
        let terms = recorded_terms(test, self.bounds);
        let checks = growler_checker::promise::checks_on_terms(&model, &promise, &terms).usage()?;
        let checked = run_checks(&checks, &model, events, &self.history);
        // A check answers unknown where the events are no history; in a file that is a mistake of the file.
        if checked.checks.values().any(|check| check.valid == Validity::Unknown) {
            growler_checker::validate(&model, events)
                .with_context(|| format!("{} is no history of a {model}", self.history.display()))
                .usage()?;
        }
        checked.hand_over(judgement);
        Ok(())
    }
}

/// The model that the functions tell; where there is none, the one that the format is for.
fn model_of(events: &[Event], format: Format) -> Result<&'static str, InferError> {
    match (growler_checker::infer_model(events), format.model()) {
        (Err(InferError::Empty), Some(model)) => Ok(model),
        (told, _) => told,
    }
}
