//! What was seen of each key, and how it could have been seen otherwise: the places for faults.

use std::collections::HashMap;

use serde_json::Value;

use super::Kind;
use crate::history::{Event, Key, Operation, Outcome, Process, pair};

/// So many different answers back, a replica may be that is behind.
const LAG: usize = 3;

/// The part of the history that concerns each key: its operations, and the faults.
pub(super) fn by_key(events: &[Event]) -> Vec<Vec<Event>> {
    let mut numbers: HashMap<Option<&Key>, usize> = HashMap::new();
    let mut parts: Vec<Vec<Event>> = Vec::new();
    for event in events.iter().filter(|event| event.process != Process::Nemesis) {
        let next = numbers.len();
        if *numbers.entry(event.key.as_ref()).or_insert(next) == next {
            parts.push(Vec::new());
        }
    }
    for event in events {
        if event.process == Process::Nemesis {
            parts.iter_mut().for_each(|part| part.push(event.clone()));
        } else if let Some(&number) = numbers.get(&event.key.as_ref()) {
            parts[number].push(event.clone());
        }
    }
    parts
}

/// A fault: these completions get other answers.
#[derive(Debug)]
pub(super) struct Change {
    at: Vec<usize>,
    to: Answer,
}

#[derive(Debug)]
enum Answer {
    /// That of the completion at this position.
    Older(usize),
    /// The same without the version at this place among its dots.
    Without(usize),
}

/// An answered read or replica read.
struct Look {
    call: usize,
    ret: usize,
    /// The replica that it is of, where it is of one.
    replica: Option<String>,
    /// Whether its session had an answer of the key before.
    again: bool,
}

/// What is known of one key.
#[derive(Default)]
struct Seen {
    /// In order of their completions.
    looks: Vec<Look>,
    /// The completions of acknowledged deletes, with their invocations.
    deletes: Vec<(usize, usize)>,
    /// The sessions that had an answer, and when they had the first.
    sessions: HashMap<u64, usize>,
    /// When the last write of any outcome was invoked or ended.
    written: usize,
}

/// A history into which faults are put.
pub(super) struct History {
    events: Vec<Event>,
    keys: Vec<Seen>,
}

impl History {
    /// None where the events are no history.
    pub(super) fn new(events: Vec<Event>) -> Option<Self> {
        let mut numbers: HashMap<Option<Key>, usize> = HashMap::new();
        let mut keys: Vec<Seen> = Vec::new();
        for operation in pair(&events).ok()? {
            let next = keys.len();
            let number = *numbers.entry(operation.invocation.key.clone()).or_insert(next);
            if number == next {
                keys.push(Seen::default());
            }
            keys[number].take(&operation);
        }
        for seen in &mut keys {
            seen.looks.sort_unstable_by_key(|look| look.ret);
        }
        Some(Self { events, keys })
    }

    /// What it costs to judge it.
    pub(super) fn operations(&self) -> u64 {
        self.events.len() as u64 / 2 + 1
    }

    /// Every place for a fault of this kind.
    pub(super) fn changes(&self, kind: Kind) -> Vec<Change> {
        let changes = |seen: &Seen| match kind {
            Kind::ReplicaBehind => self.replica_behind(seen),
            Kind::WriteLost => self.write_lost(seen),
            Kind::DeleteUndone => self.delete_undone(seen),
            Kind::StaleRead => self.stale_read(seen),
            Kind::SiblingDropped => self.sibling_dropped(seen),
        };
        self.keys.iter().flat_map(changes).collect()
    }

    fn replica_behind(&self, seen: &Seen) -> Vec<Change> {
        let end = seen.end();
        let is_last = |look: &&Look| {
            let later = end.iter().any(|other| other.ret > look.ret && other.replica == look.replica);
            look.replica.is_some() && !later
        };
        let older = |look: &Look| self.older(seen, look.ret, seen.written, 0);
        let change = |look: &Look| Some(Change { at: vec![look.ret], to: Answer::Older(older(look)?) });
        end.iter().copied().filter(is_last).filter_map(change).collect()
    }

    fn write_lost(&self, seen: &Seen) -> Vec<Change> {
        let end = seen.end();
        let Some(first) = end.first() else { return Vec::new() };
        let at = || end.iter().map(|look| look.ret).collect::<Vec<_>>();
        let older = (0..LAG).filter_map(|lag| self.older(seen, first.ret, seen.written, lag));
        older.map(|older| Change { at: at(), to: Answer::Older(older) }).collect()
    }

    fn delete_undone(&self, seen: &Seen) -> Vec<Change> {
        let end = seen.end();
        if end.is_empty() {
            return Vec::new();
        }
        let before = |call: usize| {
            let shows = |look: &&Look| look.ret < call && !self.events[look.ret].value.is_null();
            seen.looks.iter().rev().find(shows).map(|look| look.ret)
        };
        let change = |&(call, _): &(usize, usize)| {
            Some(Change { at: end.iter().map(|look| look.ret).collect(), to: Answer::Older(before(call)?) })
        };
        seen.deletes.iter().filter_map(change).collect()
    }

    fn stale_read(&self, seen: &Seen) -> Vec<Change> {
        let reads = seen.looks.iter().filter(|look| look.replica.is_none() && look.again);
        let change = |look: &Look| {
            Some(Change { at: vec![look.ret], to: Answer::Older(self.older(seen, look.ret, look.call, 0)?) })
        };
        reads.filter_map(change).collect()
    }

    fn sibling_dropped(&self, seen: &Seen) -> Vec<Change> {
        let mut changes = Vec::new();
        for look in &seen.looks {
            let dots = dots(&self.events[look.ret]).count();
            if dots > 1 {
                let change = |dot| Change { at: vec![look.ret], to: Answer::Without(dot) };
                changes.extend((0..dots).map(change));
            }
        }
        changes
    }

    /// The newest answer before `bound` that differs from the one at `ret`, or, `lag` different ones further
    /// back, an older one.
    fn older(&self, seen: &Seen, ret: usize, bound: usize, lag: usize) -> Option<usize> {
        let mut different = ret;
        let mut left = lag + 1;
        for look in seen.looks.iter().rev().filter(|look| look.ret < bound) {
            if !same(&self.events[look.ret], &self.events[different]) {
                different = look.ret;
                left -= 1;
                if left == 0 {
                    return Some(different);
                }
            }
        }
        None
    }

    /// What somebody makes of the history with the fault, which is then taken back.
    pub(super) fn with<T>(&mut self, change: &Change, look: impl FnOnce(&[Event]) -> T) -> T {
        let right: Vec<Event> = change.at.iter().map(|&at| self.events[at].clone()).collect();
        match change.to {
            Answer::Older(from) => {
                let from = self.events[from].clone();
                change.at.iter().for_each(|&at| replace(&mut self.events[at], &from));
            }
            Answer::Without(dot) => change.at.iter().for_each(|&at| drop_dot(&mut self.events[at], dot)),
        }
        let result = look(&self.events);
        for (&at, right) in change.at.iter().zip(right) {
            self.events[at] = right;
        }
        result
    }
}

impl Seen {
    fn take(&mut self, operation: &Operation<'_>) {
        let ok = operation.outcome() == Outcome::Ok;
        self.look(operation, ok);
        if let (Some(session), Some(ret), true) = (operation.session(), operation.ret, ok) {
            let first = self.sessions.entry(session).or_insert(ret);
            *first = ret.min(*first);
        }
    }

    fn look(&mut self, operation: &Operation<'_>, ok: bool) {
        match (operation.f(), operation.ret) {
            ("read" | "replica-read", Some(ret)) if ok => {
                let replica = (operation.f() == "replica-read").then(|| operation.node().unwrap_or_default());
                let first = operation.session().and_then(|session| self.sessions.get(&session));
                let again = first.is_some_and(|&first| first < operation.call);
                let replica = replica.map(str::to_owned);
                self.looks.push(Look { call: operation.call, ret, replica, again });
            }
            ("read" | "replica-read", _) => {}
            (f, ret) => {
                self.written = self.written.max(ret.unwrap_or(operation.call));
                if f == "write" && ok && operation.argument().is_null() {
                    self.deletes.extend(ret.map(|ret| (operation.call, ret)));
                }
            }
        }
    }

    /// The looks that were asked for after the last write had ended.
    fn end(&self) -> Vec<&Look> {
        self.looks.iter().filter(|look| look.call > self.written).collect()
    }
}

/// The dots of the versions that an answer shows.
fn dots(event: &Event) -> impl Iterator<Item = &str> {
    event.extra().version.as_ref().and_then(Value::as_str).into_iter().flat_map(|text| text.split('|'))
}

/// Whether two answers show the same.
fn same(one: &Event, other: &Event) -> bool {
    let version = |event: &Event| event.extra().version.clone();
    one.value == other.value && version(one) == version(other)
}

/// Gives a completion the answer of another one.
fn replace(event: &mut Event, from: &Event) {
    event.value = from.value.clone();
    event.observed = from.observed.clone();
    let shown = from.extra();
    let (version, context) = (shown.version.clone(), shown.context.clone());
    let (timestamp, siblings) = (shown.timestamp.clone(), shown.siblings);
    let extra = event.extra_mut();
    (extra.version, extra.context, extra.timestamp, extra.siblings) = (version, context, timestamp, siblings);
}

/// Takes one of several versions out of an answer.
fn drop_dot(event: &mut Event, dropped: usize) {
    let left: Vec<&str> =
        dots(event).enumerate().filter(|&(at, _)| at != dropped).map(|(_, dot)| dot).collect();
    let (version, count) = (left.join("|"), left.len() as u64);
    let extra = event.extra_mut();
    extra.version = Some(version.into());
    extra.siblings = (count > 1).then_some(count);
}
