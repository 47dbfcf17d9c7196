//! `suite.json`: what a suite was to run, and how each run ended.
//!
//! Runs that have not ended have no verdict; neither has a suite that is still going on, or that was killed.
//! Paths are relative to the suite's folder, so that the folder can be moved and uploaded whole.

use std::collections::BTreeMap;

use growler_checker::verdict::Validity;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::count::{Ending, count};
use super::figure::Figure;
use crate::verdict::{OpCounts, Verdict};

/// Runs whose reasons the suite tells. The others are counted.
const TOLD_MAX: usize = 20;

/// `suite.json`, and what `growler suite --json` prints.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SuiteFile {
    /// The suite's name.
    pub name: String,
    /// The one verdict. Null until all runs have ended.
    pub verdict: Option<Verdict>,
    /// Sentences that say why, for every verdict but `pass`.
    pub reasons: Vec<String>,
    /// When it began: UTC, RFC 3339.
    pub started: String,
    /// How long it took, in milliseconds. Null until it has ended.
    pub took_ms: Option<u64>,
    /// Arguments of `growler` that repeat it.
    pub command: Vec<String>,
    /// Versions of growler and of what it ran, by name.
    pub versions: BTreeMap<String, String>,
    /// Runs side by side.
    pub parallel: usize,
    /// The seeds of every row.
    pub seeds: Vec<u64>,
    /// How the rows are drawn as a map.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub map: Option<Map>,
    /// The rows, in the order of the suite's file.
    pub rows: Vec<Row>,
}

/// How rows are drawn as a map: two of their options are its axes, others tell its panels apart.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Map {
    /// The option along x: `concurrency`, `set.r`, ….
    pub x: String,
    /// The option along y.
    pub y: String,
    /// Options whose combinations have a panel each.
    #[serde(default)]
    pub panels: Vec<String>,
    /// What is shown, each in a map of its own.
    pub figures: Vec<Figure>,
}

/// One test with its options: a row of the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The test's name, and what tells this row from the others of its matrix.
    pub name: String,
    /// The test's name.
    pub test: String,
    /// Options of `growler test` by their long names; settings of the store in an object under `set`.
    pub options: serde_json::Map<String, Value>,
    /// Whether the answers of its runs count. Trouble always does.
    pub judge: bool,
    /// The verdict that is this row's pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect_verdict: Option<Verdict>,
    /// Further promises that the recorded histories are held to, for the table only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub measure: Vec<String>,
    /// Whether eventually consistent reads count as reads too in what is measured.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all_reads: bool,
    /// What its runs come to. Null as long as none has ended.
    #[serde(default)]
    pub verdict: Option<Verdict>,
    /// One run a seed.
    pub runs: Vec<Run>,
}

/// One run: a cell of the table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Run {
    /// Its seed.
    pub seed: u64,
    /// Its own verdict. Null for a run that has not ended, or was never started.
    pub verdict: Option<Verdict>,
    /// Verdicts that apply as well, to the run or to the measurements of its history.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Verdict>,
    /// The verdict that it counts as.
    pub counts_as: Option<Verdict>,
    /// Why it is no pass.
    pub reasons: Vec<String>,
    /// Its folder, relative to the suite's. Null where it never had one.
    pub run: Option<String>,
    /// What it said on standard error.
    pub log: Option<String>,
    /// How long it took, in milliseconds.
    pub took_ms: Option<u64>,
    /// Counts of operations.
    pub stats: Option<OpCounts>,
    /// What further promises its history was held to, and the answers.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub measured: BTreeMap<String, Measured>,
    /// What the map shows of it, by label.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub figures: BTreeMap<String, Value>,
}

/// What `growler check --promise` answered on a run's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Whether the promise held.
    pub valid: Validity,
    /// How often which anomaly was found.
    pub anomalies: BTreeMap<String, u64>,
    /// Why it is no pass.
    pub reasons: Vec<String>,
    /// The whole answer, as a file of the suite.
    pub file: String,
}

impl SuiteFile {
    /// Decides how one run counts and what its row comes to, once the run has ended.
    pub fn note_end(&mut self, row: usize, run: usize) {
        let Some(row) = self.rows.get_mut(row) else { return };
        let (judge, expect) = (row.judge, row.expect_verdict);
        let Some(run) = row.runs.get_mut(run) else { return };
        let Some(verdict) = run.verdict else { return };
        let (counts_as, why) = count(Ending { verdict, also: &run.also }, judge, expect);
        run.counts_as = Some(counts_as);
        if let Some(why) = why {
            run.reasons.insert(0, why);
        }
        row.verdict = row.runs.iter().filter_map(|run| run.counts_as).reduce(Verdict::combine);
    }

    /// Decides the suite's verdict, once no run goes on. What was not started then never will be: that is an
    /// interruption.
    pub fn conclude(&mut self) {
        let runs = || self.rows.iter().flat_map(|row| &row.runs);
        let not_started = runs().filter(|run| run.verdict.is_none()).count();
        let counted = runs().filter_map(|run| run.counts_as).fold(Verdict::Pass, Verdict::combine);
        let mut reasons = Vec::new();
        for row in &self.rows {
            let red = |run: &&Run| run.counts_as.is_some_and(|verdict| verdict != Verdict::Pass);
            reasons.extend(row.runs.iter().filter(red).map(|run| reason(row, run)));
        }
        let untold = reasons.len().saturating_sub(TOLD_MAX);
        reasons.truncate(TOLD_MAX);
        if untold > 0 {
            reasons.push(format!("and {untold} more runs"));
        }
        if not_started > 0 {
            reasons.push(format!("interrupted: {not_started} of {} runs were not started", runs().count()));
        }
        let verdict = if not_started > 0 { counted.combine(Verdict::Interrupted) } else { counted };
        self.verdict = Some(verdict);
        self.reasons = reasons;
    }

    /// The file's bytes: indented JSON and a line end.
    ///
    /// # Errors
    /// None in practice; a map with keys that are no strings would be one.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|json| json + "\n")
    }
}

impl Row {
    /// The value of an option by its long name, of a setting by `set.NAME`. Several values are joined.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<String> {
        let value = match name.strip_prefix("set.") {
            Some(setting) => self.options.get("set")?.get(setting)?,
            None => self.options.get(name)?,
        };
        Some(match value {
            Value::String(text) => text.clone(),
            Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(","),
            other => other.to_string(),
        })
    }

    /// How often which verdict came out, in the order in which verdicts combine: `violation × 2, pass × 1`.
    #[must_use]
    pub fn verdicts(&self) -> String {
        let mut seen: Vec<(Option<Verdict>, usize)> = Vec::new();
        for run in &self.runs {
            match seen.iter_mut().find(|(verdict, _)| *verdict == run.verdict) {
                Some((_, times)) => *times += 1,
                None => seen.push((run.verdict, 1)),
            }
        }
        let name = |verdict: Option<Verdict>| verdict.map_or("not started", Verdict::name);
        let told: Vec<String> = seen
            .iter()
            .map(|(verdict, times)| match times {
                1 if seen.len() == 1 => name(*verdict).to_owned(),
                _ => format!("{} × {times}", name(*verdict)),
            })
            .collect();
        told.join(", ")
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn reason(row: &Row, run: &Run) -> String {
    let counts_as = run.counts_as.unwrap_or(Verdict::Pass);
    let why = run.reasons.first().map(|why| format!(": {why}")).unwrap_or_default();
    format!("{}, seed {}: {counts_as}{why}", row.name, run.seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, judge: bool, verdicts: &[Option<Verdict>]) -> Row {
        let run = |(seed, verdict): (usize, &Option<Verdict>)| Run {
            seed: seed as u64 + 1,
            verdict: *verdict,
            reasons: vec!["so it was".to_owned()],
            ..Run::default()
        };
        Row {
            name: name.to_owned(),
            test: name.to_owned(),
            options: serde_json::Map::new(),
            judge,
            expect_verdict: None,
            measure: Vec::new(),
            all_reads: false,
            verdict: None,
            runs: verdicts.iter().enumerate().map(run).collect(),
        }
    }

    fn concluded(rows: Vec<Row>) -> SuiteFile {
        let mut suite = SuiteFile { rows, ..SuiteFile::default() };
        for at in 0..suite.rows.len() {
            (0..suite.rows[at].runs.len()).for_each(|run| suite.note_end(at, run));
        }
        suite.conclude();
        suite
    }

    #[test]
    fn the_gravest_verdict_that_counts_is_the_suites() {
        let (pass, violation) = (Some(Verdict::Pass), Some(Verdict::Violation));
        let clean = concluded(vec![row("a", true, &[pass, pass]), row("b", false, &[violation])]);
        assert_eq!((clean.verdict, clean.reasons.as_slice()), (pass, [].as_slice()), "b is measured");
        let red = concluded(vec![
            row("a", true, &[Some(Verdict::Vacuous), pass]),
            row("b", true, &[pass, violation]),
            row("c", false, &[Some(Verdict::Internal)]),
        ]);
        assert_eq!(red.verdict, violation);
        assert_eq!(
            red.rows.iter().map(|row| row.verdict).collect::<Vec<_>>(),
            [Some(Verdict::Vacuous), violation, Some(Verdict::Internal)]
        );
        assert_eq!(
            red.reasons,
            [
                "a, seed 1: vacuous: so it was",
                "b, seed 2: violation: so it was",
                "c, seed 1: internal: so it was"
            ]
        );
    }

    #[test]
    fn what_was_not_started_is_an_interruption_and_hides_no_violation() {
        let cut = concluded(vec![row("a", true, &[Some(Verdict::Pass), None])]);
        assert_eq!(cut.verdict, Some(Verdict::Interrupted));
        assert_eq!(cut.reasons, ["interrupted: 1 of 2 runs were not started"]);
        let found = concluded(vec![row("a", true, &[Some(Verdict::Violation), None])]);
        assert_eq!(found.verdict, Some(Verdict::Violation));
        let measured = concluded(vec![row("a", false, &[None])]);
        assert_eq!(measured.verdict, Some(Verdict::Interrupted), "also where nothing is judged");
    }

    #[test]
    fn many_reasons_are_counted() {
        let red = [Some(Verdict::Unknown); TOLD_MAX + 3];
        let suite = concluded(vec![row("a", true, &red)]);
        assert_eq!(suite.reasons.len(), TOLD_MAX + 1);
        assert_eq!(suite.reasons[TOLD_MAX], "and 3 more runs");
    }

    #[test]
    fn options_and_settings_are_found_by_name() {
        let mut row = row("a", true, &[Some(Verdict::Pass), Some(Verdict::Pass), None]);
        let options = serde_json::json!({"time": "5s", "faults": ["kill", "pause"], "set": {"r": 2}});
        row.options = serde_json::from_value(options).unwrap();
        let names = ["time", "faults", "set.r", "set.w", "rate"];
        let found = names.map(|name| row.option(name).unwrap_or_default());
        assert_eq!(found, ["5s", "kill,pause", "2", "", ""]);
        assert_eq!(row.verdicts(), "pass × 2, not started × 1");
    }
}
