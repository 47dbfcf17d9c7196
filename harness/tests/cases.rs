//! Small histories that once got a wrong answer, each with the right one.
//!
//! Every file in `cases/` stands for a kind of mistake: a pass that means nothing, a violation under the wrong
//! name, a file that was half read. A row names the file, the options of `growler check`, and the answer.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;
use support::{code, run, stderr, stdout};

/// A history and what `growler check` must say of it.
struct Case {
    file: &'static str,
    options: &'static str,
    answer: Answer,
}

enum Answer {
    /// Exit code 1, and one of the anomalies has one of these names; any name where there is none.
    Violation(&'static [&'static str]),
    /// Exit code 3.
    Vacuous,
    /// Exit code 254, and standard error says this.
    Refused(&'static str),
}

use Answer::{Refused, Vacuous, Violation};

const fn case(file: &'static str, options: &'static str, answer: Answer) -> Case {
    Case { file, options, answer }
}

/// What nobody wrote, by any name.
const NOBODYS: &[&str] = &["phantom-value", "future-read", "aborted-read", "unexpected-element"];

const CASES: &[Case] = &[
    // Where did this value come from?
    case("phantom-eventual-read.jsonl", "--model register --promise eventual", Violation(NOBODYS)),
    case("phantom-eventual-read.jsonl", "--model register --promise sessions", Violation(NOBODYS)),
    case("phantom-eventual-read.jsonl", "--model register --promise dynamodb-region", Violation(NOBODYS)),
    case("sessions-phantom.jsonl", "--model register --promise sessions", Violation(NOBODYS)),
    case("eventual-conv-phantom-final.jsonl", "--model register --promise eventual", Violation(NOBODYS)),
    case("eventual-conv-failed-final.jsonl", "--model register --promise eventual", Violation(NOBODYS)),
    case("eventual-set-set-phantom-replicas.jsonl", "--model set --promise eventual", Violation(NOBODYS)),
    case("eventual-set-set-lost-in-replicas-only.jsonl", "--model set --promise eventual", Violation(&[])),
    case("phantom_in_repeated_values.jsonl", "--model cas-register", Violation(&["phantom-value"])),
    case("unverified_multi_20.jsonl", "--model multi-register", Violation(&[])),
    case("unverified_counter_20.jsonl", "--model counter", Violation(&[])),
    case("aborted_read_before_write.jsonl", "", Violation(&["future-read", "phantom-value"])),
    // What is it called?
    case("stale_read_names_wrong_witness.jsonl", "", Violation(&["stale-read"])),
    case("two_puts_replaced_absence.jsonl", "--model register", Violation(&["lost-update"])),
    // What was in the file?
    case("bigint-collapse.jsonl", "", Violation(&["phantom-value"])),
    case("great_integer_and_its_text.jsonl", "", Violation(&["phantom-value"])),
    case("great_keys.jsonl", "", Violation(&["phantom-value"])),
    case("keyword_processes.edn", "", Violation(&["nonlinearizable", "lost-write", "stale-read"])),
    case("named_processes.log", "", Violation(&["nonlinearizable", "lost-write", "stale-read"])),
    case("zero-ops.edn", "", Refused("zero-ops.edn:1: this collection is never closed")),
    case("open_list.edn", "--model register", Refused("open_list.edn:1: this collection is never closed")),
    case("open_text.edn", "", Refused("open_text.edn:1: this text is never closed")),
    case("wrong_last_line.jsonl", "", Refused("wrong_last_line.jsonl:4: not JSON")),
    case("operation_of_another_logger.log", "", Refused("operation_of_another_logger.log:4: ")),
    case("completion_value_differs.jsonl", "", Refused("is ok with 2")),
    case("cas_completes_another.edn", "", Refused("cas_completes_another.edn:4: ")),
    case("value_in_the_completion.edn", "", Violation(&["nonlinearizable", "lost-write", "stale-read"])),
    case("value_never_said.edn", "", Refused("nobody knows with what value")),
    // Did it test anything?
    case("nothing_ok.jsonl", "", Vacuous),
    case("empty_list.edn", "", Vacuous),
];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

/// What `growler check --json` says.
fn check(case: &Case) -> (i32, Value, String) {
    let file = folder().join(case.file);
    let mut arguments = vec!["check", file.to_str().unwrap(), "--json"];
    arguments.extend(case.options.split_whitespace());
    let output = run(&arguments);
    (code(output.status), serde_json::from_str(&stdout(&output)).unwrap_or_default(), stderr(&output))
}

fn names(results: &Value) -> Vec<&str> {
    let checks = results["checks"].as_object().into_iter().flat_map(|checks| checks.values());
    let anomalies = checks.flat_map(|check| check["anomalies"].as_array().into_iter().flatten());
    anomalies.filter_map(|anomaly| anomaly["type"].as_str()).collect()
}

#[test]
fn every_case_gets_its_answer() {
    let mut wrong = Vec::new();
    for case in CASES {
        let (exit, results, said) = check(case);
        let found = names(&results);
        let right = match case.answer {
            Violation(expected) => {
                exit == 1 && (expected.is_empty() || found.iter().any(|name| expected.contains(name)))
            }
            Vacuous => exit == 3,
            Refused(reason) => exit == 254 && said.contains(reason),
        };
        if !right {
            wrong.push(format!(
                "{} {}: {exit} {found:?} {}\n{said}",
                case.file, case.options, results["reasons"]
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_is_a_case() {
    let files = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name());
    let files: BTreeSet<_> = files.map(|name| name.into_string().unwrap()).collect();
    let named: BTreeSet<_> = CASES.iter().map(|case| case.file.to_owned()).collect();
    assert_eq!(files, named);
}

#[test]
fn a_value_that_nobody_wrote_is_confirmed_with_the_read_alone() {
    for case in CASES.iter().filter(|case| case.file.starts_with("unverified_")) {
        let (_, results, _) = check(case);
        let check = &results["checks"]["linearizable"];
        assert_eq!(check["stats"]["certificates_confirmed"], check["anomalies"].as_array().unwrap().len());
        assert_eq!(check["stats"]["certificates_undecided"], 0, "{results:#}");
        assert_eq!(check["anomalies"][0]["ops"].as_array().unwrap().len(), 1, "{results:#}");
    }
}

#[test]
fn a_stale_read_names_only_operations_that_make_the_point() {
    let (_, results, _) =
        check(CASES.iter().find(|case| case.file == "stale_read_names_wrong_witness.jsonl").unwrap());
    let told = results["checks"]["linearizable"]["anomalies"][0]["explanation"].as_str().unwrap();
    assert!(told.contains("1115"), "{told}");
}
