//! What a person sees while a test runs: on a terminal one line that is kept up to date, elsewhere plain
//! lines now and then. Everything goes to standard error; standard output is for results.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use growler_nemesis::ActiveFault;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::clock::RunClock;
use super::load::Load;

/// Time between two plain lines, where standard error is not a terminal.
const PLAIN_EVERY: Duration = Duration::from_secs(5);
/// Time between two updates of the line on a terminal.
const REDRAW_EVERY: Duration = Duration::from_millis(200);

/// The display of one run. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    quiet: bool,
}

impl Progress {
    /// A display fit for where standard error goes.
    pub(crate) fn new() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self { bar: None, quiet: false };
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(
            ProgressStyle::with_template("{spinner} {prefix:<12} {wide_msg}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner()),
        );
        bar.enable_steady_tick(REDRAW_EVERY);
        Self { bar: Some(bar), quiet: false }
    }

    /// Says one thing that stays on the screen.
    pub(crate) fn say(&self, line: &str) {
        match &self.bar {
            _ if self.quiet => (),
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }

    /// Begins a phase.
    pub(crate) fn phase(&self, name: &'static str, detail: &str) {
        match &self.bar {
            Some(bar) => {
                bar.set_prefix(name);
                bar.set_message(detail.to_owned());
            }
            None if detail.is_empty() => eprintln!("{name}"),
            None => eprintln!("{name}: {detail}"),
        }
    }

    /// Keeps the display up to date with the load until the handle is aborted. `phase_end` is when the
    /// present phase is due to end.
    pub(crate) fn follow(
        &self,
        load: Arc<Load>,
        clock: RunClock,
        phase_end: watch::Receiver<Duration>,
        faults: watch::Receiver<Vec<ActiveFault>>,
    ) -> JoinHandle<()> {
        let display = self.clone();
        tokio::spawn(async move {
            let every = if display.bar.is_some() { REDRAW_EVERY } else { PLAIN_EVERY };
            let mut before = 0;
            loop {
                tokio::time::sleep(every).await;
                let [ok, fail, info] = [&load.counters.ok, &load.counters.fail, &load.counters.info]
                    .map(|c| c.load(Ordering::Relaxed));
                let done = ok + fail + info;
                let rate = (done - before) as f64 / every.as_secs_f64();
                before = done;
                let left = phase_end.borrow().saturating_sub(clock.elapsed());
                let faults = describe(&faults.borrow());
                let line = format!(
                    "{:>3} s left  {rate:>6.0} ops/s  ok {ok}  fail {fail}  info {info}  faults: {faults}",
                    left.as_secs()
                );
                match &display.bar {
                    Some(bar) => bar.set_message(line),
                    None => eprintln!("  {line}"),
                }
            }
        })
    }

    /// Clears the line.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn describe(faults: &[ActiveFault]) -> String {
    if faults.is_empty() {
        return "none".to_owned();
    }
    faults.iter().map(|f| format!("{} {}", f.fault, f.targets.join("+"))).collect::<Vec<_>>().join(", ")
}
