//! The comparison of checker and oracle, counted.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use growler_checker::anomaly;
use growler_checker::history::Event;
use growler_checker::linearizability::Linearizable;
use growler_checker::verdict::{Budget, Check, Validity};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{oracle, random};

/// What came out of comparing.
#[derive(Default)]
pub(crate) struct Tally {
    /// Histories compared.
    pub(crate) histories: u64,
    /// Those that are not linearizable.
    pub(crate) invalid: u64,
    /// Certificates by size.
    pub(crate) sizes: BTreeMap<usize, u64>,
    /// Anomalies by name.
    pub(crate) names: BTreeMap<String, u64>,
    /// Histories on which checker and oracle disagree, with the reason.
    pub(crate) mismatches: Vec<String>,
}

impl Tally {
    /// Compares this many random histories of 2 operations or more, `largest` at most.
    pub(crate) fn run(&mut self, histories: u64, seed: u64, largest: usize) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for _ in 0..histories {
            let ops = rng.random_range(2..=largest);
            let events = random::history(&mut rng, ops);
            if let Some(reason) = self.compare(&events) {
                let mut mismatch = reason;
                for event in &events {
                    let _ = write!(mismatch, "\n{}", serde_json::to_string(event).unwrap_or_default());
                }
                self.mismatches.push(mismatch);
            }
        }
    }

    /// The disagreement on one history, if there is one.
    fn compare(&mut self, events: &[Event]) -> Option<String> {
        self.histories += 1;
        let result = Linearizable::cas_register().check(events, &Budget::default());
        let ops = oracle::operations(events);
        let expected = oracle::linearizable(&ops, u32::MAX);
        let wanted = if expected { Validity::Valid } else { Validity::Invalid };
        if result.valid != wanted {
            return Some(format!("the checker says {:?}, the oracle {wanted:?}", result.valid));
        }
        if expected {
            return (!result.anomalies.is_empty()).then(|| "an anomaly in a valid history".to_owned());
        }
        self.invalid += 1;
        let [found] = result.anomalies.as_slice() else { return Some("not exactly one anomaly".to_owned()) };
        *self.sizes.entry(found.ops.len()).or_default() += 1;
        *self.names.entry(found.kind.clone()).or_default() += 1;
        if !anomaly::admits(anomaly::NONLINEARIZABLE, &found.kind) {
            return Some(format!("{} is no case of nonlinearizable", found.kind));
        }
        oracle::fault_of_certificate(&ops, &found.ops).map(|fault| format!("{:?}: {fault}", found.ops))
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "histories {}, not linearizable {}", self.histories, self.invalid)?;
        writeln!(f, "certificate sizes {:?}", self.sizes)?;
        writeln!(f, "anomalies {:?}", self.names)?;
        write!(f, "mismatches {}", self.mismatches.len())
    }
}
