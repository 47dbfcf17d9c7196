//! The state of all replica groups of a node, as ordered rows in one redb database.
//!
//! A row is an item: group, table, encoded key, and opaque bytes. Beside the rows each group has named
//! metadata (catalogue entries, membership) and the position up to which its log is applied. A change
//! to a group is one transaction, the applied position included, so that a group is always exactly the
//! sum of its log up to there.
//!
//! Changes are committed without durability: the write-ahead log has them. A *checkpoint* makes all
//! that was committed durable with one sync; after a crash the tables are those of the last checkpoint
//! and the log brings them up to date. The log may therefore be purged only up to what a checkpoint
//! covers ([`Tables::durable_index`]).
//!
//! redb has one writer at a time. Writers wait for each other without blocking a thread; a checkpoint,
//! which waits for the disk, runs as a blocking job.

mod backend;
mod keys;
mod rows;
mod snapshot;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use tokio::sync::OwnedMutexGuard;

pub use self::rows::{Direction, GroupRead, GroupRows, GroupWrite, KeyRange, Visit};
pub use self::snapshot::GroupSnapshot;

use self::backend::Backend;
use super::{EngineError, GroupId};
use crate::world::{Disk, OpenMode, Spawn};

/// The table file, inside the data folder.
const FILE: &str = "tables.redb";
/// What it is called before it is whole.
const UNBORN: &str = "tables.unborn";

/// Items, by group, table and key.
const ITEMS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("items");
/// Metadata, by group and name.
const META: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("meta");
/// Index and encoded log id of the last applied entry, by group.
const APPLIED: TableDefinition<'static, GroupId, (u64, &[u8])> = TableDefinition::new("applied");

/// The tables of a node. Clones share them.
#[derive(Clone)]
pub(super) struct Tables {
    inner: Arc<Inner>,
}

struct Inner {
    database: Database,
    spawn: Arc<dyn Spawn>,
    writer: Arc<tokio::sync::Mutex<()>>,
    /// Of each group, the last index that a checkpoint covers.
    durable: Mutex<BTreeMap<GroupId, u64>>,
    /// Bytes changed since the last checkpoint.
    dirty: AtomicUsize,
}

/// For `map_err`: the table engine refused.
fn refused(error: impl Into<redb::Error>) -> EngineError {
    EngineError::Tables { file: FILE.into(), what: error.into().to_string() }
}

impl Tables {
    /// Opens the tables in the folder of `disk`, or makes empty ones.
    ///
    /// # Errors
    /// The table file is damaged, or the system refuses.
    pub(super) fn open(
        disk: &dyn Disk,
        spawn: Arc<dyn Spawn>,
        cache_bytes: usize,
    ) -> Result<Self, EngineError> {
        if !Self::exist(disk)? {
            Self::create(disk)?;
        }
        let file = disk.open(Path::new(FILE), OpenMode::Existing).map_err(EngineError::io("open", FILE))?;
        let mut builder = Database::builder();
        builder.set_cache_size(cache_bytes);
        let database = builder.create_with_backend(Backend::new(file)).map_err(refused)?;
        let durable = Mutex::new(all_applied(&database)?);
        let inner = Inner { database, spawn, writer: Arc::default(), durable, dirty: AtomicUsize::new(0) };
        Ok(Tables { inner: Arc::new(inner) })
    }

    /// Whether there are tables in the folder of `disk`.
    pub(super) fn exist(disk: &dyn Disk) -> Result<bool, EngineError> {
        let names = disk.list(Path::new("")).map_err(EngineError::io("list", "."))?;
        Ok(names.iter().any(|name| name == FILE))
    }

    /// Makes an empty table file: whole and durable before it gets its name.
    fn create(disk: &dyn Disk) -> Result<(), EngineError> {
        let file =
            disk.open(Path::new(UNBORN), OpenMode::Create).map_err(EngineError::io("create", UNBORN))?;
        file.set_len(0).map_err(EngineError::io("empty", UNBORN))?;
        let database =
            Database::builder().create_with_backend(Backend::new(Arc::clone(&file))).map_err(refused)?;
        let transaction = database.begin_write().map_err(refused)?;
        transaction.open_table(ITEMS).map_err(refused)?;
        transaction.open_table(META).map_err(refused)?;
        transaction.open_table(APPLIED).map_err(refused)?;
        transaction.commit().map_err(refused)?;
        drop(database);
        let named = || {
            file.sync()?;
            disk.rename(Path::new(UNBORN), Path::new(FILE))?;
            disk.sync_dir(Path::new(""))
        };
        named().map_err(EngineError::io("create", FILE))
    }

    /// A consistent look at one group.
    pub(super) fn read(&self, group: GroupId) -> Result<GroupRead, EngineError> {
        GroupRead::new(&self.inner.database.begin_read().map_err(refused)?, group)
    }

    /// Changes one group in one transaction, which is committed when `change` succeeds and forgotten
    /// otherwise. What is committed survives a crash once a checkpoint has followed.
    pub(super) async fn write<T, E: From<EngineError>>(
        &self,
        group: GroupId,
        change: impl FnOnce(&mut GroupWrite<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let _turn = self.inner.writer.lock().await;
        let transaction = self.transaction(Durability::None)?;
        let mut write = GroupWrite::new(&transaction, group)?;
        let outcome = change(&mut write)?;
        let bytes = write.bytes();
        drop(write);
        transaction.commit().map_err(refused)?;
        self.inner.dirty.fetch_add(bytes, Ordering::Relaxed);
        Ok(outcome)
    }

    /// Makes everything committed so far durable.
    pub(super) async fn checkpoint(&self) -> Result<(), EngineError> {
        self.blocking(|tables| tables.commit_durably(|_| Ok(()))).await
    }

    /// Replaces all of a group by what the chunks of a snapshot say, in one durable step.
    pub(super) async fn install(&self, group: GroupId, chunks: Vec<bytes::Bytes>) -> Result<(), EngineError> {
        self.blocking(move |tables| {
            tables.commit_durably(|transaction| snapshot::install(transaction, group, &chunks))
        })
        .await
    }

    /// A snapshot of one group as it is now; it stays as it is while the group goes on.
    pub(super) fn snapshot(&self, group: GroupId) -> Result<GroupSnapshot, EngineError> {
        Ok(GroupSnapshot::new(self.read(group)?))
    }

    /// The last log index of `group` that a checkpoint covers.
    pub(super) fn durable_index(&self, group: GroupId) -> Option<u64> {
        self.inner.durable.lock().get(&group).copied()
    }

    /// Bytes changed since the last checkpoint.
    pub(super) fn dirty_bytes(&self) -> usize {
        self.inner.dirty.load(Ordering::Relaxed)
    }

    fn transaction(&self, durability: Durability) -> Result<WriteTransaction, EngineError> {
        let mut transaction = self.inner.database.begin_write().map_err(refused)?;
        transaction.set_durability(durability).map_err(refused)?;
        Ok(transaction)
    }

    fn commit_durably(
        &self,
        change: impl FnOnce(&WriteTransaction) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        let transaction = self.transaction(Durability::Immediate)?;
        change(&transaction)?;
        transaction.commit().map_err(refused)?;
        self.inner.dirty.store(0, Ordering::Relaxed);
        *self.inner.durable.lock() = all_applied(&self.inner.database)?;
        Ok(())
    }

    /// Waits for the writer's turn, then runs `job` where it may block.
    async fn blocking(
        &self,
        job: impl FnOnce(&Tables) -> Result<(), EngineError> + Send + 'static,
    ) -> Result<(), EngineError> {
        let turn: OwnedMutexGuard<()> = Arc::clone(&self.inner.writer).lock_owned().await;
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let tables = self.clone();
        self.inner.spawn.blocking(Box::new(move || {
            let outcome = job(&tables);
            drop(turn);
            // Nobody listens when the caller has given up; the work is done all the same.
            sender.send(outcome).ok();
        }));
        let stopped =
            |_| EngineError::Tables { file: FILE.into(), what: "the node is shutting down".to_owned() };
        receiver.await.map_err(stopped)?
    }
}

/// The applied index of every group.
fn all_applied(database: &Database) -> Result<BTreeMap<GroupId, u64>, EngineError> {
    let transaction = database.begin_read().map_err(refused)?;
    let table = transaction.open_table(APPLIED).map_err(refused)?;
    let mut applied = BTreeMap::new();
    for row in table.iter().map_err(refused)? {
        let (group, position) = row.map_err(refused)?;
        applied.insert(group.value(), position.value().0);
    }
    Ok(applied)
}
