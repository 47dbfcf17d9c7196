//! Resurrection: does what was deleted stay deleted?
//!
//! `resurrected` means that something which an acknowledged delete had *replaced* is there again. Three ways
//! to see that, each a proof by itself:
//!
//! 1. An answer whose clock covers the delete's dot shows a version that the delete replaced for certain
//!    ([`super::causes::at_least`]). Who knows of the delete cannot still have what it replaced.
//! 2. In the end ([`super::ending`]) every replica shows such a version, whatever its clock says: the delete
//!    was forgotten before all had seen it, as happens when a tombstone is collected too early.
//! 3. Where there are no dots: in the end all show a value that one write alone can have written, and an
//!    acknowledged delete replaced it: the delete itself said so (`observed`); or the write had ended before
//!    the delete was invoked, in a store whose writes of an item are linearizable ([`Rules::ordered_writes`])
//!    or whose greatest timestamp wins, the delete's being the greater.
//!
//! **What is sound.** A read of a replica that does not know of the delete yet is stale, and no resurrection;
//! so is a difference between replicas in the end (that is `diverged`). A write that was never answered has a
//! dot of its own when it takes effect after the delete, so it is never taken for what was deleted; without
//! dots, its value was seen by the delete or written before it, and one write takes effect once. A version that
//! the delete had not seen is no resurrection. Reads that show one are told apart in the stats: of the last
//! acknowledged delete that had ended before the read began,
//!
//! - `stale_reads` do not know;
//! - in `reinserted` ones the version's write had replaced the delete;
//! - in `concurrent` ones neither knew of the other; `lww_losses` are those of them where the greatest
//!   timestamp wins, and the delete's is not;
//! - of `indeterminate` ones the write was never answered, or answered without saying.

use std::collections::HashMap;

use serde_json::Value;

use super::causes;
use super::counted;
use super::ending::{End, Quiet};
use super::findings::{Findings, named, shown};
use super::holding::{Agreement, agreement, shows, written, written_twice};
use super::order::{Act, Book, Dot, Order, Place, Rules, covers};
use super::replicas::SETTLE;
use super::sensitivity::{Kind, Scope, measure};
use super::words::{when, who};
use crate::anomaly;
use crate::history::hash::Fast;
use crate::history::{Event, Outcome};
use crate::linearizability::explain::capitalised;
use crate::sensitivity::{Sensitivity, SensitivityPlan};
use crate::verdict::{Budget, Check, CheckResult};

/// The check that deleted items stay deleted. Its name in verdicts is `resurrection`.
#[derive(Debug, Clone, Copy)]
pub struct Resurrection {
    rules: Rules,
    settle: std::time::Duration,
}

impl Resurrection {
    /// The check for a store with these rules.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self { rules, settle: SETTLE }
    }

    /// The same check, but ordinary reads count as the end only this long after all was quiet.
    #[must_use]
    pub fn settling(self, settle: std::time::Duration) -> Self {
        Self { settle, ..self }
    }
}

impl Check for Resurrection {
    fn name(&self) -> &'static str {
        "resurrection"
    }

    fn check(&self, events: &[Event], _budget: &Budget) -> CheckResult {
        let book = match Book::new(events, self.rules) {
            Ok(book) => book,
            Err(error) => return Findings::refused(&error),
        };
        let quiet = Quiet::new(events, self.settle);
        let mut audit =
            Audit { book: &book, rules: self.rules, findings: Findings::new(), counts: Counts::default() };
        for places in causes::by_key(&book).iter() {
            let deletes: Vec<Place> =
                places.iter().copied().filter(|&place| audit.is_delete(place)).collect();
            if deletes.is_empty() {
                continue;
            }
            audit.counts.deletes += deletes.len() as u64;
            audit.by_clocks(places, &deletes);
            audit.tell_apart(places, &deletes);
            if let Some(end) = quiet.ending(&book, places).seen() {
                audit.in_the_end(places, &deletes, &end);
            }
        }
        audit.answer()
    }

    fn sensitivity(&self, events: &[Event], plan: &SensitivityPlan<'_>) -> Option<Sensitivity> {
        measure(self, &[Kind::DeleteUndone], Scope::Key, events, plan)
    }
}

#[derive(Default)]
struct Counts {
    deletes: u64,
    stale: u64,
    reinserted: u64,
    concurrent: u64,
    lww_losses: u64,
    indeterminate: u64,
}

/// The deletes of one actor, by counter, each with all that those up to it replaced for certain.
#[derive(Default)]
struct Line(Vec<(u64, Vec<Dot>)>);

struct Audit<'b, 'h> {
    book: &'b Book<'h>,
    rules: Rules,
    findings: Findings,
    counts: Counts,
}

impl Audit<'_, '_> {
    /// Whether this is an acknowledged delete.
    fn is_delete(&self, place: Place) -> bool {
        let entry = self.book.entry_at(place);
        entry.act == Act::Delete && entry.is_ok()
    }

    /// Whether the answer shows a value by this version: not a tombstone, for all that is known.
    fn is_value(&self, answer: Place, dot: Dot) -> bool {
        let shown = self.book.operation(answer).result().unwrap_or(&Value::Null);
        let alone = self.book.dots(answer).is_some_and(|dots| dots.len() == 1);
        match self.book.writer(dot) {
            Some(writer) => self.book.entry_at(writer).act == Act::Write,
            None => alone && !shown.is_null(),
        }
    }

    /// Looks for answers that know a delete and show what it replaced.
    fn by_clocks(&mut self, places: &[Place], deletes: &[Place]) {
        let book = self.book;
        let mut lines: HashMap<u32, Line, Fast> = HashMap::default();
        for &delete in deletes {
            if let (Some(dot), Some(replaced)) = (book.own_dot(delete), causes::at_least(book, delete)) {
                let mut replaced = replaced.to_vec();
                exclude(&mut replaced, dot);
                lines.entry(dot.actor).or_default().0.push((dot.counter, replaced));
            }
        }
        for line in lines.values_mut() {
            line.0.sort_by_key(|&(counter, _)| counter);
            for at in 1..line.0.len() {
                let (before, rest) = line.0.split_at_mut(at);
                causes::join(&mut rest[0].1, &before[at - 1].1);
            }
        }
        for &answer in places.iter().filter(|&&place| shows(book, place)) {
            let (Some(clock), Some(dots)) = (book.clock(answer), book.dots(answer)) else { continue };
            let known = clock.iter().filter_map(|seen| {
                let line = &lines.get(&seen.actor)?.0;
                let upto = counted::upto(line, seen.counter, |&(counter, _)| counter);
                line.get(upto.checked_sub(1)?).map(|(_, replaced)| replaced)
            });
            let mut known = known.peekable();
            if known.peek().is_none() {
                continue;
            }
            let known: Vec<&Vec<Dot>> = known.collect();
            for &dot in dots {
                if known.iter().any(|replaced| covers(replaced, dot)) && self.is_value(answer, dot) {
                    self.found(answer, dot, deletes, Some(clock));
                }
            }
        }
    }

    /// Names the delete.
    fn found(&mut self, answer: Place, dot: Dot, deletes: &[Place], clock: Option<&[Dot]>) {
        let book = self.book;
        if self.findings.only_counts(anomaly::RESURRECTED) {
            return;
        }
        let did_it = |&&delete: &&Place| {
            let is_known =
                clock.is_none_or(|clock| book.own_dot(delete).is_some_and(|own| covers(clock, own)));
            is_known && causes::replaced(book, delete, dot)
        };
        if let Some(&delete) = deletes.iter().find(did_it) {
            self.report(answer, delete, book.writer(dot));
        }
    }

    fn report(&mut self, answer: Place, delete: Place, writer: Option<Place>) {
        let book = self.book;
        let read = book.operation(answer);
        let writer = writer.map(|writer| book.operation(writer).index).into_iter();
        let ops = writer.chain([book.operation(delete).index, read.index]).collect();
        self.findings.anomaly(anomaly::RESURRECTED, read.key(), ops, Vec::new(), || {
            let node = read.node().map_or_else(String::new, |node| format!(" on {node}"));
            // Beside a tombstone, a value can be back of which the answer tells the version alone.
            let value = read.result().filter(|value| !value.is_null());
            let back = value.map_or_else(|| "a value".to_owned(), |value| shown(Some(value)));
            capitalised(&format!(
                "{} deleted {} {}, which replaced {back}, and {} read that again{node} {}.",
                who(book, delete),
                named(read.key()),
                when(book, delete),
                who(book, answer),
                when(book, answer)
            ))
        });
    }

    /// Looks at what all show in the end.
    fn in_the_end(&mut self, places: &[Place], deletes: &[Place], end: &End) {
        let book = self.book;
        let deletes: Vec<Place> =
            deletes.iter().copied().filter(|&delete| book.entry_at(delete).end < end.since).collect();
        let Some(&answer) = end.answers.last() else { return };
        let mut shared = book.dots(answer).map(<[Dot]>::to_vec);
        for &other in &end.answers {
            shared = shared.zip(book.dots(other)).map(|(mut shared, dots)| {
                shared.retain(|dot| dots.contains(dot));
                shared
            });
        }
        match shared {
            Some(shared) => {
                let is_back = |dot: &Dot| {
                    self.is_value(answer, *dot)
                        && deletes.iter().any(|&delete| causes::replaced(book, delete, *dot))
                };
                let back: Vec<Dot> = shared.into_iter().filter(is_back).collect();
                for dot in back {
                    self.found(answer, dot, &deletes, None);
                }
            }
            None => self.by_value(places, &deletes, end, answer),
        }
    }

    fn by_value(&mut self, places: &[Place], deletes: &[Place], end: &End, answer: Place) {
        let book = self.book;
        let Some(shown) = book.operation(answer).result().filter(|value| !value.is_null()) else { return };
        if !matches!(agreement(book, places, end, self.rules.lww), Agreement::Same(_))
            || written_twice(book, places).contains(shown)
        {
            return;
        }
        let is_writer = |&&place: &&Place| {
            book.entry_at(place).outcome != Outcome::Fail && written(book.operation(place)) == Some(shown)
        };
        let Some(&writer) = places.iter().find(is_writer) else { return };
        let did_it = |&&delete: &&Place| {
            let (wrote, deleted) = (book.entry_at(writer), book.entry_at(delete));
            let came_after = wrote.is_ok() && wrote.end < deleted.call;
            let outdid = if book.order(answer) == Order::Timestamp {
                wrote.stamp.zip(deleted.stamp).is_some_and(|(wrote, deleted)| wrote < deleted)
            } else {
                self.rules.ordered_writes && matches!(book.order(answer), Order::RealTime | Order::Integer)
            };
            book.operation(delete).observed() == Some(shown) || (came_after && outdid)
        };
        if let Some(&delete) = deletes.iter().find(did_it) {
            self.report(answer, delete, Some(writer));
        }
    }

    /// Counts what became of the deletes, as later reads show it.
    fn tell_apart(&mut self, places: &[Place], deletes: &[Place]) {
        let book = self.book;
        let mut ended: Vec<Place> = deletes.to_vec();
        ended.sort_unstable_by_key(|&delete| book.entry_at(delete).end);
        for &answer in places.iter().filter(|&&place| shows(book, place)) {
            let before =
                ended.partition_point(|&delete| book.entry_at(delete).end < book.entry_at(answer).call);
            let Some(&delete) = before.checked_sub(1).and_then(|at| ended.get(at)) else { continue };
            let (Some(clock), Some(&[dot]), Some(tombstone)) =
                (book.clock(answer), book.dots(answer), book.own_dot(delete))
            else {
                continue;
            };
            if book.operation(answer).result().is_none_or(Value::is_null) {
                continue;
            }
            let count = match book.writer(dot) {
                _ if !covers(clock, tombstone) => &mut self.counts.stale,
                Some(writer) if book.clock(writer).is_some_and(|clock| covers(clock, tombstone)) => {
                    &mut self.counts.reinserted
                }
                Some(writer) => {
                    let (wrote, deleted) = (book.entry_at(writer).stamp, book.entry_at(delete).stamp);
                    let lost = wrote.zip(deleted).is_some_and(|(wrote, deleted)| wrote > deleted);
                    self.counts.lww_losses += u64::from(self.rules.lww && lost);
                    &mut self.counts.concurrent
                }
                None => &mut self.counts.indeterminate,
            };
            *count += 1;
        }
    }

    fn answer(mut self) -> CheckResult {
        let counts = [
            ("deletes", self.counts.deletes),
            ("stale_reads", self.counts.stale),
            ("reinserted", self.counts.reinserted),
            ("concurrent", self.counts.concurrent),
            ("lww_losses", self.counts.lww_losses),
            ("indeterminate", self.counts.indeterminate),
        ];
        for (name, count) in counts {
            self.findings.stat(name, count);
        }
        self.findings.answer()
    }
}

/// Takes a write's own dot out of what it replaced. Those before it, of the same actor, stay.
fn exclude(clock: &mut [Dot], own: Dot) {
    if let Some(dot) = clock.iter_mut().find(|dot| dot.actor == own.actor) {
        dot.counter = dot.counter.min(own.counter.saturating_sub(1));
    }
}
