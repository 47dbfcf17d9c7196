//! The time axis that everything in the report shares: where a moment lies, and which moments to name.

use serde::Serialize;

/// About how many ticks a run gets before anyone zooms in.
const TICKS: u64 = 10;

/// The time of a run, from 0 to its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    pub(super) run_ns: u64,
}

/// A named moment.
#[derive(Debug, Serialize)]
pub(super) struct Tick {
    /// Per cent of the axis.
    pub(super) at: f64,
    pub(super) label: String,
}

/// A stretch of the axis, per cent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Stretch {
    pub(super) at: f64,
    pub(super) width: f64,
}

impl Axis {
    /// Of a run that ended at `end_ns`.
    pub(super) fn new(end_ns: u64) -> Self {
        Self { run_ns: end_ns.max(1) }
    }

    /// Where a moment lies, per cent, to a thousandth.
    pub(super) fn at(self, ns: u64) -> f64 {
        rounded(ns.min(self.run_ns) as f64 / self.run_ns as f64 * 100.0)
    }

    /// Where an interval lies.
    pub(super) fn stretch(self, from_ns: u64, to_ns: u64) -> Stretch {
        let at = self.at(from_ns);
        Stretch { at, width: rounded((self.at(to_ns) - at).max(0.0)) }
    }

    /// Round moments.
    pub(super) fn ticks(self) -> Vec<Tick> {
        let moments = round_moments(0, self.run_ns, TICKS).into_iter();
        moments.map(|(ns, label)| Tick { at: self.at(ns), label }).collect()
    }
}

/// Round moments between two, at most so many and one more, with their names.
pub(super) fn round_moments(from_ns: u64, to_ns: u64, most: u64) -> Vec<(u64, String)> {
    const MS: u64 = 1_000_000;
    let length = to_ns.saturating_sub(from_ns).max(1);
    let steps = [1, 2, 5].into_iter();
    let powers = (0..14).map(|power| 10_u64.pow(power));
    let steps = powers.flat_map(|power| steps.clone().map(move |step| step * power * MS));
    let step = steps.into_iter().find(|step| length / step <= most).unwrap_or(length);
    let digits = if step < 10 * MS {
        3
    } else if step < 1_000 * MS {
        1
    } else {
        0
    };
    let moments = (from_ns.div_ceil(step)..=to_ns / step).map(|n| n * step);
    moments.map(|ns| (ns, format!("{:.digits$} s", ns as f64 / 1e9))).collect()
}

/// To a thousandth, so that pages are small and the same everywhere.
pub(super) fn rounded(x: f64) -> f64 {
    (x * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        let labels = |run_ns| Axis::new(run_ns).ticks().into_iter().map(|t| t.label).collect::<Vec<_>>();
        let seconds = 1_000_000_000;
        assert_eq!(labels(30 * seconds), ["0 s", "5 s", "10 s", "15 s", "20 s", "25 s", "30 s"]);
        assert_eq!(labels(seconds / 2)[1], "0.1 s");
        assert!((2..=12).contains(&labels(86_400 * 7 * seconds).len()));
        assert_eq!(labels(0).len(), 1);
    }

    #[test]
    fn moments_lie_within_the_axis() {
        let axis = Axis::new(200);
        assert_eq!([axis.at(0), axis.at(50), axis.at(900)], [0.0, 25.0, 100.0]);
        assert_eq!(axis.stretch(50, 900), Stretch { at: 25.0, width: 75.0 });
    }
}
