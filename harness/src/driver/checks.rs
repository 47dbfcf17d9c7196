//! Runs the checks of a history, and does not take their word for it.
//!
//! `growler test` and `growler check` both come through here, so that both keep the same two rules:
//!
//! - A violation of linearizability, or a value out of nowhere, counts when its certificate has passed the
//!   verifier, which shares no code with what found it ([`growler_checker::evidence`]). A certificate that is wrong is a defect
//!   of growler, whatever the system under test did. If it proves nothing, no violation is made of its
//!   anomaly; if it proves too much with too many operations, the violation stands beside the defect. Where
//!   the verifier cannot decide, that is told, and the violation stands: the verifier is a second opinion.
//! - A check that panics, or a verifier that does, is a defect of growler too. The other checks still run.
//!
//! Nothing here decides the verdict: [`growler_results::verdict::judge`] does.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use growler_checker::evidence::certificate::CertificateFault;
use growler_checker::evidence::{certificate, provenance};
use growler_checker::history::Event;
use growler_checker::verdict::{Anomaly, Budget, Check, CheckResult, Validity};
use growler_results::verdict::Judgement;

/// What judges the certificates of the anomalies that a check found in a history of a model.
type Verifier = fn(&[Event], &str, &[Anomaly]) -> Vec<Result<(), CertificateFault>>;

/// The check of linearizability, which a monitor may anticipate.
pub(super) const LINEARIZABLE: &str = "linearizable";

/// The checks whose certificates can be verified, and by what.
const VERIFIED: [(&str, Verifier); 2] =
    [(LINEARIZABLE, certificate::verify_all), ("provenance", provenance::verify_all)];

/// So many wrong certificates are told one by one.
const TOLD: usize = 3;

/// What the checks answered, and what is wrong with that.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// The answers by name.
    pub(crate) checks: BTreeMap<String, CheckResult>,
    /// Anomalies that are not proven, by check and place.
    pub(crate) unproven: BTreeMap<String, BTreeSet<usize>>,
    /// Defects of growler, as sentences.
    pub(crate) defects: Vec<String>,
    /// What could not be verified, as sentences.
    pub(crate) warnings: Vec<String>,
}

impl Checked {
    /// A check that was not answered, and why.
    pub(crate) fn unanswered(name: &str, why: &str) -> Self {
        Self { checks: [(name.to_owned(), undecided(why))].into(), ..Self::default() }
    }

    /// Adds what other checks answered.
    pub(crate) fn add(&mut self, other: Self) {
        self.checks.extend(other.checks);
        self.unproven.extend(other.unproven);
        self.defects.extend(other.defects);
        self.warnings.extend(other.warnings);
    }

    /// Hands everything that bears on the verdict over to the judgement.
    pub(crate) fn hand_over(self, judgement: &mut Judgement) {
        judgement.checks = self.checks;
        judgement.unproven = self.unproven;
        judgement.internal.extend(self.defects);
        judgement.notes.extend(self.warnings);
    }
}

/// Runs the checks on a history of this model, which is kept in `file`.
pub(crate) fn run_checks(checks: &[Box<dyn Check>], model: &str, events: &[Event], file: &Path) -> Checked {
    let budget = Budget::default();
    let mut checked = Checked::default();
    for check in checks {
        let name = check.name();
        let answer = catch_unwind(AssertUnwindSafe(|| check.check(events, &budget)));
        let mut result = answer.unwrap_or_else(|panic| {
            let why = panic_message(&*panic);
            checked.defects.push(defect(&format!("the check {name} panicked ({why})"), file));
            undecided("it did not come to an end")
        });
        let verifier = VERIFIED.iter().find(|(verified, _)| *verified == name);
        if let Some((_, verify_all)) = verifier.filter(|_| !result.anomalies.is_empty()) {
            checked.verify(name, &mut result, |anomalies| verify_all(events, model, anomalies), file);
        }
        checked.checks.insert(name.to_owned(), result);
    }
    checked
}

/// The answer of a check that did not answer.
pub(crate) fn undecided(why: &str) -> CheckResult {
    CheckResult {
        valid: Validity::Unknown,
        anomalies: Vec::new(),
        unknown: vec![why.to_owned()],
        stats: BTreeMap::new(),
    }
}

impl Checked {
    /// Verifies the certificates of one check.
    fn verify(
        &mut self,
        name: &str,
        result: &mut CheckResult,
        verify_all: impl Fn(&[Anomaly]) -> Vec<Result<(), CertificateFault>>,
        file: &Path,
    ) {
        let anomalies = &result.anomalies;
        let answers = match catch_unwind(AssertUnwindSafe(|| verify_all(anomalies))) {
            Ok(answers) => answers,
            Err(panic) => {
                let why = panic_message(&*panic);
                self.defects.push(defect(&format!("the verifier of certificates panicked ({why})"), file));
                self.unproven.insert(name.to_owned(), (0..anomalies.len()).collect());
                return;
            }
        };
        let mut wrong = Vec::new();
        let (mut confirmed, mut open) = (0_u64, 0_u64);
        for (at, (anomaly, answer)) in anomalies.iter().zip(answers).enumerate() {
            match answer {
                Ok(()) => confirmed += 1,
                Err(fault) if fault.is_defect() => {
                    if !fault.proves_violation() {
                        self.unproven.entry(name.to_owned()).or_default().insert(at);
                    }
                    wrong.push(describe(anomaly, &fault));
                }
                Err(fault) => {
                    open += 1;
                    if open == 1 {
                        self.warnings.push(describe(anomaly, &fault));
                    }
                }
            }
        }
        let counts = [("certificates_confirmed", confirmed), ("certificates_undecided", open)];
        result.stats.extend(counts.map(|(name, count)| (name.to_owned(), count.into())));
        let more = wrong.len().saturating_sub(TOLD);
        self.defects.extend(wrong.iter().take(TOLD).map(|what| defect(what, file)));
        if more > 0 {
            self.defects.push(format!("and so are {more} more certificates"));
        }
    }
}

/// Which anomaly it is, and what is wrong with its certificate.
fn describe(anomaly: &Anomaly, fault: &CertificateFault) -> String {
    let key = anomaly.key.as_ref().map(|key| format!(" on key {key}")).unwrap_or_default();
    let ops: Vec<String> = anomaly.ops.iter().map(u64::to_string).collect();
    format!("the {}{key} with the operations [{}]: {fault}", anomaly.kind, ops.join(", "))
}

/// A sentence that says what to do about a defect.
fn defect(what: &str, file: &Path) -> String {
    format!(
        "{what}. This is a defect of growler, not of the system under test: please report it with the \
         history, which is kept in {}",
        file.display()
    )
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message")
}

#[cfg(test)]
mod tests;
