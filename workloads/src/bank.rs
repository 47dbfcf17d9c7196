//! The workload `bank`: money moves between accounts, and none is made or lost.
//!
//! Transfers are transactions over two items, each with a condition; totals are read in two ways. A
//! TransactGetItems shows all accounts at one moment. A Query in several pages shows each account at a
//! moment of its own, which promises less, and is recorded as such (`via`).
//!
//! All accounts share one partition key, so that one Query reads them; its pages are small, so that there
//! are several.

mod transfers;

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use growler_checker::invariants::bank::{Balances, Bank as Conservation};
use growler_checker::provenance::Provenance;
use growler_checker::verdict::Check;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::dynamodb::request::{
    Expressions, PutItem, Query, TransactGetItems, TransactGetOutput, TransactWriteItems,
};
use crate::dynamodb::{Answer, Client, Failure, Item, Number, Pairs, Text};
use crate::pages;
use crate::tables::{Patient, Table};
use crate::workload::{Completion, Description, Generator, Invocation, SetUpError, Shape, Workload};
use transfers::BankGenerator;

/// `growler list workloads`: the bank.
pub(crate) static BANK: Description = Description {
    name: "bank",
    about: "Transfers between accounts by transactions of two items, totals by transaction and by Query",
    stores: &[],
    model: "bank",
    promises: &["dynamodb-region", "conservation"],
    needs: &[
        "CreateTable",
        "DescribeTable",
        "DeleteTable",
        "PutItem",
        "Query",
        "TransactWriteItems",
        "TransactGetItems",
    ],
};

/// The partition key of all accounts.
const PARTITION: &str = "bank";

/// What every account holds at the start.
const INITIAL_BALANCE: i64 = 100;

/// A total is one transaction, and DynamoDB's transactions have their limits: so many accounts at most.
const MOST_ACCOUNTS: usize = 25;

/// How a total is asked for: at one moment.
const BY_TRANSACTION: &str = "txn";

/// How a total is asked for: in pages.
const BY_QUERY: &str = "query";

/// Pages of a Query over all accounts.
const PAGES: usize = 3;

/// The bank.
pub(crate) struct Bank {
    seed: u64,
    table: Table,
    accounts: Vec<String>,
    transfers: AtomicU64,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Account<'a> {
    pk: Text<'a>,
    sk: Text<'a>,
}

#[derive(Serialize)]
struct Balance<'a> {
    pk: Text<'a>,
    sk: Text<'a>,
    balance: Number,
}

/// One read of a transaction.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Get<'a> {
    get: Place<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Place<'a> {
    table_name: &'a str,
    key: Account<'a>,
}

/// One write of a transaction.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Update<'a> {
    update: Change<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Change<'a> {
    table_name: &'a str,
    key: Account<'a>,
    update_expression: &'a str,
    #[serde(flatten)]
    expressions: Expressions<'a>,
}

fn account(name: &str) -> Account<'_> {
    Account { pk: Text(PARTITION), sk: Text(name) }
}

impl Bank {
    /// The bank, with as many accounts as the shape has keys, between 2 and 25.
    #[must_use]
    pub(crate) fn new(shape: &Shape) -> Self {
        Self {
            seed: shape.seed,
            table: Table::new(format!("{}{}", shape.table_prefix, BANK.name), BANK.name, "pk", Some("sk")),
            accounts: (0..shape.keys.clamp(2, MOST_ACCOUNTS)).map(|n| format!("a{n}")).collect(),
            transfers: AtomicU64::new(0),
        }
    }

    async fn transfer(&self, client: &Client, node: usize, from: &str, to: &str, amount: i64) -> Answer<()> {
        let values = [(":a", Number(amount))];
        let change = |name, update_expression, condition_expression| Update {
            update: Change {
                table_name: &self.table.name,
                key: account(name),
                update_expression,
                expressions: Expressions {
                    condition_expression,
                    expression_attribute_values: Some(Pairs(&values)),
                    ..Expressions::default()
                },
            },
        };
        let token = self.token();
        let request = TransactWriteItems {
            transact_items: &[
                change(from, "SET balance = balance - :a", Some("balance >= :a")),
                change(to, "SET balance = balance + :a", Some("attribute_exists(balance)")),
            ],
            client_request_token: &token,
        };
        client.send(node, &request).await.map(|_| ())
    }

    /// A token that no other transfer has: within the run by its number, beyond it by the table's name.
    fn token(&self) -> String {
        let number = self.transfers.fetch_add(1, Ordering::Relaxed);
        format!("growler-{:08x}-{number}", crc32fast::hash(self.table.name.as_bytes()))
    }

    async fn total_by_transaction(&self, client: &Client, node: usize) -> Answer<Vec<Item>> {
        let get = |name| Get { get: Place { table_name: &self.table.name, key: account(name) } };
        let gets: Vec<_> = self.accounts.iter().map(|name| get(name.as_str())).collect();
        let answer = client.send(node, &TransactGetItems { transact_items: &gets }).await;
        let items = |read: TransactGetOutput| read.responses.into_iter().filter_map(|got| got.item).collect();
        answer.map(items)
    }

    async fn total_by_query(&self, client: &Client, node: usize) -> Answer<Vec<Item>> {
        let limit = self.accounts.len().div_ceil(PAGES).max(1);
        let query = Query {
            table_name: &self.table.name,
            key_condition_expression: "pk = :pk",
            expression_attribute_values: Pairs(&[(":pk", Text(PARTITION))]),
            consistent_read: true,
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
            exclusive_start_key: None,
        };
        pages::whole(client, node, query).await
    }

    /// Opens every account, and shows that the transactions are there.
    async fn open(&self, client: &Client) -> Result<(), SetUpError> {
        let patient = Patient::new(client, BANK.name);
        for name in &self.accounts {
            let balance = Number(INITIAL_BALANCE);
            let request = PutItem {
                table_name: &self.table.name,
                item: Balance { pk: Text(PARTITION), sk: Text(name), balance },
                expressions: Expressions::default(),
                return_values: None,
            };
            patient.ask(&request).await?;
        }
        let get = Get { get: Place { table_name: &self.table.name, key: account(&self.accounts[0]) } };
        patient.ask(&TransactGetItems { transact_items: &[get] }).await?;
        while let Some(failure) = self.moved_nothing(client).await {
            patient.give_up_or_wait(client.home(), "TransactWriteItems", failure).await?;
        }
        Ok(())
    }

    /// A transfer of nothing: why it failed, if it did.
    async fn moved_nothing(&self, client: &Client) -> Option<Failure> {
        let answer = self.transfer(client, client.home(), &self.accounts[0], &self.accounts[1], 0).await;
        answer.outcome.failure().cloned()
    }
}

/// `{account: balance}`, as the history records a total.
fn balances(items: Vec<Item>) -> Value {
    let entry = |item: Item| {
        let name = match item.recorded("sk") {
            Value::String(name) => name,
            other => other.to_string(),
        };
        (name, item.recorded("balance"))
    };
    Value::Object(items.into_iter().map(entry).collect::<Map<_, _>>())
}

#[async_trait]
impl Workload for Bank {
    fn description(&self) -> &'static Description {
        &BANK
    }

    async fn set_up(&mut self, client: &Client) -> Result<(), SetUpError> {
        self.table.create(client).await?;
        self.open(client).await
    }

    fn generator(&self) -> Box<dyn Generator> {
        Box::new(BankGenerator::new(self.accounts.clone(), self.seed))
    }

    async fn invoke(&self, client: &Client, op: &Invocation) -> Completion {
        let node = op.node.unwrap_or(client.home());
        let text = |field: &str| op.value.get(field).and_then(Value::as_str).unwrap_or_default();
        let total = match (op.f, op.via) {
            ("read", Some(BY_QUERY)) => self.total_by_query(client, node).await,
            ("read", _) => self.total_by_transaction(client, node).await,
            _ => {
                let amount = op.value.get("amount").and_then(Value::as_i64).unwrap_or_default();
                let answer = self.transfer(client, node, text("from"), text("to"), amount).await;
                return answer.map(|()| op.value.clone()).completion(op);
            }
        };
        total.map(balances).completion(op)
    }

    fn checks(&self, promise: &str) -> Vec<Box<dyn Check>> {
        if !BANK.promises.contains(&promise) {
            return Vec::new();
        }
        let initial: Balances = self.accounts.iter().map(|name| (name.clone(), INITIAL_BALANCE)).collect();
        vec![Box::new(Conservation::new(initial.clone())), Box::new(Provenance::of_bank(initial))]
    }

    fn functions(&self) -> &'static [&'static str] {
        &["transfer", "read"]
    }

    async fn tear_down(&self, client: &Client) -> Result<(), SetUpError> {
        self.table.delete(client).await
    }
}
