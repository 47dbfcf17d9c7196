//! Links between nodes, and between clients and nodes.

pub mod proxy;

pub use proxy::{Link, ProxyError, ProxyNetwork};
