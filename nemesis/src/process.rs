//! Node processes on this machine.
//!
//! Each node is a child in a process group of its own, so that a Ctrl-C on the terminal reaches only growler,
//! and signals reach whatever a node started. What a node prints is appended to its log. Nothing may be left
//! behind: children are killed and reaped by [`LocalProcesses::shutdown`] and on drop, and the kernel kills
//! them when this process dies of anything at all, also of `kill -9` and also while they are stopped
//! ([`death`]).
//!
//! A node that ends without being asked is remembered ([`LocalProcesses::unexpected_exits`]) and never
//! started again on its own account.

mod death;
mod slot;
mod spawner;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::future::join_all;
use nix::sys::signal::Signal;
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

pub use self::death::die_with_parent;
use self::slot::{Ended, Slot};
use self::spawner::{Spawner, put_down};
use crate::cluster::{ClusterError, NodeName, ProcessState, Processes};

/// How long the kernel may take to end, stop or resume a process.
const SIGNAL_TIMEOUT: Duration = Duration::from_secs(10);
/// Time between two looks at a process or a port.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How a node is started.
#[derive(Debug, Clone)]
pub struct NodeCommand {
    /// The node's name.
    pub node: NodeName,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Variables added to the environment.
    pub env: Vec<(OsString, OsString)>,
    /// Standard output and standard error are appended here.
    pub log: PathBuf,
    /// Where the node itself (no proxy) accepts connections once it is ready.
    pub ready: SocketAddr,
    /// How long a start may take.
    pub start_timeout: Duration,
}

/// A process that ended without being asked.
#[derive(Debug, Clone)]
pub struct Exit {
    /// The node.
    pub node: NodeName,
    /// How it ended; its `Display` says it in words.
    pub status: ExitStatus,
    /// When.
    pub time: Instant,
}

/// Called with a node's name when its process listens, or has ended. May be called from any thread, and must
/// not block.
pub type NodeCallback = Arc<dyn Fn(&str) + Send + Sync>;

/// Why processes could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The thread that starts processes could not be started.
    #[error("cannot start the thread that starts nodes: {0}")]
    Thread(io::Error),
}

/// Node processes, as children of this one.
pub struct LocalProcesses {
    slots: BTreeMap<NodeName, Arc<Slot>>,
    exits: Arc<Mutex<Vec<Exit>>>,
    on_up: NodeCallback,
    on_down: NodeCallback,
    /// Last, so that it goes last: the children die with its thread.
    spawner: Spawner,
}

impl fmt::Debug for LocalProcesses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalProcesses").field("slots", &self.slots).finish_non_exhaustive()
    }
}

impl LocalProcesses {
    /// Nothing runs until [`Processes::start`]. `on_up` is called when a node listens, `on_down` when its
    /// process has ended, asked or not.
    ///
    /// # Errors
    /// When the thread that starts processes could not be started.
    pub fn new(
        commands: Vec<NodeCommand>,
        on_up: NodeCallback,
        on_down: NodeCallback,
    ) -> Result<Self, ProcessError> {
        let spawner = Spawner::start().map_err(ProcessError::Thread)?;
        let slots = commands.into_iter().map(|c| (c.node.clone(), Arc::new(Slot::new(c)))).collect();
        Ok(Self { slots, exits: Arc::default(), on_up, on_down, spawner })
    }

    /// Processes that ended without being asked, so far. One that ends before it listens is not among them:
    /// the error of its start tells of it.
    #[must_use]
    pub fn unexpected_exits(&self) -> Vec<Exit> {
        self.exits.lock().clone()
    }

    /// Kills and reaps everything that runs; nothing can be started afterwards.
    ///
    /// # Errors
    /// When a process would not die.
    pub async fn shutdown(&self) -> Result<(), ClusterError> {
        self.slots.values().for_each(|slot| slot.close());
        join_all(self.slots.keys().map(|node| self.kill(node))).await.into_iter().collect()
    }

    fn slot(&self, node: &str, action: &'static str) -> Result<&Arc<Slot>, ClusterError> {
        self.slots.get(node).ok_or_else(|| error(action, node, "there is no such node"))
    }

    /// Sends a signal, and waits until it shows.
    async fn signal(
        &self,
        node: &str,
        action: &'static str,
        signal: Signal,
        expected: ProcessState,
    ) -> Result<(), ClusterError> {
        let slot = self.slot(node, action)?;
        let sent = slot.signal(signal).map_err(|e| error(action, node, e.desc()))?;
        if sent.is_none() {
            return Err(error(action, node, "its process is dead"));
        }
        let shows = async {
            loop {
                match slot.state() {
                    ProcessState::Dead => return Err(error(action, node, "its process died meanwhile")),
                    state if state == expected => return Ok(()),
                    _ => sleep(LOOK_EVERY).await,
                }
            }
        };
        timeout(SIGNAL_TIMEOUT, shows)
            .await
            .unwrap_or_else(|_| Err(error(action, node, &format!("no effect within {SIGNAL_TIMEOUT:?}"))))
    }

    /// Starts the process; does not wait until it listens.
    async fn spawn(&self, slot: &Arc<Slot>) -> Result<Ended, ClusterError> {
        let node = &slot.command.node;
        if slot.is_closed() {
            return Err(error("start", node, "the cluster is being shut down"));
        }
        let command = build(&slot.command).map_err(|e| {
            error("start", node, &format!("cannot write its log {}: {e}", slot.command.log.display()))
        })?;
        let child = self.spawner.spawn(command).await.map_err(|e| {
            error("start", node, &format!("cannot run {}: {e}", slot.command.program.display()))
        })?;
        let (exits, on_down, name) = (Arc::clone(&self.exits), Arc::clone(&self.on_down), node.clone());
        let ended = Arc::new(move |unexpected: Option<Exit>| {
            exits.lock().extend(unexpected);
            on_down(&name);
        });
        slot.occupy(child, ended).map_err(|mut unwanted| {
            put_down(&mut unwanted);
            error("start", node, "the cluster is being shut down")
        })
    }
}

#[async_trait]
impl Processes for LocalProcesses {
    async fn kill(&self, node: &str) -> Result<(), ClusterError> {
        let slot = self.slot(node, "kill")?;
        let sent = slot.signal(Signal::SIGKILL).map_err(|e| error("kill", node, e.desc()))?;
        let Some(mut ended) = sent else { return Ok(()) };
        match timeout(SIGNAL_TIMEOUT, ended.wait_for(Option::is_some)).await {
            // An error means that the waiting thread is gone, and with it the process.
            Ok(_) => Ok(()),
            Err(_) => Err(error("kill", node, &format!("still alive after {SIGNAL_TIMEOUT:?}"))),
        }
    }

    async fn start(&self, node: &str) -> Result<(), ClusterError> {
        let slot = self.slot(node, "start")?;
        let _one = slot.starting.lock().await;
        let mut ended = match slot.living() {
            Some((_, true)) => return Ok(()),
            // A start before this one was given up while it waited.
            Some((ended, false)) => ended,
            None => {
                slot.settled().await;
                self.spawn(slot).await?
            }
        };
        let command = &slot.command;
        let outcome = tokio::select! {
            status = ended.wait_for(Option::is_some) => {
                let how = status.ok().and_then(|s| *s).map_or_else(String::new, |s| format!(" ({s})"));
                Err(format!("it ended before it listened{how}; see {}", command.log.display()))
            }
            listening = timeout(command.start_timeout, listens(command.ready)) => listening.map_err(|_| {
                let (ready, limit, log) = (command.ready, command.start_timeout, command.log.display());
                format!("nothing listens on {ready} after {limit:?}; see {log}")
            }),
        };
        match outcome {
            Ok(()) => {
                slot.is_up();
                (self.on_up)(node);
                Ok(())
            }
            Err(reason) => {
                self.kill(node).await?;
                Err(error("start", node, &reason))
            }
        }
    }

    async fn pause(&self, node: &str) -> Result<(), ClusterError> {
        self.signal(node, "pause", Signal::SIGSTOP, ProcessState::Stopped).await
    }

    async fn resume(&self, node: &str) -> Result<(), ClusterError> {
        self.signal(node, "resume", Signal::SIGCONT, ProcessState::Running).await
    }

    fn state(&self, node: &str) -> ProcessState {
        self.slots.get(node).map_or(ProcessState::Dead, |slot| slot.state())
    }

    fn pid(&self, node: &str) -> Option<u32> {
        self.slots.get(node).and_then(|slot| slot.pid())
    }
}

impl Drop for LocalProcesses {
    fn drop(&mut self) {
        for slot in self.slots.values() {
            slot.close();
            let _ = slot.signal(Signal::SIGKILL);
        }
        self.slots.values().for_each(|slot| slot.join(SIGNAL_TIMEOUT));
    }
}

fn build(node: &NodeCommand) -> io::Result<Command> {
    let log = OpenOptions::new().create(true).append(true).open(&node.log)?;
    let mut command = Command::new(&node.program);
    command
        .args(&node.args)
        .envs(node.env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0);
    die_with_parent(&mut command);
    Ok(command)
}

/// Tries out whether a child dies when the thread that forked it ends, as it does when this process dies.
pub(crate) async fn nodes_die_with_us() -> Result<(), String> {
    if !cfg!(target_os = "linux") {
        return Err("this system does not kill the children of a process that dies".to_owned());
    }
    let mut command = Command::new("sleep");
    command.arg("600").process_group(0);
    die_with_parent(&mut command);
    let spawner = Spawner::start().map_err(|e| e.to_string())?;
    let mut child = spawner.spawn(command).await.map_err(|e| format!("cannot run sleep: {e}"))?;
    drop(spawner);
    let deadline = Instant::now() + SIGNAL_TIMEOUT / 2;
    loop {
        match child.try_wait() {
            Ok(Some(_)) => return Ok(()),
            Ok(None) if Instant::now() < deadline => sleep(LOOK_EVERY).await,
            _ => {
                put_down(&mut child);
                return Err("a child outlived the thread that had forked it".to_owned());
            }
        }
    }
}

/// Waits until a connection is accepted.
async fn listens(address: SocketAddr) {
    while TcpStream::connect(address).await.is_err() {
        sleep(LOOK_EVERY).await;
    }
}

fn error(action: &'static str, node: &str, reason: &str) -> ClusterError {
    ClusterError { action, node: node.to_owned(), reason: reason.to_owned() }
}
