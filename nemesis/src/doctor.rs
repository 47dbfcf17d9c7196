//! What works on this machine.

use serde::Serialize;

/// Whether a kind of fault works here, by which means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The kind of fault.
    pub fault: &'static str,
    /// The means by which it is made.
    pub backend: &'static str,
    /// Whether it works here.
    pub works: bool,
    /// What was tried and seen, or why it does not work.
    pub reason: String,
    /// What to do so that it does.
    pub unlock: Option<String>,
}

/// Tries out what the faults need.
#[allow(clippy::unused_async)]
pub async fn probe() -> Vec<Finding> {
    Vec::new()
}
