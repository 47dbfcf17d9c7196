//! How far reads were behind, summed up: percentiles, and the curve over the time since the last write.

use serde_json::{Value, json};

/// Ages above 2 to this power of microseconds (more than nine hours) are one bucket.
const BUCKETS: usize = 36;

/// Reads of one kind.
#[derive(Debug, Clone, Default)]
pub(super) struct Distribution {
    /// Of the stale reads.
    versions: Vec<u64>,
    times_ns: Vec<u64>,
    reads: u64,
    /// By age of the last write: reads, and those that lacked it.
    ages: Vec<(u64, u64)>,
}

impl Distribution {
    /// Adds a read: how far it is behind, and how long ago the last write of its key was answered, with whether
    /// it lacks that one.
    pub(super) fn push(&mut self, versions: u64, time_ns: u64, since: Option<(u64, bool)>) {
        self.reads += 1;
        if versions > 0 {
            self.versions.push(versions);
            self.times_ns.push(time_ns);
        }
        if let Some((age_ns, lacks)) = since {
            let bucket = bucket(age_ns);
            if self.ages.len() <= bucket {
                self.ages.resize(bucket + 1, (0, 0));
            }
            self.ages[bucket].0 += 1;
            self.ages[bucket].1 += u64::from(lacks);
        }
    }

    /// How many were added.
    pub(super) fn reads(&self) -> u64 {
        self.reads
    }

    pub(super) fn json(mut self) -> Value {
        let stale = self.versions.len() as u64;
        self.versions.sort_unstable();
        self.times_ns.sort_unstable();
        let bounds: Vec<u64> = (0..self.ages.len()).map(|bucket| 1 << bucket).collect();
        let (reads, lacking): (Vec<u64>, Vec<u64>) = self.ages.iter().copied().unzip();
        json!({
            "reads": self.reads,
            "stale": stale,
            "share": stale as f64 / self.reads.max(1) as f64,
            "versions_behind": percentiles(&self.versions, self.reads),
            "time_behind_ns": percentiles(&self.times_ns, self.reads),
            "by_age": { "below_us": bounds, "reads": reads, "stale": lacking },
        })
    }
}

/// The bucket of an age: the first with an upper bound above it, in microseconds 1, 2, 4, ….
fn bucket(age_ns: u64) -> usize {
    let age_us = age_ns / 1_000;
    (u64::BITS - age_us.leading_zeros()).min(BUCKETS as u32 - 1) as usize
}

/// Percentiles by nearest rank of so many reads, of which these are not 0, sorted.
fn percentiles(behind: &[u64], reads: u64) -> Value {
    let fresh = reads - behind.len() as u64;
    let rank = |per_mille: u64| {
        let at = (reads * per_mille).div_ceil(1_000).max(1);
        at.checked_sub(fresh + 1).and_then(|at| behind.get(usize::try_from(at).ok()?)).copied().unwrap_or(0)
    };
    json!({
        "p50": rank(500),
        "p90": rank(900),
        "p99": rank(990),
        "p999": rank(999),
        "max": behind.last().copied().unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank_and_count_what_is_fresh() {
        let mut distribution = Distribution::default();
        for _ in 0..90 {
            distribution.push(0, 0, None);
        }
        for k in 1..=10 {
            distribution.push(k, 1_000 * k, None);
        }
        let json = distribution.json();
        assert_eq!(json["versions_behind"], json!({"p50": 0, "p90": 0, "p99": 9, "p999": 10, "max": 10}));
        assert_eq!(json["time_behind_ns"]["p99"], json!(9_000));
        assert_eq!((json["stale"].as_u64(), json["share"].as_f64()), (Some(10), Some(0.1)));
        assert_eq!(Distribution::default().json()["versions_behind"]["max"], json!(0));
    }

    #[test]
    fn ages_fall_below_the_bound_of_their_bucket() {
        for (age_ns, bound_us) in [(0, 1), (999, 1), (1_000, 2), (1_999, 2), (2_000, 4), (3_999_999, 4_096)] {
            assert_eq!(1_u64 << bucket(age_ns), bound_us, "{age_ns} ns");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
        let mut distribution = Distribution::default();
        distribution.push(1, 5, Some((2_500, true)));
        distribution.push(0, 0, Some((2_500, false)));
        let ages = &distribution.json()["by_age"];
        assert_eq!(*ages, json!({"below_us": [1, 2, 4], "reads": [0, 0, 2], "stale": [0, 0, 1]}));
    }
}
