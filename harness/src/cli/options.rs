//! The options that every command which runs a test shares (contract, section 1).

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use growler_store::node::Style;
use growler_workloads::workload::Popularity;

use super::bounds::Bounds;

/// Options of a test run.
#[derive(Debug, Clone, Args)]
pub(crate) struct TestOptions {
    /// What the clients do: see `growler list workloads`
    #[arg(long, default_value = "register", value_name = "NAME")]
    pub(crate) workload: String,

    /// Kinds of fault, separated by commas, or `none`: see `growler list faults`.
    /// [default: partition,kill,pause,clock for the bundled store, none for endpoints]
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    pub(crate) faults: Vec<String>,

    /// Skip the faults that the target cannot take, and say so, rather than refuse them: of an endpoint only the
    /// links to its clients can be broken
    #[arg(long)]
    pub(crate) skip_impossible: bool,

    /// The least time for which a fault is in force. [default: long enough for the system to notice it]
    #[arg(long, value_parser = duration, value_name = "TIME")]
    pub(crate) fault_window: Option<Duration>,

    /// Style of the bundled store: `leader` or `quorum`
    #[arg(long, default_value_t, value_name = "STYLE", conflicts_with = "endpoint")]
    pub(crate) store: Style,

    /// Nodes of the bundled store. [default: 3, for the quorum store 5]
    #[arg(long, value_name = "N", conflicts_with = "endpoint")]
    pub(crate) nodes: Option<usize>,

    /// A setting of the bundled store, for instance `reads=lease`: see `growler list settings`
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value, conflicts_with = "endpoint")]
    pub(crate) set: Vec<(String, String)>,

    /// Test this DynamoDB-compatible endpoint instead of the bundled store; repeat it for the nodes of one
    /// cluster
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint: Vec<String>,

    /// Allow an endpoint that is not on this machine
    #[arg(long, requires = "endpoint")]
    pub(crate) allow_remote: bool,

    /// Trust this PEM certificate (an https endpoint's own authority)
    #[arg(long, value_name = "FILE", requires = "endpoint")]
    pub(crate) cacert: Option<PathBuf>,

    /// Send at most this many requests, then end the load
    #[arg(long, value_name = "N")]
    pub(crate) max_requests: Option<u64>,

    /// Spend at most this many write request units, then end the load
    #[arg(long, value_name = "N")]
    pub(crate) max_write_units: Option<u64>,

    /// Spend at most this many read request units, then end the load
    #[arg(long, value_name = "N")]
    pub(crate) max_read_units: Option<u64>,

    /// What the system is held to: see `growler list promises`. [default: follows from the store and its
    /// settings; dynamodb-region for endpoints]
    #[arg(long, value_name = "NAME")]
    pub(crate) promise: Option<String>,

    /// Length of the load, warm-up included
    #[arg(long, default_value = "30s", value_parser = duration, value_name = "TIME")]
    pub(crate) time: Duration,

    /// Number of concurrent clients
    #[arg(long, default_value_t = 24, value_name = "N")]
    pub(crate) concurrency: usize,

    /// Operations a second, arriving whether or not earlier ones have ended (open loop). Without it every
    /// client sends its next operation when the last one has ended (closed loop)
    #[arg(long, value_name = "OPS")]
    pub(crate) rate: Option<f64>,

    /// Keys in use at a time
    #[arg(long, default_value_t = 32, value_name = "N")]
    pub(crate) keys: usize,

    /// How keys are chosen: `uniform`, `zipf`, `zipf:EXPONENT`, `hot` or `hot:SHARE`
    #[arg(long, default_value = "zipf", value_name = "HOW")]
    pub(crate) key_popularity: KeyPopularity,

    /// Operations on a key before it is replaced by a fresh one
    #[arg(long, default_value_t = 400, value_name = "N")]
    pub(crate) ops_per_key: u64,

    /// How long a client waits for an answer
    #[arg(long, default_value = "2s", value_parser = duration, value_name = "TIME")]
    pub(crate) timeout: Duration,

    /// How long after the last heal the system may take to serve again
    #[arg(long, default_value = "10s", value_parser = duration, value_name = "TIME")]
    pub(crate) recovery: Duration,

    /// Every random choice follows from it. [default: a random one, printed]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,

    /// Where runs are kept
    #[arg(long, default_value = "runs", value_name = "DIR")]
    pub(crate) out: PathBuf,

    /// Run the bundled store with this planted bug: see `growler list bugs`
    #[arg(long, value_name = "NAME", conflicts_with = "endpoint")]
    pub(crate) bug: Option<String>,

    /// An anomaly that is known here: reported, and not a failure
    #[arg(long, value_name = "NAME")]
    pub(crate) allow: Vec<String>,

    /// At least one of these anomalies must show; anything else fails
    #[arg(long, value_name = "NAME")]
    pub(crate) expect: Vec<String>,

    /// Fewer `ok` operations than this make the run vacuous
    #[arg(long, default_value_t = 500, value_name = "N")]
    pub(crate) min_ok: u64,

    /// Fewer acknowledged writes than this that overlapped another write of their key make the run vacuous: what
    /// goes wrong when two writes meet might not have shown. Not held against one client alone, nor against a
    /// --rate at which operations hardly meet, nor against the workload set, whose elements are written once each
    #[arg(long, default_value_t = 50, value_name = "N")]
    pub(crate) min_exposure: u64,

    /// End the run as soon as a violation of linearizability is certain, rather than after --time. The verdict
    /// is still that of the check of the whole history. For the workloads register and cas-register
    #[arg(long)]
    pub(crate) fail_fast: bool,

    /// After a run that passes, single faults of several kinds are put into copies of its history, and the
    /// share that the checks find is the run's sensitivity. If that of any kind with at least 20 suitable
    /// places is below this, the run is vacuous (0 to 1). Of each kind at most 400 faults are tried, and fewer where
    /// the end of the run would take more than 10 s and a third of the run; the interval that goes with that
    /// (95 %) is told, and the share itself is what counts
    #[arg(long, default_value_t = 0.5, value_parser = a_share, value_name = "SHARE")]
    pub(crate) min_sensitivity: f64,

    #[command(flatten)]
    pub(crate) bounds: Bounds,

    /// Print the verdict as JSON on standard output, and nothing else there
    #[arg(long)]
    pub(crate) json: bool,
}

impl TestOptions {
    /// How many nodes the bundled store has.
    pub(crate) fn store_nodes(&self) -> usize {
        self.nodes.unwrap_or(self.store.default_nodes())
    }
}

/// `--key-popularity`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct KeyPopularity(pub(crate) Popularity);

impl FromStr for KeyPopularity {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let (name, argument) = s.split_once(':').map_or((s, None), |(n, a)| (n, Some(a)));
        let number = |default: f64| match argument {
            None => Ok(default),
            Some(a) => a.parse::<f64>().map_err(|_| format!("`{a}` is not a number")),
        };
        match name {
            "uniform" if argument.is_none() => Ok(Self(Popularity::Uniform)),
            "zipf" => match number(0.8)? {
                e if e > 0.0 && e <= 10.0 => Ok(Self(Popularity::Zipf(e))),
                e => Err(format!("the exponent {e} is not between 0 and 10")),
            },
            "hot" => match number(0.5)? {
                s if (0.0..=1.0).contains(&s) => Ok(Self(Popularity::Hot(s))),
                s => Err(format!("the share {s} is not between 0 and 1")),
            },
            _ => Err("use uniform, zipf, zipf:EXPONENT, hot or hot:SHARE".to_owned()),
        }
    }
}

impl std::fmt::Display for KeyPopularity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Popularity::Uniform => f.write_str("uniform"),
            Popularity::Zipf(e) => write!(f, "zipf:{e}"),
            Popularity::Hot(s) => write!(f, "hot:{s}"),
        }
    }
}

/// Reads `30s`, `500ms`, `1m30s`.
pub(crate) fn duration(s: &str) -> Result<Duration, String> {
    let parsed: jiff::SignedDuration =
        s.parse().map_err(|_| "write a time such as 500ms, 30s or 2m".to_owned())?;
    Duration::try_from(parsed).map_err(|_| "a time cannot be negative".to_owned())
}

/// Reads a number from 0 to 1.
pub(crate) fn a_share(s: &str) -> Result<f64, String> {
    let share = s.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "write a number from 0 to 1, such as 0.5".to_owned())
}

pub(crate) fn key_value(s: &str) -> Result<(String, String), String> {
    match s.split_once('=') {
        Some((k, v)) if !k.is_empty() => Ok((k.to_owned(), v.to_owned())),
        _ => Err("write KEY=VALUE".to_owned()),
    }
}
