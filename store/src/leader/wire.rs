//! What nodes of the leader style ask one another, in postcard over [`crate::peer`].
//!
//! Like commands, variants are only ever appended; [`crate::peer::PROTOCOL`] changes when a body
//! changes its meaning.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use serde::{Deserialize, Serialize};

use super::command::{Command, Reply, TableEntry, TableId};
use super::types::{NodeId, SnapshotMeta, TypeConfig, Vote};
use crate::item::{Item, PrimaryKey};

/// A replica group's number: 0 is the catalogue, partition `p` is group `p + 1`.
pub type GroupId = u32;

/// A request between nodes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Request {
    /// Consensus: entries or a heartbeat.
    Append(GroupId, AppendEntriesRequest<TypeConfig>),
    /// Consensus: a candidate asks for a vote.
    Vote(GroupId, VoteRequest<TypeConfig>),
    /// Consensus: a node asks whether it would get a vote.
    PreVote(GroupId, VoteRequest<TypeConfig>),
    /// Consensus: leadership moves.
    Transfer(GroupId, TransferLeaderRequest<TypeConfig>),
    /// A piece of a snapshot, in order.
    SnapshotPiece {
        /// The group.
        group: GroupId,
        /// Tells this sending of a snapshot from others.
        transfer: u64,
        /// The piece's position, from 0.
        piece: u32,
        /// The bytes.
        bytes: Bytes,
    },
    /// All pieces were sent: install it.
    SnapshotEnd {
        /// The group.
        group: GroupId,
        /// As in the pieces.
        transfer: u64,
        /// How many pieces there were.
        pieces: u32,
        /// The sending leader's vote.
        vote: Vote,
        /// What the snapshot covers.
        meta: Box<SnapshotMeta>,
    },
    /// A client's operation, for the leader of a group.
    Forward {
        /// The group.
        group: GroupId,
        /// How long the asking node still waits, in milliseconds.
        within_ms: u32,
        /// The operation.
        operation: Operation,
    },
}

/// An answer between nodes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Answer {
    /// To [`Request::Append`].
    Append(AppendEntriesResponse<TypeConfig>),
    /// To [`Request::Vote`] and [`Request::PreVote`].
    Vote(VoteResponse<TypeConfig>),
    /// To [`Request::Transfer`].
    Transfer(TransferLeaderResponse<TypeConfig>),
    /// To [`Request::SnapshotPiece`].
    PieceTaken,
    /// To [`Request::SnapshotEnd`].
    Snapshot(SnapshotResponse<TypeConfig>),
    /// To [`Request::Forward`].
    Forwarded(Result<Outcome, Refusal>),
    /// The request was not served, and why.
    Refused(String),
}

/// What a client's request becomes for one replica group.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Operation {
    /// Puts a command into the group's log.
    Propose(Command),
    /// Reads one item.
    Get {
        /// The table.
        table: TableId,
        /// The item's key.
        key: PrimaryKey,
    },
    /// Reads a range of storage keys.
    Range(RangeRead),
    /// Reads the tables: of the catalogue, every table that there is.
    Tables,
}

/// A read of a range of storage keys.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RangeRead {
    /// The table.
    pub table: TableId,
    /// Where the range begins.
    pub low: Bound<Vec<u8>>,
    /// Where it ends.
    pub high: Bound<Vec<u8>>,
    /// In ascending order, else descending.
    pub forward: bool,
    /// The most items.
    pub max_items: usize,
    /// The most bytes; one item is always read.
    pub max_bytes: usize,
}

/// How an operation ended well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// A command was applied.
    Applied(Reply),
    /// [`Operation::Get`].
    Item(Option<Item>),
    /// [`Operation::Range`]: the items, and whether the page is full.
    Page(Vec<Item>, bool),
    /// The group has no such table.
    NoSuchTable,
    /// [`Operation::Tables`].
    Tables(Arc<BTreeMap<TableId, TableEntry>>),
}

/// Why an operation was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// This node does not lead the group, or not for certain. Nothing was appended.
    NotLeader {
        /// Who may.
        hint: Option<NodeId>,
    },
    /// Nothing was appended, and asking elsewhere would not help.
    Unavailable(String),
    /// It may have been appended.
    Unknown(String),
}

/// Writes a request or an answer.
///
/// # Errors
/// Never for the types of this module; an error says what could not be written.
pub fn encode<T: Serialize>(value: &T) -> Result<Bytes, postcard::Error> {
    postcard::to_stdvec(value).map(Bytes::from)
}
