//! Each way to break causality by hand, and what must not be taken for it.

use growler_checker::convergence::causal::Causal;
use growler_checker::convergence::order::Rules;
use growler_checker::history::{Event, HistoryBuilder};
use growler_checker::verdict::{Budget, Check, CheckResult, Validity};

use super::told::{clock, number, stamp};

fn check(events: &[Event]) -> CheckResult {
    Causal::default().check(events, &Budget::default())
}

/// The certificate of the only anomaly, and its sentence.
fn only(events: &[Event]) -> (Vec<u64>, String) {
    let result = check(events);
    assert_eq!((result.valid, result.anomalies.len()), (Validity::Invalid, 1), "{result:#?}");
    let anomaly = &result.anomalies[0];
    assert_eq!(anomaly.kind, "causality-violated");
    (anomaly.ops.clone(), anomaly.explanation.clone())
}

/// A photo is taken out of an album, the album is shown; who sees it shown must not find the photo.
fn album() -> HistoryBuilder {
    let mut history = HistoryBuilder::new().on("photo");
    history = clock(history.write(0, 1), "n1/1:1", "n1/1:1").on("note");
    history = clock(history.write(0, 2), "n1/2:1", "n1/2:1");
    history = clock(history.read(1, 2), "n1/2:1", "n1/2:1").on("reply");
    history = clock(history.write(1, 3), "n2/1:1", "n2/1:1");
    clock(history.read(2, 3), "n2/1:1", "n2/1:1").on("photo")
}

#[test]
fn an_effect_without_its_cause_through_two_others() {
    let (ops, text) = only(&clock(album().read(2, ()), "", "").events());
    assert_eq!(ops, [0, 2, 4, 6, 8, 10]);
    assert_eq!(
        text,
        "Process 0 wrote 1 to key photo (version n1/1:1, answered at 0.001 s); then the same one wrote 2 to key \
         note (version n1/2:1, answered at 0.003 s); process 1 read 2 from key note (version n1/2:1, answered at \
         0.005 s); then the same one wrote 3 to key reply (version n2/1:1, answered at 0.007 s); process 2 read \
         3 from key reply (version n2/1:1, answered at 0.009 s); then the same one found nothing in key photo \
         (no version, answered at 0.011 s), which lacks the first."
    );
    let seen = clock(album().read(2, 1), "n1/1:1", "n1/1:1").events();
    assert_eq!(check(&seen).valid, Validity::Valid);
    // Sessions alone do not see it.
    let sessions = growler_checker::convergence::sessions::SessionGuarantees::default();
    let events = clock(album().read(2, ()), "", "").events();
    assert_eq!(sessions.check(&events, &Budget::default()).valid, Validity::Valid);
}

#[test]
fn a_certificate_names_only_the_shortest_way() {
    // Client 0 does much in between; nothing of it matters.
    let mut history = HistoryBuilder::new().on("a");
    history = clock(history.write(0, 1), "n1/1:1", "n1/1:1").on("c");
    for counter in 1..5 {
        history =
            clock(history.write(0, 10 + counter), &format!("n1/3:{counter}"), &format!("n1/3:{counter}"));
    }
    history = history.on("b");
    history = clock(history.write(0, 2), "n1/2:1", "n1/2:1");
    history = clock(history.read(1, 2), "n1/2:1", "n1/2:1").on("a");
    history = clock(history.read(1, ()), "", "");
    assert_eq!(only(&history.events()).0, [0, 10, 12, 14]);
}

#[test]
fn a_value_that_nobody_wrote_or_wrote_later_or_failed_to_write() {
    let (ops, text) = only(&HistoryBuilder::new().on("k").read(0, 5).events());
    assert_eq!(ops, [0]);
    assert!(text.contains("nobody ever wrote"), "{text}");

    let (ops, text) = only(&HistoryBuilder::new().on("k").read(0, 5).write(1, 5).events());
    assert_eq!(ops, [0, 2]);
    assert!(text.contains("only wrote 5"), "{text}");

    let (ops, text) = only(&HistoryBuilder::new().on("k").invoke(1, "write", 5).fail(1).read(0, 5).events());
    assert_eq!(ops, [2]);
    assert!(text.contains("certainly failed"), "{text}");
}

#[test]
fn two_clients_whose_writes_the_store_orders_against_both_of_them() {
    // Each client writes to both keys, and each key keeps the write of the client that wrote it first.
    let mut history = HistoryBuilder::new();
    for (client, key, value, version) in [(0, "x", 1, 2), (0, "y", 2, 1), (1, "y", 3, 2), (1, "x", 4, 1)] {
        history = number(history.on(key).write(client, value), version);
    }
    let (ops, text) = only(&history.events());
    assert_eq!(ops, [0, 2, 4, 6]);
    assert!(text.contains("orders the version of the last before that of the first"), "{text}");
}

#[test]
fn the_later_of_two_blind_writes_is_no_effect_of_the_earlier() {
    // Client 0 writes x and then k; client 1 overwrites k blindly; client 2 sees that, and not x.
    let mut history = HistoryBuilder::new().on("x");
    history = stamp(history.write(0, 1), 10, "n1").on("k");
    history = stamp(history.write(0, 2), 20, "n1");
    history = stamp(history.write(1, 3), 30, "n2");
    history = stamp(history.read(2, 3), 30, "n2").on("x");
    let events = history.read(2, ()).events();
    let lww = Causal::new(Rules { lww: true, ordered_writes: true });
    assert_eq!(lww.check(&events, &Budget::default()).valid, Validity::Valid);
}

#[test]
fn a_write_of_unknown_outcome_is_a_cause_once_it_was_read_and_not_before() {
    let mut history = HistoryBuilder::new().on("a");
    history = history
        .invoke(0, "write", 1)
        .edit(|e| e.client = Some(9))
        .info(0)
        .edit(|e| e.client = Some(9))
        .on("b");
    history = history.invoke(1, "write", 2).edit(|e| e.client = Some(9));
    history = clock(history.ok(1, 2).edit(|e| e.client = Some(9)), "n1/2:1", "n1/2:1");
    history = clock(history.read(2, 2), "n1/2:1", "n1/2:1").on("a");
    let events = clock(history.clone().read(2, ()), "", "").events();
    assert_eq!(check(&events).valid, Validity::Valid, "it may never have been, or be still to come");
    history = clock(history.read(2, 1), "n1/1:1", "n1/1:1");
    let (ops, _) = only(&clock(history.read(2, ()), "", "").events());
    assert_eq!(ops, [6, 8], "who has seen it must not lose it");
}

#[test]
fn a_value_with_two_writers_leads_to_no_cause() {
    let mut history = HistoryBuilder::new().on("a");
    history = number(history.write(0, 1), 1).on("b");
    history = number(history.write(0, 7), 1);
    history = number(history.write(1, 7), 2);
    history = number(history.read(2, 7), 2).on("a");
    assert_eq!(check(&history.read(2, ()).events()).valid, Validity::Valid);
}

#[test]
fn vectors_that_do_not_fit_are_unknown() {
    let events = clock(album().read(2, ()), "", "").events();
    let small = Causal::default().check(&events, &Budget { steps: 1, bytes: 10 });
    assert_eq!(small.valid, Validity::Unknown);
    assert!(small.unknown[0].contains("3 sessions need"), "{:?}", small.unknown);
}
