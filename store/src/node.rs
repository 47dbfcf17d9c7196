//! One process of the bundled store: configuration, listeners, status, shutdown.
//!
//! A node opens its data, starts its part in the cluster, answers its peers, and only then listens for
//! clients: who can connect can be served. When it is told to stop it takes no more requests, answers
//! those that it has, stops its part and makes its tables durable.
//!
//! Logging goes through `tracing`; whoever owns the process decides where to.

mod member;
mod part;
mod settings;

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use rand::Rng as _;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use member::{Member, MemberPlan};
use part::{Part, Plan};
pub use settings::{
    Limits, SettingError, SettingInfo, Settings, Style, UnknownStyle, check_settings, limits, settings,
};

use crate::api;
use crate::bugs::UnknownBug;
use crate::engine::EngineError;
use crate::quorum::member::QuorumError;
use crate::world::{
    Clock, ClockPageError, Disk, HostClock, HostDisk, Rng, TokioNet, TokioSpawn, VolatileDisk, World,
};

/// How a node process is set up.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// The node's name, such as `n1`.
    pub name: String,
    /// How the store replicates. All nodes have the same style.
    pub style: Style,
    /// The folder of its data; made if needed.
    pub data_dir: PathBuf,
    /// Where it listens for clients.
    pub client_listen: SocketAddr,
    /// Where it listens for the other nodes.
    pub peer_listen: SocketAddr,
    /// The other nodes, and the addresses at which this one reaches them.
    pub peers: BTreeMap<String, SocketAddr>,
    /// Settings of the style by name: [`fn@settings`].
    pub settings: BTreeMap<String, String>,
    /// The page that says how this node's clock is wrong.
    pub clock_page: Option<PathBuf>,
    /// Whether unsynced bytes stay in the process, so that its death is a power loss.
    pub volatile_disk: bool,
    /// The name of a planted bug.
    pub bug: Option<String>,
    /// The seed of its random choices.
    pub seed: u64,
}

/// Why a node cannot run.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// A setting is wrong.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// A quorum store's part cannot start or go on.
    #[error(transparent)]
    Quorum(#[from] QuorumError),
    /// There is no such bug.
    #[error(transparent)]
    Bug(#[from] UnknownBug),
    /// The clock page cannot be used.
    #[error(transparent)]
    ClockPage(#[from] ClockPageError),
    /// The data cannot be used.
    #[error(transparent)]
    Data(EngineError),
    /// The data folder cannot be made or used.
    #[error(
        "cannot use the data folder {folder}: {source}; check that it is a folder that this user may write"
    )]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The node is not one of the cluster's.
    #[error("node {0} is not among the cluster's members: add it to them")]
    NotAMember(String),
    /// The cluster is not the one that the data is of.
    #[error("the node cannot start on its data: {reason}; start it as before, or with an empty folder")]
    Layout {
        /// What differs.
        reason: String,
    },
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another port, or stop what uses it")]
    Listen {
        /// The address.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// A replica group stopped by itself.
    #[error("replica group {group} stopped: {reason}")]
    Failed {
        /// The group.
        group: u32,
        /// Why.
        reason: String,
    },
    /// The log or the tables failed.
    #[error("the store failed: {0}")]
    Io(#[from] io::Error),
    /// The start was interrupted.
    #[error("the start was interrupted")]
    GivenUp,
}

/// Runs a node until `shutdown` is ready.
///
/// # Errors
/// See [`NodeError`]. Once it serves, it ends with an error only when its data let it down.
pub async fn run(config: NodeConfig, shutdown: impl Future<Output = ()>) -> Result<(), NodeError> {
    let listen = config.client_listen;
    let name = config.name.clone();
    let (world, plan) = prepare(config)?;
    let part = Arc::new(Part::start(plan, world.clone()).await?);
    let listener = TcpListener::bind(listen).await;
    let listener = listener.map_err(|source| NodeError::Listen { address: listen.to_string(), source })?;
    tracing::info!(node = name, clients = %listen, "serving");

    let stop = CancellationToken::new();
    let status = status_of(&name, Arc::downgrade(&part), world.clock.clone());
    let service = api::Service::new(part.backend(), status, world.rng.stream("requests").next_u64());
    let serving = api::serve(listener, Arc::new(service), stop.clone());
    tokio::pin!(serving);
    let failure = tokio::select! {
        biased;
        () = shutdown => None,
        () = &mut serving => None,
        failure = part.failed() => Some(failure),
    };
    if let Some(failure) = failure {
        tracing::error!(node = name, %failure, "the node ends");
        return Err(failure);
    }
    stop.cancel();
    serving.await;
    if let Some(part) = Arc::into_inner(part) {
        part.stop().await;
    }
    tracing::info!(node = name, "stopped");
    Ok(())
}

/// The world of a process, and what its part is to be.
fn prepare(config: NodeConfig) -> Result<(World, Plan), NodeError> {
    let plan = Plan::new(&config)?;
    let clock: Arc<dyn Clock> = match &config.clock_page {
        Some(page) => Arc::new(HostClock::with_page(page)?),
        None => Arc::new(HostClock::new()),
    };
    let folder = config.data_dir;
    let disk = HostDisk::open(&folder).map_err(|source| NodeError::Folder { folder, source })?;
    let disk: Arc<dyn Disk> =
        if config.volatile_disk { Arc::new(VolatileDisk::new(Arc::new(disk))) } else { Arc::new(disk) };
    let addresses = config.peers.iter().map(|(name, address)| (name.clone(), address.to_string())).collect();
    let world = World {
        clock,
        disk,
        net: Arc::new(TokioNet::new(addresses)),
        rng: Rng::new(config.seed, &config.name),
        spawn: Arc::new(TokioSpawn::new(tokio::runtime::Handle::current())),
    };
    Ok((world, plan))
}

/// What `GET /growler/status` answers: the clocks, and what the style says of its part.
fn status_of(name: &str, part: Weak<Part>, clock: Arc<dyn Clock>) -> api::Status {
    let name = name.to_owned();
    Arc::new(move || {
        let mut status = json!({
            "node": name,
            "version": env!("CARGO_PKG_VERSION"),
            "wall_ns": clock.wall(),
            "mono_ns": clock.now().0,
            "rss_bytes": resident_bytes(),
        });
        if let (Some(part), Some(fields)) = (part.upgrade(), status.as_object_mut()) {
            fields.extend(part.status());
        }
        status
    })
}

/// The memory that this process holds, where the system says.
fn resident_bytes() -> Option<u64> {
    let pages: u64 = std::fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse().ok()?;
    let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok()??;
    Some(pages * u64::try_from(page).ok()?)
}
