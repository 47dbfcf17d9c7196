//! The rules of the check of siblings, as those of [`crate::rules`].

use std::collections::{BTreeMap, BTreeSet};

use crate::reading::{Dot, Op, Out, covers};
use crate::rules::{End, writer};

pub(crate) type Counts = BTreeMap<&'static str, u64>;

/// What the check of siblings counts.
pub(crate) fn siblings(ops: &[Op], end: Option<&End<'_>>) -> Counts {
    let twice = ops
        .iter()
        .filter(|op| op.own_dot().is_some_and(|dot| writer(ops, &dot).expect("itself").call != op.call))
        .count();
    let dropped = ops
        .iter()
        .filter(|op| op.is_write() && op.own_dot().is_some_and(|dot| is_dropped(ops, &dot)))
        .count();
    let unresolved = end.map_or(0, |end| unresolved(ops, end));
    Counts::from([
        ("false-conflict", false_conflicts(ops) as u64),
        ("sibling-lost", (twice + dropped + vanished(ops)) as u64),
        ("unresolved-siblings", unresolved as u64),
    ])
}

fn shown(op: &Op) -> &[Dot] {
    op.dots.as_deref().unwrap_or_default()
}

fn false_conflicts(ops: &[Op]) -> usize {
    let of = |answer: &Op| {
        let dots = shown(answer);
        let pairs = dots.iter().flat_map(|newer| dots.iter().map(move |older| (newer, older)));
        pairs.filter(|(newer, older)| writer(ops, newer).is_some_and(|write| write.replaced(older))).count()
    };
    ops.iter().filter(|op| op.shows()).map(of).sum()
}

/// Whether an answer knows of this version and has dropped it.
fn is_dropped(ops: &[Op], dot: &Dot) -> bool {
    ops.iter().filter(|op| op.shows()).any(|answer| {
        let (Some(clock), Some(dots)) = (&answer.clock, &answer.dots) else { return false };
        let may_have = |op: &Op| op.at_most().is_none_or(|clock| covers(&clock, dot));
        let by_version = dots.iter().any(|held| writer(ops, held).is_none_or(may_have));
        let by_delete = ops
            .iter()
            .any(|op| op.is_delete() && op.out != Out::Fail && op.call < answer.end && may_have(op));
        covers(clock, dot) && !dots.contains(dot) && !by_version && !by_delete
    })
}

/// The elements that a read knows of and does not show.
fn vanished(ops: &[Op]) -> usize {
    let misses = |read: &Op, add: &Op| {
        let removed = ops.iter().any(|op| {
            op.f == "remove" && op.out != Out::Fail && op.argument == add.argument && op.call < read.end
        });
        let knows = add.own_dot().zip(read.clock.as_ref()).is_some_and(|(dot, clock)| covers(clock, &dot));
        knows && add.call < read.end && !removed && !read.elements().contains(&add.argument)
    };
    let adds = ops.iter().filter(|op| op.f == "add");
    let missed = |add: &&Op| ops.iter().any(|op| op.is_read() && op.is_ok() && misses(op, add));
    adds.filter(missed).map(|add| add.argument.to_string()).collect::<BTreeSet<_>>().len()
}

/// The versions that are among siblings in the end, although a write had reconciled them.
fn unresolved(ops: &[Op], end: &End<'_>) -> usize {
    let reconciled = |dot: &Dot, write: &Op| {
        write.replaced(dot)
            && ops.iter().any(|read| {
                let other = |other: &Dot| other != dot && write.replaced(other);
                read.shows()
                    && read.end < write.call
                    && shown(read).contains(dot)
                    && shown(read).iter().any(other)
            })
    };
    let writes: Vec<&Op> = ops
        .iter()
        .filter(|op| (op.is_write() || op.is_delete()) && op.is_ok() && op.end < end.since)
        .collect();
    let conflicts = end.answers.iter().filter(|answer| shown(answer).len() > 1);
    let dots: BTreeSet<&Dot> = conflicts.flat_map(|answer| shown(answer)).collect();
    dots.into_iter().filter(|dot| writes.iter().any(|write| reconciled(dot, write))).count()
}
