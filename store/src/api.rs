//! DynamoDB's protocol over HTTP, above any replication style.
//!
//! Requests come in through [`server`], are read and checked in DynamoDB's order, and become
//! calls of the [`backend::Backend`] trait: a mutation of one item, a read of one item, a page of a
//! query or scan. Headers beyond DynamoDB's API are the matter of [`extension`]. Filters, projections and returned values are worked out here, above the trait, so
//! that a replication style only has to keep items. [`memory`] is the simplest backend.

pub mod backend;
mod constraint;
pub mod error;
pub mod extension;
mod items;
pub mod memory;
mod operations;
mod pages;
mod parameters;
mod reply;
pub mod server;
mod tables;

pub use backend::{Ask, Backend, BackendError, Consistency};
pub use memory::MemoryBackend;
pub use server::{Service, Status, serve, serve_connection};
