//! The leader style: partitions, each a replica group that agrees on a log.

mod catalogue;
pub mod command;
pub mod group;
mod lifecycle;
pub mod log_store;
pub mod machine;
pub mod network;
mod planted;
pub mod raft_group;
mod route;
pub mod runtime;
mod service;
pub mod state;
pub mod store;
pub mod types;
pub mod wire;
