//! Checks that lie or break, and what becomes of the verdict.

use growler_checker::history::HistoryBuilder;
use growler_checker::linearizability::Linearizable;
use growler_results::verdict::{Expectations, OpCounts, Results, Verdict};

use super::*;

/// The real check, whose certificates are tampered with.
struct Tampered(fn(&mut Vec<Anomaly>));

impl Check for Tampered {
    fn name(&self) -> &'static str {
        "linearizable"
    }

    fn check(&self, events: &[Event], budget: &Budget) -> CheckResult {
        let mut result = Linearizable::cas_register().check(events, budget);
        self.0(&mut result.anomalies);
        result
    }
}

struct Broken;

impl Check for Broken {
    fn name(&self) -> &'static str {
        "sessions"
    }

    fn check(&self, events: &[Event], _: &Budget) -> CheckResult {
        panic!("{} events are too many", events.len())
    }
}

/// A stale read on each of two keys.
fn history() -> Vec<Event> {
    let stale = |history: HistoryBuilder, key: &str| {
        history.on(key).write(0, 1).write(0, 2).read(1, 2).read(1, 1).read(0, 2)
    };
    stale(stale(HistoryBuilder::new(), "a"), "b").events()
}

fn judged(checks: &[Box<dyn Check>], expectations: Expectations) -> Results {
    let events = history();
    let stats = OpCounts::of(&events);
    let mut judgement = Judgement { expectations, stats, ..Judgement::default() };
    run_checks(checks, "cas-register", &events, Path::new("kept.jsonl")).hand_over(&mut judgement);
    Results::new(&judgement, &growler_checker::anomaly::admits)
}

fn tampered(tamper: fn(&mut Vec<Anomaly>)) -> Results {
    judged(&[Box::new(Tampered(tamper))], Expectations::default())
}

#[test]
fn right_certificates_are_violations() {
    let results = tampered(|_| {});
    assert_eq!(results.verdict, Verdict::Violation);
    assert_eq!(results.reasons.len(), 1, "{:?}", results.reasons);
    let stats = &results.checks["linearizable"].stats;
    assert_eq!((&stats["certificates_confirmed"], &stats["certificates_undecided"]), (&2.into(), &0.into()));
}

#[test]
fn certificates_that_prove_nothing_are_a_defect_of_growler() {
    let results = tampered(|anomalies| anomalies.iter_mut().for_each(|anomaly| anomaly.ops.truncate(1)));
    assert_eq!(results.verdict, Verdict::Internal);
    assert_eq!(results.verdict.exit_code(), 255);
    let [first, _] = results.reasons.as_slice() else { panic!("{:?}", results.reasons) };
    for said in ["on key a", "proves nothing", "defect of growler", "report", "kept.jsonl"] {
        assert!(first.contains(said), "{first}");
    }
    assert_eq!(results.checks["linearizable"].valid, Validity::Invalid, "the checker's own answer stays");
}

#[test]
fn one_proven_violation_is_enough_and_the_defect_is_told_beside_it() {
    let results = tampered(|anomalies| anomalies[0].ops.truncate(1));
    assert_eq!(results.verdict, Verdict::Violation);
    let [violation, defect] = results.reasons.as_slice() else { panic!("{:?}", results.reasons) };
    assert!(!violation.contains("more)"), "what is not proven is not counted: {violation}");
    assert!(defect.contains("on key a") && defect.contains("defect of growler"), "{defect}");
}

#[test]
fn a_member_too_many_proves_no_less() {
    let results = tampered(|anomalies| {
        anomalies.truncate(1);
        anomalies[0].ops = vec![0, 2, 4, 6, 8];
    });
    assert_eq!(results.verdict, Verdict::Violation);
    assert!(results.reasons[1].contains("not needed"), "{:?}", results.reasons);
}

#[test]
fn nothing_excuses_a_wrong_certificate() {
    let check: Box<dyn Check> = Box::new(Tampered(|anomalies| {
        anomalies.iter_mut().for_each(|anomaly| anomaly.ops = vec![1]);
    }));
    let named = vec!["nonlinearizable".to_owned()];
    let allowed = Expectations { allow: named.clone(), expect: Vec::new() };
    let expected = Expectations { allow: Vec::new(), expect: named };
    let checks = [check];
    assert_eq!(judged(&checks, allowed).verdict, Verdict::Internal);
    assert_eq!(judged(&checks, expected).verdict, Verdict::Internal);
}

#[test]
fn a_check_that_panics_is_a_defect_and_stops_no_other() {
    let broken = judged(&[Box::new(Broken)], Expectations::default());
    assert_eq!(broken.verdict, Verdict::Internal);
    assert!(broken.reasons[0].contains("20 events are too many"), "{:?}", broken.reasons);
    let both = judged(&[Box::new(Broken), Box::new(Tampered(|_| {}))], Expectations::default());
    assert_eq!(both.verdict, Verdict::Violation);
    assert_eq!(both.checks.len(), 2);
}

#[test]
fn many_wrong_certificates_are_counted() {
    let results = tampered(|anomalies| {
        let one = Anomaly { ops: vec![1], ..anomalies[0].clone() };
        *anomalies = vec![one; 9];
    });
    assert_eq!(results.verdict, Verdict::Internal);
    assert_eq!(results.reasons.len(), TOLD + 1);
    assert!(results.reasons[TOLD].contains("6 more"), "{:?}", results.reasons);
}
