//! Links that are slow. Evidence: bytes that were late.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::json;

use super::{Evidence, Fault, Injected, parse};
use crate::cluster::{ClusterError, Grudge, NodeName};
use crate::plan::PlannedFault;
use crate::stage::{Capability, FaultId, Stage};

pub(crate) const NAME: &str = "delay";

#[derive(Debug, Deserialize)]
struct Fields {
    links: Grudge,
    delay_ms: u64,
}

pub(super) struct Delay {
    id: FaultId,
    fields: Fields,
    targets: Vec<NodeName>,
    detail: serde_json::Value,
    before: u64,
    late: u64,
    in_force: bool,
}

impl Delay {
    pub(super) fn new(id: FaultId, planned: &PlannedFault) -> Result<Self, String> {
        let (targets, detail) = (planned.targets.clone(), planned.detail.clone());
        Ok(Self { id, fields: parse(planned)?, targets, detail, before: 0, late: 0, in_force: false })
    }

    fn count(&self, stage: &Stage) -> u64 {
        stage.counters(&self.fields.links).get("bytes_delayed").copied().unwrap_or(0)
    }

    fn look(&mut self, stage: &Stage) {
        if self.in_force {
            self.late = self.count(stage).saturating_sub(self.before);
        }
    }
}

#[async_trait]
impl Fault for Delay {
    fn name(&self) -> &'static str {
        NAME
    }

    fn heal_name(&self) -> &'static str {
        "heal-delay"
    }

    fn requirements(&self) -> &'static [Capability] {
        &[Capability::Network]
    }

    async fn inject(&mut self, stage: &Stage) -> Result<Injected, ClusterError> {
        self.before = self.count(stage);
        self.in_force = true;
        stage.slow(self.id, &self.fields.links, self.fields.delay_ms).await?;
        Ok(Injected { targets: self.targets.clone(), detail: self.detail.clone() })
    }

    async fn evidence(&mut self, stage: &Stage) -> Evidence {
        self.look(stage);
        Evidence {
            shows: self.late > 0,
            value: json!({ "bytes_delayed": self.late }),
            missing: "no byte was sent in a slow direction",
        }
    }

    async fn heal(&mut self, stage: &Stage) -> Vec<ClusterError> {
        self.look(stage);
        self.in_force = false;
        stage.speed_up(self.id).await.err().into_iter().collect()
    }
}
