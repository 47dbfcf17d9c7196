//! Sets of open operations, as bits. An operation holds a bit from its call to its return; then the bit is
//! used again, so the width follows concurrency, not the length of the history.

/// A set of up to `64 * W` slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Mask<const W: usize>([u64; W]);

impl<const W: usize> Mask<W> {
    pub(super) const EMPTY: Self = Self([0; W]);

    pub(super) fn has(&self, slot: usize) -> bool {
        self.0[slot / 64] >> (slot % 64) & 1 == 1
    }

    pub(super) fn insert(&mut self, slot: usize) {
        self.0[slot / 64] |= 1 << (slot % 64);
    }

    pub(super) fn remove(&mut self, slot: usize) {
        self.0[slot / 64] &= !(1 << (slot % 64));
    }

    /// What both hold.
    pub(super) fn and(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] & other.0[i]))
    }

    /// Whether every slot of this set that is in `among` is in the other too.
    pub(super) fn within(&self, other: &Self, among: &Self) -> bool {
        (0..W).all(|i| self.0[i] & among.0[i] & !other.0[i] == 0)
    }
}
