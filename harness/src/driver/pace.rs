//! How long the end of a run may take: the checks, the measure of sensitivity, the report.
//!
//! Nobody waits a minute for the verdict on ten seconds. So the end of a run takes no longer than ten seconds or
//! a third of the run, whichever is more. A check that has not come to its end by then is *unknown*: it is never
//! sampled, and `growler check` lets it go on as long as it takes. The sensitivity, which is a sample anyway, is
//! taken from fewer faults.
//!
//! On a busy machine the clock on the wall says little of what a check was given. So a check is out of time when
//! this process has also computed for that long.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

/// The end of a run may always take so long.
const LEAST: Duration = Duration::from_secs(10);

/// How often it is looked whether the time is over.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The time for the end of one run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    began: Instant,
    computed: Duration,
    allowed: Duration,
}

impl Pace {
    /// Begins now, after a run of this length.
    pub(super) fn after(ran: Duration) -> Self {
        Self { began: Instant::now(), computed: computed(), allowed: LEAST.max(ran / 3) }
    }

    /// How much that is.
    pub(super) fn allowed(&self) -> Duration {
        self.allowed
    }

    /// Whether the time for checking is over, by the wall and by what was computed.
    pub(super) fn is_over(&self) -> bool {
        self.began.elapsed() >= self.allowed && computed().saturating_sub(self.computed) >= self.allowed
    }

    /// Waits for that.
    pub(super) async fn over(&self) {
        while !self.is_over() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// When measuring must be over: a tenth is left for the report.
    pub(super) fn measured_by(&self) -> Instant {
        self.began + self.allowed * 9 / 10
    }
}

/// How long this process has computed, all its threads together.
fn computed() -> Duration {
    // The kernel knows this clock since Linux 2.6.12.
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map_or(Duration::MAX, Duration::from)
}

/// Does some work, which is told to stop after a while.
pub(super) fn stopped_after<T>(time: Duration, work: impl FnOnce(&AtomicBool) -> T) -> T {
    let stop = AtomicBool::new(false);
    let (done, ended) = channel::<()>();
    let stop = &stop;
    std::thread::scope(|scope| {
        scope.spawn(move || {
            if ended.recv_timeout(time) == Err(RecvTimeoutError::Timeout) {
                stop.store(true, Ordering::Relaxed);
            }
        });
        // Dropped when the work is over, also where it panics: the timer ends with it.
        let _done = done;
        work(stop)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_stopped_when_its_time_is_over_and_not_before() {
        let counted = stopped_after(Duration::from_millis(20), |stop| {
            let began = Instant::now();
            while !stop.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            began.elapsed()
        });
        assert!(counted >= Duration::from_millis(15), "{counted:?}");
        assert!(!stopped_after(Duration::from_secs(600), |stop| stop.load(Ordering::Relaxed)));
    }

    #[test]
    fn the_end_takes_ten_seconds_or_a_third_of_the_run() {
        let allowed = |seconds| Pace::after(Duration::from_secs(seconds)).allowed();
        assert_eq!([allowed(8), allowed(30), allowed(60)].map(|time| time.as_secs()), [10, 10, 20]);
    }
}
