//! Real runs are checked without trouble: thousands of operations, many clients, indeterminate writes.
//!
//! A simulated register store answers clients that overlap at random; the work that the checker does is
//! measured in steps, which do not depend on the machine.

#[path = "oracle/simulation.rs"]
mod simulation;

use growler_checker::linearizability::Linearizable;
use growler_checker::verdict::{Budget, Check, CheckResult, Validity};
use simulation::Simulation;

/// A minute of the default workload or so.
const RUN: Simulation = Simulation {
    keys: 100,
    ops: 40_000,
    clients: 24,
    hot: 0.1,
    writes: 0.4,
    cas: 0.0,
    deletes: 0.03,
    images: 1.0,
    opaque: false,
    indeterminate: 0.05,
    values: None,
};

fn check(simulation: &Simulation, seed: u64) -> CheckResult {
    let events = simulation.events(seed);
    Linearizable::cas_register().check(&events, &Budget::default())
}

fn passes(name: &str, simulation: &Simulation) {
    for seed in 0..3 {
        let started = std::time::Instant::now();
        let result = check(simulation, seed);
        let steps = result.stats["steps"].as_u64().unwrap_or(u64::MAX);
        eprintln!("{name} seed {seed}: {steps} steps, {:?}", started.elapsed());
        assert_eq!(result.valid, Validity::Valid, "{name}: {result:?}");
        let each = steps / simulation.ops as u64;
        assert!(each < 200, "{name}: {each} steps an operation");
    }
}

#[test]
fn a_run_with_images() {
    passes("images", &RUN);
}

#[test]
fn a_run_without_images() {
    passes("no images", &Simulation { images: 0.0, ..RUN });
}

#[test]
fn a_conditional_run_with_images() {
    passes("cas", &Simulation { cas: 0.4, writes: 0.2, ..RUN });
}

#[test]
fn a_conditional_run_with_opaque_failures() {
    let opaque = Simulation { cas: 0.45, writes: 0.2, opaque: true, ..RUN };
    passes("opaque", &opaque);
    passes("opaque, few images", &Simulation { images: 0.5, ..opaque });
    passes("opaque, no images", &Simulation { images: 0.0, ..opaque });
    passes("opaque, bad", &Simulation { indeterminate: 0.3, ..opaque });
    passes(
        "opaque, bad, no images",
        &Simulation { indeterminate: 0.1, images: 0.0, keys: 200, hot: 0.02, ..opaque },
    );
}

#[test]
fn all_clients_on_one_key() {
    let hot = Simulation { keys: 1, ops: 2_000, hot: 1.0, ..RUN };
    passes("hot", &hot);
    passes("hot, no images", &Simulation { images: 0.0, ..hot });
    passes("hot, cas", &Simulation { cas: 0.4, writes: 0.2, ..hot });
    passes("hot, opaque", &Simulation { cas: 0.4, writes: 0.2, opaque: true, ..hot });
    passes(
        "hot, opaque, few images",
        &Simulation { cas: 0.4, writes: 0.2, opaque: true, images: 0.5, ..hot },
    );
    passes("hot, opaque, no images", &Simulation { cas: 0.4, writes: 0.2, opaque: true, images: 0.0, ..hot });
}

#[test]
fn many_indeterminate_writes() {
    let bad = Simulation { indeterminate: 0.4, ..RUN };
    passes("bad", &bad);
    passes("bad, no images", &Simulation { images: 0.0, ..bad });
    passes("bad, cas", &Simulation { cas: 0.4, writes: 0.2, ..bad });
}

#[test]
fn few_values_over_and_over() {
    let few = Simulation { values: Some(5), clients: 5, keys: 10, ops: 4_000, ..RUN };
    passes("few", &Simulation { indeterminate: 0.02, ..few });
    passes("few, cas", &Simulation { cas: 0.3, writes: 0.3, indeterminate: 0.02, images: 0.0, ..few });
}
