//! Causal consistency: who sees an effect sees its causes, through whatever clients and items.
//!
//! The past of an operation is what led to it: what its client did before (session order), the write whose
//! value it read (writes-into), and the past of all these. A history is refuted by
//!
//! 1. a read of a value that nobody wrote, or whose write had failed, or was only invoked after the read;
//! 2. an operation that lacks a write of its past to the same key, or what a read of its past showed of the key
//!    (`order` says what lacks means). That is a circle of session order and writes-into with one step back:
//!    from the operation to the write that it should have come after;
//! 3. a circle of session order, writes-into and version order: no order of all writes is that of every
//!    session and that of every key.
//!
//! This is causal convergence (Perrin et al. 2016; Bouajjani et al. 2017) for unique values and a known version
//! order, which makes it decidable in polynomial time; with the saturation of vector clocks (as in Plume, Liu
//! et al. 2024, and AWDIT, Møldrup & Pavlogiannis 2025) nearly in linear time. Version order is no cause: who
//! sees the later of two blind writes need not see what led to the earlier.
//!
//! **Soundness.** The past only grows by what is certain. A write of unknown outcome is in nobody's past unless
//! its value was read, which proves that it took effect; and it is no part of the past of what its client did
//! later, since it may have taken effect after that. A value with several writers leads to no cause, unless
//! the answer carries the dot of one. That something is lacking is said by `order` only for certain. Version
//! order makes a circle only where versions cannot have begun anew: for clocks, whose actors then have new
//! names, and for timestamps and numbers of keys that were never deleted. In a store that answers truly each
//! step of (3) goes forward: by the clock that covers a write, that write was there before.
//!
//! **How.** Causes of an answered operation lie before its answer in the history: (1) refutes the rest. So one
//! sweep over the events computes each session's vector clock: of each other session, how many of its
//! operations are in the past. A write keeps its client's vector if another session reads its value. Each
//! operation is held against the trails (`trails`) of those sessions that told something of its key since what
//! it includes, up to its vector; of most there are none. O(n s) time in the worst case for n operations and s
//! sessions, in practice O(n) but for the joining of vectors; memory O(n + s (s + r)) for r writes that others
//! read. Where the vectors need more than the budget's bytes the answer is *unknown*. Circles by version order
//! are found by peeling what cannot be on one, in O(n).

mod circle;
mod path;
mod report;
mod vectors;

use super::lives::Lives;
use super::order::{Act, Book, Dot, Order, Place, Rules};
use super::parts::Parts;
use super::sensitivity::{Kind, Scope, measure};
use super::shown::Shown;
use super::trails::{Logs, Trails};
use super::words;
use crate::history::Event;
use crate::sensitivity::{Sensitivity, SensitivityPlan};
use crate::verdict::{Budget, Check, CheckResult, Validity};
use path::Pasts;
use report::Report;
use vectors::Vectors;

/// The check of causal consistency. Its name in verdicts is `causal`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Causal {
    rules: Rules,
}

impl Causal {
    /// The check for a store of which this is known.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self { rules }
    }
}

impl Check for Causal {
    fn name(&self) -> &'static str {
        "causal"
    }

    fn check(&self, events: &[Event], budget: &Budget) -> CheckResult {
        let book = match Book::new(events, self.rules) {
            Ok(book) => book,
            Err(error) => return super::no_history(&error),
        };
        let shown = Shown::new(&book);
        let causes = causes(&book, &shown);
        let (vectors, too_much) = match Vectors::new(&book, &causes, budget.bytes) {
            Ok(vectors) => (Some(vectors), None),
            Err(reason) => (None, Some(reason)),
        };
        let mut report = Report::new(&book);
        if let Some(vectors) = vectors {
            let mut audit = Audit::new(&book, &shown, &causes, vectors);
            audit.sweep(events.len());
            let pasts = Pasts { book: &book, causes: &causes, lines: audit.lines };
            report.baseless(audit.baseless);
            report.lacking(&pasts, audit.lacking, &audit.rates);
            report.circles(circle::find(&book, &shown, &pasts));
        }
        let mut result = report.result();
        result.stats.extend(words::counts(&book));
        result.unknown.extend(too_much);
        result.unknown.extend(words::incomparable(&book));
        if !result.unknown.is_empty() {
            result.valid = result.valid.max(Validity::Unknown);
        }
        result
    }

    fn sensitivity(&self, events: &[Event], plan: &SensitivityPlan<'_>) -> Option<Sensitivity> {
        measure(self, &[Kind::StaleRead], Scope::History, events, plan)
    }
}

/// No write.
const NONE: Place = u32::MAX;

/// Of each answered read the write that it shows, or [`NONE`].
fn causes<'h>(book: &Book<'h>, shown: &Shown<'h>) -> Vec<Place> {
    let cause = |(place, entry): (usize, &super::order::Entry<'_>)| {
        if entry.act != Act::Read || !entry.is_ok() {
            return NONE;
        }
        shown.write_of(book, place as Place).unwrap_or(NONE)
    };
    book.entries.iter().enumerate().map(cause).collect()
}

struct Audit<'b, 'h> {
    book: &'b Book<'h>,
    shown: &'b Shown<'h>,
    causes: &'b [Place],
    vectors: Vectors,
    /// What each session tells of each life: a trail for each part.
    parts: Parts,
    trails: Trails,
    lives: Lives,
    /// What any session wrote or was shown of each life of a key.
    logs: Logs,
    /// Of each trail, the last operation that was held against it.
    asked: Vec<Place>,
    /// Of each session, its answered operations so far.
    lines: Vec<Vec<Place>>,
    /// Reads of values that nobody can have written by then, with the write that came too late.
    baseless: Vec<(Place, Option<Place>)>,
    /// Operations that lack something of their past.
    lacking: Vec<Place>,
    rates: Vec<words::Rate>,
}

impl<'b, 'h> Audit<'b, 'h> {
    fn new(book: &'b Book<'h>, shown: &'b Shown<'h>, causes: &'b [Place], vectors: Vectors) -> Self {
        let parts = Parts::new(book, |place| match book.order(place) {
            Order::Clock => shown_dot(book, causes, place).map(|dot| book.life_of(dot)),
            _ => book.life(place).filter(|_| book.needs(place) > 0),
        });
        Self {
            book,
            shown,
            causes,
            vectors,
            trails: Trails::new(parts.owners.len(), parts.iter().map(|(_, part)| part)),
            lives: Lives::new(book),
            logs: Logs::new(book.lives(), parts.lives()),
            asked: vec![NONE; parts.owners.len()],
            parts,
            lines: vec![Vec::new(); book.sessions.len()],
            baseless: Vec::new(),
            lacking: Vec::new(),
            rates: Vec::new(),
        }
    }

    fn sweep(&mut self, events: usize) {
        for (place, ends) in super::moments(self.book, events) {
            let entry = self.book.entry_at(place);
            if entry.act == Act::Other {
                continue;
            }
            if !ends {
                self.vectors.keep(entry.session, place);
            } else if entry.is_ok() {
                self.learn(place);
                self.judge(place);
                self.absorb(place);
            }
        }
    }

    /// A read's cause and its past become part of its session's.
    fn learn(&mut self, place: Place) {
        let entry = self.book.entry_at(place);
        if entry.act != Act::Read {
            return;
        }
        let cause = self.causes[place as usize];
        if cause == NONE {
            let value = self.book.operation(place).result();
            let is_one = value.is_some_and(|value| !value.is_null() && !value.is_array());
            if is_one && !self.shown.is_written(self.book, place) {
                self.baseless.push((place, None));
            }
            return;
        }
        let write = self.book.entry_at(cause);
        if write.call > entry.end {
            self.baseless.push((place, Some(cause)));
        } else if write.session != entry.session {
            let answered = write.is_ok().then(|| write.before + 1);
            self.vectors.learn(entry.session, cause, write.session, answered);
        }
    }

    fn judge(&mut self, place: Place) {
        let entry = self.book.entry_at(place);
        if self.book.order(place) == Order::Nothing {
            return;
        }
        let lacks = self.lives.of(self.book, place).any(|life| {
            self.logs.recent(self.book, life, place).any(|trail| {
                if std::mem::replace(&mut self.asked[trail as usize], place) == place {
                    return false;
                }
                let until = self.vectors.of(entry.session, self.parts.owners[trail as usize].0);
                until > 0 && self.trails.missing(self.book, trail, until, place).is_some()
            })
        });
        let kind = usize::from(entry.kind);
        if self.rates.len() <= kind {
            self.rates.resize(kind + 1, words::Rate::default());
        }
        self.rates[kind].count(lacks);
        if lacks {
            self.lacking.push(place);
        }
    }

    /// From here on, what this operation wrote or showed is part of its session.
    fn absorb(&mut self, place: Place) {
        let entry = self.book.entry_at(place);
        let line = &mut self.lines[entry.session as usize];
        line.push(place);
        self.vectors.advance(entry.session, line.len() as u32);
        let trail = self.parts.of[place as usize];
        let Some(&(_, life)) = self.parts.owners.get(trail as usize) else { return };
        let compares = self.book.order(place) == Order::Clock;
        let dot = shown_dot(self.book, self.causes, place).filter(|_| compares);
        let needs = self.book.needs(place);
        self.trails.push(trail, entry.before, place, dot.as_slice(), needs);
        self.logs.push(life, trail, dot.as_slice(), needs);
        self.lives.seen(self.book, place, life);
    }
}

/// Whether an operation lacks what an earlier one to the same key wrote or showed.
fn lacks(book: &Book<'_>, causes: &[Place], later: Place, earlier: Place) -> bool {
    if book.order(later) != Order::Clock {
        return book.lacks(later, earlier);
    }
    shown_dot(book, causes, earlier).is_some_and(|dot| book.lacks_dot(later, dot))
}

/// The dot of the version that an operation made or showed, where it is known which.
fn shown_dot(book: &Book<'_>, causes: &[Place], place: Place) -> Option<Dot> {
    if book.entry_at(place).act != Act::Read {
        return book.own_dot(place);
    }
    match book.dots(place) {
        Some(&[dot]) => Some(dot),
        _ => book.own_dot(*causes.get(place as usize).filter(|&&cause| cause != NONE)?),
    }
}
