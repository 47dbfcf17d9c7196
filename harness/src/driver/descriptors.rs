//! How many file descriptors a run may open, counted before anything is started.
//!
//! A process that runs out of them does not fail at once and for one reason: connections wait that nobody accepts,
//! logs and `/proc` cannot be opened, and all of it looks like a system under test that went away. So growler takes
//! what the system allows at its start ([`raise`]; the nodes inherit it), and a run that may need more is refused
//! with the numbers ([`check`]).
//!
//! What is counted is the most that may be open at a time, with every client connected to every node and every
//! probe under way; a run usually stays below. `harness/tests/shortages.rs` compares it with what is open at the
//! peak.

use std::time::Duration;

use anyhow::anyhow;
use growler_nemesis::Plan;
use growler_store::node::settings;
use growler_workloads::probe::KEYS_TRIED;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::prepare::{Prepared, node_names};

/// Standard streams, the runtime's own, signals, the history, the scratch folder's lock, a file being written.
const OF_A_PROCESS: u64 = 32;
/// A node's log, tables, locks and clock page, and segments of the log that are being replaced.
const FILES_OF_A_NODE: u64 = 24;
/// The kinds of request that a probe makes, at most ([`growler_workloads::probe::Service`]).
const SERVICES: u64 = 3;
/// A node keeps two connections to each of the others, and dials a new one before the old one has ended.
const PER_PEER: u64 = 4;
/// A reserved port and a listener.
const PER_LINK: u64 = 2;
/// A proxied connection comes from somewhere and goes somewhere.
const PER_PROXIED: u64 = 2;

/// Takes all that this process may have.
pub(crate) fn raise() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
        && let Err(e) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
    {
        tracing::warn!("the limit of open files stays at {soft}, although {hard} are allowed: {e}");
    }
}

/// Refuses a run that may need more than a process may have.
pub(crate) fn check(prepared: &Prepared, plan: &Plan) -> anyhow::Result<()> {
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let load = Load::of(prepared, plan);
    if load.most() <= limit {
        return Ok(());
    }
    let fewer = (1..load.clients).rev().find(|&clients| Load { clients, ..load }.most() <= limit);
    let or = fewer.map(|clients| format!(", or run it with --concurrency {clients}")).unwrap_or_default();
    let parts: Vec<_> = load.harness().iter().map(|(what, count)| format!("{count} for {what}")).collect();
    let nodes = match load.bundled {
        true => format!(", and a node of the store up to {}", load.node()),
        false => String::new(),
    };
    Err(anyhow!(
        "a process may open {limit} files here, and this run may need more: growler itself up to {} ({}){nodes}. \
         Raise the limit (`ulimit -n {}`){or}",
        total(&load.harness()),
        parts.join(", "),
        load.most(),
    ))
}

/// What the numbers follow from.
#[derive(Debug, Clone, Copy)]
struct Load {
    clients: u64,
    nodes: u64,
    bundled: bool,
    proxied: bool,
    /// Keys that a probe asks for.
    probed: u64,
    /// So often a client may give up and connect anew while a node holds what it was sent.
    given_up: u64,
}

impl Load {
    fn of(prepared: &Prepared, plan: &Plan) -> Self {
        let options = &prepared.options;
        let bundled = options.endpoint.is_empty();
        let partitions = prepared.settings.get("partitions").cloned().or_else(|| {
            let mut known = settings().into_iter().filter(|s| s.stores.contains(&options.store.name()));
            known.find(|s| s.name == "partitions").map(|s| s.default.to_owned())
        });
        // Of endpoints it is not known; few tell of partitions.
        let partitions = partitions.filter(|_| bundled).and_then(|n| n.parse().ok()).unwrap_or(1);
        Self {
            clients: options.concurrency as u64,
            nodes: node_names(options).len() as u64,
            bundled,
            proxied: bundled || !prepared.faults.is_empty(),
            probed: partitions.min(KEYS_TRIED as u64),
            given_up: longest_hold(plan).as_millis().div_ceil(options.timeout.as_millis().max(1)) as u64,
        }
    }

    /// The most that one process may need.
    fn most(self) -> u64 {
        total(&self.harness()).max(if self.bundled { self.node() } else { 0 })
    }

    /// What growler itself may have open, and what for.
    fn harness(self) -> Vec<(String, u64)> {
        let Self { clients, nodes, probed, .. } = self;
        let sides = 1 + if self.proxied { PER_PROXIED } else { 0 };
        let links = if self.bundled { nodes * nodes } else { nodes };
        let mut parts = vec![
            (format!("{clients} clients of {nodes} nodes"), clients * nodes * sides),
            ("probes".to_owned(), nodes * probed * SERVICES * sides),
        ];
        if self.proxied {
            let between = if self.bundled { nodes * (nodes - 1) * PER_PEER * PER_PROXIED } else { 0 };
            let held = clients * self.given_up * PER_PROXIED;
            parts.push(("the links".to_owned(), links * PER_LINK + between + held));
        }
        parts.push(("itself".to_owned(), OF_A_PROCESS + nodes));
        parts
    }

    /// What a node of the bundled store may have open.
    fn node(self) -> u64 {
        let Self { clients, nodes, probed, given_up, .. } = self;
        let peers = (nodes - 1) * PER_PEER * 2;
        OF_A_PROCESS + FILES_OF_A_NODE + clients * (1 + given_up) + probed * SERVICES + peers
    }
}

fn total(parts: &[(String, u64)]) -> u64 {
    parts.iter().map(|(_, count)| count).sum()
}

/// The longest time for which a fault keeps endings of connections from those who should hear of them.
fn longest_hold(plan: &Plan) -> Duration {
    let holds =
        plan.faults.iter().filter(|fault| matches!(fault.fault.as_str(), "partition" | "pause" | "delay"));
    Duration::from_nanos(holds.map(|f| f.planned[1].saturating_sub(f.planned[0])).max().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOAD: Load = Load { clients: 24, nodes: 3, bundled: true, proxied: true, probed: 3, given_up: 2 };

    #[test]
    fn each_client_costs_a_socket_of_its_own_and_two_of_a_proxy_at_each_node() {
        let more = Load { clients: 25, ..LOAD };
        assert_eq!(total(&more.harness()) - total(&LOAD.harness()), 3 * 3 + 2 * 2);
        assert_eq!(more.node() - LOAD.node(), 1 + 2);
        let bare = Load { bundled: false, proxied: false, given_up: 0, ..LOAD };
        let more = Load { clients: 25, ..bare };
        assert_eq!(total(&more.harness()) - total(&bare.harness()), 3);
    }

    #[test]
    fn a_node_of_endpoints_is_nobody_of_ours() {
        let foreign = Load { bundled: false, nodes: 1, ..LOAD };
        assert_eq!(foreign.most(), total(&foreign.harness()));
        assert!(foreign.most() < LOAD.most());
    }
}
