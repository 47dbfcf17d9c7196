//! Sequential models: what an object would answer if operations came one at a time.
//!
//! A [`Model`] is the object's specification. A checker asks it one question: from this state, may this
//! operation (with the answer it got) happen next, and which state does it leave? The object is
//! linearizable if its operations, placed at single moments inside their intervals, form a run of the model.
//!
//! A model's operation is a call *with its answer*, already normalised. For a register that makes four
//! kinds of API call one shape: [`register::RegisterOp`], a need and an effect.
//!
//! A model of one's own is a type for the state, one for the operations, and `step`:
//!
//! ```
//! use growler_checker::model::Model;
//!
//! /// A counter whose `add` returns nothing and whose `read` returns the sum.
//! struct Counter;
//! #[derive(Clone, PartialEq, Eq, Hash)]
//! enum Op { Add(i64), Read(i64) }
//!
//! impl Model for Counter {
//!     type State = i64;
//!     type Op = Op;
//!     fn initial(&self) -> i64 { 0 }
//!     fn step(&self, state: &i64, op: &Op) -> impl Iterator<Item = i64> {
//!         match *op {
//!             Op::Add(d) => Some(state + d),
//!             Op::Read(n) => (n == *state).then_some(n),
//!         }
//!         .into_iter()
//!     }
//!     fn is_read(&self, op: &Op) -> bool { matches!(op, Op::Read(_)) }
//! }
//!
//! assert_eq!(Counter.step(&2, &Op::Add(3)).collect::<Vec<_>>(), [5]);
//! assert_eq!(Counter.step(&2, &Op::Read(3)).count(), 0);
//! ```

use std::hash::Hash;

pub mod counter;
mod known;
pub mod kv;
pub mod multi_register;
pub mod mutex;
pub mod queue;
pub mod register;
pub mod set;

pub use known::{InferError, Info, catalogue, find, infer_model};

/// A sequential specification. Implementations are pure.
pub trait Model {
    /// What the object holds. Equal states have equal futures.
    type State: Clone + Eq + Hash;
    /// A call with its answer. Equal operations can stand in for each other.
    type Op: Clone + Eq + Hash;

    /// What the object holds before the first operation.
    fn initial(&self) -> Self::State;

    /// The states that `op` may leave when it happens in `state`; none if it cannot happen there.
    fn step(&self, state: &Self::State, op: &Self::Op) -> impl Iterator<Item = Self::State>;

    /// Whether `op` leaves every state in which it can happen as it was. A checker may then place it as soon
    /// as it fits. `false` is always right.
    fn is_read(&self, _op: &Self::Op) -> bool {
        false
    }

    /// About how many bytes a state takes, what it owns elsewhere included: for the memory budget.
    fn bytes(&self, _state: &Self::State) -> usize {
        size_of::<Self::State>()
    }
}

/// A model that is looked at is the same model.
impl<M: Model + ?Sized> Model for &M {
    type State = M::State;
    type Op = M::Op;

    fn initial(&self) -> M::State {
        M::initial(self)
    }

    fn step(&self, state: &M::State, op: &M::Op) -> impl Iterator<Item = M::State> {
        M::step(self, state, op)
    }

    fn is_read(&self, op: &M::Op) -> bool {
        M::is_read(self, op)
    }

    fn bytes(&self, state: &M::State) -> usize {
        M::bytes(self, state)
    }
}
