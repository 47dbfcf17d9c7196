//! Compares the linearizability checker with the oracle on random small histories.
//!
//! `cargo run --release -p growler-checker --example fuzz -- --histories 2000000 --seed 1`
//!
//! Every verdict must be the oracle's, nothing may be unknown, and every certificate must be one by the
//! contract's definition. The first few mismatches are printed as histories; the exit code is 1 if there is
//! any.

#![allow(clippy::print_stdout, reason = "an example talks to people")]

#[path = "../tests/oracle/compare.rs"]
mod compare;
#[path = "../tests/oracle/mod.rs"]
mod oracle;
#[path = "../tests/oracle/random.rs"]
mod random;

use std::process::ExitCode;

use compare::Tally;

fn main() -> ExitCode {
    let (mut histories, mut seed) = (100_000_u64, 1_u64);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let number = arguments.next().and_then(|text| text.parse().ok());
        match (name.as_str(), number) {
            ("--histories", Some(number)) => histories = number,
            ("--seed", Some(number)) => seed = number,
            _ => {
                println!("usage: fuzz [--histories N] [--seed S]");
                return ExitCode::from(254);
            }
        }
    }
    let mut tally = Tally::default();
    tally.run(histories, seed);
    println!("{tally}");
    for mismatch in tally.mismatches.iter().take(3) {
        println!("\n{mismatch}");
    }
    if tally.mismatches.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
