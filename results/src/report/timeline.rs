//! The operations of a run as data for the page's timeline, in columns and of bounded size.
//!
//! A long run has more operations than a page can hold or an eye can tell apart. Then those that matter are
//! kept (the counterexamples', and those that the system did not serve) and of the rest an even sample; the
//! page says so. Times are microseconds.

use std::collections::{BTreeMap, BTreeSet};

use growler_checker::verdict::Anomaly;
use serde::Serialize;

use crate::operations::{Operation, Outcome};
use crate::series::Series;
use crate::story::label;

/// Operations that a page holds.
const OPERATIONS_MAX: usize = 20_000;

/// What the page's scripts read.
#[derive(Debug, Serialize)]
pub(super) struct Data<'a> {
    run_us: u64,
    bucket_us: u64,
    /// By slice: ok, fail, info, and quantiles of latency (µs).
    ok: Vec<u64>,
    fail: Vec<u64>,
    info: Vec<u64>,
    p50: Vec<Option<u64>>,
    p99: Vec<Option<u64>>,
    operations: Columns<'a>,
}

/// One entry in each column for each operation.
#[derive(Debug, Default, Serialize)]
struct Columns<'a> {
    /// Index of the invocation, less that of the operation before.
    index: Vec<u64>,
    /// Beginning, less that of the operation before.
    start: Vec<i64>,
    /// Length; -1 where it never ended.
    length: Vec<i64>,
    /// 0 ok, 1 fail, 2 info.
    outcome: Vec<u8>,
    client: Vec<usize>,
    node: Vec<usize>,
    key: Vec<usize>,
    /// `write 17`.
    label: Vec<String>,
    /// Positions of operations that belong to a counterexample.
    proof: Vec<usize>,
    clients: Vec<String>,
    nodes: Vec<&'a str>,
    keys: Vec<String>,
}

/// How many operations are shown, of how many.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Shown {
    pub(super) shown: usize,
    pub(super) all: usize,
}

/// Gathers the data.
pub(super) fn data<'a>(
    operations: &[Operation<'a>],
    anomalies: &[&Anomaly],
    series: &Series,
    run_ns: u64,
) -> (Data<'a>, Shown) {
    let proof: BTreeSet<u64> =
        anomalies.iter().flat_map(|a| a.ops.iter().chain(&a.context)).copied().collect();
    let chosen = choose(operations, &proof, OPERATIONS_MAX);
    let shown = Shown { shown: chosen.len(), all: operations.len() };
    let buckets = &series.buckets;
    let data = Data {
        run_us: run_ns / 1000,
        bucket_us: series.bucket_ns / 1000,
        ok: buckets.iter().map(|b| b.ok).collect(),
        fail: buckets.iter().map(|b| b.fail).collect(),
        info: buckets.iter().map(|b| b.info).collect(),
        p50: buckets.iter().map(|b| b.latency.map(|l| l.p50_ns / 1000)).collect(),
        p99: buckets.iter().map(|b| b.latency.map(|l| l.p99_ns / 1000)).collect(),
        operations: columns(&chosen, &proof),
    };
    (data, shown)
}

/// The proofs first, then what was not served, then an even sample of the rest, in order.
fn choose<'a>(operations: &[Operation<'a>], proof: &BTreeSet<u64>, max: usize) -> Vec<Operation<'a>> {
    if operations.len() <= max {
        return operations.to_vec();
    }
    type Ops<'o, 'a> = Vec<&'o Operation<'a>>;
    let (proofs, rest): (Ops<'_, '_>, Ops<'_, '_>) =
        operations.iter().partition(|op| proof.contains(&op.invoke.index));
    let (served, refused): (Ops<'_, '_>, Ops<'_, '_>) = rest.into_iter().partition(|op| op.served());
    let mut chosen: Vec<_> = proofs.into_iter().take(max).copied().collect();
    chosen.extend(even_sample(&refused, (max - chosen.len()) / 2));
    chosen.extend(even_sample(&served, max - chosen.len()));
    chosen.sort_by_key(|op| op.invoke.index);
    chosen
}

fn even_sample<'a>(from: &[&Operation<'a>], max: usize) -> Vec<Operation<'a>> {
    let take = from.len().min(max);
    (0..take).map(|i| *from[i * from.len() / take]).collect()
}

fn columns<'a>(operations: &[Operation<'a>], proof: &BTreeSet<u64>) -> Columns<'a> {
    let mut columns = Columns::default();
    let mut sessions: Vec<_> = operations.iter().filter_map(|op| op.invoke.session()).collect();
    sessions.sort_unstable();
    sessions.dedup();
    let clients: BTreeMap<_, _> = sessions.iter().enumerate().map(|(i, s)| (*s, i)).collect();
    let nodes = sorted(operations.iter().map(|op| op.node().unwrap_or("")));
    let keys = sorted(operations.iter().map(|op| op.invoke.key.clone()));
    let (mut last_index, mut last_start) = (0, 0);
    for (at, op) in operations.iter().enumerate() {
        let start = (op.start_ns() / 1000).cast_signed();
        columns.index.push(op.invoke.index - last_index);
        columns.start.push(start - last_start);
        (last_index, last_start) = (op.invoke.index, start);
        let length = op.end_ns().map_or(-1, |end| ((end - op.start_ns()) / 1000).cast_signed());
        columns.length.push(length);
        columns.outcome.push(match op.outcome() {
            Outcome::Ok => 0,
            Outcome::Fail => 1,
            Outcome::Info => 2,
        });
        columns.client.push(op.invoke.session().and_then(|s| clients.get(&s).copied()).unwrap_or(0));
        columns.node.push(nodes[op.node().unwrap_or("")]);
        columns.key.push(keys[&op.invoke.key]);
        columns.label.push(label(op));
        if proof.contains(&op.invoke.index) {
            columns.proof.push(at);
        }
    }
    columns.clients = sessions.iter().map(|s| format!("client {s}")).collect();
    columns.nodes = nodes.into_keys().collect();
    columns.keys = keys.into_keys().map(|k| k.map_or(String::new(), |k| k.to_string())).collect();
    columns
}

/// Each distinct value with its place in their order.
fn sorted<T: Ord>(values: impl Iterator<Item = T>) -> BTreeMap<T, usize> {
    let distinct: BTreeSet<T> = values.collect();
    distinct.into_iter().enumerate().map(|(i, value)| (value, i)).collect()
}

#[cfg(test)]
mod tests {
    use growler_checker::history::{Event, EventType, Process};
    use serde_json::Value;

    use super::*;
    use crate::operations::pair;

    #[test]
    fn a_sample_keeps_proofs_and_refusals_and_is_even() {
        let events: Vec<Event> = (0..2_000)
            .map(|i| {
                let kind = match (i % 2, i) {
                    (0, _) => EventType::Invoke,
                    (_, 801) => EventType::Info,
                    _ => EventType::Ok,
                };
                Event { index: i, ..Event::new(Process::Client(0), kind, "read", Value::Null) }
            })
            .collect();
        let operations = pair(&events);
        let proof = BTreeSet::from([6, 1_998]);
        let chosen: Vec<u64> = choose(&operations, &proof, 100).iter().map(|op| op.invoke.index).collect();
        assert_eq!(chosen.len(), 100);
        assert!(chosen.is_sorted() && [6, 800, 1_998].iter().all(|index| chosen.contains(index)));
        assert!(chosen.windows(2).all(|pair| pair[1] - pair[0] <= 24), "no stretch is left out");
        assert_eq!(choose(&operations, &proof, 5_000).len(), 1_000);
    }
}
