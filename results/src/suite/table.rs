//! A suite in plain text, for standard output: the verdict, its reasons, and a line for each row.

use super::file::{Row, SuiteFile};
use crate::verdict::Verdict;
use growler_checker::verdict::Validity;

/// The text, without a line end.
#[must_use]
pub fn text(suite: &SuiteFile) -> String {
    let mut lines = vec![format!("verdict: {}", suite.verdict.map_or("none", Verdict::name))];
    lines.extend(suite.reasons.iter().map(|reason| format!("  {reason}")));
    lines.push(String::new());
    let (names, rows) = cells(suite);
    let widths: Vec<usize> = (0..names.len())
        .map(|column| rows.iter().chain([&names]).map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    for row in [&names].into_iter().chain(&rows) {
        let padded = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        lines.push(padded.collect::<Vec<_>>().join("  ").trim_end().to_owned());
    }
    lines.join("\n")
}

/// The table: names of columns, and rows of as many cells.
pub(super) fn cells(suite: &SuiteFile) -> (Vec<String>, Vec<Vec<String>>) {
    let promises = promises(suite);
    let figures = suite.map.as_ref().map_or(&[][..], |map| map.figures.as_slice());
    let mut names = vec!["row".to_owned(), "counts as".to_owned(), "runs".to_owned()];
    names.extend(promises.iter().cloned());
    names.extend(figures.iter().map(|figure| figure.label.clone()));
    let row = |row: &Row| {
        let mut cells = vec![row.name.clone(), counts_as(row), row.verdicts()];
        cells.extend(promises.iter().map(|promise| measured(row, promise)));
        cells.extend(figures.iter().map(|figure| {
            let values = row.runs.iter().filter_map(|run| run.figures.get(&figure.label));
            figure.words(&figure.whole(values))
        }));
        cells
    };
    (names, suite.rows.iter().map(row).collect())
}

/// The promises that any row was measured by.
pub(super) fn promises(suite: &SuiteFile) -> Vec<String> {
    let mut promises: Vec<String> = Vec::new();
    for promise in suite.rows.iter().flat_map(|row| &row.measure) {
        if !promises.contains(promise) {
            promises.push(promise.clone());
        }
    }
    promises
}

/// What a row counts as, in a word.
pub(super) fn counts_as(row: &Row) -> String {
    match row.verdict {
        None => "not started".to_owned(),
        Some(Verdict::Pass) if !row.judge => "measured".to_owned(),
        Some(verdict) => verdict.to_string(),
    }
}

/// How often a promise held that a row was only measured by.
pub(super) fn measured(row: &Row, promise: &str) -> String {
    let answers: Vec<Validity> =
        row.runs.iter().filter_map(|run| run.measured.get(promise)).map(|measured| measured.valid).collect();
    let count = |validity| answers.iter().filter(|answer| **answer == validity).count();
    let all = answers.len();
    match (count(Validity::Invalid), count(Validity::Unknown)) {
        _ if all == 0 => "–".to_owned(),
        (0, 0) => "held".to_owned(),
        (0, unknown) => format!("unknown ({unknown} of {all})"),
        (broken, _) => format!("broken ({broken} of {all})"),
    }
}
