//! The proxies as a network (the conformance suite), and what is theirs alone: following their nodes.

mod conformance;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use conformance::{
    Rig, connect, counts, cut, heal, hears, hears_end, hears_nothing, hears_reset, says, soon,
};
use growler_nemesis::cluster::{CLIENTS, Network};
use growler_nemesis::network::{Link, ProxyNetwork};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

struct Proxied {
    network: ProxyNetwork,
    listeners: BTreeMap<String, TcpListener>,
}

impl Rig for Proxied {
    fn network(&self) -> &dyn Network {
        &self.network
    }

    fn address(&self, from: &str, to: &str) -> SocketAddr {
        self.network.address(from, to).expect("a link")
    }

    fn listener(&self, node: &str) -> &TcpListener {
        &self.listeners[node]
    }
}

async fn proxied() -> Proxied {
    let nodes = ["n1", "n2", "n3"];
    let mut listeners = BTreeMap::new();
    for node in nodes {
        listeners.insert(node.to_owned(), TcpListener::bind("127.0.0.1:0").await.expect("bind"));
    }
    let mut links = Vec::new();
    for from in nodes.into_iter().chain([CLIENTS]) {
        for to in nodes.into_iter().filter(|to| *to != from) {
            let target = listeners[to].local_addr().expect("address");
            links.push(Link { from: from.to_owned(), to: to.to_owned(), target });
        }
    }
    let network = ProxyNetwork::bind(links).await.expect("proxies");
    for node in nodes {
        network.node_up(node).expect("up");
    }
    Proxied { network, listeners }
}

conformance! { proxied() }

async fn refused(address: SocketAddr) {
    let error = soon("a refusal", TcpStream::connect(address)).await.expect_err("nothing listens");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn nothing_listens_before_the_node_does() {
    let target = SocketAddr::from(([127, 0, 0, 1], 9));
    let link = Link { from: "n1".to_owned(), to: "n2".to_owned(), target };
    let network = ProxyNetwork::bind(vec![link]).await.unwrap();
    refused(network.address("n1", "n2").unwrap()).await;
    assert_eq!(network.address("n2", "n1"), None);
}

#[tokio::test]
async fn a_dead_node_refuses_and_resets_and_comes_back_on_the_same_port() {
    let rig = proxied().await;
    for _ in 0..20 {
        let (mut ours, mut theirs) = connect(&rig, "n1", "n2").await;
        let (mut opened, mut other_end) = connect(&rig, "n2", "n3").await;
        let (mut bystander, mut bystander_end) = connect(&rig, "n1", "n3").await;
        rig.network.node_down("n2");
        refused(rig.address("n1", "n2")).await;
        refused(rig.address(CLIENTS, "n2")).await;
        for end in [&mut ours, &mut theirs, &mut opened, &mut other_end] {
            hears_reset(end).await;
        }
        says(&mut bystander, "fine").await;
        hears(&mut bystander_end, "fine").await;
        rig.network.node_up("n2").unwrap();
        rig.network.node_up("n2").unwrap();
    }
}

#[tokio::test]
async fn the_death_of_a_node_behind_a_cut_shows_only_at_the_heal() {
    let rig = proxied().await;
    let (mut ours, theirs) = connect(&rig, "n1", "n2").await;
    cut(&rig, &[("n2", "n1")]).await;
    drop(theirs);
    rig.network.node_down("n2");
    hears_nothing(&mut ours).await;
    heal(&rig).await;
    hears_reset(&mut ours).await;
}

#[tokio::test]
async fn a_connect_that_meets_no_node_is_reset() {
    let mut rig = proxied().await;
    // The node dies, and nobody has told the proxy yet.
    rig.listeners.remove("n2");
    let mut ours = TcpStream::connect(rig.address("n1", "n2")).await.unwrap();
    hears_reset(&mut ours).await;
}

#[tokio::test]
async fn a_held_connect_is_refused_after_the_heal_if_the_node_died_meanwhile() {
    let mut rig = proxied().await;
    cut(&rig, &[("n1", "n2")]).await;
    let mut ours = TcpStream::connect(rig.address("n1", "n2")).await.unwrap();
    counts(&rig, "n1->n2", "connects_held", 1).await;
    rig.listeners.remove("n2");
    rig.network.node_down("n2");
    hears_nothing(&mut ours).await;
    heal(&rig).await;
    hears_reset(&mut ours).await;
}

#[tokio::test]
async fn dropping_the_network_ends_everything() {
    let rig = proxied().await;
    let (mut ours, mut theirs) = connect(&rig, "n1", "n2").await;
    let address = rig.address("n1", "n2");
    drop(rig.network);
    hears_reset(&mut ours).await;
    hears_reset(&mut theirs).await;
    refused(address).await;
}

#[tokio::test]
async fn a_connect_on_a_slow_link_takes_a_round_trip() {
    let rig = proxied().await;
    let both = conformance::grudge(&[(CLIENTS, "n1"), ("n1", CLIENTS)]);
    rig.network.set_delay(&both, 80).await.unwrap();
    let began = std::time::Instant::now();
    let mut client = TcpStream::connect(rig.address(CLIENTS, "n1")).await.unwrap();
    let (mut node, _) = soon("accept", rig.listener("n1").accept()).await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(160));
    says(&mut client, "get").await;
    client.shutdown().await.unwrap();
    hears(&mut node, "get").await;
    hears_end(&mut node).await;
    assert!(began.elapsed() >= Duration::from_millis(240));
}
