//! The page that a nemesis writes and a node reads: how the node's clock differs from the host's.
//!
//! A file of 64 bytes, little endian:
//!
//! | at | type | what |
//! |---|---|---|
//! | 0 | u64 | magic and version: [`MAGIC`] |
//! | 8 | u64 | sequence number, odd while the page is being written |
//! | 16 | i64 | `offset_ns`: added to the wall clock |
//! | 24 | i64 | `drift_ppm`: how much faster than the host's the node's clocks run, in parts per million |
//! | 32 | u64 | `anchor_ns`: the host's `CLOCK_MONOTONIC` when this drift began |
//! | 40 | i64 | `gain_ns`: what all drift before had gained at the anchor |
//! | 48 | | zero |
//!
//! With `gain(t) = gain_ns + (t - anchor_ns) * drift_ppm / 1_000_000` (the division truncates towards zero),
//! a node's monotonic time is the host's plus `gain`, and its wall-clock time the host's plus `gain` plus
//! `offset_ns`.
//!
//! So drift bends both clocks, and a jump moves only the wall clock. Monotonic time must never jump, not even
//! when the drift changes or ends: the writer carries the gain over to each new anchor. At the heal the gain
//! stays in the monotonic clock, and the offset takes it out of the wall clock.
//!
//! The page is a sequence lock: a reader reads the sequence number, the page and the sequence number again,
//! and starts over if they differ or are odd.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use nix::time::{ClockId, clock_gettime};
use parking_lot::Mutex;

use super::WallClockReport;
use crate::cluster::{ClockSetting, Clocks, ClusterError, NodeName};

/// The first word of every page: which file this is, and which version of its format.
pub const MAGIC: u64 = 0x0001_6b6c_6177_6f72;

/// The length of a page in bytes.
const LENGTH: usize = 64;
/// Where the sequence number stands.
const SEQUENCE_AT: usize = 8;

/// What a page says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Page {
    offset_ns: i64,
    drift_ppm: i64,
    anchor_ns: u64,
    gain_ns: i64,
}

impl Page {
    /// What drift has gained at this host time.
    fn gain_at(self, host_ns: u64) -> i64 {
        let elapsed = i128::from(host_ns) - i128::from(self.anchor_ns);
        let gain = i128::from(self.gain_ns) + elapsed * i128::from(self.drift_ppm) / 1_000_000;
        i64::try_from(gain).unwrap_or(if gain < 0 { i64::MIN } else { i64::MAX })
    }

    fn bytes(self, sequence: u64) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        let words = [
            MAGIC,
            sequence,
            self.offset_ns.cast_unsigned(),
            self.drift_ppm.cast_unsigned(),
            self.anchor_ns,
            self.gain_ns.cast_unsigned(),
        ];
        for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }
}

/// Writes one node's page.
#[derive(Debug)]
struct Writer {
    file: File,
    sequence: u64,
    page: Page,
    /// Added to every offset: takes out of the wall clock what drift had gained up to the last heal.
    base_ns: i64,
}

impl Writer {
    fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        file.set_len(LENGTH as u64)?;
        let mut writer = Self { file, sequence: 0, page: Page::default(), base_ns: 0 };
        writer.write(Page::default())?;
        Ok(writer)
    }

    /// Brings a setting into force at this host time.
    fn set(&mut self, setting: ClockSetting, host_ns: u64) -> io::Result<()> {
        let gain_ns = self.page.gain_at(host_ns);
        let base_ns =
            if setting == ClockSetting::default() { gain_ns.saturating_neg() } else { self.base_ns };
        self.write(Page {
            offset_ns: base_ns.saturating_add(setting.offset_ns),
            drift_ppm: setting.drift_ppm,
            anchor_ns: host_ns,
            gain_ns,
        })?;
        self.base_ns = base_ns;
        Ok(())
    }

    fn write(&mut self, page: Page) -> io::Result<()> {
        let odd = self.sequence + 1;
        self.file.write_all_at(&odd.to_le_bytes(), SEQUENCE_AT as u64)?;
        self.file.write_all_at(&page.bytes(odd), 0)?;
        self.file.write_all_at(&(odd + 1).to_le_bytes(), SEQUENCE_AT as u64)?;
        self.sequence = odd + 1;
        self.page = page;
        Ok(())
    }
}

/// Clocks of nodes that read a page.
pub struct ClockPages {
    writers: BTreeMap<NodeName, Mutex<Writer>>,
    report: WallClockReport,
}

impl std::fmt::Debug for ClockPages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClockPages").field("writers", &self.writers).finish_non_exhaustive()
    }
}

impl ClockPages {
    /// Writes the page of each node afresh, with the host's own time. Do so before the nodes start.
    ///
    /// # Errors
    /// When a page could not be written.
    pub fn create(pages: BTreeMap<NodeName, PathBuf>, report: WallClockReport) -> Result<Self, ClusterError> {
        let mut writers = BTreeMap::new();
        for (node, path) in pages {
            let writer = Writer::create(&path).map_err(|e| ClusterError {
                action: "create the clock page of",
                node: node.clone(),
                reason: format!("{}: {e}", path.display()),
            })?;
            writers.insert(node, Mutex::new(writer));
        }
        Ok(Self { writers, report })
    }
}

#[async_trait]
impl Clocks for ClockPages {
    async fn set(&self, node: &str, setting: ClockSetting) -> Result<(), ClusterError> {
        let failed =
            |reason: String| ClusterError { action: "set the clock of", node: node.to_owned(), reason };
        let writer = self.writers.get(node).ok_or_else(|| failed("it has no clock page".to_owned()))?;
        let mut writer = writer.lock();
        monotonic_ns().and_then(|now| writer.set(setting, now)).map_err(|e| failed(e.to_string()))
    }

    async fn reported_offset_ns(&self, node: &str) -> Result<i64, ClusterError> {
        let before = host_wall_ns();
        let reported = (self.report)(node.to_owned()).await.map_err(|reason| ClusterError {
            action: "ask the clock of",
            node: node.to_owned(),
            reason,
        })?;
        // The node looked at its clock somewhere between the two: half the time is the likeliest, and the
        // most that it can be wrong by.
        let host = before + (host_wall_ns() - before) / 2;
        Ok(i64::try_from(i128::from(reported) - host).unwrap_or(i64::MAX))
    }
}

/// The host's monotonic time in nanoseconds, the one that nodes read too.
fn monotonic_ns() -> io::Result<u64> {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC)?;
    let nanoseconds = i128::from(now.tv_sec()) * 1_000_000_000 + i128::from(now.tv_nsec());
    u64::try_from(nanoseconds).map_err(io::Error::other)
}

/// The host's wall-clock time in nanoseconds since 1970.
fn host_wall_ns() -> i128 {
    let nanoseconds = |d: std::time::Duration| i128::try_from(d.as_nanos()).unwrap_or(i128::MAX);
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => nanoseconds(after),
        Err(before) => -nanoseconds(before.duration()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn writer() -> (tempfile::TempDir, PathBuf, Writer) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clock");
        let writer = Writer::create(&path).unwrap();
        (folder, path, writer)
    }

    /// A reader that knows nothing but the format: sequence number and words.
    fn read(path: &Path) -> (u64, Page) {
        let bytes = std::fs::read(path).unwrap();
        let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        assert_eq!((bytes.len(), word(0), word(48), word(56)), (64, 0x0001_6b6c_6177_6f72, 0, 0));
        let page = Page {
            offset_ns: word(16).cast_signed(),
            drift_ppm: word(24).cast_signed(),
            anchor_ns: word(32),
            gain_ns: word(40).cast_signed(),
        };
        (word(8), page)
    }

    /// Monotonic and wall-clock time of a node that reads the page at this host time, each less the host's.
    fn clocks(path: &Path, host_ns: u64) -> (i64, i64) {
        let page = read(path).1;
        (page.gain_at(host_ns), page.gain_at(host_ns) + page.offset_ns)
    }

    fn drift(drift_ppm: i64) -> ClockSetting {
        ClockSetting { offset_ns: 0, drift_ppm }
    }

    #[test]
    fn a_fresh_page_is_the_hosts_clock_and_replaces_an_old_one() {
        let (_folder, path, mut writer) = writer();
        assert_eq!(read(&path), (2, Page::default()));
        writer.set(ClockSetting { offset_ns: 5, drift_ppm: 7 }, SECOND).unwrap();
        Writer::create(&path).unwrap();
        assert_eq!(clocks(&path, 9 * SECOND), (0, 0));
    }

    #[test]
    fn a_jump_moves_the_wall_clock_only() {
        let (_folder, path, mut writer) = writer();
        writer.set(ClockSetting { offset_ns: -30, drift_ppm: 0 }, SECOND).unwrap();
        assert_eq!(clocks(&path, 2 * SECOND), (0, -30));
        writer.set(ClockSetting::default(), 3 * SECOND).unwrap();
        assert_eq!(clocks(&path, 4 * SECOND), (0, 0));
    }

    #[test]
    fn drift_bends_both_clocks_and_changes_without_a_jump() {
        let (_folder, path, mut writer) = writer();
        writer.set(drift(50_000), 10 * SECOND).unwrap();
        assert_eq!(clocks(&path, 12 * SECOND), (100_000_000, 100_000_000));
        writer.set(drift(-20_000), 12 * SECOND).unwrap();
        assert_eq!(clocks(&path, 12 * SECOND), (100_000_000, 100_000_000));
        assert_eq!(clocks(&path, 13 * SECOND), (80_000_000, 80_000_000));
        writer.set(ClockSetting { offset_ns: 7, drift_ppm: 0 }, 13 * SECOND).unwrap();
        assert_eq!(clocks(&path, 20 * SECOND), (80_000_000, 80_000_007));
    }

    #[test]
    fn after_the_heal_the_wall_clock_is_right_and_the_monotonic_clock_never_went_back() {
        let (_folder, path, mut writer) = writer();
        writer.set(drift(50_000), 0).unwrap();
        writer.set(ClockSetting::default(), 2 * SECOND).unwrap();
        assert_eq!(clocks(&path, 2 * SECOND), (100_000_000, 0));
        assert_eq!(clocks(&path, 5 * SECOND), (100_000_000, 0));
        // The next fault counts from the healed clock.
        writer.set(ClockSetting { offset_ns: 9, drift_ppm: 0 }, 6 * SECOND).unwrap();
        assert_eq!(clocks(&path, 7 * SECOND), (100_000_000, 9));
        writer.set(drift(-50_000), 7 * SECOND).unwrap();
        assert_eq!(clocks(&path, 8 * SECOND), (50_000_000, -50_000_000));
        writer.set(ClockSetting::default(), 8 * SECOND).unwrap();
        assert_eq!(clocks(&path, 9 * SECOND), (50_000_000, 0));
    }

    #[test]
    fn a_reader_that_respects_the_sequence_never_sees_half_a_page() {
        let (_folder, path, mut writer) = writer();
        let done = Arc::new(AtomicBool::new(false));
        let reader = std::thread::spawn({
            let (path, done) = (path.clone(), Arc::clone(&done));
            move || {
                let file = File::open(&path).unwrap();
                let mut whole = 0;
                while !done.load(Ordering::Relaxed) || whole == 0 {
                    let (mut bytes, mut again) = ([0; LENGTH], [0; 8]);
                    file.read_exact_at(&mut bytes, 0).unwrap();
                    file.read_exact_at(&mut again, 8).unwrap();
                    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
                    if word(8) % 2 == 0 && word(8) == u64::from_le_bytes(again) {
                        assert_eq!(word(16), word(24), "half a page");
                        whole += 1;
                    }
                }
            }
        });
        for i in 0..20_000 {
            let page = Page { offset_ns: i, drift_ppm: i, anchor_ns: 0, gain_ns: 0 };
            writer.write(page).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    }

    #[tokio::test]
    async fn the_reported_offset_is_what_the_node_says_against_the_host() {
        let (folder, _, _) = writer();
        let pages = BTreeMap::from([("n1".to_owned(), folder.path().join("n1"))]);
        let report: WallClockReport = Arc::new(|node| {
            Box::pin(async move {
                if node != "n1" {
                    return Err("connection refused".to_owned());
                }
                Ok(i64::try_from(host_wall_ns()).unwrap() - 40_000_000_000)
            })
        });
        let clocks = ClockPages::create(pages, report).unwrap();
        let offset = clocks.reported_offset_ns("n1").await.unwrap();
        assert!((offset + 40_000_000_000).abs() < 1_000_000_000, "{offset}");
        let error = clocks.reported_offset_ns("n9").await.unwrap_err();
        assert_eq!(error.to_string(), "ask the clock of n9: connection refused");
        assert!(clocks.set("n9", ClockSetting::default()).await.is_err());
    }
}
