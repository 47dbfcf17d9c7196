//! Open-loop arrivals: a Poisson process with a given rate, a pure function of its seed.

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The times at which operations are due, whether or not earlier ones have ended.
#[derive(Debug)]
pub(crate) struct Arrivals {
    rng: ChaCha8Rng,
    mean: Duration,
    next: Duration,
    ended: bool,
}

impl Arrivals {
    /// Arrivals from `start` on, `rate` a second on average.
    pub(crate) fn new(seed: u64, rate: f64, start: Duration) -> Self {
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            mean: Duration::from_secs_f64(1.0 / rate),
            next: start,
            ended: false,
        }
    }

    /// The next arrival; none once the load has ended.
    pub(crate) fn take(&mut self) -> Option<Duration> {
        if self.ended {
            return None;
        }
        // Inverse transform: 1 - u is in (0, 1], so that the logarithm is finite.
        let u: f64 = self.rng.random();
        self.next += self.mean.mul_f64(-(1.0 - u).ln());
        Some(self.next)
    }

    /// No more arrivals: what follows is sent as fast as it can be.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_come_at_the_rate_and_repeat_with_the_seed() {
        let times = |seed| {
            let mut arrivals = Arrivals::new(seed, 1000.0, Duration::ZERO);
            std::iter::repeat_with(move || arrivals.take().unwrap()).take(10_000).collect::<Vec<_>>()
        };
        let first = times(7);
        assert_eq!(first, times(7));
        assert!(first.is_sorted());
        let seconds = first.last().unwrap().as_secs_f64();
        assert!((9.5..10.5).contains(&seconds), "10,000 arrivals at 1,000 a second took {seconds} s");
    }
}
