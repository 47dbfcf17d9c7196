//! Which operations are one session: those of one client, if it did one after the other.

use std::collections::{HashMap, HashSet};

use crate::history::hash::Fast;
use crate::history::{Operation, Process};

/// One client's operations, one after the other. A client survives an operation of unknown outcome, and goes on
/// under a new process number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Session {
    /// The client's number.
    pub(crate) client: u64,
    /// Of a client that had several operations open at once, each process is a session of its own.
    process: Option<u64>,
}

/// All sessions, numbered in the order of their first operations.
pub(super) struct Sessions {
    pub(super) all: Vec<Session>,
    crowded: HashSet<u64, Fast>,
    /// Of each session its number, and how many of its operations were answered so far.
    known: HashMap<Session, (u32, u32), Fast>,
}

impl Sessions {
    pub(super) fn new(operations: &[Operation<'_>]) -> Self {
        Self { all: Vec::new(), crowded: crowded(operations), known: HashMap::default() }
    }

    /// The number of an operation's session, and how many operations of it the caller has counted as answered.
    pub(super) fn number(&mut self, operation: &Operation<'_>) -> (u32, &mut u32) {
        let session = Session::of(operation, &self.crowded);
        let (number, answered) = self.known.entry(session).or_insert_with(|| {
            self.all.push(session);
            ((self.all.len() - 1) as u32, 0)
        });
        (*number, answered)
    }
}

impl Session {
    fn of(operation: &Operation<'_>, crowded: &HashSet<u64, Fast>) -> Self {
        let client = operation.session().unwrap_or(u64::MAX);
        let process = match operation.invocation.process {
            Process::Client(process) if crowded.contains(&client) => Some(process),
            Process::Client(_) | Process::Nemesis => None,
        };
        Self { client, process }
    }
}

/// The clients that had several operations open at once.
fn crowded(operations: &[Operation<'_>]) -> HashSet<u64, Fast> {
    let mut busy_until: HashMap<u64, usize, Fast> = HashMap::default();
    let mut crowded = HashSet::default();
    for operation in operations {
        let Some(client) = operation.session() else { continue };
        let until = busy_until.entry(client).or_insert(0);
        if *until > operation.call {
            crowded.insert(client);
        }
        *until = operation.ret.unwrap_or(usize::MAX).max(*until);
    }
    crowded
}
