//! A counter, 0 at first: additions, which may say what they found, and reads of the sum.

use std::sync::Arc;

use super::Model;

/// A call on a counter with its answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CounterOp {
    /// It added `delta`; the server may have said what the sum was before.
    Add {
        /// What it added.
        delta: i128,
        /// The sum just before, where the server said.
        observed: Option<i128>,
    },
    /// It added one of these sums; nobody knows which.
    AddOneOf(Arc<Sums>),
    /// It returned this sum.
    Read(i128),
}

/// What many additions that nobody looked at can have come to, and where that must have led.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sums {
    /// The sums that they can come to, the least first.
    pub sums: Vec<i128>,
    /// The counter is not below this afterwards.
    pub low: i128,
    /// The counter is not above this afterwards.
    pub high: i128,
}

/// The model of one counter.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counter;

impl Model for Counter {
    // As wide as no history of 64-bit deltas can overflow.
    type State = i128;
    type Op = CounterOp;

    fn initial(&self) -> i128 {
        0
    }

    fn step(&self, state: &i128, op: &CounterOp) -> impl Iterator<Item = i128> {
        let state = *state;
        let (added, low, high) = match op {
            CounterOp::Add { delta, observed } => {
                let possible = observed.is_none_or(|sum| sum == state);
                (if possible { std::slice::from_ref(delta) } else { &[] }, i128::MIN, i128::MAX)
            }
            CounterOp::AddOneOf(sums) => (&sums.sums[..], sums.low, sums.high),
            CounterOp::Read(sum) => (if *sum == state { &[0][..] } else { &[] }, i128::MIN, i128::MAX),
        };
        let first = added.partition_point(|sum| state + sum < low);
        added[first..].iter().map(move |sum| state + sum).take_while(move |&next| next <= high)
    }

    fn is_read(&self, op: &CounterOp) -> bool {
        matches!(op, CounterOp::Read(_) | CounterOp::Add { delta: 0, .. })
    }
}
