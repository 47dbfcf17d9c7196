//! One node's rows: what it has of every key, durable, and changed by merging only.
//!
//! A change is made in memory and queued in the write-ahead log in one step under one lock; it *counts*
//! when the log's group commit has it on disk. Until then no question is answered with it, but with the last
//! state of the key that is durable, so that what was once seen is not undone by a crash. A write's
//! coordinator may send it to other nodes earlier, since no name is given twice: each life of a node mints
//! under epochs that no life before could have used. They come from a reserve that was written down before
//! (where it is used up, [`Updated::early`] says so and the write waits). A task puts what is durable into
//! the tables in batches; behind a checkpoint the log goes.
//!
//! The lock makes reading a row, deciding and minting one step, so it is the lock of every key. What
//! this module must never do: overwrite a state by one that does not include it, or say that something
//! is kept before it is durable.

mod index;
mod log;
mod pages;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};

use self::index::Index;
pub use self::log::Durable;
use self::log::{Change, Entry};
pub use self::pages::{Limits, States};
use super::catalogue::{Catalogue, Merged, TableEntry, TableId};
use super::hints::{HINTS, HintKey, Key};
use super::ring::Ring;
use super::version::{Actor, Context, Resolve, Rules, State, Version, Write};
use crate::bugs::Bug;
use crate::engine::{Engine, GroupId, GroupRows, GroupWal};
use crate::item::Item;
use crate::world::World;

/// The engine's group that everything of this style is in.
const GROUP: GroupId = 1;

/// What a node stores of a key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The epoch of this node's actor for the key, once it has minted.
    own: Option<u64>,
    state: State,
}

/// What a decision makes of a key.
#[derive(Debug)]
pub enum Decision<T> {
    /// It stays as it is.
    Keep(T),
    /// A new version.
    Put {
        /// What the writer had seen; `None`: all that there is.
        context: Option<Context>,
        /// The item, or a deletion.
        value: Option<Item>,
        /// What the writer is told.
        told: T,
    },
}

/// What [`Replica::update`] did.
#[derive(Debug)]
pub struct Updated<T> {
    /// What the writer is told.
    pub told: T,
    /// The key's state now.
    pub state: State,
    /// The new version, if there is one.
    pub minted: Option<Version>,
    /// When the state counts.
    pub durable: Durable,
    /// Whether other nodes may be told of it before: the new version's name is never used again.
    pub early: bool,
}

/// One node's rows, hints and catalogue. Clones share them.
#[derive(Clone)]
pub struct Replica {
    inner: Arc<Inner>,
}

struct Inner {
    me: String,
    rules: Rules,
    world: World,
    ring: Arc<Ring>,
    engine: Engine,
    log: GroupWal,
    live: Mutex<Live>,
    tables: RwLock<Catalogue>,
    /// The first epoch of this life: those of earlier lives are never used again.
    born: u64,
    /// Epochs below this are reserved for this life, on disk.
    reserved: AtomicU64,
    /// The first entry of the log that is not durable yet.
    durable: AtomicU64,
    /// The same, for who waits.
    flushed: watch::Sender<u64>,
    /// There is something durable to be put into the tables.
    ready: Notify,
    failure: Mutex<Option<String>>,
}

/// The states that a key had since the tables were brought up to date; each with its log entry.
type Recent = VecDeque<(u64, Option<Arc<Row>>)>;

struct Live {
    /// The index of the log's next entry.
    next: u64,
    next_epoch: u64,
    /// The end of the reserve, on disk soon.
    reserve: u64,
    /// What the tables do not have yet.
    recent: BTreeMap<(TableId, Key), Recent>,
    queue: VecDeque<(u64, Entry)>,
    /// The tables that rows were ever put into.
    seen: BTreeSet<TableId>,
    index: Index,
}

impl Replica {
    /// The node's name.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.inner.me
    }

    /// What merging means here.
    #[must_use]
    pub fn rules(&self) -> Rules {
        self.inner.rules
    }

    /// Why nothing more can be stored, if that is so.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.inner.failure.lock().clone()
    }

    /// What is durable here of a key: its row, merged with hints for it.
    ///
    /// # Errors
    /// The tables cannot be read.
    pub fn look(&self, table: TableId, key: &[u8]) -> io::Result<State> {
        let mut state = self.row(table, key)?;
        let hints = self.inner.live.lock().index.hints.of_key(table, key);
        for hint in hints {
            let kept = self.row(HINTS, &hint.to_bytes())?;
            state = self.inner.rules.sync(&state, &kept);
        }
        Ok(state)
    }

    /// What is durable of a key's row, hints apart.
    ///
    /// # Errors
    /// The tables cannot be read.
    pub fn row(&self, table: TableId, key: &[u8]) -> io::Result<State> {
        let durable = self.inner.durable.load(Ordering::Acquire);
        let found = {
            let live = self.inner.live.lock();
            let recent = live.recent.get(&(table, key.to_vec()));
            recent
                .and_then(|recent| recent.iter().rev().find(|(at, _)| *at < durable))
                .map(|(_, row)| row.clone())
        };
        let state = match found {
            Some(row) => row.map(|row| row.state.clone()),
            None => self.inner.stored(table, key)?.map(|row| row.state),
        };
        Ok(state.unwrap_or_default())
    }

    /// Merges what somebody else has of a key into its row.
    ///
    /// # Errors
    /// The tables cannot be read.
    pub fn merge(&self, table: TableId, key: &[u8], theirs: &State) -> io::Result<(State, Durable)> {
        self.inner.merge_into(table, key, theirs, true)
    }

    /// Merges what a read found that others have of a key into its row.
    ///
    /// # Errors
    /// The tables cannot be read.
    pub fn repair(&self, table: TableId, key: &[u8], theirs: &State) -> io::Result<Durable> {
        if self.inner.rules.bugs.has(Bug::ReadRepairOverwrites) {
            return self.inner.overwrite(table, key, theirs);
        }
        self.merge(table, key, theirs).map(|(_, durable)| durable)
    }

    /// Merges a state into the hint for `node`.
    ///
    /// # Errors
    /// The tables cannot be read.
    pub fn hint(&self, node: &str, table: TableId, key: &[u8], state: &State) -> io::Result<Durable> {
        let hint = HintKey { node: node.to_owned(), table, key: key.to_vec() };
        if !self.inner.tables.read().keeps(table) || self.inner.rules.bugs.has(Bug::HintDropped) {
            return Ok(Durable::Now);
        }
        let (_, durable) = self.inner.merge_into(HINTS, &hint.to_bytes(), state, false)?;
        Ok(durable)
    }

    /// Lets `decide` say what becomes of a key, and makes it so: one step, in which nobody else changes
    /// the key here. `seen` is merged first: what the coordinator has learned from others. A new
    /// version also becomes a hint for the nodes in `hint_for`, in the same entry of the log.
    ///
    /// # Errors
    /// The tables cannot be read; nothing has changed then.
    pub fn update<T>(
        &self,
        table: TableId,
        key: &[u8],
        seen: &State,
        hint_for: &[String],
        decide: impl FnOnce(&State) -> Decision<T>,
    ) -> io::Result<Updated<T>> {
        let inner = &self.inner;
        let mut live = inner.live.lock();
        let found = inner.latest(&live, table, key)?;
        let before =
            found.as_deref().cloned().unwrap_or_else(|| live.index.buried_row(inner.rules, table, key));
        let mut row = Row { own: before.own, state: inner.rules.sync(&before.state, seen) };
        let (context, value, told) = match decide(&row.state) {
            Decision::Keep(told) => {
                let durable = Durable::Now;
                return Ok(Updated { told, state: row.state, minted: None, durable, early: false });
            }
            Decision::Put { context, value, told } => (context, value, told),
        };
        let epoch = row.own.filter(|own| *own >= inner.born).unwrap_or(live.next_epoch);
        live.next_epoch = live.next_epoch.max(epoch + 1);
        let early = epoch < inner.reserved.load(Ordering::Acquire);
        row.own = Some(epoch);
        let actor = Actor { node: inner.me.clone(), epoch };
        let wall_ns = inner.world.clock.wall();
        let write = Write { actor: &actor, context: context.as_ref(), value, wall_ns };
        let minted = inner.rules.put(&mut row.state, write);
        let state = row.state.clone();
        let mut changes = Vec::new();
        for node in hint_for {
            let hint = HintKey { node: node.clone(), table, key: key.to_vec() }.to_bytes();
            let kept =
                inner.latest(&live, HINTS, &hint)?.map_or_else(State::default, |row| row.state.clone());
            let state = inner.rules.sync(&kept, &state);
            changes.push(Change::put(HINTS, hint, Row { own: None, state }));
        }
        changes.push(Change::put(table, key.to_vec(), row));
        let durable = inner.commit(&mut live, changes)?;
        Ok(Updated { told, state, minted: Some(minted), durable, early })
    }

    /// Removes hints that were delivered, unless they have changed since, and hints that are too old.
    ///
    /// # Errors
    /// The tables cannot be read.
    pub fn drop_hints(&self, delivered: &[(HintKey, u64)]) -> io::Result<()> {
        let mut live = self.inner.live.lock();
        let mut changes = Vec::new();
        for (hint, digest) in delivered {
            let bytes = hint.to_bytes();
            let kept = self.inner.latest(&live, HINTS, &bytes)?;
            if kept.is_some_and(|row| row.state.digest() == *digest) {
                changes.push(Change::Remove { table: HINTS, key: bytes });
            }
        }
        if !changes.is_empty() {
            self.inner.commit(&mut live, changes)?;
        }
        Ok(())
    }

    /// The durable hints for a node, up to `limit`, with their states.
    ///
    /// # Errors
    /// The tables cannot be read.
    pub fn hints_for(&self, node: &str, limit: usize) -> io::Result<Vec<(HintKey, State)>> {
        let hints = self.inner.live.lock().index.hints.of_node(node, limit);
        let with_state = hints.into_iter().map(|hint| {
            let state = self.row(HINTS, &hint.to_bytes())?;
            Ok((hint, state))
        });
        let found: Vec<_> = with_state.collect::<io::Result<_>>()?;
        Ok(found.into_iter().filter(|(_, state)| !state.is_empty()).collect())
    }

    /// For how many keys hints are kept, by the node that they are for.
    #[must_use]
    pub fn hint_counts(&self) -> BTreeMap<String, usize> {
        self.inner.live.lock().index.hints.nodes()
    }

    /// A number that this node never uses twice, and that is greater than all before.
    ///
    /// # Errors
    /// It cannot be written down.
    pub fn draw_epoch(&self) -> io::Result<(u64, Durable)> {
        let mut live = self.inner.live.lock();
        let epoch = live.next_epoch;
        live.next_epoch += 1;
        let durable = self.inner.commit(&mut live, Vec::new())?;
        Ok((epoch, durable))
    }

    /// Takes over what is said of a table; `None` when it was known.
    ///
    /// # Errors
    /// The entry cannot be written down.
    pub fn merge_table(&self, entry: TableEntry) -> io::Result<(Merged, Durable)> {
        let mut live = self.inner.live.lock();
        let merged = self.inner.tables.write().merge(entry);
        let mut changes = Vec::new();
        changes.extend(merged.changed.clone().map(Change::Table));
        if let Some(dropped) = merged.dropped.filter(|dropped| live.seen.contains(dropped)) {
            let hints = live.index.hints.of_table(dropped);
            changes.extend(hints.iter().map(|hint| Change::Remove { table: HINTS, key: hint.to_bytes() }));
            changes.push(Change::Drop { table: dropped });
        }
        let durable =
            if changes.is_empty() { Durable::Now } else { self.inner.commit(&mut live, changes)? };
        Ok((merged, durable))
    }

    /// Looks at the catalogue.
    pub fn tables<T>(&self, look: impl FnOnce(&Catalogue) -> T) -> T {
        look(&self.inner.tables.read())
    }
}

impl Inner {
    /// What the tables have of a key.
    fn stored(&self, table: TableId, key: &[u8]) -> io::Result<Option<Row>> {
        let bytes = self.engine.read(GROUP)?.get(table, key)?;
        bytes.map(|bytes| log::decode(&bytes)).transpose()
    }

    /// The newest row of a key, durable or not.
    fn latest(&self, live: &Live, table: TableId, key: &[u8]) -> io::Result<Option<Arc<Row>>> {
        match live.recent.get(&(table, key.to_vec())).and_then(VecDeque::back) {
            Some((_, row)) => Ok(row.clone()),
            None => Ok(self.stored(table, key)?.map(Arc::new)),
        }
    }

    /// The planted bug `read-repair-overwrites`.
    fn overwrite(self: &Arc<Self>, table: TableId, key: &[u8], theirs: &State) -> io::Result<Durable> {
        let mut live = self.live.lock();
        let own = self.latest(&live, table, key)?.and_then(|row| row.own);
        self.commit(&mut live, vec![Change::put(table, key.to_vec(), Row { own, state: theirs.clone() })])
    }

    fn merge_into(
        self: &Arc<Self>,
        table: TableId,
        key: &[u8],
        theirs: &State,
        is_row: bool,
    ) -> io::Result<(State, Durable)> {
        if theirs.is_empty() || (is_row && !self.tables.read().keeps(table)) {
            return Ok((State::default(), Durable::Now));
        }
        let mut live = self.live.lock();
        let found = self.latest(&live, table, key)?;
        let known = found.is_some();
        let before =
            found.as_deref().cloned().unwrap_or_else(|| live.index.buried_row(self.rules, table, key));
        let state = self.rules.sync(&before.state, theirs);
        if is_same(&state, &before.state) || (!known && adds_nothing(self.rules, &state, &before.state)) {
            let pending = live.recent.get(&(table, key.to_vec())).and_then(VecDeque::back).map(|(at, _)| *at);
            let durable = pending.map_or(Durable::Now, |at| self.durable_when(at));
            return Ok((state, durable));
        }
        let row = Row { own: before.own, state: state.clone() };
        let durable = self.commit(&mut live, vec![Change::put(table, key.to_vec(), row)])?;
        Ok((state, durable))
    }
}

/// Whether two states have the same events: then they have the same values.
fn is_same(one: &State, other: &State) -> bool {
    let dots = |state: &State| state.versions.iter().map(|version| version.dot.clone()).collect::<Vec<_>>();
    one.clock == other.clock && dots(one) == dots(other)
}

/// Whether a state says no more of a buried key than that it was buried.
fn adds_nothing(rules: Rules, state: &State, buried: &State) -> bool {
    !buried.is_empty()
        && match rules.resolve {
            Resolve::Siblings => state.versions.is_empty(),
            Resolve::Lww => state.is_grave() && state.versions == buried.versions,
        }
}
