//! The one way a table changes: a mutation of one item, as it is logged and applied on every replica.
//!
//! [`apply`] is the whole transition function: from the item as it was to what becomes of it and what
//! the client is told. It is pure, so that every replica that applies the same log holds the same
//! items and the same answers; a refusal is a result like any other and leaves the item alone.
//! Nothing here may look at a clock, at randomness or at another item.

use serde::{Deserialize, Serialize};

use super::key::PrimaryKey;
use super::schema::TableSchema;
use super::size::{MAX_ITEM, item_size};
use super::value::Item;
use crate::expression::{Condition, Update};

/// A change to one item, with the condition under which it takes place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mutation {
    /// The table.
    pub table: String,
    /// The item's key. For [`Action::Put`] the item carries the same key.
    pub key: PrimaryKey,
    /// What to do.
    pub action: Action,
    /// What must hold of the item as it was; `None` holds always.
    pub condition: Option<Condition>,
}

/// What a mutation does to its item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Action {
    /// Replaces the whole item.
    Put(Item),
    /// Removes the item; removing what is not there succeeds.
    Delete,
    /// Changes attributes; creates the item when it is not there.
    Update(Update),
}

/// What [`apply`] decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// What the replica has to do to the stored item.
    pub change: Change,
    /// What the client is to be told.
    pub reply: Result<MutationReply, MutationRefused>,
}

/// What becomes of the stored item.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// It stays as it is, present or absent.
    Keep,
    /// It becomes this.
    Put(Item),
    /// It goes.
    Delete,
}

/// The answer to a mutation that took place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MutationReply {
    /// The item just before; `None` when there was none.
    pub old: Option<Item>,
    /// The item just after, for [`Action::Update`] only: after the other two it is known.
    pub new: Option<Item>,
}

/// Why a mutation did not take place. The item is as it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
pub enum MutationRefused {
    /// The condition does not hold of the item.
    #[error("The conditional request failed")]
    ConditionalCheckFailed {
        /// The item that the condition met; `None` when there was none.
        item: Option<Item>,
    },
    /// The update does not fit the item as it is: a wrong type, a missing path, a number too large.
    #[error("{0}")]
    Validation(String),
    /// The item would be above 400 KB.
    #[error("{}", match after_update { true => "Item size to update has exceeded the maximum allowed size", false => "Item size has exceeded the maximum allowed size" })]
    ItemTooLarge {
        /// Whether it grew by an update, rather than came whole.
        after_update: bool,
    },
}

/// Applies a mutation to the item as it is.
#[must_use]
pub fn apply(mutation: &Mutation, schema: &TableSchema, old: Option<&Item>) -> Applied {
    match decide(mutation, schema, old) {
        Ok((change, new)) => Applied { change, reply: Ok(MutationReply { old: old.cloned(), new }) },
        Err(refused) => Applied { change: Change::Keep, reply: Err(refused) },
    }
}

fn decide(
    mutation: &Mutation,
    schema: &TableSchema,
    old: Option<&Item>,
) -> Result<(Change, Option<Item>), MutationRefused> {
    if let Some(condition) = &mutation.condition {
        let empty = Item::new();
        if !condition.holds(old.unwrap_or(&empty)) {
            return Err(MutationRefused::ConditionalCheckFailed { item: old.cloned() });
        }
    }
    match &mutation.action {
        Action::Put(item) if item_size(item) > MAX_ITEM => {
            Err(MutationRefused::ItemTooLarge { after_update: false })
        }
        Action::Put(item) => Ok((Change::Put(item.clone()), None)),
        Action::Delete if old.is_some() => Ok((Change::Delete, None)),
        Action::Delete => Ok((Change::Keep, None)),
        Action::Update(update) => {
            let start = old.cloned().unwrap_or_else(|| schema.key_map(&mutation.key));
            let new = update.apply(&start).map_err(|error| MutationRefused::Validation(error.to_string()))?;
            if item_size(&new) > MAX_ITEM {
                return Err(MutationRefused::ItemTooLarge { after_update: true });
            }
            Ok((Change::Put(new.clone()), Some(new)))
        }
    }
}
