//! The kinds of fault, each in a module of its own, and what they have in common.
//!
//! A [`Fault`] is one fault of one plan. It is *injected*, asked for *evidence* while it is in force, and
//! *healed*. It acts on the cluster only through a [`Stage`], so that faults can overlap. What it needs to
//! know stands in the plan: `targets`, and `detail`, whose fields are
//!
//! | fault | `detail` |
//! |---|---|
//! | `partition` | `grudge`: whose bytes each node does not get; or `role` (and `clients`: whether the clients are cut off as well) |
//! | `kill`, `pause` | `role`, or nothing: `targets` says all |
//! | `clock` | `clocks`: for each node `offset_ns` and `drift_ppm` |
//! | `delay` | `links`: like a grudge, and `delay_ms` |
//!
//! `role` is `leader`: the target is whoever leads when the fault is injected, one of the leaders by the
//! number `pick`. When the plan is carried out again, the role counts, not the node that it was last time.
//! Further fields (`shape`) are for readers.

mod aim;
mod clock;
mod delay;
mod kill;
mod partition;
mod pause;

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::cluster::{ClusterError, NodeName};
use crate::plan::PlannedFault;
use crate::stage::{Capability, FaultId, Stage};

/// One fault of a plan.
#[async_trait]
pub trait Fault: Send {
    /// Its kind: the event with which it begins.
    fn name(&self) -> &'static str;

    /// The event with which it ends.
    fn heal_name(&self) -> &'static str;

    /// What a cluster must be capable of; where something is missing, the fault is skipped.
    fn requirements(&self) -> &'static [Capability];

    /// Finds its targets and breaks them.
    ///
    /// # Errors
    /// When something could not be broken. What was broken nonetheless is healed as usual.
    async fn inject(&mut self, stage: &Stage) -> Result<Injected, ClusterError>;

    /// What shows up to now that it took effect. Asked again and again while it is in force, and once after
    /// the heal. Being given up half-way must lose nothing.
    async fn evidence(&mut self, stage: &Stage) -> Evidence;

    /// Undoes it. May be called at any time and any number of times.
    async fn heal(&mut self, stage: &Stage) -> Vec<ClusterError>;
}

/// What an injected fault met.
#[derive(Debug, Clone, PartialEq)]
pub struct Injected {
    /// The nodes.
    pub targets: Vec<NodeName>,
    /// What exactly was done, in the plan's terms.
    pub detail: Value,
}

/// What shows that a fault took effect.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// Whether it shows at all.
    pub shows: bool,
    /// What was measured.
    pub value: Value,
    /// What was looked for, for the reader of a plan in which it does not show.
    pub missing: &'static str,
}

/// The names of the kinds, for the planner.
pub(crate) mod names {
    pub(crate) use super::clock::NAME as CLOCK;
    pub(crate) use super::delay::NAME as DELAY;
    pub(crate) use super::kill::NAME as KILL;
    pub(crate) use super::partition::NAME as PARTITION;
    pub(crate) use super::pause::NAME as PAUSE;
}

/// The kinds that a test uses when it is not told which.
pub const DEFAULT_FAULTS: [&str; 4] = [partition::NAME, kill::NAME, pause::NAME, clock::NAME];

/// A kind of fault, for people and for `growler list faults`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FaultDescription {
    /// Its name, as `--faults` takes it.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// What a cluster must be capable of.
    pub needs: &'static [&'static str],
}

/// All kinds of fault.
#[must_use]
pub fn faults() -> &'static [FaultDescription] {
    const CATALOGUE: &[FaultDescription] = &[
        FaultDescription {
            name: partition::NAME,
            about: "cuts links between nodes without a trace: one node, halves, a ring of majorities, a \
                    bridge, one way, the leader; now and then the clients are cut off from that side too",
            needs: &["network"],
        },
        FaultDescription {
            name: kill::NAME,
            about: "kills processes with SIGKILL (one, the leader, a minority, all) and starts them again",
            needs: &["processes"],
        },
        FaultDescription {
            name: pause::NAME,
            about: "stops processes with SIGSTOP (one, the leader, a minority, all) and lets them go on",
            needs: &["processes"],
        },
        FaultDescription {
            name: clock::NAME,
            about: "makes wall clocks jump, and clocks drift by up to 50 000 ppm, on one, several or all nodes",
            needs: &["clocks"],
        },
        FaultDescription {
            name: delay::NAME,
            about: "delays every byte on the links of one or several nodes",
            needs: &["network"],
        },
    ];
    CATALOGUE
}

/// The fault that a line of a plan describes.
///
/// # Errors
/// A sentence that says what is wrong with the line.
pub fn build(id: FaultId, planned: &PlannedFault) -> Result<Box<dyn Fault>, String> {
    match planned.fault.as_str() {
        partition::NAME => Ok(Box::new(partition::Partition::new(id, planned)?)),
        kill::NAME => Ok(Box::new(kill::Kill::new(id, planned)?)),
        pause::NAME => Ok(Box::new(pause::Pause::new(id, planned)?)),
        clock::NAME => Ok(Box::new(clock::Clock::new(id, planned)?)),
        delay::NAME => Ok(Box::new(delay::Delay::new(id, planned)?)),
        other => Err(format!("there is no fault `{other}`; there are: {}", known())),
    }
}

/// The names of all kinds, for messages.
pub(crate) fn known() -> String {
    faults().iter().map(|f| f.name).collect::<Vec<_>>().join(", ")
}

/// Reads a fault's own fields out of `detail`; no detail is an empty one.
fn parse<D: DeserializeOwned>(planned: &PlannedFault) -> Result<D, String> {
    let detail = if planned.detail.is_null() { json!({}) } else { planned.detail.clone() };
    serde_json::from_value(detail).map_err(|e| format!("the detail of the {} is wrong: {e}", planned.fault))
}

/// Adds a field to a detail.
fn with(detail: &Value, field: &str, value: &impl Serialize) -> Value {
    let mut detail = if detail.is_object() { detail.clone() } else { json!({}) };
    detail[field] = json!(value);
    detail
}
