//! Reads a history: JSON Lines, plain or compressed, from growler or from another tool.
//!
//! A line is taken or refused by itself, and a refusal names the file, the line and the reason. One thing is
//! forgiven: the last line may be cut short, because the writer was killed. It is dropped with a warning.
//! A line in the middle never is, nor a last one that is whole and wrong: a history with a hole proves
//! nothing.
//!
//! The file is read in `blocks` of whole lines, which are parsed (`parse`) on all processors and put together
//! in their order: neither events nor errors depend on how many there are.

mod blocks;
mod parse;

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::thread;

use blocks::End;
use growler_checker::history::Event;
use parse::Pipeline;

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
    let opened = File::open(&file).map_err(|e| refuse(format!("cannot open the history: {e}")))?;
    let mut input = BufReader::new(opened);
    let head = input.fill_buf().map_err(|e| refuse(format!("cannot read the history: {e}")))?;
    if head.starts_with(&ZSTD_MAGIC) {
        let decoder = zstd::stream::read::Decoder::with_buffer(input)
            .map_err(|e| refuse(format!("cannot decompress the history: {e}")))?;
        read_lines(&file, decoder)
    } else {
        read_lines(&file, input)
    }
}

/// Reads lines until the end, or until the end of what the writer got out.
pub(crate) fn read_lines(file: &Path, input: impl Read) -> Result<History, ReadError> {
    thread::scope(|scope| {
        let mut blocks = Pipeline::new(scope, input);
        let mut history = History::default();
        let mut lines = 0;
        let refuse = |line: u64, reason| ReadError { file: file.to_owned(), line: Some(line + 1), reason };
        while let Some(mut block) = blocks.next() {
            if history.events.is_empty() {
                // A list of a gigabyte that grows is there twice while it moves. To guess wrong costs no more than that.
                let bytes = file.metadata().map_or(0, |file| file.len());
                let _ = history.events.try_reserve_exact(block.events_in(bytes));
            }
            place(&mut block.events, history.events.last())
                .map_err(|(at, reason)| refuse(lines + block.line_of(at), reason))?;
            history.events.append(&mut block.events);
            if let Some(bad) = &block.bad {
                let line = lines + bad.line;
                if !bad.cut || !blocks.nothing_follows(bad) {
                    return Err(refuse(line, reason(&bad.error)));
                }
                history.warnings.push(dropped(line, "it is cut short: the writer was killed"));
                return Ok(history);
            }
            lines += block.lines;
            blocks.reuse(block);
        }
        match blocks.end() {
            End::Whole => {}
            End::CutShort => history.warnings.push(dropped(lines, "the compressed file is cut short")),
            End::Broken(e) => return Err(refuse(lines, format!("cannot read on: {e}"))),
        }
        Ok(history)
    })
}

fn dropped(line: u64, why: &str) -> String {
    format!("the last line ({}) was dropped: {why}", line + 1)
}

/// serde counts lines within the one line that it sees; only the column means something.
fn reason(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(m, _)| m);
    let what = if error.is_data() { "not an event" } else { "not JSON" };
    format!("{what}: {message} (column {})", error.column())
}

/// Fills in what the lines did not say: an index (which is absent, or 0, only once) and a time. Gives the
/// place of the first event that cannot stand after the one before it, and why.
fn place(events: &mut [Event], before: Option<&Event>) -> Result<(), (usize, String)> {
    let mut before = before.map(|event| (event.index, event.time));
    for (at, event) in events.iter_mut().enumerate() {
        if let Some((index, time)) = before {
            if event.index == 0 {
                event.index = index + 1;
            } else if event.index <= index {
                let reason = format!(
                    "index {} comes after index {index}: lines must be in real-time order, with increasing \
                     indexes or none",
                    event.index
                );
                return Err((at, reason));
            }
            if event.time == 0 {
                event.time = time;
            }
        }
        before = Some((event.index, event.time));
    }
    Ok(())
}
