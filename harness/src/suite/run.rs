//! The runs of a suite, some side by side, and the record of them.
//!
//! Everything happens on one thread, the process's first: children die with the thread that started them, and
//! this one ends last. The record is written again after every run, so that a suite which is killed leaves
//! behind what is known. After an interruption the runs in hand end in order, and no other is started.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::anyhow;
use futures_util::future::join_all;
use growler_results::suite::{Measured, Run, SuiteFile, SuiteFolder, junit, page, summary};
use growler_results::verdict::Verdict;
use serde_json::{Value, json};

use super::Ready;
use super::child::{self, Ended, OnInterrupt};
use super::outcome::{self, Outcome};
use crate::driver::Interrupt;
use crate::error::{CommandError, Sort};
use crate::terminal::say;

/// A suite that came to an end.
pub(crate) struct Finished {
    /// Its record, verdict included.
    pub(crate) suite: SuiteFile,
    /// Its folder.
    pub(crate) folder: PathBuf,
}

/// Runs a suite. An error is one that came before there was a folder.
pub(crate) fn run(ready: Ready, out: &Path) -> Result<Finished, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().environment()?;
    runtime.block_on(async {
        let interrupt = Interrupt::install().environment()?;
        let started = jiff::Timestamp::now();
        let folder = SuiteFolder::create(out, &ready.suite.name, started).environment()?;
        let parallel = ready.suite.parallel;
        let going = Going::new(ready, folder, interrupt, started);
        going.keep();
        join_all((0..parallel).map(|_| going.work())).await;
        Ok(going.finish())
    })
}

/// A suite that is going on.
struct Going {
    folder: SuiteFolder,
    interrupt: Interrupt,
    began: Instant,
    arguments: Vec<Vec<String>>,
    /// The next run to start, counted through all rows.
    next: Cell<usize>,
    runs: usize,
    suite: RefCell<SuiteFile>,
    /// What could not be written down.
    trouble: RefCell<Vec<String>>,
}

/// One run to do: its place in the record, and what is needed of it.
struct Job {
    row: usize,
    at: usize,
    seed: u64,
    /// For people: `3/12  n=3 r=1, seed 2`.
    called: String,
    measure: Vec<String>,
    all_reads: bool,
    /// The beginning of the names of its files.
    stem: String,
}

impl Going {
    fn new(ready: Ready, folder: SuiteFolder, interrupt: Interrupt, started: jiff::Timestamp) -> Self {
        let suite = SuiteFile { started: started.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(), ..ready.suite };
        let runs = suite.rows.iter().map(|row| row.runs.len()).sum();
        say(&format!(
            "suite {}: {} rows × {} seeds, {} at a time",
            folder.path().display(),
            suite.rows.len(),
            suite.seeds.len(),
            suite.parallel
        ));
        Self {
            folder,
            interrupt,
            began: Instant::now(),
            arguments: ready.arguments,
            next: Cell::new(0),
            runs,
            suite: RefCell::new(suite),
            trouble: RefCell::default(),
        }
    }

    /// Does one run after the other, as long as there are any and nobody interrupts.
    async fn work(&self) {
        while !self.interrupt.requested() {
            let Some(job) = self.take() else { return };
            say(&format!("begin {}", job.called));
            let run = self.done(&job).await;
            let verdict = run.verdict.map_or("none", Verdict::name);
            let took = run.took_ms.unwrap_or_default() as f64 / 1000.0;
            say(&format!("end   {}: {verdict} ({took:.1} s)", job.called));
            run.reasons.iter().take(1).for_each(|why| say(&format!("        {why}")));
            {
                let mut suite = self.suite.borrow_mut();
                suite.rows[job.row].runs[job.at] = run;
                suite.note_end(job.row, job.at);
            }
            self.keep();
        }
    }

    fn take(&self) -> Option<Job> {
        let place = self.next.get();
        let suite = self.suite.borrow();
        let seeds = suite.seeds.len();
        let (row, at) = (place / seeds, place % seeds);
        let planned = suite.rows.get(row)?;
        self.next.set(place + 1);
        let seed = suite.seeds[at];
        let digits = suite.rows.len().to_string().len();
        Some(Job {
            row,
            at,
            seed,
            called: format!("{}/{}  {}, seed {seed}", place + 1, self.runs, planned.name),
            measure: planned.measure.clone(),
            all_reads: planned.all_reads,
            stem: format!("{:0digits$}-{seed}", row + 1),
        })
    }

    /// Runs it, and holds its history to whatever else is to be measured.
    async fn done(&self, job: &Job) -> Run {
        let log = self.folder.logs().join(format!("{}.log", job.stem));
        let mut arguments = vec!["test".to_owned()];
        arguments.extend(self.arguments[job.row].iter().cloned());
        arguments.push(format!("--seed={}", job.seed));
        arguments.push(format!("--out={}", self.folder.runs().display()));
        arguments.push("--json".to_owned());
        let (outcome, took_ms) = self.child(&arguments, &log, OnInterrupt::Ask).await;
        let mut run = Run {
            seed: job.seed,
            verdict: Some(outcome.verdict),
            also: outcome.also,
            reasons: outcome.reasons,
            log: Some(self.folder.relative(&log)),
            took_ms: Some(took_ms),
            ..Run::default()
        };
        let Some((results, mut document)) = outcome.results else { return run };
        run.run = results.run.as_ref().map(|folder| self.folder.relative(Path::new(folder)));
        run.stats = Some(results.stats);
        let answered = matches!(
            results.verdict,
            Verdict::Pass | Verdict::Violation | Verdict::Unknown | Verdict::Vacuous
        );
        if let Some(folder) = results.run.filter(|_| answered) {
            document["measured"] = self.measured(job, &folder, &log, &mut run).await;
        }
        run.figures = self.figures(&document);
        run
    }

    /// Runs a child, and reads how it ended.
    async fn child(&self, arguments: &[String], log: &Path, manner: OnInterrupt) -> (Outcome, u64) {
        match child::run(arguments, log, &self.interrupt, manner).await {
            Ok(Ended { exit, printed, said, took }) => {
                let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
                (outcome::read(exit, &printed, &said), took_ms)
            }
            Err(e) => {
                let reasons = vec![format!("{e:#}")];
                (Outcome { verdict: Verdict::Environment, also: Vec::new(), reasons, results: None }, 0)
            }
        }
    }

    /// Checks a run's history for each promise that is only measured, and notes the answers in the run.
    async fn measured(&self, job: &Job, folder: &str, log: &Path, run: &mut Run) -> Value {
        let mut document = json!({});
        for promise in &job.measure {
            if self.interrupt.requested() {
                trouble(run, Verdict::Interrupted, promise, "interrupted before it was checked");
                break;
            }
            let all_reads = job.all_reads.then_some("--all-reads");
            let arguments = ["check", "--json", "--promise", promise, folder].into_iter().chain(all_reads);
            let arguments: Vec<String> = arguments.map(str::to_owned).collect();
            let (outcome, _) = self.child(&arguments, log, OnInterrupt::Kill).await;
            let Some((results, whole)) = outcome.results else {
                let why = outcome.reasons.first().map_or("it did not answer", String::as_str);
                trouble(run, outcome.verdict, promise, why);
                continue;
            };
            for verdict in [results.verdict].iter().chain(&results.also) {
                if matches!(verdict, Verdict::Internal | Verdict::Environment) {
                    let why = results.reasons.last().map_or("it failed", String::as_str);
                    trouble(run, *verdict, promise, why);
                }
            }
            let file = self.folder.measured().join(format!("{}-{promise}.json", job.stem));
            self.write(&file, whole.to_string().as_bytes());
            let mut measured = Measured {
                valid: results.valid,
                anomalies: Default::default(),
                reasons: results.reasons,
                file: self.folder.relative(&file),
            };
            for anomaly in results.checks.values().flat_map(|check| &check.anomalies) {
                *measured.anomalies.entry(anomaly.kind.clone()).or_default() += 1;
            }
            run.measured.insert(promise.clone(), measured);
            document[promise] = whole;
        }
        document
    }

    /// What the map shows of a run.
    fn figures(&self, document: &Value) -> std::collections::BTreeMap<String, Value> {
        let suite = self.suite.borrow();
        let figures = suite.map.iter().flat_map(|map| &map.figures);
        figures.filter_map(|figure| Some((figure.label.clone(), figure.of_run(document)?))).collect()
    }

    /// Writes the record and the page as they are now.
    fn keep(&self) {
        let suite = self.suite.borrow();
        if let Err(e) = self.folder.write_suite(&suite) {
            self.note(e.to_string());
        }
        match page::render(&suite) {
            Ok(page) => self.write(&self.folder.index_html(), page.as_bytes()),
            Err(e) => self.note(e.to_string()),
        }
    }

    fn write(&self, path: &Path, bytes: &[u8]) {
        if let Err(e) = self.folder.write(path, bytes) {
            self.note(e.to_string());
        }
    }

    fn note(&self, trouble: String) {
        let mut noted = self.trouble.borrow_mut();
        if !noted.contains(&trouble) {
            noted.push(trouble);
        }
    }

    /// Decides the verdict, and writes every file. A finding stands, whatever the disk says; a pass that cannot
    /// be kept is no pass.
    fn finish(self) -> Finished {
        {
            let mut suite = self.suite.borrow_mut();
            suite.took_ms = u64::try_from(self.began.elapsed().as_millis()).ok();
            suite.conclude();
            match junit::render(&suite) {
                Ok(xml) => self.write(&self.folder.junit_xml(), xml.as_bytes()),
                Err(e) => self.note(e.to_string()),
            }
            let text = summary::render(&suite);
            self.write(&self.folder.summary_md(), text.as_bytes());
            let step_summary = std::env::var_os("GITHUB_STEP_SUMMARY").map(PathBuf::from);
            if let Err(e) = growler_results::summary::append_to(step_summary.as_deref(), &text) {
                self.note(e.to_string());
            }
        }
        self.add_trouble();
        self.keep();
        self.add_trouble();
        Finished { suite: self.suite.into_inner(), folder: self.folder.path().to_owned() }
    }

    fn add_trouble(&self) {
        let mut suite = self.suite.borrow_mut();
        for why in self.trouble.borrow_mut().drain(..) {
            suite.verdict = suite.verdict.map(|verdict| verdict.combine(Verdict::Environment));
            suite.reasons.push(why);
        }
    }
}

/// Notes that a measurement went wrong: that counts, whatever the run itself came to.
fn trouble(run: &mut Run, verdict: Verdict, promise: &str, why: &str) {
    if !run.also.contains(&verdict) {
        run.also.push(verdict);
    }
    run.reasons.push(format!("measuring {promise}: {why}"));
}

impl Finished {
    /// The suite's verdict.
    pub(crate) fn verdict(&self) -> Result<Verdict, CommandError> {
        self.suite.verdict.ok_or_else(|| anyhow!("the suite has no verdict")).internal()
    }
}
