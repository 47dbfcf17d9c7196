//! Weakening: what is left of a history when only some operations count in full.
//!
//! The contract's section 5 defines it. Of an operation outside the certificate, a read, a failed condition
//! and every `observed` are dropped; a write or conditional write still does what it did, condition
//! included, but at any moment of the run or not at all; a delete (conditional ones too) may not have
//! happened, but if it did, then within its own interval. Indeterminate operations are weak already, but for
//! the moment of their invocation.
//!
//! Minimising a certificate asks for many such problems on one history, most of them small. So a problem is
//! built from its members outwards: the values that they need, who writes those, what those need. What is
//! not reached this way could be left out anyway ([`super::reduce`], Lemma 1), but not before it had been
//! looked at.

use std::collections::{HashMap, HashSet};

use super::buckets::Buckets;
use super::general::{END, Job};
use super::object::{Action, Entry, Object};
use super::problem::{Problem, as_recorded, bare};
use crate::model::register::{ABSENT, Need, RegisterOp, Symbol};

/// An object's history, ready to be weakened.
#[derive(Debug)]
pub(super) struct Weakening<'o, 'h> {
    pub(super) object: &'o Object<'h>,
    /// The entries that write each value.
    writers: Buckets,
}

impl<'o, 'h> Weakening<'o, 'h> {
    pub(super) fn new(object: &'o Object<'h>) -> Self {
        let wrote = object.entries.iter().map(|entry| entry.action.wrote());
        Self { object, writers: Buckets::new(object.values.len(), wrote) }
    }

    /// The problem in which these entries (by place) are as they were, and every other one is weakened.
    pub(super) fn problem(&self, members: &[usize]) -> Problem {
        let strong: HashSet<usize> = members.iter().copied().collect();
        let entries = self.relevant(&strong);
        let mut names = HashMap::from([(ABSENT, ABSENT)]);
        let jobs = entries
            .into_iter()
            .filter_map(|at| {
                let entry = &self.object.entries[at];
                if strong.contains(&at) { Some(as_recorded(entry)) } else { weakened(entry) }
            })
            .map(|job| Job { op: renamed(job.op, &mut names), ..job })
            .collect();
        Problem { jobs, values: names.len() }
    }

    /// The entries that can matter to the strong ones, in order.
    fn relevant(&self, strong: &HashSet<usize>) -> Vec<usize> {
        let entries = &self.object.entries;
        let opaque = |at: &usize| matches!(entries[*at].action, Action::Refused { met: None, .. });
        if strong.iter().any(opaque) {
            // Any write can help where something must not be in force.
            return (0..entries.len()).collect();
        }
        let mut found = strong.clone();
        let mut named = HashSet::new();
        let mut values = Vec::new();
        for &at in strong {
            let recorded = as_recorded(&entries[at]).op.need;
            let needs = [Some(recorded), bare(&entries[at]).map(|op| op.need)];
            values
                .extend(needs.into_iter().flatten().filter_map(needed).filter(|&value| named.insert(value)));
        }
        let first_call = strong.iter().map(|&at| entries[at].call).min().unwrap_or(0);
        let last_ret = strong.iter().filter_map(|&at| entries[at].ret).max().unwrap_or(0);
        // A delete keeps its interval: outside the time of the strong operations it is of no use.
        let idle = |entry: &Entry| entry.call > last_ret || entry.ret.is_some_and(|ret| ret < first_call);
        while let Some(value) = values.pop() {
            for &at in self.writers.of(value) {
                if (value == ABSENT && idle(&entries[at])) || !found.insert(at) {
                    continue;
                }
                let need = bare(&entries[at]).and_then(|op| needed(op.need));
                values.extend(need.filter(|&value| named.insert(value)));
            }
        }
        let mut found: Vec<usize> = found.into_iter().collect();
        found.sort_unstable();
        found
    }
}

/// The job of a weakened entry: a write at any moment or not at all, a delete in its interval or not at all.
fn weakened(entry: &Entry) -> Option<Job<RegisterOp>> {
    let op = bare(entry)?;
    let (call, ret) = if op.set == Some(ABSENT) { (entry.call, entry.ret.unwrap_or(END)) } else { (0, END) };
    Some(Job { op, call, ret, must: false })
}

fn needed(need: Need) -> Option<Symbol> {
    match need {
        Need::Is(value) => Some(value),
        Need::Any | Need::Not(_) | Need::Never => None,
    }
}

/// The same operation, with its values numbered in the order in which they turn up.
fn renamed(op: RegisterOp, names: &mut HashMap<Symbol, Symbol>) -> RegisterOp {
    let mut rename = |value| {
        let fresh = Symbol::try_from(names.len()).unwrap_or(Symbol::MAX);
        *names.entry(value).or_insert(fresh)
    };
    let need = match op.need {
        Need::Is(value) => Need::Is(rename(value)),
        Need::Not(value) => Need::Not(rename(value)),
        other => other,
    };
    RegisterOp { need, set: op.set.map(rename) }
}
