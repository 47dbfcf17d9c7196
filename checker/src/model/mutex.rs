//! A lock, free at first. Who holds it may have a *fencing token*, a name for this one holding.
//!
//! A token that is a number must be greater than all before it: that is what lets a resource behind the lock
//! refuse those who held it earlier. Other tokens are names only. Where nobody gave a token, anyone may
//! release what is held, as in Knossos' model.

use super::Model;
use super::register::Symbol;

/// A fencing token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token {
    /// Equal tokens have equal names.
    pub name: Symbol,
    /// Its place among the tokens, if it is a number.
    pub number: Option<i128>,
}

/// A call on a lock with its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MutexOp {
    /// It took the lock, and got this token, if it is known.
    Acquire(Option<Token>),
    /// It gave the lock back, showing this token, if any.
    Release(Option<Token>),
}

/// What a lock is, and what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Lock {
    /// Whether it is held; under which token, if that is known.
    pub holder: Option<Option<Symbol>>,
    /// The greatest number among the tokens so far.
    pub greatest: Option<i128>,
}

/// The model of one lock.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mutex;

impl Model for Mutex {
    type State = Lock;
    type Op = MutexOp;

    fn initial(&self) -> Lock {
        Lock::default()
    }

    fn step(&self, state: &Lock, op: &MutexOp) -> impl Iterator<Item = Lock> {
        let later = |token: &Token| match (token.number, state.greatest) {
            (Some(number), Some(greatest)) => number > greatest,
            _ => true,
        };
        let next = match (op, state.holder) {
            (MutexOp::Acquire(None), None) => Some(Lock { holder: Some(None), ..*state }),
            (MutexOp::Acquire(Some(token)), None) if later(token) => {
                Some(Lock { holder: Some(Some(token.name)), greatest: token.number.max(state.greatest) })
            }
            (MutexOp::Release(None), Some(_)) => Some(Lock { holder: None, ..*state }),
            (MutexOp::Release(Some(token)), Some(Some(name))) if token.name == name => {
                Some(Lock { holder: None, ..*state })
            }
            // The token of the holder was not known until now.
            (MutexOp::Release(Some(token)), Some(None)) if later(token) => {
                Some(Lock { holder: None, greatest: token.number.max(state.greatest) })
            }
            _ => None,
        };
        next.into_iter()
    }
}
