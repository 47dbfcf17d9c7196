//! One process of growler, as a child of the suite.
//!
//! It has a process group of its own, so that a Ctrl-C on the terminal reaches only the suite, which passes it
//! on: the first one ends the run in order, the second at once, as they do for `growler test`. It dies with the
//! suite, whatever that dies of. What it says on standard error is kept; what it prints is its answer.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use growler_nemesis::process::die_with_parent;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStdout, Command};

use super::outcome::Exit;
use crate::driver::Interrupt;

/// So much of what a child said last is looked at.
const SAID_BYTES: u64 = 4096;
/// So many lines of it are told.
const SAID_LINES: usize = 3;

/// What an interruption means for a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnInterrupt {
    /// It has something to heal and to keep: it is asked to end.
    Ask,
    /// It only reads: it is killed.
    Kill,
}

/// A child that has ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) exit: Exit,
    /// Its standard output.
    pub(super) printed: Vec<u8>,
    /// The last that it said on standard error, on one line.
    pub(super) said: String,
    pub(super) took: Duration,
}

/// Runs growler with these arguments to its end. Must be called on a thread that lives as long as the suite:
/// the child dies with it.
pub(super) async fn run(
    arguments: &[String],
    log: &Path,
    interrupt: &Interrupt,
    manner: OnInterrupt,
) -> anyhow::Result<Ended> {
    let program = std::env::current_exe().context("growler cannot find its own program")?;
    let kept = OpenOptions::new().create(true).append(true).open(log);
    let kept = kept.with_context(|| format!("cannot write {}", log.display()))?;
    let said_from = kept.metadata()?.len();
    let mut command = std::process::Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(kept).process_group(0);
    // The suite writes one summary for all its runs.
    command.env_remove("GITHUB_STEP_SUMMARY");
    die_with_parent(&mut command);
    let started = Instant::now();
    let mut command = Command::from(command);
    let mut child = command.kill_on_drop(true).spawn().context("cannot start a run")?;
    let stdout = child.stdout.take();
    let (printed, exit) = tokio::join!(read_all(stdout), wait(&mut child, interrupt, manner));
    let said = last_words(log, said_from).unwrap_or_default();
    Ok(Ended { exit: exit?, printed: printed?, said, took: started.elapsed() })
}

async fn read_all(stdout: Option<ChildStdout>) -> std::io::Result<Vec<u8>> {
    let mut printed = Vec::new();
    if let Some(mut stdout) = stdout {
        stdout.read_to_end(&mut printed).await?;
    }
    Ok(printed)
}

/// Waits for the end, and passes interruptions on.
async fn wait(child: &mut Child, interrupt: &Interrupt, manner: OnInterrupt) -> std::io::Result<Exit> {
    let signal = match manner {
        OnInterrupt::Ask => Signal::SIGINT,
        OnInterrupt::Kill => Signal::SIGKILL,
    };
    let mut asked = 0;
    loop {
        tokio::select! {
            status = child.wait() => return Ok(exit(status?, (asked > 0).then_some(signal))),
            () = interrupt.wait(), if asked == 0 => (),
            () = interrupt.wait_insisted(), if asked == 1 => (),
        }
        asked += 1;
        // It has an id until it was reaped, which only the line above does.
        if let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()) {
            // One that has just ended needs no signal.
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }
}

/// How it ended. A child that was asked too early, before it could heed that, dies of the asking.
fn exit(status: ExitStatus, asked: Option<Signal>) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) if asked.is_some_and(|asked| asked as i32 == signal) => Exit::GivenUp,
        (None, signal) => Exit::Signal(signal.unwrap_or_default()),
    }
}

/// The last lines of a log that begins at `from`, as one.
fn last_words(log: &Path, from: u64) -> std::io::Result<String> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(from.max(length.saturating_sub(SAID_BYTES))))?;
    let mut bytes = Vec::new();
    file.take(SAID_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    Ok(lines[lines.len().saturating_sub(SAID_LINES)..].join("; "))
}
