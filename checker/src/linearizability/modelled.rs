//! The check `linearizable` for any sequential model: counters, sets, queues, and a user's own.
//!
//! Registers have a check of their own ([`super::Linearizable`]), which knows much about them. Everything
//! else needs two things: a [`Model`], which says what the object does, and a [`Vocabulary`], which says what
//! a history's operations mean to it. With both, [`Modelled`] is a check with all that belongs to one: each
//! object by itself, a share of the budget for each, and for a violation the operations that prove it.
//!
//! # What a certificate means
//!
//! The contract's definition (section 5), for any model: the history of the object stays non-linearizable
//! when every operation outside the certificate is *weakened*, and becomes linearizable when any member is
//! weakened too. What weakening leaves of an operation, the vocabulary says ([`Weak`]):
//!
//! - nothing of one that only looked;
//! - of one that puts something in place (a write, an element that is added), its effect, at any moment of the
//!   run or not at all;
//! - of one like a delete, whose effect is that of many others (a removal, an addition to a counter, taking a
//!   lock or giving it back), its effect within its own interval or not at all: were it free to happen at any
//!   moment, one half of all operations would have to be named to show that the other half went wrong.
//!
//! Its answer is forgotten, where the model has a form of it without one: a weakened dequeue may take
//! anything. Weakening only ever allows more, so greedy deletion is enough to make a certificate irreducible
//! (`certificate`).
//!
//! # A model of one's own
//!
//! A stack that is pushed to, and popped from the top:
//!
//! ```
//! use growler_checker::history::{HistoryBuilder, Operation, Outcome};
//! use growler_checker::linearizability::modelled::{Modelled, Names, Said, Vocabulary, VocabularyError, Weak};
//! use growler_checker::model::Model;
//! use growler_checker::verdict::{Budget, Check, Validity};
//!
//! struct Stack;
//! #[derive(Clone, PartialEq, Eq, Hash)]
//! enum Op { Push(u32), Pop(u32), PopAny }
//!
//! impl Model for Stack {
//!     type State = Vec<u32>;
//!     type Op = Op;
//!     fn initial(&self) -> Vec<u32> { Vec::new() }
//!     fn step(&self, state: &Vec<u32>, op: &Op) -> impl Iterator<Item = Vec<u32>> {
//!         let mut next = state.clone();
//!         match op {
//!             Op::Push(element) => { next.push(*element); Some(next) }
//!             Op::Pop(element) => (next.pop() == Some(*element)).then_some(next),
//!             Op::PopAny => next.pop().map(|_| next),
//!         }
//!         .into_iter()
//!     }
//! }
//!
//! impl Vocabulary for Stack {
//!     fn name(&self) -> &'static str { "stack" }
//!     fn say<'h>(
//!         &self,
//!         operation: &Operation<'h>,
//!         names: &mut Names<'h>,
//!     ) -> Result<Option<Said<Op>>, VocabularyError> {
//!         Ok(match (operation.f(), operation.outcome(), operation.result()) {
//!             // What failed did not happen.
//!             (_, Outcome::Fail, _) => None,
//!             ("push", ..) => Some(Said::change(Op::Push(names.value(operation.argument())))),
//!             ("pop", Outcome::Ok, Some(element)) => {
//!                 Some(Said { op: Op::Pop(names.value(element)), weak: Weak::InTime(Op::PopAny) })
//!             }
//!             ("pop", ..) => Some(Said::change_in_time(Op::PopAny)),
//!             _ => return Err(self.unknown(operation)),
//!         })
//!     }
//! }
//!
//! // Two pushes one after the other, and then the lower one comes first.
//! let events = HistoryBuilder::new()
//!     .invoke(0, "push", 1).ok(0, 1)
//!     .invoke(0, "push", 2).ok(0, 2)
//!     .invoke(1, "pop", ()).ok(1, 1)
//!     .events();
//! let result = Modelled::new(Stack).check(&events, &Budget::default());
//! assert_eq!(result.valid, Validity::Invalid);
//! assert_eq!(result.anomalies[0].ops, [0, 2, 4]);
//! ```
//!
//! All three are needed: were either push free to happen at another moment, the pop would be right.

mod certificate;
mod counter;
mod kv;
mod multi_register;
mod mutex;
mod names;
mod queue;
mod set;

use std::collections::BTreeMap;

pub use names::Names;
use serde_json::Value;

use super::explain::{capitalised, listed, when, who};
use super::general::{self, Answer, END, Job, Limits, Outcome, Unguided};
use super::merge::{Finding, Judged, Span, merge};
pub use super::unexplained::{Unexplained, find as find_unexplained};
use super::{HistoryError, in_parallel};
use crate::anomaly::NONLINEARIZABLE;
use crate::history::{self, Event, Key, Operation, by_key, pair};
use crate::model::Model;
use crate::provenance;
use crate::verdict::{Anomaly, Budget, Check, CheckResult, Validity};

/// What one operation of a history says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said<O> {
    /// The call with its answer.
    pub op: O,
    /// What is left of it when it is weakened.
    pub weak: Weak<O>,
}

/// What is left of an operation when it is weakened. The call that is left must be possible wherever the
/// whole one is, and allow as much afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weak<O> {
    /// Nothing: it only looked.
    Nothing,
    /// This call, at any moment of the run, or not at all.
    Anytime(O),
    /// This call, within its own interval, or not at all.
    InTime(O),
}

impl<O: Clone> Said<O> {
    /// A call that puts something in place and has no answer to forget.
    pub fn change(op: O) -> Self {
        Self { weak: Weak::Anytime(op.clone()), op }
    }

    /// A call like a delete, which has no answer to forget.
    pub fn change_in_time(op: O) -> Self {
        Self { weak: Weak::InTime(op.clone()), op }
    }

    /// A call that only looks.
    pub fn look(op: O) -> Self {
        Self { op, weak: Weak::Nothing }
    }
}

/// How a history speaks of a model's object.
pub trait Vocabulary: Model<Op: Send + Sync> + Send + Sync {
    /// The model's name.
    fn name(&self) -> &'static str;

    /// What an operation says; nothing if it says nothing (it failed; it was a read and never returned).
    /// Whether it *must* have happened is told from its outcome: all that is not indeterminate must.
    ///
    /// # Errors
    ///
    /// A [`VocabularyError`] for an operation that the model does not have.
    fn say<'h>(
        &self,
        operation: &Operation<'h>,
        names: &mut Names<'h>,
    ) -> Result<Option<Said<Self::Op>>, VocabularyError>;

    /// Splits the operations of one key into objects that have nothing to do with each other.
    fn split<'h>(&self, operations: Vec<Operation<'h>>) -> Vec<Vec<Operation<'h>>> {
        vec![operations]
    }

    /// A job that must happen and shows what no other can have brought in time, if there is one: it has no place in any
    /// order, and nothing need be searched.
    fn unexplained(&self, _jobs: &[Job<Self::Op>]) -> Option<Unexplained> {
        None
    }

    /// Makes a problem smaller before it is searched, without changing its answer: intervals may shrink, an
    /// optional job may become one that must happen, and one with `ret < call` that must not is left out.
    fn tighten(&self, _jobs: &mut [Job<Self::Op>]) {}

    /// The model that these jobs are searched with: one with fewer states, if there is one that gives the
    /// same answer for them. States that no job tells apart may be one, and a state from which not all jobs
    /// that must happen still can may be missing.
    fn narrowed<'a>(&'a self, _jobs: &[Job<Self::Op>]) -> impl Model<Op = Self::Op> + 'a {
        self
    }

    /// The error for a function that the model does not have.
    fn unknown(&self, operation: &Operation<'_>) -> VocabularyError {
        let (index, f) = (operation.index, operation.f().to_owned());
        VocabularyError::UnknownFunction { index, f, model: self.name() }
    }

    /// The error for a value of the wrong shape.
    fn shape(&self, operation: &Operation<'_>, expected: &'static str, found: &Value) -> VocabularyError {
        let (index, f) = (operation.index, operation.f().to_owned());
        VocabularyError::Shape { index, f, model: self.name(), expected, found: found.to_string() }
    }
}

/// Why a history cannot be judged as that of a model. Every message names the event by its `index`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VocabularyError {
    /// A function that the model does not have.
    #[error(
        "event {index}: the `{model}` model has no function `{f}`; choose the model that fits with --model"
    )]
    UnknownFunction {
        /// The invocation.
        index: u64,
        /// Its function.
        f: String,
        /// The model that was asked for.
        model: &'static str,
    },
    /// A value of the wrong shape.
    #[error("event {index}: `{f}` of the `{model}` model needs {expected}, not {found}")]
    Shape {
        /// The invocation.
        index: u64,
        /// Its function.
        f: String,
        /// The model that was asked for.
        model: &'static str,
        /// What the model has there.
        expected: &'static str,
        /// What was there.
        found: String,
    },
    /// The history is longer than the checker can number.
    #[error("the history has more events than can be numbered; split it by key or by time")]
    TooLong,
}

/// The check that every object of a model is linearizable. Its name in verdicts is `linearizable`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Modelled<V> {
    vocabulary: V,
}

/// An operation that says something.
#[derive(Debug)]
struct Entry<O> {
    /// Its place in [`Object::ops`].
    op: usize,
    call: u32,
    /// The moment of its completion; [`END`] where it is indeterminate.
    ret: u32,
    must: bool,
    said: Said<O>,
}

/// The history of one object.
struct Object<'h, O> {
    key: Option<&'h Key>,
    ops: Vec<Operation<'h>>,
    entries: Vec<Entry<O>>,
}

impl<V: Vocabulary> Modelled<V> {
    /// The check for this model.
    pub fn new(vocabulary: V) -> Self {
        Self { vocabulary }
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

    fn objects<'h>(&self, events: &'h [Event]) -> Result<Vec<Object<'h, V::Op>>, HistoryError> {
        let operations = pair(events)?;
        let mut objects = Vec::new();
        for (key, operations) in by_key(&operations) {
            for ops in self.vocabulary.split(operations) {
                objects.push(self.object(key, ops)?);
            }
        }
        Ok(objects)
    }

    fn object<'h>(
        &self,
        key: Option<&'h Key>,
        ops: Vec<Operation<'h>>,
    ) -> Result<Object<'h, V::Op>, VocabularyError> {
        let mut names = Names::default();
        let mut entries = Vec::with_capacity(ops.len());
        for (op, operation) in ops.iter().enumerate() {
            if operation.f() == "replica-read" {
                continue;
            }
            let Some(said) = self.vocabulary.say(operation, &mut names)? else { continue };
            let must = operation.outcome() != history::Outcome::Info;
            let ret = match operation.ret {
                Some(ret) if must => moment(ret)?,
                _ => END,
            };
            entries.push(Entry { op, call: moment(operation.call)?, ret, must, said });
        }
        Ok(Object { key, ops, entries })
    }

    /// Whether there is an order for the object when only these entries (all, where none are named) count in
    /// full, and the rest is weakened.
    fn solve(&self, object: &Object<'_, V::Op>, strong: Option<&[usize]>, limits: Limits) -> (Answer, u64) {
        let mut jobs: Vec<Job<V::Op>> = match strong {
            None => object.jobs(),
            Some(strong) => {
                let mut is_strong = vec![false; object.entries.len()];
                strong.iter().for_each(|&at| is_strong[at] = true);
                let job = |(entry, strong): (&Entry<V::Op>, bool)| {
                    if strong {
                        return Some(entry.job());
                    }
                    let (op, call, ret) = match entry.said.weak.clone() {
                        Weak::Nothing => return None,
                        Weak::Anytime(op) => (op, 0, END),
                        Weak::InTime(op) => (op, entry.call, entry.ret),
                    };
                    Some(Job { op, call, ret, must: false })
                };
                object.entries.iter().zip(is_strong).filter_map(job).collect()
            }
        };
        if let Some(found) = self.vocabulary.unexplained(&jobs) {
            return (Answer::Not { at: jobs[found.job].ret }, jobs.len() as u64);
        }
        self.vocabulary.tighten(&mut jobs);
        let model = self.vocabulary.narrowed(&jobs);
        let Outcome { answer, steps, .. } = general::search(&model, &Unguided, &jobs, limits);
        (answer, steps)
    }

    fn judge(&self, object: &Object<'_, V::Op>, limits: Limits) -> Finding {
        let (answer, steps) = self.solve(object, None, limits);
        let Answer::Not { at } = answer else { return Finding { answer, anomaly: None, steps } };
        let prove = |members: &[usize], limits: Limits| {
            let (answer, steps) = self.solve(object, Some(members), limits);
            // Whatever the search takes, every entry was looked at.
            (answer, steps + object.entries.len() as u64)
        };
        let spans: Vec<(u32, u32)> = object.entries.iter().map(|entry| (entry.call, entry.ret)).collect();
        let unexplained = self.vocabulary.unexplained(&object.jobs());
        let suspects = unexplained.as_ref().map(Unexplained::suspects).unwrap_or_default();
        let certificate = certificate::find(&spans, at, &suspects, limits, prove);
        let mut anomaly = object.anomaly(&certificate);
        // Where this came from is a question that is answered, and put into words, in one place.
        let named = unexplained.map(|found| object.operation(found.job).index);
        let named = named.filter(|index| anomaly.ops.contains(index));
        let told = named.and_then(|index| provenance::told(self.vocabulary.name(), &object.ops, index));
        if let Some(told) = told {
            (anomaly.kind, anomaly.explanation, anomaly.context) =
                (told.kind, told.explanation, told.context);
            anomaly.context.retain(|index| !anomaly.ops.contains(index));
        }
        Finding { answer, anomaly: Some(anomaly), steps }
    }
}

impl<V: Vocabulary> Check for Modelled<V> {
    fn name(&self) -> &'static str {
        "linearizable"
    }

    fn check(&self, events: &[Event], budget: &Budget) -> CheckResult {
        let objects = match self.objects(events) {
            Ok(objects) => objects,
            Err(error) => {
                let (anomalies, unknown) = (Vec::new(), vec![error.to_string()]);
                return CheckResult { valid: Validity::Unknown, anomalies, unknown, stats: BTreeMap::new() };
            }
        };
        let all = objects.iter().map(|object| object.entries.len()).sum::<usize>().max(1);
        let findings = in_parallel(objects.iter(), |object| {
            let part = |total: u64| {
                let exact = u128::from(total) * object.entries.len() as u128 / all as u128;
                u64::try_from(exact).unwrap_or(u64::MAX)
            };
            self.judge(object, Limits { steps: part(budget.steps), bytes: part(budget.bytes) })
        });
        merge(&objects, findings)
    }
}

fn moment(position: usize) -> Result<u32, VocabularyError> {
    // Positions count from 0, moments from 1; the last ones are for what never ended.
    u32::try_from(position + 1).ok().filter(|&at| at < END / 4).ok_or(VocabularyError::TooLong)
}

impl<O> Judged for Object<'_, O> {
    fn key(&self) -> Option<&Key> {
        self.key
    }

    fn spans(&self) -> impl DoubleEndedIterator<Item = Span> {
        let span = |entry: &Entry<O>| {
            let index = self.ops[entry.op].index;
            Span { index, call: entry.call, ret: entry.ret, indeterminate: !entry.must }
        };
        self.entries.iter().map(span)
    }
}

impl<O: Clone> Entry<O> {
    /// The operation as it was recorded.
    fn job(&self) -> Job<O> {
        Job { op: self.said.op.clone(), call: self.call, ret: self.ret, must: self.must }
    }
}

impl<'h, O> Object<'h, O> {
    /// All operations as they were recorded.
    fn jobs(&self) -> Vec<Job<O>>
    where
        O: Clone,
    {
        self.entries.iter().map(Entry::job).collect()
    }

    /// The operation of an entry.
    fn operation(&self, entry: usize) -> &Operation<'h> {
        &self.ops[self.entries[entry].op]
    }

    fn anomaly(&self, certificate: &certificate::Certificate) -> Anomaly {
        let entries = || certificate.members.iter().map(|&at| &self.entries[at]);
        let members = || entries().map(|entry| &self.ops[entry.op]);
        let timed = self.ops.iter().any(|operation| operation.invocation.time > 0);
        let told =
            |entry: &Entry<O>| told(&self.ops[entry.op], matches!(entry.said.weak, Weak::Nothing), timed);
        let told: Vec<String> = entries().map(told).collect();
        let all = listed(&told);
        let mut explanation = match told.len() {
            1 => format!("{}, which no order of the operations explains.", capitalised(&all)),
            _ => format!("No order explains all of this: {all}."),
        };
        if !certificate.irreducible {
            explanation
                .push_str(" The budget ended before each of these operations was shown to be necessary.");
        }
        Anomaly {
            kind: NONLINEARIZABLE.to_owned(),
            key: self.key.cloned(),
            ops: members().map(|operation| operation.index).collect(),
            context: Vec::new(),
            explanation,
            cycle: Vec::new(),
        }
    }
}

/// What an operation did, who did it and when. Of one that only looked, what it saw is told even if that is
/// nothing.
fn told(operation: &Operation<'_>, looked: bool, timed: bool) -> String {
    let argument = match operation.argument() {
        Value::Null => String::new(),
        argument => format!(" of {argument}"),
    };
    let answer = match (operation.outcome(), operation.result()) {
        (history::Outcome::Info, _) => " was never answered".to_owned(),
        (_, Some(result)) if looked || result != operation.argument() => format!(" returned {result}"),
        (_, _) => " succeeded".to_owned(),
    };
    let found = match operation.observed() {
        Some(observed) => format!(", having found {observed},"),
        None => String::new(),
    };
    let (who, f) = (who(operation), operation.f());
    format!("{who}'s `{f}`{argument}{answer}{found} {}", when(operation, timed))
}
