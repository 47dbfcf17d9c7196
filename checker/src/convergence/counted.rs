//! Where does a counter stand in a list of counters?
//!
//! Those of one actor run on, save for writes that nobody heard of again. So a counter stands close to where its share
//! of the whole says: a search that begins there looks at one or two places, and one by halves at sixteen, each far
//! from the next.

/// How many items of an ascending list have counters up to this one. Logarithmic in how unevenly they run on.
pub(super) fn upto<T>(list: &[T], counter: u64, of: impl Fn(&T) -> u64) -> usize {
    let (Some(first), Some(last)) = (list.first().map(&of), list.last().map(&of)) else { return 0 };
    if counter >= last {
        return list.len();
    } else if counter < first {
        return 0;
    }
    let share = u128::from(counter - first) * (list.len() as u128 - 1) / u128::from(last - first);
    let is_in = |at: usize| of(&list[at]) <= counter;
    // All below `low` are in, and none from `high` on.
    let (mut low, mut high, mut width) = (share as usize, share as usize, 1);
    if is_in(low) {
        while high < list.len() && is_in(high) {
            (low, high) = (high + 1, high + width);
            width *= 2;
        }
        high = high.min(list.len());
    } else {
        while low > 0 && !is_in(low - 1) {
            (high, low) = (low - 1, low.saturating_sub(width));
            width *= 2;
        }
    }
    low + list[low..high].partition_point(|item| of(item) <= counter)
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn as_many_as_a_search_through_all_finds() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..20_000 {
            let most = [3, 40, 1_000, u64::MAX][rng.random_range(0..4)];
            let length = rng.random_range(0..40);
            let mut list: Vec<u64> = (0..length).map(|_| rng.random_range(0..=most)).collect();
            list.sort_unstable();
            let near = list.get(rng.random_range(0..=length)).map_or(0, |&near: &u64| near.saturating_sub(1));
            for counter in [rng.random_range(0..=most), near, near + 1, near.saturating_add(2), 0, u64::MAX] {
                let all = list.iter().filter(|&&item| item <= counter).count();
                assert_eq!(upto(&list, counter, |&item| item), all, "{counter} in {list:?}");
            }
        }
    }
}
