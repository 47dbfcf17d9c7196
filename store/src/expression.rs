//! DynamoDB's expressions: a real grammar, a typed tree, and pure evaluation.
//!
//! An expression comes as text with placeholders (`#n`, `:v`). It is read by recursive descent with a
//! depth limit; placeholders are replaced ([`placeholders`]), and everything that can be known
//! without an item is checked, in DynamoDB's words ([`error`]). What comes out is a tree ([`ast`])
//! that carries names and values instead of placeholders, so it can be logged and evaluated on any
//! replica: [`Condition::holds`], [`Update::apply`] and [`Projection::apply`] are functions of the
//! tree and the item alone.

pub mod ast;
pub mod condition;
pub mod error;
pub mod evaluate;
pub mod key_condition;
mod lexer;
mod parser;
pub mod placeholders;
pub mod projection;
mod reserved;
pub mod update;
pub mod update_grammar;

pub use ast::{Comparator, Condition, Operand, Path, Projection, SetOperand, SetValue, Step, Update};
pub use condition::parse_condition;
pub use error::{ExpressionError, Reason};
pub use key_condition::{KeyCondition, KeyConditionError, parse_key_condition};
pub use placeholders::{PlaceholderError, Placeholders};
pub use projection::parse_projection;
pub use update::UpdateError;
pub use update_grammar::parse_update;
