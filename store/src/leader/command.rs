//! What replica groups agree on: the commands in their logs and the replies of applying them.
//!
//! Commands are on disk and on the wire (postcard). A variant is never removed or reordered; new
//! ones are appended. A table is named by a [`TableId`] that is never used twice, so that a write
//! routed by an old catalogue cannot land in a new table of the same name.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::item::{Mutation, MutationRefused, MutationReply, TableSchema};

/// A table's number: the position in the catalogue's log at which it was created.
pub type TableId = u64;

/// One change of a replica group's state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Partitions: changes one item.
    Write {
        /// The table.
        table: TableId,
        /// The change and its condition.
        mutation: Box<Mutation>,
    },
    /// Partitions: a table exists from here on. Opening it again changes nothing.
    OpenTable {
        /// The table.
        table: TableId,
        /// Its name and keys.
        schema: TableSchema,
    },
    /// Partitions: a table and its items are gone.
    DropTable {
        /// The table.
        table: TableId,
    },
    /// Catalogue: reserves a name and gives the table its number.
    CreateTable {
        /// The table's name and keys.
        schema: TableSchema,
        /// When, in nanoseconds since the Unix epoch by the proposer's wall clock; only shown.
        created_ns: i64,
    },
    /// Catalogue: every partition has opened the table.
    ActivateTable {
        /// The table.
        table: TableId,
    },
    /// Catalogue: the table is being deleted: it takes no more requests.
    DeleteTable {
        /// The table's name.
        name: String,
    },
    /// Catalogue: every partition has dropped the table: its name is free.
    ForgetTable {
        /// The table.
        table: TableId,
    },
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write { table, .. } => write!(f, "write to table {table}"),
            Self::OpenTable { table, schema } => write!(f, "open table {table} ({})", schema.name),
            Self::DropTable { table } => write!(f, "drop table {table}"),
            Self::CreateTable { schema, .. } => write!(f, "create table {}", schema.name),
            Self::ActivateTable { table } => write!(f, "activate table {table}"),
            Self::DeleteTable { name } => write!(f, "delete table {name}"),
            Self::ForgetTable { table } => write!(f, "forget table {table}"),
        }
    }
}

/// What applying a command answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    /// Done, and there is nothing to say.
    Done,
    /// [`Command::Write`]: it took place, or its condition or the item refused it.
    Written(Result<MutationReply, MutationRefused>),
    /// [`Command::Write`]: this partition has no such table (any more).
    NoSuchTable,
    /// The catalogue's commands: the table as it now is.
    Table(TableEntry),
    /// [`Command::CreateTable`]: the name is taken.
    NameTaken(TableEntry),
}

/// What the catalogue knows about a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableEntry {
    /// Its number.
    pub id: TableId,
    /// Its name and keys. Shared: every request asks for it.
    pub schema: Arc<TableSchema>,
    /// Where it is in its life.
    pub state: TableState,
    /// When it was created, in nanoseconds since the Unix epoch. Only the catalogue knows.
    pub created_ns: i64,
    /// How many items a partition has of it.
    pub items: u64,
    /// The size of these items, as DynamoDB counts it.
    pub bytes: u64,
}

impl TableEntry {
    /// A table without items.
    #[must_use]
    pub fn new(id: TableId, schema: TableSchema, state: TableState, created_ns: i64) -> Self {
        Self { id, schema: Arc::new(schema), state, created_ns, items: 0, bytes: 0 }
    }
}

/// A table's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TableState {
    /// Not every partition has it yet.
    Creating,
    /// It serves.
    Active,
    /// Not every partition has dropped it yet.
    Deleting,
}
