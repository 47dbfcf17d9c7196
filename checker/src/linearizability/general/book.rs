//! What is open: which job has which bit, what it means, and in which order like jobs take effect.

use super::row::{Layout, Roles};

/// A job that is open, and not a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mover {
    pub(super) job: u32,
    /// The number of its operation.
    pub(super) op: u32,
    pub(super) slot: u32,
    pub(super) ret: u32,
    pub(super) must: bool,
}

/// The open jobs at one moment of the walk. It is small, and copied where the walk may have to come back.
#[derive(Debug, Clone)]
pub(super) struct Book {
    pub(super) layout: Layout,
    pub(super) roles: Roles,
    /// The job of each slot that is in use.
    pub(super) job_of: Vec<u32>,
    vacant: Vec<u32>,
    /// Open jobs other than reads, in the order of their ends; those that must take effect first at ties.
    pub(super) movers: Vec<Mover>,
    /// Classes that have been met: their number, and how many members have been invoked. The place in this
    /// list is the class' lane.
    pub(super) lanes: Vec<(usize, u32)>,
    /// Open jobs that end, reads included: where there is none, the history is cut.
    pub(super) bounded: usize,
}

impl Book {
    pub(super) fn new() -> Self {
        Self {
            layout: Layout { mask: 0, counts: 0 },
            roles: Roles::default(),
            job_of: Vec::new(),
            vacant: Vec::new(),
            movers: Vec::new(),
            lanes: Vec::new(),
            bounded: 0,
        }
    }

    /// A slot for a job. The layout may be wider afterwards.
    pub(super) fn take_slot(&mut self, job: u32) -> u32 {
        if self.vacant.is_empty() {
            let first = u32::try_from(self.job_of.len()).unwrap_or(u32::MAX - 64);
            self.vacant.extend((first..first + 64).rev());
            self.job_of.resize(self.job_of.len() + 64, u32::MAX);
            self.layout.mask += 1;
            self.roles.widen(self.layout.mask);
        }
        // There is one now.
        let slot = self.vacant.pop().unwrap_or_default();
        self.job_of[slot as usize] = job;
        slot
    }

    /// The job with this slot has ended.
    pub(super) fn leave_slot(&mut self, slot: u32) {
        self.roles.remove(slot);
        self.movers.retain(|mover| mover.slot != slot);
        self.vacant.push(slot);
    }

    /// Adds a mover where it belongs.
    pub(super) fn add_mover(&mut self, mover: Mover) {
        let order = |mover: &Mover| (mover.ret, !mover.must);
        let at = self.movers.partition_point(|other| order(other) <= order(&mover));
        self.movers.insert(at, mover);
    }

    /// The lane of a class, one more member of which has been invoked. The layout may be wider afterwards.
    pub(super) fn supply(&mut self, class: usize) -> usize {
        let found = self.lanes.iter().position(|&(other, _)| other == class);
        let lane = found.unwrap_or_else(|| {
            self.lanes.push((class, 0));
            self.layout.counts = self.lanes.len().div_ceil(2);
            self.lanes.len() - 1
        });
        self.lanes[lane].1 += 1;
        lane
    }
}
