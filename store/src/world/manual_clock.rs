//! A clock that a test turns by hand: time passes only when [`ManualClock::advance`] says so.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::watch;

use super::clock::{Clock, Mono, WallNanos};

/// A clock for tests. Clones share one state.
#[derive(Clone, Debug)]
pub struct ManualClock {
    time: Arc<watch::Sender<(Mono, WallNanos)>>,
}

impl ManualClock {
    /// A clock that shows `mono` and `wall` until it is turned.
    pub fn new(mono: Mono, wall: WallNanos) -> Self {
        ManualClock { time: Arc::new(watch::Sender::new((mono, wall))) }
    }

    /// Lets `duration` pass on both clocks and wakes whoever slept until then.
    pub fn advance(&self, duration: Duration) {
        let nanos = i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
        self.time.send_modify(|(mono, wall)| {
            *mono += duration;
            *wall = wall.saturating_add(nanos);
        });
    }

    /// Makes the wall clock jump by `delta_ns`; the monotonic clock does not notice.
    pub fn jump(&self, delta_ns: i64) {
        self.time.send_modify(|(_, wall)| *wall = wall.saturating_add(delta_ns));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Mono {
        self.time.borrow().0
    }

    fn wall(&self) -> WallNanos {
        self.time.borrow().1
    }

    fn sleep_until(&self, deadline: Mono) -> BoxFuture<'static, ()> {
        let mut time = self.time.subscribe();
        // Holds the sender, so that the wait below cannot end by the clock's going away.
        let clock = self.clone();
        Box::pin(async move {
            let _alive = clock;
            while time.borrow_and_update().0 < deadline {
                if time.changed().await.is_err() {
                    return;
                }
            }
        })
    }
}
