//! What an answer shows that somebody holds, and whether two of them agree. The rules are those of
//! [`super::replicas`].

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use super::ending::End;
use super::order::{Act, Book, Dot, Place};
use crate::history::hash::Fast;
use crate::history::{Operation, Outcome};

/// Elements of a list that are named. A longer one is counted.
const NAMED: usize = 8;

/// Whether this is an answer that shows what somebody holds.
pub(super) fn shows(book: &Book<'_>, place: Place) -> bool {
    let is_read = book.entry_at(place).act == Act::Read || book.operation(place).f() == "replica-read";
    is_read && book.entry_at(place).is_ok()
}

/// What an answer shows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Holding<'b> {
    pub(super) value: &'b Value,
    pub(super) dots: Option<&'b [Dot]>,
    number: Option<i64>,
}

/// Whether the answers of the end agree.
#[derive(Debug)]
pub(super) enum Agreement {
    /// They do, with this one, which holds something if any of them does.
    Same(Place),
    /// These two do not.
    Differ(Place, Place),
    /// They may have been right, each in its time.
    Undecided,
}

impl<'b> Holding<'b> {
    pub(super) fn of(book: &'b Book<'_>, place: Place) -> Self {
        Self {
            value: book.operation(place).result().unwrap_or(&Value::Null),
            dots: book.dots(place),
            number: book.entry_at(place).number,
        }
    }

    /// Whether there is not even a tombstone.
    fn is_empty(&self) -> bool {
        self.value.is_null() && self.number.is_none() && self.dots.is_none_or(<[Dot]>::is_empty)
    }

    pub(super) fn agrees_with(&self, other: &Self) -> bool {
        if !is_same(self.value, other.value) {
            return false;
        }
        let forgotten = self.value.is_null() && (self.is_empty() || other.is_empty());
        let same_dots = match (self.dots, other.dots) {
            (Some(own), Some(others)) => own == others,
            _ => true,
        };
        let same_number = match (self.number, other.number) {
            (Some(own), Some(others)) => own == others,
            _ => true,
        };
        forgotten || (same_dots && same_number)
    }

    pub(super) fn describe(&self, book: &Book<'_>) -> String {
        let dots = self.dots.unwrap_or_default().iter().map(|&dot| book.show(dot)).collect::<Vec<_>>();
        let value = match self.value {
            Value::Array(elements) if elements.len() > NAMED => format!("{} elements", elements.len()),
            value => value.to_string(),
        };
        match (self.value, dots.as_slice()) {
            (Value::Null, []) => "nothing".to_owned(),
            (Value::Null, dots) => format!("a tombstone ({})", dots.join(", ")),
            (_, []) => value,
            (_, dots) => format!("{value} ({})", dots.join(", ")),
        }
    }

    /// Which elements of another list this one lacks, in words; none where it lacks none, or one is no list.
    pub(super) fn lacks(&self, other: &Self) -> Option<String> {
        let (own, others) = (self.value.as_array()?, other.value.as_array()?);
        let own: HashSet<&Value, Fast> = own.iter().collect();
        let lacking: Vec<&Value> = others.iter().filter(|element| !own.contains(element)).collect();
        let named: Vec<String> = lacking.iter().take(NAMED).map(ToString::to_string).collect();
        let more = match lacking.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        (!lacking.is_empty()).then(|| format!("{}{more}", named.join(", ")))
    }
}

/// Whether two values are equal; lists in any order.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Array(one), Value::Array(other)) if one != other => {
            let sorted = |values: &[Value]| {
                let mut texts: Vec<String> = values.iter().map(Value::to_string).collect();
                texts.sort_unstable();
                texts
            };
            one.len() == other.len() && sorted(one) == sorted(other)
        }
        _ => one == other,
    }
}

/// Whether the answers of the end agree. Linear in them where they do; where they do not and writes are open,
/// also in the operations of the key.
pub(super) fn agreement(book: &Book<'_>, places: &[Place], end: &End, lww: bool) -> Agreement {
    let whole = match differing(book, &end.answers) {
        Ok(same) => return Agreement::Same(same),
        Err((one, other)) => Agreement::Differ(one, other),
    };
    let unsure = Unsure::new(book, places, end, lww);
    if unsure.open.is_empty() {
        return whole;
    }
    if let Some((one, other)) = unsure.torn() {
        return Agreement::Differ(one, other);
    }
    let proven = if unsure.are_bare_lists() {
        unsure.differing_lists()
    } else {
        let settled: Vec<Place> =
            end.answers.iter().copied().filter(|&place| unsure.is_settled(place)).collect();
        differing(book, &settled).err()
    };
    proven.map_or(Agreement::Undecided, |(one, other)| Agreement::Differ(one, other))
}

/// One that all agree with, or two that do not agree. (Of none, any will do.) An answer that does not say its versions
/// agrees with others that differ, so it is one that does say them that all are held against, if there is any: an
/// answer has dots, or a number, or neither.
fn differing(book: &Book<'_>, answers: &[Place]) -> Result<Place, (Place, Place)> {
    let holding = |place: Place| Holding::of(book, place);
    let holds = |place: Place| !holding(place).is_empty();
    let first = |is: &dyn Fn(Place) -> bool| answers.iter().copied().find(|&place| is(place));
    let with_dots = first(&|place| holds(place) && holding(place).dots.is_some());
    let with_number = first(&|place| holds(place) && holding(place).number.is_some());
    let all = [with_dots, with_number].into_iter().flatten();
    let Some(reference) = all.clone().next().or(first(&holds)).or(first(&|_| true)) else { return Ok(0) };
    for one in std::iter::once(reference).chain(all.skip(1)) {
        if let Some(other) = first(&|other| !holding(other).agrees_with(&holding(one))) {
            return Err((one, other));
        }
    }
    Ok(reference)
}

/// What is not sure in the end because of writes that may have taken effect during it.
struct Unsure<'b, 'h> {
    book: &'b Book<'h>,
    end: &'b End,
    open: Vec<Place>,
    seen: Seen<'b>,
    /// Nothing is ever removed from the lists of the key, and no list wins over another one.
    only_grow: bool,
    /// The values and elements that more than one write may have brought.
    repeated: HashSet<&'b Value, Fast>,
}

/// What answers that came before the end showed.
#[derive(Default)]
struct Seen<'b> {
    dots: HashSet<Dot, Fast>,
    values: HashSet<&'b Value, Fast>,
    elements: HashSet<&'b Value, Fast>,
}

impl<'b> Seen<'b> {
    fn new(book: &'b Book<'_>, places: &[Place], end: &End) -> Self {
        let mut seen = Self::default();
        for &place in places {
            if shows(book, place) && book.entry_at(place).end < end.since {
                let holding = Holding::of(book, place);
                seen.dots.extend(holding.dots.unwrap_or_default());
                seen.values.insert(holding.value);
                seen.elements.extend(elements(holding.value));
            }
        }
        seen
    }
}

impl<'b, 'h> Unsure<'b, 'h> {
    fn new(book: &'b Book<'h>, places: &[Place], end: &'b End, lww: bool) -> Self {
        let is_open = |&place: &Place| {
            let entry = book.entry_at(place);
            entry.act.writes() && entry.outcome != Outcome::Fail && entry.end > end.since
        };
        let open: Vec<Place> = places.iter().copied().filter(is_open).collect();
        let seen = if open.is_empty() { Seen::default() } else { Seen::new(book, places, end) };
        let removes = |&place: &Place| book.operation(place).f() == "remove";
        let only_grow = !lww && !places.iter().any(removes);
        let repeated = if open.is_empty() { HashSet::default() } else { written_twice(book, places) };
        Self { book, end, open, seen, only_grow, repeated }
    }

    fn holding(&self, place: Place) -> Holding<'b> {
        Holding::of(self.book, place)
    }

    /// Two answers with the same versions and different values.
    fn torn(&self) -> Option<(Place, Place)> {
        let mut known: BTreeMap<&[Dot], (Place, &Value)> = BTreeMap::new();
        for &place in &self.end.answers {
            let Holding { value, dots: Some(dots), .. } = self.holding(place) else { continue };
            let &mut (other, held) = known.entry(dots).or_insert((place, value));
            if !is_same(held, value) {
                return Some((other, place));
            }
        }
        None
    }

    fn are_bare_lists(&self) -> bool {
        self.end.answers.iter().all(|&place| {
            let holding = self.holding(place);
            holding.dots.is_none()
                && holding.number.is_none()
                && matches!(holding.value, Value::Array(_) | Value::Null)
        }) && self.end.answers.iter().any(|&place| self.holding(place).value.is_array())
    }

    /// Two lists that differ in an element of which it is sure that it was there before the end, or never will
    /// be: nothing that is open adds it, or somebody had seen it before. That is so where lists only grow.
    /// Elsewhere an open `add` may write a list back that lacks others, or has what was removed: then all of
    /// them must have taken effect.
    fn differing_lists(&self) -> Option<(Place, Place)> {
        let is_sure = self.is_sure_element()?;
        let sure = |place: Place| -> HashSet<&Value, Fast> {
            elements(self.holding(place).value).iter().filter(|element| is_sure(element)).collect()
        };
        let (&first, others) = self.end.answers.split_first()?;
        let reference = sure(first);
        others.iter().find(|&&other| sure(other) != reference).map(|&other| (first, other))
    }

    /// Of which elements of lists it is sure that no open operation brought them; none where these may have changed
    /// lists in other ways.
    fn is_sure_element(&self) -> Option<impl Fn(&Value) -> bool> {
        let open = || self.open.iter().map(|&place| self.book.operation(place));
        let has_come = |element: &Value| {
            self.seen.elements.contains(element) && (self.only_grow || !self.repeated.contains(element))
        };
        let only_adds = open().all(|operation| operation.f() == "add");
        if !only_adds || !self.only_grow && !open().all(|operation| has_come(operation.argument())) {
            return None;
        }
        let added: HashSet<&Value, Fast> = open().map(Operation::argument).collect();
        Some(move |element: &Value| !added.contains(element) || has_come(element))
    }

    fn is_settled(&self, place: Place) -> bool {
        let holding = self.holding(place);
        let deletes = || self.open.iter().any(|&place| self.book.entry_at(place).act == Act::Delete);
        let removes = || self.open.iter().any(|&place| self.book.operation(place).f() == "remove");
        match holding.dots {
            Some([]) => !deletes() && !removes(),
            Some(dots) => dots.iter().all(|&dot| self.is_settled_dot(dot)),
            None if holding.number.is_some() => false,
            None if holding.value.is_null() => !deletes() && !removes(),
            None if holding.value.is_array() => {
                self.is_sure_element().is_some_and(|is_sure| elements(holding.value).iter().all(is_sure))
            }
            None => {
                let writes = |&place: &Place| written(self.book.operation(place)) == Some(holding.value);
                let has_come =
                    || self.seen.values.contains(holding.value) && !self.repeated.contains(holding.value);
                !self.open.iter().any(writes) || has_come()
            }
        }
    }

    fn is_settled_dot(&self, dot: Dot) -> bool {
        let ended = |writer| self.book.entry_at(writer).end < self.end.since;
        self.book.writer(dot).is_some_and(ended) || self.seen.dots.contains(&dot)
    }
}

fn elements(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The value that an operation writes into a register.
pub(super) fn written<'h>(operation: &Operation<'h>) -> Option<&'h Value> {
    match operation.f() {
        "write" => Some(operation.argument()),
        "cas" => operation.argument().get(1),
        _ => None,
    }
}

/// The values, and elements of lists, that more than one write of these, failed ones aside, may have left: they tell
/// nothing of who wrote them.
pub(super) fn written_twice<'h>(book: &Book<'h>, places: &[Place]) -> HashSet<&'h Value, Fast> {
    let mut once: HashSet<&Value, Fast> = HashSet::default();
    let may_be = places.iter().filter(|&&place| book.entry_at(place).outcome != Outcome::Fail);
    let brought = |operation: &Operation<'h>| match operation.f() {
        "add" => Some(operation.argument()),
        _ => written(operation),
    };
    may_be.filter_map(|&place| brought(book.operation(place))).filter(|&value| !once.insert(value)).collect()
}
