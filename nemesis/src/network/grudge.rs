//! Constructors of grudges: who swallows whose bytes. Pure, so that every shape of partition can be tested
//! without a network.
//!
//! The shapes and their names are Jepsen's (`jepsen/nemesis.clj`: complete grudge, bridge, majorities ring),
//! save that [`majorities_ring`] is symmetric here: a TCP connection needs both directions.

use std::collections::BTreeSet;

use crate::cluster::{Grudge, NodeName};

/// Every member of one group is cut off from every member of every other group. Nodes in no group are cut
/// off from nobody.
#[must_use]
pub fn complete(groups: &[&[NodeName]]) -> Grudge {
    let mut grudge = Grudge::new();
    for (i, group) in groups.iter().enumerate() {
        for (j, other) in groups.iter().enumerate() {
            if i != j {
                for node in *group {
                    add(&mut grudge, node, other.iter());
                }
            }
        }
    }
    grudge
}

/// One node is cut off from all the others.
#[must_use]
pub fn isolate(node: &str, nodes: &[NodeName]) -> Grudge {
    let rest: Vec<_> = nodes.iter().filter(|n| *n != node).cloned().collect();
    complete(&[&[node.to_owned()], &rest])
}

/// The first half (the smaller, where the number is odd) is cut off from the second. Shuffle the nodes first
/// for random halves.
#[must_use]
pub fn halves(nodes: &[NodeName]) -> Grudge {
    let (minority, majority) = nodes.split_at(nodes.len() / 2);
    complete(&[minority, majority])
}

/// Two halves that reach each other only through one node in the middle, which reaches everyone.
#[must_use]
pub fn bridge(nodes: &[NodeName]) -> Grudge {
    let middle = nodes.len() / 2;
    complete(&[&nodes[..middle], &nodes[(middle + 1).min(nodes.len())..]])
}

/// Every node reaches a majority, and no two the same one: the nodes stand in a ring, and each reaches only
/// its neighbours. With fewer than four nodes nothing can be cut without taking someone's majority.
#[must_use]
pub fn majorities_ring(nodes: &[NodeName]) -> Grudge {
    let n = nodes.len();
    // Neighbours on either side; with the node itself at least a majority.
    let reach = (n / 2).div_ceil(2);
    let mut grudge = Grudge::new();
    for (i, node) in nodes.iter().enumerate() {
        let far = nodes.iter().enumerate().filter(|(j, _)| {
            let apart = i.abs_diff(*j);
            apart.min(n - apart) > reach
        });
        add(&mut grudge, node, far.map(|(_, other)| other));
    }
    grudge
}

/// Bytes from any of `from` to any of `to` are swallowed, and those in the other direction arrive.
#[must_use]
pub fn one_way(from: &[NodeName], to: &[NodeName]) -> Grudge {
    let mut grudge = Grudge::new();
    for node in to {
        add(&mut grudge, node, from.iter().filter(|n| *n != node));
    }
    grudge
}

/// Everything that this grudge, among these nodes, does not cut.
#[must_use]
pub fn complement(grudge: &Grudge, nodes: &[NodeName]) -> Grudge {
    let mut rest = Grudge::new();
    for node in nodes {
        let cut = grudge.get(node);
        let kept = nodes.iter().filter(|other| *other != node && !cut.is_some_and(|c| c.contains(*other)));
        add(&mut rest, node, kept);
    }
    rest
}

/// All that any of these grudges cuts.
#[must_use]
pub fn merge<'a>(grudges: impl IntoIterator<Item = &'a Grudge>) -> Grudge {
    let mut all = Grudge::new();
    for grudge in grudges {
        for (node, others) in grudge {
            add(&mut all, node, others.iter());
        }
    }
    all
}

/// The cut directions, as (from, to).
pub fn directions(grudge: &Grudge) -> impl Iterator<Item = (&NodeName, &NodeName)> {
    grudge.iter().flat_map(|(to, froms)| froms.iter().map(move |from| (from, to)))
}

fn add<'a>(grudge: &mut Grudge, node: &str, others: impl Iterator<Item = &'a NodeName>) {
    let others: BTreeSet<NodeName> = others.cloned().collect();
    if !others.is_empty() {
        grudge.entry(node.to_owned()).or_default().extend(others);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(n: usize) -> Vec<NodeName> {
        (1..=n).map(|i| format!("n{i}")).collect()
    }

    fn pairs(grudge: &Grudge) -> BTreeSet<(String, String)> {
        directions(grudge).map(|(from, to)| (from.clone(), to.clone())).collect()
    }

    fn set(pairs: &[(&str, &str)]) -> BTreeSet<(String, String)> {
        pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    fn symmetric(grudge: &Grudge) -> bool {
        let cut = pairs(grudge);
        cut.iter().all(|(a, b)| cut.contains(&(b.clone(), a.clone())))
    }

    #[test]
    fn an_isolated_node_neither_hears_nor_is_heard() {
        let cut = pairs(&isolate("n1", &nodes(3)));
        assert_eq!(cut, set(&[("n1", "n2"), ("n1", "n3"), ("n2", "n1"), ("n3", "n1")]));
    }

    #[test]
    fn halves_leave_each_side_whole() {
        let grudge = halves(&nodes(5));
        assert!(symmetric(&grudge));
        assert_eq!(grudge["n1"], nodes(5)[2..].iter().cloned().collect());
        assert_eq!(grudge["n5"], nodes(2).into_iter().collect());
        assert_eq!(pairs(&grudge).len(), 12);
    }

    #[test]
    fn a_bridge_is_reached_by_all_and_nobody_reaches_past_it() {
        assert_eq!(pairs(&bridge(&nodes(3))), set(&[("n1", "n3"), ("n3", "n1")]));
        let five = bridge(&nodes(5));
        assert!(!five.contains_key("n3"));
        assert_eq!(pairs(&five).len(), 8);
    }

    #[test]
    fn in_a_ring_everyone_sees_a_majority_and_no_two_the_same() {
        for n in 4..=9 {
            let nodes = nodes(n);
            let grudge = majorities_ring(&nodes);
            assert!(symmetric(&grudge), "{n} nodes");
            let seen: BTreeSet<BTreeSet<NodeName>> = nodes
                .iter()
                .map(|node| {
                    let cut = grudge.get(node).cloned().unwrap_or_default();
                    nodes.iter().filter(|other| !cut.contains(*other)).cloned().collect()
                })
                .collect();
            assert_eq!(seen.len(), n, "{n} nodes: each sees another majority");
            assert!(seen.iter().all(|s| s.len() > n / 2 && s.len() < n), "{n} nodes");
        }
        assert!(majorities_ring(&nodes(3)).is_empty());
    }

    #[test]
    fn one_way_cuts_one_direction_only() {
        let n = nodes(3);
        assert_eq!(pairs(&one_way(&n[..1], &n)), set(&[("n1", "n2"), ("n1", "n3")]));
    }

    #[test]
    fn a_grudge_and_its_complement_cut_everything_once() {
        let n = nodes(5);
        for grudge in [isolate("n2", &n), halves(&n), bridge(&n), majorities_ring(&n), Grudge::new()] {
            let rest = complement(&grudge, &n);
            assert!(pairs(&grudge).is_disjoint(&pairs(&rest)));
            assert_eq!(pairs(&merge([&grudge, &rest])).len(), 5 * 4);
        }
    }

    #[test]
    fn merged_grudges_cut_what_either_cuts() {
        let n = nodes(3);
        let both = merge([&isolate("n1", &n), &one_way(&n[1..2], &n[2..])]);
        assert_eq!(pairs(&both).len(), 5);
        assert!(both["n3"].contains("n2") && !both.get("n2").is_some_and(|s| s.contains("n3")));
    }
}
