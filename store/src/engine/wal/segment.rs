//! Segment files: their names, their header, how one is born.
//!
//! A segment is written under a temporary name, synced, and only then given its real one, so that a
//! segment which is there has a whole head. Header, 24 bytes, little endian: magic (4), format version
//! (4), length of header and head (4), the segment's number (8), CRC-32 of those 20 bytes (4).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::engine::EngineError;
use crate::world::{Disk, DiskFile, OpenMode};

/// The folder of the segments, inside the data folder.
pub(super) const FOLDER: &str = "wal";
/// The format that this build writes, and the newest that it reads.
const VERSION: u32 = 1;
const MAGIC: [u8; 4] = *b"GWAL";
/// Length of a segment's header.
pub(super) const HEADER: usize = 24;
/// What a segment is called before it is whole.
const UNBORN: &str = "unborn";

/// A segment's number; they count up.
pub(super) type SegmentNumber = u64;

pub(super) fn path(number: SegmentNumber) -> PathBuf {
    Path::new(FOLDER).join(format!("{number:012}.wal"))
}

/// The numbers of the segments that there are, in order. Removes what a crash left of an unborn one.
pub(super) fn list(disk: &dyn Disk) -> Result<Vec<SegmentNumber>, EngineError> {
    let failed = || EngineError::io("list", FOLDER);
    let mut numbers = Vec::new();
    for name in disk.list(Path::new(FOLDER)).map_err(failed())? {
        if name == UNBORN {
            disk.remove(&Path::new(FOLDER).join(UNBORN)).map_err(failed())?;
        } else if let Some(number) = name.strip_suffix(".wal").and_then(|number| number.parse().ok()) {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Makes segment `number` with `head` (encoded records) in it, durable with its name when this
/// returns. Gives the file and its length.
pub(super) fn create(
    disk: &dyn Disk,
    number: SegmentNumber,
    head: &[u8],
) -> std::io::Result<(Arc<dyn DiskFile>, u32)> {
    let length = u32::try_from(HEADER + head.len()).map_err(std::io::Error::other)?;
    let mut bytes = Vec::with_capacity(HEADER + head.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&number.to_le_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
    bytes.extend_from_slice(head);

    let unborn = Path::new(FOLDER).join(UNBORN);
    let file = disk.open(&unborn, OpenMode::Create)?;
    file.set_len(0)?;
    file.write_at(0, &bytes)?;
    file.sync()?;
    disk.rename(&unborn, &path(number))?;
    disk.sync_dir(Path::new(FOLDER))?;
    Ok((file, length))
}

/// Checks the header of segment `number` and gives the length of header and head.
pub(super) fn check(number: SegmentNumber, bytes: &[u8]) -> Result<usize, EngineError> {
    let file = path(number);
    let damaged = |what: &str| EngineError::Damaged { file: path(number), offset: 0, what: what.to_owned() };
    let header = bytes.first_chunk::<HEADER>().ok_or_else(|| damaged("shorter than its header"))?;
    let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    if header[..4] != MAGIC {
        return Err(damaged("not a log segment"));
    }
    if word(20) != crc32fast::hash(&header[..20]) {
        return Err(damaged("the header's checksum does not match"));
    }
    if word(4) > VERSION {
        return Err(EngineError::Newer { file, found: word(4), known: VERSION });
    }
    if header[12..20] != number.to_le_bytes() {
        return Err(damaged("the header names another segment"));
    }
    if word(8) as usize > bytes.len() {
        return Err(damaged("the head is cut off"));
    }
    Ok(word(8) as usize)
}
