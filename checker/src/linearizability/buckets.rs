//! Places in a list, grouped by the value that they concern: two flat arrays, built in two passes.

use std::ops::Range;

use crate::model::register::Symbol;

/// Places, grouped by value; within a group in order.
#[derive(Debug)]
pub(super) struct Buckets {
    starts: Vec<usize>,
    places: Vec<usize>,
}

impl Buckets {
    /// Groups places by the value given for each, below `values`; those without one are left out.
    pub(super) fn new(values: usize, of: impl Iterator<Item = Option<Symbol>> + Clone) -> Self {
        let mut starts = vec![0; values + 1];
        for value in of.clone().flatten() {
            starts[value as usize + 1] += 1;
        }
        for at in 0..values {
            starts[at + 1] += starts[at];
        }
        let mut next = starts.clone();
        let mut places = vec![0; starts[values]];
        for (at, value) in of.enumerate().filter_map(|(at, value)| Some((at, value? as usize))) {
            places[next[value]] = at;
            next[value] += 1;
        }
        Self { starts, places }
    }

    /// The places of one value.
    pub(super) fn of(&self, value: Symbol) -> &[usize] {
        let range: Range<usize> = self.starts[value as usize]..self.starts[value as usize + 1];
        &self.places[range]
    }
}
