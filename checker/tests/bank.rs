//! The bank check: each of its anomalies, and what it must let pass.

use std::collections::BTreeMap;

use growler_checker::history::{Consistency, Event, HistoryBuilder};
use growler_checker::invariants::bank::Bank;
use growler_checker::verdict::{Budget, Check, CheckResult, Validity};
use serde_json::{Value, json};

fn check(events: &[Event]) -> CheckResult {
    let initial = BTreeMap::from([("a".to_owned(), 10), ("b".to_owned(), 10)]);
    Bank::new(initial).check(events, &Budget::default())
}

fn kinds(result: &CheckResult) -> Vec<&str> {
    result.anomalies.iter().map(|anomaly| anomaly.kind.as_str()).collect()
}

fn move_money(amount: i64) -> Value {
    json!({"from": "a", "to": "b", "amount": amount})
}

fn read(balances: &Value, via: &str) -> Vec<Event> {
    HistoryBuilder::new().read(0, balances.clone()).edit(|event| event.via = Some(via.into())).events()
}

#[test]
fn passes_a_bank_that_keeps_its_money() {
    let events = HistoryBuilder::new()
        .invoke(0, "transfer", move_money(3))
        .read(1, json!({"a": 10, "b": 10}))
        .ok(0, move_money(3))
        .read(1, json!({"a": 7, "b": 13}))
        .events();
    let result = check(&events);
    assert_eq!((result.valid, result.stats["snapshots"].as_u64()), (Validity::Valid, Some(2)));
}

#[test]
fn a_total_that_no_transfer_explains_is_wrong() {
    let result = check(&HistoryBuilder::new().read(0, json!({"a": 10, "b": 9})).events());
    assert_eq!(kinds(&result), ["wrong-total"]);
    assert_eq!(result.anomalies[0].ops, [0]);
}

#[test]
fn a_total_that_is_off_by_an_open_transfer_is_torn() {
    let during = HistoryBuilder::new()
        .read(1, json!({"a": 10, "b": 10}))
        .invoke(0, "transfer", move_money(3))
        .read(1, json!({"a": 7, "b": 10}))
        .ok(0, move_money(3))
        .events();
    let result = check(&during);
    assert_eq!(kinds(&result), ["torn-read"]);
    assert_eq!(result.anomalies[0].ops, [2, 3]);
    assert_eq!(result.anomalies[0].context, [0]);
    assert_eq!(
        result.anomalies[0].explanation,
        "Process 1 read a total of 17 instead of 20 (0.003 s to 0.004 s): what process 0 moved from a to b (0.002 s to \
         0.005 s), 3, had left the one and not reached the other."
    );

    let after = HistoryBuilder::new()
        .invoke(0, "transfer", move_money(3))
        .ok(0, move_money(3))
        .read(1, json!({"a": 7, "b": 10}));
    assert_eq!(kinds(&check(&after.events())), ["wrong-total"], "the transfer was over");

    let failed =
        HistoryBuilder::new().invoke(0, "transfer", move_money(3)).read(1, json!({"a": 7, "b": 10})).fail(0);
    assert_eq!(kinds(&check(&failed.events())), ["wrong-total"], "the transfer never was");
}

#[test]
fn reads_in_pages_may_miss_the_total_but_nothing_else() {
    let off = json!({"a": 7, "b": 10});
    for via in ["query", "scan", "batch"] {
        assert_eq!(check(&read(&off, via)).valid, Validity::Valid, "{via}");
        assert_eq!(kinds(&check(&read(&json!({"a": -1, "b": 11}), via))), ["negative-value"], "{via}");
    }
    assert_eq!(check(&read(&off, "txn")).valid, Validity::Invalid);
    let mut eventual = read(&off, "txn");
    eventual[0].consistency = Some(Consistency::Eventual);
    assert_eq!(check(&eventual).valid, Validity::Valid);
}

#[test]
fn accounts_must_be_those_that_exist_with_whole_balances() {
    assert_eq!(kinds(&check(&read(&json!({"a": 20}), "txn"))), ["nil-balance"]);
    let empty = check(&read(&json!({"a": 20, "b": null}), "query"));
    assert_eq!(kinds(&empty), ["nil-balance"]);
    assert_eq!(
        empty.anomalies[0].explanation,
        "Process 0 found nothing instead of a balance in account b (events 0 to 1)."
    );
    assert_eq!(kinds(&check(&read(&json!({"a": 5, "b": 10, "c": 5}), "txn"))), ["unexpected-key"]);
    assert_eq!(kinds(&check(&read(&json!({"a": -5, "b": 25}), "txn"))), ["negative-value"]);
}

#[test]
fn reports_the_first_of_each_kind_and_counts_the_rest() {
    let events = HistoryBuilder::new()
        .read(0, json!({"a": 1, "b": 1}))
        .read(0, json!({"a": -2, "b": 22}))
        .read(0, json!({"a": 2, "b": 2}))
        .events();
    let result = check(&events);
    assert_eq!(kinds(&result), ["wrong-total", "negative-value"]);
    assert_eq!(result.stats["wrong-total"], json!(2));
}

#[test]
fn without_first_balances_the_first_snapshot_sets_the_total() {
    let events = HistoryBuilder::new()
        .read(0, json!({"a": 1, "b": 1}))
        .edit(|event| event.via = Some("query".into()))
        .read(0, json!({"a": 10, "b": 10}))
        .read(0, json!({"a": 7, "b": 13}))
        .read(0, json!({"a": 7, "b": 12}))
        .events();
    let result = Bank::from_history().check(&events, &Budget::default());
    assert_eq!(kinds(&result), ["wrong-total"]);
    assert_eq!(result.anomalies[0].ops, [2, 6]);
}

#[test]
fn a_read_that_is_no_object_cannot_be_judged() {
    let result = check(&HistoryBuilder::new().read(0, 5).events());
    assert_eq!(result.valid, Validity::Unknown);
    assert!(result.unknown[0].contains("event 0"), "{:?}", result.unknown);
}
