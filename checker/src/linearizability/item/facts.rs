//! Step 1: what the jobs say of each value, and which optional jobs took effect.
//!
//! *Observed* is the least set of values that contains what every job that must take effect needs, and, with
//! a value, what its writer needs.
//!
//! **Lemma 1.** An optional write whose value is not observed can be left out. *Proof.* Take a legal order
//! that contains it. No job that must take effect depends on its value, and optional ones that do are
//! unobserved themselves; take all of them out, the last one first. What came after writes blindly or is a
//! delete, and stays legal. Conversely, an order without it is an order in which it did not happen. (An
//! optional conditional *delete* on such a value is the one thing that this may lose: the two together are an
//! optional blind delete. [`super::tasks`] makes that one task.)
//!
//! **Lemma 2.** An optional write whose value is observed did take effect: its value has no other writer.
//!
//! So what took effect is decided without a search. This is where a value without a writer is found (a
//! *phantom*), and a value that two jobs replaced (a *lost update*): a value is in force once, so only one
//! job can have ended it.

use super::{Conflict, NONE};
use crate::linearizability::general::{END, Job};
use crate::model::register::{ABSENT, Need, RegisterOp, Symbol};

/// What is known of one value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fact {
    /// The job that writes it, or [`NONE`].
    pub(super) writer: u32,
    /// The job that takes effect for certain and replaces it, or [`NONE`].
    pub(super) heir: u32,
    /// The first return among its plain reads.
    pub(super) first_ret: u32,
    /// The last call among its plain reads; 0 if there are none.
    pub(super) last_call: u32,
}

/// What the jobs say.
#[derive(Debug)]
pub(super) struct Facts<'j> {
    pub(super) jobs: &'j [Job<RegisterOp>],
    /// By value.
    pub(super) values: Vec<Fact>,
    /// By job: whether it takes effect for certain, and is to be placed.
    pub(super) taken: Vec<bool>,
}

/// Why the facts could not be had.
#[derive(Debug)]
pub(super) enum Trouble {
    /// A value has two writers, or a job is of a shape that this algorithm does not know.
    Unsuited,
    /// The jobs contradict each other.
    Conflict(Conflict),
}

impl From<Conflict> for Trouble {
    fn from(conflict: Conflict) -> Self {
        Self::Conflict(conflict)
    }
}

impl<'j> Facts<'j> {
    /// Takes the facts from the jobs. All values are below `values`.
    pub(super) fn new(jobs: &'j [Job<RegisterOp>], values: usize) -> Result<Self, Trouble> {
        let nothing = Fact { writer: NONE, heir: NONE, first_ret: END, last_call: 0 };
        let mut facts = Self { jobs, values: vec![nothing; values.max(1)], taken: vec![false; jobs.len()] };
        facts.register()?;
        facts.close()?;
        facts.inherit()?;
        Ok(facts)
    }

    /// Notes writers and reads, and which jobs must take effect.
    fn register(&mut self) -> Result<(), Trouble> {
        let mut contradiction = None;
        for (at, job) in self.jobs.iter().enumerate() {
            let place = at as u32;
            match (job.op.need, job.op.set) {
                (Need::Never, _) if job.must => {
                    contradiction.get_or_insert(place);
                }
                // Judged afterwards, on the order that is found.
                (Need::Not(_), None) | (Need::Never, _) | (Need::Any, None) => {}
                (Need::Not(_), Some(_)) => return Err(Trouble::Unsuited),
                (Need::Is(value), None) => {
                    if job.must {
                        self.taken[at] = true;
                        let fact = &mut self.values[value as usize];
                        fact.first_ret = fact.first_ret.min(job.ret);
                        fact.last_call = fact.last_call.max(job.call);
                    }
                }
                // It would have to be in force before its only writer wrote it.
                (Need::Is(value), Some(new)) if value == new && value != ABSENT => {
                    if self.values[value as usize].writer != NONE {
                        return Err(Trouble::Unsuited);
                    }
                    self.values[value as usize].writer = place;
                    if job.must {
                        contradiction.get_or_insert(place);
                    }
                }
                (_, Some(new)) => {
                    if new != ABSENT {
                        if self.values[new as usize].writer != NONE {
                            return Err(Trouble::Unsuited);
                        }
                        self.values[new as usize].writer = place;
                    }
                    self.taken[at] = job.must;
                }
            }
        }
        contradiction.map_or(Ok(()), |at| Err(Conflict::between(self.jobs, &[at]).into()))
    }

    /// Finds the optional writes that took effect.
    fn close(&mut self) -> Result<(), Trouble> {
        for (at, job) in self.jobs.iter().enumerate() {
            if !job.must || !self.taken[at] {
                continue;
            }
            let mut need = job.op.need;
            while let Need::Is(value) = need
                && value != ABSENT
            {
                let writer = self.values[value as usize].writer;
                if writer == NONE {
                    return Err(Conflict::between(self.jobs, &[at as u32]).into());
                }
                let op = self.jobs[writer as usize].op;
                if op.need == Need::Is(value) || op.need == Need::Never {
                    return Err(Conflict::between(self.jobs, &[at as u32, writer]).into());
                }
                if std::mem::replace(&mut self.taken[writer as usize], true) {
                    break;
                }
                need = op.need;
            }
        }
        Ok(())
    }

    /// Finds who replaced each value.
    fn inherit(&mut self) -> Result<(), Trouble> {
        for (at, job) in self.jobs.iter().enumerate() {
            let Need::Is(value) = job.op.need else { continue };
            if value == ABSENT || job.op.set.is_none() || !self.taken[at] {
                continue;
            }
            let heir = std::mem::replace(&mut self.values[value as usize].heir, at as u32);
            if heir != NONE {
                let suspects = [self.with_observer(heir), self.with_observer(at as u32)].concat();
                return Err(Conflict::between(self.jobs, &suspects).into());
            }
        }
        Ok(())
    }

    /// A job, and, if it took effect only because its value was seen, one that saw it (or what was written
    /// over it, and so on).
    pub(super) fn with_observer(&self, job: u32) -> Vec<u32> {
        let mut found = vec![job];
        let mut last = job as usize;
        while !self.jobs[last].must {
            let Some(value) = self.jobs[last].op.set.filter(|&value| value != ABSENT) else { break };
            let sees = |other: &Job<RegisterOp>| other.op.need == Need::Is(value);
            let certain = self.jobs.iter().position(|other| other.must && sees(other));
            let heir = self.jobs.iter().enumerate().position(|(at, other)| self.taken[at] && sees(other));
            let Some(next) = certain.or(heir) else { break };
            if found.contains(&(next as u32)) {
                break;
            }
            found.push(next as u32);
            last = next;
        }
        found
    }

    pub(super) fn job(&self, at: u32) -> &'j Job<RegisterOp> {
        &self.jobs[at as usize]
    }

    pub(super) fn value(&self, value: Symbol) -> &Fact {
        &self.values[value as usize]
    }
}
