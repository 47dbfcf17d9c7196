//! The verdict as JUnit's XML, which every CI shows.
//!
//! A suite is the run, a case a check on the workload. A refuted promise is a `failure`; what kept growler
//! from an answer, or the answer from a meaning, is an `error`, and its type is the verdict. What was not done
//! is `skipped`. Whatever is no pass makes at least one case red, so that a CI which looks at this file alone
//! cannot be greener than the exit code.

use std::time::Duration;

use growler_checker::anomaly::admits;
use growler_checker::verdict::{CheckResult, Validity};
use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use crate::contents::{ReportError, results_of};
use crate::run::RunFolder;
use crate::test_file::TestFile;
use crate::verdict::{Expectations, Results, Verdict};

/// Anomalies of a check whose explanations are told.
const TOLD_MAX: usize = 5;

/// Writes `junit.xml` from `results.json` and `test.json`.
///
/// # Errors
/// [`ReportError`] when there is no verdict, or a file cannot be read or written.
pub fn write(run: &RunFolder) -> Result<(), ReportError> {
    let results = results_of(run)?;
    let test = run.read_json(&run.test_json())?.unwrap_or_default();
    let xml = render(&results, &test)?;
    Ok(run.write_bytes(&run.junit_xml(), xml.as_bytes())?)
}

/// The file's text. Characters that XML does not know are left out.
///
/// # Errors
/// [`ReportError::Render`] on a defect of the XML writer.
pub fn render(results: &Results, test: &TestFile) -> Result<String, ReportError> {
    let subject = if test.workload.is_empty() { "history" } else { &test.workload };
    let mut suite = TestSuite::new(if test.name.is_empty() { subject } else { &test.name });
    for (name, value) in properties(results, test) {
        suite.add_property(Property::new(name, value));
    }
    let expectations = test.expectations();
    let cut_short = results.applies(Verdict::Interrupted);
    let mut red = false;
    for (name, check) in &results.checks {
        let status = match not_done(name, check, cut_short) {
            Some(why) => skipped(why),
            None => status(check, &expectations),
        };
        red |= matches!(status, TestCaseStatus::NonSuccess { .. });
        let mut case = TestCase::new(format!("{name} × {subject}"), status);
        case.set_classname(format!("growler.{subject}"));
        if check.valid == Validity::Invalid && matches!(case.status, TestCaseStatus::Success { .. }) {
            case.set_system_out(format!("allowed or expected:\n{}", explanations(check)));
        }
        suite.add_test_case(case);
    }
    let mut whole = TestCase::new(format!("run × {subject}"), whole_status(results, red));
    whole.set_classname(format!("growler.{subject}"));
    if let Some(end_ns) = test.timings.phases.iter().map(|phase| phase.end_ns).max() {
        whole.set_time(Duration::from_nanos(end_ns));
        suite.set_time(Duration::from_nanos(end_ns));
    }
    suite.add_test_case(whole);
    if !test.timings.started.is_empty() {
        suite.extra.insert("timestamp".into(), test.timings.started.as_str().into());
    }

    let mut report = Report::new("growler");
    report.add_test_suite(suite);
    report.to_string().map_err(|e| ReportError::Render { what: "junit.xml", reason: e.to_string() })
}

fn properties(results: &Results, test: &TestFile) -> Vec<(&'static str, String)> {
    let mut properties = vec![("verdict", results.verdict.to_string())];
    if let Some(seed) = results.seed {
        properties.push(("seed", seed.to_string()));
    }
    if let Some(run) = &results.run {
        properties.push(("plan", format!("{run}/plan.json")));
        properties.push(("report", format!("{run}/index.html")));
        properties.push(("again", test.command_line()));
    }
    properties
}

/// Why a check gave no answer, where it was not carried out.
fn not_done(name: &str, check: &CheckResult, cut_short: bool) -> Option<&'static str> {
    match (name, check.valid) {
        ("recovery", Validity::Valid) if cut_short => {
            Some("the run was cut short before the last heal was measured")
        }
        (_, Validity::Unknown) if cut_short => Some("the run was cut short before it was checked"),
        _ => None,
    }
}

fn skipped(why: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(why);
    status
}

fn status(check: &CheckResult, expectations: &Expectations) -> TestCaseStatus {
    let permitted = |check: &CheckResult| {
        !check.anomalies.is_empty() && check.anomalies.iter().all(|a| expectations.permit(&a.kind, &admits))
    };
    match check.valid {
        Validity::Invalid if !permitted(check) => {
            let worst = check.anomalies.iter().find(|a| !expectations.permit(&a.kind, &admits));
            let kind = worst.map_or("violation", |a| &a.kind);
            let message = worst.map_or("the check failed", |a| &a.explanation);
            red(NonSuccessKind::Failure, kind, message, &explanations(check))
        }
        Validity::Unknown => {
            red(NonSuccessKind::Error, "unknown", "the check could not decide", &check.unknown.join("\n"))
        }
        Validity::Valid | Validity::Invalid => TestCaseStatus::success(),
    }
}

/// The case of the run itself: red for what no single check says.
fn whole_status(results: &Results, told: bool) -> TestCaseStatus {
    let kind = match results.verdict {
        Verdict::Pass => return TestCaseStatus::success(),
        Verdict::Violation if told => return TestCaseStatus::success(),
        Verdict::Violation => NonSuccessKind::Failure,
        Verdict::Vacuous
        | Verdict::Unknown
        | Verdict::Environment
        | Verdict::Interrupted
        | Verdict::Usage
        | Verdict::Internal => NonSuccessKind::Error,
    };
    let first = results.reasons.first().map_or("", String::as_str);
    red(kind, results.verdict.name(), first, &results.reasons.join("\n"))
}

fn red(kind: NonSuccessKind, type_name: &str, message: &str, description: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(type_name).set_message(message).set_description(description);
    status
}

fn explanations(check: &CheckResult) -> String {
    let mut lines: Vec<String> =
        check.anomalies.iter().take(TOLD_MAX).map(|a| format!("{}: {}", a.kind, a.explanation)).collect();
    if check.anomalies.len() > TOLD_MAX {
        lines.push(format!("and {} more", check.anomalies.len() - TOLD_MAX));
    }
    lines.join("\n")
}
