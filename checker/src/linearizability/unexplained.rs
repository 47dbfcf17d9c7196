//! What no operation can have brought in time, found before anything is searched.
//!
//! A search finds out that a value was never written by trying every order of everything else. One look is enough: of
//! each value, the first moment at which an operation that brings it may take effect. What shows it must not have ended
//! before. That is linear in the number of jobs, and exact as far as it goes: a job that it names has no place in any
//! order.
//!
//! The proof is that job, and the jobs that bring its value too late: were one of these free to happen at any time, it
//! might have come in time.

use std::collections::HashMap;
use std::hash::Hash;

use super::general::Job;
use crate::history::hash::Fast;

/// A job that nothing explains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unexplained {
    /// Its place.
    pub job: usize,
    /// The places of the jobs that bring too late what it shows.
    pub late: Vec<usize>,
}

impl Unexplained {
    /// The jobs that prove it.
    pub(super) fn suspects(&self) -> Vec<usize> {
        std::iter::once(self.job).chain(self.late.iter().copied()).collect()
    }
}

/// The first job to end that must take effect and shows something that nobody can have brought by then. `brings` and
/// `shows` name what a call brings and shows.
pub fn find<O, T: Copy + Eq + Hash>(
    jobs: &[Job<O>],
    brings: impl Fn(&O, &mut dyn FnMut(T)),
    shows: impl Fn(&O, &mut dyn FnMut(T)),
) -> Option<Unexplained> {
    let mut first: HashMap<T, u32, Fast> = HashMap::default();
    // What must not happen has an interval that is none.
    for job in jobs.iter().filter(|job| job.call <= job.ret) {
        brings(&job.op, &mut |thing| {
            let call = first.entry(thing).or_insert(job.call);
            *call = job.call.min(*call);
        });
    }
    let mut found: Option<(u32, usize, T)> = None;
    for (place, job) in jobs.iter().enumerate().filter(|(_, job)| job.must) {
        shows(&job.op, &mut |thing| {
            let is_late = first.get(&thing).is_none_or(|&call| call > job.ret);
            if is_late && found.is_none_or(|(ret, ..)| job.ret < ret) {
                found = Some((job.ret, place, thing));
            }
        });
    }
    let (_, job, thing) = found?;
    let is_late = |job: &Job<O>| {
        let mut is_late = false;
        brings(&job.op, &mut |brought| is_late |= brought == thing);
        is_late
    };
    let late = (0..jobs.len()).filter(|&place| place != job && is_late(&jobs[place])).collect();
    Some(Unexplained { job, late })
}
