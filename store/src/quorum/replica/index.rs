//! What a node remembers about its rows beside them: trees over them, graves, hints, and the keys that
//! it buried not long ago.
//!
//! All of it is in memory, follows every change, and is built again at a start, but for the buried keys:
//! they are a second guard against a message from before the burial, and such a message does not outlive
//! the connections of a node that restarted.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Row;
use crate::quorum::catalogue::TableId;
use crate::quorum::hints::{HINTS, HintKey, HintList, Key};
use crate::quorum::merkle::Tree;
use crate::quorum::ring::{PartitionId, Ring};
use crate::quorum::version::{Resolve, Rules, State};
use crate::world::Mono;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) hints: HintList,
    /// How many rows there are.
    pub(super) keys: BTreeMap<TableId, u64>,
    trees: BTreeMap<(TableId, PartitionId), Tree>,
    /// The rows that are nothing but tombstones, and when they last changed.
    graves: BTreeMap<(TableId, Key), Mono>,
    buried: BTreeMap<(TableId, Key), (State, Mono)>,
}

/// The place of a storage key in the hash space.
pub(in crate::quorum) fn hash_of(key: &[u8]) -> u64 {
    key.first_chunk().map_or(0, |hash| u64::from_be_bytes(*hash))
}

impl Index {
    /// Follows a change of a row or of a hint.
    pub(super) fn change(
        &mut self,
        ring: &Ring,
        table: TableId,
        key: &[u8],
        before: Option<&Row>,
        after: Option<&Row>,
        now: Mono,
    ) {
        if table == HINTS {
            match (HintKey::from_bytes(key), after) {
                (Some(hint), Some(_)) => self.hints.insert(&hint, now),
                (Some(hint), None) => self.hints.remove(&hint),
                (None, _) => {}
            }
            return;
        }
        let digest = |row: Option<&Row>| row.map(|row| row.state.digest());
        let tree = self.trees.entry((table, ring.partition_of(hash_of(key)))).or_default();
        tree.change(key, digest(before), digest(after));
        let keys = self.keys.entry(table).or_default();
        *keys = (*keys + u64::from(after.is_some())).saturating_sub(u64::from(before.is_some()));
        let at = (table, key.to_vec());
        if after.is_some() {
            self.buried.remove(&at);
        }
        if after.is_some_and(|row| row.state.is_grave()) {
            self.graves.insert(at, now);
        } else {
            self.graves.remove(&at);
        }
    }

    /// Forgets a table.
    pub(super) fn drop_table(&mut self, table: TableId) {
        self.keys.remove(&table);
        self.trees.retain(|(at, _), _| *at != table);
        self.graves.retain(|(at, _), _| *at != table);
        self.buried.retain(|(at, _), _| *at != table);
    }

    /// The tree of a partition, if there was ever anything in it.
    pub(super) fn tree(&self, table: TableId, partition: PartitionId) -> Option<&Tree> {
        self.trees.get(&(table, partition))
    }

    /// The partitions that have trees.
    pub(super) fn trees(&self) -> impl Iterator<Item = (TableId, PartitionId, &Tree)> {
        self.trees.iter().map(|((table, partition), tree)| (*table, *partition, tree))
    }

    /// For how long a key has been nothing but tombstones, if it is.
    pub(super) fn grave_age(&self, table: TableId, key: &[u8], now: Mono) -> Option<Duration> {
        self.graves.get(&(table, key.to_vec())).map(|since| now.saturating_since(*since))
    }

    /// The graves that are older than `age`.
    pub(super) fn graves(&self, age: Duration, now: Mono) -> Vec<(TableId, Key)> {
        let old = self.graves.iter().filter(|(_, since)| now.saturating_since(**since) >= age);
        old.map(|(at, _)| at.clone()).collect()
    }

    /// Remembers a key that is about to be removed.
    pub(super) fn bury(&mut self, table: TableId, key: &[u8], state: State, now: Mono) {
        self.buried.insert((table, key.to_vec()), (state, now));
    }

    /// Forgets what was buried longer ago than `age`.
    pub(super) fn forget_buried(&mut self, age: Duration, now: Mono) {
        self.buried.retain(|_, (_, since)| now.saturating_since(*since) < age);
    }

    /// What a key without a row begins with: what is still known of it from before its burial.
    pub(super) fn buried_row(&self, rules: Rules, table: TableId, key: &[u8]) -> Row {
        let state =
            self.buried.get(&(table, key.to_vec())).map(|(state, _)| state.clone()).unwrap_or_default();
        let state = match rules.resolve {
            Resolve::Siblings => State { versions: Vec::new(), ..state },
            Resolve::Lww => state,
        };
        Row { own: None, state }
    }
}
