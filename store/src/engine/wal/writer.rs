//! The writing end of the log: one segment file, batches with one sync each, the change to a new
//! segment, and the removal of old ones.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::record::Record;
use super::replay::Replayed;
use super::segment::{self, SegmentNumber};
use super::{Flushed, GroupId};
use crate::engine::EngineError;
use crate::world::{Disk, DiskFile, OpenMode};

/// How many segments a group may hold back before it carries its entries along, however many.
const MOST_BEHIND: u64 = 3;

/// What gathers while a flush runs.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) records: Vec<(GroupId, Record)>,
    pub(super) done: Vec<Flushed>,
    /// Somebody needs a real sync.
    pub(super) must_sync: bool,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.done.is_empty()
    }
}

/// With what a new segment begins, when one is due.
pub(super) type Heads = Option<Vec<(GroupId, Vec<Record>)>>;

/// Of each segment, the highest entry of each group that may still be needed from it.
pub(super) type Needed = BTreeMap<SegmentNumber, BTreeMap<GroupId, u64>>;

/// Keeps `needed` right while `record` goes into segment `number`.
pub(super) fn note(needed: &mut Needed, number: SegmentNumber, group: GroupId, record: &Record) {
    match record {
        Record::Entry { index, .. } => {
            let highest = needed.entry(number).or_default().entry(group).or_insert(*index);
            *highest = (*index).max(*highest);
        }
        // All entries that count follow this head: nothing older is needed.
        Record::Head(head) if head.first == head.next => {
            for (_, groups) in needed.range_mut(..number) {
                groups.remove(&group);
            }
        }
        _ => {}
    }
}

pub(super) struct Writer {
    disk: Arc<dyn Disk>,
    file: Arc<dyn DiskFile>,
    number: SegmentNumber,
    length: u32,
    /// How much of the segment is known to be on disk.
    durable: u32,
    needed: Needed,
    /// The highest purged entry of each group, as far as it was written.
    purged: BTreeMap<GroupId, u64>,
    buffer: Vec<u8>,
    /// Why nothing more can be written.
    failed: Option<String>,
}

impl Writer {
    /// Goes on where `replayed` ended, behind a tail that is cut here; makes the first segment of a new
    /// log.
    pub(super) fn open(disk: Arc<dyn Disk>, replayed: &Replayed) -> Result<Self, EngineError> {
        let (number, file, length) = match replayed.end {
            Some((number, end)) => {
                let path = segment::path(number);
                let cut = || {
                    let file = disk.open(&path, OpenMode::Existing)?;
                    if file.len()? != end {
                        file.set_len(end)?;
                    }
                    // Also when nothing was cut: a killed process may have written what it never synced.
                    file.sync()?;
                    disk.sync_dir(Path::new(segment::FOLDER))?;
                    Ok((file, u32::try_from(end).map_err(io::Error::other)?))
                };
                let (file, length) = cut().map_err(EngineError::io("cut the tail of", &path))?;
                (number, file, length)
            }
            None => {
                let made = segment::create(&*disk, 1, &[]);
                let (file, length) = made.map_err(EngineError::io("create", segment::path(1)))?;
                (1, file, length)
            }
        };
        let mut needed = replayed.needed.clone();
        needed.entry(number).or_default();
        let purged = replayed.groups.iter().filter_map(|(&group, log)| Some((group, log.purged.as_ref()?.0)));
        Ok(Writer {
            file,
            number,
            length,
            durable: length,
            needed,
            purged: purged.collect(),
            buffer: Vec::new(),
            failed: None,
            disk,
        })
    }

    /// Whether `group` still needs a segment so old that it should rather carry its entries along.
    pub(super) fn is_behind(&self, group: GroupId) -> bool {
        let oldest = self.needed.iter().find(|(_, groups)| groups.contains_key(&group));
        oldest.is_some_and(|(&number, _)| self.number - number >= MOST_BEHIND)
    }

    /// The length of the current segment in bytes.
    pub(super) fn length(&self) -> usize {
        self.length as usize
    }

    /// Writes `records`, syncs once if `sync`, and begins a new segment with `heads` if there are any.
    ///
    /// # Errors
    /// The system refused now or before: nothing will ever be written again.
    pub(super) fn write(
        &mut self,
        records: &[(GroupId, Record)],
        sync: bool,
        heads: Heads,
    ) -> io::Result<()> {
        if let Some(why) = &self.failed {
            return Err(io::Error::other(why.clone()));
        }
        let written = self.try_write(records, sync, heads);
        if let Err(error) = &written {
            self.failed = Some(error.to_string());
        }
        written
    }

    fn try_write(&mut self, records: &[(GroupId, Record)], sync: bool, heads: Heads) -> io::Result<()> {
        self.buffer.clear();
        let mut purges = false;
        for (group, record) in records {
            record.encode(*group, self.durable, &mut self.buffer)?;
            note(&mut self.needed, self.number, *group, record);
            if let Record::Purge { through, .. } = record {
                self.purged.insert(*group, *through);
                purges = true;
            }
        }
        self.file.write_at(u64::from(self.length), &self.buffer)?;
        let added = u32::try_from(self.buffer.len()).ok();
        self.length =
            added.and_then(|added| self.length.checked_add(added)).ok_or(io::ErrorKind::FileTooLarge)?;
        if (sync || heads.is_some()) && self.durable != self.length {
            self.file.sync()?;
            self.durable = self.length;
        }
        let rolled = heads.is_some();
        if let Some(heads) = heads {
            self.begin_segment(&heads)?;
        }
        if (purges || rolled) && self.durable == self.length {
            self.remove_segments()?;
        }
        Ok(())
    }

    fn begin_segment(&mut self, heads: &[(GroupId, Vec<Record>)]) -> io::Result<()> {
        let number = self.number + 1;
        self.needed.insert(number, BTreeMap::new());
        self.buffer.clear();
        for (group, records) in heads {
            for record in records {
                record.encode(*group, 0, &mut self.buffer)?;
                note(&mut self.needed, number, *group, record);
            }
        }
        let (file, length) = segment::create(&*self.disk, number, &self.buffer)?;
        (self.file, self.number, self.length, self.durable) = (file, number, length, length);
        Ok(())
    }

    /// Removes the oldest segments as long as nobody needs them. The order matters: there must never
    /// be a gap that looks like a lost segment.
    fn remove_segments(&mut self) -> io::Result<()> {
        let purged = &self.purged;
        let is_purged =
            |(group, index): (&GroupId, &u64)| purged.get(group).is_some_and(|purged| purged >= index);
        let mut removed = false;
        while let Some((&oldest, groups)) = self.needed.first_key_value()
            && oldest != self.number
            && groups.iter().all(is_purged)
        {
            self.disk.remove(&segment::path(oldest))?;
            self.needed.remove(&oldest);
            removed = true;
        }
        if removed { self.disk.sync_dir(Path::new(segment::FOLDER)) } else { Ok(()) }
    }
}
