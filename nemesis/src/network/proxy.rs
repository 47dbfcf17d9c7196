//! A network of our own TCP proxies, one per directed pair: the backend that needs no rights and no kernel
//! feature.
//!
//! Every party that opens connections (a node, or the clients together) reaches each node under an address
//! of its own, which stays the same for the whole run. A connection has two *directions*, each shared with
//! all other connections between the same two parties; a cut or a delay is a property of a direction. What
//! exactly a cut does to a connection is written at the head of [`connection`].
//!
//! A proxy listens exactly while its node does: [`ProxyNetwork::node_down`] and [`ProxyNetwork::node_up`]
//! tell it. A paused node goes on listening, as its kernel does.
//!
//! It must never change, reorder or invent a byte, and never let a stream with a hole in it go on.

mod connection;
mod direction;
mod port;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use self::connection::{Connection, Lanes, serve};
use self::direction::Direction;
use self::port::{Port, stop_listening};
use super::grudge::directions;
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
    #[error("cannot reserve a loopback port for the link {from} -> {to}: {source}")]
    Bind {
        /// Who connects.
        from: NodeName,
        /// The node behind.
        to: NodeName,
        /// What the system said.
        source: std::io::Error,
    },
}

type Pair = (NodeName, NodeName);

/// Proxies for a set of links. Dropping it resets all connections and frees all ports.
#[derive(Debug)]
pub struct ProxyNetwork {
    links: BTreeMap<Pair, Arc<Proxy>>,
    directions: BTreeMap<Pair, Arc<Direction>>,
    runtime: Handle,
    /// One change at a time.
    changing: Mutex<()>,
}

/// The proxy of one link.
#[derive(Debug)]
struct Proxy {
    link: Link,
    port: Port,
    up: Arc<Direction>,
    down: Arc<Direction>,
    listening: Mutex<Option<Listening>>,
    open: Mutex<HashMap<u64, Arc<Connection>>>,
    next: AtomicU64,
}

#[derive(Debug)]
struct Listening {
    listener: Arc<TcpListener>,
    accepting: JoinHandle<()>,
}

impl ProxyNetwork {
    /// Reserves a port for every link. Nothing listens until [`ProxyNetwork::node_up`] says that the node
    /// behind does. Must be called within a tokio runtime, on which the proxies then run.
    ///
    /// # Errors
    /// When a port could not be had.
    #[allow(clippy::unused_async, reason = "async tells that a runtime is needed")]
    pub async fn bind(links: Vec<Link>) -> Result<Self, ProxyError> {
        let mut network = Self {
            links: BTreeMap::new(),
            directions: BTreeMap::new(),
            runtime: Handle::current(),
            changing: Mutex::new(()),
        };
        for link in links {
            let port = Port::reserve().map_err(|source| ProxyError::Bind {
                from: link.from.clone(),
                to: link.to.clone(),
                source,
            })?;
            let up = network.direction(&link.from, &link.to);
            let down = network.direction(&link.to, &link.from);
            let pair = (link.from.clone(), link.to.clone());
            network.links.insert(pair, Arc::new(Proxy::new(link, port, up, down)));
        }
        Ok(network)
    }

    /// Where `from` reaches `to`; the same for the whole run. `None` if there is no such link.
    #[must_use]
    pub fn address(&self, from: &str, to: &str) -> Option<SocketAddr> {
        self.links.get(&(from.to_owned(), to.to_owned())).map(|proxy| proxy.port.address())
    }

    /// The node does not listen any more: connects towards it are refused once this returns, and its
    /// connections are reset, as the kernel does it for a process that was killed. Connections of a cut link
    /// are reset at the heal.
    pub fn node_down(&self, node: &str) {
        let _one = self.changing.lock();
        for proxy in self.links.values() {
            if proxy.link.to == node {
                proxy.stop_listening();
            }
            if proxy.link.to == node || proxy.link.from == node {
                proxy.lose_node();
            }
        }
    }

    /// The node listens (again).
    ///
    /// # Errors
    /// When a port could not be listened on.
    pub fn node_up(&self, node: &str) -> Result<(), ClusterError> {
        let _one = self.changing.lock();
        let _runtime = self.runtime.enter();
        self.links.values().filter(|proxy| proxy.link.to == node).try_for_each(Proxy::listen)
    }

    /// The direction between two parties, made when it is first asked for.
    fn direction(&mut self, from: &str, to: &str) -> Arc<Direction> {
        Arc::clone(self.directions.entry((from.to_owned(), to.to_owned())).or_default())
    }

    /// Refuses a grudge that names a direction that no link has.
    fn check(&self, grudge: &Grudge, action: &'static str) -> Result<(), ClusterError> {
        match directions(grudge).find(|(from, to)| !self.directions.contains_key(&pair(from, to))) {
            Some((from, to)) => Err(ClusterError {
                action,
                node: to.clone(),
                reason: format!("there is no link between {from} and {to}"),
            }),
            None => Ok(()),
        }
    }
}

impl Drop for ProxyNetwork {
    fn drop(&mut self) {
        for proxy in self.links.values() {
            proxy.stop_listening();
            proxy.open.lock().values().for_each(|connection| connection.reset());
        }
    }
}

#[async_trait]
impl Network for ProxyNetwork {
    async fn set_grudge(&self, grudge: &Grudge) -> Result<(), ClusterError> {
        self.check(grudge, "cut")?;
        let _one = self.changing.lock();
        for ((from, to), direction) in &self.directions {
            direction.set_cut(grudge.get(to).is_some_and(|cut| cut.contains(from)));
        }
        self.links.values().for_each(|proxy| proxy.reset_doomed());
        Ok(())
    }

    async fn set_delay(&self, on: &Grudge, delay_ms: u64) -> Result<(), ClusterError> {
        self.check(on, "slow")?;
        let _one = self.changing.lock();
        for ((from, to), direction) in &self.directions {
            let slow = on.get(to).is_some_and(|slow| slow.contains(from));
            direction.set_delay_ms(if slow { delay_ms } else { 0 });
        }
        Ok(())
    }

    fn counters(&self) -> BTreeMap<String, BTreeMap<String, u64>> {
        self.directions.iter().map(|((from, to), d)| (format!("{from}->{to}"), d.counters())).collect()
    }
}

impl Proxy {
    fn new(link: Link, port: Port, up: Arc<Direction>, down: Arc<Direction>) -> Self {
        let (listening, open) = (Mutex::default(), Mutex::default());
        Self { link, port, up, down, listening, open, next: AtomicU64::new(0) }
    }

    fn lanes(&self) -> Lanes<'_> {
        Lanes { up: &self.up, down: &self.down }
    }

    fn listen(self: &Arc<Self>) -> Result<(), ClusterError> {
        let mut listening = self.listening.lock();
        if listening.is_some() {
            return Ok(());
        }
        let listener = self.port.listen().map_err(|e| ClusterError {
            action: "listen for",
            node: self.link.to.clone(),
            reason: format!("{}: {e}", self.port.address()),
        })?;
        let listener = Arc::new(listener);
        let accepting = tokio::spawn(Arc::clone(self).accept(Arc::clone(&listener)));
        *listening = Some(Listening { listener, accepting });
        Ok(())
    }

    fn stop_listening(&self) {
        if let Some(Listening { listener, accepting }) = self.listening.lock().take() {
            stop_listening(&listener);
            accepting.abort();
        }
    }

    async fn accept(self: Arc<Self>, listener: Arc<TcpListener>) {
        loop {
            match listener.accept().await {
                Ok((client, _)) => self.open(client),
                Err(e) => {
                    tracing::debug!("accepting for {}: {e}", self.link.to);
                    // Out of file handles, or a connection that was gone again: it passes.
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        }
    }

    fn open(self: &Arc<Self>, client: tokio::net::TcpStream) {
        let proxy = Arc::clone(self);
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let connection = Arc::new(Connection::default());
        self.open.lock().insert(id, Arc::clone(&connection));
        tokio::spawn(async move {
            serve(client, proxy.link.target, proxy.lanes(), &connection).await;
            proxy.open.lock().remove(&id);
        });
    }

    /// Resets every connection that cannot go on, unless the link is still cut.
    fn reset_doomed(&self) {
        if self.lanes().whole() {
            self.open.lock().values().filter(|c| c.is_doomed()).for_each(|c| c.reset());
        }
    }

    fn lose_node(&self) {
        self.open.lock().values().for_each(|connection| connection.doom());
        self.reset_doomed();
    }
}

fn pair(from: &str, to: &str) -> Pair {
    (from.to_owned(), to.to_owned())
}
