//! What workloads ask of a store that keeps versions: what one replica holds by itself, and that a write
//! replaces what its client has seen.
//!
//! Both go beyond DynamoDB's API. A server that knows nothing of it answers a replica read like any other, and
//! says nothing of versions: one probe before the run tells.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use growler_checker::history::CausalContext;
use serde::Serialize;
use serde_json::{Value, json};

use crate::dynamodb::request::{GetItem, GetOutput, Request};
use crate::dynamodb::{Answer, Ask, Client, Outcome, Pairs, Text, Versioning};
use crate::generator::{NOT_A_REPLICA, Through};
use crate::tables::Patient;
use crate::workload::{Completion, Invocation, SetUpError};

/// One node is asked for what it holds itself, all versions of it.
pub(crate) const LOCAL: Ask<'static> = Ask { r: None, w: None, context: None, siblings: true, local: true };

/// Tokens of contexts that are kept: more than the sessions of a run can have seen last.
const KEPT: usize = 1 << 17;

/// How the replicas of this system can be looked at. Its table is asked for an item that is not there.
///
/// # Errors
/// When nobody answers in time.
pub(crate) async fn probe(
    client: &Client,
    workload: &'static str,
    table_name: &str,
    key: &[(&str, Text<'_>)],
) -> Result<Through, SetUpError> {
    type Get<'a> = GetItem<'a, Pairs<'a, Text<'a>>>;
    let patient = Patient::new(client, workload);
    let mut node = client.home();
    loop {
        let request: Get<'_> = GetItem { table_name, key: Pairs(key), consistent_read: false };
        let answer = client.ask(node, &request, &LOCAL).await;
        if is_no_replica(&answer) {
            return Ok(Through::Replicas);
        }
        match answer.outcome {
            Outcome::Ok(_) if answer.versioning.is_some() => return Ok(Through::Replicas),
            Outcome::Ok(_) => return Ok(Through::Reads),
            Outcome::Fail(failure) | Outcome::Info(failure) => {
                patient.give_up_or_wait(node, Get::<'_>::OPERATION, failure).await?;
            }
        }
        node += 1;
    }
}

/// Whether the node that was asked for what it holds says that the item is none of its business.
pub(crate) fn is_no_replica(answer: &Answer<GetOutput>) -> bool {
    answer.outcome.failure().is_some_and(|failure| {
        failure.error == "ValidationException" && failure.message.contains("has no copy of this item")
    })
}

/// The completion of a replica read: as any other, or that the node has no part in the key.
pub(crate) fn completion(op: &Invocation, no_replica: bool, answer: Answer<Value>) -> Completion {
    let completion = answer.completion(op);
    let error = if no_replica { Some(json!(NOT_A_REPLICA)) } else { completion.error };
    Completion { error, ..completion }
}

/// The tokens of contexts, by the clocks that the history has in their place.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    tokens: HashMap<String, String>,
    order: VecDeque<String>,
}

impl Tokens {
    /// Keeps what an answer said, the newest of them.
    pub(crate) fn learn(&self, versioning: Option<&Versioning>) {
        let Some(Versioning { token: Some(token), clock: Some(clock), .. }) = versioning else { return };
        let Some(name) = name(clock) else { return };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.tokens.insert(name.clone(), token.clone()).is_some() {
            return;
        }
        kept.order.push_back(name);
        if kept.order.len() > KEPT
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.tokens.remove(&oldest);
        }
    }

    /// The token that came with this clock.
    pub(crate) fn of(&self, clock: &CausalContext) -> Option<String> {
        let name = name(clock)?;
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.tokens.get(&name).cloned()
    }
}

/// What a clock is kept by.
fn name(clock: &impl Serialize) -> Option<String> {
    serde_json::to_string(clock).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versioning(count: u64) -> Versioning {
        Versioning {
            token: Some(format!("t{count}")),
            clock: Some([("n2/1".to_owned(), 1), ("n1/3".to_owned(), count)].into()),
            ..Versioning::default()
        }
    }

    #[test]
    fn a_token_is_found_by_the_clock_that_the_history_has() {
        let tokens = Tokens::default();
        tokens.learn(Some(&versioning(5)));
        tokens.learn(None);
        assert_eq!(tokens.of(&json!({"n1/3": 5, "n2/1": 1}).into()).as_deref(), Some("t5"));
        assert_eq!(tokens.of(&json!({"n1/3": 6, "n2/1": 1}).into()), None);
    }

    #[test]
    fn the_oldest_are_forgotten_first() {
        let tokens = Tokens::default();
        let clock = |count: usize| CausalContext::from(json!({"n1/3": count, "n2/1": 1}));
        for count in 0..=KEPT {
            tokens.learn(Some(&versioning(count as u64)));
            tokens.learn(Some(&versioning(count as u64)));
        }
        assert_eq!(tokens.of(&clock(0)), None);
        assert!(tokens.of(&clock(1)).is_some() && tokens.of(&clock(KEPT)).is_some());
    }
}
