//! The counterexample as a picture: a lane for each client, a bar from invocation to completion.
//!
//! Operations that prove something may lie seconds apart and take a millisecond each, so time is not to
//! scale here. The order is exact, and that is what a proof is about: every moment that begins or ends
//! something has a place of its own, in the history's order, and a long gap is wider than a short one, up
//! to a limit. Bars are wide enough for their label.

use std::collections::BTreeMap;

use serde::Serialize;

use super::axis::rounded;
use crate::operations::Operation;
use crate::story::{Story, label};

const GUTTER: f64 = 92.0;
const LANE: f64 = 44.0;
const BAR: f64 = 26.0;
const BAND_ROW: f64 = 20.0;
const FOOT: f64 = 28.0;
/// The width that a picture fills if it can.
const WIDTH: f64 = 1040.0;
/// The width of a letter in a bar.
const LETTER: f64 = 7.3;
/// Room in a bar beside its label: padding and the sign of its outcome.
const PADDING: f64 = 34.0;
/// The least distance between two named moments.
const TICK: f64 = 84.0;

/// What the template draws. Everything in pixels.
#[derive(Debug, Serialize)]
pub(super) struct Picture {
    width: f64,
    height: f64,
    /// Where lanes begin, below the rows of faults.
    top: f64,
    /// Where lanes end.
    bottom: f64,
    lanes: Vec<Lane>,
    bars: Vec<Bar>,
    bands: Vec<Band>,
    ticks: Vec<Moment>,
}

#[derive(Debug, Serialize)]
struct Lane {
    y: f64,
    label: String,
}

#[derive(Debug, Serialize)]
struct Bar {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
    label: String,
    outcome: &'static str,
    /// Whether it never ended.
    open: bool,
    proof: bool,
    index: u64,
}

#[derive(Debug, Serialize)]
struct Band {
    x: f64,
    width: f64,
    y: f64,
    label: String,
}

#[derive(Debug, Serialize)]
struct Moment {
    x: f64,
    label: String,
    /// Whether its name has no room to its right.
    last: bool,
}

/// A moment that has a place: the beginning or the end of an operation or of a fault.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mark {
    Start(usize),
    End(usize),
    FaultStart(usize),
    FaultEnd(usize),
}

/// Draws a story.
pub(super) fn draw(story: &Story<'_>, run_end_ns: u64) -> Picture {
    let lanes = lanes(story);
    let (places, end) = places(story, &lanes, run_end_ns);
    let stretch = ((WIDTH - GUTTER) / end).clamp(1.0, 2.5);
    let end = rounded(end * stretch);
    let x_of = |mark: Mark| {
        places.iter().find(|(m, _, _)| *m == mark).map(|(_, _, x)| rounded(GUTTER + x * stretch))
    };
    let top = BAND_ROW * story.faults.len() as f64 + 4.0;
    let bars = story.steps.iter().enumerate().map(|(i, step)| {
        let x = x_of(Mark::Start(i)).unwrap_or(GUTTER);
        let right = x_of(Mark::End(i)).unwrap_or(GUTTER + end);
        Bar {
            x,
            y: top + LANE * lane_of(&lanes, &step.op) as f64 + (LANE - BAR) / 2.0,
            width: rounded((right - x).max(1.0)),
            height: BAR,
            label: bar_label(&step.op),
            outcome: step.op.outcome().name(),
            open: step.op.complete.is_none(),
            proof: step.proof,
            index: step.op.invoke.index,
        }
    });
    let bands = story.faults.iter().enumerate().map(|(i, fault)| {
        let x = x_of(Mark::FaultStart(i)).unwrap_or(GUTTER);
        let right = x_of(Mark::FaultEnd(i)).unwrap_or(GUTTER + end);
        let label = format!("{} {}", fault.fault, fault.targets.join(" "));
        Band {
            x,
            width: rounded((right - x).max(2.0)),
            y: BAND_ROW * i as f64,
            label: label.trim().to_owned(),
        }
    });
    let bottom = top + LANE * lanes.len() as f64;
    Picture {
        width: rounded(GUTTER + end + 12.0),
        height: bottom + FOOT,
        top,
        bottom,
        bars: bars.collect(),
        bands: bands.collect(),
        ticks: ticks(story, &places, stretch, end),
        lanes: lanes
            .into_iter()
            .map(|(session, lane)| Lane { y: top + LANE * lane as f64, label: lane_label(session) })
            .collect(),
    }
}

/// Clients in the order in which they first do something.
fn lanes(story: &Story<'_>) -> Vec<(Option<u64>, usize)> {
    let mut lanes: Vec<(Option<u64>, usize)> = Vec::new();
    for step in &story.steps {
        let session = step.op.invoke.session();
        if !lanes.iter().any(|(known, _)| *known == session) {
            lanes.push((session, lanes.len()));
        }
    }
    lanes
}

fn lane_of(lanes: &[(Option<u64>, usize)], op: &Operation<'_>) -> usize {
    let session = op.invoke.session();
    lanes.iter().find(|(known, _)| *known == session).map_or(0, |(_, lane)| *lane)
}

fn lane_label(session: Option<u64>) -> String {
    session.map_or_else(|| "nemesis".to_owned(), |s| format!("client {s}"))
}

fn bar_label(op: &Operation<'_>) -> String {
    let node = op.node().map(|n| format!(" · {n}")).unwrap_or_default();
    format!("{}{node}", label(op))
}

/// Every mark with its time and its place, in order, and the place of the right edge.
fn places(
    story: &Story<'_>,
    lanes: &[(Option<u64>, usize)],
    run_end_ns: u64,
) -> (Vec<(Mark, u64, f64)>, f64) {
    let mut places = Vec::new();
    let mut x: f64 = 10.0;
    let mut before = story.span.0;
    let mut starts = BTreeMap::new();
    let mut lane_ends: BTreeMap<usize, f64> = BTreeMap::new();
    for (mark, ns) in marks(story, run_end_ns) {
        x += gap(ns.saturating_sub(before));
        before = ns;
        match mark {
            Mark::Start(i) => {
                let lane = lane_of(lanes, &story.steps[i].op);
                x = x.max(lane_ends.get(&lane).map_or(0.0, |end| end + 8.0));
                starts.insert(i, x);
            }
            Mark::End(i) => {
                x = x.max(starts.get(&i).copied().unwrap_or(0.0) + bar_width(&story.steps[i].op));
                lane_ends.insert(lane_of(lanes, &story.steps[i].op), x);
            }
            Mark::FaultStart(_) | Mark::FaultEnd(_) => {}
        }
        places.push((mark, ns, x));
    }
    let open = story.steps.iter().enumerate().filter(|(_, step)| step.op.complete.is_none());
    let open = open.map(|(i, step)| starts.get(&i).copied().unwrap_or(0.0) + bar_width(&step.op));
    let end = open.fold(x + 10.0, f64::max);
    (places, end)
}

/// The marks in the history's order. A fault's begin or end comes before the first mark that is later.
fn marks(story: &Story<'_>, run_end_ns: u64) -> Vec<(Mark, u64)> {
    let mut ordered: Vec<(u64, Mark, u64)> = Vec::new();
    for (i, step) in story.steps.iter().enumerate() {
        ordered.push((step.op.invoke.index, Mark::Start(i), step.op.start_ns()));
        if let (Some(end), Some(ns)) = (step.op.complete, step.op.end_ns()) {
            ordered.push((end.index, Mark::End(i), ns));
        }
    }
    ordered.sort_by_key(|(index, _, _)| *index);
    let mut marks: Vec<_> = ordered.into_iter().map(|(_, mark, ns)| (mark, ns)).collect();
    for (i, fault) in story.faults.iter().enumerate() {
        let Some((from, to)) = fault.window(run_end_ns) else { continue };
        for (mark, ns) in [(Mark::FaultStart(i), from), (Mark::FaultEnd(i), to)] {
            if story.span.0 <= ns && ns <= story.span.1 {
                let at = marks.partition_point(|(_, other)| *other <= ns);
                marks.insert(at, (mark, ns));
            }
        }
    }
    marks
}

/// The room that a pause in the history gets: more for a longer one, within limits.
fn gap(ns: u64) -> f64 {
    (8.0 + 7.0 * (1.0 + ns as f64 / 1e6).log2()).min(80.0)
}

fn bar_width(op: &Operation<'_>) -> f64 {
    bar_label(op).chars().count() as f64 * LETTER + PADDING
}

/// Names as many moments as fit.
fn ticks(story: &Story<'_>, places: &[(Mark, u64, f64)], stretch: f64, end: f64) -> Vec<Moment> {
    let digits = if story.span.1 - story.span.0 < 20_000_000 { 5 } else { 3 };
    let mut ticks = Vec::new();
    let mut free_from = 0.0;
    for (_, ns, x) in places {
        let x = x * stretch;
        if x >= free_from {
            let label = format!("{:.digits$} s", *ns as f64 / 1e9);
            ticks.push(Moment { x: rounded(GUTTER + x), label, last: x + TICK > end });
            free_from = x + TICK;
        }
    }
    ticks
}

#[cfg(test)]
mod tests {
    use growler_checker::history::{Event, EventType, Process};
    use serde_json::json;

    use super::*;
    use crate::plan::PlanFile;
    use crate::story::Step;

    fn event(index: u64, process: u64, kind: EventType, time: u64) -> Event {
        Event { index, time, ..Event::new(Process::Client(process), kind, "write", json!(index)) }
    }

    #[test]
    fn the_order_of_the_history_is_the_order_of_the_picture() {
        let events = [
            event(0, 1, EventType::Invoke, 5),
            event(1, 2, EventType::Invoke, 5),
            event(2, 1, EventType::Ok, 5),
            event(3, 1, EventType::Invoke, 9_000_000_000),
            event(4, 1, EventType::Ok, 9_000_000_001),
        ];
        let plan: PlanFile = serde_json::from_value(
            json!({"faults": [{"fault": "kill", "targets": ["n1"], "actual": [7, null], "outcome": "installed"}]}),
        )
        .unwrap();
        let operations = crate::operations::pair(&events);
        let steps = operations.iter().map(|op| Step { op: *op, proof: true }).collect();
        let story =
            Story { steps, untold: 0, faults: plan.faults.iter().collect(), span: (5, 9_000_000_001) };
        let picture = draw(&story, 10_000_000_000);
        let bar = |i: usize| (picture.bars[i].x, picture.bars[i].x + picture.bars[i].width);
        assert!(bar(0).0 < bar(1).0 && bar(1).0 < bar(0).1, "they overlap");
        assert!(bar(0).1 < bar(2).0, "one after the other");
        assert!(picture.bars[1].open && bar(1).1 > bar(2).1, "what never ended goes to the edge");
        assert_eq!(picture.lanes.len(), 2);
        let band = &picture.bands[0];
        assert!(bar(0).1 < band.x && band.x < bar(2).0 && band.label == "kill n1");
        assert!(bar(1).1 <= picture.width);
        for bar in &picture.bars {
            assert!(bar.width >= bar.label.chars().count() as f64 * LETTER, "{} fits", bar.label);
        }
    }
}
