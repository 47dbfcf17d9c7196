//! The reads at the end: everything that was used, each through several nodes.
//!
//! They show what the system kept: a lost write, a value that came back, nodes that disagree. A read that
//! fails is asked again through the next node, until none has succeeded for a while ([`GIVE_UP_AFTER`]). One
//! that a cap refused is not asked again.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use growler_checker::history::{Event, EventType};
use serde_json::Value;

use super::IDLE;
use crate::dynamodb::outcome::CAP_REACHED;
use crate::workload::{Context, Invocation, Next};

/// How many different nodes each read goes through, where there are as many.
const SPREAD: usize = 3;

/// How long no read may succeed before all are given up: nobody is there any more.
const GIVE_UP_AFTER: Duration = Duration::from_secs(10);

/// Reads that are still to be made, and those under way.
#[derive(Debug, Clone)]
pub struct FinalReads {
    /// What is read; none once the reads are spread over the nodes.
    reads: Vec<Invocation>,
    pending: VecDeque<Invocation>,
    open: BTreeMap<u64, Invocation>,
    nodes: usize,
    /// The run's time at the latest question.
    now: Duration,
    /// The run's time when a read succeeded last, or when they began.
    served: Option<Duration>,
}

impl FinalReads {
    /// Reads to be made, each through several nodes.
    #[must_use]
    pub fn new(reads: Vec<Invocation>) -> Self {
        Self {
            reads,
            pending: VecDeque::new(),
            open: BTreeMap::new(),
            nodes: 1,
            now: Duration::ZERO,
            served: None,
        }
    }

    /// How many reads of a key there are.
    pub(super) fn of_a_key(nodes: u64) -> u64 {
        nodes.min(SPREAD as u64)
    }

    /// The next read for this worker.
    pub fn next(&mut self, context: &Context) -> Next {
        let nodes = context.nodes.max(1);
        self.nodes = nodes;
        self.now = self.now.max(context.time);
        if self.now.saturating_sub(*self.served.get_or_insert(self.now)) >= GIVE_UP_AFTER {
            return Next::Done;
        }
        for (i, read) in std::mem::take(&mut self.reads).into_iter().enumerate() {
            for step in 0..nodes.min(SPREAD) {
                self.pending.push_back(Invocation { node: Some((i + step) % nodes), ..read.clone() });
            }
        }
        // A worker has one operation open: if it asks again, its last one was never sent.
        if let Some(unsent) = self.open.remove(&context.client) {
            self.pending.push_front(unsent);
        }
        match self.pending.pop_front() {
            Some(read) => {
                self.open.insert(context.client, read.clone());
                Next::Op(read)
            }
            None if self.open.is_empty() => Next::Done,
            None => Next::Wait(IDLE),
        }
    }

    /// Tells of an event: a read that was not served goes to the next node.
    pub fn update(&mut self, event: &Event) {
        if event.kind == EventType::Invoke {
            return;
        }
        let Some(mut read) = event.session().and_then(|client| self.open.remove(&client)) else { return };
        if event.kind == EventType::Ok {
            self.served = Some(self.now);
        } else if !refused_by_cap(event) {
            read.node = read.node.map(|node| (node + 1) % self.nodes);
            self.pending.push_back(read);
        }
    }
}

/// True where the request was not sent, and never will be.
pub(super) fn refused_by_cap(event: &Event) -> bool {
    let name = event.error.as_deref().map(|error| error.get(0).unwrap_or(error));
    name.and_then(Value::as_str) == Some(CAP_REACHED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::invocation;
    use growler_checker::history::Process;
    use serde_json::json;

    fn context(client: u64) -> Context {
        Context { time: Duration::ZERO, client, nodes: 2 }
    }

    fn completion(client: u64, kind: EventType) -> Event {
        Event { client: Some(client), ..Event::new(Process::Client(99), kind, "read", Value::Null) }
    }

    fn reads() -> FinalReads {
        let of = |key: &str| Invocation { key: Some(key.into()), ..invocation("read", Value::Null) };
        FinalReads::new(vec![of("k0"), of("k1")])
    }

    fn asked(next: Next) -> (String, usize) {
        match next {
            Next::Op(op) => (op.key.unwrap().to_string(), op.node.unwrap()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_key_is_read_through_different_nodes() {
        let mut reads = reads();
        let mut seen = Vec::new();
        for _ in 0..4 {
            seen.push(asked(reads.next(&context(0))));
            reads.update(&completion(0, EventType::Ok));
        }
        seen.sort();
        let expected = [("k0", 0), ("k0", 1), ("k1", 0), ("k1", 1)];
        assert_eq!(seen, expected.map(|(key, node)| (key.to_owned(), node)));
        assert_eq!(reads.next(&context(0)), Next::Done);
    }

    #[test]
    fn a_read_that_fails_is_asked_again_through_another_node() {
        let mut reads = reads();
        let first = asked(reads.next(&context(0)));
        reads.update(&completion(0, EventType::Fail));
        for _ in 0..3 {
            assert_ne!(asked(reads.next(&context(0))), first);
            reads.update(&completion(0, EventType::Ok));
        }
        assert_eq!(asked(reads.next(&context(0))), (first.0, (first.1 + 1) % 2));
    }

    #[test]
    fn nothing_is_done_while_a_read_is_open() {
        let mut reads = reads();
        for client in 0..4 {
            asked(reads.next(&context(client)));
        }
        assert_eq!(reads.next(&context(9)), Next::Wait(IDLE));
        for client in 0..4 {
            reads.update(&completion(client, EventType::Ok));
        }
        assert_eq!(reads.next(&context(9)), Next::Done);
    }

    #[test]
    fn a_read_that_a_cap_refused_is_not_asked_again() {
        let mut reads = reads();
        for _ in 0..4 {
            asked(reads.next(&context(0)));
            let error = Some(json!([CAP_REACHED, "the cap of 10 requests is reached"]).into());
            reads.update(&Event { error, ..completion(0, EventType::Fail) });
        }
        assert_eq!(reads.next(&context(0)), Next::Done);
    }

    #[test]
    fn reads_are_given_up_when_none_has_succeeded_for_a_while() {
        let mut reads = reads();
        let mut at = |seconds, kind| {
            let next = reads.next(&Context { time: Duration::from_secs(seconds), ..context(0) });
            reads.update(&completion(0, kind));
            next
        };
        asked(at(100, EventType::Fail));
        asked(at(109, EventType::Ok));
        asked(at(118, EventType::Fail));
        assert_eq!(at(119, EventType::Fail), Next::Done);
    }
}
