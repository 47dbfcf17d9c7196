//! Histories on disk: nothing recorded is lost, every file is a prefix, bad lines are named.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use growler_checker::history::{Event, EventType, Process};
use growler_results::history::{RecordError, Recorder, read_history};
use serde_json::{Value, json};

fn write(process: u64, value: u64) -> Event {
    let mut event = Event::new(Process::Client(process), EventType::Invoke, "write", json!(value));
    event.key = Some("k7".into());
    event
}

fn counting_clock() -> impl Fn() -> u64 + Send + Sync + 'static {
    let now = AtomicU64::new(0);
    move || now.fetch_add(1000, Ordering::Relaxed)
}

fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what} did not come");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn many_threads_record_one_order_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.jsonl");
    let recorder = Recorder::create(&path, counting_clock()).unwrap();
    std::thread::scope(|scope| {
        for process in 0..4 {
            let recorder = recorder.clone();
            scope.spawn(move || {
                let mut last = None;
                for value in 0..2_500 {
                    let event = recorder.record(write(process, value));
                    assert!(last < Some(event.index), "a thread sees its own events in order");
                    last = Some(event.index);
                }
            });
        }
    });
    let written = recorder.finish().unwrap();
    let history = read_history(&path).unwrap();
    assert_eq!(written.events, 10_000);
    assert_eq!(written.bytes, fs::metadata(&path).unwrap().len());
    assert_eq!(history.warnings, [""; 0]);
    assert!(history.events.iter().enumerate().all(|(i, e)| e.index == i as u64 && e.time == 1000 * i as u64));
    for process in 0..4 {
        let own = history.events.iter().filter(|e| e.process == Process::Client(process));
        assert!(own.map(|e| e.value.as_u64().unwrap()).eq(0..2_500));
    }
}

#[test]
fn events_reach_the_file_while_the_test_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.jsonl");
    let recorder = Recorder::create(&path, counting_clock()).unwrap();
    let event = recorder.record(write(0, 1));
    wait_for("the event", || fs::metadata(&path).unwrap().len() > 0);
    assert_eq!(read_history(&path).unwrap().events, [event]);
}

#[test]
fn dropping_the_last_clone_ends_the_recording() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.jsonl");
    let recorder = Recorder::create(&path, counting_clock()).unwrap();
    let clone = recorder.clone();
    drop(recorder);
    clone.record(write(0, 1));
    drop(clone);
    assert_eq!(read_history(&path).unwrap().events.len(), 1);
}

#[test]
fn time_never_goes_back() {
    let folder = tempfile::tempdir().unwrap();
    let times = Arc::new(AtomicU64::new(500));
    let clock = Arc::clone(&times);
    let recorder = Recorder::create(&folder.path().join("h"), move || clock.load(Ordering::Relaxed)).unwrap();
    assert_eq!(recorder.record(write(0, 1)).time, 500);
    times.store(400, Ordering::Relaxed);
    assert_eq!(recorder.record(write(0, 2)).time, 500);
}

#[test]
fn an_event_after_the_end_shows_as_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::create(&folder.path().join("h"), counting_clock()).unwrap();
    recorder.finish().unwrap();
    assert_eq!(recorder.failure(), None);
    recorder.record(write(0, 1));
    assert_eq!(recorder.failure(), Some(RecordError::Late));
}

#[test]
fn a_history_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.jsonl");
    fs::write(&path, "precious").unwrap();
    let refused = Recorder::create(&path, counting_clock()).unwrap_err();
    assert!(refused.to_string().contains("history.jsonl"), "{refused}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

/// Records until it is killed. Runs only as the child of the test below.
#[test]
fn record_until_killed() {
    let Some(path) = std::env::var_os("GROWLER_TEST_RECORD_UNTIL_KILLED") else { return };
    let recorder = Recorder::create(Path::new(&path), counting_clock()).unwrap();
    for value in 0.. {
        recorder.record(write(value % 7, value));
    }
}

#[test]
fn kill_9_leaves_a_readable_prefix() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.jsonl");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "record_until_killed"])
        .env("GROWLER_TEST_RECORD_UNTIL_KILLED", &path)
        .spawn()
        .unwrap();
    wait_for("a megabyte", || fs::metadata(&path).is_ok_and(|m| m.len() > 1 << 20));
    child.kill().unwrap();
    child.wait().unwrap();

    let history = read_history(&path).unwrap();
    assert!(history.events.len() > 5_000);
    assert!(history.events.iter().enumerate().all(|(i, e)| e.index == i as u64 && e.value == json!(i)));
}

fn file(folder: &tempfile::TempDir, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join("history.jsonl");
    fs::write(&path, bytes).unwrap();
    path
}

const FOREIGN: &str = "{\"process\":3,\"type\":\"invoke\",\"f\":\"read\",\"extra\":[1]}\n\n\
    {\"process\":3,\"type\":\"ok\",\"f\":\"read\",\"value\":\"é\",\"time\":9}\n\
    {\"process\":\"nemesis\",\"type\":\"info\",\"f\":\"kill\"}";

#[test]
fn foreign_events_get_index_and_time() {
    let folder = tempfile::tempdir().unwrap();
    let history = read_history(&file(&folder, FOREIGN.as_bytes())).unwrap();
    let seen: Vec<_> = history.events.iter().map(|e| (e.index, e.time)).collect();
    assert_eq!(seen, [(0, 0), (1, 9), (2, 9)]);
    assert_eq!(history.events[0].value, Value::Null);
    assert_eq!(history.warnings, [""; 0]);
}

#[test]
fn a_last_line_cut_anywhere_is_dropped_with_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let whole = FOREIGN.lines().last().unwrap().len();
    for cut in 1..whole {
        let history = read_history(&file(&folder, &FOREIGN.as_bytes()[..FOREIGN.len() - cut])).unwrap();
        assert_eq!(history.events.len(), 2, "{cut} bytes cut");
        assert_eq!(
            history.warnings,
            ["the last line (4) was dropped: it is cut short: the writer was killed"]
        );
    }
    let in_the_middle_of_a_letter = &FOREIGN.as_bytes()[..=FOREIGN.find('é').unwrap()];
    assert_eq!(read_history(&file(&folder, in_the_middle_of_a_letter)).unwrap().events.len(), 1);
}

#[test]
fn malformed_lines_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let reason_of = |text: &str| {
        let path = file(&folder, text.as_bytes());
        let error = read_history(&path).unwrap_err();
        assert_eq!(error.file, path);
        (error.line.unwrap(), error.to_string().split_once("history.jsonl").unwrap().1.to_owned())
    };
    let ok = r#"{"process":1,"type":"ok","f":"read"}"#;
    let cut = reason_of(&format!("{ok}\n{{\"process\":1,\n{ok}\n"));
    assert_eq!(cut, (2, ":2: not JSON: EOF while parsing a value (column 13)".to_owned()));
    let (line, reason) = reason_of(&format!("{ok}\n{{\"process\":1}}\n"));
    assert!(line == 2 && reason.contains("not an event: missing field `type`"), "{reason}");
    let (_, reason) = reason_of(r#"{"process":1,"type":"maybe","f":"read"}"#);
    assert!(reason.contains("unknown variant `maybe`"), "{reason}");
    let backwards = r#"{"index":5,"process":1,"type":"ok","f":"r"}"#;
    let (line, reason) = reason_of(&format!("{backwards}\n{backwards}\n"));
    assert!(line == 2 && reason.contains("index 5 comes after index 5"), "{reason}");
}

#[test]
fn a_folder_and_compressed_files_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.jsonl.zst");
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    encoder.write_all(FOREIGN.as_bytes()).unwrap();
    let bytes = encoder.finish().unwrap();
    fs::write(&path, [bytes.as_slice(), b""].concat()).unwrap();
    assert_eq!(read_history(folder.path()).unwrap().events.len(), 3);

    let cut = file(&folder, &bytes[..bytes.len() - 5]);
    let history = read_history(&cut).unwrap();
    assert!(history.events.len() < 3 && history.warnings[0].contains("cut short"), "{history:?}");
    let nothing = read_history(&folder.path().join("none")).unwrap_err();
    assert!(nothing.line.is_none() && nothing.to_string().contains("cannot open"), "{nothing}");
}
