//! Which node each client asks: it stays for a few operations, and then goes to another one.
//!
//! A client that stays with its node mostly reads its own writes, whatever the store promises. One that moves
//! finds what the replicas do not have yet.

use std::collections::BTreeMap;

use rand::{Rng, RngExt};

use crate::workload::Context;

/// Where the clients are.
#[derive(Debug, Clone)]
pub struct Hops {
    least: u32,
    most: u32,
    clients: BTreeMap<u64, Place>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    node: usize,
    left: u32,
}

impl Hops {
    /// Clients that stay with a node for between `least` and `most` operations (1 at least).
    #[must_use]
    pub fn new(least: u32, most: u32) -> Self {
        let least = least.max(1);
        Self { least, most: most.max(least), clients: BTreeMap::new() }
    }

    /// The index of the node that this client asks next. Its first is that of its number.
    pub fn node(&mut self, context: &Context, rng: &mut impl Rng) -> usize {
        let nodes = context.nodes.max(1);
        let stay = rng.random_range(self.least..=self.most);
        let place = self.clients.entry(context.client).or_insert_with(|| {
            let first = usize::try_from(context.client % nodes as u64).unwrap_or(0);
            Place { node: first, left: stay }
        });
        if place.left == 0 {
            place.left = stay;
            if nodes > 1 {
                place.node = (place.node + rng.random_range(1..nodes)) % nodes;
            }
        }
        place.left -= 1;
        place.node
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use std::time::Duration;

    fn nodes_of(client: u64, nodes: usize, hops: &mut Hops) -> Vec<usize> {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let context = Context { time: Duration::ZERO, client, nodes };
        (0..200).map(|_| hops.node(&context, &mut rng)).collect()
    }

    #[test]
    fn a_client_stays_for_a_while_and_then_goes_to_another_node() {
        let asked = nodes_of(7, 5, &mut Hops::new(2, 4));
        assert_eq!(asked[0], 2, "its first node is that of its number");
        let stays: Vec<usize> = asked.chunk_by(|a, b| a == b).map(<[usize]>::len).collect();
        let whole = &stays[..stays.len() - 1];
        assert!(whole.len() > 40 && whole.iter().all(|stay| (2..=4).contains(stay)), "{stays:?}");
        assert!((0..5).all(|node| asked.contains(&node)));
    }

    #[test]
    fn clients_move_by_themselves_and_one_node_is_enough() {
        let mut hops = Hops::new(1, 1);
        assert_eq!(nodes_of(0, 1, &mut hops), vec![0; 200]);
        let mut hops = Hops::new(1, 1);
        assert!(nodes_of(0, 3, &mut hops).windows(2).all(|pair| pair[0] != pair[1]));
        assert_eq!(hops.clients.len(), 1);
        assert_eq!(nodes_of(1, 3, &mut hops)[0], 1);
    }
}
