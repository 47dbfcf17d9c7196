//! Tables of a run: made at the start, removed at the end, and the patience that both need.
//!
//! Nothing here is recorded, so here, and only here, a request may be repeated: each of these has the same
//! effect twice as once. Requests that find nobody are given up soon; a system that answers, and is not ready
//! yet, is waited for.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::dynamodb::outcome::Seen;
use crate::dynamodb::request::{
    AttributeDefinition, CreateTable, DeleteTable, DescribeTable, KeySchema, ListTables,
};
use crate::dynamodb::{Client, Failure, Outcome, Request};
use crate::workload::SetUpError;

/// Who speaks, in messages about tables that no workload is at.
const LISTER: &str = "clean";

/// How long a system that answers may take to do what set-up and tear-down ask.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long nobody may be found at an address.
const UNREACHABLE_AFTER: Duration = Duration::from_secs(2);

/// How long a creation that was not answered may take to have its effect.
const SETTLES_WITHIN: Duration = Duration::from_secs(1);

/// How long a system that takes requests may leave them unanswered.
const SILENT_FOR: Duration = Duration::from_secs(10);

/// How servers say that they do not have an operation at all.
const UNOFFERED: [&str; 5] = [
    "UnknownOperationException",
    "UnknownOperation",
    "NotImplementedException",
    "NotImplemented",
    "http-501",
];

/// Between two questions of the same kind.
const PAUSE: Duration = Duration::from_millis(50);

/// Sends requests of set-up and tear-down until they are answered.
pub(crate) struct Patient<'a> {
    client: &'a Client,
    workload: &'static str,
    began: Instant,
}

impl<'a> Patient<'a> {
    pub(crate) fn new(client: &'a Client, workload: &'static str) -> Self {
        Self { client, workload, began: Instant::now() }
    }

    /// Sends `request`, to one node after the other, until one answers.
    ///
    /// # Errors
    /// When it is refused for good, or nobody answers in time.
    pub(crate) async fn ask<R: Request>(&self, request: &R) -> Result<R::Output, SetUpError> {
        let mut node = self.client.home();
        loop {
            match self.client.send(node, request).await.outcome {
                Outcome::Ok(output) => return Ok(output),
                Outcome::Fail(failure) | Outcome::Info(failure) => {
                    self.give_up_or_wait(node, R::OPERATION, failure).await?;
                }
            }
            node += 1;
        }
    }

    /// Returns when the question may be asked again.
    ///
    /// # Errors
    /// When there is no point in asking again.
    pub(crate) async fn give_up_or_wait(
        &self,
        node: usize,
        operation: &'static str,
        failure: Failure,
    ) -> Result<(), SetUpError> {
        let endpoint = self.client.endpoint(node).url.clone();
        let reason = describe(&failure);
        if UNOFFERED.contains(&failure.error.as_str()) {
            let reason = format!("it does not offer {operation}");
            return Err(SetUpError::Unsupported { endpoint, workload: self.workload, reason });
        }
        let obstacle = kind_of(&failure);
        let patience = match obstacle {
            Obstacle::Stranger => Duration::ZERO,
            Obstacle::Nobody => UNREACHABLE_AFTER,
            Obstacle::Silence => SILENT_FOR,
            Obstacle::NotYet => PATIENCE,
            Obstacle::Refusal => return Err(SetUpError::Refused { endpoint, operation, reason }),
        };
        if self.began.elapsed() >= patience {
            return Err(match obstacle {
                Obstacle::NotYet => SetUpError::NotReady { endpoint, operation, patience, reason },
                _ => SetUpError::Unreachable { endpoint, reason },
            });
        }
        tokio::time::sleep(PAUSE).await;
        Ok(())
    }
}

/// What is in the way of a request.
enum Obstacle {
    /// Somebody else answers there.
    Stranger,
    /// Nobody is there, or nobody who speaks the protocol.
    Nobody,
    /// Requests are taken, and not answered.
    Silence,
    /// The system is there and not ready.
    NotYet,
    /// It will never do this.
    Refusal,
}

fn kind_of(failure: &Failure) -> Obstacle {
    let nobody = [
        Seen::Refused,
        Seen::NotConnected,
        Seen::ConnectTimeout,
        Seen::ClosedBefore,
        Seen::ConnectionLost,
        Seen::Garbage,
    ];
    let later = [
        Seen::Truncated,
        Seen::Checksum,
        Seen::Service("ResourceInUseException"),
        Seen::Service("ResourceNotFoundException"),
        Seen::Service("LimitExceededException"),
        Seen::Service("ProvisionedThroughputExceededException"),
        Seen::Service("ThrottlingException"),
        Seen::Service("RequestLimitExceeded"),
        Seen::Service("TransactionConflictException"),
    ];
    let is = |seen: &Seen| seen.row().error == failure.error;
    if is(&Seen::Untrusted) {
        Obstacle::Stranger
    } else if is(&Seen::Timeout) {
        Obstacle::Silence
    } else if nobody.iter().any(is) {
        Obstacle::Nobody
    } else if later.iter().any(is) || failure.error.starts_with("http-5") {
        Obstacle::NotYet
    } else {
        Obstacle::Refusal
    }
}

/// An error and what came with it, for a message.
fn describe(failure: &Failure) -> String {
    let mut text = failure.error.clone();
    if !failure.message.is_empty() {
        text = format!("{text}: {}", failure.message);
    }
    if !failure.reasons.is_empty() {
        text = format!("{text} ({})", failure.reasons.join(", "));
    }
    text
}

/// A table of a run, whose key attributes are strings.
///
/// It knows whether it may exist: one that was never asked for is not looked for at the end, and one whose
/// creation was never answered (the user interrupted, or the answer got lost) may still come into being
/// after the first attempt to remove it.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: String,
    /// Who needs it, in messages.
    owner: &'static str,
    hash: &'static str,
    range: Option<&'static str>,
    trace: Mutex<Trace>,
}

/// What a table's creation has left on the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trace {
    Nothing,
    /// It was asked for, and that was not answered.
    Perhaps,
    Made,
}

impl Table {
    pub(crate) fn new(
        name: String,
        owner: &'static str,
        hash: &'static str,
        range: Option<&'static str>,
    ) -> Self {
        Self { name, owner, hash, range, trace: Mutex::new(Trace::Nothing) }
    }

    fn trace(&self) -> Trace {
        *self.trace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leave(&self, trace: Trace) {
        *self.trace.lock().unwrap_or_else(PoisonError::into_inner) = trace;
    }

    /// Makes it, and waits until every node knows it as active.
    ///
    /// # Errors
    /// When it is refused, or nobody answers in time.
    pub(crate) async fn create(&self, client: &Client) -> Result<(), SetUpError> {
        let patient = Patient::new(client, self.owner);
        let mut node = client.home();
        while let Some(failure) = self.ask_for(client, node).await {
            patient.give_up_or_wait(node, CreateTable::OPERATION, failure).await?;
            node += 1;
        }
        for node in 0..client.nodes() {
            wait_until_active(&patient, node, &self.name).await?;
        }
        Ok(())
    }

    /// Asks one node for it, once: why it is not there, if it is not.
    async fn ask_for(&self, client: &Client, node: usize) -> Option<Failure> {
        let parts: Vec<(&str, &str)> =
            std::iter::once((self.hash, "HASH")).chain(self.range.map(|name| (name, "RANGE"))).collect();
        let key_schema: Vec<_> =
            parts.iter().map(|&(attribute_name, key_type)| KeySchema { attribute_name, key_type }).collect();
        let definitions: Vec<_> = parts
            .iter()
            .map(|&(attribute_name, _)| AttributeDefinition { attribute_name, attribute_type: "S" })
            .collect();
        let request = CreateTable {
            table_name: &self.name,
            key_schema: &key_schema,
            attribute_definitions: &definitions,
            billing_mode: "PAY_PER_REQUEST",
        };
        let before = self.trace();
        // Before it is sent: an interruption drops this future in the middle.
        self.leave(Trace::Perhaps);
        let failure = match client.send(node, &request).await.outcome {
            Outcome::Ok(_) => None,
            // The name carries the run's id: who has it already is an attempt of ours whose answer got lost.
            Outcome::Fail(failure) if failure.error == "ResourceInUseException" => None,
            Outcome::Fail(failure) => {
                self.leave(before);
                return Some(failure);
            }
            Outcome::Info(failure) => return Some(failure),
        };
        self.leave(Trace::Made);
        failure
    }

    /// Removes it. One that is not there is removed.
    ///
    /// # Errors
    /// When no node could be brought to remove it: the message names it.
    pub(crate) async fn delete(&self, client: &Client) -> Result<(), SetUpError> {
        if self.trace() == Trace::Nothing {
            return Ok(());
        }
        let patient = Patient::new(client, self.owner);
        let mut node = client.home();
        while let Err(failure) = self.ask_away(client, node).await {
            let late = self.trace() == Trace::Perhaps && patient.began.elapsed() < SETTLES_WITHIN;
            if failure.error == "ResourceNotFoundException" && !late {
                break;
            }
            let message = format!("{} (table {})", failure.message, self.name);
            patient.give_up_or_wait(node, DeleteTable::OPERATION, Failure { message, ..failure }).await?;
            node += 1;
        }
        self.leave(Trace::Nothing);
        Ok(())
    }

    /// Asks one node to remove it, once.
    async fn ask_away(&self, client: &Client, node: usize) -> Result<(), Failure> {
        match client.send(node, &DeleteTable { table_name: &self.name }).await.outcome {
            Outcome::Ok(_) => Ok(()),
            Outcome::Fail(failure) | Outcome::Info(failure) => Err(failure),
        }
    }
}

/// The tables there are whose names begin with `prefix`, in the order of their names.
///
/// # Errors
/// When nobody answers, the list is refused, or it has no end.
pub async fn list(client: &Client, prefix: &str) -> Result<Vec<String>, SetUpError> {
    let patient = Patient::new(client, LISTER);
    let (mut names, mut pages) = (BTreeSet::new(), BTreeSet::new());
    let mut from: Option<String> = None;
    loop {
        let page = patient.ask(&ListTables { exclusive_start_table_name: from.as_deref() }).await?;
        names.extend(page.table_names.into_iter().filter(|name| name.starts_with(prefix)));
        let Some(last) = page.last else { return Ok(names.into_iter().collect()) };
        if !pages.insert(last.clone()) {
            let endpoint = client.endpoint(client.home()).url.clone();
            let reason = format!("the page after {last} comes again and again");
            return Err(SetUpError::Refused { endpoint, operation: ListTables::OPERATION, reason });
        }
        from = Some(last);
    }
}

/// When a table was made, in seconds since 1970, where the server says.
///
/// # Errors
/// When that cannot be found out, or is no time.
pub async fn made_at(client: &Client, table_name: &str) -> Result<Option<i64>, Failure> {
    match client.send(client.home(), &DescribeTable { table_name }).await.outcome {
        Outcome::Ok(answer) => answer.table.creation_date_time.as_ref().map(seconds).transpose(),
        Outcome::Fail(failure) | Outcome::Info(failure) => Err(failure),
    }
}

/// Servers tell a moment as a number, mostly one with a fraction.
fn seconds(moment: &Value) -> Result<i64, Failure> {
    let seconds = moment.as_f64().ok_or_else(|| Failure::new("its age is no time", moment.to_string()))?;
    Ok(seconds as i64)
}

/// Removes a table by its name. One that is not there is removed.
///
/// # Errors
/// When it could not be removed.
pub async fn remove(client: &Client, table: &str) -> Result<(), SetUpError> {
    let table = Table::new(table.to_owned(), LISTER, "pk", None);
    table.leave(Trace::Made);
    table.delete(client).await
}

async fn wait_until_active(patient: &Patient<'_>, node: usize, table_name: &str) -> Result<(), SetUpError> {
    loop {
        let waiting = match patient.client.send(node, &DescribeTable { table_name }).await.outcome {
            Outcome::Ok(answer) if answer.table.table_status == "ACTIVE" => return Ok(()),
            Outcome::Ok(answer) => Failure {
                error: "ResourceInUseException".to_owned(),
                message: format!("{table_name} is {}", answer.table.table_status),
                item: None,
                reasons: Vec::new(),
            },
            Outcome::Fail(failure) | Outcome::Info(failure) => failure,
        };
        patient.give_up_or_wait(node, DescribeTable::OPERATION, waiting).await?;
    }
}
