//! Histories in, verdicts out: growler's consistency checkers.
//!
//! This crate is pure. It does no I/O, reads no clock and spawns nothing but scoped threads whose results do
//! not depend on scheduling; it knows nothing of DynamoDB. The same history and budget give the same answer.

pub mod anomaly;
pub mod convergence;
pub mod evidence;
pub mod history;
pub mod invariants;
pub mod linearizability;
pub mod model;
mod parallel;
pub mod promise;
pub mod provenance;
pub mod sensitivity;
pub mod verdict;

pub use model::infer_model;
pub use promise::{checks_for, default_promise, validate};
