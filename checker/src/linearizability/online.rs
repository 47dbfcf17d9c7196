//! The online check: events in, an alarm out at the completion that makes a violation certain.
//!
//! A [`Monitor`] is fed the events of a run as they happen. For every key it holds a
//! [window](super::item::window) of the operations that may still matter, so its memory follows the number
//! of open operations and not the length of the run. After every completion that says something the window
//! is judged again, which takes microseconds.
//!
//! An alarm is always right: the history up to there cannot be ordered, whatever comes. It is no verdict and
//! carries no certificate: the whole history is checked when the run has ended. And silence proves nothing.
//! Keys on which a value was written twice are given up; opaque refusals are not judged; and see
//! [`super::item::window`] for what else is let pass.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use super::general::{END, Job, Limits};
use super::item::window::{SILENT, Window};
use super::object::{Entry, action_of};
use super::problem::as_recorded;
use crate::history::{Event, EventType, Key, Operation, Outcome, Process};
use crate::model::register::{ABSENT, Need, RegisterOp, Symbol};

/// A violation that has become certain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// Whose history cannot be ordered.
    pub key: Option<Key>,
    /// The completion that made it certain: how many events came before it.
    pub position: u64,
}

/// Watches a history of registers while it is made.
#[derive(Debug, Default)]
pub struct Monitor {
    items: HashMap<Option<Key>, Item>,
    /// What every process has open: the invocation, and its moment.
    open: HashMap<u64, (Event, u32)>,
    events: u64,
}

/// One key.
#[derive(Debug)]
struct Item {
    window: Window,
    symbols: HashMap<Value, Symbol>,
    /// The calls of its open operations.
    open: BTreeSet<u32>,
    /// At this length of the window something is forgotten.
    enough: usize,
    /// Nothing more can be said: there was an alarm, or a value was written twice.
    is_settled: bool,
}

/// What one look at a window may cost.
const LIMITS: Limits = Limits { steps: 1_000_000, bytes: 1 << 26 };

/// The least length at which something is forgotten.
const SHORT: usize = 32;

impl Monitor {
    /// A monitor of a history that begins now.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next event; an alarm if it makes certain that the history of its key cannot be ordered. There
    /// is one alarm a key at most. Events that cannot belong to a history are ignored.
    pub fn observe(&mut self, event: &Event) -> Option<Alarm> {
        let position = self.events;
        self.events += 1;
        let Process::Client(process) = event.process else { return None };
        let moment = u32::try_from(self.events).ok().filter(|&moment| moment < END)?;
        if event.kind == EventType::Invoke {
            let item = self.items.entry(event.key.clone()).or_insert_with(Item::new);
            item.invoke(event, moment);
            self.open.insert(process, (event.clone(), moment));
            return None;
        }
        let (invocation, call) = self.open.remove(&process)?;
        let item = self.items.get_mut(&invocation.key)?;
        let is_certain = item.complete(&invocation, call, event, moment);
        is_certain.then(|| Alarm { key: invocation.key.clone(), position })
    }

    /// How many operations are held, over all keys: a measure of the memory in use.
    #[must_use]
    pub fn held(&self) -> usize {
        self.items.values().map(|item| item.window.len()).sum()
    }
}

impl Item {
    fn new() -> Self {
        Self {
            window: Window::new(),
            symbols: HashMap::from([(Value::Null, ABSENT)]),
            open: BTreeSet::new(),
            enough: SHORT,
            is_settled: false,
        }
    }

    fn invoke(&mut self, event: &Event, moment: u32) {
        if self.is_settled {
            return;
        }
        self.open.insert(moment);
        let op = self.job(event, moment, None, END).map_or(SILENT, |job| job.op);
        self.window.push(op, moment);
    }

    /// Whether the completion makes a violation certain.
    fn complete(&mut self, invocation: &Event, call: u32, completion: &Event, moment: u32) -> bool {
        if self.is_settled {
            return false;
        }
        self.open.remove(&call);
        if completion.kind == EventType::Info {
            // It may take effect from now on as before.
            return false;
        }
        let job = self.job(invocation, call, Some(completion), moment);
        let Some(place) = self.window.called_at(call) else { return false };
        *place = job.unwrap_or(Job { op: SILENT, call, ret: END, must: false });
        // A write that certainly failed says something as well: its value may have been seen.
        match self.window.conflict(self.symbols.len(), LIMITS) {
            Ok(None) => {}
            Ok(Some(_)) => {
                self.settle();
                return true;
            }
            Err(_) => self.settle(),
        }
        if self.window.len() >= self.enough {
            self.forget(moment);
        }
        false
    }

    /// What an operation says, as far as it is known; nothing if that is nothing.
    fn job(
        &mut self,
        invocation: &Event,
        call: u32,
        completion: Option<&Event>,
        moment: u32,
    ) -> Option<Job<RegisterOp>> {
        let operation = Operation { index: 0, call: 0, ret: completion.map(|_| 1), invocation, completion };
        let symbols = &mut self.symbols;
        let mut symbol = |value: &Value| {
            let fresh = Symbol::try_from(symbols.len()).unwrap_or(Symbol::MAX);
            *symbols.entry(value.clone()).or_insert(fresh)
        };
        let action = action_of("cas-register", &operation, &mut symbol).ok()??;
        let outcome = operation.outcome();
        if outcome == Outcome::Fail && action.wrote().is_some() {
            return None;
        }
        let ret = (outcome != Outcome::Info).then_some(moment);
        let job = as_recorded(&Entry { op: 0, call, ret, action });
        (!matches!(job.op.need, Need::Not(_))).then_some(job)
    }

    fn settle(&mut self) {
        self.is_settled = true;
        self.window = Window::new();
        self.symbols = HashMap::new();
        self.open.clear();
    }

    /// Forgets what is certain, and the values that only that spoke of.
    fn forget(&mut self, moment: u32) {
        let open = self.open.first().copied().unwrap_or(moment);
        self.window.forget(self.symbols.len(), open, LIMITS);
        let mut names = vec![None; self.symbols.len()];
        names[ABSENT as usize] = Some(ABSENT);
        let mut fresh = ABSENT;
        let mut rename = |value: &mut Symbol| {
            let name = names[*value as usize].get_or_insert_with(|| {
                fresh += 1;
                fresh
            });
            *value = *name;
        };
        for job in self.window.jobs_mut() {
            if let Need::Is(value) | Need::Not(value) = &mut job.op.need {
                rename(value);
            }
            job.op.set.as_mut().map(&mut rename);
        }
        self.symbols.retain(|_, symbol| match names[*symbol as usize] {
            Some(name) => {
                *symbol = name;
                true
            }
            None => false,
        });
        self.enough = (self.window.len() * 2).max(SHORT);
    }
}
