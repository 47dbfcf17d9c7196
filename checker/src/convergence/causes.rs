//! What a write replaced: the versions that are rightly gone because of it.
//!
//! A store with dotted version vectors drops a version when a write covers its dot with the context that the
//! write was sent with, or, where it was sent without one, when it was among what the write's coordinator held.
//! The clock of the write's answer covers all of that, but it may cover more: siblings at the coordinator that
//! the context did not cover are still there after the write. Hence two bounds, so that every check can err to
//! the side where it raises no false alarm:
//!
//! | | [`at_most`] | [`at_least`] |
//! |---|---|---|
//! | sent with a context (`context` of the invocation, or `sent` of the completion) | the context | the context |
//! | a `write` or `cas` without one, answered, leaving one version (no `siblings` in the answer) | the answer's clock | the answer's clock |
//! | any other that was answered | the answer's clock | nothing |
//! | any other that was not | anything ([`Causes::Anything`]) | nothing |
//!
//! (An `add` or `remove` may read the cart itself before it writes, with a context that the history need not
//! have.) Covering is transitive: a context is the clock of a whole state, and covers whatever was replaced
//! before by what it covers. So the join of the bounds of all versions of a state tells what that state's whole
//! past replaced.

use super::groups::Groups;
use super::order::{Act, Book, Dot, Place, add, covers};
use crate::history::Outcome;

/// What one or several writes replaced, their own versions included.
#[derive(Debug, Clone)]
pub(super) enum Causes {
    /// What this clock covers.
    Covered(Vec<Dot>),
    /// It cannot be told: it may be anything.
    Anything,
}

impl Causes {
    pub(super) fn nothing() -> Self {
        Self::Covered(Vec::new())
    }

    /// What is covered; none where it may be anything.
    pub(super) fn clock(&self) -> Option<&[Dot]> {
        match self {
            Self::Covered(clock) => Some(clock),
            Self::Anything => None,
        }
    }

    pub(super) fn may_have(&self, dot: Dot) -> bool {
        match self {
            Self::Covered(clock) => covers(clock, dot),
            Self::Anything => true,
        }
    }

    pub(super) fn join(&mut self, clock: Option<&[Dot]>) {
        match (&mut *self, clock) {
            (Self::Covered(own), Some(clock)) => join(own, clock),
            (_, None) => *self = Self::Anything,
            (Self::Anything, _) => {}
        }
    }
}

/// Makes a clock cover all that another one covers. Keeps it sorted.
pub(super) fn join(clock: &mut Vec<Dot>, other: &[Dot]) {
    other.iter().for_each(|&dot| add(clock, dot));
}

/// Whether a write that may have taken effect was sent with a context.
pub(super) fn is_sent_with_context(book: &Book<'_>, place: Place) -> bool {
    let (entry, operation) = (book.entry_at(place), book.operation(place));
    let found_out = || operation.completion.is_some_and(|event| event.extra().sent.is_some());
    let with_context = operation.invocation.extra().context.is_some() || found_out();
    with_context && entry.act.writes() && entry.outcome != Outcome::Fail
}

/// The dots that a write can have replaced; none where that may be anything.
pub(super) fn at_most<'b>(book: &'b Book<'_>, place: Place) -> Option<&'b [Dot]> {
    book.sent(place).or_else(|| book.clock(place))
}

/// The dots that a write has replaced for certain, if it took effect.
pub(super) fn at_least<'b>(book: &'b Book<'_>, place: Place) -> Option<&'b [Dot]> {
    if let Some(sent) = book.sent(place) {
        return Some(sent);
    }
    let operation = book.operation(place);
    let is_blind = matches!(operation.f(), "write" | "cas") && operation.invocation.extra().context.is_none();
    let siblings = operation.completion.and_then(|event| event.extra().siblings);
    if is_blind && siblings.is_none_or(|siblings| siblings <= 1) { book.clock(place) } else { None }
}

/// Whether a write replaced this version for certain, if it took effect.
pub(super) fn replaced(book: &Book<'_>, place: Place, dot: Dot) -> bool {
    book.own_dot(place) != Some(dot) && at_least(book, place).is_some_and(|clock| covers(clock, dot))
}

/// What the deletes among these operations can have replaced. Their tombstones may have been collected since,
/// so that nothing else tells of it.
pub(super) fn of_deletes(book: &Book<'_>, places: &[Place]) -> Causes {
    let mut causes = Causes::nothing();
    for &place in places {
        let entry = book.entry_at(place);
        if entry.act == Act::Delete && entry.outcome != Outcome::Fail {
            causes.join(at_most(book, place));
        }
    }
    causes
}

/// What a state with these versions can have replaced in all its past, deletes excepted ([`of_deletes`]).
pub(super) fn of_versions(book: &Book<'_>, versions: &[Dot]) -> Causes {
    let mut causes = Causes::nothing();
    for &dot in versions {
        causes.join(book.writer(dot).and_then(|writer| at_most(book, writer)));
    }
    causes
}

/// The operations of each key, in order of invocation.
pub(super) fn by_key(book: &Book<'_>) -> Groups<Place> {
    let pairs: Vec<(u32, Place)> = book.entries.iter().map(|entry| entry.key).zip(0..).collect();
    Groups::new(book.keys.len(), &pairs)
}
