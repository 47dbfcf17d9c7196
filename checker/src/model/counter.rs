//! A counter, 0 at first: additions, which may say what they found, and reads of the sum.

use super::Model;

/// A call on a counter with its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CounterOp {
    /// It added `delta`; the server may have said what the sum was before.
    Add {
        /// What it added.
        delta: i128,
        /// The sum just before, where the server said.
        observed: Option<i128>,
    },
    /// It added `delta` up to so many times; nobody knows how often.
    AddSome {
        /// What it added each time.
        delta: i128,
        /// How often at most.
        times: u32,
    },
    /// It returned this sum.
    Read(i128),
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
        let (possible, delta, times) = match *op {
            CounterOp::Add { delta, observed } => (observed.is_none_or(|sum| sum == state), delta, 1..=1),
            CounterOp::AddSome { delta, times } => (true, delta, 0..=times),
            CounterOp::Read(sum) => (sum == state, 0, 0..=0),
        };
        times.filter(move |_| possible).map(move |times| state + delta * i128::from(times))
    }

    fn is_read(&self, op: &CounterOp) -> bool {
        matches!(op, CounterOp::Read(_) | CounterOp::Add { delta: 0, .. })
    }
}
