//! Histories in other tools' formats: readers, and a writer so that other tools can judge ours.
//!
//! A history from another tool becomes the same [`History`] that growler records itself (contract, section
//! 4); from there on nobody knows where it came from. [`read`] guesses the format from the first bytes, or is
//! told. Readers stream: beyond the events they hold one form or one line. What is malformed is refused with
//! the file, the line and the reason, and never with a panic; only a last line that was not written to its
//! end is forgiven, with a warning.
//!
//! [`edn`] is the notation, [`values`] what its values become, [`jepsen_edn`] and [`porcupine`] the formats,
//! [`independent`] the keys inside Jepsen's values, [`collect`] the shape of a history; [`mod@export`] writes. The
//! notation has a reader of its own: the one on crates.io wants the whole file as one text and counts lines
//! from wherever it was called, and a history can be larger than memory allows to hold twice.

mod collect;
mod edn;
mod export;
mod independent;
mod jepsen_edn;
mod porcupine;
mod values;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::Serialize;

pub use export::{ExportError, ExportOptions, Exported, export};

use crate::history::{History, ReadError, find_in, read_lines};
use edn::Flaw;
use jepsen_edn::Dialect;

/// The first bytes of a zstd frame.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// How much of a file is looked at to guess its format.
const HEAD_BYTES: usize = 64 << 10;

/// A format of histories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// growler's own.
    Jsonl,
    /// The same, compressed.
    JsonlZst,
    /// Jepsen's, Knossos' and Elle's.
    JepsenEdn,
    /// Porcupine's logs of Jepsen's test of etcd.
    PorcupineEtcd,
    /// Porcupine's key-value files.
    PorcupineKv,
}

/// A format as `growler list formats` shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Info {
    /// Its name, as `--format` takes it.
    pub name: &'static str,
    /// What it is, in one sentence.
    pub about: &'static str,
    /// Whether growler reads it.
    pub reads: bool,
    /// Whether growler writes it.
    pub writes: bool,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Jsonl, Self::JsonlZst, Self::JepsenEdn, Self::PorcupineEtcd, Self::PorcupineKv];

    /// What it is.
    #[must_use]
    pub const fn info(self) -> Info {
        match self {
            Self::Jsonl => Info {
                name: "jsonl",
                about: "growler's own: JSON Lines, one event a line, lines in real-time order",
                reads: true,
                writes: true,
            },
            Self::JsonlZst => Info {
                name: "jsonl.zst",
                about: "the same, compressed with zstd; recognised by its content, whatever the file's name",
                reads: true,
                writes: true,
            },
            Self::JepsenEdn => Info {
                name: "jepsen-edn",
                about: "Jepsen's, Knossos' and Elle's: EDN maps with :process, :type, :f and :value, one a line or in one vector or list",
                reads: true,
                writes: true,
            },
            Self::PorcupineEtcd => Info {
                name: "porcupine-etcd",
                about: "Porcupine's test logs of etcd: lines such as `INFO jepsen.util - 0 :invoke :write 3`",
                reads: true,
                writes: false,
            },
            Self::PorcupineKv => Info {
                name: "porcupine-kv",
                about: "Porcupine's key-value histories: EDN maps with :f :get, :put or :append, a :key and texts as values",
                reads: true,
                writes: false,
            },
        }
    }

    /// The format of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.info().name == name)
    }

    /// The model that a history in this format has where it holds no operation to tell it. For Jepsen's it is
    /// the one that Knossos takes then.
    #[must_use]
    pub fn model(self) -> Option<&'static str> {
        match self {
            Self::Jsonl | Self::JsonlZst => None,
            Self::JepsenEdn | Self::PorcupineEtcd => Some("cas-register"),
            Self::PorcupineKv => Some("kv"),
        }
    }
}

/// Reads the history at `path`, which may be a run's folder, and says in which format it was.
///
/// `format` is what it is said to be; without it the first bytes tell, and for an empty file its name.
/// Compressed files are recognised whatever else is said.
///
/// # Errors
/// [`ReadError`] when there is no such file, or something in it is no event.
pub fn read(path: &Path, format: Option<Format>) -> Result<(Format, History), ReadError> {
    let refuse = |reason: String| ReadError { file: path.to_owned(), line: None, reason };
    let file = if path.is_dir() {
        find_in(path).ok_or_else(|| {
            refuse("no history.jsonl and no history.jsonl.zst in this folder; give a run's folder".to_owned())
        })?
    } else {
        path.to_owned()
    };
    let opened = File::open(&file).map_err(|e| refuse(format!("cannot open the history: {e}")))?;
    let mut input = BufReader::with_capacity(HEAD_BYTES, opened);
    let head = input.fill_buf().map_err(|e| refuse(format!("cannot read the history: {e}")))?;
    let compressed = head.starts_with(&ZSTD_MAGIC);
    let mut input: Box<dyn BufRead> = if compressed {
        let decoder = zstd::stream::read::Decoder::with_buffer(input)
            .map_err(|e| refuse(format!("cannot decompress the history: {e}")))?;
        Box::new(BufReader::with_capacity(HEAD_BYTES, decoder))
    } else {
        Box::new(input)
    };
    let guessed = match input.fill_buf() {
        Ok(head) => guess(head, &file),
        // Cut so short that nothing comes out: the reader says it.
        Err(_) => Format::Jsonl,
    };
    let history = match format {
        Some(format) => read_from(input, &file, format),
        // What is only guessed is not held to it.
        None if guessed == Format::PorcupineKv => read_from(input, &file, Format::JepsenEdn),
        None => read_from(input, &file, guessed),
    }?;
    let format = format.unwrap_or(guessed);
    Ok((if compressed && format == Format::Jsonl { Format::JsonlZst } else { format }, history))
}

/// Reads a history from bytes that are not compressed. `file` is what errors call them.
///
/// # Errors
/// [`ReadError`] when something in them is no event.
pub fn read_from(input: impl BufRead, file: &Path, format: Format) -> Result<History, ReadError> {
    match format {
        Format::Jsonl | Format::JsonlZst => read_lines(file, input),
        Format::JepsenEdn => named(file, jepsen_edn::read(input, Dialect::Jepsen)),
        Format::PorcupineKv => named(file, jepsen_edn::read(input, Dialect::KeyValue)),
        Format::PorcupineEtcd => named(file, porcupine::read_etcd(input)),
    }
}

/// Says in which file a flaw is.
fn named(file: &Path, read: Result<History, Flaw>) -> Result<History, ReadError> {
    read.map_err(|flaw| ReadError {
        file: file.to_owned(),
        line: Some(flaw.at.line),
        reason: flaw.to_string(),
    })
}

/// The format that a file's first bytes look like. What looks like nothing is left to the reader of our own
/// format, which says in which line it is no JSON.
fn guess(head: &[u8], file: &Path) -> Format {
    let by_name = match file.extension().and_then(|extension| extension.to_str()) {
        Some("edn") => Format::JepsenEdn,
        Some("log") => Format::PorcupineEtcd,
        _ => Format::Jsonl,
    };
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let mut ink = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace() && *byte != b',');
    match (ink.next(), ink.next(), ink.next()) {
        (None, ..) => by_name,
        (Some(b'{'), Some(b'"' | b'}'), _) => Format::Jsonl,
        // An array of JSON objects: no format of ours, and the reader of lines says so best.
        (Some(b'['), Some(b'{'), Some(b'"')) => Format::Jsonl,
        (Some(b'{' | b'[' | b'(' | b'#' | b';'), ..) if by_name != Format::PorcupineEtcd => edn_dialect(text),
        _ if contains(text, porcupine::LOGGER) => Format::PorcupineEtcd,
        (Some(b'{' | b'[' | b'(' | b'#' | b';'), ..) => edn_dialect(text),
        _ => by_name,
    }
}

/// Porcupine's key-value histories are EDN with a key and functions of their own.
fn edn_dialect(head: &[u8]) -> Format {
    let has_function = [":f :get", ":f :put", ":f :append"].iter().any(|f| contains(head, f));
    if has_function && contains(head, ":key ") { Format::PorcupineKv } else { Format::JepsenEdn }
}

fn contains(head: &[u8], text: &str) -> bool {
    head.windows(text.len()).any(|window| window == text.as_bytes())
}
