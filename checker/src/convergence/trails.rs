//! What a session leaves behind on one key, as something that others must include.
//!
//! A [`Trail`](Trails) is a list of operations in session order. After each of them it knows the least
//! that includes all up to here: a clock, or a place in the line of versions. So the question "does this answer
//! include all that this session did before its n-th operation?" takes one search by halves and one comparison,
//! however long the session is.
//!
//! Of several dots of one actor the greatest speaks for all, and of several places in the line the last one:
//! only for these is it asked whether a forgotten key explains that they are missing.

use super::order::{Book, Dot, Order, Place, add, counter, includes};
use super::rows::Rows;

/// What an answer lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Missing {
    /// The operation of the trail that had it first.
    pub(super) place: Place,
    /// The dot, where versions compare by clocks.
    pub(super) dot: Option<Dot>,
}

/// The least that includes all operations up to one of them.
#[derive(Debug, Clone, Copy, Default)]
struct Step {
    /// Which operation of its session this was.
    number: u32,
    place: Place,
    /// Who needs most, and how much.
    top: Place,
    needs: u64,
    /// A clock, as a range of [`Trails::clocks`].
    from: u32,
    to: u32,
}

/// Many trails.
#[derive(Debug)]
pub(super) struct Trails {
    lists: Rows<Step>,
    clocks: Vec<Dot>,
    scratch: Vec<Dot>,
}

impl Trails {
    /// Empty ones, so many; and of each operation that will be added, to which one.
    pub(super) fn new(count: usize, pushes: impl Iterator<Item = u32>) -> Self {
        Self { lists: Rows::new(count, pushes), clocks: Vec::new(), scratch: Vec::new() }
    }

    /// Adds an operation: what includes it covers these dots, or has what it needs. Numbers must increase.
    pub(super) fn push(&mut self, trail: u32, number: u32, place: Place, dots: &[Dot], needs: u64) {
        let last = self.lists.of(trail).last().copied();
        let mut step = Step { number, place, top: place, needs, from: 0, to: 0 };
        if let Some(last) = last {
            if last.needs >= needs {
                (step.top, step.needs) = (last.top, last.needs);
            }
            (step.from, step.to) = (last.from, last.to);
        }
        if !includes(self.cut(&step), dots) {
            self.scratch.clear();
            self.scratch.extend_from_slice(&self.clocks[step.from as usize..step.to as usize]);
            dots.iter().for_each(|&dot| add(&mut self.scratch, dot));
            step.from = self.clocks.len() as u32;
            self.clocks.extend_from_slice(&self.scratch);
            step.to = self.clocks.len() as u32;
        }
        self.lists.push(trail, step);
    }

    /// What the answer at `later` lacks of the operations of a trail that have numbers below `before`.
    pub(super) fn missing(&self, book: &Book<'_>, trail: u32, before: u32, later: Place) -> Option<Missing> {
        let list = self.lists.of(trail);
        let step = &list[steps_below(list, before).checked_sub(1)?];
        if book.order(later) == Order::Clock {
            let clock = book.clock(later)?;
            if includes(clock, self.cut(step)) {
                return None;
            }
            let dot = *self.cut(step).iter().find(|&&dot| book.lacks_dot(later, dot))?;
            let first = list.partition_point(|step| counter(self.cut(step), dot.actor) < dot.counter);
            return Some(Missing { place: list[first].place, dot: Some(dot) });
        }
        let behind = book.has(later) < step.needs && !book.may_have_restarted(later, step.top);
        behind.then_some(Missing { place: step.top, dot: None })
    }

    /// Whether nothing was added to a trail yet.
    pub(super) fn is_empty(&self, trail: u32) -> bool {
        self.lists.is_empty(trail)
    }

    fn cut(&self, step: &Step) -> &[Dot] {
        &self.clocks[step.from as usize..step.to as usize]
    }
}

/// How many steps have numbers below `before`: by doubling from the end, since it is mostly close to there.
fn steps_below(list: &[Step], before: u32) -> usize {
    let (mut from, mut until, mut width) = (list.len(), list.len(), 1);
    while from > 0 && list[from - 1].number >= before {
        (from, until) = (from.saturating_sub(width), from);
        width *= 2;
    }
    from + list[from..until].partition_point(|step| step.number < before)
}

/// One answer more, and the least that includes all of them up to here.
#[derive(Debug, Clone, Copy, Default)]
struct Stage {
    /// Who gave it: a number of the caller's.
    own: u32,
    needs: u64,
    /// A clock, as a range of [`Logs::clocks`].
    from: u32,
    to: u32,
}

/// Of each life of a key, what whoever told of it in the order of the answers. Who includes the whole of it lacks
/// nothing of anybody; and who does not lacks nothing but of the last ones.
#[derive(Debug)]
pub(super) struct Logs {
    lists: Rows<Stage>,
    clocks: Vec<Dot>,
    scratch: Vec<Dot>,
}

impl Logs {
    /// Empty ones, so many; and of each answer that will be added, to which one.
    pub(super) fn new(lives: usize, pushes: impl Iterator<Item = u32>) -> Self {
        Self { lists: Rows::new(lives, pushes), clocks: Vec::new(), scratch: Vec::new() }
    }

    /// Adds an answer: what includes it covers these dots, or has what it needs.
    pub(super) fn push(&mut self, life: u32, own: u32, dots: &[Dot], needs: u64) {
        let last = self.lists.of(life).last().copied();
        let mut stage = Stage { own, needs, from: 0, to: 0 };
        if let Some(last) = last {
            (stage.needs, stage.from, stage.to) = (needs.max(last.needs), last.from, last.to);
        }
        let clock = &self.clocks[stage.from as usize..stage.to as usize];
        if !includes(clock, dots) {
            self.scratch.clear();
            self.scratch.extend_from_slice(clock);
            dots.iter().for_each(|&dot| add(&mut self.scratch, dot));
            stage.from = self.clocks.len() as u32;
            self.clocks.extend_from_slice(&self.scratch);
            stage.to = self.clocks.len() as u32;
        }
        self.lists.push(life, stage);
    }

    /// Those of whose answers one may lack something, the last first: each as often as it told something since
    /// what is included for certain.
    pub(super) fn recent<'l>(
        &'l self,
        book: &'l Book<'_>,
        life: u32,
        later: Place,
    ) -> impl Iterator<Item = u32> + use<'l> {
        let clock = if book.order(later) == Order::Clock { book.clock(later) } else { None };
        let has = book.has(later);
        let lacking = move |stage: &&Stage| match clock {
            Some(clock) => !includes(clock, &self.clocks[stage.from as usize..stage.to as usize]),
            None => has < stage.needs,
        };
        self.lists.of(life).iter().rev().take_while(lacking).map(|stage| stage.own)
    }

    /// Whether an answer includes all of it.
    pub(super) fn is_in(&self, book: &Book<'_>, life: u32, later: Place) -> bool {
        self.recent(book, life, later).next().is_none()
    }
}
