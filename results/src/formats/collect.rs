//! Puts events that were read in another tool's format into the shape of a history.
//!
//! What the formats leave out is filled in: an index by position, a time from the event before. Clients with
//! names get numbers. Nothing that may be an operation is left out. What the formats cannot have meant is refused with the line at fault: indexes that go back, a process with two operations
//! open. The rules of pairing are the checker's own ([`pair`]); here they only get line numbers.

use growler_checker::history::{Event, EventType, PairError, Process, contradicts, pair};

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
    /// Processes that have names, in the order in which they came. Until the end they have numbers from
    /// [`NAMED`] on.
    names: Vec<String>,
}

/// Greater than every number that a format can give a process.
const NAMED: u64 = 1 << 63;

/// So many names are told.
const TOLD: usize = 5;

/// Who an event is of, as a format has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Who {
    Numbered(u64),
    Nemesis,
    /// By its text in the file: `:a` and `"a"` are two.
    Named(String),
}

/// Whether the file numbers its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Numbering {
    Own,
    ByPosition,
}

/// What an event may leave out.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    pub(super) index: Option<u64>,
    pub(super) time: Option<u64>,
    pub(super) process: Option<Who>,
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
        self.lines.push(u32::try_from(at.line).unwrap_or(u32::MAX));
        self.history.events.push(event);
        Ok(())
    }

    /// Gives an event its process. Where the whole history has none each operation gets one of its own.
    fn name_process(&mut self, event: &mut Event, who: Option<Who>, at: Position) -> Result<(), Flaw> {
        if self.is_empty() && who.is_none() {
            self.unnamed = Some(Unnamed::default());
        }
        event.process = match (&mut self.unnamed, who) {
            (None, Some(Who::Numbered(number))) => Process::Client(number),
            (None, Some(Who::Nemesis)) => Process::Nemesis,
            (None, Some(Who::Named(name))) => Process::Client(NAMED + self.place_of(name)),
            (Some(unnamed), None) => {
                Process::Client(unnamed.process_of(event).map_err(|reason| Flaw::new(at, reason))?)
            }
            (None, None) => {
                return Err(Flaw::new(at, "this operation has no :process, and others have one"));
            }
            (Some(_), Some(_)) => {
                return Err(Flaw::new(at, "this operation has a :process, and others have none"));
            }
        };
        Ok(())
    }

    fn place_of(&mut self, name: String) -> u64 {
        let place = self.names.iter().position(|other| *other == name).unwrap_or_else(|| {
            self.names.push(name);
            self.names.len() - 1
        });
        place as u64
    }

    /// Whether there is no event yet.
    pub(super) fn is_empty(&self) -> bool {
        self.history.events.is_empty()
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
        self.number_the_named();
        if independent::split(&mut self.history.events) {
            self.warn(
                "every value is a pair [key value], as jepsen.independent writes them: each key is an object of its own"
                    .to_owned(),
            );
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

    /// Gives the named clients the numbers after the last one that is taken. A name under which nothing but
    /// `:info` is told invokes nothing: it is a nemesis' by another name.
    fn number_the_named(&mut self) {
        let events = &mut self.history.events;
        let number = |event: &Event| if let Process::Client(number) = event.process { number } else { 0 };
        let mut next =
            events.iter().map(number).filter(|number| *number < NAMED).max().map_or(0, |last| last + 1);
        let mut given: Vec<Option<u64>> = vec![None; self.names.len()];
        let place = |event: &Event| usize::try_from(number(event).checked_sub(NAMED)?).ok();
        for event in events.iter().filter(|event| event.kind != EventType::Info) {
            if let Some(slot) =
                place(event).and_then(|place| given.get_mut(place)).filter(|slot| slot.is_none())
            {
                *slot = Some(next);
                next += 1;
            }
        }
        for event in events.iter_mut() {
            if let Some(place) = place(event) {
                event.process = given[place].map_or(Process::Nemesis, Process::Client);
            }
        }
        let told = |of: &dyn Fn(&str, Option<u64>) -> Option<String>| {
            let all: Vec<_> =
                self.names.iter().zip(&given).filter_map(|(name, given)| of(name, *given)).collect();
            let more = if all.len() > TOLD { ", …" } else { "" };
            (!all.is_empty()).then(|| format!("{}{more}", all[..all.len().min(TOLD)].join(", ")))
        };
        let clients = told(&|name, given| given.map(|number| format!("{name} is {number}")));
        let others = told(&|name, given| given.is_none().then(|| name.to_owned()));
        let clients = clients.map(|told| format!("processes with names were given numbers: {told}"));
        let others = others.map(|told| format!("processes that never invoke are only shown: {told}"));
        self.history.warnings.extend(clients.into_iter().chain(others));
    }
}

/// The event that an error of pairing is about.
fn index_of(error: &PairError) -> u64 {
    match *error {
        PairError::StillOpen { index, .. }
        | PairError::NotOpen { index, .. }
        | PairError::Retired { index, .. }
        | PairError::Mismatch { index, .. }
        | PairError::Contradiction { index, .. }
        | PairError::Unsaid { index, .. } => index,
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
        let fits =
            |invoked: &Event| invoked.f == event.f && !contradicts(&event.f, &invoked.value, &event.value);
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
