//! `growler suite` through the real binary: two short rows with every file they leave behind, an interruption,
//! a run that is killed, and what is refused before anything starts.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use support::{Running, children_of, code, eventually, exists, growler, json, latest, run, stderr, stdout};

/// Writes a suite's file, and gives its path and the folder for its runs.
fn written(folder: &Path, text: &str) -> (String, String) {
    let file = folder.join("suite.toml");
    std::fs::write(&file, text).unwrap();
    let out = folder.join("out");
    (file.display().to_string(), out.display().to_string())
}

/// The one run that a suite has in hand, and the nodes of it, once they are there.
fn family_of(suite: &Running, nodes: usize) -> Vec<Pid> {
    let mut family = Vec::new();
    eventually("the nodes of the run are there", || {
        family = children_of(suite.pid());
        let run = family.clone();
        family.extend(run.iter().flat_map(|run| children_of(*run)));
        family.len() > nodes
    });
    assert_eq!(family.len(), 1 + nodes, "one run at a time");
    family
}

#[test]
fn two_short_rows_give_one_verdict_and_every_file() {
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = written(
        folder.path(),
        r#"
        name = "two rows"
        parallel = 2
        [defaults]
        time = "3s"
        nodes = 1
        faults = "none"
        min-ok = 1
        min-sensitivity = 0
        concurrency = 6
        [[test]]
        name = "clean"
        measure = ["dynamodb-region"]
        options = { keys = 8 }
        [[test]]
        name = "bug"
        expect-verdict = "violation"
        # It shows now and then: the run ends as soon as it did.
        options = { keys = 2, bug = "condition-ignored", workload = "cas-register", time = "60s", fail-fast = true }
        [map]
        x = "keys"
        y = "concurrency"
        panels = ["workload"]
        figures = ["stats.ok", { path = "measured.dynamodb-region.valid", label = "as promised?" }]
        "#,
    );
    let step_summary = folder.path().join("step.md");
    let output = growler(&["suite", &file, "--seeds", "3,", "--out", &out])
        .env("GITHUB_STEP_SUMMARY", &step_summary)
        .output()
        .unwrap();
    let (said, printed) = (stderr(&output), stdout(&output));
    assert_eq!(code(output.status), 0, "{said}{printed}");
    assert!(
        said.contains("begin 1/2  clean, seed 3") && said.contains("end   2/2  bug, seed 3: violation"),
        "{said}"
    );
    let home = latest(Path::new(&out));
    let lines: Vec<_> = printed.lines().collect();
    assert_eq!(lines[0], "verdict: pass", "{printed}");
    assert_eq!(std::fs::canonicalize(lines.last().unwrap()).unwrap(), home, "the folder last");
    assert!(printed.contains("as promised?") && printed.contains("held"), "{printed}");

    let suite = json(&home.join("suite.json"));
    assert_eq!((&suite["verdict"], &suite["parallel"]), (&Value::from("pass"), &Value::from(2)));
    let [clean, bug] = [0, 1].map(|row| &suite["rows"][row]["runs"][0]);
    assert_eq!((&clean["verdict"], &clean["counts_as"]), (&Value::from("pass"), &Value::from("pass")));
    assert_eq!((&bug["verdict"], &bug["counts_as"]), (&Value::from("violation"), &Value::from("pass")));
    assert_eq!(clean["measured"]["dynamodb-region"]["valid"], true);
    assert!(clean["figures"]["stats.ok"].as_u64().unwrap() > 0, "{clean:#}");
    for one in [clean, bug] {
        let of_run = home.join(one["run"].as_str().unwrap());
        assert_eq!(json(&of_run.join("results.json"))["verdict"], one["verdict"]);
        assert!(of_run.join("index.html").exists());
        assert!(home.join(one["log"].as_str().unwrap()).exists());
        let page = std::fs::read_to_string(home.join("index.html")).unwrap().replace("&#x2f;", "/");
        assert!(page.contains(&format!("href=\"{}/index.html\"", one["run"].as_str().unwrap())));
    }
    let measured = clean["measured"]["dynamodb-region"]["file"].as_str().unwrap();
    assert_eq!(json(&home.join(measured))["verdict"], "pass");
    let junit = std::fs::read_to_string(home.join("junit.xml")).unwrap();
    assert!(junit.contains("tests=\"2\"") && junit.contains("failures=\"0\""), "{junit}");
    let summary = std::fs::read_to_string(home.join("summary.md")).unwrap();
    assert_eq!(std::fs::read_to_string(&step_summary).unwrap(), summary, "one summary, not one a run");
    assert!(summary.contains("## ✅ pass — two rows"), "{summary}");
}

#[test]
fn an_interruption_ends_the_runs_in_hand_and_starts_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = written(
        folder.path(),
        "name = \"cut\"\nseeds = 2\n[[test]]\nname = \"long\"\noptions = { time = \"60s\", faults = \"kill\" }",
    );
    let mut running = Running::start(&["suite", &file, "--out", &out]);
    running.wait_for_line("begin 1/2");
    let family = family_of(&running, 3);
    running.signal(Signal::SIGINT);
    let (status, said) = running.wait();
    assert_eq!(code(status), 130, "{said:#?}");
    assert!(family.iter().all(|process| !exists(*process)), "a process is left behind");
    assert!(!said.iter().any(|line| line.starts_with("begin 2/2")), "{said:#?}");
    let suite = json(&latest(Path::new(&out)).join("suite.json"));
    assert_eq!(suite["verdict"], "interrupted");
    let runs = &suite["rows"][0]["runs"];
    assert_eq!((&runs[0]["verdict"], &runs[1]["verdict"]), (&Value::from("interrupted"), &Value::Null));
    let of_run = latest(Path::new(&out)).join(runs[0]["run"].as_str().unwrap());
    assert_eq!(json(&of_run.join("results.json"))["verdict"], "interrupted", "it healed and reported");
    let junit = std::fs::read_to_string(latest(Path::new(&out)).join("junit.xml")).unwrap();
    assert!(junit.contains("errors=\"2\""), "what was not started is not green: {junit}");
}

#[test]
fn a_killed_suite_leaves_its_record_and_no_process() {
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = written(
        folder.path(),
        "name = \"killed\"\n[[test]]\nname = \"long\"\noptions = { time = \"60s\", faults = \"none\" }",
    );
    let mut running = Running::start(&["suite", &file, "--out", &out]);
    running.wait_for_line("begin 1/1");
    let family = family_of(&running, 3);
    running.signal(Signal::SIGKILL);
    let (status, _) = running.wait();
    assert_eq!(status.code(), None, "it was killed");
    eventually("its run and the nodes of it are gone", || family.iter().all(|process| !exists(*process)));
    let home = latest(Path::new(&out));
    assert_eq!(json(&home.join("suite.json"))["verdict"], Value::Null);
    let page = std::fs::read_to_string(home.join("index.html")).unwrap();
    assert!(page.contains("No verdict"), "the page says how far it came");
}

#[test]
fn a_run_that_something_kills_is_the_environments_fault_and_the_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = written(
        folder.path(),
        r#"
        name = "killed run"
        [defaults]
        nodes = 1
        faults = "none"
        min-ok = 1
        min-sensitivity = 0
        [[test]]
        name = "victim"
        judge = false
        options = { time = "60s" }
        [[test]]
        name = "next"
        options = { time = "2s" }
        "#,
    );
    let mut running = Running::start(&["suite", &file, "--out", &out]);
    running.wait_for_line("begin 1/2");
    let family = family_of(&running, 1);
    kill(family[0], Signal::SIGKILL).unwrap();
    let (status, said) = running.wait();
    assert_eq!(code(status), 4, "also where it is not judged: {said:#?}");
    let suite = json(&latest(Path::new(&out)).join("suite.json"));
    assert_eq!(suite["rows"][0]["runs"][0]["verdict"], "environment");
    assert!(suite["reasons"][0].as_str().unwrap().contains("SIGKILL"), "{suite:#}");
    assert_eq!(suite["rows"][1]["verdict"], "pass");
}

#[test]
fn a_mistake_in_the_last_row_starts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = written(
        folder.path(),
        "name = \"s\"\n[[test]]\nname = \"good\"\n[[test]]\nname = \"bad\"\nmatrix.keys = [1, 0]\n",
    );
    let output = run(&["suite", &file, "--out", &out, "--json"]);
    let told = stderr(&output);
    assert_eq!(code(output.status), 254, "{told}");
    assert!(told.contains("suite.toml:5: row `bad keys=0`") && told.contains("--keys 0"), "{told}");
    assert!(!Path::new(&out).exists(), "nothing was started");
    for (arguments, fragment) in [
        (vec!["suite", "/no/such/suite.toml"], "/no/such/suite.toml"),
        (vec!["suite", &file, "--parallel", "0"], "--parallel 0"),
        (vec!["suite", &file, "--seeds", "none"], "21-40"),
    ] {
        let output = run(&arguments);
        assert_eq!(code(output.status), 254, "{}", stderr(&output));
        assert!(stderr(&output).contains(fragment), "{}", stderr(&output));
    }
}
