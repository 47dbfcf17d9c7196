//! A replica's state: what applying a group's log has made.
//!
//! Items lie in the engine's tables under their storage keys; beside them one record, the position,
//! says up to where the log was applied, with the membership and the tables of that moment. A batch
//! of entries and the position change together, so that a crash leaves a state that belongs to one
//! place of the log. Readers take the state as of the last batch; only [`super::machine`] writes.

use std::collections::BTreeMap;
use std::io;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

use super::command::{TableEntry, TableId};
use super::types::{LogId, StoredMembership};
use super::wire::RangeRead;
use crate::engine::{Direction, Engine, GroupId, GroupRows, GroupSnapshot, GroupWrite, KeyRange};
use crate::item::size::item_size;
use crate::item::{Item, PrimaryKey};

/// The name of the [`Position`] among a group's metadata.
const POSITION: &str = "position";

/// What belongs to a place of the log, beside the items.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Position {
    /// The last applied entry.
    pub(super) applied: Option<LogId>,
    /// The membership as of that entry.
    pub(super) membership: StoredMembership,
    /// The tables as of that entry. Shared: readers take it with every request.
    pub(super) tables: Arc<BTreeMap<TableId, TableEntry>>,
}

/// The group has no such table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchTable;

/// One replica's state of one group.
pub struct GroupState {
    engine: Engine,
    group: GroupId,
    position: RwLock<Position>,
}

impl GroupState {
    /// The state that the engine has of a group.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open(engine: Engine, group: GroupId) -> io::Result<Self> {
        let position = RwLock::new(position_in(&engine.read(group)?)?);
        Ok(Self { engine, group, position })
    }

    /// The tables by number.
    #[must_use]
    pub fn tables(&self) -> Arc<BTreeMap<TableId, TableEntry>> {
        self.position.read().tables.clone()
    }

    /// Reads one item.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn item(&self, table: TableId, key: &PrimaryKey) -> io::Result<Result<Option<Item>, NoSuchTable>> {
        if !self.has(table) {
            return Ok(Err(NoSuchTable));
        }
        let value = self.engine.read(self.group)?.get(table, &key.storage_key())?;
        value.map(|value| decode(&value)).transpose().map(Ok)
    }

    /// Reads a page of items, and whether it is full.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn page(&self, read: &RangeRead) -> io::Result<Result<(Vec<Item>, bool), NoSuchTable>> {
        if !self.has(read.table) {
            return Ok(Err(NoSuchTable));
        }
        let direction = if read.forward { Direction::Forward } else { Direction::Backward };
        let range = KeyRange { start: slice(&read.low), end: slice(&read.high) };
        let (mut items, mut bytes, mut full, mut outcome) = (Vec::new(), 0, read.max_items == 0, Ok(()));
        let mut visit = |_: &[u8], value: &[u8]| match decode::<Item>(value) {
            Err(error) => {
                outcome = Err(error);
                ControlFlow::Break(())
            }
            Ok(item) => {
                bytes += item_size(&item);
                if !items.is_empty() && bytes > read.max_bytes {
                    full = true;
                } else {
                    items.push(item);
                    full = items.len() >= read.max_items;
                }
                if full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            }
        };
        if read.max_items > 0 {
            self.engine.read(self.group)?.scan(read.table, range, direction, &mut visit)?;
        }
        outcome.map(|()| Ok((items, full)))
    }

    fn has(&self, table: TableId) -> bool {
        self.position.read().tables.contains_key(&table)
    }

    pub(super) fn position(&self) -> Position {
        self.position.read().clone()
    }

    /// Changes items and the position in one step, and shows both.
    pub(super) async fn change<T>(
        &self,
        position: &mut Position,
        change: impl FnOnce(&mut GroupWrite<'_>, &mut Position) -> io::Result<T>,
    ) -> io::Result<T> {
        let outcome = self
            .engine
            .write(self.group, |rows| {
                let outcome = change(rows, position)?;
                rows.set_meta(POSITION, Some(&encode(position)?))?;
                if let Some(applied) = &position.applied {
                    rows.set_applied(applied.index, &encode(applied)?)?;
                }
                io::Result::Ok(outcome)
            })
            .await?;
        *self.position.write() = position.clone();
        Ok(outcome)
    }

    /// Makes everything that was changed so far durable.
    pub(super) async fn checkpoint(&self) -> io::Result<()> {
        Ok(self.engine.checkpoint().await?)
    }

    /// The state as it is now, for another replica, with the position that it has.
    pub(super) fn snapshot(&self) -> io::Result<(GroupSnapshot, Position)> {
        let snapshot = self.engine.snapshot(self.group)?;
        let position = position_in(snapshot.rows())?;
        Ok((snapshot, position))
    }

    /// Replaces everything by another replica's snapshot, and returns the position that it has.
    pub(super) async fn replace(&self, chunks: Vec<Bytes>) -> io::Result<Position> {
        self.engine.install(self.group, chunks).await?;
        let position = position_in(&self.engine.read(self.group)?)?;
        *self.position.write() = position.clone();
        Ok(position)
    }
}

fn position_in(rows: &impl GroupRows) -> io::Result<Position> {
    rows.meta(POSITION)?.map_or_else(|| Ok(Position::default()), |value| decode(&value))
}

fn slice(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    bound.as_ref().map(Vec::as_slice)
}

pub(super) fn encode<T: Serialize>(value: &T) -> io::Result<Vec<u8>> {
    postcard::to_stdvec(value).map_err(io::Error::other)
}

pub(super) fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> io::Result<T> {
    postcard::from_bytes(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}
