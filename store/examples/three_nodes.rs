//! Three nodes in one process on free ports of loopback, for measuring and for trying things out.
//!
//! Prints each node's endpoint and runs until Ctrl-C. Arguments are settings, and the style if it is not
//! `leader`: `cargo run --release --example three_nodes -- quorum r=2`.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use growler_store::node::{NodeConfig, Style, run};
use tokio_util::sync::CancellationToken;

/// An address that was free a moment ago.
fn free() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

#[tokio::main]
#[allow(clippy::print_stdout)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mut settings, mut style) = (BTreeMap::new(), Style::Leader);
    for argument in std::env::args().skip(1) {
        match argument.split_once('=') {
            Some((name, value)) => drop(settings.insert(name.to_owned(), value.to_owned())),
            None => style = argument.parse()?,
        }
    }
    let folder = tempfile::tempdir()?;
    let names = ["n1", "n2", "n3"];
    let addresses: Vec<(SocketAddr, SocketAddr)> =
        names.iter().map(|_| Ok((free()?, free()?))).collect::<std::io::Result<_>>()?;
    let stop = CancellationToken::new();
    let mut nodes = tokio::task::JoinSet::new();
    for (position, name) in names.into_iter().enumerate() {
        let others = names.iter().zip(&addresses).filter(|(other, _)| **other != name);
        let config = NodeConfig {
            name: name.to_owned(),
            style,
            data_dir: folder.path().join(name),
            client_listen: addresses[position].0,
            peer_listen: addresses[position].1,
            peers: others.map(|(other, address)| ((*other).to_owned(), address.1)).collect(),
            settings: settings.clone(),
            clock_page: None,
            volatile_disk: false,
            bug: None,
            seed: 1,
        };
        println!("{name} http://{}", addresses[position].0);
        nodes.spawn(run(config, stop.clone().cancelled_owned()));
    }
    tokio::signal::ctrl_c().await?;
    stop.cancel();
    while let Some(ended) = nodes.join_next().await {
        ended??;
    }
    Ok(())
}
