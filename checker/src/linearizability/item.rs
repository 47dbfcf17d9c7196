//! The item algorithm: one DynamoDB item, every written value unique, in O(n log n).
//!
//! Deciding linearizability is NP-complete in general, and every public checker searches. But a test chooses
//! what it writes. If no value is written twice, an answer names the write that it saw, and nearly all of the
//! search falls away. This module decides any mix of puts (with and without the old image that they
//! replaced), conditional puts, puts on absence, blind and conditional deletes, strong reads and refused
//! conditions that say what they met, with any number of operations that were never answered.
//!
//! 1. [`facts`]: which optional jobs took effect, who replaced which value (Lemmas 1 and 2).
//! 2. [`blocks`]: chains of conditional writes, which nothing can come between, each possible by itself.
//! 3. [`zones`]: blocks against each other (Theorem 1, after Gibbons & Korach 1997 and Golab et al. 2011).
//! 4. [`tasks`] and [`absence`]: absence is written many times and names nobody; a sweep spends deletes where
//!    absence is needed.
//! 5. [`opaque`]: refused conditions that did not say what they met. With them the question is NP-complete
//!    again (facts: by reduction from 3-PARTITION), but an order that ignores them mostly satisfies them; where
//!    it does not, [`repair`] orders a few jobs around them anew.
//!
//! [`window`] runs the same steps on a history that is still being made, and forgets what is certain.
//!
//! The answer is an order that anyone can replay, or a [`Conflict`]: a few jobs that are suspected to
//! contradict each other. A conflict is not yet a certificate: [`super::certificate`] makes it one.
//!
//! What it must never do: search the history. (A repair searches, but only short stretches, and it need not
//! succeed.) What it cannot decide (a value with two writers, an opaque refusal that no repair satisfies,
//! limits) it says so, and the [general](super::general) engine decides.

mod absence;
mod blocks;
mod facts;
mod opaque;
mod repair;
mod tasks;
mod way;
pub(crate) mod window;
mod zones;

use absence::Swept;
use facts::{Facts, Trouble};
use tasks::Tasks;

use super::general::Exhausted;
pub use super::general::{END, Job, Limits};
use crate::model::register::{ABSENT, Need, RegisterOp, Symbol};

/// No job, no task.
const NONE: u32 = u32::MAX;

/// What the algorithm finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The jobs can be ordered: their places, in an order in which all of them answer as they did. Optional
    /// jobs that did not take effect are left out.
    Linearizable {
        /// The order.
        order: Vec<u32>,
    },
    /// They cannot.
    Not(Conflict),
    /// This algorithm cannot tell.
    Unknown(Doubt),
}

/// Jobs that are suspected to contradict each other, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// Places of jobs, in order. Empty where only the moment is known.
    pub suspects: Vec<u32>,
    /// The moment at which it became certain, or one close to it.
    pub at: u32,
}

/// Why the algorithm cannot tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// A value has two writers.
    RepeatedValues,
    /// The order that was found does not satisfy a refusal that did not say what it met, and was not repaired.
    Opaque,
    /// The limits came first, at this moment.
    Exhausted {
        /// The moment.
        at: u32,
        /// Which limit.
        why: Exhausted,
    },
}

impl Conflict {
    /// The conflict of these jobs.
    fn between(jobs: &[Job<RegisterOp>], suspects: &[u32]) -> Self {
        let mut suspects = suspects.to_vec();
        suspects.sort_unstable();
        suspects.dedup();
        let end = |&at: &u32| {
            let Job { call, ret, .. } = jobs[at as usize];
            if ret == END { call } else { ret }
        };
        let at = suspects.iter().map(end).max().unwrap_or(0);
        Self { suspects, at }
    }
}

/// Whether the jobs, in order of their calls, are linearizable as one item that is absent at first. All
/// values are below `values`.
///
/// Takes O(n log n) steps and memory proportional to n, unless many conditional deletes were never answered
/// at the same time; those count against the limits.
///
/// ```
/// use growler_checker::linearizability::item::{Answer, Job, Limits, linearize};
/// use growler_checker::model::register::{Need, RegisterOp};
///
/// let limits = Limits { steps: 1_000_000, bytes: 1 << 20 };
/// let write = |value| RegisterOp { need: Need::Any, set: Some(value) };
/// let read = |value| RegisterOp { need: Need::Is(value), set: None };
/// let job = |op, call, ret| Job { op, call, ret, must: true };
/// // 1 is written, then 2 is, then somebody reads 1.
/// let jobs = [job(write(1), 1, 2), job(write(2), 3, 4), job(read(1), 5, 6)];
/// assert_eq!(linearize(&jobs[..2], 3, limits), Answer::Linearizable { order: vec![0, 1] });
/// let Answer::Not(conflict) = linearize(&jobs, 3, limits) else { panic!() };
/// assert_eq!(conflict.suspects, [0, 1, 2]);
/// ```
#[must_use]
pub fn linearize(jobs: &[Job<RegisterOp>], values: usize, limits: Limits) -> Answer {
    match decide(jobs, values, limits) {
        Ok(answer) => answer,
        Err(Trouble::Conflict(conflict)) => Answer::Not(conflict),
        Err(Trouble::Unsuited) => Answer::Unknown(Doubt::RepeatedValues),
    }
}

fn decide(jobs: &[Job<RegisterOp>], values: usize, limits: Limits) -> Result<Answer, Trouble> {
    let facts = Facts::new(jobs, values)?;
    let blocks = blocks::find(&facts)?;
    let zones = zones::order(&facts, &blocks)?;
    let tasks = Tasks::new(&facts, &blocks, &zones)?;
    Ok(match absence::sweep(&tasks, limits) {
        Swept::Dead { at } => Answer::Not(Conflict { suspects: Vec::new(), at }),
        Swept::Undecided { at, why } => Answer::Unknown(Doubt::Exhausted { at, why }),
        Swept::Order(placed) => {
            let reads = Reads::new(&facts);
            let mut order = Vec::with_capacity(jobs.len());
            for task in placed {
                tasks::jobs_of(&facts, &blocks, &tasks.all[task as usize], &reads, &mut order);
            }
            match opaque::insert(&facts, order, limits)? {
                Some(order) => Answer::Linearizable { order },
                None => Answer::Unknown(Doubt::Opaque),
            }
        }
    })
}

/// The plain reads of each value, in order of their calls.
struct Reads {
    starts: Vec<u32>,
    jobs: Vec<u32>,
}

impl Reads {
    fn new(facts: &Facts<'_>) -> Self {
        let value_of = |at: usize, job: &Job<RegisterOp>| match job.op {
            RegisterOp { need: Need::Is(value), set: None } if value != ABSENT && facts.taken[at] => {
                Some(value)
            }
            _ => None,
        };
        let mut starts = vec![0_u32; facts.values.len() + 1];
        for (at, job) in facts.jobs.iter().enumerate() {
            if let Some(value) = value_of(at, job) {
                starts[value as usize] += 1;
            }
        }
        // Sums up to and including each value; filling from the back turns them into starts.
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let mut jobs = vec![0; sum as usize];
        for (at, job) in facts.jobs.iter().enumerate().rev() {
            if let Some(value) = value_of(at, job) {
                starts[value as usize] -= 1;
                jobs[starts[value as usize] as usize] = at as u32;
            }
        }
        Self { starts, jobs }
    }

    fn of(&self, value: Symbol) -> &[u32] {
        let range = self.starts[value as usize]..self.starts[value as usize + 1];
        &self.jobs[range.start as usize..range.end as usize]
    }
}
