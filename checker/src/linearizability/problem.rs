//! From an object's history to a search problem, as small as it can be made without changing the answer.
//!
//! A [`View`] says how much of the history counts: all of it, a prefix, or a certificate with everything
//! else weakened (contract, section 5). Weakened and indeterminate writes are *optional*: they may take
//! effect or not, and a search that tries both for each is lost. Most can be decided beforehand
//! (Rystsov's and Redpanda's checkers do so for conditional writes; the general form and its proofs are
//! this project's):
//!
//! *Unneeded* (Lemma 1). An optional write whose value nobody needs can be left out. In an order that
//! contains it, nothing placed depends on its value, so it can be taken out: what follows needs nothing of
//! it, and writes blindly. This fails when some operation needs a value *not* to be in force (an opaque
//! failed condition): there any write helps, and all are kept.
//!
//! *Needed* (Lemma 2). If a value has a single writer and some operation that must take effect needs it,
//! the writer must take effect too, and before the first of those operations returns. It may as well wait
//! until just before the first of them: what was in force lasts a little longer, which only a need for
//! something *else* could mind.
//!
//! *Junk.* Values that nobody needs are all alike: one symbol stands for them.
//!
//! *Deletes* all write the same value, so they are not decided here; but an optional one is left out when
//! nobody needs absence after it was invoked, or when it ended before anything that must take effect began
//! (the item may as well still be in its first state then).

use super::general::{END, Job};
use super::lifetimes::Lifetimes;
use super::object::{Action, Entry, Object};
use crate::model::register::{ABSENT, Need, RegisterOp, Symbol};

/// How much of an object's history counts.
#[derive(Debug, Clone, Copy)]
pub(crate) enum View<'v> {
    /// All of it.
    Whole,
    /// What happened up to this moment; what is open then is indeterminate.
    Prefix(u32),
    /// These entries (by place) as they are, every other one weakened.
    Certificate(&'v [bool]),
}

/// A search problem: the jobs, and what is known of the values that they pass on.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) jobs: Vec<Job<RegisterOp>>,
    pub(crate) lifetimes: Lifetimes,
}

impl Problem {
    /// The part of the history that matters under this view.
    pub(crate) fn new(object: &Object<'_>, view: View<'_>) -> Self {
        let jobs = object.entries.iter().enumerate().filter_map(|(at, entry)| match view {
            View::Whole => Some(whole(entry)),
            View::Prefix(end) => prefix(entry, end),
            View::Certificate(strong) if strong[at] => Some(whole(entry)),
            View::Certificate(_) => weakened(entry),
        });
        let mut draft = Draft::new(jobs.collect(), object.values.len());
        draft.decide();
        draft.tighten();
        draft.finish()
    }
}

/// The job of an entry as it is.
fn whole(entry: &Entry) -> Job<RegisterOp> {
    let (need, set) = match entry.action {
        Action::Read(value) => (Need::Is(value), None),
        Action::Write { new, replaced } => (replaced.map_or(Need::Any, Need::Is), Some(new)),
        Action::Cas { old, new, replaced } => {
            let holds = replaced.is_none_or(|replaced| replaced == old);
            (if holds { Need::Is(old) } else { Need::Never }, Some(new))
        }
        Action::Refused { old, met: None, .. } => (Need::Not(old), None),
        Action::Refused { old, met: Some(met), .. } if met != old => (Need::Is(met), None),
        Action::Refused { .. } => (Need::Never, None),
    };
    let (call, ret) = (entry.call, entry.ret.unwrap_or(END));
    Job { op: RegisterOp { need, set }, call, ret, must: entry.ret.is_some() }
}

/// What a write still does when nothing is known of its answer.
fn bare(entry: &Entry) -> Option<RegisterOp> {
    let need = match entry.action {
        Action::Read(_) | Action::Refused { .. } => return None,
        Action::Write { .. } => Need::Any,
        Action::Cas { old, .. } => Need::Is(old),
    };
    Some(RegisterOp { need, set: entry.action.wrote() })
}

/// The job of an entry in the prefix that ends at a moment.
fn prefix(entry: &Entry, end: u32) -> Option<Job<RegisterOp>> {
    if entry.call > end {
        return None;
    }
    if entry.ret.is_some_and(|ret| ret <= end) {
        return Some(whole(entry));
    }
    bare(entry).map(|op| Job { op, call: entry.call, ret: END, must: false })
}

/// The job of a weakened entry: a write at any moment or not at all, a delete in its interval or not at all.
fn weakened(entry: &Entry) -> Option<Job<RegisterOp>> {
    let op = bare(entry)?;
    let (call, ret) = if op.set == Some(ABSENT) { (entry.call, entry.ret.unwrap_or(END)) } else { (0, END) };
    Some(Job { op, call, ret, must: false })
}

/// What is known of one value while a problem is made.
#[derive(Debug, Clone, Copy)]
struct Fact {
    /// How many jobs write it; the first state counts as one.
    writers: u32,
    /// One of them.
    writer: usize,
    /// Some job that is kept needs it.
    needed: bool,
    /// Some job that must take effect needs it.
    demanded: bool,
    /// Some job needs it not to be in force.
    avoided: bool,
    /// The first return, and the first call, of the jobs that demand it.
    first_ret: u32,
    first_call: u32,
    /// Decided writers among those that demand it, whose own intervals are not final yet.
    pending: u32,
}

impl Fact {
    /// A job that demands the value has this interval.
    fn observed_by(&mut self, job: &Job<RegisterOp>) {
        self.first_ret = self.first_ret.min(job.ret);
        self.first_call = self.first_call.min(job.call);
    }
}

/// A problem in the making.
struct Draft {
    jobs: Vec<Job<RegisterOp>>,
    kept: Vec<bool>,
    /// Jobs that were optional, and must take effect after all.
    decided: Vec<usize>,
    facts: Vec<Fact>,
    /// Whether some job needs a value not to be in force.
    avoids: bool,
}

impl Draft {
    fn new(jobs: Vec<Job<RegisterOp>>, values: usize) -> Self {
        let fact = Fact {
            writers: 0,
            writer: usize::MAX,
            needed: false,
            demanded: false,
            avoided: false,
            first_ret: END,
            first_call: END,
            pending: 0,
        };
        let mut facts = vec![fact; values];
        facts[ABSENT as usize].writers = 1;
        let mut avoids = false;
        for (at, job) in jobs.iter().enumerate() {
            if let Some(value) = job.op.set {
                let fact = &mut facts[value as usize];
                fact.writers += 1;
                fact.writer = at;
            }
            if let Need::Not(value) = job.op.need {
                facts[value as usize].avoided = true;
                avoids = true;
            }
        }
        let kept = jobs.iter().map(|job| job.must || avoids).collect();
        Self { jobs, kept, decided: Vec::new(), facts, avoids }
    }

    /// Keeps what is needed, and finds out which optional writes must have taken effect.
    fn decide(&mut self) {
        let optional = self.optional_writers();
        let mut raised = Vec::new();
        for at in 0..self.jobs.len() {
            if self.kept[at] {
                self.need(at, &mut raised);
            }
        }
        while let Some(value) = raised.pop() {
            let fact = self.facts[value as usize];
            for &at in &optional.jobs[optional.range(value)] {
                let decided = fact.demanded && fact.writers == 1 && !self.jobs[at].must;
                if decided {
                    self.jobs[at].must = true;
                    self.decided.push(at);
                }
                if decided || !self.kept[at] {
                    self.kept[at] = true;
                    self.need(at, &mut raised);
                }
            }
        }
    }

    /// Notes what a job needs, and the value if that is news.
    fn need(&mut self, at: usize, raised: &mut Vec<Symbol>) {
        let Job { op: RegisterOp { need: Need::Is(value), .. }, must, .. } = self.jobs[at] else { return };
        let fact = &mut self.facts[value as usize];
        if !fact.needed || (must && !fact.demanded) {
            raised.push(value);
        }
        fact.needed = true;
        fact.demanded |= must;
    }

    /// The optional writers of each value.
    fn optional_writers(&self) -> Buckets {
        let writes = |job: &Job<RegisterOp>| if job.must { None } else { job.op.set };
        Buckets::new(self.facts.len(), self.jobs.iter().map(writes))
    }

    /// Gives every decided writer the interval in which its first observer needs it. A writer is final once
    /// all decided writers that demand its value are; those in a cycle never are, and cannot happen anyway.
    fn tighten(&mut self) {
        let mut is_decided = vec![false; self.jobs.len()];
        for &at in &self.decided {
            is_decided[at] = true;
        }
        for (job, &decided) in self.jobs.iter().zip(&is_decided) {
            let Need::Is(value) = job.op.need else { continue };
            let fact = &mut self.facts[value as usize];
            if decided {
                fact.pending += 1;
            } else if job.must {
                fact.observed_by(job);
            }
        }
        let value_of = |job: &Job<RegisterOp>| job.op.set.unwrap_or(ABSENT) as usize;
        let mut ready: Vec<usize> = self
            .decided
            .iter()
            .copied()
            .filter(|&at| self.facts[value_of(&self.jobs[at])].pending == 0)
            .collect();
        while let Some(at) = ready.pop() {
            let fact = self.facts[value_of(&self.jobs[at])];
            let job = &mut self.jobs[at];
            job.ret = job.ret.min(fact.first_ret);
            if !self.avoids {
                job.call = job.call.max(fact.first_call);
            }
            let Need::Is(value) = job.op.need else { continue };
            let fact = &mut self.facts[value as usize];
            fact.observed_by(job);
            fact.pending -= 1;
            if fact.pending == 0 && fact.writer < is_decided.len() && is_decided[fact.writer] {
                ready.push(fact.writer);
            }
        }
    }

    /// Leaves out what is not kept, and gives all values that nobody names one symbol.
    fn finish(mut self) -> Problem {
        self.drop_idle_deletes();
        let junk = Symbol::try_from(self.facts.len()).unwrap_or(Symbol::MAX);
        let mut jobs = Vec::with_capacity(self.jobs.len());
        for (mut job, kept) in self.jobs.into_iter().zip(self.kept) {
            if !kept {
                continue;
            }
            if let Some(value) = job.op.set {
                let fact = &self.facts[value as usize];
                if !fact.needed && !fact.avoided {
                    job.op.set = Some(junk);
                }
            }
            jobs.push(job);
        }
        let lifetimes = Lifetimes::new(&jobs, junk, self.avoids);
        Problem { jobs, lifetimes }
    }

    /// Leaves out optional deletes that come too early or too late to be of use.
    fn drop_idle_deletes(&mut self) {
        let mut first_call = END;
        let mut last_need = if self.avoids { END } else { 0 };
        for (job, _) in self.jobs.iter().zip(&self.kept).filter(|&(_, &kept)| kept) {
            if job.must {
                first_call = first_call.min(job.call);
            }
            if job.op.need == Need::Is(ABSENT) {
                last_need = last_need.max(if job.must { job.ret } else { END });
            }
        }
        for (job, kept) in self.jobs.iter().zip(&mut self.kept) {
            if !job.must && job.op.set == Some(ABSENT) {
                *kept &= job.call <= last_need && job.ret >= first_call;
            }
        }
    }
}

/// Places in a list, grouped by value.
struct Buckets {
    starts: Vec<usize>,
    jobs: Vec<usize>,
}

impl Buckets {
    /// Groups places by the value given for each; those without one are left out.
    fn new(values: usize, of: impl Iterator<Item = Option<Symbol>> + Clone) -> Self {
        let mut starts = vec![0; values + 1];
        for value in of.clone().flatten() {
            starts[value as usize + 1] += 1;
        }
        for at in 0..values {
            starts[at + 1] += starts[at];
        }
        let mut next = starts.clone();
        let mut jobs = vec![0; starts[values]];
        for (at, value) in of.enumerate().filter_map(|(at, value)| Some((at, value? as usize))) {
            jobs[next[value]] = at;
            next[value] += 1;
        }
        Self { starts, jobs }
    }

    fn range(&self, value: Symbol) -> std::ops::Range<usize> {
        self.starts[value as usize]..self.starts[value as usize + 1]
    }
}
