//! The run's one monotonic clock: every time in the history, the plan and the report is nanoseconds of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

/// Time since the run began. Copies share the same beginning.
#[derive(Debug, Clone, Copy)]
pub struct RunClock {
    began: Instant,
}

impl RunClock {
    /// Begins now.
    pub fn start() -> Self {
        Self { began: Instant::now() }
    }

    /// Time since the run began.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// The same in nanoseconds.
    pub fn now_ns(&self) -> u64 {
        nanoseconds(self.elapsed())
    }

    /// A moment of the host's monotonic clock, as nanoseconds since the run began.
    pub fn at_ns(&self, moment: Instant) -> u64 {
        nanoseconds(moment.saturating_duration_since(self.began))
    }

    /// The clock as the recorder and the nemesis take it.
    pub fn as_function(&self) -> Arc<dyn Fn() -> u64 + Send + Sync> {
        let clock = *self;
        Arc::new(move || clock.now_ns())
    }
}

/// A duration in whole nanoseconds; more than 584 years is cut off.
pub(crate) fn nanoseconds(d: Duration) -> u64 {
    u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)
}
