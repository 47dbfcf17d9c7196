//! The workloads `register`, `cas-register`, `session` and `lww`: many independent keys, each a register.
//!
//! A register is one item, `{"pk": key, "v": value}`; absent is null. Every value that is written is written
//! once in a run, so a read tells which write it saw. What comes when is for [`choose`] to say where the
//! promise is strong, and for [`eventual`] where it is not.
//!
//! Where it is strong, old images are always asked for, and what the server returns of them is recorded as
//! `observed`: only where a probe before the run has shown that it does ([`old_images`]), since otherwise "no
//! old image" and "there was no item" look alike. Where it is not they are never asked for: a store that has to
//! read before it writes is another load than one that only writes.

mod choose;
mod eventual;
mod old_images;

use async_trait::async_trait;
use growler_checker::promise::checks_on_terms;
use growler_checker::verdict::Check;
use serde::Serialize;
use serde_json::Value;

use crate::dynamodb::outcome::CONDITION_FAILED;
use crate::dynamodb::request::{
    ALL_OLD, DeleteItem, Expressions, GetItem, GetOutput, PutItem, UpdateItem, WriteOutput,
};
use crate::dynamodb::{Answer, Ask, Client, Failure, Item, Number, Outcome, Pairs, Text};
use crate::generator::{REPLICA_READ, Through};
use crate::probe::Service;
use crate::replicas::{self, Tokens};
use crate::tables::Table;
use crate::workload::{Completion, Description, Generator, Invocation, Mode, SetUpError, Shape, Workload};
use choose::RegisterGenerator;
use eventual::{EventualGenerator, Habits};
use old_images::{By, OldImages};

/// `growler list workloads`: plain registers.
pub(crate) static REGISTER: Description = Description {
    name: "register",
    about: "Independent registers: put, get and delete of single items, each written value unique",
    stores: &["leader", "quorum"],
    model: "register",
    promises: &["linearizable", "dynamodb-region", "causal", "sessions", "eventual"],
    needs: PLAIN,
};

/// `growler list workloads`: clients that move.
pub(crate) static SESSION: Description = Description {
    name: "session",
    about: "Registers whose clients go to another node every few operations, and look for what they wrote or \
            read before",
    stores: &["leader", "quorum"],
    model: "register",
    promises: &["causal", "sessions", "eventual"],
    needs: PLAIN,
};

/// `growler list workloads`: many writers at once.
pub(crate) static LWW: Description = Description {
    name: "lww",
    about: "Short-lived registers that many clients write through all nodes at once, none of them saying what \
            it had seen",
    stores: &["quorum"],
    model: "register",
    promises: &["causal", "sessions", "eventual"],
    needs: PLAIN,
};

const PLAIN: &[&str] = &["CreateTable", "DescribeTable", "DeleteTable", "GetItem", "PutItem", "DeleteItem"];

/// `growler list workloads`: registers with conditional writes.
pub(crate) static CAS_REGISTER: Description = Description {
    name: "cas-register",
    about: "Registers with compare-and-set, put-if-absent and conditional delete beside plain writes",
    stores: &["leader"],
    model: "cas-register",
    promises: &["linearizable", "dynamodb-region"],
    needs: &["CreateTable", "DescribeTable", "DeleteTable", "GetItem", "PutItem", "DeleteItem", "UpdateItem"],
};

/// One of the register workloads.
pub(crate) struct Registers {
    description: &'static Description,
    shape: Shape,
    table: Table,
    images: OldImages,
    through: Through,
    tokens: Tokens,
}

impl Registers {
    /// The workload that `description`, one of this module's, describes.
    #[must_use]
    pub(crate) fn new(description: &'static Description, shape: &Shape) -> Self {
        Self {
            description,
            table: Table::new(
                format!("{}{}", shape.table_prefix, description.name),
                description.name,
                "pk",
                None,
            ),
            shape: shape.clone(),
            images: OldImages::default(),
            through: Through::Reads,
            tokens: Tokens::default(),
        }
    }

    /// What is done how often where the promise is not strong; none where it is.
    fn habits(&self) -> Option<Habits> {
        match self.description.name {
            "session" => Some(eventual::SESSION),
            "lww" => Some(eventual::LWW),
            "register" if self.shape.mode == Mode::Eventual => Some(eventual::REGISTER),
            _ => None,
        }
    }

    fn conditional(&self) -> bool {
        self.description.name == CAS_REGISTER.name
    }

    async fn read(&self, client: &Client, node: usize, key: &str, op: &Invocation) -> Completion {
        let key = Pairs(&[("pk", Text(key))]);
        let request =
            GetItem { table_name: &self.table.name, key, consistent_read: op.consistency.is_none() };
        let ask = if op.f == REPLICA_READ { replicas::LOCAL } else { Ask::default() };
        let answer = client.ask(node, &request, &ask).await;
        self.tokens.learn(answer.versioning.as_deref());
        let no_replica = op.f == REPLICA_READ && replicas::is_no_replica(&answer);
        let answer = answer.map(|got: GetOutput| recorded(got.item.as_ref()));
        replicas::completion(op, no_replica, answer)
    }

    /// Sends one write, conditional or not.
    async fn write(&self, client: &Client, node: usize, op: &Invocation, write: Write<'_>) -> Completion {
        let Write { key, old, new } = write;
        let by = match new.as_i64() {
            None => By::Delete,
            Some(_) if op.via == Some("update") => By::Update,
            Some(_) => By::Put,
        };
        let number = |value: Option<&Value>| Number(value.and_then(Value::as_i64).unwrap_or_default());
        let values = [(":new", number(Some(new))), (":old", number(old))];
        let compares = old.is_some_and(|old| !old.is_null());
        let used = &values[usize::from(by != By::Update)..1 + usize::from(compares)];
        let asked = |offered: bool| offered.then_some(ALL_OLD);
        let names = Pairs(&[("#v", "v")]);
        let expressions = Expressions {
            condition_expression: old
                .map(|_| if compares { "#v = :old" } else { "attribute_not_exists(#v)" }),
            expression_attribute_names: (old.is_some() || by == By::Update).then_some(names),
            expression_attribute_values: (!used.is_empty()).then_some(Pairs(used)),
            return_values_on_condition_check_failure: asked(old.is_some() && self.images.on_failure(by)),
        };
        let return_values = asked(self.images.on_success(by));
        let table_name = self.table.name.as_str();
        let pk = Text(key);
        let token = match &op.context {
            None => None,
            Some(clock) => match self.tokens.of(clock) {
                None => return forgotten(op),
                known => known,
            },
        };
        let ask = Ask { context: token.as_deref(), ..Ask::default() };
        let answer = match by {
            By::Put => {
                let item = Register { pk, v: values[0].1 };
                client.ask(node, &PutItem { table_name, item, expressions, return_values }, &ask).await
            }
            By::Update => {
                let (key, update_expression) = (Pairs(&[("pk", pk)]), "SET #v = :new");
                let request = UpdateItem { table_name, key, update_expression, expressions, return_values };
                client.ask(node, &request, &ask).await
            }
            By::Delete => {
                let key = Pairs(&[("pk", pk)]);
                client.ask(node, &DeleteItem { table_name, key, expressions, return_values }, &ask).await
            }
        };
        self.tokens.learn(answer.versioning.as_deref());
        self.written(by, op, answer)
    }

    /// The completion of a write, with what the server said of the value in force before.
    fn written(&self, by: By, op: &Invocation, answer: Answer<WriteOutput>) -> Completion {
        let before = match &answer.outcome {
            Outcome::Ok(output) => self.images.on_success(by).then(|| recorded(output.attributes.as_ref())),
            Outcome::Fail(failure) => {
                let told = failure.error == CONDITION_FAILED && self.images.on_failure(by);
                told.then(|| recorded(failure.item.as_ref()))
            }
            Outcome::Info(_) => None,
        };
        Completion { observed: before, ..answer.map(|_| op.value.clone()).completion(op) }
    }
}

/// A write of one register: `new` (null deletes), where the value in force is `old` (`Some(Null)`: where there
/// is none; `None`: in any case).
struct Write<'a> {
    key: &'a str,
    old: Option<&'a Value>,
    new: &'a Value,
}

/// A register as it is stored.
#[derive(Serialize)]
struct Register<'a> {
    pk: Text<'a>,
    v: Number,
}

/// The completion of a write whose context nobody knows any more: it is not sent.
fn forgotten(op: &Invocation) -> Completion {
    let failure = Failure::new("unsendable", "the token of its context was seen too long ago");
    let outcome: Outcome<Value> = Outcome::Fail(failure);
    Answer { outcome, partition: None, versioning: None }.completion(op)
}

/// What an item holds as the history records it; null where there is none.
fn recorded(item: Option<&Item>) -> Value {
    item.map_or(Value::Null, |item| item.recorded("v"))
}

#[async_trait]
impl Workload for Registers {
    fn description(&self) -> &'static Description {
        self.description
    }

    async fn set_up(&mut self, client: &Client) -> Result<(), SetUpError> {
        self.table.create(client).await?;
        if self.habits().is_some() {
            let key = [("pk", Text("replica-probe"))];
            self.through = replicas::probe(client, self.description.name, &self.table.name, &key).await?;
        } else {
            self.images = self.probe_old_images(client).await?;
        }
        Ok(())
    }

    fn generator(&self) -> Box<dyn Generator> {
        match self.habits() {
            Some(habits) => Box::new(EventualGenerator::new(&self.shape, habits, self.through)),
            None => Box::new(RegisterGenerator::new(&self.shape, self.conditional())),
        }
    }

    async fn invoke(&self, client: &Client, op: &Invocation) -> Completion {
        let node = op.node.unwrap_or(client.home());
        let key = op.key.as_ref().map(ToString::to_string).unwrap_or_default();
        let key = key.as_str();
        match (op.f, op.value.as_array().map(Vec::as_slice)) {
            ("read" | REPLICA_READ, _) => self.read(client, node, key, op).await,
            ("cas", Some([old, new])) => {
                self.write(client, node, op, Write { key, old: Some(old), new }).await
            }
            _ => self.write(client, node, op, Write { key, old: None, new: &op.value }).await,
        }
    }

    fn checks(&self, promise: &str) -> Vec<Box<dyn Check>> {
        if !self.description.promises.contains(&promise) {
            return Vec::new();
        }
        checks_on_terms(self.description.model, promise, &self.shape.terms).unwrap_or_default()
    }

    fn functions(&self) -> &'static [&'static str] {
        match (self.habits(), self.through) {
            (Some(_), Through::Replicas) => &["read", "write", REPLICA_READ],
            (None, _) if self.conditional() => &["read", "write", "cas"],
            _ => &["read", "write"],
        }
    }

    fn services(&self) -> &'static [Service] {
        match self.habits() {
            None => &[Service::Write, Service::StrongRead],
            Some(Habits { strong: 0, .. }) => &[Service::Write, Service::EventualRead],
            Some(_) => &[Service::Write, Service::StrongRead, Service::EventualRead],
        }
    }

    async fn tear_down(&self, client: &Client) -> Result<(), SetUpError> {
        self.table.delete(client).await
    }
}
