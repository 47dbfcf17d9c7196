//! The workload `set`: elements are added to sets and never removed, so that each must come to be in every
//! read, for good.
//!
//! A set is all items of one partition key, one item an element: `add` is a PutItem, `read` an eventual Query of
//! the whole. So concurrent additions never meet in one item, and whatever is missing in the end was lost by
//! the store and not by the way in which two writes were made one.
//!
//! What a store says of its versions is about one item and would not compare across the items of a set, so the
//! history of a set has none of it. A replica can be asked for single items only: `replica-read` names the
//! elements that it asks for, and its result are those that the node has.

use async_trait::async_trait;
use growler_checker::promise::checks_on_terms;
use growler_checker::verdict::Check;
use serde::Serialize;
use serde_json::Value;

use crate::dynamodb::request::{Expressions, GetItem, PutItem, Query};
use crate::dynamodb::{Answer, Client, Item, Number, Outcome, Pairs, Text};
use crate::generator::{ElementsGenerator, REPLICA_READ, Share, Through};
use crate::probe::Service;
use crate::tables::Table;
use crate::workload::{Completion, Description, Generator, Invocation, SetUpError, Shape, Workload};
use crate::{pages, replicas};

/// `growler list workloads`: sets.
pub(crate) static SET: Description = Description {
    name: "set",
    about: "Sets whose elements are items: puts of unique elements, and queries of whole sets",
    stores: &["leader", "quorum"],
    model: "set",
    promises: &["eventual"],
    needs: &["CreateTable", "DescribeTable", "DeleteTable", "GetItem", "PutItem", "Query"],
};

/// Two of five operations read.
const SHARE: Share = Share { reads: 40, removes: 0 };

/// Operations on a set at most: every read returns all of it.
const LIFE: u64 = 200;

/// Items on a page: a set takes several.
const PAGE: u32 = 50;

/// The sets.
pub(crate) struct Sets {
    shape: Shape,
    table: Table,
    through: Through,
}

#[derive(Serialize)]
struct Element<'a> {
    pk: Text<'a>,
    sk: Text<'a>,
    e: Number,
}

impl Sets {
    pub(crate) fn new(shape: &Shape) -> Self {
        let table = Table::new(format!("{}{}", shape.table_prefix, SET.name), SET.name, "pk", Some("sk"));
        Self { shape: shape.clone(), table, through: Through::Reads }
    }

    async fn add(&self, client: &Client, node: usize, set: &str, op: &Invocation) -> Completion {
        let element = op.value.as_i64().unwrap_or_default();
        let request = PutItem {
            table_name: &self.table.name,
            item: Element { pk: Text(set), sk: Text(&element.to_string()), e: Number(element) },
            expressions: Expressions::default(),
            return_values: None,
        };
        let answer = client.send(node, &request).await.map(|_| op.value.clone());
        Completion { versioning: None, ..answer.completion(op) }
    }

    async fn read(&self, client: &Client, node: usize, set: &str, op: &Invocation) -> Completion {
        let query = Query {
            table_name: &self.table.name,
            key_condition_expression: "pk = :pk",
            expression_attribute_values: Pairs(&[(":pk", Text(set))]),
            consistent_read: op.consistency.is_none(),
            limit: PAGE,
            exclusive_start_key: None,
        };
        pages::whole(client, node, query).await.map(|items| elements(&items)).completion(op)
    }

    /// Asks a node, one by one, which of the named elements it has itself.
    async fn held(&self, client: &Client, node: usize, set: &str, op: &Invocation) -> Completion {
        let (mut items, mut partition) = (Vec::new(), None);
        for element in op.value.as_array().map(Vec::as_slice).unwrap_or_default() {
            let element = element.to_string();
            let request = GetItem {
                table_name: &self.table.name,
                key: Pairs(&[("pk", Text(set)), ("sk", Text(&element))]),
                consistent_read: false,
            };
            let answer = client.ask(node, &request, &replicas::LOCAL).await;
            let no_replica = replicas::is_no_replica(&answer);
            partition = answer.partition;
            match answer.outcome {
                Outcome::Ok(got) => items.extend(got.item),
                Outcome::Fail(failure) | Outcome::Info(failure) => {
                    let answer = Answer { outcome: Outcome::Fail(failure), partition, versioning: None };
                    return replicas::completion(op, no_replica, answer);
                }
            }
        }
        Answer { outcome: Outcome::Ok(elements(&items)), partition, versioning: None }.completion(op)
    }
}

/// The elements behind items, as the history has them.
fn elements(items: &[Item]) -> Value {
    let mut elements: Vec<Value> = items.iter().map(|item| item.recorded("e")).collect();
    elements.sort_by_key(Value::as_i64);
    Value::Array(elements)
}

#[async_trait]
impl Workload for Sets {
    fn description(&self) -> &'static Description {
        &SET
    }

    async fn set_up(&mut self, client: &Client) -> Result<(), SetUpError> {
        self.table.create(client).await?;
        let key = [("pk", Text("replica-probe")), ("sk", Text("0"))];
        self.through = replicas::probe(client, SET.name, &self.table.name, &key).await?;
        Ok(())
    }

    fn generator(&self) -> Box<dyn Generator> {
        Box::new(ElementsGenerator::new(&self.shape, SHARE, LIFE, true, self.through))
    }

    async fn invoke(&self, client: &Client, op: &Invocation) -> Completion {
        let node = op.node.unwrap_or(client.home());
        let set = op.key.as_ref().map(ToString::to_string).unwrap_or_default();
        match op.f {
            "read" => self.read(client, node, &set, op).await,
            REPLICA_READ => self.held(client, node, &set, op).await,
            _ => self.add(client, node, &set, op).await,
        }
    }

    fn checks(&self, promise: &str) -> Vec<Box<dyn Check>> {
        if !SET.promises.contains(&promise) {
            return Vec::new();
        }
        checks_on_terms(SET.model, promise, &self.shape.terms).unwrap_or_default()
    }

    fn functions(&self) -> &'static [&'static str] {
        match self.through {
            Through::Replicas => &["add", "read", REPLICA_READ],
            Through::Reads => &["add", "read"],
        }
    }

    fn services(&self) -> &'static [Service] {
        &[Service::Write, Service::EventualRead]
    }

    /// Every element is an item of its own, and is added once.
    fn races(&self) -> bool {
        false
    }

    async fn tear_down(&self, client: &Client) -> Result<(), SetUpError> {
        self.table.delete(client).await
    }
}
