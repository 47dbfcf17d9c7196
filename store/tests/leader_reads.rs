//! Strong reads, by index and by lease, while the leader is cut off and clocks jump; and the planted
//! bugs that break them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod leader_support;

use std::time::Duration;

use growler_store::api::backend::Consistency;
use growler_store::bugs::{Bug, Bugs};
use growler_store::leader::group::Role;
use leader_support::{Cluster, eventually, get, put};

/// A cluster whose first partition's leader was cut off, and whose others have another leader and
/// another value since: 1 before the cut, 2 after it.
struct CutOff {
    cluster: Cluster,
    key: String,
    old: String,
}

async fn cut_off(settings: &[(&str, &str)], bugs: Bugs) -> CutOff {
    let cluster = Cluster::with_bugs(settings, bugs).await;
    let key = cluster.key_in(1).await;
    let old = cluster.leader(1).await;
    let other = cluster.names.iter().find(|name| **name != old).unwrap().clone();
    put(cluster.node(&old), &key, 1).await.unwrap();
    cluster.isolate(&old);
    eventually("a write through the others", async || put(cluster.node(&other), &key, 2).await.ok()).await;
    CutOff { cluster, key, old }
}

impl CutOff {
    async fn read_at_the_old_leader(&self) -> Option<Option<u64>> {
        self.cluster.get_via(&self.old, &self.key).await.ok().map(|(value, _)| value)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_off_leader_answers_no_strong_read_by_index() {
    let scene = cut_off(&[], Bugs::NONE).await;
    assert_eq!(scene.cluster.group(&scene.old, 1).role, Role::Leader, "it does not know yet");
    assert_eq!(scene.read_at_the_old_leader().await, None);
    let eventual = get(scene.cluster.node(&scene.old), &scene.key, Consistency::Eventual).await;
    assert_eq!(eventual.unwrap().0, Some(1), "a read that is not strong is answered by what is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_ends_before_another_leader_begins_whatever_the_wall_clock_does() {
    let scene = cut_off(&[("reads", "lease")], Bugs::NONE).await;
    scene.cluster.clock(&scene.old).jump(Duration::from_secs(60), true);
    assert_eq!(scene.read_at_the_old_leader().await, None);
    scene.cluster.hub.heal();
    let read = eventually("a read after the heal", async || scene.read_at_the_old_leader().await).await;
    assert_eq!(read, Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_by_lease_see_every_acknowledged_write() {
    let cluster = Cluster::start(&[("reads", "lease")]).await;
    for n in 0..60 {
        let (writer, reader) = (&cluster.names[n % 3], &cluster.names[(n + 1) % 3]);
        let key = format!("key{}", n % 7);
        put(cluster.node(writer), &key, n as u64).await.unwrap();
        assert_eq!(cluster.get_via(reader, &key).await.unwrap().0, Some(n as u64));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_follower_grants_no_vote_until_the_old_lease_is_over() {
    // Both followers restart at once; the leader, cut off, still has its lease.
    let mut cluster = Cluster::start(&[("reads", "lease"), ("election-timeout-ms", "3000")]).await;
    let key = cluster.key_in(1).await;
    let leader = cluster.leader(1).await;
    put(cluster.node(&leader), &key, 1).await.unwrap();
    let followers: Vec<String> = cluster.names.iter().filter(|name| **name != leader).cloned().collect();
    let began = std::time::Instant::now();
    for name in &followers {
        cluster.end(name).await;
    }
    cluster.isolate(&leader);
    for name in &followers {
        cluster.begin(name).await;
    }
    eventually("a new leader", async || put(cluster.node(&followers[0]), &key, 2).await.ok()).await;
    assert!(began.elapsed() > Duration::from_millis(3700), "elected after {:?}", began.elapsed());
    assert_eq!(cluster.get_via(&leader, &key).await.ok(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bug_stale_leader_read_gives_an_old_value_at_a_cut_off_leader() {
    let scene = cut_off(&[], Bugs::with(Bug::StaleLeaderRead)).await;
    assert_eq!(scene.read_at_the_old_leader().await, Some(Some(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bug_lease_on_wall_clock_needs_a_cut_and_a_jump() {
    let scene = cut_off(&[("reads", "lease")], Bugs::with(Bug::LeaseOnWallClock)).await;
    assert_eq!(scene.read_at_the_old_leader().await, None, "the cut alone shows nothing");
    scene.cluster.clock(&scene.old).jump(Duration::from_secs(60), true);
    assert_eq!(scene.read_at_the_old_leader().await, Some(Some(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bug_split_brain_writes_and_reads_alone_and_forgets() {
    let scene = cut_off(&[], Bugs::with(Bug::SplitBrain)).await;
    let alone = scene.cluster.node(&scene.old);
    assert_eq!(put(alone, &scene.key, 3).await, Ok(Some(1)));
    assert_eq!(scene.read_at_the_old_leader().await, Some(Some(3)));
    scene.cluster.hub.heal();
    eventually("the write to be lost", async || {
        (scene.read_at_the_old_leader().await == Some(Some(2))).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bug_ack_before_quorum_acknowledges_what_is_lost() {
    let cluster = Cluster::with_bugs(&[], Bugs::with(Bug::AckBeforeQuorum)).await;
    let key = cluster.key_in(1).await;
    let old = cluster.leader(1).await;
    let other = cluster.names.iter().find(|name| **name != old).unwrap().clone();
    put(cluster.node(&old), &key, 1).await.unwrap();
    cluster.isolate(&old);
    assert_eq!(put(cluster.node(&old), &key, 2).await, Ok(Some(1)), "acknowledged by one node alone");
    let replaced = eventually("a new leader", async || put(cluster.node(&other), &key, 3).await.ok()).await;
    assert_eq!(replaced, Some(1), "and lost");
}
