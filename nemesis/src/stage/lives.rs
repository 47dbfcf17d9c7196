//! Holds on processes. What a node should be follows from who holds it: dead if anyone wants it dead, else
//! stopped if anyone wants it stopped, else running.

use std::collections::BTreeSet;

use super::{Capability, FaultId, Stage};
use crate::cluster::{ClusterError, ProcessState, Processes};

/// How a fault holds a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Dead.
    Down,
    /// Stopped.
    Paused,
}

/// Who holds a node's process.
#[derive(Debug, Default)]
pub(super) struct Life {
    down: BTreeSet<FaultId>,
    paused: BTreeSet<FaultId>,
    /// It is dead because we killed it.
    killed: bool,
    /// It was reported dead.
    mourned: bool,
}

impl Life {
    pub(super) fn is_free(&self) -> bool {
        self.down.is_empty() && self.paused.is_empty()
    }

    fn holders(&mut self, hold: Hold) -> &mut BTreeSet<FaultId> {
        match hold {
            Hold::Down => &mut self.down,
            Hold::Paused => &mut self.paused,
        }
    }

    fn wanted(&self) -> ProcessState {
        match (self.down.is_empty(), self.paused.is_empty()) {
            (false, _) => ProcessState::Dead,
            (true, false) => ProcessState::Stopped,
            (true, true) => ProcessState::Running,
        }
    }
}

impl Stage {
    /// Holds a process down or stopped, until [`Stage::release`].
    ///
    /// # Errors
    /// When the process could not be brought there.
    pub async fn hold(&self, id: FaultId, node: &str, hold: Hold) -> Result<(), ClusterError> {
        self.change(node, |life| {
            life.holders(hold).insert(id);
        })
        .await
    }

    /// Gives the hold back; the process runs again unless another fault holds it.
    ///
    /// # Errors
    /// When the process could not be resumed. A node that does not start again is not an error of growler's:
    /// it is noted for [`Stage::take_crashed`].
    pub async fn release(&self, id: FaultId, node: &str, hold: Hold) -> Result<(), ClusterError> {
        self.change(node, |life| {
            life.holders(hold).remove(&id);
        })
        .await
    }

    pub(super) async fn release_life(&self, node: &str) -> Result<(), ClusterError> {
        match self.lives.get(node) {
            Some(life) if !life.lock().await.is_free() => {
                self.change(node, |life| {
                    life.down.clear();
                    life.paused.clear();
                })
                .await
            }
            _ => Ok(()),
        }
    }

    /// Notes the nodes that are dead although nobody killed them.
    pub async fn look_for_deaths(&self) {
        let Some(processes) = self.cluster.processes() else { return };
        for (node, life) in &self.lives {
            self.mourn(&mut *life.lock().await, node, processes.state(node));
        }
    }

    async fn change(&self, node: &str, change: impl FnOnce(&mut Life)) -> Result<(), ClusterError> {
        let missing = || Self::missing("hold", node, Capability::Processes.name());
        let processes = self.cluster.processes().ok_or_else(missing)?;
        let life = self.lives.get(node).ok_or_else(|| Self::missing("hold", node, "such node"))?;
        let mut life = life.lock().await;
        change(&mut life);
        self.reconcile(&mut life, node, processes).await
    }

    /// Brings the process to what all holds together ask for.
    async fn reconcile(
        &self,
        life: &mut Life,
        node: &str,
        processes: &dyn Processes,
    ) -> Result<(), ClusterError> {
        let state = processes.state(node);
        if self.mourn(life, node, state) {
            return Ok(());
        }
        let wanted = life.wanted();
        if wanted == ProcessState::Dead {
            // Noted before: if this is given up half-way, the death is still ours.
            life.killed = true;
            return if state == ProcessState::Dead { Ok(()) } else { processes.kill(node).await };
        }
        if life.killed {
            match processes.start(node).await {
                Ok(()) => life.killed = false,
                Err(e) => {
                    life.mourned = true;
                    self.crashed.lock().push(e);
                    return Ok(());
                }
            }
        }
        match (wanted, processes.state(node)) {
            (ProcessState::Stopped, ProcessState::Running) => processes.pause(node).await,
            (ProcessState::Running, ProcessState::Stopped) => processes.resume(node).await,
            _ => Ok(()),
        }
    }

    /// Whether the node is dead and not by us; reports it once.
    fn mourn(&self, life: &mut Life, node: &str, state: ProcessState) -> bool {
        if state != ProcessState::Dead || life.killed {
            return life.mourned;
        }
        if !life.mourned {
            life.mourned = true;
            self.crashed.lock().push(ClusterError {
                action: "watch",
                node: node.to_owned(),
                reason: "its process died without being asked".to_owned(),
            });
        }
        true
    }
}
