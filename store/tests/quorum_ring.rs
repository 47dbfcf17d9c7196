//! The ring's law, and what trees find.

use std::collections::{BTreeMap, BTreeSet};

use growler_store::quorum::merkle::{FAN_OUT, LEAVES, Tree, leaf_of};
use growler_store::quorum::ring::{Ring, partition_name};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn names(count: usize) -> Vec<String> {
    (1..=count).map(|n| format!("n{n}")).collect()
}

fn tokens(ring: &Ring) -> Vec<String> {
    (0..ring.partitions()).map(|at| ring.token(at).to_owned()).collect()
}

/// Every list names every node once; shares differ by one at most.
fn holds_its_law(ring: &Ring, nodes: &BTreeSet<String>) {
    for partition in 0..ring.partitions() {
        let list: Vec<&str> = ring.preference(partition).collect();
        let distinct: BTreeSet<String> = list.iter().map(|node| (*node).to_owned()).collect();
        assert_eq!((list.len(), &distinct), (nodes.len(), nodes), "{}", partition_name(partition));
        assert_eq!(list[0], ring.token(partition));
    }
    let shares: Vec<usize> = ring.shares().into_values().collect();
    let (least, most) = (shares.iter().min(), shares.iter().max());
    assert!(most.unwrap_or(&0) - least.unwrap_or(&0) <= 1, "{shares:?}");
}

#[test]
fn a_join_takes_an_equal_share_from_the_others_and_a_leave_gives_it_back() {
    for seed in 0..200 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let partitions = rng.random_range(8..100);
        let start = rng.random_range(1..6);
        let mut ring = Ring::deal(&names(start), partitions);
        let mut nodes: BTreeSet<String> = names(start).into_iter().collect();
        holds_its_law(&ring, &nodes);
        for round in 0..12 {
            let before = tokens(&ring);
            let joins = nodes.len() == 1 || (nodes.len() < 7 && rng.random_bool(0.6));
            if joins {
                let node = format!("m{round}");
                ring.join(&node);
                nodes.insert(node.clone());
                let moved: Vec<usize> = differing(&before, &tokens(&ring));
                let share = partitions as usize / nodes.len();
                assert_eq!(moved.len(), share, "seed {seed}: all {moved:?} of {partitions}");
                assert!(moved.iter().all(|at| ring.token(*at as u32) == node), "seed {seed}");
            } else {
                let at = rng.random_range(0..nodes.len());
                let node = nodes.iter().nth(at).cloned().unwrap_or_default();
                ring.leave(&node);
                nodes.remove(&node);
                let moved = differing(&before, &tokens(&ring));
                assert!(moved.iter().all(|at| before[*at] == node), "seed {seed}");
            }
            holds_its_law(&ring, &nodes);
        }
    }
}

fn differing(before: &[String], after: &[String]) -> Vec<usize> {
    (0..before.len()).filter(|at| before[*at] != after[*at]).collect()
}

#[test]
fn every_hash_lies_in_the_partition_whose_range_has_it() {
    for partitions in [1, 3, 7, 64, 100] {
        let ring = Ring::deal(&names(1), partitions);
        let mut next = 0;
        for partition in 0..partitions {
            let (first, end) = ring.hashes(partition);
            assert_eq!(first, next);
            assert_eq!(ring.partition_of(first), partition);
            let last = end.map_or(u64::MAX, |end| end - 1);
            assert_eq!(ring.partition_of(last), partition);
            next = end.unwrap_or_default();
        }
        assert_eq!(next, 0, "the last partition ends with the hash space");
    }
}

#[test]
fn every_node_has_a_partition_however_few_were_asked_for() {
    let ring = Ring::deal(&names(5), 2);
    assert_eq!(ring.shares().len(), 5);
    assert_eq!(ring, Ring::deal(&names(5).into_iter().rev().collect::<Vec<_>>(), 2));
}

/// The digests of some keys, and the tree over them.
#[derive(Clone, Default)]
struct Covered {
    digests: BTreeMap<Vec<u8>, u64>,
    tree: Tree,
}

impl Covered {
    fn set(&mut self, key: &[u8], digest: Option<u64>) {
        let before = match digest {
            Some(digest) => self.digests.insert(key.to_vec(), digest),
            None => self.digests.remove(key),
        };
        self.tree.change(key, before, digest);
    }
}

#[test]
fn a_tree_finds_every_leaf_that_differs_and_no_other() {
    for seed in 0..100 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut one = Covered::default();
        for _ in 0..rng.random_range(0..600) {
            let key = rng.random_range(0..400_u32).to_be_bytes();
            one.set(&key, rng.random_bool(0.8).then(|| rng.random_range(1..1000)));
        }
        let mut other = one.clone();
        for _ in 0..rng.random_range(0..6) {
            let key = rng.random_range(0..500_u32).to_be_bytes();
            other.set(&key, rng.random_bool(0.7).then(|| rng.random_range(1..1000)));
        }
        let keys = one.digests.keys().chain(other.digests.keys());
        let expected: BTreeSet<usize> = keys
            .filter(|key| one.digests.get(*key) != other.digests.get(*key))
            .map(|key| leaf_of(key))
            .collect();
        let found: BTreeSet<usize> = one
            .tree
            .differing_branches(other.tree.inner())
            .into_iter()
            .flat_map(|branch| one.tree.differing_leaves(branch, other.tree.leaves(branch)))
            .collect();
        assert_eq!(found, expected, "seed {seed}");
        assert_eq!(one.tree.root() == other.tree.root(), expected.is_empty(), "seed {seed}");
    }
}

#[test]
fn a_tree_does_not_depend_on_the_order_of_changes_and_an_emptied_one_is_empty() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let mut one = Covered::default();
    for _ in 0..500 {
        let key = rng.random_range(0..200_u32).to_be_bytes();
        one.set(&key, Some(rng.random_range(1..1000)));
    }
    let mut other = Tree::default();
    for (key, digest) in one.digests.iter().rev() {
        other.change(key, None, Some(*digest));
    }
    assert_eq!(one.tree, other);
    for key in one.digests.clone().keys() {
        one.set(key, None);
    }
    assert_eq!(one.tree, Tree::default());
    assert_eq!((one.tree.root(), LEAVES), (0, FAN_OUT * FAN_OUT));
}
