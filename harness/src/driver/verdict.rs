//! The end of a run: the history is read back, checked and judged, and everything is written down.

use std::path::PathBuf;
use std::sync::Arc;

use growler_checker::history::{Event, EventType};
use growler_results::plan::PlanFile;
use growler_results::verdict::{
    Coverage, Cut, Ending, Judgement, OPEN_MIN, OpCounts, RecoveryMiss, Results, RunEnd, Verdict,
};

use super::checks::{Checked, run_checks};
use super::clock::nanoseconds;
use super::fail_fast;
use super::overload::Refusals;
use super::pace::Pace;
use super::phases::{FINAL_READS, Run};
use super::sensitivity;
use crate::error::CommandError;

/// What a run came to.
pub(crate) struct Finished {
    /// The verdict and all that led to it.
    pub(crate) results: Results,
    /// The run's folder.
    pub(crate) folder: PathBuf,
}

/// Checks, judges and reports.
pub(crate) async fn finish(mut run: Run) -> Result<Finished, CommandError> {
    run.progress.phase("check", "");
    if let Err(e) = run.recorder.finish() {
        push_once(&mut run.notes.environment, e.to_string());
    }
    if let Some(plan) = &run.notes.plan
        && let Err(e) = run.folder.write_json(&run.folder.plan_json(), plan)
    {
        push_once(&mut run.notes.environment, e.to_string());
    }
    let history = growler_results::history::read_history(&run.folder.history());
    let events: Arc<Vec<Event>> = match history {
        Ok(history) => Arc::new(history.events),
        Err(e) => {
            run.notes.internal.push(format!("the recorded history cannot be read back: {e}"));
            Arc::default()
        }
    };
    let pace = Pace::after(run.clock.elapsed());
    let checked = check(&run, &events, &pace).await;
    if let Some(alarm) = &run.notes.alarm {
        let contradiction = fail_fast::contradiction(alarm, &checked.checks, events.len());
        run.notes.internal.extend(contradiction);
    }
    let mut judgement = Judgement {
        stats: OpCounts::of(&events),
        expectations: run.test.expectations(),
        run: Some(end(&mut run, &events)),
        ..Judgement::default()
    };
    checked.hand_over(&mut judgement);
    measure_sensitivity(&run, &events, &mut judgement, &pace).await;
    let late = run.interrupt.requested().then(|| interrupted_during("check"));
    if let Some(end) = &mut judgement.run {
        end.interrupted = end.interrupted.take().or(late);
    }
    let results = write_down(&mut run, judgement);
    run.progress.finish();
    Ok(Finished { results, folder: run.folder.path().to_owned() })
}

fn push_once(sentences: &mut Vec<String>, sentence: String) {
    if !sentences.contains(&sentence) {
        sentences.push(sentence);
    }
}

/// Runs the checks, one after the other, away from the runtime's own threads. When the time for the end of the
/// run is over, or the user insists, those that have not answered are *unknown*.
async fn check(run: &Run, events: &Arc<Vec<Event>>, pace: &Pace) -> Checked {
    let Some(workload) = &run.workload else { return Checked::default() };
    let model = run.prepared.workload.model;
    let late = format!(
        "it had not come to an end after {:.1} s, which is what the end of this run may take; `growler check {}` \
         lets it go on",
        pace.allowed().as_secs_f64(),
        run.folder.path().display()
    );
    let mut checked = Checked::default();
    for check in workload.checks(&run.prepared.promise) {
        let name = check.name();
        if pace.is_over() {
            checked.add(Checked::unanswered(name, &late));
            continue;
        }
        let (events, file) = (Arc::clone(events), run.folder.history());
        let work = tokio::task::spawn_blocking(move || run_checks(&[check], model, &events, &file));
        checked.add(tokio::select! {
            biased;
            done = work => done.unwrap_or_else(|e| Checked {
                defects: vec![format!("the check {name} of the {model} model broke: {e}")],
                ..Checked::unanswered(name, "it did not come to an end")
            }),
            () = run.interrupt.wait_insisted() => Checked::unanswered(name, "interrupted twice: not checked"),
            () = pace.over() => Checked::unanswered(name, &late),
        });
    }
    checked
}

/// All that happened in the run, and that bears on its verdict.
fn end(run: &mut Run, events: &[Event]) -> RunEnd {
    let (mut not_recovered, mut crashed) = (misses(run), run.notes.crashes.clone());
    if let Some(shortage) = run.notes.shortage.clone() {
        // What happens on a machine that has no more to give shows nothing about the system.
        let (late, dead) = (std::mem::take(&mut not_recovered), std::mem::take(&mut crashed));
        let mut excused: Vec<_> =
            dead.iter().map(|c| format!("node {} died: {}", c.node, c.reason)).collect();
        excused.extend(
            (!late.is_empty()).then(|| format!("{} requests were not served again in time", late.len())),
        );
        if !excused.is_empty() {
            push_once(&mut run.notes.environment, shortage);
            run.notes.warnings.push(format!("not held against the store: {}", excused.join("; ")));
        }
    }
    if !run.prepared.options.endpoint.is_empty() {
        let operations = events.iter().filter(|e| e.kind == EventType::Invoke).count() as u64;
        run.notes.warnings.extend(Refusals::of(events).of_load(operations));
    }
    RunEnd {
        coverage: coverage(run, events),
        not_recovered,
        crashed,
        notes: std::mem::take(&mut run.notes.warnings),
        usage: std::mem::take(&mut run.notes.usage),
        environment: std::mem::take(&mut run.notes.environment),
        interrupted: run.notes.interrupted.take().map(|phase| interrupted_during(&phase)),
        internal: std::mem::take(&mut run.notes.internal),
        told: Vec::new(),
    }
}

fn interrupted_during(phase: &str) -> String {
    format!("interrupted during {phase}")
}

/// Asks how much a run that passes so far would have shown.
async fn measure_sensitivity(run: &Run, events: &Arc<Vec<Event>>, judgement: &mut Judgement, pace: &Pace) {
    let measured = sensitivity::measure(run, events, judgement, pace).await;
    let Some(end) = &mut judgement.run else { return };
    match measured {
        Ok(measured) => end.coverage.sensitivity = measured,
        Err(defect) => end.internal.push(defect),
    }
}

/// What the run covered, against what it had to.
fn coverage(run: &Run, events: &[Event]) -> Coverage {
    let functions = run.workload.as_ref().map_or(&[][..], |w| w.functions());
    let functions: Vec<String> = functions.iter().map(|f| (*f).to_owned()).collect();
    // The plan as it was written down: what is judged is what was kept.
    let plan = run.folder.read_json::<PlanFile>(&run.folder.plan_json()).ok().flatten().unwrap_or_default();
    let options = &run.prepared.options;
    let covered = Coverage::of(events, &plan, &functions, &run.prepared.faults, options.min_ok);
    let min_exposure = can_race(run, &covered).then_some(options.min_exposure);
    Coverage {
        min_exposure,
        cut: cut(run),
        ending: ending(run, events),
        min_sensitivity: options.min_sensitivity,
        ..covered
    }
}

/// Whether this load is meant to race, and can.
fn can_race(run: &Run, covered: &Coverage) -> bool {
    let options = &run.prepared.options;
    let met = || covered.exposure.as_ref().is_some_and(|exposure| exposure.open >= OPEN_MIN);
    let by_design = run.workload.as_ref().is_some_and(|workload| workload.races());
    by_design && options.concurrency > 1 && (options.rate.is_none() || met())
}

/// How early a cap ended the load.
fn cut(run: &Run) -> Option<Cut> {
    let cap = run.notes.cap?;
    let timings = &run.test.timings;
    let began = timings.phases.iter().find(|phase| phase.name == "warm-up")?.start_ns;
    Some(Cut {
        by: format!("the cap of {} {}", cap.limit, cap.what),
        after_ns: timings.stopped_early.as_ref()?.at_ns.saturating_sub(began),
        planned_ns: nanoseconds(run.prepared.options.time),
    })
}

/// What is known of the end of the keys. A system of ours had the time to answer unless something ended the run.
fn ending(run: &Run, events: &[Event]) -> Option<Ending> {
    let from_ns = run.test.timings.phases.iter().find(|phase| phase.name == FINAL_READS)?.start_ns;
    let unhindered = run.test.timings.stopped_early.is_none() && run.notes.shortage.is_none();
    let ours = run.prepared.options.endpoint.is_empty() && unhindered;
    Ending::of(events, from_ns, ours)
}

/// Parts of the system that did not serve again in time.
fn misses(run: &Run) -> Vec<RecoveryMiss> {
    let mut misses = Vec::new();
    for recovery in run.test.timings.recoveries.iter().filter(|r| r.missed()) {
        for part in &recovery.per {
            if part.acked_ns.is_none_or(|at| at > recovery.deadline_ns) {
                misses.push(RecoveryMiss {
                    healed_ns: recovery.healed_ns,
                    allowed_ns: recovery.deadline_ns - recovery.healed_ns,
                    node: part.node.clone(),
                    partition: part.partition.clone(),
                    asked: part.asked.clone(),
                    recovered_ns: part.acked_ns,
                });
            }
        }
    }
    misses
}

/// Judges, and writes every file of the run's folder. A finding stands, whatever the disk says; a pass that
/// cannot be kept is no pass.
fn write_down(run: &mut Run, mut judgement: Judgement) -> Results {
    run.progress.phase("report", "");
    let mut results = keep(run, &judgement);
    let folder = &run.folder;
    let step_summary = std::env::var_os("GITHUB_STEP_SUMMARY").map(PathBuf::from);
    let shown = [
        growler_results::junit::write(folder),
        growler_results::summary::write(folder, step_summary.as_deref()),
        growler_results::report::build(folder).map(|_| ()),
    ];
    let troubles: Vec<_> = shown.into_iter().filter_map(|shown| Some(shown.err()?.to_string())).collect();
    if !troubles.is_empty() {
        judgement.run.iter_mut().for_each(|end| end.environment.extend(troubles.iter().cloned()));
        results = keep(run, &judgement);
    }
    results
}

/// Judges, and keeps the verdict and what it was judged by: `growler check` of the folder comes to the same.
fn keep(run: &mut Run, judgement: &Judgement) -> Results {
    run.test.end.clone_from(&judgement.run);
    let folder = &run.folder;
    let mut results = Results::new(judgement, &growler_checker::anomaly::admits)
        .of_run(folder.path().display().to_string(), run.prepared.seed);
    let kept = [
        folder.write_json(&folder.test_json(), &run.test),
        folder.write_json(&folder.results_json(), &results),
    ];
    for why in kept.into_iter().filter_map(|kept| Some(kept.err()?.to_string())) {
        results.add(Verdict::Environment, why);
    }
    results
}

#[cfg(test)]
mod tests {
    #[test]
    fn results_know_the_nemesis_words_for_a_fault_that_was_not_reached() {
        assert_eq!(growler_results::plan::NOT_REACHED, growler_nemesis::NOT_REACHED);
    }
}
