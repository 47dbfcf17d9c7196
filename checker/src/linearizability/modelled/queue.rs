//! What a history says of a queue.
//!
//! | call | `ok` | `info` | `fail` |
//! |---|---|---|---|
//! | `enqueue` e (not null) | e was put at the end | e may be put there | nothing |
//! | `dequeue` | the value was at the front and was taken; null: the queue was empty | what is at the front, if anything, may be taken | nothing |
//!
//! A weakened dequeue may take anything. So an optional enqueue of an element that no dequeue names can be
//! left out (`tighten`): in a run that has it, only an optional dequeue can have taken the element, and both
//! can be taken out.
//!
//! Let two elements be put in once each, and taken out once each, one certainly before the other. Then they
//! went in in that order too: a queue that holds them the other way round leads nowhere (`narrowed`). That
//! decides most of the orders in which enqueues can have happened, long before the dequeues do.

use std::collections::HashMap;

use serde_json::Value;

use super::super::general::Job;
use super::{Names, Said, Vocabulary, VocabularyError, Weak};
use crate::history::{Operation, Outcome};
use crate::model::Model;
use crate::model::queue::{Queue, QueueOp};
use crate::model::register::Symbol;

impl Vocabulary for Queue {
    fn name(&self) -> &'static str {
        "queue"
    }

    fn say<'h>(
        &self,
        operation: &Operation<'h>,
        names: &mut Names<'h>,
    ) -> Result<Option<Said<QueueOp>>, VocabularyError> {
        Ok(match (operation.f(), operation.outcome(), operation.result()) {
            ("enqueue", outcome, _) => {
                if operation.argument().is_null() {
                    return Err(self.shape(operation, "an element", operation.argument()));
                }
                let element = names.value(operation.argument());
                (outcome != Outcome::Fail).then(|| Said::change(QueueOp::Enqueue(element)))
            }
            ("dequeue", Outcome::Ok, Some(Value::Null)) => Some(Said::look(QueueOp::Empty)),
            ("dequeue", Outcome::Ok, Some(element)) => {
                let op = QueueOp::Dequeue(names.value(element));
                Some(Said { op, weak: Weak::InTime(QueueOp::DequeueAny) })
            }
            ("dequeue", Outcome::Info, _) => Some(Said::change_in_time(QueueOp::DequeueAny)),
            ("dequeue", ..) => None,
            _ => return Err(self.unknown(operation)),
        })
    }

    fn narrowed<'a>(&'a self, jobs: &[Job<QueueOp>]) -> impl Model<Op = QueueOp> + 'a {
        let taken = elements(jobs).into_iter().filter_map(|(element, known)| match known {
            Element { enqueued: 1, taken: Some(span), dequeued: 1 } => Some((element, span)),
            Element { .. } => None,
        });
        InOrder { taken: taken.collect() }
    }

    fn tighten(&self, jobs: &mut [Job<QueueOp>]) {
        let elements = elements(jobs);
        for job in jobs {
            let QueueOp::Enqueue(element) = job.op else { continue };
            match elements[&element] {
                // Somebody got it, so it was there, and before that.
                Element { enqueued: 1, taken: Some((_, ret)), .. } => {
                    job.ret = job.ret.min(ret);
                    job.must = true;
                }
                Element { dequeued: 0, .. } if !job.must => (job.call, job.ret) = (1, 0),
                Element { .. } => {}
            }
        }
    }
}

/// What is known of one element.
#[derive(Debug, Default)]
struct Element {
    /// How often it is put in, for certain or perhaps.
    enqueued: usize,
    /// How often a dequeue says that it got it, for certain or perhaps.
    dequeued: usize,
    /// The span of the dequeue that certainly got it and returned first.
    taken: Option<(u32, u32)>,
}

fn elements(jobs: &[Job<QueueOp>]) -> HashMap<Symbol, Element> {
    let mut elements: HashMap<Symbol, Element> = HashMap::new();
    for job in jobs {
        match job.op {
            QueueOp::Enqueue(element) => elements.entry(element).or_default().enqueued += 1,
            QueueOp::Dequeue(element) => {
                let element = elements.entry(element).or_default();
                element.dequeued += 1;
                if job.must && element.taken.is_none_or(|(_, ret)| job.ret < ret) {
                    element.taken = Some((job.call, job.ret));
                }
            }
            QueueOp::DequeueAny | QueueOp::Empty => {}
        }
    }
    elements
}

/// A queue in which elements stand in the order in which they will be taken.
struct InOrder {
    /// The spans of the dequeues, of elements with a single one, which must happen.
    taken: HashMap<Symbol, (u32, u32)>,
}

impl Model for InOrder {
    type State = Vec<Symbol>;
    type Op = QueueOp;

    fn initial(&self) -> Vec<Symbol> {
        Queue.initial()
    }

    fn step(&self, state: &Vec<Symbol>, op: &QueueOp) -> impl Iterator<Item = Vec<Symbol>> {
        let taken_after =
            |before: &Symbol, ret: u32| self.taken.get(before).is_some_and(|&(call, _)| ret < call);
        let dead = match op {
            QueueOp::Enqueue(element) => {
                let span = self.taken.get(element);
                span.is_some_and(|&(_, ret)| state.iter().any(|before| taken_after(before, ret)))
            }
            _ => false,
        };
        (!dead).then(|| Queue.step(state, op).collect::<Vec<_>>()).into_iter().flatten()
    }

    fn is_read(&self, op: &QueueOp) -> bool {
        Queue.is_read(op)
    }

    fn bytes(&self, state: &Vec<Symbol>) -> usize {
        Queue.bytes(state)
    }
}
