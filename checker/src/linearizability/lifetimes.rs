//! What is known of each value of a register: who brings it, who needs it, and when it must not go.
//!
//! This is the engine's [`Guide`] for registers. Its claims, and why they are true:
//!
//! *A dead end.* A value that a single job writes comes once. If it is left while a job that must take
//! effect still needs it, that job never can. So it may be left only when all who need it have been invoked
//! (the engine does reads at once, so they are done), and only by the conditional write among them, if there
//! is one.
//!
//! *Free.* Suppose two configurations hold the same value, and one has the writer of v behind it, the other
//! not. Where v has a single writer, the first has left v for good, and with it the whole *block* of values
//! chained to v by conditional writes, from the one that was written blindly (or on absence) to the last;
//! the other has the whole block before it, up to a blind write that ends it. Take the block out there, and
//! what is left is a way on for the first. Two things can spoil this: an operation that needs a value *not*
//! to be in force (then nothing is free), and a block that ends in a delete, which does something for
//! others: deletes are not free, so configurations that differ in one are not compared; nor is a writer
//! whose value an optional delete may end.
//!
//! *Closed.* A free blind write, all of whose observers are invoked and plain reads, makes a block that fits
//! in just before any other blind write: nothing that comes after can see it.

use super::general::{Guide, Job};
use crate::model::register::{ABSENT, Need, Register, RegisterOp, Symbol};

/// Who ends the reign of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heir {
    /// Anyone.
    Any,
    /// The conditional write that must take effect on it.
    Only(usize),
    /// There are several such writes: at most one can have its way.
    Rivals,
}

#[derive(Debug, Clone, Copy)]
struct Lifetime {
    /// How many jobs write it; the first state counts as one.
    writers: u32,
    /// The last call among those that must see it.
    last_call: u32,
    /// Who must replace it.
    heir: Heir,
    /// Whether an optional job needs it.
    coveted: bool,
}

/// What each job does, as far as the guide cares.
#[derive(Debug, Clone, Copy)]
struct Role {
    free: bool,
    writes: bool,
    /// The value of a blind write.
    blind: Option<Symbol>,
}

/// The lifetimes of all values of one problem.
#[derive(Debug)]
pub(crate) struct Lifetimes {
    values: Vec<Lifetime>,
    roles: Vec<Role>,
}

impl Lifetimes {
    /// What the jobs say of their values. `junk` is the greatest symbol, that nobody needs; `avoids` says
    /// that some job needs a value not to be in force.
    pub(crate) fn new(jobs: &[Job<RegisterOp>], junk: Symbol, avoids: bool) -> Self {
        let nothing = Lifetime { writers: 0, last_call: 0, heir: Heir::Any, coveted: false };
        let mut values = vec![nothing; junk as usize + 1];
        values[ABSENT as usize].writers = 1;
        for (at, job) in jobs.iter().enumerate() {
            if let Some(value) = job.op.set {
                values[value as usize].writers += 1;
            }
            let Need::Is(value) = job.op.need else { continue };
            let value = &mut values[value as usize];
            if !job.must {
                value.coveted = true;
                continue;
            }
            value.last_call = value.last_call.max(job.call);
            if job.op.set.is_some() {
                value.heir = if value.heir == Heir::Any { Heir::Only(at) } else { Heir::Rivals };
            }
        }
        let role = |job: &Job<RegisterOp>| {
            let once = |value: Symbol| {
                let lifetime = &values[value as usize];
                value == junk || (lifetime.writers == 1 && !lifetime.coveted)
            };
            let free = job.must && !avoids && job.op.set.is_some_and(once);
            let blind = job.op.set.filter(|_| job.op.need == Need::Any);
            Role { free, writes: job.op.set.is_some(), blind }
        };
        let roles = jobs.iter().map(role).collect();
        Self { values, roles }
    }
}

impl Guide<Register> for Lifetimes {
    fn may_leave(&self, state: &Symbol, by: usize, now: u32) -> bool {
        let value = &self.values[*state as usize];
        let heir = match value.heir {
            Heir::Any => true,
            Heir::Only(heir) => heir == by,
            Heir::Rivals => false,
        };
        value.writers > 1 || (value.last_call <= now && heir)
    }

    fn is_free(&self, job: usize) -> bool {
        self.roles[job].free
    }

    fn is_blind(&self, job: usize) -> bool {
        self.roles[job].blind.is_some()
    }

    fn is_constant(&self, job: usize) -> bool {
        self.roles[job].writes
    }

    fn is_closed(&self, job: usize, now: u32) -> bool {
        let Role { free, blind: Some(value), .. } = self.roles[job] else { return false };
        let value = &self.values[value as usize];
        free && value.last_call <= now && value.heir == Heir::Any
    }
}
