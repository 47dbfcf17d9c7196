//! Servers that lie, each in one way, and runs against them: red, vacuous or an environment that failed, and never
//! green. Beside each lie stands what the run must say of it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use support::hostile::{Habit, Hostile};
use support::{code, json, latest, run, stdout};

/// A run against a server with this habit, with these further options: its exit code and its results.
fn outcome(habit: Habit, versions: bool, more: &[&str]) -> (i32, Value) {
    let server = Hostile::start(habit, versions);
    let out = tempfile::tempdir().unwrap();
    let folder = out.path().to_str().unwrap();
    let fixed = ["test", "--endpoint", server.url(), "--seed", "1", "--time", "3s", "--recovery", "2s"];
    let small = ["--concurrency", "8", "--keys", "8", "--min-ok", "50", "--out", folder];
    let finished = run(&[&fixed[..], &small, more].concat());
    let results = results(out.path());
    eprintln!("{habit:?} {more:?}: {}", stdout(&finished));
    (code(finished.status), results)
}

fn results(out: &Path) -> Value {
    json(&latest(out).join("results.json"))
}

/// What a run must come to: one of these exit codes, and one of its reasons holds these words.
fn must_end(habit: Habit, versions: bool, more: &[&str], codes: &[i32], words: &str) {
    let (code, results) = outcome(habit, versions, more);
    assert!(codes.contains(&code), "{habit:?} {more:?} ended with {code}: {results:#}");
    let reasons = results["reasons"].to_string();
    assert!(reasons.contains(words), "{habit:?} {more:?}: `{words}` is not in {reasons}");
}

const CAS: &[&str] = &["--workload", "cas-register"];
const EVENTUAL: &[&str] = &["--promise", "eventual"];

#[test]
fn a_server_without_a_bad_habit_passes() {
    for (versions, more) in [(false, &[][..]), (false, CAS), (false, EVENTUAL), (true, EVENTUAL)] {
        let more = [more, &["--min-sensitivity", "0"]].concat();
        let (code, results) = outcome(Habit::Honest, versions, &more);
        assert_eq!(code, 0, "{more:?}: {results:#}");
    }
}

/// One that has too much to do is there: it did not go away.
#[test]
fn a_server_that_cannot_keep_up_is_told_as_that_with_what_its_answers_were() {
    let after = Duration::from_secs(1);
    let unavailable = Habit::RefusesAllAfter(after, 503, "ServiceUnavailable");
    let throttles = Habit::RefusesAllAfter(after, 400, "ThrottlingException");
    for (habit, more, says, counts) in [
        (unavailable, &[][..], "the endpoint is overloaded", " http-503"),
        (throttles, &[], "the endpoint throttles growler", " ThrottlingException"),
        (
            throttles,
            &["--faults", "partition", "--timeout", "500ms"],
            "the endpoint throttles growler",
            " ThrottlingException",
        ),
        (Habit::SilentAfter(after), &["--timeout", "500ms"], "the endpoint is overloaded", " timeout"),
    ] {
        let (code, results) = outcome(habit, false, more);
        assert_eq!(code, 4, "{habit:?} {more:?}: {results:#}");
        let told = results["reasons"].to_string();
        assert!(told.contains(says) && told.contains(counts), "{habit:?} {more:?}: {told}");
        assert!(!told.contains("went away"), "{habit:?} {more:?}: {told}");
        assert_eq!(results["valid"], true, "{habit:?} {more:?}: {results:#}");
    }
}

#[test]
fn reads_that_are_refused_after_a_while_are_no_pass() {
    let refuses = Habit::RefusesReadsAfter(Duration::from_secs(2));
    must_end(refuses, false, &[], &[4], "stopped serving");
    must_end(refuses, false, EVENTUAL, &[4], "no eventual read was answered by n1");
    must_end(
        refuses,
        false,
        &["--faults", "partition"],
        &[1],
        "not-recovered: partition all asked through n1",
    );
}

#[test]
fn final_reads_that_are_refused_leave_a_run_without_meaning() {
    for more in [&[][..], EVENTUAL] {
        must_end(Habit::RefusesFinalReads, false, more, &[2, 3], "final read");
    }
}

#[test]
fn a_mirror_that_stores_nothing_is_found() {
    must_end(Habit::StoresNothing, false, &[], &[1], "lost");
    must_end(Habit::StoresNothing, false, EVENTUAL, &[1], "lost-write");
}

#[test]
fn values_that_nobody_wrote_and_versions_of_other_writes_are_found() {
    must_end(Habit::RandomReads, false, EVENTUAL, &[1], "phantom-value");
    must_end(Habit::RandomReads, true, EVENTUAL, &[1], "phantom-value");
    must_end(Habit::VersionsOfOthers, true, EVENTUAL, &[1], "wrong-version");
}

#[test]
fn a_server_that_shows_the_first_value_for_ever_is_found() {
    must_end(Habit::ShowsTheFirst, false, &[], &[1], "");
    must_end(Habit::ShowsTheFirst, false, EVENTUAL, &[1], "lost-write");
}

#[test]
fn conditions_that_are_always_refused_or_never_looked_at_are_found() {
    must_end(Habit::RefusesConditions, false, CAS, &[1], "condition-failed-though-it-held");
    must_end(Habit::IgnoresConditions, false, CAS, &[1], "condition-held-though-it-failed");
}

#[test]
fn writes_that_are_dropped_and_deletes_that_are_undone_are_found() {
    must_end(Habit::DropsOneIn(50), false, &[], &[1], "");
    must_end(Habit::DropsOneIn(50), false, CAS, &[1], "");
    must_end(Habit::ForgetsDeletes, false, &[], &[1], "");
}

#[test]
fn answers_that_are_none_leave_a_run_without_meaning() {
    must_end(Habit::AnswersGarbage, false, &[], &[3, 4], "read");
}

/// Half of all answers is an error: slow, and harmless, if what is answered is right.
#[test]
fn a_server_that_fails_every_second_time_is_judged_by_what_it_answers() {
    let (code, results) = outcome(Habit::FailsEverySecond, false, &["--min-sensitivity", "0"]);
    assert!([0, 3, 4].contains(&code), "{results:#}");
    assert_eq!(results["valid"], true, "{results:#}");
}
