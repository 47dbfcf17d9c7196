//! Processes that are killed, and started again at the heal. Evidence: a process that ran and then was dead,
//! and the id of the one that took its place.

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures_util::future::join_all;
use serde::Serialize;
use serde_json::json;

use super::aim::Aim;
use super::{Evidence, Fault, Injected};
use crate::cluster::{ClusterError, NodeName, ProcessState};
use crate::plan::PlannedFault;
use crate::stage::{Capability, FaultId, Hold, Stage};

pub(crate) const NAME: &str = "kill";

/// What was seen of one node.
#[derive(Debug, Default, Serialize)]
struct Seen {
    pid_before: Option<u32>,
    /// It was alive before.
    alive_before: bool,
    dead: bool,
    pid_after: Option<u32>,
}

pub(super) struct Kill {
    id: FaultId,
    aim: Aim,
    seen: BTreeMap<NodeName, Seen>,
    healed: bool,
}

impl Kill {
    pub(super) fn new(id: FaultId, planned: &PlannedFault) -> Result<Self, String> {
        Ok(Self { id, aim: Aim::new(planned)?, seen: BTreeMap::new(), healed: false })
    }
}

#[async_trait]
impl Fault for Kill {
    fn name(&self) -> &'static str {
        NAME
    }

    fn heal_name(&self) -> &'static str {
        "start"
    }

    fn requirements(&self) -> &'static [Capability] {
        &[Capability::Processes]
    }

    async fn inject(&mut self, stage: &Stage) -> Result<Injected, ClusterError> {
        let found = self.aim.find(stage).await?;
        if let Some(processes) = stage.cluster().processes() {
            for node in &found.targets {
                let pid_before = processes.pid(node);
                let alive_before = processes.state(node) != ProcessState::Dead;
                let seen = Seen { pid_before, alive_before, ..Seen::default() };
                self.seen.insert(node.clone(), seen);
            }
        }
        let kills = found.targets.iter().map(|node| stage.hold(self.id, node, Hold::Down));
        join_all(kills).await.into_iter().collect::<Result<(), _>>()?;
        Ok(found)
    }

    async fn evidence(&mut self, stage: &Stage) -> Evidence {
        if let Some(processes) = stage.cluster().processes() {
            for (node, seen) in &mut self.seen {
                if self.healed {
                    seen.pid_after = processes.pid(node);
                } else {
                    seen.dead |= processes.state(node) == ProcessState::Dead;
                }
            }
        }
        Evidence {
            shows: self.seen.values().any(|seen| seen.alive_before && seen.dead),
            value: json!({ "processes": self.seen }),
            missing: "no target was seen alive before and dead after",
        }
    }

    async fn heal(&mut self, stage: &Stage) -> Vec<ClusterError> {
        self.healed = true;
        let starts = self.seen.keys().map(|node| stage.release(self.id, node, Hold::Down));
        join_all(starts).await.into_iter().filter_map(Result::err).collect()
    }
}
