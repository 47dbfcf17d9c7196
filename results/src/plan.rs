//! The faults of a run as the report reads them: `plan.json`, contract section 6.
//!
//! The nemesis writes the file; this is a reader's own view of it, tolerant of what it does not know, so
//! that a report can be made of runs from other versions.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `plan.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PlanFile {
    /// The seed that the schedule came from.
    #[serde(default)]
    pub seed: u64,
    /// The faults, in the order of their planned starts.
    #[serde(default)]
    pub faults: Vec<FaultEntry>,
}

/// One fault: what was meant, what happened, and the proof.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FaultEntry {
    /// Its kind: `partition`, `kill`, `pause`, `clock`, ….
    pub fault: String,
    /// The nodes that it was aimed at.
    #[serde(default)]
    pub targets: Vec<String>,
    /// The particulars, by kind.
    #[serde(default)]
    pub detail: Value,
    /// Planned start and end, ns since the run began.
    #[serde(default)]
    pub planned: Option<(u64, u64)>,
    /// Actual start and end, ns since the run began. Absent where it never started; the end is null where
    /// it was still in force when the run ended.
    #[serde(default)]
    pub actual: Option<(u64, Option<u64>)>,
    /// What became of it; absent until the run is over.
    #[serde(default)]
    pub outcome: Option<FaultOutcome>,
    /// Why it was skipped, or is indeterminate.
    #[serde(default)]
    pub reason: Option<String>,
    /// What shows that it took effect.
    #[serde(default)]
    pub evidence: Value,
}

/// What became of a planned fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FaultOutcome {
    /// It took effect, and there is evidence.
    Installed,
    /// It was not tried; the reason says why.
    Skipped,
    /// It was requested, but nothing shows that it bit.
    Indeterminate,
}

impl FaultOutcome {
    /// The word in the file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Installed => "installed",
            Self::Skipped => "skipped",
            Self::Indeterminate => "indeterminate",
        }
    }
}

/// The name by which a grudge calls the clients.
const CLIENTS: &str = "clients";

impl PlanFile {
    /// How many faults took effect, and the kinds of these, each with what they were confined to.
    #[must_use]
    pub fn took_effect(&self) -> (usize, Vec<String>) {
        let installed = || self.faults.iter().filter(|f| f.outcome == Some(FaultOutcome::Installed));
        let kinds: BTreeSet<&str> = installed().map(|fault| fault.fault.as_str()).collect();
        let describe = |kind: &str| {
            let narrow = installed().filter(|f| f.fault == kind).all(FaultEntry::is_of_clients_only);
            if narrow { format!("{kind} (client links only)") } else { kind.to_owned() }
        };
        (installed().count(), kinds.into_iter().map(describe).collect())
    }
}

/// Why a fault was skipped whose time had not come when the run was stopped: the nemesis' own words.
pub const NOT_REACHED: &str = "the run was stopped early, before its time had come";

impl FaultEntry {
    /// Whether the run was over before it was due.
    #[must_use]
    pub fn is_unreached(&self) -> bool {
        self.outcome == Some(FaultOutcome::Skipped) && self.reason.as_deref() == Some(NOT_REACHED)
    }

    /// Whether it touched nothing but the links between clients and nodes: all that can be broken where the nodes
    /// are not ours.
    #[must_use]
    pub fn is_of_clients_only(&self) -> bool {
        let clients = |name: &Value| name == CLIENTS;
        let of_clients = |(node, others): (&String, &Value)| {
            let others = others.as_array().map_or(&[][..], Vec::as_slice);
            node == CLIENTS || (!others.is_empty() && others.iter().all(clients))
        };
        // A partition's cuts, and a delay's links.
        let grudge = ["grudge", "links"].iter().find_map(|field| self.detail.get(field)?.as_object());
        grudge.is_some_and(|grudge| !grudge.is_empty() && grudge.iter().all(of_clients))
    }

    /// When it was in force, ns since the run began: `None` where it never was. `run_end_ns` stands in for
    /// the end of one that was never healed.
    #[must_use]
    pub fn window(&self, run_end_ns: u64) -> Option<(u64, u64)> {
        if self.outcome == Some(FaultOutcome::Skipped) {
            return None;
        }
        self.actual.map(|(start, end)| (start, end.unwrap_or(run_end_ns).max(start)))
    }

    /// Whether it was in force at some moment of the interval, ends included.
    #[must_use]
    pub fn overlaps(&self, from_ns: u64, to_ns: u64, run_end_ns: u64) -> bool {
        self.window(run_end_ns).is_some_and(|(start, end)| start <= to_ns && end >= from_ns)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn faults_that_touched_only_client_links_say_so() {
        let cut = |grudge: Value| json!({"fault": "partition", "detail": {"grudge": grudge}, "outcome": "installed"});
        let read =
            |faults: Value| -> PlanFile { serde_json::from_value(json!({ "faults": faults })).unwrap() };
        let told = |faults: Value| read(faults).took_effect();
        let narrow = cut(json!({"n1": ["clients"], "clients": ["n1"]}));
        let wide = cut(json!({"n1": ["n2", "clients"]}));
        assert_eq!(told(json!([narrow])), (1, vec!["partition (client links only)".to_owned()]));
        assert_eq!(told(json!([narrow, wide])), (2, vec!["partition".to_owned()]));
        let kill = json!({"fault": "kill", "outcome": "installed"});
        let skipped = json!({"fault": "pause", "outcome": "skipped"});
        assert_eq!(told(json!([kill, skipped])), (1, vec!["kill".to_owned()]));
    }
}
