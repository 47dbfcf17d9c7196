//! The way of a change: into memory and the log at once, into the tables when it is durable.
//!
//! An entry of the log is everything that one step changed, so that a crash keeps all of it or nothing.
//! At a start the entries behind the tables are applied again.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, oneshot, watch};

use super::index::Index;
use super::{GROUP, Inner, Live, Replica, Row};
use crate::bugs::Bug;
use crate::engine::{Direction, Engine, GroupRows, GroupWrite, KeyRange};
use crate::quorum::catalogue::{Catalogue, TableEntry, TableId};
use crate::quorum::hints::{HINTS, Key};
use crate::quorum::ring::Ring;
use crate::quorum::version::Rules;
use crate::world::World;

/// The most entries that are put into the tables at once.
const BATCH: usize = 512;

/// How many entries may be in the log beyond those that a checkpoint must keep.
const PURGE_EVERY: u64 = 8192;

/// So many epochs are reserved ahead.
const RESERVE: u64 = 1000;

/// Metadata: the first epoch that this node has not reserved.
const NEXT_EPOCH: &str = "next-epoch";
/// Metadata: a table of the catalogue; its name follows.
const TABLE: &str = "table/";
/// Metadata: there are rows of a table; its number in hexadecimal follows.
const SEEN: &str = "rows/";

/// One change. A variant is never removed or reordered: they are on disk.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Change {
    Put { table: TableId, key: Key, row: Arc<Row> },
    Remove { table: TableId, key: Key },
    Table(TableEntry),
    Drop { table: TableId },
    Seen(TableId),
}

impl Change {
    pub(super) fn put(table: TableId, key: Key, row: Row) -> Self {
        Self::Put { table, key, row: Arc::new(row) }
    }
}

/// What one step changed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    next_epoch: u64,
    changes: Vec<Change>,
}

impl Entry {
    fn makes_tables(&self) -> bool {
        self.changes.iter().any(|change| matches!(change, Change::Table(_)))
    }
}

/// When a change counts.
#[derive(Debug)]
pub enum Durable {
    /// It does.
    Now,
    /// When the log says so.
    Soon(oneshot::Receiver<io::Result<()>>),
    /// When this entry of the log is durable.
    Until(u64, watch::Receiver<u64>),
}

impl Durable {
    /// Waits until the change is on disk.
    ///
    /// # Errors
    /// It is not certain that it ever will be.
    pub async fn wait(self) -> io::Result<()> {
        let stopped = || io::Error::other("the node is shutting down");
        match self {
            Self::Now => Ok(()),
            Self::Soon(outcome) => outcome.await.unwrap_or_else(|_| Err(stopped())),
            Self::Until(entry, mut flushed) => {
                flushed.wait_for(|durable| *durable > entry).await.map(drop).map_err(|_| stopped())
            }
        }
    }
}

pub(super) fn encode(value: &impl Serialize) -> io::Result<Bytes> {
    postcard::to_stdvec(value).map(Bytes::from).map_err(io::Error::other)
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    postcard::from_bytes(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

impl Inner {
    /// Makes changes known here, and durable soon.
    pub(super) fn commit(self: &Arc<Self>, live: &mut Live, mut changes: Vec<Change>) -> io::Result<Durable> {
        for at in 0..changes.len() {
            if let Change::Put { table, .. } = changes[at]
                && live.seen.insert(table)
            {
                changes.push(Change::Seen(table));
            }
        }
        if live.next_epoch + RESERVE / 2 > live.reserve {
            live.reserve = live.next_epoch + RESERVE;
        }
        let reserved = live.reserve;
        let entry = Entry { next_epoch: reserved, changes };
        let bytes = encode(&entry)?;
        let index = live.next;
        live.next += 1;
        for change in &entry.changes {
            self.note(live, index, change)?;
        }
        live.queue.push_back((index, entry));
        let (sender, receiver) = oneshot::channel();
        let inner = Arc::clone(self);
        let done = move |outcome: io::Result<()>| {
            match &outcome {
                Ok(()) => {
                    inner.reserved.fetch_max(reserved, Ordering::AcqRel);
                    inner.durable.fetch_max(index + 1, Ordering::AcqRel);
                    inner.flushed.send_if_modified(|durable| {
                        *durable = (*durable).max(index + 1);
                        true
                    });
                    inner.ready.notify_one();
                }
                Err(error) => {
                    inner.failure.lock().get_or_insert(error.to_string());
                }
            }
            // Who no longer waits has given up.
            let _ = sender.send(outcome);
        };
        self.log.append(index, vec![bytes], Box::new(done));
        Ok(Durable::Soon(receiver))
    }

    pub(super) fn durable_when(&self, entry: u64) -> Durable {
        if entry < self.durable.load(Ordering::Acquire) {
            return Durable::Now;
        }
        Durable::Until(entry, self.flushed.subscribe())
    }

    /// Takes a change into memory.
    fn note(&self, live: &mut Live, index: u64, change: &Change) -> io::Result<()> {
        let (table, key, row) = match change {
            Change::Put { table, key, row } => (*table, key, Some(Arc::clone(row))),
            Change::Remove { table, key } => (*table, key, None),
            Change::Drop { table } => {
                live.recent.retain(|(at, _), _| at != table);
                live.index.drop_table(*table);
                return Ok(());
            }
            Change::Table(_) | Change::Seen(_) => return Ok(()),
        };
        let before = self.latest(live, table, key)?;
        let now = self.world.clock.now();
        live.index.change(&self.ring, table, key, before.as_deref(), row.as_deref(), now);
        live.recent.entry((table, key.clone())).or_default().push_back((index, row));
        Ok(())
    }

    /// Puts what is durable into the tables; says whether there was anything.
    async fn apply(&self) -> io::Result<bool> {
        let durable = self.durable.load(Ordering::Acquire);
        let batch: Vec<(u64, Entry)> = {
            let mut live = self.live.lock();
            let count = live.queue.iter().take(BATCH).take_while(|(index, _)| *index < durable).count();
            live.queue.drain(..count).collect()
        };
        let Some((last, _)) = batch.last() else { return Ok(false) };
        let last = *last;
        self.engine.write(GROUP, |rows| apply_entries(rows, &batch)).await?;
        if self.rules.bugs.has(Bug::NoFsync) && batch.iter().any(|(_, entry)| entry.makes_tables()) {
            // The bug is about items. Without a table nothing could be asked for any more.
            self.engine.checkpoint().await?;
        }
        let mut live = self.live.lock();
        for (table, key) in batch.iter().flat_map(|(_, entry)| &entry.changes).filter_map(touched) {
            let key = (table, key.clone());
            if let Some(recent) = live.recent.get_mut(&key) {
                while recent.front().is_some_and(|(at, _)| *at <= last) {
                    recent.pop_front();
                }
                if recent.is_empty() {
                    live.recent.remove(&key);
                }
            }
        }
        Ok(true)
    }

    /// Lets the log go that the tables have.
    async fn purge(&self) -> io::Result<()> {
        let applied = self.engine.read(GROUP)?.applied()?.map(|(index, _)| index);
        let first = self.log.bounds().entries.start;
        match applied {
            Some(applied) if applied >= first + PURGE_EVERY => {
                Ok(self.engine.purge(GROUP, applied, Bytes::new()).await?)
            }
            _ => Ok(()),
        }
    }
}

fn touched(change: &Change) -> Option<(TableId, &Key)> {
    match change {
        Change::Put { table, key, .. } | Change::Remove { table, key } => Some((*table, key)),
        Change::Table(_) | Change::Drop { .. } | Change::Seen(_) => None,
    }
}

fn apply_entries(rows: &mut GroupWrite<'_>, batch: &[(u64, Entry)]) -> io::Result<()> {
    for (_, entry) in batch {
        for change in &entry.changes {
            match change {
                Change::Put { table, key, row } => rows.put(*table, key, &encode(row)?)?,
                Change::Remove { table, key } => rows.delete(*table, key)?,
                Change::Drop { table } => rows.clear_table(*table)?,
                Change::Table(entry) => {
                    rows.set_meta(&format!("{TABLE}{}", entry.schema.name), Some(&encode(entry)?))?;
                }
                Change::Seen(table) => rows.set_meta(&format!("{SEEN}{table:x}"), Some(&[]))?,
            }
        }
    }
    if let Some((last, entry)) = batch.last() {
        rows.set_meta(NEXT_EPOCH, Some(&encode(&entry.next_epoch)?))?;
        rows.set_applied(*last, &[])?;
    }
    Ok(())
}

impl Replica {
    /// Opens the rows of node `me` in `engine`: applies what the log has beyond the tables, and looks
    /// at everything once.
    ///
    /// # Errors
    /// The tables or the log cannot be read.
    pub async fn open(
        me: &str,
        rules: Rules,
        ring: Arc<Ring>,
        engine: Engine,
        world: World,
    ) -> io::Result<Self> {
        let log = engine.log(GROUP);
        let applied = engine.read(GROUP)?.applied()?.map_or(0, |(index, _)| index + 1);
        let bounds = log.bounds();
        let next = bounds.entries.end.max(applied);
        let behind = log.read(applied..next, usize::MAX);
        let behind = behind.iter().map(|(index, bytes)| Ok((*index, decode(bytes)?)));
        let behind: Vec<(u64, Entry)> = behind.collect::<io::Result<_>>()?;
        if !behind.is_empty() {
            engine.write(GROUP, |rows| apply_entries(rows, &behind)).await?;
        }
        let (tables, mut live) = load(&engine, &ring, &world)?;
        live.next = next;
        let born = live.next_epoch;
        let inner = Inner {
            me: me.to_owned(),
            rules,
            world,
            ring,
            engine,
            log,
            live: Mutex::new(live),
            tables: RwLock::new(tables),
            born,
            reserved: AtomicU64::new(born),
            durable: AtomicU64::new(next),
            flushed: watch::Sender::new(next),
            ready: Notify::new(),
            failure: Mutex::new(None),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Puts what is durable into the tables, for as long as it is polled.
    pub async fn keep_tables(&self) {
        loop {
            match self.apply_ready().await {
                Ok(()) => self.inner.ready.notified().await,
                Err(error) => {
                    tracing::error!(%error, "the tables take no more");
                    self.inner.failure.lock().get_or_insert(error.to_string());
                    return;
                }
            }
        }
    }

    /// Puts all that is durable now into the tables.
    ///
    /// # Errors
    /// The tables cannot be changed.
    pub async fn apply_ready(&self) -> io::Result<()> {
        while self.inner.apply().await? {}
        self.inner.purge().await
    }
}

/// What the tables say, once everything durable is in them.
fn load(engine: &Engine, ring: &Ring, world: &World) -> io::Result<(Catalogue, Live)> {
    let rows = engine.read(GROUP)?;
    let mut tables = Catalogue::default();
    for (_, entry) in rows.metas(TABLE)? {
        tables.merge(decode(&entry)?);
    }
    let number = |name: &str| TableId::from_str_radix(name.strip_prefix(SEEN)?, 16).ok();
    let seen: BTreeSet<TableId> = rows.metas(SEEN)?.iter().filter_map(|(name, _)| number(name)).collect();
    let next_epoch = rows.meta(NEXT_EPOCH)?.map_or(Ok(1), |bytes| decode(&bytes))?;
    let mut index = Index::default();
    let now = world.clock.now();
    for table in seen.iter().copied().chain([HINTS]).collect::<BTreeSet<_>>() {
        let mut outcome = Ok(());
        let mut visit = |key: &[u8], value: &[u8]| match decode::<Row>(value) {
            Ok(row) => {
                index.change(ring, table, key, None, Some(&row), now);
                std::ops::ControlFlow::Continue(())
            }
            Err(error) => {
                outcome = Err(error);
                std::ops::ControlFlow::Break(())
            }
        };
        rows.scan(table, KeyRange::ALL, Direction::Forward, &mut visit)?;
        outcome?;
    }
    let live = Live {
        next: 0,
        next_epoch,
        reserve: next_epoch,
        recent: std::collections::BTreeMap::new(),
        queue: VecDeque::new(),
        seen,
        index,
    };
    Ok((tables, live))
}
