//! Which old images the server returns: asked once, before the run, on an item that exists.
//!
//! DynamoDB returns the item that a write replaced, and the item that a condition met; some compatible
//! servers return only one of them, or only from some operations. Their silence must not be read as "there
//! was no item". So each operation is tried in both ways on an item whose value is known.

use growler_checker::history::EventType;
use serde_json::{Value, json};

use super::{Register, Registers, Write};
use crate::dynamodb::outcome::CONDITION_FAILED;
use crate::dynamodb::request::{Expressions, PutItem};
use crate::dynamodb::{Client, Number, Text};
use crate::generator::invocation;
use crate::tables::Patient;
use crate::workload::{Completion, Invocation, SetUpError};

/// The operation that a write is sent by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Put,
    Update,
    Delete,
}

/// Which old images the server returns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct OldImages {
    on_success: [bool; 3],
    on_failure: [bool; 3],
}

impl OldImages {
    const ALL: Self = Self { on_success: [true; 3], on_failure: [true; 3] };

    /// Whether a write of this kind returns what it replaced.
    pub(super) fn on_success(&self, by: By) -> bool {
        self.on_success[by as usize]
    }

    /// Whether a write of this kind returns what its condition met.
    pub(super) fn on_failure(&self, by: By) -> bool {
        self.on_failure[by as usize]
    }
}

/// The key that is tried; no generator uses it.
const KEY: &str = "old-image-probe";

/// The value that it holds before each try.
const HELD: i64 = 1;

/// Tries before the server is taken not to return an image. More than one: a system may be settling.
const TRIES: usize = 5;

impl Registers {
    /// Asks for every kind of old image that this workload can meet.
    ///
    /// # Errors
    /// When the item cannot be written.
    pub(super) async fn probe_old_images(&mut self, client: &Client) -> Result<OldImages, SetUpError> {
        self.images = OldImages::ALL;
        let mut found = OldImages::default();
        for by in [By::Put, By::Update, By::Delete] {
            if self.conditional() {
                found.on_failure[by as usize] = self.returns(client, by, Some(HELD + 1)).await?;
            }
            if self.conditional() || by != By::Update {
                found.on_success[by as usize] = self.returns(client, by, None).await?;
            }
        }
        Ok(found)
    }

    /// Whether a write, on the condition that the value is `old` if one is given, returns the value that
    /// there was.
    async fn returns(&self, client: &Client, by: By, old: Option<i64>) -> Result<bool, SetUpError> {
        let new = if by == By::Delete { Value::Null } else { json!(HELD + 2) };
        let old = old.map(Value::from);
        let via = (by == By::Update).then_some("update");
        let op = Invocation { via, ..invocation("probe", Value::Null) };
        for _ in 0..TRIES {
            self.put_plainly(client).await?;
            let write = Write { key: KEY, old: old.as_ref(), new: &new };
            let completion = self.write(client, client.home(), &op, write).await;
            if ended_as_expected(&completion, old.is_none()) {
                return Ok(completion.observed == Some(json!(HELD)));
            }
        }
        Ok(false)
    }

    async fn put_plainly(&self, client: &Client) -> Result<(), SetUpError> {
        let put = PutItem {
            table_name: &self.table.name,
            item: Register { pk: Text(KEY), v: Number(HELD) },
            expressions: Expressions::default(),
            return_values: None,
        };
        Patient::new(client, self.description.name).ask(&put).await.map(|_| ())
    }
}

fn ended_as_expected(completion: &Completion, succeeds: bool) -> bool {
    if succeeds {
        return completion.kind == EventType::Ok;
    }
    completion.kind == EventType::Fail && completion.error == Some(json!(CONDITION_FAILED))
}
