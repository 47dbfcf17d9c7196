//! The kinds of fault.

use serde::Serialize;

/// The kinds that a test uses when it is not told which.
pub const DEFAULT_FAULTS: [&str; 4] = ["partition", "kill", "pause", "clock"];

/// A kind of fault, for people and for `growler list faults`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FaultDescription {
    /// Its name, as `--faults` takes it.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// The capabilities that a cluster must have for it.
    pub needs: &'static [&'static str],
}

/// All kinds of fault.
#[must_use]
pub fn faults() -> &'static [FaultDescription] {
    &[
        FaultDescription {
            name: "partition",
            about: "cuts links between nodes, and now and then between clients and nodes",
            needs: &["network"],
        },
        FaultDescription {
            name: "kill",
            about: "kills processes, and starts them again",
            needs: &["processes"],
        },
        FaultDescription {
            name: "pause",
            about: "stops processes, and lets them go on",
            needs: &["processes"],
        },
        FaultDescription { name: "clock", about: "makes clocks jump and drift", needs: &["clocks"] },
        FaultDescription { name: "delay", about: "delays every byte on some links", needs: &["network"] },
    ]
}
