//! The planted bugs of disk and state machine show, and a healthy store does none of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod leader_support;

use growler_store::api::backend::{Ask, Backend};
use growler_store::bugs::{Bug, Bugs};
use growler_store::expression::{Condition, Path};
use growler_store::item::{Action, Mutation, MutationRefused};
use leader_support::{Cluster, delete, eventually, item, primary, put};

/// Writes twenty keys, loses power on all nodes at once, and counts the keys that are still there.
async fn survivors_of_a_power_loss(bugs: Bugs) -> usize {
    let mut cluster = Cluster::with_bugs(&[], bugs).await;
    for n in 0..20 {
        put(cluster.node("n2"), &format!("key{n}"), n).await.unwrap();
    }
    for name in cluster.names.clone() {
        cluster.kill(&name);
    }
    for name in cluster.names.clone() {
        cluster.begin(&name).await;
    }
    let mut found = 0;
    for n in 0..20 {
        let key = format!("key{n}");
        let read = async || match cluster.get_via("n1", &key).await {
            Ok((value, _)) => Some(value),
            // With the data the table itself is gone.
            Err(growler_store::api::BackendError::TableNotFound(_)) => Some(None),
            Err(_) => None,
        };
        found += usize::from(eventually("a read", read).await == Some(n));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_power_loss_of_all_nodes() {
    assert_eq!(survivors_of_a_power_loss(Bugs::NONE).await, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bug_no_fsync_loses_what_was_acknowledged() {
    assert!(survivors_of_a_power_loss(Bugs::with(Bug::NoFsync)).await < 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bug_no_replay_forgets_what_came_after_the_last_checkpoint() {
    assert!(survivors_of_a_power_loss(Bugs::with(Bug::NoReplay)).await < 20);
}

/// How many of many writes took place although their condition did not hold.
async fn writes_against_their_condition(bugs: Bugs) -> usize {
    let cluster = Cluster::with_bugs(&[("partitions", "1")], bugs).await;
    put(cluster.node("n1"), "k", 0).await.unwrap();
    let mut taken = 0;
    for n in 1..100 {
        let condition = Condition::AttributeNotExists(Path::attribute("k"));
        let mutation = Mutation {
            table: String::from("things"),
            key: primary("k"),
            action: Action::Put(item("k", n)),
            condition: Some(condition),
        };
        match cluster.node("n2").write(mutation, &Ask::default()).await.unwrap().reply {
            Ok(_) => taken += 1,
            Err(MutationRefused::ConditionalCheckFailed { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }
    taken
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_are_ignored_with_the_bug_condition_ignored_only() {
    assert_eq!(writes_against_their_condition(Bugs::NONE).await, 0);
    assert!(writes_against_their_condition(Bugs::with(Bug::ConditionIgnored)).await > 0);
}

/// How many of many deleted items are there later.
async fn deleted_items_that_are_there(bugs: Bugs) -> usize {
    let cluster = Cluster::with_bugs(&[("partitions", "1")], bugs).await;
    let node = cluster.node("n1");
    for n in 0..40 {
        put(node, &format!("key{n}"), n).await.unwrap();
    }
    for n in 0..40 {
        delete(node, &format!("key{n}")).await.unwrap();
    }
    for n in 0..40 {
        put(node, "another", n).await.unwrap();
    }
    let mut there = 0;
    for n in 0..40 {
        there += usize::from(cluster.get_via("n2", &format!("key{n}")).await.unwrap().0.is_some());
    }
    there
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_items_come_back_with_the_bug_deleted_comes_back_only() {
    assert_eq!(deleted_items_that_are_there(Bugs::NONE).await, 0);
    assert!(deleted_items_that_are_there(Bugs::with(Bug::DeletedComesBack)).await > 0);
}

/// In how many races to make the same item not exactly one writer was told that it won.
async fn races_without_one_winner(bugs: Bugs) -> usize {
    let cluster = Cluster::with_bugs(&[("partitions", "1")], bugs).await;
    let node = cluster.node("n1");
    let mut wrong = 0;
    for race in 0..60 {
        let key = format!("key{race}");
        let write = async |n: u64| {
            let mutation = Mutation {
                table: String::from("things"),
                key: primary(&key),
                action: Action::Put(item(&key, n)),
                condition: Some(Condition::AttributeNotExists(Path::attribute("k"))),
            };
            node.write(mutation, &Ask::default()).await.unwrap().reply.is_ok()
        };
        let (a, b, c, d) = tokio::join!(write(1), write(2), write(3), write(4));
        wrong += usize::from([a, b, c, d].into_iter().filter(|won| *won).count() != 1);
    }
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn a_race_has_two_winners_with_the_bug_decided_early_only() {
    assert_eq!(races_without_one_winner(Bugs::NONE).await, 0);
    assert!(races_without_one_winner(Bugs::with(Bug::DecidedEarly)).await > 0);
}
