//! One node's part in a cluster, without its process: groups, links, peers' questions.
//!
//! Everything it touches comes from a [`World`], so that several can live in one process, on one
//! simulated network.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use futures_util::future::join_all;
use rand::Rng as _;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::NodeError;
use super::settings::Settings;
use crate::bugs::{Bug, Bugs};
use crate::engine::{Engine, EngineOptions, GroupId, GroupRows};
use crate::leader::group::{ReplicaGroup, Role};
use crate::leader::log_store::LogStore;
use crate::leader::network::{GroupNetwork, PeerLinks};
use crate::leader::raft_group::{GroupOptions, RaftGroup};
use crate::leader::runtime::NodeContext;
use crate::leader::state::GroupState;
use crate::leader::store::{CATALOGUE, LeaderStore};
use crate::leader::types::NodeId;
use crate::peer::{Hello, Lane, Link, serve};
use crate::world::World;

/// Where a node keeps what it knows of itself among the engine's groups.
const OWN_GROUP: GroupId = GroupId::MAX;
/// The name of [`Layout`] there.
const LAYOUT: &str = "layout";

/// How long a node that stops waits for another one to lead in its place.
const HAND_OVER: Duration = Duration::from_millis(300);

/// How often a node looks whether its groups are well.
const HEALTH: Duration = Duration::from_millis(200);

/// What a member is to be.
#[derive(Clone, Debug)]
pub struct MemberPlan {
    /// Its name.
    pub name: String,
    /// The names of all nodes, its own among them.
    pub members: Vec<String>,
    /// Where it listens for peers, `host:port`.
    pub peer_listen: String,
    /// How it works.
    pub settings: Settings,
    /// The planted bug, if any.
    pub bugs: Bugs,
}

/// What must stay the same for as long as a node has data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Layout {
    partitions: u32,
    members: Vec<String>,
}

/// A running member.
pub struct Member {
    store: LeaderStore,
    engine: Engine,
    world: World,
    members: Vec<String>,
    shutdown: CancellationToken,
}

impl Member {
    /// Starts from the data of `world`, or founds its share of a new cluster.
    ///
    /// # Errors
    /// The data cannot be used, or belongs to another layout, or the peer address is taken.
    pub async fn start(plan: MemberPlan, world: World) -> Result<Self, NodeError> {
        let mut members = plan.members.clone();
        members.sort();
        members.dedup();
        let Some(me) = members.iter().position(|name| *name == plan.name) else {
            return Err(NodeError::NotAMember(plan.name));
        };
        let engine = open_engine(&plan, &world).await?;
        let layout = Layout { partitions: plan.settings.partitions, members: members.clone() };
        keep_layout(&engine, &layout).await?;

        let shutdown = CancellationToken::new();
        let cluster = members.join(",");
        let peers = Arc::new(link_peers(&world, &cluster, &plan.name, &members, &shutdown));
        let groups = start_groups(&plan, &world, &engine, node_id(me), &peers).await?;
        let store = LeaderStore::new(node_id(me), world.clone(), groups, peers);

        let listener = world.net.listen(&plan.peer_listen).await;
        let listener =
            listener.map_err(|source| NodeError::Listen { address: plan.peer_listen.clone(), source })?;
        let hello = Hello::new(&cluster, &plan.name, Lane::Main);
        let answering = serve(world.clone(), listener, hello, Arc::new(store.clone()), shutdown.clone());
        world.spawn.task(Box::pin(answering));

        for group in store.groups() {
            // Each partition begins with another leader; the catalogue with the first node.
            let founder = group.id().saturating_sub(1) as usize % members.len();
            if founder == me {
                group.found((0..members.len()).map(node_id)).await?;
            }
        }
        let (repairing, until) = (store.clone(), shutdown.clone());
        world.spawn.task(Box::pin(async move {
            until.run_until_cancelled(repairing.repair_tables()).await;
        }));
        Ok(Self { store, engine, world, members, shutdown })
    }

    /// The store, as the API sees it.
    #[must_use]
    pub fn store(&self) -> &LeaderStore {
        &self.store
    }

    /// The name of a node.
    #[must_use]
    pub fn name_of(&self, id: NodeId) -> Option<&str> {
        let position = usize::try_from(id).ok()?.checked_sub(1)?;
        self.members.get(position).map(String::as_str)
    }

    /// Ready when one of the node's groups has failed: its disk, or what is on it, let it down. The
    /// node must not go on then.
    pub async fn failed(&self) -> NodeError {
        loop {
            for group in self.store.groups() {
                if let Some(reason) = group.failure() {
                    return NodeError::Failed { group: group.id(), reason };
                }
            }
            self.world.clock.sleep(HEALTH).await;
        }
    }

    /// Gives leadership away, leaves the network and stops, with everything on disk. What is under
    /// way fails.
    pub async fn stop(self) {
        join_all(self.store.groups().iter().map(|group| self.hand_over(group))).await;
        self.shutdown.cancel();
        for group in self.store.groups() {
            group.stop().await;
        }
        if let Err(error) = self.engine.checkpoint().await {
            tracing::warn!(%error, "no last checkpoint: the next start replays the log");
        }
    }
}

impl Member {
    /// Asks the next member to lead a group that this one leads, and waits a little until it does.
    async fn hand_over(&self, group: &RaftGroup) {
        if group.status().role != Role::Leader || self.members.len() == 1 {
            return;
        }
        group.transfer(group.member() % self.members.len() as NodeId + 1).await;
        let deadline = self.world.clock.now() + HAND_OVER;
        while group.status().role == Role::Leader && self.world.clock.now() < deadline {
            self.world.clock.sleep(HAND_OVER / 20).await;
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// Nodes are numbered from 1 in the order of their names.
fn node_id(position: usize) -> NodeId {
    position as NodeId + 1
}

async fn open_engine(plan: &MemberPlan, world: &World) -> Result<Engine, NodeError> {
    let mut options = EngineOptions::default();
    if plan.bugs.has(Bug::NoFsync) {
        options.wal.no_fsync = true;
        options.checkpoint_bytes = usize::MAX;
    }
    let (disk, spawn, name) = (world.disk.clone(), world.spawn.clone(), plan.name.clone());
    let (sender, receiver) = tokio::sync::oneshot::channel();
    world.spawn.blocking(Box::new(move || {
        // Nobody waits any more when the start was given up.
        drop(sender.send(Engine::open(disk, spawn, &name, options)));
    }));
    receiver.await.map_err(|_| NodeError::GivenUp)?.map_err(NodeError::Data)
}

async fn keep_layout(engine: &Engine, layout: &Layout) -> Result<(), NodeError> {
    let unreadable = |error: postcard::Error| NodeError::Layout { reason: error.to_string() };
    match engine.read(OWN_GROUP).and_then(|rows| rows.meta(LAYOUT)).map_err(NodeError::Data)? {
        Some(kept) => {
            let kept: Layout = postcard::from_bytes(&kept).map_err(unreadable)?;
            if kept != *layout {
                return Err(NodeError::Layout {
                    reason: format!(
                        "its data has {} partitions on {}, it was started with {} on {}",
                        kept.partitions,
                        kept.members.join(", "),
                        layout.partitions,
                        layout.members.join(", ")
                    ),
                });
            }
        }
        None => {
            let bytes = postcard::to_stdvec(layout).map_err(unreadable)?;
            engine
                .write(OWN_GROUP, |rows| rows.set_meta(LAYOUT, Some(&bytes)))
                .await
                .map_err(NodeError::Data)?;
            engine.checkpoint().await.map_err(NodeError::Data)?;
        }
    }
    Ok(())
}

fn link_peers(
    world: &World,
    cluster: &str,
    me: &str,
    members: &[String],
    shutdown: &CancellationToken,
) -> BTreeMap<NodeId, PeerLinks> {
    let link =
        |peer: &str, lane| Link::new(world.clone(), Hello::new(cluster, me, lane), peer, shutdown.clone());
    let others = members.iter().enumerate().filter(|(_, name)| *name != me);
    others
        .map(|(position, name)| {
            (node_id(position), PeerLinks { main: link(name, Lane::Main), bulk: link(name, Lane::Bulk) })
        })
        .collect()
}

async fn start_groups(
    plan: &MemberPlan,
    world: &World,
    engine: &Engine,
    me: NodeId,
    peers: &Arc<BTreeMap<NodeId, PeerLinks>>,
) -> Result<Vec<Arc<RaftGroup>>, NodeError> {
    let context = NodeContext::new(world.clock.clone(), world.rng.stream("consensus"));
    let transfers = Arc::new(AtomicU64::new(world.rng.stream("snapshots").next_u64()));
    let options = GroupOptions {
        reads: plan.settings.reads,
        timing: plan.settings.timing,
        // A store that never calls fsync takes no durable snapshots either.
        snapshot_entries: if plan.bugs.has(Bug::NoFsync) {
            u64::MAX / 2
        } else {
            plan.settings.snapshot_entries
        },
        bugs: plan.bugs,
    };
    let mut groups = Vec::new();
    for id in CATALOGUE..=plan.settings.partitions {
        let state = Arc::new(GroupState::open(engine.clone(), id)?);
        let log = LogStore::new(engine.clone(), id);
        let network = GroupNetwork::new(id, peers.clone(), transfers.clone());
        let group = RaftGroup::start(id, me, log, state, network, context.clone(), options).await?;
        groups.push(Arc::new(group));
    }
    Ok(groups)
}
