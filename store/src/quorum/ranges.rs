//! Queries and scans: pages of rows from R nodes of a partition, merged key by key.
//!
//! A node's page may end before another's. Only what lies before the first such end is known from all
//! that answered, so the merge goes that far and asks again from there. Tombstones are merged like
//! everything else and then left out.

use std::collections::BTreeMap;
use std::ops::Bound;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::catalogue::TableId;
use super::hints::Key;
use super::replica::{Limits, States};
use super::ring::PartitionId;
use super::store::QuorumStore;
use super::version::State;
use super::wire::{Answer, Request};
use crate::api::backend::BackendError;
use crate::item::Item;
use crate::item::key::{KeyRange, is_void};
use crate::item::size::item_size;

/// The fewest rows that are asked for at once: some may turn out to be tombstones.
const FEWEST: usize = 64;
/// The most rows that are asked for at once.
const MOST: usize = 4096;

/// What to read, and how much of it.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) table: TableId,
    pub(super) forward: bool,
    pub(super) max_items: usize,
    pub(super) max_bytes: usize,
    /// How many nodes must answer.
    pub(super) r: usize,
}

impl QuorumStore {
    /// The next items of a range that lies in one partition, and whether the page is full.
    pub(super) async fn range(
        &self,
        partition: PartitionId,
        mut range: KeyRange,
        wanted: &Wanted,
    ) -> Result<(Vec<Item>, bool), BackendError> {
        let (mut items, mut bytes) = (Vec::new(), 0);
        while !is_void(&range) {
            if items.len() >= wanted.max_items {
                return Ok((items, true));
            }
            let answers = self.pages(partition, &range, wanted, wanted.max_items - items.len()).await?;
            let (merged, horizon) = self.merge_pages(answers, wanted.forward);
            for (_, state) in merged {
                let Some(item) = state.shown().and_then(|version| version.value.clone()) else { continue };
                bytes += item_size(&item);
                if items.len() >= wanted.max_items || (!items.is_empty() && bytes > wanted.max_bytes) {
                    return Ok((items, true));
                }
                items.push(item);
            }
            let Some(horizon) = horizon else { break };
            if wanted.forward {
                range.0 = Bound::Excluded(horizon);
            } else {
                range.1 = Bound::Excluded(horizon);
            }
        }
        Ok((items, false))
    }

    /// Pages of the same range from R different nodes.
    async fn pages(
        &self,
        partition: PartitionId,
        range: &KeyRange,
        wanted: &Wanted,
        items: usize,
    ) -> Result<Vec<(States, bool)>, BackendError> {
        let (readers, spares) = self.readers(self.placement_of(partition));
        let limits =
            Limits { forward: wanted.forward, rows: items.clamp(FEWEST, MOST), bytes: wanted.max_bytes };
        let mut spares = spares.into_iter();
        let mut asked: FuturesUnordered<_> =
            readers.into_iter().map(|node| self.page_of(node, wanted.table, range, limits)).collect();
        let mut found = Vec::new();
        while let Some(page) = asked.next().await {
            match page {
                Some(page) => found.push(page),
                None => {
                    asked.extend(spares.next().map(|node| self.page_of(node, wanted.table, range, limits)));
                }
            }
            if found.len() >= wanted.r {
                return Ok(found);
            }
        }
        Err(BackendError::Unavailable(format!("{} of {} nodes answered in time", found.len(), wanted.r)))
    }

    async fn page_of(
        &self,
        node: String,
        table: TableId,
        range: &KeyRange,
        limits: Limits,
    ) -> Option<(States, bool)> {
        if node == self.inner.me {
            return self.inner.replica.page(table, range, limits).ok();
        }
        let Limits { forward, rows, bytes } = limits;
        let request = Request::Page { table, range: range.clone(), forward, rows, bytes };
        match self.inner.peers.ask(&node, &request, self.inner.options.request_timeout).await {
            Ok(Answer::Rows(rows, more)) => Some((rows, more)),
            _ => None,
        }
    }

    /// The merged rows in their order, as far as all pages go, and where that is if it is not the end.
    fn merge_pages(&self, pages: Vec<(States, bool)>, forward: bool) -> (Vec<(Key, State)>, Option<Key>) {
        let ends = pages.iter().filter(|(_, more)| *more).filter_map(|(rows, _)| rows.last());
        let ends = ends.map(|(key, _)| key.clone());
        let horizon = if forward { ends.min() } else { ends.max() };
        let rules = self.inner.replica.rules();
        let mut merged: BTreeMap<Key, State> = BTreeMap::new();
        for (key, state) in pages.into_iter().flat_map(|(rows, _)| rows) {
            let is_known = |horizon: &Key| if forward { key <= *horizon } else { key >= *horizon };
            if horizon.as_ref().is_none_or(is_known) {
                let known = merged.entry(key).or_default();
                *known = rules.sync(known, &state);
            }
        }
        let mut rows: Vec<_> = merged.into_iter().collect();
        if !forward {
            rows.reverse();
        }
        (rows, horizon)
    }
}
