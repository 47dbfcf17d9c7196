//! Step 5: refusals that did not say what they met.
//!
//! Such a refusal says that the value differed from e at some moment of its interval. It plays no part in
//! the steps before: what they refute, is refuted. If they find an order, each refusal is put into it, where
//! the state is not e.
//!
//! An order leaves room: every job may happen at any moment between the last call of what comes before it
//! (or its own) and the first return of what comes after it (or its own). Two sets of moments are tried, the
//! earliest and the latest; with fixed moments the refusals do not disturb each other. The earliest works
//! wherever a client had seen e before it asked for it, which is why people hardly ever meet a case that is
//! left open.

use crate::linearizability::general::{END, Job};
use crate::model::register::{ABSENT, Need, RegisterOp, Symbol};

/// The order with all opaque refusals in it; nothing if there is one for which no moment was found.
pub(super) fn insert(jobs: &[Job<RegisterOp>], order: Vec<u32>) -> Option<Vec<u32>> {
    let is_opaque = |job: &Job<RegisterOp>| job.must && matches!(job.op.need, Need::Not(_));
    if !jobs.iter().any(is_opaque) {
        return Some(order);
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
    with_moments(jobs, &order, &earliest).or_else(|| with_moments(jobs, &order, &latest))
}

/// The order with all refusals in it, if every other job happens at the given moment.
fn with_moments(jobs: &[Job<RegisterOp>], order: &[u32], moments: &[u32]) -> Option<Vec<u32>> {
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
    let mut additions: Vec<(usize, u32)> = Vec::new();
    for (at, job) in jobs.iter().enumerate() {
        let Need::Not(value) = job.op.need else { continue };
        if !job.must {
            continue;
        }
        // Between which jobs it may come: after all that happen before its call, before all after its return.
        let first = moments.partition_point(|&moment| moment < job.call);
        let last = moments.partition_point(|&moment| moment <= job.ret);
        let place = if states[first] == value { changes[first] } else { first };
        if place > last {
            return None;
        }
        additions.push((place, at as u32));
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
    Some(result)
}
