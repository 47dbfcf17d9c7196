//! Named streams of randomness, all from the run's one seed.
//!
//! A stream is known by its name and nothing else, so that a new consumer of randomness never shifts what
//! the others draw.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The root of all random choices of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seeds {
    root: u64,
}

impl Seeds {
    /// Streams of this seed.
    pub(crate) fn new(root: u64) -> Self {
        Self { root }
    }

    /// The seed of the stream with this name.
    pub(crate) fn stream(&self, name: &str) -> u64 {
        // FNV-1a over the name picks one of ChaCha8's independent streams.
        let id = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        let mut rng = ChaCha8Rng::seed_from_u64(self.root);
        rng.set_stream(id);
        rng.random()
    }
}

/// A seed for a run that was given none: short enough to be typed again.
pub(crate) fn any_seed() -> u64 {
    rand::rng().random_range(1..1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_by_name_and_seed_and_repeat() {
        let one = Seeds::new(1);
        assert_eq!(one.stream("nemesis"), Seeds::new(1).stream("nemesis"));
        assert_ne!(one.stream("nemesis"), one.stream("generator"));
        assert_ne!(one.stream("nemesis"), Seeds::new(2).stream("nemesis"));
    }
}
