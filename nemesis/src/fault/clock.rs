//! Clocks that jump or drift. Evidence: the node itself says that its wall clock is off by what it should
//! be.

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Evidence, Fault, Injected, parse};
use crate::clock::MAX_DRIFT_PPM;
use crate::cluster::{ClockSetting, ClusterError, NodeName};
use crate::plan::PlannedFault;
use crate::stage::{Capability, ClockReading, FaultId, Stage};

pub(crate) const NAME: &str = "clock";

#[derive(Debug, Deserialize)]
struct Fields {
    clocks: BTreeMap<NodeName, ClockSetting>,
}

pub(super) struct Clock {
    id: FaultId,
    clocks: BTreeMap<NodeName, ClockSetting>,
    detail: Value,
    readings: BTreeMap<NodeName, ClockReading>,
    in_force: bool,
}

impl Clock {
    pub(super) fn new(id: FaultId, planned: &PlannedFault) -> Result<Self, String> {
        let Fields { clocks } = parse(planned)?;
        if let Some((node, _)) = clocks.iter().find(|(_, c)| c.drift_ppm.abs() > MAX_DRIFT_PPM) {
            return Err(format!("the clock of {node} is to drift by more than {MAX_DRIFT_PPM} ppm"));
        }
        let detail = planned.detail.clone();
        Ok(Self { id, clocks, detail, readings: BTreeMap::new(), in_force: false })
    }
}

#[async_trait]
impl Fault for Clock {
    fn name(&self) -> &'static str {
        NAME
    }

    fn heal_name(&self) -> &'static str {
        "reset-clock"
    }

    fn requirements(&self) -> &'static [Capability] {
        &[Capability::Clocks]
    }

    async fn inject(&mut self, stage: &Stage) -> Result<Injected, ClusterError> {
        self.in_force = true;
        let bends = self.clocks.iter().map(|(node, setting)| stage.bend(self.id, node, *setting));
        join_all(bends).await.into_iter().collect::<Result<(), _>>()?;
        Ok(Injected { targets: self.clocks.keys().cloned().collect(), detail: self.detail.clone() })
    }

    async fn evidence(&mut self, stage: &Stage) -> Evidence {
        if self.in_force {
            let open = self
                .clocks
                .keys()
                .filter(|node| !self.readings.get(*node).is_some_and(ClockReading::shows_the_fault));
            let asked = open.map(|node| async move { (node.clone(), stage.read_clock(node).await) });
            // A node that does not answer may be dead or paused at the moment: it is asked again.
            for (node, reading) in join_all(asked).await {
                self.readings.extend(reading.ok().map(|reading| (node, reading)));
            }
        }
        Evidence {
            shows: self.readings.values().any(ClockReading::shows_the_fault),
            value: json!({ "clocks": self.readings }),
            missing: "no target reported a clock that is off by what it should be",
        }
    }

    async fn heal(&mut self, stage: &Stage) -> Vec<ClusterError> {
        self.in_force = false;
        let resets = self.clocks.keys().map(|node| stage.straighten(self.id, node));
        join_all(resets).await.into_iter().filter_map(Result::err).collect()
    }
}
