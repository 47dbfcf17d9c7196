//! A client's read: asked of N nodes, answered by the first R of them, and what they differ in repaired.
//!
//! All N are asked at once. The answer is what the first R different nodes know together. The others are
//! waited for in the background, and every owner that turned out to know less gets the merge of all: it
//! merges, so a repair can only ever add what is newer.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::oneshot;

use super::catalogue::TableId;
use super::coordinator::IMPATIENCE;
use super::hints::Key;
use super::placement::Placement;
use super::store::QuorumStore;
use super::version::State;
use super::wire::{Answer, Request};
use crate::api::backend::BackendError;
use crate::world::Mono;

type Outcome = Result<State, BackendError>;

impl QuorumStore {
    /// What `r` different nodes know together of a key.
    pub(super) async fn gather(
        &self,
        place: Placement<'_>,
        table: TableId,
        key: &[u8],
        r: usize,
        deadline: Mono,
    ) -> Result<State, BackendError> {
        let (readers, spares) = self.readers(place);
        let reachable = readers.len() + spares.len();
        if reachable < r {
            return Err(BackendError::Unavailable(format!(
                "{r} nodes must answer and {reachable} can be reached"
            )));
        }
        let (answer, answered) = oneshot::channel();
        let reading = Reading {
            store: self.clone(),
            table,
            key: key.to_vec(),
            owners: place.owners.to_vec(),
            r,
            answers: BTreeMap::new(),
            answer: Some(answer),
        };
        self.inner.world.spawn.task(Box::pin(reading.run(readers, spares, deadline)));
        answered
            .await
            .unwrap_or_else(|_| Err(BackendError::Unavailable(String::from("the node is shutting down"))))
    }

    /// What one node has of a key.
    pub(super) async fn fetch(&self, node: String, table: TableId, key: Key) -> (String, Option<State>) {
        if node == self.inner.me {
            let state = self.inner.replica.look(table, &key);
            return (node, state.ok());
        }
        let request = Request::Fetch { table, key };
        match self.inner.peers.ask(&node, &request, self.inner.options.request_timeout).await {
            Ok(Answer::State(state)) => (node, Some(state)),
            _ => (node, None),
        }
    }
}

/// A read on its way.
struct Reading {
    store: QuorumStore,
    table: TableId,
    key: Key,
    owners: Vec<String>,
    r: usize,
    answers: BTreeMap<String, State>,
    answer: Option<oneshot::Sender<Outcome>>,
}

impl Reading {
    async fn run(mut self, readers: Vec<String>, spares: Vec<String>, deadline: Mono) {
        let inner = self.store.inner.clone();
        let mut spares = spares.into_iter();
        let mut asked: FuturesUnordered<BoxFuture<'static, (String, Option<State>)>> =
            FuturesUnordered::new();
        let ask = |store: &QuorumStore, node: String, table, key: Key| -> BoxFuture<'static, _> {
            let store = store.clone();
            Box::pin(async move { store.fetch(node, table, key).await })
        };
        for node in readers {
            asked.push(ask(&self.store, node, self.table, self.key.clone()));
        }
        let patience = inner.world.clock.sleep(inner.options.request_timeout / IMPATIENCE);
        let end = inner.world.clock.sleep_until(deadline);
        tokio::pin!(patience, end);
        let mut impatient = false;
        loop {
            let more = tokio::select! {
                biased;
                answer = asked.next() => match answer {
                    Some((node, Some(state))) => {
                        self.take(node, state);
                        false
                    }
                    Some((_, None)) => true,
                    None => break,
                },
                () = &mut patience, if !impatient => {
                    impatient = true;
                    true
                }
                () = &mut end => break,
            };
            // Who does not answer is replaced.
            if more
                && self.answer.is_some()
                && let Some(node) = spares.next()
            {
                asked.push(ask(&self.store, node, self.table, self.key.clone()));
            }
        }
        self.end().await;
    }

    fn take(&mut self, node: String, state: State) {
        self.answers.insert(node, state);
        if self.answers.len() >= self.r
            && let Some(answer) = self.answer.take()
        {
            // The client may be gone.
            let _ = answer.send(Ok(self.merged()));
        }
    }

    fn merged(&self) -> State {
        let rules = self.store.inner.replica.rules();
        self.answers.values().fold(State::default(), |merged, state| rules.sync(&merged, state))
    }

    /// Nobody else will answer.
    async fn end(mut self) {
        if let Some(answer) = self.answer.take() {
            let reason = format!("{} of {} nodes answered in time", self.answers.len(), self.r);
            let _ = answer.send(Err(BackendError::Unavailable(reason)));
        }
        if self.store.inner.options.read_repair {
            self.repair().await;
        }
    }

    /// Brings the owners up to date that answered with less than all know together.
    async fn repair(&self) {
        let merged = self.merged();
        let digest = merged.digest();
        let behind = self
            .answers
            .iter()
            .filter(|(node, state)| self.owners.contains(node) && state.digest() != digest);
        for (node, _) in behind {
            let outcome = self.store.give(node, self.table, &self.key, &merged).await;
            if let Err(reason) = outcome {
                tracing::debug!(node, reason, "a read repair did not succeed");
            }
        }
    }
}

impl QuorumStore {
    /// Has a node merge a state into its row.
    async fn give(&self, node: &str, table: TableId, key: &[u8], state: &State) -> Result<(), String> {
        if node == self.inner.me {
            return self.inner.replica.repair(table, key, state).map(drop).map_err(|error| error.to_string());
        }
        let request = Request::Repair { table, key: key.to_vec(), state: state.clone() };
        let answer = self.inner.peers.ask(node, &request, self.inner.options.request_timeout).await;
        answer.map(drop).map_err(|error| error.to_string())
    }
}
