//! Histories on disk: written while the test runs, read back afterwards.
//!
//! A history is UTF-8 JSON Lines, one event a line, in real-time order (contract, section 4). The
//! [`Recorder`] appends; [`read_history`] reads, plain or compressed. Whatever happens to the harness, the
//! file is a prefix of the one order, and all its complete lines are good.

mod reader;
mod writer;

use std::path::{Path, PathBuf};

use serde::Serialize;

pub use reader::{History, ReadError, read_history};
pub use writer::{RecordError, Recorder, Written};

/// The names of a history in a run's folder, in the order of preference.
const NAMES: [&str; 2] = ["history.jsonl", "history.jsonl.zst"];

/// The history in a folder, if there is one.
pub(crate) fn find_in(folder: &Path) -> Option<PathBuf> {
    NAMES.iter().map(|name| folder.join(name)).find(|path| path.is_file())
}

/// A format of histories, for `growler list formats`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Format {
    /// Its name, as `--format` takes it.
    pub name: &'static str,
    /// What it is, in one sentence.
    pub about: &'static str,
    /// Whether growler reads it.
    pub reads: bool,
    /// Whether growler writes it.
    pub writes: bool,
}

/// The formats that growler knows.
pub const FORMATS: [Format; 2] = [
    Format {
        name: "jsonl",
        about: "growler's own: JSON Lines, one event a line, lines in real-time order",
        reads: true,
        writes: true,
    },
    Format {
        name: "jsonl.zst",
        about: "the same, compressed with zstd; recognised by its content, whatever the file's name",
        reads: true,
        writes: false,
    },
];
