//! The life of one key as a picture: a lane for each replica with the writes that went through it, the faults
//! over all lanes, and at the right end what each replica holds.
//!
//! Time is to scale here, unlike in a counterexample's picture: writes that were lost in a partition lie seconds
//! before the reads that show it, and the order of two of them is rarely what matters. So a write is a mark and
//! not a bar. Only writes that some replica lacks, or that one shows, have their label, and only where there is
//! room for it; the table below says the same in full.

use serde::Serialize;

use super::REPLICA_READ;
use super::missing::{Missing, writes};
use crate::operations::{Operation, Outcome};
use crate::plan::FaultEntry;
use crate::report::axis::{round_moments, rounded};
use crate::story::label;
use crate::words::{join_and, seconds};

const WIDTH: f64 = 1040.0;
const GUTTER: f64 = 92.0;
/// Room at the right for what a replica holds.
const HELD: f64 = 200.0;
const LANE: f64 = 46.0;
const BAND_ROW: f64 = 20.0;
const FOOT: f64 = 28.0;
/// The height of a write's mark, and of one that matters.
const MARK: f64 = 10.0;
const TALL: f64 = 18.0;
/// The width of a letter.
const LETTER: f64 = 7.3;
const TICKS: u64 = 8;
/// Writes that are drawn, the last ones.
const MARKS_MAX: usize = 2_000;
/// The part of the time before the first write that is told.
const BEFORE: f64 = 0.05;

/// What the template draws. Everything in pixels.
#[derive(Debug, Serialize)]
pub(super) struct KeyPicture {
    width: f64,
    height: f64,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    lanes: Vec<Lane>,
    bands: Vec<Band>,
    marks: Vec<Mark>,
    reads: Vec<Read>,
    ticks: Vec<Tick>,
}

#[derive(Debug, Serialize)]
struct Lane {
    /// Its middle.
    y: f64,
    node: String,
    /// What the replica holds in the end; empty for a node that is none.
    held: String,
    /// Whether the anomaly is about this one.
    differs: bool,
}

#[derive(Debug, Serialize)]
struct Band {
    x: f64,
    y: f64,
    width: f64,
    /// Empty where there is no room for it.
    label: String,
    about: String,
}

#[derive(Debug, Serialize)]
struct Mark {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
    outcome: &'static str,
    /// `missing` at some replica, `held` by one of them only now, or neither.
    role: &'static str,
    label: String,
    about: String,
}

#[derive(Debug, Serialize)]
struct Read {
    x: f64,
    y: f64,
    about: String,
}

#[derive(Debug, Serialize)]
struct Tick {
    x: f64,
    label: String,
}

/// From pixels to time.
#[derive(Clone, Copy)]
struct Scale {
    from_ns: u64,
    to_ns: u64,
}

impl Scale {
    fn x(self, ns: u64) -> f64 {
        let span = (self.to_ns - self.from_ns).max(1) as f64;
        let part = ns.clamp(self.from_ns, self.to_ns) - self.from_ns;
        rounded(GUTTER + part as f64 / span * (WIDTH - GUTTER - HELD))
    }
}

/// What one answer shows, in a few words.
pub(super) struct Held {
    pub(super) text: String,
    /// Whether it is not what most show.
    pub(super) differs: bool,
}

/// Draws the key between two moments. `answers` are what its replicas show in the end, with `held` in words.
pub(super) fn draw(
    of_key: &[Operation<'_>],
    (answers, held): (&[Operation<'_>], &[Held]),
    missing: &Missing,
    faults: &[&FaultEntry],
    (from_ns, to_ns): (u64, u64),
    run_ns: u64,
) -> KeyPicture {
    let before = ((to_ns - from_ns) as f64 * BEFORE) as u64;
    let scale = Scale { from_ns: from_ns.saturating_sub(before), to_ns };
    let in_view =
        |op: &&Operation<'_>| op.start_ns() <= to_ns && op.end_ns().unwrap_or(run_ns) >= scale.from_ns;
    let mut written: Vec<&Operation<'_>> =
        of_key.iter().filter(|op| writes(op) && op.outcome() != Outcome::Fail).filter(in_view).collect();
    written.drain(..written.len().saturating_sub(MARKS_MAX));
    let mut nodes: Vec<&str> = answers.iter().map(node).collect();
    nodes.extend(written.iter().map(|op| node(op)));
    nodes.sort_unstable();
    nodes.dedup();
    let (bands, rows) = bands(faults, scale, run_ns);
    let top = BAND_ROW * rows as f64 + 4.0;
    let y_of = |op: &Operation<'_>| {
        let lane = nodes.binary_search(&node(op)).unwrap_or(0);
        top + LANE * (lane as f64 + 0.5)
    };
    let bottom = top + LANE * nodes.len() as f64;
    let asked = of_key.iter().filter(|op| op.invoke.f == REPLICA_READ && op.outcome() == Outcome::Ok);
    let reads: Vec<&Operation<'_>> = asked.filter(in_view).collect();
    let reads = if reads.is_empty() { answers.iter().collect() } else { reads };
    KeyPicture {
        width: WIDTH,
        height: bottom + FOOT,
        left: GUTTER,
        right: WIDTH - HELD,
        top,
        bottom,
        lanes: lanes(&nodes, answers, held, top),
        marks: marks(&written, missing, scale, y_of),
        reads: reads
            .into_iter()
            .map(|op| {
                let about = format!("{}: {} (index {})", seconds(op.start_ns()), label(op), op.invoke.index);
                Read { x: scale.x(op.start_ns()), y: y_of(op), about }
            })
            .collect(),
        ticks: round_moments(scale.from_ns, scale.to_ns, TICKS)
            .into_iter()
            .map(|(ns, label)| Tick { x: scale.x(ns), label })
            .collect(),
        bands,
    }
}

fn node<'a>(op: &Operation<'a>) -> &'a str {
    op.node().unwrap_or("?")
}

/// The lanes, with what the last answer of each node shows.
fn lanes(nodes: &[&str], answers: &[Operation<'_>], held: &[Held], top: f64) -> Vec<Lane> {
    let lane = |(at, name): (usize, &&str)| {
        let held = answers.iter().zip(held).rev().find(|(op, _)| node(op) == *name).map(|(_, held)| held);
        Lane {
            y: top + LANE * (at as f64 + 0.5),
            node: fitted(name, GUTTER - 8.0),
            held: held.map(|held| fitted(&held.text, HELD - 36.0)).unwrap_or_default(),
            differs: held.is_some_and(|held| held.differs),
        }
    };
    nodes.iter().enumerate().map(lane).collect()
}

/// The windows of the faults, a row for each kind, and the number of rows.
fn bands(faults: &[&FaultEntry], scale: Scale, run_ns: u64) -> (Vec<Band>, usize) {
    let mut kinds: Vec<&str> = Vec::new();
    let mut bands = Vec::new();
    for fault in faults {
        let Some((from, to)) = fault.window(run_ns) else { continue };
        let row = kinds.iter().position(|kind| *kind == fault.fault).unwrap_or(kinds.len());
        if row == kinds.len() {
            kinds.push(&fault.fault);
        }
        let (x, right) = (scale.x(from), scale.x(to));
        let name = format!("{} {}", fault.fault, fault.targets.join(" "));
        let fits = |name: &&str| name.chars().count() as f64 * LETTER * 0.92 + 10.0 <= right - x;
        bands.push(Band {
            x,
            y: BAND_ROW * row as f64,
            width: rounded((right - x).max(2.0)),
            label: [name.trim(), &fault.fault].into_iter().find(fits).unwrap_or_default().to_owned(),
            about: format!(
                "{} of {}: {} to {}",
                fault.fault,
                join_and(&fault.targets, "and"),
                seconds(from),
                seconds(to)
            ),
        });
    }
    (bands, kinds.len())
}

fn marks(
    written: &[&Operation<'_>],
    missing: &Missing,
    scale: Scale,
    y_of: impl Fn(&Operation<'_>) -> f64,
) -> Vec<Mark> {
    let mut free: Vec<(f64, f64)> = Vec::new();
    let mut marks = Vec::new();
    for op in written {
        let told = missing.writes.iter().find(|write| write.index == op.invoke.index);
        let role = match told {
            Some(write) if !write.missing.is_empty() => "missing",
            Some(_) => "held",
            None => "",
        };
        let (x, end) = (scale.x(op.start_ns()), scale.x(op.end_ns().unwrap_or(scale.to_ns)));
        let middle = y_of(op);
        let height = if role.is_empty() { MARK } else { TALL };
        let name = label(op);
        let right = x + name.chars().count() as f64 * LETTER + 8.0;
        let taken = free.iter().any(|(y, until)| *y == middle && *until > x);
        let has_label = !role.is_empty() && !taken && right < WIDTH - HELD;
        if has_label {
            free.push((middle, right));
        }
        // What was never answered may have taken effect at any time; a bar to the end would hide the rest.
        let width = if op.outcome() == Outcome::Ok { (end - x).max(2.5) } else { 6.0 };
        marks.push(Mark {
            x,
            y: rounded(middle - height / 2.0),
            width: rounded(width),
            height,
            outcome: op.outcome().name(),
            role,
            label: if has_label { name.clone() } else { String::new() },
            about: format!(
                "{}: {name}: {} (index {})",
                seconds(op.start_ns()),
                op.outcome().name(),
                op.invoke.index
            ),
        });
    }
    marks
}

/// A text that is cut to a width.
fn fitted(text: &str, width: f64) -> String {
    let letters = (width / LETTER) as usize;
    match text.char_indices().nth(letters) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use growler_checker::history::{Event, HistoryBuilder};
    use growler_checker::verdict::Anomaly;
    use serde_json::json;

    use super::*;
    use crate::operations::pair;
    use crate::plan::PlanFile;
    use crate::report::replicas::missing::missing;

    fn at(history: HistoryBuilder, node: &str, times_ms: [u64; 2], version: &str, clock: u64) -> Vec<Event> {
        let mut events = history.events();
        for (event, ms) in events.iter_mut().zip(times_ms) {
            event.node = Some(node.into());
            event.time = ms * 1_000_000;
            event.extra_mut().version = Some(version.into());
            event.extra_mut().context = Some(json!({"n1/1": clock}).into());
        }
        events
    }

    #[test]
    fn writes_lie_in_their_lanes_at_their_times_and_replicas_say_what_they_hold() {
        let key = || HistoryBuilder::new().on("k");
        let mut events = at(key().write(0, 1), "n1", [1_000, 1_001], "n1/1:1", 1);
        events.extend(at(key().write(0, 2), "n1", [2_000, 2_001], "n1/1:2", 2));
        let read = |value: u64| key().invoke(0, REPLICA_READ, ()).ok(0, value);
        events.extend(at(read(2), "n1", [9_000, 9_001], "n1/1:2", 2));
        events.extend(at(read(1), "n2", [9_500, 10_000], "n1/1:1", 1));
        (0..).zip(&mut events).for_each(|(index, event)| event.index = index);
        let operations = pair(&events);
        let plan: PlanFile = serde_json::from_value(
            json!({"faults": [{"fault": "partition", "targets": ["n2"], "actual": [1_500_000_000, 6_000_000_000_u64]}]}),
        )
        .unwrap();
        let answers = &operations[2..];
        let missing = missing(&Anomaly::claim("diverged", &[4, 6]), &operations, answers, Some(&plan), 1);
        let faults: Vec<_> = plan.faults.iter().collect();
        let span = (2_000_000_000, 10_000_000_000);
        let held = [2, 1].map(|n| Held { text: n.to_string(), differs: n == 1 });
        let picture = draw(&operations, (answers, &held), &missing, &faults, span, 10_000_000_000);

        let held: Vec<_> =
            picture.lanes.iter().map(|lane| (&*lane.node, &*lane.held, lane.differs)).collect();
        assert_eq!(held, [("n1", "2", false), ("n2", "1", true)]);
        let marks: Vec<_> = picture.marks.iter().map(|mark| (&*mark.label, mark.role)).collect();
        assert_eq!(marks, [("write 2", "missing")], "the write before is out of view");
        let (mark, band) = (&picture.marks[0], &picture.bands[0]);
        assert!(picture.left < mark.x && mark.x + mark.width < picture.reads[0].x);
        assert!(
            band.x == picture.left
                && band.x + band.width < picture.reads[0].x
                && band.label == "partition n2"
        );
        assert!(picture.reads[0].x < picture.reads[1].x && picture.reads[1].x < picture.right);
        assert!((picture.lanes[0].y - mark.y - mark.height / 2.0).abs() < 0.01);
    }
}
