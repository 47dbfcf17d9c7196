//! What can go wrong with a data folder, in words that say what to do next.

use std::io;
use std::path::PathBuf;

/// Why a data folder cannot be opened or used.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Another process has the folder open.
    #[error("the data folder is used by another node process; stop that process or choose another folder")]
    InUse,
    /// The folder belongs to another node.
    #[error("the data folder belongs to node {found}, not to {wanted}; give each node a folder of its own")]
    OtherNode {
        /// The node that made the folder.
        found: String,
        /// The node that tried to open it.
        wanted: String,
    },
    /// A newer version of the store wrote the folder.
    #[error(
        "{file} was written by a newer version of the store (format {found}, this one knows {known}); use that version, or an empty folder"
    )]
    Newer {
        /// The file that says so.
        file: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format that this build reads.
        known: u32,
    },
    /// Bytes that were once durable have changed or are missing.
    #[error(
        "{file} is damaged at byte {offset}: {what}; this is not what a crash leaves behind: restore the folder, or empty it and let the node catch up from its peers"
    )]
    Damaged {
        /// The damaged file.
        file: PathBuf,
        /// Where.
        offset: u64,
        /// What was found there.
        what: String,
    },
    /// The table file cannot be used.
    #[error("the tables in {file} cannot be used: {what}")]
    Tables {
        /// The table file.
        file: PathBuf,
        /// What the table engine said.
        what: String,
    },
    /// A purge would forget entries that are nowhere else. This is a defect of the caller.
    #[error("cannot purge group {group} up to entry {through}: the tables have {applied:?}")]
    NotApplied {
        /// The group.
        group: u32,
        /// The last entry to be purged.
        through: u64,
        /// The last entry that the tables on disk cover.
        applied: Option<u64>,
    },
    /// A snapshot from another node cannot be installed.
    #[error("the snapshot is refused: {0}; the sender must make another one")]
    Snapshot(String),
    /// The system refused.
    #[error("cannot {doing} {file}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl EngineError {
    /// For `map_err`: an I/O error while `doing` something to `file`.
    pub(super) fn io(doing: &'static str, file: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> EngineError {
        let file = file.into();
        move |source| EngineError::Io { doing, file, source }
    }
}

impl From<EngineError> for io::Error {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Io { ref source, .. } => io::Error::new(source.kind(), error),
            error => io::Error::other(error),
        }
    }
}
