//! Parts that generators are made of: which key, which operation, and the reads at the end.
//!
//! All of them are pure: what comes out follows from the seed, the clock that is shown and the completions
//! that are told, so a test drives them without threads, and a run can be repeated from its seed.

mod final_reads;
mod keys;
mod popularity;

pub use final_reads::FinalReads;
pub use keys::{KeyPool, KeyState, MAX_INDETERMINATE};
pub use popularity::Sampler;

use std::time::Duration;

use crate::workload::Invocation;

/// How long a generator lets a worker wait when it has nothing for it now.
pub const IDLE: Duration = Duration::from_millis(20);

/// An operation with function and argument, and nothing else said.
#[must_use]
pub fn invocation(f: &'static str, value: serde_json::Value) -> Invocation {
    Invocation { f, key: None, value, consistency: None, via: None, node: None, context: None }
}
