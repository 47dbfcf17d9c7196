//! The quorum store through the real binary: its nodes find each other, its headers go to and fro, and what it
//! says of its versions stands in a recorded history.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use support::store::{Answer, Store};
use support::{code, eventually, latest, run, stderr};

const CREATE: &str = r#"{"TableName": "carts", "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}]}"#;

fn put(store: &Store, node: usize, value: &str, headers: &[(&str, &str)]) -> Answer {
    let item = json!({"pk": {"S": "c1"}, "v": {"S": value}});
    store.ask(node, "PutItem", &json!({"TableName": "carts", "Item": item}).to_string(), headers)
}

fn get(store: &Store, node: usize, headers: &[(&str, &str)]) -> Answer {
    let key = json!({"pk": {"S": "c1"}});
    let request = json!({"TableName": "carts", "Key": key, "ConsistentRead": true});
    store.ask(node, "GetItem", &request.to_string(), headers)
}

/// The values of all versions.
fn siblings(answer: &Answer) -> BTreeSet<&str> {
    let versions = answer.body["Siblings"].as_array();
    let versions =
        versions.unwrap_or_else(|| panic!("no list of siblings: {} {}", answer.status, answer.body));
    versions.iter().map(|version| version["Item"]["v"]["S"].as_str().unwrap_or("deleted")).collect()
}

#[test]
fn its_nodes_find_each_other_and_keep_siblings_until_a_client_reconciles_them() {
    // Patient, so that a busy machine is not taken for a dead node.
    let patient = ["--set", "suspect-ms=20000", "--set", "request-timeout-ms=20000"];
    let store = Store::start(&[&["--store", "quorum", "--set", "quorum=strict"], &patient[..]].concat());
    assert_eq!(store.urls().len(), 5, "five nodes, when nobody says how many");
    for node in 0..5 {
        let status = store.status(node);
        assert_eq!(status["style"], "quorum", "{status}");
        let members = json!({"n1": "up", "n2": "up", "n3": "up", "n4": "up", "n5": "up"});
        assert_eq!(status["members"], members, "ready means that all are seen");
        let owned = status["owned"].as_array().unwrap().len();
        assert!((36..=42).contains(&owned), "3 of 5 nodes have each of 64 parts, this one {owned}");
    }
    assert_eq!(store.ask(0, "CreateTable", CREATE, &[]).status, 200);
    eventually("every node knows the table", || {
        (0..5).all(|node| store.status(node)["tables"] == json!(["carts"]))
    });

    let first = put(&store, 0, "milk", &[]);
    assert_eq!(first.status, 200, "{}", first.body);
    let seen = get(&store, 1, &[("x-growler-siblings", "all")]);
    assert_eq!(siblings(&seen), BTreeSet::from(["milk"]));
    assert_eq!(seen.header("x-growler-version"), first.header("x-growler-version"));
    assert_eq!(seen.header("x-growler-siblings"), Some("1"));
    let clock: Value = serde_json::from_str(seen.header("x-growler-clock").unwrap()).unwrap();
    assert_eq!(clock.as_object().unwrap().len(), 1, "one actor has written: {clock}");

    // Two clients that saw the same, and not each other.
    let context = ("x-growler-context", seen.header("x-growler-context").unwrap());
    for (node, value) in [(2, "bread"), (3, "butter")] {
        let answer = put(&store, node, value, &[context]);
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    let both = get(&store, 4, &[("x-growler-siblings", "all")]);
    assert_eq!(siblings(&both), BTreeSet::from(["bread", "butter"]));
    assert_eq!(both.header("x-growler-siblings"), Some("2"));

    let context = ("x-growler-context", both.header("x-growler-context").unwrap());
    assert_eq!(put(&store, 0, "bread and butter", &[context, ("x-growler-quorum", "w=3")]).status, 200);
    let merged = get(&store, 1, &[("x-growler-siblings", "all")]);
    assert_eq!(siblings(&merged), BTreeSet::from(["bread and butter"]));
    let copies = || {
        let local = (0..5).map(|node| get(&store, node, &[("x-growler-replica", "local")]));
        local.filter(|copy| copy.body["Item"]["v"]["S"] == "bread and butter").count()
    };
    assert_eq!(copies(), 3, "w=3 means three copies");

    let impossible = get(&store, 0, &[("x-growler-quorum", "r=4")]);
    assert_eq!(impossible.status, 400);
    let message = impossible.body["message"].as_str().unwrap();
    assert!(message.contains("x-growler-quorum") && message.contains("n=3"), "{message}");
    let forged = put(&store, 0, "x", &[("x-growler-context", "AAAA")]);
    assert_eq!(forged.status, 400);
    assert!(forged.body["message"].as_str().unwrap().contains("x-growler-context"), "{}", forged.body);
}

#[test]
fn what_it_says_of_its_versions_stands_in_the_history() {
    let store = Store::start(&["--store", "quorum", "--nodes", "3", "--set", "resolve=lww"]);
    let out = tempfile::tempdir().unwrap();
    let endpoint = ["test", "--endpoint", store.url(), "--seed", "1", "--time", "2s", "--min-ok", "20"];
    let finished = run(&[&endpoint[..], &["--out", out.path().to_str().unwrap()]].concat());
    // Linearizable it need not be.
    assert!([0, 1, 3].contains(&code(finished.status)), "{}", stderr(&finished));
    let history = std::fs::read_to_string(latest(out.path()).join("history.jsonl")).unwrap();
    let events: Vec<Value> = history.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_type = |kind: &'static str| events.iter().filter(move |event| event["type"] == kind);
    assert!(of_type("ok").count() > 20);
    for event in of_type("ok").filter(|event| event["process"].is_number()) {
        let version = event["version"].as_str().unwrap();
        assert!(event["context"].is_object(), "{event}");
        assert!(event["siblings"].is_null(), "the last writer wins: {event}");
        if event["f"] == "write" || !event["value"].is_null() {
            assert!(version.starts_with('n') && version.contains(':'), "{event}");
            assert!(event["timestamp"][0].is_i64() && event["timestamp"][1].is_string(), "{event}");
        }
    }
    assert!(of_type("invoke").all(|event| event["version"].is_null() && event["context"].is_null()));
}
