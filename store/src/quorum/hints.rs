//! What a node keeps for others until it can hand it over.
//!
//! A hint is a key's state, kept under the name of the node that should have it, in rows of its own
//! beside the tables (Dynamo's hinted handoff). It is durable before it counts, goes when its owner has
//! the state, and is given up after a while: an owner that stays away longer is brought up to date by
//! anti-entropy. This module names the rows and keeps the list of them; [`super::replica`] stores them
//! and [`super::handoff`] delivers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::catalogue::TableId;
use crate::world::Mono;

/// The engine's table that hints are rows of.
pub(super) const HINTS: TableId = 1;

/// A key of a table: its storage key.
pub type Key = Vec<u8>;

/// Whose hint for what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HintKey {
    /// The owner that should have it.
    pub node: String,
    /// The table.
    pub table: TableId,
    /// The item's storage key.
    pub key: Key,
}

impl HintKey {
    /// The hint's own storage key.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        // Strings, numbers and bytes always encode.
        postcard::to_stdvec(self).unwrap_or_default()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        postcard::from_bytes(bytes).ok()
    }
}

/// Which hints there are, and since when.
#[derive(Debug, Default)]
pub(super) struct HintList {
    by_node: BTreeMap<String, BTreeMap<(TableId, Key), Mono>>,
    by_key: BTreeMap<(TableId, Key), BTreeSet<String>>,
}

impl HintList {
    /// Notes a hint; one that is there keeps its age.
    pub(super) fn insert(&mut self, hint: &HintKey, now: Mono) {
        let key = (hint.table, hint.key.clone());
        self.by_node.entry(hint.node.clone()).or_default().entry(key.clone()).or_insert(now);
        self.by_key.entry(key).or_default().insert(hint.node.clone());
    }

    pub(super) fn remove(&mut self, hint: &HintKey) {
        let key = (hint.table, hint.key.clone());
        if let Some(keys) = self.by_node.get_mut(&hint.node) {
            keys.remove(&key);
            if keys.is_empty() {
                self.by_node.remove(&hint.node);
            }
        }
        if let Some(nodes) = self.by_key.get_mut(&key) {
            nodes.remove(&hint.node);
            if nodes.is_empty() {
                self.by_key.remove(&key);
            }
        }
    }

    /// The nodes that hints are kept for, and how many.
    pub(super) fn nodes(&self) -> BTreeMap<String, usize> {
        self.by_node.iter().map(|(node, keys)| (node.clone(), keys.len())).collect()
    }

    /// Up to `limit` hints for a node.
    pub(super) fn of_node(&self, node: &str, limit: usize) -> Vec<HintKey> {
        let keys = self.by_node.get(node).into_iter().flat_map(BTreeMap::keys).take(limit);
        keys.map(|(table, key)| HintKey { node: node.to_owned(), table: *table, key: key.clone() }).collect()
    }

    /// The hints for a key, whosever they are.
    pub(super) fn of_key(&self, table: TableId, key: &[u8]) -> Vec<HintKey> {
        let nodes = self.by_key.get(&(table, key.to_vec())).into_iter().flatten();
        nodes.map(|node| HintKey { node: node.clone(), table, key: key.to_vec() }).collect()
    }

    /// The keys of a table that there are hints for, in order.
    pub(super) fn keys_of(&self, table: TableId) -> impl Iterator<Item = &Key> {
        self.by_key
            .range((table, Vec::new())..)
            .take_while(move |((at, _), _)| *at == table)
            .map(|((_, key), _)| key)
    }

    /// The hints of a table.
    pub(super) fn of_table(&self, table: TableId) -> Vec<HintKey> {
        self.keys_of(table).flat_map(|key| self.of_key(table, key)).collect()
    }

    /// The hints that are older than `age`.
    pub(super) fn expired(&self, now: Mono, age: Duration) -> Vec<HintKey> {
        let all = self
            .by_node
            .iter()
            .flat_map(|(node, keys)| keys.iter().map(move |(key, since)| (node, key, *since)));
        all.filter(|(_, _, since)| now.saturating_since(*since) > age)
            .map(|(node, (table, key), _)| HintKey { node: node.clone(), table: *table, key: key.clone() })
            .collect()
    }
}
