//! Nothing that is in another tool's file is left out of what is judged: it is read, or the file is refused.
#![allow(clippy::unwrap_used)]

#[path = "support/log.rs"]
mod log;

use std::path::Path;

use growler_checker::history::Process;
use growler_results::formats::{Format, read_from};
use growler_results::history::History;
use log::LOG;

fn parse(format: Format, text: &str) -> Result<History, String> {
    read_from(text.as_bytes(), Path::new("h.edn"), format).map_err(|e| e.to_string())
}

fn edn(text: &str) -> History {
    parse(Format::JepsenEdn, text).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

#[test]
fn clients_with_names_are_clients_and_who_never_invokes_is_none() {
    let history = edn("
        {:process :nemesis :type :info :f :kill}
        {:process :a :type :invoke :f :write :value 1}
        {:process :watcher :type :info}
        {:process 7 :type :invoke :f :read}
        {:process \"a\" :type :invoke :f :read}
        {:process :a :type :info :f :write :value :timed-out}
        {:process 7 :type :ok :f :read :value 1}");
    let processes: Vec<_> = history.events.iter().map(|event| event.process).collect();
    use Process::{Client, Nemesis};
    assert_eq!(processes, [Nemesis, Client(8), Nemesis, Client(7), Client(9), Client(8), Client(7)]);
    assert_eq!(
        history.warnings,
        [
            "processes with names were given numbers: :a is 8, the text \"a\" is 9",
            "processes that never invoke are only shown: :watcher"
        ]
    );
    let twice = "{:process :a :type :invoke :f :read}\n{:process :a :type :invoke :f :read}";
    let error = parse(Format::JepsenEdn, twice).unwrap_err();
    assert!(error.starts_with("h.edn:2: event 1: process 0 invokes again"), "{error}");
    let many: String = (0..9).map(|n| format!("{{:process :p{n} :type :invoke :f :read}}")).collect();
    assert!(edn(&many).warnings[0].ends_with(":p4 is 4, …"));
}

#[test]
fn a_file_in_which_nothing_is_whole_is_refused() {
    for (text, reason) in [
        ("{", "this collection is never closed (column 1)"),
        ("[", "this collection is never closed (column 1)"),
        ("[{", "this collection is never closed (column 2)"),
        ("\"abc", "this text is never closed (column 1)"),
        ("#jepsen.history.Op{:process 0", "this collection is never closed (column 19)"),
    ] {
        assert_eq!(parse(Format::JepsenEdn, text), Err(format!("h.edn:1: {reason}")), "{text}");
    }
    assert!(edn("[]").events.is_empty(), "an empty history is whole");
}

#[test]
fn an_ok_that_contradicts_its_invocation_is_refused_with_its_line() {
    let told = |kind: &str, value: &str| {
        let text = format!(
            "{{:process 0 :type :invoke :f :write :value 1}}\n{{:process 0 :type {kind} :f :write :value {value}}}"
        );
        parse(Format::JepsenEdn, &text)
    };
    let error = told(":ok", "2").unwrap_err();
    assert!(
        error.starts_with("h.edn:2: event 1: the `write` that process 0 invoked at event 0 with 1"),
        "{error}"
    );
    for (kind, value) in [(":ok", "1"), (":ok", "nil"), (":info", ":timed-out"), (":fail", "2")] {
        assert!(told(kind, value).is_ok(), "{kind} {value}");
    }
    let independent =
        "{:process 0 :type :invoke :f :read :value [1 nil]}\n{:process 0 :type :ok :f :read :value [1 5]}";
    assert!(parse(Format::JepsenEdn, independent).is_ok());
}

#[test]
fn a_log_leaves_no_operation_out() {
    let elsewhere = LOG.replace("jepsen.util - 2\t:ok", "jepsen.worker - 2\t:ok");
    let error = parse(Format::PorcupineEtcd, &elsewhere).unwrap_err();
    assert!(error.contains(":8: this is no line of a log"), "{error}");
    // The last line has no end, but that is not what is wrong with it.
    let wrong = LOG.trim_end().to_owned() + " :why more";
    assert!(parse(Format::PorcupineEtcd, &wrong).unwrap_err().contains("one part too many"));
    let named = LOG.replace("util - 2", "util - :reader");
    let history = parse(Format::PorcupineEtcd, &named).unwrap();
    assert_eq!(history.events.last().map(|event| event.process), Some(Process::Client(2)));
}
