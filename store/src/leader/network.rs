//! openraft's network, over the node's links to its peers.
//!
//! One link per peer carries all groups; snapshots travel on the bulk lane, in pieces, so that a
//! heartbeat never waits behind one. An error says what happened as openraft wants to hear it:
//! `Unreachable` when the peer cannot be dialled (back off), `Network` when an answer did not come
//! (ask again). Pre-vote is a real question to the peer; where no answer comes there is no grant.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use openraft::alias::SnapshotOf;
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{RPCOption, RaftNetworkV2};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::{AnyError, EmptyNode, RaftNetworkFactory};

use super::machine::SnapshotContent;
use super::types::{NodeId, TypeConfig, Vote};
use super::wire::{Answer, GroupId, Request, encode};
use crate::peer::{CallError, Link};

/// How long a follower may take to write entries to its disk.
const APPEND: Duration = Duration::from_millis(1500);
/// How long a piece of a snapshot may take, and its installation.
const PIECE: Duration = Duration::from_secs(5);
/// The size of a piece of a snapshot, in bytes.
const PIECE_BYTES: usize = 256 << 10;

/// The links to one peer.
#[derive(Clone, Debug)]
pub struct PeerLinks {
    /// For everything but snapshots.
    pub main: Link,
    /// For snapshots.
    pub bulk: Link,
}

/// Makes one group's clients to its peers.
#[derive(Clone, Debug)]
pub struct GroupNetwork {
    group: GroupId,
    peers: Arc<BTreeMap<NodeId, PeerLinks>>,
    transfers: Arc<AtomicU64>,
}

impl GroupNetwork {
    /// The network of one group. `transfers` numbers the snapshots that this node sends; its start
    /// should differ from one life of the node to the next.
    pub fn new(group: GroupId, peers: Arc<BTreeMap<NodeId, PeerLinks>>, transfers: Arc<AtomicU64>) -> Self {
        Self { group, peers, transfers }
    }
}

impl GroupNetwork {
    /// Whether no peer was heard for this long.
    pub(super) fn silent_for(&self, silence: Duration) -> bool {
        self.peers.values().all(|links| links.main.silence() > silence)
    }
}

impl RaftNetworkFactory<TypeConfig> for GroupNetwork {
    type Network = PeerClient;

    async fn new_client(&mut self, target: NodeId, _node: &EmptyNode) -> PeerClient {
        PeerClient {
            group: self.group,
            target,
            links: self.peers.get(&target).cloned(),
            transfers: self.transfers.clone(),
        }
    }
}

/// One group's client to one peer.
#[derive(Debug)]
pub struct PeerClient {
    group: GroupId,
    target: NodeId,
    links: Option<PeerLinks>,
    transfers: Arc<AtomicU64>,
}

impl PeerClient {
    async fn call(
        &self,
        bulk: bool,
        request: &Request,
        deadline: Duration,
    ) -> Result<Answer, RPCError<TypeConfig>> {
        let Some(links) = &self.links else {
            let message = format!("node {} is not among this node's peers", self.target);
            return Err(Unreachable::new(&AnyError::error(message)).into());
        };
        let body = encode(request).map_err(|error| NetworkError::new(&error))?;
        let link = if bulk { &links.bulk } else { &links.main };
        let body = link.call(body, deadline).await.map_err(|error| match error {
            CallError::NotSent { .. } => RPCError::Unreachable(Unreachable::new(&error)),
            CallError::Lost { .. } => RPCError::Network(NetworkError::new(&error)),
        })?;
        postcard::from_bytes(&body).map_err(|error| NetworkError::new(&error).into())
    }
}

/// The error for an answer that does not fit its request; a refusal is one.
fn unfit(answer: Answer) -> RPCError<TypeConfig> {
    let reason = match answer {
        Answer::Refused(reason) => reason,
        other => format!("an answer that does not fit its request: {other:?}"),
    };
    Unreachable::new(&AnyError::error(reason)).into()
}

impl RaftNetworkV2<TypeConfig> for PeerClient {
    type SnapshotData = SnapshotContent;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RPCError<TypeConfig>> {
        let deadline = if rpc.entries.is_empty() { option.hard_ttl() } else { APPEND };
        match self.call(false, &Request::Append(self.group, rpc), deadline).await? {
            Answer::Append(answer) => Ok(answer),
            other => Err(unfit(other)),
        }
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        match self.call(false, &Request::Vote(self.group, rpc), option.hard_ttl()).await? {
            Answer::Vote(answer) => Ok(answer),
            other => Err(unfit(other)),
        }
    }

    async fn pre_vote(
        &mut self,
        rpc: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        match self.call(false, &Request::PreVote(self.group, rpc), option.hard_ttl()).await? {
            Answer::Vote(answer) => Ok(answer),
            other => Err(unfit(other)),
        }
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: SnapshotOf<TypeConfig, SnapshotContent>,
        cancel: impl Future<Output = ReplicationClosed> + Send + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        tokio::select! {
            biased;
            closed = cancel => Err(closed.into()),
            sent = self.send_snapshot(vote, snapshot) => Ok(sent?),
        }
    }

    async fn transfer_leader(
        &mut self,
        rpc: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RPCError<TypeConfig>> {
        match self.call(false, &Request::Transfer(self.group, rpc), option.hard_ttl()).await? {
            Answer::Transfer(answer) => Ok(answer),
            other => Err(unfit(other)),
        }
    }
}

impl PeerClient {
    async fn send_snapshot(
        &self,
        vote: Vote,
        snapshot: SnapshotOf<TypeConfig, SnapshotContent>,
    ) -> Result<SnapshotResponse<TypeConfig>, RPCError<TypeConfig>> {
        let group = self.group;
        let transfer = self.transfers.fetch_add(1, Ordering::Relaxed);
        let SnapshotContent::Local(mut content) = snapshot.snapshot else {
            return Err(Unreachable::new(&AnyError::error("only a node's own snapshot can be sent")).into());
        };
        let mut piece = 0;
        while let Some(bytes) = content.next_chunk(PIECE_BYTES).map_err(|error| Unreachable::new(&error))? {
            let request = Request::SnapshotPiece { group, transfer, piece, bytes };
            match self.call(true, &request, PIECE).await? {
                Answer::PieceTaken => piece += 1,
                other => return Err(unfit(other)),
            }
        }
        let end =
            Request::SnapshotEnd { group, transfer, pieces: piece, vote, meta: Box::new(snapshot.meta) };
        match self.call(true, &end, PIECE).await? {
            Answer::Snapshot(answer) => Ok(answer),
            other => Err(unfit(other)),
        }
    }
}
