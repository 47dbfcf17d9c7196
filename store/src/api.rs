//! DynamoDB's protocol over HTTP, above any replication style.
//!
//! Requests come in through `server`, are read and checked in DynamoDB's order, and become
//! calls of the [`backend::Backend`] trait: a mutation of one item, a read of one item, a page of a
//! query or scan. Filters, projections and returned values are worked out here, above the trait, so
//! that a replication style only has to keep items.

pub mod backend;

pub use backend::{Backend, BackendError, Consistency};
