//! A suite in Markdown: the page that a pull request shows.
//!
//! Verdict and reasons first, then the rows, then how to run it again. Whatever comes from elsewhere is escaped.
//! A CI shows a mebibyte of it at most, so a large suite tells its first rows, the red ones before the others.

use std::fmt::Write as _;

use super::file::SuiteFile;
use super::table;
use crate::summary::{escaped, fenced};
use crate::test_file::command_line;
use crate::verdict::Verdict;

/// Rows that are told.
const ROWS_MAX: usize = 300;

/// The file's text.
#[must_use]
pub fn render(suite: &SuiteFile) -> String {
    let mut text = String::new();
    let sign = if suite.verdict == Some(Verdict::Pass) { "✅" } else { "❌" };
    let verdict = suite.verdict.map_or("no verdict", Verdict::name);
    // Formatting into a string cannot fail.
    let _ = writeln!(text, "## {sign} {verdict} — {}\n", escaped(&suite.name));
    for reason in &suite.reasons {
        let _ = writeln!(text, "- {}", escaped(reason));
    }
    let (names, rows) = table::cells(suite);
    line(&mut text, &names);
    text.push_str(&"|---".repeat(names.len()));
    text.push_str("|\n");
    let is_red = |at: usize| suite.rows[at].verdict != Some(Verdict::Pass);
    let (red, green): (Vec<usize>, Vec<usize>) = (0..rows.len()).partition(|at| is_red(*at));
    let told = red.into_iter().chain(green).take(ROWS_MAX);
    told.for_each(|at| line(&mut text, &rows[at]));
    if let Some(untold @ 1..) = rows.len().checked_sub(ROWS_MAX) {
        let _ = writeln!(text, "\nand {untold} more rows in the suite's index.html");
    }
    text.push_str("\n### Run it again\n\n");
    fenced(&mut text, &command_line(&suite.command));
    text
}

fn line(text: &mut String, cells: &[String]) {
    if !text.ends_with("|\n") {
        text.push('\n');
    }
    text.push('|');
    for cell in cells {
        let _ = write!(text, " {} |", escaped(cell));
    }
    text.push('\n');
}
