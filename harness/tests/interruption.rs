//! Ctrl-C in every phase, once and twice, and `kill -9` of the harness: nothing is left behind, nothing that
//! was recorded is lost, and the next run works.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use nix::sys::signal::Signal;
use support::{Running, children_of, code, eventually, exists, json, latest, run, state_of, stderr};

#[test]
fn one_interruption_in_each_phase_ends_the_run_in_order() {
    let phases = ["set-up", "warm-up", "main", "recovery", "final reads"];
    for (at, phase) in phases.into_iter().enumerate() {
        let out = tempfile::tempdir().unwrap();
        let mut running = Running::start(&[
            "test",
            "--faults",
            "kill",
            "--time",
            "4s",
            "--out",
            out.path().to_str().unwrap(),
        ]);
        running.wait_for_line(phase);
        let nodes = children_of(running.pid());
        running.signal(Signal::SIGINT);
        let (status, said) = running.wait();
        assert_eq!(code(status), 130, "interrupted in {phase}: {said:#?}");
        assert!(nodes.iter().all(|n| !exists(*n)), "interrupted in {phase}: a node is left behind");
        let folder = latest(out.path());
        let results = json(&folder.join("results.json"));
        assert_eq!(results["verdict"], "interrupted", "{phase}: {results}");
        assert!(folder.join("index.html").exists(), "interrupted in {phase}: no report");
        // Where the machine is busy the phase may be over before the signal is there.
        let told =
            phases[at..].iter().any(|later| results["reasons"][0] == format!("interrupted during {later}"));
        assert!(told, "interrupted in {phase}: {results}");
        let checked = run(&["check", folder.to_str().unwrap(), "--json"]);
        assert_eq!(code(checked.status), 130, "interrupted in {phase}: {}", stderr(&checked));
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&checked.stdout).unwrap(), results);
    }
}

#[test]
fn two_interruptions_in_a_row_end_it_at_once_and_still_leave_nothing_behind() {
    for phase in ["set-up", "main", "recovery"] {
        let out = tempfile::tempdir().unwrap();
        let mut running = Running::start(&[
            "test",
            "--faults",
            "pause",
            "--time",
            "4s",
            "--out",
            out.path().to_str().unwrap(),
        ]);
        running.wait_for_line(phase);
        let nodes = children_of(running.pid());
        running.signal(Signal::SIGINT);
        std::thread::yield_now();
        running.signal(Signal::SIGINT);
        let (status, said) = running.wait();
        assert_eq!(code(status), 130, "interrupted twice in {phase}: {said:#?}");
        assert!(nodes.iter().all(|n| !exists(*n)), "interrupted twice in {phase}: a node is left behind");
    }
}

#[test]
fn a_killed_harness_leaves_a_history_that_can_be_checked_and_no_process() {
    let out = tempfile::tempdir().unwrap();
    let dir = out.path().to_str().unwrap();
    let arguments = ["test", "--faults", "pause", "--time", "10s", "--seed", "5", "--out", dir];
    let mut running = Running::start(&arguments);
    running.wait_for_line("main");
    let nodes = children_of(running.pid());
    assert_eq!(nodes.len(), 3, "three nodes run");
    eventually("a node is stopped", || nodes.iter().any(|n| state_of(*n) == Some('T')));
    running.signal(Signal::SIGKILL);
    let (status, _) = running.wait();
    assert_eq!(status.code(), None, "it was killed");
    eventually("all nodes are gone, the stopped one too", || nodes.iter().all(|n| !exists(*n)));
    let checked = run(&["check", latest(out.path()).to_str().unwrap(), "--json"]);
    assert_eq!(code(checked.status), 130, "{}", stderr(&checked));
    let verdict: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert!(verdict["stats"]["ok"].as_u64().unwrap() > 100, "{verdict}");
    assert_eq!(verdict["checks"]["linearizable"]["valid"], true, "{verdict}");
    let next = run(&["test", "--faults", "none", "--time", "2s", "--min-ok", "50", "--out", dir]);
    assert_eq!(code(next.status), 0, "the next run: {}", stderr(&next));
}
