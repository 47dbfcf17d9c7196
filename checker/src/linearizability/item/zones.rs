//! Step 3: blocks against each other (Gibbons & Korach 1997, for blocks instead of single writes).
//!
//! **Theorem 1.** Suppose that nothing needs or makes absence but the first state. If every block is possible
//! by itself, the history is linearizable if and only if (a) forward zones are pairwise disjoint, and (b) no
//! backward zone lies strictly inside a forward zone.
//!
//! *Proof.* Blocks are contiguous, so the history is linearizable if and only if the relation A → B, "some
//! job of A ended before some job of B was called", that is f(A) < s(B), has no cycle among different
//! blocks: order them topologically, and each inside as `blocks` says. Suppose that there is a cycle, let
//! M have the smallest f on it, P its predecessor and Q that of P. Then f(P) < s(M), and f(M) ≤ f(Q) < s(P):
//! P → M and M → P, a cycle of two. And f(A) < s(B) with f(B) < s(A) says: two forward zones overlap, or a
//! backward zone lies inside a forward one. Two backward zones would give f(A) < s(B) ≤ f(B) < s(A) ≤ f(A).
//!
//! With deletes and reads of absence, (a) and (b) stay necessary; [`super::absence`] decides the rest on the
//! timeline from which forward zones have been cut out.

use super::Conflict;
use std::cell::Cell;

use super::blocks::{Block, Link, links, stretch};
use super::facts::Facts;

/// The forward zones in order of time, and the conflict of a block with one of them if there is one.
pub(super) fn order(facts: &Facts<'_>, blocks: &[Block]) -> Result<Zones, Conflict> {
    let mut forward: Vec<(u32, u32)> = blocks
        .iter()
        .enumerate()
        .filter(|(_, block)| block.is_forward())
        .map(|(at, block)| (block.first_ret, at as u32))
        .collect();
    forward.sort_unstable();
    let spans: Vec<Span> = forward
        .iter()
        .map(|&(start, at)| Span { start, end: blocks[at as usize].last_call, block: at })
        .collect();
    for two in spans.windows(2) {
        if two[1].start < two[0].end {
            return Err(clash(facts, &blocks[two[0].block as usize], &blocks[two[1].block as usize]));
        }
    }
    let zones = Zones { spans, hint: Cell::new(0) };
    for block in blocks.iter().filter(|block| !block.is_forward()) {
        if let Some(zone) = zones.around(block.last_call, block.first_ret) {
            return Err(clash(facts, &blocks[zone.block as usize], block));
        }
    }
    Ok(zones)
}

/// A forward zone on the timeline.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) block: u32,
}

/// The forward zones, disjoint, in order of time.
#[derive(Debug)]
pub(super) struct Zones {
    pub(super) spans: Vec<Span>,
    /// The last answer of [`Zones::begun`].
    hint: Cell<usize>,
}

impl Zones {
    /// How many zones begin before a moment.
    fn begun(&self, moment: u32) -> usize {
        // Whoever asks asks about neighbours: look there first.
        let (from, to) = (self.hint.get().saturating_sub(16), (self.hint.get() + 16).min(self.spans.len()));
        let near = from + self.spans[from..to].partition_point(|zone| zone.start < moment);
        let is_right = (near > from || from == 0 || self.spans[from - 1].start < moment)
            && (near < to || to == self.spans.len() || moment <= self.spans[to].start);
        let begun = if is_right { near } else { self.spans.partition_point(|zone| zone.start < moment) };
        self.hint.set(begun);
        begun
    }

    /// The zone that has this moment strictly inside.
    pub(super) fn at(&self, moment: u32) -> Option<&Span> {
        self.spans[..self.begun(moment)].last().filter(|zone| moment < zone.end)
    }

    /// A window without what lies inside zones. Empty (the first moment after the last) if all of it does.
    pub(super) fn cut(&self, open: u32, close: u32) -> (u32, u32) {
        let open = self.at(open).map_or(open, |zone| zone.end);
        let close = self.at(close).map_or(close, |zone| zone.start);
        (open, close)
    }

    /// Whether a block that ends later than it must, if it is a forward zone then, clears all zones but its
    /// own.
    pub(super) fn has_room_for(&self, longer: &Block, shorter: &Block) -> bool {
        if !longer.is_forward() {
            return true;
        }
        let from = if shorter.is_forward() { shorter.last_call } else { longer.first_ret };
        let before = self.spans.partition_point(|zone| zone.start < longer.last_call);
        self.spans[..before].last().is_none_or(|zone| zone.end <= from)
    }

    /// The zone that has both of these moments strictly inside.
    pub(super) fn around(&self, from: u32, to: u32) -> Option<&Span> {
        self.at(from).filter(|zone| to < zone.end)
    }
}

/// The conflict of two blocks, each of which has a job that ended before one of the other was called.
pub(super) fn clash(facts: &Facts<'_>, one: &Block, other: &Block) -> Conflict {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    links(facts, one.first, &mut ours);
    links(facts, other.first, &mut theirs);
    // The shortest stretch of each that is enough against the other's.
    let whole = |chain: &[Link]| {
        let ret = chain.iter().map(Link::first_ret).min().unwrap_or(0);
        let call = chain.iter().map(Link::last_call).max().unwrap_or(0);
        (ret, call)
    };
    let second = bracket(&theirs, whole(&ours));
    let first = bracket(&ours, whole(second));
    let (ret, call) = whole(first);
    let mut suspects = stretch(facts, first, ret, call);
    let (ret, call) = whole(second);
    suspects.extend(stretch(facts, second, ret, call));
    Conflict::between(facts.jobs, &suspects)
}

/// The conflict of a job that had to take effect while a block was in force.
pub(super) fn inside(facts: &Facts<'_>, block: &Block, at: u32) -> Conflict {
    let job = facts.job(at);
    let mut chain = Vec::new();
    links(facts, block.first, &mut chain);
    let around = bracket(&chain, (job.ret, job.call));
    let ret = around.iter().map(Link::first_ret).min().unwrap_or(0);
    let call = around.iter().map(Link::last_call).max().unwrap_or(0);
    let mut suspects = stretch(facts, around, ret, call);
    suspects.push(at);
    Conflict::between(facts.jobs, &suspects)
}

/// Of a chain, a shortest stretch that has a return before this call and a call after this return.
fn bracket(chain: &[Link], (ret, call): (u32, u32)) -> &[Link] {
    let mut best = chain;
    let mut from = None;
    for (to, link) in chain.iter().enumerate() {
        if link.first_ret() < call {
            from = Some(to);
        }
        if let Some(from) = from.filter(|_| link.last_call() > ret)
            && to - from < best.len()
        {
            best = &chain[from..=to];
        }
    }
    best
}
