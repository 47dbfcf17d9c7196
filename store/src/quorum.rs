//! The quorum style: every node takes writes, replicas agree later.
//!
//! ```text
//! store (Backend) ─► coordinator ─► replica (rows, hints) ─► engine
//!                       │  └ repair       ▲
//!                       └─► wire ─► peer ─┴─ service;  handoff, anti_entropy, collect in the background
//! version, ring, merkle: pure                membership: who can be reached
//! ```

mod anti_entropy;
pub mod catalogue;
mod collect;
mod coordinator;
mod handoff;
pub mod hints;
pub mod member;
pub mod membership;
pub mod merkle;
pub mod options;
mod peers;
mod placement;
mod ranges;
mod repair;
pub mod replica;
pub mod ring;
mod service;
pub mod store;
pub mod version;
pub mod wire;
