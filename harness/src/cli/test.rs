//! `growler test`: runs one test.

use clap::Args;
use growler_checker::verdict::Anomaly;
use growler_results::verdict::{Results, Verdict, within};

use super::TestOptions;
use crate::driver::run_test;
use crate::error::{CommandError, Sort};

/// Options of `growler test`.
#[derive(Debug, Args)]
pub(crate) struct TestCommand {
    #[command(flatten)]
    options: TestOptions,
}

impl TestCommand {
    pub(crate) fn run(self) -> Result<Verdict, CommandError> {
        let finished = run_test(&self.options)?;
        if self.options.json {
            super::print(&serde_json::to_string_pretty(&finished.results).internal()?);
        } else {
            super::print(&verdict_lines(&finished.results));
            super::print(&finished.folder.display().to_string());
        }
        Ok(finished.results.verdict)
    }
}

/// Whether a check whose name comes before this one's found the same answer wrong for the same reason: a value out of
/// nowhere breaks linearizability too, and need not be told twice.
fn is_told_by_another(results: &Results, name: &str, found: &Anomaly) -> bool {
    let before = results.checks.iter().take_while(|(other, _)| other.as_str() < name);
    before.flat_map(|(_, check)| &check.anomalies).any(|other| {
        let shares_all = found.ops.iter().all(|op| other.ops.contains(op));
        shares_all && (&other.kind, &other.key) == (&found.kind, &found.key)
    })
}

/// The verdict in a few lines.
pub(crate) fn verdict_lines(results: &Results) -> String {
    let s = &results.stats;
    let mut lines = vec![format!("verdict: {}", results.verdict.name())];
    lines.extend(results.reasons.iter().map(|r| format!("  {r}")));
    lines.extend(results.notes.iter().map(|note| format!("  note: {note}")));
    for (name, check) in &results.checks {
        let answer = match check.valid {
            growler_checker::verdict::Validity::Valid => "valid",
            growler_checker::verdict::Validity::Invalid => "INVALID",
            growler_checker::verdict::Validity::Unknown => "unknown",
        };
        lines.push(format!("{name}: {answer}"));
        let untold: Vec<_> =
            check.anomalies.iter().filter(|found| !is_told_by_another(results, name, found)).collect();
        for anomaly in untold.iter().take(3) {
            let key = anomaly.key.as_ref().map_or(String::new(), |k| format!(" on {k}"));
            lines.push(format!("  {}{key}: {}", anomaly.kind, anomaly.explanation));
        }
        if untold.len() > 3 {
            lines.push(format!("  … and {} more", untold.len() - 3));
        }
        if untold.len() < check.anomalies.len() {
            lines.push(format!("  {} told above, by another check", check.anomalies.len() - untold.len()));
        }
    }
    if let Some(shares) = &results.sensitivity {
        let interval =
            |kind| results.sensitivity_intervals.get(kind).copied().map(within).unwrap_or_default();
        let shares = shares.iter().map(|(kind, share)| format!("{kind} {share:.2}{}", interval(kind)));
        let shares: Vec<_> = shares.collect();
        lines.push(format!("sensitivity: {}", shares.join(", ")));
    }
    lines.push(format!("operations: {} ({} ok, {} fail, {} info)", s.ops, s.ok, s.fail, s.info));
    if let Some(seed) = results.seed {
        lines.push(format!("seed: {seed}"));
    }
    lines.join("\n")
}
