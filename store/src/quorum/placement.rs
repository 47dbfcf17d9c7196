//! Who answers for a key, as this node believes the cluster to be.

use super::options::Quorum;
use super::ring::PartitionId;
use super::store::QuorumStore;

/// The nodes that answer for a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placement<'a> {
    /// The ring partition.
    pub(super) partition: PartitionId,
    /// The N nodes that should have it.
    pub(super) owners: &'a [String],
    /// Those that stand in for them, in that order.
    pub(super) others: &'a [String],
}

impl QuorumStore {
    /// The placement of a place in the hash space.
    pub(super) fn placement(&self, hash: u64) -> Placement<'_> {
        self.placement_of(self.inner.ring.partition_of(hash))
    }

    /// The placement of a partition.
    pub(super) fn placement_of(&self, partition: PartitionId) -> Placement<'_> {
        let list = &self.inner.lists[partition as usize % self.inner.lists.len()];
        let (owners, others) = list.split_at((self.inner.options.n as usize).min(list.len()));
        Placement { partition, owners, others }
    }

    /// Whether this node is an owner there.
    pub(super) fn owns(&self, place: Placement<'_>) -> bool {
        place.owners.contains(&self.inner.me)
    }

    pub(super) fn is_up(&self, node: &str) -> bool {
        self.inner.membership.is_up(node)
    }

    pub(super) fn is_sloppy(&self) -> bool {
        self.inner.options.quorum == Quorum::Sloppy
    }

    /// The nodes to be asked for a key, and those to be asked when one of them does not answer: owners
    /// that are up, and in a sloppy quorum the next nodes in the places of the others.
    pub(super) fn readers(&self, place: Placement<'_>) -> (Vec<String>, Vec<String>) {
        let others = if self.is_sloppy() { place.others } else { &[] };
        let up = place.owners.iter().chain(others).filter(|node| self.is_up(node));
        let mut readers: Vec<String> = up.cloned().collect();
        let spares = readers.split_off(place.owners.len().min(readers.len()));
        (readers, spares)
    }
}
