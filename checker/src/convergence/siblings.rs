//! Siblings: concurrent writes are kept beside each other until somebody reconciles them, and no others.
//!
//! For stores that keep siblings (not for those where the greatest timestamp wins), by dots and clocks:
//!
//! - **`sibling-lost`**: an answer's clock covers an acknowledged write's dot, the version is not among the
//!   answer's, and nothing can have replaced it: neither the versions that are there, nor a delete that was
//!   invoked before the answer came ([`super::causes::at_most`]). It knew of the write and dropped it. Also, two
//!   acknowledged writes that were told the same dot: one of them is not told from the other any more. (Not
//!   where they carry the same token: then they are one write, sent twice.)
//! - **`false-conflict`**: two versions in one answer, of which the writer of one had replaced the other for
//!   certain ([`super::causes::at_least`]).
//! - **`unresolved-siblings`**: in the end ([`super::ending`]) an answer shows several versions, one of which an
//!   acknowledged write had replaced together with a sibling that some read had shown beside it: that write
//!   reconciled them, and the reconciliation did not reach everybody.
//!
//! For a **cart** (lists of elements that are added and removed one by one, siblings being merged by the
//! reader) moreover: an answered `read` whose clock covers the dot of an acknowledged `add` shows the element,
//! unless somebody may have removed it (`sibling-lost`). An element that was removed may come back when a
//! sibling still has it; that is the paper's own example, counted as `returned`.
//!
//! **What is sound.** A version whose write was never answered may have replaced anything, so an answer that
//! shows one proves no loss; where a delete was never answered and did not say what it was sent with, no answer
//! of the key does from its invocation on. Tombstones are not missed: they may be collected. Only what an
//! operation was certainly sent with makes a conflict false. An element counts as removed from the invocation
//! of a `remove` that did not fail for certain.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::causes::{self, Causes};
use super::counted;
use super::ending::{End, Quiet};
use super::findings::{Findings, named};
use super::holding::shows;
use super::order::{Act, Book, Dot, Place, Rules, counter, covers};
use super::replicas::SETTLE;
use super::sensitivity::{Kind, Scope, measure};
use super::words::noun;
use crate::anomaly;
use crate::history::hash::Fast;
use crate::history::{Event, Outcome};
use crate::linearizability::explain::capitalised;
use crate::sensitivity::{Sensitivity, SensitivityPlan};
use crate::verdict::{Budget, Check, CheckResult};

/// Where an operation is invoked that never is.
const NEVER: u32 = u32::MAX;

/// The check of siblings. Its name in verdicts is `siblings`.
#[derive(Debug, Clone, Copy)]
pub struct Siblings {
    settle: std::time::Duration,
}

impl Default for Siblings {
    fn default() -> Self {
        Self { settle: SETTLE }
    }
}

impl Siblings {
    /// The same check, but ordinary reads count as the end only this long after all was quiet.
    #[must_use]
    pub fn settling(self, settle: std::time::Duration) -> Self {
        Self { settle }
    }
}

impl Check for Siblings {
    fn name(&self) -> &'static str {
        "siblings"
    }

    fn check(&self, events: &[Event], _budget: &Budget) -> CheckResult {
        let book = match Book::new(events, Rules::default()) {
            Ok(book) => book,
            Err(error) => return Findings::refused(&error),
        };
        let quiet = Quiet::new(events, self.settle);
        let mut audit = Audit { book: &book, findings: Findings::new(), counts: Counts::default() };
        for places in causes::by_key(&book).iter() {
            audit.same_dots(places);
            let versions = Versions::new(&book, places);
            for &answer in places.iter().filter(|&&place| shows(&book, place)) {
                audit.answered(answer);
            }
            audit.lost(places, &versions);
            if let Some(end) = quiet.ending(&book, places).seen() {
                audit.in_the_end(places, &end);
            }
            audit.cart(places);
        }
        audit.answer()
    }

    fn sensitivity(&self, events: &[Event], plan: &SensitivityPlan<'_>) -> Option<Sensitivity> {
        measure(self, &[Kind::SiblingDropped], Scope::Key, events, plan)
    }
}

#[derive(Default)]
struct Counts {
    answers: u64,
    with_siblings: u64,
    most_siblings: u64,
    ended_with_siblings: u64,
    returned: u64,
}

/// The acknowledged writes of one key that can be missed, by actor and counter.
struct Versions {
    by_actor: HashMap<u32, Vec<(u64, Place)>, Fast>,
    /// The deletes that did not fail, in order of invocation, each with all that those up to it can have replaced.
    deletes: Vec<(u32, Causes)>,
}

impl Versions {
    fn new(book: &Book<'_>, places: &[Place]) -> Self {
        let mut by_actor: HashMap<u32, Vec<(u64, Place)>, Fast> = HashMap::default();
        let (mut deletes, mut replaced) = (Vec::new(), Causes::nothing());
        for &place in places {
            let entry = book.entry_at(place);
            if let Some(dot) = book.own_dot(place).filter(|_| entry.act == Act::Write) {
                by_actor.entry(dot.actor).or_default().push((dot.counter, place));
            }
            if entry.act == Act::Delete && entry.outcome != Outcome::Fail {
                replaced.join(causes::at_most(book, place));
                deletes.push((entry.call, replaced.clone()));
            }
        }
        by_actor.values_mut().for_each(|line| line.sort_unstable());
        Self { by_actor, deletes }
    }

    /// Whether a delete that was invoked before a position can have replaced this.
    fn may_be_deleted(&self, dot: Dot, before: u32) -> bool {
        let begun = self.deletes.partition_point(|&(call, _)| call < before);
        begun.checked_sub(1).is_some_and(|last| self.deletes[last].1.may_have(dot))
    }
}

struct Audit<'b, 'h> {
    book: &'b Book<'h>,
    findings: Findings,
    counts: Counts,
}

impl<'b> Audit<'b, '_> {
    fn index(&self, place: Place) -> u64 {
        self.book.operation(place).index
    }

    /// Counts the siblings of an answer, and looks for false conflicts.
    fn answered(&mut self, answer: Place) {
        self.counts.answers += 1;
        let said = self.book.operation(answer).completion.and_then(|event| event.extra().siblings);
        let dots = self.book.dots(answer).unwrap_or_default();
        let siblings = said.unwrap_or(1).max(dots.len() as u64);
        self.counts.with_siblings += u64::from(siblings > 1);
        self.counts.most_siblings = self.counts.most_siblings.max(siblings);
        if dots.len() < 2 {
            return;
        }
        for &newer in dots {
            let Some(writer) = self.book.writer(newer) else { continue };
            for &older in dots.iter().filter(|&&older| causes::replaced(self.book, writer, older)) {
                self.false_conflict(answer, writer, older);
            }
        }
    }

    fn false_conflict(&mut self, answer: Place, writer: Place, older: Dot) {
        let book = self.book;
        let key = book.operation(answer).key();
        let ops = vec![self.index(writer), self.index(answer)];
        let context = book.writer(older).map(|older| self.index(older)).into_iter().collect();
        self.findings.anomaly(anomaly::FALSE_CONFLICT, key, ops, context, || {
            let write = book.operation(writer);
            format!(
                "An answer for {} shows version {} beside {}, though {} had replaced it.",
                named(key),
                book.show(older),
                book.own_dot(writer).map_or_else(String::new, |dot| book.show(dot)),
                noun(write)
            )
        });
    }

    /// Looks for two writes that were told the same dot.
    fn same_dots(&mut self, places: &[Place]) {
        let book = self.book;
        for &place in places {
            let Some(dot) = book.own_dot(place) else { continue };
            let Some(first) = book.writer(dot).filter(|&first| first != place) else { continue };
            let (one, other) = (book.operation(first), book.operation(place));
            let token =
                |operation: &crate::history::Operation<'_>| operation.invocation.extra().token.clone();
            if token(one).is_some() && token(one) == token(other) {
                continue;
            }
            self.findings.anomaly(
                anomaly::SIBLING_LOST,
                one.key(),
                vec![one.index, other.index],
                Vec::new(),
                || {
                    format!(
                        "{} and {} on {} are both version {}.",
                        capitalised(&noun(one)),
                        noun(other),
                        named(one.key()),
                        book.show(dot)
                    )
                },
            );
        }
    }

    /// Looks for answers that know of a write and have dropped it. Each write is reported once.
    fn lost(&mut self, places: &[Place], versions: &Versions) {
        let book = self.book;
        let mut reported: HashSet<Place, Fast> = HashSet::default();
        for &answer in places.iter().filter(|&&place| shows(book, place)) {
            let (Some(clock), Some(dots)) = (book.clock(answer), book.dots(answer)) else { continue };
            let Causes::Covered(replaced) = causes::of_versions(book, dots) else { continue };
            for &seen in clock {
                let Some(line) = versions.by_actor.get(&seen.actor) else { continue };
                let from = counted::upto(line, counter(&replaced, seen.actor), |&(own, _)| own);
                for &(own, write) in line[from..].iter().take_while(|&&(own, _)| own <= seen.counter) {
                    let dot = Dot { actor: seen.actor, counter: own };
                    let excused =
                        dots.contains(&dot) || versions.may_be_deleted(dot, book.entry_at(answer).end);
                    if !excused && reported.insert(write) {
                        self.sibling_lost(answer, write, dot);
                    }
                }
            }
        }
    }

    fn sibling_lost(&mut self, answer: Place, write: Place, dot: Dot) {
        let book = self.book;
        let key = book.operation(answer).key();
        let ops = vec![self.index(write), self.index(answer)];
        let shown = book.dots(answer).unwrap_or_default();
        let writers = shown.iter().filter_map(|&dot| book.writer(dot));
        let context = writers.map(|writer| self.index(writer)).collect();
        self.findings.anomaly(anomaly::SIBLING_LOST, key, ops, context, || {
            let write = book.operation(write);
            let versions: Vec<String> = shown.iter().map(|&dot| book.show(dot)).collect();
            format!(
                "An answer for {} knows of version {} ({}) and does not show it, but only [{}], whose \
                 writers had not replaced it.",
                named(key),
                book.show(dot),
                noun(write),
                versions.join(", ")
            )
        });
    }

    /// Looks for siblings that had been reconciled.
    fn in_the_end(&mut self, places: &[Place], end: &End) {
        let book = self.book;
        let conflicts = end
            .answers
            .iter()
            .copied()
            .filter(|&answer| book.dots(answer).is_some_and(|dots| dots.len() > 1));
        let conflicts: Vec<Place> = conflicts.collect();
        self.counts.ended_with_siblings += u64::from(!conflicts.is_empty());
        if conflicts.is_empty() {
            return;
        }
        let is_write = |&&place: &&Place| {
            let entry = book.entry_at(place);
            entry.act.writes() && entry.is_ok() && entry.end < end.since
        };
        let writes: Vec<Place> = places.iter().filter(is_write).copied().collect();
        let mut replaced = Vec::new();
        for &write in &writes {
            causes::join(&mut replaced, causes::at_least(book, write).unwrap_or_default());
        }
        let mut reported: Vec<Dot> = Vec::new();
        for &answer in &conflicts {
            for &dot in book.dots(answer).unwrap_or_default() {
                if reported.contains(&dot) || !covers(&replaced, dot) {
                    continue;
                }
                if let Some((write, read)) = self.reconciled(places, &writes, dot) {
                    reported.push(dot);
                    self.unresolved(answer, write, read, dot);
                }
            }
        }
    }

    /// The acknowledged write that reconciled this version with another one, and a read that had shown both
    /// before that.
    fn reconciled(&self, places: &[Place], writes: &[Place], dot: Dot) -> Option<(Place, Place)> {
        let book = self.book;
        let write = |&&write: &&Place| causes::replaced(book, write, dot);
        writes.iter().filter(write).find_map(|&write| {
            let saw = |&&read: &&Place| {
                let came_before = book.entry_at(read).end < book.entry_at(write).call;
                let dots = book.dots(read).unwrap_or_default();
                let with_another =
                    || dots.iter().any(|&other| other != dot && causes::replaced(book, write, other));
                shows(book, read) && came_before && dots.contains(&dot) && with_another()
            };
            places.iter().find(saw).map(|&read| (write, read))
        })
    }

    fn unresolved(&mut self, answer: Place, write: Place, read: Place, dot: Dot) {
        let book = self.book;
        let key = book.operation(answer).key();
        let ops = vec![self.index(read), self.index(write), self.index(answer)];
        self.findings.anomaly(anomaly::UNRESOLVED_SIBLINGS, key, ops, Vec::new(), || {
            let by = book.operation(write);
            format!(
                "In the end {} still has version {} among its siblings, which {} had reconciled.",
                named(key),
                book.show(dot),
                noun(by)
            )
        });
    }

    /// What a cart promises of its elements.
    fn cart(&mut self, places: &[Place]) {
        let book = self.book;
        let cart = Cart::new(book, places);
        if cart.adds.is_empty() {
            return;
        }
        let mut reported: HashSet<&Value, Fast> = HashSet::default();
        let mut returned: HashSet<&Value, Fast> = HashSet::default();
        // Elements that were added before the reads so far had ended, and not removed before they began.
        let (mut there, mut next, mut latest) = (Vec::new(), cart.adds.iter().peekable(), 0);
        for &read in
            places.iter().filter(|&&place| book.entry_at(place).act == Act::Read && shows(book, place))
        {
            let entry = book.entry_at(read);
            latest = latest.max(entry.end);
            while let Some(add) = next.next_if(|add| book.entry_at(add.place).call < latest) {
                there.push(*add);
            }
            there.retain(|add| add.removed > entry.call);
            let (Some(clock), Some(values)) = (book.clock(read), book.operation(read).result()) else {
                continue;
            };
            let values = values.as_array().map(Vec::as_slice).unwrap_or_default();
            let shown: HashSet<&Value, Fast> = values.iter().collect();
            for add in &there {
                let must_be = covers(clock, add.dot)
                    && add.removed > entry.end
                    && book.entry_at(add.place).call < entry.end;
                if must_be && !shown.contains(add.element) && reported.insert(add.element) {
                    self.element_lost(read, add);
                }
            }
            let is_back = |value: &&&Value| cart.removes.get(*value).is_some_and(|&dot| covers(clock, dot));
            returned.extend(shown.iter().filter(is_back).copied());
        }
        self.counts.returned += returned.len() as u64;
    }

    fn element_lost(&mut self, read: Place, add: &Add<'_>) {
        let key = self.book.operation(read).key();
        let ops = vec![self.index(add.place), self.index(read)];
        let element = add.element;
        self.findings.anomaly(anomaly::SIBLING_LOST, key, ops, Vec::new(), || {
            format!(
                "Element {element} was added to {} and nobody removed it, but a read that knows of it does not show it.",
                named(key)
            )
        });
    }

    fn answer(mut self) -> CheckResult {
        let counts = [
            ("answers", self.counts.answers),
            ("with_siblings", self.counts.with_siblings),
            ("most_siblings", self.counts.most_siblings),
            ("ended_with_siblings", self.counts.ended_with_siblings),
            ("returned", self.counts.returned),
        ];
        for (name, count) in counts {
            self.findings.stat(name, count);
        }
        self.findings.answer()
    }
}

/// An acknowledged `add`.
#[derive(Clone, Copy)]
struct Add<'h> {
    dot: Dot,
    place: Place,
    element: &'h Value,
    /// Where the first `remove` of the element that did not fail was invoked.
    removed: u32,
}

/// The elements of one cart.
struct Cart<'h> {
    /// In order of invocation.
    adds: Vec<Add<'h>>,
    /// The acknowledged removes' dots.
    removes: HashMap<&'h Value, Dot, Fast>,
}

impl<'h> Cart<'h> {
    fn new(book: &Book<'h>, places: &[Place]) -> Self {
        let (mut removed, mut removes) = (HashMap::<&Value, u32, Fast>::default(), HashMap::default());
        let may_be = |&&place: &&Place| {
            book.operation(place).f() == "remove" && book.entry_at(place).outcome != Outcome::Fail
        };
        for &place in places.iter().filter(may_be) {
            let element = book.operation(place).argument();
            removed.entry(element).or_insert(book.entry_at(place).call);
            if let Some(dot) = book.own_dot(place) {
                removes.insert(element, dot);
            }
        }
        let add = |&place: &Place| {
            let operation = book.operation(place);
            let element = operation.argument();
            let removed = removed.get(element).copied().unwrap_or(NEVER);
            let dot = book.own_dot(place).filter(|_| operation.f() == "add")?;
            Some(Add { dot, place, element, removed })
        };
        Self { adds: places.iter().filter_map(add).collect(), removes }
    }
}
