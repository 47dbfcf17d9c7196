//! Is each object linearizable? The check, its budget, and the way from an answer to a verdict.
//!
//! Linearizability is local (Herlihy & Wing 1990): a history is linearizable if that of every object is. So
//! each key is judged by itself, several at a time, and the results are put together in the order of the
//! keys. For one key:
//!
//! 1. `object` applies the contract's table: what does each operation say?
//! 2. `problem` turns it into jobs to be ordered.
//! 3. Where every written value is unique, [`item`] decides in O(n log n). Elsewhere `unexplained` refutes in linear
//!    time what shows a value that nobody can have written, and then [`general`] searches, after `reduce` has left out what cannot matter and `lifetimes` has found what is known of each value.
//! 4. If there is no order, `certificate` finds the few operations that prove it (by what is left when others
//!    are weakened: `weaken`), `classify` names the anomaly, and `explain` says it in a sentence.
//!
//! Models other than registers have a check of the same name in [`modelled`], straight on the general engine.
//!
//! The budget is dealt out by the number of operations of each key, so the answer does not depend on which
//! key is judged first, or on how many threads there are.

mod buckets;
mod certificate;
mod classify;
mod cycle;
pub(crate) mod explain;
pub mod general;
pub mod item;
mod lifetimes;
mod merge;
mod minimise;
pub mod modelled;
mod object;
pub mod online;
mod problem;
mod reduce;
mod sensitivity;
mod unexplained;
mod weaken;

use std::collections::BTreeMap;

use general::Answer;
pub use general::{END, Job, Limits};
use merge::{Finding, Judged, Span, merge};
pub use object::InputError;
use object::Object;
pub use problem::Engine;
use problem::{Problem, Solution};
use weaken::Weakening;

use crate::history::{Event, Key, Operation, PairError, by_key, pair};
use crate::parallel::in_parallel;
use crate::sensitivity::{Sensitivity, SensitivityPlan};
use crate::verdict::{Budget, Check, CheckResult, Validity};

/// The check that every item is linearizable, under the model `register` or `cas-register`. Its name in
/// verdicts is `linearizable`. Eventual reads are skipped: they promise nothing here.
#[derive(Debug, Clone, Copy)]
pub struct Linearizable {
    model: &'static str,
    engine: Engine,
}

/// Why a history cannot be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// Its events are not operations.
    #[error(transparent)]
    Pair(#[from] PairError),
    /// Its operations are not those of the model.
    #[error(transparent)]
    Input(#[from] InputError),
    /// Its operations are not those of the model.
    #[error(transparent)]
    Vocabulary(#[from] modelled::VocabularyError),
}

impl Linearizable {
    /// The check for the model `register`: `read` and `write`.
    #[must_use]
    pub fn register() -> Self {
        Self { model: "register", engine: Engine::Auto }
    }

    /// The check for the model `cas-register`: `read`, `write` and `cas`.
    #[must_use]
    pub fn cas_register() -> Self {
        Self { model: "cas-register", engine: Engine::Auto }
    }

    /// The same check, answered by this engine.
    #[must_use]
    pub fn with_engine(self, engine: Engine) -> Self {
        Self { engine, ..self }
    }

    /// Whether the events are a history of this model. [`Check::check`] answers *unknown* for others; ask
    /// here first where that should be an error.
    ///
    /// # Errors
    ///
    /// What is wrong, and at which event.
    pub fn validate(&self, events: &[Event]) -> Result<(), HistoryError> {
        self.objects(events).map(|_| ())
    }

    /// An order of the operations of every key that explains all answers, in the order of the keys: the
    /// evidence behind *valid*. [`crate::evidence::order`] judges it.
    ///
    /// # Errors
    ///
    /// What is wrong with the history, and at which event.
    pub fn orders(&self, events: &[Event], budget: &Budget) -> Result<Vec<Linearization>, HistoryError> {
        let objects = self.objects(events)?;
        let all = entries_of(&objects);
        Ok(in_parallel(objects.iter(), |object| {
            let solution = Problem::whole(object).solve(self.engine, share(budget, object, all));
            let index = |job: u32| object.operation(job as usize).index;
            let order = solution.order.map(|order| order.into_iter().map(index).collect());
            Linearization { key: object.key.cloned(), order }
        }))
    }

    fn objects<'h>(&self, events: &'h [Event]) -> Result<Vec<Object<'h>>, HistoryError> {
        let operations: Vec<Operation<'h>> = pair(events)?;
        let split = by_key(&operations);
        drop(operations);
        let objects = in_parallel(split.into_iter(), |(key, ops)| Object::new(self.model, key, ops));
        Ok(objects.into_iter().collect::<Result<_, InputError>>()?)
    }
}

impl Check for Linearizable {
    fn name(&self) -> &'static str {
        "linearizable"
    }

    fn check(&self, events: &[Event], budget: &Budget) -> CheckResult {
        match self.objects(events) {
            Ok(objects) => {
                let all = entries_of(&objects);
                let findings = in_parallel(objects.iter(), |object| {
                    judge(object, self.engine, share(budget, object, all))
                });
                merge(&objects, findings)
            }
            Err(error) => CheckResult {
                valid: Validity::Unknown,
                anomalies: Vec::new(),
                unknown: vec![error.to_string()],
                stats: BTreeMap::new(),
            },
        }
    }

    fn sensitivity(&self, events: &[Event], plan: &SensitivityPlan<'_>) -> Option<Sensitivity> {
        let objects = self.objects(events).ok()?;
        Some(sensitivity::measure(&objects, self.engine, plan))
    }
}

/// An order of one key's operations in which all of them answer as they did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linearization {
    /// Whose operations they are.
    pub key: Option<Key>,
    /// The `index`es of their invocations. Operations that did not take effect, or say nothing, are left out.
    /// None where there is no order, or none was found within the budget.
    pub order: Option<Vec<u64>>,
}

/// The number of operations that say something.
fn entries_of(objects: &[Object<'_>]) -> usize {
    objects.iter().map(|object| object.entries.len()).sum()
}

/// The part of the budget that is this object's: by its number of operations among those of all objects.
fn share(budget: &Budget, object: &Object<'_>, all: usize) -> Limits {
    let part = |total: u64| {
        let exact = u128::from(total) * object.entries.len() as u128 / all.max(1) as u128;
        u64::try_from(exact).unwrap_or(u64::MAX)
    };
    Limits { steps: part(budget.steps), bytes: part(budget.bytes) }
}

/// Judges one object.
fn judge(object: &Object<'_>, engine: Engine, limits: Limits) -> Finding {
    let solution = Problem::whole(object).solve(engine, limits);
    let Solution { answer, steps, .. } = solution;
    let anomaly = match answer {
        Answer::Not { at } => {
            let mut history = Weakening::new(object);
            let certificate = certificate::find(&mut history, at, &solution, engine, limits);
            Some(classify::anomaly(&history, &certificate))
        }
        Answer::Linearizable | Answer::Unknown { .. } => None,
    };
    Finding { answer, anomaly, steps }
}

impl Judged for Object<'_> {
    fn key(&self) -> Option<&Key> {
        self.key
    }

    fn spans(&self) -> impl DoubleEndedIterator<Item = Span> {
        let span = |entry: &object::Entry| {
            let index = self.ops[entry.op].index;
            Span {
                index,
                call: entry.call,
                ret: entry.ret.unwrap_or(END),
                indeterminate: entry.ret.is_none(),
            }
        };
        self.entries.iter().map(span)
    }
}
