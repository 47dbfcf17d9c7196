//! Every kind of anomaly, shown by a small history that a person can judge.

mod oracle;

use growler_checker::history::{Consistency, Event, HistoryBuilder};
use growler_checker::linearizability::Linearizable;
use growler_checker::verdict::{Anomaly, Budget, Check, CheckResult, Validity};
use oracle::history::operations;
use oracle::orders::fault_of_certificate;
use serde_json::json;

fn check(history: HistoryBuilder) -> (Vec<Event>, CheckResult) {
    let events = history.events();
    let result = Linearizable::cas_register().check(&events, &Budget::default());
    (events, result)
}

/// The anomaly of a history, whose certificate is one by the oracle's judgement.
fn anomaly(history: HistoryBuilder) -> Anomaly {
    let (events, result) = check(history);
    assert_eq!(result.valid, Validity::Invalid, "{result:?}");
    let [anomaly] = result.anomalies.as_slice() else { panic!("one anomaly for one key: {result:?}") };
    assert_eq!(fault_of_certificate(&operations(&events), &anomaly.ops), None);
    anomaly.clone()
}

fn passes(history: HistoryBuilder) {
    let (_, result) = check(history);
    assert_eq!(result.valid, Validity::Valid, "{result:?}");
}

fn new() -> HistoryBuilder {
    HistoryBuilder::new()
}

#[test]
fn stale_read_an_old_value_while_the_newer_one_is_still_seen() {
    let found = anomaly(new().write(0, 1).write(0, 2).read(1, 1).read(2, 2));
    assert_eq!((found.kind.as_str(), found.ops.as_slice()), ("stale-read", [0, 2, 4].as_slice()));
    assert_eq!(found.context, [6], "who still saw the newer value");
    assert_eq!(
        found.explanation,
        "Process 1 read 1 (0.004 s to 0.005 s), although before that process 0 wrote 2 (0.002 s to 0.003 s), and \
         still earlier process 0 wrote 1 (0.000 s to 0.001 s); at that time or later, process 2 read 2 (0.006 s to \
         0.007 s)."
    );
}

#[test]
fn a_circle_of_before_and_after_is_told_where_there_is_one() {
    let stale = anomaly(new().write(0, 1).write(0, 2).read(1, 1).read(2, 2));
    let circle: Vec<_> =
        stale.cycle.iter().map(|two| (two.before.clone(), two.after.clone(), two.ended, two.began)).collect();
    assert_eq!(circle, [(json!(1), json!(2), 0, 2), (json!(2), json!(1), 2, 4)]);
    let chained = anomaly(new().write(0, 1).cas(0, 1, 2).write(0, 9).read(1, 2));
    assert_eq!(chained.cycle.len(), 2, "1 and 2 are one block: {:?}", chained.cycle);
    assert_eq!(anomaly(new().write(0, 1).read(1, 7)).cycle, [], "nobody wrote 7: no matter of order");
}

#[test]
fn stale_read_of_absence() {
    let found = anomaly(new().write(0, 1).read(1, ()).read(1, 1));
    assert_eq!(found.kind, "stale-read");
    assert_eq!(found.ops, [0, 2]);
    assert!(found.explanation.starts_with("Process 1 found nothing"), "{found:?}");
}

#[test]
fn stale_read_by_an_image() {
    let stale_image =
        new().write(0, 1).write(0, 2).invoke(1, "cas", json!([9, 3])).condition_met(1, 1).read(2, 2);
    assert_eq!(anomaly(stale_image).kind, "stale-read");
}

#[test]
fn stale_read_one_old_answer_shows_no_loss() {
    let found = anomaly(new().write(0, 1).write(0, 2).read(1, 1));
    assert_eq!(found.kind, "stale-read");
    let deleted = anomaly(new().write(0, 1).write(0, ()).read(1, 1));
    assert_eq!(deleted.kind, "stale-read", "nor one that a delete is undone");
    let unanswered = new().invoke(0, "write", 1).read(1, 1).write(1, 2).info(0).read(1, 1);
    assert_eq!(anomaly(unanswered).kind, "stale-read", "nor one that a write came twice");
}

#[test]
fn stale_read_names_only_who_makes_the_point() {
    let writes = new().invoke(0, "write", 1114).invoke(1, "write", 1115).invoke(2, "write", 1118);
    let reads = writes.invoke(3, "read", ()).ok(0, 1114).ok(1, 1115).invoke(4, "read", ()).ok(2, 1118);
    let found = anomaly(reads.invoke(5, "read", ()).ok(3, 1114).ok(5, 1115).ok(4, 1118));
    assert_eq!(found.kind, "stale-read");
    assert!(found.explanation.contains("process 5 read 1115"), "{}", found.explanation);
    assert!(!found.explanation.contains("1114"), "who read 1114 proves nothing: {}", found.explanation);
    assert!(!found.context.contains(&3), "{found:?}");
}

#[test]
fn lost_write_the_newer_value_is_gone_for_good() {
    let found = anomaly(new().write(0, 1).write(0, 2).read(1, 1).read(2, 1));
    assert_eq!((found.kind.as_str(), found.ops.len()), ("lost-write", 3));
    assert_eq!(
        found.explanation,
        "Process 2 read 1 (0.006 s to 0.007 s), although before that process 0 wrote 2 (0.002 s to 0.003 s), and \
         still earlier process 0 wrote 1 (0.000 s to 0.001 s); so did process 1 (0.004 s to 0.005 s); nothing shows \
         that 2 was still there after that."
    );
    let image = new().write(0, 1).write(0, 2).invoke(1, "write", 3).ok_observed(1, 1).read(0, 3);
    assert_eq!(anomaly(image).kind, "lost-write", "the next write replaced what the lost one had");
}

#[test]
fn a_delete_that_is_still_seen_later_makes_a_stale_read() {
    assert_eq!(anomaly(new().write(0, 1).write(0, ()).read(1, 1).read(1, ())).kind, "stale-read");
}

#[test]
fn resurrected_a_deleted_item_comes_back() {
    let found = anomaly(new().write(0, 1).write(0, ()).read(1, 1).read(2, 1));
    assert_eq!(found.kind, "resurrected");
    let conditional = new().write(0, 1).cas(0, 1, ()).read(1, 1).read(1, 1);
    assert_eq!(anomaly(conditional).kind, "resurrected");
    let deleted_again = new().write(0, 1).write(0, ()).read(1, 1).read(1, 1).write(0, ()).read(1, ());
    assert_eq!(anomaly(deleted_again).kind, "resurrected", "the later absence is that of another delete");
}

#[test]
fn lost_update_two_conditions_hold_on_one_value() {
    let found = anomaly(new().write(0, 1).invoke(1, "cas", json!([1, 2])).cas(2, 1, 3).ok(1, json!([1, 2])));
    assert_eq!((found.kind.as_str(), found.ops.as_slice()), ("lost-update", [2, 3].as_slice()));
    let inserts = anomaly(new().cas(0, (), 1).cas(1, (), 2));
    assert_eq!(inserts.kind, "lost-update", "put-if-absent twice");
}

#[test]
fn lost_update_two_writes_replaced_one_value() {
    let found = anomaly(
        new().write(0, 1).invoke(1, "write", 2).ok_observed(1, 1).invoke(2, "write", 3).ok_observed(2, 1),
    );
    assert_eq!((found.kind.as_str(), found.ops.as_slice()), ("lost-update", [2, 4].as_slice()));
}

#[test]
fn lost_update_two_writes_replaced_one_absence() {
    let deleted = new().invoke(0, "write", 1).ok_observed(0, ()).invoke(2, "write", ());
    let writes = deleted.invoke(3, "write", 3).invoke(1, "write", 4).ok_observed(2, 1);
    let found = anomaly(writes.ok_observed(3, ()).ok_observed(1, ()));
    assert_eq!(found.kind, "lost-update");
    assert_eq!(
        found.explanation,
        "Only one operation can have replaced the absence that the delete by process 2 (0.002 s to 0.005 s) left, but \
         two did: process 3 wrote 3, replacing nothing, (0.003 s to 0.006 s), and process 1 wrote 4, replacing nothing, \
         (0.004 s to 0.007 s)."
    );
    let beginning = new().invoke(0, "write", 1).ok_observed(0, ()).invoke(1, "write", 2).ok_observed(1, ());
    let found = anomaly(beginning);
    assert_eq!(found.kind, "lost-update");
    assert!(found.explanation.contains("the absence of the beginning"), "{}", found.explanation);
    let twice =
        new().invoke(8, "write", ()).invoke(9, "write", ()).invoke(0, "write", 1).invoke(1, "write", 2);
    let twice = twice.invoke(2, "write", 3).invoke(3, "write", 4).ok(8, ()).ok(9, ());
    let found = anomaly((0..4).fold(twice, |history, process| history.ok_observed(process, ())));
    assert_eq!(found.kind, "lost-update");
    assert!(
        found.explanation.starts_with("4 operations replaced nothing, but the item was absent only 3 times"),
        "{}",
        found.explanation
    );
}

#[test]
fn lost_update_a_condition_holds_on_a_value_long_replaced() {
    assert_eq!(anomaly(new().write(0, 1).write(0, 2).cas(1, 1, 3)).kind, "lost-update");
}

#[test]
fn phantom_value_nobody_wrote_it() {
    let found = anomaly(new().write(0, 1).read(1, 7));
    assert_eq!((found.kind.as_str(), found.ops.as_slice()), ("phantom-value", [2].as_slice()));
    let on_top = new().invoke(0, "cas", json!([7, 8])).info(0).read(1, 8);
    assert_eq!(anomaly(on_top).kind, "phantom-value", "8 can only have been written over 7");
}

#[test]
fn aborted_read_its_write_had_failed() {
    let found = anomaly(new().invoke(0, "write", 1).fail(0).read(1, 1));
    assert_eq!((found.kind.as_str(), found.context.as_slice()), ("aborted-read", [0].as_slice()));
    let refused = new().write(0, 1).invoke(1, "cas", json!([5, 6])).condition_met(1, 1).read(2, 6);
    assert_eq!(anomaly(refused).kind, "aborted-read", "a refused write certainly failed too");
}

#[test]
fn phantom_value_its_write_failed_and_came_too_late() {
    let found = anomaly(new().read(0, 1).invoke(1, "write", 1).fail(1));
    assert_eq!(found.kind, "phantom-value");
    assert!(
        found.explanation.contains("process 1 (0.002 s to 0.003 s) did only after that"),
        "{}",
        found.explanation
    );
    let both = new().invoke(2, "write", 1).fail(2).read(0, 1).write(1, 1);
    assert_eq!(anomaly(both).kind, "aborted-read", "the failed write came first");
    let early = new().invoke(1, "write", 1).read(0, 1).fail(1);
    assert_eq!(anomaly(early).kind, "aborted-read", "it was not known yet that it would fail");
    let chained = new().read(0, 2).write(1, 1).cas(1, 1, 2);
    assert_eq!(anomaly(chained).kind, "future-read");
}

#[test]
fn future_read_before_the_write_was_invoked() {
    let found = anomaly(new().read(0, 1).write(1, 1));
    assert_eq!((found.kind.as_str(), found.ops.as_slice()), ("future-read", [0, 2].as_slice()));
    assert_eq!(anomaly(new().read(0, 1).invoke(1, "write", 1).info(1)).kind, "future-read");
}

#[test]
fn condition_failed_though_it_held() {
    let image = new().write(0, 1).invoke(1, "cas", json!([1, 2])).condition_met(1, 1);
    assert_eq!(anomaly(image).kind, "condition-failed-though-it-held");
    let opaque = new().write(0, 1).invoke(1, "cas", json!([1, 2])).condition_failed(1).read(0, 1);
    assert_eq!(anomaly(opaque).kind, "condition-failed-though-it-held");
    let absent = new().invoke(1, "cas", json!([null, 2])).condition_failed(1);
    assert_eq!(anomaly(absent).kind, "condition-failed-though-it-held");
}

#[test]
fn condition_held_though_it_failed() {
    let found = anomaly(new().write(0, 1).invoke(1, "cas", json!([5, 2])).ok_observed(1, 1));
    assert_eq!(
        (found.kind.as_str(), found.ops.as_slice()),
        ("condition-held-though-it-failed", [2].as_slice())
    );
}

#[test]
fn double_apply_an_unanswered_write_comes_back() {
    let returns = new().invoke(0, "write", 1).read(1, 1).write(1, 2).read(1, 2).info(0).read(1, 1).read(1, 1);
    assert_eq!(anomaly(returns).kind, "double-apply");
    let itself = new().invoke(0, "write", 1).ok_observed(0, 1);
    assert_eq!(anomaly(itself).kind, "double-apply", "a write that replaced its own value");
    let rivals = new()
        .invoke(0, "write", 1)
        .info(0)
        .invoke(1, "write", 2)
        .ok_observed(1, 1)
        .read(1, 2)
        .invoke(2, "write", 3)
        .ok_observed(2, 1);
    assert_eq!(anomaly(rivals).kind, "double-apply", "2 was in force, then 1 was replaced again");
}

#[test]
fn nonlinearizable_where_no_other_name_fits() {
    let each_over_the_other =
        new().invoke(0, "write", 1).invoke(1, "write", 2).ok_observed(0, 2).ok_observed(1, 1);
    let found = anomaly(each_over_the_other);
    assert_eq!((found.kind.as_str(), found.ops.as_slice()), ("nonlinearizable", [0, 1].as_slice()));
    assert!(found.explanation.contains("process 0 wrote 1, replacing 2,"), "{}", found.explanation);
}

#[test]
fn what_says_nothing_refutes_nothing() {
    passes(new().write(0, 1).invoke(1, "cas", json!([1, 2])).fail(1).read(0, 1));
    passes(new().write(0, 1).read(1, ()).edit(|event| event.consistency = Some(Consistency::Eventual)));
    passes(new().invoke(0, "write", 1).fail(0).read(1, ()));
    passes(new().invoke(0, "write", 1).read(1, ()).read(1, 1).read(1, 1));
    passes(new().invoke(0, "write", 1).info(0).read(1, ()).write(1, 2).read(1, 1));
}

#[test]
fn of_the_deletes_in_hand_the_one_that_is_due_first_is_spent_first() {
    let hand = || new().invoke(1, "write", json!(null)).invoke(2, "write", json!(null)).write(0, 1);
    // Each insert needs a delete of its own, and the second one comes after the first delete has ended.
    let inserted = |history: HistoryBuilder| history.cas(0, json!(null), 2).ok(1, json!(null)).write(0, 3);
    passes(inserted(hand()).cas(0, json!(null), 4).ok(2, json!(null)));
    let found = anomaly(inserted(hand()).ok(2, json!(null)).write(0, 5).cas(0, json!(null), 4));
    assert_eq!(found.kind, "lost-update", "no delete is left for the second insert");
}

#[test]
fn keys_are_judged_apart_and_named() {
    let history = new().on("a").write(0, 1).on("b").read(1, ()).on("a").read(1, 1).on(3).read(1, 9);
    let (_, result) = check(history);
    assert_eq!(result.anomalies.len(), 1);
    assert_eq!(serde_json::to_value(&result.anomalies[0].key).unwrap(), json!(3));
    assert_eq!(result.stats["keys"], json!(3));
}

#[test]
fn sentences_name_clients_where_there_are_any() {
    let history = new().write(0, 1).read(17, ()).edit(|event| event.client = Some(4));
    let mut events = history.events();
    events[2].client = Some(4);
    let result = Linearizable::register().check(&events, &Budget::default());
    assert!(result.anomalies[0].explanation.starts_with("Client 4 found nothing"), "{:?}", result.anomalies);
    for event in &mut events {
        event.time = 0;
    }
    let result = Linearizable::register().check(&events, &Budget::default());
    assert!(result.anomalies[0].explanation.contains("(events 2 to 3)"), "{:?}", result.anomalies);
}

#[test]
fn a_history_that_is_none_of_a_register_is_unknown_with_the_reason() {
    let events = new().invoke(0, "cas", json!([1, 2])).events();
    let result = Linearizable::register().check(&events, &Budget::default());
    assert_eq!(result.valid, Validity::Unknown);
    assert!(result.unknown[0].contains("`register` model has no function `cas`"), "{:?}", result.unknown);
    assert!(Linearizable::register().validate(&events).is_err());
    let odd = new().invoke(0, "cas", 5).events();
    let message = Linearizable::cas_register().validate(&odd).unwrap_err().to_string();
    assert!(message.contains("event 0") && message.contains("[old, new]"), "{message}");
}

#[test]
fn a_budget_that_is_too_small_answers_unknown_with_the_window() {
    let mut history = new().on("k");
    for process in 0..12 {
        history = history.invoke(process, "write", process % 3);
    }
    // Every value is seen by somebody, so that it matters in which order they were written.
    for process in 12..15 {
        history = history.invoke(process, "read", ());
    }
    for process in 0..12 {
        history = history.ok(process, process % 3);
    }
    for process in 12..15 {
        history = history.ok(process, process % 3);
    }
    let events = history.write(0, 9).read(0, 0).events();
    let tiny = Budget { steps: 10, ..Budget::default() };
    let result = Linearizable::register().check(&events, &tiny);
    assert_eq!(result.valid, Validity::Unknown);
    let reason = &result.unknown[0];
    assert!(reason.starts_with("key k: undecided") && reason.contains("events 0 to"), "{reason}");
    let small = Budget { bytes: 10, ..Budget::default() };
    let result = Linearizable::register().check(&events, &small);
    assert!(result.unknown[0].contains("memory"), "{:?}", result.unknown);
}
