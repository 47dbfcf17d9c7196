//! Reads a history: JSON Lines, plain or compressed, from growler or from another tool.
//!
//! A line is taken or refused by itself, and a refusal names the file, the line and the reason. One thing is
//! forgiven: the last line may be cut short, because the writer was killed. It is dropped with a warning.
//! A line in the middle never is, nor a last one that is whole and wrong: a history with a hole proves
//! nothing.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use growler_checker::history::Event;

/// The first bytes of a zstd frame.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// A history as read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// The events, in real-time order, `index` increasing.
    pub events: Vec<Event>,
    /// What was forgiven, as sentences.
    pub warnings: Vec<String>,
}

/// Why a history cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{}: {reason}", file.display(), line.map(|n| format!(":{n}")).unwrap_or_default())]
pub struct ReadError {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1; `None` where no single line is at fault.
    pub line: Option<u64>,
    /// What is wrong, and what to do.
    pub reason: String,
}

/// Reads the history at `path`, which may be a run's folder.
///
/// Events without `index` are numbered by position, those without `time` take the time of the one before.
///
/// # Errors
/// [`ReadError`] when there is no such file, or a line of it is no event.
pub fn read_history(path: &Path) -> Result<History, ReadError> {
    let refuse = |reason: String| ReadError { file: path.to_owned(), line: None, reason };
    let file = if path.is_dir() {
        super::find_in(path).ok_or_else(|| {
            refuse("no history.jsonl and no history.jsonl.zst in this folder; give a run's folder".to_owned())
        })?
    } else {
        path.to_owned()
    };
    let mut input =
        BufReader::new(File::open(&file).map_err(|e| refuse(format!("cannot open the history: {e}")))?);
    let head = input.fill_buf().map_err(|e| refuse(format!("cannot read the history: {e}")))?;
    if head.starts_with(&ZSTD_MAGIC) {
        let decoder = zstd::stream::read::Decoder::with_buffer(input)
            .map_err(|e| refuse(format!("cannot decompress the history: {e}")))?;
        read_lines(&file, BufReader::new(decoder))
    } else {
        read_lines(&file, input)
    }
}

/// Reads lines until the end, or until the end of what the writer got out.
fn read_lines(file: &Path, mut input: impl BufRead) -> Result<History, ReadError> {
    let mut history = History::default();
    let mut line = Vec::new();
    let mut number = 0;
    loop {
        line.clear();
        number += 1;
        let refuse = |reason| ReadError { file: file.to_owned(), line: Some(number), reason };
        match input.read_until(b'\n', &mut line) {
            Ok(0) => return Ok(history),
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                history.warnings.push(dropped(number, "the compressed file is cut short"));
                return Ok(history);
            }
            Err(e) => return Err(refuse(format!("cannot read on: {e}"))),
        }
        let text = line.trim_ascii_end();
        if text.is_empty() {
            continue;
        }
        match serde_json::from_slice::<Event>(text) {
            Ok(event) => history.events.push(placed(event, history.events.last()).map_err(refuse)?),
            Err(e) if !e.is_data() && nothing_follows(&mut input) => {
                history.warnings.push(dropped(number, "it is cut short: the writer was killed"));
                return Ok(history);
            }
            Err(e) => return Err(refuse(reason(&e))),
        }
    }
}

fn dropped(number: u64, why: &str) -> String {
    format!("the last line ({number}) was dropped: {why}")
}

/// serde counts lines within the one line that it sees; only the column means something.
fn reason(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(m, _)| m);
    let what = if error.is_data() { "not an event" } else { "not JSON" };
    format!("{what}: {message} (column {})", error.column())
}

/// Whether only white space is left. Consumes it.
fn nothing_follows(input: &mut impl Read) -> bool {
    let mut byte = [0];
    loop {
        match input.read(&mut byte) {
            Ok(0) => return true,
            Ok(_) if byte[0].is_ascii_whitespace() => {}
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return e.kind() == io::ErrorKind::UnexpectedEof,
            Ok(_) => return false,
        }
    }
}

/// Fills in what the line did not say: its index (which is absent, or 0, only once) and its time.
fn placed(mut event: Event, before: Option<&Event>) -> Result<Event, String> {
    let Some(before) = before else { return Ok(event) };
    if event.index == 0 {
        event.index = before.index + 1;
    } else if event.index <= before.index {
        return Err(format!(
            "index {} comes after index {}: lines must be in real-time order, with increasing indexes or none",
            event.index, before.index
        ));
    }
    if event.time == 0 {
        event.time = before.time;
    }
    Ok(event)
}
