//! Whom a fault is aimed at: nodes by name, or a role that is looked up when the fault is injected.

use serde::Deserialize;
use serde_json::Value;

use super::{Injected, parse, with};
use crate::cluster::{ClusterError, NodeName};
use crate::plan::PlannedFault;
use crate::stage::Stage;

/// A role that a node can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Role {
    Leader,
}

#[derive(Debug, Default, Deserialize)]
struct Fields {
    role: Option<Role>,
    #[serde(default)]
    pick: u64,
}

/// Whom a fault is aimed at.
#[derive(Debug)]
pub(super) struct Aim {
    fields: Fields,
    targets: Vec<NodeName>,
    detail: Value,
}

impl Aim {
    pub(super) fn new(planned: &PlannedFault) -> Result<Self, String> {
        let fields: Fields = parse(planned)?;
        Ok(Self { fields, targets: planned.targets.clone(), detail: planned.detail.clone() })
    }

    /// Whether it is aimed at a role.
    pub(super) fn is_role(&self) -> bool {
        self.fields.role.is_some()
    }

    /// The targets and the detail as the plan has them.
    pub(super) fn as_planned(&self) -> Injected {
        Injected { targets: self.targets.clone(), detail: self.detail.clone() }
    }

    /// Finds the nodes. Where nobody knows of a leader, `pick` chooses among all nodes, and the detail says
    /// so.
    pub(super) async fn find(&self, stage: &Stage) -> Result<Injected, ClusterError> {
        let nodes = stage.cluster().nodes();
        let Some(Role::Leader) = self.fields.role else {
            return match self.targets.iter().find(|t| !nodes.contains(t)) {
                Some(stranger) => Err(no_node(stranger, "the cluster has no such node")),
                None if self.targets.is_empty() => Err(no_node("?", "the plan names no target")),
                None => Ok(self.as_planned()),
            };
        };
        if let Some(leader) = stage.leader(self.fields.pick).await {
            let mut detail = self.detail.clone();
            detail.as_object_mut().and_then(|fields| fields.remove("leader_known"));
            return Ok(Injected { targets: vec![leader], detail });
        }
        let count = u64::try_from(nodes.len()).unwrap_or(1).max(1);
        let any = usize::try_from(self.fields.pick % count).unwrap_or(0);
        let target = nodes.into_iter().nth(any).ok_or_else(|| no_node("?", "the cluster has no node"))?;
        Ok(Injected { targets: vec![target], detail: with(&self.detail, "leader_known", &false) })
    }
}

fn no_node(node: &str, reason: &str) -> ClusterError {
    ClusterError { action: "target", node: node.to_owned(), reason: reason.to_owned() }
}
