//! What was seen of each key, and how it could have been seen otherwise: the places for faults.

use std::collections::HashMap;
use std::sync::OnceLock;

use serde_json::Value;

use super::Kind;
use super::promised::Promised;
use crate::convergence::order::Place;
use crate::history::{Event, Key, Operation, Outcome, Overlaps, Process, pair};

/// So many different answers back, a replica may be that is behind.
const LAG: usize = 3;

/// A fault: these completions of a key get other answers; none where nobody could see it.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) key: usize,
    at: Vec<usize>,
    to: Answer,
}

impl Change {
    /// Whether nobody looked who could have seen the fault.
    pub(super) fn is_unseen(&self) -> bool {
        self.at.is_empty()
    }
}

#[derive(Debug)]
enum Answer {
    /// That of the completion at this position.
    Older(usize),
    /// The same without the version of this dot.
    Without(String),
}

/// An answered read or replica read.
struct Look {
    /// The number of the operation.
    place: Place,
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
    /// The positions of its events, and of those of the nemesis.
    events: Vec<usize>,
    /// In order of their completions.
    looks: Vec<Look>,
    /// The completions of acknowledged deletes, with their invocations.
    deletes: Vec<(usize, usize)>,
    /// Writes that were acknowledged.
    acknowledged: usize,
    /// The sessions that had an answer, and when they had the first.
    sessions: HashMap<u64, usize>,
    /// When the last write of any outcome was invoked or ended.
    written: usize,
    /// The answered writes.
    writes: Vec<(usize, usize)>,
}

/// A history into copies of which faults are put.
pub(super) struct History<'h> {
    events: &'h [Event],
    /// Read when it is asked for: most kinds of faults need none of it.
    promised: OnceLock<Option<Promised<'h>>>,
    keys: Vec<Seen>,
}

impl<'h> History<'h> {
    /// None where the events are no history.
    pub(super) fn new(events: &'h [Event]) -> Option<Self> {
        let mut numbers: HashMap<Option<&Key>, usize> = HashMap::new();
        let mut keys: Vec<Seen> = Vec::new();
        for (place, operation) in (0..).zip(pair(events).ok()?) {
            let next = keys.len();
            let number = *numbers.entry(operation.key()).or_insert(next);
            if number == next {
                keys.push(Seen::default());
            }
            keys[number].take(place, &operation);
        }
        let nemesis = events.iter().enumerate().filter(|(_, event)| event.process == Process::Nemesis);
        let nemesis: Vec<usize> = nemesis.map(|(position, _)| position).collect();
        for seen in &mut keys {
            seen.looks.sort_unstable_by_key(|look| look.ret);
            seen.events.extend(&nemesis);
            seen.events.sort_unstable();
        }
        Some(Self { events, promised: OnceLock::new(), keys })
    }

    fn promised(&self) -> Option<&Promised<'h>> {
        self.promised.get_or_init(|| Promised::new(self.events)).as_ref()
    }

    /// How many keys there are.
    pub(super) fn keys(&self) -> usize {
        self.keys.len()
    }

    /// Whether nobody read the key after its last write.
    pub(super) fn is_unread(&self, key: usize) -> bool {
        self.keys[key].end().is_empty()
    }

    /// What it costs to judge it.
    pub(super) fn operations(&self) -> u64 {
        self.events.len() as u64 / 2 + 1
    }

    /// What it costs to judge a key by itself.
    pub(super) fn operations_of(&self, key: usize) -> u64 {
        self.keys[key].events.len() as u64 / 2 + 1
    }

    /// The part that concerns a key: its operations, and the nemesis.
    pub(super) fn of(&self, key: usize) -> Vec<Event> {
        self.keys[key].events.iter().map(|&position| self.events[position].clone()).collect()
    }

    /// The part that concerns the key of a fault, with the fault.
    pub(super) fn of_key_with(&self, change: &Change) -> Vec<Event> {
        let positions = &self.keys[change.key].events;
        let mut copy = self.of(change.key);
        let places = change.at.iter().filter_map(|at| positions.binary_search(at).ok());
        places.for_each(|place| self.apply(change, &mut copy[place]));
        copy
    }

    /// All of it, with the fault.
    pub(super) fn with(&self, change: &Change) -> Vec<Event> {
        let mut copy = self.events.to_vec();
        change.at.iter().for_each(|&at| self.apply(change, &mut copy[at]));
        copy
    }

    fn apply(&self, change: &Change, event: &mut Event) {
        match &change.to {
            Answer::Older(from) => replace(event, &self.events[*from]),
            Answer::Without(dot) => drop_dot(event, dot),
        }
    }

    /// Every place for a fault of this kind in a key.
    pub(super) fn changes(&self, key: usize, kind: Kind, amid: bool) -> impl Iterator<Item = Change> {
        let seen = &self.keys[key];
        let changes = match kind {
            Kind::ReplicaBehind => self.replica_behind(seen),
            Kind::WriteLost => self.write_lost(seen),
            Kind::DeleteUndone => self.delete_undone(seen),
            Kind::StaleRead => self.stale_read(seen, amid),
            Kind::SiblingDropped => self.sibling_dropped(seen, amid),
        };
        changes.into_iter().map(move |(at, to)| Change { key, at, to })
    }

    fn replica_behind(&self, seen: &Seen) -> Vec<(Vec<usize>, Answer)> {
        let end = seen.end();
        let is_last = |look: &&Look| {
            let later = end.iter().any(|other| other.ret > look.ret && other.replica == look.replica);
            look.replica.is_some() && !later
        };
        let older = |look: &Look| self.older(seen, look.ret, seen.written, 0);
        let change = |look: &Look| Some((vec![look.ret], Answer::Older(older(look)?)));
        end.iter().copied().filter(is_last).filter_map(change).collect()
    }

    fn write_lost(&self, seen: &Seen) -> Vec<(Vec<usize>, Answer)> {
        let end = seen.end();
        let Some(first) = end.first() else {
            // As many as there would be, had somebody looked.
            return unseen(seen.acknowledged.min(LAG));
        };
        let at = || end.iter().map(|look| look.ret).collect::<Vec<_>>();
        let older = (0..LAG).filter_map(|lag| self.older_look(seen, first.ret, seen.written, lag));
        let loses = |older: &&Look| {
            let knows_more =
                |look: &&Look| self.promised().is_none_or(|it| it.knows_more(look.place, older.place));
            end.iter().any(knows_more)
        };
        let older = older.filter(loses);
        older.map(|older| (at(), Answer::Older(older.ret))).collect()
    }

    fn delete_undone(&self, seen: &Seen) -> Vec<(Vec<usize>, Answer)> {
        let end = seen.end();
        if end.is_empty() {
            return unseen(seen.deletes.len());
        }
        let before = |call: usize| {
            let mut before = seen.before(call);
            before.find(|look| !self.events[look.ret].value.is_null()).map(|look| look.ret)
        };
        let change = |&(call, _): &(usize, usize)| {
            Some((end.iter().map(|look| look.ret).collect(), Answer::Older(before(call)?)))
        };
        seen.deletes.iter().filter_map(change).collect()
    }

    fn stale_read(&self, seen: &Seen, amid: bool) -> Vec<(Vec<usize>, Answer)> {
        let change =
            |look: &Look| Some((vec![look.ret], Answer::Older(self.older(seen, look.ret, look.call, 0)?)));
        seen.reads(amid).filter(|look| look.again).filter_map(change).collect()
    }

    fn sibling_dropped(&self, seen: &Seen, amid: bool) -> Vec<(Vec<usize>, Answer)> {
        let Some(promised) = self.promised() else { return Vec::new() };
        let mut changes = Vec::new();
        for look in seen.reads(amid).filter(|look| look.call < seen.written) {
            let shown = promised.shown(look.place);
            if shown.len() > 1 {
                let owed = shown.iter().filter(|&&dot| promised.is_in_force(dot, look.ret));
                changes.extend(owed.map(|&dot| (vec![look.ret], Answer::Without(promised.name(dot)))));
            }
        }
        changes
    }

    /// The newest answer before `bound` that differs from the one at `ret`, or, `lag` different ones further
    /// back, an older one.
    fn older(&self, seen: &Seen, ret: usize, bound: usize, lag: usize) -> Option<usize> {
        self.older_look(seen, ret, bound, lag).map(|look| look.ret)
    }

    fn older_look<'s>(&self, seen: &'s Seen, ret: usize, bound: usize, lag: usize) -> Option<&'s Look> {
        let mut different = ret;
        let mut left = lag + 1;
        for look in seen.before(bound) {
            if !same(&self.events[look.ret], &self.events[different]) {
                different = look.ret;
                left -= 1;
                if left == 0 {
                    return Some(look);
                }
            }
        }
        None
    }
}

impl Seen {
    fn take(&mut self, place: Place, operation: &Operation<'_>) {
        self.events.extend([Some(operation.call), operation.ret].into_iter().flatten());
        let ok = operation.outcome() == Outcome::Ok;
        self.look(place, operation, ok);
        if let (Some(session), Some(ret), true) = (operation.session(), operation.ret, ok) {
            let first = self.sessions.entry(session).or_insert(ret);
            *first = ret.min(*first);
        }
    }

    fn look(&mut self, place: Place, operation: &Operation<'_>, ok: bool) {
        match (operation.f(), operation.ret) {
            ("read" | "replica-read", Some(ret)) if ok => {
                let replica = (operation.f() == "replica-read").then(|| operation.node().unwrap_or_default());
                let first = operation.session().and_then(|session| self.sessions.get(&session));
                let again = first.is_some_and(|&first| first < operation.call);
                let replica = replica.map(str::to_owned);
                self.looks.push(Look { place, call: operation.call, ret, replica, again });
            }
            ("read" | "replica-read", _) => {}
            (f, ret) => {
                self.written = self.written.max(ret.unwrap_or(operation.call));
                self.acknowledged += usize::from(ok);
                self.writes.extend(ret.map(|ret| (operation.call, ret)));
                if f == "write" && ok && operation.argument().is_null() {
                    self.deletes.extend(ret.map(|ret| (operation.call, ret)));
                }
            }
        }
    }

    /// The reads of clients: those during which an answered write was open, or the others.
    fn reads(&self, amid: bool) -> impl Iterator<Item = &Look> {
        let writes = Overlaps::new(self.writes.iter().copied());
        let is_amid = move |look: &Look| writes.meeting(look.call, look.ret) > 0;
        self.looks.iter().filter(move |look| look.replica.is_none() && is_amid(look) == amid)
    }

    /// The looks that were answered before a moment, the newest first.
    fn before(&self, bound: usize) -> impl Iterator<Item = &Look> {
        self.looks[..self.looks.partition_point(|look| look.ret < bound)].iter().rev()
    }

    /// The looks that were asked for after the last write had ended.
    fn end(&self) -> Vec<&Look> {
        self.looks.iter().filter(|look| look.call > self.written).collect()
    }
}

/// So many faults that nobody could have seen.
fn unseen(count: usize) -> Vec<(Vec<usize>, Answer)> {
    (0..count).map(|_| (Vec::new(), Answer::Older(0))).collect()
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
fn drop_dot(event: &mut Event, dropped: &str) {
    let left: Vec<&str> = dots(event).filter(|&dot| dot != dropped).collect();
    let (version, count) = (left.join("|"), left.len() as u64);
    let extra = event.extra_mut();
    extra.version = Some(version.into());
    extra.siblings = (count > 1).then_some(count);
}
