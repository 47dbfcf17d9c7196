//! The command line: one file a command, and the options that commands share.

mod bounds;
mod check;
mod clean;
mod doctor;
mod export;
mod list;
mod options;
mod report;
mod store;
mod suite;
mod test;

pub(crate) use bounds::Bounds;
pub(crate) use options::TestOptions;

use growler_results::formats::Format;

use clap::{Parser, Subcommand};
use growler_results::verdict::Verdict;

use crate::error::CommandError;
use crate::terminal::print;

/// Finds out whether a DynamoDB-compatible store keeps its promises under faults.
///
/// `growler test` without options is the main job: it starts the bundled three-node store, lets clients read
/// and write while it partitions, kills, pauses and clock-skews the nodes, checks the recorded history for
/// linearizability, and writes a report.
#[derive(Debug, Parser)]
#[command(name = "growler", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// Log more to standard error (-v, -vv, -vvv)
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 pass, 1 violation, 2 unknown, 3 vacuous, 4 environment, \
130 interrupted, 254 usage, 255 a defect of growler";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run one test: a workload under faults, recorded, checked and reported
    Test(Box<test::TestCommand>),
    /// Run a matrix of tests as one gate: one verdict, one page
    Suite(suite::SuiteCommand),
    /// Check a recorded history, and run nothing
    Check(check::CheckCommand),
    /// Write a history in another tool's format, so that the other tool can judge it too
    Export(export::ExportCommand),
    /// Build the HTML report of a run again
    Report(report::ReportCommand),
    /// Run the bundled store by itself, as a DynamoDB-compatible cluster on this machine
    Store(store::StoreCommand),
    /// Find and remove what earlier runs left: folders on this machine, tables on an endpoint
    Clean(clean::CleanCommand),
    /// Say which faults work on this machine, and how to unlock the others
    Doctor(doctor::DoctorCommand),
    /// List what there is: workloads, faults, models, promises, anomalies, bugs, settings, formats
    List(list::ListCommand),
}

/// Runs the command that was given.
pub(crate) fn run(cli: Cli) -> Result<Verdict, CommandError> {
    match cli.command {
        Command::Test(c) => c.run(),
        Command::Suite(c) => c.run(),
        Command::Check(c) => c.run(),
        Command::Export(c) => c.run(),
        Command::Report(c) => c.run(),
        Command::Store(c) => c.run(),
        Command::Clean(c) => c.run(),
        Command::Doctor(c) => c.run(),
        Command::List(c) => c.run(),
    }
}

/// Reads a format's name.
fn format(name: &str) -> Result<Format, String> {
    let names = || Format::ALL.map(|format| format.info().name).join(", ");
    Format::find(name).ok_or_else(|| format!("there is no format `{name}`; there are: {}", names()))
}
