//! The first half of `test.json`: what is tested, and with which options.

use std::collections::BTreeMap;

use growler_results::test_file::{TestFile, Timings};
use serde_json::{Map, Value, json};

use super::prepare::{Prepared, node_names};

/// What is known before anything has been started.
pub(crate) fn test_file(prepared: &Prepared, started: jiff::Timestamp) -> TestFile {
    TestFile {
        name: prepared.test_name(),
        options: options(prepared),
        command: command(prepared),
        seed: prepared.seed,
        versions: BTreeMap::from([("growler".to_owned(), env!("CARGO_PKG_VERSION").to_owned())]),
        workload: prepared.workload.name.to_owned(),
        model: prepared.workload.model.to_owned(),
        promise: prepared.promise.clone(),
        nodes: node_names(&prepared.options),
        host: host(),
        timings: Timings { started: started.to_string(), ..Timings::default() },
        ..TestFile::default()
    }
}

/// Every option after defaults, by its name on the command line.
fn options(prepared: &Prepared) -> Map<String, Value> {
    let o = &prepared.options;
    let options = json!({
        "workload": o.workload,
        "faults": prepared.faults,
        "skip-impossible": o.skip_impossible,
        "fault-window": o.fault_window.map(|time| format!("{time:?}")),
        "store": o.endpoint.is_empty().then_some(o.store.name()),
        "nodes": o.endpoint.is_empty().then_some(o.store_nodes()),
        "set": prepared.settings,
        "endpoint": growler_results::test_file::SystemUnderTest::new("", &o.endpoint).endpoints,
        "promise": prepared.promise,
        "time": format!("{:?}", o.time),
        "warm-up": format!("{:?}", prepared.warm_up),
        "concurrency": o.concurrency,
        "rate": o.rate,
        "keys": o.keys,
        "key-popularity": o.key_popularity.to_string(),
        "ops-per-key": o.ops_per_key,
        "timeout": format!("{:?}", o.timeout),
        "recovery": format!("{:?}", o.recovery),
        "seed": prepared.seed,
        "bug": o.bug,
        "allow": o.allow,
        "expect": o.expect,
        "min-ok": o.min_ok,
        "fail-fast": o.fail_fast,
        "min-exposure": o.min_exposure,
        "min-sensitivity": o.min_sensitivity,
        "max-staleness": o.bounds.max_staleness.map(|time| format!("{time:?}")),
        "min-availability": o.bounds.min_availability,
        "max-requests": o.max_requests,
        "max-write-units": o.max_write_units,
        "max-read-units": o.max_read_units,
    });
    match options {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// The arguments that run this test again: those that were given, and the seed.
fn command(prepared: &Prepared) -> Vec<String> {
    let mut given: Vec<String> = std::env::args().skip(1).map(without_secrets).collect();
    if prepared.options.seed.is_none() {
        given.extend(["--seed".to_owned(), prepared.seed.to_string()]);
    }
    given
}

/// An argument that is a URL loses what it carries of credentials.
fn without_secrets(argument: String) -> String {
    match argument.split_once("://") {
        Some(_) => growler_results::test_file::SystemUnderTest::new("", &[argument]).endpoints.remove(0),
        None => argument,
    }
}

fn host() -> BTreeMap<String, Value> {
    let mut facts = BTreeMap::new();
    if let Ok(cores) = std::thread::available_parallelism() {
        facts.insert("cores".to_owned(), json!(cores.get()));
    }
    if let Ok(name) = nix::sys::utsname::uname() {
        let text = |s: &std::ffi::OsStr| json!(s.to_string_lossy());
        facts.insert("system".to_owned(), text(name.sysname()));
        facts.insert("kernel".to_owned(), text(name.release()));
        facts.insert("machine".to_owned(), text(name.machine()));
    }
    facts
}
