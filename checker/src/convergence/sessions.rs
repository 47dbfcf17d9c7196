//! The four session guarantees (Terry et al. 1994), for each client, in the store's own version order.
//!
//! A session is what one client did, one operation after the other; it goes on under a new process number
//! after an operation of unknown outcome. Of an answered operation, in words of [`order`](super::order):
//!
//! | guarantee | a read lacks … | a write lacks … |
//! |---|---|---|
//! | read your writes | an earlier answered write of the session to the key | |
//! | monotonic reads | what an earlier read of the session of the key showed | |
//! | monotonic writes | a write W1 of another session, though the reading session has seen a W2 that this one began after W1 was answered | an earlier answered write of the session to the key |
//! | writes follow reads | what a read R of another session showed, though the reading session has seen a W2 that this one began after R was answered | what an earlier read of the session of the key showed |
//!
//! A session has seen a write if a read of its own has taken it in (the same read, or an earlier one): its clock
//! covers the write's dot, or its number is not less than the write's (where no delete can have begun the
//! numbers anew), or it shows exactly the write's value.
//!
//! **Soundness.** Every violation is one in every run of the store that could have given these answers:
//! - What must be included is only what was acknowledged, or shown to a client: so it took effect. A write of
//!   unknown outcome is never asked for by itself. It may carry a demand (as W2): whoever has seen it proves
//!   that it took effect, and by the client's own order it came after W1.
//! - That an answer lacks something is only said for certain (`order`): not where a collected tombstone, a
//!   write of unknown outcome in real time, or a missing version could explain it.
//! - Only operations that were answered before another was invoked are before it in their session. A client
//!   that has several open at once is taken for several sessions.
//! - By timestamps, to see a newer version does not mean to have seen an older one, so only what a clock covers
//!   or a value shows counts as seen.
//!
//! **How.** One sweep over the events. Each session keeps a trail of its writes and one of its reads on each
//! key (`trails`), and each session the number of the last operation of each other that it must include. A read
//! that includes the newest of all that was ever answered on its key lacks nothing, and most do; for the others
//! each session with a trail on the key is asked once. O(n (s + log n)) for n operations and s sessions, in
//! O(n) memory beside s² numbers where all see all. The budget's steps bound what the other sessions cost; if
//! they run out, that part is *unknown* from there on.

mod report;
mod sight;

use super::lives::Lives;
use super::order::{Act, Book, Dot, Order, Place, Rules};
use super::parts::{NONE, Parts};
use super::sensitivity::{Kind, Scope, measure};
use super::shown::Shown;
use super::trails::{Logs, Missing, Trails};
use super::words;
use crate::anomaly;
use crate::history::Event;
use crate::sensitivity::{Sensitivity, SensitivityPlan};
use crate::verdict::{Budget, Check, CheckResult, Validity};
use report::Report;
use sight::{Sighting, Sights};

/// The check of the four session guarantees. Its name in verdicts is `sessions`.
#[derive(Debug, Clone, Copy, Default)]
pub struct SessionGuarantees {
    rules: Rules,
}

impl SessionGuarantees {
    /// The check for a store of which this is known.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self { rules }
    }
}

/// What a session may rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Guarantee {
    ReadYourWrites,
    MonotonicReads,
    MonotonicWrites,
    WritesFollowReads,
}

impl Guarantee {
    const ALL: [Self; 4] =
        [Self::ReadYourWrites, Self::MonotonicReads, Self::MonotonicWrites, Self::WritesFollowReads];

    fn name(self) -> &'static str {
        match self {
            Self::ReadYourWrites => "read-your-writes",
            Self::MonotonicReads => "monotonic-reads",
            Self::MonotonicWrites => "monotonic-writes",
            Self::WritesFollowReads => "writes-follow-reads",
        }
    }

    fn anomaly(self) -> &'static str {
        match self {
            Self::ReadYourWrites => anomaly::READ_YOUR_WRITES_VIOLATED,
            Self::MonotonicReads => anomaly::MONOTONIC_READS_VIOLATED,
            Self::MonotonicWrites => anomaly::MONOTONIC_WRITES_VIOLATED,
            Self::WritesFollowReads => anomaly::WRITES_FOLLOW_READS_VIOLATED,
        }
    }
}

impl Check for SessionGuarantees {
    fn name(&self) -> &'static str {
        "sessions"
    }

    fn check(&self, events: &[Event], budget: &Budget) -> CheckResult {
        let book = match Book::new(events, self.rules) {
            Ok(book) => book,
            Err(error) => return super::no_history(&error),
        };
        let shown = Shown::new(&book);
        let mut audit = Audit::new(&book, &shown, budget);
        audit.sweep(events.len());
        let Audit { report, sights, .. } = audit;
        let mut result = report.result();
        result.stats.extend(words::counts(&book));
        let exhausted = sights.exhausted.map(|place| {
            format!(
                "monotonic writes and writes follow reads, as other sessions see them, were not judged from event \
                 {} on: the step budget is spent",
                book.operation(place).index
            )
        });
        let incomparable = words::incomparable(&book);
        result.unknown.extend(exhausted.into_iter().chain(incomparable));
        if !result.unknown.is_empty() {
            result.valid = result.valid.max(Validity::Unknown);
        }
        result
    }

    fn sensitivity(&self, events: &[Event], plan: &SensitivityPlan<'_>) -> Option<Sensitivity> {
        measure(self, &[Kind::StaleRead], Scope::History, events, plan)
    }
}

/// The trails of a part: of its writes, and of its reads.
fn trails(part: u32) -> [u32; 2] {
    [2 * part, 2 * part + 1]
}

/// The trail of a part that an operation is added to.
fn trail(part: u32, act: Act) -> u32 {
    let [writes, reads] = trails(part);
    if act == Act::Read { reads } else { writes }
}

struct Audit<'b, 'h> {
    book: &'b Book<'h>,
    /// What each session does in the lives that its answers know.
    parts: Parts,
    /// Two of each part: of its writes, and of its reads.
    trails: Trails,
    lives: Lives,
    /// What any session was ever told of each life.
    logs: Logs,
    /// Of each part, the last read that was held against it.
    asked: Vec<Place>,
    sights: Sights<'b, 'h>,
    report: Report<'b, 'h>,
}

impl<'b, 'h> Audit<'b, 'h> {
    fn new(book: &'b Book<'h>, shown: &'b Shown<'h>, budget: &Budget) -> Self {
        let parts = Parts::new(book, |place| book.life(place));
        let pushes = parts.iter().map(|(place, part)| trail(part, book.entry_at(place).act));
        Self {
            book,
            trails: Trails::new(2 * parts.owners.len(), pushes),
            lives: Lives::new(book),
            logs: Logs::new(book.lives(), parts.lives()),
            asked: vec![Place::MAX; parts.owners.len()],
            parts,
            sights: Sights::new(book, shown, budget.steps),
            report: Report::new(book),
        }
    }

    fn sweep(&mut self, events: usize) {
        for (place, ends) in super::moments(self.book, events) {
            let entry = self.book.entry_at(place);
            let judged = entry.is_ok() && entry.act != Act::Other && self.book.order(place) != Order::Nothing;
            if ends && judged {
                self.judge(place);
                self.absorb(place);
            }
        }
    }

    fn judge(&mut self, place: Place) {
        let entry = self.book.entry_at(place);
        let reads = entry.act == Act::Read;
        let guarantees = if reads {
            [Guarantee::ReadYourWrites, Guarantee::MonotonicReads]
        } else {
            [Guarantee::MonotonicWrites, Guarantee::WritesFollowReads]
        };
        // Of the session's writes and of its reads: whether there are any, and what is missing of them.
        let mut found = [(false, None); 2];
        for life in self.lives.of(self.book, place) {
            let part = match self.parts.of[place as usize] {
                own if self.book.life(place) == Some(life) => Some(own),
                _ => self.parts.find(entry.session, life),
            };
            let Some(part) = part else { continue };
            for ((any, missing), trail) in found.iter_mut().zip(trails(part)) {
                *any |= !self.trails.is_empty(trail);
                *missing = missing.or_else(|| self.trails.missing(self.book, trail, u32::MAX, place));
            }
        }
        let kind = self.report.kind(place);
        for (guarantee, (any, missing)) in guarantees.into_iter().zip(found) {
            if any {
                self.report.judged(guarantee, kind, place, missing.map(|missing| (missing, None)));
            }
        }
        if reads {
            self.sights.look(place, Some(self.parts.of[place as usize]).filter(|&own| own != NONE));
            let [writes, looks] = self.others(place);
            self.report.judged(Guarantee::MonotonicWrites, kind, place, writes);
            self.report.judged(Guarantee::WritesFollowReads, kind, place, looks);
        }
    }

    /// What a read lacks of other sessions' writes and reads, though its session has seen later ones of theirs.
    fn others(&mut self, place: Place) -> [Option<(Missing, Option<Sighting>)>; 2] {
        let mut found = [None; 2];
        let session = self.book.entry_at(place).session;
        for life in self.lives.of(self.book, place) {
            for part in self.logs.recent(self.book, life, place) {
                let (other, _) = self.parts.owners[part as usize];
                if session == other || std::mem::replace(&mut self.asked[part as usize], place) == place {
                    continue;
                }
                if !self.sights.spend(1, place) {
                    return found;
                }
                let Some(sighting) = self.sights.of(session, other) else { continue };
                for (found, trail) in found.iter_mut().zip(trails(part)) {
                    if found.is_none() {
                        let missing = self.trails.missing(self.book, trail, sighting.number, place);
                        *found = missing.map(|missing| (missing, Some(sighting)));
                    }
                }
            }
        }
        found
    }

    /// From here on, what this operation wrote or was shown is part of its session.
    fn absorb(&mut self, place: Place) {
        let entry = self.book.entry_at(place);
        let Some(life) = self.book.life(place) else { return };
        let own = self.parts.of[place as usize];
        let own_dot = self.book.own_dot(place);
        let dots: &[Dot] = match entry.act {
            _ if self.book.order(place) != Order::Clock => &[],
            Act::Read => self.book.clock(place).unwrap_or_default(),
            Act::Write | Act::Delete | Act::Other => own_dot.as_slice(),
        };
        let needs = self.book.needs(place);
        self.trails.push(trail(own, entry.act), entry.before, place, dots, needs);
        self.logs.push(life, own, dots, needs);
        self.lives.seen(self.book, place, life);
    }
}
