//! Reading and changing the rows of one group.

use std::ops::{Bound, ControlFlow};

use redb::{ReadOnlyTable, ReadTransaction, ReadableTable, Table, WriteTransaction};

use super::{APPLIED, ITEMS, META, keys, refused};
use crate::engine::{EngineError, GroupId, TableId};

/// A range of encoded keys of one table.
#[derive(Clone, Copy, Debug)]
pub struct KeyRange<'a> {
    /// Where it begins.
    pub start: Bound<&'a [u8]>,
    /// Where it ends.
    pub end: Bound<&'a [u8]>,
}

impl KeyRange<'_> {
    /// All keys.
    pub const ALL: KeyRange<'static> = KeyRange { start: Bound::Unbounded, end: Bound::Unbounded };
}

/// In which order a scan goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Ascending keys.
    Forward,
    /// Descending keys.
    Backward,
}

/// What a scan does with each key and value; `Break` ends the scan.
pub type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// The rows of one group, as a reader or a writer sees them.
pub trait GroupRows {
    /// The value under `key`.
    ///
    /// # Errors
    /// The table file cannot be read.
    fn get(&self, table: TableId, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError>;

    /// Shows `visit` the rows of `range` in order until it breaks.
    ///
    /// # Errors
    /// The table file cannot be read.
    fn scan(
        &self,
        table: TableId,
        range: KeyRange<'_>,
        direction: Direction,
        visit: Visit<'_>,
    ) -> Result<(), EngineError>;

    /// The metadata `name`.
    ///
    /// # Errors
    /// The table file cannot be read.
    fn meta(&self, name: &str) -> Result<Option<Vec<u8>>, EngineError>;

    /// All metadata whose names begin with `prefix`, sorted by name.
    ///
    /// # Errors
    /// The table file cannot be read.
    fn metas(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, EngineError>;

    /// Index and encoded log id of the last applied entry.
    ///
    /// # Errors
    /// The table file cannot be read.
    fn applied(&self) -> Result<Option<(u64, Vec<u8>)>, EngineError>;
}

/// One group at one moment.
pub struct GroupRead {
    pub(super) group: GroupId,
    pub(super) items: ReadOnlyTable<&'static [u8], &'static [u8]>,
    pub(super) meta: ReadOnlyTable<&'static [u8], &'static [u8]>,
    applied: ReadOnlyTable<GroupId, (u64, &'static [u8])>,
}

impl GroupRead {
    pub(super) fn new(transaction: &ReadTransaction, group: GroupId) -> Result<Self, EngineError> {
        Ok(GroupRead {
            group,
            items: transaction.open_table(ITEMS).map_err(refused)?,
            meta: transaction.open_table(META).map_err(refused)?,
            applied: transaction.open_table(APPLIED).map_err(refused)?,
        })
    }
}

/// A change of one group on its way; it sees what it has changed.
pub struct GroupWrite<'a> {
    group: GroupId,
    items: Table<'a, &'static [u8], &'static [u8]>,
    meta: Table<'a, &'static [u8], &'static [u8]>,
    applied: Table<'a, GroupId, (u64, &'static [u8])>,
    bytes: usize,
}

impl<'a> GroupWrite<'a> {
    pub(super) fn new(transaction: &'a WriteTransaction, group: GroupId) -> Result<Self, EngineError> {
        Ok(GroupWrite {
            group,
            items: transaction.open_table(ITEMS).map_err(refused)?,
            meta: transaction.open_table(META).map_err(refused)?,
            applied: transaction.open_table(APPLIED).map_err(refused)?,
            bytes: 0,
        })
    }

    /// Sets the value under `key`.
    ///
    /// # Errors
    /// The table file cannot be changed.
    pub fn put(&mut self, table: TableId, key: &[u8], value: &[u8]) -> Result<(), EngineError> {
        self.bytes += keys::PREFIX + key.len() + value.len();
        self.items.insert(&*keys::item(self.group, table, key), value).map_err(refused)?;
        Ok(())
    }

    /// Removes `key`, if it is there.
    ///
    /// # Errors
    /// The table file cannot be changed.
    pub fn delete(&mut self, table: TableId, key: &[u8]) -> Result<(), EngineError> {
        self.bytes += keys::PREFIX + key.len();
        self.items.remove(&*keys::item(self.group, table, key)).map_err(refused)?;
        Ok(())
    }

    /// Removes all rows of a table.
    ///
    /// # Errors
    /// The table file cannot be changed.
    pub fn clear_table(&mut self, table: TableId) -> Result<(), EngineError> {
        remove_range(&mut self.items, keys::in_table(self.group, table, &KeyRange::ALL))
    }

    /// Sets the metadata `name`, or removes it.
    ///
    /// # Errors
    /// The table file cannot be changed.
    pub fn set_meta(&mut self, name: &str, value: Option<&[u8]>) -> Result<(), EngineError> {
        let key = keys::meta(self.group, name);
        self.bytes += key.len() + value.map_or(0, <[u8]>::len);
        match value {
            Some(value) => self.meta.insert(&*key, value).map_err(refused)?,
            None => self.meta.remove(&*key).map_err(refused)?,
        };
        Ok(())
    }

    /// Says that the group's log is applied up to and including `index`, whose encoded log id is
    /// `log_id`.
    ///
    /// # Errors
    /// The table file cannot be changed.
    pub fn set_applied(&mut self, index: u64, log_id: &[u8]) -> Result<(), EngineError> {
        self.applied.insert(self.group, (index, log_id)).map_err(refused)?;
        Ok(())
    }

    /// Removes everything of the group.
    pub(super) fn clear(&mut self) -> Result<(), EngineError> {
        let prefix = self.group.to_be_bytes();
        remove_range(&mut self.items, keys::with_prefix(&prefix))?;
        remove_range(&mut self.meta, keys::with_prefix(&prefix))?;
        self.applied.remove(self.group).map_err(refused)?;
        Ok(())
    }

    /// About how many bytes were changed.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl GroupRows for GroupRead {
    fn get(&self, table: TableId, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        get(&self.items, &keys::item(self.group, table, key))
    }

    fn scan(
        &self,
        table: TableId,
        range: KeyRange<'_>,
        direction: Direction,
        visit: Visit<'_>,
    ) -> Result<(), EngineError> {
        scan(&self.items, keys::in_table(self.group, table, &range), direction, visit)
    }

    fn meta(&self, name: &str) -> Result<Option<Vec<u8>>, EngineError> {
        get(&self.meta, &keys::meta(self.group, name))
    }

    fn metas(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, EngineError> {
        metas(&self.meta, self.group, prefix)
    }

    fn applied(&self) -> Result<Option<(u64, Vec<u8>)>, EngineError> {
        applied(&self.applied, self.group)
    }
}

impl GroupRows for GroupWrite<'_> {
    fn get(&self, table: TableId, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        get(&self.items, &keys::item(self.group, table, key))
    }

    fn scan(
        &self,
        table: TableId,
        range: KeyRange<'_>,
        direction: Direction,
        visit: Visit<'_>,
    ) -> Result<(), EngineError> {
        scan(&self.items, keys::in_table(self.group, table, &range), direction, visit)
    }

    fn meta(&self, name: &str) -> Result<Option<Vec<u8>>, EngineError> {
        get(&self.meta, &keys::meta(self.group, name))
    }

    fn metas(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, EngineError> {
        metas(&self.meta, self.group, prefix)
    }

    fn applied(&self) -> Result<Option<(u64, Vec<u8>)>, EngineError> {
        applied(&self.applied, self.group)
    }
}

type KeyBounds = (Bound<Vec<u8>>, Bound<Vec<u8>>);

fn as_slices(bounds: &KeyBounds) -> (Bound<&[u8]>, Bound<&[u8]>) {
    (bounds.0.as_ref().map(Vec::as_slice), bounds.1.as_ref().map(Vec::as_slice))
}

/// Whether the range begins behind its end, which redb does not accept.
fn is_backwards(bounds: &KeyBounds) -> bool {
    match bounds {
        (Bound::Included(start), Bound::Included(end)) => start > end,
        (Bound::Included(start) | Bound::Excluded(start), Bound::Included(end) | Bound::Excluded(end)) => {
            start >= end
        }
        _ => false,
    }
}

fn get(
    rows: &impl ReadableTable<&'static [u8], &'static [u8]>,
    key: &[u8],
) -> Result<Option<Vec<u8>>, EngineError> {
    Ok(rows.get(key).map_err(refused)?.map(|value| value.value().to_vec()))
}

fn scan(
    rows: &impl ReadableTable<&'static [u8], &'static [u8]>,
    bounds: KeyBounds,
    direction: Direction,
    visit: Visit<'_>,
) -> Result<(), EngineError> {
    if is_backwards(&bounds) {
        return Ok(());
    }
    let mut range = rows.range::<&[u8]>(as_slices(&bounds)).map_err(refused)?;
    loop {
        let row = match direction {
            Direction::Forward => range.next(),
            Direction::Backward => range.next_back(),
        };
        let Some(row) = row else { return Ok(()) };
        let (key, value) = row.map_err(refused)?;
        if visit(&key.value()[keys::PREFIX..], value.value()).is_break() {
            return Ok(());
        }
    }
}

fn metas(
    rows: &impl ReadableTable<&'static [u8], &'static [u8]>,
    group: GroupId,
    prefix: &str,
) -> Result<Vec<(String, Vec<u8>)>, EngineError> {
    let bounds = keys::with_prefix(&keys::meta(group, prefix));
    let mut found = Vec::new();
    for row in rows.range::<&[u8]>(as_slices(&bounds)).map_err(refused)? {
        let (key, value) = row.map_err(refused)?;
        found.push((keys::meta_name(key.value()), value.value().to_vec()));
    }
    Ok(found)
}

fn applied(
    rows: &impl ReadableTable<GroupId, (u64, &'static [u8])>,
    group: GroupId,
) -> Result<Option<(u64, Vec<u8>)>, EngineError> {
    let row = rows.get(group).map_err(refused)?;
    Ok(row.map(|row| (row.value().0, row.value().1.to_vec())))
}

fn remove_range(
    rows: &mut Table<'_, &'static [u8], &'static [u8]>,
    bounds: KeyBounds,
) -> Result<(), EngineError> {
    rows.retain_in::<&[u8], _>(as_slices(&bounds), |_, _| false).map_err(refused)
}
