//! What is left of a key in the end, and what may excuse that a write is no part of it. The rules are those of
//! [`super::replicas`].

use serde_json::Value;

use super::causes::{self, Causes};
use super::ending::End;
use super::holding::written;
use super::order::{Act, Book, Dot, Place, Rules};
use super::outdone::{Newest, Outdone};
use crate::history::Outcome;

/// What is left of a key in the end.
pub(super) enum Remains<'h> {
    /// These versions, all that they and the deletes can have replaced, and the greatest timestamp that may have won.
    Versions { versions: Vec<Dot>, replaced: Causes, newest: Option<Newest<'h>> },
    /// An item with this version number at most. Nobody can have deleted it.
    Number(i64),
    /// What was there at this position of the history at the latest. Writes of the item are ordered, so that
    /// who began later has replaced it.
    Before(u32),
    /// No item. Nobody can have deleted it.
    Absent { emptied: bool },
}

impl<'h> Remains<'h> {
    /// What the answers of the end tell of it; none where they do not tell enough.
    pub(super) fn new(book: &Book<'h>, places: &[Place], end: &End, rules: Rules) -> Option<Self> {
        let lww = rules.lww;
        if let Some(versions) = versions_of(book, &end.answers) {
            let mut replaced = causes::of_deletes(book, places);
            for &answer in &end.answers {
                for &dot in book.dots(answer)? {
                    let known = book.writer(dot).map(|writer| causes::at_most(book, writer));
                    replaced.join(known.unwrap_or_else(|| book.clock(answer)));
                }
            }
            let mut newest = None;
            if lww {
                let sent = sent(book, places);
                newest = newest_of(book, places, &end.answers).max(match &sent {
                    Causes::Covered(clock) if clock.is_empty() => None,
                    Causes::Covered(clock) => Outdone::new(book, places).newest(clock),
                    Causes::Anything => Some(Newest::Unknown),
                });
                replaced.join(sent.clock());
            }
            return Some(Self::Versions { versions, replaced, newest });
        }
        if rules.ordered_writes
            && !lww
            && let Some(latest) = shown_last(book, places, end)
        {
            return Some(Self::Before(latest));
        }
        let may_be = |place: Place| book.entry_at(place).outcome != Outcome::Fail;
        if places.iter().any(|&place| book.entry_at(place).act == Act::Delete && may_be(place)) {
            return None;
        }
        let numbers = end.answers.iter().map(|&place| book.entry_at(place).number);
        if let Some(numbers) = numbers.collect::<Option<Vec<i64>>>() {
            return numbers.into_iter().max().map(Self::Number);
        }
        let is_absent = |&place: &Place| book.operation(place).result().is_none_or(Value::is_null);
        let emptied = places.iter().any(|&place| book.operation(place).f() == "remove" && may_be(place));
        end.answers.iter().all(is_absent).then_some(Self::Absent { emptied })
    }

    /// Whether an acknowledged write is no part of it, and nothing can have replaced it.
    pub(super) fn lack(&self, book: &Book<'h>, place: Place) -> bool {
        let entry = book.entry_at(place);
        match self {
            Self::Versions { versions, replaced, newest } => book.own_dot(place).is_some_and(|dot| {
                let is_there = versions.binary_search(&dot).is_ok();
                let lost_out = newest.is_some_and(|newest| newest.may_beat(entry.stamp));
                !is_there && !replaced.may_have(dot) && !lost_out
            }),
            Self::Number(last) => entry.number.is_some_and(|number| number > *last),
            Self::Before(latest) => entry.call > *latest,
            // A set that has been emptied may be no item at all.
            Self::Absent { emptied } => match book.operation(place).f() {
                "write" | "cas" => true,
                "add" => !emptied,
                _ => false,
            },
        }
    }
}

/// The position at which the last of the writes had ended that an answer of the end shows: of a value its only
/// writer, of an absent item any delete. None where the answers say more of versions, where that cannot be told,
/// or where there was no such write.
fn shown_last(book: &Book<'_>, places: &[Place], end: &End) -> Option<u32> {
    let ended = |place: Place, value: &Value| {
        let is_it = written(book.operation(place)) == Some(value);
        (is_it && book.entry_at(place).outcome != Outcome::Fail).then(|| book.entry_at(place).end)
    };
    let mut latest = 0;
    for &answer in &end.answers {
        let entry = book.entry_at(answer);
        let value = book.operation(answer).result().unwrap_or(&Value::Null);
        let mut writers = places.iter().filter_map(|&place| ended(place, value));
        let (first, others) = (writers.next()?, writers.max());
        if entry.number.is_some() || book.dots(answer).is_some() || (others.is_some() && !value.is_null()) {
            return None;
        }
        latest = latest.max(first).max(others.unwrap_or_default());
    }
    Some(latest)
}

/// The dots of all answers, sorted, if all of them have dots.
pub(super) fn versions_of(book: &Book<'_>, answers: &[Place]) -> Option<Vec<Dot>> {
    let mut versions = Vec::new();
    for &answer in answers {
        versions.extend_from_slice(book.dots(answer)?);
    }
    versions.sort_unstable();
    versions.dedup();
    Some(versions)
}

/// The greatest timestamp of the answers and the deletes; none where there are none of either.
fn newest_of<'h>(book: &Book<'h>, places: &[Place], answers: &[Place]) -> Option<Newest<'h>> {
    let held = answers.iter().filter(|&&answer| book.dots(answer).is_some_and(|dots| !dots.is_empty()));
    let deletes = places.iter().filter(|&&place| {
        let entry = book.entry_at(place);
        entry.act == Act::Delete && entry.outcome != Outcome::Fail
    });
    held.chain(deletes).map(|&place| Newest::of(book.entry_at(place).stamp)).max()
}

/// What the contexts covered that writes were sent with. Where the greatest timestamp wins, such a write may have
/// replaced one with a greater timestamp than its own, and then have lost to a third.
fn sent(book: &Book<'_>, places: &[Place]) -> Causes {
    let mut sent = Causes::nothing();
    for &place in places.iter().filter(|&&place| causes::is_sent_with_context(book, place)) {
        sent.join(book.sent(place));
    }
    sent
}
