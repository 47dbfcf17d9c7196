//! Links between the nodes of one cluster: requests and answers over our own framing.
//!
//! Each node keeps one outgoing connection per peer and [`Lane`] and multiplexes all its calls on it;
//! answers come back on the same connection in any order. Bodies are opaque here: what is asked and
//! answered is the business of the store's style, which gives a [`Service`].
//!
//! The network may be cut at any moment in a way that swallows bytes silently, so a connection that
//! looks alive proves nothing. While calls are open a link wants to hear something, if only the
//! answer to a ping; after [`SILENCE`] without a byte it drops the connection and dials again. A
//! dial and its handshake have a deadline too, because they also may hang.
//!
//! A failed call says whether the request can have reached the peer ([`CallError`]): callers decide
//! by it whether a write may be sent elsewhere, so `NotSent` must never be claimed wrongly. Nothing
//! is sent twice.

mod frame;
mod link;
mod listener;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use link::Link;
pub use listener::serve;

/// The version of framing, handshake and bodies. A node refuses peers of another version.
pub const PROTOCOL: u16 = 1;

/// How long a link with open calls may hear nothing before its connection counts as dead.
pub const SILENCE: Duration = Duration::from_millis(500);

/// How long dialling and the handshake may take.
const DIAL: Duration = Duration::from_millis(300);

/// How long a link stays down after a failed dial, and calls fail at once.
const RETRY: Duration = Duration::from_millis(60);

/// Why a connection is separate from the others to the same peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lane {
    /// Consensus and forwarded requests.
    Main,
    /// Snapshots, which must not delay the rest.
    Bulk,
}

/// Who speaks: the first frame in each direction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`PROTOCOL`] of the speaker.
    pub protocol: u16,
    /// The cluster that the speaker belongs to.
    pub cluster: String,
    /// The speaker's name.
    pub node: String,
    /// What the connection is for.
    pub lane: Lane,
}

impl Hello {
    /// A greeting in this version.
    pub fn new(cluster: impl Into<String>, node: impl Into<String>, lane: Lane) -> Self {
        Self { protocol: PROTOCOL, cluster: cluster.into(), node: node.into(), lane }
    }

    /// Whether two greetings may talk, and if not, why.
    fn refuses(&self, other: &Self) -> Option<String> {
        if self.protocol != other.protocol {
            return Some(format!(
                "{} speaks protocol {}, this node speaks {}: run the same version on all nodes",
                other.node, other.protocol, self.protocol
            ));
        }
        (self.cluster != other.cluster).then(|| {
            format!("{} belongs to cluster {:?}, this node to {:?}", other.node, other.cluster, self.cluster)
        })
    }
}

/// Why a call has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The peer certainly did not get the request: there was no connection to send it on.
    #[error("node {peer} cannot be reached: {reason}")]
    NotSent {
        /// The peer.
        peer: String,
        /// Why.
        reason: String,
    },
    /// The peer may or may not have got the request, and may still act on it.
    #[error("no answer from node {peer}: {reason}")]
    Lost {
        /// The peer.
        peer: String,
        /// Why.
        reason: String,
    },
}

/// What a node answers its peers.
#[async_trait]
pub trait Service: Send + Sync + 'static {
    /// Answers one request of the peer called `from`. `None` leaves it without an answer.
    async fn answer(&self, from: &str, request: Bytes) -> Option<Bytes>;
}
