//! The leader style as a backend of the API: any node takes a request and finds the partition's
//! leader.
//!
//! A hash key's place in the hash space decides its partition; partition `p` is replica group
//! `p + 1`, and group 0 is the [catalogue](super::catalogue). Strong reads and writes go to the
//! group's leader ([`super::route`]); a read that is not strong is answered by this node's replica,
//! whatever it has. A table's number is looked up in this node's copy of the catalogue, and asked of
//! the catalogue's leader when it is not there or when a partition does not know it.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::catalogue::by_name;
use super::command::{Command, Reply, TableEntry, TableId, TableState};
use super::network::PeerLinks;
use super::raft_group::RaftGroup;
use super::service::Incoming;
use super::types::NodeId;
use super::wire::{GroupId, Operation, Outcome, RangeRead};
use crate::api::backend::{Got, Page, QueryRange, ScanRange, TableDescription, TableStatus, Written};
use crate::api::{Ask, Backend, BackendError, Consistency};
use crate::item::key::KeyRange;
use crate::item::{Mutation, PrimaryKey, TableSchema};
use crate::world::World;

/// The catalogue's group.
pub const CATALOGUE: GroupId = 0;

/// One node of the leader style. Clones share it.
#[derive(Clone)]
pub struct LeaderStore {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) me: NodeId,
    pub(super) world: World,
    /// By group number.
    pub(super) groups: Vec<Arc<RaftGroup>>,
    pub(super) peers: Arc<BTreeMap<NodeId, PeerLinks>>,
    /// Snapshots on their way in, by sender and group.
    pub(super) incoming: Mutex<BTreeMap<(String, GroupId), Incoming>>,
}

impl LeaderStore {
    /// The store of node `me`, with this node's member of every group, the catalogue first.
    #[must_use]
    pub fn new(
        me: NodeId,
        world: World,
        groups: Vec<Arc<RaftGroup>>,
        peers: Arc<BTreeMap<NodeId, PeerLinks>>,
    ) -> Self {
        let inner = Inner { me, world, groups, peers, incoming: Mutex::default() };
        Self { inner: Arc::new(inner) }
    }

    /// This node's members, the catalogue first.
    #[must_use]
    pub fn groups(&self) -> &[Arc<RaftGroup>] {
        &self.inner.groups
    }

    /// The names of the tables that this node knows.
    #[must_use]
    pub fn known_tables(&self) -> Vec<String> {
        let tables = self.inner.groups[0].state().tables();
        tables.values().map(|entry| entry.schema.name.clone()).collect()
    }

    /// How many partitions there are.
    fn partitions(&self) -> u32 {
        u32::try_from(self.inner.groups.len().saturating_sub(1)).unwrap_or(u32::MAX)
    }

    /// The group of a place in the hash space: the partitions are equal parts of it, in order.
    fn group_of(&self, hash: u64) -> GroupId {
        let place = (u128::from(hash) * u128::from(self.partitions())) >> 64;
        1 + u32::try_from(place).unwrap_or(0)
    }

    /// The groups of all partitions.
    pub(super) fn partition_groups(&self) -> impl Iterator<Item = GroupId> {
        1..=self.partitions()
    }

    /// The table as this node's copy of the catalogue has it, if it is active there.
    fn known(&self, name: &str) -> Option<TableEntry> {
        let tables = self.inner.groups[0].state().tables();
        by_name(&tables, name).filter(|entry| entry.state == TableState::Active).cloned()
    }

    /// The table as the catalogue's leader has it.
    pub(super) async fn looked_up(&self, name: &str) -> Result<TableEntry, BackendError> {
        let tables = self.all_tables().await?;
        by_name(&tables, name).cloned().ok_or_else(|| BackendError::TableNotFound(name.to_owned()))
    }

    async fn all_tables(&self) -> Result<Arc<BTreeMap<TableId, TableEntry>>, BackendError> {
        match self.route(CATALOGUE, Operation::Tables).await? {
            Outcome::Tables(tables) => Ok(tables),
            other => Err(odd(&other)),
        }
    }

    /// Does `operation` on a table's number, as known here; when its group does not know the number,
    /// once more as the catalogue's leader knows it. A group that does not know a table did nothing.
    async fn on_table(
        &self,
        name: &str,
        group: GroupId,
        operation: impl Fn(TableId) -> Operation,
    ) -> Result<Outcome, BackendError> {
        if let Some(entry) = self.known(name) {
            let outcome = self.route(group, operation(entry.id)).await?;
            if !is_unknown_table(&outcome) {
                return Ok(outcome);
            }
        }
        let entry = self.looked_up(name).await?;
        if entry.state != TableState::Active {
            return Err(BackendError::TableNotFound(name.to_owned()));
        }
        match self.route(group, operation(entry.id)).await? {
            outcome if is_unknown_table(&outcome) => Err(BackendError::TableNotFound(name.to_owned())),
            outcome => Ok(outcome),
        }
    }

    /// One page of one partition.
    async fn page(
        &self,
        name: &str,
        group: GroupId,
        range: &KeyRange,
        page: PageShape,
        consistency: Consistency,
    ) -> Result<Page, BackendError> {
        let read = |table| RangeRead {
            table,
            low: range.0.clone(),
            high: range.1.clone(),
            forward: page.forward,
            max_items: page.max_items,
            max_bytes: page.max_bytes,
        };
        let partition = partition_name(group);
        let found = if consistency == Consistency::Eventual {
            let entry = self.entry(name).await?;
            let found = self.inner.groups[group as usize].state().page(&read(entry.id));
            // A replica that has not heard of the table yet has none of its items either.
            found.map_err(|error| BackendError::Unavailable(error.to_string()))?.unwrap_or_default()
        } else {
            match self.on_table(name, group, |table| Operation::Range(read(table))).await? {
                Outcome::Page(items, more) => (items, more),
                other => return Err(odd(&other)),
            }
        };
        Ok(Page { items: found.0, more: found.1, partition })
    }

    /// The active table of a name, from here if it is known here.
    async fn entry(&self, name: &str) -> Result<TableEntry, BackendError> {
        if let Some(entry) = self.known(name) {
            return Ok(entry);
        }
        self.looked_up(name).await
    }

    pub(super) fn describe(&self, entry: &TableEntry) -> TableDescription {
        let (mut items, mut bytes) = (0, 0);
        for group in &self.inner.groups[1..] {
            if let Some(part) = group.state().tables().get(&entry.id) {
                items += part.items;
                bytes += part.bytes;
            }
        }
        TableDescription {
            schema: entry.schema.clone(),
            status: match entry.state {
                TableState::Creating => TableStatus::Creating,
                TableState::Active => TableStatus::Active,
                TableState::Deleting => TableStatus::Deleting,
            },
            created_ms: u64::try_from(entry.created_ns / 1_000_000).unwrap_or(0),
            id: u128::from(entry.id),
            item_count: items,
            size_bytes: bytes,
        }
    }
}

/// The direction and the limits of a page.
#[derive(Clone, Copy)]
struct PageShape {
    forward: bool,
    max_items: usize,
    max_bytes: usize,
}

fn is_unknown_table(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::NoSuchTable | Outcome::Applied(Reply::NoSuchTable))
}

/// The error for an outcome that does not belong to its operation. A write may have happened.
pub(super) fn odd(outcome: &Outcome) -> BackendError {
    BackendError::Unknown(format!("a node gave an answer that does not belong to the question: {outcome:?}"))
}

/// A partition's name, as clients see it.
#[must_use]
pub fn partition_name(group: GroupId) -> String {
    format!("p{}", group.saturating_sub(1))
}

/// The hash at which a range of storage keys begins.
fn first_hash(range: &KeyRange) -> u64 {
    let (Bound::Included(key) | Bound::Excluded(key)) = &range.0 else { return 0 };
    let mut hash = [0; 8];
    let length = key.len().min(8);
    hash[..length].copy_from_slice(&key[..length]);
    u64::from_be_bytes(hash)
}

/// Whether a range of storage keys ends before this hash.
fn ends_before(range: &KeyRange, hash: u64) -> bool {
    match &range.1 {
        Bound::Included(key) => key.as_slice() < hash.to_be_bytes().as_slice(),
        Bound::Excluded(key) => key.as_slice() <= hash.to_be_bytes().as_slice(),
        Bound::Unbounded => false,
    }
}

#[async_trait]
impl Backend for LeaderStore {
    async fn create_table(&self, schema: TableSchema) -> Result<TableDescription, BackendError> {
        let name = schema.name.clone();
        let command = Command::CreateTable { schema, created_ns: self.inner.world.clock.wall() };
        let entry = match self.route(CATALOGUE, Operation::Propose(command)).await? {
            Outcome::Applied(Reply::Table(entry)) => entry,
            Outcome::Applied(Reply::NameTaken(_)) => return Err(BackendError::TableInUse(name)),
            other => return Err(odd(&other)),
        };
        let entry = self.open_everywhere(&entry).await?;
        Ok(self.describe(&entry))
    }

    async fn describe_table(&self, table: &str) -> Result<TableDescription, BackendError> {
        Ok(self.describe(&self.entry(table).await?))
    }

    async fn list_tables(
        &self,
        start: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<String>, bool), BackendError> {
        let tables = self.all_tables().await?;
        let mut names: Vec<String> = tables
            .values()
            .map(|entry| entry.schema.name.clone())
            .filter(|name| start.is_none_or(|start| name.as_str() > start))
            .collect();
        names.sort();
        let more = names.len() > limit;
        names.truncate(limit);
        Ok((names, more))
    }

    async fn delete_table(&self, table: &str) -> Result<TableDescription, BackendError> {
        let command = Command::DeleteTable { name: table.to_owned() };
        let entry = match self.route(CATALOGUE, Operation::Propose(command)).await? {
            Outcome::Applied(Reply::Table(entry)) => entry,
            Outcome::Applied(Reply::NoSuchTable) => {
                return Err(BackendError::TableNotFound(table.to_owned()));
            }
            other => return Err(odd(&other)),
        };
        let description = self.describe(&entry);
        self.drop_everywhere(&entry).await?;
        Ok(description)
    }

    async fn write(&self, mutation: Mutation, _ask: &Ask) -> Result<Written, BackendError> {
        let group = self.group_of(mutation.key.partition_hash());
        let propose =
            |table| Operation::Propose(Command::Write { table, mutation: Box::new(mutation.clone()) });
        match self.on_table(&mutation.table, group, propose).await? {
            Outcome::Applied(Reply::Written(reply)) => {
                Ok(Written { reply, partition: partition_name(group), extension: None })
            }
            other => Err(odd(&other)),
        }
    }

    async fn get(
        &self,
        table: &str,
        key: &PrimaryKey,
        consistency: Consistency,
        _ask: &Ask,
    ) -> Result<Got, BackendError> {
        let group = self.group_of(key.partition_hash());
        let partition = partition_name(group);
        if consistency == Consistency::Eventual {
            let entry = self.entry(table).await?;
            let found = self.inner.groups[group as usize].item(entry.id, key);
            let item = found.map_err(|error| BackendError::Unavailable(error.to_string()))?;
            return Ok(Got { item: item.unwrap_or_default(), partition, extension: None });
        }
        let get = |table| Operation::Get { table, key: key.clone() };
        match self.on_table(table, group, get).await? {
            Outcome::Item(item) => Ok(Got { item, partition, extension: None }),
            other => Err(odd(&other)),
        }
    }

    async fn query(&self, range: QueryRange, consistency: Consistency) -> Result<Page, BackendError> {
        let group = self.group_of(range.hash.partition_hash());
        let page =
            PageShape { forward: range.forward, max_items: range.max_items, max_bytes: range.max_bytes };
        self.page(&range.table, group, &range.storage_range(), page, consistency).await
    }

    async fn scan(&self, range: ScanRange, consistency: Consistency) -> Result<Page, BackendError> {
        let keys = range.storage_range();
        let mut whole = Page::default();
        let (mut max_items, mut max_bytes) = (range.max_items, range.max_bytes);
        for group in self.group_of(first_hash(&keys))..=self.partitions() {
            let begins = ((u128::from(group - 1) << 64) / u128::from(self.partitions())) as u64;
            if whole.more || ends_before(&keys, begins) {
                break;
            }
            let shape = PageShape { forward: true, max_items, max_bytes };
            let page = self.page(&range.table, group, &keys, shape, consistency).await?;
            max_items -= page.items.len().min(max_items);
            let bytes: usize = page.items.iter().map(crate::item::size::item_size).sum();
            max_bytes = max_bytes.saturating_sub(bytes);
            // The one item that a page may hold above its limit counts for the first page only.
            whole.more = page.more || max_items == 0 || max_bytes == 0;
            whole.items.extend(page.items);
            let separator = if whole.partition.is_empty() { "" } else { "," };
            whole.partition = format!("{}{separator}{}", whole.partition, page.partition);
        }
        Ok(whole)
    }
}
