//! The system under test: a bundled cluster that growler starts itself, or endpoints that it is given.
//!
//! Either way the driver sees a [`System`]: node names, the addresses at which the clients reach them
//! (through proxies where faults need them), the nemesis's view of it, and how to take it down. Whatever was
//! started here is stopped on every path, also when this process is killed: see
//! [`growler_nemesis::process`].

mod bundled;
mod endpoints;
mod ports;
mod scratch;
mod shortage;
mod status;

pub(crate) use bundled::{Bundled, BundledOptions};
pub(crate) use endpoints::{Endpoints, EndpointsOptions, is_loopback};
pub(crate) use scratch::{Scratch, remove_abandoned_scratch};
pub(crate) use shortage::told_of_start;

use std::sync::Arc;

use growler_nemesis::cluster::Cluster;
use growler_results::test_file::SystemUnderTest;
use growler_results::verdict::Crash;
use growler_workloads::dynamodb::Endpoint;

use crate::driver::RunClock;

/// A system under test that is up.
pub(crate) enum System {
    /// Started by growler.
    Bundled(Bundled),
    /// Given by the user.
    Endpoints(Endpoints),
}

impl System {
    /// Names of the nodes, in order.
    pub(crate) fn nodes(&self) -> Vec<String> {
        self.endpoints().into_iter().map(|e| e.name).collect()
    }

    /// How the clients reach the nodes.
    pub(crate) fn endpoints(&self) -> Vec<Endpoint> {
        match self {
            Self::Bundled(b) => b.endpoints(),
            Self::Endpoints(e) => e.endpoints(),
        }
    }

    /// What the nemesis may do to it.
    pub(crate) fn cluster(&self) -> Arc<dyn Cluster> {
        match self {
            Self::Bundled(b) => b.cluster(),
            Self::Endpoints(e) => e.cluster(),
        }
    }

    /// Nodes that died unasked so far.
    pub(crate) fn crashes(&self, clock: &RunClock) -> Vec<Crash> {
        let Self::Bundled(bundled) = self else { return Vec::new() };
        let crash = |exit: growler_nemesis::Exit| Crash {
            at_ns: clock.at_ns(exit.time),
            reason: format!("it ended with {}; its log is nodes/{}/node.log", exit.status, exit.node),
            node: exit.node,
        };
        bundled.crashes().into_iter().map(crash).collect()
    }

    /// What the machine is short of right now, as a sentence: nothing that is seen from then on is the system's doing.
    pub(crate) fn shortage(&self) -> Option<String> {
        shortage::of_descriptors().or_else(|| match self {
            Self::Bundled(b) => shortage::of_room(b.data()),
            Self::Endpoints(_) => None,
        })
    }

    /// What the machine was short of, also as the nodes' logs tell.
    pub(crate) fn shortage_told(&self) -> Option<String> {
        let told = |b: &Bundled| b.logs().into_iter().find_map(|(node, log)| shortage::told_in(&log, &node));
        self.shortage().or_else(|| match self {
            Self::Bundled(b) => told(b),
            Self::Endpoints(_) => None,
        })
    }

    /// True for endpoints that growler neither started nor may break.
    pub(crate) fn is_foreign(&self) -> bool {
        matches!(self, Self::Endpoints(_))
    }

    /// Endpoints that refuse a direct connection, past every proxy. The bundled nodes are watched otherwise.
    pub(crate) async fn gone(&self) -> Vec<String> {
        match self {
            Self::Bundled(_) => Vec::new(),
            Self::Endpoints(e) => e.gone().await,
        }
    }

    /// What `test.json` says of it.
    pub(crate) fn describe(&self) -> SystemUnderTest {
        match self {
            Self::Bundled(b) => b.describe(),
            Self::Endpoints(e) => e.describe(),
        }
    }

    /// Stops what growler started.
    pub(crate) async fn shut_down(self) {
        if let Self::Bundled(b) = self {
            b.shut_down().await;
        }
    }
}
