//! How a quorum store works: what its settings say, as types.
//!
//! Nothing here decides anything: the settings' names, defaults and limits are the node's matter, which
//! also sees to it that they fit together.

use std::time::Duration;

/// Settings of the quorum style that fit together: `1 <= r <= n`, `1 <= w <= n`, `n` not above the number
/// of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many nodes have each key.
    pub n: u32,
    /// How many of them a read waits for, if it asks for no more.
    pub r: u32,
    /// How many nodes must have a write before it is acknowledged.
    pub w: u32,
    /// What happens when an owner of a key cannot be reached.
    pub quorum: Quorum,
    /// What becomes of concurrent writes.
    pub resolve: Resolve,
    /// Whether a stand-in keeps a hint and hands the write over later.
    pub hints: bool,
    /// Whether a read that finds replicas differing brings them up to date.
    pub read_repair: bool,
    /// Whether replicas compare themselves in the background.
    pub anti_entropy: bool,
    /// How many equal parts the ring has.
    pub partitions: u32,
    /// How long a hint is kept for a node that does not come back.
    pub hint_expiry: Duration,
    /// How long a coordinator waits for the others.
    pub request_timeout: Duration,
    /// How often a node compares its rows with another's.
    pub anti_entropy_every: Duration,
    /// How often a node asks another one whether it is alive.
    pub gossip_every: Duration,
    /// How long a node that does not answer is suspected before it counts as down.
    pub suspect_for: Duration,
    /// How often a node looks for tombstones that nobody needs any more.
    pub tombstones_every: Duration,
}

impl Options {
    /// It takes at most so long until a node that is gone counts as down at every node that can reach another:
    /// a round of probes (one node every two intervals of gossip), the time for which it is suspected, and five
    /// intervals for the news to spread.
    #[must_use]
    pub fn detection_bound(&self, nodes: usize) -> Duration {
        let nodes = u32::try_from(nodes).unwrap_or(u32::MAX);
        self.suspect_for + self.gossip_every.saturating_mul(2).saturating_mul(nodes) + self.gossip_every * 5
    }
}

/// What becomes of concurrent writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolve {
    /// They stand side by side until a client reconciles them.
    Siblings,
    /// The one with the greatest timestamp stays.
    Lww,
}

/// What a coordinator does when an owner of a key cannot be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quorum {
    /// The next node on the ring stands in for it.
    Sloppy,
    /// Only owners count.
    Strict,
}
