//! Rate and latency over time, as paths for inline SVG.
//!
//! A chart's box is 1000 wide and 100 high and is stretched to its place; what must not be stretched (labels,
//! ticks) is text beside it, placed in per cent. So charts need no script, print well, and are the same
//! bytes for the same run.

use std::fmt::Write as _;

use serde::Serialize;

use super::axis::rounded;
use crate::series::{Bucket, Series};
use crate::words::{count, duration};

const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 100.0;

/// One chart.
#[derive(Debug, Serialize)]
pub(super) struct Chart {
    pub(super) title: &'static str,
    pub(super) unit: &'static str,
    /// A sentence for those who cannot see it.
    pub(super) about: String,
    pub(super) curves: Vec<Curve>,
    pub(super) ticks: Vec<YTick>,
}

/// One line or area of a chart.
#[derive(Debug, Serialize)]
pub(super) struct Curve {
    pub(super) name: &'static str,
    /// `area` or `line`.
    pub(super) shape: &'static str,
    pub(super) path: String,
}

/// A named height, per cent from the bottom.
#[derive(Debug, Serialize)]
pub(super) struct YTick {
    pub(super) at: f64,
    pub(super) label: String,
}

/// The three charts of a run.
pub(super) fn charts(series: &Series, run_ns: u64) -> Vec<Chart> {
    vec![served(series, run_ns), not_ok(series, run_ns), latency(series, run_ns)]
}

fn served(series: &Series, run_ns: u64) -> Chart {
    let rates = rates(series, |b| b.ok);
    let top = nice(rates.iter().copied().fold(1.0, f64::max));
    let average = series.buckets.iter().map(|b| b.ok).sum::<u64>() as f64 / (run_ns as f64 / 1e9);
    Chart {
        title: "ok",
        unit: "per second",
        about: format!("ok operations a second: {average:.0} on average"),
        curves: vec![Curve {
            name: "ok",
            shape: "area",
            path: steps(series, run_ns, &heights(&rates, top), true),
        }],
        ticks: linear_ticks(top),
    }
}

fn not_ok(series: &Series, run_ns: u64) -> Chart {
    let (fail, info) = (rates(series, |b| b.fail), rates(series, |b| b.info));
    let top = nice(fail.iter().chain(&info).copied().fold(1.0, f64::max));
    let total = |of: fn(&Bucket) -> u64| count(series.buckets.iter().map(of).sum());
    let curve = |name, rates: &[f64]| Curve {
        name,
        shape: "line",
        path: steps(series, run_ns, &heights(rates, top), false),
    };
    Chart {
        title: "fail, info",
        unit: "per second",
        about: format!(
            "operations that failed ({}) and that nobody knows of ({})",
            total(|b| b.fail),
            total(|b| b.info)
        ),
        curves: vec![curve("fail", &fail), curve("info", &info)],
        ticks: linear_ticks(top),
    }
}

/// Latency on a logarithmic scale of whole decades.
fn latency(series: &Series, run_ns: u64) -> Chart {
    let known = || series.buckets.iter().filter_map(|b| b.latency);
    let low = known().map(|l| l.p50_ns.max(1_000)).min().unwrap_or(100_000).ilog10();
    let high = known().map(|l| l.p99_ns.max(1_000)).max().unwrap_or(1_000_000).ilog10() + 1;
    let height = |ns: u64| {
        let decades = f64::from(high - low);
        rounded(((ns.max(1) as f64).log10() - f64::from(low)).clamp(0.0, decades) / decades * HEIGHT)
    };
    let curve = |name, of: fn(&crate::series::Latency) -> u64| {
        let heights: Vec<_> = series.buckets.iter().map(|b| b.latency.map(|l| height(of(&l)))).collect();
        Curve { name, shape: "line", path: steps(series, run_ns, &heights, false) }
    };
    let worst = known().map(|l| l.max_ns).max().unwrap_or(0);
    Chart {
        title: "latency",
        unit: "log scale",
        about: format!(
            "latency of served operations, median and 99th percentile; the longest took {}",
            duration(worst)
        ),
        curves: vec![curve("p99", |l| l.p99_ns), curve("p50", |l| l.p50_ns)],
        ticks: (low..=high)
            .map(|power| {
                let at = rounded(f64::from(power - low) / f64::from(high - low) * 100.0);
                YTick { at, label: round_duration(10_u64.pow(power)) }
            })
            .collect(),
    }
}

/// `100 µs`, `1 ms`, `10 s`: a power of ten.
pub(super) fn round_duration(ns: u64) -> String {
    match ns {
        0..1_000_000 => format!("{} µs", ns / 1_000),
        1_000_000..1_000_000_000 => format!("{} ms", ns / 1_000_000),
        _ => format!("{} s", ns / 1_000_000_000),
    }
}

fn rates(series: &Series, of: fn(&Bucket) -> u64) -> Vec<f64> {
    let per_second = 1e9 / series.bucket_ns as f64;
    series.buckets.iter().map(|b| of(b) as f64 * per_second).collect()
}

fn heights(values: &[f64], top: f64) -> Vec<Option<f64>> {
    values.iter().map(|v| Some(rounded(v / top * HEIGHT))).collect()
}

/// The next round number: 1, 2 or 5 times a power of ten.
pub(super) fn nice(x: f64) -> f64 {
    let power = 10_f64.powf(x.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * power).find(|top| *top >= x).unwrap_or(x)
}

fn linear_ticks(top: f64) -> Vec<YTick> {
    linear_ticks_of(top, |v| if v < 10.0 && v.fract() != 0.0 { format!("{v:.1}") } else { count(v as u64) })
}

/// The foot, the middle and the top of a scale.
pub(super) fn linear_ticks_of(top: f64, label: impl Fn(f64) -> String) -> Vec<YTick> {
    [0.0, 0.5, 1.0].map(|part| YTick { at: part * 100.0, label: label(part * top) }).into()
}

/// A stepped curve through the slices. Where a slice has no value the line breaks; an area closes at the foot.
fn steps(series: &Series, run_ns: u64, heights: &[Option<f64>], area: bool) -> String {
    let x = |slot: usize| {
        let ns = (slot as u64).saturating_mul(series.bucket_ns).min(run_ns);
        rounded(ns as f64 / run_ns as f64 * WIDTH)
    };
    let mut path = String::new();
    let mut down = None;
    for (slot, height) in heights.iter().enumerate() {
        // Formatting into a string cannot fail.
        match height {
            Some(height) => {
                let y = rounded(HEIGHT - height);
                let start = if area {
                    format!("M{0} {HEIGHT}L{0} {y}", x(slot))
                } else {
                    format!("M{} {y}", x(slot))
                };
                let _ = match down {
                    None => write!(path, "{start}H{}", x(slot + 1)),
                    Some(before) if before == y => write!(path, "H{}", x(slot + 1)),
                    Some(_) => write!(path, "V{y}H{}", x(slot + 1)),
                };
                down = Some(y);
            }
            None => down = None,
        }
    }
    if area && down.is_some() {
        let _ = write!(path, "V{HEIGHT}Z");
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Latency;

    fn series() -> Series {
        let latency = Some(Latency { p50_ns: 1_000_000, p99_ns: 10_000_000, max_ns: 20_000_000 });
        let served = Bucket { ok: 2, latency, ..Bucket::default() };
        let buckets = vec![served, served, Bucket { info: 1, ..Bucket::default() }, served];
        Series { bucket_ns: 1_000_000_000, buckets }
    }

    #[test]
    fn curves_step_through_the_slices_and_break_where_nothing_is_known() {
        let charts = charts(&series(), 3_500_000_000);
        assert_eq!(charts[0].curves[0].path, "M0 100L0 0H285.714H571.429V100H857.143V0H1000V100Z");
        let p50 = charts[2].curves.iter().find(|c| c.name == "p50").unwrap();
        assert_eq!(p50.path, "M0 100H285.714H571.429M857.143 100H1000");
        let ticks: Vec<_> = charts[2].ticks.iter().map(|t| t.label.as_str()).collect();
        assert_eq!(ticks, ["1 ms", "10 ms", "100 ms"]);
    }

    #[test]
    fn an_empty_run_has_charts() {
        let empty = Series { bucket_ns: 1, buckets: vec![Bucket::default()] };
        assert_eq!(charts(&empty, 1)[2].curves[0].path, "");
    }

    #[test]
    fn scales_end_at_round_numbers() {
        assert_eq!([1.0, 3.0, 20.0, 2_345.0].map(nice), [1.0, 5.0, 20.0, 5_000.0]);
    }
}
