//! The tables of the report: what is drawn above them, in words and numbers, and what cannot be drawn.

use std::collections::BTreeSet;

use growler_checker::verdict::Validity;
use serde::Serialize;
use serde_json::Value;

use super::convergence::tells;
use super::tracks::outcome_name;
use crate::availability::{Availability, Part};
use crate::contents::Contents;
use crate::operations::Operation;
use crate::plan::FaultEntry;
use crate::series::{Latency, by_function};
use crate::test_file::{Recovery, TestFile};
use crate::words::{count, duration, join_and, seconds, share};

/// All tables.
#[derive(Debug, Serialize)]
pub(super) struct Tables {
    checks: Vec<Check>,
    functions: Vec<Function>,
    faults: Vec<Fault>,
    recoveries: Vec<RecoveryRow>,
    recovery_matrix: Option<Matrix>,
    availability: Vec<AvailabilityRow>,
    settings: Vec<Setting>,
}

#[derive(Debug, Serialize)]
struct Check {
    name: String,
    /// `held`, `broken`, `unknown`.
    answer: &'static str,
    anomalies: Vec<(String, u64)>,
    unknown: Vec<String>,
    stats: String,
}

#[derive(Debug, Serialize)]
struct Function {
    name: String,
    ops: String,
    ok: String,
    condition_failed: String,
    fail: String,
    info: String,
    p50: String,
    p99: String,
    max: String,
    errors: String,
}

#[derive(Debug, Serialize)]
struct Fault {
    kind: String,
    targets: String,
    detail: String,
    planned: String,
    actual: String,
    outcome: &'static str,
    reason: String,
    evidence: String,
}

#[derive(Debug, Serialize)]
struct RecoveryRow {
    healed: String,
    took: String,
    allowed: String,
    slowest: String,
    /// `in time`, `too late`, `not measured`.
    answer: &'static str,
}

/// The slowest recovery of each partition through each node.
#[derive(Debug, Serialize)]
struct Matrix {
    partitions: Vec<String>,
    rows: Vec<(String, Vec<String>)>,
}

#[derive(Debug, Serialize)]
struct AvailabilityRow {
    what: &'static str,
    name: String,
    asked: String,
    refused: String,
    overall: String,
    calm: String,
}

#[derive(Debug, Serialize)]
struct Setting {
    group: &'static str,
    name: String,
    value: String,
}

/// Fills the tables.
pub(super) fn tables(
    contents: &Contents,
    operations: &[Operation<'_>],
    availability: &Availability,
) -> Tables {
    let recoveries = contents.test.iter().flat_map(|test| &test.timings.recoveries);
    Tables {
        checks: checks(contents),
        functions: functions(operations),
        faults: contents.plan.iter().flat_map(|plan| &plan.faults).map(fault).collect(),
        recoveries: recoveries.clone().map(recovery).collect(),
        recovery_matrix: matrix(&recoveries.collect::<Vec<_>>()),
        availability: availability_rows(availability),
        settings: contents.test.as_ref().map(settings).unwrap_or_default(),
    }
}

fn checks(contents: &Contents) -> Vec<Check> {
    let checks = contents.results.iter().flat_map(|results| &results.checks);
    let rows = checks.map(|(name, check)| {
        let kinds: BTreeSet<_> = check.anomalies.iter().map(|a| &a.kind).collect();
        // Checks that show only the first anomalies of a kind count them all under its name.
        let shown = |kind: &String| check.anomalies.iter().filter(|a| a.kind == *kind).count() as u64;
        let counted = |kind: &String| check.stats.get(kind).and_then(Value::as_u64).unwrap_or(0);
        let number = |kind: &String| shown(kind).max(counted(kind));
        let is_told = |value: &Value| tells(name) && (value.is_object() || value.is_array());
        Check {
            name: name.clone(),
            answer: match check.valid {
                Validity::Valid => "held",
                Validity::Invalid => "broken",
                Validity::Unknown => "unknown",
            },
            anomalies: kinds.into_iter().map(|kind| (kind.clone(), number(kind))).collect(),
            unknown: check.unknown.clone(),
            stats: check
                .stats
                .iter()
                .filter(|(_, v)| !is_told(v))
                .map(|(name, v)| format!("{name} {}", number_or_json(v)))
                .collect::<Vec<_>>()
                .join(", "),
        }
    });
    rows.collect()
}

fn number_or_json(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.as_u64().map_or_else(|| other.to_string(), count),
    }
}

fn functions(operations: &[Operation<'_>]) -> Vec<Function> {
    let rows = by_function(operations).into_iter().map(|(name, counts)| {
        let quantile =
            |of: fn(&Latency) -> u64| counts.latency.as_ref().map_or("–".to_owned(), |l| duration(of(l)));
        let errors = counts.errors.iter().map(|(name, n)| format!("{name} {}", count(*n)));
        Function {
            ops: count(counts.ops),
            ok: count(counts.ok),
            condition_failed: count(counts.condition_failed),
            fail: count(counts.fail),
            info: count(counts.info),
            p50: quantile(|l| l.p50_ns),
            p99: quantile(|l| l.p99_ns),
            max: quantile(|l| l.max_ns),
            errors: errors.collect::<Vec<_>>().join(", "),
            name,
        }
    });
    rows.collect()
}

fn fault(fault: &FaultEntry) -> Fault {
    let window = |from: u64, to: Option<u64>| {
        format!("{} – {}", seconds(from), to.map_or_else(|| "end".to_owned(), seconds))
    };
    Fault {
        kind: fault.fault.clone(),
        targets: join_and(&fault.targets, "and"),
        detail: in_words(&fault.detail),
        planned: fault.planned.map_or_else(|| "–".to_owned(), |(from, to)| window(from, Some(to))),
        actual: fault.actual.map_or_else(|| "–".to_owned(), |(from, to)| window(from, to)),
        outcome: outcome_name(fault),
        reason: fault.reason.clone().unwrap_or_default(),
        evidence: in_words(&fault.evidence),
    }
}

/// JSON as a phrase: plain fields first, then nested ones. What is false is left out, what is true is named,
/// and `shape` needs no name: `isolate, bytes dropped: 81 200, grudge (n1: n2 n3)`.
fn in_words(value: &Value) -> String {
    match value {
        Value::Null | Value::Bool(false) => String::new(),
        Value::Array(items) => items.iter().map(in_words).collect::<Vec<_>>().join(" "),
        Value::Object(fields) => {
            let (nested, plain): (Vec<_>, Vec<_>) = fields.iter().partition(|(_, value)| value.is_object());
            let phrases = plain.into_iter().chain(nested).map(|(name, value)| field_in_words(name, value));
            phrases.filter(|phrase| !phrase.is_empty()).collect::<Vec<_>>().join(", ")
        }
        Value::Bool(true) | Value::Number(_) | Value::String(_) => plain(value),
    }
}

fn field_in_words(name: &str, value: &Value) -> String {
    let spaced = name.replace('_', " ");
    match (name, value) {
        (_, Value::Null | Value::Bool(false)) => String::new(),
        (_, Value::Bool(true)) => spaced,
        (_, Value::Object(_)) => format!("{spaced} ({})", in_words(value)),
        ("shape", _) => in_words(value),
        (_, Value::Number(n)) => match (spaced.strip_suffix(" ns"), n.as_i64()) {
            (Some(what), Some(ns)) if ns < 0 => format!("{what}: −{}", duration(ns.unsigned_abs())),
            (Some(what), Some(ns)) => format!("{what}: {}", duration(ns.unsigned_abs())),
            _ if name.contains("bytes") => format!("{spaced}: {}", number_or_json(value)),
            _ => format!("{spaced}: {n}"),
        },
        _ => format!("{spaced}: {}", in_words(value)),
    }
}

fn recovery(recovery: &Recovery) -> RecoveryRow {
    let after = |ns: u64| ns.saturating_sub(recovery.healed_ns);
    let slowest = recovery.per.iter().max_by_key(|part| part.acked_ns.unwrap_or(u64::MAX));
    RecoveryRow {
        healed: seconds(recovery.healed_ns),
        took: recovery.recovered_ns.map_or_else(|| "–".to_owned(), |ns| duration(after(ns))),
        allowed: duration(after(recovery.deadline_ns)),
        slowest: slowest
            .map(|part| format!("{} of {} through {}", part.asked, part.partition, part.node))
            .unwrap_or_default(),
        answer: match (recovery.missed(), recovery.recovered_ns) {
            (true, _) => "too late",
            (false, Some(_)) => "in time",
            (false, None) => "not measured: the next fault came first",
        },
    }
}

fn matrix(recoveries: &[&Recovery]) -> Option<Matrix> {
    let parts = || recoveries.iter().flat_map(|r| r.per.iter().map(|part| (r.healed_ns, part)));
    let partitions: BTreeSet<_> = parts().map(|(_, part)| part.partition.clone()).collect();
    let nodes: BTreeSet<_> = parts().map(|(_, part)| part.node.clone()).collect();
    let worst = |node: &str, partition: &str| {
        let own = parts().filter(|(_, part)| part.node == node && part.partition == partition);
        let took = own.filter_map(|(healed, part)| Some(part.acked_ns?.saturating_sub(healed)));
        took.max().map_or_else(|| "–".to_owned(), duration)
    };
    let row = |node: &String| (node.clone(), partitions.iter().map(|p| worst(node, p)).collect());
    let rows: Vec<_> = nodes.iter().map(row).collect();
    (!rows.is_empty()).then(|| Matrix { rows, partitions: partitions.into_iter().collect() })
}

fn availability_rows(availability: &Availability) -> Vec<AvailabilityRow> {
    let row = |what, (name, part): (&String, &Part)| AvailabilityRow {
        what,
        name: name.clone(),
        asked: count(part.overall.asked),
        refused: count(part.overall.asked - part.overall.served),
        overall: share(part.overall.served, part.overall.asked),
        calm: share(part.calm.served, part.calm.asked),
    };
    let nodes = availability.nodes.iter().map(|part| row("node", part));
    nodes.chain(availability.partitions.iter().map(|part| row("partition", part))).collect()
}

fn settings(test: &TestFile) -> Vec<Setting> {
    let setting = |group, name: &str, value: String| Setting { group, name: name.to_owned(), value };
    let endpoints = test.system.endpoints.iter().map(|e| setting("system", "endpoint", e.clone()));
    let system = std::iter::once(setting("system", "description", test.system.description.clone()));
    let options = test.options.iter().map(|(name, value)| setting("option", name, plain(value)));
    let versions = test.versions.iter().map(|(name, version)| setting("version", name, version.clone()));
    let host = test.host.iter().map(|(name, value)| setting("host", name, plain(value)));
    system.chain(endpoints).chain(options).chain(versions).chain(host).collect()
}

/// A setting's value: text as it is, all else as JSON.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "–".to_owned(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn evidence_reads_as_a_phrase() {
        let evidence = json!({
            "bytes_dropped": 81_200, "clients": false, "dead": true, "pid": 31_188, "shape": "isolate",
            "clock": {"offset_ns": -3_000_000_000_i64, "tolerance_ns": 4_000_000}, "nodes": ["n1", "n2"],
        });
        let phrase = "bytes dropped: 81\u{202f}200, dead, nodes: n1 n2, pid: 31188, isolate, \
                      clock (offset: −3.00 s, tolerance: 4.00 ms)";
        assert_eq!(in_words(&evidence), phrase);
        assert_eq!(in_words(&Value::Null), "");
    }
}
