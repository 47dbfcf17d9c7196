//! `growler store`: the bundled store by itself, and (`growler store node`) one node of it as a process.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use growler_results::verdict::Verdict;
use growler_store::node::{NodeConfig, Style, check_settings};

use super::options::key_value;
use crate::cluster::{Bundled, BundledOptions, Scratch};
use crate::driver::Interrupt;
use crate::error::{CommandError, Sort};

/// Options of `growler store`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct StoreCommand {
    #[command(subcommand)]
    node: Option<Node>,

    /// Style of the store: `leader` or `quorum`
    #[arg(long = "store", default_value_t, value_name = "STYLE")]
    style: Style,

    /// Number of nodes. [default: 3, for the quorum store 5]
    #[arg(long, value_name = "N")]
    nodes: Option<usize>,

    /// The first node's port on loopback; the others follow it
    #[arg(long, default_value_t = 8000, value_name = "P")]
    port: u16,

    /// Keep the data in this folder. [default: a scratch folder, removed at the end]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    /// A setting of the store: see `growler list settings`
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    set: Vec<(String, String)>,

    /// Run with this planted bug: see `growler list bugs`
    #[arg(long, value_name = "NAME")]
    bug: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Node {
    /// Run one node as this process (`growler store` and `growler test` start these)
    Node(Box<NodeCommand>),
}

/// Options of `growler store node`.
#[derive(Debug, Args)]
struct NodeCommand {
    /// This node's name
    #[arg(long)]
    name: String,

    /// Style of the store: the same for all nodes
    #[arg(long = "store", default_value_t, value_name = "STYLE")]
    style: Style,

    /// Its data folder
    #[arg(long, value_name = "DIR")]
    data: PathBuf,

    /// Where it listens for clients
    #[arg(long, value_name = "ADDRESS")]
    client: SocketAddr,

    /// Where it listens for the other nodes
    #[arg(long, value_name = "ADDRESS")]
    listen: SocketAddr,

    /// Another node, and the address at which this one reaches it
    #[arg(long, value_name = "NAME=ADDRESS", value_parser = peer)]
    peer: Vec<(String, SocketAddr)>,

    /// A setting of the store
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    set: Vec<(String, String)>,

    /// The page from which this node takes its clock. [default: the host's clock]
    #[arg(long, value_name = "FILE")]
    clock_page: Option<PathBuf>,

    /// Keep bytes that were not synced in this process's memory, so that its death is a power loss
    #[arg(long)]
    volatile_disk: bool,

    /// A planted bug
    #[arg(long, value_name = "NAME")]
    bug: Option<String>,

    /// Seed of this node's random choices
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
}

impl StoreCommand {
    pub(crate) fn run(self) -> Result<Verdict, CommandError> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().environment()?;
        match self.node {
            Some(Node::Node(node)) => runtime.block_on(node.run()),
            None => runtime.block_on(self.serve()),
        }
    }

    async fn serve(self) -> Result<Verdict, CommandError> {
        let interrupt = Interrupt::install().environment()?;
        let settings: BTreeMap<_, _> = self.set.iter().cloned().collect();
        let nodes = self.nodes.unwrap_or(self.style.default_nodes());
        check_settings(self.style, nodes, &settings).usage()?;
        let last = u16::try_from(nodes.saturating_sub(1)).ok().and_then(|n| self.port.checked_add(n));
        if nodes == 0 || last.is_none() {
            let why = anyhow!("--nodes {} --port {}: there are no such ports", nodes, self.port);
            return Err(why).usage();
        }
        let scratch = match &self.data {
            Some(_) => None,
            None => Some(Scratch::create().environment()?),
        };
        let data = self.data.clone().or_else(|| scratch.as_ref().map(|s| s.path().to_owned()));
        let data = data.ok_or_else(|| anyhow!("no folder for the data")).internal()?;
        let options = BundledOptions {
            style: self.style,
            nodes: (1..=nodes).map(|i| format!("n{i}")).collect(),
            client_ports: (self.port..)
                .map(|p| SocketAddr::from((Ipv4Addr::LOCALHOST, p)))
                .take(nodes)
                .collect(),
            logs: data.join("logs"),
            data: Some(data),
            settings,
            bug: self.bug.clone(),
            seed: crate::driver::any_seed(),
            under_test: false,
        };
        let store = tokio::select! {
            started = Bundled::start(options) => started.environment()?,
            () = interrupt.wait() => return Ok(Verdict::Interrupted),
        };
        super::print(&how_to_use(&store.endpoints()));
        let died = tokio::select! {
            () = interrupt.wait() => None,
            exit = store.crashed() => Some(exit),
        };
        store.shut_down().await;
        match died {
            None => Ok(Verdict::Pass),
            Some(exit) => Err(anyhow!("node {} ended with {}", exit.node, exit.status)).environment(),
        }
    }
}

/// What to paste into a client.
fn how_to_use(endpoints: &[growler_workloads::dynamodb::Endpoint]) -> String {
    let mut lines: Vec<String> =
        endpoints.iter().map(|e| format!("{} http://{}", e.name, authority(e))).collect();
    let first = endpoints.first().map(authority).unwrap_or_default();
    lines.push(String::new());
    lines.push(
        "Any node answers any request. Paste into a shell, or the like of it into a client:".to_owned(),
    );
    lines
        .push("  export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_REGION=us-east-1".to_owned());
    lines.push(format!("  aws dynamodb list-tables --endpoint-url http://{first}"));
    lines.push(format!("  growler test --endpoint http://{first}"));
    lines.push("Ctrl-C stops it.".to_owned());
    lines.join("\n")
}

fn authority(endpoint: &growler_workloads::dynamodb::Endpoint) -> String {
    endpoint.url.trim_start_matches("http://").trim_end_matches('/').to_owned()
}

impl NodeCommand {
    async fn run(self) -> Result<Verdict, CommandError> {
        let interrupt = Interrupt::install().environment()?;
        let config = NodeConfig {
            name: self.name,
            style: self.style,
            data_dir: self.data,
            client_listen: self.client,
            peer_listen: self.listen,
            peers: self.peer.into_iter().collect(),
            settings: self.set.into_iter().collect(),
            clock_page: self.clock_page,
            volatile_disk: self.volatile_disk,
            bug: self.bug,
            seed: self.seed,
        };
        growler_store::node::run(config, interrupt.wait()).await.environment()?;
        Ok(Verdict::Pass)
    }
}

fn peer(s: &str) -> Result<(String, SocketAddr), String> {
    let (name, address) = s.split_once('=').ok_or("write NAME=ADDRESS")?;
    let address =
        address.parse().map_err(|_| format!("`{address}` is not an address such as 127.0.0.1:7000"))?;
    Ok((name.to_owned(), address))
}
