//! Options of `growler test` and `growler check` that hold a run to more than its promise.

use std::time::Duration;

use clap::Args;
use growler_checker::promise::{EVENTUAL, can_be_stale};
use growler_results::test_file::TestFile;

use super::options::{a_share, duration};

/// Bounds that a run must keep.
#[derive(Debug, Clone, Copy, Default, PartialEq, Args)]
pub(crate) struct Bounds {
    /// A read may miss no write that was acknowledged longer than this before it, for instance `500ms`. For
    /// the promises eventual, sessions and causal; without it staleness is measured, not judged
    #[arg(long, value_parser = duration, value_name = "TIME")]
    pub(crate) max_staleness: Option<Duration>,

    /// During partitions, once the store has had time to notice, each side that has enough nodes must serve
    /// this share of its writes (0 to 1)
    #[arg(long, value_parser = a_share, value_name = "SHARE")]
    pub(crate) min_availability: Option<f64>,
}

impl Bounds {
    /// These bounds, and those of a recorded run where these say nothing.
    pub(crate) fn or_recorded(self, test: &TestFile) -> Self {
        let time = |name: &str| duration(test.options.get(name)?.as_str()?).ok();
        let share = |name: &str| test.options.get(name)?.as_f64();
        Self {
            max_staleness: self.max_staleness.or_else(|| time("max-staleness")),
            min_availability: self.min_availability.or_else(|| share("min-availability")),
        }
    }

    /// Whether these bounds can be judged with this model and promise.
    pub(crate) fn check(self, model: &str, promise: &str) -> anyhow::Result<()> {
        if self.max_staleness.is_some() && !can_be_stale(model) {
            anyhow::bail!(
                "--max-staleness: of a {model} it cannot be said how far a read is behind; the check set-full \
                 says how long each element was missed. Leave it out, or use another workload"
            );
        }
        if self.max_staleness.is_some() && !EVENTUAL.contains(&promise) {
            anyhow::bail!(
                "--max-staleness is a bound for reads that may be stale, and `{promise}` allows none: leave it \
                 out, or use --promise eventual"
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_on_staleness_needs_reads_that_may_be_stale() {
        let bounds = Bounds { max_staleness: Some(Duration::from_secs(1)), min_availability: None };
        assert!(bounds.check("register", "eventual").is_ok());
        let error = bounds.check("register", "linearizable").expect_err("no such reads").to_string();
        assert!(error.contains("--promise eventual"), "{error}");
        let error = bounds.check("set", "eventual").expect_err("no order of reads").to_string();
        assert!(error.contains("set-full"), "{error}");
    }
}
