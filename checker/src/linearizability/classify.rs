//! From a certificate to a name: which anomaly do these operations show?
//!
//! A certificate is a proof, and says nothing of causes. The name is the first rule that fits:
//!
//! 1. An answer that contradicts itself: a refused condition that met the very value it asked for
//!    (`condition-failed-though-it-held`), or an applied one that replaced another
//!    (`condition-held-though-it-failed`).
//! 2. A write replaced its own value, which nobody else wrote: `double-apply`.
//! 3. A value was seen that nobody wrote: `aborted-read` if a write of it had failed for certain, else
//!    `phantom-value`. A value that can only have been written on top of such a one counts too.
//! 4. A value was seen by an operation that ended before any write of it was invoked: `future-read`.
//! 5. A condition was refused without an image, and is needed for the proof:
//!    `condition-failed-though-it-held`.
//! 6. Two operations replaced the same value, be it that one of them is not in the certificate, but wrote on
//!    that condition what a member saw: `lost-update`; but `double-apply` if that value's own
//!    write never got an answer (or was sent again), and what first replaced it was seen in between.
//! 7. A value came back: some operation saw x after another, which had ended before it, wrote or saw a
//!    *newer* y. Of several such pairs, it is the one whose seer ended last (a certificate is about the first
//!    answer that was wrong, so all before that one may be believed), if possible one in which the write of x
//!    was invoked before that of y. Then, in this order:
//!    a conditional write that was applied on x: `lost-update`;
//!    y, or something as new, is seen by an operation that ends later: `stale-read`;
//!    y was a delete: `resurrected`;
//!    the write of x never got an answer (or was sent again), and x was seen before y: `double-apply`;
//!    else y is gone for good: `lost-write`.
//! 8. Otherwise `nonlinearizable`.

use std::collections::{HashMap, HashSet};

use super::buckets::Buckets;
use super::certificate::Certificate;
use super::cycle;
use super::explain::Narrator;
use super::general::END;
use super::object::{Action, Entry, Object};
use super::weaken::Weakening;
use crate::anomaly;
use crate::history::Outcome;
use crate::model::register::{ABSENT, Symbol};
use crate::verdict::Anomaly;

/// What a certificate shows, with the parts that the operations (by entry) play in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A refused condition met what it asked for.
    RefusedItsOwn { refused: usize },
    /// An applied condition replaced something else than it asked for.
    AcceptedAnother { accepted: usize },
    /// A write met its own value.
    MetItself { writer: usize },
    /// A value nobody wrote; `root` is the value without a writer, perhaps the same.
    Phantom { seer: usize, root: Symbol },
    /// The same, but a write of it (an operation, not an entry) had failed.
    Aborted { seer: usize, root: Symbol, failed: usize },
    /// A value from the future.
    Future { seer: usize, writer: usize },
    /// A condition was refused, without an image, though it held.
    RefusedOpaquely { refused: usize },
    /// Two operations replaced the same value; `between` saw the first replacement before the second.
    Rivals { first: usize, second: usize, value: Symbol, between: Option<usize> },
    /// A condition held on a value that had been replaced.
    HeldOnOld { newer: usize, seer: usize },
    /// An old value, though a newer one was in force and is seen later.
    Stale { newer: usize, seer: usize, later: usize },
    /// A deleted item came back.
    Resurrected { newer: usize, seer: usize },
    /// A write came back.
    Twice { before: usize, newer: usize, seer: usize },
    /// A write is gone.
    Lost { newer: usize, seer: usize },
    /// None of these.
    Other,
}

impl Shape {
    /// The anomaly's name in the catalogue.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::RefusedItsOwn { .. } | Self::RefusedOpaquely { .. } => anomaly::CONDITION_REFUSED,
            Self::AcceptedAnother { .. } => anomaly::CONDITION_ACCEPTED,
            Self::Phantom { .. } => anomaly::PHANTOM_VALUE,
            Self::Aborted { .. } => anomaly::ABORTED_READ,
            Self::Future { .. } => anomaly::FUTURE_READ,
            Self::Rivals { between: None, .. } | Self::HeldOnOld { .. } => anomaly::LOST_UPDATE,
            Self::MetItself { .. } | Self::Rivals { between: Some(_), .. } | Self::Twice { .. } => {
                anomaly::DOUBLE_APPLY
            }
            Self::Stale { .. } => anomaly::STALE_READ,
            Self::Resurrected { .. } => anomaly::RESURRECTED,
            Self::Lost { .. } => anomaly::LOST_WRITE,
            Self::Other => anomaly::NONLINEARIZABLE,
        }
    }

    /// The operations outside the certificate that the sentence speaks of.
    fn witnesses(self) -> [Option<usize>; 3] {
        match self {
            Self::Stale { later, .. } => [Some(later), None, None],
            Self::Rivals { first, second, between, .. } => [Some(first), Some(second), between],
            Self::Twice { before, newer, .. } => [Some(before), Some(newer), None],
            _ => [None; 3],
        }
    }
}

/// The anomaly that a certificate shows, named and explained.
pub(super) fn anomaly(history: &Weakening<'_, '_>, certificate: &Certificate) -> Anomaly {
    let object = history.object;
    let case = Case { object, writers: &history.writers, members: &certificate.entries };
    let shape = case.shape();
    let index = |entry: usize| object.operation(entry).index;
    let ops: Vec<u64> = certificate.entries.iter().map(|&entry| index(entry)).collect();
    let mut context = case.helpful(shape);
    context.retain(|index| !ops.contains(index));
    let mut explanation = Narrator { object }.explain(shape, &certificate.entries);
    if !certificate.irreducible {
        explanation.push_str(" The budget ended before each of these operations was shown to be necessary.");
    }
    let cycle = cycle::find(object, &history.writers, &certificate.entries);
    Anomaly { kind: shape.name().to_owned(), key: object.key.cloned(), ops, context, explanation, cycle }
}

/// How far down a chain of conditional writes a name is looked for.
const LONGEST_CHAIN: usize = 10_000;

struct Case<'c, 'h> {
    object: &'c Object<'h>,
    /// The entries that write each value.
    writers: &'c Buckets,
    /// The certificate's entries, in order of invocation.
    members: &'c [usize],
}

impl Case<'_, '_> {
    fn entry(&self, at: usize) -> &Entry {
        &self.object.entries[at]
    }

    fn shape(&self) -> Shape {
        self.contradiction()
            .or_else(|| self.met_itself())
            .or_else(|| self.members.iter().find_map(|&seer| self.unwritten(seer)))
            .or_else(|| self.members.iter().find_map(|&seer| self.not_yet_written(seer)))
            .or_else(|| self.refused_opaquely())
            .or_else(|| self.rivals())
            .or_else(|| self.came_back())
            .unwrap_or(Shape::Other)
    }

    fn contradiction(&self) -> Option<Shape> {
        self.members.iter().find_map(|&at| match self.entry(at).action {
            Action::Refused { old, met: Some(met), .. } if old == met => {
                Some(Shape::RefusedItsOwn { refused: at })
            }
            Action::Cas { old, replaced: Some(replaced), .. } if old != replaced => {
                Some(Shape::AcceptedAnother { accepted: at })
            }
            _ => None,
        })
    }

    fn met_itself(&self) -> Option<Shape> {
        self.members.iter().find_map(|&at| {
            let Action::Write { new, replaced } = self.entry(at).action else { return None };
            let own = replaced == Some(new) && self.only_writer(new) == Some(at);
            own.then_some(Shape::MetItself { writer: at })
        })
    }

    /// Who wrote a value, or may have: places of entries in order of invocation.
    fn writers(&self, value: Symbol) -> impl Iterator<Item = usize> {
        self.writers.of(value).iter().copied()
    }

    /// The only writer of a value; none where there are several, or the value is absence.
    fn only_writer(&self, value: Symbol) -> Option<usize> {
        let mut writers = self.writers(value);
        writers.next().filter(|_| value != ABSENT && writers.next().is_none())
    }

    /// The values that must have been in force for this one to be: itself, then what its only writer asked
    /// for, and so on.
    fn chain(&self, value: Symbol) -> Vec<Symbol> {
        let mut chain = vec![value];
        let mut passed = HashSet::from([value]);
        while let Some(writer) = chain.last().and_then(|&last| self.only_writer(last)) {
            match self.entry(writer).action {
                Action::Cas { old, .. } if chain.len() < LONGEST_CHAIN && passed.insert(old) => {
                    chain.push(old);
                }
                _ => break,
            }
        }
        chain
    }

    fn unwritten(&self, seer: usize) -> Option<Shape> {
        let mut chain = self.chain(self.entry(seer).saw()?).into_iter();
        let root = chain.find(|&value| value != ABSENT && self.writers(value).next().is_none())?;
        let failed = self.object.failed.iter().find(|&&(_, value)| value == root);
        Some(match failed {
            Some(&(failed, _)) => Shape::Aborted { seer, root, failed },
            None => Shape::Phantom { seer, root },
        })
    }

    fn not_yet_written(&self, seer: usize) -> Option<Shape> {
        let ret = self.entry(seer).ret?;
        let mut chain = self.chain(self.entry(seer).saw()?).into_iter();
        chain.find_map(|value| {
            let writer = self.writers(value).next().filter(|_| value != ABSENT)?;
            (self.entry(writer).call > ret).then_some(Shape::Future { seer, writer })
        })
    }

    fn refused_opaquely(&self) -> Option<Shape> {
        let opaque = |&&at: &&usize| matches!(self.entry(at).action, Action::Refused { met: None, .. });
        self.members.iter().find(opaque).map(|&refused| Shape::RefusedOpaquely { refused })
    }

    fn rivals(&self) -> Option<Shape> {
        let mut heir_of = HashMap::new();
        self.heirs().into_iter().find_map(|(second, value)| {
            let first = *heir_of.entry(value).or_insert(second);
            if first == second {
                return None;
            }
            let (first, second) = (first.min(second), first.max(second));
            // Where the value may have come back in between, only the two alone are a proof.
            let writers = self.writers(value).count() + usize::from(value == ABSENT);
            if writers > 1 && self.members.len() > 2 {
                return None;
            }
            let between = self.was_unanswered(value).then(|| self.seen_between(first, second)).flatten();
            Some(Shape::Rivals { first, second, value, between })
        })
    }

    /// Who replaced which value: members of the certificate, and conditional writes without which they could
    /// not have seen what they saw.
    fn heirs(&self) -> Vec<(usize, Symbol)> {
        let mut heirs = Vec::new();
        for &member in self.members {
            let Some(value) = self.entry(member).saw() else { continue };
            if self.entry(member).action.wrote().is_some_and(|new| new != value) {
                heirs.push((member, value));
            }
            for writer in self.chain(value).into_iter().filter_map(|value| self.only_writer(value)) {
                if let Action::Cas { old, new, .. } = self.entry(writer).action
                    && old != new
                {
                    heirs.push((writer, old));
                }
            }
        }
        heirs
    }

    /// Whether the only write of this value may well have been carried out twice: it never got an answer, or
    /// it was not its first sending.
    fn was_unanswered(&self, value: Symbol) -> bool {
        self.only_writer(value).is_some_and(|writer| {
            let operation = self.object.operation(writer);
            let events = [Some(operation.invocation), operation.completion];
            let resent =
                events.into_iter().flatten().any(|event| event.extra().attempt.is_some_and(|n| n > 1));
            resent || operation.outcome() == Outcome::Info
        })
    }

    /// Who saw what the first wrote, before the second began.
    fn seen_between(&self, first: usize, second: usize) -> Option<usize> {
        let wrote = self.entry(first).action.wrote()?;
        (0..self.object.entries.len()).find(|&at| {
            let entry = self.entry(at);
            entry.saw() == Some(wrote) && entry.precedes(self.entry(second)) && at != first
        })
    }

    fn came_back(&self) -> Option<Shape> {
        let (seer, newer, old, new) = self.return_of_the_old()?;
        if let Some(deleted) = self.deleted_before(newer, old, new) {
            return Some(Shape::Stale { newer: deleted, seer: newer, later: seer });
        }
        if let Action::Cas { .. } = self.entry(seer).action {
            return Some(Shape::HeldOnOld { newer, seer });
        }
        if let Some(later) = self.seen_later(seer, newer, old) {
            return Some(Shape::Stale { newer, seer, later });
        }
        if new == ABSENT {
            return Some(Shape::Resurrected { newer, seer });
        }
        let seen_before = |&at: &usize| {
            self.entry(at).saw() == Some(old) && at != seer && self.entry(at).ret <= self.entry(newer).ret
        };
        let before = (0..self.object.entries.len()).find(seen_before).filter(|_| self.was_unanswered(old));
        Some(match before {
            Some(before) => Shape::Twice { before, newer, seer },
            None => Shape::Lost { newer, seer },
        })
    }

    /// An operation of the certificate that saw an old value, one before it that wrote or saw a newer one,
    /// and the two values.
    fn return_of_the_old(&self) -> Option<(usize, usize, Symbol, Symbol)> {
        let mut found = Vec::new();
        for &seer in self.members {
            let Some(old) = self.entry(seer).saw() else { continue };
            for &newer in self.members {
                let Some(new) = self.in_force_after(newer).filter(|&new| new != old) else { continue };
                if self.entry(newer).precedes(self.entry(seer)) {
                    let is_older = self.is_older(old, newer, new);
                    let order = (self.entry(seer).ret, is_older, self.entry(newer).ret);
                    found.push((order, (seer, newer, old, new)));
                }
            }
        }
        found.into_iter().max().map(|(_, parts)| parts)
    }

    /// Where an item was seen and then, rightly, was not there: the delete that ended before it was seen, if its
    /// only write had ended before that.
    fn deleted_before(&self, seen: usize, old: Symbol, new: Symbol) -> Option<usize> {
        let is_read = self.entry(seen).action.wrote().is_none();
        let writer = self.only_writer(new).filter(|_| old == ABSENT && is_read)?;
        self.writers(ABSENT).find(|&delete| {
            let entry = self.entry(delete);
            self.entry(writer).precedes(entry) && entry.precedes(self.entry(seen))
        })
    }

    /// The value that an operation certainly left in force.
    fn in_force_after(&self, at: usize) -> Option<Symbol> {
        self.entry(at).ret.and_then(|_| self.entry(at).action.wrote()).or(self.entry(at).saw())
    }

    /// Whether `old` came into being before `new`, which `evidence` wrote or saw.
    fn is_older(&self, old: Symbol, evidence: usize, new: Symbol) -> bool {
        let born = |value: Symbol| {
            if value == ABSENT { 0 } else { self.writers(value).next().map_or(END, |at| self.entry(at).call) }
        };
        if new != ABSENT {
            return born(old) < born(new);
        }
        let end = self.entry(evidence).ret.unwrap_or(END);
        self.writers(ABSENT).any(|at| (born(old)..end).contains(&self.entry(at).call))
    }

    /// Who saw, at or after the time of the seer, something as new as what was in force before it.
    fn seen_later(&self, seer: usize, newer: usize, old: Symbol) -> Option<usize> {
        let (start, new) = (self.entry(seer), self.entry(newer));
        let evident = |at: usize| {
            let entry = self.entry(at);
            let recent = entry.ret >= Some(new.call) && entry.precedes(start);
            self.in_force_after(at).filter(|&value| recent && value != old)
        };
        let candidates: HashSet<Symbol> = (0..self.object.entries.len()).filter_map(evident).collect();
        (0..self.object.entries.len()).find(|&at| {
            let entry = self.entry(at);
            let Some(value) = entry.saw() else { return false };
            let later = at != seer && entry.ret > Some(start.call);
            later && candidates.contains(&value) && !self.may_be_rewritten(value, start, entry)
        })
    }

    /// Whether the value may have been written again between two operations.
    fn may_be_rewritten(&self, value: Symbol, start: &Entry, end: &Entry) -> bool {
        self.only_writer(value).is_none()
            && self.writers(value).any(|at| {
                let writer = self.entry(at);
                writer.ret.is_none_or(|ret| ret > start.call) && writer.call < end.ret.unwrap_or(END)
            })
    }

    /// The operations outside the certificate that help to see it: the writers of the values that its
    /// members saw, failed writes of them, and the witnesses of the sentence.
    fn helpful(&self, shape: Shape) -> Vec<u64> {
        let mut helpful: Vec<usize> = shape.witnesses().into_iter().flatten().collect();
        for &member in self.members {
            let seen = self.entry(member).saw().filter(|&value| value != ABSENT);
            for value in seen.map(|value| self.chain(value)).into_iter().flatten().take(4) {
                // Of several writers, the last that was invoked before the member returned.
                let ret = self.entry(member).ret.unwrap_or(END);
                let writers: Vec<usize> = self.writers(value).filter(|_| value != ABSENT).collect();
                let in_time = writers.iter().rev().find(|&&at| self.entry(at).call < ret);
                helpful.extend(in_time.or(writers.first()));
            }
        }
        let mut context: Vec<u64> = helpful.iter().map(|&at| self.object.operation(at).index).collect();
        if let Shape::Aborted { failed, .. } = shape {
            context.push(self.object.ops[failed].index);
        }
        context.sort_unstable();
        context.dedup();
        context
    }
}
