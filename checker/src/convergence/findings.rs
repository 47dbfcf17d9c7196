//! What a check has found so far, and how that becomes its answer.
//!
//! A broken store breaks a rule a million times. The first few of each kind are kept, in the order in which
//! the check comes upon them, and all are counted: the count stands in the stats under the anomaly's name.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::history::Key;
use crate::linearizability::explain::clipped;
use crate::verdict::{Anomaly, CheckResult, Validity};

/// Anomalies of one kind that a verdict shows. More would not be read.
const SHOWN: u64 = 10;

/// Reasons for an unknown answer that a verdict shows.
const REASONS: usize = 10;

/// An answer in the making.
#[derive(Debug)]
pub(crate) struct Findings {
    anomalies: Vec<Anomaly>,
    unknown: Vec<String>,
    counts: BTreeMap<&'static str, u64>,
    stats: BTreeMap<String, Value>,
}

impl Findings {
    pub(crate) fn new() -> Self {
        Self { anomalies: Vec::new(), unknown: Vec::new(), counts: BTreeMap::new(), stats: BTreeMap::new() }
    }

    /// The answer to what is no history at all.
    pub(crate) fn refused(reason: &impl ToString) -> CheckResult {
        let mut findings = Self::new();
        findings.undecided(reason.to_string());
        findings.answer()
    }

    /// One proof more. It is put into words only if it will be shown. `ops` need not be sorted.
    pub(crate) fn anomaly(
        &mut self,
        kind: &'static str,
        key: Option<&Key>,
        ops: Vec<u64>,
        context: Vec<u64>,
        explanation: impl FnOnce() -> String,
    ) {
        let count = self.counts.entry(kind).or_insert(0);
        *count += 1;
        if *count > SHOWN {
            return;
        }
        let sorted = |mut indexes: Vec<u64>| {
            indexes.sort_unstable();
            indexes.dedup();
            indexes
        };
        let ops = sorted(ops);
        let context = sorted(context).into_iter().filter(|index| !ops.contains(index)).collect();
        let kind = kind.to_owned();
        let explanation = explanation();
        self.anomalies.push(Anomaly {
            kind,
            key: key.cloned(),
            ops,
            context,
            explanation,
            cycle: Vec::new(),
        });
    }

    /// Counts one proof more of a kind of which enough are shown; `false` if this one is to be shown.
    pub(crate) fn only_counts(&mut self, kind: &'static str) -> bool {
        match self.counts.get_mut(kind) {
            Some(count) if *count >= SHOWN => {
                *count += 1;
                true
            }
            _ => false,
        }
    }

    /// Something that could not be decided.
    pub(crate) fn undecided(&mut self, reason: String) {
        if self.unknown.len() < REASONS {
            self.unknown.push(reason);
        }
    }

    /// A number, or more, that helps to judge the answer.
    pub(crate) fn stat(&mut self, name: &str, value: impl Into<Value>) {
        self.stats.insert(name.to_owned(), value.into());
    }

    /// The answer: invalid where there is a proof, else unknown where something is undecided.
    pub(crate) fn answer(mut self) -> CheckResult {
        self.stats.extend(self.counts.iter().map(|(&kind, &count)| (kind.to_owned(), count.into())));
        let valid = match (self.anomalies.is_empty(), self.unknown.is_empty()) {
            (false, _) => Validity::Invalid,
            (true, false) => Validity::Unknown,
            (true, true) => Validity::Valid,
        };
        self.anomalies.sort_by(|a, b| a.ops.last().cmp(&b.ops.last()).then_with(|| a.kind.cmp(&b.kind)));
        CheckResult { valid, anomalies: self.anomalies, unknown: self.unknown, stats: self.stats }
    }
}

/// The points of a distribution, as Jepsen takes them: the value at ⌊n · point⌋ of the sorted ones. Null where
/// there are no values. O(n log n).
pub(crate) fn distribution(mut values: Vec<u64>) -> Value {
    values.sort_unstable();
    let Some(last) = values.len().checked_sub(1) else { return Value::Null };
    let at = |percent: usize| values[(values.len() * percent / 100).min(last)];
    json!({"count": values.len(), "p0": at(0), "p50": at(50), "p95": at(95), "p99": at(99), "p100": at(100)})
}

/// `key k7`, or `the object` where there are no keys.
pub(crate) fn named(key: Option<&Key>) -> String {
    key.map_or_else(|| "the object".to_owned(), |key| format!("key {key}"))
}

/// A value in a sentence: null stands for the absence of one.
pub(crate) fn shown(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "nothing".to_owned(),
        Some(value) => clipped(&value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distribution_is_taken_where_jepsen_takes_it() {
        assert_eq!(distribution(Vec::new()), Value::Null);
        let one = json!({"count": 1, "p0": 7, "p50": 7, "p95": 7, "p99": 7, "p100": 7});
        assert_eq!(distribution(vec![7]), one);
        let many = json!({"count": 200, "p0": 0, "p50": 100, "p95": 190, "p99": 198, "p100": 199});
        assert_eq!(distribution((0..200).rev().collect()), many);
    }

    #[test]
    fn a_proof_outweighs_a_doubt_and_many_are_counted_but_not_shown() {
        let mut findings = Findings::new();
        findings.undecided("who knows".to_owned());
        for at in 0..25_u64 {
            findings.anomaly("diverged", None, vec![30 - at, 1], vec![1, 2], || format!("the {at}th"));
        }
        let answer = findings.answer();
        assert_eq!(answer.valid, Validity::Invalid);
        assert_eq!((answer.anomalies.len(), &answer.stats["diverged"]), (10, &json!(25)));
        assert_eq!((&answer.anomalies[0].ops, &answer.anomalies[0].context), (&vec![1, 21], &vec![2]));
        assert_eq!(Findings::refused(&"no").valid, Validity::Unknown);
        assert_eq!(Findings::new().answer().valid, Validity::Valid);
    }
}
