//! The types that openraft is instantiated with, and short names for what follows from them.
//!
//! Everything in `leader/` that speaks openraft speaks it through these names, so that a change of
//! the library touches few lines. Nothing outside `leader/` names openraft at all.

use super::command::{Command, Reply};
use super::runtime::NodeRuntime;

/// A node of the cluster, numbered from 1 in the order of the nodes' names.
pub type NodeId = u64;

openraft::declare_raft_types!(
    /// growler's instance of openraft: commands and replies of the store, no addresses in the
    /// membership (each observer has its own), and a runtime that follows the node's clock.
    pub TypeConfig:
        D = Command,
        R = Reply,
        NodeId = NodeId,
        Node = openraft::EmptyNode,
        AsyncRuntime = NodeRuntime,
);

/// A replica group's log entry.
pub type Entry = openraft::alias::EntryOf<TypeConfig>;
/// The position of a log entry: term, leader and index.
pub type LogId = openraft::alias::LogIdOf<TypeConfig>;
/// A vote as it is kept on disk.
pub type Vote = openraft::alias::VoteOf<TypeConfig>;
/// A membership with the position of the entry that set it.
pub type StoredMembership = openraft::alias::StoredMembershipOf<TypeConfig>;
/// What a snapshot covers.
pub type SnapshotMeta = openraft::alias::SnapshotMetaOf<TypeConfig>;
