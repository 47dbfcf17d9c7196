//! From a certificate to a name: which anomaly do these operations show?
//!
//! A certificate is a proof, and says nothing of causes. The name is the first that fits. Each is a statement
//! about the history that anyone can look up in it, and `tests/names.rs` states each of them a second time:
//!
//! 1. An answer contradicts itself: a refused condition met the very value it asked for
//!    (`condition-failed-though-it-held`), or an applied one replaced another
//!    (`condition-held-though-it-failed`).
//! 2. A write replaced its own value, which nobody else wrote: `double-apply`.
//! 3. A value was seen, or what can only have been written over it, that cannot have been there ([`origin`]):
//!    `aborted-read` if a write of it had been invoked by then and certainly failed; else `future-read` if it was
//!    written later; else `phantom-value`.
//! 4. A condition was refused without an image, and is needed for the proof:
//!    `condition-failed-though-it-held`.
//! 5. More operations replaced a value than there were times that it was there ([`rivals`]), be it that one of
//!    them is not in the certificate, but wrote on that condition what a member saw: `lost-update`; but
//!    `double-apply` if that value's own write never got an answer (or was sent again), and what first replaced
//!    it was seen in between.
//! 6. A value came back although it was over ([`returned`]). Then, in this order:
//!    - a conditional write was applied on it: `lost-update`;
//!    - something as new as the newer value was seen at that time or later: `stale-read`;
//!    - only one look saw the old value: `stale-read` too, since one old answer shows no loss;
//!    - the newer value was absence: `resurrected`;
//!    - the write of the old value never got an answer (or was sent again), and the value was seen before the
//!      newer one: `double-apply`;
//!    - else `lost-write`: the newer value is gone for good.
//! 7. Otherwise `nonlinearizable`.

mod origin;
mod returned;
mod rivals;

use std::collections::HashSet;

pub(super) use origin::{Origin, Unwritten};
pub(super) use returned::{Past, Return};
pub(super) use rivals::{Rivals, Spell};

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    /// A refused condition met what it asked for.
    RefusedItsOwn { refused: usize },
    /// An applied condition replaced something else than it asked for.
    AcceptedAnother { accepted: usize },
    /// A write met its own value.
    MetItself { writer: usize },
    /// A value that cannot have been there.
    Unwritten(Unwritten),
    /// A condition was refused, without an image, though it held.
    RefusedOpaquely { refused: usize },
    /// Operations replaced the same value.
    Rivals(Rivals),
    /// A condition held on a value that had been replaced.
    HeldOnOld { back: Return },
    /// An old value, though a newer one was in force; who saw that later, if anybody did.
    Stale { back: Return, later: Option<usize> },
    /// A deleted item came back; `again` saw it too, here and below.
    Resurrected { back: Return, again: Option<usize> },
    /// A write came back, whose value had been seen `before`.
    Twice { back: Return, before: usize, again: Option<usize> },
    /// A write is gone.
    Lost { back: Return, again: Option<usize> },
    /// None of these.
    Other,
}

impl Shape {
    /// The anomaly's name in the catalogue.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::RefusedItsOwn { .. } | Self::RefusedOpaquely { .. } => anomaly::CONDITION_REFUSED,
            Self::AcceptedAnother { .. } => anomaly::CONDITION_ACCEPTED,
            Self::Unwritten(Unwritten { origin, .. }) => match origin {
                Origin::Nobody => anomaly::PHANTOM_VALUE,
                Origin::Aborted { .. } => anomaly::ABORTED_READ,
                Origin::Future { .. } => anomaly::FUTURE_READ,
            },
            Self::Rivals(Rivals { between: None, .. }) | Self::HeldOnOld { .. } => anomaly::LOST_UPDATE,
            Self::MetItself { .. } | Self::Rivals(_) | Self::Twice { .. } => anomaly::DOUBLE_APPLY,
            Self::Stale { .. } => anomaly::STALE_READ,
            Self::Resurrected { .. } => anomaly::RESURRECTED,
            Self::Lost { .. } => anomaly::LOST_WRITE,
            Self::Other => anomaly::NONLINEARIZABLE,
        }
    }

    /// The operations that the sentence speaks of, as far as they need not be in the certificate.
    fn witnesses(&self) -> Vec<usize> {
        match self {
            Self::Stale { back, later } => [back.newer].into_iter().chain(*later).collect(),
            Self::Resurrected { again, .. } | Self::Lost { again, .. } => again.iter().copied().collect(),
            Self::Twice { before, again, .. } => [*before].into_iter().chain(*again).collect(),
            Self::Rivals(Rivals { heirs, spells, between, .. }) => {
                let spells = spells.iter().flatten();
                heirs.iter().chain(spells).chain(between).copied().collect()
            }
            _ => Vec::new(),
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
    let mut context = case.helpful(&shape);
    context.retain(|index| !ops.contains(index));
    let mut explanation = Narrator { object }.explain(&shape, &certificate.entries);
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
            .or_else(|| self.unwritten().map(Shape::Unwritten))
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

    /// The only operation that brings a value; none where there are several, or the value is absence. Who wrote it
    /// on the condition that it was there brought nothing.
    fn only_writer(&self, value: Symbol) -> Option<usize> {
        let brings = |&at: &usize| !matches!(self.entry(at).action, Action::Cas { old, .. } if old == value);
        let mut writers = self.writers(value).filter(brings);
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

    /// What a write was certainly written over: what it asked for, or what it says, if the certificate has it.
    fn below(&self, writer: usize) -> Option<Symbol> {
        match self.entry(writer).action {
            Action::Cas { old, .. } => Some(old),
            Action::Write { replaced, .. } if self.members.contains(&writer) => replaced,
            _ => None,
        }
    }

    fn refused_opaquely(&self) -> Option<Shape> {
        let opaque = |&&at: &&usize| matches!(self.entry(at).action, Action::Refused { met: None, .. });
        self.members.iter().find(opaque).map(|&refused| Shape::RefusedOpaquely { refused })
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

    /// The value that an operation certainly left in force.
    fn in_force_after(&self, at: usize) -> Option<Symbol> {
        self.entry(at).ret.and_then(|_| self.entry(at).action.wrote()).or(self.entry(at).saw())
    }

    /// The operations outside the certificate that help to see it: the writers of the values that its
    /// members saw, failed writes of them, and the witnesses of the sentence.
    fn helpful(&self, shape: &Shape) -> Vec<u64> {
        let mut helpful = shape.witnesses();
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
        if let Shape::Unwritten(Unwritten { origin: Origin::Aborted { failed }, .. }) = shape {
            context.push(self.object.ops[*failed].index);
        }
        context.sort_unstable();
        context.dedup();
        context
    }
}
