//! What the protocol needs of a store: the seam between the API and a replication style.
//!
//! A backend keeps items and nothing else. It must never report [`BackendError::Unavailable`] for a
//! write that may have reached a log: that is what [`BackendError::Unknown`] is for, and clients
//! count on the difference only as far as it is true. Every answer names the partition that gave
//! it, for the response header that test harnesses read.
//!
//! A style that keeps several versions of an item shows them through the protocol's extension: what a
//! request may ask for beyond DynamoDB's API is [`Ask`], what an answer may say is [`Extension`]. Both
//! are strings and numbers to the API: only the style knows what a version means.
//!
//! A call's future may be dropped at any moment, when its client goes away: what it had begun may
//! then happen or not, but must not stay half done.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::item::key::KeyRange;
use crate::item::{
    Item, KeyValue, Mutation, MutationRefused, MutationReply, PrimaryKey, SortCondition, TableSchema, key,
};

/// A replicated (or not) store of tables.
#[async_trait]
pub trait Backend: Send + Sync {
    /// Creates a table.
    ///
    /// # Errors
    /// [`BackendError::TableInUse`] when there is one of this name.
    async fn create_table(&self, schema: TableSchema) -> Result<TableDescription, BackendError>;

    /// Describes a table. Called before every operation on items: it should cost no more than a
    /// look into a local map.
    ///
    /// # Errors
    /// [`BackendError::TableNotFound`] when there is none.
    async fn describe_table(&self, table: &str) -> Result<TableDescription, BackendError>;

    /// Up to `limit` table names in order, those after `start` when it is given, and whether there
    /// are more.
    ///
    /// # Errors
    /// When no current list can be had.
    async fn list_tables(
        &self,
        start: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<String>, bool), BackendError>;

    /// Deletes a table with its items and returns its last description.
    ///
    /// # Errors
    /// [`BackendError::TableNotFound`] when there is none.
    async fn delete_table(&self, table: &str) -> Result<TableDescription, BackendError>;

    /// The partition that holds (or would hold) an item, as far as this node knows, so that an error
    /// can name it too.
    fn partition_of(&self, _table: &str, _key: &PrimaryKey) -> Option<String> {
        None
    }

    /// Changes one item, at most once. A style without versions does not look at `ask`.
    ///
    /// # Errors
    /// [`BackendError::Validation`] when `ask` is not possible in this style,
    /// [`BackendError::Unavailable`] when the write certainly did not and will not happen,
    /// [`BackendError::Unknown`] when it may have happened or may yet.
    async fn write(&self, mutation: Mutation, ask: &Ask) -> Result<Written, BackendError>;

    /// Reads one item. A style without versions does not look at `ask`.
    ///
    /// # Errors
    /// [`BackendError::Validation`] when `ask` is not possible in this style; else when no answer of
    /// this consistency can be given.
    async fn get(
        &self,
        table: &str,
        key: &PrimaryKey,
        consistency: Consistency,
        ask: &Ask,
    ) -> Result<Got, BackendError>;

    /// Reads the next items of one hash key, in the order of the sort key.
    ///
    /// # Errors
    /// When no answer of this consistency can be given.
    async fn query(&self, range: QueryRange, consistency: Consistency) -> Result<Page, BackendError>;

    /// Reads the next items of a table, in the order of storage keys.
    ///
    /// # Errors
    /// When no answer of this consistency can be given.
    async fn scan(&self, range: ScanRange, consistency: Consistency) -> Result<Page, BackendError>;
}

/// What a read promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Consistency {
    /// `ConsistentRead: true`: every write that was acknowledged before is seen.
    Strong,
    /// `ConsistentRead: false`: some state of the past.
    Eventual,
}

/// What a request asks for beyond DynamoDB's API. The default asks for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// How many replicas must answer a read, instead of what the settings say. At least 1.
    pub r: Option<u32>,
    /// How many replicas must have a write, instead of what the settings say. At least 1.
    pub w: Option<u32>,
    /// What the client has seen: a token that an earlier answer gave it, not yet decoded.
    pub context: Option<String>,
    /// List all versions in [`Extension::versions`].
    pub siblings: bool,
    /// Read this node's own row and ask no other node. Always with `siblings`.
    pub local: bool,
    /// The client wants the item as it was before the write, so that a blind write is none.
    pub old_image: bool,
}

/// What an answer says beyond DynamoDB's API.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Extension {
    /// What the client has now seen, to be sent back with a later write: URL-safe base64, opaque.
    pub context: String,
    /// The same to be read: the highest counter seen of each actor.
    pub clock: BTreeMap<String, u64>,
    /// A read's versions, sorted and joined with `|`, empty when there are none; a write's own version.
    pub version: String,
    /// When the item that is shown was written, or this write's own time. None when nothing was ever
    /// written.
    pub timestamp: Option<Timestamp>,
    /// How many versions there are side by side, deletions among them.
    pub siblings: u64,
    /// These versions, if they were asked for.
    pub versions: Option<Vec<SiblingVersion>>,
}

/// The wall-clock time of a write, by the node that took it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Timestamp {
    /// Nanoseconds since 1970.
    pub ns: i64,
    /// The node whose clock it was; decides between equal times.
    pub node: String,
}

/// One of the versions that an item has side by side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SiblingVersion {
    /// The item; `None` is a deletion.
    pub item: Option<Item>,
    /// Its version.
    pub version: String,
    /// When it was written.
    pub timestamp: Timestamp,
}

/// Why a backend did not do what it was asked to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum BackendError {
    /// There is no such table.
    #[error("Requested resource not found: Table: {0} not found")]
    TableNotFound(String),
    /// There is already such a table.
    #[error("Table already exists: {0}")]
    TableInUse(String),
    /// It did certainly not happen and will not. HTTP 503.
    #[error("the store cannot serve this now: {0}")]
    Unavailable(String),
    /// It may have happened, or may yet. HTTP 500.
    #[error("the outcome is unknown: {0}")]
    Unknown(String),
    /// The request makes no sense to the backend. HTTP 400.
    #[error("{0}")]
    Validation(String),
}

/// The state of a table's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TableStatus {
    /// Not usable yet.
    Creating,
    /// Usable.
    Active,
    /// Going away.
    Deleting,
}

/// A table as DescribeTable shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableDescription {
    /// What was fixed at its creation. Shared, since every request asks for it.
    pub schema: Arc<TableSchema>,
    /// Its state.
    pub status: TableStatus,
    /// When it was created: wall-clock milliseconds since 1970, only for display.
    pub created_ms: u64,
    /// Tells it from other tables of the same name.
    pub id: u128,
    /// Its number of items; may lag behind, as DynamoDB's does by hours.
    pub item_count: u64,
    /// The size of its items in bytes; may lag behind.
    pub size_bytes: u64,
}

/// The answer to a write that was decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Written {
    /// What became of it.
    pub reply: Result<MutationReply, MutationRefused>,
    /// The partition that holds the item.
    pub partition: String,
    /// What a style with versions says besides.
    pub extension: Option<Box<Extension>>,
}

/// The answer to a read of one item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Got {
    /// The item, if there is one.
    pub item: Option<Item>,
    /// The partition that holds it.
    pub partition: String,
    /// What a style with versions says besides.
    pub extension: Option<Box<Extension>>,
}

/// A part of the items of one hash key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueryRange {
    /// The table.
    pub table: String,
    /// The hash key.
    pub hash: KeyValue,
    /// Which sort keys.
    pub sort: SortCondition,
    /// By ascending sort key, else descending.
    pub forward: bool,
    /// Only items that come after this key in the direction asked for.
    pub start: Option<PrimaryKey>,
    /// End the page before the item that would bring it above this many bytes; one item is always
    /// returned when there is one.
    pub max_bytes: usize,
    /// End the page after this many items.
    pub max_items: usize,
}

/// A part of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScanRange {
    /// The table.
    pub table: String,
    /// Only items that come after this key.
    pub start: Option<PrimaryKey>,
    /// Which of how many equal parts of the hash space; `None` means all of it.
    pub segment: Option<(u32, u32)>,
    /// As in [`QueryRange`].
    pub max_bytes: usize,
    /// As in [`QueryRange`].
    pub max_items: usize,
}

/// A page of a query or scan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// The items, in order.
    pub items: Vec<Item>,
    /// Whether the page ended because it was full rather than because nothing is left. A page that
    /// is full with the very last item may say so too; one without items may not.
    pub more: bool,
    /// The partition (or partitions, with commas) that it came from.
    pub partition: String,
}

impl QueryRange {
    /// The storage keys to read, with the start taken into account. A backend needs no more than
    /// this, the direction and the page's limits.
    #[must_use]
    pub fn storage_range(&self) -> KeyRange {
        let range = self.sort.storage_range(&self.hash);
        match &self.start {
            Some(start) => key::resume(range, start, self.forward),
            None => range,
        }
    }
}

impl ScanRange {
    /// The storage keys to read, with the start taken into account.
    #[must_use]
    pub fn storage_range(&self) -> KeyRange {
        let (segment, total) = self.segment.unwrap_or((0, 1));
        let range = key::segment_range(segment, total);
        match &self.start {
            Some(start) => key::resume(range, start, true),
            None => range,
        }
    }
}
