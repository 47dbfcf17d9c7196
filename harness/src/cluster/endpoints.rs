//! Endpoints of the user's own, as a cluster: nothing but the links between the clients and them can be
//! broken, and only where a proxy of ours stands in between.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use growler_nemesis::cluster::{CLIENTS, Cluster, Network, NodeName};
use growler_nemesis::{Link, ProxyNetwork};
use growler_results::test_file::SystemUnderTest;
use growler_workloads::dynamodb::Endpoint;
use tokio::net::TcpStream;

/// How long an endpoint may take to accept a connection.
const CONNECTS_WITHIN: Duration = Duration::from_secs(2);

/// Which endpoints, and whether faults need proxies before them.
#[derive(Debug)]
pub(crate) struct EndpointsOptions {
    pub(crate) urls: Vec<String>,
    pub(crate) proxied: bool,
}

/// Endpoints that can be reached.
pub(crate) struct Endpoints {
    cluster: Arc<EndpointCluster>,
    endpoints: Vec<Endpoint>,
}

struct EndpointCluster {
    nodes: Vec<NodeName>,
    network: Option<Arc<ProxyNetwork>>,
}

impl Endpoints {
    /// Finds the endpoints' addresses, and puts proxies before them where they are needed.
    pub(crate) async fn connect(options: EndpointsOptions) -> anyhow::Result<Self> {
        let nodes: Vec<NodeName> = (1..=options.urls.len()).map(|i| format!("n{i}")).collect();
        let network = match options.proxied {
            true => {
                let mut links = Vec::new();
                for (node, url) in nodes.iter().zip(&options.urls) {
                    links.push(Link { from: CLIENTS.to_owned(), to: node.clone(), target: find(url).await? });
                }
                Some(Arc::new(ProxyNetwork::bind(links).await?))
            }
            false => None,
        };
        if let Some(network) = &network {
            for node in &nodes {
                network.node_up(node)?;
            }
        }
        let endpoints = nodes
            .iter()
            .zip(&options.urls)
            .map(|(node, url)| Endpoint {
                name: node.clone(),
                url: url.clone(),
                connect_to: network.as_ref().and_then(|n| n.address(CLIENTS, node)),
            })
            .collect();
        Ok(Self { cluster: Arc::new(EndpointCluster { nodes, network }), endpoints })
    }

    /// How the clients reach them.
    pub(crate) fn endpoints(&self) -> Vec<Endpoint> {
        self.endpoints.clone()
    }

    /// Those that refuse a direct connection now. One that leaves a connection waiting is there, and has no time for it.
    pub(crate) async fn gone(&self) -> Vec<NodeName> {
        let mut gone = Vec::new();
        for endpoint in &self.endpoints {
            if find(&endpoint.url).await.is_err_and(|e| is_refusal(&e)) {
                gone.push(endpoint.name.clone());
            }
        }
        gone
    }

    /// What the nemesis may do.
    pub(crate) fn cluster(&self) -> Arc<dyn Cluster> {
        Arc::clone(&self.cluster) as Arc<dyn Cluster>
    }

    /// What `test.json` says of them.
    pub(crate) fn describe(&self) -> SystemUnderTest {
        let urls: Vec<_> = self.endpoints.iter().map(|e| e.url.clone()).collect();
        let several = if urls.len() == 1 { "endpoint" } else { "endpoints" };
        SystemUnderTest::new(format!("{} {several}", urls.len()), &urls)
    }
}

impl Cluster for EndpointCluster {
    fn nodes(&self) -> Vec<NodeName> {
        self.nodes.clone()
    }

    fn network(&self) -> Option<&dyn Network> {
        self.network.as_deref().map(|n| n as &dyn Network)
    }
}

/// The address behind an endpoint's URL: the first that takes a connection. A name may have several, and not
/// all of them are listened to (`localhost`, where the server knows only one of IPv4 and IPv6).
async fn find(url: &str) -> anyhow::Result<SocketAddr> {
    let parsed = reqwest::Url::parse(url).with_context(|| format!("`{url}` is not a URL"))?;
    let host = parsed.host_str().with_context(|| format!("`{url}` names no host"))?;
    let port = parsed.port_or_known_default().with_context(|| format!("`{url}` names no port"))?;
    let addresses = tokio::net::lookup_host((host.trim_matches(['[', ']']), port))
        .await
        .with_context(|| format!("cannot reach {url}: the name `{host}` cannot be found"))?;
    let mut why = anyhow!("the name `{host}` has no address");
    for address in addresses {
        match tokio::time::timeout(CONNECTS_WITHIN, TcpStream::connect(address)).await {
            Ok(Ok(_)) => return Ok(address),
            Ok(Err(e)) => why = anyhow::Error::new(e).context(address),
            Err(_) => why = anyhow!("{address}: no connection within {CONNECTS_WITHIN:?}"),
        }
    }
    Err(why.context(format!("cannot reach {url}")))
}

/// Whether somebody said that nobody is there: not where no answer came in time, or where this process has no
/// descriptor left to ask with.
fn is_refusal(error: &anyhow::Error) -> bool {
    use nix::errno::Errno;
    let unable = [Errno::ETIMEDOUT, Errno::EMFILE, Errno::ENFILE].map(|errno| Some(errno as i32));
    let said = error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>());
    said.is_some_and(|e| !unable.contains(&e.raw_os_error()))
}

/// True for an endpoint on this machine: an address of the loopback range, or `localhost`.
pub(crate) fn is_loopback(url: &str) -> anyhow::Result<bool> {
    let parsed = reqwest::Url::parse(url).with_context(|| {
        format!("--endpoint {url}: this is not a URL, which begins with http:// or https://")
    })?;
    if !matches!(parsed.scheme(), "http" | "https") {
        return Err(anyhow!("--endpoint {url}: an endpoint begins with http:// or https://"));
    }
    let host = parsed.host_str().with_context(|| format!("--endpoint {url}: it names no host"))?;
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    Ok(address.map_or(host == "localhost", |a| a.is_loopback()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_refusal_shows_that_nobody_is_there() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(is_refusal(&find(&format!("http://{free}")).await.unwrap_err()));
        for errno in [nix::errno::Errno::EMFILE, nix::errno::Errno::ETIMEDOUT] {
            let e = anyhow::Error::new(std::io::Error::from(errno)).context("n1").context("cannot reach it");
            assert!(!is_refusal(&e), "{errno}");
        }
        assert!(!is_refusal(&anyhow!("n1: no connection within 2 s").context("cannot reach it")));
    }

    #[test]
    fn loopback_is_told_from_the_world() {
        for url in
            ["http://127.0.0.1:8000", "https://localhost:8443", "http://[::1]:8000", "http://127.9.9.9"]
        {
            assert!(is_loopback(url).unwrap(), "{url}");
        }
        for url in
            ["https://dynamodb.eu-west-1.amazonaws.com", "http://10.0.0.1:8000", "http://localhost.example"]
        {
            assert!(!is_loopback(url).unwrap(), "{url}");
        }
        assert!(is_loopback("ftp://127.0.0.1").is_err());
        assert!(is_loopback("not a url").is_err());
    }
}
