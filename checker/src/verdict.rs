//! What a check answers, and how answers combine.
//!
//! A check is a pure function of a history and a budget ([`Check`]). Its answer ([`CheckResult`]) is valid,
//! invalid or unknown, and an invalid one carries [`Anomaly`]s: a name from the catalogue, the operations
//! that prove it, and a sentence for people.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::history::{Event, Key};
use crate::sensitivity::{Sensitivity, SensitivityPlan};

/// The three answers of a check, ordered by how they combine: the greatest wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Validity {
    /// The promise held.
    Valid,
    /// The check could not decide within its budget.
    Unknown,
    /// The promise was broken, and there is a proof.
    Invalid,
}

impl Serialize for Validity {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Valid => s.serialize_bool(true),
            Self::Invalid => s.serialize_bool(false),
            Self::Unknown => s.serialize_str("unknown"),
        }
    }
}

impl<'de> Deserialize<'de> for Validity {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        match Value::deserialize(d)? {
            Value::Bool(true) => Ok(Self::Valid),
            Value::Bool(false) => Ok(Self::Invalid),
            Value::String(s) if s == "unknown" => Ok(Self::Unknown),
            other => {
                Err(serde::de::Error::custom(format!("expected true, false or \"unknown\", got {other}")))
            }
        }
    }
}

/// One proof that a promise was broken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Anomaly {
    /// Its name in `growler list anomalies`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The key concerned, for per-key promises.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// The certificate: indexes of invocations (contract, section 5).
    pub ops: Vec<u64>,
    /// Further operations that help a person to see it.
    #[serde(default)]
    pub context: Vec<u64>,
    /// One plain sentence in terms of clients, times and values.
    pub explanation: String,
    /// Where the certificate closes a circle of before and after: the circle.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cycle: Vec<Precedence>,
}

impl Anomaly {
    /// The bare claim that these operations, of an object without a key, are a violation of this kind: all
    /// that a verifier needs.
    #[must_use]
    pub fn claim(kind: &str, ops: &[u64]) -> Self {
        Self {
            kind: kind.to_owned(),
            key: None,
            ops: ops.to_vec(),
            context: Vec::new(),
            explanation: String::new(),
            cycle: Vec::new(),
        }
    }
}

/// One value was in force before another, since an operation that wrote or saw the first had ended before one
/// that wrote or saw the second began. Values that conditional writes chain together count as one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Precedence {
    /// The value that came before.
    pub before: Value,
    /// The value that came after.
    pub after: Value,
    /// The `index` of the operation that had ended.
    pub ended: u64,
    /// The `index` of the operation that began after that.
    pub began: u64,
}

/// The answer of one check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckResult {
    /// The answer.
    pub valid: Validity,
    /// The proofs, where it is invalid. Ordered, and the same for the same history.
    pub anomalies: Vec<Anomaly>,
    /// Why it could not decide, where it is unknown: which window, which budget.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
    /// Counts that help to judge the answer (keys, operations, steps). Never timings.
    pub stats: BTreeMap<String, Value>,
}

/// How much work a check may do before it answers *unknown*.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Search steps over the whole history, split over its keys deterministically.
    pub steps: u64,
    /// Bytes of live search state.
    pub bytes: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { steps: 200_000_000, bytes: 2 << 30 }
    }
}

/// A promise that a history can be held to.
pub trait Check: Send + Sync {
    /// The name under `checks` in `results.json`, for instance `linearizable`.
    fn name(&self) -> &'static str;

    /// Judges the history. Pure: the same events and budget give the same answer, byte for byte.
    fn check(&self, events: &[Event], budget: &Budget) -> CheckResult;

    /// Which share of single faults this check would have found in a history that passed it: faults are put
    /// into copies of the history, and the check judges these. Pure, like [`Check::check`]. None where this
    /// check knows of no faults to try, or where the events are no history of its model.
    fn sensitivity(&self, events: &[Event], plan: &SensitivityPlan<'_>) -> Option<Sensitivity> {
        let _ = (events, plan);
        None
    }
}
