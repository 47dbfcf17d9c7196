//! What the answers of several replicas show, side by side, with the differences marked.
//!
//! A cell is marked when it is not what most replicas show; where no content is more common than all others,
//! every cell of the column is. An entry of a clock is marked when another replica's clock is further, and says
//! how far that one is. Lists are sets, as in the check: their order is no difference, and beside what a replica
//! has stands what others have and it lacks.

use std::collections::{BTreeMap, BTreeSet};

use growler_checker::history::{Event, Extra, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use super::picture::Held;
use crate::operations::{Operation, Outcome, error_name};
use crate::story::{clipped, shown};
use crate::words::count;

/// Entries of a clock, elements and versions that a cell names.
const NAMED_MAX: usize = 8;

/// What one answer shows.
#[derive(Debug, Serialize)]
pub(super) struct Cells {
    pub(super) value: Cell,
    pub(super) version: Option<Cell>,
    pub(super) context: Option<Cell>,
    pub(super) timestamp: Option<Cell>,
    pub(super) siblings: Option<Cell>,
}

/// One cell: lines, and whether the whole differs.
#[derive(Debug, Default, Clone, PartialEq, Serialize)]
pub(super) struct Cell {
    pub(super) lines: Vec<Line>,
    pub(super) differs: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) differs: bool,
}

impl Cells {
    /// What the replica holds, in a few words: of a list what it lacks, if it lacks anything.
    pub(super) fn held(&self) -> Held {
        let text = self.value.lines.last().map(|line| line.text.clone()).unwrap_or_default();
        let differs = self.value.differs || self.version.as_ref().is_some_and(|version| version.differs);
        Held { text, differs }
    }
}

impl Cell {
    fn of(text: String) -> Self {
        Self { lines: vec![Line { text, differs: false }], differs: false }
    }
}

/// The cells of all answers, in their order.
pub(super) fn side_by_side(answers: &[Operation<'_>]) -> Vec<Cells> {
    let extras: Vec<Option<&Extra>> = answers.iter().map(|op| answered(op).map(Event::extra)).collect();
    let column = |of: fn(&Extra) -> Option<Cell>| {
        let cells = extras.iter().map(|extra| extra.and_then(of)).collect();
        marked(cells)
    };
    let columns = values(answers)
        .into_iter()
        .zip(column(|extra| extra.version.as_ref().map(version)))
        .zip(contexts(&extras))
        .zip(column(|extra| extra.timestamp.as_ref().map(timestamp)))
        .zip(column(|extra| extra.siblings.map(|n| Cell::of(count(n)))));
    let cells = columns.map(|((((value, version), context), timestamp), siblings)| Cells {
        value,
        version,
        context,
        timestamp,
        siblings,
    });
    cells.collect()
}

fn answered<'a>(op: &Operation<'a>) -> Option<&'a Event> {
    op.complete.filter(|_| op.outcome() == Outcome::Ok)
}

/// Marks the cells that are not what most have. Where there is no answer there is nothing to compare.
fn marked(mut cells: Vec<Option<Cell>>) -> Vec<Option<Cell>> {
    let texts = |cell: &Cell| cell.lines.iter().map(|line| line.text.clone()).collect::<Vec<_>>();
    let mut votes: BTreeMap<Vec<String>, usize> = BTreeMap::new();
    for cell in cells.iter().flatten() {
        *votes.entry(texts(cell)).or_default() += 1;
    }
    let most = votes.values().copied().max().unwrap_or(0);
    let is_only = votes.values().filter(|&&votes| votes == most).count() == 1;
    let common = votes.iter().find(|(_, votes)| is_only && **votes == most).map(|(texts, _)| texts.clone());
    for cell in cells.iter_mut().flatten() {
        cell.differs = votes.len() > 1 && common.as_ref() != Some(&texts(cell));
    }
    cells
}

/// The values; lists by their elements where they differ.
fn values(answers: &[Operation<'_>]) -> Vec<Cell> {
    let lists: Vec<Option<BTreeSet<String>>> =
        answers.iter().map(|op| elements(&answered(op)?.value)).collect();
    let are_lists = lists.iter().flatten().any(|list| !list.is_empty());
    let all: BTreeSet<&String> = lists.iter().flatten().flatten().collect();
    let cell = |(op, list): (&Operation<'_>, &Option<BTreeSet<String>>)| {
        let event = answered(op)?;
        let Some(list) = list.as_ref().filter(|_| are_lists) else {
            let text = if event.value.is_null() { nothing(event.extra()) } else { shown(&event.value) };
            return Some(Cell::of(text));
        };
        let mut lines = vec![Line { text: has(list), differs: false }];
        let lacks: Vec<&String> = all.iter().copied().filter(|element| !list.contains(*element)).collect();
        if !lacks.is_empty() {
            lines.push(Line { text: format!("lacks {}", few(&lacks)), differs: true });
        }
        Some(Cell { lines, differs: false })
    };
    let cells = marked(answers.iter().zip(&lists).map(cell).collect());
    let unanswered = |op: &Operation<'_>| {
        let why = op.complete.and_then(error_name).map(|why| format!(": {}", clipped(why)));
        Cell::of(format!("no answer{}", why.unwrap_or_default()))
    };
    answers.iter().zip(cells).map(|(op, cell)| cell.unwrap_or_else(|| unanswered(op))).collect()
}

/// Absence: with a version it is that of a tombstone.
fn nothing(extra: &Extra) -> String {
    let tombstone =
        extra.version.as_ref().is_some_and(|version| version.as_str().is_some_and(|v| !v.is_empty()));
    if tombstone { "nothing (a tombstone)" } else { "nothing" }.to_owned()
}

/// The elements of a list; absence is an empty one.
fn elements(value: &Value) -> Option<BTreeSet<String>> {
    match value {
        Value::Null => Some(BTreeSet::new()),
        Value::Array(items) => Some(items.iter().map(shown).collect()),
        _ => None,
    }
}

fn has(list: &BTreeSet<String>) -> String {
    match list.len() {
        0 => "nothing".to_owned(),
        1..=NAMED_MAX => list.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
        n => format!("{} elements", count(n as u64)),
    }
}

fn few(elements: &[&String]) -> String {
    let named: Vec<&str> = elements.iter().take(NAMED_MAX).map(|text| text.as_str()).collect();
    let rest = elements.len() - named.len();
    let more = if rest > 0 { format!(" and {} more", count(rest as u64)) } else { String::new() };
    format!("{}{more}", named.join(", "))
}

/// The versions held beside each other, one a line.
fn version(version: &Value) -> Cell {
    let Some(text) = version.as_str() else { return Cell::of(shown(version)) };
    let line = |text: String| Line { text, differs: false };
    let mut lines: Vec<Line> = text.split('|').take(NAMED_MAX).map(|dot| line(clipped(dot))).collect();
    let rest = text.split('|').count() - lines.len();
    if text.is_empty() {
        lines = vec![line("none".to_owned())];
    } else if rest > 0 {
        lines.push(line(format!("and {} more", count(rest as u64))));
    }
    Cell { lines, differs: false }
}

/// A timestamp of nanoseconds and node; anything else as it is.
fn timestamp(timestamp: &Timestamp) -> Cell {
    Cell::of(match timestamp.parts() {
        Some((ns, node)) => format!("{ns}, {}", clipped(node)),
        None => shown(&json!(timestamp)),
    })
}

/// The clocks, entry by entry: `n1/3: 5 of 7` where another replica is at 7. Entries on which all agree come
/// after those on which they do not, and are counted where there are many.
fn contexts(extras: &[Option<&Extra>]) -> Vec<Option<Cell>> {
    let clock = |extra: &&Option<&Extra>| -> Option<BTreeMap<String, u64>> {
        let entries = extra.as_ref()?.context.as_ref()?.clock()?.iter();
        Some(entries.map(|(actor, n)| (actor.to_string(), *n)).collect())
    };
    let clocks: Vec<Option<BTreeMap<String, u64>>> = extras.iter().map(|extra| clock(&extra)).collect();
    let mut furthest: BTreeMap<&String, u64> = BTreeMap::new();
    for (actor, &n) in clocks.iter().flatten().flatten() {
        let most = furthest.entry(actor).or_default();
        *most = n.max(*most);
    }
    let own = |clock: &BTreeMap<String, u64>, actor: &String| clock.get(actor).copied().unwrap_or(0);
    let (same, other): (Vec<_>, Vec<_>) = furthest
        .iter()
        .partition(|(actor, most)| clocks.iter().flatten().all(|clock| own(clock, actor) == **most));
    let cell = |clock: &BTreeMap<String, u64>| {
        let line = |(actor, most): &(&&String, &u64)| {
            let (actor, most, n) = (clipped(actor), **most, own(clock, actor));
            let text = if n == most { format!("{actor}: {n}") } else { format!("{actor}: {n} of {most}") };
            Line { text, differs: n < most }
        };
        let mut lines: Vec<Line> = other.iter().chain(&same).take(NAMED_MAX).map(line).collect();
        let rest = furthest.len() - lines.len();
        if lines.is_empty() {
            lines.push(Line { text: "empty".to_owned(), differs: false });
        } else if rest > 0 {
            lines.push(Line { text: format!("and {} more", count(rest as u64)), differs: false });
        }
        Cell { lines, differs: false }
    };
    clocks.iter().map(|clock| clock.as_ref().map(cell)).collect()
}

#[cfg(test)]
mod tests {
    use growler_checker::history::{EventType, Process};
    use serde_json::json;

    use super::*;

    fn cells(answers: &[(Value, &str, Value)]) -> Vec<Cells> {
        let event = |kind, value: &Value| Event::new(Process::Client(0), kind, "replica-read", value.clone());
        let events: Vec<(Event, Event)> = answers
            .iter()
            .map(|(value, version, context)| {
                let mut end = event(EventType::Ok, value);
                end.extra_mut().version = Some((*version).into());
                end.extra_mut().context = Some(context.clone().into());
                (event(EventType::Invoke, &Value::Null), end)
            })
            .collect();
        let operations: Vec<_> =
            events.iter().map(|(invoke, end)| Operation { invoke, complete: Some(end) }).collect();
        side_by_side(&operations)
    }

    fn texts(cell: &Cell) -> Vec<&str> {
        cell.lines.iter().map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn what_most_do_not_show_is_marked() {
        let old = || (json!(4), "n1/1:1", json!({"n1/1": 1}));
        let new = || (json!(7), "n2/1:3", json!({"n1/1": 1, "n2/1": 3}));
        let cells_of = cells(&[new(), old(), new()]);
        assert_eq!(cells_of.iter().map(|c| c.value.differs).collect::<Vec<_>>(), [false, true, false]);
        let versions = cells_of.iter().map(|c| c.version.as_ref().unwrap().differs);
        assert_eq!(versions.collect::<Vec<_>>(), [false, true, false]);
        let behind = cells_of[1].context.as_ref().unwrap();
        assert_eq!(texts(behind), ["n2/1: 0 of 3", "n1/1: 1"]);
        assert!(behind.lines[0].differs && !behind.lines[1].differs);
        assert!(cells(&[new(), old()]).iter().all(|c| c.value.differs), "neither is the common one");
        assert!(cells(&[new(), new()]).iter().all(|c| !c.value.differs));
    }

    #[test]
    fn lists_are_compared_by_their_elements() {
        let of = |list: Value| (list, "", json!({}));
        let cells = cells(&[of(json!([1, 2, 3])), of(json!([3, 2, 1])), of(json!([2])), of(Value::Null)]);
        assert_eq!(texts(&cells[0].value), ["1, 2, 3"]);
        assert_eq!(cells.iter().map(|c| c.value.differs).collect::<Vec<_>>(), [false, false, true, true]);
        assert_eq!(texts(&cells[2].value), ["2", "lacks 1, 3"]);
        assert_eq!(texts(&cells[3].value), ["nothing", "lacks 1, 2, 3"]);
        assert_eq!(texts(cells[0].context.as_ref().unwrap()), ["empty"]);
    }

    #[test]
    fn a_tombstone_is_told_from_nothing() {
        let cells = cells(&[
            (Value::Null, "n1/1:2", json!({"n1/1": 2})),
            (Value::Null, "", json!({})),
            (json!(1), "n1/1:1|n2/1:1", json!({"n1/1": 1, "n2/1": 1})),
        ]);
        assert_eq!(texts(&cells[0].value), ["nothing (a tombstone)"]);
        assert_eq!(texts(&cells[1].value), ["nothing"]);
        assert_eq!(texts(cells[2].version.as_ref().unwrap()), ["n1/1:1", "n2/1:1"]);
    }
}
