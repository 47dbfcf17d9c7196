//! The store's DynamoDB side: values, expressions, and the protocol over real HTTP against the
//! backend in memory.

#![allow(clippy::unwrap_used)]

mod conditions;
mod extension;
mod faults;
mod keys;
mod pages;
mod refusals;
mod requests;
mod samples;
mod server;
mod updates;
mod values;
