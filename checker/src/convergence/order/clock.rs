//! Dots, clocks and timestamps: what stores name their versions by.
//!
//! A clock is a slice of dots sorted by actor, one for each: it covers every dot of an actor up to the counter.

use crate::history::Timestamp;

/// One event of an actor: the name of a version. In a clock: all of the actor's, up to the counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Dot {
    /// The number of the actor; [`Book::actor`](super::Book::actor) has its name. No two keys share a number.
    pub(crate) actor: u32,
    /// Counts from 1.
    pub(crate) counter: u64,
}

/// The counter of an actor in a clock; 0 where the clock does not know it.
pub(crate) fn counter(clock: &[Dot], actor: u32) -> u64 {
    clock.iter().find(|dot| dot.actor == actor).map_or(0, |dot| dot.counter)
}

/// Whether a clock covers a dot.
pub(crate) fn covers(clock: &[Dot], dot: Dot) -> bool {
    counter(clock, dot.actor) >= dot.counter
}

/// Whether a clock covers all of another. Both sorted by actor; linear.
pub(crate) fn includes(clock: &[Dot], other: &[Dot]) -> bool {
    let mut rest = clock.iter();
    other.iter().all(|dot| {
        rest.by_ref()
            .find(|own| own.actor >= dot.actor)
            .is_some_and(|own| own.actor == dot.actor && own.counter >= dot.counter)
    })
}

/// Whether two clocks know an actor in common.
pub(crate) fn meet(clock: &[Dot], other: &[Dot]) -> bool {
    let (mut a, mut b) = (clock.iter().peekable(), other.iter().peekable());
    while let (Some(one), Some(two)) = (a.peek(), b.peek()) {
        match one.actor.cmp(&two.actor) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => a.next(),
            std::cmp::Ordering::Greater => b.next(),
        };
    }
    false
}

/// Makes a clock cover one dot more. Keeps it sorted.
pub(crate) fn add(clock: &mut Vec<Dot>, dot: Dot) {
    match clock.binary_search_by_key(&dot.actor, |own| own.actor) {
        Ok(at) => clock[at].counter = clock[at].counter.max(dot.counter),
        Err(at) => clock.insert(at, dot),
    }
}

/// A store's own timestamp: nanoseconds, and the node to break ties. Compared in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Stamp<'h> {
    /// Nanoseconds of whatever clock the store uses.
    pub(crate) ns: i64,
    /// Who made it.
    pub(crate) node: &'h str,
}

impl<'h> Stamp<'h> {
    /// Reads what an answer carries.
    pub(crate) fn read(timestamp: &'h Timestamp) -> Option<Self> {
        timestamp.parts().map(|(ns, node)| Self { ns, node })
    }
}
