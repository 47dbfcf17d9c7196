//! Where did this value come from? Every value that an answer shows, strong or eventual, of a client or of a replica,
//! was brought by an operation that was invoked before the answer came and did not certainly fail.
//!
//! That is the least that any store promises: stale answers and lost writes may be its right, values out of nowhere are
//! not. So this check is part of every promise and of every model.
//!
//! - **`phantom-value`**: nobody had tried to bring the value. **`aborted-read`**: somebody had, and that certainly
//!   failed. **`future-read`**: it was brought only by operations that were invoked after the answer had come.
//! - **`wrong-version`**: the value was brought, but the version beside it is that of another write, or of none
//!   (`versions`).
//!
//! What shows values, and what brings them, is in `says`. Absence and the first state of an object need no writer. An
//! operation that was never answered may take effect at any time after its invocation, so all that counts of it is that
//! that came before. A counter is not what anybody wrote but what additions can have come to (`sums`), a string that
//! grows is made of its pieces (`texts`), and an account holds no more than there is (`balances`).
//!
//! The certificate is the answer: one operation, of which everybody can see that nothing explains it. The writes that
//! it cannot have come from are counted, not listed. Two answers that contradict each other (`wrong-version`) are both
//! named, and so is the snapshot that says how much money there is.
//!
//! **How.** One walk over the operations in the order of their invocations keeps, of each value of each object, the
//! first invocation that brings it, and looks up what each answer shows. Nearly all of it is found at once. The rest is
//! looked up again when everything is known. Linear time, but for strings (their lengths).

mod balances;
mod report;
mod says;
mod sources;
pub(crate) mod sums;
pub(crate) mod texts;
mod values;
mod versions;

use serde_json::Value;

use crate::convergence::findings::Findings;
use crate::history::{Event, Objects, Operation, Outcome, pair};
use crate::invariants::bank::Balances;
use crate::verdict::{Anomaly, Budget, Check, CheckResult};
use report::{Report, Shown};
use says::{Facet, Kind};
use sources::position;
use sums::Sums;
use texts::{By, Texts};

/// The check that every value was brought by somebody. Its name in verdicts is `provenance`.
#[derive(Debug, Clone)]
pub struct Provenance {
    kind: Kind,
    initial: Option<Balances>,
}

impl Provenance {
    /// The check for objects of this model; none where it is not known what brings their values.
    #[must_use]
    pub fn of(model: &str) -> Option<Self> {
        Some(Self { kind: Kind::of(model)?, initial: None })
    }

    /// The check for a bank that started with these balances.
    #[must_use]
    pub fn of_bank(initial: Balances) -> Self {
        Self { kind: Kind::Bank, initial: Some(initial) }
    }
}

impl Provenance {
    fn judge(&self, operations: &[Operation<'_>]) -> CheckResult {
        let mut report = Report::new(self.kind, operations);
        match self.kind {
            Kind::Counter => counters(&mut report),
            Kind::Text => texts(&mut report),
            Kind::Bank => balances::judge(&mut report, self.initial.as_ref()),
            _ => values::judge(self.kind, &mut report),
        }
        report.answer()
    }
}

/// What there is to say of the answer of one operation of an object that nothing explains; none if it is explained, or
/// one of too many.
pub(crate) fn told(model: &str, operations: &[Operation<'_>], index: u64) -> Option<Anomaly> {
    let found = Provenance::of(model)?.judge(operations).anomalies;
    found.into_iter().find(|anomaly| anomaly.ops == [index])
}

impl Check for Provenance {
    fn name(&self) -> &'static str {
        "provenance"
    }

    fn check(&self, events: &[Event], _budget: &Budget) -> CheckResult {
        match pair(events) {
            Ok(operations) => self.judge(&operations),
            Err(error) => Findings::refused(&error),
        }
    }
}

/// The number of each operation's object, and how many objects there are.
fn objects(operations: &[Operation<'_>]) -> (Vec<u32>, usize) {
    let mut objects = Objects::default();
    let places = operations.iter().map(|operation| objects.place(operation.key())).collect();
    (places, objects.into_keys().len())
}

/// A whole number; null is none at all, which is 0.
fn whole(value: &Value) -> Option<i128> {
    match value {
        Value::Null => Some(0),
        value => value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from)),
    }
}

fn counters(report: &mut Report<'_, '_>) {
    let operations = report.operations;
    let (of, count) = objects(operations);
    let pairs = || operations.iter().zip(&of).zip(0..);
    // Of each counter, the additions that did not certainly fail, and those that did.
    let mut sums: Vec<(Sums, Sums)> = Vec::new();
    sums.resize_with(count, Default::default);
    for ((operation, &object), _) in pairs() {
        if let ("add", Some(delta)) = (operation.f(), whole(operation.argument())) {
            let (added, failed) = &mut sums[object as usize];
            let to = if operation.outcome() == Outcome::Fail { failed } else { added };
            to.add(position(operation.call), delta);
        }
    }
    for ((operation, &object), place) in pairs() {
        let (facet, value) = match (operation.f(), operation.outcome()) {
            ("read" | "replica-read", Outcome::Ok) => (Facet::Read, operation.result()),
            ("add", Outcome::Ok | Outcome::Fail) => (Facet::Image, operation.observed()),
            _ => continue,
        };
        let Some(value) = value.filter(|value| !value.is_null()) else { continue };
        let Some(sum) = whole(value) else { continue };
        report.count();
        let ((added, failed), none) = (&sums[object as usize], Sums::default());
        let end = operation.ret.map_or(0, position);
        if added.explain(&none, end, sum) {
            continue;
        }
        let name = report::name(added.explain(failed, end, sum), added.explain(&none, u32::MAX, sum));
        let shown = Shown { place, facet, part: None, value };
        report.out_of_nowhere(name, shown, added.bounds(end));
    }
}

fn texts(report: &mut Report<'_, '_>) {
    let operations = report.operations;
    let (of, count) = objects(operations);
    let pairs = || operations.iter().zip(&of).zip(0..);
    let mut texts: Vec<Texts<'_>> = Vec::new();
    texts.resize_with(count, Texts::default);
    for ((operation, &object), _) in pairs() {
        if let ("put" | "append", Some(piece)) = (operation.f(), operation.argument().as_str()) {
            let (is_put, failed) = (operation.f() == "put", operation.outcome() == Outcome::Fail);
            texts[object as usize].add(is_put, piece, position(operation.call), failed);
        }
    }
    for ((operation, &object), place) in pairs() {
        let is_read = matches!(operation.f(), "get" | "replica-read") && operation.outcome() == Outcome::Ok;
        let Some(value) = operation.result().filter(|_| is_read) else { continue };
        let Some(text) = value.as_str() else { continue };
        report.count();
        let (texts, end) = (&mut texts[object as usize], operation.ret.map_or(0, position));
        if !texts.explain(text, end) {
            let name = report::name(texts.can_be(text, end, By::Attempt), texts.can_be(text, end, By::Ever));
            let shown = Shown { place, facet: Facet::Read, part: None, value };
            report.made_of_nothing(name, shown);
        }
    }
}
