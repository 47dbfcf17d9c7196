//! Carries a plan out.

use std::sync::Arc;

use tokio::sync::watch;

use crate::cluster::{Cluster, ClusterError, NemesisEvent, NodeName};
use crate::plan::Plan;

/// A fault that is in force now, or is just being injected or healed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveFault {
    /// Its place in the plan.
    pub index: usize,
    /// The kind.
    pub fault: String,
    /// The nodes concerned, as far as known yet.
    pub targets: Vec<NodeName>,
    /// When its injection began, in nanoseconds since the run began.
    pub since: u64,
}

/// What a nemesis did.
#[derive(Debug, Clone, Default)]
pub struct NemesisReport {
    /// The plan, filled in.
    pub plan: Plan,
    /// Faults of ours that could not be undone.
    pub heal_errors: Vec<ClusterError>,
    /// Nodes that died without being asked, or did not start again from their own data.
    pub crashed: Vec<ClusterError>,
}

/// Time since the run began, in nanoseconds.
pub type RunClock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Where events for the history go.
pub type EventSink = Arc<dyn Fn(NemesisEvent) + Send + Sync>;

/// Carries one plan out on one cluster.
pub struct Nemesis {
    plan: Plan,
    in_force: watch::Sender<Vec<ActiveFault>>,
}

impl Nemesis {
    /// A nemesis that has done nothing yet.
    #[must_use]
    pub fn new(plan: Plan, cluster: Arc<dyn Cluster>, clock: RunClock, sink: EventSink) -> Self {
        let _ = (cluster, clock, sink);
        Self { plan, in_force: watch::Sender::new(Vec::new()) }
    }

    /// The faults in force, from now on. Empty means healed.
    #[must_use]
    pub fn in_force(&self) -> watch::Receiver<Vec<ActiveFault>> {
        self.in_force.subscribe()
    }

    /// Carries the plan out. Ends when its last fault is healed; early, with everything healed, once `stop`
    /// turns true or its sender is gone.
    pub async fn run(self, stop: watch::Receiver<bool>) -> NemesisReport {
        let _ = stop;
        NemesisReport { plan: self.plan, ..NemesisReport::default() }
    }
}
