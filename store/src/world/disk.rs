//! A node's data folder.
//!
//! Paths are relative to the folder. The promises are those of a careful reading of POSIX, no more:
//! bytes written are durable once [`DiskFile::sync`] has returned, and a name (a file made, renamed
//! or removed) once [`Disk::sync_dir`] of its folder has. Before that, a power loss may keep all, a
//! part or nothing of it. Calls block.

use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// What opening a file may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// The file must exist.
    Existing,
    /// The file must not exist and is made.
    New,
    /// The file is made when it does not exist.
    Create,
}

/// The data folder of one node.
pub trait Disk: Debug + Send + Sync + 'static {
    /// Opens a file for reading and writing.
    ///
    /// # Errors
    /// As `mode` says (`NotFound`, `AlreadyExists`), or the system refused.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>>;

    /// Makes a folder and its parents; it may exist. Durable when it returns.
    ///
    /// # Errors
    /// The system refused.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// The names of the files in a folder, sorted.
    ///
    /// # Errors
    /// The folder does not exist, or the system refused.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;

    /// Renames a file within its folder, over an existing one if there is one.
    ///
    /// # Errors
    /// There is no such file, the folders differ, or the system refused.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file. Who has it open may go on using it.
    ///
    /// # Errors
    /// There is no such file, or the system refused.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable.
    ///
    /// # Errors
    /// The system refused: nothing is known about the names then.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// Takes the lock of the file `path`, which is made if needed. It is released when the guard is
    /// dropped or the process ends in any way.
    ///
    /// # Errors
    /// `WouldBlock` when another process, or another guard of this one, holds it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>>;
}

/// A held lock; dropping it releases it.
pub trait DiskLock: Debug + Send + Sync {}

/// An open file.
#[allow(clippy::len_without_is_empty, reason = "a file's length, not a collection's")]
pub trait DiskFile: Debug + Send + Sync + 'static {
    /// The length in bytes.
    ///
    /// # Errors
    /// The system refused.
    fn len(&self) -> io::Result<u64>;

    /// Fills `out` from `offset`.
    ///
    /// # Errors
    /// `UnexpectedEof` when the file ends before, or the system refused.
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;

    /// Writes all of `data` at `offset`, growing the file as needed.
    ///
    /// # Errors
    /// The system refused (a full disk); a part may have been written.
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()>;

    /// Cuts the file or extends it by zeros.
    ///
    /// # Errors
    /// The system refused.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes everything written so far durable.
    ///
    /// # Errors
    /// The system refused. What was written since the last success is then in an unknown state, and a
    /// later success says nothing about it.
    fn sync(&self) -> io::Result<()>;
}
