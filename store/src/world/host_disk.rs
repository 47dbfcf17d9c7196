//! A folder on the host: real files, real fsync, and a lock that dies with the process (`flock`).

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::{Disk, DiskFile, DiskLock, OpenMode};

/// A data folder on the host.
#[derive(Debug)]
pub struct HostDisk {
    root: PathBuf,
    fsync: bool,
}

impl HostDisk {
    /// The folder `root`, made if needed.
    ///
    /// # Errors
    /// The folder cannot be made or is no folder.
    pub fn open(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        fs::create_dir_all(&root)?;
        Ok(HostDisk { root, fsync: true })
    }

    /// The same folder without fsync: what is synced survives the process, but not a power loss of the
    /// host. For tests in which a [`VolatileDisk`](super::VolatileDisk) above decides what survives, and
    /// the host's own, very uneven, fsync would only add noise.
    #[must_use]
    pub fn without_fsync(self) -> Self {
        HostDisk { fsync: false, ..self }
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        if self.fsync { File::open(path)?.sync_all() } else { Ok(()) }
    }
}

/// An open file on the host.
#[derive(Debug)]
struct HostFile {
    file: File,
    fsync: bool,
}

impl Disk for HostDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        match mode {
            OpenMode::Existing => {}
            OpenMode::New => drop(options.create_new(true)),
            OpenMode::Create => drop(options.create(true).truncate(false)),
        }
        Ok(Arc::new(HostFile { file: options.open(self.root.join(path))?, fsync: self.fsync }))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(self.root.join(path))?;
        let mut folder = self.root.clone();
        for part in path {
            self.sync_folder(&folder)?;
            folder.push(part);
        }
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.root.join(path))? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(self.root.join(from), self.root.join(to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(self.root.join(path))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.sync_folder(&self.root.join(path))
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        let path = self.root.join(path);
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(file)),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// Closing the file gives the lock back.
impl DiskLock for File {}

impl DiskFile for HostFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(out, offset)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write_all_at(data, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        if self.fsync { self.file.sync_data() } else { Ok(()) }
    }
}
