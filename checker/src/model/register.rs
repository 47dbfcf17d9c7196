//! One item: a register with reads, writes, deletes and conditional writes.
//!
//! Every answer that a store can give about one item is a *need* (what must have been in force) and an
//! *effect* (what is in force afterwards):
//!
//! | call and answer | need | effect |
//! |---|---|---|
//! | `read` → v | is v | none |
//! | `write` v, nothing said of what it replaced | anything | v |
//! | `write` v, replaced e | is e | v |
//! | `cas` [e, v] applied | is e | v |
//! | `cas` [e, v] refused, met o | is o, and o ≠ e | none |
//! | `cas` [e, v] refused, nothing said | is not e | none |
//!
//! A delete is a write of [`ABSENT`]. Values are interned ([`Symbol`]), so a state is one number.

use super::Model;

/// An interned value of one object.
pub type Symbol = u32;

/// No item: JSON null, and the state before the first write.
pub const ABSENT: Symbol = 0;

/// What must be in force at the moment of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// Anything will do.
    Any,
    /// Exactly this value.
    Is(Symbol),
    /// Any value but this.
    Not(Symbol),
    /// The answer contradicts itself: it can happen in no state.
    Never,
}

/// A call on a register with its answer: what it needs, and what it leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegisterOp {
    /// What must be in force.
    pub need: Need,
    /// What is in force afterwards; none where nothing changes.
    pub set: Option<Symbol>,
}

/// The model of one item, absent at first.
#[derive(Debug, Clone, Copy, Default)]
pub struct Register;

impl Model for Register {
    type State = Symbol;
    type Op = RegisterOp;

    fn initial(&self) -> Symbol {
        ABSENT
    }

    fn step(&self, state: &Symbol, op: &RegisterOp) -> impl Iterator<Item = Symbol> {
        let possible = match op.need {
            Need::Any => true,
            Need::Is(value) => *state == value,
            Need::Not(value) => *state != value,
            Need::Never => false,
        };
        possible.then(|| op.set.unwrap_or(*state)).into_iter()
    }

    fn is_read(&self, op: &RegisterOp) -> bool {
        op.set.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_follow_the_table() {
        let step = |state, need, set| Register.step(&state, &RegisterOp { need, set }).next();
        assert_eq!(step(ABSENT, Need::Any, Some(3)), Some(3));
        assert_eq!(step(3, Need::Is(3), None), Some(3));
        assert_eq!(step(3, Need::Is(ABSENT), Some(4)), None);
        assert_eq!(step(3, Need::Is(3), Some(ABSENT)), Some(ABSENT));
        assert_eq!(step(3, Need::Not(3), None), None);
        assert_eq!(step(4, Need::Not(3), None), Some(4));
        assert_eq!(step(3, Need::Never, None), None);
    }
}
