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
//! # Without an order
//!
//! Where no element is put in twice, the order in which concurrent enqueues happened need not be guessed
//! (`narrowed`). The queue is searched as a bag, from which an element may be taken if no other one that is
//! there was certainly put in before it: its enqueue returned before that of the taken one was called.
//!
//! *That is exact.* Every run of the queue is one of the bag. Conversely, let elements leave the bag in the
//! order d1, d2, …. Let each enqueue take effect at the last call among those of d1, …, itself (and after the
//! last moment before its own dequeue at which the queue was found empty), and those of elements that stay
//! after all of them, likewise. Then elements enter in the order in which they leave, and each before it
//! leaves. No enqueue comes too late: if that of x returned before that of some d was called, and d leaves
//! first, x was in the bag at that time, and d could not be taken. Nor can x have returned before the queue
//! was found empty and leave later: it would have been in the bag.
//!
//! Nor does a dequeue of anything take an element that somebody certainly got.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::super::general::Job;
use super::{Names, Said, Unexplained, Vocabulary, VocabularyError, Weak, find_unexplained};
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

    fn unexplained(&self, jobs: &[Job<QueueOp>]) -> Option<Unexplained> {
        let put = |op: &QueueOp, each: &mut dyn FnMut(Symbol)| match op {
            QueueOp::Enqueue(element) => each(*element),
            QueueOp::Dequeue(_) | QueueOp::DequeueAny | QueueOp::Empty => {}
        };
        let taken = |op: &QueueOp, each: &mut dyn FnMut(Symbol)| match op {
            QueueOp::Dequeue(element) => each(*element),
            QueueOp::Enqueue(_) | QueueOp::DequeueAny | QueueOp::Empty => {}
        };
        find_unexplained(jobs, put, taken)
    }

    fn narrowed<'a>(&'a self, jobs: &[Job<QueueOp>]) -> impl Model<Op = QueueOp> + 'a {
        let named =
            elements(jobs).into_iter().filter(|(_, known)| known.enqueued == 1 && known.taken.is_some());
        let named = named.map(|(element, _)| element).collect();
        let mut spans = HashMap::new();
        let mut once = true;
        for job in jobs.iter().filter(|job| job.must || job.call <= job.ret) {
            if let QueueOp::Enqueue(element) = job.op {
                once &= spans.insert(element, (job.call, job.ret)).is_none();
            }
        }
        if once { Narrowed::Bag(Bag { spans, named }) } else { Narrowed::List }
    }

    fn tighten(&self, jobs: &mut [Job<QueueOp>]) {
        let elements = elements(jobs);
        for job in jobs {
            let QueueOp::Enqueue(element) = job.op else { continue };
            match elements[&element] {
                // Somebody got it, so it was there, and before that.
                Element { enqueued: 1, taken: Some(ret), .. } => {
                    job.ret = job.ret.min(ret);
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
    /// Whether a dequeue says that it got it, for certain or perhaps.
    named: bool,
    /// The first return of a dequeue that certainly got it.
    taken: Option<u32>,
}

fn elements(jobs: &[Job<QueueOp>]) -> HashMap<Symbol, Element> {
    let mut elements: HashMap<Symbol, Element> = HashMap::new();
    for job in jobs {
        match job.op {
            QueueOp::Enqueue(element) => elements.entry(element).or_default().enqueued += 1,
            QueueOp::Dequeue(element) => {
                let element = elements.entry(element).or_default();
                element.named = true;
                if job.must {
                    element.taken = Some(element.taken.map_or(job.ret, |first| first.min(job.ret)));
                }
            }
            QueueOp::DequeueAny | QueueOp::Empty => {}
        }
    }
    elements
}

/// A queue, with an order or without.
enum Narrowed {
    List,
    Bag(Bag),
}

/// A queue from which whatever may be the first can be taken.
struct Bag {
    /// The calls and returns of the enqueues.
    spans: HashMap<Symbol, (u32, u32)>,
    /// The elements that a dequeue certainly got.
    named: HashSet<Symbol>,
}

impl Bag {
    /// Whether no other element that is there was certainly put in before this one.
    fn may_be_first(&self, all: &[Symbol], element: Symbol) -> bool {
        let span = |element: &Symbol| self.spans.get(element).copied().unwrap_or((0, u32::MAX));
        let (call, _) = span(&element);
        all.iter().all(|other| span(other).1 >= call)
    }

    /// What is left of the elements, which are in order of their numbers, after the operation.
    fn step(&self, all: &[Symbol], op: QueueOp) -> Vec<Vec<Symbol>> {
        let without = |at: usize| [&all[..at], &all[at + 1..]].concat();
        match (op, all) {
            (QueueOp::Enqueue(element), _) => {
                let at = all.partition_point(|&other| other < element);
                vec![[&all[..at], &[element], &all[at..]].concat()]
            }
            (QueueOp::Dequeue(element), _) => match all.binary_search(&element) {
                Ok(at) if self.may_be_first(all, element) => vec![without(at)],
                _ => Vec::new(),
            },
            (QueueOp::DequeueAny | QueueOp::Empty, []) => vec![Vec::new()],
            (QueueOp::DequeueAny, _) => {
                let fits = |&at: &usize| !self.named.contains(&all[at]) && self.may_be_first(all, all[at]);
                (0..all.len()).filter(fits).map(without).collect()
            }
            (QueueOp::Empty, _) => Vec::new(),
        }
    }
}

impl Model for Narrowed {
    type State = Vec<Symbol>;
    type Op = QueueOp;

    fn initial(&self) -> Vec<Symbol> {
        Queue.initial()
    }

    fn step(&self, state: &Vec<Symbol>, op: &QueueOp) -> impl Iterator<Item = Vec<Symbol>> {
        let next = match self {
            Self::List => Queue.step(state, op).collect(),
            Self::Bag(bag) => bag.step(state, *op),
        };
        next.into_iter()
    }

    fn is_read(&self, op: &QueueOp) -> bool {
        Queue.is_read(op)
    }

    fn bytes(&self, state: &Vec<Symbol>) -> usize {
        Queue.bytes(state)
    }
}
