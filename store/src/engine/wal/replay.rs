//! Reading the segments after a start.
//!
//! Every segment but the last was synced as a whole before its successor was made, so anything wrong
//! in it is damage. The last may end in a torn tail: a crash keeps any part of what was written since
//! the last sync, in any order. The first bad record therefore ends the log, unless a later record's
//! durable mark proves that the bad bytes had been on disk: then it is damage, and cutting there would
//! lose what was acknowledged.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::GroupId;
use super::group::GroupLog;
use super::record::{Invalid, Record, durable_mark};
use super::segment::{self, SegmentNumber};
use super::writer::{Needed, note};
use crate::engine::EngineError;
use crate::world::{Disk, OpenMode};

/// What the segments said.
#[derive(Debug, Default)]
pub(super) struct Replayed {
    pub(super) groups: BTreeMap<GroupId, GroupLog>,
    /// What may still be needed from which segment.
    pub(super) needed: Needed,
    /// The last segment and its length without the torn tail; none when there is no segment.
    pub(super) end: Option<(SegmentNumber, u64)>,
}

/// Reads all segments of `disk`. Changes nothing but to remove what an interrupted birth left.
pub(super) fn replay(disk: &dyn Disk) -> Result<Replayed, EngineError> {
    let numbers = segment::list(disk)?;
    let mut replayed = Replayed::default();
    let Some(&last) = numbers.last() else { return Ok(replayed) };
    // Segments are removed from the oldest on; what a crash left before a gap is no longer needed.
    let gap = numbers.windows(2).rposition(|pair| pair[0] + 1 != pair[1]).map_or(0, |at| at + 1);
    replayed.needed.extend(numbers[..gap].iter().map(|&number| (number, BTreeMap::new())));
    for &number in &numbers[gap..] {
        let bytes = read(disk, number)?;
        let end = replayed.segment(number, &bytes, number == last)?;
        replayed.end = Some((number, end as u64));
    }
    for (group, log) in &replayed.groups {
        if !log.is_whole() {
            let what = format!("the oldest segment lacks entries of group {group} that were not purged");
            return Err(EngineError::Damaged { file: segment::path(numbers[gap]), offset: 0, what });
        }
    }
    Ok(replayed)
}

fn read(disk: &dyn Disk, number: SegmentNumber) -> Result<Bytes, EngineError> {
    let path = segment::path(number);
    let read = || {
        let file = disk.open(&path, OpenMode::Existing)?;
        let mut bytes = vec![0; usize::try_from(file.len()?).map_err(std::io::Error::other)?];
        file.read_at(0, &mut bytes)?;
        Ok(bytes)
    };
    read().map(Bytes::from).map_err(EngineError::io("read", &path))
}

impl Replayed {
    /// Takes the records of one segment; gives where they end.
    fn segment(&mut self, number: SegmentNumber, bytes: &Bytes, last: bool) -> Result<usize, EngineError> {
        let damaged = |offset: usize, what: String| EngineError::Damaged {
            file: segment::path(number),
            offset: offset as u64,
            what,
        };
        let head = segment::check(number, bytes)?;
        self.needed.entry(number).or_default();
        let mut at = segment::HEADER;
        while at < bytes.len() {
            let placed = match Record::decode(&bytes.slice(at..)) {
                Ok(placed) => placed,
                Err(Invalid::Content(what)) => return Err(damaged(at, what.to_owned())),
                Err(Invalid::Short | Invalid::Checksum) if last && at >= head && !was_durable(bytes, at) => {
                    tracing::info!(
                        segment = number,
                        at,
                        cut = bytes.len() - at,
                        "cutting the log's torn tail"
                    );
                    return Ok(at);
                }
                Err(_) => {
                    return Err(damaged(at, "a record that had been durable does not match".to_owned()));
                }
            };
            note(&mut self.needed, number, placed.group, &placed.record);
            let log = self.groups.entry(placed.group).or_default();
            log.take(&placed.record)
                .map_err(|error| damaged(at, format!("group {}: {error}", placed.group)))?;
            at += placed.length;
        }
        Ok(at)
    }
}

/// Whether a record behind `bad` says that the bytes at `bad` were on disk when it was written.
fn was_durable(bytes: &[u8], bad: usize) -> bool {
    (bad + 1..bytes.len()).any(|at| durable_mark(&bytes[at..]).is_some_and(|mark| mark as usize > bad))
}
