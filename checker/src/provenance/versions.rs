//! Does the version beside a value belong to a write of it?
//!
//! An answer shows marks of versions: dots (`n1/3:5|n2/1:2`, one for each sibling), a version number, or, where it has
//! neither, the store's timestamp. An acknowledged write that carries a single mark made the version of that name; of
//! every other write the version is not known. So a value is right beside marks if, of the writes that may have
//! brought it,
//!
//! - one made a version that is among them, or
//! - the version of one is not known, and one of the marks is not that of any acknowledged write.
//!
//! Absence is wrong only if every mark beside it is that of an acknowledged write of a value: a tombstone's version is
//! right, and so is one of which nothing is known.
//!
//! *Once it is seen.* A version has one value and a write one version. So where a mark of no acknowledged write stands
//! alone beside a value, the first answer that shows it says which: another value beside it alone is wrong, and so is
//! the same value, if only one write brings it, without the mark.
//!
//! *What is sound.* Names of dots are never used twice. Version numbers may begin anew once an item was deleted: then a
//! number says nothing of another write's. Two writes may have one timestamp: it says nothing of another write's either.
//! What a server calls a version and is none of these says nothing.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::says::written;
use super::sources::{NEVER, position};
use crate::history::hash::Fast;
use crate::history::{Event, Extra, Operation, Outcome};

/// The name of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Mark<'h> {
    Dot(&'h str),
    Number(i64),
    Stamp(i64, &'h str),
}

/// So many sorts of marks there are.
const SORTS: usize = 3;

impl Mark<'_> {
    fn sort(self) -> usize {
        match self {
            Self::Dot(_) => 0,
            Self::Number(_) => 1,
            Self::Stamp(..) => 2,
        }
    }
}

/// A value that a register's answer shows, with marks beside it that remain to be judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beside<'h> {
    /// The place of the operation.
    pub(super) place: u32,
    /// The register.
    pub(super) object: u32,
    /// What it shows.
    pub(super) value: &'h Value,
}

/// A value that stands beside the wrong version.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wrong<'h> {
    pub(super) claim: Beside<'h>,
    /// Where another answer shows it: that one.
    pub(super) against: Option<u32>,
}

/// The marks that an answer shows; none where it says nothing of versions. An empty list says that there are none.
fn marks(extra: &Extra) -> Option<Vec<Mark<'_>>> {
    match &extra.version {
        Some(Value::String(text)) => {
            let is_dot = |dot: &str| dot.rsplit_once(':').is_some_and(|(_, n)| n.parse::<u64>().is_ok());
            let dots = text.split('|').filter(|_| !text.is_empty());
            dots.map(|dot| is_dot(dot).then_some(Mark::Dot(dot))).collect()
        }
        Some(version) => version.as_i64().map(|number| vec![Mark::Number(number)]),
        None => extra.timestamp.as_ref()?.parts().map(|(ns, node)| vec![Mark::Stamp(ns, node)]),
    }
}

/// The version that an acknowledged write is known to have made.
fn made<'h>(operation: &Operation<'h>) -> Option<Mark<'h>> {
    let answer = operation.completion.filter(|_| operation.outcome() == Outcome::Ok)?;
    match marks(answer.extra())?.as_slice() {
        &[mark] => Some(mark),
        _ => None,
    }
}

/// Whether this says nothing of versions, or the very same as the write's answer: then there is nothing to judge.
pub(super) fn agrees(event: &Event, write: Option<&Extra>) -> bool {
    let extra = event.extra();
    match (&extra.version, &extra.timestamp) {
        (None, None) => true,
        (Some(version), _) => write.is_some_and(|write| write.version.as_ref() == Some(version)),
        (None, Some(stamp)) => {
            write.is_some_and(|write| write.version.is_none() && write.timestamp.as_ref() == Some(stamp))
        }
    }
}

/// Who made a version, as far as the history says.
#[derive(Debug, Clone, Copy, Default)]
struct Owner {
    value: bool,
    delete: bool,
}

/// What is known of the writes of one value of one register.
#[derive(Debug, Clone, Copy)]
struct Writers {
    /// Of each sort of marks, the first call of those whose version is not known.
    nameless: [u32; SORTS],
    /// How many there are that did not certainly fail.
    count: u32,
}

/// What the writes of a history say of the versions beside some values.
#[derive(Default)]
struct Known<'h> {
    owners: HashMap<(u32, Mark<'h>), Owner, Fast>,
    /// The first call of the writes that made a version with this value.
    named: HashMap<(u32, &'h Value, Mark<'h>), u32, Fast>,
    writers: HashMap<(u32, &'h Value), Writers, Fast>,
    /// The registers that may have been deleted.
    deleted: HashSet<u32, Fast>,
}

/// Judges claims. Linear in these and in the operations, but for sorting the claims. `objects` are the registers of the
/// operations.
pub(super) fn judge<'h>(
    operations: &[Operation<'h>],
    objects: &[u32],
    claims: &[Beside<'h>],
) -> Vec<Wrong<'h>> {
    if claims.is_empty() {
        return Vec::new();
    }
    let answer = |claim: &Beside<'h>| operations[claim.place as usize].completion;
    let shown = |claim: &Beside<'h>| answer(claim).and_then(|event| marks(event.extra()));
    let known = Known::new(operations, objects, claims, shown);
    let mut claims = claims.to_vec();
    let end = |claim: &Beside<'h>| operations[claim.place as usize].ret.map_or(NEVER, position);
    claims.sort_by_key(end);
    let mut seen = Seen::default();
    let judged = claims.into_iter().filter_map(|claim| {
        let marks = shown(&claim)?;
        if !known.fits(&claim, &marks, end(&claim)) {
            return Some(Wrong { claim, against: None });
        }
        seen.contradicts(&known, &claim, &marks).map(|against| Wrong { claim, against: Some(against) })
    });
    judged.collect()
}

impl<'h> Known<'h> {
    fn new(
        operations: &[Operation<'h>],
        objects: &[u32],
        claims: &[Beside<'h>],
        shown: impl Fn(&Beside<'h>) -> Option<Vec<Mark<'h>>>,
    ) -> Self {
        let mut known = Self::default();
        for claim in claims {
            let nobody = Writers { nameless: [NEVER; SORTS], count: 0 };
            known.writers.insert((claim.object, claim.value), nobody);
            let marks = shown(claim).into_iter().flatten();
            known.owners.extend(marks.map(|mark| ((claim.object, mark), Owner::default())));
        }
        for (operation, &object) in operations.iter().zip(objects) {
            if operation.outcome() != Outcome::Fail
                && let Some(value) = written(operation)
            {
                known.write(object, value, operation);
            }
        }
        known
    }

    fn write(&mut self, object: u32, value: &'h Value, operation: &Operation<'h>) {
        let own = made(operation);
        if value.is_null() {
            self.deleted.insert(object);
        }
        if let Some(owner) = own.and_then(|own| self.owners.get_mut(&(object, own))) {
            owner.delete |= value.is_null();
            owner.value |= !value.is_null();
        }
        let Some(writers) = self.writers.get_mut(&(object, value)) else { return };
        let call = position(operation.call);
        writers.count += 1;
        for (sort, first) in writers.nameless.iter_mut().enumerate() {
            if own.map(Mark::sort) != Some(sort) {
                *first = call.min(*first);
            }
        }
        if let Some(own) = own {
            let first = self.named.entry((object, value, own)).or_insert(call);
            *first = call.min(*first);
        }
    }

    fn owner(&self, object: u32, mark: Mark<'h>) -> Owner {
        self.owners.get(&(object, mark)).copied().unwrap_or_default()
    }

    /// Whether a mark names one version of this register and no other.
    fn is_unique(&self, object: u32, mark: Mark<'_>) -> bool {
        match mark {
            Mark::Dot(_) => true,
            Mark::Number(_) => !self.deleted.contains(&object),
            Mark::Stamp(..) => false,
        }
    }

    /// Whether an acknowledged write is known to have made this version.
    fn is_owned(&self, object: u32, mark: Mark<'h>) -> bool {
        let owner = self.owner(object, mark);
        self.is_unique(object, mark) && (owner.value || owner.delete)
    }

    /// Whether a value, or absence, can stand beside these marks.
    fn fits(&self, claim: &Beside<'h>, marks: &[Mark<'h>], end: u32) -> bool {
        let &Beside { object, value, .. } = claim;
        if value.is_null() {
            let is_values = |&mark: &Mark<'h>| {
                let owner = self.owner(object, mark);
                self.is_unique(object, mark) && owner.value && !owner.delete
            };
            return marks.is_empty() || !marks.iter().all(is_values);
        }
        let nameless = |sort: usize| {
            let writers = self.writers.get(&(object, value));
            writers.is_some_and(|writers| writers.nameless[sort] < end)
        };
        marks.iter().any(|&mark| {
            self.named.get(&(object, value, mark)).is_some_and(|&call| call < end)
                || (nameless(mark.sort()) && !self.is_owned(object, mark))
        })
    }
}

/// What the answers so far said of versions that no acknowledged write made.
#[derive(Default)]
struct Seen<'h> {
    /// The value beside a mark that stood alone, and where.
    values: HashMap<(u32, Mark<'h>), (&'h Value, u32), Fast>,
    /// The mark that stood alone beside the value of a single write, and where.
    marks: HashMap<(u32, &'h Value), (Mark<'h>, u32), Fast>,
}

impl<'h> Seen<'h> {
    /// The earlier answer that this one contradicts; else it is kept.
    fn contradicts(&mut self, known: &Known<'h>, claim: &Beside<'h>, marks: &[Mark<'h>]) -> Option<u32> {
        let &Beside { object, value, place } = claim;
        let single = match marks {
            &[mark] if known.is_unique(object, mark) && !known.is_owned(object, mark) => Some(mark),
            _ => None,
        };
        if let Some(mark) = single {
            let &mut (held, by) = self.values.entry((object, mark)).or_insert((value, place));
            if held != value {
                return Some(by);
            }
        }
        let of_one = known.writers.get(&(object, value)).is_some_and(|writers| {
            let sort = marks.first().map_or(0, |mark| mark.sort());
            writers.count == 1 && writers.nameless[sort] != NEVER && sort != Mark::Stamp(0, "").sort()
        });
        if value.is_null() || !of_one {
            return None;
        }
        if let Some(&(mark, by)) = self.marks.get(&(object, value)) {
            return (mark.sort() == marks.first()?.sort() && !marks.contains(&mark)).then_some(by);
        }
        if let Some(mark) = single {
            self.marks.insert((object, value), (mark, place));
        }
        None
    }
}
