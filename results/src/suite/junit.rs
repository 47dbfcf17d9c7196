//! A suite as JUnit's XML: one case for each run.
//!
//! Whatever is no pass for the suite is a red case: a `failure` where a promise was refuted, else an `error` whose
//! type is the verdict. What was never started is skipped, and then the suite itself is a red case, so that a CI
//! which looks at this file alone cannot be greener than the exit code. A run that is only measured is green, and says in
//! its output what was found.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use super::file::{Row, Run, SuiteFile};
use crate::contents::ReportError;
use crate::test_file::command_line;
use crate::verdict::Verdict;

/// The file's text. Characters that XML does not know are left out.
///
/// # Errors
/// [`ReportError::Render`] on a defect of the XML writer.
pub fn render(suite: &SuiteFile) -> Result<String, ReportError> {
    let mut cases = TestSuite::new(&suite.name);
    let verdict = suite.verdict.map_or("none", Verdict::name);
    for (name, value) in [("verdict", verdict), ("again", command_line(&suite.command).as_str())] {
        cases.add_property(Property::new(name, value));
    }
    for row in &suite.rows {
        for run in &row.runs {
            cases.add_test_case(case(suite, row, run));
        }
    }
    let runs = || suite.rows.iter().flat_map(|row| &row.runs);
    if runs().any(|run| run.counts_as.is_none()) {
        cases.add_test_case(whole(suite));
    }
    if let Some(took_ms) = runs().filter_map(|run| run.took_ms).reduce(|sum, took| sum + took) {
        cases.set_time(Duration::from_millis(took_ms));
    }
    let mut report = Report::new("growler suite");
    report.add_test_suite(cases);
    report.to_string().map_err(|e| ReportError::Render { what: "junit.xml", reason: e.to_string() })
}

/// The suite that was not run to its end.
fn whole(suite: &SuiteFile) -> TestCase {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_type(Verdict::Interrupted.name()).set_message("not all runs were started");
    let mut case = TestCase::new("suite", status);
    case.set_classname(format!("growler.{}", suite.name));
    case
}

fn case(suite: &SuiteFile, row: &Row, run: &Run) -> TestCase {
    let mut case = TestCase::new(format!("{}, seed {}", row.name, run.seed), status(run));
    case.set_classname(format!("growler.{}", suite.name));
    if let Some(took) = run.took_ms {
        case.set_time(Duration::from_millis(took));
    }
    for (name, value) in [("run", &run.run), ("log", &run.log)] {
        if let Some(value) = value {
            case.add_property(Property::new(name, value));
        }
    }
    let looked_away = run.verdict != run.counts_as && run.counts_as == Some(Verdict::Pass);
    if let (Some(verdict), true) = (run.verdict, looked_away) {
        let how = if row.judge { "expected" } else { "measured, not judged" };
        case.set_system_out(format!("{how}: {verdict}\n{}", run.reasons.join("\n")));
    }
    case
}

fn status(run: &Run) -> TestCaseStatus {
    let kind = match run.counts_as {
        Some(Verdict::Pass) => return TestCaseStatus::success(),
        None => {
            let mut status = TestCaseStatus::skipped();
            status.set_message("it was not started");
            return status;
        }
        Some(Verdict::Violation) => NonSuccessKind::Failure,
        Some(
            Verdict::Vacuous
            | Verdict::Unknown
            | Verdict::Environment
            | Verdict::Interrupted
            | Verdict::Usage
            | Verdict::Internal,
        ) => NonSuccessKind::Error,
    };
    let mut status = TestCaseStatus::non_success(kind);
    let counts_as = run.counts_as.unwrap_or(Verdict::Interrupted);
    let first = run.reasons.first().map_or("", String::as_str);
    status.set_type(counts_as.name()).set_message(first).set_description(run.reasons.join("\n"));
    status
}
