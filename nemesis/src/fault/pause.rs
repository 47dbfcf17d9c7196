//! Processes that are stopped, and go on at the heal. Evidence: the operating system says `stopped`.

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures_util::future::join_all;
use serde_json::json;

use super::aim::Aim;
use super::{Evidence, Fault, Injected};
use crate::cluster::{ClusterError, NodeName, ProcessState};
use crate::plan::PlannedFault;
use crate::stage::{Capability, FaultId, Hold, Stage};

pub(crate) const NAME: &str = "pause";

pub(super) struct Pause {
    id: FaultId,
    aim: Aim,
    /// The targets, and in which state each was last seen while the fault was in force; `stopped` stays.
    seen: BTreeMap<NodeName, ProcessState>,
    healed: bool,
}

impl Pause {
    pub(super) fn new(id: FaultId, planned: &PlannedFault) -> Result<Self, String> {
        Ok(Self { id, aim: Aim::new(planned)?, seen: BTreeMap::new(), healed: false })
    }
}

#[async_trait]
impl Fault for Pause {
    fn name(&self) -> &'static str {
        NAME
    }

    fn heal_name(&self) -> &'static str {
        "resume"
    }

    fn requirements(&self) -> &'static [Capability] {
        &[Capability::Processes]
    }

    async fn inject(&mut self, stage: &Stage) -> Result<Injected, ClusterError> {
        let found = self.aim.find(stage).await?;
        self.seen.extend(found.targets.iter().map(|node| (node.clone(), ProcessState::Running)));
        let pauses = found.targets.iter().map(|node| stage.hold(self.id, node, Hold::Paused));
        join_all(pauses).await.into_iter().collect::<Result<(), _>>()?;
        Ok(found)
    }

    async fn evidence(&mut self, stage: &Stage) -> Evidence {
        if let (Some(processes), false) = (stage.cluster().processes(), self.healed) {
            for (node, seen) in &mut self.seen {
                if *seen != ProcessState::Stopped {
                    *seen = processes.state(node);
                }
            }
        }
        Evidence {
            shows: self.seen.values().any(|state| *state == ProcessState::Stopped),
            value: json!({ "processes": self.seen }),
            missing: "the operating system never said that a target is stopped",
        }
    }

    async fn heal(&mut self, stage: &Stage) -> Vec<ClusterError> {
        self.healed = true;
        let resumes = self.seen.keys().map(|node| stage.release(self.id, node, Hold::Paused));
        join_all(resumes).await.into_iter().filter_map(Result::err).collect()
    }
}
