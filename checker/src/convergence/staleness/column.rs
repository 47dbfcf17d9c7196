//! Answered writes of one line of versions: how many are beyond a place, and which was answered first?
//!
//! Two trees of prefix sums (Fenwick 1994), turned round so that they sum what is beyond: one counts, the other
//! keeps the first that was put in. Writes come in the order of their answers.

use crate::convergence::order::{Book, Order, Place};

/// Nothing was put in.
const NONE: u32 = u32::MAX;

/// One line of versions.
#[derive(Debug, Default)]
pub(super) struct Column {
    /// Where all its writes stand, sorted: those that are to come too.
    stands: Vec<u64>,
    counts: Vec<u32>,
    /// Numbers of [`Column::pushed`].
    firsts: Vec<u32>,
    /// What has been put in, with where it stands.
    pushed: Vec<(u64, Place)>,
}

/// The column of a write, and where it stands in it; none where its answer does not say.
pub(super) fn of(book: &Book<'_>, write: Place) -> Option<(u32, u64)> {
    if book.order(write) == Order::Clock {
        return book.own_dot(write).map(|dot| (dot.actor, dot.counter));
    }
    let needs = book.needs(write);
    // Behind those of the actors, one for each key.
    (needs > 0).then(|| (book.actors() as u32 + book.entry_at(write).key, needs))
}

/// The columns of all answered writes, empty; `owns` is told the life of each.
pub(super) fn all(book: &Book<'_>, mut owns: impl FnMut(u32, u32)) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    columns.resize_with(book.actors() + book.keys.len(), Column::default);
    for (place, entry) in book.entries.iter().enumerate() {
        if !entry.is_ok() || !entry.act.writes() {
            continue;
        }
        if let Some((column, stand)) = of(book, place as Place) {
            if columns[column as usize].stands.is_empty() {
                owns(super::life_written(book, place as Place).unwrap_or_default(), column);
            }
            columns[column as usize].stands.push(stand);
        }
    }
    for column in &mut columns {
        column.stands.sort_unstable();
        column.counts = vec![0; column.stands.len() + 1];
        column.firsts = vec![NONE; column.stands.len() + 1];
    }
    columns
}

impl Column {
    /// A write was answered.
    pub(super) fn push(&mut self, stand: u64, write: Place) {
        let number = self.pushed.len() as u32;
        self.pushed.push((stand, write));
        let size = self.stands.len();
        let mut at = size - self.stands.partition_point(|&one| one < stand);
        while at <= size {
            self.counts[at] += 1;
            if self.firsts[at] == NONE {
                self.firsts[at] = number;
            }
            at += at & at.wrapping_neg();
        }
    }

    /// How many answered writes stand beyond a place, and the one that was answered first.
    pub(super) fn beyond(&self, stand: u64) -> (u64, Option<Place>) {
        let mut at = self.stands.len() - self.stands.partition_point(|&one| one <= stand);
        let (mut count, mut first) = (0_u64, NONE);
        while at > 0 {
            count += u64::from(self.counts[at]);
            first = first.min(self.firsts[at]);
            at &= at - 1;
        }
        (count, self.pushed.get(first as usize).map(|&(_, write)| write))
    }

    /// Those that stand beyond a place, in the order of their answers.
    pub(super) fn all_beyond(&self, stand: u64) -> impl Iterator<Item = Place> {
        self.pushed.iter().filter(move |&&(one, _)| one > stand).map(|&(_, write)| write)
    }
}
