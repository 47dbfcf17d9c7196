//! From an object's history to a search problem, and from there to an answer.
//!
//! A problem is a list of jobs: what each operation needs, what it leaves, when it may happen, and whether it
//! must. All of a history counts here; [`super::weaken`] makes the problems in which only some operations
//! count in full. Before a problem is searched, it is [reduced](super::reduce).
//!
//! Opaque refusals ("the value was not e at some moment") spoil the reductions, and make the question
//! NP-complete even where every value is unique: any indeterminate write may be the one that let a refusal be
//! true, even if nobody saw its value. But mostly none is needed for that. So the first attempt is *bold*: it
//! leaves such writes out. An order that it finds is one, since every refusal still counts; only where it
//! finds none, a *careful* attempt with all of them decides.

use super::general::{self, Answer, END, Job, Limits, Outcome};
use super::object::{Action, Entry, Object};
use super::reduce::{Manner, Reduced};
use crate::model::register::{Need, Register, RegisterOp, Symbol};

/// What is to be ordered.
#[derive(Debug)]
pub(super) struct Problem {
    /// The operations that count, as far as they do.
    pub(super) jobs: Vec<Job<RegisterOp>>,
    /// All values are below this.
    pub(super) values: usize,
}

/// What part of its limits the bold attempt may use.
const BOLD_SHARE: u64 = 4;

impl Problem {
    /// The whole history of an object.
    pub(super) fn whole(object: &Object<'_>) -> Self {
        let jobs = object.entries.iter().map(as_recorded).collect();
        Self { jobs, values: object.values.len() }
    }

    /// Searches for an order.
    pub(super) fn solve(&self, limits: Limits) -> Solution {
        if !self.jobs.iter().any(|job| matches!(job.op.need, Need::Not(_))) {
            return self.search(Manner::Careful, limits);
        }
        let bold = self.search(Manner::Bold, Limits { steps: limits.steps / BOLD_SHARE, ..limits });
        if bold.answer == Answer::Linearizable {
            return bold;
        }
        let rest = Limits { steps: limits.steps.saturating_sub(bold.steps), ..limits };
        let careful = self.search(Manner::Careful, rest);
        Solution { steps: bold.steps + careful.steps, ..careful }
    }

    fn search(&self, manner: Manner, limits: Limits) -> Solution {
        let Reduced { jobs, lifetimes } = Reduced::new(self, manner);
        let Outcome { answer, steps, stuck, .. } = general::search(&Register, &lifetimes, &jobs, limits);
        let (job, mut clues) = stuck.unzip();
        let op = job.map(|job| jobs[job].op);
        clues.get_or_insert_default().extend(op.and_then(|op| op.set));
        if let Some(Need::Is(value) | Need::Not(value)) = op.map(|op| op.need) {
            clues.get_or_insert_default().push(value);
        }
        Solution { answer, steps, clues: clues.unwrap_or_default() }
    }
}

/// What came out of solving a problem.
#[derive(Debug)]
pub(super) struct Solution {
    /// The answer.
    pub(super) answer: Answer,
    /// The steps that it took.
    pub(super) steps: u64,
    /// Where there is no order: values that may have to do with it.
    pub(super) clues: Vec<Symbol>,
}

/// The job of an entry as it is.
pub(super) fn as_recorded(entry: &Entry) -> Job<RegisterOp> {
    let (need, set) = match entry.action {
        Action::Read(value) => (Need::Is(value), None),
        Action::Write { new, replaced } => (replaced.map_or(Need::Any, Need::Is), Some(new)),
        Action::Cas { old, new, replaced } => {
            let holds = replaced.is_none_or(|replaced| replaced == old);
            (if holds { Need::Is(old) } else { Need::Never }, Some(new))
        }
        Action::Refused { old, met: None, .. } => (Need::Not(old), None),
        Action::Refused { old, met: Some(met), .. } if met != old => (Need::Is(met), None),
        Action::Refused { .. } => (Need::Never, None),
    };
    let (call, ret) = (entry.call, entry.ret.unwrap_or(END));
    Job { op: RegisterOp { need, set }, call, ret, must: entry.ret.is_some() }
}

/// What a write still does when nothing is known of its answer.
pub(super) fn bare(entry: &Entry) -> Option<RegisterOp> {
    let need = match entry.action {
        Action::Read(_) | Action::Refused { .. } => return None,
        Action::Write { .. } => Need::Any,
        Action::Cas { old, .. } => Need::Is(old),
    };
    Some(RegisterOp { need, set: entry.action.wrote() })
}
