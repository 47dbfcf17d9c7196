//! From an object's history to a list of jobs, and from there to an answer.
//!
//! All of a history counts here; [`super::weaken`] makes the problems in which only some operations count in
//! full. Whoever can answer, does: the [item] algorithm where every written value is unique, else
//! [one look](super::unexplained) at what nobody can have written, else the [general] engine, for which the problem is
//! [reduced](super::reduce) first.
//!
//! Opaque refusals ("the value was not e at some moment") spoil the reductions, and make the question
//! NP-complete even where every value is unique: any indeterminate write may be the one that let a refusal be
//! true, even if nobody saw its value. But mostly none is needed for that. So the engine's first attempt is
//! *bold*: it leaves such writes out. An order that it finds is one, since every refusal still counts; only
//! where it finds none, a *careful* attempt with all of them decides.

use super::general::{self, Answer, END, Job, Limits, Outcome};
use super::item::{self, Doubt};
use super::object::{Action, Entry, Object};
use super::reduce::{Manner, Reduced};
use super::unexplained::{self, Unexplained};
use crate::model::register::{ABSENT, Need, Register, RegisterOp, Symbol};

/// Which algorithm answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Engine {
    /// The item algorithm where it can, the general engine elsewhere.
    #[default]
    Auto,
    /// The general engine always: for comparisons.
    General,
}

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

    /// Looks for an order.
    pub(super) fn solve(&self, engine: Engine, limits: Limits) -> Solution {
        if engine == Engine::General {
            return self.solve_in_general(limits);
        }
        let solution = |answer, suspects, order| Solution {
            answer,
            steps: self.jobs.len() as u64,
            clues: Vec::new(),
            suspects,
            order,
        };
        match item::linearize(&self.jobs, self.values, limits) {
            item::Answer::Linearizable { order } => solution(Answer::Linearizable, Vec::new(), Some(order)),
            item::Answer::Not(conflict) => solution(Answer::Not { at: conflict.at }, conflict.suspects, None),
            item::Answer::Unknown(Doubt::RepeatedValues | Doubt::Opaque | Doubt::Exhausted { .. }) => {
                let Some(found) = self.unexplained() else { return self.solve_in_general(limits) };
                let suspects = found.suspects().into_iter().map(|job| job as u32).collect();
                solution(Answer::Not { at: self.jobs[found.job].ret }, suspects, None)
            }
        }
    }

    /// An operation that found in force what nobody can have written by then.
    fn unexplained(&self) -> Option<Unexplained> {
        let set = |op: &RegisterOp, each: &mut dyn FnMut(Symbol)| op.set.into_iter().for_each(each);
        let need = |op: &RegisterOp, each: &mut dyn FnMut(Symbol)| match op.need {
            Need::Is(value) if value != ABSENT => each(value),
            Need::Is(_) | Need::Not(_) | Need::Any | Need::Never => {}
        };
        unexplained::find(&self.jobs, set, need)
    }

    fn solve_in_general(&self, limits: Limits) -> Solution {
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
        let Reduced { jobs, origins, lifetimes } = Reduced::new(self, manner);
        let Outcome { answer, steps, stuck, order } = general::search(&Register, &lifetimes, &jobs, limits);
        let (job, mut clues) = stuck.unzip();
        let op = job.map(|job| jobs[job].op);
        clues.get_or_insert_default().extend(op.and_then(|op| op.set));
        if let Some(Need::Is(value) | Need::Not(value)) = op.map(|op| op.need) {
            clues.get_or_insert_default().push(value);
        }
        let order = order.map(|order| order.into_iter().map(|job| origins[job as usize]).collect());
        Solution { answer, steps, clues: clues.unwrap_or_default(), suspects: Vec::new(), order }
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
    /// Where there is no order: places of jobs that may be a proof of that.
    pub(super) suspects: Vec<u32>,
    /// Where there is one: the places of the jobs in it.
    pub(super) order: Option<Vec<u32>>,
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
