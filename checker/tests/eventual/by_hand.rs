//! Hand-written histories for every verdict and every anomaly of these checks.

use std::time::Duration;

use growler_checker::convergence::lww::Lww;
use growler_checker::convergence::order::Rules;
use growler_checker::convergence::replicas::Convergence;
use growler_checker::convergence::resurrection::Resurrection;
use growler_checker::convergence::set_full::SetFull;
use growler_checker::convergence::siblings::Siblings;
use growler_checker::history::{Event, EventType, HistoryBuilder, Process};
use growler_checker::verdict::{Budget, Check, CheckResult, Validity};
use serde_json::{Value, json};

const LWW: Rules = Rules { lww: true, ordered_writes: false };
const SIBLINGS: Rules = Rules { lww: false, ordered_writes: false };

fn judge(check: &dyn Check, history: HistoryBuilder) -> CheckResult {
    check.check(&history.events(), &Budget::default())
}

/// The kinds of anomaly that a check finds.
fn kinds(check: &dyn Check, history: HistoryBuilder) -> Vec<String> {
    let result = judge(check, history);
    assert_eq!(result.valid == Validity::Invalid, !result.anomalies.is_empty());
    result.anomalies.into_iter().map(|anomaly| anomaly.kind).collect()
}

/// What the last answer says of its versions: `n1/1:2|n2/1:1`, a clock, the nanoseconds of a timestamp of n1.
fn says(history: HistoryBuilder, version: &str, clock: Value, ns: i64) -> HistoryBuilder {
    history.edit(|event| {
        let extra = event.extra_mut();
        extra.version = Some(version.into());
        extra.context = Some(clock.into());
        extra.timestamp = Some(json!([ns, "n1"]).into()).filter(|_| ns > 0);
    })
}

/// The last invocation was sent with this context.
fn sent(history: HistoryBuilder, clock: Value) -> HistoryBuilder {
    history.edit(|event| event.extra_mut().context = Some(clock.into()))
}

fn wrote(
    history: HistoryBuilder,
    value: impl Into<Value>,
    version: &str,
    clock: Value,
    ns: i64,
) -> HistoryBuilder {
    says(history.write(0, value), version, clock, ns)
}

/// A whole `replica-read` by process 9.
fn holds(
    history: HistoryBuilder,
    node: &str,
    value: impl Into<Value>,
    version: &str,
    clock: Value,
    ns: i64,
) -> HistoryBuilder {
    let asked = history.invoke(9, "replica-read", ()).edit(|event| event.node = Some(node.into()));
    says(asked.ok(9, value), version, clock, ns)
}

fn nemesis(history: HistoryBuilder, f: &str) -> HistoryBuilder {
    // The builder writes clients only; what follows keeps its place by its position.
    history.invoke(77, f, ()).edit(|event| (event.process, event.kind) = (Process::Nemesis, EventType::Info))
}

fn convergence() -> Convergence {
    Convergence::new(SIBLINGS)
}

#[test]
fn replicas_that_hold_the_same_have_converged() {
    let history = wrote(HistoryBuilder::new(), 5, "n1/1:1", json!({"n1/1": 1}), 0);
    let history = holds(history, "n1", 5, "n1/1:1", json!({"n1/1": 1}), 0);
    let late = holds(history.clone(), "n2", (), "", json!({}), 0);
    let late = holds(late, "n1", 5, "n1/1:1", json!({"n1/1": 1}), 0);
    let result = judge(&convergence(), holds(late, "n2", 5, "n1/1:1", json!({"n1/1": 1}), 0));
    assert_eq!((result.valid, &result.stats["replica_coverage"]), (Validity::Valid, &json!("all")));
    // The write ended at 1 ms; from the answer at 7 ms on, all are the same.
    assert_eq!(result.stats["converged_ms"]["p100"], json!(6));
    assert_eq!(kinds(&convergence(), holds(history, "n2", (), "", json!({}), 0)), ["diverged"]);
}

/// A whole `replica-read` by process 9 that says nothing of versions.
fn bare(history: HistoryBuilder, node: &str, value: impl Into<Value>) -> HistoryBuilder {
    history.invoke(9, "replica-read", ()).edit(|event| event.node = Some(node.into())).ok(9, value)
}

#[test]
fn replicas_differ_though_one_that_names_no_versions_could_agree_with_both() {
    let written = wrote(HistoryBuilder::new(), 3, "n1/1:1", json!({"n1/1": 1}), 0);
    let written = says(written.write(1, 4), "n3/1:1", json!({"n3/1": 1}), 0);
    let one = holds(bare(written, "n1", 3), "n2", 3, "n1/1:1", json!({"n1/1": 1}), 0);
    let other = holds(one, "n3", 3, "n1/1:1|n3/1:1", json!({"n1/1": 1, "n3/1": 1}), 0);
    assert_eq!(kinds(&convergence(), other), ["diverged"]);
}

#[test]
fn an_open_write_explains_a_replica_that_names_no_versions() {
    let added = says(HistoryBuilder::new().invoke(0, "add", 1).ok(0, 1), "n1/1:1", json!({"n1/1": 1}), 0);
    let end = |history: HistoryBuilder, elements: Vec<u64>| {
        bare(holds(history, "n1", vec![1], "n1/1:1", json!({"n1/1": 1}), 0), "n2", elements)
    };
    let open = judge(&convergence(), end(added.clone().invoke(1, "add", 2), vec![1, 2]));
    assert_eq!((open.valid, open.anomalies.len()), (Validity::Unknown, 0), "{open:?}");
    assert_eq!(kinds(&convergence(), end(added.invoke(1, "add", 2), vec![])), ["diverged"]);
    // A value that was seen before is no proof if an open write may have brought it again.
    let again = HistoryBuilder::new().write(0, 5).read(0, 5).write(0, 7).invoke(1, "write", 5);
    let result = judge(&convergence(), bare(bare(again, "n1", 7), "n2", 5));
    assert_eq!((result.valid, result.anomalies.len()), (Validity::Unknown, 0), "{result:?}");
    let once = HistoryBuilder::new().invoke(1, "write", 5).read(0, 5).write(0, 7);
    assert_eq!(kinds(&convergence(), bare(bare(once, "n1", 7), "n2", 5)), ["diverged"]);
}

#[test]
fn what_beat_a_write_may_have_been_replaced_by_one_with_a_lesser_timestamp() {
    // 15 loses to 16, which 19 replaces knowingly, with a clock that is behind.
    let lost = wrote(HistoryBuilder::new(), 15, "n2/1:1", json!({"n2/1": 1}), 77);
    let both = says(lost.write(1, 16), "n1/1:1", json!({"n1/1": 1}), 83);
    let end = |context: Value| {
        let third = sent(both.clone().invoke(2, "write", 19), context).ok(2, 19);
        let third = says(third, "n3/1:1", json!({"n1/1": 1, "n3/1": 1}), 68);
        holds(third, "n3", 19, "n3/1:1", json!({"n1/1": 1, "n2/1": 1, "n3/1": 1}), 68)
    };
    // The answer of 16 need not have said which version that is.
    let nameless = wrote(HistoryBuilder::new(), 15, "n2/1:1", json!({"n2/1": 1}), 77).write(1, 16);
    let nameless = sent(nameless.invoke(2, "write", 19), json!({"n1/1": 1})).ok(2, 19);
    let nameless = says(nameless, "n3/1:1", json!({"n1/1": 1, "n3/1": 1}), 68);
    let nameless = holds(nameless, "n3", 19, "n3/1:1", json!({"n1/1": 1, "n2/1": 1, "n3/1": 1}), 68);
    assert!(kinds(&Convergence::new(LWW), nameless.clone()).is_empty());
    assert!(kinds(&Lww::default(), nameless).is_empty());
    for (check, lost) in [
        (&Convergence::new(LWW) as &dyn Check, vec!["lost-write"; 2]),
        (&Lww::default(), vec!["lost-against-lww"; 3]),
    ] {
        assert!(kinds(check, end(json!({"n1/1": 1}))).is_empty(), "{}", check.name());
        assert_eq!(kinds(check, end(json!({}))), lost, "{}", check.name());
    }
}

#[test]
fn an_open_addition_explains_its_own_element_and_no_other() {
    let answer = |history: HistoryBuilder, one: &[u64], other: &[u64], rules| {
        judge(&Convergence::new(rules), bare(bare(history, "n1", one.to_vec()), "n2", other.to_vec()))
    };
    let added = HistoryBuilder::new().on("s").invoke(0, "add", 1).ok(0, 1).invoke(1, "add", 2);
    let kinds = |result: &CheckResult| result.anomalies.iter().map(|a| a.kind.clone()).collect::<Vec<_>>();
    let own = answer(added.clone(), &[1], &[1, 2], SIBLINGS);
    assert_eq!((own.valid, own.anomalies.len()), (Validity::Unknown, 0), "{own:?}");
    let others = answer(added.clone(), &[1], &[2], SIBLINGS);
    assert_eq!(kinds(&others), ["diverged"]);
    // Where a list is written as a whole and a timestamp decides, the open addition may have come without 1;
    assert_eq!(answer(added, &[1], &[2], LWW).valid, Validity::Unknown);
    // and where elements are removed, it may bring one back.
    let removed = HistoryBuilder::new().on("s").invoke(0, "add", 1).ok(0, 1).invoke(0, "remove", 1).ok(0, 1);
    let removed = answer(removed.invoke(1, "add", 2), &[], &[1], SIBLINGS);
    assert_eq!((removed.valid, removed.anomalies.len()), (Validity::Unknown, 0), "{removed:?}");
}

#[test]
fn where_writes_are_ordered_an_older_value_in_the_end_betrays_a_lost_one() {
    let ordered = Convergence::new(Rules { lww: false, ordered_writes: true }).settling(Duration::ZERO);
    let read = |history: HistoryBuilder, value: Value| history.invoke(9, "read", ()).ok(9, value);
    let two = HistoryBuilder::new().write(0, 1).write(0, 2);
    assert_eq!(kinds(&ordered, read(two.clone(), json!(1))), ["lost-write"]);
    assert!(kinds(&ordered, read(two.clone(), json!(2))).is_empty());
    // Nothing orders writes at the same time, or one that was never answered,
    let at_once = HistoryBuilder::new().invoke(0, "write", 1).invoke(1, "write", 2).ok(1, 2).ok(0, 1);
    assert!(kinds(&ordered, read(at_once, json!(1))).is_empty());
    let never = HistoryBuilder::new().invoke(1, "write", 1).write(0, 2);
    assert!(kinds(&ordered, read(never, json!(1))).is_empty());
    // and not every store orders them.
    let unordered = Convergence::new(SIBLINGS).settling(Duration::ZERO);
    assert!(kinds(&unordered, read(two, json!(1))).is_empty());
    let deleted = HistoryBuilder::new().write(0, ()).write(0, 2);
    assert_eq!(kinds(&ordered, read(deleted.clone(), Value::Null)), ["lost-write"]);
    assert!(kinds(&ordered, read(deleted.write(0, ()), Value::Null)).is_empty());
}

#[test]
fn long_lists_that_differ_are_told_by_what_they_lack() {
    let list = |to: u64| (1..=to).collect::<Vec<u64>>();
    let history = HistoryBuilder::new().on("s").invoke(0, "add", 1).ok(0, 1);
    let of = |ones: Vec<u64>, others: Vec<u64>| {
        let history = holds(history.clone(), "n1", ones, "n1/1:2", json!({"n1/1": 2}), 0);
        let history = holds(history, "n2", others, "n1/1:1", json!({"n1/1": 1}), 0);
        judge(&convergence(), history).anomalies.remove(0).explanation
    };
    assert_eq!(
        of(list(12), list(9)),
        "In the end n1 holds 12 elements (n1/1:2) and n2 holds 9 elements (n1/1:1) of key s; \
         n2 lacks 10, 11, 12."
    );
    assert_eq!(
        of(vec![1, 2], vec![1, 3]),
        "In the end n1 holds [1,2] (n1/1:2) and n2 holds [1,3] (n1/1:1) of key s; n1 lacks 3; n2 lacks 2."
    );
    let many = of(list(30), vec![1]);
    assert!(many.ends_with("n2 lacks 2, 3, 4, 5, 6, 7, 8, 9 and 21 more."), "{many}");
}

#[test]
fn a_collected_tombstone_agrees_with_one_that_is_still_there_and_two_do_not_agree() {
    let history = wrote(HistoryBuilder::new(), (), "n1/1:1", json!({"n1/1": 1}), 0);
    let history = holds(history, "n1", (), "n1/1:1", json!({"n1/1": 1}), 0);
    let history = holds(history, "n2", (), "", json!({}), 0);
    assert!(kinds(&convergence(), history.clone()).is_empty());
    assert_eq!(
        kinds(&convergence(), holds(history, "n3", (), "n3/1:1", json!({"n3/1": 1}), 0)),
        ["diverged"]
    );
}

#[test]
fn a_write_that_may_take_effect_between_two_answers_leaves_it_undecided() {
    let history = HistoryBuilder::new().invoke(0, "write", 5).info(0);
    let once = holds(history.clone(), "n1", (), "", json!({}), 0);
    let once = holds(once, "n2", 5, "n2/1:1", json!({"n2/1": 1}), 0);
    let result = judge(&convergence(), once.clone());
    assert_eq!(result.valid, Validity::Unknown);
    assert!(result.unknown[0].contains("never answered"), "{:?}", result.unknown);
    // Two rounds later it had been seen before, and one replica still lacks it. (Nothing but the open write is
    // known to have replaced anything, and an empty replica is no sign of a delete.)
    let twice = holds(once, "n1", (), "", json!({}), 0);
    assert_eq!(kinds(&convergence(), holds(twice, "n2", 5, "n2/1:1", json!({"n2/1": 1}), 0)), ["diverged"]);
}

#[test]
fn a_replica_that_was_not_asked_and_a_fault_in_force_leave_it_undecided() {
    let history = wrote(HistoryBuilder::new(), 5, "n1/1:1", json!({"n1/1": 1}), 0);
    let asked = |history: HistoryBuilder| {
        history.invoke(8, "replica-read", ()).edit(|event| event.node = Some("n2".into()))
    };
    let one = holds(history.clone(), "n1", 5, "n1/1:1", json!({"n1/1": 1}), 0);
    let result = judge(&convergence(), asked(one.clone()).info(8));
    assert_eq!(result.valid, Validity::Unknown);
    assert!(result.unknown[0].contains("n2 did not tell"), "{:?}", result.unknown);
    let no_replica = asked(one).fail(8).edit(|event| event.error = Some("not-a-replica".into()));
    assert_eq!(judge(&convergence(), no_replica).valid, Validity::Valid);
    let cut = nemesis(history, "partition");
    let result = judge(&convergence(), holds(cut.clone(), "n1", 5, "n1/1:1", json!({"n1/1": 1}), 0));
    assert_eq!(result.valid, Validity::Unknown);
    assert!(result.unknown[0].contains("in force"), "{:?}", result.unknown);
}

#[test]
fn ordinary_reads_stand_in_for_replicas_once_all_has_settled() {
    let at = |history: HistoryBuilder, value: i64, time: u64| {
        let read = history.invoke(1, "read", ()).edit(|event| event.time = time);
        read.ok(1, value).edit(|event| event.time = time + 1)
    };
    let soon = at(HistoryBuilder::new().write(0, 1).write(0, 2), 1, 1_000_000_000);
    let result = judge(&convergence(), soon.clone());
    assert_eq!(result.valid, Validity::Unknown, "nobody read it late enough");
    let once = at(soon, 2, 6_000_000_000);
    let result = judge(&convergence(), once.clone());
    assert_eq!((result.valid, &result.stats["replica_coverage"]), (Validity::Valid, &json!("unknown")));
    assert_eq!(kinds(&convergence(), at(once.clone(), 1, 7_000_000_000)), ["diverged"]);
    assert!(kinds(&convergence().settling(Duration::from_secs(9)), at(once, 1, 7_000_000_000)).is_empty());
}

#[test]
fn a_write_is_lost_if_nothing_can_have_replaced_it() {
    let both = wrote(HistoryBuilder::new(), 1, "n1/1:1", json!({"n1/1": 1}), 0);
    let both = says(both.write(1, 2), "n2/1:1", json!({"n2/1": 1}), 0);
    let clock = json!({"n1/1": 1, "n2/1": 1});
    assert_eq!(
        kinds(&convergence(), holds(both.clone(), "n1", 2, "n2/1:1", clock.clone(), 0)),
        ["lost-write"]
    );
    assert!(
        kinds(&convergence(), holds(both.clone(), "n1", 2, "n1/1:1|n2/1:1", clock.clone(), 0)).is_empty()
    );
    // A third one had seen both.
    let third = wrote(both.clone(), 3, "n1/1:2", json!({"n1/1": 2, "n2/1": 1}), 0);
    assert!(
        kinds(&convergence(), holds(third, "n1", 3, "n1/1:2", json!({"n1/1": 2, "n2/1": 1}), 0)).is_empty()
    );
    // A delete had, and may have been collected; one that was never answered may have.
    let deleted = wrote(both.clone(), (), "n1/1:2", json!({"n1/1": 2, "n2/1": 1}), 0);
    assert!(kinds(&convergence(), holds(deleted, "n1", (), "", json!({}), 0)).is_empty());
    let maybe = both.clone().invoke(5, "write", ()).info(5);
    assert!(kinds(&convergence(), holds(maybe, "n1", (), "", json!({}), 0)).is_empty());
    assert_eq!(kinds(&convergence(), holds(both, "n1", (), "", json!({}), 0)), ["lost-write", "lost-write"]);
}

#[test]
fn where_the_last_writer_wins_the_older_one_is_not_lost() {
    let both = wrote(HistoryBuilder::new(), 1, "n1/1:1", json!({"n1/1": 1}), 50);
    let both = says(both.write(1, 2), "n2/1:1", json!({"n2/1": 1}), 60);
    let clock = json!({"n1/1": 1, "n2/1": 1});
    let newer = holds(both.clone(), "n1", 2, "n2/1:1", clock.clone(), 60);
    let older = holds(both, "n1", 1, "n1/1:1", clock, 50);
    let check = Convergence::new(LWW);
    assert!(kinds(&check, newer.clone()).is_empty());
    assert_eq!(kinds(&check, older.clone()), ["lost-write"]);
    let result = judge(&Lww::default(), newer);
    assert_eq!((result.valid, &result.stats["lww_losses"]), (Validity::Valid, &json!(1)));
    // By the clock beside it, and by the end.
    assert_eq!(kinds(&Lww::default(), older), ["lost-against-lww", "lost-against-lww"]);
}

#[test]
fn a_loss_by_a_clock_that_was_ahead_is_counted_as_skew() {
    // 1 is written at 90 and ends; 2 begins later, and is given 60.
    let both = wrote(HistoryBuilder::new(), 1, "n1/1:1", json!({"n1/1": 1}), 90);
    let both =
        says(both.invoke(1, "cas", json!([(), 2])).ok(1, json!([(), 2])), "n2/1:1", json!({"n2/1": 1}), 60);
    let history = holds(both, "n1", 1, "n1/1:1", json!({"n1/1": 1, "n2/1": 1}), 90);
    let result = judge(&Lww::default(), history);
    assert_eq!(result.valid, Validity::Valid);
    for stat in ["lww_losses", "lww_losses_conditional", "lww_losses_by_skew"] {
        assert_eq!(result.stats[stat], json!(1), "{stat}");
    }
}

#[test]
fn what_a_delete_replaced_must_not_come_back() {
    let check = Resurrection::new(SIBLINGS);
    let gone = wrote(HistoryBuilder::new(), 1, "n1/1:1", json!({"n1/1": 1}), 0);
    let gone = wrote(gone, (), "n1/1:2", json!({"n1/1": 2}), 0);
    let read = |clock: Value| says(gone.clone().read(1, 1), "n1/1:1", clock, 0);
    assert_eq!(kinds(&check, read(json!({"n1/1": 2}))), ["resurrected"], "it knew of the delete");
    let stale = judge(&check, read(json!({"n1/1": 1})));
    assert_eq!((stale.valid, &stale.stats["stale_reads"]), (Validity::Valid, &json!(1)));
    // In the end all have it, and none knows of the delete.
    let end = holds(gone.clone(), "n1", 1, "n1/1:1", json!({"n1/1": 1}), 0);
    assert_eq!(kinds(&check, holds(end.clone(), "n2", 1, "n1/1:1", json!({"n1/1": 1}), 0)), ["resurrected"]);
    assert!(kinds(&check, holds(end, "n2", (), "", json!({}), 0)).is_empty(), "that is divergence");
    // What the delete had not seen is no resurrection: a concurrent write, a later one, one never answered.
    let shown = |gone: HistoryBuilder, version: &str, clock: Value| {
        judge(&check, says(gone.read(1, 8), version, clock, 0))
    };
    let concurrent = says(gone.clone().write(2, 8), "n2/1:1", json!({"n2/1": 1}), 0);
    let result = shown(concurrent, "n2/1:1", json!({"n1/1": 2, "n2/1": 1}));
    assert_eq!((result.valid, &result.stats["concurrent"]), (Validity::Valid, &json!(1)));
    let later = says(gone.clone().write(2, 8), "n2/1:1", json!({"n1/1": 2, "n2/1": 1}), 0);
    let result = shown(later, "n2/1:1", json!({"n1/1": 2, "n2/1": 1}));
    assert_eq!((result.valid, &result.stats["reinserted"]), (Validity::Valid, &json!(1)));
    let result = shown(gone.clone().invoke(2, "write", 8).info(2), "n2/1:1", json!({"n1/1": 2, "n2/1": 1}));
    assert_eq!((result.valid, &result.stats["indeterminate"]), (Validity::Valid, &json!(1)));
}

#[test]
fn a_delete_that_lost_to_a_higher_timestamp_is_no_resurrection() {
    let history = wrote(HistoryBuilder::new(), 1, "n2/1:1", json!({"n2/1": 1}), 90);
    let history = says(history.write(1, ()), "n1/1:1", json!({"n1/1": 1}), 60);
    let history = says(history.read(1, 1), "n2/1:1", json!({"n1/1": 1, "n2/1": 1}), 90);
    let result = judge(&Resurrection::new(LWW), history);
    assert_eq!((result.valid, &result.stats["lww_losses"]), (Validity::Valid, &json!(1)));
}

#[test]
fn without_versions_the_delete_must_have_seen_it_or_writes_be_ordered() {
    let told = Resurrection::new(SIBLINGS).settling(Duration::ZERO);
    let saw = HistoryBuilder::new().write(0, 1).invoke(0, "write", ()).ok_observed(0, 1);
    assert_eq!(kinds(&told, saw.clone().read(1, 1)), ["resurrected"]);
    assert!(
        kinds(&told, saw.invoke(2, "write", 1).info(2).read(1, 1)).is_empty(),
        "it may have been written again"
    );
    let blind = HistoryBuilder::new().write(0, 1).write(0, ()).read(1, 1);
    assert!(kinds(&told, blind.clone()).is_empty());
    let ordered = Resurrection::new(Rules::default()).settling(Duration::ZERO);
    assert_eq!(kinds(&ordered, blind), ["resurrected"]);
}

#[test]
fn siblings_are_kept_until_they_are_replaced() {
    let check = Siblings::default();
    // Two writes with the same context through one coordinator.
    let both = sent(HistoryBuilder::new().invoke(0, "write", 1), json!({}));
    let both = says(both.ok(0, 1), "n1/1:1", json!({"n1/1": 1}), 0);
    let both = sent(both.invoke(1, "write", 2), json!({}));
    let both = says(both.ok(1, 2), "n1/1:2", json!({"n1/1": 2}), 0);
    let shown = |version: &str| says(both.clone().read(2, 2), version, json!({"n1/1": 2}), 0);
    assert!(kinds(&check, shown("n1/1:1|n1/1:2")).is_empty());
    assert_eq!(kinds(&check, shown("n1/1:2")), ["sibling-lost"]);
    let blind = says(both.clone().write(3, 3), "n1/1:3", json!({"n1/1": 3}), 0);
    assert!(kinds(&check, says(blind.clone().read(2, 3), "n1/1:3", json!({"n1/1": 3}), 0)).is_empty());
    let conflict = says(blind.read(2, 3), "n1/1:2|n1/1:3", json!({"n1/1": 3}), 0);
    assert_eq!(kinds(&check, conflict), ["false-conflict"]);
    let twice = says(both.write(3, 3), "n1/1:2", json!({"n1/1": 2}), 0);
    assert_eq!(kinds(&check, twice), ["sibling-lost"], "two writes with one dot");
}

#[test]
fn what_was_reconciled_stays_reconciled() {
    let both = wrote(HistoryBuilder::new(), 1, "n1/1:1", json!({"n1/1": 1}), 0);
    let both = says(both.write(1, 2), "n2/1:1", json!({"n2/1": 1}), 0);
    let clock = json!({"n1/1": 1, "n2/1": 1});
    let seen = says(both.read(2, 2), "n1/1:1|n2/1:1", clock.clone(), 0);
    let open = holds(seen.clone(), "n1", 2, "n1/1:1|n2/1:1", clock.clone(), 0);
    let result = judge(&Siblings::default(), open);
    assert_eq!((result.valid, &result.stats["ended_with_siblings"]), (Validity::Valid, &json!(1)));
    let merged = sent(seen.invoke(2, "write", 3), clock.clone());
    let merged = says(merged.ok(2, 3), "n1/1:2", json!({"n1/1": 2, "n2/1": 1}), 0);
    let end = holds(merged, "n1", 2, "n1/1:1|n2/1:1", clock, 0);
    assert_eq!(kinds(&Siblings::default(), end), ["unresolved-siblings", "unresolved-siblings"]);
}

#[test]
fn what_was_added_to_a_cart_stays_unless_removed() {
    let cart = says(HistoryBuilder::new().invoke(0, "add", 1).ok(0, 1), "n1/1:1", json!({"n1/1": 1}), 0);
    let cart = sent(cart.invoke(0, "add", 2), json!({"n1/1": 1}));
    let cart = says(cart.ok(0, 2), "n1/1:2", json!({"n1/1": 2}), 0);
    let shown = |cart: &HistoryBuilder, elements: Value, clock: Value| {
        judge(&Siblings::default(), says(cart.clone().read(1, elements), "n1/1:2", clock, 0))
    };
    assert_eq!(shown(&cart, json!([1, 2]), json!({"n1/1": 2})).valid, Validity::Valid);
    assert_eq!(shown(&cart, json!([2]), json!({"n1/1": 2})).anomalies[0].kind, "sibling-lost");
    assert_eq!(shown(&cart, json!([]), json!({})).valid, Validity::Valid, "it is behind");
    let removed = says(cart.clone().invoke(0, "remove", 1).ok(0, 1), "n2/1:1", json!({"n2/1": 1}), 0);
    assert_eq!(shown(&removed, json!([2]), json!({"n1/1": 2})).valid, Validity::Valid);
    // The remove was sent without a context, so the sibling still has the element.
    let clock = json!({"n1/1": 2, "n2/1": 1});
    let back = says(removed.read(1, json!([1, 2])), "n1/1:2|n2/1:1", clock, 0);
    let back = judge(&Siblings::default(), back);
    assert_eq!((back.valid, &back.stats["returned"]), (Validity::Valid, &json!(1)));
}

#[test]
fn the_elements_of_a_set_are_stable_lost_or_neither() {
    let check = SetFull::eventual();
    let set = HistoryBuilder::new().invoke(0, "add", 1).ok(0, 1).read(1, json!([1]));
    assert_eq!(judge(&check, set.clone()).valid, Validity::Valid);
    assert_eq!(kinds(&check, set.clone().read(1, json!([]))), ["lost-element"]);
    let held = holds(set.clone(), "n1", json!([1]), "", json!({}), 0).read(1, json!([]));
    assert_eq!(judge(&check, held).valid, Validity::Unknown, "a replica has it, and nothing else is stable");
    assert_eq!(judge(&check, HistoryBuilder::new().read(1, json!([]))).valid, Validity::Unknown);
    assert_eq!(kinds(&check, set.clone().read(1, json!([1, 2]))), ["unexpected-element"]);
    let failed = set.clone().invoke(2, "add", 2).fail(2).read(1, json!([1, 2]));
    assert_eq!(kinds(&check, failed), ["unexpected-element"]);
    assert_eq!(kinds(&check, set.clone().read(1, json!([1, 1]))), ["duplicate-element"]);
    let removed = set.clone().invoke(2, "remove", 1).info(2).read(1, json!([]));
    assert!(kinds(&check, removed).is_empty());
    let stale = HistoryBuilder::new().invoke(0, "add", 1).ok(0, 1).read(1, json!([])).read(1, json!([]));
    let stale = stale.read(1, json!([1]));
    assert_eq!(judge(&check, stale.clone()).stats["stale"], json!(1));
    assert_eq!(kinds(&SetFull::linearizable(), stale), ["stale-element"]);
    assert_eq!(judge(&check, set.read(1, 7)).valid, Validity::Unknown, "a number is no set");
}

#[test]
fn what_is_no_history_is_not_judged() {
    let events: Vec<Event> = HistoryBuilder::new().read(0, 1).events()[1..].to_vec();
    let checks: [&dyn Check; 5] = [
        &convergence(),
        &Resurrection::new(SIBLINGS),
        &Lww::default(),
        &Siblings::default(),
        &SetFull::eventual(),
    ];
    for check in checks {
        assert_eq!(check.check(&events, &Budget::default()).valid, Validity::Unknown, "{}", check.name());
        let nothing = check.check(&[], &Budget::default()).valid;
        assert_eq!(nothing == Validity::Valid, check.name() != "set-full", "{}", check.name());
    }
}
