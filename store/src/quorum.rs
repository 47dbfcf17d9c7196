//! The quorum style: every node takes writes, replicas agree later.
//!
//! ```text
//! store (Backend) ─► coordinator ─► replica (rows, hints) ─► engine
//!                       │  └ repair       ▲
//!                       └─► wire ─► peer ─┴─ service;  handoff, anti_entropy, collect in the background
//! version, ring, merkle: pure                membership: who can be reached
//! ```

pub mod catalogue;
pub mod hints;
pub mod merkle;
pub mod replica;
pub mod ring;
pub mod version;
