//! Links between nodes, and between clients and nodes.
//!
//! [`grudge`] says what shapes a partition can have; [`proxy`] is the backend that works for any user on any
//! system: our own TCP proxies, one per directed pair. Backends inside the kernel stand behind the same
//! trait, [`crate::cluster::Network`].

pub mod grudge;
pub mod proxy;

pub use proxy::{Link, ProxyError, ProxyNetwork};
