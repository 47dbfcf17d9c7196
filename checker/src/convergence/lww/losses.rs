//! Which acknowledged writes of one key nobody ever replaced knowingly. The words are those of [`super`].
//!
//! For each actor, the writes in the order of their counters, each with the join of all clocks up to it: so the
//! first write of an actor that covers a dot is found by bisection, even in the history of a store whose clocks
//! go back. O(n · actors · log n) for n writes, save where timestamps of one actor go back too.

use std::collections::HashMap;

use super::super::causes::{at_most, join};
use super::super::counted;
use super::super::order::{Book, Dot, Place, Stamp};
use crate::history::hash::Fast;

/// One acknowledged write (or delete) that says its dot, its clock and its timestamp.
#[derive(Clone, Copy)]
struct Write<'h> {
    place: Place,
    dot: Dot,
    stamp: Stamp<'h>,
    /// What it and those before it of its actor can have replaced: a range of [`Losses::clocks`].
    seen: (u32, u32),
    /// The greatest timestamp of its actor up to it.
    newest: Stamp<'h>,
}

/// The writes of one actor, by their counters.
type Line<'h> = Vec<Write<'h>>;

/// Where a write is: its line, and its place there.
#[derive(Clone, Copy)]
pub(super) struct Spot(usize, usize);

/// The writes of one key.
pub(super) struct Losses<'b, 'h> {
    book: &'b Book<'h>,
    lines: Vec<Line<'h>>,
    /// The line of each actor.
    numbers: HashMap<u32, usize, Fast>,
    clocks: Vec<Dot>,
    /// The lines that cover anything of each actor.
    coverers: HashMap<u32, Vec<usize>, Fast>,
    /// When each had ended, in order, with the greatest timestamp up to it.
    ended: Vec<(u32, Stamp<'h>)>,
}

impl<'b, 'h> Losses<'b, 'h> {
    pub(super) fn new(book: &'b Book<'h>, places: &[Place]) -> Self {
        let (mut lines, mut numbers) = (Vec::<Line<'h>>::new(), HashMap::<u32, usize, Fast>::default());
        let mut ended = Vec::new();
        for &place in places {
            let stamp = book.entry_at(place).stamp.filter(|_| at_most(book, place).is_some());
            let (Some(dot), Some(stamp)) = (book.own_dot(place), stamp) else { continue };
            let number = *numbers.entry(dot.actor).or_insert_with(|| {
                lines.push(Vec::new());
                lines.len() - 1
            });
            lines[number].push(Write { place, dot, stamp, seen: (0, 0), newest: stamp });
            ended.push((book.entry_at(place).end, stamp));
        }
        ended.sort_unstable();
        for place in 1..ended.len() {
            ended[place].1 = ended[place].1.max(ended[place - 1].1);
        }
        let (clocks, coverers) = (Vec::new(), HashMap::default());
        let mut losses = Self { book, lines: Vec::new(), numbers, clocks, coverers, ended };
        for (number, line) in lines.into_iter().enumerate() {
            let line = losses.arrange(line);
            let seen = line.last().map_or(0..0, |last| last.seen.0 as usize..last.seen.1 as usize);
            for dot in &losses.clocks[seen] {
                losses.coverers.entry(dot.actor).or_default().push(number);
            }
            losses.lines.push(line);
        }
        losses
    }

    /// Sorts a line, and sums up what its writes had seen.
    fn arrange(&mut self, mut line: Line<'h>) -> Line<'h> {
        line.sort_by_key(|write| write.dot);
        let (mut seen, mut newest) = (Vec::new(), None);
        for write in &mut line {
            let saw: Vec<Dot> = saw(self.book, write).collect();
            join(&mut seen, &saw);
            newest = newest.max(Some(write.stamp));
            write.newest = newest.unwrap_or(write.stamp);
            let from = self.clocks.len() as u32;
            self.clocks.extend_from_slice(&seen);
            write.seen = (from, self.clocks.len() as u32);
        }
        line
    }

    /// The writes, deletes aside, in no order that matters.
    pub(super) fn writes(&self) -> impl Iterator<Item = (Spot, Place, Dot, Stamp<'h>)> {
        let all = self.lines.iter().enumerate().flat_map(|(number, line)| {
            line.iter().enumerate().map(move |(at, write)| (Spot(number, at), write))
        });
        let is_write = |write: &Write<'h>| self.book.entry_at(write.place).act == super::Act::Write;
        all.filter(move |(_, write)| is_write(write))
            .map(|(spot, write)| (spot, write.place, write.dot, write.stamp))
    }

    /// Whether a write was lost, as far as those that cover it tell; none where there is none.
    pub(super) fn of(&self, Spot(number, at): Spot) -> Option<bool> {
        let lost = &self.lines[number][at];
        let others =
            self.coverers.get(&lost.dot.actor).into_iter().flatten().filter(|&&other| other != number);
        // The next write of the same actor nearly always decides.
        let mut is_covered = false;
        for line in std::iter::once(&number).chain(others).map(|&number| &self.lines[number]) {
            let Some(coverer) = line.get(self.first_to_cover(line, lost.dot)) else { continue };
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
        let known = at_most(self.book, lost.place).unwrap_or_default();
        saw(self.book, coverer).any(|seen| {
            let is_own = seen.actor == lost.dot.actor;
            let after = if is_own { lost.dot.counter } else { counter_in(known, seen.actor) };
            let line = self.numbers.get(&seen.actor).map(|&number| &self.lines[number]);
            let Some(line) = line.filter(|_| seen.counter > after) else { return false };
            let (from, upto) = (upto(line, after), upto(line, seen.counter));
            let is_newer = |range: &[Write<'h>]| range.last().is_some_and(|last| last.newest > lost.stamp);
            // To look for the first that covers costs more than to see that there is nothing to look for.
            if !line.get(from..upto).is_some_and(is_newer) {
                return false;
            }
            let range = line.get(from..upto.min(self.first_to_cover(line, lost.dot)));
            range.is_some_and(|range| {
                is_newer(range) && range.iter().rev().any(|write| write.stamp > lost.stamp)
            })
        })
    }

    /// Whether a write began after another one had ended whose timestamp is greater.
    pub(super) fn came_late(&self, Spot(number, at): Spot) -> bool {
        let write = &self.lines[number][at];
        let before = self.ended.partition_point(|&(end, _)| end < self.book.entry_at(write.place).call);
        before.checked_sub(1).is_some_and(|last| self.ended[last].1 > write.stamp)
    }

    /// The first write of a line that covers a dot; the line's length if none does. Of the dot's own actor that is
    /// mostly the next one.
    fn first_to_cover(&self, line: &[Write<'_>], dot: Dot) -> usize {
        let covers = |write: &Write<'_>| {
            let (from, to) = write.seen;
            counter_in(&self.clocks[from as usize..to as usize], dot.actor) >= dot.counter
        };
        if !line.last().is_some_and(covers) {
            return line.len();
        }
        let likely = upto(line, dot.counter);
        let is_first = |at: usize| {
            line.get(at).is_some_and(covers) && at.checked_sub(1).is_none_or(|at| !covers(&line[at]))
        };
        if is_first(likely) { likely } else { line.partition_point(|write| !covers(write)) }
    }
}

/// What a write can have replaced.
fn saw<'b>(book: &'b Book<'_>, write: &Write<'_>) -> impl Iterator<Item = Dot> + use<'b> {
    let own = write.dot;
    at_most(book, write.place).unwrap_or_default().iter().map(move |&seen| {
        let most = if seen.actor == own.actor { own.counter.saturating_sub(1) } else { u64::MAX };
        Dot { counter: seen.counter.min(most), ..seen }
    })
}

/// How many writes of a line have counters up to this one.
fn upto(line: &[Write<'_>], counter: u64) -> usize {
    counted::upto(line, counter, |write| write.dot.counter)
}

/// The counter of an actor in a clock, by bisection: where a key was often forgotten, clocks are long.
fn counter_in(clock: &[Dot], actor: u32) -> u64 {
    clock.binary_search_by_key(&actor, |dot| dot.actor).map_or(0, |at| clock[at].counter)
}
