//! Compares the linearizability checker with the oracle on random small histories.
//!
//! `cargo run --release -p growler-checker --example fuzz -- --histories 20000000 --largest 12 --threads 2`
//!
//! Every verdict must be the oracle's, nothing may be unknown, and every certificate must be one by the
//! contract's definition. Looking for the smallest certificate takes longest, so that is done for a share.
//! What comes out depends on the seed alone, not on the number of threads. The first few mismatches are
//! printed as histories; the exit code is 1 if there is any.
//!
//! | option | meaning |
//! |---|---|
//! | `--histories N` | how many |
//! | `--largest N` | operations in the largest, 2 to 16 |
//! | `--seed N` | which |
//! | `--threads N` | on how many |
//! | `--certificates N` | certificates of one history in N are judged; 1, that is all, if not given |
//! | `--smallest N` | in one history in N the smallest certificate is looked for; 0 is none, 100 if not given |
//! | `--sort TEXT` | only sorts of history with this in their name (`tests/oracle/profiles.rs`) |
//! | `--stop` | end at the first mismatch |

#![allow(clippy::print_stdout, reason = "an example talks to people")]

#[path = "../tests/oracle/mod.rs"]
mod oracle;
#[path = "options/reader.rs"]
mod reader;

use std::process::ExitCode;

use oracle::compare::Thoroughness;
use oracle::profiles::Sorts;
use oracle::random::{self, Series};
use oracle::work;
use reader::Common;

struct Options {
    series: Series,
    common: Common,
    how: Thoroughness,
}

fn options() -> Option<Options> {
    let mut how = Thoroughness { certificates: 1, smallest: 100, every_weakening: false };
    let mut series = Series { seed: 1, histories: 100_000, largest: 9, sorts: Sorts::named("")? };
    let common = reader::read(|name, text| {
        if name == "--sort" {
            series.sorts = Sorts::named(text)?;
            return Some(());
        }
        let number = text.parse().ok()?;
        match (name, number) {
            ("--histories", _) => series.histories = number,
            ("--largest", 2..=16) => series.largest = usize::try_from(number).ok()?,
            ("--seed", _) => series.seed = number,
            ("--certificates", _) => how.certificates = number,
            ("--smallest", _) => how.smallest = number,
            _ => return None,
        }
        Some(())
    })?;
    Some(Options { series, common, how })
}

fn main() -> ExitCode {
    let Some(Options { series, common: Common { threads, stop }, how }) = options() else {
        println!(
            "usage: fuzz [--histories N] [--largest OPERATIONS, 2 to 16] [--seed S] [--threads N] \
             [--certificates N] [--smallest N] [--sort TEXT] [--stop]"
        );
        return ExitCode::from(254);
    };
    let tally = work::in_blocks(series.histories.div_ceil(random::BLOCK), threads, stop, |block, tally| {
        series.block(block, how, tally);
    });
    println!("{tally}");
    if tally.disagreements == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
