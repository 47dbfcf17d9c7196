//! What was found, named and put into words.

use serde_json::Value;

use super::says::{Facet, Kind, brought};
use super::sources::{NEVER, Source, position};
use super::versions::Wrong;
use crate::anomaly;
use crate::convergence::findings::{Findings, named, shown as nothing_or};
use crate::history::{Event, Operation, Outcome};
use crate::linearizability::explain::{capitalised, when, who};
use crate::verdict::CheckResult;

/// A value that an answer shows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown<'h> {
    /// The place of the operation.
    pub(super) place: u32,
    pub(super) facet: Facet,
    /// The part of the object, where it has parts.
    pub(super) part: Option<&'h Value>,
    pub(super) value: &'h Value,
}

/// What a value is called that nothing explains: whether it would have been explained by operations that certainly
/// failed, or by such as were invoked later.
pub(super) fn name(attempted: bool, later: bool) -> &'static str {
    match (attempted, later) {
        (true, _) => anomaly::ABORTED_READ,
        (false, true) => anomaly::FUTURE_READ,
        (false, false) => anomaly::PHANTOM_VALUE,
    }
}

/// The answer of the check in the making.
pub(super) struct Report<'o, 'h> {
    pub(super) operations: &'o [Operation<'h>],
    kind: Kind,
    findings: Findings,
    judged: u64,
}

impl<'o, 'h> Report<'o, 'h> {
    pub(super) fn new(kind: Kind, operations: &'o [Operation<'h>]) -> Self {
        Self { operations, kind, findings: Findings::new(), judged: 0 }
    }

    /// One value, or list, more that an answer shows.
    pub(super) fn count(&mut self) {
        self.judged += 1;
    }

    pub(super) fn answer(mut self) -> CheckResult {
        self.findings.stat("values", self.judged);
        self.findings.answer()
    }

    /// A read that should return a list and does not.
    pub(super) fn no_list(&mut self, operation: &Operation<'_>, found: &Value) {
        let index = operation.index;
        let f = operation.f();
        self.findings
            .undecided(format!("event {index}: a `{f}` here must return a list of elements, not {found}"));
    }

    /// A value that nobody brought who can have.
    pub(super) fn unwritten(&mut self, shown: Shown<'h>, source: Source<'h>, end: u32) {
        let name = name(source.failed < end, source.call != NEVER);
        let (kind, operations) = (self.kind, self.operations);
        self.finding(name, shown, |shown, operation| {
            let brings = |other: &Operation<'h>| {
                let mut brings = (false, false);
                brought(kind, other, |(part, value)| {
                    let same_part = part == shown.part;
                    brings = (brings.0 | same_part, brings.1 | (same_part && value == shown.value));
                });
                brings
            };
            let of_key = || operations.iter().filter(|other| other.key() == operation.key());
            let failed = |other: &Operation<'_>| other.outcome() == Outcome::Fail;
            let in_time = |other: &Operation<'_>| position(other.call) < end;
            let count = of_key().filter(|other| !failed(other) && in_time(other) && brings(other).0).count();
            let witness = match name {
                anomaly::ABORTED_READ => {
                    of_key().find(|other| failed(other) && in_time(other) && brings(other).1)
                }
                anomaly::FUTURE_READ => of_key().find(|other| !failed(other) && brings(other).1),
                _ => None,
            };
            let why = match (name, witness) {
                (anomaly::ABORTED_READ, Some(witness)) => {
                    format!("which {} tried to write, and that certainly failed", who(witness))
                }
                (anomaly::FUTURE_READ, Some(witness)) => {
                    let timed = self.operations.iter().any(|operation| operation.invocation.time > 0);
                    format!(
                        "which {} was the first to write, after the answer {}",
                        who(witness),
                        when(witness, timed)
                    )
                }
                _ => "which nobody had tried to write".to_owned(),
            };
            let before = match count {
                0 => "nothing had been written there before".to_owned(),
                1 => "the one write there before that did not fail is of something else".to_owned(),
                count => {
                    format!("the {count} writes there before that did not fail are of something else")
                }
            };
            (format!("{why}: {before}"), witness.map(|witness| witness.index).into_iter().collect())
        });
    }

    /// A sum that additions cannot have come to.
    pub(super) fn out_of_nowhere(&mut self, name: &'static str, shown: Shown<'h>, (low, high): (i128, i128)) {
        self.finding(name, shown, |_, _| {
            let why = format!(
                "and the additions that were invoked before the answer came and did not certainly fail come to no \
                 such sum: it is between {low} and {high}, and a multiple of what all of them are"
            );
            (why, Vec::new())
        });
    }

    /// A string that is not made of what was put and appended.
    pub(super) fn made_of_nothing(&mut self, name: &'static str, shown: Shown<'h>) {
        self.finding(name, shown, |_, _| {
            let why = "which is not made of what was put and appended before the answer came by operations that did \
                       not certainly fail";
            (why.to_owned(), Vec::new())
        });
    }

    /// A balance that no transfers lead to.
    pub(super) fn unreachable(
        &mut self,
        name: &'static str,
        shown: Shown<'h>,
        account: &str,
        (low, high): (i128, i128),
    ) {
        self.finding(name, shown, |_, _| {
            let why = format!(
                "the balance of account {account}, which the transfers that were invoked before the answer came can \
                 have brought to {low} at least and {high} at most, in steps of their amounts"
            );
            (why, Vec::new())
        });
    }

    /// A balance that is greater than all money; `source` is the read that says how much that is.
    pub(super) fn more_than_there_is(
        &mut self,
        shown: Shown<'h>,
        account: &str,
        total: i128,
        source: Option<u32>,
    ) {
        let source = source.map(|source| self.operations[source as usize].index);
        self.finding_with(anomaly::PHANTOM_VALUE, shown, source, |_, _| {
            (format!("the balance of account {account}, and there is no more money than {total}"), Vec::new())
        });
    }

    /// A value beside a version that is not its own.
    pub(super) fn wrong_version(&mut self, Wrong { claim, against }: Wrong<'h>) {
        let shown = Shown { place: claim.place, facet: Facet::Read, part: None, value: claim.value };
        let other = against.map(|other| &self.operations[other as usize]);
        self.finding_with(anomaly::WRONG_VERSION, shown, other.map(|other| other.index), |_, operation| {
            let version = |operation: &Operation<'_>| {
                let extra = operation.completion.map(Event::extra);
                let version = extra.and_then(|extra| extra.version.clone());
                version.or_else(|| serde_json::to_value(extra?.timestamp.as_ref()?).ok()).unwrap_or_default()
            };
            let beside = format!("beside version {}", version(operation));
            let why = match other {
                None if claim.value.is_null() => {
                    format!("{beside}, which is that of a write and of no delete")
                }
                None => format!("{beside}, which is not that of a write of this value"),
                Some(other) => format!(
                    "{beside}, but {} was shown {} beside version {}: a version has one value, and a write one version",
                    who(other),
                    nothing_or(other.result()),
                    version(other)
                ),
            };
            (why, Vec::new())
        });
    }

    fn finding(
        &mut self,
        name: &'static str,
        shown: Shown<'h>,
        why: impl FnOnce(Shown<'h>, &Operation<'h>) -> (String, Vec<u64>),
    ) {
        self.finding_with(name, shown, None, why);
    }

    /// One finding more, with another answer in the certificate if it takes one. Why it is one, in words, and what
    /// helps to see it, is asked for only if it will be shown.
    fn finding_with(
        &mut self,
        name: &'static str,
        shown: Shown<'h>,
        other: Option<u64>,
        why: impl FnOnce(Shown<'h>, &Operation<'h>) -> (String, Vec<u64>),
    ) {
        if self.findings.only_counts(name) {
            return;
        }
        let operation = &self.operations[shown.place as usize];
        let (why, context) = why(shown, operation);
        let ops = other.into_iter().chain([operation.index]).collect();
        let timed = self.operations.iter().any(|operation| operation.invocation.time > 0);
        self.findings.anomaly(name, operation.key(), ops, context, || {
            let told = told(self.kind, operation, shown);
            capitalised(&format!("{told} {}, {why}.", when(operation, timed)))
        });
    }
}

/// What an answer showed, and to whom.
fn told(kind: Kind, operation: &Operation<'_>, Shown { facet, part, value, .. }: Shown<'_>) -> String {
    let key = match part {
        Some(part) => format!("register {part} of {}", named(operation.key())),
        None => named(operation.key()),
    };
    let value = match (kind, value) {
        (Kind::Elements, value) => format!("element {value}"),
        (_, Value::Null) => "no item".to_owned(),
        (_, value) => value.to_string(),
    };
    let who = who(operation);
    let f = operation.f();
    match (facet, f, operation.outcome()) {
        (_, "replica-read", _) => {
            let node =
                operation.node().map_or_else(|| "a replica".to_owned(), |node| format!("replica {node}"));
            format!("{node} held {value} in {key}")
        }
        (Facet::Read, "dequeue", _) => format!("{who} took {value} from {key}"),
        (Facet::Read, ..) => format!("{who} read {value} in {key}"),
        (Facet::Condition, "release", _) => format!("{who} released {key} under token {value}"),
        (Facet::Condition, ..) => format!("{who}'s `{f}` held on {value} in {key}"),
        (Facet::Image, _, Outcome::Fail) => format!("{who}'s `{f}` met {value} in {key}"),
        (Facet::Image, ..) => format!("{who}'s `{f}` replaced {value} in {key}"),
    }
}
