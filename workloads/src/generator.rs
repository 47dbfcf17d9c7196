//! Parts that generators are made of: which key, through which node, and the reads at the end.
//!
//! All of them are pure: what comes out follows from the seed, the clock that is shown and the completions
//! that are told, so a test drives them without threads, and a run can be repeated from its seed.

mod elements;
mod ending;
mod final_reads;
mod hops;
mod keys;
mod popularity;
mod replica_reads;

pub use elements::{ElementsGenerator, Share};
pub use ending::{Ending, OpenWrites, final_reads};
pub use final_reads::FinalReads;
pub use hops::Hops;
pub use keys::{KeyPool, KeyState, MAX_INDETERMINATE};
pub use popularity::Sampler;
pub use replica_reads::{NOT_A_REPLICA, REPLICA_READ, ReplicaReads, SETTLES_WITHIN, Through};

use std::time::Duration;

use growler_checker::history::{Consistency, Key};

use crate::workload::Invocation;

/// How long a generator lets a worker wait when it has nothing for it now.
pub const IDLE: Duration = Duration::from_millis(20);

/// An operation with function and argument, and nothing else said.
#[must_use]
pub fn invocation(f: &'static str, value: serde_json::Value) -> Invocation {
    Invocation { f, key: None, value, consistency: None, via: None, node: None, context: None }
}

/// An eventually consistent read of this key.
#[must_use]
pub fn eventual_read(key: &Key) -> Invocation {
    Invocation {
        key: Some(key.clone()),
        consistency: Some(Consistency::Eventual),
        ..invocation("read", serde_json::Value::Null)
    }
}
