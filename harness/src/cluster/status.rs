//! Asks the bundled store's nodes about themselves: `GET /growler/status`, straight to the node and not
//! through the proxies, so that a partition does not blind the observer.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;

/// How long a node may take to say how it is.
const DEADLINE: Duration = Duration::from_millis(500);

/// What a node says of itself. Only what the harness needs.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct NodeStatus {
    /// The node's own wall clock, nanoseconds since the epoch.
    pub(crate) wall_ns: i64,
    /// The replicas that it holds, in a leader store.
    #[serde(default)]
    pub(crate) partitions: Vec<ReplicaStatus>,
    /// All nodes of a quorum store, and whether this one takes each to be `up` or `down`.
    #[serde(default)]
    pub(crate) members: BTreeMap<String, String>,
}

/// What a node says of one of its replicas.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ReplicaStatus {
    /// The partition.
    pub(crate) id: String,
    /// `leader`, `follower`, …
    pub(crate) role: String,
    /// The consensus term.
    #[serde(default)]
    pub(crate) term: u64,
}

/// Asks nodes.
#[derive(Debug, Clone)]
pub(crate) struct Observer {
    http: reqwest::Client,
}

impl Observer {
    pub(crate) fn new() -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .pool_max_idle_per_host(0)
            .timeout(DEADLINE)
            .build()?;
        Ok(Self { http })
    }

    /// The status of the node whose client port this is.
    pub(crate) async fn ask(&self, client_port: SocketAddr) -> Result<NodeStatus, String> {
        let answer = self
            .http
            .get(format!("http://{client_port}/growler/status"))
            .send()
            .await
            .map_err(|e| format!("no answer: {e}"))?;
        let body = answer.bytes().await.map_err(|e| format!("no whole answer: {e}"))?;
        serde_json::from_slice(&body).map_err(|e| format!("an answer that cannot be read: {e}"))
    }
}
