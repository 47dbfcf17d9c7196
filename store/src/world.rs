//! The world as a node sees it: clock, disk, network, randomness and tasks, all as parameters.
//!
//! The store's core never asks the host for the time, opens a file, dials a socket, draws a random
//! number or starts a task by itself. It asks the [`World`] that it was given. A process on a real
//! machine gets the host's parts ([`HostClock`], [`HostDisk`] or [`VolatileDisk`], [`TokioNet`],
//! [`TokioSpawn`]); a test gets parts that it can turn by hand ([`ManualClock`], [`SimDisk`],
//! [`InlineSpawn`]), and a whole cluster can run inside one deterministic simulation.
//!
//! What a part must never do: keep global state, or reach around another part (a disk that asks the
//! host for the time, a clock that draws randomness).

mod clock;
mod clock_page;
mod disk;
mod extents;
mod host_disk;
mod manual_clock;
mod net;
mod platter;
mod rng;
mod sim_disk;
mod spawn;
mod volatile_disk;

use std::sync::Arc;

pub use clock::{Clock, HostClock, Mono, WallNanos};
pub use clock_page::{ClockPage, ClockPageError};
pub use disk::{Disk, DiskFile, DiskLock, OpenMode};
pub use host_disk::HostDisk;
pub use manual_clock::ManualClock;
pub use net::{BoxStream, Listener, Net, Stream, TokioNet};
pub use rng::Rng;
pub use sim_disk::{Crash, SimDisk};
pub use spawn::{InlineSpawn, Job, Spawn, Task, TokioSpawn};
pub use volatile_disk::VolatileDisk;

/// Everything outside the store that one node may use. Cloning shares the same parts.
#[derive(Clone, Debug)]
pub struct World {
    /// Monotonic and wall-clock time, and sleeping.
    pub clock: Arc<dyn Clock>,
    /// The node's data folder.
    pub disk: Arc<dyn Disk>,
    /// Connections to peers, and listening for them.
    pub net: Arc<dyn Net>,
    /// The node's seeded randomness, by named stream.
    pub rng: Rng,
    /// Tasks and blocking jobs.
    pub spawn: Arc<dyn Spawn>,
}
