//! What nodes of the quorum style ask one another, in postcard over [`crate::peer`].
//!
//! Variants are only ever appended; [`crate::peer::PROTOCOL`] changes when a body changes its meaning.
//! Everything here may arrive twice, late, or long after its sender gave up: states merge, so only
//! [`Request::Coordinate`] mints something, and that is sent at most once.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::catalogue::{TableEntry, TableId};
use super::hints::Key;
use super::ring::PartitionId;
use super::version::State;
use crate::api::backend::{Ask, BackendError, Written};
use crate::item::Mutation;
use crate::item::key::KeyRange;

/// A key and what somebody has of it.
pub type Keyed = (Key, State);

/// A key that may be buried: its table and the digest of the state that is meant.
pub type Grave = (TableId, Key, u64);

/// A request between nodes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Request {
    /// A message of the failure detector.
    Gossip(Bytes),
    /// Merge this into a row, or into the hint for a node.
    Keep {
        /// The table.
        table: TableId,
        /// The item's storage key.
        key: Key,
        /// What to merge.
        state: State,
        /// The owner that this node stands in for.
        hint_for: Option<String>,
    },
    /// What is there of a key?
    Fetch {
        /// The table.
        table: TableId,
        /// The item's storage key.
        key: Key,
    },
    /// Coordinate a client's write.
    Coordinate {
        /// How long the asking node still waits, in milliseconds.
        within_ms: u32,
        /// The table, which the coordinator may not have heard of.
        entry: TableEntry,
        /// The write.
        mutation: Box<Mutation>,
        /// What the client asks for besides.
        ask: Ask,
    },
    /// All that the sender knows of tables.
    Tables(Vec<TableEntry>),
    /// A page of rows.
    Page {
        /// The table.
        table: TableId,
        /// The storage keys.
        range: KeyRange,
        /// Ascending.
        forward: bool,
        /// The most rows.
        rows: usize,
        /// The most bytes.
        bytes: usize,
    },
    /// The roots of the sender's trees of the partitions that both own.
    Roots(Vec<(TableId, PartitionId, u64)>),
    /// The leaves below some inner nodes.
    Leaves {
        /// The table.
        table: TableId,
        /// The partition.
        partition: PartitionId,
        /// The inner nodes.
        branches: Vec<usize>,
    },
    /// The keys in some leaves.
    Digests {
        /// The table.
        table: TableId,
        /// The partition.
        partition: PartitionId,
        /// The leaves.
        leaves: Vec<usize>,
    },
    /// Merge these, and say what is there then.
    Exchange {
        /// The table.
        table: TableId,
        /// The sender's states; an empty one only asks.
        rows: Vec<Keyed>,
    },
    /// May these be buried, as far as the receiver is concerned?
    Confirm(Vec<Grave>),
    /// Everybody confirmed: bury these.
    Bury(Vec<Grave>),
    /// Merge into a row what a read found that others have.
    Repair {
        /// The table.
        table: TableId,
        /// The item's storage key.
        key: Key,
        /// What all that answered the read have together.
        state: State,
    },
}

/// An answer between nodes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Answer {
    /// Done; what was to be kept is on disk.
    Done,
    /// [`Request::Fetch`].
    State(State),
    /// [`Request::Coordinate`].
    Coordinated(Box<Result<Written, BackendError>>),
    /// [`Request::Tables`]: what the receiver knows now.
    Tables(Vec<TableEntry>),
    /// [`Request::Page`] and [`Request::Exchange`]: states, and whether there may be more.
    Rows(Vec<Keyed>, bool),
    /// [`Request::Roots`]: the inner numbers of the trees that differ.
    Differing(Vec<(TableId, PartitionId, Vec<u64>)>),
    /// [`Request::Leaves`]: by inner node.
    Leaves(Vec<(usize, Vec<u64>)>),
    /// [`Request::Digests`].
    Digests(Vec<(Key, u64)>),
    /// [`Request::Confirm`]: one for each.
    Confirmed(Vec<bool>),
    /// The request was not served and changed nothing, and why.
    Refused(String),
    /// The request may have been served in part, and why it is not known.
    Failed(String),
}

/// Writes a request or an answer.
///
/// # Errors
/// Never for the types of this module; an error says what could not be written.
pub fn encode<T: Serialize>(value: &T) -> Result<Bytes, postcard::Error> {
    postcard::to_stdvec(value).map(Bytes::from)
}
