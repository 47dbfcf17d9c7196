//! The acknowledged writes of a key that some replica does not have, as the answers themselves show it.
//!
//! - Where a write's answer carries a version and a replica's answer a clock, the replica has received the write
//!   if its clock covers that version. It *shows* the write if the version is among those it holds; otherwise it
//!   knows the write, and shows another. After a delete a replica may have collected what it knew, so of a key
//!   that somebody may have deleted a write counts as missing only if another replica has it.
//! - Where versions are numbers, a replica has received all writes up to its number.
//! - An element that was added to a list is missing from the replicas whose lists lack it, unless somebody may
//!   have removed it.
//! - Of all else nothing is said.

use growler_checker::history::Event;
use growler_checker::verdict::Anomaly;
use serde::Serialize;
use serde_json::Value;

use super::REPLICA_READ;
use crate::operations::{Operation, Outcome};
use crate::plan::PlanFile;
use crate::story::{Step, clipped};
use crate::words::{join_and, seconds};

/// Writes that are told. Those that the anomaly names, and those that a replica shows, come first.
const TOLD_MAX: usize = 8;

/// The writes that some replica lacks.
#[derive(Debug, Default, Serialize)]
pub(super) struct Missing {
    pub(super) writes: Vec<Write>,
    /// How many more there are.
    untold: usize,
    /// Which of the columns any write fills.
    versions: bool,
    known: bool,
    faults: bool,
    /// Whether somebody may have deleted the key, so that replicas may have forgotten writes.
    forgetful: bool,
}

/// One acknowledged write.
#[derive(Debug, Serialize)]
pub(super) struct Write {
    pub(super) index: u64,
    #[serde(skip)]
    start_ns: u64,
    time: String,
    sentence: String,
    version: String,
    /// Replicas that hold it.
    pub(super) shown: String,
    /// Replicas that know it, and hold another.
    known: String,
    /// Replicas that have not received it.
    pub(super) missing: String,
    /// The faults in force when it was written.
    meanwhile: String,
    proof: bool,
}

impl Missing {
    /// When the first of the writes was invoked.
    pub(super) fn first_ns(&self) -> Option<u64> {
        self.writes.iter().map(|write| write.start_ns).min()
    }
}

/// What a replica's answer says of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Has {
    Shows,
    Knows,
    Lacks,
}

/// Whether an operation may have changed the key.
pub(super) fn writes(op: &Operation<'_>) -> bool {
    !["read", REPLICA_READ].contains(&op.invoke.f.as_str())
}

/// Finds the writes that one of these answers lacks, and those that the anomaly names.
pub(super) fn missing(
    anomaly: &Anomaly,
    of_key: &[Operation<'_>],
    answers: &[Operation<'_>],
    plan: Option<&PlanFile>,
    run_ns: u64,
) -> Missing {
    let is_delete = |op: &&Operation<'_>| {
        op.invoke.f == "write" && op.invoke.value.is_null() && op.outcome() != Outcome::Fail
    };
    let forgetful = of_key.iter().any(|op| is_delete(&op));
    let mut found: Vec<(bool, Write)> = Vec::new();
    for op in of_key.iter().filter(|op| writes(op) && op.outcome() == Outcome::Ok) {
        let proof = anomaly.ops.contains(&op.invoke.index);
        let by: Vec<_> = answers.iter().map(|answer| (answer, has(answer, op, of_key))).collect();
        let any = |what: Has| by.iter().any(|(_, has)| *has == Some(what));
        let is_missing = any(Has::Lacks) && (!forgetful || any(Has::Shows) || any(Has::Knows));
        if is_missing || proof {
            let first = proof || any(Has::Shows);
            found.push((first, told(op, &by, proof, plan, run_ns)));
        }
    }
    found.sort_by_key(|(first, write)| (!first, std::cmp::Reverse(write.index)));
    let untold = found.len().saturating_sub(TOLD_MAX);
    found.truncate(TOLD_MAX);
    let mut writes: Vec<Write> = found.into_iter().map(|(_, write)| write).collect();
    writes.sort_by_key(|write| write.index);
    Missing {
        versions: writes.iter().any(|write| !write.version.is_empty()),
        known: writes.iter().any(|write| !write.known.is_empty()),
        faults: writes.iter().any(|write| !write.meanwhile.is_empty()),
        forgetful: forgetful && !writes.is_empty(),
        writes,
        untold,
    }
}

fn told(
    op: &Operation<'_>,
    by: &[(&Operation<'_>, Option<Has>)],
    proof: bool,
    plan: Option<&PlanFile>,
    run_ns: u64,
) -> Write {
    let nodes = |what: Has| {
        let of = by.iter().filter(|(_, has)| *has == Some(what));
        let names: Vec<String> = of.map(|(answer, _)| clipped(answer.node().unwrap_or("?"))).collect();
        join_and(&names, "and")
    };
    let end = op.end_ns().unwrap_or(op.start_ns());
    let faults = plan.into_iter().flat_map(|plan| &plan.faults);
    let mut meanwhile: Vec<String> = faults
        .filter(|fault| fault.overlaps(op.start_ns(), end, run_ns))
        .map(|fault| format!("{} of {}", fault.fault, join_and(&fault.targets, "and")))
        .collect();
    meanwhile.dedup();
    let version = op.complete.and_then(|event| event.extra().version.as_ref());
    Write {
        index: op.invoke.index,
        start_ns: op.start_ns(),
        time: seconds(op.start_ns()),
        sentence: Step { op: *op, proof }.sentence(),
        version: version.map(plain).unwrap_or_default(),
        shown: nodes(Has::Shows),
        known: nodes(Has::Knows),
        missing: nodes(Has::Lacks),
        meanwhile: meanwhile.join(", "),
        proof,
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| clipped(&value.to_string()), clipped)
}

/// What an answer says of a write; nothing where the two cannot be compared.
fn has(answer: &Operation<'_>, write: &Operation<'_>, of_key: &[Operation<'_>]) -> Option<Has> {
    let held = answer.complete.filter(|_| answer.outcome() == Outcome::Ok)?;
    let wrote = write.complete?;
    match (&wrote.extra().version, &held.extra().version) {
        (Some(Value::String(dot)), _) => by_clock(dot, held),
        (Some(Value::Number(wrote)), Some(Value::Number(held))) => {
            Some(match wrote.as_i64()?.cmp(&held.as_i64()?) {
                std::cmp::Ordering::Less => Has::Knows,
                std::cmp::Ordering::Equal => Has::Shows,
                std::cmp::Ordering::Greater => Has::Lacks,
            })
        }
        (Some(_), _) => None,
        (None, _) => by_element(&write.invoke.value, held, write, of_key),
    }
}

/// By the version `n1/3:5` and the clock `{"n1/3": 6}`.
fn by_clock(dot: &str, held: &Event) -> Option<Has> {
    let (actor, counter) = dot.rsplit_once(':')?;
    let counter: u64 = counter.parse().ok()?;
    let clock = held.extra().context.as_ref()?.clock()?;
    let shown = held.extra().version.as_ref().and_then(Value::as_str);
    if shown.is_some_and(|versions| versions.split('|').any(|version| version == dot)) {
        return Some(Has::Shows);
    }
    let covered = clock.iter().any(|(name, covered)| name == actor && *covered >= counter);
    Some(if covered { Has::Knows } else { Has::Lacks })
}

/// By the lists, of an `add` alone.
fn by_element(element: &Value, held: &Event, write: &Operation<'_>, of_key: &[Operation<'_>]) -> Option<Has> {
    let removes = |op: &&Operation<'_>| op.invoke.f == "remove" && op.invoke.value == *element;
    let may_be_removed = || of_key.iter().filter(removes).any(|op| op.outcome() != Outcome::Fail);
    if write.invoke.f != "add" {
        return None;
    }
    let list = match &held.value {
        Value::Null => &[],
        Value::Array(list) => list.as_slice(),
        _ => return None,
    };
    match list.contains(element) {
        true => Some(Has::Shows),
        false if may_be_removed() => None,
        false => Some(Has::Lacks),
    }
}

#[cfg(test)]
mod tests {
    use growler_checker::history::HistoryBuilder;
    use serde_json::json;

    use super::*;
    use crate::operations::pair;

    fn dressed(history: HistoryBuilder, node: &str, version: Value, context: Value) -> HistoryBuilder {
        let node = node.to_owned();
        history.edit(move |event| {
            event.node = Some(node.as_str().into());
            event.extra_mut().version = Some(version);
            event.extra_mut().context = Some(context.into());
        })
    }

    fn replica(history: HistoryBuilder, value: impl Into<Value>) -> HistoryBuilder {
        history.invoke(9, REPLICA_READ, ()).ok(9, value)
    }

    fn found(events: &[Event], named: &[u64]) -> Missing {
        let operations = pair(events);
        let answers: Vec<_> = operations.iter().filter(|op| op.invoke.f == REPLICA_READ).copied().collect();
        missing(&Anomaly::claim("diverged", named), &operations, &answers, None, 1)
    }

    fn rows(missing: &Missing) -> Vec<[&str; 4]> {
        missing.writes.iter().map(|w| [&*w.version, &*w.shown, &*w.known, &*w.missing]).collect()
    }

    #[test]
    fn a_write_is_missing_where_the_clock_does_not_cover_it() {
        let mut history = HistoryBuilder::new().on("k");
        history = dressed(history.write(0, 1), "n1", json!("n1/1:1"), json!({"n1/1": 1}));
        history = dressed(history.write(0, 2), "n1", json!("n1/1:2"), json!({"n1/1": 2}));
        history = dressed(history.write(1, 3), "n2", json!("n2/1:1"), json!({"n1/1": 1, "n2/1": 1}));
        history = history.invoke(2, "write", 4).info(2);
        history = dressed(replica(history, 2), "n1", json!("n1/1:2"), json!({"n1/1": 2}));
        history = dressed(replica(history, 3), "n2", json!("n2/1:1"), json!({"n1/1": 1, "n2/1": 1}));
        history = dressed(replica(history, 3), "n3", json!("n1/1:2|n2/1:1"), json!({"n1/1": 2, "n2/1": 1}));
        let missing = found(&history.events(), &[]);
        assert_eq!(
            rows(&missing),
            [["n1/1:2", "n1 and n3", "", "n2"], ["n2/1:1", "n2 and n3", "", "n1"]],
            "the first write reached all, and of the one that was never answered nothing is said"
        );
        assert!(!missing.forgetful);
    }

    #[test]
    fn after_a_delete_only_another_replica_shows_that_a_write_is_missing() {
        let history = |deleted: bool| {
            let mut history = HistoryBuilder::new().on("k");
            history = dressed(history.write(0, 1), "n1", json!("n1/1:1"), json!({"n1/1": 1}));
            if deleted {
                history = dressed(history.write(0, ()), "n1", json!("n1/1:2"), json!({"n1/1": 2}));
            }
            history = dressed(replica(history, ()), "n1", json!(""), json!({}));
            dressed(replica(history, ()), "n2", json!(""), json!({})).events()
        };
        assert_eq!(rows(&found(&history(false), &[])), [["n1/1:1", "", "", "n1 and n2"]]);
        assert!(found(&history(true), &[]).writes.is_empty(), "it may have been collected");
        assert_eq!(found(&history(true), &[0]).writes.len(), 1, "but what the anomaly names is told");
    }

    #[test]
    fn numbers_and_elements_compare_too_and_nothing_else_does() {
        let number = |history, node, n: i64| dressed(history, node, json!(n), Value::Null);
        let mut history = HistoryBuilder::new().on("k");
        history = number(history.write(0, 1), "n1", 1);
        history = number(history.write(0, 2), "n1", 2);
        history = number(replica(history, 1), "n2", 1);
        history = number(replica(history, 2), "n1", 2);
        assert_eq!(rows(&found(&history.events(), &[])), [["2", "n1", "", "n2"]]);

        let at = |history: HistoryBuilder, node: &str| {
            let node = node.to_owned();
            history.edit(move |event| event.node = Some(node.as_str().into()))
        };
        let add = |history: HistoryBuilder, e: u64| history.invoke(0, "add", e).ok(0, e);
        let mut history = add(add(add(HistoryBuilder::new().on("s"), 1), 2), 3);
        history = history.invoke(0, "remove", 3).info(0);
        history = at(replica(history, json!([1, 3])), "n1");
        history = at(replica(history, json!([1, 2])), "n2");
        assert_eq!(rows(&found(&history.events(), &[])), [["", "n2", "", "n1"]], "3 may have been removed");

        let plain = at(replica(HistoryBuilder::new().on("k").write(0, 1), 2), "n1");
        assert!(found(&plain.events(), &[]).writes.is_empty(), "values do not compare");
    }

    #[test]
    fn few_are_told_and_those_that_matter_first() {
        let mut history = HistoryBuilder::new().on("k");
        for n in 1..=20_u64 {
            history = dressed(history.write(0, n), "n1", json!(format!("n1/1:{n}")), json!({"n1/1": n}));
        }
        history = dressed(replica(history, 3), "n1", json!("n1/1:3"), json!({"n1/1": 20}));
        history = dressed(replica(history, ()), "n2", json!(""), json!({}));
        let missing = found(&history.events(), &[0]);
        assert_eq!((missing.writes.len(), missing.untold), (TOLD_MAX, 12));
        let versions: Vec<_> = missing.writes.iter().map(|w| w.version.as_str()).collect();
        assert_eq!(versions[..3], ["n1/1:1", "n1/1:3", "n1/1:15"]);
    }
}
