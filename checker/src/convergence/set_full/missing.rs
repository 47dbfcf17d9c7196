//! Elements that an ordinary read still merged from somewhere, and that no replica holds in the end.

use std::collections::HashMap;

use serde_json::Value;

use super::Audit;
use crate::anomaly;
use crate::convergence::causes;
use crate::convergence::ending::{End, Quiet, Source};
use crate::convergence::findings::named;
use crate::convergence::order::{Book, Place, Rules};
use crate::convergence::replicas::SETTLE;
use crate::history::{Event, Key};

/// An acknowledged element that no replica was seen to hold when it was last asked.
pub(super) struct Missing<'h> {
    pub(super) key: Option<&'h Key>,
    pub(super) value: &'h Value,
    /// Where its `add` was acknowledged, and the invocation of that.
    pub(super) acknowledged: usize,
    pub(super) add: u64,
}

impl Audit {
    /// Of elements that no replica was seen to hold in the end, finds those of which that is certain: the last round of
    /// `replica-read`s is the end of the set, the element had been acknowledged before it, and each of them asked for it.
    pub(super) fn missing(&mut self, events: &[Event], missing: Vec<Missing<'_>>) {
        if missing.is_empty() {
            return;
        }
        let Ok(book) = Book::new(events, Rules::default()) else { return };
        let quiet = Quiet::new(events, SETTLE);
        let by_key = causes::by_key(&book);
        let mut endings: HashMap<Option<&Key>, Option<End>> = HashMap::new();
        for (places, &key) in by_key.iter().zip(&book.keys) {
            if missing.iter().any(|missing| missing.key == key) {
                let end = quiet.ending(&book, places).seen().filter(|end| end.source == Source::Replicas);
                endings.insert(key, end);
            }
        }
        for Missing { key, value, acknowledged, add } in missing {
            let Some(Some(end)) = endings.get(&key) else { continue };
            // Who asks for some elements only names them.
            let asks = |&place: &Place| {
                book.operation(place).argument().as_array().is_none_or(|asked| asked.contains(value))
            };
            if acknowledged >= end.since as usize || !end.answers.iter().all(asks) {
                continue;
            }
            self.totals.lost_in_replicas += 1;
            let index = |&place: &Place| book.operation(place).index;
            let ops = end.answers.last().map(index).into_iter().chain([add]).collect();
            let context = end.answers.iter().map(index).collect();
            self.findings.anomaly(anomaly::LOST_ELEMENT, key, ops, context, || {
                format!(
                    "Element {value} of {} was added and acknowledged, nobody tried to remove it, and in the end no \
                     replica holds it.",
                    named(key)
                )
            });
        }
    }
}
