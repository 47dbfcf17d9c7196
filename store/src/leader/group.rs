//! A replica group as the rest of the store sees it.
//!
//! The trait is narrow on purpose: it is all that partitions, catalogue and router may ask of
//! consensus, and the way out of the library that provides it.

use async_trait::async_trait;
use serde::Serialize;

use super::command::{Command, Reply};
use super::types::NodeId;

/// A group of replicas that agrees on one log. This is one node's member of it.
#[async_trait]
pub trait ReplicaGroup: Send + Sync + 'static {
    /// Puts a command into the log and waits until it is committed and applied here.
    ///
    /// The command is proposed at most once. Dropping the future leaves its outcome unknown.
    ///
    /// # Errors
    /// See [`ProposeError`]: only one of them lets the command be proposed again.
    async fn propose(&self, command: Command) -> Result<Reply, ProposeError>;

    /// Waits until this node's state has every command that was acknowledged before the call, and
    /// this node was the leader meanwhile. After it, read, then ask [`confirm`](Self::confirm).
    ///
    /// # Errors
    /// This node does not lead, or cannot prove it.
    async fn read_barrier(&self) -> Result<(), NotLeader>;

    /// Whether what was read since [`read_barrier`](Self::read_barrier) may be given as an answer.
    async fn confirm(&self) -> bool;

    /// Hands leadership to another member, if this node has it. It is a request, not a promise.
    async fn transfer(&self, to: NodeId);

    /// Where this member stands.
    fn status(&self) -> GroupStatus;
}

/// Why a command was not, or not certainly, applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// It was certainly not appended to any log: it may be proposed elsewhere.
    #[error("{0}")]
    NotLeader(#[from] NotLeader),
    /// It may have been appended, and may be committed now, later or never.
    #[error("the outcome is unknown: {0}")]
    Unknown(String),
}

/// This node does not lead the group, or cannot prove it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this node does not lead the group")]
pub struct NotLeader {
    /// The leader, as far as this node knows.
    pub hint: Option<NodeId>,
}

/// What a member is in its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Accepts writes.
    Leader,
    /// Follows a leader, or waits for one.
    Follower,
    /// Wants to be leader.
    Candidate,
    /// Receives the log without a vote.
    Learner,
    /// Takes part no more: it was shut down, or its storage failed.
    Stopped,
}

/// Where a member of a group stands. Positions are indexes into the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GroupStatus {
    /// The member's role.
    pub role: Role,
    /// The leader that it knows.
    pub leader: Option<NodeId>,
    /// The term that it is in.
    pub term: u64,
    /// The last entry in its log.
    pub last_log: Option<u64>,
    /// The last entry that it knows to be committed.
    pub committed: Option<u64>,
    /// The last entry in its state.
    pub applied: Option<u64>,
    /// The last entry in its last snapshot.
    pub snapshot: Option<u64>,
}
