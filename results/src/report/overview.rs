//! The first screen: the verdict, what it is about, the counterexample, how to run it again.

use growler_checker::verdict::{Anomaly, Precedence, Validity};
use serde::Serialize;

use super::axis::Axis;
use super::picture::{Picture, draw};
use super::replicas::{Replicas, replicas};
use crate::availability::{Availability, Share};
use crate::contents::Contents;
use crate::operations::Operation;
use crate::story::{fault_sentence, tell};
use crate::test_file::shell_quoted;
use crate::verdict::{OpCounts, Verdict};
use crate::words::{count, duration, join_and, share};

/// Anomalies that get a picture. The others are counted.
const TOLD_MAX: usize = 12;

/// What the first screen says, but for the counterexample.
#[derive(Debug, Serialize)]
pub(super) struct Overview {
    title: String,
    name: String,
    started: String,
    versions: String,
    /// The verdict's name, which is also its style; `none` where there is no verdict.
    verdict: &'static str,
    sign: &'static str,
    lead: String,
    reasons: Vec<String>,
    facts: Vec<Fact>,
    figures: Vec<Figure>,
    commands: Vec<Command>,
}

#[derive(Debug, Serialize)]
struct Fact {
    name: &'static str,
    value: String,
}

/// One number of the run that is worth a large print.
#[derive(Debug, Serialize)]
struct Figure {
    name: &'static str,
    value: String,
    note: String,
}

#[derive(Debug, Serialize)]
struct Command {
    about: &'static str,
    line: String,
}

/// Anomalies of all checks, told and untold.
#[derive(Debug, Serialize)]
pub(super) struct Counterexamples {
    told: Vec<Counterexample>,
    untold: usize,
}

impl Counterexamples {
    /// Whether any of them is told by the replicas of its key.
    pub(super) fn show_replicas(&self) -> bool {
        self.told.iter().any(|counterexample| counterexample.replicas.is_some())
    }
}

#[derive(Debug, Serialize)]
struct Counterexample {
    kind: String,
    key: String,
    check: String,
    explanation: String,
    /// The circle of before and after that the proof closes, in sentences.
    circle: Vec<String>,
    steps: Vec<StepRow>,
    untold: usize,
    picture: Option<Picture>,
    /// The replicas of the key, where the anomaly is about these. It takes the picture's place.
    replicas: Option<Replicas>,
    /// What was broken at that moment; empty where nothing was.
    faults: Vec<String>,
    plan_known: bool,
    /// Its place on the time axis, µs.
    from_us: u64,
    to_us: u64,
}

#[derive(Debug, Serialize)]
struct StepRow {
    index: u64,
    time: String,
    sentence: String,
    proof: bool,
    outcome: &'static str,
}

/// The anomalies that are told, with their checks' names.
pub(super) fn told(contents: &Contents) -> impl Iterator<Item = (&str, &Anomaly)> {
    anomalies(contents).take(TOLD_MAX)
}

fn anomalies(contents: &Contents) -> impl Iterator<Item = (&str, &Anomaly)> {
    let checks = contents.results.iter().flat_map(|results| &results.checks);
    checks.flat_map(|(name, check)| check.anomalies.iter().map(move |anomaly| (name.as_str(), anomaly)))
}

/// One step of a circle, as a sentence.
fn precedence(two: &Precedence) -> String {
    let Precedence { before, after, ended, began } = two;
    format!("{before} was in force before {after}: operation {ended} had ended before {began} began")
}

/// Tells the anomalies.
pub(super) fn counterexamples(
    contents: &Contents,
    operations: &[Operation<'_>],
    run_ns: u64,
) -> Counterexamples {
    let plan = contents.plan.as_ref();
    let tell = |(check, anomaly): (&str, &Anomaly)| {
        let story = tell(anomaly, operations, plan, run_ns);
        let (from_ns, to_ns) = story.as_ref().map_or((0, 0), |story| story.span);
        let replicas = replicas(check, anomaly, operations, plan, Axis { run_ns });
        let needs_steps = replicas.as_ref().is_none_or(|replicas| !replicas.tells_all);
        let steps = story.iter().filter(|_| needs_steps).flat_map(|story| &story.steps);
        let steps = steps.map(|step| StepRow {
            index: step.op.invoke.index,
            time: step.time(),
            sentence: step.sentence(),
            proof: step.proof,
            outcome: step.op.outcome().name(),
        });
        let faults = story.iter().flat_map(|story| &story.faults);
        Counterexample {
            kind: anomaly.kind.clone(),
            key: anomaly.key.as_ref().map(ToString::to_string).unwrap_or_default(),
            check: check.to_owned(),
            explanation: anomaly.explanation.clone(),
            circle: anomaly.cycle.iter().map(precedence).collect(),
            steps: steps.collect(),
            untold: story.as_ref().map_or(0, |story| story.untold),
            faults: faults.map(|fault| fault_sentence(fault, run_ns)).collect(),
            plan_known: plan.is_some(),
            picture: story.as_ref().filter(|_| replicas.is_none()).map(|story| draw(story, run_ns)),
            replicas,
            from_us: from_ns / 1000,
            to_us: to_ns / 1000,
        }
    };
    let told: Vec<_> = told(contents).map(tell).collect();
    Counterexamples { untold: anomalies(contents).count() - told.len(), told }
}

/// Gathers the first screen.
pub(super) fn overview(contents: &Contents, folder: &str, availability: &Availability) -> Overview {
    let test = contents.test.as_ref();
    let verdict = contents.results.as_ref().map(|results| results.verdict);
    let name = test.map_or("a history", |t| &t.name).to_owned();
    let word = verdict.map_or("no verdict", Verdict::name);
    let versions = test.iter().flat_map(|t| &t.versions).map(|(name, version)| format!("{name} {version}"));
    Overview {
        title: format!("{word}: {name}"),
        name,
        started: test.map(|t| readable(&t.timings.started)).unwrap_or_default(),
        versions: versions.collect::<Vec<_>>().join(", "),
        verdict: verdict.map_or("none", Verdict::name),
        sign: verdict.map_or("?", Verdict::sign),
        lead: lead(contents, verdict),
        reasons: reasons(contents),
        facts: facts(contents),
        figures: figures(contents, availability),
        commands: commands(contents, folder),
    }
}

/// `2026-11-21 03:04:05 UTC`, of RFC 3339; anything else as it is.
fn readable(started: &str) -> String {
    let parsed = started.parse::<jiff::Timestamp>();
    parsed.map_or_else(|_| started.to_owned(), |t| t.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// The reasons that no counterexample below tells.
fn reasons(contents: &Contents) -> Vec<String> {
    let reasons = contents.results.iter().flat_map(|results| &results.reasons);
    let untold = |reason: &&String| {
        !told(contents)
            .any(|(_, a)| !a.ops.is_empty() && reason.contains(&format!("{}: {}", a.kind, a.explanation)))
    };
    reasons.filter(untold).cloned().collect()
}

/// What the verdict means here, in one sentence.
fn lead(contents: &Contents, verdict: Option<Verdict>) -> String {
    let promise = contents.test.as_ref().map_or("", |t| t.promise.as_str());
    let promised =
        if promise.is_empty() { "Its promise".to_owned() } else { format!("The promise “{promise}”") };
    match verdict {
        Some(Verdict::Pass) => format!("{promised} held throughout this run."),
        Some(Verdict::Violation) => match broken(contents).as_slice() {
            [] => "What had to show did not.".to_owned(),
            kinds => format!("{promised} was broken: {}.", join_and(kinds, "and")),
        },
        Some(Verdict::Unknown) => "A check could not decide whether the system kept its promise.".to_owned(),
        Some(Verdict::Vacuous) => "Nothing was refuted, but this run proves nothing.".to_owned(),
        Some(Verdict::Environment) => "Something stood in the way of the test.".to_owned(),
        Some(Verdict::Interrupted) => "The run was interrupted; what was recorded was checked.".to_owned(),
        Some(Verdict::Usage) => "The test was asked for wrongly.".to_owned(),
        Some(Verdict::Internal) => "growler itself failed.".to_owned(),
        None => "This run was not judged.".to_owned(),
    }
}

/// The names of all anomalies, each once.
fn broken(contents: &Contents) -> Vec<&str> {
    let mut kinds: Vec<_> = anomalies(contents).map(|(_, anomaly)| anomaly.kind.as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

fn facts(contents: &Contents) -> Vec<Fact> {
    let mut facts = Vec::new();
    if let Some(test) = &contents.test {
        facts.push(Fact { name: "System", value: test.system.description.clone() });
        facts.push(Fact { name: "Workload", value: test.workload.clone() });
        facts.push(Fact { name: "Promise", value: test.promise.clone() });
        facts.push(Fact { name: "Seed", value: test.seed.to_string() });
    }
    facts.push(Fact { name: "Length", value: duration(contents.end_ns()) });
    if let Some(stopped) = contents.test.as_ref().and_then(|test| test.timings.stopped_early.as_ref()) {
        let value = format!("after {}: {}", duration(stopped.at_ns), stopped.reason);
        facts.push(Fact { name: "Stopped early", value });
    }
    facts.retain(|fact| !fact.value.is_empty());
    facts
}

fn figures(contents: &Contents, availability: &Availability) -> Vec<Figure> {
    let stats = OpCounts::of(&contents.history.events);
    let mut figures = vec![Figure {
        name: "operations",
        value: count(stats.ops),
        note: format!("{} ok, {} fail, {} info", count(stats.ok), count(stats.fail), count(stats.info)),
    }];
    if let Some(results) = contents.results.as_ref().filter(|results| !results.checks.is_empty()) {
        let held = results.checks.values().filter(|check| check.valid == Validity::Valid).count();
        let broken = results.checks.values().filter(|check| check.valid == Validity::Invalid).count();
        let unknown = results.checks.len() - held - broken;
        let unknown = if unknown > 0 { format!(", {unknown} undecided") } else { String::new() };
        let note = format!("{held} held, {broken} broken{unknown}");
        figures.push(Figure { name: "checks", value: count(results.checks.len() as u64), note });
    }
    if let Some(plan) = &contents.plan {
        let (installed, kinds) = plan.took_effect();
        let note = if kinds.is_empty() { "none took effect".to_owned() } else { kinds.join(", ") };
        let value = format!("{installed} of {}", plan.faults.len());
        figures.push(Figure { name: "faults took effect", value, note });
    }
    figures.extend(recovery_figure(contents));
    figures.extend(availability_figure(availability));
    figures
}

fn recovery_figure(contents: &Contents) -> Option<Figure> {
    let recoveries = &contents.test.as_ref()?.timings.recoveries;
    let missed = recoveries.iter().filter(|recovery| recovery.missed()).count();
    let took = recoveries.iter().filter_map(|r| Some(r.recovered_ns?.saturating_sub(r.healed_ns)));
    let slowest = took.max();
    let value = if missed > 0 { "too late".to_owned() } else { duration(slowest?) };
    let note = format!("the slowest of {} heals; {missed} too late", recoveries.len());
    Some(Figure { name: "back after a heal", value, note })
}

/// The part that did worst outside faults.
fn availability_figure(availability: &Availability) -> Option<Figure> {
    let parts = availability.nodes.iter().chain(&availability.partitions);
    let asked = parts.filter_map(|(name, part)| Some((part.calm.value()?, name, part.calm)));
    let (_, name, Share { served, asked }) = asked.min_by(|a, b| a.0.total_cmp(&b.0))?;
    let worst = if served == asked { String::new() } else { format!("; {name} did worst") };
    let note = format!("of the seconds outside faults, without a refusal{worst}");
    Some(Figure { name: "available", value: share(served, asked), note })
}

fn commands(contents: &Contents, folder: &str) -> Vec<Command> {
    let again = contents.test.as_ref().map(|test| Command {
        about: "Run the test again, with the same operations, keys and faults",
        line: test.command_line(),
    });
    let check = Command {
        about: "Check this history again, without running anything",
        line: format!("growler check {}", shell_quoted(folder)),
    };
    again.into_iter().chain([check]).collect()
}
