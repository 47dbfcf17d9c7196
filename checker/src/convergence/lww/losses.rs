//! Which acknowledged writes of one key nobody ever replaced knowingly. The words are those of [`super`].
//!
//! For each actor, the writes in the order of their counters, each with the join of all clocks up to it: so the
//! first write of an actor that covers a dot is found by bisection, even in the history of a store whose clocks
//! go back. O(n · actors · log n) for n writes, save where timestamps of one actor go back too.

use std::collections::HashMap;

use super::super::causes::{at_most, join};
use super::super::order::{Book, Dot, Place, Stamp};
use crate::history::hash::Fast;

/// One acknowledged write (or delete) that says its dot, its clock and its timestamp.
struct Write<'h> {
    place: Place,
    dot: Dot,
    stamp: Stamp<'h>,
    /// What it can have replaced.
    saw: Vec<Dot>,
    /// What it and those before it of its actor can have replaced.
    seen: Vec<Dot>,
    /// The greatest timestamp of its actor up to it.
    newest: Stamp<'h>,
}

/// The writes of one key.
pub(super) struct Losses<'b, 'h> {
    book: &'b Book<'h>,
    lines: Vec<Vec<Write<'h>>>,
    /// The line of each actor.
    numbers: HashMap<u32, usize, Fast>,
    /// Where each write is: its line, and its place there.
    at: HashMap<Place, (usize, usize), Fast>,
    /// When each had ended, in order, with the greatest timestamp up to it.
    ended: Vec<(u32, Stamp<'h>)>,
}

impl<'b, 'h> Losses<'b, 'h> {
    pub(super) fn new(book: &'b Book<'h>, places: &[Place]) -> Self {
        let (mut lines, mut numbers) = (Vec::<Vec<Write<'h>>>::new(), HashMap::<u32, usize, Fast>::default());
        let mut ended = Vec::new();
        for &place in places {
            let (Some(dot), Some(stamp), Some(clock)) =
                (book.own_dot(place), book.entry_at(place).stamp, at_most(book, place))
            else {
                continue;
            };
            let mut saw = clock.to_vec();
            if let Some(own) = saw.iter_mut().find(|own| own.actor == dot.actor) {
                own.counter = own.counter.min(dot.counter.saturating_sub(1));
            }
            let number = *numbers.entry(dot.actor).or_insert_with(|| {
                lines.push(Vec::new());
                lines.len() - 1
            });
            lines[number].push(Write { place, dot, stamp, seen: saw.clone(), saw, newest: stamp });
            ended.push((book.entry_at(place).end, stamp));
        }
        let mut at = HashMap::default();
        for (number, line) in lines.iter_mut().enumerate() {
            line.sort_by_key(|write| write.dot);
            for place in 1..line.len() {
                let (before, rest) = line.split_at_mut(place);
                let before = &before[place - 1];
                join(&mut rest[0].seen, &before.seen);
                rest[0].newest = rest[0].newest.max(before.newest);
            }
            at.extend(line.iter().enumerate().map(|(place, write)| (write.place, (number, place))));
        }
        ended.sort_unstable();
        for place in 1..ended.len() {
            ended[place].1 = ended[place].1.max(ended[place - 1].1);
        }
        Self { book, lines, numbers, at, ended }
    }

    /// The writes, deletes aside, in no order that matters.
    pub(super) fn writes(&self) -> impl Iterator<Item = (Place, Dot, Stamp<'h>)> {
        let is_write = |write: &&Write<'h>| self.book.entry_at(write.place).act == super::Act::Write;
        self.lines.iter().flatten().filter(is_write).map(|write| (write.place, write.dot, write.stamp))
    }

    /// Whether a write was lost, as far as those that cover it tell; none where there is none.
    pub(super) fn of(&self, place: Place) -> Option<bool> {
        let &(line, number) = self.at.get(&place)?;
        let lost = &self.lines[line][number];
        let mut is_covered = false;
        // The next write of the same actor nearly always decides.
        let others = self.lines.iter().enumerate().filter(|&(other, _)| other != line).map(|(_, line)| line);
        for line in std::iter::once(&self.lines[line]).chain(others) {
            let Some(coverer) = line.get(first_to_cover(line, lost.dot)) else { continue };
            if !self.had_seen_a_newer(coverer, lost) {
                return Some(false);
            }
            is_covered = true;
        }
        is_covered.then_some(true)
    }

    /// Whether a write that covers another had seen a concurrent one with a greater timestamp, which is looked
    /// for among those of each actor that come before its first that covers the lost one.
    fn had_seen_a_newer(&self, coverer: &Write<'h>, lost: &Write<'h>) -> bool {
        coverer.saw.iter().any(|seen| {
            let own = if seen.actor == lost.dot.actor { lost.dot.counter } else { 0 };
            let after = counter_in(&lost.saw, seen.actor).max(own);
            if seen.counter <= after {
                return false;
            }
            let Some(line) = self.numbers.get(&seen.actor).map(|&number| &self.lines[number]) else {
                return false;
            };
            let from = line.partition_point(|write| write.dot.counter <= after);
            let upto = line.partition_point(|write| write.dot.counter <= seen.counter);
            let Some(range) = line.get(from..upto.min(first_to_cover(line, lost.dot))) else { return false };
            range.last().is_some_and(|last| {
                last.newest > lost.stamp && range.iter().rev().any(|write| write.stamp > lost.stamp)
            })
        })
    }

    /// Whether a write began after another one had ended whose timestamp is greater.
    pub(super) fn came_late(&self, place: Place) -> bool {
        let Some(&(line, number)) = self.at.get(&place) else { return false };
        let before = self.ended.partition_point(|&(end, _)| end < self.book.entry_at(place).call);
        before.checked_sub(1).is_some_and(|last| self.ended[last].1 > self.lines[line][number].stamp)
    }
}

/// The first write of a line that covers a dot; the line's length if none does.
fn first_to_cover(line: &[Write<'_>], dot: Dot) -> usize {
    let covers = |write: &Write<'_>| counter_in(&write.seen, dot.actor) >= dot.counter;
    if line.last().is_some_and(covers) { line.partition_point(|write| !covers(write)) } else { line.len() }
}

/// The counter of an actor in a clock, by bisection: where a key was often forgotten, clocks are long.
fn counter_in(clock: &[Dot], actor: u32) -> u64 {
    clock.binary_search_by_key(&actor, |dot| dot.actor).map_or(0, |at| clock[at].counter)
}
