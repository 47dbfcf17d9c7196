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

use std::collections::HashMap;

use serde_json::Value;

use super::super::general::Job;
use super::{Names, Said, Vocabulary, VocabularyError};
use crate::history::{Operation, Outcome};
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
                Some(Said { op, weak: Some(QueueOp::DequeueAny) })
            }
            ("dequeue", Outcome::Info, _) => Some(Said::change(QueueOp::DequeueAny)),
            ("dequeue", ..) => None,
            _ => return Err(self.unknown(operation)),
        })
    }

    fn tighten(&self, jobs: &mut [Job<QueueOp>]) {
        let mut elements: HashMap<Symbol, Element> = HashMap::new();
        for job in jobs.iter() {
            match job.op {
                QueueOp::Enqueue(element) => elements.entry(element).or_default().enqueued += 1,
                QueueOp::Dequeue(element) => {
                    let element = elements.entry(element).or_default();
                    element.named = true;
                    if job.must {
                        let first = element.first_taken.get_or_insert(job.ret);
                        *first = job.ret.min(*first);
                    }
                }
                QueueOp::DequeueAny | QueueOp::Empty => {}
            }
        }
        for job in jobs {
            let QueueOp::Enqueue(element) = job.op else { continue };
            match elements[&element] {
                // Somebody got it, so it was there, and before that.
                Element { enqueued: 1, first_taken: Some(first), .. } => {
                    job.ret = job.ret.min(first);
                    job.must = true;
                }
                Element { named: false, .. } if !job.must => (job.call, job.ret) = (1, 0),
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
    /// Whether a dequeue says that it got it.
    named: bool,
    /// The first return of a dequeue that did.
    first_taken: Option<u32>,
}
