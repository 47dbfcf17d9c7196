//! Random choices that follow from a seed: `SplitMix64` (Steele, Lea & Flood 2014).
//!
//! A measure draws a few thousand numbers, and only needs them well spread and the same everywhere and for
//! ever. That is ten lines; a random number library would be the checker's first dependency that is no
//! format.

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub(crate) struct Dice {
    state: u64,
}

impl Dice {
    /// The stream of a seed and a name: streams of different names have nothing to do with each other.
    pub(crate) fn new(seed: u64, name: u64) -> Self {
        let mut dice = Self { state: seed };
        let offset = dice.roll();
        dice.state = offset ^ name.wrapping_mul(0xD6E8_FEB8_6659_FD93);
        dice
    }

    /// The next number.
    fn roll(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `limit`, which must not be 0. Uneven by less than limit / 2^64.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        debug_assert!(limit > 0, "there is no number below 0");
        ((u128::from(self.roll()) * u128::from(limit)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn these_are_the_numbers_of_splitmix64() {
        // The reference implementation's first outputs for the seed 1234567.
        let mut dice = Dice { state: 1_234_567 };
        let rolled = [dice.roll(), dice.roll(), dice.roll()];
        assert_eq!(rolled, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn numbers_are_below_their_limit_spread_and_follow_from_seed_and_name() {
        let draw = |seed, name| {
            let mut dice = Dice::new(seed, name);
            (0..6_000).map(|_| dice.below(6)).collect::<Vec<_>>()
        };
        let drawn = draw(1, 2);
        for side in 0..6 {
            let count = drawn.iter().filter(|&&roll| roll == side).count();
            assert!((900..1_100).contains(&count), "{side}: {count}");
        }
        assert_eq!(drawn, draw(1, 2));
        assert_ne!(drawn, draw(1, 3));
        assert_ne!(drawn, draw(2, 2));
    }
}
