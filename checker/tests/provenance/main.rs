//! Where values come from: the check against a brute-force statement of its rule on random histories of every model and
//! promise, against simulated stores that are healthy, and by hand.
//! `PROVENANCE_TIMES=1000 cargo test --release -p growler-checker --test provenance` is the long run: 200,000 histories
//! of each model and promise.

mod agreement;
mod by_hand;
mod healthy;
mod random;
mod refuted;
mod statement;

#[path = "../../../bench/src/simulation_replicas.rs"]
#[allow(dead_code, unreachable_pub, reason = "the simulation is a module of another crate")]
mod simulation;

/// How many times as many random histories as usual.
fn times() -> u64 {
    std::env::var("PROVENANCE_TIMES").ok().and_then(|times| times.parse().ok()).unwrap_or(1)
}
