//! One node's part in a cluster of the quorum style, without its process: rows, links, peers'
//! questions, and the work in the background.
//!
//! Everything it touches comes from a [`World`], so that several can live in one process, on one
//! simulated network.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::membership::{Membership, Pace, Send};
use super::options::Options;
use super::peers::Peers;
use super::replica::Replica;
use super::ring::Ring;
use super::store::QuorumStore;
use super::version::Rules;
use super::wire::Request;
use crate::bugs::{Bug, Bugs};
use crate::engine::{Engine, EngineError, EngineOptions, GroupId, GroupRows};
use crate::peer::{Hello, Lane, serve};
use crate::world::World;

/// Where a node keeps what it knows of itself among the engine's groups.
const OWN_GROUP: GroupId = GroupId::MAX;
/// The name of [`Layout`] there.
const LAYOUT: &str = "layout";

/// What stands among the members of a layout, so that no other style takes the data for its own.
const STYLE: &str = "style=quorum";

/// How often a node looks whether its data are well.
const HEALTH: Duration = Duration::from_millis(200);

/// What a member is to be.
#[derive(Clone, Debug)]
pub struct QuorumPlan {
    /// Its name.
    pub name: String,
    /// The names of all nodes, its own among them.
    pub members: Vec<String>,
    /// Where it listens for peers, `host:port`.
    pub peer_listen: String,
    /// How it works; fit for so many nodes.
    pub options: Options,
    /// The planted bug, if any.
    pub bugs: Bugs,
}

/// Why a member cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum QuorumError {
    /// The node is not one of the cluster's.
    #[error("node {0} is not among the cluster's members: add it to them")]
    NotAMember(String),
    /// The data cannot be used.
    #[error(transparent)]
    Data(#[from] EngineError),
    /// The cluster is not the one that the data is of.
    #[error("the node cannot start on its data: {0}; start it as before, or with an empty folder")]
    Layout(String),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another port, or stop what uses it")]
    Listen {
        /// The address.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The log or the tables failed.
    #[error("the store failed: {0}")]
    Io(#[from] io::Error),
}

/// What must stay the same for as long as a node has data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Layout {
    partitions: u32,
    members: Vec<String>,
}

/// A running member.
pub struct QuorumMember {
    store: QuorumStore,
    engine: Engine,
    world: World,
    shutdown: CancellationToken,
}

impl QuorumMember {
    /// Starts from the data of `world`, or founds its share of a new cluster.
    ///
    /// # Errors
    /// The data cannot be used, or belongs to another layout, or the peer address is taken.
    pub async fn start(plan: QuorumPlan, world: World) -> Result<Self, QuorumError> {
        let mut members = plan.members.clone();
        members.sort();
        members.dedup();
        if !members.contains(&plan.name) {
            return Err(QuorumError::NotAMember(plan.name));
        }
        let engine = open_engine(&plan, &world).await?;
        let mut marked = members.clone();
        marked.push(STYLE.to_owned());
        keep_layout(&engine, &Layout { partitions: plan.options.partitions, members: marked }).await?;

        let shutdown = CancellationToken::new();
        let cluster = members.join(",");
        let peers = Arc::new(Peers::new(&world, &cluster, &plan.name, &members, &shutdown));
        let ring = Arc::new(Ring::deal(&members, plan.options.partitions));
        let rules = Rules { resolve: plan.options.resolve, bugs: plan.bugs };
        let replica = Replica::open(&plan.name, rules, ring.clone(), engine.clone(), world.clone()).await?;
        let membership = watch(&plan, &world, &members, &replica, &peers, &shutdown).await?;
        let store = QuorumStore::new(world.clone(), plan.options, ring, replica, peers, membership);

        let listener = world.net.listen(&plan.peer_listen).await;
        let listener =
            listener.map_err(|source| QuorumError::Listen { address: plan.peer_listen.clone(), source })?;
        let hello = Hello::new(&cluster, &plan.name, Lane::Main);
        let answering = serve(world.clone(), listener, hello, Arc::new(store.clone()), shutdown.clone());
        world.spawn.task(Box::pin(answering));
        let member = Self { store, engine, world, shutdown };
        member.work(&plan.options);
        Ok(member)
    }

    /// Starts the work in the background.
    fn work(&self, options: &Options) {
        self.background(|store| async move { store.replica().keep_tables().await });
        self.background(|store| async move { store.spread_tables().await });
        self.background(|store| async move { store.collect().await });
        self.background(|store| async move { store.membership().knock().await });
        if options.hints {
            self.background(|store| async move { store.hand_over().await });
        }
        if options.anti_entropy {
            self.background(|store| async move { store.compare().await });
        }
    }

    /// Runs work until the node stops.
    fn background<F: Future<Output = ()> + std::marker::Send + 'static>(
        &self,
        work: impl FnOnce(QuorumStore) -> F,
    ) {
        let (work, shutdown) = (work(self.store.clone()), self.shutdown.clone());
        self.world.spawn.task(Box::pin(async move {
            shutdown.run_until_cancelled(work).await;
        }));
    }

    /// The store, as the API sees it.
    #[must_use]
    pub fn store(&self) -> &QuorumStore {
        &self.store
    }

    /// Ready when the node's disk, or what is on it, has let it down. It must not go on then.
    pub async fn failed(&self) -> QuorumError {
        loop {
            if let Some(reason) = self.store.replica().failure() {
                return QuorumError::Io(io::Error::other(reason));
            }
            self.world.clock.sleep(HEALTH).await;
        }
    }

    /// What the node's status says of its part: who is believed to be up, the partitions and keys that it
    /// has, and how much waits here for others.
    #[must_use]
    pub fn status(&self) -> Value {
        let store = &self.store;
        // To be believed in is not enough: at a start nobody has been spoken to yet.
        let is_up = |(node, is_up): (String, bool)| {
            let reached = store.is_reached(&node);
            (node, is_up && reached)
        };
        let mut members: BTreeMap<String, bool> = store.membership().view().into_iter().map(is_up).collect();
        members.insert(store.replica().node().to_owned(), true);
        let said = |(node, is_up)| (node, Value::from(if is_up { "up" } else { "down" }));
        let members: Map<String, Value> = members.into_iter().map(said).collect();
        json!({
            "style": "quorum",
            "members": members,
            "owned": store.owned(),
            "keys": store.replica().keys(),
            "hints": store.replica().hint_counts().values().sum::<usize>(),
            "tables": store.known_tables(),
        })
    }

    /// Leaves the network and stops, with everything on disk. What is under way fails.
    pub async fn stop(self) {
        self.shutdown.cancel();
        if let Err(error) = self.store.replica().apply_ready().await {
            tracing::warn!(%error, "the next start replays the log");
        }
        if let Err(error) = self.engine.checkpoint().await {
            tracing::warn!(%error, "no last checkpoint: the next start replays the log");
        }
    }
}

impl Drop for QuorumMember {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// Starts the failure detector, whose messages go over the links.
async fn watch(
    plan: &QuorumPlan,
    world: &World,
    members: &[String],
    replica: &Replica,
    peers: &Arc<Peers>,
    shutdown: &CancellationToken,
) -> Result<Membership, QuorumError> {
    let (life, durable) = replica.draw_epoch()?;
    durable.wait().await?;
    let pace = Pace { gossip: plan.options.gossip_every, suspect: plan.options.suspect_for };
    let (links, spawn, until) = (peers.clone(), world.spawn.clone(), shutdown.clone());
    let within = pace.gossip * 3;
    let send: Send = Arc::new(move |node, message| {
        let (links, until) = (links.clone(), until.clone());
        spawn.task(Box::pin(async move {
            let request = Request::Gossip(message);
            // A message that is lost is what the detector is about.
            let _ = until.run_until_cancelled(links.ask(&node, &request, within)).await;
        }));
    });
    Ok(Membership::start(world.clone(), &plan.name, life, members, pace, send))
}

async fn open_engine(plan: &QuorumPlan, world: &World) -> Result<Engine, QuorumError> {
    let mut options = EngineOptions::default();
    if plan.bugs.has(Bug::NoFsync) {
        options.wal.no_fsync = true;
        options.checkpoint_bytes = usize::MAX;
    }
    let (disk, spawn, name) = (world.disk.clone(), world.spawn.clone(), plan.name.clone());
    let (sender, receiver) = tokio::sync::oneshot::channel();
    world.spawn.blocking(Box::new(move || {
        // Nobody waits any more when the start was given up.
        let _ = sender.send(Engine::open(disk, spawn, &name, options));
    }));
    let opened = receiver.await.map_err(|_| io::Error::other("the start was interrupted"))?;
    Ok(opened?)
}

/// Checks that the data is of this layout; notes it in a new folder.
async fn keep_layout(engine: &Engine, layout: &Layout) -> Result<(), QuorumError> {
    let found = engine.read(OWN_GROUP)?.meta(LAYOUT)?;
    let Some(found) = found else {
        let bytes = postcard::to_stdvec(layout).map_err(io::Error::other)?;
        engine
            .write(OWN_GROUP, |rows| rows.set_meta(LAYOUT, Some(&bytes)))
            .await
            .map_err(QuorumError::Data)?;
        return Ok(engine.checkpoint().await?);
    };
    match postcard::from_bytes::<Layout>(&found) {
        Ok(found) if found == *layout => Ok(()),
        Ok(found) if !found.members.iter().any(|member| member == STYLE) => {
            Err(QuorumError::Layout(String::from("it is of a store of another style")))
        }
        Ok(found) => Err(QuorumError::Layout(format!(
            "it has {} partitions of the nodes {}, and {} of {} were asked for",
            found.partitions,
            found.members.join(", "),
            layout.partitions,
            layout.members.join(", ")
        ))),
        Err(error) => Err(QuorumError::Layout(format!("what it says of itself cannot be read: {error}"))),
    }
}
