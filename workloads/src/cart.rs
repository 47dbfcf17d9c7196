//! The workload `cart`: the shopping cart of the Dynamo paper, one item a cart.
//!
//! To `add` or `remove` an element a client reads the cart with all its siblings, merges them, and writes the
//! result back in the context of that read, so that it replaces what was read and nothing else. Merged is by
//! union: what any sibling has is there. So no element that was added is ever lost; one that was removed may come
//! back with a sibling that still had it, which is the paper's own example and no fault.
//!
//! `add` and `remove` are two requests each. If the first fails, nothing has been written; how the second ends
//! is how the operation ends. A cart is never written without a context: that would replace what nobody has
//! read. So a server that keeps no versions is refused by name.

use std::collections::BTreeSet;

use async_trait::async_trait;
use growler_checker::promise::checks_on_terms;
use growler_checker::verdict::Check;
use serde::Serialize;
use serde_json::Value;

use crate::dynamodb::request::{Expressions, GetItem, GetOutput, PutItem};
use crate::dynamodb::{Answer, Ask, Client, Failure, Item, Numbers, Outcome, Pairs, Text};
use crate::generator::{ElementsGenerator, REPLICA_READ, Share, Through};
use crate::probe::Service;
use crate::replicas;
use crate::tables::Table;
use crate::workload::{Completion, Description, Generator, Invocation, SetUpError, Shape, Workload};

/// `growler list workloads`: carts.
pub(crate) static CART: Description = Description {
    name: "cart",
    about: "Shopping carts: read with all siblings, merged by union, written back in the context of the read",
    stores: &["quorum"],
    model: "cart",
    promises: &["eventual"],
    needs: &["CreateTable", "DescribeTable", "DeleteTable", "GetItem", "PutItem"],
};

/// More additions than removals: a cart that is empty shows nothing.
const SHARE: Share = Share { reads: 35, removes: 15 };

/// Operations on a cart at most: every write carries all of it.
const LIFE: u64 = 80;

/// All versions are asked for.
const SIBLINGS: Ask<'static> = Ask { r: None, w: None, context: None, siblings: true, local: false };

/// The carts.
pub(crate) struct Carts {
    shape: Shape,
    table: Table,
}

#[derive(Serialize)]
struct Cart<'a> {
    pk: Text<'a>,
    v: Numbers<'a>,
}

impl Carts {
    pub(crate) fn new(shape: &Shape) -> Self {
        let table = Table::new(format!("{}{}", shape.table_prefix, CART.name), CART.name, "pk", None);
        Self { shape: shape.clone(), table }
    }

    async fn get(&self, client: &Client, node: usize, cart: &str, ask: &Ask<'_>) -> Answer<GetOutput> {
        let key = Pairs(&[("pk", Text(cart))]);
        client.ask(node, &GetItem { table_name: &self.table.name, key, consistent_read: false }, ask).await
    }

    async fn read(&self, client: &Client, node: usize, cart: &str, op: &Invocation) -> Completion {
        let local = op.f == REPLICA_READ;
        let answer = self.get(client, node, cart, if local { &replicas::LOCAL } else { &SIBLINGS }).await;
        let no_replica = local && replicas::is_no_replica(&answer);
        replicas::completion(op, no_replica, answer.map(|got| recorded(&got)))
    }

    /// Reads, changes what was read, and writes it back.
    async fn change(&self, client: &Client, node: usize, cart: &str, op: &Invocation) -> Completion {
        let read = self.get(client, node, cart, &SIBLINGS).await;
        let got = match read.outcome {
            Outcome::Ok(got) => got,
            Outcome::Fail(failure) | Outcome::Info(failure) => {
                return not_written(op, failure, read.partition);
            }
        };
        let versioning = read.versioning.unwrap_or_default();
        let Some(token) = versioning.token else {
            let failure = Failure::new("no-context", "the answer to the read carries none");
            return not_written(op, failure, read.partition);
        };
        let mut elements: BTreeSet<i64> = merged(&got).iter().filter_map(Value::as_i64).collect();
        match op.value.as_i64() {
            Some(element) if op.f == "add" => drop(elements.insert(element)),
            Some(element) => drop(elements.remove(&element)),
            None => {}
        }
        let elements: Vec<i64> = elements.into_iter().collect();
        let request = PutItem {
            table_name: &self.table.name,
            item: Cart { pk: Text(cart), v: Numbers(&elements) },
            expressions: Expressions::default(),
            return_values: None,
        };
        let ask = Ask { context: Some(&token), ..Ask::default() };
        let answer = client.ask(node, &request, &ask).await.map(|_| op.value.clone());
        Completion { sent: versioning.clock, ..answer.completion(op) }
    }
}

/// The completion of a change of which only the read was sent.
fn not_written(op: &Invocation, failure: Failure, partition: Option<String>) -> Completion {
    Answer { outcome: Outcome::Fail(failure), partition, versioning: None }.completion(op)
}

/// What a cart holds, as the history has it; null where there is none.
fn recorded(got: &GetOutput) -> Value {
    let is_there = got.item.is_some() || got.siblings.iter().flatten().any(|sibling| sibling.item.is_some());
    if is_there { Value::Array(merged(got)) } else { Value::Null }
}

/// The elements of all siblings, each once, sorted. What nobody wrote stays visible.
fn merged(got: &GetOutput) -> Vec<Value> {
    let versions: Vec<&Item> = match &got.siblings {
        Some(siblings) => siblings.iter().filter_map(|sibling| sibling.item.as_ref()).collect(),
        None => got.item.iter().collect(),
    };
    let mut elements: Vec<Value> = Vec::new();
    for item in versions {
        match item.recorded("v") {
            Value::Array(list) => elements.extend(list),
            odd => elements.push(odd),
        }
    }
    elements.sort_by_cached_key(|element| (element.as_i64(), element.to_string()));
    elements.dedup();
    elements
}

#[async_trait]
impl Workload for Carts {
    fn description(&self) -> &'static Description {
        &CART
    }

    async fn set_up(&mut self, client: &Client) -> Result<(), SetUpError> {
        self.table.create(client).await?;
        let key = [("pk", Text("replica-probe"))];
        match replicas::probe(client, CART.name, &self.table.name, &key).await? {
            Through::Replicas => Ok(()),
            Through::Reads => Err(SetUpError::Unsupported {
                endpoint: client.endpoint(client.home()).url.clone(),
                workload: CART.name,
                reason: "it keeps no versions, so that of two concurrent additions one would be lost rightly"
                    .to_owned(),
            }),
        }
    }

    fn generator(&self) -> Box<dyn Generator> {
        Box::new(ElementsGenerator::new(&self.shape, SHARE, LIFE, false, Through::Replicas))
    }

    async fn invoke(&self, client: &Client, op: &Invocation) -> Completion {
        let node = op.node.unwrap_or(client.home());
        let cart = op.key.as_ref().map(ToString::to_string).unwrap_or_default();
        match op.f {
            "read" | REPLICA_READ => self.read(client, node, &cart, op).await,
            _ => self.change(client, node, &cart, op).await,
        }
    }

    fn checks(&self, promise: &str) -> Vec<Box<dyn Check>> {
        if !CART.promises.contains(&promise) {
            return Vec::new();
        }
        checks_on_terms(CART.model, promise, &self.shape.terms).unwrap_or_default()
    }

    fn functions(&self) -> &'static [&'static str] {
        &["add", "remove", "read", REPLICA_READ]
    }

    fn services(&self) -> &'static [Service] {
        &[Service::Write, Service::EventualRead]
    }

    async fn tear_down(&self, client: &Client) -> Result<(), SetUpError> {
        self.table.delete(client).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn got(body: Value) -> GetOutput {
        serde_json::from_value(body).unwrap()
    }

    fn cart(elements: &[i64]) -> Value {
        serde_json::to_value(Cart { pk: Text("c"), v: Numbers(elements) }).unwrap()
    }

    #[test]
    fn siblings_are_merged_by_union_and_tombstones_count_for_nothing() {
        let sibling = |item: Value| json!({"Item": item, "Version": "n1/1:1", "Timestamp": [1, "n1"]});
        let siblings = [cart(&[1, 12]), Value::Null, cart(&[12, 3])].map(sibling);
        let both = got(json!({"Item": cart(&[1, 12]), "Siblings": siblings}));
        assert_eq!(recorded(&both), json!([1, 3, 12]));
        let gone = got(json!({"Siblings": [sibling(Value::Null)]}));
        assert_eq!(recorded(&gone), Value::Null);
        assert_eq!(recorded(&got(json!({"Item": cart(&[])}))), json!([]));
        assert_eq!(recorded(&got(json!({}))), Value::Null);
    }

    #[test]
    fn what_nobody_wrote_is_shown() {
        let odd = got(json!({"Item": {"pk": {"S": "c"}, "v": {"BOOL": true}}}));
        assert!(recorded(&odd)[0].is_string());
    }
}
