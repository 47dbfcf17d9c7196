//! The driver and the command line of growler, as a library so that benchmarks can reach the workers' loop.
//!
//! [`main`] does three things: it reads the command line, runs the command, and turns what came of it into
//! one of the exit codes of [`growler_results::verdict::Verdict`]. Everything else is in `cli` (one file a
//! command), `driver` (the phases of a run), `cluster` (the system under test) and `suite` (many runs as one).

mod clean;
mod cli;
mod cluster;
mod driver;
mod error;
mod suite;
mod terminal;

use std::process::ExitCode;

use clap::Parser;
use growler_results::verdict::Verdict;

pub use driver::{Counters, Load, Mode, RunClock};

/// Runs the `growler` command with the process's own arguments.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match cli::Cli::try_parse() {
        Ok(arguments) => arguments,
        Err(e) => {
            // clap prints help and version to standard output and mistakes to standard error.
            let wanted = !e.use_stderr();
            let _ = e.print();
            return exit(if wanted { Verdict::Pass } else { Verdict::Usage });
        }
    };
    start_logging(arguments.verbose);
    driver::raise_descriptors();
    // Fails only where a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match std::panic::catch_unwind(|| cli::run(arguments)) {
        Ok(Ok(verdict)) => exit(verdict),
        Ok(Err(e)) => {
            terminal::say(&format!("growler: {}", e.describe()));
            exit(e.verdict())
        }
        // The panic has told its message already.
        Err(_) => exit(Verdict::Internal),
    }
}

fn exit(verdict: Verdict) -> ExitCode {
    ExitCode::from(verdict.exit_code())
}

/// Logs go to standard error: warnings only, unless `-v` or `RUST_LOG` asks for more.
fn start_logging(verbose: u8) {
    use tracing_subscriber::EnvFilter;
    let default = match verbose {
        0 => "warn,openraft=error,rustls_platform_verifier=off",
        1 => "info,openraft=error,rustls_platform_verifier=off",
        2 => "debug,openraft=warn",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    // A line that cannot be written is dropped: by itself the library would tell of it on standard error, and panic
    // where that is what went away, or what stands on a disk that is full.
    let lines =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    lines.log_internal_errors(false).init();
}
