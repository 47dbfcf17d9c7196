//! What a table holds: attribute values, items, keys, and the one way to change them.
//!
//! Everything here is plain data and pure functions: no I/O, no clock, no randomness, so that a log
//! entry applied on two replicas gives the same bytes on both. Values have two encodings. For the
//! store's own log and wire they derive serde and travel in postcard; for clients they travel as
//! DynamoDB's JSON through [`json`]. Numbers are exact decimals ([`number`]), keys have an encoding
//! whose byte order is DynamoDB's sort order ([`key`]), sizes are counted as DynamoDB bills them
//! ([`size`]), and [`mutation`] is the transition function that replicas run.

pub mod json;
pub mod key;
pub mod mutation;
pub mod number;
pub mod schema;
pub mod size;
pub mod value;

pub use key::{KeyValue, PrimaryKey, SortCondition};
pub use mutation::{Action, Applied, Change, Mutation, MutationRefused, MutationReply, apply};
pub use number::{Number, NumberError};
pub use schema::{Billing, KeyAttribute, KeyType, SchemaMismatch, TableSchema};
pub use value::{AttributeValue, Item};
