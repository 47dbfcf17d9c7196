//! Links that swallow bytes. Evidence: bytes that were swallowed, connects that hung.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::json;

use super::aim::Aim;
use super::{Evidence, Fault, Injected, parse, with};
use crate::cluster::{CLIENTS, ClusterError, Grudge};
use crate::network::grudge::{complete, isolate, merge};
use crate::plan::PlannedFault;
use crate::stage::{Capability, FaultId, Stage};

pub(crate) const NAME: &str = "partition";

#[derive(Debug, Deserialize)]
struct Fields {
    grudge: Option<Grudge>,
    #[serde(default)]
    clients: bool,
}

pub(super) struct Partition {
    id: FaultId,
    aim: Aim,
    fields: Fields,
    before: BTreeMap<String, u64>,
    swallowed: BTreeMap<String, u64>,
    /// What is cut now.
    grudge: Option<Grudge>,
}

impl Partition {
    pub(super) fn new(id: FaultId, planned: &PlannedFault) -> Result<Self, String> {
        let (aim, fields): (Aim, Fields) = (Aim::new(planned)?, parse(planned)?);
        if fields.grudge.is_none() && !aim.is_role() {
            return Err("the detail of the partition has neither a grudge nor a role".to_owned());
        }
        let (before, swallowed) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self { id, aim, fields, before, swallowed, grudge: None })
    }

    /// What to cut, and how the plan should tell of it.
    async fn grudge(&self, stage: &Stage) -> Result<(Grudge, Injected), ClusterError> {
        if let (Some(grudge), false) = (&self.fields.grudge, self.aim.is_role()) {
            return Ok((grudge.clone(), self.aim.as_planned()));
        }
        let mut found = self.aim.find(stage).await?;
        let mut grudge = Grudge::new();
        for target in &found.targets {
            grudge = merge([&grudge, &isolate(target, &stage.cluster().nodes())]);
        }
        if self.fields.clients {
            grudge = merge([&grudge, &complete(&[&found.targets, &[CLIENTS.to_owned()]])]);
        }
        found.detail = with(&found.detail, "grudge", &grudge);
        Ok((grudge, found))
    }

    fn look(&mut self, stage: &Stage) {
        let Some(grudge) = &self.grudge else { return };
        for (name, now) in stage.counters(grudge) {
            let before = self.before.get(&name).copied().unwrap_or(0);
            self.swallowed.insert(name, now.saturating_sub(before));
        }
    }
}

#[async_trait]
impl Fault for Partition {
    fn name(&self) -> &'static str {
        NAME
    }

    fn heal_name(&self) -> &'static str {
        "heal-partition"
    }

    fn requirements(&self) -> &'static [Capability] {
        &[Capability::Network]
    }

    async fn inject(&mut self, stage: &Stage) -> Result<Injected, ClusterError> {
        let (grudge, found) = self.grudge(stage).await?;
        self.before = stage.counters(&grudge);
        self.grudge = Some(grudge.clone());
        stage.cut(self.id, &grudge).await?;
        Ok(found)
    }

    async fn evidence(&mut self, stage: &Stage) -> Evidence {
        self.look(stage);
        let [dropped, held] =
            ["bytes_dropped", "connects_held"].map(|name| self.swallowed.get(name).copied().unwrap_or(0));
        Evidence {
            shows: dropped + held > 0,
            value: json!({ "bytes_dropped": dropped, "connects_held": held }),
            missing: "no byte was sent, and no connect tried, in a cut direction",
        }
    }

    async fn heal(&mut self, stage: &Stage) -> Vec<ClusterError> {
        self.look(stage);
        self.grudge = None;
        stage.uncut(self.id).await.err().into_iter().collect()
    }
}
