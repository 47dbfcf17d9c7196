//! One group's log as it stands in memory: what replay rebuilds and what reads are served from.
//!
//! Entries stay here, encoded, from their append to their purge, so memory is bounded by how often a
//! group takes snapshots.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;

use bytes::Bytes;

use super::record::{Head, Record};

/// The state of one group's log.
#[derive(Clone, Debug, Default)]
pub(super) struct GroupLog {
    pub(super) vote: Option<Bytes>,
    pub(super) committed: Option<Bytes>,
    /// Whether `committed` is newer than what was handed to the disk.
    pub(super) committed_waits: bool,
    pub(super) purged: Option<(u64, Bytes)>,
    /// The index of the first entry that counts.
    first: u64,
    /// The index of `entries[0]`. Differs from `first` only during a replay whose oldest segment
    /// begins in the middle of what was not purged yet.
    base: u64,
    entries: VecDeque<Bytes>,
    bytes: usize,
}

/// A step that does not fit the log, from a caller or from a damaged file.
pub(super) fn misfit(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

impl GroupLog {
    /// The index that the next entry gets.
    pub(super) fn next(&self) -> u64 {
        self.base + self.entries.len() as u64
    }

    /// The indexes of the entries.
    pub(super) fn range(&self) -> Range<u64> {
        self.first..self.next()
    }

    /// About how many bytes the entries take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The entries of `range` that there are.
    pub(super) fn entries(&self, range: Range<u64>) -> impl Iterator<Item = (u64, &Bytes)> {
        let start = range.start.clamp(self.base, self.next());
        let end = range.end.clamp(start, self.next());
        let (from, to) = ((start - self.base) as usize, (end - self.base) as usize);
        (start..).zip(self.entries.range(from..to))
    }

    /// The last entry.
    pub(super) fn last(&self) -> Option<&Bytes> {
        self.entries.back()
    }

    /// Whether all entries are here that should be.
    pub(super) fn is_whole(&self) -> bool {
        self.base == self.first
    }

    /// Takes one step.
    ///
    /// # Errors
    /// The step does not follow from the state: a hole, an overlap, a truncation of purged entries.
    pub(super) fn take(&mut self, record: &Record) -> io::Result<()> {
        match record {
            Record::Head(head) => self.take_head(head)?,
            Record::Entry { index, body } => self.append(*index, body.clone())?,
            Record::Vote(bytes) => self.vote = Some(bytes.clone()),
            Record::Committed(bytes) => self.committed = Some(bytes.clone()),
            Record::Truncate { next } => self.truncate(*next)?,
            Record::Purge { through, log_id } => self.purge(*through, log_id),
        }
        Ok(())
    }

    fn append(&mut self, index: u64, body: Bytes) -> io::Result<()> {
        let fresh = self.entries.is_empty() && self.next() == 0 && self.purged.is_none();
        if fresh {
            (self.first, self.base) = (index, index);
        } else if index != self.next() {
            return Err(misfit(format!("entry {index} does not follow: the next one is {}", self.next())));
        }
        self.bytes += body.len();
        self.entries.push_back(body);
        Ok(())
    }

    fn truncate(&mut self, next: u64) -> io::Result<()> {
        if self.purged.as_ref().is_some_and(|(purged, _)| next <= *purged) {
            return Err(misfit(format!("cannot cut the log before {next}: that far it is purged")));
        }
        while self.next() > next {
            match self.entries.pop_back() {
                Some(body) => self.bytes -= body.len(),
                None => self.base = next,
            }
        }
        self.first = self.first.min(next);
        Ok(())
    }

    fn purge(&mut self, through: u64, log_id: &Bytes) {
        if self.purged.as_ref().is_some_and(|(purged, _)| through < *purged) {
            return;
        }
        self.purged = Some((through, log_id.clone()));
        self.first = through + 1;
        while self.base <= through {
            match self.entries.pop_front() {
                Some(body) => {
                    self.bytes -= body.len();
                    self.base += 1;
                }
                None => self.base = through + 1,
            }
        }
    }

    /// A head either goes on where the segment before ended, or starts the group afresh.
    fn take_head(&mut self, head: &Head) -> io::Result<()> {
        if self.next() > head.next || self.entries.is_empty() {
            self.entries.clear();
            self.bytes = 0;
            self.base = head.next;
        } else if self.next() < head.next {
            return Err(misfit(format!("entries {}..{} are missing", self.next(), head.next)));
        }
        self.first = head.first;
        self.vote = head.vote.clone();
        self.committed = head.committed.clone();
        self.purged = head.purged.clone();
        Ok(())
    }

    /// The records with which a new segment begins: a head, and all entries when they are few enough
    /// to carry along (so that a group at rest does not hold on to old segments).
    pub(super) fn heads(&self, carry: bool) -> Vec<Record> {
        let next = if carry { self.first } else { self.next() };
        let head = Head {
            vote: self.vote.clone(),
            committed: self.committed.clone(),
            purged: self.purged.clone(),
            first: self.first,
            next,
        };
        let carried = self.entries(next..self.next());
        let carried = carried.map(|(index, body)| Record::Entry { index, body: body.clone() });
        std::iter::once(Record::Head(Box::new(head))).chain(carried).collect()
    }
}
