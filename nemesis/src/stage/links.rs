//! Holds on links: what is cut is what any fault cuts; what is slow is as slow as the slowest fault asks.

use std::collections::BTreeMap;

use super::{Capability, FaultId, Stage};
use crate::cluster::{ClusterError, Grudge, Network};
use crate::network::grudge::{directions, merge};

/// Who holds which directions.
#[derive(Debug, Default)]
pub(super) struct Links {
    cuts: BTreeMap<FaultId, Grudge>,
    delays: BTreeMap<FaultId, (Grudge, u64)>,
}

impl Links {
    pub(super) fn is_free(&self) -> bool {
        self.cuts.is_empty() && self.delays.is_empty()
    }

    async fn apply_cuts(&self, network: &dyn Network) -> Result<(), ClusterError> {
        network.set_grudge(&merge(self.cuts.values())).await
    }

    async fn apply_delays(&self, network: &dyn Network) -> Result<(), ClusterError> {
        let slowest = self.delays.values().map(|(_, ms)| *ms).max().unwrap_or(0);
        network.set_delay(&merge(self.delays.values().map(|(on, _)| on)), slowest).await
    }
}

impl Stage {
    fn network(&self) -> Result<&dyn Network, ClusterError> {
        let missing = || Self::missing("cut", "links", Capability::Network.name());
        self.cluster.network().ok_or_else(missing)
    }

    /// Cuts these directions, until [`Stage::uncut`].
    ///
    /// # Errors
    /// When a link could not be switched.
    pub async fn cut(&self, id: FaultId, grudge: &Grudge) -> Result<(), ClusterError> {
        let network = self.network()?;
        let mut links = self.links.lock().await;
        links.cuts.insert(id, grudge.clone());
        links.apply_cuts(network).await
    }

    /// Gives back what this fault cut.
    ///
    /// # Errors
    /// When a link could not be switched.
    pub async fn uncut(&self, id: FaultId) -> Result<(), ClusterError> {
        let mut links = self.links.lock().await;
        match links.cuts.remove(&id) {
            Some(_) => links.apply_cuts(self.network()?).await,
            None => Ok(()),
        }
    }

    /// Delays these directions, until [`Stage::speed_up`].
    ///
    /// # Errors
    /// When a link could not be switched.
    pub async fn slow(&self, id: FaultId, on: &Grudge, delay_ms: u64) -> Result<(), ClusterError> {
        let network = self.network()?;
        let mut links = self.links.lock().await;
        links.delays.insert(id, (on.clone(), delay_ms));
        links.apply_delays(network).await
    }

    /// Gives back what this fault delayed.
    ///
    /// # Errors
    /// When a link could not be switched.
    pub async fn speed_up(&self, id: FaultId) -> Result<(), ClusterError> {
        let mut links = self.links.lock().await;
        match links.delays.remove(&id) {
            Some(_) => links.apply_delays(self.network()?).await,
            None => Ok(()),
        }
    }

    pub(super) async fn release_links(&self) -> Result<(), ClusterError> {
        let mut links = self.links.lock().await;
        if links.is_free() {
            return Ok(());
        }
        *links = Links::default();
        links.apply_cuts(self.network()?).await?;
        links.apply_delays(self.network()?).await
    }

    /// The network's counters for these directions, and for connects in either direction of a cut pair:
    /// summed over the directions, per counter.
    #[must_use]
    pub fn counters(&self, on: &Grudge) -> BTreeMap<String, u64> {
        let all = self.cluster.network().map(Network::counters).unwrap_or_default();
        let mut sums = BTreeMap::new();
        let mut add = |direction: String, wanted: &dyn Fn(&str) -> bool| {
            for (name, n) in all.get(&direction).into_iter().flatten().filter(|(name, _)| wanted(name)) {
                *sums.entry(name.clone()).or_default() += n;
            }
        };
        for (from, to) in directions(on) {
            add(format!("{from}->{to}"), &|_| true);
            // A connect needs both directions, and is counted where it was tried.
            if !on.get(from).is_some_and(|cut| cut.contains(to)) {
                add(format!("{to}->{from}"), &|name| name == "connects_held");
            }
        }
        sums
    }
}
