//! Step 5: refusals that did not say what they met.
//!
//! Such a refusal says that the value differed from e at some moment of its interval. It plays no part in
//! the steps before: what they refute, is refuted. If they find an order, each refusal is put into it, where
//! the state is not e.
//!
//! An order leaves room: every job may happen at any moment between the last call of what comes before it
//! (or its own) and the first return of what comes after it (or its own). Two sets of moments are tried, the
//! earliest and the latest; with fixed moments the refusals do not disturb each other. The earliest works
//! wherever a client had seen e before it asked for it, and mostly elsewhere. Of those that are left, some are
//! *impossible* (Lemma 3, at [`impossible`]): that refutes. Nothing is said of the others, and [`repair`]
//! changes the order where they are.

use super::facts::Facts;
use super::{Conflict, NONE, repair};
use crate::linearizability::general::{END, Job, Limits};
use crate::model::register::{ABSENT, Need, RegisterOp, Symbol};

/// The order with all opaque refusals in it; nothing if there is one for which no place was found.
///
/// # Errors
///
/// If there is one that no order satisfies.
pub(super) fn insert(
    facts: &Facts<'_>,
    order: Vec<u32>,
    limits: Limits,
) -> Result<Option<Vec<u32>>, Conflict> {
    let jobs = facts.jobs;
    if !jobs.iter().any(is_refusal) {
        return Ok(Some(order));
    }
    let mut earliest = Vec::with_capacity(order.len());
    let mut latest = vec![END; order.len()];
    let mut moment = 0;
    for &at in &order {
        moment = jobs[at as usize].call.max(moment);
        earliest.push(moment);
    }
    let mut moment = END;
    for (place, &at) in order.iter().enumerate().rev() {
        moment = jobs[at as usize].ret.min(moment);
        latest[place] = moment;
    }
    let (draft, missed) = with_moments(jobs, &order, &earliest);
    if missed.is_empty() {
        return Ok(Some(draft));
    }
    let (other, missed_late) = with_moments(jobs, &order, &latest);
    if missed_late.is_empty() {
        return Ok(Some(other));
    }
    match missed.into_iter().find_map(|at| impossible(facts, at)) {
        Some(conflict) => Err(conflict),
        None => {
            let half = Limits { steps: limits.steps / 2, ..limits };
            Ok(repair::repair(facts, &draft, half).or_else(|| repair::repair(facts, &other, half)))
        }
    }
}

/// Whether a job is an opaque refusal that must be placed.
pub(super) fn is_refusal(job: &Job<RegisterOp>) -> bool {
    job.must && matches!(job.op.need, Need::Not(_))
}

/// The order with all refusals in it, if every other job happens at the given moment; and the refusals that
/// are not satisfied there. They stand where the first of their interval is.
fn with_moments(jobs: &[Job<RegisterOp>], order: &[u32], moments: &[u32]) -> (Vec<u32>, Vec<u32>) {
    // The state before the job at each place, and after the last.
    let mut states: Vec<Symbol> = Vec::with_capacity(order.len() + 1);
    let mut state = ABSENT;
    states.push(state);
    for &at in order {
        state = jobs[at as usize].op.set.unwrap_or(state);
        states.push(state);
    }
    // For each place, the next one at which the state is another.
    let mut changes = vec![states.len(); states.len()];
    for place in (0..states.len() - 1).rev() {
        changes[place] = if states[place] == states[place + 1] { changes[place + 1] } else { place + 1 };
    }
    let (mut additions, mut missed): (Vec<(usize, u32)>, Vec<u32>) = (Vec::new(), Vec::new());
    for (at, job) in jobs.iter().enumerate().filter(|(_, job)| is_refusal(job)) {
        let Need::Not(value) = job.op.need else { continue };
        // Between which jobs it may come: after all that happen before its call, before all after its return.
        let first = moments.partition_point(|&moment| moment < job.call);
        let last = moments.partition_point(|&moment| moment <= job.ret);
        let place = if states[first] == value { changes[first] } else { first };
        if place > last {
            missed.push(at as u32);
            additions.push((first, at as u32));
        } else {
            additions.push((place, at as u32));
        }
    }
    additions.sort_unstable_by_key(|&(place, at)| (place, jobs[at as usize].call));
    let mut additions = additions.into_iter().peekable();
    let mut result = Vec::with_capacity(order.len());
    for place in 0..states.len() {
        while let Some((_, at)) = additions.next_if(|&(before, _)| before == place) {
            result.push(at);
        }
        result.extend(order.get(place));
    }
    (result, missed)
}

/// The conflict of a refusal with the value e that was certainly in force from its call to its return.
///
/// **Lemma 3.** Let e, not absence, have one writer, which certainly took effect. Let b be the first return
/// among the writer and the plain reads of e that must take effect, and d the last call among them and the
/// job that certainly replaced e. If b is before the call of a refusal of e, and d after its return, there
/// is no order. *Proof.* In any order e is in force during one stretch, since only one job writes it, and
/// does so once. Whoever returned at b wrote or read e at b or before, so the stretch began at b or before.
/// Whoever was called at d wrote, read or replaced e at d or later, so it had not ended before d. The refusal
/// took effect after b and before d: in the stretch. What an optional job does cannot matter: if it ended
/// the stretch before d, the job called at d was impossible. A write that was never answered has no return,
/// so it is no b; it counts as writer or as d only where it is taken for certain (Lemma 2). A value with
/// several writers never comes here ([`Facts::new`] gives up), and neither absence nor an optional delete
/// has a place in any of this.
fn impossible(facts: &Facts<'_>, at: u32) -> Option<Conflict> {
    let refusal = facts.job(at);
    let Need::Not(value) = refusal.op.need else { return None };
    let fact = facts.value(value);
    if value == ABSENT || fact.writer == NONE || !facts.taken[fact.writer as usize] {
        return None;
    }
    let writer = facts.job(fact.writer);
    let from = fact.first_ret.min(writer.ret);
    let seen = fact.last_call.max(writer.call);
    let replaced = if fact.heir == NONE { 0 } else { facts.job(fact.heir).call };
    if from >= refusal.call || seen.max(replaced) <= refusal.ret {
        return None;
    }
    let mut suspects = facts.with_observer(fact.writer);
    suspects.push(at);
    if seen <= refusal.ret {
        suspects.extend(facts.with_observer(fact.heir));
    }
    let is_end = |at: usize| {
        let job = &facts.jobs[at];
        let reads = job.op == RegisterOp { need: Need::Is(value), set: None };
        facts.taken[at] && reads && (job.ret == from || job.call == seen)
    };
    suspects.extend((0..facts.jobs.len()).filter(|&at| is_end(at)).map(|at| at as u32));
    Some(Conflict::between(facts.jobs, &suspects))
}
