//! Configurations, as rows of words: one way each to explain the history so far.
//!
//! The first word holds the number of the state and the link of the way; then come the open jobs that have
//! taken effect, a bit each, and how many of each class have, in half a word each. A job holds its bit from
//! its call to its return; then the bit is used again, so the width follows concurrency, not the length of
//! the history. When more are open than there are bits, all rows are made wider: there is no ceiling.
//!
//! Rows lie one after another in flat vectors, so a step copies a few words and allocates nothing.

use super::trail::Link;

/// How many words the parts of a row have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// Words of bits.
    pub(super) mask: usize,
    /// Words of counts.
    pub(super) counts: usize,
}

impl Layout {
    /// Words of a row.
    pub(super) fn stride(self) -> usize {
        1 + self.mask + self.counts
    }

    /// The bits of a row.
    pub(super) fn mask(self, row: &[u64]) -> &[u64] {
        &row[1..=self.mask]
    }

    /// The counts of a row, two a word.
    pub(super) fn counts(self, row: &[u64]) -> &[u64] {
        &row[1 + self.mask..]
    }

    /// How many of the class with this lane have taken effect.
    pub(super) fn count(self, row: &[u64], lane: usize) -> u32 {
        halves(self.counts(row)[lane / 2])[lane % 2]
    }

    /// Sets that.
    pub(super) fn set_count(self, row: &mut [u64], lane: usize, count: u32) {
        let word = &mut row[1 + self.mask + lane / 2];
        let mut pair = halves(*word);
        pair[lane % 2] = count;
        *word = u64::from(pair[0]) | u64::from(pair[1]) << 32;
    }

    /// The same rows in a wider layout.
    pub(super) fn widen(self, rows: &[u64], wider: Self) -> Vec<u64> {
        let mut wide = Vec::with_capacity(rows.len() / self.stride() * wider.stride());
        for row in rows.chunks_exact(self.stride()) {
            wide.extend_from_slice(&row[..=self.mask]);
            wide.resize(wide.len() + wider.mask - self.mask, 0);
            wide.extend_from_slice(self.counts(row));
            wide.resize(wide.len() + wider.counts - self.counts, 0);
        }
        wide
    }
}

/// The two counts of a word.
#[expect(clippy::cast_possible_truncation, reason = "halves are what is wanted")]
pub(super) fn halves(word: u64) -> [u32; 2] {
    [word as u32, (word >> 32) as u32]
}

/// The number of the state.
pub(super) fn state(row: &[u64]) -> u32 {
    halves(row[0])[0]
}

/// The last link of the way.
pub(super) fn way(row: &[u64]) -> Link {
    halves(row[0])[1]
}

/// A row's first word.
pub(super) fn head(state: u32, way: Link) -> u64 {
    u64::from(state) | u64::from(way) << 32
}

/// Whether the job with this slot has taken effect.
pub(super) fn has(row: &[u64], slot: u32) -> bool {
    row[1 + slot as usize / 64] >> (slot % 64) & 1 == 1
}

/// Says that it has.
pub(super) fn insert(row: &mut [u64], slot: u32) {
    row[1 + slot as usize / 64] |= 1 << (slot % 64);
}

/// Takes the bit back, for another job.
pub(super) fn remove(row: &mut [u64], slot: u32) {
    row[1 + slot as usize / 64] &= !(1 << (slot % 64));
}

/// What the bits that are in use mean for dominance.
#[derive(Debug, Clone, Default)]
pub(super) struct Roles {
    /// Better done than open: reads and free jobs.
    pub(super) free: Vec<u64>,
    /// Better open than done: optional jobs.
    pub(super) optional: Vec<u64>,
    /// Neither.
    pub(super) contested: Vec<u64>,
}

impl Roles {
    /// Gives all roles this many words.
    pub(super) fn widen(&mut self, words: usize) {
        for mask in [&mut self.free, &mut self.optional, &mut self.contested] {
            mask.resize(words, 0);
        }
    }

    /// Takes a slot out of its role.
    pub(super) fn remove(&mut self, slot: u32) {
        for mask in [&mut self.free, &mut self.optional, &mut self.contested] {
            mask[slot as usize / 64] &= !(1 << (slot % 64));
        }
    }

    /// Whether `row` can do all that `other` can, given that state and contested jobs are the same.
    pub(super) fn dominates(&self, layout: Layout, row: &[u64], other: &[u64]) -> bool {
        let (mine, theirs) = (layout.mask(row), layout.mask(other));
        let bits =
            |i: usize| (theirs[i] & !mine[i] & self.free[i]) | (mine[i] & !theirs[i] & self.optional[i]);
        let mut counts = layout.counts(row).iter().zip(layout.counts(other));
        let no_more = |(&mine, &theirs): (&u64, &u64)| {
            let (mine, theirs) = (halves(mine), halves(theirs));
            mine[0] <= theirs[0] && mine[1] <= theirs[1]
        };
        (0..layout.mask).all(|i| bits(i) == 0) && counts.all(no_more)
    }
}
