//! The state machine: applies a group's log to its state.
//!
//! What an entry does is a pure function of the log before it, so that all replicas have the same
//! state at the same place of the log. Entries are applied in batches; a batch becomes visible, with
//! the position that it leads to, in one step, and only then are its writers answered. A snapshot is
//! the state itself: building one makes the tables durable, so that the log up to there can go;
//! sending one reads it chunk by chunk; installing one replaces the state at once.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt};
use openraft::alias::SnapshotOf;
use openraft::entry::RaftEntry;
use openraft::storage::{ApplyResponder, EntryResponder, RaftStateMachine};
use openraft::{EntryPayload, RaftSnapshotBuilder};

use super::catalogue;
use super::command::{Command, Reply, TableEntry, TableId, TableState};
use super::state::{GroupState, Position, decode, encode};
use super::types::{Entry, LogId, SnapshotMeta, StoredMembership, TypeConfig};
use crate::bugs::{Bug, Bugs};
use crate::engine::{GroupRows, GroupSnapshot, GroupWrite, TableId as EngineTable};
use crate::item::size::item_size;
use crate::item::{Action, Change, Item, Mutation, apply};

/// The most entries of one batch.
const BATCH: usize = 256;

/// A snapshot's content: read here, or come from a peer.
pub enum SnapshotContent {
    /// This node's state at some moment.
    Local(Box<GroupSnapshot>),
    /// All chunks of a peer's state.
    Received(Vec<Bytes>),
}

/// Applies one group's log.
pub struct Machine {
    state: Arc<GroupState>,
    position: Position,
    rules: Rules,
}

/// How entries change rows; with the memory of the planted bugs.
struct Rules {
    bugs: Bugs,
    /// Planted bug `no-replay`: writes below this index are not made again.
    forgotten: u64,
    graveyard: Vec<Buried>,
}

/// A deleted item that the planted bug `deleted-comes-back` will dig up.
struct Buried {
    due: u64,
    table: EngineTable,
    key: Vec<u8>,
    value: Vec<u8>,
}

impl Machine {
    /// A machine that goes on where the state stands. `replay` is the last entry that was applied
    /// in a former life, as far as the log knows.
    #[must_use]
    pub fn new(state: Arc<GroupState>, bugs: Bugs, replay: Option<LogId>) -> Self {
        let position = state.position();
        let forgotten = if bugs.has(Bug::NoReplay) { replay.map_or(0, |last| last.index + 1) } else { 0 };
        Self { state, position, rules: Rules { bugs, forgotten, graveyard: Vec::new() } }
    }

    /// Applies a batch, then answers its writers.
    async fn apply_batch(&mut self, batch: Vec<EntryResponder<TypeConfig>>) -> io::Result<()> {
        let rules = &mut self.rules;
        let replies = self
            .state
            .change(&mut self.position, |rows, position| {
                let mut replies: Vec<(ApplyResponder<TypeConfig>, Reply)> = Vec::with_capacity(batch.len());
                for (entry, responder) in batch {
                    let reply = rules.apply_entry(rows, position, entry)?;
                    replies.extend(responder.map(|responder| (responder, reply)));
                }
                Ok(replies)
            })
            .await?;
        for (responder, reply) in replies {
            responder.send(reply);
        }
        Ok(())
    }
}

impl Rules {
    fn apply_entry(
        &mut self,
        rows: &mut GroupWrite<'_>,
        position: &mut Position,
        entry: Entry,
    ) -> io::Result<Reply> {
        let log_id = entry.log_id();
        position.applied = Some(log_id);
        match entry.payload {
            EntryPayload::Blank => Ok(Reply::Done),
            EntryPayload::Membership(membership) => {
                position.membership = StoredMembership::new(Some(log_id), membership);
                Ok(Reply::Done)
            }
            EntryPayload::Normal(command) => self.apply_command(rows, position, log_id.index, command),
        }
    }

    fn apply_command(
        &mut self,
        rows: &mut GroupWrite<'_>,
        position: &mut Position,
        index: u64,
        command: Command,
    ) -> io::Result<Reply> {
        let tables = Arc::make_mut(&mut position.tables);
        match command {
            Command::Write { table, mutation } => match tables.get_mut(&table) {
                Some(entry) => self.write(rows, entry, index, mutation),
                None => Ok(Reply::NoSuchTable),
            },
            Command::OpenTable { table, schema } => {
                tables.entry(table).or_insert_with(|| TableEntry::new(table, schema, TableState::Active, 0));
                Ok(Reply::Done)
            }
            Command::DropTable { table } => {
                rows.clear_table(table)?;
                tables.remove(&table);
                Ok(Reply::Done)
            }
            other => Ok(catalogue::apply(tables, index, other)),
        }
    }

    fn write(
        &mut self,
        rows: &mut GroupWrite<'_>,
        entry: &mut TableEntry,
        index: u64,
        mut mutation: Box<Mutation>,
    ) -> io::Result<Reply> {
        if index < self.forgotten {
            return Ok(Reply::Done);
        }
        self.dig_up(rows, index)?;
        if self.bugs.has(Bug::ConditionIgnored) && index % 16 == 5 {
            mutation.condition = None;
        }
        let key = mutation.key.storage_key();
        let stored = rows.get(entry.id, &key)?;
        let old: Option<Item> = stored.as_deref().map(decode).transpose()?;
        let applied = apply(&mutation, &entry.schema, old.as_ref());
        match applied.change {
            Change::Keep => {}
            Change::Put(item) => {
                rows.put(entry.id, &key, &encode(&item)?)?;
                count(entry, old.as_ref(), Some(&item));
            }
            Change::Delete => {
                rows.delete(entry.id, &key)?;
                count(entry, old.as_ref(), None);
                if mutation.action == Action::Delete {
                    self.bury(entry.id, index, key, stored);
                }
            }
        }
        Ok(Reply::Written(applied.reply))
    }

    /// Planted bug `deleted-comes-back`: now and then a deleted item is kept for later.
    fn bury(&mut self, table: TableId, index: u64, key: Vec<u8>, value: Option<Vec<u8>>) {
        if self.bugs.has(Bug::DeletedComesBack) && index % 8 == 3 {
            self.graveyard.extend(value.map(|value| Buried { due: index + 24, table, key, value }));
        }
    }

    /// Planted bug `deleted-comes-back`: what was deleted a few entries ago is there again, unless
    /// the key was written since.
    fn dig_up(&mut self, rows: &mut GroupWrite<'_>, index: u64) -> io::Result<()> {
        let due = self.graveyard.iter().take_while(|buried| buried.due <= index).count();
        for Buried { table, key, value, .. } in self.graveyard.drain(..due) {
            if rows.get(table, &key)?.is_none() {
                rows.put(table, &key, &value)?;
            }
        }
        Ok(())
    }
}

/// Keeps the table's number and size of items.
fn count(entry: &mut TableEntry, old: Option<&Item>, new: Option<&Item>) {
    let size = |item: Option<&Item>| item.map_or(0, |item| item_size(item) as u64);
    entry.items = (entry.items + u64::from(new.is_some())).saturating_sub(u64::from(old.is_some()));
    entry.bytes = (entry.bytes + size(new)).saturating_sub(size(old));
}

fn meta_of(position: &Position) -> SnapshotMeta {
    SnapshotMeta { last_log_id: position.applied, last_membership: position.membership.clone() }
}

fn snapshot_of(state: &GroupState) -> io::Result<SnapshotOf<TypeConfig, SnapshotContent>> {
    let (snapshot, position) = state.snapshot()?;
    Ok(SnapshotOf::<TypeConfig, _> {
        meta: meta_of(&position),
        snapshot: SnapshotContent::Local(Box::new(snapshot)),
    })
}

impl RaftStateMachine<TypeConfig> for Machine {
    type SnapshotData = SnapshotContent;
    type SnapshotBuilder = Checkpoint;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        Ok((self.position.applied, self.position.membership.clone()))
    }

    async fn apply<Strm>(&mut self, mut entries: Strm) -> Result<(), io::Error>
    where
        Strm: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + Send,
    {
        let mut batch = Vec::new();
        while let Some(entry) = entries.try_next().await? {
            batch.push(entry);
            if batch.len() >= BATCH {
                self.apply_batch(std::mem::take(&mut batch)).await?;
            }
        }
        if batch.is_empty() { Ok(()) } else { self.apply_batch(batch).await }
    }

    async fn get_snapshot_builder(&mut self) -> Checkpoint {
        Checkpoint { state: self.state.clone() }
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: SnapshotContent,
    ) -> Result<(), io::Error> {
        let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let SnapshotContent::Received(chunks) = snapshot else {
            return Err(invalid("a node's own snapshot cannot be installed on it"));
        };
        self.position = self.state.replace(chunks).await?;
        self.rules.graveyard.clear();
        if self.position.applied != meta.last_log_id {
            return Err(invalid("the snapshot is not the one that its sender announced"));
        }
        Ok(())
    }

    async fn get_current_snapshot(
        &mut self,
    ) -> Result<Option<SnapshotOf<TypeConfig, SnapshotContent>>, io::Error> {
        if self.state.position().applied.is_none() {
            return Ok(None);
        }
        snapshot_of(&self.state).map(Some)
    }
}

/// Builds a snapshot: makes the tables durable, so that the log may be purged up to it.
pub struct Checkpoint {
    state: Arc<GroupState>,
}

impl RaftSnapshotBuilder<TypeConfig> for Checkpoint {
    type SnapshotData = SnapshotContent;

    async fn build_snapshot(&mut self) -> Result<SnapshotOf<TypeConfig, SnapshotContent>, io::Error> {
        let snapshot = snapshot_of(&self.state)?;
        self.state.checkpoint().await?;
        Ok(snapshot)
    }
}
