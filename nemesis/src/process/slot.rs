//! The place of one node's process: at most one lives in it at a time.
//!
//! A thread waits for each process. It learns of the end without reaping (`WNOWAIT`), and reaps under the
//! slot's lock; signals are sent under the same lock. So no signal ever meets a process id that was given to
//! someone else.

use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::{Exit, NodeCommand};
use crate::cluster::ProcessState;

/// How a process ended, once it has.
pub(super) type Ended = watch::Receiver<Option<ExitStatus>>;

/// One node's place.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) command: NodeCommand,
    /// One start at a time.
    pub(super) starting: tokio::sync::Mutex<()>,
    life: Mutex<Life>,
}

#[derive(Debug, Default)]
struct Life {
    running: Option<Running>,
    waiter: Option<JoinHandle<()>>,
    /// The end of the latest process: set once everyone was told of it.
    latest: Option<Ended>,
    closed: bool,
}

#[derive(Debug)]
struct Running {
    pid: Pid,
    /// It has listened. Before, its end is the start's own failure.
    up: bool,
    /// We asked for its end.
    killed: bool,
    /// Used where the kernel cannot be asked.
    stopped: bool,
    ended: Ended,
}

impl Slot {
    pub(super) fn new(command: NodeCommand) -> Self {
        Self { command, starting: tokio::sync::Mutex::default(), life: Mutex::default() }
    }

    /// Moves a fresh process in. Gives it back if the slot is closed.
    pub(super) fn occupy(
        self: &Arc<Self>,
        child: Child,
        ended: Arc<dyn Fn(Option<Exit>) + Send + Sync>,
    ) -> Result<Ended, Child> {
        let mut life = self.life.lock();
        if life.closed {
            return Err(child);
        }
        let pid = Pid::from_raw(child.id().cast_signed());
        let (over, has_ended) = watch::channel(None);
        life.running =
            Some(Running { pid, up: false, killed: false, stopped: false, ended: has_ended.clone() });
        life.latest = Some(has_ended.clone());
        let slot = Arc::clone(self);
        life.waiter = Some(thread::spawn(move || slot.wait_for(child, pid, &over, &*ended)));
        Ok(has_ended)
    }

    fn wait_for(
        &self,
        mut child: Child,
        pid: Pid,
        over: &watch::Sender<Option<ExitStatus>>,
        ended: &(dyn Fn(Option<Exit>) + Send + Sync),
    ) {
        let (status, expected) = self.reap(&mut child, pid);
        let time = Instant::now();
        ended((!expected).then(|| Exit { node: self.command.node.clone(), status, time }));
        over.send_replace(Some(status));
    }

    /// Waits for the end, and tells whether it was expected.
    #[cfg(target_os = "linux")]
    fn reap(&self, child: &mut Child, pid: Pid) -> (ExitStatus, bool) {
        use nix::sys::wait::{Id, WaitPidFlag, waitid};
        let end = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        while waitid(Id::Pid(pid), end) == Err(Errno::EINTR) {}
        let mut life = self.life.lock();
        // Whatever the node itself had started goes with it; until the next line its id is nobody else's.
        let _ = killpg(pid, Signal::SIGKILL);
        let status = child.wait().unwrap_or_default();
        (status, life.running.take().is_none_or(|r| r.killed || !r.up))
    }

    /// The same where one cannot wait without reaping.
    #[cfg(not(target_os = "linux"))]
    fn reap(&self, child: &mut Child, _pid: Pid) -> (ExitStatus, bool) {
        loop {
            let mut life = self.life.lock();
            if let Some(status) = child.try_wait().unwrap_or_else(|_| Some(ExitStatus::default())) {
                return (status, life.running.take().is_none_or(|r| r.killed || !r.up));
            }
            drop(life);
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// From now on its end is news.
    pub(super) fn is_up(&self) {
        if let Some(running) = &mut self.life.lock().running {
            running.up = true;
        }
    }

    /// Its end to come, and whether it has listened; `None` if it is dead.
    pub(super) fn living(&self) -> Option<(Ended, bool)> {
        self.life.lock().running.as_ref().map(|r| (r.ended.clone(), r.up))
    }

    /// Waits until everyone was told of the end of the process before.
    pub(super) async fn settled(&self) {
        let latest = self.life.lock().latest.clone();
        if let Some(mut ended) = latest {
            let _ = ended.wait_for(Option::is_some).await;
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.life.lock().closed
    }

    /// No process moves in any more.
    pub(super) fn close(&self) {
        self.life.lock().closed = true;
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.life.lock().running.as_ref().map(|r| r.pid.as_raw().cast_unsigned())
    }

    /// Sends a signal to the process and whatever it started; `None` if it is dead.
    pub(super) fn signal(&self, signal: Signal) -> Result<Option<Ended>, Errno> {
        let mut life = self.life.lock();
        let Some(running) = &mut life.running else { return Ok(None) };
        match signal {
            // An end that is waiting to be reaped was not our doing.
            Signal::SIGKILL if !has_ended(running.pid) => running.killed = true,
            Signal::SIGSTOP => running.stopped = true,
            Signal::SIGCONT => running.stopped = false,
            _ => (),
        }
        killpg(running.pid, signal)?;
        Ok(Some(running.ended.clone()))
    }

    pub(super) fn state(&self) -> ProcessState {
        match &self.life.lock().running {
            Some(running) => state(running.pid, running.stopped),
            None => ProcessState::Dead,
        }
    }

    /// Waits, blocking, until the process is reaped and everyone was told.
    pub(super) fn join(&self, at_most: Duration) {
        let waiter = self.life.lock().waiter.take();
        let Some(waiter) = waiter else { return };
        let deadline = Instant::now() + at_most;
        while !waiter.is_finished() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Whether the kernel says that this child has ended. One that was reaped has.
#[cfg(target_os = "linux")]
fn has_ended(pid: Pid) -> bool {
    state(pid, false) == ProcessState::Dead
}

/// What the kernel says of this child. It is asked with a system call that needs nothing which may run out: where
/// `/proc` is read, a lack of file descriptors looks like a death.
#[cfg(target_os = "linux")]
fn state(pid: Pid, _stopped: bool) -> ProcessState {
    use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
    let now = WaitPidFlag::WEXITED | WaitPidFlag::WSTOPPED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
    loop {
        match waitid(Id::Pid(pid), now) {
            Ok(WaitStatus::Stopped(..)) => return ProcessState::Stopped,
            Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) | Err(Errno::ECHILD) => {
                return ProcessState::Dead;
            }
            Err(Errno::EINTR) => (),
            Ok(_) | Err(_) => return ProcessState::Running,
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn has_ended(_pid: Pid) -> bool {
    false
}

#[cfg(not(target_os = "linux"))]
fn state(_pid: Pid, stopped: bool) -> ProcessState {
    if stopped { ProcessState::Stopped } else { ProcessState::Running }
}
