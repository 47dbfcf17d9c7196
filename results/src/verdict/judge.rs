//! From everything that bears on a run to its verdict and the reasons for it.
//!
//! The rules, in the order in which their reasons are told:
//!
//! - an anomaly that is neither allowed nor expected is a violation, and so is the absence of every expected
//!   one. `not-recovered` and `node-crashed` are anomalies like any other here; one whose certificate proves
//!   nothing is a defect of growler, and violates nothing;
//! - a defect of growler, an interruption, a workload that needs what the system does not offer (a mistake of
//!   usage: another try ends the same), a failing environment;
//! - a check that could not decide;
//! - vacuity, and only where nothing was refuted: an expected anomaly that showed proves that the run meant
//!   something. A bare history is vacuous where nothing in it is `ok`; a run has to cover more. A run that was
//!   interrupted is not held to what the whole would have covered.
//!
//! `growler test` and `growler check` judge here and nowhere else. A run in which no operation was invoked did
//! not happen: it shows no checks.
//!
//! Nothing here may look at a clock, a file or the machine: the same input gives the same words.

use std::collections::{BTreeMap, BTreeSet};

use growler_checker::anomaly::{NODE_CRASHED, NOT_RECOVERED};
use growler_checker::verdict::{Anomaly, CheckResult, Validity};
use serde_json::Value;

use super::sensitivity::shortfalls;
use super::{Crash, Ending, OpCounts, RecoveryMiss, RunEnd, Verdict};
use crate::words::{join_and, seconds};

/// Everything that bears on a verdict.
#[derive(Debug, Clone, Default)]
pub struct Judgement {
    /// The checks' answers by name.
    pub checks: BTreeMap<String, CheckResult>,
    /// What the history holds.
    pub stats: OpCounts,
    /// What was allowed and what had to show.
    pub expectations: Expectations,
    /// How the run ended that the history is of. `None` for a bare history.
    pub run: Option<RunEnd>,
    /// What a person should know of the checks that is no failure, as sentences.
    pub notes: Vec<String>,
    /// Defects of growler that showed in the checks, as sentences.
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

impl Judgement {
    /// The checks' answers together with those about recovery and crashes, as `results.json` holds them.
    #[must_use]
    pub fn all_checks(&self) -> BTreeMap<String, CheckResult> {
        let Some(run) = &self.run else { return self.checks.clone() };
        let happened = self.stats.ops > 0;
        let mut checks = if happened { self.checks.clone() } else { BTreeMap::new() };
        let late = run.not_recovered.iter().map(miss_sentence);
        let silent = run.last_answers().filter(|ending| ending.is_not_recovered()).and_then(Ending::sentence);
        let recovery: Vec<_> = late.chain(silent).map(|why| anomaly(NOT_RECOVERED, why)).collect();
        let crashes = run.crashed.iter().map(|c| anomaly(NODE_CRASHED, crash_sentence(c)));
        if happened || !recovery.is_empty() {
            checks.insert("recovery".to_owned(), accident_check(recovery));
        }
        if happened || !run.crashed.is_empty() {
            checks.insert("crashes".to_owned(), accident_check(crashes.collect()));
        }
        checks
    }

    /// Everything that a person should know that is no failure.
    #[must_use]
    pub fn all_notes(&self) -> Vec<String> {
        let run = self.run.as_ref();
        let of_run = run.into_iter().flat_map(|run| &run.notes);
        let cut = run.and_then(|run| run.coverage.cost_of_cut());
        let few = run.and_then(RunEnd::last_answers).filter(|ending| !ending.is_open());
        of_run.chain(&self.notes).cloned().chain(cut).chain(few.and_then(Ending::sentence)).collect()
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
    let RecoveryMiss { healed_ns, allowed_ns, node, partition, asked, recovered_ns } = miss;
    let served = if asked == "write" { "acknowledged" } else { "answered" };
    let outcome = match recovered_ns {
        Some(at) => format!("{served} its first {asked} only {}", seconds(at.saturating_sub(*healed_ns))),
        None => format!("{served} no {asked} within {}", seconds(*allowed_ns)),
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
    findings.extend(input.run.iter().flat_map(accidents));
    findings.extend(input.internal.iter().map(|why| (Verdict::Internal, why.clone())));
    for (name, check) in &checks {
        if check.valid == Validity::Unknown {
            let why =
                if check.unknown.is_empty() { String::new() } else { ": ".to_owned() + &check.unknown[0] };
            findings.push((Verdict::Unknown, format!("the check {name} could not decide{why}")));
        }
    }
    let refuted = findings.iter().any(|(verdict, _)| *verdict == Verdict::Violation)
        || anomalies(&checks).any(|a| named(&input.expectations.expect, a, admits));
    // What did not happen for another reason is not held to anything.
    let in_vain = input.stats.ops == 0 && !findings.is_empty();
    if !refuted && !in_vain {
        findings.extend(gaps(input).into_iter().map(|why| (Verdict::Vacuous, why)));
    }
    findings
}

/// What befell the run itself.
fn accidents(run: &RunEnd) -> impl Iterator<Item = (Verdict, String)> {
    let all = |verdict, whys: &[String]| whys.iter().map(|why| (verdict, why.clone())).collect::<Vec<_>>();
    let internal = all(Verdict::Internal, &run.internal);
    let interrupted = run.interrupted.iter().map(|why| (Verdict::Interrupted, why.clone())).collect();
    let usage = all(Verdict::Usage, &run.usage);
    let environment = all(Verdict::Environment, &run.environment);
    [internal, interrupted, usage, environment, run.told.clone()].into_iter().flatten()
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

/// What a history lacks to mean something, and the run that it is of.
fn gaps(input: &Judgement) -> Vec<String> {
    let mut gaps = Vec::new();
    let ok = input.stats.ok;
    if ok == 0 {
        gaps.push("no operation was ok: nothing was tested".to_owned());
    }
    let Some(run) = &input.run else { return gaps };
    if run.interrupted.is_some() {
        return Vec::new();
    }
    let coverage = &run.coverage;
    if ok > 0 && ok < coverage.min_ok {
        gaps.push(format!(
            "only {ok} operations were ok, and --min-ok asks for {}: too few to mean anything",
            coverage.min_ok
        ));
    }
    if ok > 0 && !coverage.never_ok.is_empty() {
        gaps.push(format!("no {} was ever ok", join_and(&coverage.never_ok, "and no")));
    }
    for (fault, covered) in &coverage.faults {
        if covered.installed == 0 && covered.unreached > 0 {
            gaps.push(format!(
                "the run ended before the fault {fault}, which was asked for, could take effect"
            ));
        } else if covered.installed == 0 {
            gaps.push(format!("the fault {fault} was asked for and never took effect"));
        } else if covered.invoked == 0 {
            gaps.push(format!("no operation was invoked while the fault {fault} was in force"));
        }
    }
    let open = coverage.ending.as_ref().filter(|ending| ending.is_open());
    gaps.extend(open.and_then(Ending::sentence));
    gaps.extend(coverage.too_little_raced());
    gaps.extend(shortfalls(&coverage.sensitivity, coverage.min_sensitivity));
    gaps
}

#[cfg(test)]
mod tests;
