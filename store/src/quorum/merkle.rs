//! Finding what differs between two replicas of a ring partition without sending it.
//!
//! A tree over the keys of one partition of one table: a key falls into one of 1024 leaves by its hash;
//! a leaf is the sum (exclusive or) of hashes of its keys with their states' digests, an inner node that
//! of its 32 leaves with their places, the root that of the inner nodes. So one change costs O(1), and
//! two replicas that differ in few keys find them with a root, 32 and some times 32 numbers.
//!
//! Two trees with the same numbers cover the same states but for one chance in 2^64. What it must never
//! do: depend on the order of changes.

use super::version::Hasher;

/// How many children a node has: leaves of an inner node, inner nodes of the root.
pub const FAN_OUT: usize = 32;

/// How many leaves there are.
pub const LEAVES: usize = FAN_OUT * FAN_OUT;

/// The tree of one partition of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    root: u64,
    inner: [u64; FAN_OUT],
    leaves: Vec<u64>,
}

impl Default for Tree {
    fn default() -> Self {
        Self { root: 0, inner: [0; FAN_OUT], leaves: vec![0; LEAVES] }
    }
}

/// The leaf of a key.
#[must_use]
pub fn leaf_of(key: &[u8]) -> usize {
    let mut hasher = Hasher::default();
    hasher.bytes(key);
    hasher.finish() as usize % LEAVES
}

/// A number that stands for two, at no regular distance from that of their neighbours.
fn mixed(bytes: &[u8], number: u64) -> u64 {
    let mut hasher = Hasher::default();
    hasher.bytes(&number.to_le_bytes());
    hasher.bytes(bytes);
    hasher.finish()
}

impl Tree {
    /// Takes over that a key's state changed: its digest before and after, `None` for absent. O(1).
    pub fn change(&mut self, key: &[u8], before: Option<u64>, after: Option<u64>) {
        let leaf = leaf_of(key);
        let stands_for = |digest: Option<u64>| digest.map_or(0, |digest| mixed(key, digest));
        let was = self.leaves[leaf];
        let now = was ^ stands_for(before) ^ stands_for(after);
        self.leaves[leaf] = now;
        let branch = leaf / FAN_OUT;
        let inner_was = self.inner[branch];
        self.inner[branch] = inner_was ^ placed(leaf, was) ^ placed(leaf, now);
        self.root ^= placed(branch, inner_was) ^ placed(branch, self.inner[branch]);
    }

    /// The number for all of it; 0 for an empty tree.
    #[must_use]
    pub fn root(&self) -> u64 {
        self.root
    }

    /// The numbers below the root.
    #[must_use]
    pub fn inner(&self) -> &[u64] {
        &self.inner
    }

    /// The leaves below an inner node.
    #[must_use]
    pub fn leaves(&self, branch: usize) -> &[u64] {
        let start = branch.min(FAN_OUT - 1) * FAN_OUT;
        &self.leaves[start..start + FAN_OUT]
    }

    /// The inner nodes that differ from those of another tree.
    #[must_use]
    pub fn differing_branches(&self, theirs: &[u64]) -> Vec<usize> {
        differing(&self.inner, theirs)
    }

    /// The leaves below an inner node that differ from those of another tree.
    #[must_use]
    pub fn differing_leaves(&self, branch: usize, theirs: &[u64]) -> Vec<usize> {
        differing(self.leaves(branch), theirs).into_iter().map(|at| branch * FAN_OUT + at).collect()
    }
}

/// What an inner number contributes at its place; nothing for an empty one.
fn placed(place: usize, number: u64) -> u64 {
    if number == 0 { 0 } else { mixed(&(place as u64).to_le_bytes(), number) }
}

fn differing(ours: &[u64], theirs: &[u64]) -> Vec<usize> {
    let of = |at: usize| theirs.get(at).copied().unwrap_or_default();
    (0..ours.len()).filter(|at| ours[*at] != of(*at)).collect()
}
