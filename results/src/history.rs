//! Histories on disk: written while the test runs, read back afterwards.
//!
//! A history is UTF-8 JSON Lines, one event a line, in real-time order (contract, section 4). The
//! [`Recorder`] appends; [`read_history`] reads, plain or compressed. Whatever happens to the harness, the
//! file is a prefix of the one order, and all its complete lines are good.

mod reader;
mod writer;

use std::path::{Path, PathBuf};

pub(crate) use reader::read_lines;
pub use reader::{History, ReadError, read_history};
pub use writer::{RecordError, Recorder, Written};

/// The names of a history in a run's folder, in the order of preference.
const NAMES: [&str; 2] = ["history.jsonl", "history.jsonl.zst"];

/// The history in a folder, if there is one.
pub(crate) fn find_in(folder: &Path) -> Option<PathBuf> {
    NAMES.iter().map(|name| folder.join(name)).find(|path| path.is_file())
}
