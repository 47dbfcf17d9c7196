//! A search problem made as small as it can be without changing the answer.
//!
//! Weakened and indeterminate writes are *optional*: they may take effect or not, and a search that tries
//! both for each is lost. Most can be decided beforehand
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

use super::buckets::Buckets;
use super::general::{END, Job};
use super::lifetimes::Lifetimes;
use super::problem::Problem;
use crate::model::register::{ABSENT, Need, RegisterOp, Symbol};

/// How needs for a value *not* to be in force are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// Every optional write is kept that might satisfy one: every answer counts.
    Careful,
    /// Optional writes are left out all the same: only an order that is found counts.
    Bold,
}

/// A problem that is ready to be searched.
#[derive(Debug)]
pub(super) struct Reduced {
    pub(super) jobs: Vec<Job<RegisterOp>>,
    /// Their places in the problem.
    pub(super) origins: Vec<u32>,
    /// What is known of the values that they pass on.
    pub(super) lifetimes: Lifetimes,
}

impl Reduced {
    /// What matters of a problem.
    pub(super) fn new(problem: &Problem, manner: Manner) -> Self {
        let mut draft = Draft::new(problem.jobs.clone(), problem.values, manner);
        draft.decide();
        draft.tighten();
        draft.finish()
    }
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
    fn new(jobs: Vec<Job<RegisterOp>>, values: usize, manner: Manner) -> Self {
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
        let spare = avoids && manner == Manner::Careful;
        let kept = jobs.iter().map(|job| job.must || spare).collect();
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
            for &at in optional.of(value) {
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
    fn finish(mut self) -> Reduced {
        self.drop_idle_deletes();
        let junk = Symbol::try_from(self.facts.len()).unwrap_or(Symbol::MAX);
        let mut jobs = Vec::with_capacity(self.jobs.len());
        let mut origins = Vec::with_capacity(self.jobs.len());
        for (at, (mut job, kept)) in self.jobs.into_iter().zip(self.kept).enumerate() {
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
            origins.push(at as u32);
        }
        let lifetimes = Lifetimes::new(&jobs, junk, self.avoids);
        Reduced { jobs, origins, lifetimes }
    }

    /// Leaves out optional deletes that come too early or too late to be of use.
    fn drop_idle_deletes(&mut self) {
        let (mut first_call, mut last_ret, mut last_need) = (END, 0, 0);
        let mut for_others = self.avoids;
        for (job, _) in self.jobs.iter().zip(&self.kept).filter(|&(_, &kept)| kept) {
            let needs = job.op.need == Need::Is(ABSENT);
            if job.must {
                first_call = first_call.min(job.call);
                last_ret = last_ret.max(job.ret);
                last_need = if needs { last_need.max(job.ret) } else { last_need };
            } else {
                for_others |= needs;
            }
        }
        if for_others {
            last_need = last_ret;
        }
        for (job, kept) in self.jobs.iter().zip(&mut self.kept) {
            if !job.must && job.op.set == Some(ABSENT) {
                *kept &= job.call <= last_need && job.ret >= first_call;
            }
        }
    }
}
