//! A disk in memory that loses power where a test says.
//!
//! It is the [`VolatileDisk`] over memory, with a counter of steps (each write, sync and change of a
//! name is one). A test lets a workload run once to learn how many steps it takes, then again with a
//! crash at each of them. After the crash every call fails, also those that destructors make, so that
//! nothing can be flushed by dying politely; [`SimDisk::restart`] gives the disk that a new process
//! would find.

use std::io;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::disk::{Disk, DiskFile, DiskLock, OpenMode};
use super::platter::Platter;
use super::volatile_disk::VolatileDisk;

/// What survives of unsynced bytes and names when the power goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// Nothing.
    Clean,
    /// Some sectors of 512 bytes, in no order, and a prefix of the name changes, chosen by the seed.
    Torn(u64),
}

/// A simulated disk. Clones share one.
#[derive(Clone, Debug)]
pub struct SimDisk {
    life: Arc<Life>,
}

/// The disk between two crashes.
#[derive(Debug)]
struct Life {
    platter: Platter,
    cache: VolatileDisk,
    power: Mutex<Power>,
}

#[derive(Debug, Default)]
struct Power {
    steps: u64,
    crash_at: Option<u64>,
    off: bool,
    syncs_fail: bool,
}

impl SimDisk {
    /// An empty disk.
    pub fn new() -> Self {
        SimDisk::over(Platter::default())
    }

    fn over(platter: Platter) -> Self {
        let cache = VolatileDisk::new(Arc::new(platter.clone()));
        SimDisk { life: Arc::new(Life { platter, cache, power: Mutex::default() }) }
    }

    /// How many steps were taken since the disk was made or restarted.
    pub fn steps(&self) -> u64 {
        self.life.power.lock().steps
    }

    /// Lets the power go instead of step number `step`, counted from 0.
    pub fn crash_at(&self, step: u64) {
        self.life.power.lock().crash_at = Some(step);
    }

    /// From now on every sync fails (or, with `false`, works again).
    pub fn fail_syncs(&self, fail: bool) {
        self.life.power.lock().syncs_fail = fail;
    }

    /// Whether the power is off.
    pub fn is_off(&self) -> bool {
        self.life.power.lock().off
    }

    /// Switches the power off (if it is not) and gives the disk that is found when it is back.
    ///
    /// # Panics
    /// Never in practice: the memory underneath refuses nothing.
    pub fn restart(&self, crash: Crash) -> SimDisk {
        self.life.power.lock().off = true;
        if let Crash::Torn(seed) = crash {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let spilled = self.life.cache.spill(&mut || rng.random());
            assert!(spilled.is_ok(), "memory refused a write: {spilled:?}");
        }
        SimDisk::over(self.life.platter.unlocked())
    }
}

impl Default for SimDisk {
    fn default() -> Self {
        SimDisk::new()
    }
}

impl Life {
    fn alive(&self) -> io::Result<()> {
        if self.power.lock().off { Err(io::Error::other("the disk has no power")) } else { Ok(()) }
    }

    /// Takes one step, at which the power may go.
    fn step(&self) -> io::Result<()> {
        {
            let mut power = self.power.lock();
            power.off |= power.crash_at == Some(power.steps);
            power.steps += 1;
        }
        self.alive()
    }

    fn sync_step(&self) -> io::Result<()> {
        self.step()?;
        if self.power.lock().syncs_fail { Err(io::Error::other("the sync failed")) } else { Ok(()) }
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        if mode == OpenMode::Existing { self.life.alive() } else { self.life.step() }?;
        let file = self.life.cache.open(path, mode)?;
        Ok(Arc::new(SimFile { life: Arc::clone(&self.life), file }))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.life.step()?;
        self.life.cache.create_dir(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.life.alive()?;
        self.life.cache.list(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.life.step()?;
        self.life.cache.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.life.step()?;
        self.life.cache.remove(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.life.sync_step()?;
        self.life.cache.sync_dir(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        self.life.alive()?;
        self.life.cache.lock(path)
    }
}

#[derive(Debug)]
struct SimFile {
    life: Arc<Life>,
    file: Arc<dyn DiskFile>,
}

impl DiskFile for SimFile {
    fn len(&self) -> io::Result<u64> {
        self.life.alive()?;
        self.file.len()
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.life.alive()?;
        self.file.read_at(offset, out)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.life.step()?;
        self.file.write_at(offset, data)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.life.step()?;
        self.file.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.life.sync_step()?;
        self.file.sync()
    }
}
