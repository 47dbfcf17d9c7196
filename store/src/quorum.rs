//! The quorum style: every owner of a key takes writes, replicas agree later.

pub mod options;
