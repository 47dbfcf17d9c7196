//! Handing hints over to the nodes that they are for, as soon as these can be reached.
//!
//! A hint goes when its owner has said that the state is on its disk, and only if nothing was merged
//! into the hint meanwhile. One that nobody could take for too long is given up.

use std::collections::BTreeMap;
use std::time::Duration;

use super::catalogue::TableId;
use super::hints::HintKey;
use super::store::QuorumStore;
use super::version::State;
use super::wire::{Answer, Request};
use crate::bugs::Bug;

/// How often hints are looked at.
const EVERY: Duration = Duration::from_millis(200);

/// How many hints go at once.
const BATCH: usize = 128;

/// How long a node may take to put a batch on its disk.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

impl QuorumStore {
    /// Hands hints over, for as long as it is polled.
    pub(super) async fn hand_over(&self) {
        loop {
            self.inner.world.clock.sleep(EVERY).await;
            for node in self.inner.replica.hint_counts().into_keys() {
                if let Err(reason) = self.hand_over_to(&node).await {
                    tracing::debug!(node, reason, "hints wait");
                }
            }
            if let Err(error) = self.expire() {
                tracing::warn!(%error, "old hints stay");
            }
        }
    }

    async fn hand_over_to(&self, node: &str) -> Result<(), String> {
        if self.has(Bug::NeverHandsBack) {
            return Ok(());
        }
        let receiver = if self.has(Bug::HintToWrongNode) { self.anybody_but(node) } else { node };
        while self.is_up(node) {
            let hints = self.inner.replica.hints_for(node, BATCH).map_err(|error| error.to_string())?;
            if hints.is_empty() {
                return Ok(());
            }
            let mut by_table: BTreeMap<TableId, Vec<(HintKey, State)>> = BTreeMap::new();
            for (hint, state) in hints {
                by_table.entry(hint.table).or_default().push((hint, state));
            }
            for (table, hints) in by_table {
                let rows = hints.iter().map(|(hint, state)| (hint.key.clone(), state.clone())).collect();
                let request = Request::Exchange { table, rows };
                match self.inner.peers.ask_in_background(receiver, &request, PATIENCE).await {
                    Ok(Answer::Rows(..)) => {}
                    Ok(odd) => return Err(super::peers::odd(&odd).to_string()),
                    Err(error) => return Err(error.to_string()),
                }
                let delivered: Vec<_> =
                    hints.into_iter().map(|(hint, state)| (hint, state.digest())).collect();
                self.inner.replica.drop_hints(&delivered).map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }

    /// The planted bug `hint-to-wrong-node`: the next node by name, if there is one.
    fn anybody_but<'a>(&'a self, node: &'a str) -> &'a str {
        let mut others = self.inner.peers.names().filter(|other| *other != node);
        let first = others.clone().next();
        others.find(|other| *other > node).or(first).unwrap_or(node)
    }

    fn expire(&self) -> std::io::Result<()> {
        let expired = self.inner.replica.expired_hints(self.inner.options.hint_expiry)?;
        if !expired.is_empty() {
            tracing::warn!(hints = expired.len(), "hints were given up: their owners stayed away too long");
            self.inner.replica.drop_hints(&expired)?;
        }
        Ok(())
    }
}
