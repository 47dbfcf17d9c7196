//! From what a run came to, to the verdict that it must have.

use super::*;
use crate::verdict::{Coverage, FaultCoverage};
use growler_checker::sensitivity::{Sensitivity, Tally};

fn check(kinds: &[&str]) -> CheckResult {
    let anomalies = kinds.iter().map(|kind| anomaly(kind, "it showed".to_owned())).collect();
    accident_check(anomalies)
}

fn found(kinds: &[&str]) -> Judgement {
    let stats = OpCounts { ops: 900, ok: 900, ..OpCounts::default() };
    Judgement { checks: [("linearizable".to_owned(), check(kinds))].into(), stats, ..Judgement::default() }
}

fn undecided(mut input: Judgement) -> Judgement {
    let unknown = CheckResult {
        valid: Validity::Unknown,
        unknown: vec!["key k1: 9 steps were not enough".to_owned()],
        ..check(&[])
    };
    input.checks.insert("sessions".to_owned(), unknown);
    input
}

fn expecting(mut input: Judgement, allow: &[&str], expect: &[&str]) -> Judgement {
    let owned = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
    input.expectations = Expectations { allow: owned(allow), expect: owned(expect) };
    input
}

fn covering(mut input: Judgement) -> Judgement {
    let kill = FaultCoverage { installed: 2, invoked: 900, unreached: 0 };
    let faults = [("kill".to_owned(), kill)].into();
    let coverage = Coverage { min_ok: 500, faults, ..Coverage::default() };
    input.run = Some(RunEnd { coverage, ..RunEnd::default() });
    input
}

/// A run, to be changed.
fn of_run(kinds: &[&str], change: impl FnOnce(&mut RunEnd)) -> Judgement {
    let mut input = covering(found(kinds));
    change(input.run.as_mut().unwrap());
    input
}

fn crash() -> Crash {
    Crash { node: "n1".to_owned(), at_ns: 0, reason: "gone".to_owned() }
}

/// `nonlinearizable` is the parent of `stale-read`.
fn verdict(input: &Judgement) -> (Verdict, Vec<String>) {
    judge(input, &|parent, child| parent == "nonlinearizable" && child == "stale-read")
}

#[test]
fn nothing_found_is_a_pass_without_reasons() {
    assert_eq!(verdict(&found(&[])), (Verdict::Pass, vec![]));
    assert_eq!(verdict(&covering(found(&[]))), (Verdict::Pass, vec![]));
}

#[test]
fn an_anomaly_is_a_violation_told_once_a_name() {
    let (verdict, reasons) = verdict(&found(&["stale-read", "stale-read", "lost-write"]));
    assert_eq!(verdict, Verdict::Violation);
    assert_eq!(reasons, ["stale-read: it showed (and 1 more)", "lost-write: it showed"]);
}

#[test]
fn an_anomaly_that_is_not_proven_is_a_defect_and_no_violation() {
    let unproven = |kinds: &[&str], places: &[usize]| {
        let places = places.iter().copied().collect();
        let mut input = found(kinds);
        input.unproven.insert("linearizable".to_owned(), places);
        input.internal.push("its certificate proves nothing".to_owned());
        verdict(&input)
    };
    assert_eq!(unproven(&["stale-read"], &[0]).0, Verdict::Internal);
    let (verdict, reasons) = unproven(&["stale-read", "stale-read", "lost-write"], &[0, 2]);
    assert_eq!(verdict, Verdict::Violation);
    assert_eq!(reasons, ["stale-read: it showed", "its certificate proves nothing"]);
}

#[test]
fn a_failed_check_without_an_anomaly_is_a_violation() {
    let mut input = found(&[]);
    input.checks.insert("sessions".to_owned(), CheckResult { valid: Validity::Invalid, ..check(&[]) });
    assert_eq!(verdict(&input), (Verdict::Violation, vec!["the check sessions failed".to_owned()]));
}

#[test]
fn an_allowed_anomaly_or_a_child_of_one_is_no_failure() {
    assert_eq!(verdict(&expecting(found(&["stale-read"]), &["stale-read"], &[])).0, Verdict::Pass);
    assert_eq!(verdict(&expecting(found(&["stale-read"]), &["nonlinearizable"], &[])).0, Verdict::Pass);
    assert_eq!(verdict(&expecting(found(&["lost-write"]), &["stale-read"], &[])).0, Verdict::Violation);
    let parent = found(&["nonlinearizable"]);
    assert_eq!(verdict(&expecting(parent, &["stale-read"], &[])).0, Verdict::Violation, "only downwards");
}

#[test]
fn an_expected_anomaly_must_show_and_nothing_else_may() {
    let shows = |kinds: &[&str], expect: &[&str]| verdict(&expecting(found(kinds), &[], expect));
    assert_eq!(shows(&["stale-read"], &["stale-read", "lost-write"]).0, Verdict::Pass);
    assert_eq!(shows(&["stale-read"], &["nonlinearizable"]).0, Verdict::Pass);
    assert_eq!(shows(&["stale-read", "dirty-read"], &["stale-read"]).0, Verdict::Violation);
    let absent = shows(&[], &["stale-read", "lost-write"]);
    let reason = "expected stale-read or lost-write, and it did not show".to_owned();
    assert_eq!(absent, (Verdict::Violation, vec![reason]));
}

#[test]
fn late_recovery_and_crashes_are_violations_and_can_be_expected() {
    let miss = RecoveryMiss {
        healed_ns: 21_300_000_000,
        allowed_ns: 10_000_000_000,
        node: "n2".to_owned(),
        partition: "p1".to_owned(),
        asked: "write".to_owned(),
        recovered_ns: None,
    };
    let crash = Crash { node: "n3".to_owned(), at_ns: 4_000_000_000, reason: "signal 6".to_owned() };
    let input = of_run(&[], |run| {
        run.not_recovered.push(miss);
        run.crashed.push(crash);
    });
    let expected = [
        "node-crashed: n3 died unasked at 4.000 s: signal 6",
        "not-recovered: partition p1 asked through n2 acknowledged no write within 10.000 s after the heal \
         at 21.300 s",
    ];
    assert_eq!(verdict(&input), (Verdict::Violation, expected.map(String::from).to_vec()));
    assert_eq!(input.all_checks()["recovery"].valid, Validity::Invalid);
    assert_eq!(verdict(&expecting(input, &[NODE_CRASHED], &[NOT_RECOVERED])).0, Verdict::Pass);
}

#[test]
fn keys_without_a_final_answer_are_told_vacuous_or_not_recovered() {
    let ending = |unanswered, ours| {
        let first = Some("k7".to_owned());
        let ending = Ending { keys: 100, unanswered, unasked: 0, first, ours };
        of_run(&[], |run| run.coverage.ending = Some(ending))
    };
    let sentence = |count| {
        format!(
            "no final read of {count} of 100 keys that were written was answered (k7 among them): what \
             became of these keys in the end is not judged"
        )
    };
    assert_eq!(verdict(&ending(5, true)), (Verdict::Pass, Vec::new()));
    assert_eq!(ending(5, true).all_notes(), [sentence(5)]);
    assert_eq!(verdict(&ending(6, false)), (Verdict::Vacuous, vec![sentence(6)]));
    assert_eq!(ending(6, false).all_notes(), Vec::<String>::new());
    let red = format!("{NOT_RECOVERED}: {}", sentence(6));
    assert_eq!(verdict(&ending(6, true)), (Verdict::Violation, vec![red]));
    let mut interrupted = ending(6, true);
    interrupted.run.as_mut().unwrap().interrupted = Some("interrupted during final reads".to_owned());
    assert_eq!(verdict(&interrupted).0, Verdict::Interrupted);
}

#[test]
fn a_check_that_cannot_decide_is_unknown() {
    let reason = "the check sessions could not decide: key k1: 9 steps were not enough".to_owned();
    assert_eq!(verdict(&undecided(found(&[]))), (Verdict::Unknown, vec![reason]));
}

#[test]
fn each_gap_makes_a_run_vacuous() {
    let with = |change: &dyn Fn(&mut Coverage)| verdict(&of_run(&[], |run| change(&mut run.coverage)));
    let kill = |installed, invoked, unreached| FaultCoverage { installed, invoked, unreached };
    type Change<'a> = &'a dyn Fn(&mut Coverage);
    let gaps: [(Change<'_>, &str); 5] = [
        (
            &|c| c.min_ok = 901,
            "only 900 operations were ok, and --min-ok asks for 901: too few to mean anything",
        ),
        (&|c| c.never_ok = vec!["cas".to_owned()], "no cas was ever ok"),
        (
            &|c| c.faults = [("kill".to_owned(), kill(0, 0, 0))].into(),
            "the fault kill was asked for and never took effect",
        ),
        (
            &|c| c.faults = [("kill".to_owned(), kill(0, 0, 1))].into(),
            "the run ended before the fault kill, which was asked for, could take effect",
        ),
        (
            &|c| c.faults = [("kill".to_owned(), kill(1, 0, 0))].into(),
            "no operation was invoked while the fault kill was in force",
        ),
    ];
    for (change, reason) in gaps {
        assert_eq!(with(change), (Verdict::Vacuous, vec![reason.to_owned()]));
    }
    assert_eq!(with(&|c| c.min_ok = 900).0, Verdict::Pass);
}

#[test]
fn a_sensitivity_below_its_floor_makes_a_run_vacuous() {
    let tally = Tally { places: 90, injected: 90, refuted: 60, rest: [("concurrent".to_owned(), 30)].into() };
    let measured = Sensitivity { kinds: [("stale-read".to_owned(), tally)].into() };
    let held_to = |floor| {
        of_run(&[], |run| {
            run.coverage.sensitivity.insert("linearizable".to_owned(), measured.clone());
            run.coverage.min_sensitivity = floor;
        })
    };
    assert_eq!(verdict(&held_to(0.6)).0, Verdict::Pass);
    let (vacuous, reasons) = verdict(&held_to(0.7));
    assert_eq!(vacuous, Verdict::Vacuous);
    assert!(reasons.len() == 1 && reasons[0].contains("60 of 90 stale-read"), "{reasons:?}");
    let mut input = held_to(0.7);
    input.run.as_mut().unwrap().crashed.push(crash());
    assert_eq!(verdict(&input).0, Verdict::Violation);
}

#[test]
fn what_was_refuted_is_not_vacuous() {
    let empty = |kinds| of_run(kinds, |run| run.coverage.min_ok = 1_000);
    assert_eq!(verdict(&empty(&["stale-read"])).1.len(), 1, "a violation says nothing of coverage");
    assert_eq!(verdict(&expecting(empty(&["stale-read"]), &[], &["stale-read"])).0, Verdict::Pass);
    let allowed = expecting(empty(&["stale-read"]), &["stale-read"], &[]);
    assert_eq!(verdict(&allowed).0, Verdict::Vacuous, "what is allowed refutes nothing");
}

#[test]
fn the_gravest_verdict_wins_and_all_reasons_are_told() {
    let mut input = undecided(of_run(&[], |run| run.coverage.min_ok = 1_000));
    assert_eq!(verdict(&input).1.len(), 2, "it is vacuous as well");
    let mut seen = vec![verdict(&input).0];
    let mut then = |change: &dyn Fn(&mut RunEnd)| {
        change(input.run.as_mut().unwrap());
        seen.push(verdict(&input).0);
    };
    then(&|run| run.environment.push("n4 went away".to_owned()));
    then(&|run| run.interrupted = Some("interrupted during the main phase".to_owned()));
    then(&|run| run.internal.push("a worker panicked".to_owned()));
    then(&|run| run.crashed.push(crash()));
    let order =
        [Verdict::Unknown, Verdict::Environment, Verdict::Interrupted, Verdict::Internal, Verdict::Violation];
    assert_eq!(seen, order);
    assert_eq!(verdict(&input).1.len(), 5);
    let rest = [Verdict::Unknown, Verdict::Environment, Verdict::Interrupted, Verdict::Internal];
    assert_eq!(outranked(&input, &|_, _| false), rest, "none of them is hidden by the violation");
    assert_eq!(outranked(&found(&["stale-read"]), &|_, _| false), []);
    assert_eq!(verdict(&input).1[2], "interrupted during the main phase");
}

#[test]
fn a_bare_history_without_an_ok_operation_is_vacuous() {
    let mut input = found(&[]);
    input.stats = OpCounts { ops: 3, ok: 0, fail: 2, info: 1 };
    let reason = "no operation was ok: nothing was tested".to_owned();
    assert_eq!(verdict(&input), (Verdict::Vacuous, vec![reason]));
    input.stats = OpCounts::default();
    assert_eq!(verdict(&input).0, Verdict::Vacuous);
    let refuted = Judgement { stats: input.stats, ..found(&["stale-read"]) };
    assert_eq!(verdict(&refuted).0, Verdict::Violation);
}

#[test]
fn an_interrupted_run_is_not_held_to_what_the_whole_would_have_covered() {
    let cut = |run: &mut RunEnd| {
        run.coverage.faults = [("kill".to_owned(), FaultCoverage::default())].into();
        run.interrupted = Some("interrupted during main".to_owned());
    };
    let expected = (Verdict::Interrupted, vec!["interrupted during main".to_owned()]);
    assert_eq!(verdict(&of_run(&[], cut)), expected);
    assert_eq!(verdict(&of_run(&["stale-read"], cut)).0, Verdict::Violation);
    let unrecorded = |kinds| Judgement { run: Some(RunEnd::unrecorded()), ..found(kinds) };
    assert_eq!(verdict(&unrecorded(&[])).0, Verdict::Interrupted);
    assert_eq!(verdict(&unrecorded(&["stale-read"])).0, Verdict::Violation);
}

#[test]
fn a_run_that_did_not_happen_shows_no_checks_and_says_only_why() {
    let with = |change: fn(&mut RunEnd)| Judgement { stats: OpCounts::default(), ..of_run(&[], change) };
    let unreachable = with(|run| run.environment.push("nobody answers".to_owned()));
    assert_eq!(verdict(&unreachable), (Verdict::Environment, vec!["nobody answers".to_owned()]));
    assert!(unreachable.all_checks().is_empty());
    let died = with(|run| run.crashed.push(crash()));
    assert_eq!(verdict(&died).0, Verdict::Violation);
    assert_eq!(died.all_checks().len(), 1);
    assert_eq!(verdict(&with(|_| ())).0, Verdict::Vacuous, "nothing happened, and nothing says why");
}

#[test]
fn what_an_older_growler_told_counts_on() {
    for told in [Verdict::Vacuous, Verdict::Environment, Verdict::Interrupted, Verdict::Violation] {
        let input = of_run(&[], |run| run.told = vec![(told, "judged before".to_owned())]);
        assert_eq!(verdict(&input), (told, vec!["judged before".to_owned()]));
    }
}
