//! What is measured: from operations to an answer, on one core.
//!
//! The operations of several keys come in one list, as a run recorded them; taking them apart is part of the
//! work. Keys are judged one after the other, until one is not linearizable.

use growler_checker::linearizability::general::{self, Unguided};
use growler_checker::linearizability::item;
use growler_checker::linearizability::{Job, Limits};
use growler_checker::model::register::{Register, RegisterOp};

use crate::operations::Operations;

/// Which way to an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// The algorithm for items with unique values.
    Item,
    /// The search for any model, without knowledge of this one.
    General,
}

/// The answer, without its evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// There is an order that explains everything.
    Valid,
    /// There is none.
    Invalid,
    /// The limits came first.
    Unknown,
}

impl Verdict {
    /// As it is printed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Invalid => "invalid",
            Self::Unknown => "unknown",
        }
    }
}

/// Judges the operations.
#[must_use]
pub fn verdict(operations: &Operations, engine: Engine, limits: Limits) -> Verdict {
    if operations.keys.is_empty() {
        return judge(&operations.jobs, operations.values[0], engine, limits);
    }
    let (jobs, ends) = by_key(operations);
    let mut begin = 0;
    let mut verdict = Verdict::Valid;
    for (end, &values) in ends.into_iter().zip(&operations.values) {
        match judge(&jobs[begin..end], values, engine, limits) {
            Verdict::Valid => {}
            Verdict::Invalid => return Verdict::Invalid,
            Verdict::Unknown => verdict = Verdict::Unknown,
        }
        begin = end;
    }
    verdict
}

/// The jobs sorted by key, and where those of each key end.
fn by_key(operations: &Operations) -> (Vec<Job<RegisterOp>>, Vec<usize>) {
    let mut ends = vec![0; operations.values.len()];
    for &key in &operations.keys {
        ends[key as usize] += 1;
    }
    let mut sum = 0;
    for end in &mut ends {
        (*end, sum) = (sum, sum + *end);
    }
    let mut order = vec![0_u32; operations.jobs.len()];
    for (place, &key) in operations.keys.iter().enumerate() {
        let at = &mut ends[key as usize];
        order[*at] = place as u32;
        *at += 1;
    }
    let jobs = order.into_iter().map(|place| operations.jobs[place as usize].clone()).collect();
    (jobs, ends)
}

fn judge(jobs: &[Job<RegisterOp>], values: u32, engine: Engine, limits: Limits) -> Verdict {
    match engine {
        Engine::Item => match item::linearize(jobs, values as usize, limits) {
            item::Answer::Linearizable { .. } => Verdict::Valid,
            item::Answer::Not(_) => Verdict::Invalid,
            item::Answer::Unknown(_) => Verdict::Unknown,
        },
        Engine::General => match general::search(&Register, &Unguided, jobs, limits).answer {
            general::Answer::Linearizable => Verdict::Valid,
            general::Answer::Not { .. } => Verdict::Invalid,
            general::Answer::Unknown { .. } => Verdict::Unknown,
        },
    }
}
