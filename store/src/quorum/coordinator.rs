//! A client's write: decided here, kept by W nodes before it is acknowledged.
//!
//! Whoever mints a version stores it too, so the coordinator of a write is one of the key's
//! owners, or, in a sloppy quorum when none can be reached, a node that stands in. A node that is
//! neither hands the write on, and to a second one only when the first certainly did not get it.
//!
//! The new state goes to the other owners while this node's disk still works on it: a crash here cannot lead
//! to a second version of the same name ([`super::replica`]). One that is down, or silent for a third of the time, is
//! stood in for: the next node on the ring keeps the state with a hint; where there is none, this node
//! keeps the hint itself. The write is acknowledged when W *different nodes* have it on disk; a node's
//! hint counts, this node's second copy does not. When fewer answer in time nobody knows what became of
//! it. When too few can be reached to begin with, nothing is stored and the client is told so.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::catalogue::{TableEntry, TableId};
use super::hints::Key;
use super::peers::{AskError, encoded};
use super::placement::Placement;
use super::replica::{Decision, Durable, Updated};
use super::ring::partition_name;
use super::store::{QuorumStore, extension};
use super::version::{Context, State};
use super::wire::{Answer, Request};
use crate::api::backend::{Ask, BackendError, Written};
use crate::bugs::Bug;
use crate::item::{Action, Change, Item, Mutation, MutationRefused, MutationReply, apply};
use crate::world::Mono;

/// How long a part of its time a coordinator waits for an owner before somebody stands in for it.
pub(super) const IMPATIENCE: u32 = 3;

type Reply = Result<MutationReply, MutationRefused>;

impl QuorumStore {
    /// Has a write coordinated by whoever may: this node, or the first one that can be reached.
    pub(super) async fn route(
        &self,
        entry: &TableEntry,
        mutation: Mutation,
        ask: &Ask,
    ) -> Result<Written, BackendError> {
        let place = self.placement(mutation.key.partition_hash());
        let within = self.inner.options.request_timeout;
        if self.owns(place) {
            return self.coordinate(entry, mutation, ask, within).await;
        }
        let deadline = self.inner.world.clock.now() + within;
        let others = if self.is_sloppy() { place.others } else { &[] };
        let mut why = String::from("no owner of the item is believed to be up");
        for node in place.owners.iter().chain(others) {
            let left = deadline.saturating_since(self.inner.world.clock.now());
            if *node == self.inner.me {
                return self.coordinate(entry, mutation, ask, left).await;
            }
            if !self.is_up(node) {
                continue;
            }
            let request = Request::Coordinate {
                within_ms: u32::try_from(left.as_millis()).unwrap_or(u32::MAX),
                entry: entry.clone(),
                mutation: Box::new(mutation.clone()),
                ask: ask.clone(),
            };
            match self.inner.peers.ask(node, &request, left).await {
                Ok(Answer::Coordinated(outcome)) => return *outcome,
                Ok(odd) => return Err(BackendError::Unknown(super::peers::odd(&odd).to_string())),
                Err(AskError::Refused(reason)) => why = reason,
                Err(AskError::Lost(reason)) => return Err(BackendError::Unknown(reason)),
            }
        }
        Err(BackendError::Unavailable(why))
    }

    /// Coordinates a write.
    pub(super) async fn coordinate(
        &self,
        entry: &TableEntry,
        mutation: Mutation,
        ask: &Ask,
        within: Duration,
    ) -> Result<Written, BackendError> {
        if !self.inner.replica.tables(|tables| tables.keeps(entry.id)) {
            return Err(BackendError::TableNotFound(entry.schema.name.clone()));
        }
        let deadline = self.inner.world.clock.now() + within;
        let (_, w) = self.quorum(ask)?;
        let context = ask.context.as_deref().map(Context::from_token).transpose();
        let context = context.map_err(|error| BackendError::Validation(error.to_string()))?;
        let key = mutation.key.storage_key();
        let place = self.placement(mutation.key.partition_hash());
        let plan = self.plan(place, w)?;
        let seen = if needs_to_read(&mutation, ask) {
            self.gather(place, entry.id, &key, self.strong(), deadline).await?
        } else {
            State::default()
        };
        let decide = |state: &State| decision(entry, &mutation, context, state);
        let updated = self.inner.replica.update(entry.id, &key, &seen, &plan.hinted_here, decide);
        let updated = updated.map_err(|error| BackendError::Unavailable(error.to_string()))?;
        let Updated { told, state, minted, durable, early } = updated;
        let partition = partition_name(place.partition);
        let Some(minted) = minted else {
            let extension = extension(&state, String::new(), None, ask.siblings);
            return Ok(Written { reply: told, partition, extension: Some(Box::new(extension)) });
        };
        let durable = if early { durable } else { self.kept_here(durable, deadline).await? };
        let extension = extension(&state, minted.dot.to_string(), Some(minted.timestamp), ask.siblings);
        self.spread(entry.id, key, state, durable, plan, w, deadline).await?;
        Ok(Written { reply: told, partition, extension: Some(Box::new(extension)) })
    }

    /// Waits until this node has a write on disk.
    async fn kept_here(&self, durable: Durable, deadline: Mono) -> Result<Durable, BackendError> {
        let kept = tokio::select! {
            biased;
            kept = durable.wait() => kept.map_err(|error| error.to_string()),
            () = self.inner.world.clock.sleep_until(deadline) => Err(String::from("the disk took too long")),
        };
        kept.map(|()| Durable::Now).map_err(BackendError::Unknown)
    }

    /// Who is to get a write. Fails when too few nodes are believed to be up: nothing was stored then.
    fn plan(&self, place: Placement<'_>, w: usize) -> Result<Plan, BackendError> {
        let me = &self.inner.me;
        let owns = self.owns(place);
        if !owns && !self.is_sloppy() {
            return Err(BackendError::Unavailable(format!("{me} is no owner of the item")));
        }
        let others = if self.is_sloppy() { place.others } else { &[] };
        let spares: VecDeque<String> =
            others.iter().filter(|node| *node != me && self.is_up(node)).cloned().collect();
        let owners: Vec<String> = place.owners.iter().filter(|node| *node != me).cloned().collect();
        let up = owners.iter().filter(|owner| self.is_up(owner)).count();
        if 1 + up + spares.len() < w {
            let reachable = 1 + up + spares.len();
            return Err(BackendError::Unavailable(format!(
                "{w} nodes must have it and {reachable} can be reached"
            )));
        }
        // A node that stands in takes the place of the first owner that is away.
        let away = owners.iter().find(|owner| !self.is_up(owner)).or(owners.first());
        let hinted_here = if owns || !self.inner.options.hints { None } else { away.cloned() };
        let owners =
            owners.into_iter().filter(|owner| self.is_up(owner) || hinted_here.as_ref() != Some(owner));
        Ok(Plan { owners: owners.collect(), spares, hinted_here: hinted_here.into_iter().collect() })
    }

    /// Sends a state to the other owners, and returns when W nodes have it, of which this is one as soon as it
    /// is `durable`.
    #[allow(clippy::too_many_arguments, reason = "a write, where it goes, and how many must have it by when")]
    async fn spread(
        &self,
        table: TableId,
        key: Key,
        state: State,
        durable: Durable,
        plan: Plan,
        w: usize,
        deadline: Mono,
    ) -> Result<(), BackendError> {
        let (kept, mut news) = mpsc::unbounded_channel();
        let request = Request::Keep { table, key: key.clone(), state: state.clone(), hint_for: None };
        let request = encoded(&request).map_err(|error| BackendError::Unknown(error.to_string()))?;
        let (owners, spares) = (plan.owners, Mutex::new(plan.spares));
        let delivery = Delivery { store: self.clone(), table, key, state, request, spares, kept };
        self.inner.world.spawn.task(Box::pin(async move {
            let all: FuturesUnordered<_> = owners.iter().map(|owner| delivery.to_owner(owner)).collect();
            futures_util::future::join(delivery.to_disk(durable), all.collect::<()>()).await;
        }));
        let w = if self.has(Bug::AcknowledgedBeforeW) { 1 } else { w };
        let mut nodes = BTreeSet::new();
        let (mut counted, all) = (0, self.has(Bug::DuplicatesCounted));
        let enough = async {
            while counted < w {
                let Some(node) = news.recv().await else { return false };
                counted += usize::from(nodes.insert(node) || all);
            }
            true
        };
        let enough = tokio::select! {
            biased;
            enough = enough => enough,
            () = self.inner.world.clock.sleep_until(deadline) => false,
        };
        if enough {
            return Ok(());
        }
        Err(BackendError::Unknown(format!("{counted} of {w} nodes said in time that they have it")))
    }
}

/// Who is to get a write besides this node.
struct Plan {
    owners: Vec<String>,
    /// Who may stand in, in order.
    spares: VecDeque<String>,
    /// The owners that this node stands in for.
    hinted_here: Vec<String>,
}

/// A state on its way to the owners of its key.
struct Delivery {
    store: QuorumStore,
    table: TableId,
    key: Key,
    state: State,
    /// For an owner, written once.
    request: Bytes,
    spares: Mutex<VecDeque<String>>,
    /// Hears of each node that has it on disk.
    kept: mpsc::UnboundedSender<String>,
}

impl Delivery {
    fn kept_by(&self, node: &str) {
        // The coordinator may have had enough.
        let _ = self.kept.send(node.to_owned());
    }

    /// Waits until this node has the state itself.
    async fn to_disk(&self, durable: Durable) {
        match durable.wait().await {
            Ok(()) => self.kept_by(&self.store.inner.me),
            Err(error) => tracing::warn!(%error, "a write could not be kept"),
        }
    }

    /// Sees to it that an owner gets the state, now or by a hint.
    async fn to_owner(&self, owner: &str) {
        if !self.store.is_up(owner) {
            return self.stand_in(owner).await;
        }
        let inner = &self.store.inner;
        let within = inner.options.request_timeout;
        let call = inner.peers.ask_encoded(owner, self.request.clone(), within);
        tokio::pin!(call);
        let in_time = tokio::select! {
            biased;
            answer = &mut call => Some(answer),
            () = inner.world.clock.sleep(within / IMPATIENCE) => None,
        };
        match in_time {
            Some(Ok(Answer::Done)) => self.kept_by(owner),
            Some(_) => self.stand_in(owner).await,
            None => {
                let late = async {
                    if let Ok(Answer::Done) = call.await {
                        self.kept_by(owner);
                    }
                };
                futures_util::future::join(late, self.stand_in(owner)).await;
            }
        }
    }

    /// Has somebody else keep the state for an owner.
    async fn stand_in(&self, owner: &str) {
        let inner = &self.store.inner;
        let hints = inner.options.hints;
        loop {
            let Some(node) = self.spares.lock().pop_front() else { break };
            let hint_for = hints.then(|| owner.to_owned());
            let (key, state) = (self.key.clone(), self.state.clone());
            let request = Request::Keep { table: self.table, key, state, hint_for };
            let answer = inner.peers.ask(&node, &request, inner.options.request_timeout / IMPATIENCE).await;
            if let Ok(Answer::Done) = answer {
                return self.kept_by(&node);
            }
        }
        if hints {
            match inner.replica.hint(owner, self.table, &self.key, &self.state) {
                // It makes this node no second one: who waits counts each once.
                Ok(durable) => {
                    if durable.wait().await.is_ok() {
                        self.kept_by(&inner.me);
                    }
                }
                Err(error) => tracing::warn!(owner, %error, "a hint could not be kept"),
            }
        }
    }
}

/// Whether a write has to know what there is.
fn needs_to_read(mutation: &Mutation, ask: &Ask) -> bool {
    mutation.condition.is_some() || ask.old_image || matches!(mutation.action, Action::Update(_))
}

/// What a mutation makes of a key.
fn decision(
    entry: &TableEntry,
    mutation: &Mutation,
    context: Option<Context>,
    state: &State,
) -> Decision<Reply> {
    let shown: Option<&Item> = state.shown().and_then(|version| version.value.as_ref());
    let applied = apply(mutation, &entry.schema, shown);
    let told = applied.reply;
    match applied.change {
        Change::Put(item) => Decision::Put { context, value: Some(item), told },
        Change::Delete => Decision::Put { context, value: None, told },
        // Deleting what is not here: others may have it.
        Change::Keep if told.is_ok() && mutation.action == Action::Delete => {
            Decision::Put { context, value: None, told }
        }
        Change::Keep => Decision::Keep(told),
    }
}
