//! Weakening: what is left of a history when only some operations count in full.
//!
//! The contract's section 5 defines it. Of an operation outside the certificate, a read, a failed condition
//! and every `observed` are dropped; a write or conditional write still does what it did, condition
//! included, but at any moment of the run or not at all; a delete (conditional ones too) may not have
//! happened, but if it did, then within its own interval. Indeterminate operations are weak already, but for
//! the moment of their invocation.
//!
//! Minimising a certificate asks for many such problems on one history, and most of what is weakened cannot
//! matter. So a problem is made from its members outwards:
//!
//! - A weakened write matters only if somebody needs its value: a member, or what brings a value that matters
//!   (Lemma 1 of [`super::item`]). Deletes matter only if absence is needed, and only while a member is open.
//! - *Chains.* A value that nobody but one weakened conditional write needs, and that one other weakened write
//!   brings, is passed through at once: the two become one, on the condition of the first. Both are free in
//!   time, and each is of use only with the other. So a chain of a million conditional writes between two
//!   values that matter is one job. Where two chains that matter meet, the value in which they do is kept.
//! - *Alike.* Weakened writes of one value on one condition can stand in for each other. Between two members a
//!   minimal order comes by no value twice (the way back to it could be cut out), so it takes no more of them
//!   than there are members: of a value that was written ten thousand times, a few writes are left.
//! - *Opaque members* (the value was not e) are satisfied by any write in between. One blind write each, of a
//!   value that nobody needs, is as good as all; where there are not so many, the whole history is kept.

use std::collections::HashMap;
use std::rc::Rc;

use super::buckets::Buckets;
use super::general::{END, Job};
use super::object::{Action, Entry, Object};
use super::problem::{Problem, as_recorded, bare};
use crate::history::hash::Fast;
use crate::model::register::{ABSENT, Need, RegisterOp, Symbol};

/// An object's history, ready to be weakened.
#[derive(Debug)]
pub(super) struct Weakening<'o, 'h> {
    pub(super) object: &'o Object<'h>,
    /// The entries that write each value.
    pub(super) writers: Rc<Buckets>,
    /// Those of each value that several entries write, put together by what they need when weakened.
    alike: HashMap<Symbol, Vec<Alike>, Fast>,
    /// What is known of each value.
    marks: Vec<Mark>,
    /// The round in which each entry was last a member.
    strong: Vec<u32>,
    /// Problems are made in rounds: what was noted in an earlier one says nothing.
    round: u32,
    /// The values that matter in this round, by their names in the problem.
    named: Vec<Symbol>,
}

/// The entries that write one value on one condition.
#[derive(Debug)]
struct Alike {
    need: Need,
    entries: Vec<usize>,
}

/// What is known of a value in the round of this number.
#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    round: u32,
    /// Its name in the problem; none where a chain passes through it.
    name: Option<Symbol>,
    /// Whether a chain has been followed through it to the bottom.
    followed: bool,
}

/// Who brings a value.
enum Source {
    /// One weakened write, which needs this.
    Weak(Need),
    /// Others: none, several, or a member.
    Other,
}

impl<'o, 'h> Weakening<'o, 'h> {
    pub(super) fn new(object: &'o Object<'h>) -> Self {
        let wrote = object.entries.iter().map(|entry| entry.action.wrote());
        let writers = Buckets::new(object.values.len(), wrote);
        Self {
            object,
            alike: alike(object, &writers),
            writers: Rc::new(writers),
            marks: vec![Mark::default(); object.values.len()],
            strong: vec![0; object.entries.len()],
            round: 0,
            named: Vec::new(),
        }
    }

    /// The problem in which these entries (by place) are as they were, and every other one is weakened.
    pub(super) fn problem(&mut self, members: &[usize]) -> Problem {
        self.round += 1;
        self.named.clear();
        self.name(ABSENT);
        for &at in members {
            self.strong[at] = self.round;
        }
        let mut absence = false;
        for &at in members {
            let recorded = as_recorded(&self.object.entries[at]).op;
            let bare = bare(&self.object.entries[at]);
            for need in [Some(recorded), bare].into_iter().flatten().map(|op| op.need) {
                absence |= need == Need::Is(ABSENT);
                if let Need::Is(value) | Need::Not(value) = need {
                    self.name(value);
                }
            }
            if let Some(value) = recorded.set {
                self.name(value);
            }
        }
        let deletes = self.trace(members, absence);
        if !self.name_spare_writes(members) {
            return self.everything();
        }
        let mut jobs: Vec<Job<RegisterOp>> =
            members.iter().map(|&at| as_recorded(&self.object.entries[at])).collect();
        jobs.extend(deletes.iter().filter_map(|&at| weakened(&self.object.entries[at])));
        self.bring(&mut jobs);
        for job in &mut jobs {
            job.op = self.renamed(job.op);
        }
        jobs.sort_by_key(|job| job.call);
        Problem { jobs, values: self.named.len() + 1 }
    }

    /// Notes that a value matters.
    fn name(&mut self, value: Symbol) {
        if !self.is_named(value) {
            let followed = self.is_marked(value);
            let name = Some(self.named.len() as Symbol);
            self.marks[value as usize] = Mark { round: self.round, name, followed };
            self.named.push(value);
        }
    }

    fn is_named(&self, value: Symbol) -> bool {
        self.is_marked(value) && self.marks[value as usize].name.is_some()
    }

    /// Whether it matters, or a chain passes through it.
    fn is_marked(&self, value: Symbol) -> bool {
        self.marks[value as usize].round == self.round
    }

    fn is_strong(&self, at: usize) -> bool {
        self.strong[at] == self.round
    }

    fn source(&self, value: Symbol) -> Source {
        match self.writers.of(value) {
            &[at] if !self.is_strong(at) => {
                bare(&self.object.entries[at]).map_or(Source::Other, |op| Source::Weak(op.need))
            }
            _ => Source::Other,
        }
    }

    /// Names every value that matters, and returns the weakened deletes that do.
    fn trace(&mut self, members: &[usize], mut absence: bool) -> Vec<usize> {
        let (mut next, mut deletes) = (0, None);
        loop {
            // By index: the list grows.
            while let Some(&value) = self.named.get(next) {
                next += 1;
                if value == ABSENT || self.marks[value as usize].followed {
                    continue;
                }
                absence |= match self.source(value) {
                    Source::Weak(need) => self.pass(need),
                    Source::Other => self.name_needs(value),
                };
            }
            if !absence || deletes.is_some() {
                return deletes.unwrap_or_default();
            }
            let found = self.deletes(members);
            for &at in &found {
                if let Some(Need::Is(value)) = bare(&self.object.entries[at]).map(|op| op.need) {
                    self.name(value);
                }
            }
            deletes = Some(found);
        }
    }

    /// Names what the weakened writers of a value need; whether one of them needs absence.
    fn name_needs(&mut self, value: Symbol) -> bool {
        let needs: Vec<Need> = match self.alike.get(&value) {
            Some(kinds) => {
                let is_weak = |kind: &&Alike| kind.entries.iter().any(|&at| !self.is_strong(at));
                kinds.iter().filter(is_weak).map(|kind| kind.need).collect()
            }
            None => {
                let weak = self.writers.of(value).iter().filter(|&&at| !self.is_strong(at));
                weak.filter_map(|&at| bare(&self.object.entries[at])).map(|op| op.need).collect()
            }
        };
        for &need in &needs {
            if let Need::Is(value) = need {
                self.name(value);
            }
        }
        needs.contains(&Need::Is(ABSENT))
    }

    /// Follows a chain down from what its top needs, to a value that matters or to its bottom; whether that
    /// needs absence.
    fn pass(&mut self, mut need: Need) -> bool {
        while let Need::Is(value) = need
            && value != ABSENT
        {
            if self.is_named(value) {
                return false;
            }
            let Source::Weak(below) = self.source(value) else {
                self.name(value);
                return false;
            };
            if self.is_marked(value) {
                // Two chains meet.
                self.name(value);
                return false;
            }
            self.marks[value as usize] = Mark { round: self.round, name: None, followed: true };
            need = below;
        }
        need == Need::Is(ABSENT)
    }

    /// The weakened deletes that are open while a member is.
    fn deletes(&self, members: &[usize]) -> Vec<usize> {
        let entries = &self.object.entries;
        let first_call = members.iter().map(|&at| entries[at].call).min().unwrap_or(0);
        let last_ret = members.iter().filter_map(|&at| entries[at].ret).max().unwrap_or(0);
        let idle = |entry: &Entry| entry.call > last_ret || entry.ret.is_some_and(|ret| ret < first_call);
        let deletes = self.writers.of(ABSENT).iter().copied();
        deletes.filter(|&at| !self.is_strong(at) && !idle(&entries[at])).collect()
    }

    /// Names, for every opaque member, the value of a blind write that did not matter; false if there are too
    /// few.
    fn name_spare_writes(&mut self, members: &[usize]) -> bool {
        let entries = &self.object.entries;
        let opaque = |at: &&usize| matches!(entries[**at].action, Action::Refused { met: None, .. });
        let mut wanted = members.iter().filter(opaque).count();
        for (at, entry) in entries.iter().enumerate() {
            if wanted == 0 {
                break;
            }
            if let Action::Write { new, .. } = entry.action
                && !self.is_strong(at)
                && !self.is_marked(new)
            {
                self.name(new);
                wanted -= 1;
            }
        }
        wanted == 0
    }

    /// Adds the weakened writes that bring the values that matter, to jobs that are all others.
    fn bring(&self, jobs: &mut Vec<Job<RegisterOp>>) {
        // More of a sort than there are others are of no use. One more than that, and the engine knows that it
        // need not count them.
        let plenty = jobs.len() + 1;
        for &value in self.named.iter().filter(|&&value| value != ABSENT) {
            let Source::Weak(mut need) = self.source(value) else {
                for kind in self.alike.get(&value).into_iter().flatten() {
                    let weak = kind.entries.iter().filter(|&&at| !self.is_strong(at));
                    jobs.extend(weak.take(plenty).filter_map(|&at| weakened(&self.object.entries[at])));
                }
                continue;
            };
            while let Need::Is(under) = need
                && !self.is_named(under)
                && let Source::Weak(below) = self.source(under)
            {
                need = below;
            }
            let op = RegisterOp { need, set: Some(value) };
            jobs.push(Job { op, call: 0, ret: END, must: false });
        }
    }

    /// The same operation, with the problem's names for its values. All that do not matter have one name.
    fn renamed(&self, op: RegisterOp) -> RegisterOp {
        let other = self.named.len() as Symbol;
        let rename = |value: Symbol| {
            if self.is_named(value) { self.marks[value as usize].name.unwrap_or(other) } else { other }
        };
        let need = match op.need {
            Need::Is(value) => Need::Is(rename(value)),
            Need::Not(value) => Need::Not(rename(value)),
            other => other,
        };
        RegisterOp { need, set: op.set.map(rename) }
    }

    /// The problem with every entry in it.
    fn everything(&self) -> Problem {
        let entries = self.object.entries.iter().enumerate();
        let job = |(at, entry)| if self.is_strong(at) { Some(as_recorded(entry)) } else { weakened(entry) };
        Problem { jobs: entries.filter_map(job).collect(), values: self.object.values.len() }
    }
}

/// The writes that are alike, of every value but absence that several entries write.
fn alike(object: &Object<'_>, writers: &Buckets) -> HashMap<Symbol, Vec<Alike>, Fast> {
    let mut alike: HashMap<Symbol, Vec<Alike>, Fast> = HashMap::default();
    for value in (0..object.values.len() as Symbol).filter(|&value| value != ABSENT) {
        let writers = writers.of(value);
        if writers.len() < 2 {
            continue;
        }
        let mut needs: Vec<(Option<Symbol>, usize)> = Vec::with_capacity(writers.len());
        needs.extend(writers.iter().map(|&at| (condition(&object.entries[at]), at)));
        needs.sort_unstable();
        let kinds = needs.chunk_by(|a, b| a.0 == b.0).map(|kind| Alike {
            need: kind[0].0.map_or(Need::Any, Need::Is),
            entries: kind.iter().map(|&(_, at)| at).collect(),
        });
        alike.insert(value, kinds.collect());
    }
    alike
}

/// What a weakened write still needs to be in force.
fn condition(entry: &Entry) -> Option<Symbol> {
    match bare(entry)?.need {
        Need::Is(value) => Some(value),
        _ => None,
    }
}

/// The job of a weakened entry: a write at any moment or not at all, a delete in its interval or not at all.
fn weakened(entry: &Entry) -> Option<Job<RegisterOp>> {
    let op = bare(entry)?;
    let (call, ret) = if op.set == Some(ABSENT) { (entry.call, entry.ret.unwrap_or(END)) } else { (0, END) };
    Some(Job { op, call, ret, must: false })
}
