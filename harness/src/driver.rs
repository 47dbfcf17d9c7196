//! One test run, from the command line's options to a verdict.
//!
//! ```text
//! set-up → warm-up → main (nemesis) → heal → recovery → final reads → tear-down → check → report
//! ```
//!
//! Data flows one way: generator → worker → client → system under test → recorder → `history.jsonl` →
//! checks → verdict. Beside it runs plan → nemesis → evidence → `plan.json`. Nothing flows back but
//! completions into the generator, and the signal to stop.
//!
//! The checks read the history back from the file: what is judged is exactly what was kept.
//!
//! Every way out of a run passes the tear-down: what was broken is healed, what was started is stopped, and
//! what was recorded stays.

mod arrivals;
mod checks;
mod clock;
mod describe;
mod descriptors;
mod fail_fast;
mod interrupt;
mod load;
mod overload;
mod pace;
mod phases;
mod prepare;
mod progress;
mod recovery;
mod seeds;
mod sensitivity;
mod system;
mod terms;
mod verdict;

pub(crate) use checks::run_checks;
pub use clock::RunClock;
pub(crate) use descriptors::raise as raise_descriptors;
pub(crate) use interrupt::Interrupt;
pub use load::{Counters, Load, Mode};
pub(crate) use prepare::{check_anomalies, check_endpoints, check_options};
pub(crate) use seeds::any_seed;
pub(crate) use terms::recorded_terms;
pub(crate) use verdict::Finished;

use crate::cli::TestOptions;
use crate::error::{CommandError, Sort};

/// Runs one test. An error is one that came before there was anything to judge.
pub(crate) fn run_test(options: &TestOptions) -> Result<Finished, CommandError> {
    let prepared = prepare::prepare(options)?;
    let plan = phases::plan(&prepared, &prepare::node_names(&prepared.options), 0).usage()?;
    descriptors::check(&prepared, &plan).environment()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().environment()?;
    let finished = runtime.block_on(phases::run(prepared));
    // Tasks that are still waiting for an answer have nothing left to say.
    runtime.shutdown_background();
    finished
}
