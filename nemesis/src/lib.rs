//! What growler breaks, when, and the proof that it was broken.
//!
//! ```text
//! plan ──► Nemesis ──► Fault ──► Stage ──► Cluster (Processes, Network, Clocks, Roles)
//!             │           └─► evidence          └─ LocalProcesses, ProxyNetwork, ClockPages
//!             └─► events, faults in force, the plan with what really happened
//! ```
//!
//! A [`Plan`] says which faults are in force when; it comes from a seed ([`Plan::random`]) or from a file. A
//! [`Nemesis`] carries it out on a [`cluster::Cluster`], asks each fault for evidence that it took effect,
//! and heals whatever it broke, also when it is stopped early. Nothing here knows what the system under test
//! is: it is nodes with names, links, processes and clocks.

pub mod clock;
pub mod cluster;
pub mod doctor;
pub mod fault;
pub mod network;
pub mod plan;
pub mod process;
pub mod run;
pub mod stage;

pub use clock::{ClockPages, MAX_DRIFT_PPM, WallClockReport};
pub use fault::{DEFAULT_FAULTS, FaultDescription, faults};
pub use network::{Link, ProxyNetwork};
pub use plan::{Capabilities, Outcome, Plan, PlanError, PlanRequest, PlannedFault};
pub use process::{Exit, LocalProcesses, NodeCommand};
pub use run::{ActiveFault, NOT_REACHED, Nemesis, NemesisReport};
