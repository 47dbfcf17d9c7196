//! Staleness by hand: how far reads are behind, the bound, and what counts.

use std::time::Duration;

use growler_checker::convergence::order::Rules;
use growler_checker::convergence::staleness::Staleness;
use growler_checker::history::{Consistency, Event, HistoryBuilder};
use growler_checker::verdict::{Budget, Check, CheckResult, Validity};

use super::told::clock;

fn check(events: &[Event], max_ms: Option<u64>) -> CheckResult {
    Staleness::new(Rules::default(), max_ms.map(Duration::from_millis)).check(events, &Budget::default())
}

fn eventual(event: &mut Event) {
    event.consistency = Some(Consistency::Eventual);
}

/// Three versions, and an eventual read of the first: begun at 6 ms, 3 ms after the second was answered.
fn behind_by_two() -> Vec<Event> {
    let mut history = HistoryBuilder::new().on("k");
    for n in 1..4 {
        history = clock(history.write(0, n), &format!("n1/1:{n}"), &format!("n1/1:{n}"));
    }
    clock(history.read(1, 1), "n1/1:1", "n1/1:1").edit(eventual).events()
}

#[test]
fn a_read_is_behind_by_versions_and_by_time() {
    let result = check(&behind_by_two(), None);
    assert_eq!(result.valid, Validity::Valid, "without a bound it only measures");
    let eventual = &result.stats["by"]["eventual"];
    assert_eq!((eventual["reads"].as_u64(), eventual["stale"].as_u64()), (Some(1), Some(1)));
    assert_eq!(eventual["versions_behind"]["max"].as_u64(), Some(2));
    assert_eq!(eventual["time_behind_ns"]["p50"].as_u64(), Some(3_000_000));
    // The last write was answered a millisecond before.
    let ages = &eventual["by_age"];
    assert_eq!(ages["below_us"].as_array().and_then(|bounds| bounds.last()?.as_u64()), Some(1_024));
    assert_eq!(ages["stale"].as_array().and_then(|stale| stale.last()?.as_u64()), Some(1));
}

#[test]
fn a_bound_is_a_gate_with_a_certificate() {
    assert_eq!(check(&behind_by_two(), Some(3)).valid, Validity::Valid, "exactly as far as is allowed");
    let result = check(&behind_by_two(), Some(2));
    assert_eq!(result.valid, Validity::Invalid);
    let anomaly = &result.anomalies[0];
    assert_eq!((anomaly.kind.as_str(), &anomaly.ops[..]), ("too-stale", &[2, 6][..]));
    assert_eq!(
        anomaly.explanation,
        "Process 0 wrote 2 to key k (version n1/1:2, answered at 0.003 s); 3.000 ms later process 1 began a read and \
         read 1 from key k (version n1/1:1, answered at 0.007 s), which lacks it (2 versions behind; allowed are \
         2.000 ms)."
    );
}

#[test]
fn only_what_was_answered_before_a_read_began_is_missed() {
    let events = HistoryBuilder::new()
        .on("k")
        .write(0, 1)
        .invoke(0, "write", 2)
        .invoke(1, "write", 3)
        .invoke(2, "read", ())
        .info(0)
        .ok(1, 3)
        .ok(2, 1)
        .events();
    let strong = &check(&events, Some(0)).stats["by"]["strong"];
    assert_eq!((strong["reads"].as_u64(), strong["stale"].as_u64()), (Some(1), Some(0)));
}

#[test]
fn the_worst_reads_are_shown_first_and_all_are_counted() {
    let mut history = HistoryBuilder::new().on("k").write(0, 1).write(0, 2);
    for _ in 0..30 {
        history = history.read(1, 1).edit(eventual);
    }
    let result = check(&history.events(), Some(0));
    assert_eq!(result.stats["too_stale"].as_u64(), Some(30));
    assert_eq!(result.anomalies.len(), 10);
    assert_eq!(result.anomalies[0].ops, [2, 62]);
}

#[test]
fn keys_whose_versions_cannot_be_compared_are_unknown() {
    let events = HistoryBuilder::new().on("k").write(0, 1).read(1, 1).events();
    let unordered = Staleness::new(Rules { lww: false, ordered_writes: false }, None);
    assert_eq!(unordered.check(&events, &Budget::default()).valid, Validity::Unknown);
}
