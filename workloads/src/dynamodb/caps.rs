//! Caps: how many requests a run may send, and how many capacity units it may spend.
//!
//! They protect an account that pays by the request. All clients of a run share one [`Caps`]; a data
//! operation that would exceed a cap is refused before it is sent, and from then on [`Caps::reached`] says
//! so, so that the driver can end the load. Units are growler's own estimate from what it sends (1 KB of
//! write, 4 KB of strong read, twice that in transactions), always rounded up: no server is trusted to count.
//! Table creation and removal are never refused: what was made must be removable. Nor are the canary's few
//! writes, which show whether the system serves.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a request is estimated to cost, in DynamoDB's capacity units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Units {
    /// Write units.
    pub write: u64,
    /// Read units.
    pub read: u64,
}

/// The caps of a run, and what was used of them. The default has none.
#[derive(Debug, Default)]
pub struct Caps {
    /// Data operations that may be sent.
    pub max_requests: Option<u64>,
    /// Write units that may be spent.
    pub max_write_units: Option<u64>,
    /// Read units that may be spent.
    pub max_read_units: Option<u64>,
    used: [AtomicU64; 3],
    reached: std::sync::OnceLock<CapReached>,
}

/// A cap was reached: nothing more is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cap of {limit} {what} is reached; raise it, or shorten the run")]
pub struct CapReached {
    /// What is capped.
    pub what: &'static str,
    /// The cap.
    pub limit: u64,
}

impl Caps {
    /// Caps with nothing used yet.
    #[must_use]
    pub fn new(max_requests: Option<u64>, max_write_units: Option<u64>, max_read_units: Option<u64>) -> Self {
        Self { max_requests, max_write_units, max_read_units, ..Self::default() }
    }

    /// The cap that refused a request, once one did.
    #[must_use]
    pub fn reached(&self) -> Option<CapReached> {
        self.reached.get().copied()
    }

    /// Takes one request of this cost, or says which cap is in the way.
    pub(super) fn take(&self, cost: Units) -> Result<(), CapReached> {
        let amounts = [1, cost.write, cost.read];
        let limits = [self.max_requests, self.max_write_units, self.max_read_units];
        let names = ["requests", "write units", "read units"];
        for i in 0..limits.len() {
            let Some(limit) = limits[i] else { continue };
            let fits = |used: u64| used.checked_add(amounts[i]).filter(|&used| used <= limit);
            if self.used[i].fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_err() {
                return Err(*self.reached.get_or_init(|| CapReached { what: names[i], limit }));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cap_is_never_exceeded_and_says_what_was_reached() {
        let caps = Caps::new(None, Some(5), None);
        let cost = Units { write: 2, read: 0 };
        assert!(caps.take(cost).is_ok() && caps.take(cost).is_ok());
        assert_eq!(caps.reached(), None);
        assert_eq!(caps.take(cost), Err(CapReached { what: "write units", limit: 5 }));
        assert_eq!(caps.reached(), Some(CapReached { what: "write units", limit: 5 }));
    }

    #[test]
    fn without_caps_nothing_is_refused() {
        let caps = Caps::default();
        for _ in 0..1000 {
            caps.take(Units { write: u64::MAX, read: u64::MAX }).unwrap();
        }
        assert_eq!(caps.reached(), None);
    }
}
