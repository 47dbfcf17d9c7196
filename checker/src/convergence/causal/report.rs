//! The findings about causes: counts, and the first violations with their circles.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::path::{Hop, Pasts, Step};
use crate::anomaly::CAUSALITY_VIOLATED;
use crate::convergence::order::{Book, Place};
use crate::convergence::words::{Rate, deed, who};
use crate::history::Outcome;
use crate::linearizability::explain::capitalised;
use crate::verdict::{Anomaly, CheckResult, Validity};

/// So many violations of each sort are shown; all are counted.
const SHOWN: usize = 10;

pub(super) struct Report<'b, 'h> {
    book: &'b Book<'h>,
    anomalies: Vec<Anomaly>,
    stats: BTreeMap<String, Value>,
}

impl<'b, 'h> Report<'b, 'h> {
    pub(super) fn new(book: &'b Book<'h>) -> Self {
        Self { book, anomalies: Vec::new(), stats: BTreeMap::new() }
    }

    /// Reads of what nobody had written by then.
    pub(super) fn baseless(&mut self, reads: Vec<(Place, Option<Place>)>) {
        self.stats.insert("baseless_reads".to_owned(), json!(reads.len()));
        for (read, write) in reads.into_iter().take(SHOWN) {
            let look = format!("{} {}", who(self.book, read), deed(self.book, read));
            let failed = self.failed(read);
            let text = match (write, failed) {
                (Some(write), _) => {
                    let late =
                        format!("{} only {} after that", who(self.book, write), deed(self.book, write));
                    format!("{look}, but {late}.")
                }
                (None, Some(failed)) => {
                    format!("{look}, but the write of {} had certainly failed.", who(self.book, failed))
                }
                (None, None) => format!("{look}, which nobody ever wrote."),
            };
            self.add(read, write.into_iter().chain([read]), &text);
            let failed = failed.filter(|_| write.is_none()).map(|failed| self.book.operation(failed).index);
            if let Some(anomaly) = self.anomalies.last_mut() {
                anomaly.context.extend(failed);
            }
        }
    }

    /// A failed write of the value that a read returned.
    fn failed(&self, read: Place) -> Option<Place> {
        let value = self.book.operation(read).result();
        let key = self.book.entry_at(read).key;
        let wrote = |(place, entry): &(usize, &crate::convergence::order::Entry<'_>)| {
            entry.key == key
                && entry.outcome == Outcome::Fail
                && entry.act.writes()
                && crate::convergence::shown::written(self.book, *place as Place) == value
        };
        self.book.entries.iter().enumerate().find(wrote).map(|(place, _)| place as Place)
    }

    /// Operations that lack something of their past.
    pub(super) fn lacking(&mut self, pasts: &Pasts<'_, 'h>, lacking: Vec<Place>, rates: &[Rate]) {
        let by_kind = rates.iter().enumerate().filter(|(_, rate)| rate.judged > 0);
        let by_kind = by_kind.map(|(kind, rate)| (self.book.kinds.name(kind), rate.json())).collect();
        self.stats.insert("by".to_owned(), Value::Object(by_kind));
        self.stats.insert("lacking".to_owned(), json!(lacking.len()));
        for place in lacking.into_iter().take(SHOWN) {
            let key = self.book.entry_at(place).key;
            let lacked = |earlier: Place| {
                let entry = self.book.entry_at(earlier);
                entry.key == key && super::lacks(self.book, pasts.causes, place, earlier)
            };
            let Some(way) = pasts.way(place, |_| [], lacked) else { continue };
            let text = format!("{}, which lacks the first.", self.tell(&way));
            self.add(place, way.into_iter().map(|(_, hop)| hop), &text);
        }
    }

    /// Circles by version order.
    pub(super) fn circles(&mut self, circles: Vec<Vec<Hop>>) {
        self.stats.insert("circles".to_owned(), json!(circles.len()));
        for way in circles.into_iter().take(SHOWN) {
            let Some(&(_, last)) = way.last() else { continue };
            let text = format!(
                "{}; but the store orders the version of the last before that of the first.",
                self.tell(&way)
            );
            self.add(last, way.into_iter().map(|(_, hop)| hop), &text);
        }
    }

    /// A way from cause to effect, in words.
    fn tell(&self, way: &[Hop]) -> String {
        let told = way.iter().enumerate().map(|(at, &(step, place))| {
            let step = (at > 0).then_some(step);
            let (who, deed) = (who(self.book, place), deed(self.book, place));
            match step {
                Some(Step::Session) => format!("then the same one {deed}"),
                Some(Step::Version) => format!("over that, {who} {deed}"),
                Some(Step::Read) | None => format!("{who} {deed}"),
            }
        });
        told.collect::<Vec<_>>().join("; ")
    }

    fn add(&mut self, last: Place, places: impl Iterator<Item = Place>, explanation: &str) {
        let mut ops: Vec<u64> = places.map(|place| self.book.operation(place).index).collect();
        ops.sort_unstable();
        ops.dedup();
        self.anomalies.push(Anomaly {
            kind: CAUSALITY_VIOLATED.to_owned(),
            key: self.book.operation(last).key().cloned(),
            ops,
            context: Vec::new(),
            explanation: capitalised(explanation),
            cycle: Vec::new(),
        });
    }

    pub(super) fn result(self) -> CheckResult {
        let valid = if self.anomalies.is_empty() { Validity::Valid } else { Validity::Invalid };
        CheckResult { valid, anomalies: self.anomalies, unknown: Vec::new(), stats: self.stats }
    }
}
