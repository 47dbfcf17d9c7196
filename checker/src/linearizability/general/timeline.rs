//! The jobs in order of real time, and which of them are alike.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use super::hash::Mixer;
use super::{END, Job};
use crate::model::Model;

/// Something that happens to a job at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    Call(u32),
    Return(u32),
}

/// The jobs of a problem, prepared for the walk.
#[derive(Debug)]
pub(super) struct Timeline {
    pub(super) moments: Vec<(u32, Moment)>,
    /// The number of each job's operation: equal operations have the same.
    pub(super) op_of: Vec<u32>,
    /// How many different operations there are.
    pub(super) ops: usize,
    /// The class of each operation that has one.
    class_of: Vec<Option<u32>>,
    /// One job of each class: equal optional jobs that never end are counted, not told apart.
    pub(super) classes: Vec<u32>,
    /// Nobody needs more members than this of a class that always leaves the same state: between two other
    /// jobs a minimal run visits no state twice, since the way back to it could be cut out.
    pub(super) plenty: u32,
}

impl Timeline {
    pub(super) fn of<M: Model>(model: &M, jobs: &[Job<M::Op>]) -> Self {
        let mut by_op: HashMap<&M::Op, u32, BuildHasherDefault<Mixer>> = HashMap::default();
        let mut op_of = Vec::with_capacity(jobs.len());
        let mut moments = Vec::with_capacity(jobs.len() * 2);
        // Of each operation, how many jobs may be counted, and the first of them.
        let mut endless: Vec<(u32, u32)> = Vec::new();
        let mut others = 0;
        for (at, job) in (0..).zip(jobs) {
            let fresh = number(by_op.len());
            let op = *by_op.entry(&job.op).or_insert(fresh);
            endless.resize(by_op.len(), (0, at));
            op_of.push(op);
            if !job.must && (model.is_read(&job.op) || job.ret < job.call) {
                // It may be left out, and nothing is lost, or it must be.
                continue;
            }
            moments.push((job.call, Moment::Call(at)));
            if is_endless(job) {
                let (count, first) = &mut endless[op as usize];
                *first = if *count == 0 { at } else { *first };
                *count += 1;
            } else {
                others += 1;
                moments.push((job.ret, Moment::Return(at)));
            }
        }
        // Calls come before returns at ties: intervals are closed.
        moments.sort_by_key(|&(at, moment)| (at, matches!(moment, Moment::Return(_))));
        let mut classes = Vec::new();
        let class_of = endless.into_iter().map(|(count, first)| {
            // What is alone is told apart: a bit is less than a count.
            (count > 1).then(|| {
                classes.push(first);
                number(classes.len() - 1)
            })
        });
        let class_of = class_of.collect();
        Self { moments, ops: by_op.len(), op_of, class_of, classes, plenty: number(others + 1) }
    }

    /// The class in which a job is counted.
    pub(super) fn class_of<O>(&self, job: u32, jobs: &[Job<O>]) -> Option<usize> {
        let class = self.class_of[self.op_of[job as usize] as usize];
        class.filter(|_| is_endless(&jobs[job as usize])).map(|class| class as usize)
    }

    /// The members of each class, in the order of their calls.
    pub(super) fn members<O>(&self, jobs: &[Job<O>]) -> Vec<Vec<u32>> {
        let mut members = vec![Vec::new(); self.classes.len()];
        for &(_, moment) in &self.moments {
            if let Moment::Call(job) = moment
                && let Some(class) = self.class_of(job, jobs)
            {
                members[class].push(job);
            }
        }
        members
    }
}

/// Whether the job may take effect at any moment after its call, or never.
pub(super) fn is_endless<O>(job: &Job<O>) -> bool {
    !job.must && job.ret == END
}

fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
