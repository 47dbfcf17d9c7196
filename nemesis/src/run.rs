//! Carries a plan out: injects each fault at its time, collects its evidence, heals it at its time or as soon
//! as the run is stopped, and writes down what really happened.
//!
//! Every fault runs in a task of its own, on one common [`Stage`]. A fault counts as *in force* from just
//! before its injection until its heal is complete, so that "nothing in force" means healed. Whatever happens
//! to the tasks, what the stage holds is given back in the end; if the nemesis is dropped in the middle of
//! its run, it still tries to.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::cluster::{Cluster, ClusterError, NemesisEvent, NodeName};
use crate::fault::{Evidence, Fault, build};
use crate::plan::{Outcome, Plan, PlannedFault};
use crate::stage::{FaultId, Stage};

/// Time between two looks for evidence.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Why a fault was skipped whose time had not come when the run was stopped.
pub const NOT_REACHED: &str = "the run was stopped early, before its time had come";

/// A fault that is in force now, or is just being injected or healed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveFault {
    /// Its place in the plan.
    pub index: FaultId,
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
    /// Faults of growler's own that it could not undo.
    pub heal_errors: Vec<ClusterError>,
    /// Nodes that died without being asked (action `watch`), or did not start again after a kill (action
    /// `start`).
    pub crashed: Vec<ClusterError>,
}

/// Time since the run began, in nanoseconds.
pub type RunClock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Where events for the history go.
pub type EventSink = Arc<dyn Fn(NemesisEvent) + Send + Sync>;

/// Carries one plan out on one cluster.
pub struct Nemesis {
    plan: Plan,
    scene: Arc<Scene>,
}

/// What all tasks share.
struct Scene {
    stage: Stage,
    sink: EventSink,
    in_force: watch::Sender<Vec<ActiveFault>>,
}

impl std::fmt::Debug for Nemesis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nemesis").field("plan", &self.plan).finish_non_exhaustive()
    }
}

impl Nemesis {
    /// A nemesis that has done nothing yet.
    #[must_use]
    pub fn new(plan: Plan, cluster: Arc<dyn Cluster>, clock: RunClock, sink: EventSink) -> Self {
        let (stage, in_force) = (Stage::new(cluster, clock), watch::Sender::new(Vec::new()));
        Self { plan, scene: Arc::new(Scene { stage, sink, in_force }) }
    }

    /// The faults in force, from now on. Empty means healed.
    #[must_use]
    pub fn in_force(&self) -> watch::Receiver<Vec<ActiveFault>> {
        self.scene.in_force.subscribe()
    }

    /// Carries the plan out. Ends when its last fault is healed; early, with everything healed, once `stop`
    /// turns true or its sender is gone.
    pub async fn run(self, stop: watch::Receiver<bool>) -> NemesisReport {
        let Self { mut plan, scene } = self;
        let _guard = Guard(Arc::clone(&scene));
        let mut tasks = JoinSet::new();
        for (index, fault) in plan.faults.iter().enumerate() {
            let (scene, fault, stop) = (Arc::clone(&scene), fault.clone(), stop.clone());
            tasks.spawn(async move { scene.carry_out(index, fault, stop).await });
        }
        let mut heal_errors = Vec::new();
        while let Some(done) = tasks.join_next().await {
            match done {
                Ok((index, fault, errors)) => {
                    plan.faults[index] = fault;
                    heal_errors.extend(errors);
                }
                Err(e) => tracing::error!("a fault's task ended early: {e}"),
            }
        }
        heal_errors.extend(scene.stage.release_all().await);
        scene.in_force.send_replace(Vec::new());
        scene.stage.look_for_deaths().await;
        NemesisReport { plan, heal_errors, crashed: scene.stage.take_crashed() }
    }
}

/// Heals as far as possible when a run is dropped half-way.
struct Guard(Arc<Scene>);

impl Drop for Guard {
    fn drop(&mut self) {
        if self.0.stage.holds_anything()
            && let Ok(runtime) = Handle::try_current()
        {
            let scene = Arc::clone(&self.0);
            runtime.spawn(async move {
                for error in scene.stage.release_all().await {
                    tracing::error!("cannot heal: {error}");
                }
            });
        }
    }
}

impl Scene {
    /// One fault from beginning to end.
    async fn carry_out(
        &self,
        index: FaultId,
        mut planned: PlannedFault,
        mut stop: watch::Receiver<bool>,
    ) -> (FaultId, PlannedFault, Vec<ClusterError>) {
        // What an earlier run wrote down is not what happens in this one.
        (planned.actual, planned.outcome, planned.reason, planned.evidence) = (None, None, None, Value::Null);
        let skip = |mut planned: PlannedFault, reason: String| {
            (planned.outcome, planned.reason) = (Some(Outcome::Skipped), Some(reason));
            (index, planned, Vec::new())
        };
        if !self.wait_until(planned.planned[0], &mut stop).await {
            return skip(planned, NOT_REACHED.to_owned());
        }
        let mut fault = match build(index, &planned) {
            Ok(fault) => fault,
            Err(reason) => return skip(planned, reason),
        };
        if let Some(lacking) = self.stage.lacks(fault.requirements()) {
            return skip(planned, format!("this cluster gives growler no control of its {lacking}"));
        }
        self.begins(index, &planned);
        let injected = fault.inject(&self.stage).await;
        let begun = self.stage.now();
        match &injected {
            Ok(found) => {
                (planned.targets, planned.detail) = (found.targets.clone(), found.detail.clone());
                self.aims_at(index, &found.targets);
                self.tell(fault.name(), &planned);
                self.watch(&mut *fault, planned.planned[1], &mut stop).await;
            }
            Err(e) => tracing::warn!("cannot inject {}: {e}", planned.fault),
        }
        let errors = fault.heal(&self.stage).await;
        let evidence = fault.evidence(&self.stage).await;
        planned.actual = Some([begun, self.stage.now()]);
        if injected.is_ok() {
            self.tell(fault.heal_name(), &planned);
        }
        judge(&mut planned, injected.err(), evidence);
        self.ends(index);
        (index, planned, errors)
    }

    /// Looks for evidence until the fault's time is over, or the run is stopped.
    async fn watch(&self, fault: &mut dyn Fault, end: u64, stop: &mut watch::Receiver<bool>) {
        let looking = async {
            loop {
                fault.evidence(&self.stage).await;
                sleep(LOOK_EVERY).await;
            }
        };
        tokio::select! {
            biased;
            _ = self.wait_until(end, stop) => (),
            () = looking => (),
        }
    }

    /// Waits until the run's clock shows this time; `false` if the run is stopped before.
    async fn wait_until(&self, time: u64, stop: &mut watch::Receiver<bool>) -> bool {
        let waiting = async {
            loop {
                match time.saturating_sub(self.stage.now()) {
                    0 => return,
                    left => sleep(Duration::from_nanos(left)).await,
                }
            }
        };
        tokio::select! {
            biased;
            _ = stop.wait_for(|stopped| *stopped) => false,
            () = waiting => true,
        }
    }

    fn begins(&self, index: FaultId, planned: &PlannedFault) {
        let (fault, targets) = (planned.fault.clone(), planned.targets.clone());
        let since = self.stage.now();
        self.in_force.send_modify(|all| all.push(ActiveFault { index, fault, targets, since }));
    }

    fn aims_at(&self, index: FaultId, targets: &[NodeName]) {
        self.in_force.send_modify(|all| {
            for fault in all.iter_mut().filter(|fault| fault.index == index) {
                fault.targets = targets.to_vec();
            }
        });
    }

    fn ends(&self, index: FaultId) {
        self.in_force.send_modify(|all| all.retain(|fault| fault.index != index));
    }

    /// An event for the history: the detail, with the targets.
    fn tell(&self, f: &str, planned: &PlannedFault) {
        let mut value = if planned.detail.is_object() { planned.detail.clone() } else { json!({}) };
        value["targets"] = json!(planned.targets);
        (self.sink)(NemesisEvent { f: f.to_owned(), value });
    }
}

/// Writes down what became of a fault that was injected.
fn judge(planned: &mut PlannedFault, error: Option<ClusterError>, evidence: Evidence) {
    planned.evidence = evidence.value;
    let (outcome, reason) = match error {
        Some(e) => (Outcome::Indeterminate, Some(e.to_string())),
        None if evidence.shows => (Outcome::Installed, None),
        None => (Outcome::Indeterminate, Some(evidence.missing.to_owned())),
    };
    (planned.outcome, planned.reason) = (Some(outcome), reason);
}
