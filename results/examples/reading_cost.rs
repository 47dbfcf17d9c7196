//! What it costs to read a history and to judge it: seconds of each step, by the clock and of the processor,
//! and the peak memory.
//!
//! ```text
//! cargo run --release -p growler-results --example reading_cost -- /tmp/long.jsonl
//! ```
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use growler_checker::history::{by_key, pair};
use growler_checker::verdict::Budget;
use growler_results::history::read_history;

fn main() -> Result<(), Box<dyn Error>> {
    let path: PathBuf = std::env::args_os().nth(1).ok_or("name the history to read")?.into();
    let history = timed("read", || read_history(&path))?;
    let model = timed("infer the model", || growler_checker::infer_model(&history.events))?;
    let operations = timed("pair", || pair(&history.events))?;
    let objects = timed("split by key", || by_key(&operations));
    println!("{} events, {} objects", history.events.len(), objects.len());
    drop((operations, objects));
    timed("validate", || growler_checker::validate(model, &history.events))?;
    let checks = growler_checker::checks_for(model, growler_checker::default_promise(model))?;
    for check in &checks {
        let result = timed(check.name(), || check.check(&history.events, &Budget::default()));
        println!("{:?}", result.valid);
    }
    timed("forget", || drop(history));
    Ok(())
}

fn timed<T>(what: &str, step: impl FnOnce() -> T) -> T {
    let (start, start_cpu) = (Instant::now(), cpu_seconds());
    let done = step();
    let (wall, cpu) = (start.elapsed().as_secs_f64(), cpu_seconds() - start_cpu);
    println!("{wall:>7.3} s  {cpu:>5.2} s of processor  {:>5} MB at most  {what}", peak_mb());
    done
}

/// The processor time that this process has had, as Linux counts it (in hundredths of a second); 0 elsewhere.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split(' ');
    let ticks: f64 = fields.skip(12).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    ticks / 100.0
}

/// The most memory that this process has had, as Linux counts it; 0 elsewhere.
fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|kb| kb.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) / 1024
}
