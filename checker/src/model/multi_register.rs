//! Several registers behind one object: a transaction reads and writes some of them at one moment.

use super::Model;
use super::register::{ABSENT, Symbol};

/// One step of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TxnStep {
    /// The register (by number) held this value.
    Read(Symbol, Symbol),
    /// The register holds this value from then on.
    Write(Symbol, Symbol),
}

/// A transaction with its answers: its steps happen one after another, and nothing in between.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Txn(pub Vec<TxnStep>);

/// The model of several registers, all absent at first.
#[derive(Debug, Clone, Copy, Default)]
pub struct MultiRegister;

impl Model for MultiRegister {
    /// The value of each register; those at the end that are absent are left out.
    type State = Vec<Symbol>;
    type Op = Txn;

    fn initial(&self) -> Vec<Symbol> {
        Vec::new()
    }

    fn step(&self, state: &Vec<Symbol>, txn: &Txn) -> impl Iterator<Item = Vec<Symbol>> {
        let run = || {
            let mut next = state.clone();
            for step in &txn.0 {
                match *step {
                    TxnStep::Read(register, value) => {
                        let held = next.get(register as usize).copied().unwrap_or(ABSENT);
                        if held != value {
                            return None;
                        }
                    }
                    TxnStep::Write(register, value) => {
                        let register = register as usize;
                        if next.len() <= register {
                            next.resize(register + 1, ABSENT);
                        }
                        next[register] = value;
                    }
                }
            }
            while next.last() == Some(&ABSENT) {
                next.pop();
            }
            Some(next)
        };
        run().into_iter()
    }

    fn is_read(&self, txn: &Txn) -> bool {
        !txn.0.iter().any(|step| matches!(step, TxnStep::Write(..)))
    }

    fn bytes(&self, state: &Vec<Symbol>) -> usize {
        size_of::<Vec<Symbol>>() + state.capacity() * size_of::<Symbol>()
    }
}
