//! Is this order a linearization? The order is replayed, nothing is searched.
//!
//! An order of operations explains a history if
//!
//! - every operation that must have taken effect is in it once, any other at most once, and nothing else is;
//! - it does not go against real time: no operation comes before one that had ended when it was called.
//!   Moments can then be found for all of them. Give each the greatest moment of a call so far: it is within
//!   the operation's interval if it is not past its end. If it is past, the one whose call that was began
//!   after this one had ended, and yet comes first;
//! - every answer is right where it stands, from the first state on.
//!
//! That takes one pass. [`replay`] does it for the jobs of a register, as the engines see them; [`explains`]
//! for a recorded history, by the contract's table; [`replay_with`] for any [`Model`].

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::table::{Effect, recorded};
use crate::history::{Operation, Outcome};
use crate::linearizability::Job;
use crate::model::Model;
use crate::model::register::{ABSENT, Need, RegisterOp};

/// Why an order is no linearization. Operations are named as the order names them: by place for jobs, by
/// the `index` of the invocation for histories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OrderFault {
    /// It names what is no operation, or one that says nothing.
    #[error("the order names {name}, which is no operation that can take effect or says anything")]
    Stranger {
        /// The name.
        name: u64,
    },
    /// It names an operation twice.
    #[error("the order names operation {name} twice")]
    Twice {
        /// The operation.
        name: u64,
    },
    /// It leaves an operation out that must be in it.
    #[error("operation {name} took effect, and the order leaves it out")]
    Missing {
        /// The operation.
        name: u64,
    },
    /// It goes against real time.
    #[error("operation {name} comes too late: it had ended before operation {after} was called")]
    OutOfTime {
        /// The operation.
        name: u64,
        /// One that comes before it, and was called after it had ended.
        after: u64,
    },
    /// It does not explain an answer.
    #[error("operation {name} could not be answered so where the order places it")]
    Unexplained {
        /// The operation.
        name: u64,
    },
}

/// Whether `order` (places in `jobs`) is a linearization of a register's jobs.
///
/// # Errors
///
/// The first thing that is wrong.
pub fn replay(jobs: &[Job<RegisterOp>], order: &[u32]) -> Result<(), OrderFault> {
    in_time(jobs, order)?;
    let mut state = ABSENT;
    for &place in order {
        let RegisterOp { need, set } = jobs[place as usize].op;
        let is_met = match need {
            Need::Any => true,
            Need::Is(value) => state == value,
            Need::Not(value) => state != value,
            Need::Never => false,
        };
        if !is_met {
            return Err(OrderFault::Unexplained { name: place.into() });
        }
        state = set.unwrap_or(state);
    }
    Ok(())
}

/// Whether `order` (places in `jobs`) is a linearization of an object of this model. Every state that the
/// model allows is followed.
///
/// # Errors
///
/// The first thing that is wrong.
pub fn replay_with<M: Model>(model: &M, jobs: &[Job<M::Op>], order: &[u32]) -> Result<(), OrderFault> {
    in_time(jobs, order)?;
    let mut states = HashSet::from([model.initial()]);
    for &place in order {
        let op = &jobs[place as usize].op;
        states = states.iter().flat_map(|state| model.step(state, op)).collect();
        if states.is_empty() {
            return Err(OrderFault::Unexplained { name: place.into() });
        }
    }
    Ok(())
}

/// Whether `order` (indexes of invocations) is a linearization of the operations of one register.
///
/// # Errors
///
/// The first thing that is wrong.
pub fn explains(operations: &[Operation<'_>], order: &[u64]) -> Result<(), OrderFault> {
    let mut jobs: Vec<Job<Effect<'_>>> = Vec::with_capacity(operations.len());
    let mut names = Vec::with_capacity(operations.len());
    for operation in operations {
        let Some(op) = recorded(operation) else { continue };
        let must = operation.outcome() != Outcome::Info;
        let end = operation.ret.filter(|_| must);
        let moment = |position: usize| u32::try_from(position).unwrap_or(u32::MAX - 1);
        jobs.push(Job { op, call: moment(operation.call), ret: end.map_or(u32::MAX, moment), must });
        names.push(operation.index);
    }
    let places: HashMap<u64, u32> = names.iter().copied().zip(0..).collect();
    let place = |name: &u64| places.get(name).copied().ok_or(OrderFault::Stranger { name: *name });
    let order: Vec<u32> = order.iter().map(place).collect::<Result<_, _>>()?;
    let named = |place: u64| usize::try_from(place).ok().and_then(|place| names.get(place)).copied();
    in_time(&jobs, &order).map_err(|fault| fault.renamed(|place| named(place).unwrap_or(place)))?;
    let mut state = &Value::Null;
    for &place in &order {
        let Effect { need, sets } = jobs[place as usize].op;
        if !need.is_met(state) {
            return Err(OrderFault::Unexplained { name: names[place as usize] });
        }
        state = sets.unwrap_or(state);
    }
    Ok(())
}

/// Whether the order names what it has to, and no more, in an order that real time allows.
fn in_time<O>(jobs: &[Job<O>], order: &[u32]) -> Result<(), OrderFault> {
    let mut placed = vec![false; jobs.len()];
    let mut latest: Option<(u32, u32)> = None;
    for &place in order {
        let name = u64::from(place);
        let job = jobs.get(place as usize).ok_or(OrderFault::Stranger { name })?;
        if std::mem::replace(&mut placed[place as usize], true) {
            return Err(OrderFault::Twice { name });
        }
        latest = latest.max(Some((job.call, place)));
        if let Some((call, after)) = latest
            && call > job.ret
        {
            return Err(OrderFault::OutOfTime { name, after: after.into() });
        }
    }
    let left_out = jobs.iter().zip(&placed).position(|(job, &placed)| job.must && !placed);
    left_out.map_or(Ok(()), |place| Err(OrderFault::Missing { name: place as u64 }))
}

impl OrderFault {
    /// The same fault, with other names for the operations.
    fn renamed(self, name_of: impl Fn(u64) -> u64) -> Self {
        match self {
            Self::Stranger { name } => Self::Stranger { name: name_of(name) },
            Self::Twice { name } => Self::Twice { name: name_of(name) },
            Self::Missing { name } => Self::Missing { name: name_of(name) },
            Self::Unexplained { name } => Self::Unexplained { name: name_of(name) },
            Self::OutOfTime { name, after } => Self::OutOfTime { name: name_of(name), after: name_of(after) },
        }
    }
}

#[cfg(test)]
mod tests;
