//! The write-ahead log of a node: one stream of records for all its replica groups.
//!
//! Every group appends to the same segment files, so that one fsync serves whatever all groups have
//! queued (group commit). A caller changes the group's state in memory and queues a record, in one
//! step under one lock; a flush job takes everything queued, writes it, syncs once, and tells the
//! callers. While a flush runs, the next batch gathers: no timers, no batch sizes to tune. The job
//! ends when nothing is queued and is started by the next caller.
//!
//! A segment that has reached its size is synced and followed by a new one, which begins with the
//! state of every group (vote, committed, purged) and with the entries of those that have few, or that
//! hold on to an old segment. A segment goes when every group has purged, or carried along, what it
//! holds, so that one group at rest does not keep all.
//!
//! What the log must never do: report something durable before the sync that made it so; go on after a
//! failed write or sync (what the disk holds is then unknown, so the log is *poisoned* and every later
//! call fails until the node restarts); cut off what had been durable.

mod group;
mod record;
mod replay;
mod segment;
mod writer;

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;

use self::group::GroupLog;
use self::record::Record;
use self::writer::{Batch, Heads, Writer};
use super::{EngineError, GroupId};
use crate::world::{Disk, Spawn};

/// With the planted bug `no-fsync`: one batch in so many reaches the disk.
const WRITE_BACK: u64 = 512;

/// Called once with the outcome when a step is durable, or certainly will not be. May run on any
/// thread and must not block.
pub type Flushed = Box<dyn FnOnce(io::Result<()>) + Send + 'static>;

/// How the log is kept.
#[derive(Clone, Debug)]
pub struct WalOptions {
    /// A segment that has reached this many bytes is followed by a new one.
    pub segment_bytes: u32,
    /// A group whose entries take at most this many bytes carries them into each new segment.
    pub carry_bytes: usize,
    /// Planted bug `no-fsync`: steps are acknowledged when written; a sync happens only for a vote, when
    /// a segment ends, at a checkpoint, and now and then as an operating system writes its cache back.
    pub no_fsync: bool,
}

impl Default for WalOptions {
    fn default() -> Self {
        WalOptions { segment_bytes: 16 << 20, carry_bytes: 64 << 10, no_fsync: false }
    }
}

/// What the log of one group holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogBounds {
    /// Index and encoded log id of the last purged entry.
    pub purged: Option<(u64, Bytes)>,
    /// The indexes of the entries.
    pub entries: Range<u64>,
    /// The last entry, encoded.
    pub last: Option<Bytes>,
}

/// The write-ahead log of a node. Clones share it.
#[derive(Clone)]
pub struct Wal {
    inner: Arc<Inner>,
}

struct Inner {
    options: WalOptions,
    /// How many batches were flushed.
    flushes: AtomicU64,
    spawn: Arc<dyn Spawn>,
    shared: Mutex<Shared>,
    /// Used by the one flush job that runs at a time.
    writer: Mutex<Writer>,
}

#[derive(Default)]
struct Shared {
    groups: BTreeMap<GroupId, GroupLog>,
    queue: Batch,
    flushing: bool,
    /// Why nothing more can be logged.
    poisoned: Option<String>,
}

impl std::fmt::Debug for Wal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Wal").field("options", &self.inner.options).finish_non_exhaustive()
    }
}

impl Wal {
    /// Opens the log in the folder of `disk`: replays what is there, cuts a torn tail, and is ready to
    /// append.
    ///
    /// # Errors
    /// The segments are damaged, of a newer version, or the system refuses.
    pub fn open(
        disk: Arc<dyn Disk>,
        spawn: Arc<dyn Spawn>,
        options: WalOptions,
    ) -> Result<Self, EngineError> {
        disk.create_dir(Path::new(segment::FOLDER)).map_err(EngineError::io("create", segment::FOLDER))?;
        let replayed = replay::replay(&*disk)?;
        let writer = Writer::open(disk, &replayed)?;
        let shared = Mutex::new(Shared { groups: replayed.groups, ..Shared::default() });
        Ok(Wal {
            inner: Arc::new(Inner {
                options,
                flushes: AtomicU64::new(0),
                spawn,
                shared,
                writer: Mutex::new(writer),
            }),
        })
    }

    /// Whether there is a log in the folder of `disk`.
    pub(super) fn exists(disk: &dyn Disk) -> Result<bool, EngineError> {
        disk.create_dir(Path::new(segment::FOLDER)).map_err(EngineError::io("create", segment::FOLDER))?;
        Ok(!segment::list(disk)?.is_empty())
    }

    /// The log of one group; it is empty when the group is new.
    pub fn group(&self, group: GroupId) -> GroupWal {
        self.inner.shared.lock().groups.entry(group).or_default();
        GroupWal { wal: self.clone(), group }
    }

    /// Syncs everything queued so far to the disk, also when the planted bug is on.
    pub fn sync(&self, done: Flushed) {
        let change = |shared: &mut Shared| {
            shared.queue.must_sync = true;
            Ok(())
        };
        self.enqueue(change, done);
    }

    /// Changes state and queue under the lock and sees to it that a flush follows.
    fn enqueue(&self, change: impl FnOnce(&mut Shared) -> io::Result<()>, done: Flushed) {
        let mut shared = self.inner.shared.lock();
        let outcome = match &shared.poisoned {
            Some(why) => Err(io::Error::other(why.clone())),
            None => change(&mut shared),
        };
        if let Err(error) = outcome {
            drop(shared);
            done(Err(error));
            return;
        }
        shared.queue.done.push(done);
        let start = !std::mem::replace(&mut shared.flushing, true);
        drop(shared);
        if start {
            let wal = self.clone();
            self.inner.spawn.blocking(Box::new(move || wal.flush()));
        }
    }

    /// Writes batch after batch until nothing is queued.
    fn flush(&self) {
        let mut writer = self.inner.writer.lock();
        while let Some((batch, heads)) = self.next_batch(&writer) {
            let Batch { records, done, must_sync } = batch;
            let written_back =
                self.inner.flushes.fetch_add(1, Ordering::Relaxed) % WRITE_BACK == WRITE_BACK - 1;
            let sync = must_sync || written_back || !self.inner.options.no_fsync;
            let outcome = writer.write(&records, sync, heads);
            if let Err(error) = &outcome {
                let why = format!("the write-ahead log failed and takes nothing more: {error}");
                tracing::error!("{why}");
                self.inner.shared.lock().poisoned = Some(why);
            }
            for done in done {
                done(
                    outcome
                        .as_ref()
                        .copied()
                        .map_err(|error| io::Error::new(error.kind(), error.to_string())),
                );
            }
        }
    }

    /// Takes what is queued, and, if the segment is full with it, the state of all groups right behind
    /// it. None, and the flush job ends, when nothing is queued.
    fn next_batch(&self, writer: &Writer) -> Option<(Batch, Heads)> {
        let mut shared = self.inner.shared.lock();
        let shared = &mut *shared;
        if shared.queue.is_empty() {
            shared.flushing = false;
            return None;
        }
        let mut batch = std::mem::take(&mut shared.queue);
        for (&group, log) in &mut shared.groups {
            if std::mem::take(&mut log.committed_waits) {
                batch.records.extend(log.committed.clone().map(|bytes| (group, Record::Committed(bytes))));
            }
        }
        let size: usize = batch.records.iter().map(|(_, record)| record.size()).sum();
        let full = writer.length() + size >= self.inner.options.segment_bytes as usize;
        let heads = full.then(|| {
            let few = |log: &GroupLog| log.bytes() <= self.inner.options.carry_bytes;
            let heads = |(&group, log): (&GroupId, &GroupLog)| {
                (group, log.heads(few(log) || writer.is_behind(group)))
            };
            shared.groups.iter().map(heads).collect()
        });
        Some((batch, heads))
    }
}

/// The log of one group. Clones share it.
#[derive(Clone, Debug)]
pub struct GroupWal {
    wal: Wal,
    group: GroupId,
}

impl GroupWal {
    /// The group's id.
    pub fn group(&self) -> GroupId {
        self.group
    }

    /// Saves the vote; `done` hears when it is durable.
    pub fn save_vote(&self, vote: Bytes, done: Flushed) {
        self.step([Record::Vote(vote)], done);
    }

    /// Appends encoded entries from index `first` on; they are readable when this returns, and `done`
    /// hears when they are durable. Fails, with nothing appended, when `first` does not follow.
    pub fn append(&self, first: u64, entries: Vec<Bytes>, done: Flushed) {
        self.step((first..).zip(entries).map(|(index, body)| Record::Entry { index, body }), done);
    }

    /// Removes the entries from index `next` on; `done` hears when that is durable.
    pub fn truncate(&self, next: u64, done: Flushed) {
        self.step([Record::Truncate { next }], done);
    }

    /// Forgets the entries up to and including `through`, the log id of which is `log_id`; its segments
    /// go when all groups allow it. What was purged must already be durable elsewhere.
    pub fn purge(&self, through: u64, log_id: Bytes, done: Flushed) {
        self.step([Record::Purge { through, log_id }], done);
    }

    /// Notes what is committed. It goes to disk with whatever is flushed next, and is not waited for.
    ///
    /// With the planted bug nothing is noted: what a quorum had may be on no disk but this one.
    pub fn save_committed(&self, committed: Bytes) {
        if self.wal.inner.options.no_fsync {
            return;
        }
        self.with(|log| {
            log.committed = Some(committed);
            log.committed_waits = true;
        });
    }

    /// The vote that was saved last.
    pub fn vote(&self) -> Option<Bytes> {
        self.with(|log| log.vote.clone())
    }

    /// What was noted as committed last.
    pub fn committed(&self) -> Option<Bytes> {
        self.with(|log| log.committed.clone())
    }

    /// What the log holds.
    pub fn bounds(&self) -> LogBounds {
        self.with(|log| LogBounds {
            purged: log.purged.clone(),
            entries: log.range(),
            last: log.last().cloned(),
        })
    }

    /// The entries of `range` that there are, in order and without holes, as one look at the log; not
    /// more than `bytes` of them, but one at least.
    pub fn read(&self, range: Range<u64>, bytes: usize) -> Vec<(u64, Bytes)> {
        self.with(|log| {
            let mut room = bytes;
            let fits = |(at, (_, body)): &(usize, (u64, &Bytes))| {
                let fits = *at == 0 || body.len() <= room;
                room = room.saturating_sub(body.len());
                fits
            };
            let entries = log.entries(range).enumerate().take_while(fits);
            entries.map(|(_, (index, body))| (index, body.clone())).collect()
        })
    }

    fn with<T>(&self, look: impl FnOnce(&mut GroupLog) -> T) -> T {
        look(self.wal.inner.shared.lock().groups.entry(self.group).or_default())
    }

    fn step(&self, records: impl IntoIterator<Item = Record>, done: Flushed) {
        let change = |shared: &mut Shared| {
            let log = shared.groups.entry(self.group).or_default();
            for record in records {
                log.take(&record)?;
                // Votes are synced with the planted bug too: two votes in a term would be another bug.
                shared.queue.must_sync |= matches!(record, Record::Vote(_));
                shared.queue.records.push((self.group, record));
            }
            Ok(())
        };
        self.wal.enqueue(change, done);
    }
}
