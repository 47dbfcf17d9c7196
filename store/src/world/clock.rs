//! Time as a node believes it.
//!
//! Two times: [`Clock::now`], monotonic, for timers, leases and latencies; and [`Clock::wall`], for
//! named decisions only (timestamps, expiry). A nemesis may make both run fast or slow (drift) and
//! may make the wall clock jump; the monotonic time never jumps and never goes back.
//!
//! [`HostClock`] is the clock of a real process: the host's clocks, bent by the clock page when one is
//! configured. It remembers the highest value that it ever handed out, so that a change of drift seen
//! late (the page is read at most once in [`PAGE_MAX_AGE`]) shows as a clock that stands still for a
//! few microseconds, not as one that goes back.

use std::fmt::Debug;
use std::io;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use nix::time::{ClockId, clock_gettime};
use parking_lot::Mutex;

use super::clock_page::{ClockPage, ClockPageError, PageFile};

/// How old a reading of the clock page may be.
const PAGE_MAX_AGE: Duration = Duration::from_micros(200);

/// The longest single host sleep while a clock page is in force: the drift may change meanwhile.
const SLEEP_SLICE: Duration = Duration::from_millis(50);

/// Nanoseconds since the Unix epoch, by a node's wall clock.
pub type WallNanos = i64;

/// A point on one node's monotonic clock, in nanoseconds from an arbitrary origin.
///
/// Points of different nodes, or of two lives of one node, must not be compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(pub u64);

impl Mono {
    /// The time from `earlier` to this point, zero when `earlier` is later.
    pub fn saturating_since(self, earlier: Mono) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Add<Duration> for Mono {
    type Output = Mono;
    fn add(self, duration: Duration) -> Mono {
        Mono(self.0.saturating_add(nanos(duration)))
    }
}

impl AddAssign<Duration> for Mono {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub<Duration> for Mono {
    type Output = Mono;
    fn sub(self, duration: Duration) -> Mono {
        Mono(self.0.saturating_sub(nanos(duration)))
    }
}

impl SubAssign<Duration> for Mono {
    fn sub_assign(&mut self, duration: Duration) {
        *self = *self - duration;
    }
}

impl Sub<Mono> for Mono {
    type Output = Duration;
    fn sub(self, earlier: Mono) -> Duration {
        self.saturating_since(earlier)
    }
}

/// A node's own clock.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The node's monotonic time: follows the drift, never jumps, never goes back.
    fn now(&self) -> Mono;

    /// The node's wall-clock time: follows offset and drift, and may jump either way.
    fn wall(&self) -> WallNanos;

    /// Waits until [`now`](Clock::now) has reached `deadline`; at once when it is in the past.
    fn sleep_until(&self, deadline: Mono) -> BoxFuture<'static, ()>;

    /// Waits for `duration` of the node's monotonic time.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.sleep_until(self.now() + duration)
    }
}

/// The clock of a process on a real machine. Clones share one state.
#[derive(Clone, Debug)]
pub struct HostClock {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    page: Option<Mutex<CachedPage>>,
    highest: AtomicU64,
}

#[derive(Debug)]
struct CachedPage {
    file: PageFile,
    page: ClockPage,
    read_at: u64,
}

impl HostClock {
    /// The host's clock as it is.
    pub fn new() -> Self {
        HostClock { inner: Arc::new(Inner { page: None, highest: AtomicU64::new(0) }) }
    }

    /// The host's clock bent by the page in the file `path`.
    ///
    /// # Errors
    /// The file cannot be read, or does not hold a clock page of a known version.
    pub fn with_page(path: &Path) -> Result<Self, ClockPageError> {
        let file = PageFile::open(path)?;
        let page = file.read()?;
        let cached = CachedPage { file, page, read_at: host_mono() };
        Ok(HostClock {
            inner: Arc::new(Inner { page: Some(Mutex::new(cached)), highest: AtomicU64::new(0) }),
        })
    }

    fn page(&self) -> Option<ClockPage> {
        self.inner.page.as_ref().map(|cached| cached.lock().fresh())
    }
}

impl Default for HostClock {
    fn default() -> Self {
        HostClock::new()
    }
}

impl CachedPage {
    /// The page, read again when the last reading is too old. A page that cannot be read while the
    /// node runs leaves the last one in force.
    fn fresh(&mut self) -> ClockPage {
        let now = host_mono();
        if now.saturating_sub(self.read_at) > nanos(PAGE_MAX_AGE) {
            self.read_at = now;
            match self.file.read() {
                Ok(page) => self.page = page,
                Err(error) => tracing::warn!(%error, "clock page unreadable, the last one stays in force"),
            }
        }
        self.page
    }
}

impl Clock for HostClock {
    fn now(&self) -> Mono {
        let page = self.page();
        let host = host_mono();
        let bent = page.map_or(host, |page| add_signed(host, page.gain_at(host)));
        let before = self.inner.highest.fetch_max(bent, Ordering::Relaxed);
        Mono(bent.max(before))
    }

    fn wall(&self) -> WallNanos {
        let page = self.page();
        let wall = host_clock(ClockId::CLOCK_REALTIME);
        page.map_or(wall, |page| {
            wall.saturating_add(page.offset_ns).saturating_add(page.gain_at(host_mono()))
        })
    }

    fn sleep_until(&self, deadline: Mono) -> BoxFuture<'static, ()> {
        let clock = self.clone();
        Box::pin(async move {
            loop {
                let remaining = deadline - clock.now();
                if remaining.is_zero() {
                    return;
                }
                let host = match clock.page() {
                    None => remaining,
                    Some(page) => page.host_duration(remaining).min(SLEEP_SLICE),
                };
                tokio::time::sleep(host).await;
            }
        })
    }
}

fn add_signed(value: u64, delta: i64) -> u64 {
    value.saturating_add_signed(delta)
}

fn host_clock(id: ClockId) -> i64 {
    match clock_gettime(id) {
        Ok(time) => time.tv_sec() * 1_000_000_000 + time.tv_nsec(),
        // These two clocks exist on every system that this compiles for; a node without time cannot
        // keep any promise.
        Err(error) => panic!("the host has no clock: {}", io::Error::from(error)),
    }
}

/// The host's CLOCK_MONOTONIC in nanoseconds.
fn host_mono() -> u64 {
    u64::try_from(host_clock(ClockId::CLOCK_MONOTONIC)).unwrap_or(0)
}
