//! The checks of weak consistency: each against a brute-force statement of its rule, on thousands of small
//! histories of a simulated store that lies now and then; each against histories that are right by
//! construction; and each of their verdicts shown by hand.
//! `WEAK_TIMES=100 cargo test --release -p growler-checker --test weak` is the long run.
#![allow(dead_code, unreachable_pub, reason = "the simulation is a module of another crate")]

#[path = "../../../bench/src/simulation_replicas.rs"]
mod simulation;

mod agreement;
mod causal;
mod honest;
mod rules;
mod sessions;
mod staleness;
mod statement;
mod told;

/// How many times as many random histories as usual.
fn times() -> u64 {
    std::env::var("WEAK_TIMES").ok().and_then(|times| times.parse().ok()).unwrap_or(1)
}
