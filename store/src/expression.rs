//! DynamoDB's expressions: a real grammar, a typed tree, and pure evaluation.
//!
//! An expression comes as text with placeholders (`#n`, `:v`). [`parse`] reads it by recursive
//! descent with a depth limit, replaces the placeholders, and checks everything that can be known
//! without an item, in DynamoDB's words. What comes out is a tree ([`ast`]) that carries values
//! instead of placeholders, so it can be logged and evaluated on any replica: [`Condition::holds`]
//! and [`Update::apply`] are functions of the tree and the item alone.

pub mod ast;
pub mod evaluate;
mod update;

pub use ast::{Comparator, Condition, Operand, Path, Projection, SetOperand, SetValue, Step, Update};
pub use update::UpdateError;
