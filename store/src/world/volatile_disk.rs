//! A disk whose cache is the process's own memory, so that `kill -9` is a power loss.
//!
//! The operating system keeps a killed process's written bytes: a store that forgets to call fsync
//! survives `kill -9` unharmed, and the mistake stays hidden. Here written bytes stay in the process
//! until [`DiskFile::sync`] hands them to the disk underneath, and new, renamed and removed names until
//! [`Disk::sync_dir`]. What was not synced dies with the process.
//!
//! A file that was made but whose folder was not synced yet lives in memory as a whole; syncing it
//! alone does not save it, as POSIX allows. Making a folder, and locks, go straight through.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::disk::{Disk, DiskFile, DiskLock, OpenMode};
use super::extents::Extents;
use super::platter::MemoryFile;

/// How much a power loss tears at once: a disk writes whole sectors.
const SECTOR: usize = 512;

/// Keeps unsynced bytes and names in memory, over another disk. Clones share one cache.
#[derive(Clone, Debug)]
pub struct VolatileDisk {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    under: Arc<dyn Disk>,
    names: Mutex<Names>,
}

/// What the names are now, where that may differ from the disk underneath.
#[derive(Debug, Default)]
struct Names {
    /// The file of each name that was ever touched; none: the name is gone.
    current: BTreeMap<PathBuf, Option<Arc<CachedFile>>>,
    /// What the disk underneath has not been told, in order.
    pending: Vec<NameChange>,
}

#[derive(Debug)]
enum NameChange {
    Make(PathBuf, Arc<CachedFile>),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

impl NameChange {
    fn path(&self) -> &Path {
        match self {
            NameChange::Make(path, _) | NameChange::Rename(path, _) | NameChange::Remove(path) => path,
        }
    }

    fn apply(&self, under: &dyn Disk) -> io::Result<()> {
        match self {
            NameChange::Make(path, file) => file.move_to(under.open(path, OpenMode::New)?),
            NameChange::Rename(from, to) => under.rename(from, to),
            NameChange::Remove(path) => under.remove(path),
        }
    }
}

impl VolatileDisk {
    /// An empty cache over `under`.
    pub fn new(under: Arc<dyn Disk>) -> Self {
        VolatileDisk { inner: Arc::new(Inner { under, names: Mutex::default() }) }
    }

    /// A power loss that `keep` lets parts of the cache survive: asked for each sector, and for each
    /// change of a name until it says no.
    pub(super) fn spill(&self, keep: &mut dyn FnMut() -> bool) -> io::Result<()> {
        let names = self.inner.names.lock();
        for change in &names.pending {
            if !keep() {
                break;
            }
            change.apply(&*self.inner.under)?;
        }
        for file in names.current.values().flatten() {
            file.spill(keep)?;
        }
        Ok(())
    }
}

impl Inner {
    fn find(&self, names: &mut Names, path: &Path) -> io::Result<Arc<CachedFile>> {
        match names.current.get(path) {
            Some(Some(file)) => Ok(Arc::clone(file)),
            Some(None) => Err(io::ErrorKind::NotFound.into()),
            None => {
                let file = Arc::new(CachedFile::over(self.under.open(path, OpenMode::Existing)?)?);
                names.current.insert(path.to_owned(), Some(Arc::clone(&file)));
                Ok(file)
            }
        }
    }
}

impl Disk for VolatileDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let mut names = self.inner.names.lock();
        match (self.inner.find(&mut names, path), mode) {
            (Ok(_), OpenMode::New) => Err(io::ErrorKind::AlreadyExists.into()),
            (Err(error), OpenMode::New | OpenMode::Create) if error.kind() == io::ErrorKind::NotFound => {
                let file = Arc::new(CachedFile::over(Arc::new(MemoryFile::default()))?);
                names.current.insert(path.to_owned(), Some(Arc::clone(&file)));
                names.pending.push(NameChange::Make(path.to_owned(), Arc::clone(&file)));
                Ok(file)
            }
            (found, _) => Ok(found?),
        }
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.inner.under.create_dir(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut found: BTreeSet<String> = self.inner.under.list(path)?.into_iter().collect();
        for (name, file) in &self.inner.names.lock().current {
            if name.parent() == Some(path)
                && let Some(last) = name.file_name()
            {
                let last = last.to_string_lossy().into_owned();
                if file.is_some() {
                    found.insert(last)
                } else {
                    found.remove(&last)
                };
            }
        }
        Ok(found.into_iter().collect())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        if from.parent() != to.parent() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "rename leads into another folder"));
        }
        let mut names = self.inner.names.lock();
        let file = self.inner.find(&mut names, from)?;
        names.current.insert(from.to_owned(), None);
        names.current.insert(to.to_owned(), Some(file));
        names.pending.push(NameChange::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut names = self.inner.names.lock();
        self.inner.find(&mut names, path)?;
        names.current.insert(path.to_owned(), None);
        names.pending.push(NameChange::Remove(path.to_owned()));
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut names = self.inner.names.lock();
        while let Some(at) = names.pending.iter().position(|change| change.path().parent() == Some(path)) {
            names.pending[at].apply(&*self.inner.under)?;
            names.pending.remove(at);
        }
        self.inner.under.sync_dir(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        self.inner.under.lock(path)
    }
}

/// A file of which some bytes are only in memory.
#[derive(Debug)]
struct CachedFile {
    state: Mutex<FileState>,
}

#[derive(Debug)]
struct FileState {
    /// What a sync writes to: the file underneath, or, while the name is not durable, memory.
    base: Arc<dyn DiskFile>,
    /// The part of `base` that still counts: it shrinks when the file is cut, until the next sync.
    base_len: u64,
    written: Extents,
    len: u64,
}

impl CachedFile {
    fn over(base: Arc<dyn DiskFile>) -> io::Result<Self> {
        let len = base.len()?;
        Ok(CachedFile {
            state: Mutex::new(FileState { base, base_len: len, written: Extents::default(), len }),
        })
    }

    /// Makes `target`, empty, the file's base: it gets what was synced so far.
    fn move_to(&self, target: Arc<dyn DiskFile>) -> io::Result<()> {
        let mut state = self.state.lock();
        let mut synced = vec![0; usize::try_from(state.base.len()?).map_err(io::Error::other)?];
        state.base.read_at(0, &mut synced)?;
        target.write_at(0, &synced)?;
        target.sync()?;
        state.base = target;
        Ok(())
    }

    fn spill(&self, keep: &mut dyn FnMut() -> bool) -> io::Result<()> {
        let state = self.state.lock();
        if state.base_len < state.base.len()? && keep() {
            state.base.set_len(state.base_len)?;
        }
        for (start, part) in state.written.iter() {
            for (number, sector) in part.chunks(SECTOR).enumerate() {
                if keep() {
                    state.base.write_at(start + (number * SECTOR) as u64, sector)?;
                }
            }
        }
        Ok(())
    }
}

impl DiskFile for CachedFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state.lock().len)
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state.lock();
        if offset + out.len() as u64 > state.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let below = state.base_len.saturating_sub(offset).min(out.len() as u64) as usize;
        let (old, new) = out.split_at_mut(below);
        if !old.is_empty() {
            state.base.read_at(offset, old)?;
        }
        new.fill(0);
        state.written.overlay(offset, out);
        Ok(())
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state.lock();
        state.written.write(offset, data);
        state.len = state.len.max(offset + data.len() as u64);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state.lock();
        state.written.truncate(len);
        state.base_len = state.base_len.min(len);
        state.len = len;
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        if state.base_len < state.base.len()? {
            state.base.set_len(state.base_len)?;
        }
        for (start, part) in state.written.iter() {
            state.base.write_at(start, part)?;
        }
        if state.base.len()? != state.len {
            state.base.set_len(state.len)?;
        }
        state.base.sync()?;
        state.written.clear();
        state.base_len = state.len;
        Ok(())
    }
}
