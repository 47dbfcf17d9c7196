//! Who holds what: a ring of equal partitions, each the token of one node.
//!
//! The hash space is cut into Q equal partitions for good, and a node owns Q/n of them (Dynamo's third
//! strategy, section 6.2 of the 2007 paper): a node that joins takes whole partitions from the others
//! and a node that leaves gives its own away, so nothing else moves. A partition's *preference list* is
//! the walk round the ring from its token, each node where it is met first: the first N are its owners,
//! the others stand in for them in that order.
//!
//! Pure and deterministic: every node that knows the same members deals the same ring.

use std::collections::BTreeMap;

/// The number of a ring partition, from 0.
pub type PartitionId = u32;

/// The ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ring {
    /// Whose token each partition is.
    tokens: Vec<String>,
}

impl Ring {
    /// Deals `partitions` partitions to `nodes`, in the order of their names. There must be at least
    /// one node; a ring of fewer partitions than nodes leaves some without any, so one each is dealt at
    /// least.
    #[must_use]
    pub fn deal(nodes: &[String], partitions: u32) -> Self {
        let mut names: Vec<&String> = nodes.iter().collect();
        names.sort();
        names.dedup();
        let count = (partitions as usize).max(names.len());
        Self { tokens: names.into_iter().cycle().take(count).cloned().collect() }
    }

    /// How many partitions there are.
    #[must_use]
    pub fn partitions(&self) -> u32 {
        u32::try_from(self.tokens.len()).unwrap_or(u32::MAX)
    }

    /// How many partitions each node has.
    #[must_use]
    pub fn shares(&self) -> BTreeMap<&str, usize> {
        let mut shares = BTreeMap::new();
        for node in &self.tokens {
            *shares.entry(node.as_str()).or_insert(0) += 1;
        }
        shares
    }

    /// The partition of a place in the hash space.
    #[must_use]
    pub fn partition_of(&self, hash: u64) -> PartitionId {
        let place = (u128::from(hash) * self.tokens.len() as u128) >> 64;
        u32::try_from(place).unwrap_or(u32::MAX)
    }

    /// The hashes of a partition: from the first, to before the second; `None` is the end of the space.
    #[must_use]
    pub fn hashes(&self, partition: PartitionId) -> (u64, Option<u64>) {
        let count = self.tokens.len() as u128;
        let cut = |at: u32| (u128::from(at) << 64).div_ceil(count);
        let end = u64::try_from(cut(partition.saturating_add(1))).ok();
        (u64::try_from(cut(partition)).unwrap_or(u64::MAX), end)
    }

    /// The nodes in the order in which they answer for a partition: owners, then stand-ins. All
    /// different.
    pub fn preference(&self, partition: PartitionId) -> impl Iterator<Item = &str> {
        let start = partition as usize % self.tokens.len();
        let walk = move || self.tokens[start..].iter().chain(&self.tokens[..start]).map(String::as_str);
        walk()
            .enumerate()
            .filter(move |(at, node)| walk().take(*at).all(|met| met != *node))
            .map(|(_, node)| node)
    }

    /// Whose token a partition is.
    #[must_use]
    pub fn token(&self, partition: PartitionId) -> &str {
        &self.tokens[partition as usize % self.tokens.len()]
    }

    /// Gives a new node its share: one partition after the other of whoever has most, as far apart on
    /// the ring as that allows. A node that is there already changes nothing. O(Q²).
    pub fn join(&mut self, node: &str) {
        if self.tokens.iter().any(|token| token == node) {
            return;
        }
        let nodes = self.shares().len() + 1;
        for _ in 0..self.tokens.len() / nodes {
            let shares = self.shares();
            let most = shares.iter().filter(|(name, _)| **name != node).map(|(_, share)| *share).max();
            let donors =
                (0..self.tokens.len()).filter(|at| shares.get(self.tokens[*at].as_str()).copied() == most);
            let taken = donors
                .filter(|at| self.tokens[*at] != node)
                .max_by_key(|at| (self.distance(*at, node), usize::MAX - at));
            if let Some(taken) = taken {
                self.tokens[taken] = node.to_owned();
            }
        }
    }

    /// Gives the partitions of a node that leaves to whoever has fewest. The last node cannot leave.
    pub fn leave(&mut self, node: &str) {
        for at in 0..self.tokens.len() {
            if self.tokens[at] != node {
                continue;
            }
            let shares = self.shares();
            let heir = shares
                .iter()
                .filter(|(name, _)| **name != node)
                .min_by_key(|(name, share)| (**share, usize::MAX - self.distance(at, name), **name))
                .map(|(name, _)| (*name).to_owned());
            if let Some(heir) = heir {
                self.tokens[at] = heir;
            }
        }
    }

    /// How far a partition is from the nearest one of a node, on the ring.
    fn distance(&self, from: usize, node: &str) -> usize {
        let count = self.tokens.len();
        let others = (0..count).filter(|at| *at != from && self.tokens[*at] == node);
        others.map(|at| at.abs_diff(from).min(count - at.abs_diff(from))).min().unwrap_or(count)
    }
}

/// A ring partition's name, as clients see it.
#[must_use]
pub fn partition_name(partition: PartitionId) -> String {
    format!("r{partition}")
}
