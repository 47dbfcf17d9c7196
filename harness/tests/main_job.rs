//! The main job through the real binary: three processes, every kind of fault, a verdict that can be had again
//! from what was kept, and planted bugs that are found.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeSet;
use std::path::Path;

use growler_checker::sensitivity::is_judged;
use serde_json::{Value, json};
use support::{code, json, latest, run, stderr, stdout};

/// A test run in a folder of its own: exit code, verdict, and the run's folder.
fn test(out: &Path, arguments: &[&str]) -> (i32, Value, std::path::PathBuf) {
    let mut all = vec!["test", "--json", "--out", out.to_str().unwrap()];
    all.extend(arguments);
    let output = run(&all);
    let verdict = serde_json::from_str(&stdout(&output)).unwrap_or_else(|e| {
        panic!("standard output is not JSON ({e}): {}{}", stdout(&output), stderr(&output))
    });
    (code(output.status), verdict, latest(out))
}

#[test]
fn the_main_job_passes_with_evidence_of_every_fault_and_can_be_judged_again() {
    let out = tempfile::tempdir().unwrap();
    let (exit, verdict, folder) = test(out.path(), &["--seed", "1", "--time", "10s"]);
    assert_eq!(exit, 0, "{verdict:#}");
    assert_eq!(verdict["verdict"], "pass");
    assert_eq!(verdict["valid"], true);
    assert_eq!(verdict["seed"], 1);
    let plan = json(&folder.join("plan.json"));
    let installed: BTreeSet<_> = plan["faults"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|f| f["outcome"] == "installed" && !f["evidence"].is_null())
        .map(|f| f["fault"].as_str().unwrap())
        .collect();
    assert_eq!(installed, BTreeSet::from(["clock", "kill", "partition", "pause"]), "{plan:#}");
    for file in [
        "test.json",
        "history.jsonl",
        "results.json",
        "index.html",
        "junit.xml",
        "summary.md",
        "nodes/n1/node.log",
    ] {
        assert!(folder.join(file).exists(), "{file} is missing");
    }
    let again = run(&["check", folder.to_str().unwrap(), "--json"]);
    assert_eq!(code(again.status), 0, "{}", stderr(&again));
    let again: Value = serde_json::from_str(&stdout(&again)).unwrap();
    assert_eq!(again, verdict, "the same history and the same run, the same verdict");
    let shares = verdict["sensitivity"].as_object().unwrap();
    let judged: Vec<_> = shares.iter().filter(|(kind, _)| is_judged(kind)).collect();
    let kinds: Vec<_> = judged.iter().map(|(kind, _)| kind.as_str()).collect();
    // Deletes are few, and a busy machine may have no place for a fault of one.
    assert!(["lost-update", "lost-write", "stale-read"].iter().all(|kind| kinds.contains(kind)), "{kinds:?}");
    assert!(judged.iter().all(|(_, share)| share.as_f64().unwrap() >= 0.5), "{shares:?}");
    assert!(verdict["sensitivity_details"]["linearizable"]["stale-read"]["places"].as_u64().unwrap() > 50);
    let page = std::fs::read(folder.join("index.html")).unwrap();
    assert_eq!(code(run(&["report", folder.to_str().unwrap()]).status), 0);
    assert!(page == std::fs::read(folder.join("index.html")).unwrap(), "the same run gives the same page");
}

#[test]
fn a_planted_bug_is_a_violation_with_a_certificate_and_an_expected_one_is_not() {
    let out = tempfile::tempdir().unwrap();
    let bug =
        ["--bug", "condition-ignored", "--workload", "cas-register", "--faults", "none", "--time", "4s"];
    let (exit, verdict, folder) = test(out.path(), &bug);
    assert_eq!(exit, 1, "{verdict:#}");
    let anomalies = verdict["checks"]["linearizable"]["anomalies"].as_array().unwrap();
    assert!(!anomalies.is_empty());
    for anomaly in anomalies {
        let ops = anomaly["ops"].as_array().unwrap();
        assert!((1..=12).contains(&ops.len()), "{anomaly:#}");
        assert!(!anomaly["explanation"].as_str().unwrap().is_empty());
    }
    assert!(std::fs::read_to_string(folder.join("junit.xml")).unwrap().contains("<failure"));
    let expected = [bug.as_slice(), &["--expect", "nonlinearizable"]].concat();
    let (exit, verdict, _) = test(out.path(), &expected);
    assert_eq!(exit, 0, "{verdict:#}");
    assert_eq!(verdict["valid"], false, "expectations change the verdict, never the answer");
}

#[test]
fn a_run_that_proves_nothing_is_vacuous() {
    let out = tempfile::tempdir().unwrap();
    let (exit, verdict, _) = test(out.path(), &["--faults", "none", "--time", "2s", "--min-ok", "1000000"]);
    assert_eq!(exit, 3, "{verdict:#}");
    assert_eq!(verdict["verdict"], "vacuous");
}

#[test]
fn a_run_that_would_have_shown_too_little_is_vacuous() {
    let out = tempfile::tempdir().unwrap();
    // A busy machine may do little in that time: how much is not the question here.
    let little = ["--faults", "none", "--time", "3s", "--min-ok", "1", "--min-exposure", "0"];
    let (exit, verdict, folder) = test(out.path(), &little);
    assert_eq!(exit, 0, "{verdict:#}");
    // What runs show they mostly show well, so the share of one kind is made smaller where the run keeps it.
    let file = folder.join("test.json");
    let mut kept: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let tally = &mut kept["end"]["coverage"]["sensitivity"]["linearizable"]["stale-read"];
    assert!(tally["places"].is_number(), "the run was measured");
    *tally = json!({"places": 400, "injected": 400, "refuted": 100, "rest": {"no-later-read": 300}});
    std::fs::write(&file, kept.to_string()).unwrap();
    let again = run(&["check", folder.to_str().unwrap(), "--json"]);
    assert_eq!(code(again.status), 3, "{}", stderr(&again));
    let again: Value = serde_json::from_str(&stdout(&again)).unwrap();
    let reasons = again["reasons"].as_array().unwrap().iter().map(|reason| reason.as_str().unwrap());
    let reasons: Vec<_> = reasons.collect();
    assert!(
        reasons.len() == 1 && reasons[0].contains("100 of 400 stale-read faults would have"),
        "{again:#}"
    );
}

#[test]
fn a_run_in_which_too_little_raced_is_vacuous_and_one_client_is_not_asked_to() {
    let out = tempfile::tempdir().unwrap();
    let little = ["--faults", "none", "--time", "3s", "--min-ok", "1"];
    let (exit, verdict, _) = test(out.path(), &[&little[..], &["--min-exposure", "1000000"]].concat());
    assert_eq!(exit, 3, "{verdict:#}");
    let reason = verdict["reasons"][0].as_str().unwrap();
    assert!(
        reason.contains("overlapped another write of their key") && reason.contains("1000000"),
        "{reason}"
    );
    let alone = [&little[..], &["--concurrency", "1"]].concat();
    let (exit, verdict, _) = test(out.path(), &alone);
    assert_eq!(exit, 0, "{verdict:#}");
    assert_eq!(verdict["exposure"]["blind"]["overlapped"], 0);
    assert!(verdict["exposure"]["blind"]["operations"].as_u64().unwrap() > 0);
}

#[test]
fn every_list_is_an_array_of_objects_with_name_and_about() {
    for what in ["workloads", "faults", "models", "promises", "anomalies", "bugs", "settings", "formats"] {
        let output = run(&["list", what, "--json"]);
        assert_eq!(code(output.status), 0);
        let rows: Vec<Value> = serde_json::from_str(&stdout(&output)).unwrap();
        assert!(!rows.is_empty(), "{what}");
        for row in &rows {
            assert!(row["name"].as_str().is_some_and(|n| !n.is_empty()), "{what}: {row}");
            assert!(row["about"].as_str().is_some_and(|a| a.len() > 10), "{what}: {row}");
        }
        let has =
            |field: &str| assert!(rows.iter().all(|r| r.get(field).is_some()), "{what} without {field}");
        match what {
            "bugs" => ["stores", "expect", "options", "quiet"].map(has).len(),
            "workloads" => ["stores", "model", "promises", "needs"].map(has).len(),
            "anomalies" => {
                let stale = rows.iter().find(|r| r["name"] == "stale-read").unwrap();
                assert_eq!(stale["parent"], "nonlinearizable");
                1
            }
            _ => 0,
        };
        assert!(stdout(&run(&["list", what])).lines().count() >= rows.len());
    }
}

#[test]
fn the_readme_has_the_table_of_exit_codes() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
    for verdict in growler_results::verdict::Verdict::ALL {
        let row = format!("| {} | {} |", verdict.exit_code(), verdict.name());
        assert!(readme.contains(&row), "README.md lacks the row `{row}`");
    }
}
