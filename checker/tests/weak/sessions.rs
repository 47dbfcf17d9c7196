//! Each session guarantee broken by hand, and what must not be taken for it.

use growler_checker::convergence::order::Rules;
use growler_checker::convergence::sessions::SessionGuarantees;
use growler_checker::history::{Consistency, Event, EventType, HistoryBuilder, Process};
use growler_checker::verdict::{Budget, Check, CheckResult, Validity};

use super::told::{clock, number, stamp};

fn check(events: &[Event]) -> CheckResult {
    SessionGuarantees::default().check(events, &Budget::default())
}

/// The kinds of the anomalies, with their certificates.
fn found(events: &[Event]) -> Vec<(String, Vec<u64>)> {
    check(events).anomalies.into_iter().map(|anomaly| (anomaly.kind, anomaly.ops)).collect()
}

fn one(kind: &str, ops: &[u64]) -> Vec<(String, Vec<u64>)> {
    vec![(kind.to_owned(), ops.to_vec())]
}

#[test]
fn a_client_that_misses_its_own_write() {
    let mut history = HistoryBuilder::new().on("k7");
    history = clock(history.write(1, 5), "n1/1:1", "n1/1:1");
    history = clock(history.write(2, 6), "n2/1:1", "n2/1:1");
    history =
        clock(history.read(1, 6), "n2/1:1", "n2/1:1").edit(|e| e.consistency = Some(Consistency::Eventual));
    let events = history.events();
    assert_eq!(found(&events), one("read-your-writes-violated", &[0, 4]));
    let result = check(&events);
    assert_eq!(
        result.anomalies[0].explanation,
        "Process 1 wrote 5 to key k7 (version n1/1:1, answered at 0.001 s) and then read 6 from key k7 (version \
         n2/1:1, answered at 0.005 s), which lacks version n1/1:1 of key k7."
    );
    let rates = &result.stats["read-your-writes"];
    assert_eq!((rates["judged"].as_u64(), rates["violated"].as_u64()), (Some(1), Some(1)));
    assert_eq!(rates["by"]["eventual"]["share"].as_f64(), Some(1.0));
    assert_eq!(rates["by"].get("strong"), None);
}

#[test]
fn a_client_that_goes_back_in_what_it_reads() {
    let mut history = HistoryBuilder::new().on("k7");
    history = clock(history.write(0, 5), "n1/1:1", "n1/1:1");
    history = clock(history.write(0, 6), "n1/1:2", "n1/1:2");
    history = clock(history.read(1, 6), "n1/1:2", "n1/1:2");
    history = clock(history.read(1, 5), "n1/1:1", "n1/1:1");
    assert_eq!(found(&history.events()), one("monotonic-reads-violated", &[4, 6]));
}

#[test]
fn a_client_whose_later_write_does_not_know_the_earlier() {
    let mut history = HistoryBuilder::new().on("k7");
    history = clock(history.write(0, 5), "n1/1:1", "n1/1:1");
    history = clock(history.write(0, 6), "n2/1:1", "n2/1:1");
    assert_eq!(found(&history.events()), one("monotonic-writes-violated", &[0, 2]));
}

#[test]
fn a_client_whose_write_does_not_know_what_it_read() {
    let mut history = HistoryBuilder::new().on("k7");
    history = clock(history.write(0, 5), "n1/1:1", "n1/1:1");
    history = clock(history.read(1, 5), "n1/1:1", "n1/1:1");
    history = clock(history.write(1, 6), "n2/1:1", "n2/1:1");
    assert_eq!(found(&history.events()), one("writes-follow-reads-violated", &[2, 4]));
}

/// The writer's two writes are to two keys; a reader sees the later and then misses the earlier.
#[test]
fn a_reader_that_sees_the_later_of_two_writes_only() {
    let mut history = HistoryBuilder::new().on("a");
    history = clock(history.write(0, 1), "n1/1:1", "n1/1:1").on("b");
    history = clock(history.write(0, 2), "n1/2:1", "n1/2:1");
    history = clock(history.read(1, 2), "n1/2:1", "n1/2:1").on("a");
    history = clock(history.read(1, ()), "", "");
    let result = check(&history.events());
    let anomaly = &result.anomalies[0];
    assert_eq!((anomaly.kind.as_str(), &anomaly.ops[..]), ("monotonic-writes-violated", &[0, 2, 4, 6][..]));
    assert_eq!(result.anomalies.len(), 1);
    assert_eq!(
        anomaly.explanation,
        "Process 0 wrote 1 to key a (version n1/1:1, answered at 0.001 s) and then wrote 2 to key b (version \
         n1/2:1, answered at 0.003 s); process 1 read 2 from key b (version n1/2:1, answered at 0.005 s), which \
         includes the second, and then found nothing in key a (no version, answered at 0.007 s), which \
         lacks version n1/1:1 of key a."
    );
}

#[test]
fn a_reader_that_sees_a_write_and_not_what_its_writer_had_read() {
    let mut history = HistoryBuilder::new().on("a");
    history = clock(history.write(2, 1), "n1/1:1", "n1/1:1");
    history = clock(history.read(0, 1), "n1/1:1", "n1/1:1").on("b");
    history = clock(history.write(0, 2), "n1/2:1", "n1/2:1");
    history = clock(history.read(1, 2), "n1/2:1", "n1/2:1").on("a");
    history = clock(history.read(1, ()), "", "");
    assert_eq!(found(&history.events()), one("writes-follow-reads-violated", &[2, 4, 6, 8]));
}

#[test]
fn one_read_may_show_the_later_write_without_the_earlier() {
    let mut history = HistoryBuilder::new().on("k");
    history = clock(history.write(0, 1), "n1/1:1", "n1/1:1");
    history = clock(history.write(0, 2), "n2/1:1", "n1/1:1 n2/1:1");
    history = clock(history.read(1, 2), "n2/1:1", "n2/1:1");
    assert_eq!(found(&history.events()), one("monotonic-writes-violated", &[0, 2, 4]));
}

#[test]
fn a_session_goes_on_after_an_operation_of_unknown_outcome() {
    let client = |event: &mut Event| event.client = Some(7);
    let mut history = HistoryBuilder::new().on("k").invoke(1, "write", 5).edit(client);
    history = clock(history.ok(1, 5).edit(client), "n1/1:1", "n1/1:1");
    history = history.invoke(1, "write", 6).edit(client).info(1).edit(client);
    history = history.invoke(2, "read", ()).edit(client);
    let empty = clock(history.clone().ok(2, ()).edit(client), "", "").events();
    assert_eq!(found(&empty), one("read-your-writes-violated", &[0, 4]));
    let fine = clock(history.ok(2, 5).edit(client), "n1/1:1", "n1/1:1").events();
    assert_eq!(check(&fine).valid, Validity::Valid, "the write without an answer may never have been");
}

/// A write that was never answered is not asked for, but who shows it shows what its client did before.
#[test]
fn a_write_of_unknown_outcome_that_was_read_proves_itself() {
    let mut history = HistoryBuilder::new().on("a");
    history = clock(history.write(0, 1), "n1/1:1", "n1/1:1").on("b").invoke(0, "write", 2).info(0);
    let unseen = clock(history.clone().on("a").read(1, ()), "", "").events();
    assert_eq!(check(&unseen).valid, Validity::Valid);
    history = clock(history.on("b").read(1, 2), "n1/2:1", "n1/2:1").on("a");
    history = clock(history.read(1, ()), "", "");
    assert_eq!(found(&history.events()), one("monotonic-writes-violated", &[0, 2, 4, 6]));
}

#[test]
fn a_key_that_may_have_been_forgotten_is_no_violation() {
    let mut history = HistoryBuilder::new().on("k");
    history = clock(history.write(0, 1), "n1/1:1", "n1/1:1");
    let forgotten = |history: HistoryBuilder| clock(history.read(0, ()), "", "").events();
    assert_eq!(check(&forgotten(history.clone())).valid, Validity::Invalid);
    let deleted = history.clone().invoke(1, "write", ()).info(1);
    assert_eq!(check(&forgotten(deleted)).valid, Validity::Valid);
    let failed = history.invoke(1, "write", ()).fail(1);
    assert_eq!(check(&forgotten(failed)).valid, Validity::Invalid, "what failed deletes nothing");
}

#[test]
fn timestamps_decide_where_the_last_writer_wins() {
    let mut history = HistoryBuilder::new().on("k");
    history = stamp(clock(history.write(0, 1), "n1/1:1", "n1/1:1"), 20, "n1");
    history = stamp(clock(history.write(1, 2), "n2/1:1", "n1/1:1 n2/1:1"), 10, "n2");
    history = stamp(clock(history.read(1, 1), "n1/1:1", "n1/1:1"), 20, "n1");
    history = stamp(clock(history.read(0, 2), "n2/1:1", "n1/1:1 n2/1:1"), 10, "n2");
    let lww = SessionGuarantees::new(Rules { lww: true, ordered_writes: true });
    let result = lww.check(&history.events(), &Budget::default());
    let kinds: Vec<_> =
        result.anomalies.iter().map(|anomaly| (anomaly.kind.as_str(), &anomaly.ops[..])).collect();
    assert_eq!(kinds, [("read-your-writes-violated", &[0, 6][..])], "the loser is not missed, the winner is");
    assert_eq!(result.stats["orders"]["timestamp"].as_u64(), Some(1));
}

#[test]
fn numbers_and_real_time_order_versions_too() {
    let mut numbered = HistoryBuilder::new().on("k");
    numbered = number(numbered.write(0, 1), 1);
    numbered = number(numbered.write(0, 2), 2);
    numbered = number(numbered.read(1, 2), 2);
    numbered = number(numbered.read(1, 1), 1);
    let plain = HistoryBuilder::new().on("k").write(0, 1).write(0, 2).read(1, 2).read(1, 1);
    for events in [numbered.events(), plain.clone().events()] {
        assert!(found(&events).contains(&("monotonic-reads-violated".to_owned(), vec![4, 6])));
    }
    let unordered = SessionGuarantees::new(Rules { lww: false, ordered_writes: false });
    let result = unordered.check(&plain.events(), &Budget::default());
    assert_eq!(result.valid, Validity::Unknown);
    assert!(result.unknown[0].contains("key k"), "{:?}", result.unknown);
}

#[test]
fn who_has_several_operations_open_is_several_sessions() {
    let client = |event: &mut Event| event.client = Some(7);
    let mut history = HistoryBuilder::new().on("k").invoke(2, "read", ()).edit(client);
    history = history.invoke(1, "write", 5).edit(client);
    history = clock(history.ok(1, 5).edit(client), "n1/1:1", "n1/1:1");
    history = clock(history.ok(2, ()).edit(client), "", "");
    history = clock(history.invoke(2, "read", ()).edit(client).ok(2, ()).edit(client), "", "");
    assert_eq!(check(&history.events()).valid, Validity::Valid);
}

#[test]
fn what_is_no_history_is_unknown_and_a_spent_budget_says_where() {
    let stray = [Event::new(Process::Client(0), EventType::Ok, "read", ().into())];
    assert_eq!(check(&stray).valid, Validity::Unknown);
    let mut history = HistoryBuilder::new().on("a");
    history = clock(history.write(0, 1), "n1/1:1", "n1/1:1");
    history = clock(history.write(0, 2), "n1/1:2", "n1/1:2");
    history = clock(history.read(1, 1), "n1/1:1", "n1/1:1");
    let none = Budget { steps: 0, bytes: 0 };
    let result = SessionGuarantees::default().check(&history.events(), &none);
    assert_eq!(result.valid, Validity::Unknown);
    assert!(result.unknown[0].contains("from event 4 on"), "{:?}", result.unknown);
}
