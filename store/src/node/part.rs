//! A node's part in its cluster, whatever the style: the one place where the styles are told apart.
//!
//! A part is started from the node's configuration and its world, is a [`Backend`] to the protocol, says
//! how it is, notices when it cannot go on, and is stopped. What is behind that is the style's own matter.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::member::{Member, MemberPlan};
use super::settings::{Settings, Style, parse_quorum};
use super::{NodeConfig, NodeError};
use crate::api::Backend;
use crate::bugs::Bugs;
use crate::leader::group::ReplicaGroup;
use crate::leader::store::partition_name;
use crate::quorum::member::{QuorumMember, QuorumPlan};
use crate::world::World;

/// What a part needs to know to be started, checked.
pub(super) enum Plan {
    Leader(MemberPlan),
    Quorum(QuorumPlan),
}

/// A running part.
pub(super) enum Part {
    Leader(Member),
    Quorum(QuorumMember),
}

impl Plan {
    /// What the configuration says of it.
    ///
    /// # Errors
    /// A setting or the bug's name is wrong.
    pub(super) fn new(config: &NodeConfig) -> Result<Self, NodeError> {
        let bugs = config.bug.as_deref().map(str::parse).transpose()?.map_or(Bugs::NONE, Bugs::with);
        let members: Vec<String> = config.peers.keys().cloned().chain([config.name.clone()]).collect();
        let (name, peer_listen) = (config.name.clone(), config.peer_listen.to_string());
        match config.style {
            Style::Leader => {
                let settings = Settings::parse(&config.settings)?;
                Ok(Self::Leader(MemberPlan { name, members, peer_listen, settings, bugs }))
            }
            Style::Quorum => {
                let options = parse_quorum(&config.settings, members.len())?;
                Ok(Self::Quorum(QuorumPlan { name, members, peer_listen, options, bugs }))
            }
        }
    }
}

impl Part {
    /// Starts from the data of `world`, or founds this node's share of a new cluster.
    ///
    /// # Errors
    /// The data cannot be used, or belongs to another cluster, or the peer address is taken.
    pub(super) async fn start(plan: Plan, world: World) -> Result<Self, NodeError> {
        match plan {
            Plan::Leader(plan) => Member::start(plan, world).await.map(Self::Leader),
            Plan::Quorum(plan) => Ok(Self::Quorum(QuorumMember::start(plan, world).await?)),
        }
    }

    /// The store, as the protocol sees it.
    pub(super) fn backend(&self) -> Arc<dyn Backend> {
        match self {
            Self::Leader(member) => Arc::new(member.store().clone()),
            Self::Quorum(member) => Arc::new(member.store().clone()),
        }
    }

    /// Ready when the part cannot go on: its disk, or what is on it, let it down.
    pub(super) async fn failed(&self) -> NodeError {
        match self {
            Self::Leader(member) => member.failed().await,
            Self::Quorum(member) => member.failed().await.into(),
        }
    }

    /// Stops with everything on disk. What is under way fails.
    pub(super) async fn stop(self) {
        match self {
            Self::Leader(member) => member.stop().await,
            Self::Quorum(member) => member.stop().await,
        }
    }

    /// What the node's status says of it.
    pub(super) fn status(&self) -> Map<String, Value> {
        let status = match self {
            Self::Leader(member) => leader_status(member),
            Self::Quorum(member) => member.status(),
        };
        match status {
            Value::Object(fields) => fields,
            _ => Map::new(),
        }
    }
}

/// Where each replica stands, the catalogue's apart.
fn leader_status(member: &Member) -> Value {
    let mut replicas = member.store().groups().iter().map(|group| replica(member, group.id(), &**group));
    let catalogue = replicas.next().unwrap_or_default();
    let partitions: Value = replicas.collect();
    json!({
        "style": Style::Leader.name(),
        "catalogue": catalogue,
        "partitions": partitions,
        "tables": member.store().known_tables(),
    })
}

fn replica(member: &Member, group: u32, replica: &dyn ReplicaGroup) -> Value {
    let status = replica.status();
    json!({
        "id": if group == 0 { String::from("catalogue") } else { partition_name(group) },
        "role": status.role,
        "leader": status.leader.and_then(|leader| member.name_of(leader)),
        "term": status.term,
        "last_log": status.last_log,
        "committed": status.committed,
        "applied": status.applied,
        "snapshot": status.snapshot,
    })
}
