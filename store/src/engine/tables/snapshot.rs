//! A group on its way to another node: its state at one moment, in chunks.
//!
//! A chunk is a version byte, a byte that is 1 in the last chunk, its number (4 bytes, little endian),
//! the CRC-32 of the rest (4 bytes), and rows in postcard. Installing checks that all chunks are there,
//! in order and whole, before it changes anything for good.

use std::ops::Bound;

use bytes::Bytes;
use redb::{ReadableTable, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::rows::{GroupRead, GroupRows, GroupWrite};
use super::{keys, refused};
use crate::engine::{EngineError, GroupId, TableId};

const VERSION: u8 = 1;
const HEADER: usize = 10;

#[derive(Debug, Serialize, Deserialize)]
enum Row {
    Applied { index: u64, log_id: Bytes },
    Meta { name: String, value: Bytes },
    Item { table: TableId, key: Bytes, value: Bytes },
}

/// A group's state at one moment, read chunk by chunk while the group goes on.
pub struct GroupSnapshot {
    read: GroupRead,
    number: u32,
    stage: Stage,
}

enum Stage {
    Meta,
    /// Items behind this key; none: from the first.
    Items(Option<Vec<u8>>),
    Done,
}

impl GroupSnapshot {
    pub(super) fn new(read: GroupRead) -> Self {
        GroupSnapshot { read, number: 0, stage: Stage::Meta }
    }

    /// The group as the snapshot has it.
    pub fn rows(&self) -> &GroupRead {
        &self.read
    }

    /// The next chunk, of about `bytes` bytes of rows (one row at least); none after the last.
    ///
    /// # Errors
    /// The table file cannot be read.
    pub fn next_chunk(&mut self, bytes: usize) -> Result<Option<Bytes>, EngineError> {
        let rows = match &self.stage {
            Stage::Done => return Ok(None),
            Stage::Meta => {
                self.stage = Stage::Items(None);
                self.meta()?
            }
            Stage::Items(after) => {
                let (rows, last) = self.items(after.as_deref(), bytes)?;
                self.stage = last.map_or(Stage::Done, |key| Stage::Items(Some(key)));
                rows
            }
        };
        let is_last = matches!(self.stage, Stage::Done);
        let chunk = encode(self.number, is_last, &rows)?;
        self.number += 1;
        Ok(Some(chunk))
    }

    fn meta(&self) -> Result<Vec<Row>, EngineError> {
        let applied = self.read.applied()?;
        let applied = applied.map(|(index, log_id)| Row::Applied { index, log_id: log_id.into() });
        let metas = self.read.metas("")?;
        let metas = metas.into_iter().map(|(name, value)| Row::Meta { name, value: value.into() });
        Ok(applied.into_iter().chain(metas).collect())
    }

    /// Items behind `after`, and the key of the last one unless there are no more.
    fn items(&self, after: Option<&[u8]>, bytes: usize) -> Result<(Vec<Row>, Option<Vec<u8>>), EngineError> {
        let (first, end) = keys::with_prefix(&self.read.group.to_be_bytes());
        let start = after.map_or(first, |key| Bound::Excluded(key.to_vec()));
        let bounds = (start.as_ref().map(Vec::as_slice), end.as_ref().map(Vec::as_slice));
        let mut rows = Vec::new();
        let mut size = 0;
        for row in ReadableTable::range::<&[u8]>(&self.read.items, bounds).map_err(refused)? {
            let (whole, value) = row.map_err(refused)?;
            let Some((table, key)) = keys::split_item(whole.value()) else { continue };
            size += key.len() + value.value().len();
            let (key, value) = (Bytes::copy_from_slice(key), Bytes::copy_from_slice(value.value()));
            rows.push(Row::Item { table, key, value });
            if size >= bytes {
                return Ok((rows, Some(whole.value().to_vec())));
            }
        }
        Ok((rows, None))
    }
}

fn encode(number: u32, is_last: bool, rows: &[Row]) -> Result<Bytes, EngineError> {
    let mut rest = vec![VERSION, u8::from(is_last)];
    rest.extend_from_slice(&number.to_le_bytes());
    rest.extend_from_slice(&[0; 4]);
    let mut chunk = postcard::to_extend(rows, rest).map_err(|error| invalid(&error.to_string()))?;
    let checksum = checksum(&chunk);
    chunk[6..HEADER].copy_from_slice(&checksum.to_le_bytes());
    Ok(chunk.into())
}

/// The CRC-32 of a chunk without the checksum itself.
fn checksum(chunk: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&chunk[..6]);
    hasher.update(&chunk[HEADER..]);
    hasher.finalize()
}

fn decode(number: u32, is_last: bool, chunk: &[u8]) -> Result<Vec<Row>, EngineError> {
    let header = chunk.first_chunk::<HEADER>().ok_or_else(|| invalid("a chunk is cut off"))?;
    if header[6..] != checksum(chunk).to_le_bytes() {
        return Err(invalid("a chunk's checksum does not match"));
    }
    if header[0] > VERSION {
        return Err(EngineError::Newer {
            file: "a snapshot".into(),
            found: header[0].into(),
            known: VERSION.into(),
        });
    }
    if header[2..6] != number.to_le_bytes() || (header[1] == 1) != is_last {
        return Err(invalid("a chunk is missing or out of order"));
    }
    postcard::from_bytes(&chunk[HEADER..]).map_err(|_| invalid("a chunk does not decode"))
}

fn invalid(what: &str) -> EngineError {
    EngineError::Snapshot(what.to_owned())
}

/// Replaces `group` by what `chunks` say, inside `transaction`.
pub(super) fn install(
    transaction: &WriteTransaction,
    group: GroupId,
    chunks: &[Bytes],
) -> Result<(), EngineError> {
    let mut write = GroupWrite::new(transaction, group)?;
    write.clear()?;
    if chunks.is_empty() {
        return Err(invalid("it has no chunks"));
    }
    for (number, chunk) in (0u32..).zip(chunks) {
        for row in decode(number, number as usize + 1 == chunks.len(), chunk)? {
            match row {
                Row::Applied { index, log_id } => write.set_applied(index, &log_id)?,
                Row::Meta { name, value } => write.set_meta(&name, Some(&value))?,
                Row::Item { table, key, value } => write.put(table, &key, &value)?,
            }
        }
    }
    Ok(())
}
