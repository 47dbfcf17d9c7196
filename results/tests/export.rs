//! Histories written for other tools: what is kept, what comes back, what Knossos is told.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use growler_checker::history::{Consistency, Event, HistoryBuilder, Process};
use growler_results::formats::{ExportError, ExportOptions, Exported, Format, export, read_from};
use serde_json::{Value, json};

fn options(format: Format) -> ExportOptions {
    ExportOptions { format, key: None, for_knossos: false }
}

fn written(events: &[Event], options: &ExportOptions) -> (Exported, String) {
    let mut out = Vec::new();
    let exported = export(events, options, &mut out).unwrap();
    (exported, String::from_utf8(out).unwrap())
}

fn edn(events: &[Event]) -> String {
    written(events, &options(Format::JepsenEdn)).1
}

fn read_back(text: &str) -> Vec<Event> {
    read_from(text.as_bytes(), Path::new("h"), Format::JepsenEdn)
        .unwrap_or_else(|e| panic!("{e}\n{text}"))
        .events
}

/// Two keys, every outcome, a delete, odd texts, and a nemesis.
fn history() -> Vec<Event> {
    let mut nemesis = HistoryBuilder::new().invoke(9, "kill all", json!({"targets": ["n1"]})).events();
    nemesis[0].process = Process::Nemesis;
    let events = HistoryBuilder::new()
        .on("k \"1\"\\")
        .write(0, "a\n\u{7}é😀")
        .edit(|e| e.node = Some("n1".into()))
        .read(1, "a\n\u{7}é😀")
        .on(-7)
        .invoke(0, "write", ())
        .invoke(1, "cas", json!([null, u64::MAX]))
        .fail(1)
        .edit(|e| e.error = Some(json!("throttled").into()))
        .info(0)
        .edit(|e| e.error = Some(json!(["timeout", "after 5 s"]).into()))
        .cas(1, 1.5, true)
        .read(1, ())
        .events();
    let mut all: Vec<Event> = nemesis.into_iter().chain(events).collect();
    for (index, event) in all.iter_mut().enumerate() {
        event.index = index as u64;
    }
    all
}

#[test]
fn what_is_written_reads_back_as_the_same_history() {
    let events = history();
    for format in [Format::Jsonl, Format::JsonlZst, Format::JepsenEdn] {
        let mut out = Vec::new();
        let exported = export(&events, &options(format), &mut out).unwrap();
        assert_eq!(exported, Exported { events: events.len() as u64, left_out: 0 });
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("h");
        std::fs::write(&path, &out).unwrap();
        let (guessed, history) = growler_results::formats::read(&path, None).unwrap();
        assert_eq!(guessed, format);
        let mut expected = events.clone();
        if format == Format::JepsenEdn {
            // The functions of a nemesis and integers beyond 64 bits come back as texts.
            let text = |value: &mut Value| *value = json!([null, u64::MAX.to_string()]);
            expected
                .iter_mut()
                .filter(|e| &*e.f == "cas" && e.value[1].is_u64())
                .for_each(|e| text(&mut e.value));
        }
        assert_eq!(history.events, expected);
    }
}

#[test]
fn a_line_is_what_jepsen_writes() {
    let events = HistoryBuilder::new()
        .on("k7")
        .invoke(0, "write", 12)
        .ok_observed(0, 9)
        .edit(|e| e.node = Some("n1".into()));
    let expected = "{:index 0, :time 0, :process 0, :type :invoke, :f :write, :value [\"k7\" 12]}\n\
        {:index 1, :time 1000000, :process 0, :type :ok, :f :write, :value [\"k7\" 12], :node :n1, :observed 9}\n";
    assert_eq!(edn(&events.events()), expected);
    let txn = HistoryBuilder::new().invoke(0, "txn", json!([["append", "x", 1], ["r", 2, null]])).events();
    assert!(edn(&txn).contains(":f :txn, :value [[:append \"x\" 1] [:r 2 nil]]"), "{}", edn(&txn));
    let bank = HistoryBuilder::new().invoke(0, "transfer", json!({"from": "a", "to": "6"})).events();
    assert!(edn(&bank).contains(":value {:from \"a\", :to \"6\"}"), "{}", edn(&bank));
}

#[test]
fn a_completion_without_a_value_gets_that_of_its_invocation() {
    let events = HistoryBuilder::new().invoke(0, "write", 12).ok(0, ()).events();
    assert!(edn(&events).lines().all(|line| line.contains(":value 12}")), "{}", edn(&events));
}

#[test]
fn one_key_alone_has_plain_values() {
    let events = history();
    let chosen = ExportOptions { key: Some("-7".to_owned()), ..options(Format::JepsenEdn) };
    let (exported, text) = written(&events, &chosen);
    assert_eq!(exported.events, 9);
    assert!(text.lines().skip(1).all(|line| line.contains(":key -7")), "{text}");
    assert!(text.contains(":f :cas, :value [1.5 true]"), "{text}");
    assert_eq!(read_back(&text).len(), 9);
    let nothing = ExportOptions { key: Some("7".to_owned()), ..options(Format::JepsenEdn) };
    let error = export(&events, &nothing, &mut Vec::new()).unwrap_err().to_string();
    assert!(error.contains("-7") && error.contains("k \"1\""), "{error}");
}

fn for_knossos(events: &[Event]) -> (Exported, Vec<Event>) {
    let (exported, text) =
        written(events, &ExportOptions { for_knossos: true, ..options(Format::JepsenEdn) });
    assert!(!text.contains(":observed") && !text.contains("nil]"), "{text}");
    (exported, read_back(&text))
}

#[test]
fn knossos_is_told_what_operations_showed() {
    let events = HistoryBuilder::new()
        .invoke(0, "write", 1)
        .ok_observed(0, ())
        .invoke(0, "cas", json!([2, 3]))
        .condition_met(0, 1)
        .invoke(0, "cas", json!([2, 3]))
        .condition_failed(0)
        .invoke(0, "write", ())
        .info(0)
        .read(1, ())
        .invoke(1, "read", ())
        .fail(1)
        .invoke(2, "read", ())
        .edit(|e| e.consistency = Some(Consistency::Eventual))
        .ok(2, 7)
        .events();
    let (exported, translated) = for_knossos(&events);
    assert_eq!(exported, Exported { events: 14, left_out: 1 });
    let seen: Vec<_> =
        translated.iter().map(|e| (format!("{} {:?} {}", e.process, e.kind, e.f), e.value.clone())).collect();
    let line = |text: &str, value: Value| (text.to_owned(), value);
    let expected = [
        line("3 Invoke write", json!("absent")),
        line("3 Ok write", json!("absent")),
        line("0 Invoke cas", json!(["absent", 1])),
        line("0 Ok cas", json!(["absent", 1])),
        line("0 Invoke read", json!(null)),
        line("0 Ok read", json!(1)),
        line("0 Invoke cas", json!([2, 3])),
        line("0 Fail cas", json!([2, 3])),
        line("0 Invoke write", json!("absent")),
        line("0 Info write", json!("absent")),
        line("1 Invoke read", json!(null)),
        line("1 Ok read", json!("absent")),
        line("1 Invoke read", json!(null)),
        line("1 Fail read", json!(null)),
    ];
    assert_eq!(seen, expected);
    assert!(translated.iter().map(|e| e.index).eq(0..14));
}

#[test]
fn the_word_for_nothing_is_no_value_of_the_history() {
    let events = HistoryBuilder::new().on("a").write(0, "absent").on("b").cas(1, (), "absent-").events();
    let (_, translated) = for_knossos(&events);
    assert_eq!(translated[0].value, json!("absent--"));
    assert_eq!(translated[0].key, Some("a".into()));
    assert_eq!(translated[2].key, Some("b".into()), "every object begins with nothing");
    assert_eq!(translated[6].value, json!(["absent--", "absent-"]));
}

#[test]
fn what_cannot_be_written_is_refused() {
    let refused =
        |events: &[Event], options: &ExportOptions| export(events, options, &mut Vec::new()).unwrap_err();
    let events = HistoryBuilder::new().invoke(0, "transfer", json!({})).events();
    let error = refused(&events, &options(Format::PorcupineKv)).to_string();
    assert!(error.contains("porcupine-kv") && error.contains("jepsen-edn"), "{error}");
    let knossos = |format| ExportOptions { for_knossos: true, ..options(format) };
    assert!(
        matches!(refused(&events, &knossos(Format::JepsenEdn)), ExportError::NotForKnossos(f) if f == "transfer")
    );
    assert!(matches!(refused(&events, &knossos(Format::Jsonl)), ExportError::KnossosReadsEdn("jsonl")));
    let mut two = HistoryBuilder::new().on(1).write(0, 1).on("1").write(0, 2).events();
    let one = ExportOptions { key: Some("1".to_owned()), ..options(Format::JepsenEdn) };
    assert!(matches!(refused(&two, &one), ExportError::TwoKeys(key) if key == "1"));
    two[1].process = Process::Client(5);
    assert!(matches!(refused(&two, &knossos(Format::JepsenEdn)), ExportError::Pair(_)));
}
