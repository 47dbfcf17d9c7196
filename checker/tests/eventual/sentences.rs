//! What an anomaly says to a person: who did what and when, and "nothing" where there is nothing.

use std::time::Duration;

use growler_checker::convergence::order::Rules;
use growler_checker::convergence::resurrection::Resurrection;
use growler_checker::convergence::set_full::SetFull;
use growler_checker::history::HistoryBuilder;
use growler_checker::verdict::{Budget, Check};
use serde_json::json;

/// The sentence of the first anomaly.
fn told(check: &dyn Check, history: HistoryBuilder) -> String {
    let mut result = check.check(&history.on("k").events(), &Budget::default());
    result.anomalies.remove(0).explanation
}

fn added(history: HistoryBuilder) -> HistoryBuilder {
    history.invoke(0, "add", 1).ok(0, 1)
}

#[test]
fn a_lost_element_is_told_by_who_added_it_and_who_missed_it() {
    let set = || added(HistoryBuilder::new().on("k"));
    assert_eq!(
        told(&SetFull::eventual(), set().read(1, json!([1])).read(2, json!([]))),
        "Process 0 added element 1 to key k (0.000 s to 0.001 s); process 1 (0.002 s to 0.003 s) read it last, and \
         process 2 (0.004 s to 0.005 s) did not find it any more."
    );
    assert_eq!(
        told(&SetFull::eventual(), set().read(2, json!([]))),
        "Process 0 added element 1 to key k (0.000 s to 0.001 s); nobody ever read it, and process 2 (0.002 s to \
         0.003 s) did not find it."
    );
}

#[test]
fn other_elements_are_told_by_who_read_them() {
    let set = || added(HistoryBuilder::new().on("k"));
    assert_eq!(
        told(&SetFull::eventual(), set().read(1, json!([1, 2]))),
        "Process 1 read element 2 from key k (0.002 s to 0.003 s), and nobody ever tried to add it."
    );
    assert_eq!(
        told(&SetFull::eventual(), set().read(1, json!([1, 1]))),
        "Process 1 found element 1 more than once in one read of key k (0.002 s to 0.003 s)."
    );
    assert_eq!(
        told(&SetFull::linearizable(), set().read(1, json!([])).read(1, json!([1]))),
        "Process 0 added element 1 to key k (0.000 s to 0.001 s); process 1 (0.002 s to 0.003 s) asked 1 ms after it \
         was known to be there, and did not find it."
    );
}

#[test]
fn what_is_back_is_told_by_who_deleted_it_and_who_read_it() {
    let check = Resurrection::new(Rules::default()).settling(Duration::ZERO);
    assert_eq!(
        told(&check, HistoryBuilder::new().on("k").write(0, 1).write(0, ()).read(1, 1)),
        "Process 0 deleted key k (0.002 s to 0.003 s), which replaced 1, and process 1 read that again (0.004 s to \
         0.005 s)."
    );
}

#[test]
fn without_times_operations_are_told_by_their_events() {
    let mut events = added(HistoryBuilder::new().on("k")).read(2, json!([])).events();
    events.iter_mut().for_each(|event| event.time = 0);
    let result = SetFull::eventual().check(&events, &Budget::default());
    assert!(result.anomalies[0].explanation.contains("(events 2 to 3)"), "{:?}", result.anomalies);
}
