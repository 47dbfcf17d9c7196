//! The verdict in Markdown: the page that a pull request shows.
//!
//! Verdict first, then a table, then the counterexample in at most ten lines, then how to run it again.
//! Whatever comes from the system under test is escaped: a value cannot become a link, a tag or a heading.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use growler_checker::verdict::{Anomaly, Validity};

use crate::contents::{Contents, ReportError, results_of};
use crate::operations::pair;
use crate::run::{RunError, RunFolder};
use crate::story::{fault_sentence, tell};
use crate::test_file::shell_quoted;
use crate::verdict::{Results, Verdict, by_kind, within};
use crate::words::{count, join_and, share};

/// Lines of the counterexample.
const LINES_MAX: usize = 10;

/// Writes `summary.md`, and appends it to `step_summary`, the file that `GITHUB_STEP_SUMMARY` names.
///
/// # Errors
/// [`ReportError`] when there is no verdict, or a file cannot be read or written.
pub fn write(run: &RunFolder, step_summary: Option<&Path>) -> Result<(), ReportError> {
    results_of(run)?;
    let text = render(&Contents::read(run)?, &run.path().to_string_lossy());
    run.write_bytes(&run.summary_md(), text.as_bytes())?;
    Ok(append_to(step_summary, &text)?)
}

/// Appends a summary to the file that `GITHUB_STEP_SUMMARY` names, where it names one.
///
/// # Errors
/// [`RunError::Io`] when it cannot be written.
pub fn append_to(step_summary: Option<&Path>, text: &str) -> Result<(), RunError> {
    let Some(path) = step_summary else { return Ok(()) };
    let append = OpenOptions::new().create(true).append(true).open(path);
    let io = |source| RunError::Io { doing: "append the summary to", path: path.to_owned(), source };
    append.and_then(|mut file| file.write_all(text.as_bytes())).map_err(io)
}

/// The file's text.
fn render(contents: &Contents, folder: &str) -> String {
    let Some(results) = &contents.results else { return String::new() };
    let mut text = String::new();
    heading(&mut text, contents, results);
    table(&mut text, contents, results);
    let first = results.checks.values().flat_map(|check| &check.anomalies).find(|a| !a.ops.is_empty());
    if let Some(anomaly) = first {
        counterexample(&mut text, contents, results, anomaly);
    }
    text.push_str("\n### Run it again\n\n");
    if let Some(test) = &contents.test {
        fenced(&mut text, &test.command_line());
    }
    fenced(&mut text, &format!("growler check {}", shell_quoted(folder)));
    text
}

fn heading(text: &mut String, contents: &Contents, results: &Results) {
    let (sign, meaning) = meaning(results.verdict);
    let name = contents.test.as_ref().map_or("a history", |t| &t.name);
    // Formatting into a string cannot fail.
    let _ = writeln!(text, "## {sign} {} — {}\n", results.verdict, escaped(name));
    if !meaning.is_empty() {
        let _ = writeln!(text, "{meaning}\n");
    }
    for reason in results.reasons.iter().take(LINES_MAX) {
        let _ = writeln!(text, "- {}", escaped(reason));
    }
    for note in &results.notes {
        let _ = writeln!(text, "- Note: {}", escaped(note));
    }
    if !results.reasons.is_empty() || !results.notes.is_empty() {
        text.push('\n');
    }
}

/// A sign that no other verdict has, and what a verdict other than pass and violation means.
fn meaning(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Pass => ("✅", ""),
        Verdict::Violation => ("❌", ""),
        Verdict::Vacuous => ("⚠️", "Nothing was refuted, and nothing was shown: this run proves nothing."),
        Verdict::Unknown => ("❓", "A check could not decide."),
        Verdict::Interrupted => ("⏹️", "The run was cut short: nothing was refuted as far as it went."),
        Verdict::Environment => {
            ("🔌", "The surroundings failed: this says nothing about the system under test.")
        }
        Verdict::Usage => ("🚫", "The command line, or a file given to it, is wrong."),
        Verdict::Internal => ("💥", "Growler itself failed: this says nothing about the system under test."),
    }
}

fn table(text: &mut String, contents: &Contents, results: &Results) {
    let mut rows = Vec::new();
    if let Some(test) = &contents.test {
        rows.push(("system", escaped(&test.system.description)));
        rows.push(("workload", escaped(&test.workload)));
        rows.push(("promise", escaped(&test.promise)));
        rows.push(("seed", test.seed.to_string()));
    }
    let stats = &results.stats;
    let outcomes = [(stats.ok, "ok"), (stats.fail, "fail"), (stats.info, "info")];
    let outcomes = outcomes.map(|(n, name)| format!("{} {name}", count(n)));
    rows.push(("operations", format!("{}: {}", count(stats.ops), outcomes.join(", "))));
    if let Some(plan) = &contents.plan {
        let (installed, kinds) = plan.took_effect();
        let kinds = if kinds.is_empty() { "none".to_owned() } else { escaped(&join_and(&kinds, "and")) };
        rows.push(("faults", format!("{installed} of {} took effect: {kinds}", plan.faults.len())));
    }
    text.push_str("| | |\n|---|---|\n");
    for (name, value) in rows {
        let _ = writeln!(text, "| {name} | {value} |");
    }
    for (name, check) in &results.checks {
        let answer = match check.valid {
            Validity::Valid => "held".to_owned(),
            Validity::Unknown => "**unknown**".to_owned(),
            Validity::Invalid => format!("**broken**, {} anomalies", check.anomalies.len()),
        };
        let _ = writeln!(text, "| check {} | {answer} |", escaped(name));
    }
    if let Some(exposure) = &results.exposure {
        let _ = writeln!(text, "| exposure: raced with another write of the key | {} |", exposure.words());
    }
    for (kind, tally) in by_kind(&results.sensitivity_details) {
        let rest: Vec<_> =
            tally.rest.iter().map(|(reason, n)| format!("{} {}", count(*n), escaped(reason))).collect();
        let rest = if rest.is_empty() { String::new() } else { format!("; not {}", join_and(&rest, "and")) };
        let of = format!("{} of {}", count(tally.refuted), count(tally.injected));
        let shown = share(tally.refuted, tally.injected);
        let _ = writeln!(
            text,
            "| sensitivity: {} | {shown}{} ({of} tried{rest}) |",
            escaped(kind),
            within(tally.interval())
        );
    }
}

fn counterexample(text: &mut String, contents: &Contents, results: &Results, anomaly: &Anomaly) {
    let operations = pair(&contents.history.events);
    let end_ns = contents.end_ns();
    let Some(story) = tell(anomaly, &operations, contents.plan.as_ref(), end_ns) else { return };
    let key =
        anomaly.key.as_ref().map(|key| format!(" on {}", escaped(&key.to_string()))).unwrap_or_default();
    let _ = writeln!(text, "\n### Counterexample: {}{key}\n", escaped(&anomaly.kind));
    if !results.reasons.iter().any(|reason| reason.contains(&anomaly.explanation)) {
        let _ = writeln!(text, "{}\n", escaped(&anomaly.explanation));
    }
    for step in story.steps.iter().take(LINES_MAX) {
        let _ = writeln!(text, "- `{}` {}", step.time(), escaped(&step.sentence()));
    }
    let untold = story.steps.len().saturating_sub(LINES_MAX) + story.untold;
    if untold > 0 {
        let _ = writeln!(text, "- and {untold} more in the report");
    }
    let faults: Vec<_> = story.faults.iter().map(|f| escaped(&fault_sentence(f, end_ns))).collect();
    let faults = if faults.is_empty() { "nothing".to_owned() } else { faults.join("; ") };
    let _ = writeln!(text, "\nBroken meanwhile: {faults}.");
}

/// A block of code that ends where it should, whatever is in it.
pub(crate) fn fenced(text: &mut String, code: &str) {
    let mut fence = "```".to_owned();
    while code.contains(&fence) {
        fence.push('`');
    }
    let _ = writeln!(text, "{fence}sh\n{code}\n{fence}");
}

/// Text that Markdown and HTML leave as it is, on one line.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '|' => out.push_str("&#124;"),
            '@' => out.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '!' | '~' | '$' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    // Web addresses would become links.
    out.replace("://", "&#58;//").replace("www.", "www&#46;")
}
