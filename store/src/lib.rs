//! The bundled store: a real replicated store that speaks DynamoDB's protocol, made to be tested.
//!
//! ```text
//! client ─► api (requests, validation, errors) ─► Backend ─► leader (partitions, routing, reads)
//!             └ expression, item                              │            └ peer (links between nodes)
//!                                                             └ engine (write-ahead log, tables)
//!                                      everything below stands on world (clock, disk, network, tasks)
//! ```
//!
//! [`node`] runs one process of it. [`bugs`] is the catalogue of planted bugs: off by default, each at the
//! place where the real bug would be.
//!
//! The store knows nothing of the harness, and shares no code with the client that tests it. Its core takes
//! its world as parameters and never asks the host for time, randomness, files or connections by itself.

pub mod api;
pub mod bugs;
pub mod engine;
pub mod expression;
pub mod item;
pub mod leader;
pub mod node;
pub mod peer;
pub mod quorum;
pub mod world;
