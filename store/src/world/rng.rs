//! A node's randomness: named streams of one seed.
//!
//! Each use draws from a stream of its own, so that one more draw in one place changes nothing in
//! another. The generator is ChaCha8, whose stream number is a hash (FNV-1a, 64 bit) of the node's
//! and the stream's names.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The seed of a node's random streams.
#[derive(Clone, Debug)]
pub struct Rng {
    seed: u64,
    node: String,
}

impl Rng {
    /// The streams of `node` under `seed`.
    pub fn new(seed: u64, node: impl Into<String>) -> Self {
        Rng { seed, node: node.into() }
    }

    /// The stream `name` from its beginning. The same seed, node and name give the same draws.
    pub fn stream(&self, name: &str) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(fnv1a(&[self.node.as_bytes(), b"/", name.as_bytes()]));
        rng
    }
}

fn fnv1a(parts: &[&[u8]]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    parts.iter().flat_map(|part| part.iter()).fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use rand::Rng as _;

    use super::*;

    #[test]
    fn streams_repeat_by_seed_node_and_name_and_differ_otherwise() {
        let draw = |seed, node: &str, name| Rng::new(seed, node).stream(name).next_u64();
        assert_eq!(draw(1, "n1", "election"), draw(1, "n1", "election"));
        let all = [
            draw(1, "n1", "election"),
            draw(2, "n1", "election"),
            draw(1, "n2", "election"),
            draw(1, "n1", "x"),
        ];
        let distinct: std::collections::BTreeSet<_> = all.into_iter().collect();
        assert_eq!(distinct.len(), all.len());
    }
}
