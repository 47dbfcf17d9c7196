//! Which of many operations were open at a time, by counting.
//!
//! Of a set of intervals, those that meet another one are those that had begun before it ended, less those that were
//! over before it began. Two sorted lists answer that in O(log n).

/// The intervals of some operations, as positions in a history: from the invocation to the end.
#[derive(Debug, Clone, Default)]
pub struct Overlaps {
    calls: Vec<usize>,
    ends: Vec<usize>,
}

impl Overlaps {
    /// Those of these invocations and ends. O(n log n).
    #[must_use]
    pub fn new(intervals: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let (mut calls, mut ends): (Vec<usize>, Vec<usize>) = intervals.into_iter().unzip();
        calls.sort_unstable();
        ends.sort_unstable();
        Self { calls, ends }
    }

    /// How many of them were open at some moment between `call` and `end`; what is among them itself counts as well.
    /// O(log n).
    #[must_use]
    pub fn meeting(&self, call: usize, end: usize) -> usize {
        let begun = self.calls.partition_point(|&other| other < end);
        let over = self.ends.partition_point(|&other| other < call);
        begun - over
    }
}
