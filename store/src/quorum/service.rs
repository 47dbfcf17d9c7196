//! What a node of the quorum style answers its peers.
//!
//! What is said to be kept is on disk; what is shown was before.

use std::io;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::catalogue::TableId;
use super::hints::Key;
use super::replica::Limits;
use super::ring::PartitionId;
use super::store::QuorumStore;
use super::version::State;
use super::wire::{Answer, Keyed, Request, encode};
use crate::peer::Service;

/// What a node's disk says, and what it means for who asked.
fn failed(error: impl std::fmt::Display) -> Answer {
    Answer::Failed(error.to_string())
}

#[async_trait]
impl Service for QuorumStore {
    async fn answer(&self, from: &str, request: Bytes) -> Option<Bytes> {
        let answer = match postcard::from_bytes(&request) {
            Ok(request) => self.answer_request(from, request).await.unwrap_or_else(failed),
            Err(error) => Answer::Refused(format!("a request that cannot be read: {error}")),
        };
        match encode(&answer) {
            Ok(answer) => Some(answer),
            Err(error) => {
                tracing::error!(%error, "an answer that cannot be written");
                None
            }
        }
    }
}

impl QuorumStore {
    async fn answer_request(&self, from: &str, request: Request) -> io::Result<Answer> {
        let replica = &self.inner.replica;
        Ok(match request {
            Request::Gossip(message) => {
                self.inner.membership.hear(&message);
                Answer::Done
            }
            Request::Keep { table, key, state, hint_for } => {
                self.keep(table, &key, &state, hint_for.as_deref()).await?;
                Answer::Done
            }
            Request::Fetch { table, key } => Answer::State(replica.look(table, &key)?),
            Request::Coordinate { within_ms, entry, mutation, ask } => {
                let within = Duration::from_millis(u64::from(within_ms));
                replica.merge_table(entry.clone())?;
                Answer::Coordinated(Box::new(self.coordinate(&entry, *mutation, &ask, within).await))
            }
            Request::Tables(entries) => {
                let mut durable = Vec::new();
                for entry in entries {
                    durable.push(replica.merge_table(entry)?.1);
                }
                for durable in durable {
                    durable.wait().await?;
                }
                Answer::Tables(replica.tables(|tables| tables.entries().cloned().collect()))
            }
            Request::Page { table, range, forward, rows, bytes } => {
                let (rows, more) = replica.page(table, &range, Limits { forward, rows, bytes })?;
                Answer::Rows(rows, more)
            }
            Request::Roots(roots) => Answer::Differing(self.differing(&roots)),
            Request::Leaves { table, partition, branches } => {
                Answer::Leaves(replica.tree(table, partition, |tree| {
                    branches.into_iter().map(|branch| (branch, tree.leaves(branch).to_vec())).collect()
                }))
            }
            Request::Digests { table, partition, leaves } => {
                Answer::Digests(replica.digests(table, partition, &leaves)?.into_iter().collect())
            }
            Request::Exchange { table, rows } => Answer::Rows(self.exchange_rows(table, rows).await?, false),
            Request::Confirm(graves) => Answer::Confirmed(self.confirm(&graves)?),
            Request::Bury(graves) => {
                tracing::debug!(from, keys = graves.len(), "tombstones go");
                self.bury(&graves)?;
                Answer::Done
            }
            Request::Repair { table, key, state } => {
                replica.repair(table, &key, &state)?.wait().await?;
                Answer::Done
            }
        })
    }

    /// Merges a state into a row or a hint, and returns when it is on disk.
    async fn keep(
        &self,
        table: TableId,
        key: &[u8],
        state: &State,
        hint_for: Option<&str>,
    ) -> io::Result<()> {
        let durable = match hint_for {
            // Its own row is what a node needs no hint for.
            Some(node) if node != self.inner.me => self.inner.replica.hint(node, table, key, state)?,
            _ => self.inner.replica.merge(table, key, state)?.1,
        };
        durable.wait().await
    }

    /// The inner numbers of the trees that are not as the sender's roots say.
    fn differing(&self, roots: &[(TableId, PartitionId, u64)]) -> Vec<(TableId, PartitionId, Vec<u64>)> {
        let own = self.inner.replica.roots();
        let differ = roots
            .iter()
            .filter(|(table, partition, root)| own.get(&(*table, *partition)).copied().unwrap_or(0) != *root);
        let inner =
            |table, partition| self.inner.replica.tree(table, partition, |tree| tree.inner().to_vec());
        differ.map(|(table, partition, _)| (*table, *partition, inner(*table, *partition))).collect()
    }

    /// Merges states, and returns what is here then where the sender has something else.
    async fn exchange_rows(&self, table: TableId, rows: Vec<Keyed>) -> io::Result<Vec<Keyed>> {
        let mut durable = Vec::new();
        let mut sent: Vec<(Key, u64)> = Vec::new();
        for (key, state) in rows {
            durable.push(self.inner.replica.merge(table, &key, &state)?.1);
            sent.push((key, state.digest()));
        }
        for durable in durable {
            durable.wait().await?;
        }
        let mut differing = Vec::new();
        for (key, digest) in sent {
            let state = self.inner.replica.row(table, &key)?;
            if state.digest() != digest {
                differing.push((key, state));
            }
        }
        Ok(differing)
    }
}
