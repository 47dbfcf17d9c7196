//! Connections between nodes.
//!
//! Peers are known by name; where a name leads is the network's business, and may differ per
//! observer (each node may reach a peer through a proxy of its own). A connection is an ordered
//! byte stream that may stall for ever: whoever uses one sets deadlines by the node's clock.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

/// A byte stream in both directions.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for T {}

/// Any [`Stream`].
pub type BoxStream = Box<dyn Stream>;

/// The network as one node sees it.
#[async_trait]
pub trait Net: Debug + Send + Sync + 'static {
    /// Opens a connection to the peer called `peer`. May hang while the network is cut.
    ///
    /// # Errors
    /// The name is unknown (`NotFound`), or the connection was refused or reset.
    async fn connect(&self, peer: &str) -> io::Result<BoxStream>;

    /// Listens on `address`, `host:port`; port 0 lets the system choose.
    ///
    /// # Errors
    /// The address is taken or not this machine's.
    async fn listen(&self, address: &str) -> io::Result<Box<dyn Listener>>;
}

/// Accepts connections.
#[async_trait]
pub trait Listener: Debug + Send + Sync + 'static {
    /// The next connection.
    ///
    /// # Errors
    /// This connection failed; the listener itself may go on.
    async fn accept(&mut self) -> io::Result<BoxStream>;

    /// Where it listens.
    ///
    /// # Errors
    /// The socket is gone.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

/// TCP on the host, with a fixed address per peer.
#[derive(Clone, Debug, Default)]
pub struct TokioNet {
    peers: BTreeMap<String, String>,
}

impl TokioNet {
    /// A network in which each name of `peers` leads to its `host:port`.
    pub fn new(peers: BTreeMap<String, String>) -> Self {
        TokioNet { peers }
    }
}

#[async_trait]
impl Net for TokioNet {
    async fn connect(&self, peer: &str) -> io::Result<BoxStream> {
        let unknown = || io::Error::new(io::ErrorKind::NotFound, format!("no address known for node {peer}"));
        let stream = TcpStream::connect(self.peers.get(peer).ok_or_else(unknown)?).await?;
        stream.set_nodelay(true)?;
        Ok(Box::new(stream))
    }

    async fn listen(&self, address: &str) -> io::Result<Box<dyn Listener>> {
        Ok(Box::new(TcpListener::bind(address).await?))
    }
}

#[async_trait]
impl Listener for TcpListener {
    async fn accept(&mut self) -> io::Result<BoxStream> {
        let (stream, _) = TcpListener::accept(self).await?;
        stream.set_nodelay(true)?;
        Ok(Box::new(stream))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        TcpListener::local_addr(self)
    }
}
