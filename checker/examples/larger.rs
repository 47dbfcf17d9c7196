//! Compares the engines with each other on histories of 30 to 300 operations, half of them with one answer
//! changed.
//!
//! `cargo run --release -p growler-checker --example larger -- --histories 20000`
//!
//! They must agree, every order must explain its history, and every certificate must pass the verifier. What
//! comes out depends on the seed alone, not on the number of threads. The exit code is 1 if there is any
//! mismatch. An engine that could not decide within its budget is no mismatch, and counted.

#![allow(clippy::print_stdout, reason = "an example talks to people")]

#[path = "../tests/oracle/mod.rs"]
mod oracle;

use std::process::ExitCode;

use oracle::{larger, work};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

fn main() -> ExitCode {
    let (mut histories, mut seed, mut threads) = (2_000, 1, 1);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let number = arguments.next().and_then(|text| text.parse::<u64>().ok());
        match (name.as_str(), number) {
            ("--histories", Some(number)) => histories = number,
            ("--seed", Some(number)) => seed = number,
            ("--threads", Some(number @ 1..)) => threads = number,
            _ => {
                println!("usage: larger [--histories N] [--seed S] [--threads N]");
                return ExitCode::from(254);
            }
        }
    }
    let tally = work::in_blocks(histories, threads, false, |number, tally| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(number);
        let (events, changed) = larger::history(&mut rng);
        larger::compare(number, &events, changed, larger::BUDGET, tally);
    });
    println!("{tally}");
    if tally.disagreements == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
