//! After a run that passed: how much would it have shown?
//!
//! Measuring costs about as much again as checking, so it comes last, and only where the answer matters: a
//! run that fails has shown what it can show. It is part of the verdict: a run that would have shown too
//! little is vacuous. An interruption ends it; what was measured by then is dropped.
//!
//! The checks share the time that is left for the end of the run ([`Pace`]), each having what those before it did
//! not use.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use growler_checker::history::Event;
use growler_checker::sensitivity::{Sensitivity, SensitivityPlan};
use growler_results::verdict::{Judgement, Verdict, judge};

use super::pace::{Pace, stopped_after};
use super::phases::Run;

/// The sensitivity by check. Empty where nothing was measured: the run did not pass, an anomaly had to show,
/// or no check of this workload knows of faults to try. An error is a defect, as a sentence.
pub(super) async fn measure(
    run: &Run,
    events: &Arc<Vec<Event>>,
    judgement: &Judgement,
    pace: &Pace,
) -> Result<BTreeMap<String, Sensitivity>, String> {
    let passed = judge(judgement, &growler_checker::anomaly::admits).0 == Verdict::Pass;
    let over = run.interrupt.requested() || run.notes.interrupted.is_some();
    let Some(workload) = run.workload.as_ref().filter(|_| passed && !over) else {
        return Ok(BTreeMap::new());
    };
    if !judgement.expectations.expect.is_empty() {
        return Ok(BTreeMap::new());
    }
    run.progress.phase("sensitivity", "");
    let checks = workload.checks(&run.prepared.promise);
    let seed = run.prepared.seeds.stream("sensitivity");
    let (events, until) = (Arc::clone(events), pace.measured_by());
    let work = tokio::task::spawn_blocking(move || {
        let mut measured = BTreeMap::new();
        for (done, check) in checks.iter().enumerate() {
            let left = until.saturating_duration_since(Instant::now());
            let time = left / u32::try_from(checks.len() - done).unwrap_or(u32::MAX);
            let found = stopped_after(time, |stop| {
                check
                    .sensitivity(&events, &SensitivityPlan { stop: Some(stop), ..SensitivityPlan::new(seed) })
            });
            measured.extend(found.map(|found| (check.name().to_owned(), found)));
        }
        measured
    });
    tokio::select! {
        done = work => done.map_err(|e| format!("measuring the sensitivity broke: {e}")),
        () = run.interrupt.wait() => Ok(BTreeMap::new()),
    }
}
