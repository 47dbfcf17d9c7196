//! The load: workers that ask the generator for operations, send them, and record what happened.
//!
//! Workers are tokio tasks, one a client. The lock around the generator also orders the recording, so that
//! the generator sees events in exactly the order of the history. A worker has one operation open at a time;
//! after an `info` it goes on under a new process number, and keeps its session (`client`).
//!
//! A worker never sends an operation twice, and never takes back a line that was recorded.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use growler_checker::history::{Event, EventType, Extra, Name, Process, Timestamp};
use growler_results::history::Recorder;
use growler_workloads::dynamodb::{Client, Versioning};
use growler_workloads::workload::{BACK_OFF, Completion, Context, Generator, Invocation, Next, Workload};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::arrivals::Arrivals;
use super::clock::RunClock;
use super::fail_fast::Tap;

/// What the workers should be doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Send operations.
    Go,
    /// End the operation in hand, and wait.
    Hold,
    /// End the operation in hand, and leave.
    Stop,
}

/// Completions so far.
#[derive(Debug, Default)]
pub struct Counters {
    /// Happened.
    pub ok: AtomicU64,
    /// Certainly did not happen.
    pub fail: AtomicU64,
    /// May or may not have happened.
    pub info: AtomicU64,
    /// Operations that are open right now.
    pub open: AtomicU64,
}

/// What all workers share.
pub struct Load {
    generator: Mutex<Box<dyn Generator>>,
    workload: Arc<dyn Workload>,
    recorder: Recorder,
    clock: RunClock,
    nodes: Vec<Name>,
    concurrency: u64,
    arrivals: Option<Mutex<Arrivals>>,
    mode: watch::Receiver<Mode>,
    completed: Notify,
    tap: Option<Arc<Tap>>,
    /// What has been completed so far.
    pub counters: Counters,
}

impl Load {
    /// A load that has not begun: its workers are started one by one with [`Load::work`]. With `arrivals` (a rate and a seed) they
    /// are open-loop from now on, that many a second on average.
    pub fn new(
        workload: Arc<dyn Workload>,
        recorder: Recorder,
        clock: RunClock,
        nodes: Vec<String>,
        concurrency: usize,
        arrivals: Option<(f64, u64)>,
        mode: watch::Receiver<Mode>,
    ) -> Self {
        Self {
            generator: Mutex::new(workload.generator()),
            workload,
            recorder,
            clock,
            nodes: nodes.into_iter().map(Name::from).collect(),
            concurrency: concurrency as u64,
            arrivals: arrivals.map(|(rate, seed)| Mutex::new(Arrivals::new(seed, rate, clock.elapsed()))),
            mode,
            completed: Notify::new(),
            tap: None,
            counters: Counters::default(),
        }
    }

    /// The same load, whose events are also handed over here, in the order of the history.
    #[must_use]
    pub(crate) fn watched_by(self, tap: Option<Arc<Tap>>) -> Self {
        Self { tap, ..self }
    }

    /// From now on only final reads come, as fast as the workers can send them.
    pub fn begin_final_reads(&self) {
        if let Some(arrivals) = &self.arrivals {
            arrivals.lock().end();
        }
        self.generator.lock().finish();
    }

    /// One worker, until the generator is done or the mode says stop.
    pub async fn work(&self, client: u64, dynamodb: Client) {
        let home = dynamodb.home();
        let mut mode = self.mode.clone();
        let mut process = client;
        loop {
            match mode.wait_for(|m| *m != Mode::Hold).await.map(|m| *m) {
                Ok(Mode::Go | Mode::Hold) => (),
                Ok(Mode::Stop) | Err(_) => return,
            }
            let intended = match self.next_arrival(&mut mode).await {
                Arrival::Now => None,
                Arrival::At(ns) => Some(ns),
                Arrival::ModeChanged => continue,
            };
            match self.begin(client, process, home, intended) {
                Begun::Done => return,
                Begun::Wait(longest) => {
                    tokio::select! {
                        biased;
                        () = self.completed.notified() => (),
                        _ = mode.changed() => (),
                        () = tokio::time::sleep(longest) => (),
                    }
                }
                Begun::Op(begun) => {
                    let (op, invoked) = *begun;
                    self.counters.open.fetch_add(1, Ordering::Relaxed);
                    let completion = self.workload.invoke(&dynamodb, &op).await;
                    self.counters.open.fetch_sub(1, Ordering::Relaxed);
                    let served = completion.served();
                    if self.end(invoked, completion) == EventType::Info {
                        process += self.concurrency;
                    }
                    if !served {
                        tokio::select! {
                            biased;
                            _ = mode.wait_for(|m| *m == Mode::Stop) => (),
                            () = tokio::time::sleep(BACK_OFF) => (),
                        }
                    }
                }
            }
        }
    }

    /// Takes the next operation from the generator and records its invocation.
    fn begin(&self, client: u64, process: u64, home: usize, intended: Option<u64>) -> Begun {
        let context = Context { time: self.clock.elapsed(), client, nodes: self.nodes.len() };
        let mut generator = self.generator.lock();
        match generator.next(&context) {
            Next::Done => Begun::Done,
            Next::Wait(longest) => Begun::Wait(longest.max(Duration::from_millis(1))),
            Next::Op(mut op) => {
                let node = *op.node.get_or_insert(home);
                let mut event =
                    Event::new(Process::Client(process), EventType::Invoke, op.f, op.value.clone());
                event.client = Some(client);
                event.key.clone_from(&op.key);
                event.consistency = op.consistency;
                event.via = op.via.map(Name::from);
                event.node = self.nodes.get(node).cloned();
                event.intended = intended;
                if let Some(context) = &op.context {
                    event.extra_mut().context = Some(context.clone());
                }
                let recorded = self.recorder.record(event);
                generator.update(&recorded);
                if let Some(tap) = &self.tap {
                    tap.send(recorded.clone());
                }
                Begun::Op(Box::new((op, recorded)))
            }
        }
    }

    /// Records how the operation ended.
    fn end(&self, invoked: Event, completion: Completion) -> EventType {
        let counter = match completion.kind {
            EventType::Ok => &self.counters.ok,
            EventType::Fail => &self.counters.fail,
            EventType::Info | EventType::Invoke => &self.counters.info,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        let kind = completion.kind;
        let mut event = Event {
            kind,
            value: completion.value,
            observed: completion.observed,
            error: completion.error.map(Into::into),
            partition: completion.partition.map(Into::into),
            intended: None,
            extra: None,
            ..invoked
        };
        if let Some(versioning) = completion.versioning.filter(|_| kind == EventType::Ok) {
            record_versions(event.extra_mut(), *versioning);
        }
        if let Some(sent) = completion.sent {
            event.extra_mut().sent = Some(sent.into_iter().collect());
        }
        let mut generator = self.generator.lock();
        let recorded = self.recorder.record(event);
        generator.update(&recorded);
        if let Some(tap) = &self.tap {
            tap.send(recorded);
        }
        drop(generator);
        self.completed.notify_waiters();
        kind
    }

    async fn next_arrival(&self, mode: &mut watch::Receiver<Mode>) -> Arrival {
        let Some(arrivals) = &self.arrivals else { return Arrival::Now };
        let Some(at) = arrivals.lock().take() else { return Arrival::Now };
        let wait = at.saturating_sub(self.clock.elapsed());
        tokio::select! {
            biased;
            _ = mode.wait_for(|m| *m != Mode::Go) => Arrival::ModeChanged,
            () = tokio::time::sleep(wait) => Arrival::At(super::clock::nanoseconds(at)),
        }
    }
}

/// What the store said of its versions; its token is the client's alone.
fn record_versions(extra: &mut Extra, versioning: Versioning) {
    extra.version = Some(versioning.version.into());
    extra.context = versioning.clock.map(|clock| clock.into_iter().collect());
    extra.timestamp = versioning.timestamp.map(|(ns, node)| Timestamp::new(ns, node));
    extra.siblings = versioning.siblings.filter(|count| *count > 1);
}

enum Begun {
    Op(Box<(Invocation, Event)>),
    Wait(Duration),
    Done,
}

enum Arrival {
    /// Closed loop: at once.
    Now,
    /// Open loop: it was due at this time.
    At(u64),
    /// The load was held or stopped before it was due.
    ModeChanged,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_store_says_of_its_versions_stands_in_the_history() {
        let mut versioning = Versioning {
            version: "n1/3:5".into(),
            token: Some("AgRu".into()),
            clock: Some([("n1/3".to_owned(), 5)].into()),
            timestamp: Some((70, "n1".into())),
            siblings: Some(1),
        };
        let recorded = |versioning: &Versioning| {
            let mut event = Event::new(Process::Client(1), EventType::Ok, "read", 4.into());
            record_versions(event.extra_mut(), versioning.clone());
            serde_json::to_string(&event).unwrap()
        };
        let line = recorded(&versioning);
        assert!(
            line.ends_with(r#""value":4,"version":"n1/3:5","context":{"n1/3":5},"timestamp":[70,"n1"]}"#),
            "{line}"
        );
        versioning.siblings = Some(2);
        assert!(recorded(&versioning).ends_with(r#""timestamp":[70,"n1"],"siblings":2}"#));
    }
}
