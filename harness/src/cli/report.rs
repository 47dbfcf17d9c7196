//! `growler report`: builds the HTML report of a run again.

use std::path::PathBuf;

use clap::Args;
use growler_results::run::RunFolder;
use growler_results::verdict::Verdict;

use crate::error::{CommandError, Sort};

/// Options of `growler report`.
#[derive(Debug, Args)]
pub(crate) struct ReportCommand {
    /// The run's folder, for instance runs/latest
    #[arg(value_name = "RUN")]
    run: PathBuf,
}

impl ReportCommand {
    pub(crate) fn run(self) -> Result<Verdict, CommandError> {
        let folder = RunFolder::open(&self.run).usage()?;
        let page = growler_results::report::build(&folder).usage()?;
        super::print(&page.display().to_string());
        Ok(Verdict::Pass)
    }
}
