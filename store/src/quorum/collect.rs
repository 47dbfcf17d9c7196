//! Burying keys that are nothing but tombstones, when nobody can bring back what they deleted.
//!
//! A tombstone may go when every owner has the same state, so that none of them has the deleted item any
//! more, when no node keeps a hint or a stray row for the key, and when that has been so for longer than
//! any message of before can be under way. The first owner of a partition asks *all* nodes; one that
//! does not answer, or says no, and the tombstone stays. It then tells the owners to bury it; each still
//! looks whether it has that state, and remembers for a while what it buried.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use super::handoff::PATIENCE;
use super::replica::States;
use super::store::QuorumStore;
use super::wire::{Answer, Grave, Request};
use crate::bugs::Bug;
use crate::quorum::placement::Placement;

/// How many keys are asked about at once.
const BATCH: usize = 512;

/// For how many request timeouts a buried key is remembered.
const MEMORY: u32 = 60;

impl QuorumStore {
    /// Buries what can be buried, for as long as it is polled.
    pub(super) async fn collect(&self) {
        loop {
            self.inner.world.clock.sleep(self.inner.options.tombstones_every).await;
            self.inner.replica.forget_buried(self.inner.options.request_timeout * MEMORY);
            if let Err(reason) = self.collect_once().await {
                tracing::debug!(reason, "tombstones stay");
            }
        }
    }

    /// How long a tombstone must have been as it is: no request from before is under way then.
    fn settling_time(&self) -> Duration {
        self.inner.options.request_timeout * 2
    }

    fn place_of(&self, key: &[u8]) -> Placement<'_> {
        self.placement(super::store::hash_of(key))
    }

    async fn collect_once(&self) -> Result<(), String> {
        let graves = self.own_graves().map_err(|error| error.to_string())?;
        for part in graves.chunks(BATCH) {
            let mut agreed = self.confirm(part).map_err(|error| error.to_string())?;
            for node in self.inner.peers.names() {
                if self.has(Bug::TombstoneCollectedEarly) && !self.is_up(node) {
                    continue;
                }
                match self
                    .inner
                    .peers
                    .ask_in_background(node, &Request::Confirm(part.to_vec()), PATIENCE)
                    .await
                {
                    Ok(Answer::Confirmed(theirs)) if theirs.len() == part.len() => {
                        agreed.iter_mut().zip(theirs).for_each(|(agreed, theirs)| *agreed &= theirs);
                    }
                    Ok(_) => return Err(format!("{node} gave an odd answer")),
                    Err(error) => return Err(error.to_string()),
                }
            }
            let settled =
                part.iter().zip(agreed).filter(|(_, agreed)| *agreed).map(|(grave, _)| grave.clone());
            self.bury_everywhere(settled.collect()).await?;
        }
        Ok(())
    }

    /// The old graves in partitions of which this node is the first owner.
    fn own_graves(&self) -> io::Result<Vec<Grave>> {
        let graves = self.inner.replica.graves(self.settling_time()).into_iter();
        let first = |key: &[u8]| self.place_of(key).owners.first() == Some(&self.inner.me);
        let own = graves.filter(|(_, key)| first(key)).map(|(table, key)| {
            let digest = self.inner.replica.row(table, &key)?.digest();
            Ok((table, key, digest))
        });
        own.collect()
    }

    /// Tells the owners to bury keys; who does not hear it keeps a tombstone and spreads it again.
    async fn bury_everywhere(&self, graves: Vec<Grave>) -> Result<(), String> {
        let mut by_node: BTreeMap<&str, Vec<Grave>> = BTreeMap::new();
        for grave in &graves {
            for owner in self.place_of(&grave.1).owners {
                by_node.entry(owner).or_default().push(grave.clone());
            }
        }
        for (node, graves) in by_node {
            if node == self.inner.me {
                self.bury(&graves).map_err(|error| error.to_string())?;
            } else if let Err(error) =
                self.inner.peers.ask_in_background(node, &Request::Bury(graves), PATIENCE).await
            {
                tracing::debug!(node, %error, "a node may not have heard of a burial");
            }
        }
        Ok(())
    }

    /// Whether keys may be buried as far as this node is concerned: an owner must have exactly that
    /// state, anybody else nothing at all.
    pub(super) fn confirm(&self, graves: &[Grave]) -> io::Result<Vec<bool>> {
        let confirmed = graves.iter().map(|(table, key, digest)| {
            if self.owns(self.place_of(key)) {
                self.inner.replica.is_settled(*table, key, *digest, self.settling_time())
            } else {
                self.inner.replica.has_nothing(*table, key)
            }
        });
        confirmed.collect()
    }

    /// Buries keys that everybody confirmed.
    pub(super) fn bury(&self, graves: &[Grave]) -> io::Result<()> {
        for (table, key, digest) in graves {
            self.inner.replica.remove(*table, key, *digest, true)?;
        }
        Ok(())
    }

    /// Only so that tests can see what is there: all rows of this node, tombstones too.
    #[must_use]
    pub fn rows(&self, table: &str) -> States {
        let Some(id) = self.inner.replica.tables(|tables| tables.live(table).map(|entry| entry.id)) else {
            return States::new();
        };
        let limits = super::replica::Limits { forward: true, rows: usize::MAX, bytes: usize::MAX };
        let all = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
        self.inner.replica.page(id, &all, limits).map(|(rows, _)| rows).unwrap_or_default()
    }
}
