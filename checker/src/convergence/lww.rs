//! Last writer wins: what did the rule cost, and did the store keep to it?
//!
//! Of two concurrent writes the one with the greater timestamp (nanoseconds, then node) is kept, and the other
//! is gone although it was acknowledged. That is what was asked for, so it is counted and not held against the
//! store. `lost-against-lww` is the opposite, and there are two proofs of it:
//!
//! 1. An answer's clock covers an acknowledged write's dot, but the answer's timestamp is less than the write's.
//! 2. In the end ([`super::ending`]) all answers' timestamps are less than that of an acknowledged write.
//!
//! **What is sound.** Timestamps are what the answers say, so a write that was never answered cannot mislead:
//! if it is shown, its timestamp is. Only a *delete* can hide: a greater one may have won, its tombstone been
//! collected, and something older been written since. So neither proof counts if a delete with a timestamp not
//! less than the write's (or one that was never answered: any) was invoked before the answer came, unless the
//! write that is shown was over before that delete was invoked: then the delete would have won over it too.
//! Deletes themselves are not missed, for the same reason. A version without a timestamp proves nothing. And who
//! sends a context replaces what it covers even where the coordinator had never seen that, nor its timestamp:
//! what a context covers that some write was sent with before the answer came may be gone, and so may what one of
//! those had won over (`outdone`).
//!
//! The stats count, of the acknowledged writes with clocks:
//!
//! - `lww_losses`: those that nobody ever replaced knowingly. Of each actor, the first write that covers the
//!   lost one is looked at: had it seen no concurrent write with a greater timestamp, it replaced a version that
//!   was there. Where every such write had seen one, or where there is none and the end shows a greater
//!   timestamp instead, the write was lost by the rule.
//! - `lww_losses_conditional`: those of them that were conditional (`cas`).
//! - `lww_losses_by_skew`: those that began after another write of the key had ended whose timestamp is
//!   greater: with right clocks they would have been the later ones.

mod losses;

use std::cell::LazyCell;
use std::collections::HashMap;

use losses::Losses;

use super::causes::{self, Causes};
use super::counted;
use super::ending::{End, Quiet};
use super::findings::{Findings, named};
use super::holding::shows;
use super::order::{Act, Book, Dot, OPEN, Place, Rules, Stamp};
use super::outdone::{Newest, Outdone};
use super::remains::versions_of;
use super::replicas::SETTLE;
use super::sensitivity::{Kind, Scope, measure};
use super::words::noun;
use crate::anomaly;
use crate::history::hash::Fast;
use crate::history::{Event, Outcome};
use crate::linearizability::explain::capitalised;
use crate::sensitivity::{Sensitivity, SensitivityPlan};
use crate::verdict::{Budget, Check, CheckResult};

/// The audit of a store in which the last writer wins. Its name in verdicts is `lww`.
#[derive(Debug, Clone, Copy)]
pub struct Lww {
    settle: std::time::Duration,
}

impl Default for Lww {
    fn default() -> Self {
        Self { settle: SETTLE }
    }
}

impl Lww {
    /// The same check, but ordinary reads count as the end only this long after all was quiet.
    #[must_use]
    pub fn settling(self, settle: std::time::Duration) -> Self {
        Self { settle }
    }
}

impl Check for Lww {
    fn name(&self) -> &'static str {
        "lww"
    }

    fn check(&self, events: &[Event], _budget: &Budget) -> CheckResult {
        let book = match Book::new(events, Rules { lww: true, ..Rules::default() }) {
            Ok(book) => book,
            Err(error) => return Findings::refused(&error),
        };
        let quiet = Quiet::new(events, self.settle);
        let mut audit = Audit { book: &book, findings: Findings::new(), counts: Counts::default() };
        for places in causes::by_key(&book).iter() {
            let key = KeyAudit::new(&book, places);
            audit.counts.writes += key.writes.len() as u64;
            audit.by_clocks(places, &key);
            let end = quiet.ending(&book, places).seen();
            if let Some(end) = &end {
                audit.in_the_end(&key, end);
            }
            audit.count_losses(places, end.as_ref());
        }
        audit.answer()
    }

    fn sensitivity(&self, events: &[Event], plan: &SensitivityPlan<'_>) -> Option<Sensitivity> {
        measure(self, &[Kind::WriteLost], Scope::Key, events, plan)
    }
}

#[derive(Default)]
struct Counts {
    writes: u64,
    losses: u64,
    conditional: u64,
    by_skew: u64,
}

/// An acknowledged write that says its dot and its timestamp.
#[derive(Clone, Copy)]
struct Write<'h> {
    counter: u64,
    place: Place,
    stamp: Stamp<'h>,
    /// The greatest timestamp of this actor's writes up to this one, and whose it is.
    best: (Stamp<'h>, Place),
}

/// A write that was sent with a context.
struct Sent<'h> {
    call: u32,
    /// What the contexts covered of all up to it.
    covered: Causes,
    /// The greatest timestamp that they covered.
    newest: Option<Newest<'h>>,
}

/// One key made ready.
struct KeyAudit<'h> {
    /// The acknowledged writes that say their timestamps, deletes aside, in order of invocation.
    writes: Vec<(Place, Stamp<'h>)>,
    /// Those of them that say their dots, by actor and counter.
    lines: HashMap<u32, Vec<Write<'h>>, Fast>,
    /// The deletes that did not fail, in order of invocation, each with the greatest timestamp up to it.
    deletes: Vec<(u32, Newest<'h>)>,
    /// The writes that were sent with a context, in order of invocation.
    sent: Vec<Sent<'h>>,
}

impl<'h> KeyAudit<'h> {
    fn new(book: &Book<'h>, places: &[Place]) -> Self {
        let outdone = LazyCell::new(|| Outdone::new(book, places));
        let mut key =
            Self { writes: Vec::new(), lines: HashMap::default(), deletes: Vec::new(), sent: Vec::new() };
        for &place in places {
            let entry = book.entry_at(place);
            if entry.act == Act::Delete && entry.outcome != Outcome::Fail {
                let stamp = Newest::of(entry.stamp);
                let before = key.deletes.last().map_or(stamp, |&(_, newest)| newest);
                key.deletes.push((entry.call, stamp.max(before)));
            }
            if causes::is_sent_with_context(book, place) {
                let mut covered = key.sent.last().map_or_else(Causes::nothing, |sent| sent.covered.clone());
                covered.join(book.sent(place));
                let newest = covered.clock().map_or(Some(Newest::Unknown), |clock| outdone.newest(clock));
                key.sent.push(Sent { call: entry.call, covered, newest });
            }
            let Some(stamp) = entry.stamp.filter(|_| entry.act == Act::Write && entry.is_ok()) else {
                continue;
            };
            key.writes.push((place, stamp));
            if let Some(dot) = book.own_dot(place) {
                let write = Write { counter: dot.counter, place, stamp, best: (stamp, place) };
                key.lines.entry(dot.actor).or_default().push(write);
            }
        }
        for line in key.lines.values_mut() {
            line.sort_by_key(|write| write.counter);
            for at in 1..line.len() {
                line[at].best = line[at].best.max(line[at - 1].best);
            }
        }
        key
    }

    /// The greatest timestamp among the writes of one actor that a clock covers, if it is greater than the one
    /// shown, and whose it is; those aside that some context covered before a position. Logarithmic,
    /// save where the greatest one may have been replaced: then linear in the writes since.
    fn newest(
        &self,
        book: &Book<'_>,
        seen: Dot,
        shown: Option<Stamp<'_>>,
        came: u32,
    ) -> Option<(Stamp<'h>, Place)> {
        let line = self.lines.get(&seen.actor)?;
        let upto = counted::upto(line, seen.counter, |write| write.counter);
        let best = line.get(upto.checked_sub(1)?)?.best;
        if Some(best.0) <= shown || !self.may_be_replaced(book.own_dot(best.1), best.0, came) {
            return Some(best).filter(|_| Some(best.0) > shown);
        }
        if self.may_be_outdone(best.0, came) {
            return None;
        }
        let greater = line[..upto].iter().rev().take_while(|write| Some(write.best.0) > shown);
        let unreplaced =
            greater.filter(|write| !self.may_be_replaced(book.own_dot(write.place), write.stamp, came));
        unreplaced.map(|write| (write.stamp, write.place)).max()
    }

    /// Whether a delete that may since have been forgotten may have won over a write with this timestamp, for
    /// an answer that came before a position and shows what was written until another.
    fn may_be_deleted(&self, stamp: Stamp<'_>, came: u32, shown_end: u32) -> bool {
        let begun = self.deletes.partition_point(|&(call, _)| call < came.min(shown_end));
        begun.checked_sub(1).is_some_and(|last| self.deletes[last].1.may_beat(Some(stamp)))
    }

    /// Whether a write that was sent with a context before a position may have replaced another one, or one that had
    /// won over that.
    fn may_be_replaced(&self, dot: Option<Dot>, stamp: Stamp<'_>, came: u32) -> bool {
        let by_name = |sent: &Sent<'_>| dot.is_none_or(|dot| sent.covered.may_have(dot));
        self.may_be_outdone(stamp, came) || self.sent_before(came).is_some_and(by_name)
    }

    /// Whether it may have replaced one that had won over all up to this timestamp.
    fn may_be_outdone(&self, stamp: Stamp<'_>, came: u32) -> bool {
        let newest = self.sent_before(came).and_then(|sent| sent.newest);
        newest.is_some_and(|newest| newest.may_beat(Some(stamp)))
    }

    /// The last write with a context before a position.
    fn sent_before(&self, came: u32) -> Option<&Sent<'h>> {
        let begun = self.sent.partition_point(|sent| sent.call < came);
        begun.checked_sub(1).map(|last| &self.sent[last])
    }
}

struct Audit<'b, 'h> {
    book: &'b Book<'h>,
    findings: Findings,
    counts: Counts,
}

impl<'h> Audit<'_, 'h> {
    /// The timestamp that an answer shows; none if it shows something without one. Where there is nothing, it
    /// is less than any.
    fn shown(&self, answer: Place) -> Option<Option<Stamp<'h>>> {
        let stamp = self.book.entry_at(answer).stamp;
        let is_empty = self.book.dots(answer).is_none_or(<[Dot]>::is_empty)
            && self.book.operation(answer).result().is_none_or(serde_json::Value::is_null);
        if stamp.is_some() || is_empty { Some(stamp) } else { None }
    }

    /// When the write that an answer shows had ended.
    fn shown_end(&self, answer: Place) -> u32 {
        match self.book.dots(answer) {
            Some(&[dot]) => self.book.writer(dot).map_or(OPEN, |writer| self.book.entry_at(writer).end),
            _ => OPEN,
        }
    }

    /// Looks for answers that know of a write and show something older.
    fn by_clocks(&mut self, places: &[Place], key: &KeyAudit<'h>) {
        let book = self.book;
        for &answer in places.iter().filter(|&&place| shows(book, place)) {
            let (Some(clock), Some(shown)) = (book.clock(answer), self.shown(answer)) else { continue };
            let end = book.entry_at(answer).end;
            let known = clock.iter().filter_map(|&seen| key.newest(book, seen, shown, end));
            let Some((stamp, write)) = known.max() else { continue };
            if shown < Some(stamp) && !key.may_be_deleted(stamp, end, self.shown_end(answer)) {
                self.lost(answer, write);
            }
        }
    }

    /// Looks for writes with a greater timestamp than all that there is in the end.
    fn in_the_end(&mut self, key: &KeyAudit<'h>, end: &End) {
        let shown =
            end.answers.iter().map(|&answer| Some((self.shown(answer)?, answer))).collect::<Option<Vec<_>>>();
        let Some((shown, answer)) = shown.and_then(|shown| shown.into_iter().max()) else { return };
        let came = end.answers.iter().map(|&answer| self.book.entry_at(answer).end).max().unwrap_or(OPEN);
        let shown_end = self.shown_end(answer);
        for &(write, stamp) in &key.writes {
            let ended = self.book.entry_at(write).end < end.since;
            let is_less = ended && shown < Some(stamp);
            let replaced = || key.may_be_replaced(self.book.own_dot(write), stamp, came);
            if is_less && !replaced() && !key.may_be_deleted(stamp, came, shown_end) {
                self.lost(answer, write);
            }
        }
    }

    fn lost(&mut self, answer: Place, write: Place) {
        let book = self.book;
        let say = |stamp: Option<Stamp<'_>>| {
            stamp.map_or_else(
                || "no timestamp".to_owned(),
                |stamp| format!("timestamp {} of {}", stamp.ns, stamp.node),
            )
        };
        let (wrote, shown) = (book.entry_at(write).stamp, book.entry_at(answer).stamp);
        let (write, answer) = (book.operation(write), book.operation(answer));
        let ops = vec![write.index, answer.index];
        self.findings.anomaly(anomaly::LOST_AGAINST_LWW, write.key(), ops, Vec::new(), || {
            format!(
                "{} on {} with {} was acknowledged, but what is kept is {} with {}.",
                capitalised(&noun(write)),
                named(write.key()),
                say(wrote),
                answer.result().unwrap_or(&serde_json::Value::Null),
                say(shown)
            )
        });
    }

    /// Counts what was lost by the rule.
    fn count_losses(&mut self, places: &[Place], end: Option<&End>) {
        let book = self.book;
        let versions = end.and_then(|end| versions_of(book, &end.answers)).unwrap_or_default();
        let last =
            end.and_then(|end| end.answers.iter().filter_map(|&answer| book.entry_at(answer).stamp).max());
        let losses = Losses::new(book, places);
        for (spot, place, dot, stamp) in losses.writes() {
            let is_lost = losses
                .of(spot)
                .unwrap_or_else(|| versions.binary_search(&dot).is_err() && last > Some(stamp));
            if is_lost {
                self.counts.losses += 1;
                self.counts.conditional += u64::from(book.operation(place).f() == "cas");
                self.counts.by_skew += u64::from(losses.came_late(spot));
            }
        }
    }

    fn answer(mut self) -> CheckResult {
        let counts = [
            ("writes", self.counts.writes),
            ("lww_losses", self.counts.losses),
            ("lww_losses_conditional", self.counts.conditional),
            ("lww_losses_by_skew", self.counts.by_skew),
        ];
        for (name, count) in counts {
            self.findings.stat(name, count);
        }
        self.findings.answer()
    }
}
