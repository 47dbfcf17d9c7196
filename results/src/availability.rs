//! Availability: the share of seconds in which a part of the system refused nothing.
//!
//! Counted by seconds, not by operations, because a part that refuses everything is asked less often. A
//! second of a node (or a partition) is *asked* when an operation sent to it began, ran or ended in it, and
//! *refused* when one that it did not serve did. Seconds in which nobody asked count for nothing.
//!
//! Beside the share over the whole run there is the one over its calm: the seconds that no fault, nor the
//! recovery after one, touches. There, an operation that overlaps such a disturbance is nobody's fault but
//! the nemesis's, and is left out.
//!
//! The partition of an operation whose answer named none (a refusal, mostly) is that of its key's other
//! operations.

use std::collections::{BTreeMap, HashMap};

use growler_checker::history::Key;

use crate::operations::Operation;
use crate::plan::PlanFile;
use crate::test_file::Timings;

/// Nanoseconds in a second.
const SECOND: u64 = 1_000_000_000;

/// The availability of nodes and partitions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Availability {
    /// By node asked.
    pub nodes: BTreeMap<String, Part>,
    /// By partition.
    pub partitions: BTreeMap<String, Part>,
}

/// The availability of one part of the system.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// What happened in each second of the run, from its beginning.
    pub seconds: Vec<Second>,
    /// Over the whole run.
    pub overall: Share,
    /// Outside faults and the recovery after them.
    pub calm: Share,
}

/// What happened to a part in one second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Second {
    /// Nobody asked it.
    #[default]
    Unasked,
    /// It refused nothing.
    Served,
    /// It refused an operation.
    Refused,
}

/// Seconds without a refusal, of those asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    /// Seconds without a refused operation.
    pub served: u64,
    /// Seconds in which it was asked.
    pub asked: u64,
}

impl Share {
    /// As a number from 0 to 1; `None` where it was never asked.
    #[must_use]
    pub fn value(self) -> Option<f64> {
        (self.asked > 0).then(|| self.served as f64 / self.asked as f64)
    }

    fn of(seconds: &[Second]) -> Self {
        let served = seconds.iter().filter(|s| **s == Second::Served).count() as u64;
        let refused = seconds.iter().filter(|s| **s == Second::Refused).count() as u64;
        Self { served, asked: served + refused }
    }
}

/// When a fault was in force or the system was coming back from one: disjoint windows in order, ns since
/// the run began. A heal whose recovery nobody measured ends the disturbance.
#[must_use]
pub fn disturbances(plan: &PlanFile, timings: &Timings, run_ns: u64) -> Vec<(u64, u64)> {
    let faults = plan.faults.iter().filter_map(|fault| fault.window(run_ns));
    let recoveries = timings.recoveries.iter().map(|r| {
        let end = r.recovered_ns.or(r.cut_short_ns).unwrap_or(r.deadline_ns);
        (r.healed_ns, end.max(r.healed_ns))
    });
    let mut windows: Vec<_> = faults.chain(recoveries).collect();
    windows.sort_unstable();
    let mut merged: Vec<(u64, u64)> = Vec::new();
    for (from, to) in windows {
        match merged.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => merged.push((from, to)),
        }
    }
    merged
}

/// Counts the availability in a run of length `run_ns`, given its [`disturbances`].
#[must_use]
pub fn availability(operations: &[Operation<'_>], disturbed: &[(u64, u64)], run_ns: u64) -> Availability {
    let mut nodes = Counter::new(disturbed, run_ns);
    let mut partitions = Counter::new(disturbed, run_ns);
    let known = partitions_of_keys(operations);
    for op in operations {
        if let Some(node) = op.node() {
            nodes.count(node, op);
        }
        let inferred = || op.invoke.key.as_ref().and_then(|key| known.get(key).copied());
        if let Some(partition) = op.partition().or_else(inferred) {
            partitions.count(partition, op);
        }
    }
    Availability { nodes: nodes.finish(), partitions: partitions.finish() }
}

/// The partition that each key was last seen in.
fn partitions_of_keys<'a>(operations: &[Operation<'a>]) -> HashMap<&'a Key, &'a str> {
    operations.iter().filter_map(|op| Some((op.invoke.key.as_ref()?, op.partition()?))).collect()
}

/// Counts the seconds of the parts of one kind.
struct Counter<'a> {
    disturbed: &'a [(u64, u64)],
    run_ns: u64,
    parts: BTreeMap<&'a str, Tally>,
}

#[derive(Clone)]
struct Tally {
    all: Vec<Second>,
    calm: Vec<Second>,
}

impl<'a> Counter<'a> {
    fn new(disturbed: &'a [(u64, u64)], run_ns: u64) -> Self {
        Self { disturbed, run_ns, parts: BTreeMap::new() }
    }

    fn slots(&self) -> usize {
        usize::try_from(self.run_ns.div_ceil(SECOND).max(1)).unwrap_or(usize::MAX)
    }

    fn count(&mut self, part: &'a str, op: &Operation<'a>) {
        let slots = self.slots();
        let empty = || Tally { all: vec![Second::Unasked; slots], calm: vec![Second::Unasked; slots] };
        let tally = self.parts.entry(part).or_insert_with(empty);
        let (from, to) = (op.start_ns(), op.end_ns().unwrap_or(self.run_ns).max(op.start_ns()));
        let calm = !overlaps(self.disturbed, from, to);
        let slot = |ns: u64| usize::try_from(ns / SECOND).unwrap_or(usize::MAX).min(slots - 1);
        for second in slot(from)..=slot(to) {
            mark(&mut tally.all[second], op.served());
            if calm {
                mark(&mut tally.calm[second], op.served());
            }
        }
    }

    fn finish(self) -> BTreeMap<String, Part> {
        let disturbed = self.disturbed;
        let finished = self.parts.into_iter().map(|(name, mut tally)| {
            for (second, state) in tally.calm.iter_mut().enumerate() {
                let from = second as u64 * SECOND;
                if overlaps(disturbed, from, from + SECOND - 1) {
                    *state = Second::Unasked;
                }
            }
            let (overall, calm) = (Share::of(&tally.all), Share::of(&tally.calm));
            (name.to_owned(), Part { seconds: tally.all, overall, calm })
        });
        finished.collect()
    }
}

fn mark(second: &mut Second, served: bool) {
    match (*second, served) {
        (_, false) => *second = Second::Refused,
        (Second::Unasked, true) => *second = Second::Served,
        (Second::Served | Second::Refused, true) => {}
    }
}

/// Whether one of the ordered, disjoint windows shares a moment with the interval.
fn overlaps(windows: &[(u64, u64)], from: u64, to: u64) -> bool {
    let next = windows.partition_point(|&(_, end)| end < from);
    windows.get(next).is_some_and(|&(start, _)| start <= to)
}

#[cfg(test)]
mod tests {
    use growler_checker::history::{Event, EventType, Name, Process};
    use serde_json::{Value, json};

    use super::*;
    use crate::operations::pair;

    /// An operation on node and key, over tenths of seconds; the answer names a partition.
    fn op(node: &str, key: &str, from: u64, to: u64, answer: Option<&str>) -> [Event; 2] {
        let mut invoke = Event::new(Process::Client(0), EventType::Invoke, "read", Value::Null);
        invoke.node = Some(node.into());
        invoke.key = Some(key.into());
        invoke.time = from * SECOND / 10;
        let kind = if answer.is_some() { EventType::Ok } else { EventType::Info };
        let partition = answer.map(Name::from);
        [invoke.clone(), Event { time: to * SECOND / 10, kind, partition, ..invoke }]
    }

    #[test]
    fn seconds_are_counted_and_disturbed_ones_left_out() {
        let events = [
            op("n1", "a", 1, 2, Some("p1")),
            op("n1", "a", 11, 31, None),
            op("n1", "a", 45, 46, None),
            op("n1", "a", 62, 63, Some("p1")),
            op("n1", "b", 71, 72, None),
        ]
        .concat();
        let disturbed = [(2 * SECOND, 5 * SECOND - 1)];
        let found = availability(&pair(&events), &disturbed, 9 * SECOND);
        let n1 = &found.nodes["n1"];
        use Second::{Refused, Served, Unasked};
        let seconds = [Served, Refused, Refused, Refused, Refused, Unasked, Served, Refused, Unasked];
        assert_eq!(n1.seconds, seconds);
        assert_eq!(n1.overall, Share { served: 2, asked: 7 });
        assert_eq!(n1.calm, Share { served: 2, asked: 3 }, "what the fault touched is not counted");
        let p1 = &found.partitions["p1"];
        assert_eq!(p1.overall, Share { served: 2, asked: 6 }, "refusals on a are p1's, that on b nobody's");
        assert_eq!(found.partitions.len(), 1);
    }

    #[test]
    fn an_open_operation_refuses_until_the_end() {
        let events = &op("n1", "a", 5, 6, None)[..1];
        let found = availability(&pair(events), &[], 3 * SECOND);
        assert_eq!(found.nodes["n1"].overall, Share { served: 0, asked: 3 });
        assert_eq!(found.nodes["n1"].overall.value(), Some(0.0));
    }

    #[test]
    fn faults_and_recoveries_merge_into_disturbances() {
        let plan: PlanFile = serde_json::from_value(json!({"faults": [
            {"fault": "kill", "actual": [10, 20], "outcome": "installed"},
            {"fault": "pause", "actual": [15, 30], "outcome": "installed"},
            {"fault": "clock", "actual": [50, null], "outcome": "indeterminate"},
            {"fault": "clock", "planned": [60, 70], "outcome": "skipped"},
        ]}))
        .unwrap();
        let recovery = |healed_ns, recovered_ns| crate::test_file::Recovery {
            healed_ns,
            deadline_ns: healed_ns + 8,
            recovered_ns,
            cut_short_ns: None,
            per: Vec::new(),
        };
        let recoveries = vec![recovery(30, Some(33)), recovery(80, None)];
        let timings = Timings { recoveries, ..Timings::default() };
        assert_eq!(disturbances(&plan, &timings, 90), [(10, 33), (50, 90)]);
    }
}
