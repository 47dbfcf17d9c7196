//! What additions can have come to.
//!
//! Whoever looks at a counter may see any of the additions that were invoked before the answer came, whatever became of
//! the others. So what is seen lies between the sum of those that subtract and the sum of those that add, and is a
//! multiple of what all of them are multiples of. (Which sums within these bounds there are is a question for a search.)

/// Additions up to one of them.
#[derive(Debug, Clone, Copy)]
struct Reach {
    /// Where the last of them was invoked.
    call: u32,
    low: i128,
    high: i128,
    /// All of them are multiples of it; 0 if all are 0.
    unit: u128,
}

impl Reach {
    const NOTHING: Self = Self { call: 0, low: 0, high: 0, unit: 0 };
}

/// Additions to one counter, in the order of their invocations.
#[derive(Debug, Default)]
pub(crate) struct Sums(Vec<Reach>);

impl Sums {
    /// One addition more.
    pub(crate) fn add(&mut self, call: u32, delta: i128) {
        let Reach { low, high, unit, .. } = self.0.last().copied().unwrap_or(Reach::NOTHING);
        let unit = greatest_divisor(unit, delta.unsigned_abs());
        self.0.push(Reach { call, low: low + delta.min(0), high: high + delta.max(0), unit });
    }

    /// What those invoked before a position can have come to.
    fn reach(&self, end: u32) -> Reach {
        let begun = self.0.partition_point(|reach| reach.call < end);
        begun.checked_sub(1).map_or(Reach::NOTHING, |last| self.0[last])
    }

    /// The least and the greatest sum of those invoked before a position.
    pub(crate) fn bounds(&self, end: u32) -> (i128, i128) {
        let reach = self.reach(end);
        (reach.low, reach.high)
    }

    /// Whether those invoked before a position, and perhaps others, can have come to this.
    pub(crate) fn explain(&self, others: &Self, end: u32, sum: i128) -> bool {
        let (own, others) = (self.reach(end), others.reach(end));
        let unit = greatest_divisor(own.unit, others.unit);
        let is_multiple = if unit == 0 { sum == 0 } else { sum.unsigned_abs().is_multiple_of(unit) };
        is_multiple && (own.low + others.low..=own.high + others.high).contains(&sum)
    }
}

fn greatest_divisor(mut one: u128, mut other: u128) -> u128 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_bounded_and_multiples() {
        let (mut sums, none) = (Sums::default(), Sums::default());
        for (call, delta) in [(0, 6), (2, -4), (4, 3)] {
            sums.add(call, delta);
        }
        let reached = |end| (-9..9).filter(|&sum| sums.explain(&none, end, sum)).collect::<Vec<_>>();
        assert_eq!(reached(0), [0], "nothing was added yet");
        assert_eq!(reached(1), [0, 6]);
        assert_eq!(reached(3), [-4, -2, 0, 2, 4, 6]);
        assert_eq!(sums.bounds(5), (-4, 9));
        assert!(sums.explain(&none, 5, 9) && !sums.explain(&none, 5, 10) && !sums.explain(&none, 3, 3));
    }
}
