//! The page of a suite: one HTML file with the verdict, the map and the table of all runs.
//!
//! It opens from disk, needs no network and no script, and links to each run's own report by a relative path.
//! It is drawn from `suite.json` alone: the same suite gives the same bytes.

use growler_checker::verdict::Validity;
use minijinja::value::Serde;
use minijinja::{Value, context};
use serde::Serialize;

use super::file::{Row, Run, SuiteFile};
use super::{map, table};
use crate::contents::ReportError;
use crate::report::{STYLE, environment};
use crate::test_file::command_line;
use crate::verdict::Verdict;
use crate::words;

const TEMPLATES: [(&str, &str); 3] = [
    ("suite.html", include_str!("page/suite.html")),
    ("map.html", include_str!("page/map.html")),
    ("rows.html", include_str!("page/rows.html")),
];

const SUITE_STYLE: &str = include_str!("page/suite.css");

/// The page's text.
///
/// # Errors
/// [`ReportError::Render`] on a defect of the template.
pub fn render(suite: &SuiteFile) -> Result<String, ReportError> {
    let verdict = suite.verdict.map_or("none", Verdict::name);
    let promises = table::promises(suite);
    let rows: Vec<RowView> =
        suite.rows.iter().enumerate().map(|(at, row)| row_view(suite, row, at + 1, &promises)).collect();
    let page = context! {
        style => Value::from_safe_string(format!("{STYLE}\n{SUITE_STYLE}")),
        name => suite.name.clone(),
        started => suite.started.clone(),
        verdict => verdict,
        sign => suite.verdict.map_or("?", Verdict::sign),
        lead => lead(suite),
        reasons => suite.reasons.clone(),
        facts => Value::from(Serde(facts(suite))),
        map => Value::from(Serde(map::draw(suite))),
        promises => promises,
        seeds => suite.seeds.clone(),
        findings => rows.iter().any(|row| !row.findings.is_empty()),
        rows => Value::from(Serde(rows)),
        again => command_line(&suite.command),
        versions => versions(suite),
    };
    let failed = |e: minijinja::Error| ReportError::Render { what: "index.html", reason: format!("{e:#}") };
    let environment = environment(&TEMPLATES).map_err(failed)?;
    environment.get_template("suite.html").and_then(|template| template.render(page)).map_err(failed)
}

/// A row as it is shown.
#[derive(Debug, Serialize)]
struct RowView {
    place: usize,
    name: String,
    /// The verdict's style: its name, or `measured`, or `waiting`.
    style: &'static str,
    sign: &'static str,
    counts_as: String,
    measured: Vec<MeasuredView>,
    runs: Vec<RunView>,
    findings: Vec<Finding>,
}

/// How often a promise held, and where each answer is.
#[derive(Debug, Serialize)]
struct MeasuredView {
    style: &'static str,
    sign: &'static str,
    words: String,
    /// Seeds whose histories broke it, with the files that say so.
    broken: Vec<(u64, String)>,
}

/// A cell of the table.
#[derive(Debug, Serialize)]
struct RunView {
    style: &'static str,
    sign: &'static str,
    words: String,
    /// Whether the suite looks away from this verdict.
    aside: bool,
    link: Option<String>,
}

/// What was found in a run.
#[derive(Debug, Serialize)]
struct Finding {
    seed: u64,
    words: Vec<String>,
    links: Vec<(String, String)>,
}

fn row_view(suite: &SuiteFile, row: &Row, place: usize, promises: &[String]) -> RowView {
    let style = match row.verdict {
        None => "waiting",
        Some(Verdict::Pass) if !row.judge => "measured",
        Some(verdict) => verdict.name(),
    };
    let runs = suite.seeds.iter().map(|seed| {
        let run = row.runs.iter().find(|run| run.seed == *seed);
        run.map_or_else(|| run_view(&Run::default()), run_view)
    });
    RowView {
        place,
        name: row.name.clone(),
        style,
        sign: if style == "measured" { "·" } else { row.verdict.map_or("–", Verdict::sign) },
        counts_as: table::counts_as(row),
        measured: promises.iter().map(|promise| measured_view(row, promise)).collect(),
        runs: runs.collect(),
        findings: row.runs.iter().filter_map(finding).collect(),
    }
}

fn measured_view(row: &Row, promise: &str) -> MeasuredView {
    let words = table::measured(row, promise);
    let answers = || row.runs.iter().filter_map(|run| Some((run.seed, run.measured.get(promise)?)));
    let (style, sign) = match answers().map(|(_, measured)| measured.valid).max() {
        None => ("none", ""),
        Some(Validity::Valid) => ("held", "✓"),
        Some(Validity::Unknown) => ("unknown", "?"),
        Some(Validity::Invalid) => ("broken", "✕"),
    };
    let broken = answers()
        .filter(|(_, measured)| measured.valid == Validity::Invalid)
        .map(|(seed, measured)| (seed, measured.file.clone()));
    MeasuredView { style, sign, words, broken: broken.collect() }
}

fn run_view(run: &Run) -> RunView {
    let (Some(verdict), Some(counts_as)) = (run.verdict, run.counts_as) else {
        return RunView {
            style: "waiting",
            sign: "–",
            words: "not run".to_owned(),
            aside: false,
            link: None,
        };
    };
    let aside = counts_as == Verdict::Pass && verdict != counts_as;
    let shown = if aside { verdict } else { counts_as };
    let words = match verdict {
        verdict if verdict == shown => verdict.to_string(),
        verdict => format!("{verdict}, counts as {counts_as}"),
    };
    RunView { style: shown.name(), sign: shown.sign(), words, aside, link: link(run) }
}

/// The run's report; where it has none, what it said.
fn link(run: &Run) -> Option<String> {
    let report = run.run.as_ref().map(|folder| format!("{folder}/index.html"));
    report.or_else(|| run.verdict.and(run.log.clone()))
}

fn finding(run: &Run) -> Option<Finding> {
    let mut words = run.reasons.clone();
    let mut links: Vec<(String, String)> = Vec::new();
    links.extend(run.run.iter().map(|folder| ("report".to_owned(), format!("{folder}/index.html"))));
    links.extend(run.log.iter().map(|log| ("log".to_owned(), log.clone())));
    for (promise, measured) in &run.measured {
        if measured.valid != Validity::Valid {
            words.extend(measured.reasons.iter().map(|why| format!("measured as {promise}: {why}")));
            links.push((promise.clone(), measured.file.clone()));
        }
    }
    (!words.is_empty()).then_some(Finding { seed: run.seed, words, links })
}

fn lead(suite: &SuiteFile) -> String {
    let runs = || suite.rows.iter().flat_map(|row| row.runs.iter().map(move |run| (row.judge, run)));
    let all = runs().count();
    let ended = runs().filter(|(_, run)| run.verdict.is_some()).count();
    let judged = runs().filter(|(judge, _)| *judge).count();
    let red = runs().filter(|(_, run)| run.counts_as.is_some_and(|v| v != Verdict::Pass)).count();
    match suite.verdict {
        None => format!("It is still going on, or was killed: {ended} of {all} runs have ended."),
        Some(Verdict::Pass) if judged == 0 => format!("{all} runs were measured; none of them is judged."),
        Some(Verdict::Pass) if judged < all => {
            format!("All {judged} runs that are judged passed, and {} were measured.", all - judged)
        }
        Some(Verdict::Pass) => format!("All {all} runs passed."),
        Some(_) if ended < all => format!("{ended} of {all} runs have ended, {red} of them are no pass."),
        Some(_) => format!("{red} of {all} runs are no pass."),
    }
}

#[derive(Debug, Serialize)]
struct Fact {
    name: &'static str,
    value: String,
}

fn facts(suite: &SuiteFile) -> Vec<Fact> {
    let runs = || suite.rows.iter().flat_map(|row| &row.runs);
    let ops = runs().filter_map(|run| run.stats).map(|stats| stats.ops).sum();
    let took = suite.took_ms.map_or("–".to_owned(), |ms| words::duration(ms * 1_000_000));
    let pairs = [
        ("rows", suite.rows.len().to_string()),
        ("seeds", suite.seeds.len().to_string()),
        ("runs", runs().count().to_string()),
        ("side by side", suite.parallel.to_string()),
        ("operations", words::count(ops)),
        ("took", took),
    ];
    pairs.map(|(name, value)| Fact { name, value }).into()
}

fn versions(suite: &SuiteFile) -> String {
    suite.versions.iter().map(|(name, version)| format!("{name} {version}")).collect::<Vec<_>>().join(", ")
}
