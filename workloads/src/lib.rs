//! What growler does to the system under test: workloads, their generators, and the DynamoDB client.
//!
//! A [`workload::Workload`] is what the driver runs; [`create`] makes one by name. Workloads share the
//! pure parts in [`generator`], and send their requests through [`dynamodb`]. [`promises`] says what a system
//! is held to, and [`probe`] shows when it serves again.

mod bank;
mod cart;
pub mod dynamodb;
pub mod generator;
mod pages;
pub mod probe;
pub mod promises;
mod register;
mod registry;
mod replicas;
mod set;
pub mod tables;
pub mod workload;

pub use registry::{UnknownWorkload, create, workloads};
