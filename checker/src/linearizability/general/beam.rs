//! Narrow first: most histories are linearizable, and then a few configurations are enough to see it.
//!
//! A walk that keeps every configuration proves both answers, but where many blind operations are open at
//! once their number is exponential. So the first walk keeps only the most promising ones, a *beam*. If they
//! reach the end, there is an order. If they all die, that says nothing: the walk goes back to the last moment
//! before which nothing had been left out, and is eight times as wide from there on. Only a walk that left
//! nothing out answers *not linearizable*. All narrow walks together cost a fraction of the widest one.
//!
//! Promising is what has kept its options: few operations done that need not be done yet, few optional ones
//! spent, and few reads still waiting for their state.

use super::book::Book;
use super::row;

/// The first walk keeps one configuration: what returns takes effect, and little else is tried.
const FIRST: usize = 1;

/// How many configurations the second walk keeps.
const SECOND: usize = 64;

/// How much wider each walk is than the one before, from there on.
const FACTOR: usize = 8;

/// A walk this wide leaves nothing out.
const WIDEST: usize = 1 << 22;

/// How many times the beam's width one extension may look at.
const LOOKS: usize = 8;

/// A moment to come back to, before which nothing was left out.
#[derive(Debug)]
pub(super) struct Checkpoint {
    /// The place of the return in the timeline.
    pub(super) at: usize,
    pub(super) book: Book,
    pub(super) frontier: Vec<u64>,
}

/// The width of the walk.
#[derive(Debug)]
pub(super) struct Beam {
    width: usize,
    /// Where something was left out first.
    checkpoint: Option<Checkpoint>,
}

impl Beam {
    pub(super) fn new() -> Self {
        Self::of_width(FIRST)
    }

    /// A first walk as wide as this.
    pub(super) fn of_width(width: usize) -> Self {
        Self { width, checkpoint: None }
    }

    /// Whether nothing has been left out.
    pub(super) fn is_complete(&self) -> bool {
        self.checkpoint.is_none()
    }

    /// Whether an extension that has seen and reached so much should go on.
    pub(super) fn goes_on(&self, seen: usize, reached: usize) -> bool {
        let enough = if self.width < SECOND { self.width } else { self.width.saturating_mul(LOOKS) };
        self.width >= WIDEST || (seen <= self.width.max(SECOND) * LOOKS && reached < enough)
    }

    /// Whether so many configurations are too many.
    pub(super) fn is_exceeded_by(&self, configurations: usize) -> bool {
        self.width < WIDEST && configurations > self.width
    }

    /// Something is left out from here on.
    pub(super) fn leave_out(&mut self, checkpoint: Checkpoint) {
        self.checkpoint = Some(checkpoint);
    }

    /// The walk has ended in vain: where to begin a wider one. None if nothing was left out.
    pub(super) fn widen(&mut self) -> Option<Checkpoint> {
        self.width = if self.checkpoint.is_some() {
            self.width.saturating_mul(FACTOR).max(SECOND)
        } else {
            self.width
        };
        self.checkpoint.take()
    }

    /// Keeps the most promising rows.
    pub(super) fn truncate(&self, rows: &mut Vec<u64>, book: &Book) {
        let layout = book.layout;
        if !self.is_exceeded_by(rows.len() / layout.stride()) {
            return;
        }
        let roles = &book.roles;
        let count = |row: &[u64], role: &[u64]| -> u32 {
            layout.mask(row).iter().zip(role).map(|(mask, role)| (mask & role).count_ones()).sum()
        };
        let spent = |row: &[u64]| -> u64 {
            let counts = layout.counts(row).iter().flat_map(|&word| row::halves(word));
            counts.map(u64::from).sum::<u64>() + u64::from(count(row, &roles.optional))
        };
        let promise = |row: &[u64]| (count(row, &roles.contested), spent(row), !count(row, &roles.free));
        let mut order: Vec<(_, usize)> = rows.chunks_exact(layout.stride()).map(promise).zip(0..).collect();
        order.sort_unstable();
        order.truncate(self.width);
        let kept = order.iter().flat_map(|&(_, at)| &rows[at * layout.stride()..][..layout.stride()]);
        *rows = kept.copied().collect();
    }

    /// The first words of the rows to come back to.
    pub(super) fn heads(&mut self) -> impl Iterator<Item = &mut u64> {
        self.checkpoint
            .iter_mut()
            .flat_map(|back| back.frontier.chunks_exact_mut(back.book.layout.stride()).map(|row| &mut row[0]))
    }

    /// The memory of the rows to come back to.
    pub(super) fn bytes(&self) -> u64 {
        self.checkpoint.as_ref().map_or(0, |back| (back.frontier.len() * size_of::<u64>()) as u64)
    }
}
