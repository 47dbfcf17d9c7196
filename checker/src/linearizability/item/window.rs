//! The item algorithm on a history that is still being made: what is certain is forgotten.
//!
//! A [`Window`] holds jobs that may still matter, and a [`Carry`] for all that came before. An operation that
//! is open, or was never answered, is an optional job without an end. [`Window::conflict`] decides whether
//! what happened so far can be ordered; it runs the algorithm on the window's jobs, from the carry. Since the
//! window is about as large as the number of operations that overlap, that takes microseconds.
//!
//! **What can be forgotten.** Let p be the first call among the operations that are open: nothing that is
//! still to come can be called before p. A block A is *dead* if there is another forward zone Z with
//! f(Z) < p and f(A) < s(Z). If anything still to come saw a value of A, it would be called after f(Z), so Z
//! would come before A; but A comes before Z: a contradiction, whatever else happens. So a dead block is
//! final, and whoever sees its value later sees a value that nobody wrote, which is a conflict as well.
//! Deletes and reads of absence are final when they have completed.
//!
//! Let T be the first moment at which a task of a block that is not dead opens, or p if that is earlier; and
//! if T is inside a zone, or inside the time in which a choice is open, move it back to where that begins.
//! Everything that opens before T is final. So the sweep up to T is the one that every later sweep would
//! begin with, and its ways are the carry: is there an item, and which tasks are open, until when. The jobs
//! of all tasks that open before T can go. An optional job on a value that was replaced for certain can go as
//! well: an indeterminate conditional write holds nothing open once a later one has excluded it.
//!
//! *Chains.* A chain of conditional writes can be one block for the whole run. Let m be its last value that is
//! certainly in force by p: something of cluster m or later ended before p. Whoever sees an earlier value
//! from now on contradicts that, so the chain is cut there. What is left of its head is a write of m that
//! began the block when it began (it returns at f, before all else), and a read of m that was called as late
//! as anything before it; that one returns at no moment, since whatever is still to come returns later than
//! all that came before.
//!
//! **What is let pass.** Opaque refusals are not judged here. Optional conditional deletes of a value that may
//! never have been written (its write was not answered, and nobody saw it) count as deletes that can be had
//! at any time. And where the limits end a sweep, nothing is forgotten. So a window may miss a conflict; it
//! never makes one up. The whole history is checked when it has ended.

use super::absence::{self, Start, Swept};
use super::blocks::{self, Block, Link};
use super::facts::{Facts, Trouble};
use super::tasks::{Sort, Task, Tasks, Thing};
use super::zones::{self, Zones};
use super::{Conflict, NONE};
use crate::linearizability::general::{END, Job, Limits};
use crate::model::register::{ABSENT, Need, RegisterOp};

/// What is known at the beginning of a window: one of several possibilities.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Carry {
    absent: bool,
    /// Tasks that are open: their sort, and the moment by which they must take place.
    open: Vec<(Sort, u32)>,
}

/// What an operation says before it is answered, if it changes nothing.
pub(crate) const SILENT: RegisterOp = RegisterOp { need: Need::Any, set: None };

/// The part of a history that may still matter.
#[derive(Debug)]
pub(crate) struct Window {
    /// What is left of chains that were cut, then all others in the order of their calls.
    jobs: Vec<Job<RegisterOp>>,
    heads: usize,
    carry: Vec<Carry>,
    /// Everything that opened before this moment is in the carry.
    from: u32,
}

/// What is known of the window's jobs.
struct Scene<'w> {
    facts: Facts<'w>,
    blocks: Vec<Block>,
    zones: Zones,
    tasks: Tasks,
    /// The tasks from here on are in the carry.
    carried: usize,
    starts: Vec<Start>,
}

impl Window {
    pub(crate) fn new() -> Self {
        Self { jobs: Vec::new(), heads: 0, carry: vec![Carry { absent: true, open: Vec::new() }], from: 0 }
    }

    /// How many jobs are held.
    pub(crate) fn len(&self) -> usize {
        self.jobs.len()
    }

    /// All jobs.
    pub(crate) fn jobs_mut(&mut self) -> &mut [Job<RegisterOp>] {
        &mut self.jobs
    }

    /// Adds an operation that was called just now.
    pub(crate) fn push(&mut self, op: RegisterOp, call: u32) {
        self.jobs.push(Job { op, call, ret: END, must: false });
    }

    /// The operation that was called at this moment.
    pub(crate) fn called_at(&mut self, call: u32) -> Option<&mut Job<RegisterOp>> {
        let jobs = &mut self.jobs[self.heads..];
        let place = jobs.binary_search_by_key(&call, |job| job.call).ok()?;
        jobs.get_mut(place)
    }

    /// Why the jobs so far cannot be ordered, if they cannot.
    ///
    /// # Errors
    ///
    /// If a value has two writers: nothing is known then, now or later.
    pub(crate) fn conflict(&self, values: usize, limits: Limits) -> Result<Option<Conflict>, RepeatedValues> {
        let found =
            self.scene(values).and_then(|scene| match absence::go_on(&scene.tasks, &scene.starts, limits) {
                Err(Swept::Dead { at }) => Err(Conflict { suspects: Vec::new(), at }.into()),
                Ok(()) | Err(Swept::Order(_) | Swept::Undecided { .. }) => Ok(()),
            });
        match found {
            Ok(()) => Ok(None),
            Err(Trouble::Conflict(conflict)) => Ok(Some(conflict)),
            Err(Trouble::Unsuited) => Err(RepeatedValues),
        }
    }

    /// Forgets what is certain. `open` is the first call among open operations, or the next moment.
    pub(crate) fn forget(&mut self, values: usize, open: u32, limits: Limits) {
        let Ok(scene) = self.scene(values) else { return };
        let moment = scene.certain_until(open).max(self.from);
        let Ok(starts) = absence::until(&scene.tasks, &scene.starts, moment, limits) else { return };
        let mut carry: Vec<Carry> = Vec::new();
        for start in starts {
            let one = scene.carry(&start);
            if !carry.contains(&one) {
                carry.push(one);
            }
        }
        let Left { kept, excluded, mut heads, .. } = scene.still_needed(moment, open);
        let cut = heads.len() + kept[..self.heads].iter().filter(|&&kept| kept).count();
        for at in excluded {
            self.jobs[at].op.need = Need::Never;
        }
        let rest = self.jobs.iter().zip(&kept).filter(|&(_, &kept)| kept);
        heads.extend(rest.map(|(job, _)| job.clone()));
        *self = Self { jobs: heads, heads: cut, carry, from: moment };
    }

    fn scene(&self, values: usize) -> Result<Scene<'_>, Trouble> {
        let facts = Facts::new(&self.jobs, values)?;
        let blocks = blocks::find(&facts)?;
        let zones = zones::order(&facts, &blocks)?;
        let mut tasks = Tasks::new(&facts, &blocks, &zones)?;
        for task in &mut tasks.all {
            if task.thing == Thing::Nothing {
                task.close = END;
                task.choice = NONE;
            }
        }
        // Their choices come last.
        tasks.choices.retain(|choice| tasks.all[choice.first as usize].thing != Thing::Nothing);
        let carried = tasks.all.len();
        let starts = self.carry.iter().map(|carry| self.start(carry, &zones, &mut tasks)).collect();
        Ok(Scene { facts, blocks, zones, tasks, carried, starts })
    }

    /// Adds the tasks that are open from before.
    fn start(&self, carry: &Carry, zones: &Zones, tasks: &mut Tasks) -> Start {
        let mut open = Vec::with_capacity(carry.open.len());
        for &(sort, close) in &carry.open {
            let (open_from, close) = zones.cut(self.from, close);
            open.push(tasks.all.len() as u32);
            tasks.all.push(Task {
                sort,
                thing: Thing::Nothing,
                ending: NONE,
                open: open_from,
                close,
                until: 0,
                must: true,
                choice: NONE,
            });
        }
        Start { absent: carry.absent, open }
    }
}

/// A value has two writers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RepeatedValues;

impl Scene<'_> {
    /// The moment before which everything is certain.
    fn certain_until(&self, open: u32) -> u32 {
        let alive = self.alive(open);
        let mut moment = open;
        for task in &self.tasks.all {
            if let Thing::Block(block) = task.thing
                && alive[block as usize]
            {
                moment = moment.min(task.open);
            }
        }
        loop {
            let mut earlier = self.zones.at(moment).map_or(moment, |zone| zone.start);
            for choice in &self.tasks.choices {
                let among = &self.tasks.all[choice.first as usize..choice.end as usize];
                let from = among.iter().map(|task| task.open).min().unwrap_or(0);
                let to = among.iter().map(|task| task.close.max(task.until)).max().unwrap_or(0);
                if from < earlier && earlier <= to {
                    earlier = from;
                }
            }
            if earlier == moment {
                return moment;
            }
            moment = earlier;
        }
    }

    /// Which blocks may still be seen.
    fn alive(&self, open: u32) -> Vec<bool> {
        // The zone that ends last among those that have certainly begun, and the one after it.
        let (mut last, mut second) = ((0, NONE), 0);
        for zone in self.zones.spans.iter().filter(|zone| zone.start < open) {
            if zone.end > last.0 {
                second = last.0;
                last = (zone.end, zone.block);
            } else {
                second = second.max(zone.end);
            }
        }
        let horizon = |at: usize| if at as u32 == last.1 { second } else { last.0 };
        self.blocks.iter().enumerate().map(|(at, block)| block.first_ret >= horizon(at)).collect()
    }

    fn carry(&self, start: &Start) -> Carry {
        let carried = |&at: &u32| {
            let Task { sort, thing, close, .. } = self.tasks.all[at as usize];
            // A delete that can be had at any time comes back by itself, as long as its jobs are kept.
            let comes_back = thing == Thing::Nothing && (at as usize) < self.carried;
            (!comes_back).then_some((sort, close))
        };
        let mut open: Vec<(Sort, u32)> = start.open.iter().filter_map(carried).collect();
        open.sort_by_key(|&(_, close)| close);
        Carry { absent: start.absent, open }
    }

    /// Which jobs are not in the carry if that goes up to this moment, and may still take effect.
    fn still_needed(&self, moment: u32, open: u32) -> Left {
        let mut left = Left {
            kept: vec![true; self.facts.jobs.len()],
            gone: vec![false; self.facts.values.len()],
            excluded: Vec::new(),
            heads: Vec::new(),
        };
        let mut chain = Vec::new();
        for task in &self.tasks.all {
            match task.thing {
                Thing::Job(at) => left.kept[at as usize] &= task.open >= moment,
                Thing::Nothing => {}
                Thing::Block(at) => {
                    let block = &self.blocks[at as usize];
                    blocks::links(&self.facts, block.first, &mut chain);
                    if task.open < moment {
                        left.leave_out(&chain);
                    } else if block.is_forward() && task.ending == NONE {
                        left.cut(block, &chain, open);
                    }
                }
            }
        }
        self.leave_out_dependents(&mut left, open);
        left
    }

    /// Leaves out jobs that need what is gone, or say nothing.
    fn leave_out_dependents(&self, left: &mut Left, open: u32) {
        for (at, job) in self.facts.jobs.iter().enumerate() {
            let may_be_open = !job.must && job.call >= open;
            let Need::Is(value) = job.op.need else {
                let matters = job.op != SILENT && job.op.need != Need::Never;
                left.kept[at] &= matters || may_be_open;
                continue;
            };
            let fact = self.facts.value(value);
            let is_replaced = fact.heir != NONE && value != ABSENT && !self.facts.taken[at];
            if !left.gone[value as usize] && !is_replaced {
                continue;
            }
            if may_be_open {
                left.excluded.push(at);
                continue;
            }
            left.kept[at] = false;
            if let Some(new) = job.op.set.filter(|&new| new != ABSENT && !self.facts.taken[at]) {
                left.gone[new as usize] = true;
            }
        }
    }
}

/// What is left of a window's jobs.
struct Left {
    kept: Vec<bool>,
    /// Values that nobody can see any more.
    gone: Vec<bool>,
    /// Operations that may still be open, and cannot take effect any more unless they are answered so.
    excluded: Vec<usize>,
    /// What is left of chains that are cut.
    heads: Vec<Job<RegisterOp>>,
}

impl Left {
    fn leave_out(&mut self, links: &[Link]) {
        for link in links {
            self.kept[link.writer as usize] = false;
            self.gone[link.value as usize] |= link.value != ABSENT;
        }
    }

    /// Cuts a chain before its last value that is certainly in force by the call of whatever is still open.
    fn cut(&mut self, block: &Block, chain: &[Link], open: u32) {
        let Some(cut) = chain.iter().rposition(|link| link.value != ABSENT && link.first_ret() < open) else {
            return;
        };
        if cut == 0 {
            return;
        }
        let (before, at) = (&chain[..cut], &chain[cut]);
        let last_call = before.iter().map(Link::last_call).max().unwrap_or(0).max(at.call);
        self.leave_out(before);
        self.kept[at.writer as usize] = false;
        let need = if block.on_absence { Need::Is(ABSENT) } else { Need::Any };
        let write = RegisterOp { need, set: Some(at.value) };
        let read = RegisterOp { need: Need::Is(at.value), set: None };
        self.heads.push(Job { op: write, call: 0, ret: block.first_ret, must: true });
        self.heads.push(Job { op: read, call: last_call, ret: END, must: true });
    }
}
