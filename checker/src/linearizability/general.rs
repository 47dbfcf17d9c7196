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
//! Three reductions keep the set small for every model:
//!
//! 1. *Eager reads.* An open read that fits the state takes effect at once: it disables nothing.
//! 2. *Dominance.* Of two configurations with the same state, the one that has more reads behind it, or has
//!    spent fewer optional operations, can do all that the other can. Equal optional operations without an
//!    end (indeterminate ones) are counted, not told apart.
//! 3. *Likes in line.* Of equal operations that are open, the one that ends first takes effect first: in a
//!    run that has them the other way round, they can change places.
//!
//! The others need knowledge of the object, given as a [`Guide`]:
//!
//! 4. *Dead ends.* A state that cannot come back must not be left before its last observer.
//! 5. *Free operations.* An operation that may as well be over (a write that nobody will see) is done with
//!    as soon as that costs nothing.
//! 6. *Plenty.* Where there are more equal optional operations than could ever be of use, they are not even
//!    counted.
//!
//! And the walk is narrow first (`beam`): it keeps the most promising configurations only, and goes back to
//! where it left something out if they all die. A history that is linearizable is mostly seen to be so at
//! once, however many ways there are to explain it.
//!
//! Without a guide the engine is exact for every model; with one it is exact if the guide keeps its word.
//! The answer never depends on time or scheduling: work is counted in steps and in bytes.

mod beam;
mod book;
mod hash;
mod row;
mod search;
mod states;
mod store;
mod timeline;
mod trail;

use beam::Beam;
use search::Search;
use timeline::Timeline;

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
    // What would have to happen before it began never does, whatever else is going on.
    let late = (0..jobs.len()).filter(|&at| jobs[at].must && jobs[at].ret < jobs[at].call);
    if let Some(at) = late.min_by_key(|&at| jobs[at].ret) {
        let (answer, stuck) = (Answer::Not { at: jobs[at].ret }, Some((at, vec![model.initial()])));
        return Outcome { answer, steps: 0, stuck, order: None };
    }
    let timeline = Timeline::of(model, jobs);
    Search::new(model, guide, jobs, &timeline, limits, Beam::new()).run()
}

#[cfg(test)]
mod tests;
