//! A network in memory whose directions can be cut: bytes vanish without a trace, and a connection
//! that lost some is reset when the cut is healed.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use growler_store::world::{BoxStream, Listener, Net};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio::sync::{mpsc, watch};

/// The wires between all nodes.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    listeners: Mutex<BTreeMap<String, mpsc::UnboundedSender<BoxStream>>>,
    cuts: watch::Sender<BTreeSet<(String, String)>>,
}

impl Hub {
    /// The network as one node sees it.
    pub(crate) fn net(self: &Arc<Self>, me: &str) -> Arc<dyn Net> {
        Arc::new(Wire { hub: self.clone(), me: me.to_owned() })
    }

    /// From now on nothing gets from one node to the other.
    pub(crate) fn cut(&self, from: &str, to: &str) {
        self.cuts.send_modify(|cuts| {
            cuts.insert((from.to_owned(), to.to_owned()));
        });
    }

    /// Heals every cut.
    pub(crate) fn heal(&self) {
        self.cuts.send_modify(BTreeSet::clear);
    }

    fn is_cut(&self, from: &str, to: &str) -> bool {
        self.cuts.borrow().contains(&(from.to_owned(), to.to_owned()))
    }
}

#[derive(Debug)]
struct Wire {
    hub: Arc<Hub>,
    me: String,
}

#[async_trait]
impl Net for Wire {
    async fn connect(&self, peer: &str) -> io::Result<BoxStream> {
        if self.hub.is_cut(&self.me, peer) || self.hub.is_cut(peer, &self.me) {
            std::future::pending::<()>().await;
        }
        let refused = || io::Error::new(io::ErrorKind::ConnectionRefused, format!("{peer} does not listen"));
        let listener = self.hub.listeners.lock().get(peer).cloned().ok_or_else(refused)?;
        let (mine, near) = duplex(64 << 10);
        let (far, theirs) = duplex(64 << 10);
        listener.send(Box::new(theirs)).map_err(|_| refused())?;
        let ((near_read, near_write), (far_read, far_write)) = (split(near), split(far));
        let (hub, me, peer) = (self.hub.clone(), self.me.clone(), peer.to_owned());
        tokio::spawn(async move {
            tokio::select! {
                () = carry(&hub, &me, &peer, near_read, far_write) => {}
                () = carry(&hub, &peer, &me, far_read, near_write) => {}
            }
        });
        Ok(Box::new(mine))
    }

    async fn listen(&self, _address: &str) -> io::Result<Box<dyn Listener>> {
        let (sender, streams) = mpsc::unbounded_channel();
        self.hub.listeners.lock().insert(self.me.clone(), sender);
        Ok(Box::new(Ear { streams }))
    }
}

/// Carries bytes one way until the connection ends, or lost some and the cut was healed.
async fn carry(
    hub: &Hub,
    from: &str,
    to: &str,
    mut read: ReadHalf<DuplexStream>,
    mut write: WriteHalf<DuplexStream>,
) {
    let mut cuts = hub.cuts.subscribe();
    let mut bytes = vec![0; 16 << 10];
    let mut lossy = false;
    loop {
        tokio::select! {
            read = read.read(&mut bytes) => match read {
                Ok(0) | Err(_) => return,
                Ok(_) if hub.is_cut(from, to) => lossy = true,
                Ok(length) => if write.write_all(&bytes[..length]).await.is_err() {
                    return;
                },
            },
            changed = cuts.changed() => if changed.is_err() || (lossy && !hub.is_cut(from, to)) {
                return;
            },
        }
    }
}

#[derive(Debug)]
struct Ear {
    streams: mpsc::UnboundedReceiver<BoxStream>,
}

#[async_trait]
impl Listener for Ear {
    async fn accept(&mut self) -> io::Result<BoxStream> {
        self.streams.recv().await.ok_or_else(|| io::Error::other("the network is gone"))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(SocketAddr::from(([127, 0, 0, 1], 0)))
    }
}
