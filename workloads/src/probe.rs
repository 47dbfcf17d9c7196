//! The canary: small writes and reads beside the load, which show when the system serves again.
//!
//! They go to a table of their own and are no part of the history. One key stands for each partition that
//! the server tells of; a server that tells of none counts as one partition. A system serves again when it
//! does everything that the workload asks of it ([`Service`]): one that takes writes and refuses every read
//! would leave nothing to be judged.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::dynamodb::request::{Expressions, GetItem, PutItem};
use crate::dynamodb::{Client, Failure, Item, Number, Outcome, Pairs, Request, Text};
use crate::tables::{Patient, Table};
use crate::workload::SetUpError;

/// The name of the one partition of a server that tells of none.
pub const WHOLE: &str = "all";

/// Keys that are tried when partitions are looked for. With three partitions, all but one run in 10^10 find
/// each of them.
pub const KEYS_TRIED: usize = 64;

/// One thing that clients ask of a system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// A write.
    Write,
    /// A strongly consistent read.
    StrongRead,
    /// An eventually consistent read.
    EventualRead,
}

impl Service {
    /// Its name for people, and in `test.json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::StrongRead => "strong read",
            Self::EventualRead => "eventual read",
        }
    }
}

/// The key under which a run marks itself as alive.
const MARK: &str = "alive";

/// The moment that a mark tells.
fn moment(mark: &Item) -> Result<i64, Failure> {
    let told = mark.recorded("alive");
    told.as_i64().ok_or_else(|| Failure::new("its mark is no moment", told.to_string()))
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Mark<'a> {
    pk: Text<'a>,
    alive: Number,
}

/// Who speaks, in messages about set-up and tear-down.
const NAME: &str = "canary";

/// The canary's table.
#[derive(Debug)]
pub struct Canary {
    table: Table,
}

impl Canary {
    /// The canary whose table's name begins with `table_prefix`.
    #[must_use]
    pub fn new(table_prefix: &str) -> Self {
        Self { table: Table::new(format!("{table_prefix}canary"), NAME, "pk", None) }
    }

    /// Makes its table.
    ///
    /// # Errors
    /// When it is refused, or nobody answers in time.
    pub async fn set_up(&self, client: &Client) -> Result<(), SetUpError> {
        self.table.create(client).await
    }

    /// Asks `node` for one service of the partition that this key is in, once. What a read returns is for the
    /// history to judge, which has reads enough: here it counts that it was answered.
    ///
    /// # Errors
    /// When it was not served.
    pub async fn ask(
        &self,
        client: &Client,
        node: usize,
        key: &str,
        service: Service,
    ) -> Result<(), Failure> {
        match service {
            Service::Write => self.write(client, node, key).await.map(drop),
            Service::StrongRead => self.read(client, node, key, true).await,
            Service::EventualRead => self.read(client, node, key, false).await,
        }
    }

    async fn read(
        &self,
        client: &Client,
        node: usize,
        key: &str,
        consistent_read: bool,
    ) -> Result<(), Failure> {
        let key = Pairs(&[("pk", Text(key))]);
        let request = GetItem { table_name: &self.table.name, key, consistent_read };
        match client.send_uncapped(node, &request).await.outcome {
            Outcome::Ok(_) => Ok(()),
            Outcome::Fail(failure) | Outcome::Info(failure) => Err(failure),
        }
    }

    /// One write through `node`, once; `Ok` with the partition that acknowledged it, where the server says.
    /// No cap refuses it: else a run that used up its cap would take a system for dead that serves.
    ///
    /// # Errors
    /// When it was not acknowledged.
    async fn write(&self, client: &Client, node: usize, key: &str) -> Result<Option<String>, Failure> {
        let request = PutItem {
            table_name: &self.table.name,
            item: Pairs(&[("pk", Text(key))]),
            expressions: Expressions::default(),
            return_values: None,
        };
        let answer = client.send_uncapped(node, &request).await;
        match answer.outcome {
            Outcome::Ok(_) => Ok(answer.partition),
            Outcome::Fail(failure) | Outcome::Info(failure) => Err(failure),
        }
    }

    /// One key for each partition, as `(key, partition)`, ordered by partition. The questions go round the
    /// first `nodes` nodes.
    ///
    /// # Errors
    /// When a write is refused for good, or nobody answers in time.
    pub async fn discover(&self, client: &Client, nodes: usize) -> Result<Vec<(String, String)>, SetUpError> {
        let mut keys = BTreeMap::new();
        for i in 0..KEYS_TRIED {
            let (key, mut node) = (format!("c{i}"), i % nodes.max(1));
            let patient = Patient::new(client, NAME);
            let partition = loop {
                match self.write(client, node, &key).await {
                    Ok(partition) => break partition.unwrap_or_else(|| WHOLE.to_owned()),
                    Err(failure) => {
                        patient.give_up_or_wait(node, PutItem::<()>::OPERATION, failure).await?;
                    }
                }
                node += 1;
            };
            if partition == WHOLE {
                return Ok(vec![(key, partition)]);
            }
            keys.entry(partition).or_insert(key);
        }
        Ok(keys.into_iter().map(|(partition, key)| (key, partition)).collect())
    }

    /// Marks the run as alive at this moment, in seconds since 1970: whoever finds its tables leaves them.
    ///
    /// # Errors
    /// When the mark was not acknowledged.
    pub async fn mark(&self, client: &Client, node: usize, at_s: i64) -> Result<(), Failure> {
        let item = Mark { pk: Text(MARK), alive: Number(at_s) };
        let (table_name, expressions) = (self.table.name.as_str(), Expressions::default());
        let request = PutItem { table_name, item, expressions, return_values: None };
        match client.send_uncapped(node, &request).await.outcome {
            Outcome::Ok(_) => Ok(()),
            Outcome::Fail(failure) | Outcome::Info(failure) => Err(failure),
        }
    }

    /// When the run marked itself last. None: it never did, or its canary is gone.
    ///
    /// # Errors
    /// When that cannot be found out, or the mark is none that a run makes.
    pub async fn last_mark(&self, client: &Client) -> Result<Option<i64>, Failure> {
        let key = Pairs(&[("pk", Text(MARK))]);
        let request = GetItem { table_name: &self.table.name, key, consistent_read: true };
        match client.send(client.home(), &request).await.outcome {
            Outcome::Ok(got) => got.item.map(|item| moment(&item)).transpose(),
            Outcome::Fail(f) | Outcome::Info(f) if f.error == "ResourceNotFoundException" => Ok(None),
            Outcome::Fail(failure) | Outcome::Info(failure) => Err(failure),
        }
    }

    /// Removes its table.
    ///
    /// # Errors
    /// When it could not be removed: the message names it.
    pub async fn tear_down(&self, client: &Client) -> Result<(), SetUpError> {
        self.table.delete(client).await
    }
}
