//! From the findings of all objects to one answer of the check, whatever the objects are.
//!
//! One object that is not linearizable makes the whole invalid; else one that could not be decided makes it
//! unknown, and a sentence says which window was too hard. The order is that of the objects, so that the same
//! history has the same answer. Nothing is judged here.

use std::collections::BTreeMap;

use serde_json::Value;

use super::general::{Answer, Exhausted};
use crate::history::Key;
use crate::verdict::{Anomaly, CheckResult, Validity};

/// What was found of one object.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) answer: Answer,
    pub(super) anomaly: Option<Anomaly>,
    /// What deciding it took.
    pub(super) steps: u64,
}

/// When an operation that says something was open.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    /// The `index` of its invocation.
    pub(super) index: u64,
    pub(super) call: u32,
    /// [`super::END`] where it never ended.
    pub(super) ret: u32,
    /// Whether nobody knows if it took effect.
    pub(super) indeterminate: bool,
}

/// An object that was judged.
pub(super) trait Judged {
    /// Whose it is; none where events carry no key.
    fn key(&self) -> Option<&Key>;

    /// Its operations that say something, in order of invocation.
    fn spans(&self) -> impl DoubleEndedIterator<Item = Span>;
}

/// Puts the findings of all objects together.
pub(super) fn merge<O: Judged>(objects: &[O], findings: Vec<Finding>) -> CheckResult {
    let (valid, anomalies, unknown) = (Validity::Valid, Vec::new(), Vec::new());
    let mut result = CheckResult { valid, anomalies, unknown, stats: BTreeMap::new() };
    let (mut invalid, mut steps) = (0_u64, 0_u64);
    for (object, finding) in objects.iter().zip(findings) {
        steps += finding.steps;
        match finding.answer {
            Answer::Linearizable => {}
            Answer::Not { .. } => {
                invalid += 1;
                result.valid = Validity::Invalid;
                result.anomalies.extend(finding.anomaly);
            }
            Answer::Unknown { from, to, why } => {
                result.valid = result.valid.max(Validity::Unknown);
                result.unknown.push(undecided(object, from, to, why));
            }
        }
    }
    let spans = || objects.iter().flat_map(Judged::spans);
    let stats = [
        ("keys", objects.len() as u64),
        ("operations", spans().count() as u64),
        ("indeterminate", spans().filter(|span| span.indeterminate).count() as u64),
        ("keys_invalid", invalid),
        ("keys_unknown", result.unknown.len() as u64),
        ("steps", steps),
    ];
    result.stats.extend(stats.map(|(name, count)| (name.to_owned(), Value::from(count))));
    result
}

/// Says which object and which window could not be decided, and why.
fn undecided(object: &impl Judged, from: u32, to: u32, why: Exhausted) -> String {
    let mut window = object.spans().filter(|span| span.call <= to && span.ret > from);
    let first = window.next().map_or(0, |span| span.index);
    let last = window.next_back().map_or(first, |span| span.index);
    let reason = match why {
        Exhausted::Steps => "its share of the step budget is spent",
        Exhausted::Bytes => "the ways to explain it do not fit into its share of the memory budget",
    };
    let key = object.key().map_or_else(|| "the object".to_owned(), |key| format!("key {key}"));
    format!(
        "{key}: undecided in the window of the operations invoked at events {first} to {last}, because {reason}"
    )
}
