//! A readable way to write a small history down, for tests and examples.
//!
//! ```
//! use growler_checker::history::HistoryBuilder;
//!
//! // Client 1 reads twice while client 0 writes.
//! let events = HistoryBuilder::new()
//!     .on("k7")
//!     .invoke(0, "write", 12)
//!     .read(1, ())
//!     .read(1, 12)
//!     .ok(0, 12)
//!     .events();
//! assert_eq!(events.len(), 6);
//! ```
//!
//! A process has at most one operation open, so its number says which operation a completion ends. The
//! builder never writes what the recorder could not have written, except through [`HistoryBuilder::edit`];
//! to complete what is not open, or to invoke twice, is a mistake of the test and panics.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Event, EventType, Key, Process};

/// Writes a history event by event. Indexes count from 0, and every event takes one millisecond.
#[derive(Debug, Clone, Default)]
pub struct HistoryBuilder {
    events: Vec<Event>,
    key: Option<Key>,
    open: BTreeMap<u64, usize>,
}

impl HistoryBuilder {
    /// An empty history, on no key.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The invocations that follow concern this key.
    #[must_use]
    pub fn on(mut self, key: impl Into<Key>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// The invocations that follow name no key.
    #[must_use]
    pub fn without_key(mut self) -> Self {
        self.key = None;
        self
    }

    /// The process invokes `f` with an argument.
    ///
    /// # Panics
    ///
    /// If the process has an operation open.
    #[must_use]
    pub fn invoke(mut self, process: u64, f: &str, argument: impl Into<Value>) -> Self {
        let at = self.events.len();
        assert!(self.open.insert(process, at).is_none(), "process {process} has an operation open");
        let mut event = Event::new(Process::Client(process), EventType::Invoke, f, argument.into());
        event.key.clone_from(&self.key);
        self.push(event)
    }

    /// The process' open operation happened, with this result.
    #[must_use]
    pub fn ok(self, process: u64, result: impl Into<Value>) -> Self {
        self.complete(process, EventType::Ok, Some(result.into()))
    }

    /// The process' open operation happened, and replaced (or met) `observed`.
    #[must_use]
    pub fn ok_observed(self, process: u64, observed: impl Into<Value>) -> Self {
        let observed = observed.into();
        self.complete(process, EventType::Ok, None).edit(|event| event.observed = Some(observed))
    }

    /// The process' open operation certainly did not happen.
    #[must_use]
    pub fn fail(self, process: u64) -> Self {
        self.complete(process, EventType::Fail, None)
    }

    /// The condition of the process' open operation did not hold, and nothing more was said.
    #[must_use]
    pub fn condition_failed(self, process: u64) -> Self {
        self.fail(process).edit(|event| event.error = Some("condition-failed".into()))
    }

    /// The condition of the process' open operation met `observed` and did not hold.
    #[must_use]
    pub fn condition_met(self, process: u64, observed: impl Into<Value>) -> Self {
        let observed = observed.into();
        self.condition_failed(process).edit(|event| event.observed = Some(observed))
    }

    /// The process' open operation may have happened, or may still.
    #[must_use]
    pub fn info(self, process: u64) -> Self {
        self.complete(process, EventType::Info, None)
    }

    /// A whole acknowledged write (of null: a delete).
    #[must_use]
    pub fn write(self, process: u64, value: impl Into<Value>) -> Self {
        let value = value.into();
        self.invoke(process, "write", value.clone()).ok(process, value)
    }

    /// A whole read that returned `value` (null: absent).
    #[must_use]
    pub fn read(self, process: u64, value: impl Into<Value>) -> Self {
        self.invoke(process, "read", ()).ok(process, value)
    }

    /// A whole successful conditional write.
    #[must_use]
    pub fn cas(self, process: u64, old: impl Into<Value>, new: impl Into<Value>) -> Self {
        let argument = json!([old.into(), new.into()]);
        self.invoke(process, "cas", argument.clone()).ok(process, argument)
    }

    /// Changes the event written last: its time, its client, or anything that has no method of its own.
    ///
    /// # Panics
    ///
    /// If there is no event yet.
    #[must_use]
    pub fn edit(mut self, change: impl FnOnce(&mut Event)) -> Self {
        change(self.events.last_mut().expect("there is an event to edit"));
        self
    }

    /// The events.
    #[must_use]
    pub fn events(self) -> Vec<Event> {
        self.events
    }

    fn complete(mut self, process: u64, kind: EventType, result: Option<Value>) -> Self {
        let at = self.open.remove(&process).unwrap_or_else(|| panic!("process {process} has nothing open"));
        let invocation = &self.events[at];
        let value = result.unwrap_or_else(|| invocation.value.clone());
        let mut event = Event::new(invocation.process, kind, invocation.f.clone(), value);
        event.key.clone_from(&invocation.key);
        self.push(event)
    }

    fn push(mut self, mut event: Event) -> Self {
        event.index = self.events.len() as u64;
        event.time = event.index * 1_000_000;
        self.events.push(event);
        self
    }
}
