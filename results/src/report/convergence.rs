//! How consistent a store was that promises no single order of everything: what the checks of eventual
//! consistency counted, in words, tables and one chart.
//!
//! Each check says in its stats what it judged and what it measured; here these numbers get their names and
//! units. A number that a check did not give is left out, never guessed, and a run without these checks has no
//! such section. What the numbers mean is for the checks to say; the notes below repeat it in a sentence.

mod blocks;
mod staleness;
mod stats;

use growler_checker::verdict::{CheckResult, Validity};
use serde::Serialize;

use super::charts::YTick;
use crate::contents::Contents;
use stats::Stats;

/// The whole section.
#[derive(Debug, Serialize)]
pub(super) struct Section {
    title: &'static str,
    blocks: Vec<Block>,
}

/// What one check found.
#[derive(Debug, Default, Serialize)]
struct Block {
    title: &'static str,
    /// The check's answer: `held`, `broken`, `unknown`, or `measured` where it held nothing to anything.
    answer: &'static str,
    /// Whether the check had no bound to judge by.
    only_measured: bool,
    figures: Vec<Figure>,
    tables: Vec<Table>,
    chart: Option<Chart>,
    notes: Vec<String>,
    /// What the check could not decide, in its own words.
    undecided: Vec<String>,
}

/// One number that is worth a large print.
#[derive(Debug, Default, Serialize)]
struct Figure {
    name: &'static str,
    value: String,
    note: String,
    /// Whether it speaks against the store.
    bad: bool,
}

/// A table whose first column names its rows.
#[derive(Debug, Default, Serialize)]
struct Table {
    caption: &'static str,
    head: Vec<&'static str>,
    rows: Vec<TableRow>,
    /// Whether it is shown only on demand.
    folded: bool,
}

#[derive(Debug, Default, Serialize)]
struct TableRow {
    name: String,
    cells: Vec<String>,
    bad: bool,
}

/// Probabilities over the time since a write. Its box is 1000 wide and 100 high, as in the other charts.
#[derive(Debug, Serialize)]
struct Chart {
    about: String,
    curves: Vec<Curve>,
    /// Per cent from the left, and from the bottom.
    moments: Vec<YTick>,
    levels: Vec<YTick>,
}

#[derive(Debug, Serialize)]
struct Curve {
    name: String,
    path: String,
}

/// Names what is in a check's stats.
type Tell = fn(&Stats<'_>) -> Block;

/// The checks that have a block, in the order in which they are told.
const CHECKS: [(&str, Tell); 9] = [
    ("convergence", blocks::convergence),
    ("set-full", blocks::sets),
    ("resurrection", blocks::deletes),
    ("siblings", blocks::siblings),
    ("lww", blocks::last_writer_wins),
    ("sessions", blocks::sessions),
    ("causal", blocks::causal),
    ("staleness", staleness::block),
    ("availability", blocks::availability),
];

/// Whether a check's numbers are told in the section.
pub(super) fn tells(check: &str) -> bool {
    CHECKS.iter().any(|(name, _)| *name == check)
}

/// The section; none where none of the checks ran, or none counted anything.
pub(super) fn section(contents: &Contents) -> Option<Section> {
    let checks = &contents.results.as_ref()?.checks;
    let block = |&(name, tell): &(&str, Tell)| {
        let result = checks.get(name)?;
        let mut block = tell(&Stats::of(&result.stats));
        block.answer = match answer(result) {
            "held" if block.only_measured => "measured",
            answer => answer,
        };
        block.undecided.clone_from(&result.unknown);
        (!block.is_empty()).then_some(block)
    };
    let blocks: Vec<Block> = CHECKS.iter().filter_map(block).collect();
    let title = if checks.contains_key("convergence") { "Convergence" } else { "Consistency" };
    (!blocks.is_empty()).then_some(Section { title, blocks })
}

fn answer(result: &CheckResult) -> &'static str {
    match result.valid {
        Validity::Valid => "held",
        Validity::Invalid => "broken",
        Validity::Unknown => "unknown",
    }
}

impl Block {
    fn is_empty(&self) -> bool {
        self.figures.is_empty() && self.tables.is_empty() && self.chart.is_none()
    }
}
