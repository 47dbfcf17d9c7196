//! From the options to a system under test that is up, and to the clients that reach it.

use std::sync::Arc;

use growler_results::run::RunFolder;
use growler_workloads::dynamodb::{Caps, ClientConfig, ClientFactory, Identity};
use growler_workloads::generator::final_reads;
use growler_workloads::workload::Mode;

use super::prepare::{Prepared, node_names};
use crate::cluster::{Bundled, BundledOptions, Endpoints, EndpointsOptions, System};

/// Starts the bundled store, or puts proxies before the endpoints.
pub(crate) async fn start(prepared: &Prepared, folder: &RunFolder) -> anyhow::Result<System> {
    let options = &prepared.options;
    if !options.endpoint.is_empty() {
        let endpoints = Endpoints::connect(EndpointsOptions {
            urls: options.endpoint.clone(),
            proxied: !prepared.faults.is_empty(),
        })
        .await?;
        return Ok(System::Endpoints(endpoints));
    }
    let bundled = Bundled::start(BundledOptions {
        style: options.store,
        nodes: node_names(options),
        client_ports: Vec::new(),
        data: None,
        logs: folder.path().join("nodes"),
        settings: prepared.settings.clone(),
        bug: options.bug.clone(),
        seed: prepared.seeds.stream("store"),
        under_test: true,
    })
    .await?;
    Ok(System::Bundled(bundled))
}

/// The clients' factory for this system.
pub(crate) fn clients(prepared: &Prepared, system: &System) -> anyhow::Result<ClientFactory> {
    let options = &prepared.options;
    let endpoints = system.endpoints();
    let identity = Identity::from_environment(&endpoints)?;
    let caps = Caps::new(options.max_requests, options.max_write_units, options.max_read_units);
    let reads = final_reads(Mode::of(&prepared.promise), endpoints.len() as u64);
    let caps = caps.keeping(reads * options.keys as u64);
    Ok(ClientFactory::new(ClientConfig {
        endpoints,
        identity,
        timeout: options.timeout,
        cacert: options.cacert.clone(),
        caps: Arc::new(caps),
    })?)
}
