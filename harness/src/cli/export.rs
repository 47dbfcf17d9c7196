//! `growler export`: writes a history in another tool's format, and runs nothing.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::{Args, ValueEnum};
use growler_checker::history::Event;
use growler_results::formats::{self, ExportError, ExportOptions, Exported, Format};
use growler_results::verdict::Verdict;

use crate::error::{CommandError, Sort};
use crate::terminal::say;

const LOST: &str = "\
Jepsen's tools check less than growler does. Knossos removes operations that failed, ignores what an \
operation observed beside its effect, and takes a read of nil for a read of which nothing is known; a \
violation that rests on one of these, as lost updates mostly do, it sees only with --for knossos:

  growler export runs/latest --format jepsen-edn --key k7 --for knossos --out k7.edn

writes a put that replaced an old item as a compare-and-set of that item, a failed condition that met an item \
as a read of it, and a missing item as a text. Judge it with Knossos' cas-register model, or read it back with \
`growler check k7.edn`.";

/// Options of `growler export`.
#[derive(Debug, Args)]
#[command(after_long_help = LOST)]
pub(crate) struct ExportCommand {
    /// A run's folder, or a history in any format that growler reads
    #[arg(value_name = "RUN")]
    run: PathBuf,

    /// The format to write: jepsen-edn, jsonl or jsonl.zst
    #[arg(long, value_name = "NAME", value_parser = super::format)]
    format: Format,

    /// The file to write. [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Only the operations on this key, as a history of one object. [default: all of them; in jepsen-edn their
    /// values become pairs [key value], as jepsen.independent makes them]
    #[arg(long, value_name = "KEY")]
    key: Option<String>,

    /// Say everything in operations that this tool's models have (needs --format jepsen-edn)
    #[arg(long = "for", value_name = "TOOL", value_enum)]
    tool: Option<Tool>,
}

/// Whose models are weaker than ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Tool {
    /// Knossos' register and cas-register
    Knossos,
}

impl ExportCommand {
    pub(crate) fn run(self) -> Result<Verdict, CommandError> {
        let (_, history) = formats::read(&self.run, None).usage()?;
        for warning in &history.warnings {
            say(&format!("growler: warning: {warning}"));
        }
        let options = ExportOptions {
            format: self.format,
            key: self.key,
            for_knossos: self.tool == Some(Tool::Knossos),
        };
        let exported = match &self.out {
            Some(path) => to_file(path, &history.events, &options)?,
            None => to_standard_output(&history.events, &options)?,
        };
        if exported.left_out > 0 {
            say(&format!(
                "growler: {} operations were left out: they promise less than any operation of Knossos",
                exported.left_out
            ));
        }
        Ok(Verdict::Pass)
    }
}

/// Writes to standard output; a reader that goes away (`growler export … | head`) has seen enough.
fn to_standard_output(events: &[Event], options: &ExportOptions) -> Result<Exported, CommandError> {
    let mut out = BufWriter::new(io::stdout().lock());
    match formats::export(events, options, &mut out) {
        Err(ExportError::Io(e)) if e.kind() == io::ErrorKind::BrokenPipe => Ok(Exported::default()),
        written => sorted(written, "standard output"),
    }
}

/// Writes the file whole: beside its place, and then onto it. What was there stays until then.
fn to_file(path: &Path, events: &[Event], options: &ExportOptions) -> Result<Exported, CommandError> {
    let shown = path.display().to_string();
    // A device or a pipe is written to; nothing can be put in its place.
    let in_place = fs::metadata(path).is_ok_and(|found| !found.is_file());
    let beside = if in_place { path.to_owned() } else { name_beside(path).usage()? };
    let written = (|| {
        let mut out = BufWriter::new(File::create(&beside)?);
        let exported = formats::export(events, options, &mut out)?;
        out.flush()?;
        if !in_place {
            out.get_ref().sync_data()?;
            fs::rename(&beside, path)?;
        }
        Ok(exported)
    })();
    if written.is_err() && !in_place {
        // The first error is the one to tell.
        let _ = fs::remove_file(&beside);
    }
    sorted(written, &shown)
}

/// A name in the same folder that no other process uses.
fn name_beside(path: &Path) -> anyhow::Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| anyhow!("--out {}: this names no file", path.display()))?;
    Ok(path.with_file_name(format!(".{}.{}.tmp", name.to_string_lossy(), std::process::id())))
}

/// A full disk is the surroundings' fault, a wrong path or option the user's.
fn sorted(written: Result<Exported, ExportError>, to: &str) -> Result<Exported, CommandError> {
    match written {
        Err(ExportError::Io(e)) => {
            let wrong_path = matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::IsADirectory);
            let error = Err(anyhow!("cannot write to {to}: {e}; free some space or choose another --out"));
            if wrong_path { error.usage() } else { error.environment() }
        }
        other => other.usage(),
    }
}
