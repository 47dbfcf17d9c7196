//! `growler doctor`: which faults work on this machine, with which backend, and how to unlock the others.

use clap::Args;
use growler_results::verdict::Verdict;

use crate::error::{CommandError, Sort};

/// Options of `growler doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorCommand {
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

impl DoctorCommand {
    pub(crate) fn run(self) -> Result<Verdict, CommandError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().environment()?;
        let findings = runtime.block_on(growler_nemesis::doctor::probe());
        if self.json {
            super::print(&serde_json::to_string_pretty(&findings).internal()?);
        } else {
            for f in &findings {
                let mark = if f.works { "works" } else { "MISSING" };
                super::print(&format!("{:<10} {:<10} {mark:<8} {}", f.fault, f.backend, f.reason));
                if let Some(unlock) = &f.unlock {
                    super::print(&format!("{:<30} to unlock: {unlock}", ""));
                }
            }
        }
        Ok(if findings.iter().all(|f| f.works) { Verdict::Pass } else { Verdict::Environment })
    }
}
