//! Long histories are parsed on several processors: that must show in nothing but the time.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Write;

use growler_checker::history::Event;
use growler_results::history::{History, ReadError, read_history};

/// Some 3 MB: a dozen blocks.
const EVENTS: usize = 30_000;

/// A line for each event, with an empty one after every thousandth.
fn lines() -> Vec<String> {
    let line = |n: usize| {
        let blank = if n % 1000 == 999 { "\n  \r" } else { "" };
        let (time, key, kind) = (100 * n, n % 977, ["invoke", "ok"][n % 2]);
        format!(
            r#"{{"index":{n},"time":{time},"process":{key},"type":"{kind}","f":"write","key":"key {key}","value":{n},"node":"n{}"}}{blank}"#,
            n % 3
        )
    };
    (0..EVENTS).map(line).collect()
}

fn read(bytes: &[u8]) -> Result<History, ReadError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.jsonl");
    fs::write(&path, bytes).unwrap();
    read_history(&path)
}

/// The line, and the reason.
fn refusal(lines: &[String]) -> (u64, String) {
    let error = read(lines.join("\n").as_bytes()).unwrap_err();
    (error.line.unwrap(), error.reason)
}

/// The number in the file of the line of an event: from 1, and one more for each empty line.
fn number(event: usize) -> u64 {
    (event + event / 1000 + 1) as u64
}

#[test]
fn every_event_comes_back_in_its_place() {
    let lines = lines();
    let history = read(lines.join("\r\n").as_bytes()).unwrap();
    assert_eq!(history.warnings, [""; 0]);
    let one_by_one: Vec<Event> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(history.events.len(), EVENTS);
    assert!(history.events == one_by_one, "the same as line by line");
}

#[test]
fn the_first_bad_line_is_named_whatever_comes_after() {
    for at in [0, 1, 999, 1000, 2_500, 15_000, EVENTS - 2] {
        let mut lines = lines();
        lines[at] = "{\"process\":1,".to_owned() + &lines[at][lines[at].len() - 3..];
        let later = EVENTS - 1 - (EVENTS - 1 - at) / 2;
        lines[later].insert(0, '?');
        let (line, reason) = refusal(&lines);
        assert_eq!(line, number(at), "{reason}");
        assert!(reason.contains("not JSON"), "{reason}");
    }
}

#[test]
fn an_index_out_of_order_is_named_though_it_parses() {
    for at in [1, 1000, 1001, 15_000, 27_123] {
        let mut lines = lines();
        lines[at] = lines[at].replacen(&format!("{at},"), &format!("{},", at - 1), 1);
        if at == 1 {
            // An index of 0 is as good as none.
            assert_eq!(read(lines.join("\n").as_bytes()).unwrap().events[1].index, 1);
            continue;
        }
        lines[at + 1].truncate(20);
        let (line, reason) = refusal(&lines);
        let expected = format!("index {0} comes after index {0}", at - 1);
        assert!(line == number(at) && reason.contains(&expected), "{at}: {line}: {reason}");
    }
}

#[test]
fn a_last_line_cut_short_is_dropped_however_much_white_space_follows() {
    let mut lines = lines();
    lines[EVENTS - 1].truncate(30);
    let text = lines.join("\n") + &"\n \n".repeat(500_000);
    let history = read(text.as_bytes()).unwrap();
    let dropped = format!("the last line ({}) was dropped", number(EVENTS - 1));
    assert_eq!(history.events.len(), EVENTS - 1);
    assert!(history.warnings[0].contains(&dropped), "{:?}", history.warnings);
    let error = read((text + "1").as_bytes()).unwrap_err();
    assert_eq!(error.line, Some(number(EVENTS - 1)), "something follows: the line is in the middle");
}

#[test]
fn a_compressed_file_cut_short_gives_the_events_before_the_cut() {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.write_all(lines().join("\n").as_bytes()).unwrap();
    let bytes = encoder.finish().unwrap();
    assert!(read(&bytes).unwrap().events.len() == EVENTS);
    let history = read(&bytes[..bytes.len() * 2 / 3]).unwrap();
    let read = history.events.len();
    assert!((EVENTS / 3..EVENTS).contains(&read), "{read}");
    assert!(history.events.iter().enumerate().all(|(at, event)| event.index == at as u64));
    let warning = format!("the last line ({}) was dropped: the compressed file is cut short", number(read));
    // The cut may come just after the line of the last event, or after the empty line that follows it.
    let after_blank = warning.replace(&number(read).to_string(), &(number(read) - 1).to_string());
    assert!(history.warnings == [warning] || history.warnings == [after_blank], "{:?}", history.warnings);
}
