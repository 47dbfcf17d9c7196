//! Holds on clocks: offsets and drifts of all faults add up (drift up to [`MAX_DRIFT_PPM`]). Keeps account
//! of what a clock should therefore show, so that what the node says of its clock can be judged.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Capability, FaultId, Stage};
use crate::clock::MAX_DRIFT_PPM;
use crate::cluster::{ClockSetting, Clocks, ClusterError};

/// How exactly a clock can be read at best, in nanoseconds: nodes may read their page a little late.
const READING_ERROR_NS: u64 = 2_000_000;

/// Who bends a clock, and what it should show.
#[derive(Debug, Default)]
pub(super) struct Bent {
    settings: BTreeMap<FaultId, ClockSetting>,
    in_force: ClockSetting,
    /// When the drift in force began, and what the ones before it had gained.
    since_ns: u64,
    gained_ns: i64,
}

impl Bent {
    pub(super) fn is_free(&self) -> bool {
        self.settings.is_empty()
    }

    fn together(&self) -> ClockSetting {
        self.settings.values().fold(ClockSetting::default(), |all, one| ClockSetting {
            offset_ns: all.offset_ns.saturating_add(one.offset_ns),
            drift_ppm: all.drift_ppm.saturating_add(one.drift_ppm).clamp(-MAX_DRIFT_PPM, MAX_DRIFT_PPM),
        })
    }

    fn gain_at(&self, now: u64) -> i64 {
        let elapsed = i128::from(now.saturating_sub(self.since_ns));
        let gain = elapsed * i128::from(self.in_force.drift_ppm) / 1_000_000;
        self.gained_ns.saturating_add(i64::try_from(gain).unwrap_or(0))
    }

    fn expected_at(&self, now: u64) -> i64 {
        self.in_force.offset_ns.saturating_add(self.gain_at(now))
    }

    async fn apply(&mut self, node: &str, clocks: &dyn Clocks, now: u64) -> Result<(), ClusterError> {
        let setting = self.together();
        clocks.set(node, setting).await?;
        // The default setting is the host's own time again, whatever was gained before.
        self.gained_ns = if setting == ClockSetting::default() { 0 } else { self.gain_at(now) };
        self.in_force = setting;
        self.since_ns = now;
        Ok(())
    }
}

/// What a node said of its wall clock, against the host's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ClockReading {
    /// What it said.
    pub reported_offset_ns: i64,
    /// What it should say.
    pub expected_offset_ns: i64,
    /// How far both can be apart, because asking takes time.
    pub tolerance_ns: u64,
}

impl ClockReading {
    /// Whether the node follows: its clock is where it should be, and that is not where the host's is.
    #[must_use]
    pub fn shows_the_fault(&self) -> bool {
        self.reported_offset_ns.abs_diff(self.expected_offset_ns) <= self.tolerance_ns
            && self.reported_offset_ns.unsigned_abs() > self.tolerance_ns
    }
}

impl Stage {
    /// Bends a clock, until [`Stage::straighten`]. The setting is relative to the host's clock.
    ///
    /// # Errors
    /// When the clock could not be set.
    pub async fn bend(&self, id: FaultId, node: &str, setting: ClockSetting) -> Result<(), ClusterError> {
        let clock = self.clocks.get(node).ok_or_else(|| Self::missing("bend", node, "such node"))?;
        let mut clock = clock.lock().await;
        clock.settings.insert(id, setting);
        clock.apply(node, self.node_clocks(node)?, self.now()).await
    }

    /// Gives back what this fault did to the clock.
    ///
    /// # Errors
    /// When the clock could not be set.
    pub async fn straighten(&self, id: FaultId, node: &str) -> Result<(), ClusterError> {
        let Some(clock) = self.clocks.get(node) else { return Ok(()) };
        let mut clock = clock.lock().await;
        match clock.settings.remove(&id) {
            Some(_) => clock.apply(node, self.node_clocks(node)?, self.now()).await,
            None => Ok(()),
        }
    }

    pub(super) async fn release_clock(&self, node: &str) -> Result<(), ClusterError> {
        let Some(clock) = self.clocks.get(node) else { return Ok(()) };
        let mut clock = clock.lock().await;
        if clock.is_free() {
            return Ok(());
        }
        clock.settings.clear();
        clock.apply(node, self.node_clocks(node)?, self.now()).await
    }

    /// Asks a node how far its clock is off.
    ///
    /// # Errors
    /// When the node does not answer.
    pub async fn read_clock(&self, node: &str) -> Result<ClockReading, ClusterError> {
        let clocks = self.node_clocks(node)?;
        let before = self.now();
        let reported_offset_ns = clocks.reported_offset_ns(node).await?;
        let after = self.now();
        let clock =
            self.clocks.get(node).ok_or_else(|| Self::missing("read the clock of", node, "such node"))?;
        let took = after - before;
        Ok(ClockReading {
            reported_offset_ns,
            expected_offset_ns: clock.lock().await.expected_at(before + took / 2),
            tolerance_ns: took / 2 + READING_ERROR_NS,
        })
    }

    fn node_clocks(&self, node: &str) -> Result<&dyn Clocks, ClusterError> {
        let missing = || Self::missing("set the clock of", node, Capability::Clocks.name());
        self.cluster.clocks().ok_or_else(missing)
    }
}
