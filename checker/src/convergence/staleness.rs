//! How far behind were reads: in versions, and in time?
//!
//! Of each answered read, among the writes to its key that had been answered before the read was invoked:
//!
//! - **k**, versions behind: the number of those that the read lacks (`order` says what lacks means).
//! - **Δ**, time behind: from the answer of the first of those that it lacks to the read's invocation. Had the
//!   read begun so much earlier, the write would have been open still. This is the Δ of Golab, Li & Shah (2011)
//!   for one read, where the order of the versions is known: a key is Δ-atomic for the greatest of its reads'.
//!
//! Both are 0 for a read that lacks nothing. Where a read lacks what was written, but no answer tells, both are
//! more in truth; they are never less. Under last-writer-wins a write that lost is not missed.
//!
//! The stats give, per kind of read (`eventual`, `strong`, `eventual query`, …), the share of stale reads, k and Δ
//! as percentiles, and the curve of *probabilistically bounded staleness* (Bailis et al. 2012): for reads by the
//! time since the last answered write of their key, how many lacked that write. A bound on Δ is a gate: a read
//! that is further behind is `too-stale`, and the worst are shown with the write that they lack.
//!
//! **Soundness.** Only writes that were answered before the read was invoked count, so one of unknown outcome
//! never does. Of a key that may have been forgotten (collected tombstones) nothing is said: of each actor,
//! and of a line of versions, the newest answered write speaks for the others there, and the write that Δ
//! counts from is asked for itself.
//!
//! **How.** One sweep over the events. Answered writes are put into columns, one for each line of versions (for
//! clocks: each actor), which count and find the first among those beyond a place in O(log n). A read that
//! includes the newest of everything is fresh at once. O(n (log n + a)) for a actors of a key, O(n) memory.

mod column;
mod distribution;

use std::time::Duration;

use super::lives::Lives;
use super::order::{Act, Book, Order, Place, Rules, counter};
use super::sensitivity::{Kind, Scope, measure};
use super::trails::Logs;
use super::words;
use crate::anomaly;
use crate::history::Event;
use crate::linearizability::explain::capitalised;
use crate::sensitivity::{Sensitivity, SensitivityPlan};
use crate::verdict::{Anomaly, Budget, Check, CheckResult, Validity};
use column::Column;
use distribution::Distribution;

/// So many reads that are too stale are shown, the worst; all are counted.
const SHOWN: usize = 10;

/// The check of staleness. Its name in verdicts is `staleness`. Without a bound it measures only.
#[derive(Debug, Clone, Copy, Default)]
pub struct Staleness {
    rules: Rules,
    max: Option<Duration>,
}

impl Staleness {
    /// The check for a store of which this is known, whose reads may be so far behind.
    #[must_use]
    pub fn new(rules: Rules, max: Option<Duration>) -> Self {
        Self { rules, max }
    }
}

impl Check for Staleness {
    fn name(&self) -> &'static str {
        "staleness"
    }

    fn check(&self, events: &[Event], _budget: &Budget) -> CheckResult {
        let book = match Book::new(events, self.rules) {
            Ok(book) => book,
            Err(error) => return super::no_history(&error),
        };
        let max_ns = self.max.map(|max| u64::try_from(max.as_nanos()).unwrap_or(u64::MAX));
        let mut audit = Audit::new(&book, max_ns);
        audit.sweep(events.len());
        audit.result()
    }

    fn sensitivity(&self, events: &[Event], plan: &SensitivityPlan<'_>) -> Option<Sensitivity> {
        // Without a bound nothing is judged, and nothing would be found.
        self.max.and_then(|_| measure(self, &[Kind::StaleRead], Scope::Key, events, plan))
    }
}

/// How far one read is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Behind {
    versions: u64,
    time_ns: u64,
    /// The first answered write that it lacks.
    write: Place,
}

/// The answered writes of one life of a key so far.
#[derive(Debug, Clone, Default)]
struct Written {
    /// The columns of the life, and of each the newest write so far.
    columns: Vec<(u32, Option<Place>)>,
}

/// The life in which an answered write made a version that compares with others.
fn life_written(book: &Book<'_>, write: Place) -> Option<u32> {
    let entry = book.entry_at(write);
    match book.order(write) {
        order if order == Order::Nothing || !entry.is_ok() || !entry.act.writes() => None,
        Order::Clock => book.own_dot(write).map(|dot| book.life_of(dot)),
        _ => book.life(write),
    }
}

struct Audit<'b, 'h> {
    book: &'b Book<'h>,
    max_ns: Option<u64>,
    columns: Vec<Column>,
    lives: Lives,
    logs: Logs,
    /// Of each life.
    written: Vec<Written>,
    /// Of each key, the write that was answered last.
    last: Vec<Option<Place>>,
    distributions: Vec<Distribution>,
    too_stale: Vec<(Behind, Place)>,
}

impl<'b, 'h> Audit<'b, 'h> {
    fn new(book: &'b Book<'h>, max_ns: Option<u64>) -> Self {
        let mut written = vec![Written::default(); book.lives()];
        let writes = (0..book.entries.len() as Place).filter_map(|place| life_written(book, place));
        let columns = column::all(book, |life, column| written[life as usize].columns.push((column, None)));
        Self {
            book,
            max_ns,
            columns,
            lives: Lives::new(book),
            logs: Logs::new(book.lives(), writes),
            written,
            last: vec![None; book.keys.len()],
            distributions: Vec::new(),
            too_stale: Vec::new(),
        }
    }

    fn sweep(&mut self, events: usize) {
        for (place, ends) in super::moments(self.book, events) {
            let entry = self.book.entry_at(place);
            if !entry.is_ok() || self.book.order(place) == Order::Nothing {
                continue;
            }
            if entry.act == Act::Read && !ends {
                self.read(place);
            } else if entry.act.writes() && ends {
                self.write(place);
            }
        }
    }

    fn write(&mut self, place: Place) {
        self.last[self.book.entry_at(place).key as usize] = Some(place);
        let Some(life) = life_written(self.book, place) else { return };
        let dot = self.book.own_dot(place).filter(|_| self.book.order(place) == Order::Clock);
        self.lives.seen(self.book, place, life);
        let written = &mut self.written[life as usize];
        self.logs.push(life, 0, dot.as_slice(), self.book.needs(place));
        if let Some((column, value)) = column::of(self.book, place) {
            self.columns[column as usize].push(value, place);
            let newest = written.columns.iter_mut().find(|(number, _)| *number == column);
            if let Some((_, newest)) = newest {
                let known = newest.and_then(|known| column::of(self.book, known));
                if known.is_none_or(|(_, known)| known < value) {
                    *newest = Some(place);
                }
            }
        }
    }

    fn read(&mut self, place: Place) {
        let entry = self.book.entry_at(place);
        if self.book.order(place) == Order::Clock && self.book.clock(place).is_none() {
            return;
        }
        let behind = self.behind(place);
        let kind = usize::from(self.book.entry_at(place).kind);
        if self.distributions.len() <= kind {
            self.distributions.resize_with(kind + 1, Distribution::default);
        }
        let since = self.last[entry.key as usize].map(|write| {
            (self.time_between_ns(write, place), behind.is_some() && self.book.lacks(place, write))
        });
        let (versions, time_ns) = behind.map_or((0, 0), |behind| (behind.versions, behind.time_ns));
        self.distributions[kind].push(versions, time_ns, since);
        if let Some(behind) = behind.filter(|behind| self.max_ns.is_some_and(|max| behind.time_ns > max)) {
            self.too_stale.push((behind, place));
        }
    }

    /// How far a read is behind, if it is.
    fn behind(&self, place: Place) -> Option<Behind> {
        let (mut versions, mut first) = (0, None);
        for life in self.lives.of(self.book, place) {
            let written = &self.written[life as usize];
            if self.logs.is_in(self.book, life, place) {
                continue;
            }
            for &(column, newest) in &written.columns {
                let Some(newest) = newest.filter(|&newest| self.book.lacks(place, newest)) else { continue };
                let (count, lacked) = self.beyond(place, &self.columns[column as usize], newest);
                versions += count;
                first =
                    [first, lacked].into_iter().flatten().min_by_key(|&write| self.book.entry_at(write).end);
            }
        }
        let write = first?;
        Some(Behind { versions, time_ns: self.time_between_ns(write, place), write })
    }

    /// How many writes of a column a read is behind, and the first of them that it lacks.
    fn beyond(&self, read: Place, column: &Column, newest: Place) -> (u64, Option<Place>) {
        let stand = match self.book.own_dot(newest).filter(|_| self.book.order(read) == Order::Clock) {
            Some(dot) => counter(self.book.clock(read).unwrap_or_default(), dot.actor),
            None => self.book.has(read),
        };
        let (count, earliest) = column.beyond(stand);
        let lacked = earliest.filter(|&write| self.book.lacks(read, write));
        (count, lacked.or_else(|| column.all_beyond(stand).find(|&write| self.book.lacks(read, write))))
    }

    /// From the answer of a write to the invocation of a read.
    fn time_between_ns(&self, write: Place, read: Place) -> u64 {
        let answered = self.book.operation(write).completion.map_or(0, |answer| answer.time);
        self.book.operation(read).invocation.time.saturating_sub(answered)
    }

    fn result(mut self) -> CheckResult {
        let kinds =
            self.distributions.into_iter().enumerate().filter(|(_, distribution)| distribution.reads() > 0);
        let kinds =
            kinds.map(|(kind, distribution)| (self.book.kinds.name(kind), distribution.json())).collect();
        let mut stats: std::collections::BTreeMap<_, _> = words::counts(self.book).into_iter().collect();
        stats.insert("by".to_owned(), serde_json::Value::Object(kinds));
        if let Some(max_ns) = self.max_ns {
            stats.insert("max_ns".to_owned(), max_ns.into());
            stats.insert("too_stale".to_owned(), self.too_stale.len().into());
        }
        let valid = if self.too_stale.is_empty() { Validity::Valid } else { Validity::Invalid };
        self.too_stale.sort_by_key(|&(behind, place)| (std::cmp::Reverse(behind.time_ns), place));
        self.too_stale.truncate(SHOWN);
        let max_ns = self.max_ns.unwrap_or(u64::MAX);
        let anomalies =
            self.too_stale.iter().map(|&(behind, place)| too_stale(self.book, behind, place, max_ns));
        let anomalies = anomalies.collect();
        let unknown: Vec<_> = words::incomparable(self.book).into_iter().collect();
        let valid = if unknown.is_empty() { valid } else { valid.max(Validity::Unknown) };
        CheckResult { valid, anomalies, unknown, stats }
    }
}

fn too_stale(book: &Book<'_>, behind: Behind, read: Place, max_ns: u64) -> Anomaly {
    let (write, look) = (words::deed(book, behind.write), words::deed(book, read));
    let explanation = capitalised(&format!(
        "{} {write}; {} later {} began a read and {look}, which lacks it ({} versions behind; allowed are {}).",
        words::who(book, behind.write),
        words::lapse(behind.time_ns),
        words::who(book, read),
        behind.versions,
        words::lapse(max_ns),
    ));
    let mut ops = vec![book.operation(behind.write).index, book.operation(read).index];
    ops.sort_unstable();
    Anomaly {
        kind: anomaly::TOO_STALE.to_owned(),
        key: book.operation(read).key().cloned(),
        ops,
        context: Vec::new(),
        explanation,
        cycle: Vec::new(),
    }
}
