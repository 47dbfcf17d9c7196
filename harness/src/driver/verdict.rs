//! The end of a run: the history is read back, checked and judged, and everything is written down.

use std::path::PathBuf;
use std::sync::Arc;

use growler_checker::history::Event;
use growler_results::plan::PlanFile;
use growler_results::verdict::{
    Coverage, Cut, Ending, Expectations, Judgement, OpCounts, RecoveryMiss, Results, Verdict,
};

use super::checks::{Checked, run_checks, undecided};
use super::clock::nanoseconds;
use super::fail_fast;
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
    let mut judgement = Judgement::default();
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
    let checked = check(&run, &events).await;
    run.notes.warnings.extend(checked.warnings.iter().cloned());
    judgement.internal = std::mem::take(&mut run.notes.internal);
    if let Some(alarm) = &run.notes.alarm {
        judgement.internal.extend(fail_fast::contradiction(alarm, &checked.checks, events.len()));
    }
    checked.hand_over(&mut judgement);
    judgement.coverage = Some(coverage(&run, &events));
    judgement.not_recovered = misses(&run);
    judgement.crashed = run.notes.crashes.clone();
    judgement.expectations = Expectations {
        allow: run.prepared.options.allow.clone(),
        expect: run.prepared.options.expect.clone(),
    };
    judgement.environment = std::mem::take(&mut run.notes.environment);
    judgement.notes = std::mem::take(&mut run.notes.warnings);
    measure_sensitivity(&run, &events, &mut judgement).await;
    let interrupted = run.interrupt.requested().then(|| "check".to_owned());
    judgement.interrupted = run.notes.interrupted.take().or(interrupted);
    let mut results = Results::new(&judgement, &growler_checker::anomaly::admits, OpCounts::of(&events))
        .of_run(run.folder.path().display().to_string(), run.prepared.seed);
    write_down(&mut run, &mut results);
    run.progress.finish();
    Ok(Finished { results, folder: run.folder.path().to_owned() })
}

fn push_once(sentences: &mut Vec<String>, sentence: String) {
    if !sentences.contains(&sentence) {
        sentences.push(sentence);
    }
}

/// Runs the checks away from the runtime's own threads. A user who insists gets *unknown* instead.
async fn check(run: &Run, events: &Arc<Vec<Event>>) -> Checked {
    let Some(workload) = &run.workload else { return Checked::default() };
    let checks = workload.checks(&run.prepared.promise);
    let model = run.prepared.workload.model;
    let events = Arc::clone(events);
    let file = run.folder.history();
    let names: Vec<_> = checks.iter().map(|c| c.name().to_owned()).collect();
    let unanswered = |why: &str| names.iter().map(|name| (name.clone(), undecided(why))).collect();
    let work = tokio::task::spawn_blocking(move || run_checks(&checks, model, &events, &file));
    tokio::select! {
        done = work => done.unwrap_or_else(|e| Checked {
            checks: unanswered("it did not come to an end"),
            defects: vec![format!("the checks of the {model} model broke: {e}")],
            ..Checked::default()
        }),
        () = run.interrupt.wait_insisted() => Checked {
            checks: unanswered("interrupted twice: not checked"),
            ..Checked::default()
        },
    }
}

/// Asks how much a run that passes so far would have shown.
async fn measure_sensitivity(run: &Run, events: &Arc<Vec<Event>>, judgement: &mut Judgement) {
    match sensitivity::measure(run, events, judgement).await {
        Ok(measured) => judgement.coverage.iter_mut().for_each(|c| c.sensitivity.clone_from(&measured)),
        Err(defect) => judgement.internal.push(defect),
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
    Coverage {
        cut: cut(run),
        ending: ending(run, events),
        min_sensitivity: options.min_sensitivity,
        ..covered
    }
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
    let ours = run.prepared.options.endpoint.is_empty() && run.test.timings.stopped_early.is_none();
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

/// Writes every file of the run's folder. A finding stands, whatever the disk says; a pass that cannot be
/// kept is no pass.
fn write_down(run: &mut Run, results: &mut Results) {
    run.progress.phase("report", "");
    let folder = &run.folder;
    let step_summary = std::env::var_os("GITHUB_STEP_SUMMARY").map(PathBuf::from);
    let written = [
        folder.write_json(&folder.test_json(), &run.test).map_err(|e| e.to_string()),
        folder.write_json(&folder.results_json(), results).map_err(|e| e.to_string()),
        growler_results::junit::write(folder).map_err(|e| e.to_string()),
        growler_results::summary::write(folder, step_summary.as_deref()).map_err(|e| e.to_string()),
        growler_results::report::build(folder).map(|_| ()).map_err(|e| e.to_string()),
    ];
    for why in written.into_iter().filter_map(Result::err) {
        results.add(Verdict::Environment, why);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn results_know_the_nemesis_words_for_a_fault_that_was_not_reached() {
        assert_eq!(growler_results::plan::NOT_REACHED, growler_nemesis::NOT_REACHED);
    }
}
