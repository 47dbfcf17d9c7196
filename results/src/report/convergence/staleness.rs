//! How far reads were behind: per kind of read in versions and time, and how probable a stale read was so long
//! after a write (probabilistically bounded staleness, Bailis et al. 2012).
//!
//! The curve's time is logarithmic, since the check counts by powers of two. A stretch without reads is a gap:
//! no reads, no probability.

use std::fmt::Write as _;

use super::stats::Stats;
use super::{Block, Chart, Curve, Table, TableRow, blocks};
use crate::report::axis::rounded;
use crate::report::charts::{YTick, linear_ticks_of, nice, round_duration};
use crate::words::{count, duration, share};

const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 100.0;

/// Kinds of read that get a curve; there are styles for so many.
const CURVES_MAX: usize = 4;

/// Reads by the age of the newest acknowledged write of their key.
struct Ages<'a> {
    kind: &'a str,
    below_us: Vec<u64>,
    reads: Vec<u64>,
    stale: Vec<u64>,
}

pub(super) fn block(stats: &Stats<'_>) -> Block {
    let kinds: Vec<(&str, Stats<'_>)> = stats.members("by").collect();
    let head =
        vec!["reads", "read", "stale", "share", "k p50", "k p99", "k most", "Δ p50", "Δ p99", "Δ longest"];
    let table = Table {
        caption: "How far reads were behind: k in versions, Δ in time",
        head,
        rows: kinds.iter().filter_map(|(kind, stats)| row(kind, stats)).collect(),
        folded: false,
    };
    let ages: Vec<Ages<'_>> = kinds.iter().filter_map(|(kind, stats)| Ages::new(kind, stats)).collect();
    let mut tables = blocks::some(table);
    tables.extend(blocks::some(by_age(&ages)));
    let bound = stats.number("max_ns").map(|max| {
        let beyond = stats.number("too_stale").unwrap_or(0);
        format!("Allowed is a Δ of {}; {} reads were further behind.", duration(max), count(beyond))
    });
    Block {
        title: "Staleness",
        only_measured: bound.is_none(),
        tables,
        chart: chart(&ages),
        notes: bound.into_iter().collect(),
        ..Block::default()
    }
}

fn row(kind: &str, stats: &Stats<'_>) -> Option<TableRow> {
    let (reads, stale) = (stats.number("reads")?, stats.number("stale")?);
    let points = |name: &str, write: fn(u64) -> String| {
        let points = stats.object(name);
        ["p50", "p99", "max"]
            .map(|point| points.and_then(|points| points.number(point)).map_or_else(|| "–".to_owned(), write))
    };
    let mut cells = vec![count(reads), count(stale), share(stale, reads)];
    cells.extend(points("versions_behind", count));
    cells.extend(points("time_behind_ns", duration));
    Some(TableRow { name: kind.to_owned(), cells, bad: false })
}

impl<'a> Ages<'a> {
    fn new(kind: &'a str, stats: &Stats<'a>) -> Option<Self> {
        let ages = stats.object("by_age")?;
        let [below_us, reads, stale] = ["below_us", "reads", "stale"].map(|name| ages.numbers(name));
        let is_whole = reads.len() == below_us.len() && stale.len() == reads.len();
        (is_whole && reads.iter().any(|&n| n > 0)).then_some(Self { kind, below_us, reads, stale })
    }

    /// The buckets with reads: the bound below, the bound above, reads, stale ones.
    fn buckets(&self) -> impl Iterator<Item = (u64, u64, u64, u64)> {
        (0..self.reads.len()).filter(|&at| self.reads[at] > 0).map(|at| {
            let from = if at == 0 { 0 } else { self.below_us[at - 1] };
            (from, self.below_us[at], self.reads[at], self.stale[at])
        })
    }
}

/// The numbers behind the chart.
fn by_age(ages: &[Ages<'_>]) -> Table {
    let rows = ages.iter().flat_map(|ages| {
        ages.buckets().map(|(from, below, reads, stale)| {
            let time = format!("{} – {}", duration(from * 1_000), duration(below.saturating_mul(1_000)));
            let cells = vec![time, count(reads), count(stale), share(stale, reads)];
            TableRow { name: ages.kind.to_owned(), cells, bad: false }
        })
    });
    Table {
        caption: "Reads by the time since the newest acknowledged write of their key, and how many lacked it",
        head: vec!["reads", "since the write", "read", "without it", "share"],
        rows: rows.collect(),
        folded: true,
    }
}

/// Where a time lies on the logarithmic axis.
fn place(us: u64) -> f64 {
    (us.max(1) as f64).log2()
}

fn chart(ages: &[Ages<'_>]) -> Option<Chart> {
    let all = || ages.iter().take(CURVES_MAX).flat_map(Ages::buckets);
    let first = all().map(|(from, ..)| place(from)).reduce(f64::min)?;
    let last = all().map(|(_, below, ..)| place(below)).reduce(f64::max)?;
    if last <= first {
        return None;
    }
    let chance = |reads: u64, stale: u64| stale as f64 / reads as f64 * 100.0;
    let most = all().map(|(_, _, reads, stale)| chance(reads, stale)).fold(1.0, f64::max);
    let top = nice(most).min(100.0);
    let x = |us: u64| rounded((place(us) - first) / (last - first) * WIDTH);
    let curve = |ages: &Ages<'_>| {
        let mut path = String::new();
        let mut before = None;
        for (from, below, reads, stale) in ages.buckets() {
            let y = rounded(HEIGHT - chance(reads, stale) / top * HEIGHT);
            // Formatting into a string cannot fail.
            let _ = match before {
                Some(end) if end == from => write!(path, "V{y}H{}", x(below)),
                _ => write!(path, "M{} {y}H{}", x(from), x(below)),
            };
            before = Some(below);
        }
        Curve { name: ages.kind.to_owned(), path }
    };
    let decades =
        (0..11).map(|power| 10_u64.pow(power)).filter(|&us| first <= place(us) && place(us) <= last);
    let moment = |us: u64| YTick { at: rounded(x(us) / WIDTH * 100.0), label: round_duration(us * 1_000) };
    Some(Chart {
        about: format!(
            "probability that a read lacks the newest write, by the time since it: at most {most:.1} %"
        ),
        curves: ages.iter().take(CURVES_MAX).map(curve).collect(),
        moments: decades.map(moment).collect(),
        levels: linear_ticks_of(top, |v| {
            if v.fract() != 0.0 { format!("{v:.1} %") } else { format!("{v:.0} %") }
        }),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::*;

    fn stats(by_age: &Value) -> BTreeMap<String, Value> {
        let kind = json!({
            "reads": 200, "stale": 3, "share": 0.015,
            "versions_behind": {"p50": 0, "p90": 0, "p99": 2, "p999": 4, "max": 4},
            "time_behind_ns": {"p50": 0, "p90": 0, "p99": 1_500_000, "p999": 9_000_000, "max": 9_000_000},
            "by_age": by_age,
        });
        [
            ("by".to_owned(), json!({"eventual": kind})),
            ("max_ns".to_owned(), json!(500_000_000)),
            ("too_stale".to_owned(), json!(2)),
        ]
        .into()
    }

    #[test]
    fn the_distributions_of_each_kind_are_a_row_and_the_bound_a_sentence() {
        let stats = stats(&json!({"below_us": [1, 2], "reads": [0, 0], "stale": [0, 0]}));
        let block = block(&Stats::of(&stats));
        let row = ["200", "3", "1.50 %", "0", "2", "4", "0 s", "1.50 ms", "9.00 ms"];
        assert_eq!(
            (block.tables.len(), block.tables[0].rows[0].cells.as_slice()),
            (1, row.map(String::from).as_slice())
        );
        assert_eq!(block.notes, ["Allowed is a Δ of 500 ms; 2 reads were further behind."]);
        assert!(block.chart.is_none(), "no reads after a write, no curve");
    }

    #[test]
    fn the_curve_is_a_share_in_each_stretch_and_breaks_where_nobody_read() {
        let ages =
            json!({"below_us": [1, 2, 4, 8, 16], "reads": [0, 10, 4, 0, 8], "stale": [0, 10, 2, 0, 0]});
        let stats = stats(&ages);
        let block = block(&Stats::of(&stats));
        let chart = block.chart.unwrap();
        assert_eq!(chart.curves[0].path, "M0 0H250V50H500M750 100H1000");
        assert_eq!(chart.levels.last().unwrap().label, "100 %");
        assert_eq!(block.tables[1].rows.len(), 3);
        assert_eq!(block.tables[1].rows[1].cells, ["2.00 µs – 4.00 µs", "4", "2", "50.00 %"]);
    }
}
