//! Which of the keys in use an operation goes to.

use rand::{Rng, RngExt};

use crate::workload::Popularity;

/// Draws slots of a key pool.
#[derive(Debug, Clone)]
pub struct Sampler {
    /// Cumulated weights, ending at their sum. Strictly rising.
    cumulated: Vec<f64>,
}

impl Sampler {
    /// A sampler over `slots` slots, at least one.
    #[must_use]
    pub fn new(popularity: Popularity, slots: usize) -> Self {
        let slots = slots.max(1);
        let weight = |slot: usize| match popularity {
            Popularity::Uniform => 1.0,
            Popularity::Zipf(exponent) => ((slot + 1) as f64).powf(-exponent),
            Popularity::Hot(_) if slots == 1 => 1.0,
            Popularity::Hot(share) if slot == 0 => share,
            Popularity::Hot(share) => (1.0 - share) / (slots - 1) as f64,
        };
        let cumulated = (0..slots).scan(0.0, |sum, slot| {
            *sum += weight(slot).max(f64::MIN_POSITIVE);
            Some(*sum)
        });
        Self { cumulated: cumulated.collect() }
    }

    /// A slot.
    pub fn sample(&self, rng: &mut impl Rng) -> usize {
        let last = self.cumulated.len() - 1;
        let point = rng.random_range(0.0..1.0) * self.cumulated[last];
        self.cumulated.partition_point(|&sum| sum <= point).min(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn shares(popularity: Popularity) -> Vec<f64> {
        let (sampler, mut rng) = (Sampler::new(popularity, 4), ChaCha8Rng::seed_from_u64(1));
        let mut counts = vec![0.0; 4];
        for _ in 0..20_000 {
            counts[sampler.sample(&mut rng)] += 1.0 / 20_000.0;
        }
        counts
    }

    fn close(actual: &[f64], expected: [f64; 4]) {
        let near = actual.iter().zip(expected).all(|(a, e)| (a - e).abs() < 0.02);
        assert!(near, "{actual:?} instead of {expected:?}");
    }

    #[test]
    fn shares_are_what_the_name_says() {
        close(&shares(Popularity::Uniform), [0.25; 4]);
        close(&shares(Popularity::Hot(0.7)), [0.7, 0.1, 0.1, 0.1]);
        // 1, 1/2, 1/3, 1/4 over their sum.
        close(&shares(Popularity::Zipf(1.0)), [0.48, 0.24, 0.16, 0.12]);
    }

    #[test]
    fn one_slot_is_enough_for_every_popularity() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for popularity in [Popularity::Uniform, Popularity::Zipf(2.0), Popularity::Hot(0.3)] {
            assert_eq!(Sampler::new(popularity, 1).sample(&mut rng), 0);
        }
    }
}
