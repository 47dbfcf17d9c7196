//! Finding and settling differences between owners without any read, and sending strays home.
//!
//! Now and then a node compares itself with another: the roots of the trees of all partitions that both
//! own, then inner nodes, leaves and digests of those that differ, and last it sends its states of the
//! keys in question and gets the other's. Both merge. It also looks at rows in partitions that it does
//! not own (it stood in, or the ring was another one): the owners get them, and when all of them have
//! them the row goes.

use std::collections::{BTreeMap, BTreeSet};

use rand::RngExt;

use super::catalogue::TableId;
use super::handoff::PATIENCE;
use super::hints::Key;
use super::merkle::{FAN_OUT, LEAVES};
use super::peers::{AskError, odd};
use super::ring::PartitionId;
use super::store::QuorumStore;
use super::version::State;
use super::wire::{Answer, Keyed, Request};
use crate::bugs::Bug;

/// How many states go at once.
const BATCH: usize = 256;

/// How many strays are looked at in one round.
const STRAYS: usize = 512;

type Result<T> = std::result::Result<T, AskError>;

#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
fn unreadable(error: std::io::Error) -> AskError {
    AskError::Refused(error.to_string())
}

impl QuorumStore {
    /// Compares this node with others, for as long as it is polled.
    pub(super) async fn compare(&self) {
        let mut rng = self.inner.world.rng.stream("anti-entropy");
        loop {
            self.inner.world.clock.sleep(self.inner.options.anti_entropy_every).await;
            let up: Vec<&str> = self.inner.peers.names().filter(|node| self.is_up(node)).collect();
            if up.is_empty() {
                continue;
            }
            let peer = up[rng.random_range(0..up.len())];
            if let Err(error) = self.compare_with(peer).await {
                tracing::debug!(peer, %error, "a comparison did not come to its end");
            }
            if let Err(error) = self.send_strays_home().await {
                tracing::debug!(%error, "strays wait");
            }
        }
    }

    async fn ask_long(&self, peer: &str, request: &Request) -> Result<Answer> {
        self.inner.peers.ask_in_background(peer, request, PATIENCE).await
    }

    /// Settles all differences with one node.
    async fn compare_with(&self, peer: &str) -> Result<()> {
        let shared = |partition: PartitionId| {
            let place = self.placement_of(partition);
            self.owns(place) && place.owners.iter().any(|owner| owner == peer)
        };
        let own = self.inner.replica.roots();
        let tables: BTreeSet<TableId> = own.keys().map(|(table, _)| *table).chain(self.table_ids()).collect();
        let roots = tables.into_iter().flat_map(|table| {
            let own = &own;
            let partitions = (0..self.inner.ring.partitions()).filter(move |partition| shared(*partition));
            partitions
                .map(move |partition| (table, partition, own.get(&(table, partition)).copied().unwrap_or(0)))
        });
        let differing = match self.ask_long(peer, &Request::Roots(roots.collect())).await? {
            Answer::Differing(differing) => differing,
            answer => return Err(odd(&answer)),
        };
        for (table, partition, inner) in differing {
            if !shared(partition) {
                continue;
            }
            let mut branches =
                self.inner.replica.tree(table, partition, |tree| tree.differing_branches(&inner));
            if self.has(Bug::MerkleRangeSkipped) {
                branches.retain(|branch| *branch < FAN_OUT * 3 / 4);
            }
            let leaves = self.differing_leaves(peer, table, partition, branches).await?;
            self.settle(peer, table, partition, leaves).await?;
        }
        Ok(())
    }

    async fn differing_leaves(
        &self,
        peer: &str,
        table: TableId,
        partition: PartitionId,
        branches: Vec<usize>,
    ) -> Result<Vec<usize>> {
        if branches.is_empty() {
            return Ok(Vec::new());
        }
        let theirs = match self.ask_long(peer, &Request::Leaves { table, partition, branches }).await? {
            Answer::Leaves(theirs) => theirs,
            answer => return Err(odd(&answer)),
        };
        Ok(self.inner.replica.tree(table, partition, |tree| {
            theirs.iter().flat_map(|(branch, numbers)| tree.differing_leaves(*branch, numbers)).collect()
        }))
    }

    /// Exchanges the states of the keys in some leaves that differ.
    async fn settle(
        &self,
        peer: &str,
        table: TableId,
        partition: PartitionId,
        leaves: Vec<usize>,
    ) -> Result<()> {
        if leaves.is_empty() {
            return Ok(());
        }
        let ours = self.inner.replica.digests(table, partition, &leaves).map_err(unreadable)?;
        let theirs: BTreeMap<Key, u64> =
            match self.ask_long(peer, &Request::Digests { table, partition, leaves }).await? {
                Answer::Digests(theirs) => theirs.into_iter().collect(),
                answer => return Err(odd(&answer)),
            };
        let keys: BTreeSet<&Key> = ours.keys().chain(theirs.keys()).collect();
        let differing: Vec<&Key> =
            keys.into_iter().filter(|key| ours.get(*key) != theirs.get(*key)).collect();
        for part in differing.chunks(BATCH) {
            let rows = part.iter().map(|key| Ok(((*key).clone(), self.inner.replica.row(table, key)?)));
            let rows: Vec<Keyed> = rows.collect::<std::io::Result<_>>().map_err(unreadable)?;
            let answer = self.exchange(peer, table, rows).await?;
            for (key, state) in answer {
                self.inner.replica.merge(table, &key, &state).map_err(unreadable)?;
            }
        }
        Ok(())
    }

    /// Has a node merge states; returns what it has then, where that is something else.
    async fn exchange(&self, peer: &str, table: TableId, rows: Vec<Keyed>) -> Result<Vec<Keyed>> {
        match self.ask_long(peer, &Request::Exchange { table, rows }).await? {
            Answer::Rows(rows, _) => Ok(rows),
            answer => Err(odd(&answer)),
        }
    }

    /// Gives rows of partitions that this node does not own to the owners.
    async fn send_strays_home(&self) -> Result<()> {
        let strays = self.inner.replica.roots().into_keys();
        let strays = strays.filter(|(_, partition)| !self.owns(self.placement_of(*partition)));
        let all: Vec<usize> = (0..LEAVES).collect();
        for (table, partition) in strays {
            let place = self.placement_of(partition);
            if place.owners.iter().any(|owner| !self.is_up(owner)) {
                continue;
            }
            let keys = self.inner.replica.digests(table, partition, &all).map_err(unreadable)?;
            let keys: Vec<Key> = keys.into_keys().take(STRAYS).collect();
            let rows = keys.into_iter().map(|key| {
                let state = self.inner.replica.row(table, &key)?;
                Ok((key, state))
            });
            let rows: Vec<(Key, State)> = rows.collect::<std::io::Result<_>>().map_err(unreadable)?;
            for part in rows.chunks(BATCH) {
                for owner in place.owners {
                    self.exchange(owner, table, part.to_vec()).await?;
                }
                for (key, state) in part {
                    self.inner.replica.remove(table, key, state.digest(), false).map_err(unreadable)?;
                }
            }
        }
        Ok(())
    }
}
