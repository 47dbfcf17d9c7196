//! The walk over the timeline: one configuration set, extended at every return.

use super::store::{Config, Roles, Store};
use super::trail::{Link, START, Trail};
use super::{Answer, END, Exhausted, Guide, Job, Limits, Mask, Moment, Outcome, Timeline};
use crate::model::Model;

/// How many states are named as clues where a search gets stuck.
const CLUES: usize = 16;

/// A search in progress. `W` is the width of its masks in words.
pub(super) struct Search<'a, M: Model, G, const W: usize> {
    model: &'a M,
    guide: &'a G,
    jobs: &'a [Job<M::Op>],
    timeline: &'a Timeline,
    limits: Limits,
    /// The slot of each job that is open.
    slot_of: Vec<u16>,
    vacant: Vec<u16>,
    open: Vec<usize>,
    roles: Roles<W>,
    /// How many members of each class have been invoked.
    supply: Vec<usize>,
    frontier: Vec<Config<M::State, W>>,
    /// Where a step leads, on the way to the next frontier.
    seen: Store<M::State, W>,
    reached: Store<M::State, W>,
    steps: u64,
    trail: Trail,
}

impl<'a, M: Model, G: Guide<M>, const W: usize> Search<'a, M, G, W> {
    pub(super) fn new(
        model: &'a M,
        guide: &'a G,
        jobs: &'a [Job<M::Op>],
        timeline: &'a Timeline,
        limits: Limits,
    ) -> Self {
        let used = vec![0; timeline.classes.len()].into_boxed_slice();
        let width = u16::try_from(W * 64).unwrap_or(u16::MAX);
        Self {
            model,
            guide,
            jobs,
            timeline,
            limits,
            slot_of: vec![0; jobs.len()],
            vacant: (0..width).rev().collect(),
            open: Vec::new(),
            roles: Roles { free: Mask::EMPTY, optional: Mask::EMPTY, contested: Mask::EMPTY },
            supply: vec![0; timeline.classes.len()],
            frontier: vec![Config { state: model.initial(), done: Mask::EMPTY, used, way: START }],
            seen: Store::new(),
            reached: Store::new(),
            steps: 0,
            trail: Trail::default(),
        }
    }

    pub(super) fn run(mut self) -> Outcome<M::State> {
        let mut cut = 0;
        for &(now, moment) in &self.timeline.moments {
            match moment {
                Moment::Call(job) => self.call(job),
                Moment::Return(job) => {
                    // A job that would have to take effect before its call never does.
                    if self.jobs[job].call > now {
                        return self.stuck(job, now);
                    }
                    if let Err(why) = self.extend_to(job, now) {
                        let answer = Answer::Unknown { from: cut, to: now, why };
                        return Outcome { answer, steps: self.steps, stuck: None, order: None };
                    }
                    if self.frontier.is_empty() {
                        return self.stuck(job, now);
                    }
                    self.retire(job);
                }
            }
            if self.open.is_empty() && now != END {
                cut = now;
            }
        }
        let order = self.frontier.first().map(|config| self.order(config.way));
        Outcome { answer: Answer::Linearizable, steps: self.steps, stuck: None, order }
    }

    /// No configuration is left in which the job has taken effect by now.
    fn stuck(&self, job: usize, now: u32) -> Outcome<M::State> {
        let tried = self.seen.iter().chain(&self.frontier).map(|config| config.state.clone());
        let states = tried.take(CLUES).collect();
        Outcome {
            answer: Answer::Not { at: now },
            steps: self.steps,
            stuck: Some((job, states)),
            order: None,
        }
    }

    /// The jobs of a way, with the members of each class told apart again: the way names one of them for all.
    ///
    /// The first to be used is the first that was invoked. Of a class with plenty, a way may name more than
    /// there are: what leads back to the state that the class has just left is cut out, and then there are
    /// enough.
    fn order(&self, way: Link) -> Vec<u32> {
        let timeline = self.timeline;
        let mut order: Vec<u32> = Vec::new();
        for job in self.trail.order(way) {
            if let Some(class) = timeline.class_of[job as usize]
                && self.has_plenty(class as usize)
            {
                let optional = |job: &&u32| timeline.class_of[**job as usize].is_some();
                let since = order.len() - order.iter().rev().take_while(optional).count();
                let before = order[since..].iter().position(|&other| other == job);
                order.truncate(before.map_or(order.len(), |before| since + before));
            }
            order.push(job);
        }
        let mut members = vec![Vec::new(); timeline.classes.len()];
        for &(_, moment) in timeline.moments.iter().rev() {
            if let Moment::Call(job) = moment
                && let Some(class) = timeline.class_of[job]
            {
                members[class as usize].push(u32::try_from(job).unwrap_or(u32::MAX));
            }
        }
        for job in &mut order {
            if let Some(class) = timeline.class_of[*job as usize] {
                *job = members[class as usize].pop().unwrap_or(*job);
            }
        }
        order
    }

    /// A job becomes possible. Nothing happens yet, except to what can be done with at once.
    fn call(&mut self, job: usize) {
        if let Some(class) = self.timeline.class_of[job] {
            self.supply_one(class as usize);
            return;
        }
        // The timeline's width is the number of slots at least, so there is one.
        let Some(slot) = self.vacant.pop() else { return };
        self.slot_of[job] = slot;
        self.open.push(job);
        let (slot, Job { op, must, .. }) = (usize::from(slot), &self.jobs[job]);
        if !must {
            self.roles.optional.insert(slot);
        } else if self.model.is_read(op) || self.guide.is_free(job) {
            self.roles.free.insert(slot);
            for config in &mut self.frontier {
                if stays(self.model, &config.state, op) {
                    config.done.insert(slot);
                    config.way = self.trail.extend(config.way, job);
                }
            }
        } else {
            self.roles.contested.insert(slot);
        }
    }

    /// One more member of a class can be used.
    fn supply_one(&mut self, class: usize) {
        self.supply[class] += 1;
        if self.has_plenty(class) {
            // From here on nobody counts.
            for config in &mut self.frontier {
                config.used[class] = 0;
            }
        }
    }

    fn has_plenty(&self, class: usize) -> bool {
        self.supply[class] >= self.timeline.plenty && self.guide.is_constant(self.timeline.classes[class])
    }

    /// A job has ended: its slot can be used again.
    fn retire(&mut self, job: usize) {
        let slot = usize::from(self.slot_of[job]);
        self.open.retain(|&open| open != job);
        for mask in [&mut self.roles.free, &mut self.roles.optional, &mut self.roles.contested] {
            mask.remove(slot);
        }
        for config in &mut self.frontier {
            config.done.remove(slot);
        }
        self.vacant.push(self.slot_of[job]);
        if !self.jobs[job].must && self.frontier.len() > 1 {
            // Configurations that differed only in this job are one now.
            for config in std::mem::take(&mut self.frontier) {
                self.reached.insert(config, &self.roles);
            }
            self.frontier = self.reached.drain();
        }
    }

    /// Replaces the frontier by the configurations in which `target` has taken effect, each by the shortest
    /// ways that end with it. Where it is optional, those in which it has not stay too.
    fn extend_to(&mut self, target: usize, now: u32) -> Result<(), Exhausted> {
        let slot = usize::from(self.slot_of[target]);
        let must = self.jobs[target].must;
        self.seen.clear();
        if must && self.frontier.iter().all(|config| config.done.has(slot)) {
            return Ok(());
        }
        for config in std::mem::take(&mut self.frontier) {
            if config.done.has(slot) {
                self.reached.insert(config, &self.roles);
                continue;
            }
            if !must {
                self.reached.insert(config.clone(), &self.roles);
            }
            self.seen.insert(config, &self.roles);
        }
        let mut at = 0;
        while let Some(config) = self.seen.get(at) {
            if let Some(config) = config.cloned() {
                self.expand(&config, slot, now);
            }
            at += 1;
            self.within_limits()?;
        }
        self.frontier = self.reached.drain();
        self.trail.collect(self.frontier.iter_mut().map(|config| &mut config.way));
        Ok(())
    }

    fn within_limits(&self) -> Result<(), Exhausted> {
        let live = (self.seen.len() + self.reached.len()) as u64;
        if self.steps > self.limits.steps {
            return Err(Exhausted::Steps);
        }
        let bytes = live * Store::<M::State, W>::bytes_each(self.supply.len()) + self.trail.bytes();
        if bytes > self.limits.bytes {
            return Err(Exhausted::Bytes);
        }
        Ok(())
    }

    /// Places each job that is possible next.
    fn expand(&mut self, config: &Config<M::State, W>, target: usize, now: u32) {
        for at in 0..self.open.len() {
            let job = self.open[at];
            let slot = usize::from(self.slot_of[job]);
            // An open read that is not done does not fit this state.
            if !config.done.has(slot) && !self.model.is_read(&self.jobs[job].op) {
                self.place(config, job, now, target, |next| next.done.insert(slot));
            }
        }
        for class in 0..self.supply.len() {
            let job = self.timeline.classes[class];
            if self.has_plenty(class) {
                self.place(config, job, now, target, |_| ());
            } else if (config.used[class] as usize) < self.supply[class] {
                self.place(config, job, now, target, |next| next.used[class] += 1);
            }
        }
    }

    fn place(
        &mut self,
        config: &Config<M::State, W>,
        job: usize,
        now: u32,
        target: usize,
        mark: impl Fn(&mut Config<M::State, W>),
    ) {
        self.steps += 1;
        let (model, op) = (self.model, &self.jobs[job].op);
        for state in model.step(&config.state, op) {
            if state != config.state && !self.guide.may_leave(&config.state, job, now) {
                continue;
            }
            let mut next = Config { state, ..config.clone() };
            mark(&mut next);
            if self.guide.is_blind(job) {
                self.absorb(&mut next, &config.state, now);
            }
            next.way = self.trail.extend(next.way, job);
            self.settle(&mut next.done, &mut next.way, &next.state);
            if next.done.has(target) {
                self.reached.insert(next, &self.roles);
            } else {
                self.seen.insert(next, &self.roles);
            }
        }
    }

    /// Does with every closed job, and its reads, what costs nothing just before a blind one.
    fn absorb(&mut self, next: &mut Config<M::State, W>, before: &M::State, now: u32) {
        for at in 0..self.open.len() {
            let job = self.open[at];
            let slot = usize::from(self.slot_of[job]);
            if !next.done.has(slot) && self.guide.is_closed(job, now) {
                self.steps += 1;
                next.done.insert(slot);
                next.way = self.trail.extend(next.way, job);
                let model = self.model;
                for between in model.step(before, &self.jobs[job].op) {
                    self.settle(&mut next.done, &mut next.way, &between);
                }
            }
        }
    }

    /// Marks every open job that is better done, and leaves this state as it is.
    fn settle(&mut self, done: &mut Mask<W>, way: &mut Link, state: &M::State) {
        for &job in &self.open {
            let slot = usize::from(self.slot_of[job]);
            if !done.has(slot) && self.roles.free.has(slot) && stays(self.model, state, &self.jobs[job].op) {
                done.insert(slot);
                *way = self.trail.extend(*way, job);
            }
        }
    }
}

/// Whether the operation can happen in this state and leaves it as it is.
fn stays<M: Model>(model: &M, state: &M::State, op: &M::Op) -> bool {
    model.step(state, op).any(|next| next == *state)
}
