//! Who was served, when, and on which side of a partition.
//!
//! An operation was *served* if it was answered: `ok`, or a condition that did not hold. Anything else, a clear
//! refusal or no answer, was not. The stats count operations and those served by second (of the invocation),
//! node asked, and side of the partition, and in sum by side. `settled` sums up what counts for a floor (see
//! below), by whether the side has the `majority` of the nodes or is a `minority`.
//!
//! A **side** is a set of nodes that reach each other, perhaps through others, under all partitions in force
//! together; a link that is cut in one direction counts as cut. While nothing is cut there is no side.
//!
//! With a [`Floor`] the check judges: of each partition and each side with enough nodes, the share of
//! operations served must reach the floor (`unavailable`). **What counts** is chosen so that a store which
//! keeps its promise cannot fail: only operations that were invoked and completed between two neighbouring
//! events of the nemesis, no earlier than `after` from the first of these (it takes that long to notice who is
//! gone), and while nothing but partitions and wrong clocks was in force. An operation that has no completion
//! does not count: the history may have ended too early. `replica-read`s, which ask a node for what it holds
//! itself, never count.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use super::faults::{Fault, faults};
use super::findings::Findings;
use super::words::moment;
use crate::anomaly;
use crate::history::{Event, Operation, Outcome, Process, pair};
use crate::verdict::{Budget, Check, CheckResult};

/// The name for all clients together in a grudge.
const CLIENTS: &str = "clients";

/// Operations that were not served which a certificate names.
const SHOWN: usize = 5;

/// How much of what was asked during a partition must be served.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Floor {
    /// The share that must be served, from 0 to 1. 0 judges nothing, and what counts is summed up all the same.
    pub share: f64,
    /// What happens earlier after an event of the nemesis does not count: the bound of failure detection.
    pub after: Duration,
    /// Sides with fewer nodes promise nothing.
    pub nodes: usize,
    /// Reads do not count.
    pub writes_only: bool,
}

/// The check of availability. Its name in verdicts is `availability`. Without a floor it measures only.
#[derive(Debug, Clone, Copy, Default)]
pub struct Availability {
    /// What must be served; none where it is only measured.
    pub floor: Option<Floor>,
}

impl Check for Availability {
    fn name(&self) -> &'static str {
        "availability"
    }

    fn check(&self, events: &[Event], _budget: &Budget) -> CheckResult {
        let operations = match pair(events) {
            Ok(operations) => operations,
            Err(error) => return Findings::refused(&error),
        };
        let eras = eras(events);
        let mut count = Count::default();
        let mut era = 0;
        for operation in operations.iter().filter(|operation| operation.f() != "replica-read") {
            while eras.get(era + 1).is_some_and(|next| next.begun < operation.call) {
                era += 1;
            }
            count.take(operation, &eras[era], eras.get(era + 1).map(|next| next.begun), self.floor.as_ref());
        }
        count.answer(self.floor.as_ref())
    }
}

/// A time in which the same faults were in force: from one event of the nemesis to the next.
struct Era<'h> {
    /// The position of the event that it begins with; 0 for the first, which begins with the history.
    begun: usize,
    time: u64,
    /// The event that began the oldest partition in force, if there is one.
    partition: Option<&'h Event>,
    /// Something other than a partition keeps nodes from answering.
    otherwise_disturbed: bool,
    sides: Sides<'h>,
}

/// The eras, in order; there is always one.
fn eras(events: &[Event]) -> Vec<Era<'_>> {
    let faults = faults(events);
    let mut nodes: BTreeSet<&str> = events.iter().filter_map(|event| event.node.as_deref()).collect();
    for partition in faults.iter().filter(|fault| fault.kind == "partition") {
        nodes.extend(cut_links(partition.value).flat_map(|(one, other)| [one, other]));
    }
    nodes.remove(CLIENTS);
    let changes =
        events.iter().enumerate().filter(|(_, event)| event.process == Process::Nemesis).map(|(at, _)| at);
    let era = |begun: usize| {
        let in_force = |fault: &&Fault<'_>| {
            fault.begun <= begun
                && events[fault.begun].process == Process::Nemesis
                && fault.healed.is_none_or(|healed| healed > begun)
        };
        let mut partitions =
            faults.iter().filter(in_force).filter(|fault| fault.kind == "partition").peekable();
        let partition = partitions.peek().map(|fault| &events[fault.begun]);
        let sides = Sides::new(&nodes, partitions.flat_map(|fault| cut_links(fault.value)));
        let otherwise_disturbed = faults
            .iter()
            .filter(in_force)
            .any(|fault| fault.kind != "partition" && fault.keeps_from_answering());
        Era { begun, time: events[begun].time, partition, otherwise_disturbed, sides }
    };
    let first = Era {
        begun: 0,
        time: 0,
        partition: None,
        otherwise_disturbed: false,
        sides: Sides::new(&nodes, std::iter::empty()),
    };
    std::iter::once(first).chain(changes.map(era)).collect()
}

/// The pairs of nodes that a partition cuts off from each other, in one direction or both.
fn cut_links(value: &Value) -> impl Iterator<Item = (&str, &str)> {
    let grudge = value.get("grudge").and_then(Value::as_object);
    grudge.into_iter().flatten().flat_map(|(node, others)| {
        let others = others.as_array().map(Vec::as_slice).unwrap_or_default();
        others.iter().filter_map(Value::as_str).map(move |other| (node.as_str(), other))
    })
}

/// Which nodes reach each other.
struct Sides<'h> {
    /// Of each node, the number of its side.
    of: BTreeMap<&'h str, usize>,
    /// The nodes of each side, joined with `+`, and how many they are.
    names: Vec<(String, usize)>,
}

impl<'h> Sides<'h> {
    fn new<'c>(nodes: &BTreeSet<&'h str>, cut: impl Iterator<Item = (&'c str, &'c str)>) -> Self {
        let cut: BTreeSet<(&str, &str)> = cut.collect();
        let reach = |one: &str, other: &str| !cut.contains(&(one, other)) && !cut.contains(&(other, one));
        let (mut of, mut names) = (BTreeMap::new(), Vec::new());
        for &first in nodes {
            if of.contains_key(first) {
                continue;
            }
            let (mut side, mut at) = (vec![first], 0);
            while let Some(&node) = side.get(at) {
                at += 1;
                of.insert(node, names.len());
                let found = nodes.iter().filter(|other| reach(node, other) && !side.contains(other));
                let found: Vec<&str> = found.copied().collect();
                side.extend(found);
            }
            side.sort_unstable();
            names.push((side.join("+"), side.len()));
        }
        Self { of, names }
    }

    fn of(&self, node: &str) -> Option<&(String, usize)> {
        self.of.get(node).map(|&side| &self.names[side])
    }
}

/// Operations, and those of them that were served.
#[derive(Default, Clone, Copy)]
struct Share {
    operations: u64,
    served: u64,
}

impl Share {
    fn take(&mut self, served: bool) {
        self.operations += 1;
        self.served += u64::from(served);
    }
}

/// What the floor looks at: a partition and a side of it.
#[derive(Default)]
struct Judged {
    share: Share,
    nodes: usize,
    /// When the partition began.
    since: u64,
    /// The first operations that were not served.
    refused: Vec<u64>,
}

#[derive(Default)]
struct Count<'e> {
    by_second: BTreeMap<(u64, &'e str, Option<&'e str>), Share>,
    by_side: BTreeMap<Option<&'e str>, Share>,
    judged: BTreeMap<(u64, &'e str), Judged>,
    /// What counts for a floor, on sides with the majority of the nodes and on all others.
    majority: Share,
    minority: Share,
}

impl<'e> Count<'e> {
    fn take(
        &mut self,
        operation: &Operation<'e>,
        era: &'e Era<'_>,
        next: Option<usize>,
        floor: Option<&Floor>,
    ) {
        let invocation = operation.invocation;
        let served = is_served(operation);
        let node = operation.node().unwrap_or("?");
        let side = era.partition.and_then(|_| era.sides.of(node));
        let name = side.map(|(name, _)| name.as_str());
        let second = invocation.time / 1_000_000_000;
        self.by_second.entry((second, node, name)).or_default().take(served);
        self.by_side.entry(name).or_default().take(served);
        let (Some(floor), Some(partition), Some((name, nodes)), Some(ret)) =
            (floor, era.partition, side, operation.ret)
        else {
            return;
        };
        let noticed = u128::from(era.time) + floor.after.as_nanos() <= u128::from(invocation.time);
        let counts = !(floor.writes_only && operation.f() == "read");
        if noticed && counts && !era.otherwise_disturbed && next.is_none_or(|next| ret < next) {
            let is_majority = nodes * 2 > era.sides.of.len();
            if is_majority { &mut self.majority } else { &mut self.minority }.take(served);
            let judged = self.judged.entry((partition.index, name.as_str())).or_default();
            (judged.nodes, judged.since) = (*nodes, partition.time);
            judged.share.take(served);
            if !served && judged.refused.len() < SHOWN {
                judged.refused.push(operation.index);
            }
        }
    }

    fn answer(self, floor: Option<&Floor>) -> CheckResult {
        let mut findings = Findings::new();
        let mut judged_sides = 0_u64;
        for ((partition, side), judged) in self.judged {
            let Some(floor) = floor.filter(|floor| judged.nodes >= floor.nodes) else { continue };
            judged_sides += 1;
            let Share { operations, served } = judged.share;
            if served as f64 >= floor.share * operations as f64 {
                continue;
            }
            let what = if floor.writes_only { "writes" } else { "operations" };
            findings.anomaly(anomaly::UNAVAILABLE, None, judged.refused, vec![partition], || {
                format!(
                    "During the partition that began at {}, the side {side} served {served} of {operations} {what} \
                     ({:.1} %), where {:.1} % must be.",
                    moment(judged.since),
                    100.0 * served as f64 / operations as f64,
                    100.0 * floor.share
                )
            });
        }
        let seconds = self
            .by_second
            .iter()
            .map(|((second, node, side), share)| json!([second, node, side, share.operations, share.served]));
        findings.stat("seconds", seconds.collect::<Vec<_>>());
        let sides = self.by_side.iter().map(
            |(side, share)| json!({"side": side, "operations": share.operations, "served": share.served}),
        );
        findings.stat("sides", sides.collect::<Vec<_>>());
        findings.stat("judged_sides", judged_sides);
        let sum = |share: Share| json!({"operations": share.operations, "served": share.served});
        findings.stat("settled", json!({"majority": sum(self.majority), "minority": sum(self.minority)}));
        findings.answer()
    }
}

/// Whether the store answered.
fn is_served(operation: &Operation<'_>) -> bool {
    let word =
        |error: &Value| error.as_str().or(error.get(0).and_then(Value::as_str)) == Some("condition-failed");
    match operation.outcome() {
        Outcome::Ok => true,
        Outcome::Fail => operation.observed().is_some() || operation.error().is_some_and(word),
        Outcome::Info => false,
    }
}
