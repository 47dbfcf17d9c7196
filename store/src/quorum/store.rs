//! The quorum style as a backend of the API: any node takes a request.
//!
//! Tables are known locally and told to everybody; reads are coordinated here ([`super::repair`]),
//! writes by an owner of their key ([`super::coordinator`]), pages partition by partition
//! ([`super::ranges`]).

use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use rand::RngExt;

use super::catalogue::{TableEntry, TableId};
use super::membership::Membership;
use super::options::Options;
use super::peers::Peers;
use super::ranges::Wanted;
use super::replica::Replica;
use super::ring::{PartitionId, Ring, partition_name};
use super::version::{Context, State, Version};
use super::wire::{Answer, Request};
use crate::api::backend::{
    Ask, Extension, Got, Page, QueryRange, ScanRange, SiblingVersion, TableDescription, TableStatus,
    Timestamp, Written,
};
use crate::api::{Backend, BackendError, Consistency};
use crate::bugs::Bug;
use crate::item::size::item_size;
use crate::item::{Mutation, PrimaryKey, TableSchema};
use crate::world::World;

/// How often a node tells another one which tables there are.
const TABLES_EVERY: Duration = Duration::from_millis(500);

/// One node of the quorum style. Clones share it.
#[derive(Clone)]
pub struct QuorumStore {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) me: String,
    pub(super) world: World,
    pub(super) options: Options,
    pub(super) ring: Arc<Ring>,
    /// The preference list of each partition.
    pub(super) lists: Vec<Vec<String>>,
    pub(super) replica: Replica,
    pub(super) peers: Arc<Peers>,
    pub(super) membership: Membership,
}

/// The place of a storage key in the hash space.
pub(super) fn hash_of(key: &[u8]) -> u64 {
    key.first_chunk().map_or(0, |hash| u64::from_be_bytes(*hash))
}

impl QuorumStore {
    pub(super) fn new(
        world: World,
        options: Options,
        ring: Arc<Ring>,
        replica: Replica,
        peers: Arc<Peers>,
        membership: Membership,
    ) -> Self {
        let list = |partition| ring.preference(partition).map(str::to_owned).collect();
        let lists = (0..ring.partitions()).map(list).collect();
        let me = replica.node().to_owned();
        Self { inner: Arc::new(Inner { me, world, options, ring, lists, replica, peers, membership }) }
    }

    /// This node's rows.
    #[must_use]
    pub fn replica(&self) -> &Replica {
        &self.inner.replica
    }

    /// What this node believes of the others.
    #[must_use]
    pub fn membership(&self) -> &Membership {
        &self.inner.membership
    }

    /// The names of the partitions that this node is an owner of.
    #[must_use]
    pub fn owned(&self) -> Vec<String> {
        let all = 0..self.inner.ring.partitions();
        all.filter(|partition| self.owns(self.placement_of(*partition))).map(partition_name).collect()
    }

    /// The owners of a key.
    #[must_use]
    pub fn owners_of(&self, key: &PrimaryKey) -> &[String] {
        self.placement(key.partition_hash()).owners
    }

    /// Whether a node was there when it was dialled last.
    pub(super) fn is_reached(&self, node: &str) -> bool {
        self.inner.peers.is_reached(node)
    }

    pub(super) fn has(&self, bug: Bug) -> bool {
        self.inner.replica.rules().bugs.has(bug)
    }

    /// The r and w of a request.
    pub(super) fn quorum(&self, ask: &Ask) -> Result<(usize, usize), BackendError> {
        let n = self.inner.options.n;
        let (r, w) = (ask.r.unwrap_or(self.inner.options.r), ask.w.unwrap_or(self.inner.options.w));
        for (name, value) in [("r", r), ("w", w)] {
            if value < 1 || value > n {
                let what = format!(
                    "The header x-growler-quorum cannot be `{name}={value}`: there are n={n} copies of each item"
                );
                return Err(BackendError::Validation(what));
            }
        }
        Ok((r as usize, w as usize))
    }

    /// How many nodes a strong read asks: so many that one of them has every acknowledged write.
    pub(super) fn strong(&self) -> usize {
        let options = &self.inner.options;
        options.r.max((options.n + 1).saturating_sub(options.w)) as usize
    }

    fn readers_wanted(&self, consistency: Consistency, ask: &Ask) -> Result<usize, BackendError> {
        let (r, _) = self.quorum(ask)?;
        Ok(if consistency == Consistency::Strong { r.max(self.strong()) } else { r })
    }

    pub(super) fn table_ids(&self) -> Vec<TableId> {
        self.inner
            .replica
            .tables(|tables| tables.entries().filter(|entry| !entry.deleted).map(|entry| entry.id).collect())
    }

    /// The names of the tables that this node knows.
    #[must_use]
    pub fn known_tables(&self) -> Vec<String> {
        self.inner.replica.tables(|tables| {
            tables.entries().filter(|entry| !entry.deleted).map(|entry| entry.schema.name.clone()).collect()
        })
    }

    fn entry(&self, name: &str) -> Result<TableEntry, BackendError> {
        let found = self.inner.replica.tables(|tables| tables.live(name).cloned());
        found.ok_or_else(|| BackendError::TableNotFound(name.to_owned()))
    }

    /// Writes an entry down here and tells all others that are up.
    async fn announce(&self, entry: &TableEntry) -> Result<(), BackendError> {
        let unknown = |error: std::io::Error| BackendError::Unknown(error.to_string());
        let (_, durable) = self.inner.replica.merge_table(entry.clone()).map_err(unknown)?;
        durable.wait().await.map_err(unknown)?;
        let up = self.inner.peers.names().filter(|node| self.is_up(node));
        join_all(up.map(|node| self.tell_tables(node))).await;
        Ok(())
    }

    /// Tells a node all that is known of tables, and hears what it knows.
    async fn tell_tables(&self, node: &str) {
        let entries = self.inner.replica.tables(|tables| tables.entries().cloned().collect());
        let request = Request::Tables(entries);
        let answer = self.inner.peers.ask(node, &request, self.inner.options.request_timeout).await;
        let Ok(Answer::Tables(theirs)) = answer else { return };
        for entry in theirs {
            if let Err(error) = self.inner.replica.merge_table(entry) {
                tracing::warn!(%error, "a table could not be noted");
            }
        }
    }

    /// Tells others of tables, all at first and then one after the other, for as long as it is polled.
    pub(super) async fn spread_tables(&self) {
        let all: Vec<&str> = self.inner.peers.names().collect();
        join_all(all.iter().map(|node| self.tell_tables(node))).await;
        let mut rng = self.inner.world.rng.stream("tables");
        while !all.is_empty() {
            self.inner.world.clock.sleep(TABLES_EVERY).await;
            self.tell_tables(all[rng.random_range(0..all.len())]).await;
        }
    }

    fn wanted(&self, table: TableId, consistency: Consistency) -> Result<Wanted, BackendError> {
        let r = self.readers_wanted(consistency, &Ask::default())?;
        Ok(Wanted { table, forward: true, max_items: usize::MAX, max_bytes: usize::MAX, r })
    }

    /// The answer to a read of what this node itself has.
    fn local(&self, entry: &TableEntry, key: &PrimaryKey) -> Result<State, BackendError> {
        let place = self.placement(key.partition_hash());
        if !self.owns(place) {
            let what = format!(
                "{} has no copy of this item: its owners are {}",
                self.inner.me,
                place.owners.join(", ")
            );
            return Err(BackendError::Validation(what));
        }
        let row = self.inner.replica.row(entry.id, &key.storage_key());
        row.map_err(|error| BackendError::Unavailable(error.to_string()))
    }

    fn describe(&self, entry: &TableEntry, status: TableStatus) -> TableDescription {
        TableDescription {
            schema: entry.schema.clone(),
            status,
            created_ms: u64::try_from(entry.created_ns / 1_000_000).unwrap_or(0),
            id: u128::from(entry.id),
            item_count: 0,
            size_bytes: 0,
        }
    }
}

/// What an answer says beyond the item.
pub(super) fn extension(
    state: &State,
    version: String,
    timestamp: Option<Timestamp>,
    all: bool,
) -> Extension {
    let sibling = |version: &Version| SiblingVersion {
        item: version.value.clone(),
        version: version.dot.to_string(),
        timestamp: version.timestamp.clone(),
    };
    Extension {
        context: Context::of(state).token(),
        clock: state.clock.to_text(),
        version,
        timestamp,
        siblings: state.versions.len() as u64,
        versions: all.then(|| state.versions.iter().map(sibling).collect()),
    }
}

/// The partitions that a range of storage keys touches.
fn partitions_of(
    ring: &Ring,
    range: &(Bound<Vec<u8>>, Bound<Vec<u8>>),
) -> std::ops::RangeInclusive<PartitionId> {
    let hash = |bound: &Bound<Vec<u8>>, fill: u8| match bound {
        Bound::Included(key) | Bound::Excluded(key) => {
            let mut bytes = [fill; 8];
            let length = key.len().min(8);
            bytes[..length].copy_from_slice(&key[..length]);
            Some(u64::from_be_bytes(bytes))
        }
        Bound::Unbounded => None,
    };
    let first = ring.partition_of(hash(&range.0, 0).unwrap_or(0));
    let last = ring.partition_of(hash(&range.1, 0xff).unwrap_or(u64::MAX));
    first..=last
}

#[async_trait]
impl Backend for QuorumStore {
    async fn create_table(&self, schema: TableSchema) -> Result<TableDescription, BackendError> {
        let known = self.inner.replica.tables(|tables| tables.entry(&schema.name).cloned());
        if known.as_ref().is_some_and(|known| !known.deleted) {
            return Err(BackendError::TableInUse(schema.name));
        }
        let after = known.map_or(i64::MIN, |known| known.created_ns.saturating_add(1));
        let created_ns = self.inner.world.clock.wall().max(after);
        let entry = TableEntry::new(schema, created_ns, &self.inner.me);
        self.announce(&entry).await?;
        Ok(self.describe(&entry, TableStatus::Active))
    }

    async fn describe_table(&self, table: &str) -> Result<TableDescription, BackendError> {
        Ok(self.describe(&self.entry(table)?, TableStatus::Active))
    }

    async fn list_tables(
        &self,
        start: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<String>, bool), BackendError> {
        let mut names = self.known_tables();
        names.retain(|name| start.is_none_or(|start| name.as_str() > start));
        let more = names.len() > limit;
        names.truncate(limit);
        Ok((names, more))
    }

    async fn delete_table(&self, table: &str) -> Result<TableDescription, BackendError> {
        let entry = self.entry(table)?;
        self.announce(&TableEntry { deleted: true, ..entry.clone() }).await?;
        Ok(self.describe(&entry, TableStatus::Deleting))
    }

    fn partition_of(&self, _table: &str, key: &PrimaryKey) -> Option<String> {
        Some(partition_name(self.inner.ring.partition_of(key.partition_hash())))
    }

    async fn write(&self, mutation: Mutation, ask: &Ask) -> Result<Written, BackendError> {
        let entry = self.entry(&mutation.table)?;
        self.route(&entry, mutation, ask).await
    }

    async fn get(
        &self,
        table: &str,
        key: &PrimaryKey,
        consistency: Consistency,
        ask: &Ask,
    ) -> Result<Got, BackendError> {
        let entry = self.entry(table)?;
        let place = self.placement(key.partition_hash());
        let state = if ask.local {
            self.local(&entry, key)?
        } else {
            let deadline = self.inner.world.clock.now() + self.inner.options.request_timeout;
            let r = self.readers_wanted(consistency, ask)?;
            self.gather(place, entry.id, &key.storage_key(), r, deadline).await?
        };
        let shown = state.shown();
        let timestamp = shown.map(|version| version.timestamp.clone());
        let extension = extension(&state, state.dots(), timestamp, ask.siblings);
        let item = shown.and_then(|version| version.value.clone());
        Ok(Got { item, partition: partition_name(place.partition), extension: Some(Box::new(extension)) })
    }

    async fn query(&self, range: QueryRange, consistency: Consistency) -> Result<Page, BackendError> {
        let entry = self.entry(&range.table)?;
        let partition = self.inner.ring.partition_of(range.hash.partition_hash());
        let wanted = Wanted {
            forward: range.forward,
            max_items: range.max_items,
            max_bytes: range.max_bytes,
            ..self.wanted(entry.id, consistency)?
        };
        let (items, more) = self.range(partition, range.storage_range(), &wanted).await?;
        Ok(Page { items, more, partition: partition_name(partition) })
    }

    async fn scan(&self, range: ScanRange, consistency: Consistency) -> Result<Page, BackendError> {
        let entry = self.entry(&range.table)?;
        let keys = range.storage_range();
        let mut wanted = Wanted {
            max_items: range.max_items,
            max_bytes: range.max_bytes,
            ..self.wanted(entry.id, consistency)?
        };
        let mut whole = Page::default();
        let mut names = Vec::new();
        for partition in partitions_of(&self.inner.ring, &keys) {
            if whole.more {
                break;
            }
            let own = self.inner.replica.range_of(partition);
            let low = if partition == self.first_partition(&keys) { keys.0.clone() } else { own.0 };
            let high = tighter(&keys.1, own.1);
            let (items, more) = self.range(partition, (low, high), &wanted).await?;
            wanted.max_items -= items.len().min(wanted.max_items);
            let bytes: usize = items.iter().map(item_size).sum();
            wanted.max_bytes = wanted.max_bytes.saturating_sub(bytes);
            // The one item that a page may hold above its limit counts for the first page only.
            whole.more = more || wanted.max_items == 0 || wanted.max_bytes == 0;
            if !items.is_empty() {
                names.push(partition_name(partition));
            }
            whole.items.extend(items);
        }
        whole.partition = names.join(",");
        // A page without items is the last one.
        whole.more &= !whole.items.is_empty();
        Ok(whole)
    }
}

impl QuorumStore {
    fn first_partition(&self, keys: &(Bound<Vec<u8>>, Bound<Vec<u8>>)) -> PartitionId {
        *partitions_of(&self.inner.ring, keys).start()
    }
}

/// The lower of two upper bounds.
fn tighter(one: &Bound<Vec<u8>>, other: Bound<Vec<u8>>) -> Bound<Vec<u8>> {
    match (one, &other) {
        (Bound::Unbounded, _) => other,
        (Bound::Included(low) | Bound::Excluded(low), Bound::Included(high) | Bound::Excluded(high))
            if low >= high =>
        {
            other
        }
        _ => one.clone(),
    }
}
