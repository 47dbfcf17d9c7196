//! What a run covered, against what it had to cover to mean something.
//!
//! It is kept in `test.json` with the run's end ([`super::RunEnd`]) and judged again from there, so a field that
//! is added needs nothing but a default for the runs of older versions.

use std::collections::BTreeMap;

use growler_checker::history::{Event, EventType, Process};
use growler_checker::sensitivity::Sensitivity;
use serde::{Deserialize, Serialize};

use super::{Ending, Exposure};
use crate::plan::{FaultOutcome, PlanFile};
use crate::words::{join_and, seconds, share};

/// What a run covered, and what was asked of it. How many operations were `ok`, the history says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Coverage {
    /// `--min-ok`.
    pub min_ok: u64,
    /// Functions of the workload that were never `ok`.
    pub never_ok: Vec<String>,
    /// The kinds of fault asked for.
    pub faults: BTreeMap<String, FaultCoverage>,
    /// What ended the load before its time, where a cap did.
    pub cut: Option<Cut>,
    /// What is known of the end of each key; none where no final reads were made.
    pub ending: Option<Ending>,
    /// What raced; none in a run that said nothing of it.
    pub exposure: Option<Exposure>,
    /// `--min-exposure`; none where this load cannot race, or need not.
    pub min_exposure: Option<u64>,
    /// The sensitivity by check, where it was measured.
    pub sensitivity: BTreeMap<String, Sensitivity>,
    /// `--min-sensitivity`.
    pub min_sensitivity: f64,
}

/// How far one kind of fault was tried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FaultCoverage {
    /// Windows in which it took effect, with evidence.
    pub installed: u64,
    /// Operations invoked during those windows.
    pub invoked: u64,
    /// Windows that the run did not last to.
    pub unreached: u64,
}

/// The end of a load before its time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cut {
    /// What ended it: `the cap of 400 requests`.
    pub by: String,
    /// How long the load had gone on, ns.
    pub after_ns: u64,
    /// How long it should have, ns.
    pub planned_ns: u64,
}

impl Coverage {
    /// What a history and a plan cover, but for the final reads, which are told apart by their time, and the
    /// sensitivity, which is measured later. `functions` are those of the workload, `faults` the kinds asked for.
    #[must_use]
    pub fn of<S: AsRef<str>>(
        events: &[Event],
        plan: &PlanFile,
        functions: &[S],
        faults: &[S],
        min_ok: u64,
    ) -> Self {
        let ok = |e: &&Event| e.kind == EventType::Ok && e.process != Process::Nemesis;
        let never_ok =
            functions.iter().map(AsRef::as_ref).filter(|f| !events.iter().any(|e| ok(&e) && e.f == *f));
        let faults = faults.iter().map(|kind| {
            let kind = kind.as_ref();
            (kind.to_owned(), fault_coverage(events, plan, kind))
        });
        Self {
            min_ok,
            never_ok: never_ok.map(str::to_owned).collect(),
            faults: faults.collect(),
            cut: None,
            ending: None,
            exposure: Some(Exposure::of(events)),
            min_exposure: None,
            sensitivity: BTreeMap::new(),
            min_sensitivity: 0.0,
        }
    }

    /// That too little raced, as a sentence; none where enough did, or where it need not.
    pub(super) fn too_little_raced(&self) -> Option<String> {
        let (exposure, floor) = (self.exposure.as_ref()?, self.min_exposure?);
        let raced = exposure.acknowledged();
        (raced < floor).then(|| {
            format!(
                "only {raced} acknowledged writes overlapped another write of their key, and --min-exposure asks for \
                 {floor}: a store that loses updates in a race might not have shown it (more --time, more \
                 --concurrency, or fewer --keys)"
            )
        })
    }

    /// What a load that ended before its time has cost the meaning of the run; none where it did not.
    pub(super) fn cost_of_cut(&self) -> Option<String> {
        let Cut { by, after_ns, planned_ns } = self.cut.as_ref()?;
        let untested = share(planned_ns.saturating_sub(*after_ns), *planned_ns);
        let unreached: Vec<_> = self.faults.iter().filter(|(_, covered)| covered.unreached > 0).collect();
        let faults = unreached.iter().map(|(kind, covered)| format!("{} {kind}", covered.unreached));
        let faults = faults.collect::<Vec<_>>();
        let faults = if faults.is_empty() {
            String::new()
        } else {
            format!("; planned faults that were not reached: {}", join_and(&faults, "and"))
        };
        Some(format!(
            "{by} ended the load after {} of {}, so that {untested} of the time was not tested{faults}",
            seconds(*after_ns),
            seconds(*planned_ns)
        ))
    }
}

fn fault_coverage(events: &[Event], plan: &PlanFile, kind: &str) -> FaultCoverage {
    let installed =
        plan.faults.iter().filter(|f| f.fault == kind && f.outcome == Some(FaultOutcome::Installed));
    let windows: Vec<_> = installed.filter_map(|f| f.window(u64::MAX)).collect();
    let invocations = events.iter().filter(|e| e.kind == EventType::Invoke && e.process != Process::Nemesis);
    let during = |e: &&Event| windows.iter().any(|&(from, to)| (from..=to).contains(&e.time));
    FaultCoverage {
        installed: windows.len() as u64,
        invoked: invocations.filter(during).count() as u64,
        unreached: plan.faults.iter().filter(|f| f.fault == kind && f.is_unreached()).count() as u64,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::plan::NOT_REACHED;

    fn event(kind: EventType, f: &str, time: u64) -> Event {
        Event { time, ..Event::new(Process::Client(0), kind, f, Value::Null) }
    }

    #[test]
    fn only_windows_with_evidence_and_operations_in_them_count() {
        let plan: PlanFile = serde_json::from_value(json!({"faults": [
            {"fault": "kill", "actual": [100, 200], "outcome": "installed"},
            {"fault": "kill", "actual": [300, 400], "outcome": "indeterminate"},
            {"fault": "pause", "actual": [500, null], "outcome": "installed"},
            {"fault": "kill", "outcome": "skipped", "reason": NOT_REACHED},
            {"fault": "clock", "outcome": "skipped", "reason": "no clocks"},
        ]}))
        .unwrap();
        let events = [
            event(EventType::Invoke, "read", 150),
            event(EventType::Ok, "read", 160),
            event(EventType::Invoke, "write", 350),
            event(EventType::Info, "write", 360),
        ];
        let coverage = Coverage::of(&events, &plan, &["read", "write"], &["kill", "pause", "clock"], 500);
        let counted = |installed, invoked, unreached| FaultCoverage { installed, invoked, unreached };
        let expected = [("clock", counted(0, 0, 0)), ("kill", counted(1, 1, 1)), ("pause", counted(1, 0, 0))];
        assert!(coverage.faults.iter().map(|(k, c)| (k.as_str(), *c)).eq(expected));
        assert_eq!(coverage.min_ok, 500);
        assert_eq!(coverage.never_ok, ["write"]);
    }

    #[test]
    fn what_ended_the_load_is_told_with_what_it_cost() {
        let kill = FaultCoverage { installed: 1, invoked: 9, unreached: 2 };
        let cut = Cut {
            by: "the cap of 400 requests".to_owned(),
            after_ns: 5_000_000_000,
            planned_ns: 20_000_000_000,
        };
        let coverage =
            Coverage { cut: Some(cut), faults: [("kill".to_owned(), kill)].into(), ..Coverage::default() };
        let told = "the cap of 400 requests ended the load after 5.000 s of 20.000 s, so that 75.00 % of the time \
                    was not tested; planned faults that were not reached: 2 kill";
        assert_eq!(coverage.cost_of_cut().as_deref(), Some(told));
        assert_eq!(Coverage::default().cost_of_cut(), None);
    }
}
