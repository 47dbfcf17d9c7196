//! `growler check` of a run's folder comes to the verdict that the run had, whatever it was, and by whatever
//! name the run is given.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::{code, json as read, latest, run, stderr, stdout};

/// A short run, in which nothing is broken.
const SHORT: [&str; 9] =
    ["--seed", "1", "--faults", "none", "--time", "2s", "--concurrency", "4", "--min-sensitivity=0"];

/// Runs a test: its exit code, what it printed, and its folder.
fn test(out: &Path, arguments: &[&str]) -> (i32, Value, PathBuf) {
    let output = run(&[&["test", "--json", "--out", out.to_str().unwrap()], arguments].concat());
    let results =
        serde_json::from_str(&stdout(&output)).unwrap_or_else(|e| panic!("{e}: {}", stderr(&output)));
    (code(output.status), results, latest(out))
}

fn short(out: &Path, arguments: &[&str]) -> (i32, Value, PathBuf) {
    test(out, &[&SHORT[..], arguments].concat())
}

/// Checks a run or a history again.
fn check(path: &Path, arguments: &[&str]) -> (i32, Value) {
    let output = run(&[&["check", "--json", path.to_str().unwrap()], arguments].concat());
    (code(output.status), serde_json::from_str(&stdout(&output)).unwrap_or(Value::Null))
}

/// Changes a file of JSON.
fn edit(file: &Path, change: impl FnOnce(&mut Value)) {
    let mut value = read(file);
    change(&mut value);
    std::fs::write(file, value.to_string()).unwrap();
}

#[test]
fn a_run_that_passed_passes_by_every_name_and_says_the_same() {
    let out = tempfile::tempdir().unwrap();
    let (exit, results, folder) = short(out.path(), &["--min-ok=1"]);
    assert_eq!(exit, 0, "{results:#}");
    let link = out.path().join("link.jsonl");
    std::os::unix::fs::symlink(folder.join("history.jsonl"), &link).unwrap();
    let names = [&folder, &folder.join("history.jsonl"), &out.path().join("latest/history.jsonl"), &link];
    for name in names {
        assert_eq!(check(name, &[]), (0, results.clone()), "{}", name.display());
    }
    assert_eq!(check(&out.path().join("latest"), &[]), (0, read(&folder.join("results.json"))));
    // The page, too, has the run's own name.
    let page = |run: &Path| {
        assert_eq!(code(support::run(&["report", run.to_str().unwrap()]).status), 0);
        std::fs::read_to_string(folder.join("index.html")).unwrap()
    };
    assert!(page(&out.path().join("latest")) == page(&folder));
}

#[test]
fn a_vacuous_run_stays_vacuous_and_its_bare_history_is_held_to_less() {
    let out = tempfile::tempdir().unwrap();
    let (exit, results, folder) = short(out.path(), &["--min-ok=1000000"]);
    assert_eq!((exit, check(&folder, &[])), (3, (3, results.clone())));
    // Model and promise change the checks only.
    let (exit, other) = check(&folder, &["--model", "cas-register", "--promise", "dynamodb-region"]);
    assert_eq!((exit, &other["reasons"]), (3, &results["reasons"]));
    let elsewhere = tempfile::tempdir().unwrap();
    let bare = elsewhere.path().join("history.jsonl");
    std::fs::copy(folder.join("history.jsonl"), &bare).unwrap();
    assert_eq!(check(&bare, &[]).0, 0);
    // An older growler kept nothing but the words.
    edit(&folder.join("test.json"), |test| drop(test.as_object_mut().unwrap().remove("end")));
    let (exit, older) = check(&folder, &[]);
    assert_eq!((exit, &older["verdict"]), (3, &json!("vacuous")));
    assert!(older["reasons"][0].as_str().unwrap().contains("--min-ok asks for 1000000"), "{older:#}");
}

#[test]
fn a_run_that_could_not_begin_shows_no_checks_now_or_later() {
    let out = tempfile::tempdir().unwrap();
    let (exit, results, folder) = test(out.path(), &["--endpoint=http://127.0.0.1:1", "--workload=bank"]);
    assert_eq!((exit, &results["verdict"], &results["checks"]), (4, &json!("environment"), &json!({})));
    assert_eq!(check(&folder, &[]), (4, results));
    for shown in ["summary.md", "junit.xml", "index.html"] {
        let text = std::fs::read_to_string(folder.join(shown)).unwrap();
        assert!(!text.contains("check bank") && !text.contains("bank × bank"), "{shown}: {text}");
    }
}

#[test]
fn what_befell_a_run_is_a_violation_again_unless_it_is_allowed() {
    let out = tempfile::tempdir().unwrap();
    let (exit, _, folder) = short(out.path(), &["--min-ok=1"]);
    assert_eq!(exit, 0);
    let crash = json!({"node": "n2", "at_ns": 5, "reason": "signal 6"});
    edit(&folder.join("test.json"), |test| test["end"]["crashed"] = json!([crash]));
    let (exit, results) = check(&folder, &[]);
    assert_eq!((exit, &results["checks"]["crashes"]["valid"]), (1, &json!(false)), "{results:#}");
    assert_eq!(check(&folder, &["--allow", "node-crashed"]).0, 0);
    let miss = json!({"healed_ns": 5, "allowed_ns": 9, "node": "n1", "partition": "p1", "asked": "write",
        "recovered_ns": null});
    edit(&folder.join("test.json"), |test| {
        test["end"]["crashed"] = json!([]);
        test["end"]["not_recovered"] = json!([miss]);
    });
    assert_eq!(check(&folder, &[]).0, 1);
    for (what, exit) in [("internal", 255), ("environment", 4)] {
        edit(&folder.join("test.json"), |test| {
            test["end"]["not_recovered"] = json!([]);
            test["end"][what] = json!(["it went wrong"]);
        });
        assert_eq!(check(&folder, &[]).0, exit, "{what}");
        edit(&folder.join("test.json"), |test| test["end"][what] = json!([]));
    }
    assert_eq!(check(&folder, &[]).0, 0);
    // What cannot be read is not taken for a bare history.
    std::fs::write(folder.join("test.json"), "{").unwrap();
    assert_eq!(check(&folder, &[]).0, 254);
}

#[test]
fn a_refuted_run_is_refuted_again_and_an_expected_violation_is_expected_again() {
    let out = tempfile::tempdir().unwrap();
    let (exit, results, folder) = short(out.path(), &["--min-ok=1"]);
    assert_eq!((exit, check(&folder, &[])), (0, (0, results.clone())));
    // Somebody reads what nobody wrote.
    let index = 2 * results["stats"]["ops"].as_u64().unwrap() + 1_000;
    let event = |index, kind, value: Value| {
        let event = json!({"index": index, "process": 999_999, "type": kind, "f": "read", "key": "k", "value": value});
        format!("{event}\n")
    };
    let lines = [event(index, "invoke", Value::Null), event(index + 1, "ok", json!("nobody wrote this"))];
    let history = folder.join("history.jsonl");
    let recorded = std::fs::read_to_string(&history).unwrap();
    std::fs::write(&history, recorded + &lines.concat()).unwrap();
    assert_eq!(check(&folder, &[]).0, 1);
    // What the run expected is expected again, and an option goes before it.
    edit(&folder.join("test.json"), |test| test["options"]["expect"] = json!(["nonlinearizable"]));
    assert_eq!(check(&folder, &[]).0, 0);
    assert_eq!(check(&folder, &["--expect", "wrong-total"]).0, 1);
    // Killed: without a recorded end what is refuted is refuted all the same.
    std::fs::remove_file(folder.join("results.json")).unwrap();
    edit(&folder.join("test.json"), |test| {
        test.as_object_mut().unwrap().remove("end");
        test["options"]["expect"] = json!([]);
    });
    assert_eq!(check(&folder, &[]).0, 1);
    assert_eq!(check(&folder, &["--allow", "nonlinearizable"]).0, 130);
}

#[test]
fn a_run_of_a_planted_bug_is_judged_again_as_it_was() {
    let out = tempfile::tempdir().unwrap();
    let (exit, results, folder) =
        short(out.path(), &["--bug=condition-ignored", "--workload=cas-register", "--keys=2"]);
    assert_eq!(check(&folder, &[]), (exit, results));
}
