//! Invariants: what must hold in every answer, whatever the order of the operations was.

pub mod bank;
