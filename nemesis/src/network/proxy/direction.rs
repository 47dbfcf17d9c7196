//! One direction between two parties: whether bytes pass, how late, and what happened to them so far. All
//! connections between the two share it, whoever opened them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// The state and the counters of one direction. Read on the hot path, so nothing but atomics.
#[derive(Debug, Default)]
pub(super) struct Direction {
    cut: AtomicBool,
    delay_ms: AtomicU64,
    changed: Notify,
    pub(super) bytes_dropped: AtomicU64,
    pub(super) bytes_delayed: AtomicU64,
    pub(super) connects_held: AtomicU64,
    pub(super) connections_reset: AtomicU64,
}

impl Direction {
    /// Whether bytes are swallowed. Sequentially consistent, see `Connection::lose`.
    pub(super) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::SeqCst)
    }

    pub(super) fn set_cut(&self, cut: bool) {
        if self.cut.swap(cut, Ordering::SeqCst) != cut {
            self.changed.notify_waiters();
        }
    }

    pub(super) fn delay(&self) -> Duration {
        Duration::from_millis(self.delay_ms.load(Ordering::Relaxed))
    }

    pub(super) fn set_delay_ms(&self, delay_ms: u64) {
        self.delay_ms.store(delay_ms, Ordering::Relaxed);
    }

    /// Waits until bytes are swallowed (`true`) or pass (`false`).
    pub(super) async fn until(&self, cut: bool) {
        loop {
            let changed = self.changed.notified();
            if self.is_cut() == cut {
                return;
            }
            changed.await;
        }
    }

    pub(super) fn counters(&self) -> BTreeMap<String, u64> {
        [
            ("bytes_dropped", &self.bytes_dropped),
            ("bytes_delayed", &self.bytes_delayed),
            ("connects_held", &self.connects_held),
            ("connections_reset", &self.connections_reset),
        ]
        .into_iter()
        .map(|(name, counter)| (name.to_owned(), counter.load(Ordering::Relaxed)))
        .collect()
    }
}

/// Adds to a counter.
pub(super) fn count(counter: &AtomicU64, n: usize) {
    counter.fetch_add(n as u64, Ordering::Relaxed);
}
