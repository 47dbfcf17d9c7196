//! Keys of rows: group (4 bytes, big endian), table (8 bytes, big endian), then the item's own encoded
//! key, so that the rows of a group, and of a table in it, stand together in the order of their keys.

use std::ops::Bound;

use super::rows::KeyRange;
use crate::engine::{GroupId, TableId};

/// Length of what stands before the item's own key.
pub(super) const PREFIX: usize = 12;

pub(super) fn item(group: GroupId, table: TableId, key: &[u8]) -> Vec<u8> {
    [&group.to_be_bytes(), &table.to_be_bytes()[..], key].concat()
}

/// The key of the metadata `name`, which has no table.
pub(super) fn meta(group: GroupId, name: &str) -> Vec<u8> {
    [&group.to_be_bytes(), name.as_bytes()].concat()
}

/// The range that begins with `prefix`.
pub(super) fn with_prefix(prefix: &[u8]) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    (Bound::Included(prefix.to_vec()), successor(prefix))
}

/// The part of a table that `range` names.
pub(super) fn in_table(
    group: GroupId,
    table: TableId,
    range: &KeyRange<'_>,
) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    let (first, after) = with_prefix(&item(group, table, b""));
    let whole = |bound: Bound<&[u8]>| bound.map(|key| item(group, table, key));
    let start = if range.start == Bound::Unbounded { first } else { whole(range.start) };
    let end = if range.end == Bound::Unbounded { after } else { whole(range.end) };
    (start, end)
}

/// The end of all keys that begin with `prefix`.
fn successor(prefix: &[u8]) -> Bound<Vec<u8>> {
    let mut next = prefix.to_vec();
    while let Some(last) = next.pop() {
        if last < u8::MAX {
            next.push(last + 1);
            return Bound::Excluded(next);
        }
    }
    Bound::Unbounded
}

/// The name in a metadata key.
pub(super) fn meta_name(key: &[u8]) -> String {
    String::from_utf8_lossy(&key[size_of::<GroupId>()..]).into_owned()
}

/// Table and own key of an item's key.
pub(super) fn split_item(key: &[u8]) -> Option<(TableId, &[u8])> {
    let (table, own) = key.get(size_of::<GroupId>()..)?.split_first_chunk()?;
    Some((TableId::from_be_bytes(*table), own))
}
