//! What a history says of a set.
//!
//! | call | `ok` | `info` | `fail` |
//! |---|---|---|---|
//! | `add` e | e was put in | e may be put in | nothing |
//! | `remove` e | e was taken out | e may be taken out | nothing |
//! | `read` | the elements were these, in whatever order; null is none | nothing | nothing |
//!
//! A read that names an element twice is one of no set: it can never happen.
//!
//! # Tightening
//!
//! Of an element that is never removed, much is known beforehand. Once it is in, every read shows it. So:
//!
//! - an optional add of an element that no read shows can be left out: a run with it is a run without it;
//! - an add takes effect no earlier than the last call among the reads that do not show the element;
//! - an element that has a single add, and is shown, was added, and no later than the first return among
//!   the reads that show it;
//! - a read takes effect no earlier than the first moment at which each element that it shows can be in.
//!
//! Elements that are added once, never removed, and shown by the same reads are *alike*: nobody can tell in
//! which order they came, so only their number counts. Their adds become one operation many times over, and a
//! set is what it holds of each kind, and the rest (`groups`).
//!
//! The answer is the same, since nothing is excluded but what no run can have; but a lost element, or one
//! that comes too early, is an empty interval now, and hundreds of adds that were never answered are no
//! longer hundreds of choices.

mod groups;

use groups::Grouped;
use serde_json::Value;

use super::super::general::Job;
use super::{Names, Said, Unexplained, Vocabulary, VocabularyError, find_unexplained};
use crate::history::{Operation, Outcome};
use crate::model::Model;
use crate::model::register::Symbol;
use crate::model::set::{Elements, Set, SetOp};

impl Vocabulary for Set {
    fn name(&self) -> &'static str {
        "set"
    }

    fn say<'h>(
        &self,
        operation: &Operation<'h>,
        names: &mut Names<'h>,
    ) -> Result<Option<Said<SetOp>>, VocabularyError> {
        let happened = operation.outcome() != Outcome::Fail;
        Ok(match (operation.f(), operation.outcome()) {
            ("add", _) => {
                let element = names.value(operation.argument());
                happened.then(|| Said::change(SetOp::Add(element)))
            }
            ("remove", _) => {
                let element = names.value(operation.argument());
                happened.then(|| Said::change_in_time(SetOp::Remove(element)))
            }
            ("read", Outcome::Ok) if !operation.is_eventual() => match operation.result() {
                None => None,
                Some(Value::Null) => Some(Said::look(SetOp::Read(Elements::default()))),
                Some(Value::Array(elements)) => {
                    let mut read = Elements::default();
                    let once = elements.iter().filter(|element| read.insert(names.value(element))).count();
                    let twice = once < elements.len();
                    Some(Said::look(if twice { SetOp::Never } else { SetOp::Read(read) }))
                }
                Some(other) => return Err(self.shape(operation, "a list of elements", other)),
            },
            ("read", _) => None,
            _ => return Err(self.unknown(operation)),
        })
    }

    fn unexplained(&self, jobs: &[Job<SetOp>]) -> Option<Unexplained> {
        let added = |op: &SetOp, each: &mut dyn FnMut(Symbol)| match op {
            SetOp::Add(element) | SetOp::AddLike(element) => each(*element),
            SetOp::Remove(_) | SetOp::Read(_) | SetOp::Never => {}
        };
        let shown = |op: &SetOp, each: &mut dyn FnMut(Symbol)| match op {
            SetOp::Read(elements) => elements.iter().for_each(each),
            SetOp::Add(_) | SetOp::AddLike(_) | SetOp::Remove(_) | SetOp::Never => {}
        };
        find_unexplained(jobs, added, shown)
    }

    fn narrowed<'a>(&'a self, jobs: &[Job<SetOp>]) -> impl Model<Op = SetOp> + 'a {
        Grouped::new(jobs)
    }

    fn tighten(&self, jobs: &mut [Job<SetOp>]) {
        let mut known = Known::of(jobs);
        for job in jobs.iter_mut() {
            let SetOp::Add(element) = job.op else { continue };
            let Some(element) = known.elements.get_mut(element as usize) else { continue };
            if element.removed {
                continue;
            }
            if let Some(first_shown) = element.first_shown {
                if element.adds == 1 {
                    job.ret = job.ret.min(first_shown);
                    job.must = true;
                }
            } else if !job.must {
                (job.call, job.ret) = (1, 0);
                continue;
            }
            job.call = job.call.max(element.last_hidden);
            element.earliest = element.earliest.min(job.call);
        }
        for job in jobs.iter_mut().filter(|job| job.must) {
            match &job.op {
                SetOp::Read(shown) => {
                    let earliest = shown.iter().map(|element| known.elements[element as usize].earliest);
                    job.call = earliest.fold(job.call, u32::max);
                }
                SetOp::Never => job.call = u32::MAX,
                SetOp::Add(_) | SetOp::AddLike(_) | SetOp::Remove(_) => {}
            }
        }
        let once = |element: Symbol| {
            let known = &known.elements[element as usize];
            known.adds == 1 && !known.removed
        };
        groups::form(jobs, once);
    }
}

/// What is known of one element.
#[derive(Debug, Clone)]
struct Element {
    adds: usize,
    removed: bool,
    /// The first return among the reads that show it.
    first_shown: Option<u32>,
    /// The last call among the reads that do not.
    last_hidden: u32,
    /// The first moment at which it can be in.
    earliest: u32,
}

struct Known {
    elements: Vec<Element>,
}

impl Known {
    fn of(jobs: &[Job<SetOp>]) -> Self {
        let nothing =
            Element { adds: 0, removed: false, first_shown: None, last_hidden: 0, earliest: u32::MAX };
        let mut elements: Vec<Element> = Vec::new();
        let grow = |elements: &mut Vec<Element>, at: usize| {
            elements.resize(elements.len().max(at + 1), nothing.clone());
        };
        for job in jobs {
            match &job.op {
                SetOp::Add(element) | SetOp::AddLike(element) => {
                    grow(&mut elements, *element as usize);
                    elements[*element as usize].adds += 1;
                }
                SetOp::Remove(element) => {
                    grow(&mut elements, *element as usize);
                    let element = &mut elements[*element as usize];
                    (element.removed, element.earliest) = (true, 0);
                }
                SetOp::Read(shown) => shown.iter().for_each(|element| grow(&mut elements, element as usize)),
                SetOp::Never => {}
            }
        }
        for job in jobs.iter().filter(|job| job.must) {
            let SetOp::Read(shown) = &job.op else { continue };
            for (at, element) in (0..).zip(&mut elements) {
                if shown.has(at) {
                    let first = element.first_shown.get_or_insert(job.ret);
                    *first = job.ret.min(*first);
                } else {
                    element.last_hidden = element.last_hidden.max(job.call);
                }
            }
        }
        Self { elements }
    }
}
