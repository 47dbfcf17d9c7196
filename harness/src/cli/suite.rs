//! `growler suite`: a matrix of tests as one gate.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;
use growler_results::suite::table;
use growler_results::verdict::Verdict;

use crate::error::{CommandError, Sort};
use crate::suite::{self, Seeds};

/// Options of `growler suite`.
#[derive(Debug, Args)]
pub(crate) struct SuiteCommand {
    /// The suite's file: see examples/suites in growler's sources
    #[arg(value_name = "FILE.toml")]
    file: PathBuf,

    /// Runs side by side. [default: from the file, else 1]
    #[arg(long, value_name = "N")]
    parallel: Option<usize>,

    /// The seeds of every row: `5` (1 to 5), `3,7` (these) or `21-40` (all of these). [default: from the file,
    /// else 1]
    #[arg(long, value_name = "SEEDS")]
    seeds: Option<Seeds>,

    /// Where suites are kept
    #[arg(long, default_value = "runs", value_name = "DIR")]
    out: PathBuf,

    /// Print suite.json on standard output, and nothing else there
    #[arg(long)]
    json: bool,
}

impl SuiteCommand {
    pub(crate) fn run(self) -> Result<Verdict, CommandError> {
        if self.parallel == Some(0) {
            return Err(anyhow!("--parallel 0: at least one run at a time is needed")).usage();
        }
        let ready = suite::read(&self.file, self.seeds, self.parallel).usage()?;
        let finished = suite::run(ready, &self.out)?;
        if self.json {
            super::print(finished.suite.to_json().internal()?.trim_end());
        } else {
            super::print(&table::text(&finished.suite));
            super::print(&finished.folder.display().to_string());
        }
        finished.verdict()
    }
}
