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
    let (mut histories, mut seed, mut largest) = (100_000, 1, 9);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let number = arguments.next().and_then(|text| text.parse::<u64>().ok());
        match (name.as_str(), number) {
            ("--histories", Some(number)) => histories = number,
            ("--seed", Some(number)) => seed = number,
            ("--largest", Some(number @ 2..=16)) => largest = usize::try_from(number).unwrap_or(largest),
            _ => {
                println!("usage: fuzz [--histories N] [--seed S] [--largest OPERATIONS, 2 to 16]");
                return ExitCode::from(254);
            }
        }
    }
    let mut tally = Tally::default();
    tally.run(histories, seed, largest);
    println!("{tally}");
    for mismatch in tally.mismatches.iter().take(3) {
        println!("\n{mismatch}");
    }
    if tally.mismatches.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
