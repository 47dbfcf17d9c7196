//! The planted bugs of the quorum style show, and a healthy store does none of it.
//!
//! Every experiment is run twice: with the bug and without.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod quorum_support;

use std::time::{Duration, Instant};

use growler_store::api::backend::{Ask, Backend, BackendError};
use growler_store::bugs::{Bug, Bugs};
use growler_store::quorum::merkle::{LEAVES, leaf_of};
use growler_store::quorum::options::{Options, Quorum, Resolve};
use growler_store::quorum::version::{Actor, Context, Rules, State, Write};
use quorum_support::{Cluster, LONG, bare, delete, eventually, get, item, primary, put, put_with, value_of};

fn names(some: &[&str]) -> Vec<String> {
    some.iter().map(|name| (*name).to_owned()).collect()
}

fn of(w: u32) -> Ask {
    Ask { w: Some(w), ..Ask::default() }
}

fn rules(resolve: Resolve, bugs: Bugs) -> Rules {
    Rules { resolve, bugs }
}

/// Writes a number at a node that has `state`, which supersedes all of it, or what `context` covers.
fn mint(rules: Rules, state: &mut State, node: &str, context: Option<&Context>, number: u64, wall_ns: i64) {
    let actor = Actor { node: node.to_owned(), epoch: 1 };
    let value = Some(item("k", number));
    rules.put(state, Write { actor: &actor, context, value, wall_ns });
}

/// The numbers of a state's versions.
fn numbers(state: &State) -> Vec<u64> {
    let mut numbers: Vec<u64> =
        state.versions.iter().filter_map(|version| value_of(version.value.as_ref())).collect();
    numbers.sort_unstable();
    numbers
}

/// Two writes that saw nothing, through one coordinator.
fn two_with_one_context(bugs: Bugs) -> Vec<u64> {
    let rules = rules(Resolve::Siblings, bugs);
    let mut state = State::default();
    for number in [1, 2] {
        mint(rules, &mut state, "n1", Some(&Context::default()), number, 5);
    }
    numbers(&state)
}

#[test]
fn plain_version_vectors_lose_one_of_two_writes_with_one_context() {
    assert_eq!(two_with_one_context(Bugs::NONE), [1, 2]);
    assert_eq!(two_with_one_context(Bugs::with(Bug::PlainVersionVectors)), [2]);
}

/// Three writes, each through another owner and over all before it; then somebody comes who only knows the
/// first.
fn the_first_of_three_returns(bugs: Bugs) -> Vec<u64> {
    let rules = rules(Resolve::Siblings, bugs);
    let mut state = State::default();
    mint(rules, &mut state, "n1", None, 1, 5);
    let behind = state.clone();
    mint(rules, &mut state, "n2", None, 2, 6);
    mint(rules, &mut state, "n3", None, 3, 7);
    numbers(&rules.sync(&state, &behind))
}

#[test]
fn a_vector_that_is_pruned_early_takes_the_past_for_news() {
    assert_eq!(the_first_of_three_returns(Bugs::NONE), [3]);
    assert_eq!(the_first_of_three_returns(Bugs::with(Bug::VectorPrunedEarly)), [1, 3]);
}

/// Two writes at two replicas that meet: the first one at the node with the greater name.
fn two_that_meet(resolve: Resolve, bugs: Bugs) -> Vec<u64> {
    let rules = rules(resolve, bugs);
    let (mut one, mut other) = (State::default(), State::default());
    mint(rules, &mut one, "n2", None, 1, 5);
    mint(rules, &mut other, "n1", None, 2, 6);
    assert_eq!(rules.sync(&one, &other), rules.sync(&other, &one));
    numbers(&rules.sync(&one, &other))
}

#[test]
fn siblings_that_collapse_leave_the_latest() {
    assert_eq!(two_that_meet(Resolve::Siblings, Bugs::NONE), [1, 2]);
    assert_eq!(two_that_meet(Resolve::Siblings, Bugs::with(Bug::SiblingsCollapsed)), [2]);
}

#[test]
fn a_comparison_by_node_first_keeps_the_earlier_write() {
    assert_eq!(two_that_meet(Resolve::Lww, Bugs::NONE), [2]);
    assert_eq!(two_that_meet(Resolve::Lww, Bugs::with(Bug::NodeBeforeTime)), [1]);
}

/// A write over one from a clock that was ahead; what remains when the two meet again.
fn written_over_with_a_slow_clock(bugs: Bugs) -> Vec<u64> {
    let rules = rules(Resolve::Lww, bugs);
    let mut state = State::default();
    mint(rules, &mut state, "n1", None, 1, 1000);
    let before = state.clone();
    mint(rules, &mut state, "n2", None, 2, 10);
    numbers(&rules.sync(&state, &before))
}

#[test]
fn a_coordinator_that_trusts_its_clock_loses_to_what_it_replaced() {
    assert_eq!(written_over_with_a_slow_clock(Bugs::NONE), [2]);
    assert_eq!(written_over_with_a_slow_clock(Bugs::with(Bug::TrustsItsClock)), [1]);
}

/// What became of a hint.
#[derive(Debug, PartialEq)]
struct Fate {
    /// Somebody kept it.
    kept: bool,
    /// Nobody has it any more, although its owner was back.
    gone: bool,
    /// The owner has the write.
    arrived: bool,
}

/// A write while one of its owners is cut off, and what becomes of it when the owner is back.
async fn fate_of_a_hint(bugs: Bugs) -> Fate {
    let cluster = Cluster::with_bugs(5, Options { hints: true, ..bare() }, bugs).await;
    let key = cluster.key_owned_by(names(&["n1", "n2", "n3"]));
    cluster.isolate(&names(&["n3"]));
    for observer in ["n1", "n2"] {
        cluster.believes(observer, "n3", false).await;
    }
    // The third is a stand-in.
    let write = async || put_with(cluster.node("n1"), &key, 1, &of(3)).await.ok();
    eventually("an acknowledgement", write).await;
    let waiting = || cluster.names.iter().any(|name| !cluster.node(name).replica().hint_counts().is_empty());
    let arrived = || !cluster.row("n3", &key).is_empty();
    let kept = waiting();
    cluster.hub.heal();
    cluster.all_up().await;
    let patience = if bugs.has(Bug::NeverHandsBack) { Duration::from_secs(3) } else { LONG };
    let deadline = Instant::now() + patience;
    while waiting() && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Fate { kept, gone: !waiting(), arrived: arrived() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hint_is_kept_and_arrives() {
    assert_eq!(fate_of_a_hint(Bugs::NONE).await, Fate { kept: true, gone: true, arrived: true });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hint_that_is_dropped_was_acknowledged() {
    let dropped = Fate { kept: false, gone: true, arrived: false };
    assert_eq!(fate_of_a_hint(Bugs::with(Bug::HintDropped)).await, dropped);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hint_for_the_wrong_node_is_forgotten() {
    let astray = Fate { kept: true, gone: true, arrived: false };
    assert_eq!(fate_of_a_hint(Bugs::with(Bug::HintToWrongNode)).await, astray);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stand_in_that_never_hands_back_keeps_its_hints() {
    let stuck = Fate { kept: true, gone: false, arrived: false };
    assert_eq!(fate_of_a_hint(Bugs::with(Bug::NeverHandsBack)).await, stuck);
}

/// A read repair that was sent before a write and comes after it.
async fn value_after_a_late_repair(bugs: Bugs) -> Option<u64> {
    let cluster = Cluster::with_bugs(1, Options { n: 1, w: 1, ..bare() }, bugs).await;
    let node = cluster.node("n1");
    put(node, "k", 1).await.unwrap();
    let old = cluster.row("n1", "k");
    put(node, "k", 2).await.unwrap();
    let table = u64::try_from(node.describe_table("things").await.unwrap().id).unwrap();
    let repaired = node.replica().repair(table, &primary("k").storage_key(), &old).unwrap();
    repaired.wait().await.unwrap();
    get(node, "k").await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_read_repair_undoes_a_write_with_the_bug_only() {
    assert_eq!(value_after_a_late_repair(Bugs::NONE).await, Some(2));
    assert_eq!(value_after_a_late_repair(Bugs::with(Bug::ReadRepairOverwrites)).await, Some(1));
}

/// Whether the owners that know of a deletion forget it while another one still has the item.
async fn a_tombstone_goes_before_all_have_it(bugs: Bugs) -> bool {
    let options = Options { quorum: Quorum::Strict, request_timeout: Duration::from_millis(600), ..bare() };
    let cluster = Cluster::with_bugs(5, options, bugs).await;
    // Tombstones are the first owner's business.
    let key = (0..10_000).map(|n| format!("key{n}"));
    let key = key.into_iter().find(|key| cluster.owners(key).first().is_some_and(|node| node == "n1"));
    let key = key.unwrap();
    let owners = cluster.owners(&key);
    let write = async || put_with(cluster.node("n1"), &key, 1, &of(3)).await.ok();
    eventually("an acknowledgement", write).await;
    cluster.isolate(&owners[2..]);
    cluster.believes("n1", &owners[2], false).await;
    eventually("an acknowledgement", async || delete(cluster.node("n1"), &key).await.ok()).await;
    let patience = if bugs == Bugs::NONE { Duration::from_secs(4) } else { LONG };
    let deadline = Instant::now() + patience;
    while !cluster.row("n1", &key).is_empty() && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(numbers(&cluster.row(&owners[2], &key)), [1]);
    cluster.row("n1", &key).is_empty()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tombstone_is_collected_early_with_the_bug_only() {
    assert!(!a_tombstone_goes_before_all_have_it(Bugs::NONE).await);
    assert!(a_tombstone_goes_before_all_have_it(Bugs::with(Bug::TombstoneCollectedEarly)).await);
}

/// Of keys that an owner missed, how many it never gets by comparing: the places in the trees of those that
/// it did not.
async fn places_that_are_never_compared(bugs: Bugs) -> Vec<usize> {
    let options = Options { anti_entropy: true, quorum: Quorum::Strict, ..bare() };
    let cluster = Cluster::with_bugs(5, options, bugs).await;
    cluster.isolate(&names(&["n5"]));
    cluster.believes("n1", "n5", false).await;
    let keys = (0..300).map(|n| format!("key{n}"));
    let keys: Vec<String> = keys.filter(|key| cluster.owners(key).contains(&String::from("n5"))).collect();
    for key in &keys {
        eventually("an acknowledgement", async || put(cluster.node("n1"), key, 7).await.ok()).await;
    }
    cluster.hub.heal();
    let place = |key: &String| leaf_of(&primary(key).storage_key());
    let missing = || keys.iter().filter(|key| cluster.row("n5", key).is_empty()).map(place);
    eventually("most keys", async || missing().all(|place| place >= LEAVES * 3 / 4).then_some(())).await;
    // Many more rounds than it takes.
    let deadline = Instant::now() + if bugs == Bugs::NONE { LONG } else { Duration::from_secs(3) };
    while missing().next().is_some() && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    missing().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_of_the_trees_is_skipped_with_the_bug_only() {
    assert_eq!(places_that_are_never_compared(Bugs::NONE).await, [0_usize; 0]);
    let skipped = places_that_are_never_compared(Bugs::with(Bug::MerkleRangeSkipped)).await;
    assert!(skipped.len() > 10, "{skipped:?}");
}

/// A write through an owner that is cut off from the others, which nobody has noticed.
async fn written_alone(bugs: Bugs) -> Result<(), BackendError> {
    let options = Options {
        quorum: Quorum::Strict,
        hints: true,
        request_timeout: Duration::from_millis(900),
        suspect_for: LONG,
        ..bare()
    };
    let cluster = Cluster::with_bugs(5, options, bugs).await;
    let key = cluster.key_owned_by(names(&["n1", "n2", "n3"]));
    cluster.isolate(&names(&["n1"]));
    let outcome = put(cluster.node("n1"), &key, 1).await;
    assert!(cluster.row("n2", &key).is_empty() && cluster.row("n3", &key).is_empty());
    outcome.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn w_different_nodes_acknowledge_a_write() {
    let alone = written_alone(Bugs::NONE).await;
    assert!(matches!(alone, Err(BackendError::Unknown(_))), "{alone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_counted_twice_acknowledges_alone() {
    assert_eq!(written_alone(Bugs::with(Bug::DuplicatesCounted)).await, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_that_does_not_wait_acknowledges_alone() {
    assert_eq!(written_alone(Bugs::with(Bug::AcknowledgedBeforeW)).await, Ok(()));
}

/// How many of twenty acknowledged writes survive when all nodes lose their power at once.
async fn survivors_of_a_power_loss(bugs: Bugs) -> usize {
    // In a sloppy quorum a stand-in may count, which a read need not ask.
    let mut cluster = Cluster::with_bugs(5, Options { quorum: Quorum::Strict, ..bare() }, bugs).await;
    for n in 0..20 {
        let write = async || put(cluster.node("n2"), &format!("key{n}"), n).await.ok();
        eventually("an acknowledgement", write).await;
    }
    for name in cluster.names.clone() {
        cluster.kill(&name);
    }
    for name in cluster.names.clone() {
        cluster.begin(&name).await;
    }
    cluster.all_up().await;
    let mut found = 0;
    for n in 0..20 {
        let key = format!("key{n}");
        let read = async || match get(cluster.node("n1"), &key).await {
            Ok(value) => Some(value),
            // With the data the table itself is gone.
            Err(BackendError::TableNotFound(_)) => Some(None),
            Err(_) => None,
        };
        found += usize::from(eventually("a read", read).await == Some(n));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bug_no_fsync_loses_what_w_nodes_acknowledged() {
    assert_eq!(survivors_of_a_power_loss(Bugs::NONE).await, 20);
    assert!(survivors_of_a_power_loss(Bugs::with(Bug::NoFsync)).await < 20);
}
