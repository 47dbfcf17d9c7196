//! What replica groups agree on: the commands in their logs and the replies of applying them.
//!
//! Commands are on disk and on the wire (postcard). A variant is never removed or reordered; new
//! ones are appended.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One change of a replica group's state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Changes nothing.
    Nothing,
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
        }
    }
}

/// What applying a command answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    /// There is nothing to say: a blank entry or a change of membership.
    Nothing,
}
