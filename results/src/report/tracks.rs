//! The run over time: phases, faults, recoveries, charts and availability, one under the other on one axis.

use serde::Serialize;

use super::axis::{Axis, Stretch, Tick};
use super::charts::{Chart, charts};
use crate::availability::{Availability, Part, Second};
use crate::contents::Contents;
use crate::operations::Operation;
use crate::plan::{FaultEntry, FaultOutcome};
use crate::series::Series;
use crate::story::fault_sentence;
use crate::words::{duration, seconds, share};

/// Everything that is drawn along the time axis.
#[derive(Debug, Serialize)]
pub(super) struct Tracks {
    ticks: Vec<Tick>,
    phases: Vec<Labelled>,
    /// Where anomalies lie.
    anomalies: Vec<Labelled>,
    /// When any fault was in force, for the shade behind the charts.
    shades: Vec<Stretch>,
    faults: Vec<FaultTrack>,
    recoveries: Vec<Labelled>,
    charts: Vec<Chart>,
    availability: Vec<Strip>,
}

/// A named stretch.
#[derive(Debug, Serialize)]
pub(super) struct Labelled {
    place: Stretch,
    label: String,
    /// The whole truth, shown on demand.
    about: String,
}

/// The windows of one kind of fault.
#[derive(Debug, Serialize)]
struct FaultTrack {
    kind: String,
    windows: Vec<Window>,
}

#[derive(Debug, Serialize)]
struct Window {
    place: Stretch,
    label: String,
    about: String,
    outcome: &'static str,
}

/// The seconds of one node or partition.
#[derive(Debug, Serialize)]
struct Strip {
    what: &'static str,
    name: String,
    share: String,
    /// Runs of equal seconds: `served` or `refused`.
    runs: Vec<StripRun>,
}

#[derive(Debug, Serialize)]
struct StripRun {
    place: Stretch,
    state: &'static str,
}

/// Lays out a run.
pub(super) fn tracks(
    contents: &Contents,
    operations: &[Operation<'_>],
    series: &Series,
    availability: &Availability,
    axis: Axis,
) -> Tracks {
    let faults = contents.plan.iter().flat_map(|plan| &plan.faults);
    let windows = faults.filter_map(|fault| fault.window(axis.run_ns));
    Tracks {
        ticks: axis.ticks(),
        phases: phases(contents, axis),
        anomalies: anomalies(contents, operations, axis),
        shades: windows.map(|(from, to)| axis.stretch(from, to)).collect(),
        faults: fault_tracks(contents, axis),
        recoveries: recoveries(contents, axis),
        charts: charts(series, axis.run_ns),
        availability: strips(availability, axis),
    }
}

fn phases(contents: &Contents, axis: Axis) -> Vec<Labelled> {
    let phases = contents.test.iter().flat_map(|test| &test.timings.phases);
    let phases = phases.filter(|phase| phase.end_ns > phase.start_ns);
    let labelled = phases.map(|phase| Labelled {
        place: axis.stretch(phase.start_ns, phase.end_ns),
        label: phase.name.clone(),
        about: format!("{}: {} to {}", phase.name, seconds(phase.start_ns), seconds(phase.end_ns)),
    });
    labelled.collect()
}

fn anomalies(contents: &Contents, operations: &[Operation<'_>], axis: Axis) -> Vec<Labelled> {
    let checks = contents.results.iter().flat_map(|results| results.checks.values());
    let anomalies = checks.flat_map(|check| &check.anomalies);
    let labelled = anomalies.filter_map(|anomaly| {
        let ops = anomaly.ops.iter().filter_map(|index| {
            operations.binary_search_by_key(index, |op| op.invoke.index).ok().map(|at| &operations[at])
        });
        let from = ops.clone().map(Operation::start_ns).min()?;
        let to = ops.filter_map(Operation::end_ns).max().unwrap_or(from);
        let about = format!("{}: {} to {}", anomaly.kind, seconds(from), seconds(to));
        Some(Labelled { place: axis.stretch(from, to), label: anomaly.kind.clone(), about })
    });
    labelled.collect()
}

/// A track for each kind of fault, in the order of their first windows.
fn fault_tracks(contents: &Contents, axis: Axis) -> Vec<FaultTrack> {
    let mut tracks: Vec<FaultTrack> = Vec::new();
    for fault in contents.plan.iter().flat_map(|plan| &plan.faults) {
        let Some((from, to)) = fault.window(axis.run_ns).or(fault.planned) else { continue };
        let window = Window {
            place: axis.stretch(from, to),
            label: fault.targets.join(" "),
            about: about_fault(fault, axis.run_ns),
            outcome: outcome_name(fault),
        };
        match tracks.iter_mut().find(|track| track.kind == fault.fault) {
            Some(track) => track.windows.push(window),
            None => tracks.push(FaultTrack { kind: fault.fault.clone(), windows: vec![window] }),
        }
    }
    tracks
}

fn about_fault(fault: &FaultEntry, run_ns: u64) -> String {
    let reason = fault.reason.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
    format!("{}: {}{reason}", fault_sentence(fault, run_ns), outcome_name(fault))
}

/// The word for what became of a fault.
pub(super) fn outcome_name(fault: &FaultEntry) -> &'static str {
    fault.outcome.map_or("planned", FaultOutcome::name)
}

fn recoveries(contents: &Contents, axis: Axis) -> Vec<Labelled> {
    let recoveries = contents.test.iter().flat_map(|test| &test.timings.recoveries);
    let labelled = recoveries.map(|recovery| {
        let end = recovery.recovered_ns.or(recovery.cut_short_ns).unwrap_or(recovery.deadline_ns);
        let healed = recovery.healed_ns;
        let took = duration(end.saturating_sub(healed));
        let label = match (recovery.recovered_ns, recovery.cut_short_ns) {
            (Some(_), _) => took,
            (None, Some(_)) => format!("cut short after {took}"),
            (None, None) => format!("not within {took}"),
        };
        Labelled {
            place: axis.stretch(healed, end),
            about: format!("healed at {}; every partition through every node: {label}", seconds(healed)),
            label,
        }
    });
    labelled.collect()
}

fn strips(availability: &Availability, axis: Axis) -> Vec<Strip> {
    let strip = |what, (name, part): (&String, &Part)| Strip {
        what,
        name: name.clone(),
        share: share(part.overall.served, part.overall.asked),
        runs: runs(&part.seconds, axis),
    };
    let nodes = availability.nodes.iter().map(|part| strip("node", part));
    let partitions = availability.partitions.iter().map(|part| strip("partition", part));
    nodes.chain(partitions).collect()
}

/// Joins equal seconds. Seconds in which nobody asked are left blank.
fn runs(all: &[Second], axis: Axis) -> Vec<StripRun> {
    const SECOND: u64 = 1_000_000_000;
    let mut runs = Vec::new();
    let mut from = 0;
    for chunk in all.chunk_by(PartialEq::eq) {
        let to = from + chunk.len() as u64;
        let place = axis.stretch(from * SECOND, to * SECOND);
        match chunk[0] {
            Second::Unasked => {}
            Second::Served => runs.push(StripRun { place, state: "served" }),
            Second::Refused => runs.push(StripRun { place, state: "refused" }),
        }
        from = to;
    }
    runs
}
