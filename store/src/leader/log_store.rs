//! A replica group's log as openraft asks for it, over the node's write-ahead log.
//!
//! Entries, votes and log ids are postcard inside the log's own records. An append returns when the
//! entries can be read and reports through its callback when the group commit has made them durable;
//! a vote and a truncation are waited for; what is committed goes along with the next flush, so that a
//! restart applies again what it had applied before. All writes of a group go through one queue, in
//! order, which is what openraft demands most.
//!
//! What it must never do: report an append before the sync, or leave a hole.

use std::fmt::Debug;
use std::io;
use std::marker::PhantomData;
use std::ops::{Bound, Range, RangeBounds};

use bytes::Bytes;
use openraft::alias::{LogIdOf, VoteOf};
use openraft::entry::RaftEntry;
use openraft::storage::{IOFlushed, LogState, RaftLogReader, RaftLogStorage};
use openraft::{OptionalSend, RaftTypeConfig};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::engine::{Engine, Flushed, GroupId, GroupWal};

/// How many bytes of entries one replication request takes along (one entry at least).
const REPLICATION_BYTES: usize = 1 << 20;

/// The log of one replica group. Clones share it.
#[derive(Debug)]
pub struct LogStore<C> {
    engine: Engine,
    log: GroupWal,
    types: PhantomData<fn() -> C>,
}

impl<C> Clone for LogStore<C> {
    fn clone(&self) -> Self {
        LogStore { engine: self.engine.clone(), log: self.log.clone(), types: PhantomData }
    }
}

/// A type configuration whose log can be written down.
pub trait StoredConfig:
    RaftTypeConfig<
        Entry: Serialize + DeserializeOwned,
        Vote: Serialize + DeserializeOwned,
        LeaderId: openraft::vote::RaftLeaderId<Committed: Serialize + DeserializeOwned>,
    >
{
}

impl<C> StoredConfig for C where
    C: RaftTypeConfig<
            Entry: Serialize + DeserializeOwned,
            Vote: Serialize + DeserializeOwned,
            LeaderId: openraft::vote::RaftLeaderId<Committed: Serialize + DeserializeOwned>,
        >
{
}

impl<C> LogStore<C> {
    /// The log of `group` in `engine`.
    pub fn new(engine: Engine, group: GroupId) -> Self {
        let log = engine.log(group);
        LogStore { engine, log, types: PhantomData }
    }
}

fn encode(value: &impl Serialize) -> io::Result<Bytes> {
    postcard::to_stdvec(value).map(Bytes::from).map_err(io::Error::other)
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    let undecodable =
        |error| io::Error::new(io::ErrorKind::InvalidData, format!("the log does not decode: {error}"));
    postcard::from_bytes(bytes).map_err(undecodable)
}

fn indexes(range: &impl RangeBounds<u64>) -> Range<u64> {
    let start = match range.start_bound() {
        Bound::Included(&start) => start,
        Bound::Excluded(&start) => start.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(&end) => end.saturating_add(1),
        Bound::Excluded(&end) => end,
        Bound::Unbounded => u64::MAX,
    };
    start..end.max(start)
}

/// Queues a step and waits until it is durable.
async fn durably(step: impl FnOnce(Flushed)) -> io::Result<()> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    step(Box::new(move |outcome| drop(sender.send(outcome))));
    receiver.await.unwrap_or_else(|_| Err(io::Error::other("the node is shutting down")))
}

impl<C: StoredConfig> LogStore<C> {
    fn read(&self, range: Range<u64>, bytes: usize) -> io::Result<Vec<C::Entry>> {
        self.log.read(range, bytes).iter().map(|(_, entry)| decode(entry)).collect()
    }
}

impl<C: StoredConfig> RaftLogReader<C> for LogStore<C> {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> io::Result<Vec<C::Entry>> {
        self.read(indexes(&range), usize::MAX)
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> io::Result<Vec<C::Entry>> {
        self.read(start..end, REPLICATION_BYTES)
    }

    async fn read_vote(&mut self) -> io::Result<Option<VoteOf<C>>> {
        self.log.vote().map(|vote| decode(&vote)).transpose()
    }
}

impl<C: StoredConfig> RaftLogStorage<C> for LogStore<C> {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<C>> {
        let bounds = self.log.bounds();
        let purged: Option<LogIdOf<C>> = bounds.purged.map(|(_, log_id)| decode(&log_id)).transpose()?;
        let last: Option<C::Entry> = bounds.last.map(|entry| decode(&entry)).transpose()?;
        let last_log_id = last.map(|entry| entry.log_id()).or_else(|| purged.clone());
        Ok(LogState { last_purged_log_id: purged, last_log_id })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &VoteOf<C>) -> io::Result<()> {
        let vote = encode(vote)?;
        durably(|done| self.log.save_vote(vote, done)).await
    }

    /// An empty note stands for nothing committed.
    async fn save_committed(&mut self, committed: Option<LogIdOf<C>>) -> io::Result<()> {
        self.log.save_committed(committed.as_ref().map(encode).transpose()?.unwrap_or_default());
        Ok(())
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogIdOf<C>>> {
        let noted = self.log.committed().filter(|noted| !noted.is_empty());
        noted.map(|log_id| decode(&log_id)).transpose()
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<C>) -> io::Result<()>
    where
        I: IntoIterator<Item = C::Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut first = None;
        let mut encoded = Vec::new();
        for entry in entries {
            first.get_or_insert(entry.index());
            encoded.push(encode(&entry)?);
        }
        let done: Flushed = Box::new(move |outcome| callback.io_completed(outcome));
        self.log.append(first.unwrap_or_default(), encoded, done);
        Ok(())
    }

    async fn truncate_after(&mut self, last: Option<LogIdOf<C>>) -> io::Result<()> {
        let next = last.map_or(0, |last| last.index() + 1);
        durably(|done| self.log.truncate(next, done)).await
    }

    async fn purge(&mut self, log_id: LogIdOf<C>) -> io::Result<()> {
        let encoded = encode(&log_id)?;
        Ok(self.engine.purge(self.log.group(), log_id.index(), encoded).await?)
    }
}
