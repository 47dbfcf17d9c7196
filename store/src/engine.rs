//! A node's durable state: one write-ahead log and one set of tables for all its replica groups.
//!
//! The log is the truth: nothing is acknowledged before it is in it and synced. The tables are what
//! the log adds up to, made durable only now and then (a checkpoint), and brought up to date from the
//! log after a crash by whoever applies it. The two meet in two rules, kept here: a checkpoint first
//! syncs the log, so that the tables on disk are never ahead of it; and the log is purged only up to
//! what a checkpoint covers ([`Engine::purge`]).
//!
//! Everything in rows and entries is opaque bytes to the engine. What it must never do: open a folder
//! that another process uses, or start from bytes that a crash cannot explain.

mod error;
mod folder;
mod tables;
mod wal;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

pub use error::EngineError;
pub use tables::{Direction, GroupRead, GroupRows, GroupSnapshot, GroupWrite, KeyRange, Visit};
pub use wal::{Flushed, GroupWal, LogBounds, Wal, WalOptions};

use self::tables::Tables;
use crate::world::{Disk, DiskLock, Spawn};

/// The number of a replica group; the same on all nodes of a cluster.
pub type GroupId = u32;

/// The number of a table within a group.
pub type TableId = u64;

/// How the engine works.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// The log's own options, among them the planted bug `no-fsync`.
    pub wal: WalOptions,
    /// A checkpoint follows when this many bytes of rows were changed.
    pub checkpoint_bytes: usize,
    /// How much memory the tables may use for pages, in bytes.
    pub cache_bytes: usize,
}

impl Default for EngineOptions {
    fn default() -> Self {
        EngineOptions { wal: WalOptions::default(), checkpoint_bytes: 8 << 20, cache_bytes: 64 << 20 }
    }
}

/// A node's durable state. Clones share it; the folder is free again when the last one is gone.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    options: EngineOptions,
    spawn: Arc<dyn Spawn>,
    wal: Wal,
    tables: Tables,
    checkpointing: AtomicBool,
    /// Last, so that it outlives the files.
    _lock: Box<dyn DiskLock>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Engine").field("options", &self.inner.options).finish_non_exhaustive()
    }
}

impl Engine {
    /// Opens the data folder of `node`, or begins a new one in an empty folder.
    ///
    /// # Errors
    /// Another process uses the folder, another node or a newer version made it, it is damaged, or the
    /// system refuses.
    #[expect(clippy::needless_pass_by_value, reason = "the disk is given away, as the spawner is")]
    pub fn open(
        disk: Arc<dyn Disk>,
        spawn: Arc<dyn Spawn>,
        node: &str,
        options: EngineOptions,
    ) -> Result<Self, EngineError> {
        let lock = folder::take(&*disk, node)?;
        // The log is made before the tables, so tables without a log have lost it.
        if Tables::exist(&*disk)? && !Wal::exists(&*disk)? {
            let what = "the log's segments are missing".to_owned();
            return Err(EngineError::Damaged { file: "wal".into(), offset: 0, what });
        }
        let wal = Wal::open(Arc::clone(&disk), Arc::clone(&spawn), options.wal.clone())?;
        let tables = Tables::open(&*disk, Arc::clone(&spawn), options.cache_bytes)?;
        let checkpointing = AtomicBool::new(false);
        Ok(Engine { inner: Arc::new(Inner { options, spawn, wal, tables, checkpointing, _lock: lock }) })
    }

    /// The log of `group`.
    pub fn log(&self, group: GroupId) -> GroupWal {
        self.inner.wal.group(group)
    }

    /// A consistent look at the rows of `group`, as of the last finished [`write`](Engine::write).
    ///
    /// # Errors
    /// The table file cannot be read.
    pub fn read(&self, group: GroupId) -> Result<GroupRead, EngineError> {
        self.inner.tables.read(group)
    }

    /// Changes the rows of `group` in one step: all of `change` counts when it succeeds, nothing when it
    /// fails. A change should end with [`GroupWrite::set_applied`]. It is durable through the log, and
    /// in the tables from the next checkpoint on.
    ///
    /// # Errors
    /// `change` failed, or the table file cannot be changed.
    pub async fn write<T, E: From<EngineError>>(
        &self,
        group: GroupId,
        change: impl FnOnce(&mut GroupWrite<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let outcome = self.inner.tables.write(group, change).await?;
        if self.inner.tables.dirty_bytes() >= self.inner.options.checkpoint_bytes {
            self.checkpoint_soon();
        }
        Ok(outcome)
    }

    /// Makes all rows durable as they are now.
    ///
    /// # Errors
    /// The log or the table file cannot be synced.
    pub async fn checkpoint(&self) -> Result<(), EngineError> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        self.inner.wal.sync(Box::new(move |outcome| drop(sender.send(outcome))));
        let synced =
            receiver.await.unwrap_or_else(|_| Err(std::io::Error::other("the node is shutting down")));
        synced.map_err(EngineError::io("sync", "wal"))?;
        self.inner.tables.checkpoint().await
    }

    /// Starts a checkpoint beside the caller, unless one is on its way.
    fn checkpoint_soon(&self) {
        if self.inner.checkpointing.swap(true, Ordering::AcqRel) {
            return;
        }
        let engine = self.clone();
        self.inner.spawn.task(Box::pin(async move {
            let outcome = engine.checkpoint().await;
            engine.inner.checkpointing.store(false, Ordering::Release);
            if let Err(error) = outcome {
                tracing::error!(%error, "checkpoint failed");
            }
        }));
    }

    /// The last log index of `group` that a checkpoint covers.
    pub fn checkpointed(&self, group: GroupId) -> Option<u64> {
        self.inner.tables.durable_index(group)
    }

    /// Purges the log of `group` up to and including `through`, whose encoded log id is `log_id`. Takes
    /// a checkpoint first when the tables on disk do not cover that yet.
    ///
    /// # Errors
    /// The checkpoint failed, or not all these entries are applied; nothing is purged then.
    pub async fn purge(&self, group: GroupId, through: u64, log_id: Bytes) -> Result<(), EngineError> {
        if self.checkpointed(group) < Some(through) {
            self.checkpoint().await?;
        }
        let applied = self.checkpointed(group);
        if applied < Some(through) {
            return Err(EngineError::NotApplied { group, through, applied });
        }
        self.log(group).purge(through, log_id, Box::new(|_| ()));
        Ok(())
    }

    /// A snapshot of `group`, to be read chunk by chunk.
    ///
    /// # Errors
    /// The table file cannot be read.
    pub fn snapshot(&self, group: GroupId) -> Result<GroupSnapshot, EngineError> {
        self.inner.tables.snapshot(group)
    }

    /// Replaces all rows of `group` by those of a snapshot, given as all its chunks, durably and at once:
    /// after a crash either the old or the new state is there.
    ///
    /// # Errors
    /// The chunks are not a whole snapshot, or the table file cannot be changed; nothing has changed
    /// then.
    pub async fn install(&self, group: GroupId, chunks: Vec<Bytes>) -> Result<(), EngineError> {
        self.inner.tables.install(group, chunks).await
    }
}
