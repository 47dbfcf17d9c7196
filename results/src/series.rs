//! Rates, latencies and counts of a history. Pure: the same operations give the same figures.

use std::collections::BTreeMap;

use crate::operations::{Operation, Outcome, error_name};

/// Figures in equal slices of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// The length of a slice, ns.
    pub bucket_ns: u64,
    /// The slices, from the beginning of the run.
    pub buckets: Vec<Bucket>,
}

/// One slice: the operations that ended in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Those that happened.
    pub ok: u64,
    /// Those that certainly did not.
    pub fail: u64,
    /// Those that may or may not have happened.
    pub info: u64,
    /// Latency of those that were served; `None` where none was.
    pub latency: Option<Latency>,
}

/// Quantiles of a set of latencies, exact, ns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latency {
    /// Half are no longer.
    pub p50_ns: u64,
    /// 99 of 100 are no longer.
    pub p99_ns: u64,
    /// The longest.
    pub max_ns: u64,
}

impl Latency {
    /// The quantiles of the given latencies, which it sorts. `None` of nothing.
    #[must_use]
    pub fn of(latencies_ns: &mut [u64]) -> Option<Self> {
        latencies_ns.sort_unstable();
        let max_ns = *latencies_ns.last()?;
        // Nearest rank: the smallest value that at least p per cent do not exceed.
        let rank = |p: usize| latencies_ns[(latencies_ns.len() * p).div_ceil(100).max(1) - 1];
        Some(Self { p50_ns: rank(50), p99_ns: rank(99), max_ns })
    }
}

/// Slices that suit a run of this length: at most 300, of a length that people count in.
#[must_use]
pub fn bucket_for(run_ns: u64) -> u64 {
    const MS: u64 = 1_000_000;
    let lengths = [100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000, 600_000];
    let fits = lengths.into_iter().find(|ms| run_ns.div_ceil(ms * MS) <= 300);
    fits.map_or_else(|| run_ns.div_ceil(300), |ms| ms * MS)
}

/// Slices a run of length `run_ns` by the ends of its operations. One that never ended is in none.
#[must_use]
pub fn series(operations: &[Operation<'_>], bucket_ns: u64, run_ns: u64) -> Series {
    let bucket_ns = bucket_ns.max(1);
    let slices = usize::try_from(run_ns.div_ceil(bucket_ns).max(1)).unwrap_or(usize::MAX);
    let mut buckets = vec![Bucket::default(); slices];
    let mut latencies = vec![Vec::new(); slices];
    for op in operations {
        let (Some(end), Some(latency)) = (op.end_ns(), op.latency_ns()) else { continue };
        let slot = usize::try_from(end / bucket_ns).unwrap_or(usize::MAX).min(slices - 1);
        match op.outcome() {
            Outcome::Ok => buckets[slot].ok += 1,
            Outcome::Fail => buckets[slot].fail += 1,
            Outcome::Info => buckets[slot].info += 1,
        }
        if op.served() {
            latencies[slot].push(latency);
        }
    }
    for (bucket, latencies) in buckets.iter_mut().zip(&mut latencies) {
        bucket.latency = Latency::of(latencies);
    }
    Series { bucket_ns, buckets }
}

/// How the operations of one function ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FunctionCounts {
    /// Invocations.
    pub ops: u64,
    /// Those that happened.
    pub ok: u64,
    /// Those that certainly did not, because their condition did not hold.
    pub condition_failed: u64,
    /// Those that certainly did not, for other reasons.
    pub fail: u64,
    /// Those that may or may not have happened.
    pub info: u64,
    /// The errors met, by name.
    pub errors: BTreeMap<String, u64>,
    /// Latency of those that were served.
    pub latency: Option<Latency>,
}

/// Counts by function.
#[must_use]
pub fn by_function(operations: &[Operation<'_>]) -> BTreeMap<String, FunctionCounts> {
    let mut functions: BTreeMap<&str, (FunctionCounts, Vec<u64>)> = BTreeMap::new();
    for op in operations {
        let (counts, latencies) = functions.entry(&op.invoke.f).or_default();
        counts.ops += 1;
        match op.outcome() {
            Outcome::Ok => counts.ok += 1,
            Outcome::Fail if op.condition_failed() => counts.condition_failed += 1,
            Outcome::Fail => counts.fail += 1,
            Outcome::Info => counts.info += 1,
        }
        match op.latency_ns() {
            Some(latency) if op.served() => latencies.push(latency),
            _ => {
                let name = op.complete.map_or(Some("open at the end"), error_name).unwrap_or("unnamed");
                *counts.errors.entry(name.to_owned()).or_default() += 1;
            }
        }
    }
    let finished = functions.into_iter().map(|(f, (mut counts, mut latencies))| {
        counts.latency = Latency::of(&mut latencies);
        (f.to_owned(), counts)
    });
    finished.collect()
}

#[cfg(test)]
mod tests {
    use growler_checker::history::{Event, EventType, Process};
    use serde_json::{Value, json};

    use super::*;
    use crate::operations::pair;

    fn op(f: &str, from: u64, to: u64, kind: EventType, error: Option<Value>) -> [Event; 2] {
        let invoke =
            Event { time: from, ..Event::new(Process::Client(0), EventType::Invoke, f, Value::Null) };
        [invoke.clone(), Event { time: to, kind, error: error.map(Into::into), ..invoke }]
    }

    #[test]
    fn operations_count_where_they_end() {
        let events = [
            op("read", 0, 5, EventType::Ok, None),
            op("read", 5, 12, EventType::Ok, None),
            op("write", 12, 19, EventType::Info, Some(json!("timeout"))),
            op("write", 19, 25, EventType::Fail, Some(json!("refused"))),
        ]
        .concat();
        let series = series(&pair(&events), 10, 30);
        let latency = |ns| Some(Latency { p50_ns: ns, p99_ns: ns, max_ns: ns });
        let expected = [
            Bucket { ok: 1, latency: latency(5), ..Bucket::default() },
            Bucket { ok: 1, info: 1, latency: latency(7), ..Bucket::default() },
            Bucket { fail: 1, ..Bucket::default() },
        ];
        assert_eq!(series.buckets, expected);
    }

    #[test]
    fn quantiles_are_of_the_nearest_rank() {
        let mut latencies: Vec<u64> = (1..=200).rev().collect();
        let expected = Latency { p50_ns: 100, p99_ns: 198, max_ns: 200 };
        assert_eq!(Latency::of(&mut latencies), Some(expected));
        assert_eq!(Latency::of(&mut []), None);
    }

    #[test]
    fn slices_suit_the_run() {
        let second = 1_000_000_000;
        assert_eq!(bucket_for(30 * second), second / 10);
        assert_eq!(bucket_for(31 * second), second / 5);
        assert!((3600 * second * 1000).div_ceil(bucket_for(3600 * second * 1000)) <= 300);
    }

    #[test]
    fn functions_are_counted_by_outcome_and_error() {
        let mut events = [
            op("cas", 0, 4, EventType::Fail, Some(json!("condition-failed"))),
            op("cas", 4, 6, EventType::Info, Some(json!(["timeout", 5]))),
            op("cas", 6, 8, EventType::Ok, None),
        ]
        .concat();
        events.push(op("read", 9, 9, EventType::Ok, None)[0].clone());
        let counts = by_function(&pair(&events));
        let cas = &counts["cas"];
        assert_eq!((cas.ops, cas.ok, cas.condition_failed, cas.fail, cas.info), (3, 1, 1, 0, 1));
        assert_eq!(cas.errors, [("timeout".to_owned(), 1)].into());
        assert_eq!(cas.latency.unwrap().max_ns, 4);
        assert_eq!(counts["read"].errors, [("open at the end".to_owned(), 1)].into());
    }
}
