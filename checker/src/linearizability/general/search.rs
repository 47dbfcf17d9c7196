//! The walk over the timeline: one configuration set, extended at every return.

use super::beam::{Beam, Checkpoint};
use super::book::{Book, Mover};
use super::row::{self, Layout, head};
use super::states::{Next, States};
use super::store::Store;
use super::timeline::{Moment, Timeline, is_endless};
use super::trail::{START, Trail};
use super::{Answer, END, Exhausted, Guide, Job, Limits, Outcome};
use crate::model::Model;

/// How many states are named as clues where a search gets stuck.
const CLUES: usize = 16;

/// A search in progress.
pub(super) struct Search<'a, M: Model, G> {
    model: &'a M,
    guide: &'a G,
    jobs: &'a [Job<M::Op>],
    timeline: &'a Timeline,
    limits: Limits,
    states: States<'a, M>,
    trail: Trail,
    book: Book,
    slot_of: Vec<u32>,
    /// The configurations, one row after another.
    frontier: Vec<u64>,
    /// Where a step leads, on the way to the next frontier.
    seen: Store,
    reached: Store,
    /// The row that is extended, and the one that comes of it.
    base: Vec<u64>,
    next: Vec<u64>,
    /// Who takes effect in a step, one after another.
    placed: Vec<u32>,
    /// Which operations were passed over in the current row, by one that must take effect or by any.
    passed: Vec<(u64, u64)>,
    rows: u64,
    beam: Beam,
    /// The last moment at which nothing was open and nothing had been left out.
    cut: u32,
    steps: u64,
}

impl<'a, M: Model, G: Guide<M>> Search<'a, M, G> {
    pub(super) fn new(
        model: &'a M,
        guide: &'a G,
        jobs: &'a [Job<M::Op>],
        timeline: &'a Timeline,
        limits: Limits,
        beam: Beam,
    ) -> Self {
        let book = Book::new();
        Self {
            model,
            guide,
            jobs,
            timeline,
            limits,
            states: States::new(model, jobs.len()),
            trail: Trail::default(),
            slot_of: vec![0; jobs.len()],
            frontier: vec![head(0, START)],
            seen: Store::new(book.layout),
            reached: Store::new(book.layout),
            book,
            base: Vec::new(),
            next: Vec::new(),
            placed: Vec::new(),
            passed: vec![(0, 0); timeline.ops],
            rows: 0,
            beam,
            cut: 0,
            steps: 0,
        }
    }

    pub(super) fn run(mut self) -> Outcome<M::State> {
        let timeline = self.timeline;
        let mut at = 0;
        while let Some(&(now, moment)) = timeline.moments.get(at) {
            match moment {
                Moment::Call(job) => self.call(job),
                Moment::Return(job) => {
                    if let Err(why) = self.extend_to(job, at, now) {
                        let answer = Answer::Unknown { from: self.cut, to: now, why };
                        return Outcome { answer, steps: self.steps, stuck: None, order: None };
                    }
                    if self.frontier.is_empty() {
                        let Some(back) = self.beam.widen() else { return self.stuck(job, now) };
                        (at, self.book, self.frontier) = (back.at, back.book, back.frontier);
                        continue;
                    }
                    self.retire(job);
                }
            }
            at += 1;
            if self.book.bounded == 0 && now != END && self.beam.is_complete() {
                self.cut = now;
            }
        }
        let order = self.order(row::way(&self.frontier));
        Outcome { answer: Answer::Linearizable, steps: self.steps, stuck: None, order: Some(order) }
    }

    /// No configuration is left in which the job has taken effect by now.
    fn stuck(&self, job: u32, now: u32) -> Outcome<M::State> {
        let frontier = self.frontier.chunks_exact(self.book.layout.stride());
        let tried = self.seen.iter().chain(frontier).map(|row| self.states.get(row::state(row)).clone());
        let stuck = Some((job as usize, tried.take(CLUES).collect()));
        Outcome { answer: Answer::Not { at: now }, steps: self.steps, stuck, order: None }
    }

    /// The jobs of a way, with the members of each class told apart again: the way names one of them for all.
    ///
    /// The first to be used is the first that was invoked. Of a class with plenty, a way may name more than
    /// there are: what leads back to the state that the class has just left is cut out, and then there are
    /// enough.
    fn order(&self, way: u32) -> Vec<u32> {
        let class_of = |job: u32| self.timeline.class_of(job, self.jobs);
        let mut order: Vec<u32> = Vec::new();
        for job in self.trail.order(way) {
            let class = class_of(job);
            if class.is_some_and(|class| self.guide.is_constant(self.timeline.classes[class] as usize)) {
                let since =
                    order.len() - order.iter().rev().take_while(|&&job| class_of(job).is_some()).count();
                let before = order[since..].iter().position(|&other| other == job);
                order.truncate(before.map_or(order.len(), |before| since + before));
            }
            order.push(job);
        }
        let mut members: Vec<_> =
            self.timeline.members(self.jobs).into_iter().map(IntoIterator::into_iter).collect();
        for job in &mut order {
            if let Some(class) = class_of(*job) {
                *job = members[class].next().unwrap_or(*job);
            }
        }
        order
    }

    /// A job becomes possible. Nothing happens yet, except to what can be done with at once.
    fn call(&mut self, job: u32) {
        let before = self.book.layout;
        if let Some(class) = self.timeline.class_of(job, self.jobs) {
            let lane = self.book.supply(class);
            self.fit(before);
            if self.has_plenty(lane) {
                // From here on nobody counts.
                for row in self.frontier.chunks_exact_mut(self.book.layout.stride()) {
                    self.book.layout.set_count(row, lane, 0);
                }
            }
            return;
        }
        let slot = self.book.take_slot(job);
        self.fit(before);
        self.slot_of[job as usize] = slot;
        let Job { op, ret, must, .. } = &self.jobs[job as usize];
        let name = self.timeline.op_of[job as usize];
        self.book.bounded += usize::from(!is_endless(&self.jobs[job as usize]));
        let is_read = self.model.is_read(op);
        if !is_read {
            self.book.add_mover(Mover { job, op: name, slot, ret: *ret, must: *must });
        }
        let roles = &mut self.book.roles;
        let free = *must && (is_read || self.guide.is_free(job as usize));
        let role = if !must {
            &mut roles.optional
        } else if free {
            &mut roles.free
        } else {
            &mut roles.contested
        };
        role[slot as usize / 64] |= 1 << (slot % 64);
        if free {
            for row in self.frontier.chunks_exact_mut(self.book.layout.stride()) {
                if self.states.stays(row::state(row), op, name) {
                    row::insert(row, slot);
                    row[0] = head(row::state(row), self.trail.extend(row::way(row), job));
                }
            }
        }
    }

    /// Makes the rows as wide as the book says.
    fn fit(&mut self, before: Layout) {
        let layout = self.book.layout;
        if layout != before {
            self.frontier = before.widen(&self.frontier, layout);
        }
    }

    fn has_plenty(&self, lane: usize) -> bool {
        let (class, supply) = self.book.lanes[lane];
        supply >= self.timeline.plenty && self.guide.is_constant(self.timeline.classes[class] as usize)
    }

    /// A job has ended: its slot can be used again.
    fn retire(&mut self, job: u32) {
        let slot = self.slot_of[job as usize];
        self.book.bounded -= 1;
        self.book.leave_slot(slot);
        let layout = self.book.layout;
        for row in self.frontier.chunks_exact_mut(layout.stride()) {
            row::remove(row, slot);
        }
        if !self.jobs[job as usize].must && self.frontier.len() > layout.stride() {
            // Configurations that differed only in this job are one now.
            self.reached.reset(layout);
            for row in self.frontier.chunks_exact(layout.stride()) {
                self.reached.insert(row, &self.book.roles);
            }
            self.take_reached();
        }
    }

    fn take_reached(&mut self) {
        self.frontier.clear();
        for row in self.reached.iter() {
            self.frontier.extend_from_slice(row);
        }
    }

    /// Replaces the frontier by the configurations in which `target` has taken effect, each by the shortest
    /// ways that end with it. Where it is optional, those in which it has not stay too.
    fn extend_to(&mut self, target: u32, at: usize, now: u32) -> Result<(), Exhausted> {
        let (slot, must) = (self.slot_of[target as usize], self.jobs[target as usize].must);
        let layout = self.book.layout;
        self.seen.reset(layout);
        let mut rows = self.frontier.chunks_exact(layout.stride());
        if must && rows.all(|row| row::has(row, slot)) {
            return Ok(());
        }
        self.reached.reset(layout);
        for row in self.frontier.chunks_exact(layout.stride()) {
            let has = row::has(row, slot);
            if has || !must {
                self.reached.insert(row, &self.book.roles);
            }
            if !has {
                self.seen.insert(row, &self.book.roles);
            }
        }
        let mut from = 0;
        let mut goes_on = true;
        while goes_on && from < self.seen.len() {
            if self.seen.is_alive(from) {
                self.base.clear();
                self.base.extend_from_slice(self.seen.row(from));
                goes_on = self.expand(slot, now);
                self.within_limits()?;
            }
            from += 1;
        }
        let left_out = !goes_on || self.beam.is_exceeded_by(self.reached.alive());
        if left_out && self.beam.is_complete() {
            let (book, frontier) = (self.book.clone(), self.frontier.clone());
            self.beam.leave_out(Checkpoint { at, book, frontier });
        }
        self.take_reached();
        self.beam.truncate(&mut self.frontier, &self.book);
        if !self.frontier.is_empty() {
            self.collect();
        }
        Ok(())
    }

    /// Forgets ways and states that nobody can come back to.
    fn collect(&mut self) {
        let stride = self.book.layout.stride();
        // The numbers that it holds are about to change.
        self.seen.reset(self.book.layout);
        let rows = self.frontier.chunks_exact_mut(stride).map(|row| &mut row[0]);
        self.states.collect(rows.chain(self.beam.heads()));
        let rows = self.frontier.chunks_exact_mut(stride).map(|row| &mut row[0]);
        self.trail.collect(rows.chain(self.beam.heads()));
    }

    fn within_limits(&self) -> Result<(), Exhausted> {
        if self.steps > self.limits.steps {
            return Err(Exhausted::Steps);
        }
        let sets = self.seen.bytes() + self.reached.bytes() + self.beam.bytes();
        if sets + self.trail.bytes() + self.states.bytes() > self.limits.bytes {
            return Err(Exhausted::Bytes);
        }
        Ok(())
    }

    /// Places each job that is possible next.
    ///
    /// Of like jobs that are open, the one that ends first takes effect first (and one that must before one
    /// that only may and ends no earlier): in any run that has them the other way round they can change
    /// places. Says whether the extension should go on.
    fn expand(&mut self, target: u32, now: u32) -> bool {
        self.rows += 1;
        let this = self.rows;
        for at in 0..self.book.movers.len() {
            let Mover { job, op, slot, must, .. } = self.book.movers[at];
            if row::has(&self.base, slot) {
                continue;
            }
            if !self.beam.goes_on(self.seen.len(), self.reached.alive()) {
                return false;
            }
            let (by_must, by_any) = &mut self.passed[op as usize];
            if *by_must == this || (!must && *by_any == this) {
                continue;
            }
            *by_any = this;
            if must {
                *by_must = this;
            }
            self.next.clone_from(&self.base);
            row::insert(&mut self.next, slot);
            self.place(job, op, now, target);
        }
        for lane in 0..self.book.lanes.len() {
            let (class, supply) = self.book.lanes[lane];
            let job = self.timeline.classes[class];
            let op = self.timeline.op_of[job as usize];
            if self.passed[op as usize].1 == this {
                continue;
            }
            let used = self.book.layout.count(&self.base, lane);
            let plenty = self.has_plenty(lane);
            if plenty || used < supply {
                self.next.clone_from(&self.base);
                self.book.layout.set_count(&mut self.next, lane, if plenty { 0 } else { used + 1 });
                self.place(job, op, now, target);
            }
        }
        self.beam.goes_on(self.seen.len(), self.reached.alive())
    }

    /// Lets a job take effect in the current row; `next` has it marked already.
    fn place(&mut self, job: u32, op: u32, now: u32, target: u32) {
        self.steps += 1;
        let from = row::state(&self.base);
        let way = row::way(&self.base);
        let next = self.states.next(from, &self.jobs[job as usize].op, op);
        let several = matches!(next, Next::Choice(..));
        let marked = several.then(|| self.next.clone());
        let mut at = 0;
        while let Some(to) = self.states.choice(next, at) {
            at += 1;
            if to != from && !self.guide.may_leave(self.states.get(from), job as usize, now) {
                continue;
            }
            if let Some(marked) = &marked {
                self.next.clone_from(marked);
            }
            self.placed.clear();
            if self.guide.is_blind(job as usize) {
                self.absorb(from, now);
            }
            self.placed.push(job);
            self.settle(to);
            self.next[0] = head(to, way);
            let store = if row::has(&self.next, target) { &mut self.reached } else { &mut self.seen };
            if let Some(new) = store.insert(&self.next, &self.book.roles) {
                let way = self.placed.iter().fold(way, |way, &job| self.trail.extend(way, job));
                store.set_head(new, head(to, way));
            }
        }
    }

    /// Does with every closed job, and its reads, what costs nothing just before a blind one.
    fn absorb(&mut self, before: u32, now: u32) {
        for at in 0..self.book.movers.len() {
            let Mover { job, op, slot, .. } = self.book.movers[at];
            if row::has(&self.next, slot) || !self.guide.is_closed(job as usize, now) {
                continue;
            }
            self.steps += 1;
            row::insert(&mut self.next, slot);
            self.placed.push(job);
            let next = self.states.next(before, &self.jobs[job as usize].op, op);
            if let Some(between) = self.states.choice(next, 0) {
                self.settle(between);
            }
        }
    }

    /// Marks every open job that is better done, and leaves this state as it is.
    fn settle(&mut self, state: u32) {
        for word in 0..self.book.layout.mask {
            let mut left = self.book.roles.free[word] & !self.next[1 + word];
            while left != 0 {
                let bit = left.trailing_zeros();
                left &= left - 1;
                let job = self.book.job_of[word * 64 + bit as usize];
                let op = self.timeline.op_of[job as usize];
                if self.states.stays(state, &self.jobs[job as usize].op, op) {
                    self.next[1 + word] |= 1 << bit;
                    self.placed.push(job);
                }
            }
        }
    }
}
