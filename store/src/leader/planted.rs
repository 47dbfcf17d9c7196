//! The planted bugs of a replica group: see [`crate::bugs`]. A healthy node has none of this.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use openraft::alias::WatchReceiverOf;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::metrics::RaftDataMetrics;
use openraft::{Raft, ServerState};
use parking_lot::Mutex;

use super::command::{Command, Reply, TableId};
use super::group::ProposeError;
use super::machine::Machine;
use super::network::GroupNetwork;
use super::raft_group::{GroupOptions, Reads, propose};
use super::runtime::NodeContext;
use super::state::{GroupState, NoSuchTable};
use super::types::TypeConfig;
use crate::bugs::Bug;
use crate::item::{Change, Item, Mutation, PrimaryKey, apply};
use crate::world::{Clock, Mono, WallNanos};

/// How long a leader with `ack-before-quorum` waits for its followers. Long enough that a busy machine
/// does not look like a fault, and shorter than clients wait.
const PATIENCE: Duration = Duration::from_millis(900);

/// Of so many conditional writes, `decided-early` decides one too early.
const EARLY: u64 = 50;

/// What a replica group with a planted bug does instead of the right thing.
pub(super) struct Planted {
    bug: Bug,
    options: GroupOptions,
    raft: Raft<TypeConfig, Machine>,
    state: Arc<GroupState>,
    network: GroupNetwork,
    context: Arc<NodeContext>,
    clock: Arc<dyn Clock>,
    /// `split-brain`: what this node made of its items since it was cut off.
    alone: Mutex<BTreeMap<(TableId, PrimaryKey), Option<Item>>>,
    /// `lease-on-wall-clock`: when, by the wall clock, a quorum last acknowledged this leader.
    acknowledged: Mutex<Option<WallNanos>>,
    /// `decided-early`: how many conditional writes were proposed.
    conditional: AtomicU64,
}

/// What the bugs ask of a leader.
struct Leading {
    quorum_acked: Option<Mono>,
    caught_up: bool,
}

impl Planted {
    /// The bug of a group, when it is one of those that sit here.
    pub(super) fn new(
        options: GroupOptions,
        raft: &Raft<TypeConfig, Machine>,
        state: Arc<GroupState>,
        network: GroupNetwork,
        context: &Arc<NodeContext>,
    ) -> Option<Arc<Self>> {
        let bug = options.bugs.on()?;
        let here = [
            Bug::AckBeforeQuorum,
            Bug::StaleLeaderRead,
            Bug::SplitBrain,
            Bug::LeaseOnWallClock,
            Bug::DecidedEarly,
        ];
        let planted = here.contains(&bug).then(|| {
            Arc::new(Self {
                bug,
                options,
                raft: raft.clone(),
                state,
                network,
                context: context.clone(),
                clock: context.clock(),
                alone: Mutex::default(),
                acknowledged: Mutex::default(),
                conditional: AtomicU64::default(),
            })
        })?;
        if bug == Bug::LeaseOnWallClock {
            let stamps = stamp_acknowledgements(Arc::downgrade(&planted), raft.data_metrics());
            tokio::spawn(context.clone().scope(stamps));
        }
        Some(planted)
    }

    /// Proposes a command, the wrong way.
    pub(super) async fn propose(&self, command: Command) -> Result<Reply, ProposeError> {
        match (self.bug, &command) {
            (Bug::AckBeforeQuorum, Command::Write { table, mutation }) => {
                let decided = (*table, mutation.as_ref().clone());
                self.propose_impatiently(command, decided).await
            }
            (Bug::SplitBrain, Command::Write { table, mutation }) if self.cut_off() => {
                self.write_alone(*table, mutation)
            }
            (Bug::DecidedEarly, Command::Write { table, mutation }) if self.is_due(mutation) => {
                self.decide_early(*table, mutation).await
            }
            _ => propose(&self.raft, &self.context, command).await,
        }
    }

    /// `decided-early`: one conditional write in so many, on a leader that has applied what came before it.
    fn is_due(&self, mutation: &Mutation) -> bool {
        mutation.condition.is_some()
            && self.leading().is_some_and(|leading| leading.caught_up)
            && self.conditional.fetch_add(1, Ordering::Relaxed) % EARLY == EARLY - 1
    }

    /// `decided-early`: condition and answer are those of the item as it is now; what is proposed has none.
    async fn decide_early(&self, table: TableId, mutation: &Mutation) -> Result<Reply, ProposeError> {
        let old = self.stored(table, &mutation.key)?;
        let (reply, _) = self.decide(table, mutation, old.as_ref())?;
        if !matches!(reply, Reply::Written(Ok(_))) {
            return Ok(reply);
        }
        let unchecked = Box::new(Mutation { condition: None, ..mutation.clone() });
        match propose(&self.raft, &self.context, Command::Write { table, mutation: unchecked }).await? {
            Reply::Written(Ok(_)) => Ok(reply),
            other => Ok(other),
        }
    }

    /// Whether strong reads are answered without proof of leadership.
    pub(super) fn reads_anyway(&self) -> bool {
        match self.bug {
            Bug::StaleLeaderRead => self.leading().is_some_and(|leading| leading.caught_up),
            Bug::SplitBrain => self.cut_off(),
            Bug::LeaseOnWallClock if self.options.reads == Reads::Lease => {
                let lease = i64::try_from(self.options.timing.read_lease().as_nanos()).unwrap_or(i64::MAX);
                let valid =
                    self.acknowledged.lock().is_some_and(|at| self.clock.wall() < at.saturating_add(lease));
                valid && self.leading().is_some_and(|leading| leading.caught_up)
            }
            _ => false,
        }
    }

    /// `split-brain`: the item as this node sees it alone, if it changed it.
    pub(super) fn item_alone(&self, table: TableId, key: &PrimaryKey) -> Option<Option<Item>> {
        if self.bug != Bug::SplitBrain || !self.cut_off() {
            return None;
        }
        self.alone.lock().get(&(table, key.clone())).cloned()
    }

    fn leading(&self) -> Option<Leading> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        (metrics.state == ServerState::Leader && metrics.running_state.is_ok()).then(|| Leading {
            quorum_acked: metrics.last_quorum_acked.map(|at| *at),
            caught_up: metrics.last_applied.is_some_and(|at| at.leader_id.term == metrics.current_term),
        })
    }

    /// Whether this leader has not heard from a quorum for longer than `silence`, and that because
    /// it is cut off, not because a busy machine or disk makes everybody slow.
    fn unheard(&self, silence: Duration) -> bool {
        let age = |acked: Mono| self.clock.now() - acked;
        let old = |leading: Leading| leading.quorum_acked.is_some_and(|acked| age(acked) > silence);
        self.network.silent_for(silence * 2 / 3) && self.leading().is_some_and(old)
    }

    fn cut_off(&self) -> bool {
        let cut_off = self.unheard(self.options.timing.election * 8 / 5);
        if !cut_off {
            self.alone.lock().clear();
        }
        cut_off
    }

    async fn propose_impatiently(
        &self,
        command: Command,
        write: (TableId, Mutation),
    ) -> Result<Reply, ProposeError> {
        let proposed = propose(&self.raft, &self.context, command);
        tokio::pin!(proposed);
        loop {
            tokio::select! {
                biased;
                reply = &mut proposed => return reply,
                () = self.clock.sleep(PATIENCE) => {}
            }
            if self.unheard(PATIENCE * 8 / 9) {
                let old = self.stored(write.0, &write.1.key)?;
                return self.decide(write.0, &write.1, old.as_ref()).map(|(reply, _)| reply);
            }
        }
    }

    fn write_alone(&self, table: TableId, mutation: &Mutation) -> Result<Reply, ProposeError> {
        let place = (table, mutation.key.clone());
        let mut alone = self.alone.lock();
        let old = match alone.get(&place) {
            Some(item) => item.clone(),
            None => self.stored(table, &mutation.key)?,
        };
        let (reply, change) = self.decide(table, mutation, old.as_ref())?;
        match change {
            Change::Keep => {}
            Change::Put(item) => drop(alone.insert(place, Some(item))),
            Change::Delete => drop(alone.insert(place, None)),
        }
        Ok(reply)
    }

    fn stored(&self, table: TableId, key: &PrimaryKey) -> Result<Option<Item>, ProposeError> {
        let unknown = |error: io::Error| ProposeError::Unknown(error.to_string());
        let found = self.state.item(table, key).map_err(unknown)?;
        found.map_err(|NoSuchTable| ProposeError::Unknown(String::from("the table is gone")))
    }

    fn decide(
        &self,
        table: TableId,
        mutation: &Mutation,
        old: Option<&Item>,
    ) -> Result<(Reply, Change), ProposeError> {
        let tables = self.state.tables();
        let Some(entry) = tables.get(&table) else {
            return Ok((Reply::NoSuchTable, Change::Keep));
        };
        let applied = apply(mutation, &entry.schema, old);
        Ok((Reply::Written(applied.reply), applied.change))
    }
}

/// Notes the wall-clock time of each acknowledgement by a quorum, as a store would that measures its
/// lease with the wrong clock.
async fn stamp_acknowledgements(
    planted: Weak<Planted>,
    mut metrics: WatchReceiverOf<TypeConfig, RaftDataMetrics<TypeConfig>>,
) {
    let mut last = None;
    while metrics.changed().await.is_ok() {
        let acked: Option<Mono> = metrics.borrow_watched().last_quorum_acked.map(|at| *at);
        let Some(planted) = planted.upgrade() else { return };
        if acked != last {
            last = acked;
            let age = acked.map(|acked| planted.clock.now() - acked);
            let stamp = |age: Duration| planted.clock.wall() - i64::try_from(age.as_nanos()).unwrap_or(0);
            *planted.acknowledged.lock() = age.map(stamp);
        }
    }
}
