//! From everything that bears on a run to its verdict and the reasons for it.
//!
//! The rules, in the order in which their reasons are told:
//!
//! - an anomaly that is neither allowed nor expected is a violation, and so is the absence of every expected
//!   one. `not-recovered` and `node-crashed` are anomalies like any other here; one whose certificate proves
//!   nothing is a defect of growler, and violates nothing;
//! - a defect of growler, an interruption, a failing environment;
//! - a check that could not decide;
//! - vacuity, for runs only, and only where nothing was refuted: an expected anomaly that showed proves that
//!   the run meant something.
//!
//! Nothing here may look at a clock, a file or the machine: the same input gives the same words.

use std::collections::{BTreeMap, BTreeSet};

use growler_checker::anomaly::{NODE_CRASHED, NOT_RECOVERED};
use growler_checker::verdict::{Anomaly, CheckResult, Validity};
use serde_json::Value;

use super::sensitivity::shortfalls;
use super::{Coverage, Verdict};
use crate::words::{join_and, seconds};

/// Everything that bears on a verdict. The default is a clean `growler check` of nothing.
#[derive(Debug, Clone, Default)]
pub struct Judgement {
    /// The checks' answers by name.
    pub checks: BTreeMap<String, CheckResult>,
    /// What was allowed and what had to show.
    pub expectations: Expectations,
    /// Recoveries that came too late.
    pub not_recovered: Vec<RecoveryMiss>,
    /// Nodes that died unasked.
    pub crashed: Vec<Crash>,
    /// What the run covered. `None` for `growler check`, which is never vacuous.
    pub coverage: Option<Coverage>,
    /// What stood in the way, as sentences.
    pub environment: Vec<String>,
    /// In which phase Ctrl-C came, where it did.
    pub interrupted: Option<String>,
    /// Defects of growler, as sentences.
    pub internal: Vec<String>,
    /// Anomalies whose certificate proves nothing, by check and place: a defect each, and no violation.
    pub unproven: BTreeMap<String, BTreeSet<usize>>,
}

/// `--allow` and `--expect`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expectations {
    /// Anomalies that are known here: reported, and no failure.
    pub allow: Vec<String>,
    /// At least one of these must show.
    pub expect: Vec<String>,
}

impl Expectations {
    /// Whether an anomaly of this name is no failure, because it or a parent of it is allowed or expected.
    /// `admits(parent, child)` is the catalogue of anomalies.
    #[must_use]
    pub fn permit(&self, anomaly: &str, admits: &dyn Fn(&str, &str) -> bool) -> bool {
        named(&self.allow, anomaly, admits) || named(&self.expect, anomaly, admits)
    }
}

fn named(names: &[String], anomaly: &str, admits: &dyn Fn(&str, &str) -> bool) -> bool {
    names.iter().any(|name| name == anomaly || admits(name, anomaly))
}

/// A part of the system that did not serve again in time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecoveryMiss {
    /// When the last fault was healed, ns since the run began.
    pub healed_ns: u64,
    /// How long the system had, ns.
    pub allowed_ns: u64,
    /// The node asked.
    pub node: String,
    /// The partition written to.
    pub partition: String,
    /// When it served again at last, ns since the run began.
    pub recovered_ns: Option<u64>,
}

/// A node that died unasked, or could not start from its own data.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Crash {
    /// The node.
    pub node: String,
    /// When it was noticed, ns since the run began.
    pub at_ns: u64,
    /// What is known: the exit status, the last line of its log.
    pub reason: String,
}

impl Judgement {
    /// The checks' answers together with those about recovery and crashes, as `results.json` holds them.
    #[must_use]
    pub fn all_checks(&self) -> BTreeMap<String, CheckResult> {
        let mut checks = self.checks.clone();
        let recovery = self.not_recovered.iter().map(|m| anomaly(NOT_RECOVERED, miss_sentence(m)));
        let crashes = self.crashed.iter().map(|c| anomaly(NODE_CRASHED, crash_sentence(c)));
        if self.coverage.is_some() || !self.not_recovered.is_empty() {
            checks.insert("recovery".to_owned(), accident_check(recovery.collect()));
        }
        if self.coverage.is_some() || !self.crashed.is_empty() {
            checks.insert("crashes".to_owned(), accident_check(crashes.collect()));
        }
        checks
    }
}

fn anomaly(kind: &str, explanation: String) -> Anomaly {
    Anomaly {
        kind: kind.to_owned(),
        key: None,
        ops: Vec::new(),
        context: Vec::new(),
        explanation,
        cycle: Vec::new(),
    }
}

fn accident_check(anomalies: Vec<Anomaly>) -> CheckResult {
    let valid = if anomalies.is_empty() { Validity::Valid } else { Validity::Invalid };
    CheckResult { valid, anomalies, unknown: Vec::new(), stats: BTreeMap::<String, Value>::new() }
}

fn miss_sentence(miss: &RecoveryMiss) -> String {
    let RecoveryMiss { healed_ns, allowed_ns, node, partition, recovered_ns } = miss;
    let outcome = match recovered_ns {
        Some(at) => format!("acknowledged its first write only {}", seconds(at.saturating_sub(*healed_ns))),
        None => format!("acknowledged no write within {}", seconds(*allowed_ns)),
    };
    format!("partition {partition} asked through {node} {outcome} after the heal at {}", seconds(*healed_ns))
}

fn crash_sentence(crash: &Crash) -> String {
    format!("{} died unasked at {}: {}", crash.node, seconds(crash.at_ns), crash.reason)
}

/// Decides. The reasons are sentences, empty for `pass`. `admits(parent, child)` is the catalogue of
/// anomalies: whether a name admits another as its child.
#[must_use]
pub fn judge(input: &Judgement, admits: &dyn Fn(&str, &str) -> bool) -> (Verdict, Vec<String>) {
    let findings = findings(input, admits);
    let verdict = findings.iter().fold(Verdict::Pass, |sum, (verdict, _)| sum.combine(*verdict));
    (verdict, findings.into_iter().map(|(_, why)| why).collect())
}

/// The verdicts that apply as well and that the one of [`judge`] outranks, in the order of the contract's
/// table. A violation does not undo a defect of growler: who expects or only measures the violation needs to
/// know of the defect.
#[must_use]
pub fn outranked(input: &Judgement, admits: &dyn Fn(&str, &str) -> bool) -> Vec<Verdict> {
    let findings = findings(input, admits);
    let verdict = findings.iter().fold(Verdict::Pass, |sum, (verdict, _)| sum.combine(*verdict));
    let applies = |other: &Verdict| *other != verdict && findings.iter().any(|(found, _)| found == other);
    Verdict::ALL.into_iter().filter(applies).collect()
}

/// Everything that is no pass, each with its reason.
fn findings(input: &Judgement, admits: &dyn Fn(&str, &str) -> bool) -> Vec<(Verdict, String)> {
    let checks = input.all_checks();
    let mut findings = violations(&checks, input, admits);
    findings.extend(input.internal.iter().map(|why| (Verdict::Internal, why.clone())));
    if let Some(phase) = &input.interrupted {
        findings.push((Verdict::Interrupted, format!("interrupted during {phase}")));
    }
    findings.extend(input.environment.iter().map(|why| (Verdict::Environment, why.clone())));
    for (name, check) in &checks {
        if check.valid == Validity::Unknown {
            let why =
                if check.unknown.is_empty() { String::new() } else { ": ".to_owned() + &check.unknown[0] };
            findings.push((Verdict::Unknown, format!("the check {name} could not decide{why}")));
        }
    }
    let refuted = findings.iter().any(|(verdict, _)| *verdict == Verdict::Violation)
        || anomalies(&checks).any(|a| named(&input.expectations.expect, a, admits));
    if let Some(coverage) = input.coverage.as_ref().filter(|_| !refuted) {
        findings.extend(gaps(coverage).into_iter().map(|why| (Verdict::Vacuous, why)));
    }
    findings
}

/// The names of all anomalies found, an invalid check without any counting under its own name.
fn anomalies(checks: &BTreeMap<String, CheckResult>) -> impl Iterator<Item = &str> {
    checks.iter().flat_map(|(name, check)| {
        let nameless = check.valid == Validity::Invalid && check.anomalies.is_empty();
        let own = nameless.then_some(name.as_str());
        check.anomalies.iter().map(|a| a.kind.as_str()).chain(own)
    })
}

/// Anomalies that nobody allowed or expected, one reason a name, and the absence of those expected.
fn violations(
    checks: &BTreeMap<String, CheckResult>,
    input: &Judgement,
    admits: &dyn Fn(&str, &str) -> bool,
) -> Vec<(Verdict, String)> {
    let expectations = &input.expectations;
    let mut findings = Vec::new();
    let mut told = BTreeSet::new();
    for (name, check) in checks {
        let unproven = input.unproven.get(name);
        let is_proven = |at: &usize| unproven.is_none_or(|unproven| !unproven.contains(at));
        let proven = || (0..check.anomalies.len()).filter(is_proven).map(|at| &check.anomalies[at]);
        for anomaly in proven() {
            if !expectations.permit(&anomaly.kind, admits) && told.insert(anomaly.kind.as_str()) {
                let count = proven().filter(|a| a.kind == anomaly.kind).count();
                let more = if count > 1 { format!(" (and {} more)", count - 1) } else { String::new() };
                findings.push(format!("{}: {}{more}", anomaly.kind, anomaly.explanation));
            }
        }
        let nameless = check.valid == Validity::Invalid && check.anomalies.is_empty();
        if nameless && !expectations.permit(name, admits) {
            findings.push(format!("the check {name} failed"));
        }
    }
    let expected = &expectations.expect;
    if !expected.is_empty() && !anomalies(checks).any(|a| named(expected, a, admits)) {
        findings.push(format!("expected {}, and it did not show", join_and(expected, "or")));
    }
    findings.into_iter().map(|why| (Verdict::Violation, why)).collect()
}

/// What a run lacks to mean something.
fn gaps(coverage: &Coverage) -> Vec<String> {
    let mut gaps = Vec::new();
    if coverage.ok < coverage.min_ok {
        gaps.push(format!(
            "only {} operations were ok, and --min-ok asks for {}: too few to mean anything",
            coverage.ok, coverage.min_ok
        ));
    }
    if !coverage.never_ok.is_empty() {
        gaps.push(format!("no {} was ever ok", join_and(&coverage.never_ok, "and no")));
    }
    for (fault, covered) in &coverage.faults {
        if covered.installed == 0 {
            gaps.push(format!("the fault {fault} was asked for and never took effect"));
        } else if covered.invoked == 0 {
            gaps.push(format!("no operation was invoked while the fault {fault} was in force"));
        }
    }
    gaps.extend(shortfalls(&coverage.sensitivity, coverage.min_sensitivity));
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::FaultCoverage;
    use growler_checker::sensitivity::{Sensitivity, Tally};

    fn check(kinds: &[&str]) -> CheckResult {
        let anomalies = kinds.iter().map(|kind| anomaly(kind, "it showed".to_owned())).collect();
        accident_check(anomalies)
    }

    fn found(kinds: &[&str]) -> Judgement {
        Judgement { checks: [("linearizable".to_owned(), check(kinds))].into(), ..Judgement::default() }
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
        let kill = FaultCoverage { installed: 2, invoked: 900 };
        let faults = [("kill".to_owned(), kill)].into();
        input.coverage = Some(Coverage { ok: 900, min_ok: 500, faults, ..Coverage::default() });
        input
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
            recovered_ns: None,
        };
        let crash = Crash { node: "n3".to_owned(), at_ns: 4_000_000_000, reason: "signal 6".to_owned() };
        let mut input = covering(found(&[]));
        input.not_recovered.push(miss);
        input.crashed.push(crash);
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
    fn a_check_that_cannot_decide_is_unknown() {
        let reason = "the check sessions could not decide: key k1: 9 steps were not enough".to_owned();
        assert_eq!(verdict(&undecided(found(&[]))), (Verdict::Unknown, vec![reason]));
    }

    #[test]
    fn each_gap_makes_a_run_vacuous() {
        let with = |change: &dyn Fn(&mut Coverage)| {
            let mut input = covering(found(&[]));
            change(input.coverage.as_mut().unwrap());
            verdict(&input)
        };
        let kill = |installed, invoked| FaultCoverage { installed, invoked };
        type Change<'a> = &'a dyn Fn(&mut Coverage);
        let gaps: [(Change<'_>, &str); 4] = [
            (
                &|c| c.ok = 499,
                "only 499 operations were ok, and --min-ok asks for 500: too few to mean anything",
            ),
            (&|c| c.never_ok = vec!["cas".to_owned()], "no cas was ever ok"),
            (
                &|c| c.faults = [("kill".to_owned(), kill(0, 0))].into(),
                "the fault kill was asked for and never took effect",
            ),
            (
                &|c| c.faults = [("kill".to_owned(), kill(1, 0))].into(),
                "no operation was invoked while the fault kill was in force",
            ),
        ];
        for (change, reason) in gaps {
            assert_eq!(with(change), (Verdict::Vacuous, vec![reason.to_owned()]));
        }
        assert_eq!(with(&|c| c.ok = 500).0, Verdict::Pass);
    }

    #[test]
    fn a_sensitivity_below_its_floor_makes_a_run_vacuous() {
        let tally =
            Tally { places: 90, injected: 90, refuted: 60, rest: [("concurrent".to_owned(), 30)].into() };
        let measured = Sensitivity { kinds: [("stale-read".to_owned(), tally)].into() };
        let mut input = covering(found(&[]));
        let coverage = input.coverage.as_mut().unwrap();
        coverage.sensitivity.insert("linearizable".to_owned(), measured);
        coverage.min_sensitivity = 0.6;
        assert_eq!(verdict(&input).0, Verdict::Pass);
        input.coverage.as_mut().unwrap().min_sensitivity = 0.7;
        let (vacuous, reasons) = verdict(&input);
        assert_eq!(vacuous, Verdict::Vacuous);
        assert!(reasons.len() == 1 && reasons[0].contains("60 of 90 stale-read"), "{reasons:?}");
        input.crashed.push(Crash { node: "n1".to_owned(), at_ns: 0, reason: "gone".to_owned() });
        assert_eq!(verdict(&input).0, Verdict::Violation);
    }

    #[test]
    fn what_was_refuted_is_not_vacuous() {
        let empty = |kinds| Judgement {
            coverage: Some(Coverage { min_ok: 1, ..Coverage::default() }),
            ..found(kinds)
        };
        assert_eq!(verdict(&empty(&["stale-read"])).1.len(), 1, "a violation says nothing of coverage");
        assert_eq!(verdict(&expecting(empty(&["stale-read"]), &[], &["stale-read"])).0, Verdict::Pass);
        let allowed = expecting(empty(&["stale-read"]), &["stale-read"], &[]);
        assert_eq!(verdict(&allowed).0, Verdict::Vacuous, "what is allowed refutes nothing");
    }

    #[test]
    fn the_gravest_verdict_wins_and_all_reasons_are_told() {
        let mut input = undecided(covering(found(&[])));
        input.coverage.as_mut().unwrap().ok = 0;
        let mut seen = vec![verdict(&input).0];
        input.environment.push("n4 went away".to_owned());
        seen.push(verdict(&input).0);
        input.interrupted = Some("the main phase".to_owned());
        seen.push(verdict(&input).0);
        input.internal.push("a worker panicked".to_owned());
        seen.push(verdict(&input).0);
        input.crashed.push(Crash { node: "n1".to_owned(), at_ns: 0, reason: "gone".to_owned() });
        seen.push(verdict(&input).0);
        let order = [
            Verdict::Unknown,
            Verdict::Environment,
            Verdict::Interrupted,
            Verdict::Internal,
            Verdict::Violation,
        ];
        assert_eq!(seen, order);
        assert_eq!(verdict(&input).1.len(), 5);
        let rest = [Verdict::Unknown, Verdict::Environment, Verdict::Interrupted, Verdict::Internal];
        assert_eq!(outranked(&input, &|_, _| false), rest, "none of them is hidden by the violation");
        assert_eq!(outranked(&found(&["stale-read"]), &|_, _| false), []);
        assert_eq!(verdict(&input).1[2], "interrupted during the main phase");
    }
}
