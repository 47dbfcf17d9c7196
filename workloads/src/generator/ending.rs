//! The end of a load: what the replicas hold first, where that is asked, and then the reads of everybody.
//!
//! The order matters. An ordinary read may repair what it finds, so that replicas that would never have agreed
//! by themselves look as if they had.

use std::collections::BTreeSet;

use growler_checker::history::{Event, EventType};

use super::{FinalReads, REPLICA_READ, ReplicaReads};
use crate::workload::{Context, Mode, Next};

/// How many reads of a key the end takes at least, with so many nodes.
#[must_use]
pub fn final_reads(mode: Mode, nodes: u64) -> u64 {
    match mode {
        Mode::Strong => FinalReads::of_a_key(nodes),
        Mode::Eventual => FinalReads::of_a_key(nodes) + ReplicaReads::of_a_key(nodes),
    }
}

/// The reads of the end.
#[derive(Debug, Clone)]
pub struct Ending {
    replicas: Option<ReplicaReads>,
    reads: FinalReads,
}

impl Ending {
    /// Replicas first, where they are asked at all.
    #[must_use]
    pub fn new(replicas: Option<ReplicaReads>, reads: FinalReads) -> Self {
        Self { replicas, reads }
    }

    /// The next read for this worker.
    pub fn next(&mut self, context: &Context) -> Next {
        if let Some(replicas) = &mut self.replicas {
            match replicas.next(context) {
                Next::Done => self.replicas = None,
                next => return next,
            }
        }
        self.reads.next(context)
    }

    /// Tells of an event.
    pub fn update(&mut self, event: &Event) {
        match &mut self.replicas {
            Some(replicas) => replicas.update(event),
            None => self.reads.update(event),
        }
    }
}

/// Which sessions have a write open.
#[derive(Debug, Clone, Default)]
pub struct OpenWrites(BTreeSet<u64>);

impl OpenWrites {
    /// Tells of an event.
    pub fn update(&mut self, event: &Event) {
        let Some(client) = event.session() else { return };
        if event.kind != EventType::Invoke {
            self.0.remove(&client);
        } else if event.f != "read" && event.f != REPLICA_READ {
            self.0.insert(client);
        }
    }

    /// The sessions.
    pub fn sessions(&self) -> impl Iterator<Item = u64> {
        self.0.iter().copied()
    }
}
