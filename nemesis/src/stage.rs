//! What all faults of a run do to the cluster, taken together.
//!
//! Faults overlap: two partitions at once, a kill of a node that another fault paused, a drift under a jump.
//! If each of them acted on the cluster by itself, the first to heal would undo the others' work, or restart
//! what must stay dead. So no fault acts by itself: it tells the stage what it *holds* (these directions
//! cut, this node down, this clock bent by so much), and the stage brings the cluster to what all holds
//! together ask for. Giving back a hold that one does not have does nothing, so every heal can be repeated.
//!
//! The stage also notices nodes that died although no fault held them down, and never starts those again.

mod clocks;
mod links;
mod lives;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use self::clocks::Bent;
pub use self::clocks::ClockReading;
use self::links::Links;
pub use self::lives::Hold;
use self::lives::Life;
use crate::cluster::{Cluster, ClusterError, NodeName};
use crate::run::RunClock;

/// How long the cluster may take to say who leads, before a fault that wants to know does without.
const LEADERS_TIMEOUT: Duration = Duration::from_secs(1);

/// A fault of the run, by its place in the plan.
pub type FaultId = usize;

/// Something that a cluster may be capable of, and a fault may need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Capability {
    /// Node processes can be killed, started, stopped and resumed.
    Processes,
    /// Links can be cut and slowed.
    Network,
    /// Clocks can be set.
    Clocks,
}

impl Capability {
    /// Its name, as `growler list faults` shows it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Processes => "processes",
            Self::Network => "network",
            Self::Clocks => "clocks",
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A cluster, and what all faults in force hold of it.
pub struct Stage {
    cluster: Arc<dyn Cluster>,
    clock: RunClock,
    links: tokio::sync::Mutex<Links>,
    lives: BTreeMap<NodeName, tokio::sync::Mutex<Life>>,
    clocks: BTreeMap<NodeName, tokio::sync::Mutex<Bent>>,
    crashed: Mutex<Vec<ClusterError>>,
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stage").field("nodes", &self.lives.keys()).finish_non_exhaustive()
    }
}

impl Stage {
    /// A stage on which nothing is held yet. `clock` gives nanoseconds since the run began.
    #[must_use]
    pub fn new(cluster: Arc<dyn Cluster>, clock: RunClock) -> Self {
        let nodes = cluster.nodes();
        Self {
            cluster,
            clock,
            links: tokio::sync::Mutex::default(),
            lives: nodes.iter().map(|n| (n.clone(), tokio::sync::Mutex::default())).collect(),
            clocks: nodes.iter().map(|n| (n.clone(), tokio::sync::Mutex::default())).collect(),
            crashed: Mutex::default(),
        }
    }

    /// The cluster.
    #[must_use]
    pub fn cluster(&self) -> &dyn Cluster {
        &*self.cluster
    }

    /// Nanoseconds since the run began.
    #[must_use]
    pub fn now(&self) -> u64 {
        (self.clock)()
    }

    /// The first of these capabilities that the cluster lacks.
    #[must_use]
    pub fn lacks(&self, needed: &[Capability]) -> Option<Capability> {
        needed.iter().copied().find(|capability| match capability {
            Capability::Processes => self.cluster.processes().is_none(),
            Capability::Network => self.cluster.network().is_none(),
            Capability::Clocks => self.cluster.clocks().is_none(),
        })
    }

    /// One of the nodes that lead a partition, picked by this number; `None` if nobody knows of any.
    pub async fn leader(&self, pick: u64) -> Option<NodeName> {
        let leaders = self.cluster.roles()?.leaders();
        let leaders = tokio::time::timeout(LEADERS_TIMEOUT, leaders).await.ok()?;
        let mut leaders: Vec<NodeName> = leaders.into_values().flatten().collect();
        leaders.sort();
        leaders.dedup();
        let count = u64::try_from(leaders.len()).unwrap_or(1).max(1);
        leaders.into_iter().nth(usize::try_from(pick % count).unwrap_or(0))
    }

    /// Nodes that died unasked or did not start again, noticed since the last call.
    #[must_use]
    pub fn take_crashed(&self) -> Vec<ClusterError> {
        std::mem::take(&mut self.crashed.lock())
    }

    /// Whether a fault holds anything. True also while another thread is changing something.
    #[must_use]
    pub fn holds_anything(&self) -> bool {
        self.links.try_lock().map_or(true, |links| !links.is_free())
            || self.lives.values().any(|life| life.try_lock().map_or(true, |life| !life.is_free()))
            || self.clocks.values().any(|clock| clock.try_lock().map_or(true, |clock| !clock.is_free()))
    }

    /// Gives back everything that is still held, whoever holds it.
    pub async fn release_all(&self) -> Vec<ClusterError> {
        let mut errors = Vec::new();
        errors.extend(self.release_links().await.err());
        for node in self.lives.keys() {
            errors.extend(self.release_life(node).await.err());
            errors.extend(self.release_clock(node).await.err());
        }
        errors
    }

    fn missing(action: &'static str, node: &str, what: &str) -> ClusterError {
        ClusterError { action, node: node.to_owned(), reason: format!("the cluster has no {what}") }
    }
}
