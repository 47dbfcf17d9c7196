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
            let page = finished.folder.join("index.html");
            if page.is_file() {
                super::print(&format!("report: {}", page.display()));
            }
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
    // What a check tells below is not told here as well.
    let is_below = |reason: &&String| {
        let shown = results.checks.iter().flat_map(|(name, check)| {
            check.anomalies.iter().filter(|found| !is_told_by_another(results, name, found)).take(3)
        });
        shown.into_iter().any(|found| reason.starts_with(&format!("{}: {}", found.kind, found.explanation)))
    };
    lines.extend(results.reasons.iter().filter(|reason| !is_below(reason)).map(|r| format!("  {r}")));
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
    if let Some(exposure) = &results.exposure {
        lines.push(format!("exposure: raced with another write of the key: {}", exposure.words()));
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
    if lines.iter().any(|line| names_a_version(line)) {
        lines.push("versions: n1/18:75 is the write number 75 of node n1 in its epoch 18".to_owned());
    }
    let lines: Vec<String> = lines.iter().map(|line| escaped(line)).collect();
    lines.join("\n")
}

/// Whether a text names a version as the quorum store does: `n1/18:75`.
fn names_a_version(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let words = text.split(|c: char| c.is_whitespace() || "()[],|;".contains(c));
    let mut versions = words.filter_map(|word| word.split_once('/'));
    versions.any(|(node, rest)| {
        let numbers = rest.trim_end_matches(['.', ':']).split_once(':');
        !node.is_empty() && numbers.is_some_and(|(epoch, number)| digits(epoch) && digits(number))
    })
}

/// A line of which a terminal prints every letter and obeys none: what comes from the system under test must not
/// move the cursor or begin a line of its own.
fn escaped(line: &str) -> String {
    let is_obeyed = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
    };
    line.chars().fold(String::with_capacity(line.len()), |mut text, c| {
        if is_obeyed(c) {
            text.extend(c.escape_default());
        } else {
            text.push(c);
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_one_line_whatever_a_key_is() {
        assert_eq!(escaped("a\u{1b}[2J\nverdict: pass é"), "a\\u{1b}[2J\\nverdict: pass é");
        assert_eq!(escaped("\u{202e}ssap"), "\\u{202e}ssap");
    }

    #[test]
    fn versions_are_told_from_other_words() {
        assert!(names_a_version("in the end there is 5 (n4/18:75), and nothing replaced it"));
        assert!(names_a_version("version n4/18:75."));
        assert!(!names_a_version("http://127.0.0.1:8000/a n1/n2: 3/4 and (events 4 to 5)"));
    }
}
