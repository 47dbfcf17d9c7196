//! What clients get from a cluster of the quorum style: siblings and contexts, conditions, pages, and what
//! a read repairs.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod quorum_support;

use std::collections::BTreeSet;
use std::time::Duration;

use growler_store::api::backend::{Ask, Backend, BackendError, Consistency, QueryRange, ScanRange};
use growler_store::item::{
    Action, AttributeValue, Billing, Item, KeyAttribute, KeyType, KeyValue, Mutation, PrimaryKey,
    SortCondition, TableSchema,
};
use growler_store::quorum::options::{Options, Quorum, Resolve};
use growler_store::quorum::version::Context;
use quorum_support::{
    Cluster, bare, delete, eventually, get, get_with, item, primary, put, put_with, value_of, write,
};

fn names(some: &[&str]) -> Vec<String> {
    some.iter().map(|name| (*name).to_owned()).collect()
}

fn in_context(token: &str) -> Ask {
    Ask { context: Some(token.to_owned()), ..Ask::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_did_not_see_a_write_stands_beside_it_until_somebody_saw_both() {
    let cluster = Cluster::start(5, bare()).await;
    let nothing = in_context(&Context::default().token());
    // Two that saw nothing, also at one coordinator.
    let first = put_with(cluster.node("n1"), "cart", 1, &nothing).await.unwrap();
    let second = put_with(cluster.node("n4"), "cart", 2, &nothing).await.unwrap();
    assert_ne!(first.version, second.version);
    let all = Ask { siblings: true, ..Ask::default() };
    let (shown, seen) = get_with(cluster.node("n2"), "cart", Consistency::Strong, &all).await.unwrap();
    assert_eq!(seen.siblings, 2);
    assert_eq!(
        seen.version.split('|').collect::<BTreeSet<_>>(),
        BTreeSet::from([&*first.version, &*second.version])
    );
    let versions = seen.versions.unwrap();
    let values: BTreeSet<_> = versions.iter().map(|version| value_of(version.item.as_ref())).collect();
    assert_eq!(values, BTreeSet::from([Some(1), Some(2)]));
    assert_eq!(shown, Some(2), "the later one is shown");

    let merged = put_with(cluster.node("n3"), "cart", 3, &in_context(&seen.context)).await.unwrap();
    assert_eq!(merged.siblings, 1);
    let (shown, seen) = get_with(cluster.node("n5"), "cart", Consistency::Strong, &all).await.unwrap();
    assert_eq!((shown, seen.siblings, seen.version), (Some(3), 1, merged.version));
    assert!(seen.clock.values().all(|counter| *counter > 0));

    let forged = put_with(cluster.node("n3"), "cart", 4, &in_context("AAAA")).await;
    assert!(matches!(forged, Err(BackendError::Validation(_))), "{forged:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_writer_wins_and_a_clock_that_jumps_back_does_not_undo_what_was_seen() {
    let cluster = Cluster::start(5, Options { resolve: Resolve::Lww, ..bare() }).await;
    let key = cluster.key_owned_by(names(&["n1", "n2", "n3"]));
    put(cluster.node("n1"), &key, 1).await.unwrap();
    for node in ["n1", "n2", "n3"] {
        cluster.clock(node).jump_back(Duration::from_secs(3600));
    }
    put(cluster.node("n1"), &key, 2).await.unwrap();
    assert_eq!(get(cluster.node("n3"), &key).await, Ok(Some(2)), "what n1 had was written over");
    let (_, seen) = get_with(cluster.node("n1"), &key, Consistency::Strong, &Ask::default()).await.unwrap();
    put_with(cluster.node("n2"), &key, 3, &in_context(&seen.context)).await.unwrap();
    assert_eq!(get(cluster.node("n3"), &key).await, Ok(Some(3)), "what the client had seen was written over");
    let (_, seen) = get_with(cluster.node("n3"), &key, Consistency::Strong, &Ask::default()).await.unwrap();
    assert_eq!(seen.siblings, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_and_updates_see_what_a_strong_read_sees() {
    let cluster = Cluster::start(5, bare()).await;
    let key = cluster.key_owned_by(names(&["n1", "n2", "n3"]));
    // One owner has it, and another one decides.
    put_with(cluster.node("n1"), &key, 1, &Ask { w: Some(2), ..Ask::default() }).await.unwrap();
    let mutation =
        |action| Mutation { table: String::from("things"), key: primary(&key), action, condition: None };
    let old_image = Ask { old_image: true, ..Ask::default() };
    let written = cluster.node("n3").write(mutation(Action::Put(item(&key, 2))), &old_image).await.unwrap();
    assert_eq!(value_of(written.reply.unwrap().old.as_ref()), Some(1));
    let deleted = cluster.node("n2").write(mutation(Action::Delete), &old_image).await.unwrap();
    assert_eq!(value_of(deleted.reply.unwrap().old.as_ref()), Some(2));
    assert_eq!(get(cluster.node("n1"), &key).await, Ok(None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_brings_an_owner_up_to_date_that_missed_a_write() {
    let cluster = Cluster::start(5, Options { read_repair: true, quorum: Quorum::Strict, ..bare() }).await;
    let key = cluster.key_owned_by(names(&["n1", "n2", "n3"]));
    put(cluster.node("n1"), &key, 1).await.unwrap();
    cluster.agreed(&key).await;
    cluster.isolate(&names(&["n3"]));
    cluster.believes("n1", "n3", false).await;
    put(cluster.node("n1"), &key, 2).await.unwrap();
    cluster.hub.heal();
    cluster.all_up().await;
    assert_ne!(cluster.row("n3", &key), cluster.row("n1", &key), "nothing but a read was to repair it");
    eventually("the repair", async || {
        let read = get_with(cluster.node("n4"), &key, Consistency::Eventual, &Ask::default()).await;
        assert!(matches!(read, Ok((Some(1 | 2), _)) | Err(_)), "{read:?}");
        (cluster.row("n3", &key) == cluster.row("n1", &key)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_answers_for_its_own_copy_alone_if_it_is_asked_to() {
    let cluster = Cluster::start(5, bare()).await;
    let key = cluster.key_owned_by(names(&["n1", "n2", "n3"]));
    put_with(cluster.node("n1"), &key, 1, &Ask { w: Some(3), ..Ask::default() }).await.unwrap();
    let local = Ask { local: true, siblings: true, ..Ask::default() };
    for node in ["n1", "n2", "n3"] {
        let (value, seen) = get_with(cluster.node(node), &key, Consistency::Eventual, &local).await.unwrap();
        assert_eq!((value, seen.versions.map(|versions| versions.len())), (Some(1), Some(1)), "{node}");
    }
    let stranger = get_with(cluster.node("n4"), &key, Consistency::Eventual, &local).await;
    assert!(matches!(stranger, Err(BackendError::Validation(_))), "{stranger:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn quorums_of_a_request_must_be_possible() {
    let cluster = Cluster::start(5, bare()).await;
    for ask in [
        Ask { w: Some(4), ..Ask::default() },
        Ask { w: Some(0), ..Ask::default() },
        Ask { r: Some(4), ..Ask::default() },
    ] {
        let written = put_with(cluster.node("n1"), "k", 1, &ask).await;
        assert!(matches!(written, Err(BackendError::Validation(_))), "{ask:?}: {written:?}");
        let read = get_with(cluster.node("n1"), "k", Consistency::Eventual, &ask).await;
        assert!(matches!(read, Err(BackendError::Validation(_))), "{ask:?}: {read:?}");
    }
    assert_eq!(get(cluster.node("n1"), "k").await, Ok(None));
}

fn sorted_schema() -> TableSchema {
    TableSchema {
        name: String::from("sorted"),
        hash: KeyAttribute { name: String::from("h"), kind: KeyType::S },
        range: Some(KeyAttribute { name: String::from("s"), kind: KeyType::S }),
        billing: Billing::PayPerRequest,
    }
}

fn sorted_item(hash: &str, sort: usize) -> (PrimaryKey, Item) {
    let sort = format!("{sort:03}");
    let key = PrimaryKey { hash: KeyValue::S(hash.to_owned()), range: Some(KeyValue::S(sort.clone())) };
    let item = Item::from([
        (String::from("h"), AttributeValue::S(hash.to_owned())),
        (String::from("s"), AttributeValue::S(sort)),
    ]);
    (key, item)
}

async fn change(cluster: &Cluster, node: &str, hash: &str, sort: usize, put: bool) {
    let (key, item) = sorted_item(hash, sort);
    let action = if put { Action::Put(item) } else { Action::Delete };
    let mutation = Mutation { table: String::from("sorted"), key, action, condition: None };
    cluster.node(node).write(mutation, &Ask::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_show_every_live_item_once_though_nodes_differ() {
    let cluster = Cluster::start(5, Options { quorum: Quorum::Strict, ..bare() }).await;
    cluster.create_table(sorted_schema()).await;
    // Each node is away for a part of the writes, so no two have the same rows.
    for (round, away) in cluster.names.iter().enumerate() {
        cluster.isolate(std::slice::from_ref(away));
        let writer = &cluster.names[(round + 1) % 5];
        cluster.believes(writer, away, false).await;
        for sort in (round * 8)..(round * 8 + 8) {
            for hash in ["a", "b", "c"] {
                change(&cluster, writer, hash, sort, true).await;
                if sort % 3 == 1 {
                    change(&cluster, writer, hash, sort, false).await;
                }
            }
        }
        cluster.hub.heal();
        cluster.all_up().await;
    }
    let live: Vec<usize> = (0..40).filter(|sort| sort % 3 != 1).collect();
    for forward in [true, false] {
        let mut expected: Vec<Item> = live.iter().map(|sort| sorted_item("b", *sort).1).collect();
        if !forward {
            expected.reverse();
        }
        let mut range = QueryRange {
            table: String::from("sorted"),
            hash: KeyValue::S(String::from("b")),
            sort: SortCondition::Any,
            forward,
            start: None,
            max_bytes: usize::MAX,
            max_items: 4,
        };
        let mut found = Vec::new();
        loop {
            let page = cluster.node("n3").query(range.clone(), Consistency::Strong).await.unwrap();
            assert!(page.items.len() <= 4);
            found.extend(page.items);
            if !page.more {
                break;
            }
            let last = found.last().unwrap();
            range.start = Some(sorted_schema().key_of_item(last).unwrap());
        }
        assert_eq!(found, expected, "forward {forward}");
    }
    let scan = ScanRange {
        table: String::from("sorted"),
        start: None,
        segment: None,
        max_bytes: usize::MAX,
        max_items: 7,
    };
    let (mut found, mut start) = (Vec::new(), None);
    loop {
        let page =
            cluster.node("n2").scan(ScanRange { start, ..scan.clone() }, Consistency::Strong).await.unwrap();
        found.extend(page.items);
        if !page.more {
            break;
        }
        start = Some(sorted_schema().key_of_item(found.last().unwrap()).unwrap());
    }
    let keys: BTreeSet<_> = found.iter().map(|item| sorted_schema().key_of_item(item).unwrap()).collect();
    assert_eq!((found.len(), keys.len()), (3 * live.len(), 3 * live.len()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_of_what_the_coordinator_does_not_have_reaches_who_has_it() {
    let cluster = Cluster::start(5, Options { quorum: Quorum::Strict, anti_entropy: true, ..bare() }).await;
    let key = cluster.key_owned_by(names(&["n1", "n2", "n3"]));
    cluster.isolate(&names(&["n1"]));
    cluster.believes("n2", "n1", false).await;
    put(cluster.node("n2"), &key, 1).await.unwrap();
    let seen = get_with(cluster.node("n2"), &key, Consistency::Strong, &Ask::default()).await.unwrap().1;
    cluster.hub.heal();
    cluster.all_up().await;
    let deleted = write(cluster.node("n1"), &key, Action::Delete, &in_context(&seen.context)).await.unwrap();
    assert_eq!(deleted.siblings, 1);
    assert!(cluster.agreed(&key).await.shown().is_none_or(|version| version.value.is_none()));
    assert_eq!(get(cluster.node("n2"), &key).await, Ok(None));
    assert!(delete(cluster.node("n4"), "never").await.is_ok());
}
