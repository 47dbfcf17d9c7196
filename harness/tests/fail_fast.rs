//! `--fail-fast` through the real binary: a planted bug ends the run early, and every file says so; an honest
//! run is not touched.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::path::Path;

use serde_json::Value;
use support::{code, json, latest, run, stderr, stdout};

fn fail_fast(out: &Path, arguments: &[&str]) -> std::process::Output {
    let mut all = vec!["test", "--fail-fast", "--json", "--seed", "1", "--out", out.to_str().unwrap()];
    all.extend(arguments);
    run(&all)
}

#[test]
fn a_planted_bug_ends_the_run_early_and_the_whole_check_proves_it() {
    let out = tempfile::tempdir().unwrap();
    let bug = ["--bug", "condition-ignored", "--workload", "cas-register", "--faults", "partition"];
    let output = fail_fast(out.path(), &[bug.as_slice(), &["--time", "60s"]].concat());
    let verdict: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(code(output.status), 1, "{verdict:#}");
    let told = stderr(&output);
    assert!(told.contains("certain: the run is stopped early"), "{told}");

    let folder = latest(out.path());
    let test = json(&folder.join("test.json"));
    assert_eq!(test["options"]["fail-fast"], true);
    let stopped = &test["timings"]["stopped_early"];
    let reason = stopped["reason"].as_str().unwrap();
    assert!(told.contains(reason), "{reason}");
    let phases = test["timings"]["phases"].as_array().unwrap();
    let names: Vec<_> = phases.iter().map(|phase| phase["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["set-up", "warm-up", "main", "recovery", "final reads", "tear-down"]);
    let [began, ended] = [1, 2].map(|at| &phases[at]).map(|phase| phase["end_ns"].as_u64().unwrap());
    assert!(ended < began + 55_000_000_000 && stopped["at_ns"].as_u64().unwrap() <= ended, "{phases:?}");

    let anomalies = verdict["checks"]["linearizable"]["anomalies"].as_array().unwrap();
    let named = |a: &&Value| reason.contains(&format!("key {} ", a["key"].as_str().unwrap()));
    let of_the_alarm: Vec<_> = anomalies.iter().filter(named).collect();
    assert!(!of_the_alarm.is_empty(), "{reason}: {anomalies:#?}");
    assert!(of_the_alarm.iter().all(|anomaly| !anomaly["ops"].as_array().unwrap().is_empty()));
    assert_eq!(verdict["checks"]["recovery"]["valid"], true, "nobody waited for it");

    let plan = json(&folder.join("plan.json"));
    let faults = plan["faults"].as_array().unwrap();
    assert!(faults.iter().all(|fault| !fault["outcome"].is_null()), "{plan:#}");
    let last = faults.last().unwrap();
    assert_eq!(last["outcome"], "skipped", "{plan:#}");
    assert!(last["reason"].as_str().unwrap().contains("stopped early"), "{last:#}");
    let page = std::fs::read_to_string(folder.join("index.html")).unwrap();
    assert!(page.contains("Stopped early"));

    let again = run(&["check", folder.to_str().unwrap(), "--json"]);
    assert_eq!(code(again.status), 1, "{}", stderr(&again));
}

#[test]
fn an_honest_run_is_not_touched() {
    let out = tempfile::tempdir().unwrap();
    let output = fail_fast(out.path(), &["--faults", "none", "--time", "4s", "--min-ok", "1"]);
    assert_eq!(code(output.status), 0, "{}{}", stdout(&output), stderr(&output));
    assert!(!stderr(&output).contains("--fail-fast"), "{}", stderr(&output));
    let test = json(&latest(out.path()).join("test.json"));
    assert_eq!(test["timings"].get("stopped_early"), None);
    let phases = test["timings"]["phases"].as_array().unwrap();
    assert!(phases.iter().any(|phase| phase["name"] == "final reads"));
}

#[test]
fn what_cannot_be_seen_early_is_refused() {
    let out = tempfile::tempdir().unwrap();
    let bank = ["--workload", "bank", "--endpoint", "http://127.0.0.1:9"];
    let refused: [(&[&str], &str); 2] =
        [(&bank, "register, cas-register"), (&["--allow", "stale-read"], "--allow stale-read")];
    for (arguments, said) in refused {
        let output = fail_fast(out.path(), arguments);
        assert_eq!(code(output.status), 254, "{}", stderr(&output));
        let told = stderr(&output);
        assert!(told.contains("--fail-fast") && told.contains(said), "{told}");
    }
    assert_eq!(std::fs::read_dir(out.path()).unwrap().count(), 0, "nothing was started");
}
