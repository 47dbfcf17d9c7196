//! Caps: how many requests a run may send, and how many capacity units it may spend.
//!
//! They protect an account that pays by the request. All clients of a run share one [`Caps`]; a data
//! operation that would exceed a cap is refused before it is sent, and from then on [`Caps::reached`] says
//! so, so that the driver can end the load. Units are growler's own estimate from what it sends (1 KB of
//! write, 4 KB of strong read, twice that in transactions), always rounded up: no server is trusted to count.
//! Table creation and removal are never refused: what was made must be removable. Nor are the canary's few
//! requests, which show whether the system serves.
//!
//! A part of each cap is kept for the reads at the end, which show what the system kept of all the load
//! before: the load ends when it has used up the rest.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

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
    /// Reads at the end that are expected.
    final_reads: u64,
    ending: AtomicBool,
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

const WRITE_UNITS: &str = "write units";

impl Caps {
    /// Caps with nothing used yet.
    #[must_use]
    pub fn new(max_requests: Option<u64>, max_write_units: Option<u64>, max_read_units: Option<u64>) -> Self {
        Self { max_requests, max_write_units, max_read_units, ..Self::default() }
    }

    /// The same, with so much kept for the end as so many reads take, but at least a tenth and at most a
    /// quarter of each cap.
    #[must_use]
    pub fn keeping(self, final_reads: u64) -> Self {
        Self { final_reads, ..self }
    }

    /// The load is over: what was kept for the end may be used.
    pub fn begin_end(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }

    /// What may be used of a cap now.
    fn open_part(&self, limit: u64) -> u64 {
        if self.ending.load(Ordering::Relaxed) {
            return limit;
        }
        limit - self.final_reads.min(limit / 4).max(limit / 10)
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
        let names = ["requests", WRITE_UNITS, "read units"];
        for i in 0..limits.len() {
            let Some(limit) = limits[i] else { continue };
            // The reads at the end write nothing.
            let open = if names[i] == WRITE_UNITS { limit } else { self.open_part(limit) };
            let fits = |used: u64| used.checked_add(amounts[i]).filter(|&used| used <= open);
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
    fn a_part_of_a_cap_is_kept_for_the_reads_at_the_end() {
        let read = Units { write: 0, read: 1 };
        let taken = |caps: &Caps| (0..).take_while(|_| caps.take(read).is_ok()).count();
        for (expected, before) in [(0, 90), (15, 85), (1_000, 75)] {
            let caps = Caps::new(Some(100), None, None).keeping(expected);
            assert_eq!(taken(&caps), before, "{expected} reads expected");
            caps.begin_end();
            assert_eq!(taken(&caps), 100 - before, "the rest");
        }
        let writes = Caps::new(None, Some(100), None).keeping(50);
        assert!(
            (0..100).all(|_| writes.take(Units { write: 1, read: 0 }).is_ok()),
            "nothing is written then"
        );
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
