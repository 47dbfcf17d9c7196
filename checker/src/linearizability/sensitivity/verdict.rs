//! Does the check refute the copy, and if not, why?
//!
//! The reasons follow from rules that can be checked one by one, in this order:
//!
//! 1. No answer differs. If the difference lasted to the end, nobody looked (`no-later-read`), or who looked
//!    was only told what fits both (`indistinguishable`: a refusal without an image). If a write wiped it
//!    out, that write was `indeterminate`, or it was blind (`next-write-is-blind`): one that says what it
//!    replaced would have been answered otherwise.
//! 2. Answers differ, and the check refutes the copy.
//! 3. It would refute it if every operation without an answer had done exactly what it did in the witness,
//!    and when it did: `indeterminate`.
//! 4. What is left: `concurrent`. The copy is always wrong in the order of the witness, since from the slip to
//!    the first answer that differs the right state and the wrong one are never the same. So another order
//!    explains it, which only operations that overlap can have.

use super::super::general::{Answer, Job, Limits};
use super::super::object::{Action, Entry};
use super::super::problem::{Problem, as_recorded};
use super::slip::Slip;
use super::{Outcome, Subject};
use crate::model::register::RegisterOp;
use crate::sensitivity::{
    CONCURRENT, INDETERMINATE, INDISTINGUISHABLE, NEXT_WRITE_IS_BLIND, NO_LATER_READ, Reason, UNDECIDED,
};

/// What one copy may cost. The item algorithm needs far less; this is for histories that it cannot judge.
const LIMITS: Limits = Limits { steps: 200_000, bytes: 64 << 20 };

/// Judges the copy.
pub(super) fn of(subject: &Subject<'_, '_>, slip: &Slip) -> Outcome {
    if slip.changes.is_empty() {
        return Err(unseen(subject, slip));
    }
    let copy = changed(subject, slip);
    match solve(subject, copy.clone()) {
        Answer::Not { .. } => return Ok(()),
        Answer::Unknown { .. } => return Err(&UNDECIDED),
        Answer::Linearizable => {}
    }
    if copy.iter().all(|job| job.must) {
        return Err(&CONCURRENT);
    }
    match solve(subject, settled(subject, slip, &copy)) {
        Answer::Not { .. } => Err(&INDETERMINATE),
        Answer::Unknown { .. } => Err(&UNDECIDED),
        Answer::Linearizable => Err(&CONCURRENT),
    }
}

/// Why no answer differs.
fn unseen(subject: &Subject<'_, '_>, slip: &Slip) -> &'static Reason {
    match slip.until.map(|place| &subject.object.entries[subject.witness.order[place] as usize]) {
        None if slip.looked => &INDISTINGUISHABLE,
        None => &NO_LATER_READ,
        Some(Entry { ret: None, .. }) => &INDETERMINATE,
        Some(Entry { action: Action::Write { .. }, .. }) => &NEXT_WRITE_IS_BLIND,
        Some(_) => &INDISTINGUISHABLE,
    }
}

/// The jobs of the copy.
pub(super) fn changed(subject: &Subject<'_, '_>, slip: &Slip) -> Vec<Job<RegisterOp>> {
    let mut jobs = subject.whole.jobs.clone();
    for &(at, action) in &slip.changes {
        jobs[at as usize] = as_recorded(&Entry { action, ..subject.object.entries[at as usize] });
    }
    jobs
}

fn solve(subject: &Subject<'_, '_>, jobs: Vec<Job<RegisterOp>>) -> Answer {
    Problem { jobs, values: subject.whole.values }.solve(subject.engine, LIMITS).answer
}

/// The copy, with every operation that was never answered held to what it did: either it had its effect at
/// the moment that the witness gives it, or none. Moments are doubled, so that these fall between the others.
fn settled(subject: &Subject<'_, '_>, slip: &Slip, copy: &[Job<RegisterOp>]) -> Vec<Job<RegisterOp>> {
    let mut at_moment = vec![None; copy.len()];
    for (&at, &moment) in subject.witness.order.iter().zip(&subject.witness.moments) {
        at_moment[at as usize] = Some(2 * moment + 1);
    }
    for &at in &slip.unapplied {
        at_moment[at as usize] = None;
    }
    let settle = |(job, moment): (&Job<RegisterOp>, Option<u32>)| {
        let (call, ret) = if job.must { (2 * job.call, 2 * job.ret) } else { (moment?, moment?) };
        Some(Job { op: job.op, call, ret, must: true })
    };
    let mut jobs: Vec<_> = copy.iter().zip(at_moment).filter_map(settle).collect();
    jobs.sort_by_key(|job| job.call);
    jobs
}
