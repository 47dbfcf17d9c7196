//! What is made of a run for people and for CI: complete, escaped, and the same bytes every time.
#![allow(clippy::unwrap_used)]

#[path = "report/eventual.rs"]
mod eventual;
mod support;

use std::fs;
use std::path::Path;

use growler_checker::history::{Event, EventType, Process};
use growler_checker::sensitivity::Sensitivity;
use growler_results::plan::PlanFile;
use growler_results::{Results, RunFolder, TestFile, junit, report, summary};
use serde_json::{Value, json};

fn built(run: &RunFolder) -> String {
    fs::read_to_string(report::build(run).unwrap()).unwrap()
}

/// The text of the element with this id's section, roughly: from the id to the next section.
fn section<'a>(page: &'a str, id: &str) -> &'a str {
    let from = page.find(&format!("id=\"{id}\"")).unwrap_or_else(|| panic!("no section {id}"));
    let rest = &page[from..];
    &rest[..rest.find("</section>").unwrap()]
}

#[test]
fn the_first_screen_of_a_violation_answers_what_how_and_again() {
    let out = tempfile::tempdir().unwrap();
    let run = support::run(out.path(), 3_000, true);
    let page = built(&run);
    assert!(section(&page, "verdict").contains("The promise “linearizable” was broken: stale-read."));
    let counterexample = section(&page, "counterexample");
    for words in [
        "client 3 read k7-17 through n1: found 9 after 3.00 ms",
        "client 8 wrote 14 to k7-17 through n3: no answer after 1.00 s",
        "partition of n1, from 3.001 s to 6.103 s",
        "kill of n2, from 5.201 s to 8.003 s",
        "<em>(context)</em>",
    ] {
        assert!(counterexample.contains(words), "{words}");
    }
    assert!(!counterexample.contains("pause of"), "what was not in force then is not blamed");
    assert_eq!(counterexample.matches("<g class=\"bar").count(), 6 + 2, "two anomalies are drawn");
    let again = "growler test --workload register --store leader --seed 1 --time 30s";
    assert!(section(&page, "again").contains(again));
    let order =
        ["id=\"verdict\"", "id=\"counterexample\"", "id=\"again\"", "id=\"over-time\"", "id=\"checks\""];
    assert!(order.map(|id| page.find(id).unwrap()).is_sorted());
}

#[test]
fn a_pass_says_what_it_rests_on() {
    let out = tempfile::tempdir().unwrap();
    let page = built(&support::run(out.path(), 3_000, false));
    assert!(section(&page, "verdict").contains("The promise “linearizable” held throughout this run."));
    assert!(!page.contains("id=\"counterexample\""));
    let figures = section(&page, "figures");
    for words in
        ["7 of 8", "clock, kill, partition, pause", "912 ms", "the slowest of 4 heals; 0 too late", "100 %"]
    {
        assert!(figures.contains(words), "{words}");
    }
    for (id, words) in [
        ("faults", "bytes dropped: 81\u{202f}201"),
        ("faults", "n2 was being restarted"),
        ("recovery", "in time"),
        ("availability", "partition p2"),
        ("operations", "connection-refused"),
        ("settings", "expected-operations"),
        ("over-time", "class=\"phase\""),
        ("sensitivity", "94.75 %"),
        ("sensitivity", "379 of 400 tried, 9\u{202f}120 possible places"),
        ("sensitivity", "19 × concurrent: operations at the same time"),
        ("sensitivity", "class=\"part\" width=\"100.0\""),
    ] {
        assert!(section(&page, id).contains(words), "{id}: {words}");
    }
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    let out = tempfile::tempdir().unwrap();
    let run = support::run(out.path(), 2_000, true);
    let files = || {
        junit::write(&run).unwrap();
        summary::write(&run, None).unwrap();
        (built(&run), fs::read(run.junit_xml()).unwrap(), fs::read(run.summary_md()).unwrap())
    };
    assert!(files() == files());
}

#[test]
fn the_page_needs_nothing_from_outside() {
    let out = tempfile::tempdir().unwrap();
    let page = built(&support::run(out.path(), 100, true));
    let without_endpoints = page.replace("http://127.0.0.1", "");
    for outside in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!without_endpoints.contains(outside), "{outside}");
    }
}

#[test]
fn a_long_run_is_sampled_and_says_so() {
    let out = tempfile::tempdir().unwrap();
    let run = support::run(out.path(), 30_000, true);
    let page = built(&run);
    let results: Results = run.read_json(&run.results_json()).unwrap().unwrap();
    assert!(results.stats.ops > 21_000, "{}", results.stats.ops);
    assert!(page.contains(&format!("The timeline holds 20000 of {} operations", results.stats.ops)));
    assert!(page.len() < 2_500_000, "{} bytes", page.len());
}

#[test]
fn half_a_run_is_reported_with_what_is_missing() {
    let out = tempfile::tempdir().unwrap();
    let run = support::run(out.path(), 200, true);
    fs::write(run.plan_json(), "{").unwrap();
    for file in [run.results_json(), run.test_json()] {
        fs::remove_file(file).unwrap();
    }
    let page = built(&run);
    assert!(page.contains("This run was not judged."));
    assert!(page.contains("there is no results.json in the run&#x27;s folder"));
    assert!(page.contains("plan.json is malformed"));
    let error = junit::write(&run).unwrap_err().to_string();
    assert!(error.contains("growler check"), "{error}");
    fs::write(run.history(), "").unwrap();
    assert!(built(&run).contains("The history holds no operation."));
}

/// A run in which every text that someone else chose is an attack.
fn hostile(out: &Path) -> RunFolder {
    const EVIL: &str =
        "</script><script>alert(1)</script><img src=x onerror=alert(2)> ]]> \u{1b}[31m `|*_\"'&amp;";
    let run = support::run(out, 200, true);
    let mut events = growler_results::read_history(run.path()).unwrap().events;
    for event in &mut events {
        event.f = format!("{}{EVIL}", event.f).into();
        event.node = Some(EVIL.into());
        event.partition = Some(EVIL.into());
        event.value = json!(EVIL);
        event.key = event.key.as_ref().map(|key| format!("{key}{EVIL}").into());
        event.error = Some(json!([EVIL]).into());
    }
    events.push(Event::new(Process::Nemesis, EventType::Info, EVIL, json!(EVIL)));
    support::write_history(&run, &events);
    let mut results: Results = run.read_json(&run.results_json()).unwrap().unwrap();
    results.reasons.push(EVIL.to_owned());
    let mut check = results.checks["linearizable"].clone();
    for anomaly in &mut check.anomalies {
        anomaly.kind = EVIL.to_owned();
        anomaly.explanation = EVIL.to_owned();
        anomaly.key = Some(EVIL.into());
    }
    check.stats.insert(EVIL.to_owned(), json!(EVIL));
    check.unknown.push(EVIL.to_owned());
    results.checks.insert(EVIL.to_owned(), check);
    let mut tally = support::sensitivity().kinds["stale-read"].clone();
    tally.rest.insert(EVIL.to_owned(), 7);
    let evil = Sensitivity { kinds: [(EVIL.to_owned(), tally)].into() };
    results.sensitivity_details.insert(EVIL.to_owned(), evil);
    run.write_json(&run.results_json(), &results).unwrap();
    let mut test: TestFile = run.read_json(&run.test_json()).unwrap().unwrap();
    for text in [&mut test.name, &mut test.workload, &mut test.promise, &mut test.system.description] {
        EVIL.clone_into(text);
    }
    test.options.insert(EVIL.to_owned(), Value::from(EVIL));
    test.command.push(EVIL.to_owned());
    test.timings.phases[0].name = EVIL.to_owned();
    test.timings.recoveries[0].per[0].node = EVIL.to_owned();
    run.write_json(&run.test_json(), &test).unwrap();
    let mut plan: PlanFile = run.read_json(&run.plan_json()).unwrap().unwrap();
    for fault in &mut plan.faults {
        fault.fault = EVIL.to_owned();
        fault.targets = vec![EVIL.to_owned()];
        fault.reason = Some(EVIL.to_owned());
        fault.evidence = json!({EVIL: EVIL});
        fault.detail = json!(EVIL);
    }
    run.write_json(&run.plan_json(), &plan).unwrap();
    run
}

#[test]
fn hostile_values_stay_text() {
    let out = tempfile::tempdir().unwrap();
    let run = hostile(out.path());
    let page = built(&run);
    assert_eq!(page.matches("<script").count(), 2, "the page's own two");
    assert_eq!(page.matches("</script").count(), 2);
    assert!(!page.contains("<img"));
    assert!(page.contains("&lt;img"));

    junit::write(&run).unwrap();
    let xml = fs::read_to_string(run.junit_xml()).unwrap();
    assert!(!xml.contains("<script") && !xml.contains("<img") && !xml.contains('\u{1b}'), "{xml}");

    summary::write(&run, None).unwrap();
    let markdown = fs::read_to_string(run.summary_md()).unwrap();
    let outside_code: String = markdown.split("```").step_by(2).collect();
    assert!(!outside_code.contains('<') && !outside_code.contains('\u{1b}'), "{outside_code}");
}

#[test]
fn the_summary_is_short_and_appended_for_github() {
    let out = tempfile::tempdir().unwrap();
    let run = support::run(out.path(), 2_000, true);
    let step_summary = out.path().join("step");
    fs::write(&step_summary, "before\n").unwrap();
    summary::write(&run, Some(&step_summary)).unwrap();
    let text = fs::read_to_string(run.summary_md()).unwrap();
    assert_eq!(fs::read_to_string(&step_summary).unwrap(), format!("before\n{text}"));
    let text = text.replace(&*run.path().to_string_lossy(), "runs/register/…");
    insta::assert_snapshot!("summary", text);
}

#[test]
fn a_pass_tells_its_sensitivity_in_the_verdict_and_the_summary() {
    let out = tempfile::tempdir().unwrap();
    let run = support::run(out.path(), 2_000, false);
    let results: Value = run.read_json(&run.results_json()).unwrap().unwrap();
    assert_eq!(results["sensitivity"], json!({"lost-write": 1.0, "stale-read": 0.9475}));
    let counts = json!({"places": 9120, "injected": 400, "refuted": 379, "rest": {"concurrent": 19, "indeterminate": 2}});
    assert_eq!(results["sensitivity_details"]["linearizable"]["stale-read"], counts);
    summary::write(&run, None).unwrap();
    let text = fs::read_to_string(run.summary_md()).unwrap();
    for line in [
        "| sensitivity: lost-write | 100 % (0.99 to 1.00) (400 of 400 tried) |",
        "| sensitivity: stale-read | 94.75 % (0.92 to 0.97) (379 of 400 tried; not 19 concurrent and 2 indeterminate) |",
    ] {
        assert!(text.contains(line), "{text}");
    }
    let run = support::run(out.path(), 2_000, true);
    let results: Value = run.read_json(&run.results_json()).unwrap().unwrap();
    assert_eq!(results.get("sensitivity"), None, "what failed was not measured");
    assert!(!built(&run).contains("id=\"sensitivity\""));
}

#[test]
fn no_two_verdicts_look_the_same_in_the_summary() {
    let out = tempfile::tempdir().unwrap();
    let run = support::run(out.path(), 600, false);
    let mut signs = std::collections::BTreeSet::new();
    for verdict in growler_results::Verdict::ALL {
        let mut results: Results = run.read_json(&run.results_json()).unwrap().unwrap();
        results.verdict = verdict;
        run.write_json(&run.results_json(), &results).unwrap();
        summary::write(&run, None).unwrap();
        let text = fs::read_to_string(run.summary_md()).unwrap();
        signs.insert(text.split_whitespace().nth(1).unwrap().to_owned());
        let is_plain = text.lines().nth(2).unwrap().starts_with('|');
        assert_eq!(is_plain, matches!(verdict.name(), "pass" | "violation"), "{text}");
    }
    assert_eq!(signs.len(), growler_results::Verdict::ALL.len());
}

#[test]
fn junit_has_a_case_for_each_check_and_is_red_where_the_verdict_is() {
    let out = tempfile::tempdir().unwrap();
    let run = support::run(out.path(), 2_000, true);
    junit::write(&run).unwrap();
    insta::assert_snapshot!("junit", fs::read_to_string(run.junit_xml()).unwrap());

    let mut results: Results = run.read_json(&run.results_json()).unwrap().unwrap();
    let mut test: TestFile = run.read_json(&run.test_json()).unwrap().unwrap();
    let red = |results: &Results, test: &TestFile| {
        let xml = junit::render(results, test).unwrap();
        (xml.matches("<failure").count(), xml.matches("<error").count())
    };
    test.options.insert("allow".to_owned(), json!(["stale-read"]));
    results.verdict = growler_results::Verdict::Pass;
    assert_eq!(red(&results, &test), (0, 0), "what is allowed is no failure");
    results.verdict = growler_results::Verdict::Environment;
    assert_eq!(red(&results, &test), (0, 1));
    results.verdict = growler_results::Verdict::Vacuous;
    assert_eq!(red(&results, &test), (0, 1), "no promise was refuted");
    results.verdict = growler_results::Verdict::Interrupted;
    assert_eq!(red(&results, &test), (0, 1));
    let xml = junit::render(&results, &test).unwrap();
    assert_eq!(xml.matches("<skipped").count(), 1, "recovery was not measured to the end: {xml}");
    results.verdict = growler_results::Verdict::Violation;
    assert_eq!(red(&results, &test), (1, 0), "an expected anomaly that did not show");
}

/// Builds pages to look at: `GROWLER_LOOK=folder cargo test -p growler-results --test report -- --ignored`.
#[test]
#[ignore = "writes pages for people to look at"]
fn pages_to_look_at() {
    let out = std::env::var_os("GROWLER_LOOK").expect("GROWLER_LOOK names a folder");
    for (name, violation) in [("pass", false), ("violation", true)] {
        let page = built(&support::run(&Path::new(&out).join(name), 24_000, violation));
        fs::write(Path::new(&out).join(format!("{name}.html")), page).unwrap();
    }
    for (name, is_hostile) in [("eventual", false), ("eventual-hostile", true)] {
        let page = built(&eventual::run(&Path::new(&out).join(name), is_hostile));
        fs::write(Path::new(&out).join(format!("{name}.html")), page).unwrap();
    }
    let page = built(&hostile(&Path::new(&out).join("hostile")));
    fs::write(Path::new(&out).join("hostile.html"), page).unwrap();
}
