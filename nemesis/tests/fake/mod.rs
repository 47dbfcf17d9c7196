//! A cluster that is only an account of what was done to it, with traffic on every link.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use async_trait::async_trait;
use growler_nemesis::cluster::{
    ClockSetting, Clocks, Cluster, ClusterError, Grudge, Network, NodeName, ProcessState, Processes, Roles,
};
use parking_lot::Mutex;

/// Which things do not work.
#[derive(Debug, Default)]
pub(crate) struct Broken {
    /// Nobody sends anything.
    pub(crate) quiet: AtomicBool,
    /// Nodes cannot be started again.
    pub(crate) no_start: AtomicBool,
    /// Links cannot be healed.
    pub(crate) no_heal: AtomicBool,
    /// Nodes ignore their clock page.
    pub(crate) deaf_clocks: AtomicBool,
    /// The cluster has no processes to control.
    pub(crate) no_processes: AtomicBool,
}

#[derive(Debug, Default)]
pub(crate) struct Fake {
    pub(crate) broken: Broken,
    pub(crate) log: Mutex<Vec<String>>,
    pub(crate) states: Mutex<BTreeMap<NodeName, ProcessState>>,
    pub(crate) grudge: Mutex<Grudge>,
    pub(crate) delayed: Mutex<Grudge>,
    pub(crate) settings: Mutex<BTreeMap<NodeName, ClockSetting>>,
    pub(crate) leader: Mutex<Option<NodeName>>,
    bytes: AtomicU64,
    pids: AtomicU64,
}

impl Fake {
    pub(crate) fn new() -> Arc<Self> {
        let fake = Self::default();
        *fake.states.lock() = ["n1", "n2", "n3"].map(|node| (node.to_owned(), ProcessState::Running)).into();
        *fake.leader.lock() = Some("n2".to_owned());
        Arc::new(fake)
    }

    pub(crate) fn breaks(&self, what: impl Fn(&Broken) -> &AtomicBool) {
        what(&self.broken).store(true, Ordering::Relaxed);
    }

    fn is(&self, what: impl Fn(&Broken) -> &AtomicBool) -> bool {
        what(&self.broken).load(Ordering::Relaxed)
    }

    fn note(&self, line: String) {
        self.log.lock().push(line);
    }

    fn become_(&self, node: &str, action: &str, state: ProcessState) {
        self.note(format!("{action} {node}"));
        self.states.lock().insert(node.to_owned(), state);
    }

    /// Nothing is broken any more.
    pub(crate) fn is_healed(&self) -> bool {
        self.states.lock().values().all(|state| *state == ProcessState::Running)
            && self.grudge.lock().is_empty()
            && self.delayed.lock().is_empty()
            && self.settings.lock().values().all(|setting| *setting == ClockSetting::default())
    }

    /// What was done, one after the other.
    pub(crate) fn done(&self) -> Vec<String> {
        self.log.lock().clone()
    }
}

impl Cluster for Fake {
    fn nodes(&self) -> Vec<NodeName> {
        ["n1", "n2", "n3"].map(str::to_owned).into()
    }

    fn processes(&self) -> Option<&dyn Processes> {
        (!self.is(|b| &b.no_processes)).then_some(self as _)
    }

    fn network(&self) -> Option<&dyn Network> {
        Some(self)
    }

    fn clocks(&self) -> Option<&dyn Clocks> {
        Some(self)
    }

    fn roles(&self) -> Option<&dyn Roles> {
        Some(self)
    }
}

#[async_trait]
impl Processes for Fake {
    async fn kill(&self, node: &str) -> Result<(), ClusterError> {
        self.become_(node, "kill", ProcessState::Dead);
        Ok(())
    }

    async fn start(&self, node: &str) -> Result<(), ClusterError> {
        if self.is(|b| &b.no_start) {
            let reason = "its data folder is unreadable".to_owned();
            return Err(ClusterError { action: "start", node: node.to_owned(), reason });
        }
        self.pids.fetch_add(1, Ordering::Relaxed);
        self.become_(node, "start", ProcessState::Running);
        Ok(())
    }

    async fn pause(&self, node: &str) -> Result<(), ClusterError> {
        self.become_(node, "pause", ProcessState::Stopped);
        Ok(())
    }

    async fn resume(&self, node: &str) -> Result<(), ClusterError> {
        self.become_(node, "resume", ProcessState::Running);
        Ok(())
    }

    fn state(&self, node: &str) -> ProcessState {
        self.states.lock()[node]
    }

    fn pid(&self, node: &str) -> Option<u32> {
        let pid = 100 + u32::try_from(self.pids.load(Ordering::Relaxed)).ok()?;
        (self.state(node) != ProcessState::Dead).then_some(pid)
    }
}

#[async_trait]
impl Network for Fake {
    async fn set_grudge(&self, grudge: &Grudge) -> Result<(), ClusterError> {
        if grudge.is_empty() && self.is(|b| &b.no_heal) {
            let reason = "the switch does not answer".to_owned();
            return Err(ClusterError { action: "cut", node: "n1".to_owned(), reason });
        }
        self.note(format!("grudge {}", serde_json::to_string(grudge).expect("JSON")));
        *self.grudge.lock() = grudge.clone();
        Ok(())
    }

    async fn set_delay(&self, on: &Grudge, delay_ms: u64) -> Result<(), ClusterError> {
        self.note(format!("delay {} {delay_ms}", serde_json::to_string(on).expect("JSON")));
        *self.delayed.lock() = on.clone();
        Ok(())
    }

    /// Every time that someone looks, ten more bytes were sent on every cut or slow link.
    fn counters(&self) -> BTreeMap<String, BTreeMap<String, u64>> {
        let sent = if self.is(|b| &b.quiet) { 0 } else { self.bytes.fetch_add(10, Ordering::Relaxed) };
        let mut counters: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
        let (cut, slow) = (self.grudge.lock(), self.delayed.lock());
        for (grudge, name) in [(&*cut, "bytes_dropped"), (&*slow, "bytes_delayed")] {
            for (to, froms) in grudge {
                for from in froms {
                    let direction = counters.entry(format!("{from}->{to}")).or_default();
                    direction.insert(name.to_owned(), sent);
                }
            }
        }
        counters
    }
}

#[async_trait]
impl Clocks for Fake {
    async fn set(&self, node: &str, setting: ClockSetting) -> Result<(), ClusterError> {
        self.note(format!("clock {node} {} {}", setting.offset_ns, setting.drift_ppm));
        self.settings.lock().insert(node.to_owned(), setting);
        Ok(())
    }

    async fn reported_offset_ns(&self, node: &str) -> Result<i64, ClusterError> {
        let deaf = self.is(|b| &b.deaf_clocks);
        Ok(if deaf { 0 } else { self.settings.lock().get(node).map_or(0, |s| s.offset_ns) })
    }
}

#[async_trait]
impl Roles for Fake {
    async fn leaders(&self) -> BTreeMap<String, Option<NodeName>> {
        BTreeMap::from([("p0".to_owned(), self.leader.lock().clone()), ("p1".to_owned(), None)])
    }
}

/// A run's clock that begins now.
pub(crate) fn clock() -> Arc<dyn Fn() -> u64 + Send + Sync> {
    let began = Instant::now();
    Arc::new(move || u64::try_from(began.elapsed().as_nanos()).expect("not that long"))
}
