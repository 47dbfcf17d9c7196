//! The phases of a run, one after the other, each of which an interruption can end.
//!
//! Whatever happens in one of them, the run goes on to the tear-down: what happened is noted
//! ([`Notes`]) and judged at the end ([`super::verdict`]).

use std::sync::Arc;
use std::time::Duration;

use growler_checker::history::{Event, EventType, Process};
use growler_nemesis::cluster::NemesisEvent;
use growler_nemesis::{Capabilities, Nemesis, NemesisReport, Plan, PlanError, PlanRequest};
use growler_results::history::Recorder;
use growler_results::run::RunFolder;
use growler_results::test_file::{Phase, Recovery, StoppedEarly, TestFile};
use growler_results::verdict::Crash;
use growler_store::node::Style;
use growler_workloads::dynamodb::{CapReached, Client, ClientFactory};
use growler_workloads::probe::Canary;
use growler_workloads::workload::{SetUpError, Workload};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::clock::{RunClock, nanoseconds};
use super::fail_fast::{Alarm, Bell, Watched, Watcher};
use super::interrupt::Interrupt;
use super::load::{Load, Mode};
use super::prepare::Prepared;
use super::progress::Progress;
use super::recovery::Probes;
use super::verdict::{self, Finished};
use crate::clean::{keep_marking, table_prefix};
use crate::cluster::{System, told_of_start};
use crate::error::{CommandError, Sort};

/// How often the driver looks whether the run must end early.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The phase of the final reads.
pub(super) const FINAL_READS: &str = "final reads";
/// How long final reads may take beyond the recovery deadline.
const READING: Duration = Duration::from_secs(60);
/// How long removing tables may take: longer than each of them is waited for.
const TEAR_DOWN: Duration = Duration::from_secs(45);

/// What happened in a run besides the history.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// What the workload needs and the system does not offer: exit code 254.
    pub(crate) usage: Vec<String>,
    /// What went wrong around the system under test: exit code 4.
    pub(crate) environment: Vec<String>,
    /// Things a person should know that are no failure.
    pub(crate) warnings: Vec<String>,
    /// Defects of growler that showed.
    pub(crate) internal: Vec<String>,
    /// The phase in which the user interrupted.
    pub(crate) interrupted: Option<String>,
    /// The violation that became certain while the run was watched (`--fail-fast`).
    pub(crate) alarm: Option<Alarm>,
    /// The cap that ended the load.
    pub(crate) cap: Option<CapReached>,
    /// What the nemesis did.
    pub(crate) plan: Option<Plan>,
    /// Nodes that died unasked, or did not start again from their own data.
    pub(crate) crashes: Vec<Crash>,
    /// What the machine ran out of: then nobody is blamed for a death or a silence.
    pub(crate) shortage: Option<String>,
}

/// A run that has a folder and a clock.
pub(crate) struct Run {
    pub(crate) prepared: Prepared,
    pub(crate) folder: RunFolder,
    pub(crate) clock: RunClock,
    pub(crate) recorder: Recorder,
    pub(crate) interrupt: Interrupt,
    pub(crate) progress: Progress,
    pub(crate) test: TestFile,
    pub(crate) notes: Notes,
    /// What is done to the system; none before it has been set up.
    pub(crate) workload: Option<Arc<dyn Workload>>,
}

/// Runs one test. An error is one that came before the run had a folder.
pub(crate) async fn run(prepared: Prepared) -> Result<Finished, CommandError> {
    let interrupt = Interrupt::install().environment()?;
    let progress = Progress::new();
    let started = jiff::Timestamp::now();
    let clock = RunClock::start();
    let folder = RunFolder::create(&prepared.options.out, &prepared.test_name(), started).environment()?;
    let recorder = Recorder::create(&folder.history(), move || clock.now_ns()).environment()?;
    progress.say(&format!("run {}, seed {}", folder.path().display(), prepared.seed));
    let test = super::describe::test_file(&prepared, started);
    let notes = Notes::default();
    let mut run = Run { prepared, folder, clock, recorder, interrupt, progress, test, notes, workload: None };
    run.notes.warnings.extend(run.prepared.skipped.iter().cloned());
    run.write_test_file();
    run.with_system().await;
    verdict::finish(run).await
}

impl Run {
    /// Brings the system up, uses it, and takes it down.
    async fn with_system(&mut self) {
        let began = self.begin("set-up", "starting the system under test");
        let system = tokio::select! {
            system = super::system::start(&self.prepared, &self.folder) => system,
            () = self.interrupt.wait() => return self.end_phase("set-up", began),
        };
        let system = match system {
            Ok(system) => system,
            Err(e) => return self.notes.environment.push(format!("{e:#}")),
        };
        self.test.system = system.describe();
        self.test.nodes = system.nodes();
        self.with_tables(&system, began).await;
        for crash in system.crashes(&self.clock) {
            // The nemesis may have met the same death before.
            if !self.notes.crashes.iter().any(|c| c.node == crash.node) {
                self.notes.crashes.push(crash);
            }
        }
        self.notes.shortage = self.notes.shortage.take().or_else(|| system.shortage_told());
        system.shut_down().await;
    }

    /// Makes the workload's tables, runs the load, and removes the tables.
    async fn with_tables(&mut self, system: &System, began: u64) {
        let clients = match super::system::clients(&self.prepared, system) {
            Ok(clients) => clients,
            Err(e) => return self.notes.environment.push(format!("{e:#}")),
        };
        let client = match clients.client(0) {
            Ok(client) => Arc::new(client),
            Err(e) => return self.notes.environment.push(e.to_string()),
        };
        let shape = self.prepared.shape(&table_prefix(self.folder.path()));
        let name = self.prepared.workload.name;
        let mut workload = match growler_workloads::create(name, &shape) {
            Ok(workload) => workload,
            Err(e) => return self.notes.environment.push(e.to_string()),
        };
        let canary = Arc::new(Canary::new(&shape.table_prefix));
        let nodes = system.nodes().len();
        // Ends with this scope, also in the middle of a mark.
        let mut marks = JoinSet::new();
        let set_up = async {
            workload.set_up(&client).await?;
            canary.set_up(&client).await?;
            marks.spawn(keep_marking(Arc::clone(&canary), Arc::clone(&client)));
            canary.discover(&client, nodes).await
        };
        let keys = tokio::select! {
            keys = set_up => keys,
            () = self.interrupt.wait() => Ok(Vec::new()),
        };
        let workload: Arc<dyn Workload> = Arc::from(workload);
        self.workload = Some(Arc::clone(&workload));
        match keys {
            Err(e @ SetUpError::Unsupported { .. }) => self.notes.usage.push(e.to_string()),
            Err(e) => self.notes.environment.push(e.to_string()),
            Ok(_) if self.interrupt.requested() => self.end_phase("set-up", began),
            Ok(keys) => {
                self.end_phase("set-up", began);
                let probes = Probes {
                    canary: Arc::clone(&canary),
                    clients: clients.clone(),
                    keys,
                    services: workload.services(),
                    nodes: system.nodes(),
                    clock: self.clock,
                    deadline: self.prepared.options.recovery,
                    refusals: Arc::default(),
                };
                self.under_load(system, &workload, &clients, probes).await;
            }
        }
        marks.shutdown().await;
        self.tear_down(workload.as_ref(), &canary, &client).await;
    }

    /// Warm-up, main phase with the nemesis, heal, recovery, final reads.
    async fn under_load(
        &mut self,
        system: &System,
        workload: &Arc<dyn Workload>,
        clients: &ClientFactory,
        probes: Probes,
    ) {
        let (mode, watched) = watch::channel(Mode::Go);
        let watcher = match self.prepared.options.fail_fast.then(Watcher::start).transpose() {
            Ok(watcher) => watcher,
            Err(e) => return self.notes.environment.push(format!("cannot start a thread: {e}")),
        };
        let bell = watcher.as_ref().map_or_else(Bell::silent, Watcher::bell);
        let tap = watcher.as_ref().map(Watcher::tap);
        let load = Arc::new(self.new_load(system, workload, watched).watched_by(tap));
        let mut workers = JoinSet::new();
        let nodes = system.nodes().len();
        for client in 0..self.prepared.options.concurrency {
            match clients.client(client % nodes) {
                Ok(dynamodb) => {
                    let load = Arc::clone(&load);
                    workers.spawn(async move { load.work(client as u64, dynamodb).await });
                }
                Err(e) => return self.notes.environment.push(e.to_string()),
            }
        }
        let warm_up_end = self.clock.elapsed() + self.prepared.warm_up;
        let main_end = warm_up_end + self.prepared.options.time - self.prepared.warm_up;
        let plan = match plan(&self.prepared, &system.nodes(), nanoseconds(warm_up_end)) {
            Ok(plan) => plan,
            Err(e) => return self.notes.environment.push(e.to_string()),
        };
        let (stop, stopped) = watch::channel(false);
        let nemesis = self.new_nemesis(plan, system);
        let faults = nemesis.in_force();
        let (due, phase_end) = watch::channel(Some(warm_up_end));
        let display = self.progress.follow(Arc::clone(&load), self.clock, phase_end, faults.clone());
        let measuring = probes.clone();
        let ends = (self.interrupt.clone(), bell.clone());
        let monitor = tokio::spawn(async move { measuring.monitor(faults, ends.0, ends.1).await });

        let began = self.begin("warm-up", "");
        let mut going = self.until(warm_up_end, system, clients, &bell).await;
        self.end_phase("warm-up", began);
        let began = self.begin("main", "");
        let _ = due.send(Some(main_end));
        let nemesis = tokio::spawn(nemesis.run(stopped));
        if going {
            going = self.until(main_end, system, clients, &bell).await;
        }
        let _ = mode.send(if going { Mode::Hold } else { Mode::Stop });
        let _ = stop.send(true);
        // From here on nobody knows how long it takes.
        let _ = due.send(None);
        self.end_phase("main", began);

        let began = self.begin("recovery", "healing");
        let report = nemesis.await;
        self.note_faults(report);
        let recoveries = monitor.await.unwrap_or_default();
        self.test.timings.recoveries = recoveries;
        self.end_phase("recovery", began);
        going &= !self.interrupt.requested();
        let alarmed = self.heed(&bell);
        if going && (alarmed || self.still_there(system, &probes).await) {
            let began = self.begin(FINAL_READS, "");
            clients.caps().begin_end();
            load.begin_final_reads();
            let beyond = if alarmed { Duration::ZERO } else { READING };
            let limit = self.clock.elapsed() + self.prepared.options.recovery + beyond;
            let _ = mode.send(Mode::Go);
            self.final_reads(&mut workers, limit).await;
            self.end_phase(FINAL_READS, began);
        }
        let _ = mode.send(Mode::Stop);
        self.join(&mut workers).await;
        display.abort();
        if let Some(watcher) = watcher {
            self.note_watched(watcher.finish().await);
        }
    }

    /// Lets the load run until then. False if the run must end early.
    async fn until(&mut self, end: Duration, system: &System, clients: &ClientFactory, bell: &Bell) -> bool {
        loop {
            let left = end.saturating_sub(self.clock.elapsed());
            if left.is_zero() {
                return true;
            }
            tokio::select! {
                () = self.interrupt.wait() => return false,
                () = bell.rung() => return self.heed(bell),
                () = tokio::time::sleep(left.min(LOOK_EVERY)) => (),
            }
            if let Some(failure) = self.recorder.failure() {
                self.notes.environment.push(failure.to_string());
                return false;
            }
            if let Some(shortage) = system.shortage() {
                self.notes.environment.push(shortage.clone());
                self.notes.shortage = Some(shortage);
                return false;
            }
            if let Some(cap) = clients.caps().reached() {
                self.note_cap(cap);
                return true;
            }
        }
    }

    /// Whether the alarm has been raised. The run ends early then, which is told once.
    fn heed(&mut self, bell: &Bell) -> bool {
        let Some(alarm) = bell.alarm() else { return false };
        if self.notes.alarm.is_none() {
            let reason = alarm.describe();
            self.progress.say(&format!("{reason}: the run is stopped early, and the whole history checked"));
            self.test.timings.stopped_early = Some(StoppedEarly { at_ns: self.clock.now_ns(), reason });
            self.notes.alarm = Some(alarm);
        }
        true
    }

    /// A cap has ended the load. It is told once.
    fn note_cap(&mut self, cap: CapReached) {
        if self.notes.cap.is_none() {
            self.progress.say(&format!("{cap}: the load ends here"));
            let at_ns = self.clock.now_ns();
            self.test.timings.stopped_early = Some(StoppedEarly { at_ns, reason: cap.to_string() });
            self.notes.cap = Some(cap);
        }
    }

    fn note_watched(&mut self, watched: Watched) {
        self.notes.alarm = self.notes.alarm.take().or(watched.alarm);
        self.notes.warnings.extend(watched.warning);
        self.notes.internal.extend(watched.defect);
    }

    fn new_load(&self, system: &System, workload: &Arc<dyn Workload>, mode: watch::Receiver<Mode>) -> Load {
        let options = &self.prepared.options;
        let seed = self.prepared.seeds.stream("arrivals");
        let arrivals = options.rate.map(|rate| (rate, seed));
        Load::new(
            Arc::clone(workload),
            self.recorder.clone(),
            self.clock,
            system.nodes(),
            options.concurrency,
            arrivals,
            mode,
        )
    }

    fn new_nemesis(&self, plan: Plan, system: &System) -> Nemesis {
        let recorder = self.recorder.clone();
        let sink = move |event: NemesisEvent| {
            recorder.record(Event::new(Process::Nemesis, EventType::Info, event.f, event.value));
        };
        Nemesis::new(plan, system.cluster(), self.clock.as_function(), Arc::new(sink))
    }

    fn note_faults(&mut self, report: Result<NemesisReport, tokio::task::JoinError>) {
        match report {
            Ok(report) => {
                let errors = report.heal_errors.iter().map(|e| format!("a fault could not be undone: {e}"));
                self.notes.environment.extend(errors);
                let unable = report.crashed.iter().find_map(|e| told_of_start(&e.reason));
                self.notes.shortage = self.notes.shortage.take().or(unable);
                let at_ns = self.clock.now_ns();
                let crash = |e: growler_nemesis::cluster::ClusterError| Crash {
                    node: e.node,
                    at_ns,
                    reason: e.reason,
                };
                self.notes.crashes.extend(report.crashed.into_iter().map(crash));
                self.notes.plan = Some(report.plan);
            }
            Err(e) => self.notes.internal.push(format!("the nemesis failed: {e}")),
        }
    }

    /// Is the system still there? Without a fault there was no heal and no recovery to tell. An endpoint that
    /// went away by itself is not judged: growler did not break it.
    async fn still_there(&mut self, system: &System, probes: &Probes) -> bool {
        let unbroken = self.test.timings.recoveries.is_empty();
        if unbroken {
            let interrupt = self.interrupt.clone();
            let check = probes.measure(self.clock.now_ns(), async move { interrupt.wait().await }).await;
            self.test.timings.recoveries.extend(check.missed().then_some(check));
        }
        let missed = Recovery::missed;
        if !self.test.timings.recoveries.iter().any(missed) || !system.is_foreign() {
            return true;
        }
        let gone = system.gone().await;
        let refusals = probes.refusals.lock().clone();
        if gone.is_empty() && !unbroken && !refusals.are_throttling() {
            return true;
        }
        let (missed, kept) = std::mem::take(&mut self.test.timings.recoveries).into_iter().partition(missed);
        self.test.timings.recoveries = kept;
        self.notes.environment.push(match gone.is_empty() {
            false => format!("the endpoint went away: {} cannot be connected to", gone.join(", ")),
            true => super::recovery::unserved(&missed, &refusals),
        });
        false
    }

    async fn final_reads(&mut self, workers: &mut JoinSet<()>, limit: Duration) {
        let left = limit.saturating_sub(self.clock.elapsed());
        tokio::select! {
            () = drain(workers) => (),
            () = self.interrupt.wait() => (),
            () = tokio::time::sleep(left) => {
                self.notes.warnings.push(format!("final reads were not over within {left:?}"));
            }
        }
    }

    /// Waits for the operations in hand, which their own deadlines end; not if the user insists.
    async fn join(&mut self, workers: &mut JoinSet<()>) {
        tokio::select! {
            () = drain(workers) => (),
            () = self.interrupt.wait_insisted() => workers.abort_all(),
        }
    }

    /// Removes the tables. One that stays says nothing against the system: it is told, and what to do.
    async fn tear_down(&mut self, workload: &dyn Workload, canary: &Canary, client: &Client) {
        let began = self.begin("tear-down", "removing tables");
        // The bundled store's tables go with its processes.
        if let Some(url) = self.prepared.options.endpoint.first() {
            let prefix = table_prefix(self.folder.path());
            let any = |why: &str| vec![format!("tables whose names begin with {prefix}: {why}")];
            let removal = async {
                let (tables, canaries) = tokio::join!(workload.tear_down(client), canary.tear_down(client));
                [tables, canaries]
                    .into_iter()
                    .filter_map(|removed| Some(removed.err()?.to_string()))
                    .collect()
            };
            let left = tokio::select! {
                left = removal => left,
                () = self.interrupt.wait_insisted() => any("interrupted twice"),
                () = tokio::time::sleep(TEAR_DOWN) => any(&format!("no answer within {TEAR_DOWN:?}")),
            };
            let told = |why| {
                format!(
                    "LEFT BEHIND: {why}; `growler clean --endpoint {url}` lists what runs have left there"
                )
            };
            self.notes.warnings.extend(left.into_iter().map(told));
        }
        self.end_phase("tear-down", began);
    }

    fn begin(&self, phase: &'static str, detail: &str) -> u64 {
        self.progress.phase(phase, detail);
        self.clock.now_ns()
    }

    fn end_phase(&mut self, name: &str, start_ns: u64) {
        let end_ns = self.clock.now_ns();
        if self.interrupt.requested() && self.notes.interrupted.is_none() {
            self.notes.interrupted = Some(name.to_owned());
        }
        self.test.timings.phases.push(Phase { name: name.to_owned(), start_ns, end_ns });
    }

    fn write_test_file(&mut self) {
        if let Err(e) = self.folder.write_json(&self.folder.test_json(), &self.test) {
            self.notes.environment.push(e.to_string());
        }
    }
}

/// The fault plan of a run whose main phase begins at `main_start_ns`.
pub(crate) fn plan(prepared: &Prepared, nodes: &[String], main_start_ns: u64) -> Result<Plan, PlanError> {
    let main = nanoseconds(prepared.options.time - prepared.warm_up);
    let bundled = prepared.options.endpoint.is_empty();
    Plan::random(&PlanRequest {
        seed: prepared.seeds.stream("nemesis"),
        kinds: prepared.faults.clone(),
        nodes: nodes.to_vec(),
        window: [main_start_ns, main_start_ns + main],
        min_window_ns: nanoseconds(prepared.least_fault_window()),
        cover: 0.4,
        // Nobody leads in the quorum store.
        can: Capabilities { roles: bundled && prepared.options.store == Style::Leader, peer_links: bundled },
    })
}

async fn drain(tasks: &mut JoinSet<()>) {
    while tasks.join_next().await.is_some() {}
}
