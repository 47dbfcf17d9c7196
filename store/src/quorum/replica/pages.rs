//! Reading many rows: ranges for queries and scans, and what the background work compares.
//!
//! What is durable lies in the tables and, above them, in memory; a range shows both as one, hints
//! included, since a stand-in has nothing else to answer with.

use std::collections::BTreeMap;
use std::io;
use std::ops::{Bound, ControlFlow};
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::log::{Change, decode};
use super::{GROUP, Replica, Row};
use crate::engine::{Direction, GroupRead, GroupRows, KeyRange as Rows};
use crate::item::key::{KeyRange, is_void};
use crate::item::size::item_size;
use crate::quorum::catalogue::TableId;
use crate::quorum::hints::{HintKey, Key};
use crate::quorum::merkle::{Tree, leaf_of};
use crate::quorum::ring::PartitionId;
use crate::quorum::version::State;

/// The limits of a page.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// In ascending order of keys, else descending.
    pub forward: bool,
    /// The most rows.
    pub rows: usize,
    /// The most bytes of items; one row is always given.
    pub bytes: usize,
}

/// States of keys, in the order asked for.
pub type States = Vec<(Key, State)>;

impl Replica {
    /// The durable states in a range, hints merged in, and whether the page ended before the range.
    ///
    /// # Errors
    /// The tables cannot be read.
    pub fn page(&self, table: TableId, range: &KeyRange, limits: Limits) -> io::Result<(States, bool)> {
        if is_void(range) {
            return Ok((Vec::new(), false));
        }
        let (mut above, rows) = self.above(table, range, true)?;
        let mut page = Page { limits, found: Vec::new(), bytes: 0, full: false };
        let mut outcome = Ok(());
        let mut visit = |key: &[u8], value: &[u8]| {
            page.take_before(&mut above, key);
            let state = match above.remove(key) {
                Some(state) => state,
                None => match decode::<Row>(value) {
                    Ok(row) => row.state,
                    Err(error) => {
                        outcome = Err(error);
                        return ControlFlow::Break(());
                    }
                },
            };
            page.take(key.to_vec(), state);
            if page.full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let direction = if limits.forward { Direction::Forward } else { Direction::Backward };
        rows.scan(table, slices(range), direction, &mut visit)?;
        outcome?;
        while let Some((key, state)) = page.next_above(&mut above) {
            page.take(key, state);
        }
        Ok((page.found, page.full))
    }

    /// What lies above the tables in a range, and the tables as they were at the same moment.
    fn above(
        &self,
        table: TableId,
        range: &KeyRange,
        with_hints: bool,
    ) -> io::Result<(BTreeMap<Key, State>, GroupRead)> {
        let durable = self.inner.durable.load(Ordering::Acquire);
        let (mut above, hinted, rows) = {
            let live = self.inner.live.lock();
            let bound = |bound: &Bound<Key>| bound.as_ref().map(|key| (table, key.clone()));
            let low = if range.0 == Bound::Unbounded {
                Bound::Included((table, Key::new()))
            } else {
                bound(&range.0)
            };
            let high = bound(&range.1);
            let recent = live.recent.range((low, Bound::Unbounded));
            let recent = recent.take_while(|(at, _)| at.0 == table && is_below(&at.1, &high));
            let above: BTreeMap<Key, State> = recent
                .filter_map(|((_, key), recent)| {
                    let (_, row) = recent.iter().rev().find(|(at, _)| *at < durable)?;
                    Some((key.clone(), row.as_ref().map(|row| row.state.clone()).unwrap_or_default()))
                })
                .collect();
            let hinted = live.index.hints.keys_of(table).filter(|key| with_hints && contains(range, key));
            let hinted: Vec<Key> = hinted.cloned().collect();
            (above, hinted, self.inner.engine.read(GROUP)?)
        };
        for key in hinted {
            let state = self.look(table, &key)?;
            above.insert(key, state);
        }
        Ok((above, rows))
    }

    /// The keys in some leaves of a partition's tree, with their digests.
    ///
    /// # Errors
    /// The tables cannot be read.
    pub fn digests(
        &self,
        table: TableId,
        partition: PartitionId,
        leaves: &[usize],
    ) -> io::Result<BTreeMap<Key, u64>> {
        let (range, mut found) = (self.range_of(partition), BTreeMap::new());
        let (above, rows) = self.above(table, &range, false)?;
        let wanted = |key: &[u8]| leaves.contains(&leaf_of(key));
        let mut outcome = Ok(());
        let mut visit = |key: &[u8], value: &[u8]| {
            if !wanted(key) || above.contains_key(key) {
                return ControlFlow::Continue(());
            }
            match decode::<Row>(value) {
                Ok(row) => {
                    found.insert(key.to_vec(), row.state.digest());
                    ControlFlow::Continue(())
                }
                Err(error) => {
                    outcome = Err(error);
                    ControlFlow::Break(())
                }
            }
        };
        rows.scan(table, slices(&range), Direction::Forward, &mut visit)?;
        outcome?;
        let above = above.into_iter().filter(|(key, state)| wanted(key) && !state.is_empty());
        found.extend(above.map(|(key, state)| (key, state.digest())));
        Ok(found)
    }

    /// The storage keys of a ring partition.
    #[must_use]
    pub fn range_of(&self, partition: PartitionId) -> KeyRange {
        let (first, end) = self.inner.ring.hashes(partition);
        let end = end.map_or(Bound::Unbounded, |end| Bound::Excluded(end.to_be_bytes().to_vec()));
        (Bound::Included(first.to_be_bytes().to_vec()), end)
    }

    /// How many rows there are, those with nothing but tombstones among them.
    #[must_use]
    pub fn keys(&self) -> u64 {
        self.inner.live.lock().index.keys.values().sum()
    }

    /// The roots of all trees that are not empty.
    #[must_use]
    pub fn roots(&self) -> BTreeMap<(TableId, PartitionId), u64> {
        let live = self.inner.live.lock();
        let trees = live.index.trees().filter(|(_, _, tree)| tree.root() != 0);
        trees.map(|(table, partition, tree)| ((table, partition), tree.root())).collect()
    }

    /// Looks at the tree of a partition.
    pub fn tree<T>(&self, table: TableId, partition: PartitionId, look: impl FnOnce(&Tree) -> T) -> T {
        let live = self.inner.live.lock();
        match live.index.tree(table, partition) {
            Some(tree) => look(tree),
            None => look(&Tree::default()),
        }
    }

    /// The keys that have been nothing but tombstones for longer than `age`.
    #[must_use]
    pub fn graves(&self, age: Duration) -> Vec<(TableId, Key)> {
        self.inner.live.lock().index.graves(age, self.inner.world.clock.now())
    }

    /// Whether this node's row of a key is durably the state of this digest, nothing but tombstones for
    /// longer than `age`, and whether no hint for the key waits here.
    ///
    /// # Errors
    /// The tables cannot be read.
    pub fn is_settled(&self, table: TableId, key: &[u8], digest: u64, age: Duration) -> io::Result<bool> {
        let row = self.row(table, key)?;
        let live = self.inner.live.lock();
        let old =
            live.index.grave_age(table, key, self.inner.world.clock.now()).is_some_and(|found| found >= age);
        Ok(old && row.is_grave() && row.digest() == digest && live.index.hints.of_key(table, key).is_empty())
    }

    /// Whether this node has neither a row nor a hint for a key.
    ///
    /// # Errors
    /// The tables cannot be read.
    pub fn has_nothing(&self, table: TableId, key: &[u8]) -> io::Result<bool> {
        let live = self.inner.live.lock();
        let none = self.inner.latest(&live, table, key)?.is_none();
        Ok(none && live.index.hints.of_key(table, key).is_empty())
    }

    /// Removes a row that is still the state of this digest and that no hint waits for; a buried one is
    /// remembered for a while. Says whether it went.
    ///
    /// # Errors
    /// The tables cannot be read.
    pub fn remove(&self, table: TableId, key: &[u8], digest: u64, bury: bool) -> io::Result<bool> {
        let mut live = self.inner.live.lock();
        let found = self.inner.latest(&live, table, key)?;
        let Some(row) = found.filter(|row| row.state.digest() == digest) else { return Ok(false) };
        if (bury && !row.state.is_grave()) || !live.index.hints.of_key(table, key).is_empty() {
            return Ok(false);
        }
        self.inner.commit(&mut live, vec![Change::Remove { table, key: key.to_vec() }])?;
        if bury {
            live.index.bury(table, key, row.state.clone(), self.inner.world.clock.now());
        }
        Ok(true)
    }

    /// Forgets the keys that were buried longer ago than `age`.
    pub fn forget_buried(&self, age: Duration) {
        self.inner.live.lock().index.forget_buried(age, self.inner.world.clock.now());
    }

    /// The hints that have waited longer than `age`, with their digests.
    ///
    /// # Errors
    /// The tables cannot be read.
    pub fn expired_hints(&self, age: Duration) -> io::Result<Vec<(HintKey, u64)>> {
        let expired = self.inner.live.lock().index.hints.expired(self.inner.world.clock.now(), age);
        expired
            .into_iter()
            .map(|hint| {
                let digest = self.row(crate::quorum::hints::HINTS, &hint.to_bytes())?.digest();
                Ok((hint, digest))
            })
            .collect()
    }
}

/// A page on its way.
struct Page {
    limits: Limits,
    found: States,
    bytes: usize,
    full: bool,
}

impl Page {
    fn take(&mut self, key: Key, state: State) {
        if self.full || state.is_empty() {
            return;
        }
        let size = state.shown().and_then(|shown| shown.value.as_ref()).map_or(0, item_size);
        if !self.found.is_empty()
            && (self.found.len() >= self.limits.rows || self.bytes + size > self.limits.bytes)
        {
            self.full = true;
            return;
        }
        self.bytes += size;
        self.found.push((key, state));
    }

    /// Takes what comes before `key` in the page's direction.
    fn take_before(&mut self, above: &mut BTreeMap<Key, State>, key: &[u8]) {
        while !self.full {
            let next = if self.limits.forward { above.first_key_value() } else { above.last_key_value() };
            let comes_first =
                |next: &Key| if self.limits.forward { next.as_slice() < key } else { next.as_slice() > key };
            if !next.is_some_and(|(next, _)| comes_first(next)) {
                return;
            }
            if let Some((key, state)) = self.next_above(above) {
                self.take(key, state);
            }
        }
    }

    fn next_above(&self, above: &mut BTreeMap<Key, State>) -> Option<(Key, State)> {
        if self.full {
            None
        } else if self.limits.forward {
            above.pop_first()
        } else {
            above.pop_last()
        }
    }
}

fn slices(range: &KeyRange) -> Rows<'_> {
    Rows { start: range.0.as_ref().map(Vec::as_slice), end: range.1.as_ref().map(Vec::as_slice) }
}

fn is_below(key: &Key, high: &Bound<(TableId, Key)>) -> bool {
    match high {
        Bound::Included((_, high)) => key <= high,
        Bound::Excluded((_, high)) => key < high,
        Bound::Unbounded => true,
    }
}

fn contains(range: &KeyRange, key: &Key) -> bool {
    std::ops::RangeBounds::contains(range, key)
}
