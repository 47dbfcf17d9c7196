//! A key whose replicas did not come to hold what they should: what each of them holds, side by side, which
//! acknowledged writes some of them lack, and how it came about.
//!
//! An anomaly of the end of a key names the answers that prove it. To understand it one needs the other
//! replicas too, the writes before, and the faults in between, so these are looked up in the history: the last
//! `replica-read` of every node for that key, or, where replicas could not be asked by themselves, the reads that
//! the anomaly names. The history is quoted and compared, never judged: which of two replicas is right is not
//! said here, and a write is called missing only where the answers themselves show it ([`missing`]).

mod cells;
mod missing;
mod picture;

use std::collections::{BTreeMap, BTreeSet};

use growler_checker::anomaly::{DIVERGED, LOST_WRITE, RESURRECTED};
use growler_checker::verdict::Anomaly;
use serde::Serialize;

use super::axis::Axis;
use crate::operations::{Operation, Outcome, error_name};
use crate::plan::{FaultEntry, PlanFile};
use crate::story::{clipped, fault_sentence};
use crate::words::{join_and, seconds};
use cells::Cells;
use missing::Missing;
use picture::{Held, KeyPicture};

/// The function that asks one node for what it holds itself.
pub(super) const REPLICA_READ: &str = "replica-read";

/// The error of a node that has no part in a key.
const NOT_A_REPLICA: &str = "not-a-replica";

/// The checks whose anomalies are about the end of a key.
const CHECKS: [&str; 2] = ["convergence", "resurrection"];

/// What the template shows of one key.
#[derive(Debug, Serialize)]
pub(super) struct Replicas {
    /// Whether each replica was asked by itself.
    asked: bool,
    /// Which of the columns any answer fills.
    columns: Columns,
    rows: Vec<Row>,
    /// Nodes that have no part in the key.
    others: String,
    missing: Missing,
    picture: KeyPicture,
    /// What was broken between the first write that is told and the first of the answers.
    faults: Vec<String>,
    plan_known: bool,
    /// Whether the operations of the anomaly are all in the table of replicas.
    pub(super) tells_all: bool,
    from_us: u64,
    to_us: u64,
}

#[derive(Debug, Default, Serialize)]
struct Columns {
    version: bool,
    context: bool,
    timestamp: bool,
    siblings: bool,
}

/// One replica, or one read that stands in for an unknown one.
#[derive(Debug, Serialize)]
struct Row {
    node: String,
    cells: Cells,
    read: String,
    index: u64,
    /// Whether the anomaly rests on this answer.
    proof: bool,
}

/// The answers that show the end of the key.
struct Answers<'a> {
    asked: bool,
    /// By node, or in order.
    all: Vec<Operation<'a>>,
    others: BTreeSet<&'a str>,
}

/// Looks up the key of an anomaly that is about the end of it; none for others, or where nobody read it then.
pub(super) fn replicas(
    check: &str,
    anomaly: &Anomaly,
    operations: &[Operation<'_>],
    plan: Option<&PlanFile>,
    axis: Axis,
) -> Option<Replicas> {
    let kind = anomaly.kind.as_str();
    if !CHECKS.contains(&check) || ![DIVERGED, LOST_WRITE, RESURRECTED].contains(&kind) {
        return None;
    }
    let of_key: Vec<_> = operations.iter().filter(|op| op.invoke.key == anomaly.key).copied().collect();
    let answers = answers(anomaly, &of_key)?;
    let missing = missing::missing(anomaly, &of_key, &answers.all, plan, axis.run_ns);
    let told = missing.first_ns().into_iter().chain(named(anomaly, &of_key).map(Operation::start_ns));
    let since = answers.all.iter().map(Operation::start_ns).min()?;
    let from = told.chain([since]).min()?;
    let to = answers.all.iter().filter_map(Operation::end_ns).max().unwrap_or(since);
    let all_faults = plan.into_iter().flat_map(|plan| &plan.faults);
    let faults: Vec<&FaultEntry> = all_faults.filter(|f| f.overlaps(from, to, axis.run_ns)).collect();
    let before = faults.iter().filter(|fault| fault.overlaps(from, since, axis.run_ns));
    let rows = rows(anomaly, &answers);
    let held: Vec<Held> = rows.iter().map(|row| row.cells.held()).collect();
    let ends = (answers.all.as_slice(), held.as_slice());
    Some(Replicas {
        asked: answers.asked,
        columns: Columns {
            version: rows.iter().any(|row| row.cells.version.is_some()),
            context: rows.iter().any(|row| row.cells.context.is_some()),
            timestamp: rows.iter().any(|row| row.cells.timestamp.is_some()),
            siblings: rows.iter().any(|row| row.cells.siblings.is_some()),
        },
        rows,
        others: join_and(&answers.others.iter().map(|node| clipped(node)).collect::<Vec<_>>(), "and"),
        faults: before.map(|fault| fault_sentence(fault, axis.run_ns)).collect(),
        plan_known: plan.is_some(),
        tells_all: kind == DIVERGED,
        picture: picture::draw(&of_key, ends, &missing, &faults, (from, to), axis.run_ns),
        missing,
        from_us: from / 1000,
        to_us: to / 1000,
    })
}

/// The operations of the key that the anomaly rests on.
fn named<'o, 'a>(
    anomaly: &'o Anomaly,
    of_key: &'o [Operation<'a>],
) -> impl Iterator<Item = &'o Operation<'a>> {
    of_key.iter().filter(|op| anomaly.ops.contains(&op.invoke.index))
}

/// The last answer of every node that was asked for its own; otherwise the reads that the anomaly names.
fn answers<'a>(anomaly: &Anomaly, of_key: &[Operation<'a>]) -> Option<Answers<'a>> {
    let mut last: BTreeMap<&str, Operation<'a>> = BTreeMap::new();
    for op in of_key.iter().filter(|op| op.invoke.f == REPLICA_READ) {
        last.insert(op.node().unwrap_or("?"), *op);
    }
    if last.is_empty() {
        let named = |op: &&Operation<'_>| {
            let index = op.invoke.index;
            anomaly.ops.contains(&index) || anomaly.context.contains(&index)
        };
        let reads = of_key.iter().filter(named).filter(|op| op.invoke.f == "read");
        let all: Vec<_> = reads.filter(|op| op.outcome() == Outcome::Ok).copied().collect();
        return (!all.is_empty()).then(|| Answers { asked: false, all, others: BTreeSet::new() });
    }
    let is_other = |op: &Operation<'_>| op.complete.and_then(error_name) == Some(NOT_A_REPLICA);
    let others = last.iter().filter(|(_, op)| is_other(op)).map(|(node, _)| *node).collect();
    let all: Vec<_> = last.into_values().filter(|op| !is_other(op)).collect();
    (!all.is_empty()).then_some(Answers { asked: true, all, others })
}

fn rows(anomaly: &Anomaly, answers: &Answers<'_>) -> Vec<Row> {
    let cells = cells::side_by_side(&answers.all);
    let row = |(op, cells): (&Operation<'_>, Cells)| Row {
        node: clipped(op.node().unwrap_or("?")),
        cells,
        read: seconds(op.end_ns().unwrap_or(op.start_ns())),
        index: op.invoke.index,
        proof: anomaly.ops.contains(&op.invoke.index),
    };
    answers.all.iter().zip(cells).map(row).collect()
}
