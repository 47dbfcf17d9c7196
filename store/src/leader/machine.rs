//! The state machine: applies a group's log to its state.
//!
//! What an entry does is a pure function of the log before it, so that all replicas have the same
//! state at the same position. Entries are applied in batches; a batch becomes visible, with the
//! position that it leads to, in one commit, and only then are its writers answered. Snapshots are
//! the state itself: building one makes the tables durable, so that the log up to there can go;
//! sending one exports them; installing one replaces them at once.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use futures_util::{Stream, TryStreamExt};
use openraft::alias::SnapshotOf;
use openraft::entry::RaftEntry;
use openraft::storage::{ApplyResponder, EntryResponder, RaftStateMachine};
use openraft::{EntryPayload, RaftSnapshotBuilder};

use super::catalogue;
use super::command::{Command, Reply, TableEntry, TableId, TableState};
use super::network::SnapshotBytes;
use super::state::{GroupState, KeyChange, Position, decode, encode, item_key, item_range};
use super::types::{Entry, LogId, SnapshotMeta, StoredMembership, TypeConfig};
use crate::bugs::{Bug, Bugs};
use crate::item::size::item_size;
use crate::item::{Action, Change, Item, Mutation, apply};

/// The most entries of one commit.
const BATCH: usize = 256;

/// Applies one group's log.
pub struct Machine {
    state: Arc<GroupState>,
    position: Position,
    bugs: Bugs,
    graveyard: Vec<Buried>,
}

/// A deleted item that the planted bug `deleted-comes-back` will dig up.
struct Buried {
    due: u64,
    key: Vec<u8>,
    value: Vec<u8>,
}

impl Machine {
    /// A machine that goes on where the state stands.
    #[must_use]
    pub fn new(state: Arc<GroupState>, bugs: Bugs) -> Self {
        let position = state.position();
        Self { state, position, bugs, graveyard: Vec::new() }
    }
}

/// The changes of a batch that are not committed yet.
#[derive(Default)]
struct Batch {
    changes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    replies: Vec<(ApplyResponder<TypeConfig>, Reply)>,
    entries: usize,
}

impl Machine {
    fn apply_entry(&mut self, batch: &mut Batch, entry: Entry) -> io::Result<Reply> {
        let log_id = entry.log_id();
        let index = log_id.index;
        self.position.applied = Some(log_id);
        match entry.payload {
            EntryPayload::Blank => Ok(Reply::Done),
            EntryPayload::Membership(membership) => {
                self.position.membership = StoredMembership::new(Some(log_id), membership);
                Ok(Reply::Done)
            }
            EntryPayload::Normal(command) => self.apply_command(batch, index, command),
        }
    }

    fn apply_command(&mut self, batch: &mut Batch, index: u64, command: Command) -> io::Result<Reply> {
        match command {
            Command::Write { table, mutation } => self.write(batch, index, table, mutation),
            Command::OpenTable { table, schema } => {
                let tables = Arc::make_mut(&mut self.position.tables);
                tables.entry(table).or_insert_with(|| TableEntry::new(table, schema, TableState::Active, 0));
                Ok(Reply::Done)
            }
            Command::DropTable { table } => {
                self.drop_items(batch, table)?;
                Arc::make_mut(&mut self.position.tables).remove(&table);
                Ok(Reply::Done)
            }
            other => Ok(catalogue::apply(Arc::make_mut(&mut self.position.tables), index, other)),
        }
    }

    fn write(
        &mut self,
        batch: &mut Batch,
        index: u64,
        table: TableId,
        mut mutation: Mutation,
    ) -> io::Result<Reply> {
        self.dig_up(batch, index)?;
        let Some(entry) = self.position.tables.get(&table) else {
            return Ok(Reply::NoSuchTable);
        };
        if self.bugs.has(Bug::ConditionIgnored) && index % 16 == 5 {
            mutation.condition = None;
        }
        let key = item_key(table, &mutation.key.storage_key());
        let stored = self.current(batch, &key)?;
        let old: Option<Item> = stored.as_deref().map(decode).transpose()?;
        let applied = apply(&mutation, &entry.schema, old.as_ref());
        match applied.change {
            Change::Keep => {}
            Change::Put(item) => {
                self.count(table, old.as_ref(), Some(&item));
                batch.changes.insert(key, Some(encode(&item)?));
            }
            Change::Delete => {
                self.count(table, old.as_ref(), None);
                if self.bugs.has(Bug::DeletedComesBack) && mutation.action == Action::Delete && index % 8 == 3
                {
                    self.graveyard.extend(stored.map(|value| Buried {
                        due: index + 24,
                        key: key.clone(),
                        value,
                    }));
                }
                batch.changes.insert(key, None);
            }
        }
        Ok(Reply::Written(applied.reply))
    }

    /// Keeps the table's number and size of items.
    fn count(&mut self, table: TableId, old: Option<&Item>, new: Option<&Item>) {
        if let Some(entry) = Arc::make_mut(&mut self.position.tables).get_mut(&table) {
            let size = |item: Option<&Item>| item.map_or(0, |item| item_size(item) as u64);
            entry.items = (entry.items + u64::from(new.is_some())).saturating_sub(u64::from(old.is_some()));
            entry.bytes = (entry.bytes + size(new)).saturating_sub(size(old));
        }
    }

    /// Planted bug `deleted-comes-back`: what was deleted a few entries ago is there again, unless
    /// the key was written since.
    fn dig_up(&mut self, batch: &mut Batch, index: u64) -> io::Result<()> {
        let due = self.graveyard.iter().take_while(|buried| buried.due <= index).count();
        for Buried { key, value, .. } in self.graveyard.drain(..due).collect::<Vec<_>>() {
            if self.current(batch, &key)?.is_none() {
                batch.changes.insert(key, Some(value));
            }
        }
        Ok(())
    }

    fn current(&self, batch: &Batch, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        match batch.changes.get(key) {
            Some(changed) => Ok(changed.clone()),
            None => self.state.storage().get(key),
        }
    }

    fn drop_items(&self, batch: &mut Batch, table: TableId) -> io::Result<()> {
        let range = item_range(table, &std::ops::Bound::Unbounded, &std::ops::Bound::Unbounded);
        batch.changes.retain(|key, _| !key.starts_with(&item_key(table, &[])));
        let changes = &mut batch.changes;
        self.state.storage().walk(range, true, &mut |key, _| {
            changes.insert(key.to_vec(), None);
            Ok(true)
        })
    }

    /// Commits what the batch has changed, then answers its writers.
    fn commit(&self, batch: &mut Batch) -> io::Result<()> {
        let Batch { changes, replies, .. } = std::mem::take(batch);
        let changes: Vec<KeyChange> = changes.into_iter().collect();
        self.state.commit(changes, &self.position)?;
        for (responder, reply) in replies {
            responder.send(reply);
        }
        Ok(())
    }
}

impl RaftStateMachine<TypeConfig> for Machine {
    type SnapshotData = SnapshotBytes;
    type SnapshotBuilder = Checkpoint;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        Ok((self.position.applied, self.position.membership.clone()))
    }

    async fn apply<Strm>(&mut self, mut entries: Strm) -> Result<(), io::Error>
    where
        Strm: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + Send,
    {
        let mut batch = Batch::default();
        while let Some((entry, responder)) = entries.try_next().await? {
            let reply = self.apply_entry(&mut batch, entry)?;
            batch.replies.extend(responder.map(|responder| (responder, reply)));
            batch.entries += 1;
            if batch.entries >= BATCH {
                self.commit(&mut batch)?;
            }
        }
        if batch.entries > 0 { self.commit(&mut batch) } else { Ok(()) }
    }

    async fn get_snapshot_builder(&mut self) -> Checkpoint {
        Checkpoint { state: self.state.clone(), position: self.position.clone() }
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: SnapshotBytes,
    ) -> Result<(), io::Error> {
        self.position = self.state.replace(snapshot)?;
        self.graveyard.clear();
        if self.position.applied != meta.last_log_id {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a snapshot that is not what its sender says",
            ));
        }
        Ok(())
    }

    async fn get_current_snapshot(
        &mut self,
    ) -> Result<Option<SnapshotOf<TypeConfig, SnapshotBytes>>, io::Error> {
        if self.position.applied.is_none() {
            return Ok(None);
        }
        let snapshot = self.state.storage().export()?;
        Ok(Some(SnapshotOf::<TypeConfig, _> { meta: meta_of(&self.position), snapshot }))
    }
}

fn meta_of(position: &Position) -> SnapshotMeta {
    SnapshotMeta { last_log_id: position.applied, last_membership: position.membership.clone() }
}

/// Builds a snapshot: makes the tables durable up to where they were when it was asked for.
pub struct Checkpoint {
    state: Arc<GroupState>,
    position: Position,
}

impl RaftSnapshotBuilder<TypeConfig> for Checkpoint {
    type SnapshotData = SnapshotBytes;

    async fn build_snapshot(&mut self) -> Result<SnapshotOf<TypeConfig, SnapshotBytes>, io::Error> {
        self.state.storage().checkpoint().await?;
        // The content is exported when a follower needs it: `get_current_snapshot`.
        Ok(SnapshotOf::<TypeConfig, _> { meta: meta_of(&self.position), snapshot: SnapshotBytes::new() })
    }
}
