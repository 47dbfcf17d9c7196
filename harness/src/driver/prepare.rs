//! Checks the options against one another before anything is started, so that a mistake on the command line
//! costs no time and leaves nothing behind.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{anyhow, bail};
use growler_store::node::{Style, check_settings};
use growler_workloads::dynamodb::{Endpoint, Identity};
use growler_workloads::promises::System;
use growler_workloads::workload::{Description, Mode, Shape};

use super::seeds::{Seeds, any_seed};
use super::terms::{limits_of, terms};
use crate::cli::TestOptions;
use crate::cluster::is_loopback;
use crate::error::{CommandError, Sort};

/// The least time for which a fault of an endpoint is in force.
const ENDPOINT_WINDOW: Duration = Duration::from_millis(1_500);

/// What a fault may need, and finds at an endpoint.
const OF_ENDPOINTS: &[&str] = &["network"];

/// Options that fit together.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    pub(crate) options: TestOptions,
    pub(crate) workload: &'static Description,
    pub(crate) seed: u64,
    pub(crate) seeds: Seeds,
    pub(crate) faults: Vec<String>,
    /// Kinds that were asked for and that the target cannot take, with `--skip-impossible`: a sentence each.
    pub(crate) skipped: Vec<String>,
    pub(crate) promise: String,
    pub(crate) settings: BTreeMap<String, String>,
    pub(crate) warm_up: Duration,
}

impl Prepared {
    /// The least time for which a fault is in force. Where the user does not say (`--fault-window`): three
    /// election timeouts, or half as long again as the quorum store takes to notice that a node is gone, so
    /// that there is something to be seen of what it does then. A cut before an only endpoint holds every client
    /// until its deadline, so that there it lasts longer than that: a window without an invocation would show
    /// nothing.
    pub(crate) fn least_fault_window(&self) -> Duration {
        if let Some(window) = self.options.fault_window {
            return window;
        }
        if !self.options.endpoint.is_empty() {
            return (self.options.timeout * 5 / 4).max(ENDPOINT_WINDOW);
        }
        let detection = limits_of(&self.system(), self.options.store_nodes()).detection;
        match self.options.store {
            Style::Leader => detection * 3 / 4,
            Style::Quorum => detection * 3 / 2,
        }
    }

    /// The name of the test: the first level of the folder of runs.
    pub(crate) fn test_name(&self) -> String {
        let system = if self.options.endpoint.is_empty() { self.options.store.name() } else { "endpoint" };
        match &self.options.bug {
            Some(bug) => format!("{system}-{}-{bug}", self.workload.name),
            None => format!("{system}-{}", self.workload.name),
        }
    }

    /// The system, as far as promises go.
    fn system(&self) -> System<'_> {
        let store = self.options.endpoint.is_empty().then_some(self.options.store.name());
        System { store, settings: &self.settings, faults: &self.faults }
    }

    /// The shape of the load.
    pub(crate) fn shape(&self, table_prefix: &str) -> Shape {
        Shape {
            keys: self.options.keys,
            popularity: self.options.key_popularity.0,
            ops_per_key: self.options.ops_per_key,
            concurrency: self.options.concurrency,
            seed: self.seeds.stream("generator"),
            table_prefix: table_prefix.to_owned(),
            mode: Mode::of(&self.promise),
            terms: terms(&self.system(), node_names(&self.options).len(), self.options.bounds),
            convergence: self.options.recovery,
        }
    }
}

/// Checks the options as a run would before it starts anything.
pub(crate) fn check_options(options: &TestOptions) -> Result<(), CommandError> {
    prepare(options).map(drop)
}

/// Checks the options, and fills in those that follow from others.
pub(crate) fn prepare(options: &TestOptions) -> Result<Prepared, CommandError> {
    check_values(options).usage()?;
    check_endpoints(&endpoints(options), options.cacert.as_deref(), options.allow_remote).usage()?;
    let settings = find_settings(options).usage()?;
    let workload = find_workload(options).usage()?;
    let (faults, skipped) = find_faults(options).and_then(|kinds| possible(kinds, options)).usage()?;
    check_anomalies(&options.allow, &options.expect).usage()?;
    let promise = find_promise(options, workload, &settings, &faults).usage()?;
    options.bounds.check(workload.model, &promise).usage()?;
    let seed = options.seed.unwrap_or_else(any_seed);
    let warm_up = (options.time / 10).min(Duration::from_secs(2));
    let prepared = Prepared {
        options: options.clone(),
        workload,
        seed,
        seeds: Seeds::new(seed),
        faults,
        skipped,
        promise,
        settings,
        warm_up,
    };
    super::fail_fast::check_options(&prepared).usage()?;
    // A plan that cannot be made for this length is the user's mistake: say so before anything starts.
    super::phases::plan(&prepared, &node_names(options), 0).usage()?;
    Ok(prepared)
}

/// `n1`, `n2`, …
pub(crate) fn node_names(options: &TestOptions) -> Vec<String> {
    let n = if options.endpoint.is_empty() { options.store_nodes() } else { options.endpoint.len() };
    (1..=n).map(|i| format!("n{i}")).collect()
}

fn check_values(options: &TestOptions) -> anyhow::Result<()> {
    if options.concurrency == 0 {
        bail!("--concurrency 0: at least one client is needed");
    }
    if options.keys == 0 {
        bail!("--keys 0: at least one key is needed");
    }
    if options.ops_per_key == 0 {
        bail!("--ops-per-key 0: a key must live for at least one operation");
    }
    if options.endpoint.is_empty() && options.store_nodes() == 0 {
        bail!("--nodes 0: at least one node is needed");
    }
    if let Some(rate) = options.rate
        && !(rate.is_finite() && rate > 0.0)
    {
        bail!("--rate {rate}: write a number of operations a second above 0");
    }
    if options.time < Duration::from_secs(1) {
        bail!("--time {:?}: a run of less than a second shows nothing", options.time);
    }
    if options.timeout.is_zero() {
        bail!("--timeout 0: a client must wait for an answer");
    }
    Ok(())
}

fn endpoints(options: &TestOptions) -> Vec<Endpoint> {
    let named = node_names(options).into_iter().zip(&options.endpoint);
    named.map(|(name, url)| Endpoint { name, url: url.clone(), connect_to: None }).collect()
}

/// Endpoints that clients can be made for, with the files that these read.
pub(crate) fn check_endpoints(
    endpoints: &[Endpoint],
    cacert: Option<&Path>,
    allow_remote: bool,
) -> anyhow::Result<()> {
    growler_workloads::dynamodb::check(endpoints, cacert)?;
    for Endpoint { url, .. } in endpoints {
        if !is_loopback(url)? && !allow_remote {
            bail!(
                "--endpoint {url} is not on this machine: a test writes to it, and may cost money; add \
                 --allow-remote if you mean it"
            );
        }
    }
    Identity::from_environment(endpoints)?;
    Ok(())
}

fn find_workload(options: &TestOptions) -> anyhow::Result<&'static Description> {
    let all = growler_workloads::workloads();
    let found = all.iter().find(|w| w.name == options.workload).ok_or_else(|| {
        let names = all.iter().map(|w| w.name).collect::<Vec<_>>().join(", ");
        anyhow!("there is no workload `{}`; there are: {names}", options.workload)
    })?;
    if options.endpoint.is_empty() && !found.stores.contains(&options.store.name()) {
        let elsewhere = match found.stores {
            [] => String::new(),
            stores => format!(" run it with --store {}, or", stores.join(" or ")),
        };
        bail!(
            "the bundled {} store cannot run the {} workload, which needs {};{elsewhere} test an endpoint \
             that has them with --endpoint URL",
            options.store,
            found.name,
            found.needs.join(", ")
        );
    }
    Ok(found)
}

fn find_faults(options: &TestOptions) -> anyhow::Result<Vec<String>> {
    let catalogue = growler_nemesis::faults();
    let default: &[&str] = if options.endpoint.is_empty() { &growler_nemesis::DEFAULT_FAULTS } else { &[] };
    if options.faults.is_empty() {
        return Ok(default.iter().map(|f| (*f).to_owned()).collect());
    }
    if options.faults.iter().any(|f| f == "none") {
        if options.faults.len() > 1 {
            bail!("--faults none goes with no other kind");
        }
        return Ok(Vec::new());
    }
    let mut kinds = Vec::new();
    for kind in &options.faults {
        if !catalogue.iter().any(|f| f.name == kind) {
            let names = catalogue.iter().map(|f| f.name).collect::<Vec<_>>().join(", ");
            bail!("there is no fault `{kind}`; there are: {names}, and none");
        }
        if !kinds.contains(kind) {
            kinds.push(kind.clone());
        }
    }
    Ok(kinds)
}

/// The kinds that the target can take, and why it cannot take the others, where those are to be skipped.
fn possible(kinds: Vec<String>, options: &TestOptions) -> anyhow::Result<(Vec<String>, Vec<String>)> {
    if options.endpoint.is_empty() {
        return Ok((kinds, Vec::new()));
    }
    let needs =
        |kind: &str| growler_nemesis::faults().iter().find(|f| f.name == kind).map_or(&[][..], |f| f.needs);
    let missing = |kind: &str| needs(kind).iter().find(|need| !OF_ENDPOINTS.contains(need));
    let (mut can, mut skipped) = (Vec::new(), Vec::new());
    for kind in kinds {
        let Some(need) = missing(&kind) else {
            can.push(kind);
            continue;
        };
        let why = format!(
            "the fault {kind} needs the nodes' {need}, and of an endpoint growler holds only the links to its clients"
        );
        if !options.skip_impossible {
            bail!("{why}; leave it out of --faults, or skip it with --skip-impossible");
        }
        skipped.push(format!("{why}: it was skipped (--skip-impossible)"));
    }
    Ok((can, skipped))
}

fn find_settings(options: &TestOptions) -> anyhow::Result<BTreeMap<String, String>> {
    if !options.endpoint.is_empty() {
        return Ok(BTreeMap::new());
    }
    let settings: BTreeMap<_, _> = options.set.iter().cloned().collect();
    check_settings(options.store, options.store_nodes(), &settings)?;
    if let Some(bug) = &options.bug {
        let bugs = growler_store::bugs::catalogue();
        let Some(found) = bugs.iter().find(|b| b.name == bug) else {
            let names = bugs.iter().map(|b| b.name).collect::<Vec<_>>().join(", ");
            bail!("there is no bug `{bug}`; there are: {names}");
        };
        if !found.stores.contains(&options.store.name()) {
            let stores = found.stores.join(" and ");
            bail!("the {} store cannot have the bug `{bug}`, which is of: {stores}", options.store);
        }
    }
    Ok(settings)
}

/// `--allow` and `--expect` name anomalies that exist.
pub(crate) fn check_anomalies(allow: &[String], expect: &[String]) -> anyhow::Result<()> {
    let known = growler_checker::anomaly::catalogue();
    for (option, names) in [("--allow", allow), ("--expect", expect)] {
        if let Some(unknown) = names.iter().find(|n| !known.iter().any(|a| a.name == n.as_str())) {
            bail!("{option} {unknown}: there is no such anomaly; see `growler list anomalies`");
        }
    }
    Ok(())
}

fn find_promise(
    options: &TestOptions,
    workload: &Description,
    settings: &BTreeMap<String, String>,
    faults: &[String],
) -> anyhow::Result<String> {
    let store = options.endpoint.is_empty().then_some(options.store.name());
    let promised = System { store, settings, faults }.promise(workload.name);
    let promise = match (&options.promise, promised.promise) {
        (Some(name), _) => name.clone(),
        (None, Some(name)) => name.to_owned(),
        (None, None) => bail!(
            "with these settings and faults nothing is promised to the {} workload: {}; name what it is to be \
             judged by with --promise: {}",
            workload.name,
            promised.why,
            workload.promises.join(", ")
        ),
    };
    if !workload.promises.contains(&promise.as_str()) {
        bail!(
            "the {} workload cannot be held to `{promise}`; it can be held to: {}",
            workload.name,
            workload.promises.join(", ")
        );
    }
    Ok(promise)
}
