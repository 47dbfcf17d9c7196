//! Asking other nodes: one question, one answer, at most once.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::wire::{Answer, Request, encode};
use crate::peer::{CallError, Hello, Lane, Link};
use crate::world::World;

/// Why there is no answer that could be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AskError {
    /// The other node certainly did nothing.
    #[error("{0}")]
    Refused(String),
    /// It may have done what it was asked to.
    #[error("{0}")]
    Lost(String),
}

#[derive(Debug)]
struct Links {
    main: Link,
    bulk: Link,
}

/// The ways to all other nodes.
#[derive(Debug)]
pub(super) struct Peers {
    links: BTreeMap<String, Links>,
}

impl Peers {
    /// Links to `members`, which end with `shutdown`.
    pub(super) fn new(
        world: &World,
        cluster: &str,
        me: &str,
        members: &[String],
        shutdown: &CancellationToken,
    ) -> Self {
        let link = |peer: &str, lane| {
            Link::new(world.clone(), Hello::new(cluster, me, lane), peer, shutdown.clone())
        };
        let others = members.iter().filter(|name| *name != me);
        let links = |name: &String| {
            (name.clone(), Links { main: link(name, Lane::Main), bulk: link(name, Lane::Bulk) })
        };
        Self { links: others.map(links).collect() }
    }

    /// The other nodes' names.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.links.keys().map(String::as_str)
    }

    /// Whether a node was there when it was dialled last.
    pub(super) fn is_reached(&self, node: &str) -> bool {
        self.links.get(node).is_none_or(|links| links.main.is_reached())
    }

    /// Asks a node, on the lane for what clients wait for.
    pub(super) async fn ask(
        &self,
        node: &str,
        request: &Request,
        within: Duration,
    ) -> Result<Answer, AskError> {
        self.ask_encoded(node, encoded(request)?, within).await
    }

    /// The same with a request that is written already.
    pub(super) async fn ask_encoded(
        &self,
        node: &str,
        request: Bytes,
        within: Duration,
    ) -> Result<Answer, AskError> {
        let link = &self.links(node)?.main;
        answer_of(link.call(request, within).await)
    }

    /// Asks a node in the background: what may be long must not delay what clients wait for.
    pub(super) async fn ask_in_background(
        &self,
        node: &str,
        request: &Request,
        within: Duration,
    ) -> Result<Answer, AskError> {
        let link = &self.links(node)?.bulk;
        answer_of(link.call(encoded(request)?, within).await)
    }

    fn links(&self, node: &str) -> Result<&Links, AskError> {
        self.links
            .get(node)
            .ok_or_else(|| AskError::Refused(format!("{node} is not among this node's peers")))
    }
}

/// Writes a request.
pub(super) fn encoded(request: &Request) -> Result<Bytes, AskError> {
    encode(request).map_err(|error| AskError::Refused(error.to_string()))
}

fn answer_of(called: Result<Bytes, CallError>) -> Result<Answer, AskError> {
    let body = called.map_err(|error| match error {
        CallError::NotSent { .. } => AskError::Refused(error.to_string()),
        CallError::Lost { .. } => AskError::Lost(error.to_string()),
    })?;
    match postcard::from_bytes(&body) {
        Ok(Answer::Refused(reason)) => Err(AskError::Refused(reason)),
        Ok(Answer::Failed(reason)) => Err(AskError::Lost(reason)),
        Ok(answer) => Ok(answer),
        Err(error) => Err(AskError::Lost(format!("an answer that cannot be read: {error}"))),
    }
}

/// The error for an answer that does not belong to its question.
pub(super) fn odd(answer: &Answer) -> AskError {
    AskError::Lost(format!("an answer that does not belong to the question: {answer:?}"))
}
