//! openraft's own test-suite for log storage, over the shared write-ahead log.
//!
//! The suite also wants a state machine; the one here keeps its state in memory. It tells the engine
//! how far it has applied before each purge, because the engine refuses to purge what is nowhere else.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fmt::Debug;
use std::io;
use std::ops::RangeBounds;
use std::sync::Arc;

use futures_util::{Stream, TryStreamExt};
use growler_store::engine::{Engine, EngineError, EngineOptions, GroupWrite, WalOptions};
use growler_store::leader::log_store::LogStore;
use growler_store::world::{SimDisk, Spawn, TokioSpawn};
use openraft::alias::{EntryOf, LogIdOf, SnapshotMetaOf, SnapshotOf, StoredMembershipOf, VoteOf};
use openraft::entry::{RaftEntry, RaftPayload};
use openraft::storage::{
    EntryResponder, IOFlushed, LogState, RaftLogReader, RaftLogStorage, RaftSnapshotBuilder, RaftStateMachine,
};
use openraft::testing::log::{StoreBuilder, Suite};
use openraft::{OptionalSend, StorageError};

openraft::declare_raft_types!(
    /// The suite's own types.
    pub Types:
        D = String,
        R = String,
);

const GROUP: u32 = 3;

/// The log store under test, with the tables kept in step.
struct SteppedLog {
    engine: Engine,
    log: LogStore<Types>,
}

impl RaftLogReader<Types> for SteppedLog {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> io::Result<Vec<EntryOf<Types>>> {
        self.log.try_get_log_entries(range).await
    }

    async fn read_vote(&mut self) -> io::Result<Option<VoteOf<Types>>> {
        self.log.read_vote().await
    }
}

impl RaftLogStorage<Types> for SteppedLog {
    type LogReader = LogStore<Types>;

    async fn get_log_state(&mut self) -> io::Result<LogState<Types>> {
        self.log.get_log_state().await
    }

    async fn get_log_reader(&mut self) -> LogStore<Types> {
        self.log.get_log_reader().await
    }

    async fn save_vote(&mut self, vote: &VoteOf<Types>) -> io::Result<()> {
        self.log.save_vote(vote).await
    }

    async fn save_committed(&mut self, committed: Option<LogIdOf<Types>>) -> io::Result<()> {
        self.log.save_committed(committed).await
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogIdOf<Types>>> {
        self.log.read_committed().await
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Types>) -> io::Result<()>
    where
        I: IntoIterator<Item = EntryOf<Types>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        self.log.append(entries, callback).await
    }

    async fn truncate_after(&mut self, last: Option<LogIdOf<Types>>) -> io::Result<()> {
        self.log.truncate_after(last).await
    }

    async fn purge(&mut self, log_id: LogIdOf<Types>) -> io::Result<()> {
        let applied = |write: &mut GroupWrite<'_>| write.set_applied(log_id.index, b"");
        self.engine.write::<_, EngineError>(GROUP, applied).await?;
        self.log.purge(log_id).await
    }
}

/// A state machine that keeps positions only.
#[derive(Clone, Default)]
struct Positions {
    applied: Option<LogIdOf<Types>>,
    membership: StoredMembershipOf<Types>,
    snapshot: Option<SnapshotMetaOf<Types>>,
}

type Shared = Arc<parking_lot::Mutex<Positions>>;

#[derive(Clone, Default)]
struct Machine(Shared);

impl RaftSnapshotBuilder<Types> for Machine {
    type SnapshotData = ();

    async fn build_snapshot(&mut self) -> io::Result<SnapshotOf<Types, ()>> {
        let mut state = self.0.lock();
        let meta =
            SnapshotMetaOf::<Types> { last_log_id: state.applied, last_membership: state.membership.clone() };
        state.snapshot = Some(meta.clone());
        Ok(SnapshotOf::<Types, ()> { meta, snapshot: () })
    }
}

impl RaftStateMachine<Types> for Machine {
    type SnapshotData = ();
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> io::Result<(Option<LogIdOf<Types>>, StoredMembershipOf<Types>)> {
        let state = self.0.lock();
        Ok((state.applied, state.membership.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<Types>>> + Unpin + OptionalSend,
    {
        while let Some((entry, _)) = entries.try_next().await? {
            let mut state = self.0.lock();
            state.applied = Some(entry.log_id());
            if let Some(membership) = entry.payload.get_membership() {
                state.membership = StoredMembershipOf::<Types>::new(Some(entry.log_id()), membership);
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMetaOf<Types>, (): ()) -> io::Result<()> {
        let (applied, membership) = (meta.last_log_id, meta.last_membership.clone());
        *self.0.lock() = Positions { applied, membership, snapshot: Some(meta.clone()) };
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<SnapshotOf<Types, ()>>> {
        let meta = self.0.lock().snapshot.clone();
        Ok(meta.map(|meta| SnapshotOf::<Types, ()> { meta, snapshot: () }))
    }
}

struct Builder;

impl StoreBuilder<Types, SteppedLog, Machine> for Builder {
    async fn build(&self) -> Result<((), SteppedLog, Machine), StorageError<Types>> {
        let spawn: Arc<dyn Spawn> = Arc::new(TokioSpawn::new(tokio::runtime::Handle::current()));
        // Segments so small that the suite runs over many of them.
        let wal = WalOptions { segment_bytes: 300, ..WalOptions::default() };
        let options = EngineOptions { wal, ..EngineOptions::default() };
        let engine = Engine::open(Arc::new(SimDisk::new()), spawn, "n1", options).unwrap();
        let log = LogStore::new(engine.clone(), GROUP);
        Ok(((), SteppedLog { engine, log }, Machine::default()))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_store_passes_openrafts_suite() {
    Suite::test_all(Builder).await.unwrap();
}
