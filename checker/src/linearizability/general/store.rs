//! Sets of configurations without dominated ones.

use super::hash::{Index, mix};
use super::row::{self, Layout, Roles};

const NONE: u32 = u32::MAX;

/// A set of rows in which none dominates another, in order of arrival.
#[derive(Debug)]
pub(super) struct Store {
    layout: Layout,
    rows: Vec<u64>,
    /// The next row of the same state and contested jobs; and whether the row is still undominated.
    entries: Vec<(u32, bool)>,
    /// The first of them.
    heads: Index,
    alive: usize,
}

impl Store {
    pub(super) fn new(layout: Layout) -> Self {
        Self { layout, rows: Vec::new(), entries: Vec::new(), heads: Index::default(), alive: 0 }
    }

    /// Empties the set, for rows of this layout.
    pub(super) fn reset(&mut self, layout: Layout) {
        self.layout = layout;
        self.rows.clear();
        self.entries.clear();
        self.heads.clear();
        self.alive = 0;
    }

    /// Adds a row unless one that is at least as good is there. Says at which place.
    pub(super) fn insert(&mut self, row: &[u64], roles: &Roles) -> Option<usize> {
        let (layout, rows) = (self.layout, &self.rows);
        let row_at = |at: u32| &rows[at as usize * layout.stride()..][..layout.stride()];
        self.heads.reserve(|at| hash_of_key(layout, row_at(at), roles));
        let (place, head) =
            self.heads.find(hash_of_key(layout, row, roles), |at| same_key(layout, row_at(at), row, roles));
        let mut at = head.unwrap_or(NONE);
        while at != NONE {
            let (next, alive) = self.entries[at as usize];
            if alive {
                if roles.dominates(layout, row_at(at), row) {
                    return None;
                }
                if roles.dominates(layout, row, row_at(at)) {
                    self.entries[at as usize].1 = false;
                    self.alive -= 1;
                }
            }
            at = next;
        }
        let new = self.entries.len();
        self.heads.set(place, u32::try_from(new).unwrap_or(NONE));
        self.entries.push((head.unwrap_or(NONE), true));
        self.rows.extend_from_slice(row);
        self.alive += 1;
        Some(new)
    }

    /// The row that arrived at this place.
    pub(super) fn row(&self, at: usize) -> &[u64] {
        &self.rows[at * self.layout.stride()..][..self.layout.stride()]
    }

    /// Sets the first word of a row: a change of its way.
    pub(super) fn set_head(&mut self, at: usize, head: u64) {
        self.rows[at * self.layout.stride()] = head;
    }

    /// Whether the row at this place is still undominated.
    pub(super) fn is_alive(&self, at: usize) -> bool {
        self.entries[at].1
    }

    /// How many rows are held, dominated ones included.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many rows are undominated.
    pub(super) fn alive(&self) -> usize {
        self.alive
    }

    /// All undominated rows, in order of arrival.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u64]> {
        let rows = self.rows.chunks_exact(self.layout.stride());
        rows.zip(&self.entries).filter_map(|(row, &(_, alive))| alive.then_some(row))
    }

    /// Bytes of rows and their entries.
    pub(super) fn bytes(&self) -> u64 {
        let each = self.layout.stride() * size_of::<u64>() + size_of::<(u32, bool)>() + 2 * size_of::<u64>();
        (self.entries.len() * each) as u64
    }
}

/// The hash of what must be the same for one row to dominate another.
fn hash_of_key(layout: Layout, row: &[u64], roles: &Roles) -> u64 {
    let bits = layout.mask(row).iter().zip(&roles.contested).map(|(mask, contested)| mask & contested);
    bits.fold(mix(0, u64::from(row::state(row))), mix)
}

fn same_key(layout: Layout, one: &[u64], other: &[u64], roles: &Roles) -> bool {
    let differs = |i: usize| (layout.mask(one)[i] ^ layout.mask(other)[i]) & roles.contested[i] != 0;
    row::state(one) == row::state(other) && !(0..layout.mask).any(differs)
}
