//! Events and the sets of them that a replica has seen.
//!
//! An actor's events on a key are numbered from 1 without holes, so "all up to n" is one number per
//! actor, and a set of events is a map from actors to numbers.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::State;

/// Who mints events of a key: a node, in one of its times of knowing the key. Shown as `n1/3`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Actor {
    /// The node's name.
    pub node: String,
    /// A number that this node never uses twice.
    pub epoch: u64,
}

/// One event: a write of a key. Shown as `n1/3:5`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Dot {
    /// Who minted it.
    pub actor: Actor,
    /// Its number among the actor's events, from 1.
    pub counter: u64,
}

/// A set of events: of each actor, all up to a number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock(BTreeMap<Actor, u64>);

/// What a client has seen, as it carries it from an answer to a later write.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// The events.
    pub clock: Clock,
    /// The greatest time among the versions, so that what is written over them gets a later one, also
    /// where it is not known: nanoseconds since 1970.
    pub latest_ns: Option<i64>,
}

/// A context that no answer of this store gave.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("The provided context is not one that an answer gave: send x-growler-context back as it was")]
pub struct BadContext;

impl fmt::Display for Actor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.node, self.epoch)
    }
}

impl fmt::Display for Dot {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.actor, self.counter)
    }
}

impl Clock {
    /// Whether nothing was seen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an event was seen.
    #[must_use]
    pub fn covers(&self, dot: &Dot) -> bool {
        self.0.get(&dot.actor).is_some_and(|seen| dot.counter <= *seen)
    }

    /// Whether everything of `other` was seen.
    #[must_use]
    pub fn includes(&self, other: &Clock) -> bool {
        other.0.iter().all(|(actor, counter)| self.0.get(actor).is_some_and(|seen| counter <= seen))
    }

    /// Sees everything that `other` has seen.
    pub fn join(&mut self, other: &Clock) {
        for (actor, counter) in &other.0 {
            match self.0.get_mut(actor) {
                Some(seen) => *seen = (*seen).max(*counter),
                None => {
                    self.0.insert(actor.clone(), *counter);
                }
            }
        }
    }

    /// The actor's next event, which is seen from now on.
    pub(super) fn mint(&mut self, actor: &Actor) -> Dot {
        let counter = self.0.entry(actor.clone()).or_insert(0);
        *counter += 1;
        Dot { actor: actor.clone(), counter: *counter }
    }

    /// The planted bug `vector-pruned-early`: all but this actor and the one with the most events is
    /// forgotten.
    pub(super) fn prune(&mut self, keep: &Actor) {
        let others = self.0.iter().filter(|(actor, _)| *actor != keep);
        let most = others.max_by_key(|(_, counter)| **counter).map(|(actor, _)| actor.clone());
        self.0.retain(|actor, _| actor == keep || Some(actor) == most.as_ref());
    }

    /// The actors and their last events, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Actor, u64)> {
        self.0.iter().map(|(actor, counter)| (actor, *counter))
    }

    /// The clock in words: `n1/3` to 5.
    #[must_use]
    pub fn to_text(&self) -> BTreeMap<String, u64> {
        self.iter().map(|(actor, counter)| (actor.to_string(), counter)).collect()
    }
}

impl Context {
    /// What who sees this state has seen.
    #[must_use]
    pub fn of(state: &State) -> Self {
        let latest_ns = state.versions.iter().map(|version| version.timestamp.ns).max();
        Self { clock: state.clock.clone(), latest_ns }
    }

    /// The context as text: opaque, URL-safe base64.
    #[must_use]
    pub fn token(&self) -> String {
        // Maps of strings and numbers always encode.
        URL_SAFE_NO_PAD.encode(postcard::to_stdvec(self).unwrap_or_default())
    }

    /// The context of a token.
    ///
    /// # Errors
    /// The token is not one of [`Context::token`].
    pub fn from_token(token: &str) -> Result<Self, BadContext> {
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| BadContext)?;
        let (context, rest) = postcard::take_from_bytes(&bytes).map_err(|_| BadContext)?;
        if rest.is_empty() { Ok(context) } else { Err(BadContext) }
    }
}
