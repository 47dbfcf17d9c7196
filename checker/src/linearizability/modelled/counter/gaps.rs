//! Additions to a counter that nobody looks at, put together.
//!
//! The moments at which a *look* (a read, an addition with an `observed`) is open make *windows*; between them
//! are *gaps*. An addition that begins and ends in one gap is seen by no look in between, so of all those of
//! a gap only the sum counts. They become one job: what must happen is a number, and what may is one of the
//! sums of a part of them (subset sums, by bits that are shifted, O(range × kinds × log n / 64)). Additions
//! after the last window can be left out, whether they must happen or may: they always can.
//!
//! There may be many sums, and few of them of use: the looks of the next window say what they saw, and only
//! the additions that are open in that window, or were in the one before, come in between. So the counter must leave the gap between two
//! *bounds*. It also enters it between two: the same looks of the window before. What is outside of both is
//! not even written down. In a weakened history of 100 000 additions and a few reads, that leaves hardly any.
//!
//! The answer never changes: every sum that an order can need is kept. Where deltas are so large that their
//! sums are too many, the gap stays as it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::super::general::Job;
use crate::model::counter::{CounterOp, Sums};

/// The sums of one gap reach no further than this, in units of what divides all their deltas.
const REACH: usize = 1 << 22;

/// What is between two numbers.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    low: i128,
    high: i128,
}

/// When some look is open, and what is known of that time.
#[derive(Debug)]
struct Window {
    from: u32,
    to: u32,
    /// The least and the greatest sum that its looks saw.
    seen: Bounds,
    /// What additions that are open in it can come to.
    open: Bounds,
}

/// The additions of one gap.
#[derive(Debug, Default)]
struct Gap {
    places: Vec<usize>,
}

/// Makes one job of all additions of each gap. Jobs that are left out end before they begin.
pub(super) fn fold(jobs: &mut [Job<CounterOp>]) {
    let mut windows = windows(jobs);
    let mut gaps: Vec<Gap> = Vec::new();
    gaps.resize_with(windows.len(), Gap::default);
    let mut opened: Vec<Bounds> = vec![Bounds { low: 0, high: 0 }; windows.len() + 1];
    let mut closed = opened.clone();
    for (at, job) in jobs.iter_mut().enumerate() {
        // The first window that ends after it began, and the first that begins after it ended.
        let first = windows.partition_point(|window| window.to < job.call);
        let after = windows.partition_point(|window| window.from <= job.ret);
        let CounterOp::Add { delta, observed } = job.op else { continue };
        if job.ret < job.call {
            // It cannot happen: that is for the engine to say.
            continue;
        }
        if first < after {
            let (low, high) = (delta.min(0), delta.max(0));
            (opened[first].low, opened[first].high) = (opened[first].low + low, opened[first].high + high);
            (closed[after].low, closed[after].high) = (closed[after].low + low, closed[after].high + high);
            if observed.is_none() {
                // Before that, nobody looks.
                job.call = job.call.max(windows[first].from);
            }
        } else if let Some(gap) = gaps.get_mut(first) {
            gap.places.push(at);
        } else {
            leave_out(job);
        }
    }
    let mut open = Bounds { low: 0, high: 0 };
    for (at, window) in windows.iter_mut().enumerate() {
        open.low += opened[at].low - closed[at].low;
        open.high += opened[at].high - closed[at].high;
        window.open = open;
    }
    let nothing = Bounds { low: 0, high: 0 };
    let (mut entered, mut late) = (nothing, nothing);
    for (gap, window) in gaps.iter().zip(&windows) {
        gap.fold(jobs, entered, window.before(late));
        (entered, late) = (window.after(), window.open);
    }
}

fn leave_out(job: &mut Job<CounterOp>) {
    (job.call, job.ret, job.must) = (1, 0, false);
}

/// When somebody looks, in order.
fn windows(jobs: &[Job<CounterOp>]) -> Vec<Window> {
    let mut windows: Vec<Window> = Vec::new();
    let look = |job: &Job<CounterOp>| match job.op {
        CounterOp::Read(sum) | CounterOp::Add { observed: Some(sum), .. } => Some((job.call, job.ret, sum)),
        CounterOp::Add { observed: None, .. } | CounterOp::AddOneOf(_) => None,
    };
    let mut looks: Vec<(u32, u32, i128)> = jobs.iter().filter_map(look).collect();
    looks.sort_unstable();
    for (from, to, sum) in looks {
        match windows.last_mut().filter(|window| from <= window.to) {
            Some(window) => {
                window.to = window.to.max(to);
                window.seen = Bounds { low: window.seen.low.min(sum), high: window.seen.high.max(sum) };
            }
            None => {
                let (seen, open) = (Bounds { low: sum, high: sum }, Bounds { low: 0, high: 0 });
                windows.push(Window { from, to, seen, open });
            }
        }
    }
    windows
}

impl Window {
    /// Where the counter must be after the gap before it: each look saw that, and what additions made of it
    /// in between. Those may be open here, or since the last window (`late`).
    fn before(&self, late: Bounds) -> Bounds {
        let Self { seen, open, .. } = self;
        Bounds { low: seen.high - open.high - late.high, high: seen.low - open.low - late.low }
    }

    /// Where the counter must be when it ends.
    fn after(&self) -> Bounds {
        Bounds { low: self.seen.high + self.open.low, high: self.seen.low + self.open.high }
    }
}

impl Gap {
    /// Puts one job in the place of all.
    fn fold(&self, jobs: &mut [Job<CounterOp>], entered: Bounds, left: Bounds) {
        let Some((&place, others)) = self.places.split_first() else { return };
        let mut certain = 0;
        let mut kinds: BTreeMap<i128, usize> = BTreeMap::new();
        for &at in &self.places {
            let CounterOp::Add { delta, .. } = jobs[at].op else { continue };
            if jobs[at].must {
                certain += delta;
            } else if delta != 0 {
                *kinds.entry(delta).or_default() += 1;
            }
        }
        let useful = Bounds { low: left.low - entered.high, high: left.high - entered.low };
        let Some(sums) = sums(certain, &kinds, useful) else { return };
        let call = self.places.iter().map(|&at| jobs[at].call).min().unwrap_or(0);
        let ret = self.places.iter().map(|&at| jobs[at].ret).max().unwrap_or(0);
        others.iter().for_each(|&at| leave_out(&mut jobs[at]));
        let op = CounterOp::AddOneOf(Arc::new(Sums { sums, low: left.low, high: left.high }));
        jobs[place] = Job { op, call, ret, must: true };
    }
}

/// What a number and any part of so many additions of each kind can come to, as far as that is of use; none
/// if it is too much.
fn sums(certain: i128, kinds: &BTreeMap<i128, usize>, useful: Bounds) -> Option<Vec<i128>> {
    let unit = kinds.keys().fold(0, |unit, &delta| divisor(unit, delta.unsigned_abs()));
    let unit = i128::try_from(unit.max(1)).ok()?;
    // From the least sum on, every kind only adds.
    let below = kinds.iter().filter(|&(&delta, _)| delta < 0).map(|(&delta, &count)| delta * count as i128);
    let least = certain + below.sum::<i128>();
    let reach = kinds.iter().map(|(&delta, &count)| delta.abs() / unit * count as i128).sum::<i128>();
    let reach = usize::try_from(reach).ok().filter(|&reach| reach < REACH)?;
    let mut bits = vec![0_u64; reach / 64 + 1];
    bits[0] = 1;
    for (&delta, &count) in kinds {
        let delta = usize::try_from(delta.abs() / unit).ok()?;
        // As 1 + 2 + 4 + … and a rest, so that every number up to the count is a sum of some of them.
        let (mut rest, mut part) = (count, 1);
        while rest > 0 {
            let times = part.min(rest);
            add_shifted(&mut bits, delta * times);
            rest -= times;
            part *= 2;
        }
    }
    let is_useful = |sum: &i128| (useful.low..=useful.high).contains(sum);
    let ones = bits.iter().enumerate().flat_map(|(word, &bits)| {
        (0..64).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| word * 64 + bit)
    });
    Some(ones.map(|at| least + at as i128 * unit).filter(is_useful).collect())
}

fn divisor(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { divisor(b, a % b) }
}

/// Adds to a set of numbers all of them plus `by`.
fn add_shifted(bits: &mut [u64], by: usize) {
    let (words, shift) = (by / 64, by % 64);
    for at in (words..bits.len()).rev() {
        let low = bits[at - words] << shift;
        let carried = at - words;
        let high = if shift > 0 && carried > 0 { bits[carried - 1] >> (64 - shift) } else { 0 };
        bits[at] |= low | high;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_every_part() {
        let everything = Bounds { low: -1_000_000, high: 1_000_000 };
        for (deltas, certain) in
            [(vec![1, 1, 5], 7), (vec![-3, 4, 4, -3, 100], -2), (vec![64, 64, 128, 3], 0), (vec![], 9)]
        {
            let mut expected: Vec<i128> = (0..1_u32 << deltas.len())
                .map(|part| {
                    let chosen = deltas.iter().enumerate().filter(|&(at, _)| part >> at & 1 == 1);
                    certain + chosen.map(|(_, delta)| delta).sum::<i128>()
                })
                .collect();
            expected.sort_unstable();
            expected.dedup();
            let mut kinds = BTreeMap::new();
            deltas.iter().for_each(|&delta| *kinds.entry(delta).or_default() += 1);
            assert_eq!(sums(certain, &kinds, everything), Some(expected.clone()), "{deltas:?}");
            let useful = Bounds { low: 1, high: 70 };
            expected.retain(|sum| (1..=70).contains(sum));
            assert_eq!(sums(certain, &kinds, useful), Some(expected), "{deltas:?}");
        }
        let kinds = BTreeMap::from([(1, 1), (i128::from(i64::MAX), 5)]);
        assert_eq!(sums(0, &kinds, everything), None, "too far");
    }

    #[test]
    fn what_happens_while_nobody_looks_is_one_job() {
        let add =
            |delta, call, ret, must| Job { op: CounterOp::Add { delta, observed: None }, call, ret, must };
        let read = |sum, call, ret| Job { op: CounterOp::Read(sum), call, ret, must: true };
        let mut jobs = vec![
            add(3, 1, 4, true),
            add(5, 2, 3, false),
            add(2, 5, 8, false),
            read(8, 6, 7),
            add(1, 9, 10, true),
        ];
        fold(&mut jobs);
        let sums = Sums { sums: vec![8], low: 6, high: 8 };
        let op = CounterOp::AddOneOf(Arc::new(sums));
        assert_eq!(jobs[0], Job { op, call: 1, ret: 4, must: true });
        assert_eq!(jobs[2].call, 6, "before that, nobody looks");
        for left_out in [1, 4] {
            assert!(jobs[left_out].ret < jobs[left_out].call && !jobs[left_out].must);
        }
    }

    /// The addition of 3 was begun while somebody looked, and may happen after all of the gap.
    #[test]
    fn what_began_under_a_look_may_come_last() {
        let add =
            |delta, call, ret| Job { op: CounterOp::Add { delta, observed: None }, call, ret, must: true };
        let read = |sum, call, ret| Job { op: CounterOp::Read(sum), call, ret, must: true };
        let mut jobs = vec![read(0, 1, 4), add(3, 2, 7), add(2, 5, 6), read(5, 8, 9)];
        fold(&mut jobs);
        let op = CounterOp::AddOneOf(Arc::new(Sums { sums: vec![2], low: 2, high: 5 }));
        assert_eq!(jobs[2], Job { op, call: 5, ret: 6, must: true });
    }
}
