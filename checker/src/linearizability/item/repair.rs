//! Step 5, continued: an order that satisfies all but a few opaque refusals is changed where they are.
//!
//! What a refusal lacks is mostly near: a block that may lie anywhere in some time was placed before the
//! value e was written, and would have done between; or a write was never answered, was seen by nobody and
//! left out, and was the one that replaced e for a moment.
//!
//! So take a *stretch* of the order around the refusal, and ask the [`general`]
//! engine for another order of its jobs, from the state before it to the state behind it, in which every
//! refusal in it is satisfied. Some writes that were left out may be used. All other jobs stay as they
//! are.
//!
//! **Why that is an order of the whole.** Call the three parts P, W and Q. The states fit by construction. And
//! real time: no job of W ended before one of P was called, and none of Q ended before one of W was called,
//! since P W Q is an order. That does not depend on how W is ordered. A write that is added has no end, so
//! it did not end before any of P was called; it must have been called before the first return in Q.
//!
//! Of the blind writes that may be added, those that were called first come first: they fit wherever a later
//! one does. Writes on the condition that e was in force can end it, too.
//!
//! Stretches grow, and each is searched within limits, so the time is proportional to the number of refusals
//! that were not satisfied. What is not found is not refuted: nothing is known of what other stretches could
//! have done. What is found is replayed as a whole, whatever was said above: nothing else makes it an answer.

use std::collections::BTreeMap;

use super::facts::Facts;
use crate::linearizability::general::{self, END, Job, Limits};
use crate::linearizability::lifetimes::Lifetimes;
use crate::model::Model;
use crate::model::register::{ABSENT, Need, Register, RegisterOp, Symbol};

/// How many jobs on either side of a refusal are ordered anew, one attempt after the other.
const REACHES: [usize; 5] = [6, 16, 40, 100, 250];

/// How many writes that nobody saw are offered, of each sort: blind ones, and those on the refused value.
const SPARE: usize = 3;

/// The steps of one attempt, for each job of the reach.
const ATTEMPT: u64 = 2_000;

/// What part of the limits all attempts together may use.
const SHARE: u64 = 4;

/// An order that satisfies all refusals, made of one that has them in it and satisfies most; nothing if none
/// was found within the limits.
pub(super) fn repair(facts: &Facts<'_>, draft: &[u32], limits: Limits) -> Option<Vec<u32>> {
    let mut repair = Repair::new(facts, draft);
    let mut limits = Limits { steps: limits.steps / SHARE, ..limits };
    // Beyond the first reach that covers everything, all are the same.
    let distinct = REACHES.partition_point(|&reach| reach < draft.len()) + 1;
    let mut place = 0;
    while let Some(&at) = draft.get(place) {
        if repair.append(at) {
            place += 1;
            continue;
        }
        let mut reaches = REACHES.iter().take(distinct);
        place = reaches.find_map(|&reach| repair.around(draft, place, reach, &mut limits))?;
    }
    is_order(facts.jobs, &repair.done).then_some(repair.done)
}

/// A repair in progress, from the beginning of the order to its end.
struct Repair<'f> {
    facts: &'f Facts<'f>,
    /// The order so far, all of it satisfied, and the state after each job.
    done: Vec<u32>,
    states: Vec<Symbol>,
    /// By place in the draft: the first return from there on.
    first_ret: Vec<u32>,
    /// Whether a job is in the order or the draft.
    used: Vec<bool>,
    /// Blind writes without an end that were left out, in order of their calls; the first is the next to use.
    blind: Vec<u32>,
    next_blind: usize,
    /// Conditional ones, by what they need.
    conditional: Vec<(Symbol, u32)>,
}

impl<'f> Repair<'f> {
    fn new(facts: &'f Facts<'f>, draft: &[u32]) -> Self {
        let mut first_ret = vec![END; draft.len() + 1];
        let mut used = vec![false; facts.jobs.len()];
        for (place, &at) in draft.iter().enumerate().rev() {
            first_ret[place] = first_ret[place + 1].min(facts.job(at).ret);
            used[at as usize] = true;
        }
        let (mut blind, mut conditional) = (Vec::new(), Vec::new());
        for (at, job) in facts.jobs.iter().enumerate() {
            match job.op {
                _ if used[at] || job.must || job.ret != END => {}
                RegisterOp { need: Need::Any, set: Some(_) } => blind.push(at as u32),
                RegisterOp { need: Need::Is(value), set: Some(_) } => conditional.push((value, at as u32)),
                _ => {}
            }
        }
        blind.sort_by_key(|&at| facts.job(at).call);
        conditional.sort_unstable();
        let (done, states) = (Vec::with_capacity(draft.len()), Vec::with_capacity(draft.len()));
        Self { facts, done, states, first_ret, used, blind, next_blind: 0, conditional }
    }

    /// Adds the next job; false if it is not possible in the state that there is.
    fn append(&mut self, at: u32) -> bool {
        let state = self.states.last().copied().unwrap_or(ABSENT);
        let Some(state) = Register.step(&state, &self.facts.job(at).op).next() else { return false };
        self.done.push(at);
        self.states.push(state);
        true
    }

    /// Orders the jobs around a place of the draft anew. Where it goes on from there, if that succeeded.
    fn around(&mut self, draft: &[u32], place: usize, reach: usize, limits: &mut Limits) -> Option<usize> {
        let from = self.done.len().saturating_sub(reach);
        let to = (place + reach).min(draft.len());
        let before = from.checked_sub(1).map_or(ABSENT, |last| self.states[last]);
        let mut after = self.states.last().copied().unwrap_or(ABSENT);
        for &at in &draft[place..to] {
            after = self.facts.job(at).op.set.unwrap_or(after);
        }
        let mut among: Vec<u32> = [&self.done[from..], &draft[place..to]].concat();
        among.extend(self.spare(&draft[place..to], self.first_ret[to]));
        among.sort_unstable_by_key(|&at| self.facts.job(at).call);
        let goal = (to < draft.len()).then_some(after);
        let attempt = Limits { steps: limits.steps.min(reach as u64 * ATTEMPT), ..*limits };
        let (found, steps) = self.stretch(&among, before, goal, attempt);
        limits.steps = limits.steps.saturating_sub(steps);
        let found = found?;
        let mut states = Vec::with_capacity(found.len());
        let mut state = before;
        for &at in &found {
            let next = Register.step(&state, &self.facts.job(at).op).next()?;
            state = next;
            states.push(state);
            self.used[at as usize] = true;
        }
        self.done.truncate(from);
        self.states.truncate(from);
        self.done.extend(found);
        self.states.extend(states);
        Some(to)
    }

    /// Writes that were left out and may help the refusals among these jobs, called by this moment.
    fn spare(&mut self, jobs: &[u32], until: u32) -> Vec<u32> {
        let may_come = |at: &u32| !self.used[*at as usize] && self.facts.job(*at).call <= until;
        while self.blind.get(self.next_blind).is_some_and(|&at| self.used[at as usize]) {
            self.next_blind += 1;
        }
        let blind = self.blind[self.next_blind..].iter().copied().take(2 * SPARE);
        let mut found: Vec<u32> = blind.filter(may_come).take(SPARE).collect();
        // The first of them is the refusal that is not satisfied.
        if let Some(&refusal) = jobs.first()
            && let Need::Not(value) = self.facts.job(refusal).op.need
        {
            let first = self.conditional.partition_point(|&(needed, _)| needed < value);
            let same = self.conditional[first..].iter().take_while(|&&(needed, _)| needed == value);
            found.extend(same.map(|&(_, at)| at).filter(may_come).take(SPARE));
        }
        found
    }

    /// An order of these jobs from one state to another, if one is found, and the steps that it took. Those
    /// that are in the order already must be in it.
    fn stretch(
        &self,
        among: &[u32],
        before: Symbol,
        after: Option<Symbol>,
        limits: Limits,
    ) -> (Option<Vec<u32>>, u64) {
        let mut names = BTreeMap::from([(ABSENT, ABSENT)]);
        let mut name = |value: Symbol| {
            let next = names.len() as Symbol;
            *names.entry(value).or_insert(next)
        };
        let mut jobs = Vec::with_capacity(among.len() + 2);
        let start = RegisterOp { need: Need::Any, set: Some(name(before)) };
        jobs.push(Job { op: start, call: 0, ret: 0, must: true });
        for &at in among {
            let Job { op, call, ret, .. } = *self.facts.job(at);
            let need = match op.need {
                Need::Is(value) => Need::Is(name(value)),
                Need::Not(value) => Need::Not(name(value)),
                other => other,
            };
            let op = RegisterOp { need, set: op.set.map(&mut name) };
            jobs.push(Job { op, call, ret: ret.min(END - 2), must: self.used[at as usize] });
        }
        if let Some(after) = after {
            let goal = RegisterOp { need: Need::Is(name(after)), set: None };
            jobs.push(Job { op: goal, call: END - 1, ret: END - 1, must: true });
        }
        let lifetimes = Lifetimes::new(&jobs, names.len() as Symbol, true);
        let outcome = general::search(&Register, &lifetimes, &jobs, limits);
        let own = |job: u32| (job as usize).checked_sub(1).and_then(|job| among.get(job)).copied();
        (outcome.order.map(|order| order.into_iter().filter_map(own).collect()), outcome.steps)
    }
}

/// Whether this is an order: every job is possible where it stands, comes once, and none stands behind one
/// that was called after its return; and whether everything that must take effect is in it.
fn is_order(jobs: &[Job<RegisterOp>], order: &[u32]) -> bool {
    let mut placed = vec![false; jobs.len()];
    let (mut state, mut last_call) = (ABSENT, 0);
    for &at in order {
        let job = &jobs[at as usize];
        last_call = job.call.max(last_call);
        let Some(next) = Register.step(&state, &job.op).next() else { return false };
        if job.ret < last_call || std::mem::replace(&mut placed[at as usize], true) {
            return false;
        }
        state = next;
    }
    // What needs nothing and changes nothing can be put in anywhere, and nobody did.
    let says_nothing = |job: &Job<RegisterOp>| job.op == RegisterOp { need: Need::Any, set: None };
    jobs.iter().zip(placed).all(|(job, placed)| placed || !job.must || says_nothing(job))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(need: Need, set: Option<Symbol>, call: u32, ret: u32) -> Job<RegisterOp> {
        Job { op: RegisterOp { need, set }, call, ret, must: ret != END }
    }

    #[test]
    fn a_replay_lets_only_orders_pass() {
        let jobs = [
            job(Need::Any, Some(1), 1, 2),
            job(Need::Any, Some(2), 3, 6),
            job(Need::Not(1), None, 4, 5),
            job(Need::Is(2), Some(3), 7, END),
        ];
        assert!(is_order(&jobs, &[0, 1, 2]));
        assert!(is_order(&jobs, &[0, 1, 2, 3]), "what is optional may take effect");
        assert!(!is_order(&jobs, &[0, 2, 1]), "1 is in force");
        assert!(!is_order(&jobs, &[2, 0, 1]), "0 ended before 2 was called");
        assert!(!is_order(&jobs, &[0, 1, 3, 2]), "2 ended before 3 was called");
        assert!(!is_order(&jobs, &[0, 1, 2, 2]), "2 comes twice");
        assert!(!is_order(&jobs, &[0, 1]), "a refusal is missing");
        assert!(!is_order(&jobs, &[1, 2]), "a write is missing");
    }

    #[test]
    fn a_write_that_nobody_saw_lets_a_refusal_be_true() {
        let limits = Limits { steps: 1_000_000, bytes: 1 << 20 };
        let mut jobs = vec![
            job(Need::Any, Some(1), 1, 2),
            job(Need::Any, Some(2), 3, END),
            job(Need::Not(1), None, 4, 5),
        ];
        let facts = Facts::new(&jobs, 3).expect("they do not contradict each other");
        assert_eq!(repair(&facts, &[0, 2], limits), Some(vec![0, 1, 2]));
        // Called too late, it does not.
        jobs.swap(1, 2);
        jobs[2].call = 6;
        let facts = Facts::new(&jobs, 3).expect("they do not contradict each other");
        assert_eq!(repair(&facts, &[0, 1], limits), None);
    }
}
