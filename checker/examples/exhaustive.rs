//! Compares the linearizability checker with the oracle on every history of so many operations.
//!
//! `cargo run --release -p growler-checker --example exhaustive -- --operations 3`
//! `cargo run --release -p growler-checker --example exhaustive -- --operations 4 --minutes 60`
//!
//! Histories are numbered (`tests/oracle/every.rs` says how, and what "every" means). Up to 3 operations all
//! of them are compared, in order. Of 4 operations there are too many for that; those that tell something new
//! are compared, as far as the time allows, and in an order that spreads evenly over all of them. Where it
//! ended, `--from` goes on; `--share 2/3` does every third, from the second. The exit code is 1 if there is
//! any mismatch.

#![allow(clippy::print_stdout, reason = "an example talks to people")]

#[path = "../tests/oracle/mod.rs"]
mod oracle;
#[path = "options/reader.rs"]
mod reader;

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use oracle::compare::Thoroughness;
use oracle::every::{Every, Which};
use oracle::work;
use reader::Common;

struct Options {
    operations: usize,
    minutes: Option<u64>,
    from: u64,
    share: (u64, u64),
    common: Common,
}

fn options() -> Option<Options> {
    let (mut operations, mut minutes, mut from, mut share) = (3, None, 0, (1, 1));
    let common = reader::read(|name, text| {
        if name == "--share" {
            let (part, of) = text.split_once('/')?;
            share = (part.parse().ok()?, of.parse().ok()?);
            return (1..=share.1).contains(&share.0).then_some(());
        }
        let number = text.parse().ok()?;
        match (name, number) {
            ("--operations", 1..=4) => operations = usize::try_from(number).ok()?,
            ("--minutes", _) => minutes = Some(number),
            ("--from", _) => from = number,
            _ => return None,
        }
        Some(())
    })?;
    Some(Options { operations, minutes, from, share, common })
}

/// So many histories are done by one thread at a time.
const BLOCK: u64 = 2_000;

fn main() -> ExitCode {
    let Some(Options { operations, minutes, from, share, common }) = options() else {
        println!(
            "usage: exhaustive [--operations 1 to 4] [--minutes N] [--from N] [--share I/N] [--threads N] [--stop]"
        );
        return ExitCode::from(254);
    };
    let which = if operations > 3 { Which::Telling } else { Which::All };
    let every = Every::new(operations, which);
    let how = Thoroughness { every_weakening: operations <= 3, ..Thoroughness::FULL };
    let (part, of) = share;
    let mine = (every.count() + of - part) / of;
    let started = Instant::now();
    let in_time = || minutes.is_none_or(|minutes| started.elapsed() < Duration::from_secs(minutes * 60));
    let done = AtomicU64::new(0);
    let tally = work::in_blocks(
        mine.saturating_sub(from).div_ceil(BLOCK),
        common.threads,
        common.stop,
        |block, tally| {
            if !in_time() {
                return;
            }
            let first = from + block * BLOCK;
            for at in first..mine.min(first + BLOCK) {
                let turn = at * of + part - 1;
                let number = if operations > 3 { every.spread(turn) } else { turn };
                tally.compare("every", number, &every.history(number), how);
            }
            // Blocks are begun in order, and a thread that ran out of time begins no other.
            done.fetch_max(first + BLOCK, Ordering::Relaxed);
        },
    );
    let reached = done.into_inner().max(from).min(mine);
    println!("{} histories of {operations} operations ({which:?}), share {part}/{of}: {mine}", every.count());
    println!("compared those from {from} to {reached} of its order");
    println!("{tally}");
    if tally.disagreements == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
