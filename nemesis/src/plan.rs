//! Which faults are in force when: the plan of a run, as `plan.json` keeps it.
//!
//! A plan is made before the run, from a seed ([`Plan::random`]) or from a file, and is filled in while the
//! run goes on: which nodes a fault met, when it really began and ended, and what shows that it took effect.
//! A plan that was filled in can be carried out again. It must never hold anything that is not needed to
//! understand or to repeat what was done to the system.

mod draw;
mod schedule;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cluster::NodeName;

/// The faults of a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Plan {
    /// The seed from which the plan was made.
    pub seed: u64,
    /// The faults, in the order in which they are planned to begin.
    pub faults: Vec<PlannedFault>,
}

/// One fault: what is planned, and once the run is over, what happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedFault {
    /// The kind of fault, a name from [`crate::faults`].
    pub fault: String,
    /// The nodes that it breaks. Empty before the run where the target is a role; see `detail`.
    #[serde(default)]
    pub targets: Vec<NodeName>,
    /// What exactly is done; see [`crate::fault`] for the fields of each kind.
    #[serde(default)]
    pub detail: Value,
    /// When it should begin and end, in nanoseconds since the run began.
    pub planned: [u64; 2],
    /// When it was in place, and when it was fully healed; null if it never was.
    #[serde(default)]
    pub actual: Option<[u64; 2]>,
    /// What became of it; null until the run is over.
    #[serde(default)]
    pub outcome: Option<Outcome>,
    /// Why it was skipped or is indeterminate.
    #[serde(default)]
    pub reason: Option<String>,
    /// What shows that it took effect; null if nothing was measured.
    #[serde(default)]
    pub evidence: Value,
}

/// What became of a planned fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was in force, with evidence that it took effect.
    Installed,
    /// It was not injected.
    Skipped,
    /// It was requested, but nothing shows that it took effect.
    Indeterminate,
}

/// What a cluster is capable of, as a planner needs to know it. Kinds that a cluster cannot bear are planned
/// all the same, and skipped with the reason when their time comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// It is known which node leads: some faults are aimed at a leader.
    pub roles: bool,
    /// Links between nodes can be cut. If not (endpoints that growler does not run), only links between
    /// clients and nodes are.
    pub peer_links: bool,
}

/// What a random plan is to look like.
#[derive(Debug, Clone)]
pub struct PlanRequest {
    /// All choices follow from it.
    pub seed: u64,
    /// The kinds of fault, each a name from [`crate::faults`]; every one is planned at least once.
    pub kinds: Vec<String>,
    /// The nodes, in order.
    pub nodes: Vec<NodeName>,
    /// The main phase, in nanoseconds since the run began: no fault is planned outside.
    pub window: [u64; 2],
    /// The least time for which a fault is in force, in nanoseconds: three election timeouts.
    pub min_window_ns: u64,
    /// The least share of the main phase during which some fault is in force, 0.0 to 0.9.
    pub cover: f64,
    /// What the cluster is capable of.
    pub can: Capabilities,
}

/// Why no plan can be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// The main phase is too short for the kinds that were asked for.
    #[error(
        "the main phase of {main_s:.1} s is too short for the faults {kinds}: they need at least \
         {needed_s:.1} s; give the test more --time, or fewer --faults"
    )]
    TooShort {
        /// The kinds, separated by commas.
        kinds: String,
        /// The length of the main phase, in seconds.
        main_s: f64,
        /// The least length that it would need, in seconds.
        needed_s: f64,
    },
    /// There is no such kind of fault.
    #[error("there is no fault `{name}`; there are: {known}")]
    UnknownFault {
        /// What was asked for.
        name: String,
        /// The kinds that exist, separated by commas.
        known: String,
    },
    /// There is nothing to break.
    #[error("faults were asked for, but the cluster has no node")]
    NoNodes,
    /// A share that leaves no time to recover, or is no share at all.
    #[error("a cover of {cover} is not between 0 and 0.9")]
    BadCover {
        /// What was asked for.
        cover: f64,
    },
}

impl Plan {
    /// A plan with random faults at random times, all from the request's seed.
    ///
    /// The main phase is a row of *episodes* with calm in between, in which nothing is in force and recovery
    /// can be seen. In an episode one fault is in force, or two or three that overlap. Some pairs go together
    /// on purpose, once at least where both kinds are asked for: a leader that is cut off and soon after
    /// all clocks jump back; a node that is paused and soon after another that is killed.
    ///
    /// # Errors
    /// When a kind is unknown, there is no node, or the main phase is too short.
    pub fn random(request: &PlanRequest) -> Result<Self, PlanError> {
        schedule::random(request)
    }
}
