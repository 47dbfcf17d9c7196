//! A replica's state: what applying a group's log has made, as readers and the state machine see it.
//!
//! Everything lies in one ordered map of bytes ([`GroupTables`]): items under
//! `'i' · table (8) · storage key`, and one record that says up to where the log was applied, with
//! the membership and the tables. A batch of entries and that record change together, so that a
//! crash leaves a state that belongs to one position of the log. Only [`super::machine`] writes.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

use super::command::{TableEntry, TableId};
use super::types::{LogId, StoredMembership};
use super::wire::RangeRead;
use crate::item::key::KeyRange;
use crate::item::size::item_size;
use crate::item::{Item, PrimaryKey};

/// Looks at one key and its value; `false` ends the walk.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> io::Result<bool> + 'a;
/// A key and its new value, or none when it goes.
pub type KeyChange = (Vec<u8>, Option<Vec<u8>>);

/// The ordered map that holds one group's state.
///
/// Reads see the last commit. Calls are short and may block on memory, not on the disk.
pub trait GroupTables: Send + Sync + 'static {
    /// The value of a key.
    ///
    /// # Errors
    /// The tables are damaged or gone.
    fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>>;

    /// Walks over a range of keys in order, or in reverse.
    ///
    /// # Errors
    /// The tables are damaged or gone, or `visit` failed.
    fn walk(&self, range: KeyRange, forward: bool, visit: &mut Visit<'_>) -> io::Result<()>;

    /// Changes keys, all together.
    ///
    /// # Errors
    /// The tables are damaged or gone.
    fn commit(&self, changes: Vec<KeyChange>) -> io::Result<()>;

    /// Makes everything committed before the call durable.
    fn checkpoint(&self) -> BoxFuture<'static, io::Result<()>>;

    /// The whole content as of the last commit.
    ///
    /// # Errors
    /// The tables are damaged or gone.
    fn export(&self) -> io::Result<Bytes>;

    /// Replaces the whole content, durably and at once.
    ///
    /// # Errors
    /// The bytes are not an export, or the tables are damaged or gone.
    fn import(&self, content: Bytes) -> io::Result<()>;
}

/// The record that belongs to a position of the log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Position {
    /// The last applied entry.
    pub(super) applied: Option<LogId>,
    /// The membership as of that entry.
    pub(super) membership: StoredMembership,
    /// The tables as of that entry. Shared: readers take it with every request.
    pub(super) tables: Arc<BTreeMap<TableId, TableEntry>>,
}

/// The key of [`Position`].
const POSITION_KEY: &[u8] = b"p";

/// The group has no such table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchTable;

/// One replica's state.
pub struct GroupState {
    tables: Box<dyn GroupTables>,
    position: RwLock<Position>,
}

impl GroupState {
    /// The state that the tables hold.
    ///
    /// # Errors
    /// The tables cannot be read.
    pub fn open(tables: Box<dyn GroupTables>) -> io::Result<Self> {
        let position = RwLock::new(read_position(tables.as_ref())?);
        Ok(Self { tables, position })
    }

    /// The tables by number.
    #[must_use]
    pub fn tables(&self) -> Arc<BTreeMap<TableId, TableEntry>> {
        self.position.read().tables.clone()
    }

    /// Reads one item.
    ///
    /// # Errors
    /// The tables cannot be read.
    pub fn item(&self, table: TableId, key: &PrimaryKey) -> io::Result<Result<Option<Item>, NoSuchTable>> {
        if !self.has(table) {
            return Ok(Err(NoSuchTable));
        }
        let value = self.tables.get(&item_key(table, &key.storage_key()))?;
        value.map(|value| decode(&value)).transpose().map(Ok)
    }

    /// Reads a page of items, and whether it is full.
    ///
    /// # Errors
    /// The tables cannot be read.
    pub fn page(&self, read: &RangeRead) -> io::Result<Result<(Vec<Item>, bool), NoSuchTable>> {
        if !self.has(read.table) {
            return Ok(Err(NoSuchTable));
        }
        let (mut items, mut bytes, mut full) = (Vec::new(), 0, false);
        let range = item_range(read.table, &read.low, &read.high);
        self.tables.walk(range, read.forward, &mut |_, value| {
            let item: Item = decode(value)?;
            bytes += item_size(&item);
            full = !items.is_empty() && bytes > read.max_bytes;
            if !full {
                items.push(item);
                full = items.len() >= read.max_items;
            }
            Ok(!full)
        })?;
        Ok(Ok((items, full)))
    }

    fn has(&self, table: TableId) -> bool {
        self.position.read().tables.contains_key(&table)
    }

    pub(super) fn position(&self) -> Position {
        self.position.read().clone()
    }

    pub(super) fn storage(&self) -> &dyn GroupTables {
        self.tables.as_ref()
    }

    /// Commits changes of items together with the position that they lead to, and shows it.
    pub(super) fn commit(&self, mut changes: Vec<KeyChange>, position: &Position) -> io::Result<()> {
        changes.push((POSITION_KEY.to_vec(), Some(encode(position)?)));
        self.tables.commit(changes)?;
        *self.position.write() = position.clone();
        Ok(())
    }

    /// Replaces everything by an export, and returns the position that it holds.
    pub(super) fn replace(&self, content: Bytes) -> io::Result<Position> {
        // Readers wait, so that none sees the new items with the old tables.
        let mut shown = self.position.write();
        self.tables.import(content)?;
        *shown = read_position(self.tables.as_ref())?;
        Ok(shown.clone())
    }
}

fn read_position(tables: &dyn GroupTables) -> io::Result<Position> {
    tables.get(POSITION_KEY)?.map_or_else(|| Ok(Position::default()), |value| decode(&value))
}

/// The key of an item, given its storage key.
pub(super) fn item_key(table: TableId, storage_key: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(9 + storage_key.len());
    key.push(b'i');
    key.extend_from_slice(&table.to_be_bytes());
    key.extend_from_slice(storage_key);
    key
}

/// The keys of a table's items between two storage keys.
pub(super) fn item_range(table: TableId, low: &Bound<Vec<u8>>, high: &Bound<Vec<u8>>) -> KeyRange {
    let at = |bound: &Bound<Vec<u8>>, open: Bound<Vec<u8>>| match bound {
        Bound::Included(key) => Bound::Included(item_key(table, key)),
        Bound::Excluded(key) => Bound::Excluded(item_key(table, key)),
        Bound::Unbounded => open,
    };
    let start = Bound::Included(item_key(table, &[]));
    let end = Bound::Excluded(item_key(table + 1, &[]));
    (at(low, start), at(high, end))
}

pub(super) fn encode<T: Serialize>(value: &T) -> io::Result<Vec<u8>> {
    postcard::to_stdvec(value).map_err(io::Error::other)
}

pub(super) fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> io::Result<T> {
    postcard::from_bytes(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}
