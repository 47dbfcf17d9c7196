//! What a cluster of the quorum style keeps when nodes stop, come back and are cut off.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod quorum_support;

use std::time::Duration;

use futures_util::future::join_all;
use growler_store::api::backend::{Ask, Backend, BackendError};
use growler_store::quorum::options::{Options, Quorum};
use quorum_support::{Cluster, bare, delete, eventually, get, put, put_with, things, value_of};

fn names(some: &[&str]) -> Vec<String> {
    some.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_answers_for_every_key() {
    // A sloppy quorum may write to stand-ins of a node that is only slow, and then read past them; a strict one
    // says that it cannot answer in time.
    let cluster = Cluster::start(5, Options { quorum: Quorum::Strict, ..bare() }).await;
    for n in 0..20 {
        let (writer, reader) = (&cluster.names[n % 5], &cluster.names[(n + 2) % 5]);
        let key = format!("key{n}");
        for (node, value) in [(writer, 1), (reader, 2)] {
            let written = async || put(cluster.node(node), &key, value).await.ok();
            eventually("a put to be acknowledged", written).await;
        }
        let answered = async || get(cluster.node(writer), &key).await.ok();
        assert_eq!(eventually("a get to be answered", answered).await, Some(2), "{key}");
    }
    delete(cluster.node("n2"), "key3").await.unwrap();
    assert_eq!(get(cluster.node("n4"), "key3").await, Ok(None));
    assert_eq!(get(cluster.node("n4"), "never").await, Ok(None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_there_on_every_node_and_goes_with_its_items() {
    let mut cluster = Cluster::start(5, bare()).await;
    put(cluster.node("n1"), "k", 1).await.unwrap();
    cluster.end("n5").await;
    cluster.node("n3").delete_table("things").await.unwrap();
    assert_eq!(put(cluster.node("n3"), "k", 2).await, Err(BackendError::TableNotFound("things".into())));
    cluster.node("n3").create_table(things()).await.unwrap();
    let again = cluster.node("n3").create_table(things()).await;
    assert_eq!(again, Err(BackendError::TableInUse("things".into())));
    cluster.begin("n5").await;
    let id = cluster.node("n3").describe_table("things").await.unwrap().id;
    for name in &cluster.names {
        eventually("the new table", async || {
            (cluster.node(name).describe_table("things").await.ok()?.id == id).then_some(())
        })
        .await;
        assert_eq!(get(cluster.node(name), "k").await, Ok(None), "{name}");
        assert!(cluster.node(name).rows("things").is_empty(), "{name}");
    }
    assert_eq!(cluster.node("n1").list_tables(None, 10).await, Ok((vec!["things".into()], false)));
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_go_on_while_two_nodes_are_cut_off_and_their_share_is_handed_over() {
    let cluster = Cluster::start(5, Options { hints: true, ..bare() }).await;
    let away = names(&["n4", "n5"]);
    cluster.isolate(&away);
    for observer in ["n1", "n2", "n3"] {
        cluster.believes(observer, "n4", false).await;
        cluster.believes(observer, "n5", false).await;
    }
    for n in 0..60 {
        let key = format!("key{n}");
        put(cluster.node(&cluster.names[n % 3]), &key, n as u64).await.unwrap();
        assert_eq!(get(cluster.node(&cluster.names[(n + 1) % 3]), &key).await, Ok(Some(n as u64)));
    }
    let waiting = |name: &str| cluster.node(name).replica().hint_counts().values().sum::<usize>();
    assert!(["n1", "n2", "n3"].iter().map(|name| waiting(name)).sum::<usize>() >= 30);
    cluster.hub.heal();
    for n in 0..60 {
        let state = cluster.agreed(&format!("key{n}")).await;
        assert_eq!(value_of(state.shown().and_then(|version| version.value.as_ref())), Some(n));
    }
    for name in &cluster.names {
        eventually("the hints to drain", async || (waiting(name) == 0).then_some(())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_meets_a_cut_that_nobody_has_noticed_yet_is_kept_by_a_stand_in() {
    let cluster =
        Cluster::start(5, Options { hints: true, w: 3, suspect_for: Duration::from_secs(60), ..bare() })
            .await;
    let key = cluster.key_owned_by(names(&["n1", "n2", "n3"]));
    put(cluster.node("n1"), &key, 1).await.unwrap();
    cluster.isolate(&names(&["n3"]));
    put(cluster.node("n1"), &key, 2).await.unwrap();
    let hints = ["n4", "n5"].map(|name| cluster.node(name).replica().hint_counts());
    assert!(hints.iter().any(|hints| hints.get("n3") == Some(&1)), "{hints:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn anti_entropy_settles_what_no_read_and_no_hint_does() {
    let cluster = Cluster::start(5, Options { anti_entropy: true, quorum: Quorum::Strict, ..bare() }).await;
    cluster.isolate(&names(&["n5"]));
    cluster.believes("n1", "n5", false).await;
    let keys: Vec<String> = (0..200).map(|n| format!("key{n}")).collect();
    let owned = keys.iter().filter(|key| cluster.owners(key).contains(&String::from("n5"))).count();
    assert!(owned > 50);
    for key in &keys {
        eventually("an acknowledgement", async || put(cluster.node("n1"), key, 7).await.ok()).await;
    }
    cluster.hub.heal();
    for key in &keys {
        let state = cluster.agreed(key).await;
        assert_eq!(value_of(state.shown().and_then(|version| version.value.as_ref())), Some(7), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_all_lost_each_other_find_together_again() {
    let cluster = Cluster::start(5, bare()).await;
    for name in &cluster.names {
        cluster.isolate(std::slice::from_ref(name));
    }
    for observer in &cluster.names {
        for node in cluster.names.iter().filter(|node| *node != observer) {
            cluster.believes(observer, node, false).await;
        }
    }
    cluster.hub.heal();
    cluster.all_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_strayed_goes_home() {
    let cluster = Cluster::start(5, Options { anti_entropy: true, ..bare() }).await;
    let key = cluster.key_owned_by(names(&["n1", "n2", "n3"]));
    cluster.part(&names(&["n1", "n2", "n3"]), &names(&["n4", "n5"]));
    for away in ["n1", "n2", "n3"] {
        cluster.believes("n4", away, false).await;
    }
    put(cluster.node("n4"), &key, 5).await.unwrap();
    assert_eq!(cluster.row("n1", &key).versions.len(), 0);
    cluster.hub.heal();
    eventually("the owners to have it", async || (cluster.row("n1", &key).versions.len() == 1).then_some(()))
        .await;
    assert_eq!(cluster.agreed(&key).await.versions.len(), 1);
    for stray in ["n4", "n5"] {
        eventually("the stray to go", async || cluster.row(stray, &key).is_empty().then_some(())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tombstones_go_only_when_every_owner_has_them() {
    let options =
        Options { anti_entropy: true, hints: true, request_timeout: Duration::from_millis(600), ..bare() };
    let cluster = Cluster::start(5, options).await;
    let key = cluster.key_owned_by(names(&["n1", "n2", "n3"]));
    put_with(cluster.node("n1"), &key, 1, &Ask { w: Some(3), ..Ask::default() }).await.unwrap();
    cluster.isolate(&names(&["n3"]));
    cluster.believes("n1", "n3", false).await;
    delete(cluster.node("n1"), &key).await.unwrap();
    // Longer than tombstones must be old, and than they are looked for.
    tokio::time::sleep(options.request_timeout * 2 + options.tombstones_every * 5).await;
    assert!(cluster.row("n1", &key).is_grave(), "a tombstone went while an owner still has the item");
    assert!(!cluster.row("n3", &key).is_grave());
    cluster.hub.heal();
    for name in &cluster.names {
        let what = format!("the tombstone to go from {name}");
        eventually(&what, async || cluster.row(name, &key).is_empty().then_some(())).await;
    }
    assert_eq!(get(cluster.node("n3"), &key).await, Ok(None));
    let written = put(cluster.node("n3"), &key, 9).await.unwrap();
    assert_eq!(written.siblings, 1, "{written:?}");
    assert_eq!(get(cluster.node("n1"), &key).await, Ok(Some(9)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strict_minority_refuses_and_keeps_nothing_and_a_sloppy_one_goes_on() {
    for quorum in [Quorum::Strict, Quorum::Sloppy] {
        let cluster = Cluster::start(5, Options { quorum, hints: true, ..bare() }).await;
        let key = cluster.key_owned_by(names(&["n1", "n2", "n3"]));
        let (few, many) = (names(&["n1", "n5"]), names(&["n2", "n3", "n4"]));
        cluster.part(&few, &many);
        for away in ["n2", "n3", "n4"] {
            cluster.believes("n1", away, false).await;
            cluster.believes("n5", away, false).await;
        }
        let outcomes = [put(cluster.node("n1"), &key, 4).await, put(cluster.node("n5"), &key, 5).await];
        if quorum == Quorum::Sloppy {
            assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
            assert_eq!(get(cluster.node("n5"), &key).await, Ok(Some(5)));
            continue;
        }
        assert!(
            outcomes.iter().all(|outcome| matches!(outcome, Err(BackendError::Unavailable(_)))),
            "{outcomes:?}"
        );
        assert!(cluster.row("n1", &key).is_empty(), "what was refused was stored");
        assert!(matches!(get(cluster.node("n1"), &key).await, Err(BackendError::Unavailable(_))));
        for name in ["n2", "n3", "n4"] {
            cluster.believes(name, "n1", false).await;
        }
        put(cluster.node("n4"), &key, 6).await.unwrap();
        assert_eq!(get(cluster.node("n3"), &key).await, Ok(Some(6)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_the_power_loss_of_all_nodes() {
    let mut cluster = Cluster::start(5, Options { hints: true, quorum: Quorum::Strict, ..bare() }).await;
    let keys: Vec<String> = (0..40).map(|n| format!("key{n}")).collect();
    for round in 0..3 {
        // A write whose outcome is unknown on a busy machine is made again: it has the same value.
        let write = async |key: &String| put(cluster.node("n2"), key, round).await.ok();
        join_all(keys.iter().map(|key| eventually("an acknowledgement", || write(key)))).await;
        for name in cluster.names.clone() {
            cluster.kill(&name);
        }
        for name in cluster.names.clone() {
            cluster.begin(&name).await;
        }
        cluster.all_up().await;
        for key in &keys {
            let value = eventually("an answer", async || get(cluster.node("n4"), key).await.ok()).await;
            assert_eq!(value, Some(round), "{key} after {round}");
        }
    }
}
