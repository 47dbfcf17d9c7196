//! Step 2: blocks, the stretches of a history that nothing can come between.
//!
//! The *cluster* of a value is its writer and its reads. A *block* is a maximal chain of values
//! v1 → … → vk, each written on the condition that the one before it was in force. It begins with a blind
//! write, or with a write on absence, and may end with a conditional delete. In every legal order a block is
//! contiguous: nothing may change the state between a value and the job that replaced it, and every value is
//! in force only once.
//!
//! **Inside a block.** Let t_i be the moment at which vi comes into force. Everything of the clusters before
//! i happens at or before t_i, everything of cluster i and later at or after it. So
//! L_i ≤ t_i ≤ U_i, with L_i the last call among the writers up to i and the reads of the clusters before i,
//! and U_i the first return among the writers from i on and the reads of cluster i and later. Both grow with
//! i, so the block is possible if and only if L_i ≤ U_i for all i (take t_i = L_i).
//!
//! **Seen from outside**, all that matters of a block is f, its first return, and s, its last call. If
//! f < s the block is a *forward zone*: it is certainly in force all through [f, s], and can be squeezed into
//! exactly that (begin at t_i = max(L_i, f) ≤ U_i; all reads of the last value fit before or at s). Otherwise
//! it is a *backward zone*, and fits as a whole at any one moment of [s, f].

use super::facts::Facts;
use super::{Conflict, NONE};
use crate::linearizability::general::END;
use crate::model::register::{ABSENT, Need, Symbol};

/// A maximal chain of values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    /// Its first and its last value.
    pub(super) first: Symbol,
    pub(super) last: Symbol,
    /// f: the first return of its jobs.
    pub(super) first_ret: u32,
    /// s: the last call of its jobs.
    pub(super) last_call: u32,
    /// Whether it can begin only where there is no item.
    pub(super) on_absence: bool,
    /// The conditional delete that ends it, or [`NONE`].
    pub(super) delete: u32,
}

impl Block {
    /// Whether it is a forward zone.
    pub(super) fn is_forward(&self) -> bool {
        self.first_ret < self.last_call
    }
}

/// One cluster of a block on the timeline; the delete that ends a block is one without reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    /// Its writer.
    pub(super) writer: u32,
    /// The value; [`ABSENT`] for the delete.
    pub(super) value: Symbol,
    /// Of the writer.
    pub(super) call: u32,
    pub(super) ret: u32,
    /// The first return and the last call among the reads.
    pub(super) first_read: u32,
    pub(super) last_read: u32,
}

/// All blocks, in order of the place of their first writer.
pub(super) fn find(facts: &Facts<'_>) -> Result<Vec<Block>, Conflict> {
    let mut blocks = Vec::new();
    let mut chain = Vec::new();
    let mut seen = 0;
    let mut written = 0;
    for (at, job) in facts.jobs.iter().enumerate() {
        let Some(value) = job.op.set.filter(|&value| value != ABSENT && facts.taken[at]) else { continue };
        written += 1;
        if !matches!(job.op.need, Need::Any | Need::Is(ABSENT)) {
            continue;
        }
        let on_absence = job.op.need == Need::Is(ABSENT);
        let block = if facts.value(value).heir == NONE {
            seen += 1;
            lonely(facts, at as u32, value, on_absence)?
        } else {
            links(facts, value, &mut chain);
            seen += chain.iter().filter(|link| link.value != ABSENT).count();
            chained(facts, &chain, on_absence)?
        };
        blocks.push(block);
    }
    if seen < written {
        return Err(cycle(facts, &blocks));
    }
    Ok(blocks)
}

/// The block of a value that nobody replaced.
fn lonely(facts: &Facts<'_>, writer: u32, value: Symbol, on_absence: bool) -> Result<Block, Conflict> {
    let (job, fact) = (facts.job(writer), facts.value(value));
    if job.call > fact.first_ret {
        return Err(future(facts, &[link(facts, writer, value)]));
    }
    Ok(Block {
        first: value,
        last: value,
        first_ret: job.ret.min(fact.first_ret),
        last_call: job.call.max(fact.last_call),
        on_absence,
        delete: NONE,
    })
}

fn link(facts: &Facts<'_>, writer: u32, value: Symbol) -> Link {
    let job = facts.job(writer);
    let (first_read, last_read) =
        if value == ABSENT { (END, 0) } else { (facts.value(value).first_ret, facts.value(value).last_call) };
    Link { writer, value, call: job.call, ret: job.ret, first_read, last_read }
}

/// The links of the block that begins with this value.
pub(super) fn links(facts: &Facts<'_>, first: Symbol, chain: &mut Vec<Link>) {
    chain.clear();
    let mut value = first;
    let mut writer = facts.value(value).writer;
    loop {
        chain.push(link(facts, writer, value));
        if value == ABSENT {
            return;
        }
        writer = facts.value(value).heir;
        if writer == NONE {
            return;
        }
        value = facts.job(writer).op.set.unwrap_or(ABSENT);
    }
}

/// The block of a longer chain.
fn chained(facts: &Facts<'_>, chain: &[Link], on_absence: bool) -> Result<Block, Conflict> {
    let first_ret = |link: &Link| link.ret.min(link.first_read);
    // From the back: each moment must not be after the first return of what comes at it or later. The last
    // call of what comes before it is taken from the front, so the two walks meet in between.
    let mut upper: Vec<u32> = chain.iter().rev().map(first_ret).collect();
    for at in 1..upper.len() {
        upper[at] = upper[at].min(upper[at - 1]);
    }
    let mut lower = 0;
    for (link, &upper) in chain.iter().zip(upper.iter().rev()) {
        lower = lower.max(link.call);
        if lower > upper {
            return Err(future(facts, chain));
        }
        lower = lower.max(link.last_read);
    }
    let last = chain.iter().rev().find(|link| link.value != ABSENT).map_or(ABSENT, |link| link.value);
    let delete = chain.last().filter(|link| link.value == ABSENT).map_or(NONE, |link| link.writer);
    let first = chain.first().map_or(ABSENT, |link| link.value);
    let first_ret = upper.last().copied().unwrap_or(END);
    Ok(Block { first, last, first_ret, last_call: lower, on_absence, delete })
}

/// The conflict of a chain in which something that has to come later ended before something that has to come
/// earlier was called: of all such pairs, one that is nearest in the chain.
fn future(facts: &Facts<'_>, chain: &[Link]) -> Conflict {
    let mut best: Option<(usize, usize)> = None;
    // Links whose last call is greater than all that follow them so far, with that call.
    let mut greater: Vec<(u32, usize)> = Vec::new();
    for (at, link) in chain.iter().enumerate() {
        let ends = link.ret.min(link.first_read);
        // The writer itself comes before its own reads.
        let mut candidate = (link.call > link.first_read).then_some(at);
        if candidate.is_none() {
            let nearest = greater.partition_point(|&(call, _)| call > ends);
            candidate = nearest.checked_sub(1).map(|n| greater[n].1);
        }
        if let Some(from) = candidate
            && best.is_none_or(|(a, b)| at - from < b - a)
        {
            best = Some((from, at));
        }
        let last_call = link.call.max(link.last_read);
        while greater.last().is_some_and(|&(call, _)| call <= last_call) {
            greater.pop();
        }
        greater.push((last_call, at));
    }
    let (from, to) = best.unwrap_or((0, chain.len().saturating_sub(1)));
    Conflict::between(
        facts.jobs,
        &stretch(facts, &chain[from..=to], chain[to].first_ret(), chain[from].last_call()),
    )
}

impl Link {
    /// The first return of its jobs.
    pub(super) fn first_ret(&self) -> u32 {
        self.ret.min(self.first_read)
    }

    /// The last call of its jobs.
    pub(super) fn last_call(&self) -> u32 {
        self.call.max(self.last_read)
    }
}

/// The jobs that tie a stretch of a chain together: its writers, and the read (if it is one) of its ends with
/// this return or call.
pub(super) fn stretch(facts: &Facts<'_>, links: &[Link], ret: u32, call: u32) -> Vec<u32> {
    let mut found = Vec::new();
    for link in links {
        found.extend(facts.with_observer(link.writer));
    }
    let ends = [links.first(), links.last()];
    let reads_end =
        |value: Symbol| ends.into_iter().flatten().any(|link| link.value == value && value != ABSENT);
    let is_end = |at: usize| {
        let job = &facts.jobs[at];
        let Need::Is(value) = job.op.need else { return false };
        facts.taken[at] && job.op.set.is_none() && (job.ret == ret || job.call == call) && reads_end(value)
    };
    found.extend((0..facts.jobs.len()).filter(|&at| is_end(at)).map(|at| at as u32));
    found
}

/// The conflict of values each of which was written over the next: none of them can have come first.
fn cycle(facts: &Facts<'_>, blocks: &[Block]) -> Conflict {
    let mut in_block = vec![false; facts.values.len()];
    let mut chain = Vec::new();
    for block in blocks {
        links(facts, block.first, &mut chain);
        for link in &chain {
            in_block[link.value as usize] = true;
        }
    }
    let lost = facts.jobs.iter().enumerate().find_map(|(at, job)| {
        job.op.set.filter(|&value| value != ABSENT && facts.taken[at] && !in_block[value as usize])
    });
    let mut found = Vec::new();
    let mut value = lost.unwrap_or(ABSENT);
    let mut passed = vec![false; facts.values.len()];
    while value != ABSENT && !std::mem::replace(&mut passed[value as usize], true) {
        let writer = facts.value(value).writer;
        found.extend(facts.with_observer(writer));
        value = match facts.job(writer).op.need {
            Need::Is(value) => value,
            _ => ABSENT,
        };
    }
    Conflict::between(facts.jobs, &found)
}
