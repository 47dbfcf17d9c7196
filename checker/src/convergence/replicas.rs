//! Convergence: once the faults are healed and the writes have stopped, do all replicas come to hold the same,
//! and is everything in it that was acknowledged?
//!
//! The end of a key is what [`super::ending`] says. Two things are judged.
//!
//! **`diverged`**: two answers of the end show different versions, or different values. A replica that has
//! collected a tombstone holds nothing, and agrees with one that still has it; two different tombstones do not
//! agree. Lists are sets: their order does not count.
//!
//! *What is sound.* A write that was never answered may take effect between the answers of two replicas, and
//! then they differ rightly. So while such a write of the key is open (or one that ended after the first answer
//! of the end was asked for), two answers are held against each other only if all that they show was there
//! before: each dot was acknowledged, or seen by somebody, before the first of them was asked for; and neither
//! is empty while a delete or a `remove` is open. Without dots, a value counts as settled if no open write wrote it,
//! or somebody saw it before and no other write can have left it (null: if no delete or `remove` is open), and of
//! lists, if every open write is an `add`, each element that none of these adds, or that somebody saw before (where
//! elements are removed, or a timestamp decides between lists: if somebody saw all that these add, and each was added
//! once). Answers that differ otherwise are *undecided*: the answer of the check is unknown. So it is where a replica
//! was not asked, a fault was in force, or nobody read any key in the end.
//!
//! **`lost-write`**: an acknowledged write that ended before the end and is in no answer of it, although
//! nothing can have replaced it. By clocks: its dot is not among the versions, and neither they, nor any delete
//! that did not fail (whose tombstone may have been collected), can have replaced it ([`super::causes`]). A
//! version of the end whose write was never answered may have replaced whatever the clock beside it covers.
//! Where the greatest timestamp wins ([`Rules::lww`]), one that is not less than the write's excuses it too: of
//! a version, or of a delete; and so does any context that a write was sent with and that covers it, or a version
//! with such a timestamp, since such a write may replace a greater timestamp than its own (`outdone`). Without
//! clocks, only if nobody can have deleted the item: by version numbers, if those of the end are less; by values,
//! if the item is absent. Where the writes of an item are ordered ([`Rules::ordered_writes`]), by values also if it
//! began after the writes of all that is shown had ended (of an absent item: after all deletes had).
//!
//! Where ordinary reads stand in for the replicas, `replica_coverage` is `unknown` in the stats: a replica that
//! none of them reached may hold something else. The time to convergence of a key (`converged_ms`) runs from
//! when all was quiet to the first of the answers from which on all agree, so it is an upper bound, as good as
//! the answers are close together.

use std::collections::BTreeMap;
use std::time::Duration;

use super::causes;
use super::ending::{End, Ending, Quiet, Source};
use super::findings::{Findings, distribution, named};
use super::holding::{Agreement, Holding, agreement};
use super::order::{Act, Book, Place, Rules};
use super::remains::Remains;
use super::sensitivity::{Kind, Scope, measure};
use super::words::noun;
use crate::anomaly;
use crate::history::{Event, Outcome};
use crate::linearizability::explain::capitalised;
use crate::sensitivity::{Sensitivity, SensitivityPlan};
use crate::verdict::{Budget, Check, CheckResult};

/// How long ordinary reads may lag behind, where no replica is read by itself.
pub const SETTLE: Duration = Duration::from_secs(5);

const NANOSECONDS_PER_MS: u64 = 1_000_000;

/// The check of convergence. Its name in verdicts is `convergence`.
#[derive(Debug, Clone, Copy)]
pub struct Convergence {
    rules: Rules,
    settle: Duration,
}

impl Convergence {
    /// The check for a store with these rules.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self { rules, settle: SETTLE }
    }

    /// The same check, but ordinary reads count only this long after all was quiet (otherwise [`SETTLE`]).
    #[must_use]
    pub fn settling(self, settle: Duration) -> Self {
        Self { settle, ..self }
    }
}

impl Check for Convergence {
    fn name(&self) -> &'static str {
        "convergence"
    }

    fn check(&self, events: &[Event], _budget: &Budget) -> CheckResult {
        let book = match Book::new(events, self.rules) {
            Ok(book) => book,
            Err(error) => return Findings::refused(&error),
        };
        let quiet = Quiet::new(events, self.settle);
        let mut audit = Audit {
            book: &book,
            rules: self.rules,
            findings: Findings::new(),
            converged_ms: Vec::new(),
            counts: Counts::default(),
        };
        for places in causes::by_key(&book).iter() {
            audit.key(places, quiet.ending(&book, places));
        }
        audit.answer()
    }

    fn sensitivity(&self, events: &[Event], plan: &SensitivityPlan<'_>) -> Option<Sensitivity> {
        measure(self, &[Kind::ReplicaBehind, Kind::WriteLost], Scope::Key, events, plan)
    }
}

/// How many keys there were of each sort.
#[derive(Default)]
struct Counts {
    keys: u64,
    judged: u64,
    by_replicas: u64,
    unread: u64,
    undecided: u64,
    uncovered: BTreeMap<String, u64>,
    unhealed: BTreeMap<u64, u64>,
}

struct Audit<'b, 'h> {
    book: &'b Book<'h>,
    rules: Rules,
    findings: Findings,
    converged_ms: Vec<u64>,
    counts: Counts,
}

impl Audit<'_, '_> {
    fn key(&mut self, places: &[Place], ending: Ending) {
        self.counts.keys += u64::from(!matches!(ending, Ending::Unwritten));
        let end = match ending {
            Ending::Unwritten => return,
            Ending::Unread => {
                self.counts.unread += 1;
                return;
            }
            Ending::Uncovered(place) => {
                let node = self.book.operation(place).node().unwrap_or("a node");
                *self.counts.uncovered.entry(node.to_owned()).or_insert(0) += 1;
                return;
            }
            Ending::Unhealed(fault) => {
                *self.counts.unhealed.entry(fault).or_insert(0) += 1;
                return;
            }
            Ending::Seen(end) => end,
        };
        self.counts.judged += 1;
        self.counts.by_replicas += u64::from(end.source == Source::Replicas);
        match agreement(self.book, places, &end, self.rules.lww) {
            Agreement::Same(place) => self.converged(places, &end, place),
            Agreement::Differ(one, other) => self.diverged(&end, one, other),
            Agreement::Undecided => self.counts.undecided += 1,
        }
        self.look_for_lost_writes(places, &end);
    }

    /// How long it took.
    fn converged(&mut self, places: &[Place], end: &End, last: Place) {
        let f = self.book.operation(last).f();
        let is_answer =
            |&&place: &&Place| self.book.entry_at(place).is_ok() && self.book.operation(place).f() == f;
        let mut answers: Vec<Place> = places.iter().filter(is_answer).copied().collect();
        answers.sort_by_key(|&place| std::cmp::Reverse(self.book.entry_at(place).end));
        let agreed = Holding::of(self.book, last);
        let same = |&&place: &&Place| Holding::of(self.book, place).agrees_with(&agreed);
        let first = answers.iter().take_while(same).last().copied().unwrap_or(last);
        let time = self.book.operation(first).completion.map_or(0, |event| event.time);
        self.converged_ms.push(time.saturating_sub(end.quiet_ns) / NANOSECONDS_PER_MS);
    }

    fn diverged(&mut self, end: &End, one: Place, other: Place) {
        let book = self.book;
        let indexes = |places: &[Place]| places.iter().map(|&place| book.operation(place).index).collect();
        let key = book.operation(one).key();
        let (ops, context) = (indexes(&[one, other]), indexes(&end.answers));
        self.findings.anomaly(anomaly::DIVERGED, key, ops, context, || {
            let say = |place: Place| {
                let node = book.operation(place).node().unwrap_or("a node");
                format!("{node} holds {}", Holding::of(book, place).describe(book))
            };
            let lacks = |place: Place, whole: Place| {
                let lacking = Holding::of(book, place).lacks(&Holding::of(book, whole))?;
                Some(format!("; {} lacks {lacking}", book.operation(place).node().unwrap_or("a node")))
            };
            let lacking: String = [lacks(one, other), lacks(other, one)].into_iter().flatten().collect();
            format!("In the end {} and {} of {}{lacking}.", say(one), say(other), named(key))
        });
    }

    /// Looks for acknowledged writes that are gone without a reason.
    fn look_for_lost_writes(&mut self, places: &[Place], end: &End) {
        let is_victim = |&&place: &&Place| {
            let entry = self.book.entry_at(place);
            entry.act == Act::Write && entry.outcome == Outcome::Ok && entry.end < end.since
        };
        let victims = places.iter().filter(is_victim).copied();
        let lost: Vec<Place> = match Remains::new(self.book, places, end, self.rules) {
            Some(remains) => victims.filter(|&place| remains.lack(self.book, place)).collect(),
            None => return,
        };
        for place in lost {
            self.lost(end, place);
        }
    }

    fn lost(&mut self, end: &End, place: Place) {
        let book = self.book;
        let write = book.operation(place);
        let last = end.answers.last().map(|&last| book.operation(last).index);
        let ops = last.into_iter().chain([write.index]).collect();
        let context = end.answers.iter().map(|&answer| book.operation(answer).index).collect();
        self.findings.anomaly(anomaly::LOST_WRITE, write.key(), ops, context, || {
            let version = book.own_dot(place).map_or_else(String::new, |dot| format!(" (version {})", book.show(dot)));
            let held = Holding::of(book, end.answers[0]).describe(book);
            format!(
                "{}{version} on {} was acknowledged and is gone: in the end there is {held}, and nothing replaced it.",
                capitalised(&noun(write)),
                named(write.key())
            )
        });
    }

    fn answer(mut self) -> CheckResult {
        let counts = self.counts;
        for (node, keys) in &counts.uncovered {
            let text = format!("{node} did not tell in the end what it holds of {keys} keys");
            self.findings.undecided(text);
        }
        for (fault, keys) in &counts.unhealed {
            let text = format!(
                "the fault of event {fault} was still in force when {keys} keys were read in the end"
            );
            self.findings.undecided(text);
        }
        if counts.undecided > 0 {
            let text = format!(
                "the answers of the end differ in {} keys, but writes of these that were never answered may \
                 have taken effect in between",
                counts.undecided
            );
            self.findings.undecided(text);
        }
        if counts.keys > 0 && counts.unread == counts.keys {
            self.findings
                .undecided("no key was read after its last write: nothing shows convergence".to_owned());
        }
        let coverage =
            if counts.judged > 0 && counts.by_replicas == counts.judged { "all" } else { "unknown" };
        self.findings.stat("replica_coverage", coverage);
        let numbers = [
            ("keys", counts.keys),
            ("keys_judged", counts.judged),
            ("keys_unread", counts.unread),
            ("keys_undecided", counts.undecided),
        ];
        for (name, number) in numbers {
            self.findings.stat(name, number);
        }
        self.findings.stat("converged_ms", distribution(self.converged_ms));
        self.findings.answer()
    }
}
