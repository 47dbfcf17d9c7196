//! What an operation does to its key, whatever its model calls it.

use serde_json::Value;

use crate::history::Operation;

/// What an operation does to its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Act {
    /// It looks: `read`.
    Read,
    /// It writes something: `write`, `cas`, `add`, `remove`.
    Write,
    /// It writes null: the item is gone.
    Delete,
    /// Anything else, `replica-read` among them.
    Other,
}

impl Act {
    pub(super) fn of(operation: &Operation<'_>) -> Self {
        let written = match operation.f() {
            "read" => return Self::Read,
            "write" => operation.argument(),
            "cas" => operation.argument().get(1).unwrap_or(&Value::Null),
            "add" | "remove" => return Self::Write,
            _ => return Self::Other,
        };
        if written.is_null() { Self::Delete } else { Self::Write }
    }

    /// Whether it makes a version.
    pub(crate) fn writes(self) -> bool {
        matches!(self, Self::Write | Self::Delete)
    }
}
