//! Writes a simulated history (or one of etcd's logs) for benchmarks: as plain operations for
//! `examples/porcupine`, or as the JSON lines of a run's `history.jsonl`.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Parser, ValueEnum};
use growler_bench::operations::Operations;
use growler_bench::simulation::{Bursts, Mix, Simulation};
use growler_bench::{etcd, lines};

/// Write a simulated history of items, honest unless told otherwise.
#[derive(Debug, Parser)]
struct Options {
    /// Operations that say something (reads without an answer come on top).
    #[arg(long, default_value_t = 1_000_000)]
    operations: u32,
    /// Keys, equally popular.
    #[arg(long, default_value_t = 1)]
    keys: u32,
    /// Clients, each with one operation open at a time.
    #[arg(long, default_value_t = 100)]
    clients: u32,
    /// Which operations.
    #[arg(long, value_enum, default_value_t = MixName::Item)]
    mix: MixName,
    /// The share of the operations that is never answered.
    #[arg(long, default_value_t = 0.1)]
    unanswered: f64,
    /// Lose half of the writes, in bursts (give 0.05 for --unanswered).
    #[arg(long)]
    bursts: bool,
    /// Let one read at 60 % return an old value.
    #[arg(long)]
    stale: bool,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[arg(long, value_enum, default_value_t = Format::Operations)]
    format: Format,
    /// Convert this log of Jepsen's etcd runs instead.
    #[arg(long, conflicts_with_all = ["stale", "bursts"])]
    etcd: Option<PathBuf>,
    /// Where to.
    out: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum MixName {
    /// Half reads, half blind writes.
    Rw,
    /// Half reads, a quarter blind writes, a quarter conditional ones.
    Casx,
    /// All that an item can be asked.
    Item,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// Plain operations, one a line.
    Operations,
    /// The events of a run's history, as JSON lines.
    Jsonl,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let create = || {
        let file = File::create(&options.out);
        file.with_context(|| format!("cannot create {}", options.out.display())).map(BufWriter::new)
    };
    if let Some(log) = &options.etcd {
        let mut out = create()?;
        converted(log)?.write(&mut out)?;
        return Ok(out.flush()?);
    }
    let plan = Simulation {
        operations: options.operations,
        keys: options.keys,
        clients: options.clients,
        mix: match options.mix {
            MixName::Rw => Mix::RW,
            MixName::Casx => Mix::CASX,
            MixName::Item => Mix::ITEM,
        },
        unanswered: options.unanswered,
        bursts: options.bursts.then_some(Bursts::HALF),
    };
    let mut history = plan.run(options.seed);
    if options.stale && history.stale_read(0.6).is_none() {
        bail!("no read of this history can be made stale for certain: try more operations or another seed");
    }
    let mut out = create()?;
    match options.format {
        Format::Operations => Operations::from(&history).write(&mut out)?,
        Format::Jsonl => lines::write(&history, &mut out)?,
    }
    Ok(out.flush()?)
}

fn converted(log: &Path) -> anyhow::Result<Operations> {
    let text = fs::read_to_string(log).with_context(|| format!("cannot read {}", log.display()))?;
    etcd::operations(&text).with_context(|| format!("{} is no log of Jepsen's etcd runs", log.display()))
}
