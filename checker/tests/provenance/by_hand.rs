//! Small histories, one for each thing that can be wrong, and for each that looks wrong and is not.

use growler_checker::evidence::provenance::verify_all;
use growler_checker::history::{Event, HistoryBuilder};
use growler_checker::promise::checks_for;
use growler_checker::provenance::Provenance;
use growler_checker::verdict::{Anomaly, Budget, Check, Validity};
use serde_json::{Value, json};

fn anomalies(model: &str, events: &[Event]) -> Vec<Anomaly> {
    let result = Provenance::of(model).expect("a model").check(events, &Budget::default());
    assert_ne!(result.valid, Validity::Unknown, "{:?}", result.unknown);
    for verified in verify_all(events, model, &result.anomalies) {
        assert_eq!(verified, Ok(()), "{:#?}", result.anomalies);
    }
    result.anomalies
}

fn kinds(model: &str, history: HistoryBuilder) -> Vec<String> {
    anomalies(model, &history.events()).into_iter().map(|anomaly| anomaly.kind).collect()
}

fn eventual(history: HistoryBuilder, process: u64, value: impl Into<Value>) -> HistoryBuilder {
    let mark = |event: &mut Event| event.consistency = Some(growler_checker::history::Consistency::Eventual);
    history.invoke(process, "read", ()).edit(mark).ok(process, value)
}

fn replica(history: HistoryBuilder, node: &str, value: impl Into<Value>) -> HistoryBuilder {
    let name = |event: &mut Event| event.node = Some(node.into());
    history.invoke(90, "replica-read", ()).edit(name).ok(90, value).edit(name)
}

fn version(history: HistoryBuilder, version: impl Into<Value>) -> HistoryBuilder {
    history.edit(|event| event.extra_mut().version = Some(version.into()))
}

#[test]
fn an_eventual_read_of_what_nobody_wrote_breaks_every_promise() {
    let events = eventual(HistoryBuilder::new().on("x").write(0, 1), 1, 77).events();
    for promise in ["eventual", "sessions", "causal", "dynamodb-region", "linearizable"] {
        let checks = checks_for("register", promise).expect("a pair");
        let refuted = checks.iter().filter(|check| {
            check.name() == "provenance"
                && check.check(&events, &Budget::default()).valid == Validity::Invalid
        });
        assert_eq!(refuted.count(), 1, "{promise}");
    }
    let found = anomalies("register", &events).remove(0);
    assert_eq!((found.kind.as_str(), found.ops.as_slice()), ("phantom-value", [2].as_slice()));
    assert_eq!(
        found.explanation,
        "Process 1 read 77 in key x (0.002 s to 0.003 s), which nobody had tried to write: the one write there before \
         that did not fail is of something else."
    );
}

#[test]
fn replicas_do_not_hold_what_nobody_wrote_or_what_failed() {
    let wrote = || HistoryBuilder::new().on("x").write(0, 1);
    assert_eq!(kinds("register", replica(replica(wrote(), "n1", 7), "n2", 7)), ["phantom-value"; 2]);
    let failed = wrote().invoke(1, "write", 2).fail(1);
    let found = anomalies("register", &replica(failed, "n1", 2).events()).remove(0);
    assert_eq!(
        (found.kind.as_str(), found.ops.as_slice(), found.context.as_slice()),
        ("aborted-read", [4].as_slice(), [2].as_slice())
    );
    assert!(
        found.explanation.contains("Replica n1 held 2") && found.explanation.contains("certainly failed")
    );
    assert_eq!(kinds("register", replica(wrote().invoke(1, "write", 2).info(1), "n1", 2)), [""; 0]);
}

#[test]
fn a_value_does_not_come_before_its_write() {
    let early = eventual(HistoryBuilder::new(), 0, 5).write(1, 5);
    let found = anomalies("register", &early.events()).remove(0);
    assert_eq!((found.kind.as_str(), found.context.as_slice()), ("future-read", [2].as_slice()));
    let failed_later = HistoryBuilder::new().read(0, 0).invoke(1, "write", 0).fail(1);
    assert_eq!(kinds("register", failed_later), ["phantom-value"], "its only write began later, and failed");
    // The write was open while the read was, and never answered.
    let open = HistoryBuilder::new().invoke(0, "read", ()).invoke(1, "write", 5).ok(0, 5);
    assert_eq!(kinds("register", open), [""; 0]);
}

#[test]
fn old_images_and_conditions_count_as_seen() {
    let wrote = || HistoryBuilder::new().write(0, 1);
    assert_eq!(kinds("register", wrote().invoke(1, "write", 2).ok_observed(1, 9)), ["phantom-value"]);
    let met = wrote().invoke(1, "cas", json!([3, 4])).condition_met(1, 9);
    let found = anomalies("cas-register", &met.events()).remove(0);
    assert!(found.kind == "phantom-value" && found.explanation.contains("`cas` met 9"), "{found:?}");
    assert_eq!(kinds("cas-register", wrote().cas(1, 9, 4)), ["phantom-value"], "its condition held on 9");
    let fine = wrote().invoke(1, "cas", json!([1, 4])).ok_observed(1, 1).invoke(2, "cas", json!([7, 8]));
    assert_eq!(kinds("cas-register", fine.condition_met(2, 4).read(1, 4)), [""; 0]);
    assert_eq!(
        kinds("cas-register", wrote().invoke(1, "cas", json!([7, 8])).condition_failed(1).read(2, 8)),
        ["aborted-read"]
    );
    assert_eq!(
        kinds("cas-register", HistoryBuilder::new().cas(0, (), 1).read(1, 1)),
        [""; 0],
        "absence needs no writer"
    );
}

#[test]
fn a_value_stands_beside_a_version_of_its_own() {
    let two = || version(version(HistoryBuilder::new().write(0, 1), "n1/1:1").write(0, 2), "n1/1:2");
    for (value, dots, expected) in [
        (json!(1), "n1/1:1", None),
        (json!(1), "n1/1:2|n1/1:1", None),
        (json!(1), "n1/1:2", Some("wrong-version")),
        (json!(1), "n9/1:1", Some("wrong-version")),
        (json!(1), "", Some("wrong-version")),
        (json!(null), "", None),
        (json!(null), "n9/1:1", None),
        (json!(null), "n1/1:1|n9/1:1", None),
        (json!(null), "n1/1:1", Some("wrong-version")),
        (json!(3), "n1/1:1", Some("phantom-value")),
    ] {
        let expected: Vec<&str> = expected.into_iter().collect();
        let read = |history: HistoryBuilder| version(history, dots);
        assert_eq!(
            kinds("register", read(eventual(two(), 1, value.clone()))),
            expected,
            "{value} beside {dots}"
        );
        assert_eq!(
            kinds("register", read(replica(two(), "n1", value.clone()))),
            expected,
            "{value} beside {dots}"
        );
    }
}

#[test]
fn numbers_and_timestamps_are_versions_too() {
    let numbered = |history: HistoryBuilder| version(version(history.write(0, 1), 1).write(0, 2), 2);
    let fresh = || numbered(HistoryBuilder::new());
    assert_eq!(kinds("register", version(fresh().read(1, 2), 2)), [""; 0]);
    assert_eq!(kinds("register", version(fresh().read(1, 1), 2)), ["wrong-version"]);
    assert_eq!(kinds("register", version(fresh().read(1, ()), 2)), ["wrong-version"]);
    // After a delete numbers may begin anew: a write that was never answered may have the number of an earlier one.
    let again = |history: HistoryBuilder| version(history.invoke(2, "write", 3).info(2).read(1, 3), 1);
    assert_eq!(kinds("register", again(fresh())), ["wrong-version"]);
    assert_eq!(kinds("register", again(fresh().write(0, ()))), [""; 0]);
    let stamp = |history: HistoryBuilder, ns| {
        history.edit(|event| event.extra_mut().timestamp = Some(json!([ns, "n1"]).into()))
    };
    let stamped = || stamp(stamp(HistoryBuilder::new().write(0, 1), 10).write(0, 2), 20);
    assert_eq!(kinds("register", stamp(stamped().read(1, 1), 10)), [""; 0]);
    assert_eq!(kinds("register", stamp(stamped().read(1, 1), 20)), ["wrong-version"]);
}

#[test]
fn the_version_of_an_unanswered_write_is_known_once_it_is_seen() {
    let open = || {
        version(HistoryBuilder::new().write(0, 1), "n1/1:1")
            .invoke(5, "write", 2)
            .info(5)
            .invoke(6, "write", 3)
            .info(6)
    };
    let read = |history: HistoryBuilder, value, dot| version(eventual(history, 1, value), dot);
    assert_eq!(kinds("register", read(open(), 2, "n2/1:1")), [""; 0], "it may have any version");
    assert_eq!(
        kinds("register", read(open(), 2, "n1/1:1")),
        ["wrong-version"],
        "but that of a write that was answered"
    );
    let seen = || read(open(), 2, "n2/1:1");
    assert_eq!(kinds("register", read(seen(), 2, "n2/1:1|n3/1:1")), [""; 0]);
    for (value, dot) in [(3, "n2/1:1"), (2, "n3/1:1")] {
        let found = anomalies("register", &read(seen(), value, dot).events());
        assert_eq!(
            (found[0].kind.as_str(), found[0].ops.len(), found.len()),
            ("wrong-version", 2, 1),
            "{value} {dot}"
        );
    }
}

#[test]
fn elements_are_added_before_they_are_seen() {
    let set = || HistoryBuilder::new().on("s").invoke(0, "add", 1).ok(0, 1);
    for model in ["set", "cart"] {
        assert_eq!(kinds(model, eventual(set(), 1, json!([1, 3]))), ["phantom-value"]);
        assert_eq!(kinds(model, replica(set(), "n1", json!([1, 3]))), ["phantom-value"]);
        assert_eq!(
            kinds(model, eventual(set().invoke(2, "add", 3).fail(2), 1, json!([1, 3]))),
            ["aborted-read"]
        );
        assert_eq!(
            kinds(model, eventual(set(), 1, json!([3])).invoke(2, "add", 3).ok(2, 3)),
            ["future-read"]
        );
        let removed = set().invoke(0, "remove", 1).ok(0, 1);
        assert_eq!(kinds(model, eventual(eventual(removed, 1, json!([1])), 1, ())), [""; 0], "a stale read");
    }
    let odd = eventual(set(), 1, 5).events();
    let result = Provenance::of("set").expect("a model").check(&odd, &Budget::default());
    assert_eq!(result.valid, Validity::Unknown, "that is no list");
}

#[test]
fn the_other_models_have_sources_too() {
    let txn = |history: HistoryBuilder, process, steps: Value| {
        history.invoke(process, "txn", steps.clone()).ok(process, steps)
    };
    let wrote = || txn(HistoryBuilder::new(), 0, json!([["w", "p", 1], ["r", "p", 1], ["w", "q", 2]]));
    assert_eq!(
        kinds("multi-register", txn(wrote(), 1, json!([["r", "p", 1], ["r", "q", 2], ["r", "z", null]]))),
        [""; 0]
    );
    assert_eq!(
        kinds("multi-register", txn(wrote(), 1, json!([["r", "p", 2]]))),
        ["phantom-value"],
        "2 is in q"
    );
    let queue = || HistoryBuilder::new().invoke(0, "enqueue", 1).ok(0, 1).invoke(1, "dequeue", ());
    assert_eq!(kinds("queue", queue().ok(1, 1).invoke(1, "dequeue", ()).ok(1, ())), [""; 0]);
    assert_eq!(kinds("queue", queue().ok(1, 2)), ["phantom-value"]);
    let kv = || HistoryBuilder::new().invoke(0, "put", "a").ok(0, ()).invoke(0, "append", "bc").ok(0, ());
    let get = |history: HistoryBuilder, text: &str| history.invoke(1, "get", ()).ok(1, text);
    for (text, expected) in
        [("", None), ("a", None), ("abc", None), ("bcbc", None), ("ab", Some("phantom-value"))]
    {
        assert_eq!(kinds("kv", get(kv(), text)), expected.into_iter().collect::<Vec<_>>(), "{text}");
    }
    let lock = || HistoryBuilder::new().invoke(0, "acquire", ()).ok(0, 7);
    assert_eq!(kinds("mutex", lock().invoke(0, "release", 7).ok(0, 7)), [""; 0]);
    assert_eq!(kinds("mutex", lock().invoke(0, "release", 8).ok(0, 8)), ["phantom-value"]);
    let unknown = lock().invoke(1, "acquire", ()).info(1).invoke(2, "release", 8).ok(2, 8);
    assert_eq!(kinds("mutex", unknown), [""; 0], "an unanswered acquire got a token that nobody knows");
}

#[test]
fn counters_come_to_what_was_added() {
    let adds = |deltas: &[i64]| {
        deltas
            .iter()
            .fold(HistoryBuilder::new(), |history, &delta| history.invoke(0, "add", delta).ok(0, delta))
    };
    let reads = |deltas: &[i64], sum: i64| kinds("counter", eventual(adds(deltas), 1, sum));
    assert_eq!(reads(&[1, 1], 2), [""; 0]);
    assert_eq!(reads(&[1, 1], 0), [""; 0], "an eventual read may lag behind");
    assert_eq!(reads(&[1, 1], 3), ["phantom-value"]);
    assert_eq!(reads(&[1, -2], -3), ["phantom-value"]);
    assert_eq!(reads(&[4, 6], 5), ["phantom-value"], "there are only even steps");
    let failed = eventual(adds(&[1]).invoke(2, "add", 5).fail(2), 1, 6);
    assert_eq!(kinds("counter", failed), ["aborted-read"]);
    assert_eq!(kinds("counter", eventual(adds(&[1]), 1, 6).invoke(2, "add", 5).ok(2, 5)), ["future-read"]);
}

#[test]
fn no_account_holds_more_than_there_is_or_than_was_moved_there() {
    let read = |history: HistoryBuilder, a: i64, b: i64| eventual(history, 1, json!({"a": a, "b": b}));
    let first = || HistoryBuilder::new().read(0, json!({"a": 10, "b": 10}));
    assert_eq!(kinds("bank", read(first(), 20, 20)), [""; 0], "each balance is of a moment of its own");
    let found = anomalies("bank", &read(first(), 21, 0).events()).remove(0);
    assert_eq!((found.kind.as_str(), found.ops.as_slice()), ("phantom-value", [0, 2].as_slice()));
    let initial = || [("a".to_owned(), 10), ("b".to_owned(), 10)].into();
    let moved = |a: i64| {
        let transfer = json!({"from": "b", "to": "a", "amount": 4});
        let history = HistoryBuilder::new().invoke(0, "transfer", transfer).info(0);
        let check = Provenance::of_bank(initial());
        check.check(&read(history, a, 10).events(), &Budget::default()).anomalies
    };
    assert_eq!((moved(10).len(), moved(14).len()), (0, 0));
    assert_eq!([moved(12).len(), moved(18).len(), moved(6).len()], [1; 3]);
}
