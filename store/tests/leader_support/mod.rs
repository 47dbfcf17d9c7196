//! Clusters of the leader style inside one test process, on a network that can be cut.

#![allow(dead_code, reason = "each test file uses a part of this")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

pub(crate) mod net;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use growler_store::api::backend::{Ask, Backend, BackendError, Consistency};
use growler_store::bugs::Bugs;
use growler_store::item::{
    Action, AttributeValue, Billing, Item, KeyAttribute, KeyType, KeyValue, Mutation, MutationReply,
    PrimaryKey, TableSchema,
};
use growler_store::leader::group::{GroupStatus, ReplicaGroup, Role};
use growler_store::leader::store::LeaderStore;
use growler_store::node::{Member, MemberPlan, NodeError, Settings};
use growler_store::world::{Clock, Crash, HostClock, Mono, Rng, SimDisk, TokioSpawn, WallNanos, World};

use net::Hub;

/// How long a test waits for anything: far longer than it should take on any machine.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// The host's clock with a wall clock that the test moves.
#[derive(Debug, Default)]
pub(crate) struct TestClock {
    host: HostClock,
    offset: AtomicI64,
}

impl TestClock {
    /// Moves the wall clock.
    pub(crate) fn jump(&self, by: Duration, back: bool) {
        let by = i64::try_from(by.as_nanos()).unwrap();
        self.offset.fetch_add(if back { -by } else { by }, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Mono {
        self.host.now()
    }

    fn wall(&self) -> WallNanos {
        self.host.wall() + self.offset.load(Ordering::Relaxed)
    }

    fn sleep_until(&self, deadline: Mono) -> BoxFuture<'static, ()> {
        self.host.sleep_until(deadline)
    }
}

/// A cluster of `n1`, `n2`, … on simulated disks and a network in memory.
pub(crate) struct Cluster {
    pub(crate) hub: Arc<Hub>,
    pub(crate) names: Vec<String>,
    settings: BTreeMap<String, String>,
    bugs: Bugs,
    disks: BTreeMap<String, SimDisk>,
    clocks: BTreeMap<String, Arc<TestClock>>,
    running: BTreeMap<String, Member>,
}

impl Cluster {
    /// Starts three nodes and creates the table `things`.
    pub(crate) async fn start(settings: &[(&str, &str)]) -> Self {
        Self::with_bugs(settings, Bugs::NONE).await
    }

    pub(crate) async fn with_bugs(settings: &[(&str, &str)], bugs: Bugs) -> Self {
        let names: Vec<String> = (1..=3).map(|n| format!("n{n}")).collect();
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let mut cluster = Self {
            hub: Arc::default(),
            settings: settings.iter().map(own).collect(),
            bugs,
            disks: names.iter().map(|name| (name.clone(), SimDisk::new())).collect(),
            clocks: names.iter().map(|name| (name.clone(), Arc::default())).collect(),
            running: BTreeMap::new(),
            names: names.clone(),
        };
        for name in &names {
            cluster.begin(name).await;
        }
        let schema = TableSchema {
            name: String::from("things"),
            hash: KeyAttribute { name: String::from("k"), kind: KeyType::S },
            range: None,
            billing: Billing::PayPerRequest,
        };
        eventually("the table to be created", async || {
            match cluster.node("n1").create_table(schema.clone()).await {
                Ok(_) | Err(BackendError::TableInUse(_)) => Some(()),
                Err(_) => None,
            }
        })
        .await;
        cluster
    }

    /// Starts a node on its data.
    pub(crate) async fn begin(&mut self, name: &str) {
        let deadline = Instant::now() + LONG;
        loop {
            let world = World {
                clock: self.clocks[name].clone(),
                disk: Arc::new(self.disks[name].clone()),
                net: self.hub.net(name),
                rng: Rng::new(7, name),
                spawn: Arc::new(TokioSpawn::new(tokio::runtime::Handle::current())),
            };
            let plan = MemberPlan {
                name: name.to_owned(),
                members: self.names.clone(),
                peer_listen: String::from("127.0.0.1:0"),
                settings: Settings::parse(&self.settings).unwrap(),
                bugs: self.bugs,
            };
            match Member::start(plan, world).await {
                Ok(member) => {
                    self.running.insert(name.to_owned(), member);
                    return;
                }
                // The tasks of its former life may hold the folder a moment longer.
                Err(NodeError::Data(growler_store::engine::EngineError::InUse))
                    if Instant::now() < deadline =>
                {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Err(error) => panic!("{name} does not start: {error}"),
            }
        }
    }

    /// Stops a node; its data stays.
    pub(crate) async fn end(&mut self, name: &str) {
        self.running.remove(name).unwrap().stop().await;
    }

    /// Takes the power from a node: what it did not sync is gone.
    pub(crate) fn kill(&mut self, name: &str) {
        let found = self.disks[name].restart(Crash::Clean);
        self.disks.insert(name.to_owned(), found);
        drop(self.running.remove(name).unwrap());
    }

    pub(crate) fn node(&self, name: &str) -> &LeaderStore {
        self.running[name].store()
    }

    pub(crate) fn clock(&self, name: &str) -> &TestClock {
        &self.clocks[name]
    }

    /// Cuts a node off from all others, in both directions.
    pub(crate) fn isolate(&self, name: &str) {
        for other in self.names.iter().filter(|other| *other != name) {
            self.hub.cut(name, other);
            self.hub.cut(other, name);
        }
    }

    pub(crate) fn group(&self, node: &str, group: u32) -> GroupStatus {
        self.node(node).groups()[group as usize].status()
    }

    /// The node that leads a group, once a majority of the running ones says so.
    pub(crate) async fn leader(&self, group: u32) -> String {
        eventually("a leader", async || {
            let name = self.running.keys().find(|name| self.group(name, group).role == Role::Leader)?;
            let id = self.names.iter().position(|other| other == name)? as u64 + 1;
            let known = self.running.keys().filter(|name| self.group(name, group).leader == Some(id)).count();
            (known >= 2).then(|| name.clone())
        })
        .await
    }

    /// A key that lies in the partition of a group.
    pub(crate) async fn key_in(&self, group: u32) -> String {
        let partition = format!("p{}", group - 1);
        for n in 0.. {
            let key = format!("key{n}");
            if self.get_via("n1", &key).await.is_ok_and(|(_, at)| at == partition) {
                return key;
            }
        }
        unreachable!("every partition has keys")
    }

    pub(crate) async fn get_via(&self, node: &str, key: &str) -> Result<(Option<u64>, String), BackendError> {
        get(self.node(node), key, Consistency::Strong).await
    }
}

/// Tries until there is an answer.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut attempt: impl FnMut() -> F,
) -> T {
    let deadline = Instant::now() + LONG;
    loop {
        if let Some(value) = attempt().await {
            return value;
        }
        assert!(Instant::now() < deadline, "waited too long for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) fn primary(key: &str) -> PrimaryKey {
    PrimaryKey { hash: KeyValue::S(key.to_owned()), range: None }
}

pub(crate) fn item(key: &str, value: u64) -> Item {
    Item::from([
        (String::from("k"), AttributeValue::S(key.to_owned())),
        (String::from("v"), AttributeValue::S(value.to_string())),
    ])
}

fn value_of(item: Option<Item>) -> Option<u64> {
    match item?.get("v") {
        Some(AttributeValue::S(text)) => text.parse().ok(),
        _ => None,
    }
}

pub(crate) async fn put(node: &LeaderStore, key: &str, value: u64) -> Result<Option<u64>, BackendError> {
    write(node, key, Action::Put(item(key, value))).await
}

pub(crate) async fn delete(node: &LeaderStore, key: &str) -> Result<Option<u64>, BackendError> {
    write(node, key, Action::Delete).await
}

async fn write(node: &LeaderStore, key: &str, action: Action) -> Result<Option<u64>, BackendError> {
    let mutation = Mutation { table: String::from("things"), key: primary(key), action, condition: None };
    let written = node.write(mutation, &Ask::default()).await?;
    let MutationReply { old, .. } = written.reply.unwrap();
    Ok(value_of(old))
}

pub(crate) async fn get(
    node: &LeaderStore,
    key: &str,
    consistency: Consistency,
) -> Result<(Option<u64>, String), BackendError> {
    let got = node.get("things", &primary(key), consistency, &Ask::default()).await?;
    Ok((value_of(got.item), got.partition))
}
