//! The leader style: partitions, each a replica group that agrees on a log.

mod catalogue;
pub mod command;
pub mod group;
pub mod log_store;
pub mod machine;
pub mod network;
mod planted;
pub mod raft_group;
pub mod runtime;
pub mod state;
pub mod types;
pub mod wire;
