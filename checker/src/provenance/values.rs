//! Values that are as somebody wrote them: registers, elements, tokens.

use std::collections::HashMap;

use serde_json::Value;

use super::report::{Report, Shown};
use super::says::{Facet, Kind, Said, brought, listed, shown};
use super::sources::{Source, Sources, position};
use super::versions::{self, Beside};
use crate::history::hash::Fast;
use crate::history::{Objects, Operation};

/// What an answer shows, to be looked up when everything is known.
#[derive(Clone, Copy)]
struct Claim<'h> {
    object: u32,
    shown: Shown<'h>,
}

/// Judges all that the answers show.
pub(super) fn judge(kind: Kind, report: &mut Report<'_, '_>) {
    let operations = report.operations;
    let mut walk = Walk { kind, sources: Sources::default(), parts: HashMap::default(), open: Vec::new() };
    let (mut objects, mut of) = (Objects::default(), Vec::with_capacity(operations.len()));
    let mut lists: Vec<Option<List<'_>>> = Vec::new();
    for (operation, place) in operations.iter().zip(0..) {
        let key = objects.place(operation.key());
        of.push(key);
        brought(kind, operation, |said| walk.bring(key, said, operation));
        shown(kind, operation, |facet, (part, value)| {
            report.count();
            walk.look(key, operation, Shown { place, facet, part, value });
        });
        match listed(kind, operation) {
            None => {}
            Some(Err(odd)) => report.no_list(operation, odd),
            Some(Ok(elements)) => {
                report.count();
                lists.resize(lists.len().max(key as usize + 1), None);
                walk.list(key, operation, place, elements, &mut lists[key as usize]);
            }
        }
    }
    let mut beside = Vec::new();
    for Claim { object, shown } in std::mem::take(&mut walk.open) {
        let operation = &operations[shown.place as usize];
        let source = walk.source(object, shown.value);
        if !walk.is_explained(object, operation, source) {
            report.unwritten(shown, source, operation.ret.map_or(0, position));
        } else if kind == Kind::Register && shown.facet == Facet::Read {
            beside.push(Beside { place: shown.place, object, value: shown.value });
        }
    }
    for wrong in versions::judge(operations, &of, &beside) {
        report.wrong_version(wrong);
    }
}

/// A list that was seen before, all elements of which were explained, and where its answer came.
#[derive(Clone, Copy)]
struct List<'h> {
    elements: &'h [Value],
    end: u32,
}

struct Walk<'h> {
    kind: Kind,
    sources: Sources<'h>,
    /// The numbers of parts of objects.
    parts: HashMap<(u32, &'h Value), u32, Fast>,
    /// What was not explained when it was met.
    open: Vec<Claim<'h>>,
}

impl<'h> Walk<'h> {
    /// The number of what a value is in: the object, or the part of it.
    fn object(&mut self, key: u32, part: Option<&'h Value>) -> u32 {
        let Some(part) = part else { return key };
        let next = self.parts.len() as u32;
        *self.parts.entry((key, part)).or_insert(next)
    }

    fn bring(&mut self, key: u32, (part, value): Said<'h>, operation: &Operation<'h>) {
        let object = self.object(key, part);
        self.sources.add(object, value, operation);
    }

    /// The source of a value. A register's absence was there from the start.
    fn source(&self, object: u32, value: &Value) -> Source<'h> {
        match (self.kind, value) {
            (Kind::Register, Value::Null) => Source { call: 0, ..Source::NONE },
            _ => self.sources.of(object, value),
        }
    }

    fn is_explained(&self, object: u32, operation: &Operation<'h>, source: Source<'h>) -> bool {
        let end = operation.ret.map_or(0, position);
        // A token that nobody told may be any.
        source.explains(end)
            || (self.kind == Kind::Lock && self.sources.of(object, &Value::Null).explains(end))
    }

    fn look(&mut self, key: u32, operation: &Operation<'h>, shown: Shown<'h>) {
        let object = self.object(key, shown.part);
        let has_version = self.kind == Kind::Register && shown.facet == Facet::Read;
        let beside = operation.completion.filter(|_| has_version);
        let source = self.source(object, shown.value);
        let is_right = self.is_explained(object, operation, source)
            && beside.is_none_or(|event| versions::agrees(event, source.answer));
        if !is_right {
            self.open.push(Claim { object, shown });
        }
    }

    /// Looks at the elements of a list. Those with which a list began that was explained before need not be looked at.
    fn list(
        &mut self,
        key: u32,
        operation: &Operation<'h>,
        place: u32,
        elements: &'h [Value],
        last: &mut Option<List<'h>>,
    ) {
        let end = operation.ret.map_or(0, position);
        let known = last.filter(|last| last.end <= end).map_or(&[][..], |last| last.elements);
        let same = known.iter().zip(elements).take_while(|(one, other)| one == other).count();
        let before = self.open.len();
        for value in &elements[same..] {
            self.look(key, operation, Shown { place, facet: Facet::Read, part: None, value });
        }
        if self.open.len() == before {
            *last = Some(List { elements, end });
        }
    }
}
