//! Random choices that follow from a seed: `SplitMix64` (Steele, Lea & Flood 2014).
//!
//! A measure draws a few thousand numbers, and only needs them well spread and the same everywhere and for
//! ever. That is ten lines, and no library's next version can change what a seed gives.

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

    /// Puts items into random order: Fisher and Yates' shuffle.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }

    /// `count` different numbers below `total` in ascending order, or all where there are not as many: one at
    /// random in each of as many strata.
    pub(crate) fn one_of_each_stratum(&mut self, total: u64, count: u64) -> impl Iterator<Item = u64> {
        let count = count.min(total);
        let border = move |i: u64| (u128::from(total) * u128::from(i) / u128::from(count.max(1))) as u64;
        (0..count).map(move |i| border(i) + self.below(border(i + 1) - border(i)))
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
    fn strata_share_all_numbers_evenly() {
        let draw = |total, count| Dice::new(1, 2).one_of_each_stratum(total, count).collect::<Vec<_>>();
        assert!(draw(0, 3).is_empty());
        assert_eq!(draw(3, 5), [0, 1, 2]);
        let drawn = draw(1_000, 100);
        assert_eq!(drawn.len(), 100);
        assert!(drawn.iter().zip(0..).all(|(number, stratum)| number / 10 == stratum), "{drawn:?}");
        assert!(drawn.iter().any(|number| number % 10 > 4) && drawn.iter().any(|number| number % 10 < 5));
    }

    #[test]
    fn every_order_is_as_likely() {
        let mut dice = Dice::new(3, 4);
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..6_000 {
            let mut items = [1, 2, 3];
            dice.shuffle(&mut items);
            *counts.entry(items).or_insert(0) += 1;
        }
        assert!(counts.len() == 6 && counts.values().all(|count| (900..1_100).contains(count)), "{counts:?}");
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
