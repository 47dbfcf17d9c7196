//! Porcupine's test logs: what Jepsen printed while it tested etcd.
//!
//! ```text
//! INFO  jepsen.util - 0   :invoke :write 3
//! INFO  jepsen.util - 1   :invoke :cas   [3 1]
//! INFO  jepsen.util - 0   :info   :write :timed-out
//! INFO  jepsen.util - 1   :fail   :cas   [3 1]
//! ```
//!
//! One event a line, its parts separated by blanks: the process, the type, the function, the value, and
//! perhaps an error. The parts are EDN. Of `:info` and `:fail` the value may be the reason (`:timed-out`)
//! instead. Lines of other loggers are skipped, and counted in a warning, unless they tell of an operation; any
//! other line is refused.

use std::io::{BufRead, ErrorKind};

use growler_checker::history::{Event, EventType, Process};
use serde_json::Value;

use super::collect::{Collector, Said, Who};
use super::edn::{Flaw, Form, Node, Position, Reader};
use super::jepsen_edn::{error_of, function_of, kind_of, who_of};
use super::values::{Words, plain};
use crate::history::History;

/// The logger that tells operations.
pub(super) const LOGGER: &str = "jepsen.util";

/// Reads a log to its end.
pub(super) fn read_etcd(mut input: impl BufRead) -> Result<History, Flaw> {
    let mut collector = Collector::default();
    let mut words = Words::default();
    let mut line = Vec::new();
    let mut others = 0_u64;
    for number in 1.. {
        let at = Position { line: number, column: 1 };
        line.clear();
        match input.read_until(b'\n', &mut line) {
            Ok(0) => break,
            Ok(_) => {}
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(e) => return Err(Flaw::new(at, format!("cannot read on: {e}"))),
        }
        let whole = line.ends_with(b"\n");
        let text = line.trim_ascii_end();
        if text.is_empty() {
            continue;
        }
        match event_of(text, at, &mut words) {
            Ok(Some((event, who))) => {
                collector.push(event, Said { process: Some(who), ..Said::default() }, at)?;
            }
            Ok(None) => others += 1,
            // Only the last line has no end.
            Err(flaw) if flaw.cut && !whole => {
                collector.warn(format!("the last line ({number}) was dropped: it is cut short"));
            }
            Err(flaw) => return Err(flaw),
        }
    }
    if others > 0 {
        collector.warn(format!("{others} lines of other loggers were skipped"));
    }
    collector.finish()
}

/// The event of one line, and whose it is; none where another logger wrote it.
fn event_of(line: &[u8], at: Position, words: &mut Words) -> Result<Option<(Event, Who)>, Flaw> {
    let Some((before, after)) = after_logger(line) else {
        let levels: [&[u8]; 6] = [b"TRACE", b"DEBUG", b"INFO", b"WARN", b"ERROR", b"FATAL"];
        let first = line.split(u8::is_ascii_whitespace).next().unwrap_or_default();
        if levels.contains(&first) && !tells_an_operation(line) {
            return Ok(None);
        }
        let reason = "this is no line of a log such as `INFO  jepsen.util - 0 :invoke :read nil`";
        let cut = levels.iter().any(|level| level.starts_with(first));
        return Err(Flaw { at, reason: reason.to_owned(), cut });
    };
    let column = String::from_utf8_lossy(before).chars().count() as u64 + 1;
    let at = Position { column, ..at };
    let mut forms = Reader::starting_at(after, at, after.len());
    let mut parts = Vec::new();
    while let Some(form) = forms.next_within()? {
        parts.push(form);
    }
    let mut parts = parts.into_iter();
    let (Some(process), Some(kind), Some(f)) = (parts.next(), parts.next(), parts.next()) else {
        let reason = "a process, a type, a function and a value should follow";
        return Err(Flaw { at, reason: reason.to_owned(), cut: true });
    };
    let (value, error, more) = (parts.next(), parts.next(), parts.next());
    if let Some(more) = more {
        return Err(Flaw::new(more.at, format!("{} is one part too many", more.node.describe())));
    }
    let who = who_of(&process)?;
    let kind = kind_of(Some(&kind), at)?;
    let f = function_of(&f, who != Who::Nemesis)?;
    let (value, error) = match (value, error) {
        (value, Some(error)) => (value, Some(error)),
        (Some(reason), None) if is_reason(&reason, kind) => (None, Some(reason)),
        (value, None) => (value, None),
    };
    let value = match value {
        Some(value) if who == Who::Nemesis => plain(value)?,
        Some(value) => words.value(value)?,
        None => Value::Null,
    };
    // The collector says whose it is.
    let mut event = Event::new(Process::Nemesis, kind, words.names.name(&f), value);
    event.error = error.map(error_of).transpose()?.map(Into::into);
    Ok(Some((event, who)))
}

/// Whether a line of another logger tells of an operation after all: it must not be left out.
fn tells_an_operation(line: &[u8]) -> bool {
    let types: [&[u8]; 3] = [b":invoke", b":ok", b":fail"];
    line.split(u8::is_ascii_whitespace).any(|word| types.contains(&word))
}

/// Whether the last part of a line tells why, and not what.
fn is_reason(form: &Form, kind: EventType) -> bool {
    matches!(kind, EventType::Info | EventType::Fail) && matches!(form.node, Node::Keyword(_) | Node::Text(_))
}

/// What stands before and behind the logger's name and its dash.
fn after_logger(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let logger = LOGGER.as_bytes();
    let mut at = line.windows(logger.len()).position(|window| window == logger)? + logger.len();
    let blank = |at: usize| line.get(at).is_none_or(u8::is_ascii_whitespace);
    // A dash or a colon of its own ends the name: `- 0`, `: 0`, but not `-1` or `:nemesis`.
    while at < line.len() && (blank(at) || b"-:".contains(&line[at]) && blank(at + 1)) {
        at += 1;
    }
    Some(line.split_at(at))
}
