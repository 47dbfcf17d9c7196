//! Histories of other tools: every feature of their syntax, the line of every mistake, and garbage.
#![allow(clippy::unwrap_used)]

#[path = "support/log.rs"]
mod log;

use std::path::Path;

use growler_checker::history::{Event, EventType, Key, Process};
use growler_results::formats::{Format, read, read_from};
use growler_results::history::History;
use log::LOG;
use proptest::prelude::*;
use serde_json::{Value, json};

fn parse(format: Format, text: &str) -> Result<History, String> {
    read_from(text.as_bytes(), Path::new("h.edn"), format).map_err(|e| e.to_string())
}

fn edn(text: &str) -> History {
    parse(Format::JepsenEdn, text).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

/// What a value of EDN becomes: it is put into a nemesis' event, or (checked) into a client's.
fn value(text: &str) -> Value {
    let history = edn(&format!("{{:process 0, :type :invoke, :f :write, :value {text}}}"));
    assert_eq!(history.warnings, [""; 0], "{text}");
    history.events[0].value.clone()
}

#[test]
fn values_keep_what_they_are() {
    let cases = [
        ("nil", json!(null)),
        ("true", json!(true)),
        ("false", json!(false)),
        ("7", json!(7)),
        ("-7", json!(-7)),
        ("+7", json!(7)),
        ("7N", json!(7)),
        ("0x1F", json!(31)),
        ("-0x1f", json!(-31)),
        ("017", json!(15)),
        ("2r101", json!(5)),
        ("9223372036854775807", json!(i64::MAX)),
        ("-9223372036854775808", json!(i64::MIN)),
        ("9223372036854775808", json!("9223372036854775808")),
        ("-340282366920938463463374607431768211457N", json!("-340282366920938463463374607431768211457")),
        ("1.5", json!(1.5)),
        ("-2.5e3", json!(-2500.0)),
        ("1e400", json!("1e400")),
        ("1.50M", json!("1.50M")),
        ("1/3", json!("1/3")),
        ("-2/6", json!("-1/3")),
        ("6/3", json!(2)),
        ("##Inf", json!("##Inf")),
        ("##-Inf", json!("##-Inf")),
        (r#""a\"b\\c\n\t\u00e9\101 é""#, json!("a\"b\\c\n\té".to_owned() + "A é")),
        (r#""\ud83d\ude00""#, json!("😀")),
        ("\"two\nlines; no comment\"", json!("two\nlines; no comment")),
        (":x", json!("x")),
        (":ns/x", json!("ns/x")),
        ("sym.bol", json!("sym.bol")),
        (r"\a", json!("a")),
        (r"\newline", json!("\n")),
        (r"\u00e9", json!("é")),
        (r"\é", json!("é")),
        (r"\(", json!("(")),
        ("[1 [2 3] nil]", json!([1, [2, 3], null])),
        ("(1, 2)", json!([1, 2])),
        ("[]", json!([])),
        ("#{3 10 1}", json!([1, 3, 10])),
        ("{:from 1, \"to\" 2, 3 4}", json!({"from": 1, "to": 2, "3": 4})),
        ("#:acct{:from 1, :x/to 2, :_/n 3}", json!({"acct/from": 1, "x/to": 2, "n": 3})),
        ("#inst \"2026-01-01\"", json!({"#inst": "2026-01-01"})),
        ("#my.Rec{:a 1}", json!({"#my.Rec": {"a": 1}})),
        ("#object[clojure.lang.Atom 0x6f \"x\"]", json!({"#object": ["clojure.lang.Atom", 111, "x"]})),
        ("[1 #_ 2 #_ [3 #_ 4] 5]", json!([1, 5])),
        ("#_ #_ 1 2 3", json!(3)),
        ("[1 ; 2\n 3]", json!([1, 3])),
    ];
    for (text, expected) in cases {
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn equal_sets_are_equal_and_words_of_two_kinds_are_never_mistaken_for_each_other() {
    assert_eq!(value("#{:b 2 :a}"), value("#{2 :a :b}"));
    for (one, two) in [(":x", "\"x\""), ("x", "\"x\""), (r"\x", "\"x\""), ("1/3", "\"1/3\"")] {
        let text = format!(
            "{{:process 0, :type :invoke, :f :write, :value {one}}}\n\
             {{:process 1, :type :invoke, :f :write, :value {two}}}"
        );
        let error = parse(Format::JepsenEdn, &text).unwrap_err();
        assert!(error.starts_with("h.edn:2: ") && error.contains("taken for one value"), "{error}");
    }
    // The head of a step is a name, whatever the values are.
    edn(r#"{:process 0, :type :invoke, :f :txn, :value [[:r "r" nil] [:append "append" "r"]]}"#);
}

const OPERATIONS: &str = "{:process 0, :type :invoke, :f :write, :value 1, :time 5, :index 0}\n\
    {:process :nemesis, :type :info, :f :start, :value {:a #{1}}, :time 6, :index 1}\n\
    {:process 0, :type :ok, :f :write, :value 1, :time 9, :index 2}";

#[test]
fn every_way_to_put_operations_together_gives_the_same_history() {
    let expected = edn(OPERATIONS);
    assert_eq!(expected.events.len(), 3);
    let ways = [
        format!("[{OPERATIONS}]"),
        format!("({OPERATIONS})\n; the end\n"),
        format!("; a comment\n\n[ ;another\n{OPERATIONS} #_ {{:process 9}}\n]\n\n"),
        format!("\u{feff}{OPERATIONS}"),
        format!("#jepsen.history.DenseHistory [{OPERATIONS}]"),
        OPERATIONS.replace('\n', ", "),
        OPERATIONS.replace('\n', "\r\n"),
        OPERATIONS.replace("{:process", "#jepsen.history.Op{:process"),
        OPERATIONS.replace(":value 1", ":value 1 :unknown/key [:x {:y #z nil}]"),
        OPERATIONS.replace(", ", "\n   "),
    ];
    for text in ways {
        assert_eq!(edn(&text), expected, "{text}");
    }
}

#[test]
fn an_operation_becomes_an_event_of_the_contract() {
    let history = edn(r#"
        {:index 4, :time 10, :process 3, :type :invoke, :f :cas, :value [1 2], :node "n1", :client 8}
        {:index 7, :time 12, :process 3, :type :fail, :f :cas, :value [1 2], :error :condition-failed, :observed 5}
        {:index 8, :time 11, :process "worker", :type :info, :f [:kill :all], :value "n1"}
        {:index 9, :process 3, :type :invoke, :value [[:append :x 1] [:r :y nil]]}
        {:index 10, :time 20.5, :process 3, :type :info, :f :txn, :error [:timeout "5 s"]}"#);
    let [call, refused, nemesis, txn, unknown] = history.events.as_slice() else { panic!("{history:?}") };
    assert_eq!((call.index, call.time, call.client, call.process), (4, 10, Some(8), Process::Client(3)));
    assert_eq!((call.kind, &*call.f, &call.value), (EventType::Invoke, "cas", &json!([1, 2])));
    assert_eq!(call.node.as_deref(), Some("n1"));
    // An imported failure says nothing beyond that it did not happen.
    assert_eq!(refused.kind, EventType::Fail);
    assert_eq!(refused.observed, None);
    assert_eq!(refused.error.as_deref(), Some(&json!(["condition-failed"])));
    assert_eq!((nemesis.process, &nemesis.value), (Process::Nemesis, &json!("n1")));
    assert_eq!((&*txn.f, &txn.value), ("txn", &json!([["append", "x", 1], ["r", "y", null]])));
    assert_eq!((txn.time, unknown.time), (11, 20));
    assert_eq!(unknown.error.as_deref(), Some(&json!(["timeout", "5 s"])));
}

#[test]
fn a_transfer_names_its_accounts_as_the_balances_do() {
    let history = edn("{:process 0, :type :invoke, :f :transfer, :value {:from 6, :to 1, :amount 2}}");
    assert_eq!(history.events[0].value, json!({"from": "6", "to": "1", "amount": 2}));
}

fn keys(history: &History) -> Vec<(Option<Key>, Value)> {
    history.events.iter().map(|e| (e.key.clone(), e.value.clone())).collect()
}

#[test]
fn independent_keys_are_taken_out_of_the_values() {
    let history = edn("
        {:process 0, :type :invoke, :f :write, :value [7 1]}
        {:process 1, :type :invoke, :f :read, :value [\"b\" nil]}
        {:process :nemesis, :type :info, :f :start, :value [1 2]}
        {:process 0, :type :info, :f :write, :value :timed-out}
        {:process 1, :type :ok, :f :read, :value [\"b\" [3 4]]}
        {:process 1, :type :invoke, :f :cas, :value [7 [1 2]]}
        {:process 1, :type :fail, :f :cas, :value [7 [1 2]]}");
    let (a, b) = (Some(Key::from(7)), Some(Key::from("b")));
    let expected = [
        (a.clone(), json!(1)),
        (b.clone(), json!(null)),
        (None, json!([1, 2])),
        (a.clone(), json!("timed-out")),
        (b, json!([3, 4])),
        (a.clone(), json!([1, 2])),
        (a, json!([1, 2])),
    ];
    assert_eq!(keys(&history), expected);
    assert!(history.warnings[0].contains("jepsen.independent"), "{:?}", history.warnings);
}

#[test]
fn pairs_that_may_be_plain_values_stay_values() {
    let cases = [
        // A compare-and-set of plain values, and a read that asks nothing.
        "{:process 0 :type :invoke :f :cas :value [1 2]} {:process 1 :type :invoke :f :read :value nil}",
        // Nothing here is impossible otherwise.
        "{:process 0 :type :invoke :f :write :value [1 2]}",
        // A transaction of two steps.
        "{:process 0 :type :invoke :f :txn :value [[:r 1 nil] [:w 2 3]]}",
        "{:process 0 :type :invoke :f :read :value [[:r 0 nil] [:r 1 nil]]}",
        // An answer that is no pair of the same key.
        "{:process 0 :type :invoke :f :read :value [0 nil]} {:process 0 :type :ok :f :read :value [0 1 2]}",
        "{:process 0 :type :invoke :f :read :value [0 nil]} {:process 0 :type :ok :f :read :value [1 2]}",
        // Keys of their own.
        "{:process 0 :type :invoke :f :read :key 5 :value [0 nil]}",
    ];
    for text in cases {
        let history = edn(text);
        assert_eq!(history.warnings, [""; 0], "{text}");
        assert!(history.events[0].value.is_array(), "{text}");
    }
}

#[test]
fn operations_without_a_process_are_matched_where_only_one_fits() {
    let history = edn("
        {:type :invoke :f :read :value nil}
        {:type :invoke :f :write :value 1}
        {:type :invoke :f :write :value 2}
        {:type :ok :f :write :value 2}
        {:type :ok :f :read :value 2}");
    let processes: Vec<_> = history.events.iter().map(|e| e.process).collect();
    assert_eq!(processes, [0, 1, 2, 2, 0].map(Process::Client));
    assert!(history.warnings[0].contains(":process"));
    let unclear = "{:type :invoke :f :read}\n{:type :invoke :f :read}\n{:type :ok :f :read :value 1}";
    let error = parse(Format::JepsenEdn, unclear).unwrap_err();
    assert!(error.starts_with("h.edn:3: 2 open operations"), "{error}");
}

#[test]
fn mistakes_are_named_with_line_and_column() {
    let ok = "{:process 0, :type :invoke, :f :read}";
    let cases = [
        (
            "{:process 0, :type :maybe, :f :read}",
            "1: a :type should be :invoke, :ok, :fail or :info, not :maybe (column 20)",
        ),
        ("{:process 0, :f :read}", "1: this operation has no :type (column 1)"),
        ("{:process 0, :type :ok}", "1: this operation has no :f (column 1)"),
        (
            "{:process -3, :type :ok, :f :read}",
            "1: a :process should be a number from 0 or a name such as :nemesis, not -3 (column 11)",
        ),
        ("{:process 0, :type :ok, :f 3}", "1: an :f should be a name such as :read, not 3 (column 28)"),
        ("{:process 0, :process 1}", "1: :process comes twice in the map of line 1 (column 14)"),
        ("{:process 0, :type}", "1: :type has no value in this map (column 14)"),
        (
            "[1]",
            "1: an operation should be here, a map such as {:process 0, :type :invoke, :f :read}, not 1 (column 2)",
        ),
        ("{:a 1]", "1: `]` closes nothing that is open here (column 6)"),
        ("]", "1: `]` closes nothing that is open here (column 1)"),
        ("[]\n{:a 1}", "2: something follows the end of the collection of operations (column 1)"),
        ("{:é 1x}", "1: `1x` is no number (column 5)"),
        ("{:a 1/0}", "1: `1/0` is no number (column 5)"),
        (
            "{:a \"\\q\"}",
            "1: this backslash begins no escape of EDN; write `\\\\` for a backslash (column 6)",
        ),
        ("{: 1}", "1: `:` is no keyword (column 2)"),
        ("\n\n{:a \"never\n\n closed}\n", "3: this text is never closed (column 5)"),
        ("{:a [1\n2\n3\n", "1: this collection is never closed (column 5)"),
        ("{:a \\nonsense}", "1: `\\nonsense` is no character (column 5)"),
        ("{:a 'quoted}", "1: `'` begins no form of EDN (column 5)"),
        (
            "#{}",
            "1: an operation should be here, a map such as {:process 0, :type :invoke, :f :read}, not a set (column 1)",
        ),
        (
            "{:process 0 :type :invoke :f :w :value {:a 1 \"a\" 2}}",
            "1: the key `a` comes twice in this map (column 46)",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(parse(Format::JepsenEdn, text).unwrap_err(), format!("h.edn:{expected}"), "{text}");
    }
    let cases = [
        (format!("{ok}\n\n{ok}"), "3: event 1: process 0 invokes again"),
        (
            format!("{ok}\n{}", ok.replace("invoke", "info").replace(":read", ":write")),
            "2: event 1: process 0 completes `write`",
        ),
        (ok.replace("invoke", "ok"), "1: event 0: process 0 completes `read`"),
        (format!("{}\n{ok}", ok.replace('}', " :index 1}")), "2: some operations have an :index"),
        (
            format!(
                "{}\n{}",
                ok.replace('}', " :index 1}"),
                ok.replace("0, :type :invoke", "0, :index 1 :type :ok")
            ),
            "2: index 1 comes after index 1",
        ),
        (format!("{ok}\n{{:type :ok :f :read}}"), "2: this operation has no :process"),
    ];
    for (text, expected) in cases {
        let error = parse(Format::JepsenEdn, &text).unwrap_err();
        assert!(error.starts_with(&format!("h.edn:{expected}")), "{error}\n{text}");
    }
    let deep = format!("{{:value {}", "[".repeat(100_000));
    assert!(parse(Format::JepsenEdn, &deep).unwrap_err().contains("nested more than 100 deep"));
    let deep = "#_".repeat(100_000);
    assert!(parse(Format::JepsenEdn, &deep).unwrap_err().contains("nested more than 100 deep"));
}

#[test]
fn a_history_cut_anywhere_in_its_last_line_is_read_up_to_there() {
    let start = OPERATIONS.rfind('\n').unwrap() + 1;
    for (open, close) in [("", ""), ("[", "]")] {
        let whole = format!("{open}{OPERATIONS}{close}");
        for end in start + 2..whole.len() {
            let history = edn(&whole[..end]);
            let events = if whole[..end].ends_with("2}") { 3 } else { 2 };
            assert_eq!(history.events.len(), events, "{}", &whole[..end]);
            assert!(history.warnings[0].contains("line 3"), "{:?}", history.warnings);
        }
    }
}

#[test]
fn porcupines_logs_are_read() {
    let history = parse(Format::PorcupineEtcd, LOG).unwrap();
    let seen: Vec<_> = history.events.iter().map(|e| (e.process, e.kind, &*e.f, e.value.clone())).collect();
    use EventType::{Fail, Info, Invoke, Ok};
    let client = Process::Client;
    assert_eq!(
        seen,
        [
            (client(0), Invoke, "write", json!(3)),
            (Process::Nemesis, Info, "start", json!(null)),
            (client(1), Invoke, "cas", json!([3, 1])),
            (client(2), Invoke, "read", json!(null)),
            (client(0), Info, "write", json!(null)),
            (client(1), Fail, "cas", json!([3, 1])),
            (client(2), Ok, "read", json!(null)),
        ]
    );
    let errors: Vec<_> = history.events.iter().filter_map(|e| e.error.as_deref().cloned()).collect();
    assert_eq!(errors, [json!("timed-out"), json!(["condition-failed"])]);
    assert_eq!(history.warnings, ["1 lines of other loggers were skipped"]);

    let cut = parse(Format::PorcupineEtcd, &LOG[..LOG.len() - 9]).unwrap();
    assert_eq!(cut.events.len(), 6);
    assert!(cut.warnings[0].contains("the last line (8) was dropped"), "{:?}", cut.warnings);
    let mistakes = [
        (
            "INFO  jepsen.util - 0\t:invoke\n",
            "2: a process, a type, a function and a value should follow (column 21)",
        ),
        ("INFO  jepsen.util - 0\t:perhaps\t:write\t3\n", "2: a :type should be"),
        ("INFO  jepsen.util - 0\t:ok\t:read\t3 4 5\n", "2: 5 is one part too many (column 37)"),
        ("INFO  jepsen.util - 0\t:ok\t:read\t[3\n", "2: this collection is never closed (column 33)"),
        ("nonsense\n", "2: this is no line of a log"),
    ];
    for (line, expected) in mistakes {
        let text = format!("INFO  jepsen.util - 0\t:invoke\t:read\tnil\n{line}");
        let error = parse(Format::PorcupineEtcd, &text).unwrap_err();
        assert!(error.starts_with(&format!("h.edn:{expected}")), "{error}");
    }
    assert_eq!(parse(Format::PorcupineEtcd, "").unwrap(), History::default());
}

#[test]
fn porcupines_key_value_files_are_read_and_held_to_their_functions() {
    let text = "{:process 0, :type :invoke, :f :append, :key \"0\", :value \"x 0 0 y\"}\n\
        {:process 0, :type :ok, :f :append, :key \"0\", :value \"x 0 0 y\"}\n\
        {:process 0, :type :invoke, :f :get, :key \"7\", :value nil}\n";
    let history = parse(Format::PorcupineKv, text).unwrap();
    assert_eq!(keys(&history)[2], (Some(Key::from("7")), json!(null)));
    let error = parse(Format::PorcupineKv, &text.replace(":get", ":read")).unwrap_err();
    assert!(error.starts_with("h.edn:3: `read` is no operation"), "{error}");
    assert!(parse(Format::PorcupineKv, "{:process 0, :type :invoke, :f :get}").is_err(), "it has no key");
}

#[test]
fn the_format_is_told_from_the_content() {
    let folder = tempfile::tempdir().unwrap();
    let jsonl = r#"{"process":0,"type":"invoke","f":"read"}"#;
    let kv = "{:process 0, :type :invoke, :f :get, :key \"7\"}";
    let cases = [
        ("h", jsonl, Format::Jsonl),
        ("h.edn", jsonl, Format::Jsonl),
        ("h", OPERATIONS, Format::JepsenEdn),
        ("h.jsonl", "; hm\n({:process 0, :type :invoke, :f :read})", Format::JepsenEdn),
        ("h", "#jepsen.history.Op{:process 0, :type :invoke, :f :read}", Format::JepsenEdn),
        ("h", kv, Format::PorcupineKv),
        ("h", "\n\nINFO  jepsen.util - 0 :invoke :read nil\n", Format::PorcupineEtcd),
        ("h.edn", LOG, Format::PorcupineEtcd),
        ("h", "", Format::Jsonl),
        ("h.edn", "", Format::JepsenEdn),
        ("h.log", "\n", Format::PorcupineEtcd),
    ];
    for (name, text, expected) in cases {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let (format, history) = read(&path, None).unwrap();
        assert_eq!((format, history.events.is_empty()), (expected, text.trim().is_empty()), "{name}: {text}");
        // And compressed.
        std::fs::write(&path, zstd::encode_all(text.as_bytes(), 1).unwrap()).unwrap();
        let (format, again) = read(&path, None).unwrap();
        assert_eq!(again.events, history.events);
        let compressed = if expected == Format::Jsonl { Format::JsonlZst } else { expected };
        assert_eq!(format, compressed, "{name}: {text}");
    }
    let path = folder.path().join("h");
    std::fs::write(&path, "hello\nworld\n").unwrap();
    let error = read(&path, None).unwrap_err();
    assert_eq!(error.line, Some(1), "{error}");
    std::fs::write(&path, kv.replace(":get", ":swap")).unwrap();
    assert!(read(&path, None).is_ok(), "what is guessed is not held to it");
    assert!(read(&path, Some(Format::PorcupineKv)).is_err());
}

/// Texts with every feature, to be damaged.
fn seeds() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        OPERATIONS.to_owned(),
        format!("[{OPERATIONS}]"),
        LOG.to_owned(),
        "({:process 0 :type :invoke :f :x :value [1/2 0x1F 2r1 1.5M ##Inf \\a \\u00e9 \"\\ud83d\\ude00\" #:a{:b #{1}}]}\n\
         #r.R{:type :ok :value #inst \"x\" #_ [1] :error {:a nil}, :key :é, :index 3, :time 1e9})"
            .to_owned(),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn garbage_is_refused_and_never_panics(
        seed in seeds(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..4u8), 1..6),
    ) {
        let bits: &[&[u8]] = &[b"[", b"]", b"{", b"}", b"(", b")", b"#", b"#_", b"\"", b"\\", b"\\u", b":", b";",
            b"\n", b" ", b"/", b"-", b"0x", b"1e", b"\xff", "é".as_bytes(), b"\0", b"'", b"##", b"#:", b"99999999999999999999"];
        let mut bytes = seed.into_bytes();
        for (at, what, how) in edits {
            let at = at.index(bytes.len() + 1);
            let bit = bits[what.index(bits.len())];
            match how {
                0 => drop(bytes.splice(at..at, bit.iter().copied())),
                1 if at < bytes.len() => drop(bytes.splice(at..=at, bit.iter().copied())),
                2 => bytes.truncate(at.max(1)),
                _ => {
                    let from = what.index(bytes.len());
                    let copy = bytes[from..bytes.len().min(from + 9)].to_vec();
                    drop(bytes.splice(at..at, copy));
                }
            }
        }
        let lines = bytes.split(|&byte| byte == b'\n').count() as u64;
        for format in Format::ALL {
            match read_from(bytes.as_slice(), Path::new("h"), format) {
                Ok(history) => {
                    let indexes: Vec<u64> = history.events.iter().map(|e: &Event| e.index).collect();
                    prop_assert!(indexes.is_sorted_by(|a, b| a < b));
                }
                Err(error) => prop_assert!(error.line.is_some_and(|line| (1..=lines).contains(&line)), "{error}"),
            }
        }
    }
}
