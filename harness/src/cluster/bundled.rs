//! The bundled store as a cluster of processes on loopback, started, watched and stopped by growler.
//!
//! Each node is `growler store node …` with its own data folder and log. Under test every link goes through
//! a proxy of the nemesis, nodes read their clock from a page that the nemesis writes, and what a node has
//! not synced dies with it. `growler store` runs the same nodes without any of that.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use async_trait::async_trait;
use futures_util::future::join_all;
use growler_nemesis::cluster::{CLIENTS, Clocks, Cluster, Network, NodeName, Processes, Roles};
use growler_nemesis::{ClockPages, Exit, Link, LocalProcesses, NodeCommand, ProxyNetwork};
use growler_results::test_file::SystemUnderTest;
use growler_store::node::Style;
use growler_workloads::dynamodb::Endpoint;

use super::ports::Ports;
use super::scratch::Scratch;
use super::status::{NodeStatus, Observer};

/// How long a node may take from its start until it listens.
const START: Duration = Duration::from_secs(30);
/// How long the nodes may take until they have found each other.
const READY: Duration = Duration::from_secs(30);
/// Pause between two looks at a condition.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How the bundled store is started.
#[derive(Debug)]
pub(crate) struct BundledOptions {
    /// How it replicates.
    pub(crate) style: Style,
    /// The nodes' names.
    pub(crate) nodes: Vec<NodeName>,
    /// Where the nodes listen for clients; free ports where empty.
    pub(crate) client_ports: Vec<SocketAddr>,
    /// Where the nodes keep their data; a scratch folder where there is none.
    pub(crate) data: Option<PathBuf>,
    /// Each node's log goes to `<logs>/<node>/node.log`.
    pub(crate) logs: PathBuf,
    /// Settings of the store.
    pub(crate) settings: BTreeMap<String, String>,
    /// A planted bug.
    pub(crate) bug: Option<String>,
    /// Seed of the nodes' own random choices.
    pub(crate) seed: u64,
    /// Proxies, clock pages and volatile disks.
    pub(crate) under_test: bool,
}

/// The running store.
pub(crate) struct Bundled {
    cluster: Arc<LocalCluster>,
    endpoints: Vec<Endpoint>,
    description: String,
    data: PathBuf,
    logs: PathBuf,
    _scratch: Option<Scratch>,
}

/// What the nemesis sees of it.
struct LocalCluster {
    style: Style,
    nodes: Vec<NodeName>,
    client_ports: BTreeMap<NodeName, SocketAddr>,
    processes: LocalProcesses,
    network: Option<Arc<ProxyNetwork>>,
    clocks: Option<ClockPages>,
    observer: Observer,
}

/// Where a node listens.
#[derive(Debug, Clone, Copy)]
struct Ears {
    client: SocketAddr,
    peer: SocketAddr,
}

impl Bundled {
    /// Starts all nodes, and waits until each listens and they have found each other.
    pub(crate) async fn start(options: BundledOptions) -> anyhow::Result<Self> {
        let scratch = match options.data {
            Some(_) => None,
            None => Some(Scratch::create().context("cannot make a scratch folder for the nodes' data")?),
        };
        let data = options.data.clone().or_else(|| scratch.as_ref().map(|s| s.path().to_owned()));
        let data = data.context("no folder for the nodes' data")?;
        let ears = choose_ports(&options)?;
        let network = match options.under_test {
            true => Some(Arc::new(ProxyNetwork::bind(links(&ears)).await?)),
            false => None,
        };
        let pages = page_paths(&options, &data);
        let observer = Observer::new()?;
        let client_ports: BTreeMap<_, _> = ears.iter().map(|(n, e)| (n.clone(), e.client)).collect();
        std::fs::create_dir_all(&data).with_context(|| format!("cannot make {}", data.display()))?;
        let clocks = match options.under_test {
            true => Some(ClockPages::create(pages.clone(), clock_report(&observer, &client_ports))?),
            false => None,
        };
        let commands = options
            .nodes
            .iter()
            .map(|node| command(node, &options, &data, &ears, network.as_deref(), pages.get(node)))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let (up, down) = (network.clone(), network.clone());
        let processes = LocalProcesses::new(
            commands,
            Arc::new(move |node| {
                if let Some(Err(e)) = up.as_ref().map(|n| n.node_up(node)) {
                    tracing::error!("{e}");
                }
            }),
            Arc::new(move |node| {
                if let Some(network) = &down {
                    network.node_down(node);
                }
            }),
        )?;
        let endpoints = endpoints(&ears, network.as_deref());
        let (style, nodes) = (options.style, options.nodes.clone());
        let cluster = LocalCluster { style, nodes, client_ports, processes, network, clocks, observer };
        let bundled = Self {
            cluster: Arc::new(cluster),
            endpoints,
            description: describe(&options),
            data,
            logs: options.logs.clone(),
            _scratch: scratch,
        };
        if let Err(e) = bundled.wait_until_ready().await {
            bundled.cluster.processes.shutdown().await?;
            let why = super::System::Bundled(bundled).shortage_told();
            return Err(e.context(why.unwrap_or_else(|| last_words(&options.logs))));
        }
        Ok(bundled)
    }

    async fn wait_until_ready(&self) -> anyhow::Result<()> {
        let cluster = &self.cluster;
        for started in join_all(cluster.nodes.iter().map(|n| cluster.processes.start(n))).await {
            started?;
        }
        let deadline = Instant::now() + READY;
        loop {
            let Err(missing) = cluster.ready().await else { return Ok(()) };
            if let Some(exit) = cluster.processes.unexpected_exits().first() {
                bail!("node {} ended with {}", exit.node, exit.status);
            }
            if Instant::now() > deadline {
                bail!("the nodes were not ready within {READY:?}: {missing}");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// How clients reach the nodes.
    pub(crate) fn endpoints(&self) -> Vec<Endpoint> {
        self.endpoints.clone()
    }

    /// What the nemesis may do.
    pub(crate) fn cluster(&self) -> Arc<dyn Cluster> {
        Arc::clone(&self.cluster) as Arc<dyn Cluster>
    }

    /// Nodes that died unasked so far.
    pub(crate) fn crashes(&self) -> Vec<Exit> {
        self.cluster.processes.unexpected_exits()
    }

    /// Waits until a node dies unasked.
    pub(crate) async fn crashed(&self) -> Exit {
        loop {
            if let Some(exit) = self.crashes().into_iter().next() {
                return exit;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Where the nodes keep their data.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// Each node's log.
    pub(crate) fn logs(&self) -> Vec<(NodeName, PathBuf)> {
        self.cluster.nodes.iter().map(|node| (node.clone(), log_of(&self.logs, node))).collect()
    }

    /// What `test.json` says of it.
    pub(crate) fn describe(&self) -> SystemUnderTest {
        let urls: Vec<_> = self.endpoints.iter().map(|e| e.url.clone()).collect();
        SystemUnderTest::new(self.description.clone(), &urls)
    }

    /// Kills and reaps all nodes.
    pub(crate) async fn shut_down(self) {
        if let Err(e) = self.cluster.processes.shutdown().await {
            tracing::error!("{e}");
        }
    }
}

impl Cluster for LocalCluster {
    fn nodes(&self) -> Vec<NodeName> {
        self.nodes.clone()
    }

    fn processes(&self) -> Option<&dyn Processes> {
        Some(&self.processes)
    }

    fn network(&self) -> Option<&dyn Network> {
        self.network.as_deref().map(|n| n as &dyn Network)
    }

    fn clocks(&self) -> Option<&dyn Clocks> {
        self.clocks.as_ref().map(|c| c as &dyn Clocks)
    }

    /// Nobody leads in a quorum store.
    fn roles(&self) -> Option<&dyn Roles> {
        (self.style == Style::Leader).then_some(self)
    }
}

impl LocalCluster {
    /// Whether every partition has a leader, or every node takes all others to be up; else what is missing.
    async fn ready(&self) -> Result<(), String> {
        match self.style {
            Style::Leader => {
                let leaders = self.leaders().await;
                match !leaders.is_empty() && leaders.values().all(Option::is_some) {
                    true => Ok(()),
                    false => Err(format!("not every partition has a leader: {leaders:?}")),
                }
            }
            Style::Quorum => {
                for (node, status) in self.statuses().await {
                    let members = status.map_err(|e| format!("node {node}: {e}"))?.members;
                    if members.len() != self.nodes.len() || members.values().any(|state| state != "up") {
                        return Err(format!("node {node} does not see all others: {members:?}"));
                    }
                }
                Ok(())
            }
        }
    }

    /// What each node says of itself.
    async fn statuses(&self) -> Vec<(&NodeName, Result<NodeStatus, String>)> {
        let asked = self
            .client_ports
            .iter()
            .map(|(node, port)| async move { (node, self.observer.ask(*port).await) });
        join_all(asked).await
    }
}

#[async_trait]
impl Roles for LocalCluster {
    /// Of all replicas that think that they lead, the one with the highest term.
    async fn leaders(&self) -> BTreeMap<String, Option<NodeName>> {
        let mut best: BTreeMap<String, Option<(u64, NodeName)>> = BTreeMap::new();
        for (node, status) in self.statuses().await {
            for replica in status.map(|s| s.partitions).unwrap_or_default() {
                let leader = best.entry(replica.id).or_default();
                if replica.role == "leader" && leader.as_ref().is_none_or(|(term, _)| *term < replica.term) {
                    *leader = Some((replica.term, node.clone()));
                }
            }
        }
        best.into_iter().map(|(partition, leader)| (partition, leader.map(|(_, node)| node))).collect()
    }
}

fn choose_ports(options: &BundledOptions) -> anyhow::Result<BTreeMap<NodeName, Ears>> {
    let mut ports = Ports::new();
    let mut ears = BTreeMap::new();
    for (i, node) in options.nodes.iter().enumerate() {
        let client = match options.client_ports.get(i) {
            Some(address) => {
                std::net::TcpListener::bind(address).with_context(|| {
                    format!("{address} cannot be listened on: choose other ports with --port")
                })?;
                *address
            }
            None => ports.free().context("no free port on loopback")?,
        };
        let peer = ports.free().context("no free port on loopback")?;
        ears.insert(node.clone(), Ears { client, peer });
    }
    Ok(ears)
}

/// One directed link from every node, and from the clients, to every node.
fn links(ears: &BTreeMap<NodeName, Ears>) -> Vec<Link> {
    let mut links = Vec::new();
    for (to, target) in ears {
        links.push(Link { from: CLIENTS.to_owned(), to: to.clone(), target: target.client });
        for from in ears.keys().filter(|from| *from != to) {
            links.push(Link { from: from.clone(), to: to.clone(), target: target.peer });
        }
    }
    links
}

fn page_paths(options: &BundledOptions, data: &Path) -> BTreeMap<NodeName, PathBuf> {
    options.nodes.iter().map(|node| (node.clone(), data.join(format!("{node}.clock")))).collect()
}

fn clock_report(
    observer: &Observer,
    client_ports: &BTreeMap<NodeName, SocketAddr>,
) -> growler_nemesis::clock::WallClockReport {
    let (observer, ports) = (observer.clone(), client_ports.clone());
    Arc::new(move |node| {
        let (observer, port) = (observer.clone(), ports.get(&node).copied());
        Box::pin(async move {
            let port = port.ok_or_else(|| format!("there is no node {node}"))?;
            observer.ask(port).await.map(|status| status.wall_ns)
        })
    })
}

/// `growler store node …`
fn command(
    node: &str,
    options: &BundledOptions,
    data: &Path,
    ears: &BTreeMap<NodeName, Ears>,
    network: Option<&ProxyNetwork>,
    page: Option<&PathBuf>,
) -> anyhow::Result<NodeCommand> {
    let own = ears.get(node).context("a node without ports")?;
    let mut args: Vec<OsString> = vec!["store".into(), "node".into()];
    let mut add = |option: &str, value: OsString| args.extend([OsString::from(option), value]);
    add("--name", node.into());
    add("--store", options.style.name().into());
    add("--data", data.join(node).into());
    add("--client", own.client.to_string().into());
    add("--listen", own.peer.to_string().into());
    add("--seed", options.seed.to_string().into());
    for (peer, ears) in ears.iter().filter(|(peer, _)| *peer != node) {
        let address = network.and_then(|n| n.address(node, peer)).unwrap_or(ears.peer);
        add("--peer", format!("{peer}={address}").into());
    }
    for (key, value) in &options.settings {
        add("--set", format!("{key}={value}").into());
    }
    if let Some(bug) = &options.bug {
        add("--bug", bug.into());
    }
    if options.under_test {
        if let Some(page) = page {
            add("--clock-page", page.into());
        }
        args.push("--volatile-disk".into());
    }
    let log = log_of(&options.logs, node);
    std::fs::create_dir_all(options.logs.join(node))
        .with_context(|| format!("cannot make a folder for the log {}", log.display()))?;
    Ok(NodeCommand {
        node: node.to_owned(),
        program: std::env::current_exe().context("growler cannot find its own program")?,
        args,
        env: Vec::new(),
        log,
        ready: own.client,
        start_timeout: START,
    })
}

fn log_of(logs: &Path, node: &str) -> PathBuf {
    logs.join(node).join("node.log")
}

fn endpoints(ears: &BTreeMap<NodeName, Ears>, network: Option<&ProxyNetwork>) -> Vec<Endpoint> {
    let endpoint = |(node, ears): (&NodeName, &Ears)| Endpoint {
        name: node.clone(),
        url: format!("http://{}", ears.client),
        connect_to: network.and_then(|n| n.address(CLIENTS, node)),
    };
    ears.iter().map(endpoint).collect()
}

fn describe(options: &BundledOptions) -> String {
    let mut words = format!("bundled {} store, {} nodes", options.style, options.nodes.len());
    for (key, value) in &options.settings {
        words.push_str(&format!(", {key}={value}"));
    }
    if let Some(bug) = &options.bug {
        words.push_str(&format!(", planted bug {bug}"));
    }
    words
}

/// Where to look when the store did not start.
fn last_words(logs: &Path) -> String {
    format!("the bundled store did not start; its logs are in {}", logs.display())
}
