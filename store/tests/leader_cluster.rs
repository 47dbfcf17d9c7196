//! What a cluster of the leader style keeps when nodes stop, come back and are cut off.

mod leader_support;

use futures_util::future::join_all;
use growler_store::api::backend::{Backend, BackendError, Consistency};
use growler_store::leader::group::Role;
use leader_support::{Cluster, delete, eventually, get, put};

#[tokio::test(flavor = "multi_thread")]
async fn every_node_answers_for_every_partition() {
    let cluster = Cluster::start(&[]).await;
    for n in 0..12 {
        let (writer, reader) = (&cluster.names[n % 3], &cluster.names[(n + 1) % 3]);
        let key = format!("key{n}");
        assert_eq!(put(cluster.node(writer), &key, 1).await, Ok(None));
        assert_eq!(put(cluster.node(reader), &key, 2).await, Ok(Some(1)));
        assert_eq!(cluster.get_via(writer, &key).await.unwrap().0, Some(2));
    }
    assert_eq!(delete(cluster.node("n2"), "key3").await, Ok(Some(2)));
    assert_eq!(cluster.get_via("n3", "key3").await.unwrap().0, None);
    let table = cluster.node("n1").describe_table("things").await.unwrap();
    assert_eq!(table.schema.name, "things");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_there_on_every_node_and_goes_with_its_items() {
    let cluster = Cluster::start(&[]).await;
    put(cluster.node("n1"), "k", 1).await.unwrap();
    let schema = cluster.node("n2").describe_table("things").await.unwrap().schema;
    cluster.node("n3").delete_table("things").await.unwrap();
    for name in &cluster.names {
        let gone = put(cluster.node(name), "k", 2).await;
        assert_eq!(gone, Err(BackendError::TableNotFound("things".into())), "{name}");
    }
    cluster.node("n2").create_table((*schema).clone()).await.unwrap();
    for name in &cluster.names {
        assert_eq!(cluster.get_via(name, "k").await.map(|(value, _)| value), Ok(None), "{name}");
    }
    assert_eq!(cluster.node("n1").list_tables(None, 10).await, Ok((vec!["things".into()], false)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_the_leaders_end() {
    let mut cluster = Cluster::start(&[]).await;
    for n in 0..30 {
        put(cluster.node("n3"), &format!("key{n}"), n).await.unwrap();
    }
    cluster.end("n1").await;
    for n in 0..30 {
        let key = format!("key{n}");
        let value = eventually("a read", async || cluster.get_via("n3", &key).await.ok()).await.0;
        assert_eq!(value, Some(n));
        eventually("a write", async || put(cluster.node("n2"), &key, n + 100).await.ok()).await;
    }
    cluster.begin("n1").await;
    for n in 0..30 {
        let key = format!("key{n}");
        let read = async || cluster.get_via("n1", &key).await.ok();
        assert_eq!(eventually("a read through the node that came back", read).await.0, Some(n + 100));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_nodes_start_again_from_their_data() {
    let mut cluster = Cluster::start(&[]).await;
    for n in 0..20 {
        put(cluster.node("n1"), &format!("key{n}"), n).await.unwrap();
    }
    for name in cluster.names.clone() {
        cluster.end(&name).await;
    }
    for name in cluster.names.clone() {
        cluster.begin(&name).await;
    }
    for n in 0..20 {
        let key = format!("key{n}");
        assert_eq!(eventually("a read", async || cluster.get_via("n2", &key).await.ok()).await.0, Some(n));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_long_away_catches_up_by_snapshot() {
    let mut cluster = Cluster::start(&[("snapshot-entries", "40"), ("partitions", "1")]).await;
    put(cluster.node("n1"), "before", 1).await.unwrap();
    cluster.end("n3").await;
    let known = cluster.group("n1", 1).last_log.unwrap();
    for n in 0..300 {
        let key = format!("key{}", n % 50);
        eventually("a write", async || put(cluster.node("n1"), &key, n).await.ok()).await;
    }
    delete(cluster.node("n1"), "before").await.unwrap();
    cluster.begin("n3").await;
    eventually("the snapshot", async || {
        let status = cluster.group("n3", 1);
        (status.applied >= Some(known + 300)).then_some(())
    })
    .await;
    // What it has not in its log came with the snapshot.
    assert!(cluster.group("n3", 1).snapshot > Some(known + 40), "{:?}", cluster.group("n3", 1));
    for n in 250..300 {
        let read = get(cluster.node("n3"), &format!("key{}", n % 50), Consistency::Eventual).await;
        assert_eq!(read.unwrap().0, Some(n));
    }
    let read = get(cluster.node("n3"), "before", Consistency::Eventual).await;
    assert_eq!(read.unwrap().0, None, "the snapshot replaces, it does not add");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_off_leader_acknowledges_nothing_and_follows_after_the_heal() {
    let cluster = Cluster::start(&[]).await;
    let key = cluster.key_in(1).await;
    let old = cluster.leader(1).await;
    let other = cluster.names.iter().find(|name| **name != old).unwrap();
    put(cluster.node(&old), &key, 1).await.unwrap();

    cluster.isolate(&old);
    let refused = put(cluster.node(&old), &key, 2).await.unwrap_err();
    assert!(matches!(refused, BackendError::Unknown(_) | BackendError::Unavailable(_)), "{refused}");
    let refused = cluster.get_via(&old, &key).await.unwrap_err();
    assert!(matches!(refused, BackendError::Unavailable(_)), "{refused}");
    let replaced = eventually("a new leader", async || put(cluster.node(other), &key, 3).await.ok()).await;
    assert_eq!(replaced, Some(1), "what a minority has is not committed");

    cluster.hub.heal();
    let read = async || cluster.get_via(&old, &key).await.ok();
    assert_eq!(eventually("a read through the healed node", read).await.0, Some(3));
    eventually("the old leader to follow", async || {
        (cluster.group(&old, 1).role == Role::Follower).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_cut_off_does_not_unseat_the_leader() {
    let cluster = Cluster::start(&[]).await;
    let leader = cluster.leader(1).await;
    let follower = cluster.names.iter().find(|name| **name != leader).unwrap();
    let term = cluster.group(&leader, 1).term;
    cluster.isolate(follower);
    // Long enough for several elections of the one that hears nothing.
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    cluster.hub.heal();
    let key = cluster.key_in(1).await;
    for n in 0..20 {
        put(cluster.node(&leader), &key, n).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(cluster.group(&leader, 1).term, term, "pre-vote keeps the term");
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_writers_see_each_other_in_one_order() {
    let cluster = Cluster::start(&[]).await;
    let writers = (0..9_u64).map(|writer| {
        let node = cluster.node(&cluster.names[writer as usize % 3]);
        async move {
            let mut replaced = Vec::new();
            for round in 0..20 {
                replaced.push(put(node, "hot", writer * 100 + round).await.unwrap());
            }
            replaced
        }
    });
    let mut replaced: Vec<Option<u64>> = join_all(writers).await.into_iter().flatten().collect();
    replaced.push(cluster.get_via("n2", "hot").await.unwrap().0);
    replaced.sort_unstable();
    // Each write replaced another one, the first nothing, and the last is what is left.
    let mut written: Vec<Option<u64>> =
        (0..9).flat_map(|writer| (0..20).map(move |round| Some(writer * 100 + round))).collect();
    written.insert(0, None);
    assert_eq!(replaced, written);
}
