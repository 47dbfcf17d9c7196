//! Writes a history in another tool's format, so that other tools can judge it too.
//!
//! Jepsen's EDN is what Knossos and Elle read: one map an event, one event a line. Every field of ours is
//! kept, those that Jepsen has no name for as further keys, which its tools ignore. With a key per object the
//! values become pairs `[key value]`, as `jepsen.independent` makes them; `--key` writes one object alone,
//! with plain values, which is what Knossos' own command line judges. A delete is a write of `nil`.
//!
//! What is lost on the way to Knossos, whose models are weaker than ours:
//!
//! - It removes every `:fail`, so a condition that failed although it held cannot be seen.
//! - It ignores `:observed`: what a write replaced, and what a failed condition met.
//! - It takes a read of `nil` for a read of which nothing is known, so a missing item is never a violation.
//! - It knows no eventually consistent reads and would hold them to the strong promise.
//!
//! A verdict that rests on one of these is confirmed through [`ExportOptions::for_knossos`] ([`knossos`]):
//! then what an operation showed is written as an operation that Knossos understands.

mod edn_text;
mod knossos;

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::io::{self, Write};

use growler_checker::history::{Event, EventType, Key, PairError, Process};
use serde_json::Value;

use super::Format;
use edn_text::{name, value as edn};

/// How a history is written.
#[derive(Debug, Clone)]
pub struct ExportOptions {
    /// In which format.
    pub format: Format,
    /// Only the object of this key, and the nemesis.
    pub key: Option<String>,
    /// Say everything in operations that Knossos' registers have.
    pub for_knossos: bool,
}

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exported {
    /// Events written.
    pub events: u64,
    /// Operations left out, because the format has nothing that promises as little.
    pub left_out: u64,
}

/// Why a history cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The format is only read.
    #[error("growler reads {name}, but does not write it; it writes {}", written())]
    OnlyRead {
        /// Its name.
        name: &'static str,
    },
    /// No event has this key.
    #[error("no operation has the key `{key}`; there are: {}", known.join(", "))]
    NoSuchKey {
        /// The key that was asked for.
        key: String,
        /// Some that there are.
        known: Vec<String>,
    },
    /// Two keys look the same.
    #[error(
        "the number {0} and the text \"{0}\" are both keys of this history; nothing tells them apart here"
    )]
    TwoKeys(String),
    /// The history is none.
    #[error(transparent)]
    Pair(#[from] PairError),
    /// It has operations that no register of Knossos has.
    #[error(
        "`{0}` is no operation of Knossos' registers, which have read, write and cas; export without --for knossos"
    )]
    NotForKnossos(String),
    /// Knossos reads one format.
    #[error("Knossos reads jepsen-edn, not {0}")]
    KnossosReadsEdn(&'static str),
    /// The file or the disk refused.
    #[error("cannot write the history: {0}")]
    Io(#[from] io::Error),
}

fn written() -> String {
    let names = Format::ALL.into_iter().map(Format::info).filter(|info| info.writes).map(|info| info.name);
    names.collect::<Vec<_>>().join(", ")
}

/// Writes `events` to `out`.
///
/// # Errors
/// [`ExportError`] when the options do not fit the history, or `out` refuses.
pub fn export(
    events: &[Event],
    options: &ExportOptions,
    out: &mut dyn Write,
) -> Result<Exported, ExportError> {
    if !options.format.info().writes {
        return Err(ExportError::OnlyRead { name: options.format.info().name });
    }
    let one_key = options.key.is_some();
    let chosen: Cow<'_, [Event]> = match &options.key {
        Some(key) => Cow::Owned(of_key(events, key)?),
        None => Cow::Borrowed(events),
    };
    if options.for_knossos {
        if options.format != Format::JepsenEdn {
            return Err(ExportError::KnossosReadsEdn(options.format.info().name));
        }
        let translated = knossos::translated(&chosen)?;
        write_edn(&translated.events, &translated.recorded, one_key, out)?;
        let events = translated.events.len() as u64;
        return Ok(Exported { events, left_out: translated.left_out });
    }
    match options.format {
        Format::Jsonl => write_json(&chosen, out)?,
        Format::JsonlZst => {
            let mut encoder = zstd::stream::write::Encoder::new(out, 3)?;
            write_json(&chosen, &mut encoder)?;
            encoder.finish()?.flush()?;
        }
        _ => write_edn(&chosen, &[], one_key, out)?,
    }
    Ok(Exported { events: chosen.len() as u64, left_out: 0 })
}

/// The events of one object, and of whoever is no client.
fn of_key(events: &[Event], asked: &str) -> Result<Vec<Event>, ExportError> {
    let keys: BTreeSet<&Key> = events.iter().filter_map(|event| event.key.as_ref()).collect();
    let mut fitting = keys.iter().filter(|key| key.to_string() == asked);
    let key = match (fitting.next(), fitting.next()) {
        (Some(key), None) => Key::clone(key),
        (Some(_), Some(_)) => return Err(ExportError::TwoKeys(asked.to_owned())),
        (None, _) => {
            let mut known: Vec<String> = keys.iter().take(5).map(ToString::to_string).collect();
            if keys.len() > known.len() {
                known.push(format!("… ({} in all)", keys.len()));
            } else if known.is_empty() {
                known.push("none, since its operations have no key".to_owned());
            }
            return Err(ExportError::NoSuchKey { key: asked.to_owned(), known });
        }
    };
    // A completion may leave its key out.
    let mut open: HashMap<u64, bool> = HashMap::new();
    let mut chosen = Vec::new();
    for event in events {
        let belongs = match (event.process, event.kind) {
            (Process::Nemesis, _) => true,
            (Process::Client(process), EventType::Invoke) => {
                let belongs = event.key.as_ref() == Some(&key);
                open.insert(process, belongs);
                belongs
            }
            (Process::Client(process), _) => open.get(&process).copied().unwrap_or(false),
        };
        if belongs {
            chosen.push(event.clone());
        }
    }
    Ok(chosen)
}

fn write_json(events: &[Event], mut out: impl Write) -> io::Result<()> {
    for event in events {
        serde_json::to_writer(&mut out, event).map_err(io::Error::from)?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

fn write_edn(
    events: &[Event],
    recorded: &[Option<u64>],
    one_key: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    // Jepsen's tools take an operation's value from its completion.
    let mut open: HashMap<u64, (Option<&Key>, &Value)> = HashMap::new();
    let mut line = String::new();
    for (at, event) in events.iter().enumerate() {
        let mut key = event.key.as_ref();
        let mut value = &event.value;
        if let Process::Client(process) = event.process {
            if event.kind == EventType::Invoke {
                open.insert(process, (key, value));
            } else if let Some((invoked_key, invoked)) = open.remove(&process) {
                key = key.or(invoked_key);
                if value.is_null() {
                    value = invoked;
                }
            }
        }
        line.clear();
        write_event(&mut line, event, key, value, one_key).map_err(io::Error::other)?;
        if let Some(&Some(index)) = recorded.get(at) {
            line += &format!(", :recorded {index}");
        }
        line += "}\n";
        out.write_all(line.as_bytes())?;
    }
    out.flush()
}

/// One event, up to its closing bracket.
fn write_event(
    line: &mut String,
    event: &Event,
    key: Option<&Key>,
    value: &Value,
    one_key: bool,
) -> Result<(), serde_json::Error> {
    let kind = match event.kind {
        EventType::Invoke => "invoke",
        EventType::Ok => "ok",
        EventType::Fail => "fail",
        EventType::Info => "info",
    };
    let process = match event.process {
        Process::Client(process) => process.to_string(),
        Process::Nemesis => ":nemesis".to_owned(),
    };
    *line +=
        &format!("{{:index {}, :time {}, :process {process}, :type :{kind}, :f ", event.index, event.time);
    name(line, &event.f);
    *line += ", :value ";
    match key {
        Some(key) if !one_key => {
            line.push('[');
            key_text(line, key);
            line.push(' ');
            edn(line, &event.f, value);
            line.push(']');
        }
        _ => edn(line, &event.f, value),
    }
    if let Some(key) = key.filter(|_| one_key) {
        *line += ", :key ";
        key_text(line, key);
    }
    let Value::Object(fields) = serde_json::to_value(event)? else { return Ok(()) };
    let told = ["index", "time", "process", "type", "f", "key", "value"];
    for (field, value) in fields.iter().filter(|(field, _)| !told.contains(&field.as_str())) {
        *line += ", ";
        name(line, field);
        line.push(' ');
        match value {
            Value::String(word) if field != "observed" && field != "token" => name(line, word),
            value => edn(line, "", value),
        }
    }
    Ok(())
}

fn key_text(line: &mut String, key: &Key) {
    match serde_json::to_value(key) {
        Ok(key) => edn(line, "", &key),
        Err(_) => line.push_str("nil"),
    }
}
