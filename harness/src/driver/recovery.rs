//! Recovery as a check: how long after a heal until every partition serves again through every node.
//!
//! Whenever the last fault in force is healed, probes ask for a canary item until they are served: one a node,
//! a partition, and a sort of request that the workload makes (a write, a strong read, an eventual read).
//! Another fault cuts the measurement short, unless it is already over. The measurement
//! after the last heal of the run is cut short only where the run itself is (Ctrl-C, `--fail-fast`): when the
//! deadline passes before every probe has been answered, the system has *not recovered*.
//!
//! The canary items live in a table of their own and are no part of the history.

use std::sync::Arc;
use std::time::Duration;

use growler_nemesis::ActiveFault;
use growler_results::test_file::{PartRecovery, Recovery};
use growler_workloads::dynamodb::ClientFactory;
use growler_workloads::probe::{Canary, Service};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::clock::{RunClock, nanoseconds};
use super::fail_fast::Bell;
use super::interrupt::Interrupt;
use super::overload::Refusals;

/// Pause between two requests of a probe that was not served.
const RETRY: Duration = Duration::from_millis(50);

/// One canary key for each partition that the system told of.
#[derive(Debug, Clone)]
pub(crate) struct Probes {
    pub(crate) canary: Arc<Canary>,
    pub(crate) clients: ClientFactory,
    /// (key, partition)
    pub(crate) keys: Vec<(String, String)>,
    /// What the workload asks for.
    pub(crate) services: &'static [Service],
    pub(crate) nodes: Vec<String>,
    pub(crate) clock: RunClock,
    pub(crate) deadline: Duration,
    /// What the requests of the latest measurement met that were not served.
    pub(crate) refusals: Arc<Mutex<Refusals>>,
}

impl Probes {
    /// Measures a recovery after every heal that leaves no fault in force, until the nemesis is gone and the
    /// last measurement is over.
    pub(crate) async fn monitor(
        self,
        mut faults: watch::Receiver<Vec<ActiveFault>>,
        interrupt: Interrupt,
        bell: Bell,
    ) -> Vec<Recovery> {
        let mut recoveries = Vec::new();
        loop {
            if faults.wait_for(|f| !f.is_empty()).await.is_err() {
                return recoveries;
            }
            if faults.wait_for(Vec::is_empty).await.is_err() && !faults.borrow().is_empty() {
                return recoveries;
            }
            let healed_ns = self.clock.now_ns();
            let mut next = faults.clone();
            let cut_short = async {
                let another = async {
                    if next.wait_for(|f| !f.is_empty()).await.is_err() {
                        // The nemesis is gone: nothing but the user or an alarm cuts this one short.
                        std::future::pending::<()>().await;
                    }
                };
                tokio::select! {
                    biased;
                    () = interrupt.wait() => (),
                    () = bell.rung() => (),
                    () = another => (),
                }
            };
            recoveries.push(self.measure(healed_ns, cut_short).await);
        }
    }

    /// Measures one recovery from `healed_ns` on, until everything has been served, the deadline has passed,
    /// or `cut_short` ends.
    pub(crate) async fn measure(&self, healed_ns: u64, cut_short: impl Future<Output = ()>) -> Recovery {
        let deadline_ns = healed_ns.saturating_add(nanoseconds(self.deadline));
        *self.refusals.lock() = Refusals::default();
        let mut pending = JoinSet::new();
        let mut per = Vec::new();
        for (node, key, service, part) in self.parts() {
            let (slot, probe) = (per.len(), self.clone());
            per.push(part);
            pending.spawn(async move { (slot, probe.until_served(node, &key, service).await) });
        }
        tokio::pin!(cut_short);
        let left = Duration::from_nanos(deadline_ns.saturating_sub(self.clock.now_ns()));
        let deadline = tokio::time::sleep(left);
        tokio::pin!(deadline);
        let mut interrupted = false;
        loop {
            tokio::select! {
                biased;
                done = pending.join_next() => match done {
                    Some(Ok((slot, acked_ns))) => per[slot].acked_ns = Some(acked_ns),
                    Some(Err(_)) => (),
                    None => break,
                },
                () = &mut cut_short => { interrupted = true; break; }
                () = &mut deadline => break,
            }
        }
        let recovered_ns =
            per.iter().map(|a| a.acked_ns).collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().max());
        let cut_short_ns = (interrupted && recovered_ns.is_none()).then(|| self.clock.now_ns());
        Recovery { healed_ns, deadline_ns, recovered_ns, cut_short_ns, per }
    }

    /// Everything that is asked for: the node, the key, the sort of request, and where the answer is noted.
    fn parts(&self) -> Vec<(usize, String, Service, PartRecovery)> {
        let mut parts = Vec::new();
        for (node, name) in self.nodes.iter().enumerate() {
            for (key, partition) in &self.keys {
                for &service in self.services {
                    let asked = service.name().to_owned();
                    let (name, partition) = (name.clone(), partition.clone());
                    let part = PartRecovery { node: name, partition, asked, acked_ns: None };
                    parts.push((node, key.clone(), service, part));
                }
            }
        }
        parts
    }

    async fn until_served(&self, node: usize, key: &str, service: Service) -> u64 {
        loop {
            // A fresh client each time: what an earlier connection met must not stand in the way.
            let Ok(client) = self.clients.client(node) else { return std::future::pending().await };
            match self.canary.ask(&client, node, key, service).await {
                Ok(()) => return self.clock.now_ns(),
                Err(failure) => self.refusals.lock().note(&failure.error),
            }
            tokio::time::sleep(RETRY).await;
        }
    }
}

/// What an endpoint that growler did not break no longer does, as a sentence with what its answers were.
pub(crate) fn unserved(missed: &[Recovery], refusals: &Refusals) -> String {
    let silent =
        |r: &Recovery| r.per.iter().filter(|part| part.acked_ns.is_none()).cloned().collect::<Vec<_>>();
    let mut parts: Vec<_> = missed.iter().flat_map(silent).map(|part| (part.asked, part.node)).collect();
    parts.sort_unstable();
    parts.dedup();
    let all: Vec<_> = parts.chunk_by(|one, other| one.0 == other.0).collect();
    let told = all.iter().map(|same| {
        let nodes: Vec<_> = same.iter().map(|(_, node)| node.as_str()).collect();
        format!("no {} was answered by {}", same[0].0, nodes.join(", "))
    });
    let counts = match refusals.counts() {
        none if none.is_empty() => "none of their requests came to an end".to_owned(),
        counts => format!("their requests ended with {counts}"),
    };
    format!(
        "{}, with no fault of growler's in force: {}; {counts}",
        refusals.headline(),
        told.collect::<Vec<_>>().join("; ")
    )
}
