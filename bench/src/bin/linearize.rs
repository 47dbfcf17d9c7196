//! Judges files of plain operations (see `growler_bench::operations`), one line of JSON each: the verdict,
//! the time from parsed operations to it, and the memory that took beside the operations themselves.

use std::fs::File;
use std::io::{BufReader, Write, stdout};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use clap::{Parser, ValueEnum};
use growler_bench::memory::{forget_peak, processor_time, resident};
use growler_bench::operations::Operations;
use growler_bench::subject::{self, Engine};
use growler_checker::linearizability::Limits;
use serde_json::json;

/// Judge histories of items, given as plain operations.
#[derive(Debug, Parser)]
struct Options {
    /// Which way to an answer.
    #[arg(long, value_enum, default_value_t = EngineName::Item)]
    engine: EngineName,
    /// Steps that the search may take.
    #[arg(long, default_value_t = u64::MAX)]
    steps: u64,
    /// Bytes that the search may hold.
    #[arg(long, default_value_t = 8 << 30)]
    bytes: u64,
    /// Files that `histories` wrote.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum EngineName {
    /// The algorithm for items with unique values.
    Item,
    /// The search for any model.
    General,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    for file in &options.files {
        judge(file, &options).with_context(|| format!("{}", file.display()))?;
    }
    Ok(())
}

fn judge(file: &Path, options: &Options) -> anyhow::Result<()> {
    let operations = Operations::read(&mut BufReader::with_capacity(1 << 16, File::open(file)?))?;
    let engine = match options.engine {
        EngineName::Item => Engine::Item,
        EngineName::General => Engine::General,
    };
    let limits = Limits { steps: options.steps, bytes: options.bytes };
    forget_peak()?;
    let (before, began, spent) = (resident()?, Instant::now(), processor_time()?);
    let verdict = subject::verdict(&operations, engine, limits);
    let (wall, spent) = (began.elapsed(), processor_time()? - spent);
    let line = json!({
        "file": file.to_string_lossy(),
        "operations": operations.jobs.len(),
        "verdict": verdict.name(),
        "wall_s": wall.as_secs_f64(),
        "cpu_s": spent.as_secs_f64(),
        "input_bytes": operations.bytes(),
        "before_bytes": before.now,
        "peak_bytes": resident()?.peak,
    });
    writeln!(stdout(), "{line}")?;
    Ok(())
}
