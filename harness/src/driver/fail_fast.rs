//! `--fail-fast`: the history is watched while it is made, and a violation that has become certain ends the
//! run.
//!
//! The load hands every event over as it is recorded, under the lock that gives the events their order, so
//! that the [`Monitor`] sees the clients' lines of the history and in their order. It runs on a thread of its
//! own: a worker never waits for it. What it has not looked at yet is bounded: should [`BACKLOG`] events ever
//! wait, then the rest of the run is not watched, and the end of the run says so.
//!
//! An alarm ends the load as the end of `--time` would: operations in hand get their answer or their deadline,
//! faults are healed, those that were not reached are skipped. Recovery is not waited for, and no judgement
//! made of it. Final reads come, if the system serves them soon: they cannot take the violation back, but
//! they tell a stale read from a lost write. Then the whole history is checked as ever, and that check alone
//! decides the verdict. If it should find nothing where the alarm was, growler has
//! contradicted itself: [`contradiction`] says so, and it is a defect.
//!
//! It must never make a finding: silence proves nothing, and an alarm is only a reason to look now.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use anyhow::bail;
use growler_checker::anomaly::admits;
use growler_checker::history::{Event, Key};
use growler_checker::linearizability::online::Monitor;
use growler_checker::promise::checks_for;
use growler_checker::verdict::{CheckResult, Validity};
use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

use super::checks::LINEARIZABLE;
use super::prepare::Prepared;

/// The models whose histories the monitor can read.
const MODELS: [&str; 2] = ["register", "cas-register"];
/// The name of all violations that an alarm may stand for.
const WATCHED_FOR: &str = "nonlinearizable";
/// Events that may wait for the monitor: some tens of megabytes.
const BACKLOG: usize = 1 << 16;
/// How long the monitor may take to catch up once the load has ended.
const CATCH_UP: Duration = Duration::from_secs(2);

/// Whether this test can be watched, if it is to be.
pub(super) fn check_options(prepared: &Prepared) -> anyhow::Result<()> {
    let options = &prepared.options;
    if !options.fail_fast {
        return Ok(());
    }
    let workload = prepared.workload;
    if !MODELS.contains(&workload.model) {
        let all = growler_workloads::workloads().iter();
        let names: Vec<_> = all.filter(|w| MODELS.contains(&w.model)).map(|w| w.name).collect();
        bail!(
            "--fail-fast: a violation by the {} workload is seen only when the run has ended; leave the option \
             out, or use one of the workloads that are watched: {}",
            workload.name,
            names.join(", ")
        );
    }
    let checks = checks_for(workload.model, &prepared.promise).unwrap_or_default();
    if !checks.iter().any(|check| check.name() == LINEARIZABLE) {
        bail!(
            "--fail-fast: only linearizability can be seen to break during a run, and `{}` is something else; \
             leave the option out",
            prepared.promise
        );
    }
    let about = |name: &&String| *name == WATCHED_FOR || admits(WATCHED_FOR, name);
    if let Some(allowed) = options.allow.iter().find(about) {
        bail!(
            "--fail-fast ends the run at the first violation, before it has a name: with --allow {allowed} that \
             might be one that is no failure; leave one of the two out"
        );
    }
    Ok(())
}

/// A violation that has become certain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alarm {
    /// Whose history cannot be ordered.
    key: Option<Key>,
    /// The event that made it certain.
    index: u64,
    /// When that was, ns since the run began.
    time: u64,
}

impl Alarm {
    /// What is certain, as the beginning of a sentence.
    pub(crate) fn describe(&self) -> String {
        let Self { index, time, .. } = self;
        let key = self.key();
        format!("event {index} at {:.3} s made a violation on {key} certain", *time as f64 / 1e9)
    }

    fn key(&self) -> String {
        self.key.as_ref().map_or_else(|| "the one object".to_owned(), |key| format!("key {key}"))
    }
}

/// Where the load hands the events over.
#[derive(Debug)]
pub(crate) struct Tap {
    /// None once nobody looks any more.
    sender: Mutex<Option<SyncSender<Event>>>,
    sent: AtomicU64,
    overflowed: AtomicBool,
}

impl Tap {
    fn new(backlog: usize) -> (Self, Receiver<Event>) {
        let (sender, receiver) = sync_channel(backlog);
        let sender = Mutex::new(Some(sender));
        (Self { sender, sent: AtomicU64::new(0), overflowed: AtomicBool::new(false) }, receiver)
    }

    /// Hands an event over; it was recorded right now, and no other since. Never waits.
    pub(super) fn send(&self, event: Event) {
        let mut sender = self.sender.lock();
        let Some(open) = sender.as_ref() else { return };
        match open.try_send(event) {
            Ok(()) => {
                self.sent.fetch_add(1, Ordering::Relaxed);
            }
            Err(e) => {
                // A monitor that missed an event might be wrong about all that come later.
                self.overflowed.store(matches!(e, TrySendError::Full(_)), Ordering::Relaxed);
                *sender = None;
            }
        }
    }

    fn close(&self) {
        *self.sender.lock() = None;
    }
}

/// What the monitor's thread and the driver share.
#[derive(Debug, Default)]
struct Shared {
    seen: AtomicU64,
    stop: AtomicBool,
}

/// The monitor of one run, on a thread of its own.
#[derive(Debug)]
pub(super) struct Watcher {
    tap: Arc<Tap>,
    alarm: watch::Receiver<Option<Alarm>>,
    /// Answers when the thread has ended in order.
    ended: oneshot::Receiver<()>,
    shared: Arc<Shared>,
}

/// What watching came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Watched {
    /// The alarm, if there was one.
    pub(super) alarm: Option<Alarm>,
    /// What was not watched, as a sentence.
    pub(super) warning: Option<String>,
    /// A defect of growler, as a sentence.
    pub(super) defect: Option<String>,
}

impl Watcher {
    pub(super) fn start() -> std::io::Result<Self> {
        let (tap, events) = Tap::new(BACKLOG);
        let (raise, alarm) = watch::channel(None);
        let (end, ended) = oneshot::channel();
        let shared = Arc::new(Shared::default());
        let counted = Arc::clone(&shared);
        let watching = move || {
            look(&events, &counted, &raise);
            let _ = end.send(());
        };
        std::thread::Builder::new().name("fail-fast".to_owned()).spawn(watching)?;
        Ok(Self { tap: Arc::new(tap), alarm, ended, shared })
    }

    pub(super) fn tap(&self) -> Arc<Tap> {
        Arc::clone(&self.tap)
    }

    pub(super) fn bell(&self) -> Bell {
        Bell(Some(self.alarm.clone()))
    }

    /// Ends when everything has been looked at, or it takes too long. Nothing may be recorded any more.
    pub(super) async fn finish(self) -> Watched {
        self.tap.close();
        let ended = tokio::time::timeout(CATCH_UP, self.ended).await;
        self.shared.stop.store(true, Ordering::Relaxed);
        let alarm = self.alarm.borrow().clone();
        let defect = matches!(ended, Ok(Err(_))).then(|| {
            "--fail-fast: the monitor panicked. The check of the whole history does not depend on it, but this \
             is a defect of growler, not of the system under test: please report it with the history"
                .to_owned()
        });
        let behind =
            self.tap.sent.load(Ordering::Relaxed).saturating_sub(self.shared.seen.load(Ordering::Relaxed));
        let warning = if alarm.is_some() || defect.is_some() {
            None
        } else if self.tap.overflowed.load(Ordering::Relaxed) {
            Some(format!(
                "--fail-fast: the monitor fell behind by {BACKLOG} events, and the rest of the run was not \
                 watched; the check of the whole history misses nothing"
            ))
        } else {
            (behind > 0).then(|| {
                format!(
                    "--fail-fast: the monitor was {behind} events behind when the load had ended; the check \
                     of the whole history misses nothing"
                )
            })
        };
        Watched { alarm, warning, defect }
    }
}

/// Looks at the events until one raises the alarm, or there are no more.
fn look(events: &Receiver<Event>, shared: &Shared, raise: &watch::Sender<Option<Alarm>>) {
    let mut monitor = Monitor::new();
    for event in events {
        if shared.stop.load(Ordering::Relaxed) {
            return;
        }
        let alarm = monitor.observe(&event);
        shared.seen.fetch_add(1, Ordering::Relaxed);
        if let Some(alarm) = alarm {
            raise.send_replace(Some(Alarm { key: alarm.key, index: event.index, time: event.time }));
            return;
        }
    }
}

/// Rings once, at the alarm; never, where nobody watches. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Bell(Option<watch::Receiver<Option<Alarm>>>);

impl Bell {
    /// One that never rings.
    pub(crate) fn silent() -> Self {
        Self(None)
    }

    /// Waits for the alarm; for ever, where none comes.
    pub(crate) async fn rung(&self) {
        if let Some(mut alarm) = self.0.clone()
            && alarm.wait_for(Option::is_some).await.is_ok()
        {
            return;
        }
        std::future::pending::<()>().await;
    }

    pub(crate) fn alarm(&self) -> Option<Alarm> {
        self.0.as_ref()?.borrow().clone()
    }
}

/// A defect of growler, as a sentence: the check of the whole history, of so many events, found nothing
/// where the alarm was. None where the check could not decide, or the event did not get into the history.
pub(super) fn contradiction(
    alarm: &Alarm,
    checks: &BTreeMap<String, CheckResult>,
    events: usize,
) -> Option<String> {
    let result = checks.get(LINEARIZABLE)?;
    let found =
        result.valid == Validity::Invalid && result.anomalies.iter().any(|anomaly| anomaly.key == alarm.key);
    let lost = usize::try_from(alarm.index).is_ok_and(|index| index >= events);
    if found || lost || !result.unknown.is_empty() {
        return None;
    }
    Some(format!(
        "--fail-fast: {}, and the check of the whole history finds none there. One of the two is wrong. This is \
         a defect of growler, not of the system under test: please report it with the history",
        alarm.describe()
    ))
}

#[cfg(test)]
mod tests {
    use growler_checker::history::HistoryBuilder;
    use growler_checker::linearizability::Linearizable;
    use growler_checker::verdict::{Budget, Check};

    use super::*;

    /// A stale read of key `a`, and something harmless after it.
    fn stale() -> Vec<Event> {
        HistoryBuilder::new().on("a").write(0, 1).write(0, 2).read(1, 1).on("b").write(0, 7).events()
    }

    async fn watch(events: Vec<Event>) -> Watched {
        let watcher = Watcher::start().unwrap();
        let tap = watcher.tap();
        events.into_iter().for_each(|event| tap.send(event));
        watcher.finish().await
    }

    fn checked(events: &[Event]) -> BTreeMap<String, CheckResult> {
        let result = Linearizable::cas_register().check(events, &Budget::default());
        BTreeMap::from([(LINEARIZABLE.to_owned(), result)])
    }

    #[tokio::test]
    async fn the_alarm_names_the_key_and_the_event_that_made_it_certain() {
        let alarm = watch(stale()).await.alarm.unwrap();
        assert_eq!((alarm.key, alarm.index), (Some("a".into()), 5));
    }

    #[tokio::test]
    async fn an_honest_history_rings_no_bell() {
        let honest = HistoryBuilder::new().on("a").write(0, 1).read(1, 1).write(0, 2).events();
        assert_eq!(watch(honest).await, Watched::default());
    }

    #[tokio::test]
    async fn the_bell_rings_while_the_load_goes_on() {
        let watcher = Watcher::start().unwrap();
        let (tap, bell) = (watcher.tap(), watcher.bell());
        stale().into_iter().for_each(|event| tap.send(event));
        tokio::time::timeout(Duration::from_secs(60), bell.rung()).await.unwrap();
        assert!(bell.alarm().is_some() && Bell::silent().alarm().is_none());
    }

    #[tokio::test]
    async fn a_monitor_that_falls_behind_is_given_up_and_makes_nobody_wait() {
        let mut watcher = Watcher::start().unwrap();
        let (tap, nobody_looks) = Tap::new(3);
        watcher.tap = Arc::new(tap);
        stale().into_iter().for_each(|event| watcher.tap.send(event));
        assert_eq!(nobody_looks.iter().count(), 3, "nothing comes after what was lost");
        let watched = watcher.finish().await;
        assert!(watched.alarm.is_none() && watched.warning.unwrap().contains("not watched"));
    }

    #[test]
    fn an_alarm_that_the_check_does_not_confirm_is_a_defect_of_growler() {
        let alarm = |key: &str, index| Alarm { key: Some(key.into()), index, time: 0 };
        let (events, checks) = (stale(), checked(&stale()));
        assert_eq!(contradiction(&alarm("a", 5), &checks, events.len()), None);
        let why = contradiction(&alarm("b", 7), &checks, events.len()).unwrap();
        assert!(why.contains("key b") && why.contains("defect of growler"), "{why}");
        assert_eq!(contradiction(&alarm("b", 8), &checks, events.len()), None, "it was never written");
        let undecided = super::super::checks::undecided("it took too long");
        let undecided = BTreeMap::from([(LINEARIZABLE.to_owned(), undecided)]);
        assert_eq!(contradiction(&alarm("a", 5), &undecided, events.len()), None);
    }
}
