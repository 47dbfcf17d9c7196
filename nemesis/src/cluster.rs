//! What a nemesis may ask of a cluster.
//!
//! A cluster has nodes, known by name, and optional capabilities. A fault names the capabilities that it
//! needs; where one is missing, the fault is *skipped*, with the reason, and never silently so. The nemesis
//! knows clusters only through these traits: the bundled store, a cluster of the user's own and a bare
//! endpoint all look alike from here.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The name of a node. [`CLIENTS`] stands for all workers together: links between clients and nodes can be
/// cut like any other.
pub type NodeName = String;

/// The name under which the workers appear in a grudge.
pub const CLIENTS: &str = "clients";

/// Which nodes refuse bytes from which: `grudge[a]` holds the nodes whose bytes to `a` are swallowed. A
/// symmetric cut names both directions.
pub type Grudge = BTreeMap<NodeName, BTreeSet<NodeName>>;

/// A system under test, as faults see it.
pub trait Cluster: Send + Sync {
    /// The nodes, in order.
    fn nodes(&self) -> Vec<NodeName>;

    /// Starting, killing and pausing of node processes.
    fn processes(&self) -> Option<&dyn Processes> {
        None
    }

    /// Cutting and slowing of links.
    fn network(&self) -> Option<&dyn Network> {
        None
    }

    /// Setting of node clocks.
    fn clocks(&self) -> Option<&dyn Clocks> {
        None
    }

    /// Knowledge of who leads what.
    fn roles(&self) -> Option<&dyn Roles> {
        None
    }
}

/// Why a fault could not be injected or undone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{action} {node}: {reason}")]
pub struct ClusterError {
    /// What was tried, as a verb: `kill`, `resume`, `cut`.
    pub action: &'static str,
    /// The node concerned.
    pub node: NodeName,
    /// What went wrong.
    pub reason: String,
}

/// What the operating system says of a node's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProcessState {
    /// It runs.
    Running,
    /// It is stopped by SIGSTOP.
    Stopped,
    /// It is gone.
    Dead,
}

/// Control of node processes.
#[async_trait]
pub trait Processes: Send + Sync {
    /// SIGKILL, and waits until the process is gone.
    ///
    /// # Errors
    /// When the process could not be killed.
    async fn kill(&self, node: &str) -> Result<(), ClusterError>;

    /// Starts a dead node again from its data folder, and waits until it listens. No-op if it runs.
    ///
    /// # Errors
    /// When it does not start.
    async fn start(&self, node: &str) -> Result<(), ClusterError>;

    /// SIGSTOP, and waits until the process is stopped.
    ///
    /// # Errors
    /// When the process could not be stopped.
    async fn pause(&self, node: &str) -> Result<(), ClusterError>;

    /// SIGCONT. No-op if it runs.
    ///
    /// # Errors
    /// When the process could not be resumed.
    async fn resume(&self, node: &str) -> Result<(), ClusterError>;

    /// What the operating system says.
    fn state(&self, node: &str) -> ProcessState;

    /// The process id of a node that is not dead, where there is one.
    fn pid(&self, node: &str) -> Option<u32> {
        let _ = node;
        None
    }
}

/// Control of links.
#[async_trait]
pub trait Network: Send + Sync {
    /// Replaces what is cut by this grudge: bytes on the named directions are swallowed, without FIN or RST.
    /// Links that lost bytes and are no longer cut are reset.
    ///
    /// # Errors
    /// When a link could not be switched.
    async fn set_grudge(&self, grudge: &Grudge) -> Result<(), ClusterError>;

    /// Delays every byte on the directions named by the grudge by this many milliseconds; an empty grudge
    /// ends it.
    ///
    /// # Errors
    /// When a link could not be switched.
    async fn set_delay(&self, on: &Grudge, delay_ms: u64) -> Result<(), ClusterError>;

    /// Counters since the start, per direction `"from->to"`: `bytes_dropped`, `bytes_delayed`,
    /// `connects_held`, `connections_reset`.
    fn counters(&self) -> BTreeMap<String, BTreeMap<String, u64>>;
}

/// A node's clock, as the nemesis sets it: relative to the host's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ClockSetting {
    /// Nanoseconds added to wall-clock time.
    pub offset_ns: i64,
    /// Parts per million by which the node's clocks (wall and monotonic) run fast; negative: slow.
    pub drift_ppm: i64,
}

/// Control of node clocks.
#[async_trait]
pub trait Clocks: Send + Sync {
    /// Sets a node's clock; the default setting is the host's own clock again.
    ///
    /// # Errors
    /// When the clock could not be set.
    async fn set(&self, node: &str, setting: ClockSetting) -> Result<(), ClusterError>;

    /// How far the node itself says that its wall clock is from the host's, in nanoseconds.
    ///
    /// # Errors
    /// When the node does not answer.
    async fn reported_offset_ns(&self, node: &str) -> Result<i64, ClusterError>;
}

/// Knowledge of roles.
#[async_trait]
pub trait Roles: Send + Sync {
    /// The node that leads each partition, as far as anyone knows.
    async fn leaders(&self) -> BTreeMap<String, Option<NodeName>>;
}

/// Something that happened to the system, for the history: a `nemesis` event.
#[derive(Debug, Clone, PartialEq)]
pub struct NemesisEvent {
    /// The fault, and whether it begins or ends: `partition`, `heal-partition`, `kill`, `start`, …
    pub f: String,
    /// Targets and detail.
    pub value: Value,
}
