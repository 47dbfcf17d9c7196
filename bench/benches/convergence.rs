//! How long the checks of weak consistency take from recorded events to a verdict, and how much memory.

use std::time::Duration;

use growler_bench::checks::{Bounds, Case, measure};
use growler_bench::simulation_replicas::{Replicas, Versions};
use growler_checker::convergence::causal::Causal;
use growler_checker::convergence::order::Rules;
use growler_checker::convergence::sessions::SessionGuarantees;
use growler_checker::convergence::staleness::Staleness;

const SEED: u64 = 1;

fn plans() -> [(&'static str, Replicas); 5] {
    let base = Replicas::HEALTHY;
    [
        ("1,000 keys, 50 clients, clocks", base),
        ("10 keys, 50 clients, clocks, no deletes", Replicas { keys: 10, deletes: 0.0, ..base }),
        ("1,000 keys, 50 clients, clocks, replicas 50 ms behind", Replicas { lag_us: 50_000.0, ..base }),
        (
            "10,000 keys, 100 clients, timestamps",
            Replicas { keys: 10_000, clients: 100, versions: Versions::Timestamps, ..base },
        ),
        ("1,000 keys, 50 clients, real time", Replicas { versions: Versions::Nothing, ..base }),
    ]
}

fn main() {
    let cases = plans().map(|(about, replicas)| {
        let rules = Rules { lww: replicas.versions == Versions::Timestamps, ordered_writes: true };
        Case {
            about,
            events: Box::new(move |operations| Replicas { operations, ..replicas }.run(SEED)),
            checks: vec![
                Box::new(SessionGuarantees::new(rules)),
                Box::new(Causal::new(rules)),
                Box::new(Staleness::new(rules, Some(Duration::from_millis(500)))),
            ],
        }
    });
    measure("convergence", Bounds::USUAL, &cases);
}
