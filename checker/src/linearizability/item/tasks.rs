//! What is left once forward zones have been cut out of the timeline: tasks without length.
//!
//! A forward zone occupies [f, s] and nothing else happens strictly inside. So a window that begins inside a
//! zone begins at the zone's end, one that ends inside ends at the zone's start, and one that lies inside is
//! empty: a contradiction, if its job must take effect. What remains are moments, of five sorts:
//!
//! | sort | made of | state before | state after |
//! |---|---|---|---|
//! | `Delete` | a blind delete; a backward block that begins blindly and ends with a delete | any | absent |
//! | `Absent` | a read of absence; a backward block from a write on absence to a delete | absent | absent |
//! | `Write` | a backward block that begins blindly and stays | any | a value |
//! | `Insert` | a backward block that begins on absence and stays | absent | a value |
//! | `Zone` | a forward zone | absent, if it begins on absence | absent, if it ends with a delete |
//!
//! **Optional conditional deletes.** Whether one took effect is not decided by what was observed: the state
//! that it leaves has no name. There are two cases. (a) It deletes a value that took effect (perhaps through
//! optional conditional writes on top of it, which nobody saw): then the block may end with it or not, and
//! each ending is a task of its own; a [`Choice`] says that the block is exactly one of them. If the value
//! was replaced for certain, it never took effect. (b) It deletes a value that did not take effect for
//! certain. Then the two together are an optional blind delete, called when the last of them was; but only
//! one such delete for each blind write at the bottom, since that can happen only once.
//!
//! Of several endings, one that asks for less (returns later, was called earlier) is at least as good.

use super::blocks::Block;
use super::facts::Facts;
use super::zones::{Zones, inside};
use super::{Conflict, NONE, Reads};
use crate::linearizability::general::{END, Job};
use crate::model::register::{ABSENT, Need, RegisterOp, Symbol};

/// What a task is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thing {
    /// A block, by its place.
    Block(u32),
    /// A job that is in no block.
    Job(u32),
    /// The blind write at the bottom of an optional conditional delete: see [`Task::ending`].
    Nothing,
}

/// The sort of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Delete,
    Absent,
    Write,
    Insert,
    /// With what it needs and what it leaves.
    Zone {
        on_absence: bool,
        leaves_absence: bool,
    },
}

/// Something to be placed at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Task {
    pub(super) sort: Sort,
    pub(super) thing: Thing,
    /// The optional conditional delete that ends it, or [`NONE`].
    pub(super) ending: u32,
    /// The first and the last moment. For a zone, its start, twice.
    pub(super) open: u32,
    pub(super) close: u32,
    /// The end of a zone that is longer than what was cut out, else 0.
    pub(super) until: u32,
    /// Whether it must take place.
    pub(super) must: bool,
    /// The choice that it is part of, or [`NONE`].
    pub(super) choice: u32,
}

/// Exactly one of some tasks takes place: a range of [`Tasks::all`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice {
    pub(super) first: u32,
    pub(super) end: u32,
}

/// All that is to be placed.
#[derive(Debug)]
pub(super) struct Tasks {
    pub(super) all: Vec<Task>,
    pub(super) choices: Vec<Choice>,
}

/// One way in which a conditional delete may end something: its first return, its last call, and the delete.
type Ending = (u32, u32, u32);

/// The same, and whose it is.
type OwnEnding = (u32, Ending);

impl Tasks {
    /// The tasks of all blocks, deletes and reads of absence.
    pub(super) fn new(facts: &Facts<'_>, blocks: &[Block], zones: &Zones) -> Result<Self, Conflict> {
        let mut tasks = Self { all: Vec::with_capacity(blocks.len()), choices: Vec::new() };
        let (endings, deletes) = endings(facts, blocks);
        let mut endings = endings.into_iter().peekable();
        for (at, block) in blocks.iter().enumerate() {
            let at = at as u32;
            let task = Task { thing: Thing::Block(at), ..task(block, block.delete, zones, 0) };
            let mut ways = Vec::new();
            while let Some((_, ending)) = endings.next_if(|&(owner, _)| owner == at) {
                ways.push(ending);
            }
            tasks.block(task, block, &ways, zones);
        }
        for (at, job) in facts.jobs.iter().enumerate() {
            if let Some(sort) = bare(job) {
                tasks.job(facts, blocks, zones, at as u32, sort)?;
            }
        }
        tasks.optional_deletes(&deletes, zones);
        Ok(tasks)
    }

    /// A block, and the ways in which it may end.
    fn block(&mut self, task: Task, block: &Block, ways: &[Ending], zones: &Zones) {
        let choice = self.choices.len() as u32;
        let first = self.all.len() as u32;
        self.all.push(task);
        for &(ret, call, delete) in &undominated(ways, block.first_ret, block.last_call) {
            let longer = Block { first_ret: ret, last_call: call, delete, ..*block };
            if !zones.has_room_for(&longer, block) {
                continue;
            }
            let until = if longer.is_forward() { call } else { 0 };
            let way = self::task(&longer, delete, zones, until);
            if way.open <= way.close {
                self.all.push(Task { thing: task.thing, ending: delete, choice, ..way });
            }
        }
        self.close_choice(first, choice);
    }

    /// Makes a choice of the tasks from `first` on, if there are several.
    fn close_choice(&mut self, first: u32, choice: u32) {
        let end = self.all.len() as u32;
        if end - first > 1 {
            self.all[first as usize].choice = choice;
            self.choices.push(Choice { first, end });
        }
    }

    fn job(
        &mut self,
        facts: &Facts<'_>,
        blocks: &[Block],
        zones: &Zones,
        at: u32,
        sort: Sort,
    ) -> Result<(), Conflict> {
        let job = facts.job(at);
        let (open, close) = zones.cut(job.call, job.ret);
        if open <= close {
            let thing = Thing::Job(at);
            self.all.push(Task {
                sort,
                thing,
                ending: NONE,
                open,
                close,
                until: 0,
                must: job.must,
                choice: NONE,
            });
        } else if job.must
            && let Some(zone) = zones.around(job.call, job.ret)
        {
            return Err(inside(facts, &blocks[zone.block as usize], at));
        }
        Ok(())
    }

    /// Optional conditional deletes of values that did not take effect for certain, grouped by what is at the
    /// bottom of them.
    fn optional_deletes(&mut self, deletes: &[OwnEnding], zones: &Zones) {
        for group in deletes.chunk_by(|a, b| a.0 == b.0) {
            let ways: Vec<Ending> = group.iter().map(|&(_, ending)| ending).collect();
            let (first, choice) = (self.all.len() as u32, self.choices.len() as u32);
            for (ret, call, delete) in undominated(&ways, END, 0) {
                let (open, close) = zones.cut(call, ret);
                if open <= close {
                    let (sort, thing) = (Sort::Delete, Thing::Nothing);
                    self.all.push(Task {
                        sort,
                        thing,
                        ending: delete,
                        open,
                        close,
                        until: 0,
                        must: false,
                        choice,
                    });
                }
            }
            if self.all.len() as u32 - first == 1 {
                self.all[first as usize].choice = NONE;
            }
            self.close_choice(first, choice);
        }
    }
}

/// What a job is that is in no block, if it is to be placed.
fn bare(job: &Job<RegisterOp>) -> Option<Sort> {
    match (job.op.need, job.op.set) {
        (Need::Any, Some(ABSENT)) => Some(Sort::Delete),
        (Need::Is(ABSENT), None | Some(ABSENT)) if job.must => Some(Sort::Absent),
        _ => None,
    }
}

/// The task of a block that ends with this delete, if with any.
fn task(block: &Block, delete: u32, zones: &Zones, until: u32) -> Task {
    let leaves_absence = delete != NONE;
    let (sort, (open, close)) = if block.is_forward() {
        let start = block.first_ret;
        (Sort::Zone { on_absence: block.on_absence, leaves_absence }, (start, start))
    } else {
        let sort = match (block.on_absence, leaves_absence) {
            (false, false) => Sort::Write,
            (true, false) => Sort::Insert,
            (false, true) => Sort::Delete,
            (true, true) => Sort::Absent,
        };
        (sort, zones.cut(block.last_call, block.first_ret))
    };
    Task { sort, thing: Thing::Nothing, ending: NONE, open, close, until, must: true, choice: NONE }
}

/// The ways to end, cut to what the block leaves of them, without those that another is at least as good as.
fn undominated(ways: &[Ending], first_ret: u32, last_call: u32) -> Vec<Ending> {
    let mut kept: Vec<Ending> = Vec::new();
    for &(ret, call, delete) in ways.iter().filter(|&&(ret, ..)| last_call <= ret) {
        let way = (ret.min(first_ret), call.max(last_call), delete);
        let as_good = |a: &Ending, b: &Ending| a.0 >= b.0 && a.1 <= b.1;
        if !kept.iter().any(|other| as_good(other, &way)) {
            kept.retain(|other| !as_good(&way, other));
            kept.push(way);
        }
    }
    kept
}

/// What optional conditional deletes may do: end blocks (by the place of the block), or be blind deletes (by
/// the job at the bottom). Both sorted.
fn endings(facts: &Facts<'_>, blocks: &[Block]) -> (Vec<OwnEnding>, Vec<OwnEnding>) {
    let (mut ends, mut deletes) = (Vec::new(), Vec::new());
    let mut block_of: Vec<u32> = Vec::new();
    for (at, job) in facts.jobs.iter().enumerate() {
        let (Need::Is(value), Some(ABSENT), false) = (job.op.need, job.op.set, job.must) else { continue };
        if value == ABSENT {
            continue;
        }
        if block_of.is_empty() {
            block_of = vec![NONE; facts.values.len()];
            for (at, block) in blocks.iter().enumerate() {
                block_of[block.last as usize] = at as u32;
            }
        }
        let (mut call, mut ret) = (job.call, job.ret);
        let bottom = below(facts, value, |job| {
            call = call.max(job.call);
            ret = ret.min(job.ret);
        });
        let ending = (ret, call, at as u32);
        match bottom {
            _ if call > ret => {}
            Bottom::Value(value) if facts.value(value).heir == NONE && block_of[value as usize] != NONE => {
                ends.push((block_of[value as usize], ending));
            }
            Bottom::Blind(job) => deletes.push((job, ending)),
            Bottom::Value(_) | Bottom::Useless => {}
        }
    }
    ends.sort_unstable();
    deletes.sort_unstable();
    (ends, deletes)
}

/// What is under a value.
enum Bottom {
    /// This value, which took effect.
    Value(Symbol),
    /// This blind write, which may have happened.
    Blind(u32),
    /// Nothing that could make a difference: a write on absence, or none.
    Useless,
}

/// Walks from a value down to what took effect, past the optional writes that would bring it.
fn below(facts: &Facts<'_>, mut value: Symbol, mut pass: impl FnMut(&Job<RegisterOp>)) -> Bottom {
    for _ in 0..facts.values.len() {
        let writer = facts.value(value).writer;
        if writer == NONE {
            return Bottom::Useless;
        }
        if facts.taken[writer as usize] {
            return Bottom::Value(value);
        }
        let job = facts.job(writer);
        pass(job);
        match job.op.need {
            Need::Any => return Bottom::Blind(writer),
            Need::Is(under) if under != ABSENT => value = under,
            Need::Is(_) | Need::Not(_) | Need::Never => return Bottom::Useless,
        }
    }
    Bottom::Useless
}

/// The jobs of a task, in order.
pub(super) fn jobs_of(facts: &Facts<'_>, blocks: &[Block], task: &Task, reads: &Reads, order: &mut Vec<u32>) {
    match task.thing {
        Thing::Job(at) => order.push(at),
        Thing::Nothing => {}
        Thing::Block(at) => {
            let mut value = blocks[at as usize].first;
            let mut writer = facts.value(value).writer;
            while writer != NONE {
                order.push(writer);
                if value == ABSENT {
                    break;
                }
                order.extend(reads.of(value));
                writer = facts.value(value).heir;
                if writer != NONE {
                    value = facts.job(writer).op.set.unwrap_or(ABSENT);
                }
            }
        }
    }
    if task.ending != NONE {
        let from = order.len();
        order.push(task.ending);
        if let Need::Is(mut value) = facts.job(task.ending).op.need {
            while !facts.taken[facts.value(value).writer as usize] {
                let writer = facts.value(value).writer;
                order.push(writer);
                match facts.job(writer).op.need {
                    Need::Is(under) => value = under,
                    _ => break,
                }
            }
        }
        order[from..].reverse();
    }
}
