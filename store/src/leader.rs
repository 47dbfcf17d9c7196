//! The leader style: partitions, each a replica group that agrees on a log.

pub mod command;
pub mod runtime;
pub mod types;
