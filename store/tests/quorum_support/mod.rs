//! Clusters of the quorum style inside one test process, on a network that can be cut.

#![allow(dead_code, reason = "each test file uses a part of this")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../leader_support/net.rs"]
mod net;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use growler_store::api::backend::{Ask, Backend, BackendError, Consistency, Extension};
use growler_store::bugs::Bugs;
use growler_store::engine::EngineError;
use growler_store::item::{
    Action, AttributeValue, Billing, Item, KeyAttribute, KeyType, KeyValue, Mutation, PrimaryKey, TableSchema,
};
use growler_store::quorum::member::{QuorumError, QuorumMember, QuorumPlan};
use growler_store::quorum::options::{Options, Quorum, Resolve};
use growler_store::quorum::store::QuorumStore;
use growler_store::quorum::version::State;
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
    /// Moves the wall clock back.
    pub(crate) fn jump_back(&self, by: Duration) {
        self.offset.fetch_sub(i64::try_from(by.as_nanos()).unwrap(), Ordering::Relaxed);
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

/// The defaults, at a pace for tests, with nothing in the background that a test did not ask for.
pub(crate) fn bare() -> Options {
    let ms = Duration::from_millis;
    Options {
        n: 3,
        r: 1,
        w: 2,
        quorum: Quorum::Sloppy,
        resolve: Resolve::Siblings,
        hints: false,
        read_repair: false,
        anti_entropy: false,
        partitions: 16,
        hint_expiry: Duration::from_secs(600),
        request_timeout: ms(3000),
        anti_entropy_every: ms(100),
        gossip_every: ms(50),
        suspect_for: ms(800),
        tombstones_every: ms(200),
    }
}

/// A cluster of `n1`, `n2`, … on simulated disks and a network in memory.
pub(crate) struct Cluster {
    pub(crate) hub: Arc<Hub>,
    pub(crate) names: Vec<String>,
    options: Options,
    bugs: Bugs,
    disks: BTreeMap<String, SimDisk>,
    clocks: BTreeMap<String, Arc<TestClock>>,
    running: BTreeMap<String, QuorumMember>,
}

impl Cluster {
    /// Starts nodes and creates the table `things`.
    pub(crate) async fn start(nodes: usize, options: Options) -> Self {
        Self::with_bugs(nodes, options, Bugs::NONE).await
    }

    pub(crate) async fn with_bugs(nodes: usize, options: Options, bugs: Bugs) -> Self {
        let names: Vec<String> = (1..=nodes).map(|n| format!("n{n}")).collect();
        let mut cluster = Self {
            hub: Arc::default(),
            options,
            bugs,
            disks: names.iter().map(|name| (name.clone(), SimDisk::new())).collect(),
            clocks: names.iter().map(|name| (name.clone(), Arc::default())).collect(),
            running: BTreeMap::new(),
            names: names.clone(),
        };
        for name in &names {
            cluster.begin(name).await;
        }
        cluster.create_table(things()).await;
        cluster.all_up().await;
        cluster
    }

    /// Creates a table, and waits until all nodes know it: the one that creates it may not reach them all at once.
    pub(crate) async fn create_table(&self, schema: TableSchema) {
        let table = schema.name.clone();
        self.node("n1").create_table(schema).await.unwrap();
        for name in &self.names {
            eventually("every node to know the table", async || {
                self.node(name).describe_table(&table).await.ok()
            })
            .await;
        }
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
            let plan = QuorumPlan {
                name: name.to_owned(),
                members: self.names.clone(),
                peer_listen: String::from("127.0.0.1:0"),
                options: self.options,
                bugs: self.bugs,
            };
            match QuorumMember::start(plan, world).await {
                Ok(member) => {
                    self.running.insert(name.to_owned(), member);
                    return;
                }
                // The tasks of its former life may hold the folder a moment longer.
                Err(QuorumError::Data(EngineError::InUse)) if Instant::now() < deadline => {
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

    pub(crate) fn node(&self, name: &str) -> &QuorumStore {
        self.running[name].store()
    }

    pub(crate) fn clock(&self, name: &str) -> &TestClock {
        &self.clocks[name]
    }

    /// Cuts the nodes of two groups off from each other.
    pub(crate) fn part(&self, one: &[String], other: &[String]) {
        for left in one {
            for right in other {
                self.hub.cut(left, right);
                self.hub.cut(right, left);
            }
        }
    }

    /// Cuts nodes off from all others.
    pub(crate) fn isolate(&self, nodes: &[String]) {
        let rest: Vec<String> = self.names.iter().filter(|name| !nodes.contains(name)).cloned().collect();
        self.part(nodes, &rest);
    }

    /// Waits until `observer` believes a node to be up or down.
    pub(crate) async fn believes(&self, observer: &str, node: &str, is_up: bool) {
        let what = format!("{observer} to believe that {node} is up: {is_up}");
        eventually(&what, async || (self.node(observer).membership().is_up(node) == is_up).then_some(()))
            .await;
    }

    pub(crate) async fn all_up(&self) {
        for observer in self.running.keys() {
            for node in self.running.keys() {
                self.believes(observer, node, true).await;
            }
        }
    }

    pub(crate) fn owners(&self, key: &str) -> Vec<String> {
        let some = self.running.keys().next().unwrap();
        self.node(some).owners_of(&primary(key)).to_vec()
    }

    /// A key whose owners are these, in any order.
    pub(crate) fn key_owned_by(&self, mut owners: Vec<String>) -> String {
        owners.sort();
        let found = (0..10_000).map(|n| format!("key{n}")).find(|key| {
            let mut found = self.owners(key);
            found.sort();
            found == owners
        });
        found.unwrap_or_else(|| panic!("no key belongs to {owners:?}"))
    }

    /// What a node's row has of a key.
    pub(crate) fn row(&self, node: &str, key: &str) -> State {
        let key = primary(key).storage_key();
        self.node(node)
            .rows("things")
            .into_iter()
            .find(|(at, _)| *at == key)
            .map(|(_, state)| state)
            .unwrap_or_default()
    }

    /// Waits until all owners have one state of a key, and returns it.
    pub(crate) async fn agreed(&self, key: &str) -> State {
        let owners = self.owners(key);
        eventually(&format!("the owners of {key} to agree"), async || {
            let rows: Vec<State> = owners.iter().map(|node| self.row(node, key)).collect();
            rows.iter().all(|row| *row == rows[0]).then(|| rows[0].clone())
        })
        .await
    }
}

pub(crate) fn things() -> TableSchema {
    TableSchema {
        name: String::from("things"),
        hash: KeyAttribute { name: String::from("k"), kind: KeyType::S },
        range: None,
        billing: Billing::PayPerRequest,
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

pub(crate) fn value_of(item: Option<&Item>) -> Option<u64> {
    match item?.get("v") {
        Some(AttributeValue::S(text)) => text.parse().ok(),
        _ => None,
    }
}

pub(crate) async fn put_with(
    node: &QuorumStore,
    key: &str,
    value: u64,
    ask: &Ask,
) -> Result<Extension, BackendError> {
    write(node, key, Action::Put(item(key, value)), ask).await
}

pub(crate) async fn put(node: &QuorumStore, key: &str, value: u64) -> Result<Extension, BackendError> {
    put_with(node, key, value, &Ask::default()).await
}

pub(crate) async fn delete(node: &QuorumStore, key: &str) -> Result<Extension, BackendError> {
    write(node, key, Action::Delete, &Ask::default()).await
}

pub(crate) async fn write(
    node: &QuorumStore,
    key: &str,
    action: Action,
    ask: &Ask,
) -> Result<Extension, BackendError> {
    let mutation = Mutation { table: String::from("things"), key: primary(key), action, condition: None };
    let written = node.write(mutation, ask).await?;
    written.reply.unwrap();
    Ok(*written.extension.unwrap())
}

pub(crate) async fn get_with(
    node: &QuorumStore,
    key: &str,
    consistency: Consistency,
    ask: &Ask,
) -> Result<(Option<u64>, Extension), BackendError> {
    let got = node.get("things", &primary(key), consistency, ask).await?;
    Ok((value_of(got.item.as_ref()), *got.extension.unwrap()))
}

/// A strong read's value.
pub(crate) async fn get(node: &QuorumStore, key: &str) -> Result<Option<u64>, BackendError> {
    get_with(node, key, Consistency::Strong, &Ask::default()).await.map(|(value, _)| value)
}
