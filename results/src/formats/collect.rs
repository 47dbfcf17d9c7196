//! Puts events that were read in another tool's format into the shape of a history.
//!
//! What the formats leave out is filled in: an index by position, a time from the event before. What they
//! cannot have meant is refused with the line at fault: indexes that go back, a process with two operations
//! open. The rules of pairing are the checker's own ([`pair`]); here they only get line numbers.

use growler_checker::history::{Event, EventType, PairError, Process, pair};
use serde_json::Value;

use super::edn::{Flaw, Position};
use super::independent;
use crate::history::History;

/// Collects events in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Collector {
    history: History,
    /// Where each event began: 32 bits are enough for the lines of a file that fits into memory.
    lines: Vec<u32>,
    numbering: Option<Numbering>,
    unnamed: Option<Unnamed>,
    /// How many events are of strangers, and where the first is.
    strangers: (u64, u64),
}

/// Whether the file numbers its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Numbering {
    Own,
    ByPosition,
}

/// What an event may leave out.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Said {
    pub(super) index: Option<u64>,
    pub(super) time: Option<u64>,
    /// False where the event names no process: then its `process` means nothing.
    pub(super) process: bool,
    /// The process is neither a number nor the nemesis.
    pub(super) stranger: bool,
}

impl Collector {
    /// Adds what comes next in the file.
    pub(super) fn push(&mut self, mut event: Event, said: Said, at: Position) -> Result<(), Flaw> {
        let numbering = if said.index.is_some() { Numbering::Own } else { Numbering::ByPosition };
        if *self.numbering.get_or_insert(numbering) != numbering {
            return Err(Flaw::new(
                at,
                "some operations have an :index and others have none; give all of them one, or none",
            ));
        }
        let before = self.history.events.last();
        event.index = said.index.unwrap_or(self.lines.len() as u64);
        if let Some(before) = before.filter(|before| before.index >= event.index) {
            let (now, before) = (event.index, before.index);
            return Err(Flaw::new(
                at,
                format!(
                    "index {now} comes after index {before}: operations must be in real-time order, with increasing indexes or none"
                ),
            ));
        }
        event.time = said.time.or(before.map(|before| before.time)).unwrap_or(0);
        self.name_process(&mut event, said.process, at)?;
        if said.stranger {
            let (count, first) = self.strangers;
            self.strangers = (count + 1, if count == 0 { at.line } else { first });
        }
        self.lines.push(u32::try_from(at.line).unwrap_or(u32::MAX));
        self.history.events.push(event);
        Ok(())
    }

    /// Gives an event without a process one, where the whole history has none.
    fn name_process(&mut self, event: &mut Event, named: bool, at: Position) -> Result<(), Flaw> {
        let first = self.history.events.is_empty();
        if first && !named {
            self.unnamed = Some(Unnamed::default());
        }
        match (&mut self.unnamed, named) {
            (None, true) => Ok(()),
            (Some(unnamed), false) => {
                event.process =
                    Process::Client(unnamed.process_of(event).map_err(|reason| Flaw::new(at, reason))?);
                Ok(())
            }
            (None, false) => Err(Flaw::new(at, "this operation has no :process, and others have one")),
            (Some(_), true) => Err(Flaw::new(at, "this operation has a :process, and others have none")),
        }
    }

    /// Something was forgiven.
    pub(super) fn warn(&mut self, warning: String) {
        self.history.warnings.push(warning);
    }

    /// The whole history.
    pub(super) fn finish(mut self) -> Result<History, Flaw> {
        if self.unnamed.is_some() {
            self.warn(
                "no operation has a :process; completions were matched with invocations by function and value"
                    .to_owned(),
            );
        }
        if independent::split(&mut self.history.events) {
            self.warn(
                "every value is a pair [key value], as jepsen.independent writes them: each key is an object of its own"
                    .to_owned(),
            );
        }
        if let (count @ 1.., line) = self.strangers {
            self.warn(format!(
                "{count} events, the first at line {line}, are of processes that are neither numbers nor \
                 :nemesis; they were not checked, since only numbered processes are clients"
            ));
        }
        match pair(&self.history.events) {
            Ok(_) => Ok(self.history),
            Err(error) => {
                let index = index_of(&error);
                let position = self.history.events.partition_point(|event| event.index < index);
                let line = self.lines.get(position).copied().unwrap_or(0);
                Err(Flaw::new(Position { line: line.into(), column: 1 }, error.to_string()))
            }
        }
    }
}

/// The event that an error of pairing is about.
fn index_of(error: &PairError) -> u64 {
    match *error {
        PairError::StillOpen { index, .. }
        | PairError::NotOpen { index, .. }
        | PairError::Retired { index, .. }
        | PairError::Mismatch { index, .. } => index,
    }
}

/// Operations of a history that names no processes. Each gets a process of its own.
#[derive(Debug, Default)]
struct Unnamed {
    next: u64,
    open: Vec<(u64, Event)>,
}

impl Unnamed {
    /// Whose event this is: a new process for an invocation, and for a completion that of the only open
    /// operation that it can be of.
    fn process_of(&mut self, event: &Event) -> Result<u64, String> {
        if event.kind == EventType::Invoke {
            let process = self.next;
            self.next += 1;
            self.open.push((process, event.clone()));
            return Ok(process);
        }
        let fits = |invoked: &Event| invoked.f == event.f && completes(&invoked.value, &event.value);
        let fitting: Vec<usize> = (0..self.open.len()).filter(|&at| fits(&self.open[at].1)).collect();
        match fitting[..] {
            [only] => Ok(self.open.remove(only).0),
            [] => Err(format!(
                "no open operation is completed by this `{}`; give every operation a :process",
                event.f
            )),
            _ => Err(format!(
                "{} open operations could be completed by this `{}`; give every operation a :process",
                fitting.len(),
                event.f
            )),
        }
    }
}

/// Whether a completion's value can belong to an invocation's: null stands for what was not known yet, or is
/// not said again.
fn completes(invoked: &Value, completed: &Value) -> bool {
    match (invoked, completed) {
        (Value::Null, _) | (_, Value::Null) => true,
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| completes(a, b))
        }
        (a, b) => a == b,
    }
}
