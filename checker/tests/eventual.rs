//! The checks of eventual consistency, each against a brute-force statement of its rule, on random histories of
//! a simulated store that misbehaves with some probability; and hand-written histories for every verdict.
//! `EVENTUAL_TIMES=100 cargo test --release -p growler-checker --test eventual` is the long run.

#[path = "eventual/availability.rs"]
mod availability;
#[path = "eventual/by_hand.rs"]
mod by_hand;
#[path = "eventual/comparison.rs"]
mod comparison;
#[path = "eventual/reading.rs"]
mod reading;
#[path = "eventual/rules.rs"]
mod rules;
#[path = "eventual/rules_of_siblings.rs"]
mod rules_of_siblings;
#[path = "eventual/sentences.rs"]
mod sentences;
#[path = "eventual/set_full.rs"]
mod set_full;
#[path = "eventual/simulated.rs"]
mod simulated;
#[path = "eventual/state.rs"]
mod state;
#[path = "eventual/undressed.rs"]
mod undressed;

/// How many times as many random histories as usual.
fn times() -> u64 {
    std::env::var("EVENTUAL_TIMES").ok().and_then(|times| times.parse().ok()).unwrap_or(1)
}
