//! Node clocks.
//!
//! The nemesis never touches the host's clock. A node that takes part reads a *clock page*, a small file
//! that says how its clock differs from the host's ([`page`]); the format is the seam, there is no code in
//! common. Whether a node really follows its page is for the node to say: [`ClockPages`] asks it for its
//! wall-clock time.

pub mod page;

pub use page::ClockPages;

/// The strongest drift that a nemesis makes, in parts per million either way: a clock gains or loses up to
/// 50 ms in a second.
///
/// A store whose leases are to hold under a nemesis must reckon with two clocks of which one is this much
/// too fast and the other this much too slow.
pub const MAX_DRIFT_PPM: i64 = 50_000;

/// Asks a node, by its name, for its wall-clock time in nanoseconds since 1970, or why it does not answer.
pub type WallClockReport = std::sync::Arc<
    dyn Fn(crate::cluster::NodeName) -> futures_util::future::BoxFuture<'static, Result<i64, String>>
        + Send
        + Sync,
>;
