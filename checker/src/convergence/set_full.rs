//! Sets: does every element that was added stay? Jepsen's `set-full`, for one set per key.
//!
//! Of each element, from its last `add` on:
//!
//! - It is *known* from the first completion that shows that it is there: of its `add`, or of a read that has
//!   it.
//! - *Last present* and *last absent* are the latest-invoked reads with it and without it, among the answered
//!   ones that completed after the `add` was invoked.
//! - It is **stable** if it was last present later than last absent, **lost** if it is known, was last absent
//!   later than last present, and that read was invoked after it was known; else **never read**.
//! - A stable element is **stale** if its *stable latency* is a millisecond or more: from when it was known to
//!   when the last read without it was invoked. The *lost latency* is the same, to the last read with it.
//!
//! The verdict is invalid for a lost element (`lost-element`), and for an element that is twice in one read
//! (`duplicate-element`; Jepsen means that, but its condition for it never holds). It is unknown where no
//! element was stable: nothing was shown then. A check made with [`SetFull::linearizable`] takes stale elements
//! for a violation too (`stale-element`). Beyond Jepsen, a read of what nobody had yet tried to add, or of what
//! was only added by operations that failed for certain, is `unexpected-element`.
//!
//! **What is sound.** An indeterminate `add` makes an element known only once a read has it: until then it
//! may be absent. An element that somebody tried to `remove`, in whatever way that ended but `fail`, may come
//! and go, so it is never lost, stable or stale: it is counted as `removed`. In a store that promises no more
//! than convergence a read may lag behind, so "lost" presumes that a set's last read is a final one. Where the
//! replicas themselves were read (`replica-read`), these decide: an element that one of them holds in the end is not
//! lost, whatever a read said (whether they agree is for [`super::replicas`] to say), and one that was acknowledged
//! before the end ([`super::ending`]), that nobody tried to remove, and that all of them were asked for and none holds
//! is lost, although an ordinary read may have shown it: that read had merged it from somewhere else.
//!
//! All of it takes time linear in the number of operations and of elements read.

mod missing;
mod told;

use std::collections::{HashMap, HashSet};

use missing::Missing;
use serde_json::Value;

use super::findings::{Findings, distribution};
use super::sensitivity::{Kind, Scope, measure};
use crate::anomaly;
use crate::history::hash::Fast;
use crate::history::{Event, Key, Operation, Outcome, by_key, pair};
use crate::sensitivity::{Sensitivity, SensitivityPlan};
use crate::verdict::{Budget, Check, CheckResult};

const NANOSECONDS_PER_MS: u64 = 1_000_000;

/// The check that no element of a set is lost. Its name in verdicts is `set-full`.
#[derive(Debug, Clone, Copy, Default)]
pub struct SetFull {
    linearizable: bool,
}

impl SetFull {
    /// The check for sets whose reads may lag behind.
    #[must_use]
    pub fn eventual() -> Self {
        Self { linearizable: false }
    }

    /// The check for sets whose reads must show every element that was there when they began.
    #[must_use]
    pub fn linearizable() -> Self {
        Self { linearizable: true }
    }
}

impl Check for SetFull {
    fn name(&self) -> &'static str {
        "set-full"
    }

    fn check(&self, events: &[Event], _budget: &Budget) -> CheckResult {
        let operations = match pair(events) {
            Ok(operations) => operations,
            Err(error) => return Findings::refused(&error),
        };
        let mut audit = Audit { findings: Findings::new(), totals: Totals::default() };
        let objects = by_key(&operations);
        let mut missing = Vec::new();
        for (key, operations) in &objects {
            let object = Object::new(*key, operations, &mut audit.findings);
            audit.object(&object, self.linearizable, &mut missing);
        }
        audit.missing(events, missing);
        audit.answer()
    }

    fn sensitivity(&self, events: &[Event], plan: &SensitivityPlan<'_>) -> Option<Sensitivity> {
        measure(self, &[Kind::WriteLost], Scope::Key, events, plan)
    }
}

/// The place of an element of one set.
type Place = u32;

/// The place of a read among those of one set.
type ReadPlace = u32;

/// A completion that shows an element.
#[derive(Clone, Copy)]
struct Known {
    position: usize,
    time: u64,
}

/// One element of one set.
struct Element<'h> {
    value: &'h Value,
    /// The last `add`, and where it was invoked.
    add: &'h Operation<'h>,
    call: usize,
    /// Where the first `add` that did not fail was invoked; none if all failed.
    attempted: Option<usize>,
    /// Somebody tried to remove it.
    removed: bool,
    known: Option<Known>,
    last_present: Option<ReadPlace>,
    last_absent: Option<ReadPlace>,
    /// Where an `add` of it was first acknowledged, and the invocation of that.
    acknowledged: Option<(usize, u64)>,
}

impl Element<'_> {
    fn is_shown_by(&mut self, position: usize, time: u64) {
        if position > self.call && self.known.is_none_or(|known| position < known.position) {
            self.known = Some(Known { position, time });
        }
    }
}

/// One read: its elements are a piece of [`Object::members`].
struct Read<'h> {
    operation: Operation<'h>,
    ret: usize,
    members: std::ops::Range<usize>,
}

/// What became of an element.
#[derive(PartialEq, Eq)]
enum Fate {
    Stable { latency_ms: u64 },
    Lost { latency_ms: u64 },
    NeverRead,
}

/// One set and its history.
struct Object<'h> {
    key: Option<&'h Key>,
    elements: Vec<Element<'h>>,
    reads: Vec<Read<'h>>,
    members: Vec<Place>,
    /// What the nodes held when they were last asked for what they hold themselves.
    held: HashSet<&'h Value, Fast>,
    /// Whether any of them was.
    replicas: bool,
    /// Whether the history has times.
    timed: bool,
}

impl<'h> Object<'h> {
    fn new(key: Option<&'h Key>, operations: &'h [Operation<'h>], findings: &mut Findings) -> Self {
        let mut object = Self {
            key,
            elements: Vec::new(),
            reads: Vec::new(),
            members: Vec::new(),
            held: HashSet::default(),
            replicas: false,
            timed: operations.iter().any(|operation| operation.invocation.time > 0),
        };
        let mut replicas: HashMap<&'h str, &'h Operation<'h>, Fast> = HashMap::default();
        let mut places: HashMap<&'h Value, Place, Fast> = HashMap::default();
        for operation in operations.iter().filter(|operation| operation.f() == "add") {
            object.add(operation, &mut places);
        }
        for operation in operations {
            let place = places.get(operation.argument()).map(|&place| place as usize);
            match (operation.f(), operation.outcome(), operation.completion) {
                ("add", Outcome::Ok, Some(completion)) => {
                    let (Some(place), Some(ret)) = (place, operation.ret) else { continue };
                    let element = &mut object.elements[place];
                    element.is_shown_by(ret, completion.time);
                    let first = element.acknowledged.get_or_insert((ret, operation.index));
                    *first = (ret, operation.index).min(*first);
                }
                ("remove", Outcome::Ok | Outcome::Info, _) => {
                    place.into_iter().for_each(|place| object.elements[place].removed = true);
                }
                ("read", Outcome::Ok, _) => object.read(operation, &places, findings),
                ("replica-read", Outcome::Ok, _) => {
                    let node = operation.node().unwrap_or_default();
                    replicas.insert(node, operation);
                }
                _ => {}
            }
        }
        object.replicas = !replicas.is_empty();
        let lists = replicas.into_values().filter_map(|replica| replica.completion?.value.as_array());
        object.held = lists.flatten().collect();
        object.find_last_absent();
        object
    }

    fn add(&mut self, operation: &'h Operation<'h>, places: &mut HashMap<&'h Value, Place, Fast>) {
        let may_be = (operation.outcome() != Outcome::Fail).then_some(operation.call);
        let next = Place::try_from(self.elements.len()).unwrap_or(Place::MAX);
        let place = *places.entry(operation.argument()).or_insert(next);
        if place == next {
            self.elements.push(Element {
                value: operation.argument(),
                add: operation,
                call: operation.call,
                attempted: may_be,
                removed: false,
                known: None,
                last_present: None,
                last_absent: None,
                acknowledged: None,
            });
            return;
        }
        let element = &mut self.elements[place as usize];
        (element.add, element.call) = (operation, operation.call);
        element.attempted = element.attempted.or(may_be);
    }

    /// Takes in one answered read; reads come in the order of their invocations.
    fn read(
        &mut self,
        operation: &Operation<'h>,
        places: &HashMap<&'h Value, Place, Fast>,
        findings: &mut Findings,
    ) {
        let (Some(ret), Some(completion)) = (operation.ret, operation.completion) else { return };
        let Some(values) = elements_of(&completion.value) else {
            findings.undecided(format!(
                "event {}: a set's read must return a list of elements, not {}",
                operation.index, completion.value
            ));
            return;
        };
        let number = ReadPlace::try_from(self.reads.len()).unwrap_or(ReadPlace::MAX);
        let start = self.members.len();
        for value in values {
            let place = places.get(value).copied();
            if let Some(place) = place {
                self.members.push(place);
                let element = &mut self.elements[place as usize];
                element.is_shown_by(ret, completion.time);
                if ret > element.call {
                    element.last_present = Some(number);
                }
            }
            let element = place.map(|place| &self.elements[place as usize]);
            if element.and_then(|element| element.attempted).is_none_or(|call| call > ret) {
                let add = element.map(|element| element.add);
                findings.anomaly(
                    anomaly::UNEXPECTED_ELEMENT,
                    self.key,
                    vec![operation.index],
                    add.map(|add| add.index).into_iter().collect(),
                    || self.unexpected(operation, value, add.is_some()),
                );
            }
        }
        let members = start..self.members.len();
        self.judge_duplicates(operation, values, findings);
        self.reads.push(Read { operation: *operation, ret, members });
    }

    fn judge_duplicates(&self, operation: &Operation<'h>, values: &'h [Value], findings: &mut Findings) {
        let mut seen: HashSet<&Value, Fast> =
            HashSet::with_capacity_and_hasher(values.len(), Fast::default());
        for value in values.iter().filter(|value| !seen.insert(value)) {
            findings.anomaly(anomaly::DUPLICATE_ELEMENT, self.key, vec![operation.index], Vec::new(), || {
                self.twice(operation, value)
            });
        }
    }

    /// Finds each element's last read without it. The reads are gone through from the last one back, with the
    /// elements that were in all of them: each step costs no more than the read has elements, and those that
    /// fall away.
    fn find_last_absent(&mut self) {
        let mut present: Vec<Place> = (0..).take(self.elements.len()).collect();
        let mut marked: Vec<ReadPlace> = vec![ReadPlace::MAX; self.elements.len()];
        let (elements, members) = (&mut self.elements, &self.members);
        for (number, read) in self.reads.iter().enumerate().rev() {
            let number = number as ReadPlace;
            for &place in &members[read.members.clone()] {
                marked[place as usize] = number;
            }
            present.retain(|&place| {
                let element = &mut elements[place as usize];
                if element.call > read.operation.call {
                    return false;
                }
                let is_absent = marked[place as usize] != number;
                if is_absent {
                    element.last_absent = Some(number);
                }
                !is_absent
            });
        }
        for place in 0..self.elements.len() {
            self.look_before_the_add(place);
        }
    }

    /// Reads invoked before an element's `add` count too if they completed after that invocation. They make a
    /// difference only where no later read has the element, and one of them does.
    fn look_before_the_add(&mut self, place: usize) {
        let element = &self.elements[place];
        let Some(last_present) = element.last_present else { return };
        let before = self.reads.partition_point(|read| read.operation.call < element.call);
        if element.last_absent.is_some() || last_present as usize >= before {
            return;
        }
        let counts = |&number: &usize| {
            let read = &self.reads[number];
            let has_it = self.members[read.members.clone()].contains(&(place as Place));
            read.ret > element.call && !has_it
        };
        let absent = (0..before).rev().find(counts);
        self.elements[place].last_absent = absent.map(|number| number as ReadPlace);
    }

    fn read_at(&self, number: ReadPlace) -> &Read<'h> {
        &self.reads[number as usize]
    }

    fn invoked_ms(&self, number: Option<ReadPlace>, since: u64) -> u64 {
        let time = number.map_or(0, |number| self.read_at(number).operation.invocation.time + 1);
        time.saturating_sub(since) / NANOSECONDS_PER_MS
    }

    fn fate(&self, element: &Element<'_>) -> Fate {
        let (present, absent) = (element.last_present, element.last_absent);
        let Some(known) = element.known else { return Fate::NeverRead };
        match (present, absent) {
            (Some(_), _) if absent < present => {
                Fate::Stable { latency_ms: self.invoked_ms(absent, known.time) }
            }
            (_, Some(read)) if present < absent && known.position < self.read_at(read).operation.call => {
                Fate::Lost { latency_ms: self.invoked_ms(present, known.time) }
            }
            _ => Fate::NeverRead,
        }
    }
}

/// The elements of a set as it was read. Where there is no item, there are none.
fn elements_of(value: &Value) -> Option<&[Value]> {
    match value {
        Value::Null => Some(&[]),
        Value::Array(values) => Some(values),
        _ => None,
    }
}

/// How many elements there were of each fate.
#[derive(Default)]
struct Totals {
    attempts: u64,
    never_read: u64,
    removed: u64,
    held: u64,
    lost_in_replicas: u64,
    stale: u64,
    stable_ms: Vec<u64>,
    lost_ms: Vec<u64>,
}

/// The elements of all sets.
struct Audit {
    findings: Findings,
    totals: Totals,
}

impl Audit {
    /// Judges the elements of one set. Those that no replica holds in the end, though nothing else is wrong with them,
    /// are `missing`.
    fn object<'h>(&mut self, object: &Object<'h>, linearizable: bool, missing: &mut Vec<Missing<'h>>) {
        self.totals.attempts += object.elements.len() as u64;
        for element in &object.elements {
            if element.removed {
                self.totals.removed += 1;
                continue;
            }
            let fate = object.fate(element);
            if object.replicas
                && !object.held.contains(element.value)
                && !matches!(fate, Fate::Lost { .. })
                && let Some((acknowledged, add)) = element.acknowledged
            {
                missing.push(Missing { key: object.key, value: element.value, acknowledged, add });
            }
            match fate {
                Fate::NeverRead => self.totals.never_read += 1,
                Fate::Stable { latency_ms } => {
                    self.totals.stable_ms.push(latency_ms);
                    self.totals.stale += u64::from(latency_ms > 0);
                    if latency_ms > 0 && linearizable {
                        self.stale(object, element, latency_ms);
                    }
                }
                // It was read although it cannot have been added: that has been told.
                Fate::Lost { .. } if element.attempted.is_none() => self.totals.never_read += 1,
                Fate::Lost { .. } if object.held.contains(element.value) => self.totals.held += 1,
                Fate::Lost { latency_ms } => {
                    self.totals.lost_ms.push(latency_ms);
                    self.lost(object, element);
                }
            }
        }
    }

    fn lost(&mut self, object: &Object<'_>, element: &Element<'_>) {
        let read = |number: Option<ReadPlace>| {
            number.map(|number| object.read_at(number).operation.index).into_iter()
        };
        let ops = read(element.last_absent).chain([element.add.index]).collect();
        let context = read(element.last_present).collect();
        self.findings.anomaly(anomaly::LOST_ELEMENT, object.key, ops, context, || object.told_lost(element));
    }

    fn stale(&mut self, object: &Object<'_>, element: &Element<'_>, latency_ms: u64) {
        let read = element.last_absent.map(|number| object.read_at(number).operation.index);
        let ops = read.into_iter().chain([element.add.index]).collect();
        self.findings.anomaly(anomaly::STALE_ELEMENT, object.key, ops, Vec::new(), || {
            object.told_stale(element, latency_ms)
        });
    }

    fn answer(mut self) -> CheckResult {
        let totals = self.totals;
        let stable = totals.stable_ms.len() as u64;
        let counts = [
            ("attempts", totals.attempts),
            ("stable", stable),
            ("lost", totals.lost_ms.len() as u64),
            ("never_read", totals.never_read),
            ("stale", totals.stale),
            ("removed", totals.removed),
            ("held_by_a_replica", totals.held),
            ("lost_in_replicas", totals.lost_in_replicas),
        ];
        for (name, count) in counts {
            self.findings.stat(name, count);
        }
        self.findings.stat("stable_latency_ms", distribution(totals.stable_ms));
        self.findings.stat("lost_latency_ms", distribution(totals.lost_ms));
        if stable == 0 {
            self.findings.undecided(
                "no element was read to the end: nothing shows that added elements stay".to_owned(),
            );
        }
        self.findings.answer()
    }
}
