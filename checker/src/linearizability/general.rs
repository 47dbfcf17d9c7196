//! The general engine: just-in-time linearization over sets of configurations, for any [`Model`].
//!
//! The algorithm is Lowe's ("Testing for linearizability", 2017, the just-in-time graph search that Knossos
//! calls `linear`). Walk the history in real-time order and keep every *configuration* that can explain it so
//! far: the object's state, and which of the open operations have taken effect. Nothing happens at an
//! invocation; when an operation returns, each configuration in which it has not taken effect yet is
//! extended by every sequence of open operations that ends with it. No configuration left: not
//! linearizable. Memory is that of the live configurations, and where nothing is open they shrink to a set
//! of states: the history is cut there.
//!
//! Four reductions keep the set small. The first two hold for every model:
//!
//! 1. *Eager reads.* An open read that fits the state takes effect at once: it disables nothing.
//! 2. *Dominance.* Of two configurations with the same state, the one that has more reads behind it, or has
//!    spent fewer optional operations, can do all that the other can. Optional operations without an end
//!    (indeterminate ones) are counted per equal operation, not told apart.
//!
//! The others need knowledge of the object, given as a [`Guide`]:
//!
//! 3. *Dead ends.* A state that cannot come back must not be left before its last observer.
//! 4. *Free operations.* An operation that may as well be over (a write that nobody will see) is done with
//!    as soon as that costs nothing.
//! 5. *Plenty.* Where there are more equal optional operations than could ever be of use, they are not even
//!    counted.
//!
//! Without a guide the engine is exact for every model; with one it is exact if the guide keeps its word.
//! The answer never depends on time or scheduling: work is counted in steps and in bytes.

mod mask;
mod search;
mod store;
mod trail;

use std::collections::HashMap;

use mask::Mask;
use search::Search;

use crate::model::Model;

/// The moment after the last event: operations without an end end there.
pub const END: u32 = u32::MAX;

/// An operation to be placed at one moment of `call ..= ret`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job<O> {
    /// The call with its answer.
    pub op: O,
    /// The first moment at which it may take effect.
    pub call: u32,
    /// The last one.
    pub ret: u32,
    /// Whether it must take effect, or only may.
    pub must: bool,
}

/// What an engine may spend on one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Attempts to place an operation in a configuration.
    pub steps: u64,
    /// Bytes of live configurations.
    pub bytes: u64,
}

/// Why a search ended undecided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exhausted {
    /// The steps are spent.
    Steps,
    /// The live configurations do not fit.
    Bytes,
    /// More operations are open at once than a configuration can tell apart.
    Width,
}

/// The answer of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// There is an order that explains everything.
    Linearizable,
    /// There is none; the last configuration died at this moment.
    Not {
        /// The moment.
        at: u32,
    },
    /// The limits came first.
    Unknown {
        /// The last moment before which everything was decided (nothing was open).
        from: u32,
        /// The moment at which the search ended.
        to: u32,
        /// Which limit.
        why: Exhausted,
    },
}

/// What came out of a search.
#[derive(Debug)]
pub struct Outcome<S> {
    /// The answer.
    pub answer: Answer,
    /// The steps that it took.
    pub steps: u64,
    /// Where there is no order: the job that could not be placed, and the states (some of them, if there are
    /// many) in which that was tried last. Clues for a proof, no proof.
    pub stuck: Option<(usize, Vec<S>)>,
    /// Where there is an order, one: places of jobs. Optional jobs that did not take effect are left out.
    pub order: Option<Vec<u32>>,
}

/// What is known of an object beyond its model. Jobs are named by their place in the list.
///
/// Every method has the answer that claims nothing; a claim must be true, or the verdict will not be.
pub trait Guide<M: Model> {
    /// Whether `by` may end the reign of `state` at the moment `now`. `false` claims that some job that has
    /// to take effect can do so only in `state`, has not, and that the state never comes back.
    fn may_leave(&self, _state: &M::State, _by: usize, _now: u32) -> bool {
        true
    }

    /// Whether having `job` behind is at least as good as having it open, other things equal. Reads need no
    /// such claim.
    fn is_free(&self, _job: usize) -> bool {
        false
    }

    /// Whether `job` can take effect in every state and leaves one that does not depend on it.
    fn is_blind(&self, _job: usize) -> bool {
        false
    }

    /// Whether `job` leaves the same state wherever it takes effect.
    fn is_constant(&self, _job: usize) -> bool {
        false
    }

    /// Whether `job`, blind and free, has all its observers invoked by the moment `now`, and they are all
    /// plain reads: then it and they fit in just before any other blind job.
    fn is_closed(&self, _job: usize, _now: u32) -> bool {
        false
    }
}

/// The guide that claims nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unguided;

impl<M: Model> Guide<M> for Unguided {}

/// Whether the jobs can be ordered into a run of the model.
pub fn search<M: Model, G: Guide<M>>(
    model: &M,
    guide: &G,
    jobs: &[Job<M::Op>],
    limits: Limits,
) -> Outcome<M::State> {
    let timeline = Timeline::of(jobs);
    match timeline.width {
        0..=64 => Search::<M, G, 1>::new(model, guide, jobs, &timeline, limits).run(),
        65..=128 => Search::<M, G, 2>::new(model, guide, jobs, &timeline, limits).run(),
        129..=512 => Search::<M, G, 8>::new(model, guide, jobs, &timeline, limits).run(),
        513..=2048 => Search::<M, G, 32>::new(model, guide, jobs, &timeline, limits).run(),
        2049..=8192 => Search::<M, G, 128>::new(model, guide, jobs, &timeline, limits).run(),
        _ => {
            let answer = Answer::Unknown { from: 0, to: END, why: Exhausted::Width };
            Outcome { answer, steps: 0, stuck: None, order: None }
        }
    }
}

/// Something that happens to a job at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Call(usize),
    Return(usize),
}

/// The jobs in order of real time.
struct Timeline {
    moments: Vec<(u32, Moment)>,
    /// The class of each job that has one.
    class_of: Vec<Option<u32>>,
    /// One job of each class: equal optional jobs that never end are counted, not told apart.
    classes: Vec<usize>,
    /// Nobody needs more members than this of a class that always leaves the same state: between two other
    /// jobs a minimal run visits no state twice, since the way back to it could be cut out.
    plenty: usize,
    /// How many jobs are told apart at once, at most.
    width: usize,
}

impl Timeline {
    fn of<O: Clone + Eq + std::hash::Hash>(jobs: &[Job<O>]) -> Self {
        let mut class_of = vec![None; jobs.len()];
        let mut classes = Vec::new();
        let mut by_op: HashMap<&O, u32> = HashMap::new();
        let mut moments = Vec::with_capacity(jobs.len() * 2);
        let mut bounded = 0;
        for (at, job) in jobs.iter().enumerate() {
            moments.push((job.call, Moment::Call(at)));
            if job.must || job.ret != END {
                bounded += 1;
                moments.push((job.ret, Moment::Return(at)));
                continue;
            }
            let class = *by_op.entry(&job.op).or_insert_with(|| {
                classes.push(at);
                u32::try_from(classes.len() - 1).unwrap_or(u32::MAX)
            });
            class_of[at] = Some(class);
        }
        // Calls come before returns at ties: intervals are closed.
        moments.sort_by_key(|&(at, moment)| (at, matches!(moment, Moment::Return(_))));
        let width = Self::width(&moments, &class_of);
        Self { moments, class_of, classes, plenty: bounded + 1, width }
    }

    /// The greatest number of jobs, other than class members, that are open at once.
    fn width(moments: &[(u32, Moment)], class_of: &[Option<u32>]) -> usize {
        let (mut open, mut most) = (0_usize, 0);
        for &(_, moment) in moments {
            match moment {
                Moment::Call(job) if class_of[job].is_none() => open += 1,
                Moment::Call(_) => {}
                Moment::Return(_) => open = open.saturating_sub(1),
            }
            most = most.max(open);
        }
        most
    }
}

#[cfg(test)]
mod tests;
