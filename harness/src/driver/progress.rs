//! What a person sees while a test runs: on a terminal one line that is kept up to date, elsewhere plain
//! lines now and then, each of which says what was broken and healed since the one before. Everything goes to
//! standard error; standard output is for results.
//!
//! How much time is left is said only where that is known: while the load runs. What comes after it ends when it
//! is over.

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
use crate::terminal::say;

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
            Some(bar) => bar.suspend(|| say(line)),
            None => say(line),
        }
    }

    /// Begins a phase.
    pub(crate) fn phase(&self, name: &'static str, detail: &str) {
        match &self.bar {
            Some(bar) => {
                bar.set_prefix(name);
                bar.set_message(detail.to_owned());
            }
            None if detail.is_empty() => say(name),
            None => say(&format!("{name}: {detail}")),
        }
    }

    /// Keeps the display up to date with the load until the handle is aborted. `phase_end` is when the
    /// present phase is due to end, where that is known.
    pub(crate) fn follow(
        &self,
        load: Arc<Load>,
        clock: RunClock,
        phase_end: watch::Receiver<Option<Duration>>,
        mut faults: watch::Receiver<Vec<ActiveFault>>,
    ) -> JoinHandle<()> {
        let display = self.clone();
        tokio::spawn(async move {
            let every = if display.bar.is_some() { REDRAW_EVERY } else { PLAIN_EVERY };
            let mut before = 0;
            let mut news = News::default();
            loop {
                let line_due = tokio::time::sleep(every);
                tokio::pin!(line_due);
                loop {
                    tokio::select! {
                        () = &mut line_due => break,
                        Ok(()) = faults.changed() => news.update(&faults.borrow_and_update()),
                    }
                }
                let [ok, fail, info] = [&load.counters.ok, &load.counters.fail, &load.counters.info]
                    .map(|c| c.load(Ordering::Relaxed));
                let done = ok + fail + info;
                let rate = (done - before) as f64 / every.as_secs_f64();
                before = done;
                let left = phase_end.borrow().map(|end| end.saturating_sub(clock.elapsed()).as_secs());
                let left = left.map(|seconds| format!("{seconds:>3} s left  ")).unwrap_or_default();
                let counts = format!("{left}{rate:>6.0} ops/s  ok {ok}  fail {fail}  info {info}");
                match &display.bar {
                    Some(bar) => bar.set_message(format!("{counts}  faults: {}", news.in_force())),
                    None => say(&format!("  {counts}  faults: {}", news.take())),
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

/// Which faults are in force, and what began and was healed since somebody was told.
#[derive(Debug, Default)]
struct News {
    now: Vec<ActiveFault>,
    begun: Vec<String>,
    healed: Vec<String>,
}

impl News {
    /// These are in force now.
    fn update(&mut self, now: &[ActiveFault]) {
        let is_in = |all: &[ActiveFault], one: &ActiveFault| all.iter().any(|fault| fault.index == one.index);
        // A fault's targets may be known only after it began.
        self.healed.extend(self.now.iter().filter(|fault| !is_in(now, fault)).map(describe));
        self.begun
            .extend(now.iter().filter(|fault| !is_in(&self.now, fault)).map(|fault| fault.fault.clone()));
        self.now = now.to_vec();
    }

    fn in_force(&self) -> String {
        if self.now.is_empty() {
            return "none".to_owned();
        }
        self.now.iter().map(describe).collect::<Vec<_>>().join(", ")
    }

    /// Tells all of it, once.
    fn take(&mut self) -> String {
        let mut told = self.in_force();
        for (what, names) in [("begun", &mut self.begun), ("healed", &mut self.healed)] {
            if !names.is_empty() {
                told += &format!("; {what}: {}", std::mem::take(names).join(", "));
            }
        }
        told
    }
}

fn describe(fault: &ActiveFault) -> String {
    format!("{} {}", fault.fault, fault.targets.join("+"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(index: usize, fault: &str, targets: &[&str]) -> ActiveFault {
        let targets = targets.iter().map(|&target| target.to_owned()).collect();
        ActiveFault { index, fault: fault.to_owned(), targets, since: 0 }
    }

    #[test]
    fn a_line_tells_what_came_and_went_since_the_last_one_and_what_is_there() {
        let mut news = News::default();
        assert_eq!(news.take(), "none");
        news.update(&[fault(0, "kill", &[])]);
        news.update(&[fault(0, "kill", &["n1"])]);
        news.update(&[]);
        assert_eq!(news.take(), "none; begun: kill; healed: kill n1");
        news.update(&[fault(1, "partition", &["n1", "n2"])]);
        assert_eq!(news.take(), "partition n1+n2; begun: partition");
        assert_eq!(news.take(), "partition n1+n2");
    }
}
