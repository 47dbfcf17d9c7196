//! A replica group on openraft.
//!
//! **Writes.** openraft rejects a proposal with `ForwardToLeader` only before it assigns it a place in
//! the log; what happens to an entry later is told as `LogEntryDiscarded`, or not at all. So the
//! first is [`ProposeError::NotLeader`], and everything else is `Unknown`.
//!
//! **Reads by index** (`reads=index`): a round of heartbeats that begins after the read arrived must
//! be acknowledged by a quorum; reads that arrive while a round is under way share the next one.
//! Then the state must have reached the commit position of that moment (Ongaro's dissertation, §6.4).
//!
//! **Reads by lease** (`reads=lease`): a quorum acknowledged a heartbeat that was sent less than
//! [`Timing::read_lease`] ago on this node's monotonic clock. A follower grants no vote within an
//! election timeout of hearing from the leader, so nobody else leads meanwhile; the lease is shorter
//! than that timeout by more than two clocks drift apart at ±5 %. The check is made again after the
//! value was read ([`ReplicaGroup::confirm`]), so that a pause in between shows.
//!
//! **After a restart** a node forgot when it last heard from a leader. Until an election timeout has
//! passed it neither grants votes nor asks for them.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::{ClientWriteError, Fatal, ForwardToLeader, LinearizableReadError, RaftError};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::storage::RaftLogStorage;
use openraft::{Config, EmptyNode, LinearizerOption, LogIdOptionExt, Raft, ServerState, SnapshotPolicy};

use super::command::{Command, Reply, TableId};
use super::group::{GroupStatus, NotLeader, ProposeError, ReplicaGroup, Role};
use super::machine::{Machine, SnapshotContent};
use super::network::GroupNetwork;
use super::planted::Planted;
use super::runtime::NodeContext;
use super::state::{GroupState, NoSuchTable};
use super::types::{NodeId, SnapshotMeta, TypeConfig, Vote};
use super::wire::GroupId;
use crate::bugs::{Bug, Bugs};
use crate::item::{Item, PrimaryKey};
use crate::world::{Clock, Mono};

/// How strong reads are made strong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// By read index.
    Index,
    /// By the leader's lease.
    Lease,
}

/// The times of consensus, all by the node's monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How long a follower stays loyal to a leader that it no longer hears.
    pub election: Duration,
    /// How often a leader that has nothing to say is heard.
    pub heartbeat: Duration,
}

impl Timing {
    /// How long after sending an acknowledged heartbeat a leader may answer reads by itself: with
    /// this node's clock 5 % slow and a follower's 5 % fast it still ends before the follower's
    /// election timeout (0.88 / 0.95 < 1 / 1.05).
    pub(super) fn read_lease(&self) -> Duration {
        self.election * 88 / 100
    }

    /// How long a restarted node stays out of elections: an election timeout and its own drift.
    fn wait_after_restart(&self) -> Duration {
        self.election * 5 / 4
    }

    /// After loyalty ended a follower waits between 3/5 and 1 of an election timeout before it
    /// stands for election.
    fn config(&self, group: GroupId, options: &GroupOptions) -> Config {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        // A node that lost what it had acknowledged breaks the protocol. Elsewhere that is a reason
        // to stop; with these bugs it is the point, and the others must live with it.
        let forgets = options.bugs.has(Bug::NoFsync) || options.bugs.has(Bug::NoReplay);
        Config {
            cluster_name: format!("group {group}"),
            heartbeat_interval: millis(self.heartbeat),
            election_timeout_min: millis(self.election * 3 / 5),
            election_timeout_max: millis(self.election),
            enable_pre_vote: Some(true),
            enable_leader_restore: Some(false),
            enable_elect: false,
            max_payload_entries: 512,
            snapshot_policy: SnapshotPolicy::LogsSinceLast(options.snapshot_entries),
            max_in_snapshot_log_to_keep: options.snapshot_entries / 2,
            replication_lag_threshold: options.snapshot_entries,
            purge_batch_size: 64,
            backoff: String::from("100ms 100ms 100ms"),
            allow_log_reversion: Some(forgets),
            ..Config::default()
        }
    }
}

/// How a group is run.
#[derive(Clone, Copy, Debug)]
pub struct GroupOptions {
    /// How strong reads are made strong.
    pub reads: Reads,
    /// The times of consensus.
    pub timing: Timing,
    /// A snapshot is taken after this many entries; half as many stay in the log behind it.
    pub snapshot_entries: u64,
    /// The planted bug, if any.
    pub bugs: Bugs,
}

/// One node's member of a replica group.
pub struct RaftGroup {
    id: GroupId,
    raft: Raft<TypeConfig, Machine>,
    state: Arc<GroupState>,
    context: Arc<NodeContext>,
    clock: Arc<dyn Clock>,
    options: GroupOptions,
    votes_from: Mono,
    planted: Option<Arc<Planted>>,
}

/// A consensus request was not served.
#[derive(Debug, thiserror::Error)]
pub enum NotServed {
    /// The node restarted a moment ago and may not vote yet.
    #[error("this node restarted and does not vote yet")]
    TooEarly,
    /// The group has stopped.
    #[error("the group has stopped: {0}")]
    Stopped(String),
}

impl From<Fatal<TypeConfig>> for NotServed {
    fn from(error: Fatal<TypeConfig>) -> Self {
        Self::Stopped(error.to_string())
    }
}

impl From<RaftError<TypeConfig>> for NotServed {
    fn from(error: RaftError<TypeConfig>) -> Self {
        Self::Stopped(error.to_string())
    }
}

impl RaftGroup {
    /// Starts this node's member of a group from its log and state.
    ///
    /// # Errors
    /// The log or the state cannot be read, or they contradict each other.
    pub async fn start(
        id: GroupId,
        me: NodeId,
        mut log: impl RaftLogStorage<TypeConfig>,
        state: Arc<GroupState>,
        network: GroupNetwork,
        context: Arc<NodeContext>,
        options: GroupOptions,
    ) -> io::Result<Self> {
        let clock = context.clock();
        let config = options.timing.config(id, &options).validate().map_err(io::Error::other)?;
        let committed = log.read_committed().await?;
        let machine = Machine::new(state.clone(), options.bugs, committed);
        let raft = context
            .clone()
            .scope(Raft::new(me, Arc::new(config), network.clone(), log, machine))
            .await
            .map_err(io::Error::other)?;
        let restarted = raft.with_raft_state(|state| state.vote_ref().leader_id.term > 0).await;
        let wait = if restarted.map_err(io::Error::other)? {
            options.timing.wait_after_restart()
        } else {
            Duration::ZERO
        };
        let planted = Planted::new(options, &raft, state.clone(), network, &context);
        let votes_from = clock.now() + wait;
        let group = Self { id, raft, state, context, clock, options, votes_from, planted };
        group.enter_elections_later();
        Ok(group)
    }

    /// Stands for elections once the wait after a restart is over.
    fn enter_elections_later(&self) {
        let (raft, wait) = (self.raft.clone(), self.clock.sleep_until(self.votes_from));
        if self.clock.now() >= self.votes_from {
            raft.runtime_config().elect(true);
        } else {
            tokio::spawn(self.context.clone().scope(async move {
                wait.await;
                raft.runtime_config().elect(true);
            }));
        }
    }

    /// Founds the group with these members, unless it exists. One member alone must do it, once.
    ///
    /// # Errors
    /// The group has stopped.
    pub async fn found(&self, members: impl IntoIterator<Item = NodeId>) -> io::Result<()> {
        let members: BTreeMap<NodeId, EmptyNode> = members.into_iter().map(|id| (id, EmptyNode {})).collect();
        let found = async {
            if self.raft.is_initialized().await.map_err(io::Error::other)? {
                return Ok(());
            }
            match self.raft.initialize(members).await {
                // It exists already: a peer's vote or entries came first.
                Ok(()) | Err(RaftError::APIError(_)) => Ok(()),
                Err(RaftError::Fatal(error)) => Err(io::Error::other(error)),
            }
        };
        self.context.clone().scope(found).await
    }

    /// The group's number.
    #[must_use]
    pub fn id(&self) -> GroupId {
        self.id
    }

    /// The node that this member is on.
    #[must_use]
    pub fn member(&self) -> NodeId {
        *self.raft.node_id()
    }

    /// Why the group has stopped, when it has.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.raft.metrics().borrow_watched().running_state.as_ref().err().map(ToString::to_string)
    }

    /// This member's state.
    #[must_use]
    pub fn state(&self) -> &Arc<GroupState> {
        &self.state
    }

    /// Reads one item from this member's state.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn item(&self, table: TableId, key: &PrimaryKey) -> io::Result<Result<Option<Item>, NoSuchTable>> {
        if let Some(item) = self.planted.as_ref().and_then(|planted| planted.item_alone(table, key)) {
            return Ok(Ok(item));
        }
        self.state.item(table, key)
    }

    /// Ends this member. Its log and state stay.
    pub async fn stop(&self) {
        if let Err(error) = self.context.clone().scope(self.raft.shutdown()).await {
            tracing::warn!(group = self.id, %error, "a replica group did not stop cleanly");
        }
    }

    /// Serves entries or a heartbeat of a leader.
    ///
    /// # Errors
    /// See [`NotServed`].
    pub async fn append(
        &self,
        rpc: AppendEntriesRequest<TypeConfig>,
    ) -> Result<AppendEntriesResponse<TypeConfig>, NotServed> {
        Ok(self.context.clone().scope(self.raft.append_entries(rpc)).await?)
    }

    /// Serves a candidate's request for a vote.
    ///
    /// # Errors
    /// See [`NotServed`].
    pub async fn vote(&self, rpc: VoteRequest<TypeConfig>) -> Result<VoteResponse<TypeConfig>, NotServed> {
        self.may_vote()?;
        Ok(self.context.clone().scope(self.raft.vote(rpc)).await?)
    }

    /// Serves the question whether a vote would be granted.
    ///
    /// # Errors
    /// See [`NotServed`].
    pub async fn pre_vote(
        &self,
        rpc: VoteRequest<TypeConfig>,
    ) -> Result<VoteResponse<TypeConfig>, NotServed> {
        self.may_vote()?;
        Ok(self.context.clone().scope(self.raft.pre_vote(rpc)).await?)
    }

    /// Serves a leader that hands over.
    ///
    /// # Errors
    /// See [`NotServed`].
    pub async fn transferred(
        &self,
        rpc: TransferLeaderRequest<TypeConfig>,
    ) -> Result<TransferLeaderResponse<TypeConfig>, NotServed> {
        Ok(self.context.clone().scope(self.raft.handle_transfer_leader(rpc)).await?)
    }

    /// Installs a leader's snapshot.
    ///
    /// # Errors
    /// See [`NotServed`].
    pub async fn install(
        &self,
        vote: Vote,
        meta: SnapshotMeta,
        chunks: Vec<Bytes>,
    ) -> Result<SnapshotResponse<TypeConfig>, NotServed> {
        let snapshot = openraft::alias::SnapshotOf::<TypeConfig, _> {
            meta,
            snapshot: SnapshotContent::Received(chunks),
        };
        Ok(self.context.clone().scope(self.raft.install_full_snapshot(vote, snapshot)).await?)
    }

    fn may_vote(&self) -> Result<(), NotServed> {
        if self.clock.now() < self.votes_from { Err(NotServed::TooEarly) } else { Ok(()) }
    }

    fn quorum_age(&self) -> LinearizerOption {
        match self.options.reads {
            Reads::Index => LinearizerOption::new(Some(Duration::ZERO), true),
            Reads::Lease => LinearizerOption::new(Some(self.options.timing.read_lease()), true),
        }
    }
}

fn not_leader(forward: &ForwardToLeader<TypeConfig>) -> NotLeader {
    NotLeader { hint: forward.leader_id }
}

#[async_trait]
impl ReplicaGroup for RaftGroup {
    async fn propose(&self, command: Command) -> Result<Reply, ProposeError> {
        if let Some(planted) = &self.planted {
            return planted.propose(command).await;
        }
        propose(&self.raft, &self.context, command).await
    }

    async fn read_barrier(&self) -> Result<(), NotLeader> {
        if self.planted.as_ref().is_some_and(|planted| planted.reads_anyway()) {
            return Ok(());
        }
        let barrier = async {
            let linearizer =
                self.raft.get_read_linearizer(self.quorum_age()).await.map_err(|error| match error {
                    RaftError::APIError(LinearizableReadError::ForwardToLeader(forward)) => {
                        not_leader(&forward)
                    }
                    RaftError::APIError(LinearizableReadError::QuorumNotEnough(_)) | RaftError::Fatal(_) => {
                        NotLeader { hint: None }
                    }
                })?;
            linearizer.await_ready(&self.raft).await.map_err(|_| NotLeader { hint: None })?;
            Ok(())
        };
        self.context.clone().scope(barrier).await
    }

    async fn confirm(&self) -> bool {
        if self.options.reads == Reads::Index {
            return true;
        }
        if self.planted.as_ref().is_some_and(|planted| planted.reads_anyway()) {
            return true;
        }
        let lease = self.quorum_age().with_wait_timeout(Duration::ZERO);
        self.context.clone().scope(self.raft.get_read_linearizer(lease)).await.is_ok()
    }

    async fn transfer(&self, to: NodeId) {
        if let Err(error) = self.context.clone().scope(self.raft.trigger().transfer_leader(to)).await {
            tracing::debug!(group = self.id, %error, "leadership was not handed over");
        }
    }

    fn status(&self) -> GroupStatus {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let role = match (&metrics.running_state, metrics.state) {
            (Err(_), _) | (_, ServerState::Shutdown) => Role::Stopped,
            (_, ServerState::Leader) => Role::Leader,
            (_, ServerState::Follower) => Role::Follower,
            (_, ServerState::Candidate) => Role::Candidate,
            (_, ServerState::Learner) => Role::Learner,
        };
        GroupStatus {
            role,
            leader: metrics.current_leader,
            term: metrics.current_term,
            last_log: metrics.last_log_index,
            committed: metrics.local_committed.index(),
            applied: metrics.last_applied.index(),
            snapshot: metrics.snapshot.index(),
        }
    }
}

/// Proposes a command once.
pub(super) async fn propose(
    raft: &Raft<TypeConfig, Machine>,
    context: &Arc<NodeContext>,
    command: Command,
) -> Result<Reply, ProposeError> {
    match context.clone().scope(raft.client_write(command)).await {
        Ok(written) => Ok(written.data),
        Err(RaftError::APIError(ClientWriteError::ForwardToLeader(forward))) => {
            Err(not_leader(&forward).into())
        }
        Err(RaftError::APIError(error)) => Err(ProposeError::Unknown(error.to_string())),
        Err(RaftError::Fatal(error)) => Err(ProposeError::Unknown(error.to_string())),
    }
}
