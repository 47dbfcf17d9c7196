//! The clock page: 64 bytes in a file, written by a nemesis, that say how a node's clock is wrong.
//!
//! Layout, little endian: `[0]` u64 magic and version, `[8]` u64 sequence (odd while the page is being
//! written), `[16]` i64 wall-clock offset in ns, `[24]` i64 drift in parts per million, `[32]` u64
//! anchor (the host's CLOCK_MONOTONIC in ns), `[40]` i64 gain at the anchor in ns, the rest zero.
//! The gain is what drift has added to the clock so far: `gain(t) = gain + (t - anchor) * ppm / 10^6`,
//! so a writer who changes the drift carries the gain forward and monotonic time never jumps.
//!
//! Reading is a sequence lock over `pread`: the sequence is read before and after, and must be even and
//! the same.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Magic and version of the page.
const MAGIC: u64 = 0x0001_6b6c_6177_6f72;
const LENGTH: usize = 64;
/// How often a reader that meets a writer tries again before it gives up.
const ATTEMPTS: usize = 10_000;

/// Why a clock page could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ClockPageError {
    /// The file cannot be opened or read.
    #[error("cannot read the clock page {path}: {source}; check the path and its permissions")]
    Io {
        /// The page's file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is no clock page of this version.
    #[error("{path} is not a clock page of this version (its first word is {found:#018x})")]
    Magic {
        /// The page's file.
        path: PathBuf,
        /// The first word of the file.
        found: u64,
    },
    /// A writer began to change the page and did not end.
    #[error("the clock page {path} stays half written; its writer may have died")]
    Torn {
        /// The page's file.
        path: PathBuf,
    },
}

/// What the page says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClockPage {
    /// Added to the wall clock, in ns.
    pub offset_ns: i64,
    /// How much faster than the host's the node's clock runs, in parts per million.
    pub drift_ppm: i64,
    /// The host's CLOCK_MONOTONIC in ns at which the drift began.
    pub anchor_ns: u64,
    /// What drift had added up to the anchor, in ns.
    pub gain_ns: i64,
}

impl ClockPage {
    /// What drift has added to the node's clock at the host's monotonic time `host` (ns).
    pub fn gain_at(&self, host: u64) -> i64 {
        let elapsed = i128::from(host) - i128::from(self.anchor_ns);
        let gain = i128::from(self.gain_ns) + elapsed * i128::from(self.drift_ppm) / 1_000_000;
        i64::try_from(gain).unwrap_or(if gain < 0 { i64::MIN } else { i64::MAX })
    }

    /// How long the host must wait for `node` of the node's time to pass. Rounded up; a clock that
    /// (nearly) stands still counts as one that runs at a hundredth of its speed.
    pub fn host_duration(&self, node: Duration) -> Duration {
        let rate = u128::from(self.drift_ppm.saturating_add(1_000_000).max(10_000).unsigned_abs());
        let host = (node.as_nanos() * 1_000_000).div_ceil(rate);
        Duration::from_nanos(u64::try_from(host).unwrap_or(u64::MAX))
    }
}

/// An open clock page.
#[derive(Debug)]
pub(super) struct PageFile {
    path: PathBuf,
    file: File,
}

impl PageFile {
    pub(super) fn open(path: &Path) -> Result<Self, ClockPageError> {
        let file = File::open(path).map_err(|source| ClockPageError::Io { path: path.to_owned(), source })?;
        Ok(PageFile { path: path.to_owned(), file })
    }

    /// One consistent reading.
    pub(super) fn read(&self) -> Result<ClockPage, ClockPageError> {
        let failed = |source| ClockPageError::Io { path: self.path.clone(), source };
        let mut bytes = [0u8; LENGTH];
        let mut again = [0u8; 8];
        for _ in 0..ATTEMPTS {
            self.file.read_exact_at(&mut bytes, 0).map_err(failed)?;
            self.file.read_exact_at(&mut again, 8).map_err(failed)?;
            let magic = word(&bytes, 0);
            if magic != MAGIC {
                return Err(ClockPageError::Magic { path: self.path.clone(), found: magic });
            }
            let sequence = word(&bytes, 8);
            if sequence.is_multiple_of(2) && sequence == u64::from_le_bytes(again) {
                return Ok(ClockPage {
                    offset_ns: word(&bytes, 16).cast_signed(),
                    drift_ppm: word(&bytes, 24).cast_signed(),
                    anchor_ns: word(&bytes, 32),
                    gain_ns: word(&bytes, 40).cast_signed(),
                });
            }
            std::hint::spin_loop();
        }
        Err(ClockPageError::Torn { path: self.path.clone() })
    }
}

fn word(bytes: &[u8; LENGTH], at: usize) -> u64 {
    let mut word = [0u8; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}
