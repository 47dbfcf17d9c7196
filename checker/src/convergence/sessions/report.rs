//! The findings about sessions: counts, and the first violations with their certificates.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Guarantee;
use super::sight::Sighting;
use crate::convergence::order::{Book, Place};
use crate::convergence::trails::Missing;
use crate::convergence::words::{Rate, deed, key, who};
use crate::linearizability::explain::capitalised;
use crate::verdict::{Anomaly, CheckResult, Validity};

/// Of each guarantee, so many violations are shown; all are counted.
const SHOWN: u64 = 10;

pub(super) struct Report<'b, 'h> {
    book: &'b Book<'h>,
    /// Of each kind of operation, of each guarantee.
    rates: Vec<[Rate; 4]>,
    anomalies: Vec<Anomaly>,
}

impl<'b, 'h> Report<'b, 'h> {
    pub(super) fn new(book: &'b Book<'h>) -> Self {
        Self { book, rates: vec![[Rate::default(); 4]], anomalies: Vec::new() }
    }

    /// The number of an operation's kind.
    pub(super) fn kind(&mut self, place: Place) -> usize {
        let kind = usize::from(self.book.entry_at(place).kind);
        if self.rates.len() <= kind {
            self.rates.resize(kind + 1, [Rate::default(); 4]);
        }
        kind
    }

    /// Counts an operation of a kind that had something to include, and what it lacks; through whom, where it is
    /// another session's.
    pub(super) fn judged(
        &mut self,
        guarantee: Guarantee,
        kind: usize,
        place: Place,
        missing: Option<(Missing, Option<Sighting>)>,
    ) {
        self.rates[kind][guarantee as usize].count(missing.is_some());
        let Some((missing, sighting)) = missing else { return };
        if self.rate(guarantee).violated <= SHOWN {
            let anomaly = self.anomaly(guarantee, place, missing, sighting);
            self.anomalies.push(anomaly);
        }
    }

    /// Over all kinds.
    fn rate(&self, guarantee: Guarantee) -> Rate {
        self.rates.iter().map(|rates| rates[guarantee as usize]).fold(Rate::default(), |all, one| Rate {
            judged: all.judged + one.judged,
            violated: all.violated + one.violated,
        })
    }

    fn anomaly(
        &self,
        guarantee: Guarantee,
        place: Place,
        missing: Missing,
        sighting: Option<Sighting>,
    ) -> Anomaly {
        let book = self.book;
        let mut places = vec![missing.place, place];
        let (first, last) = (deed(book, missing.place), deed(book, place));
        let what = self.what(missing);
        let explanation = match sighting {
            None => format!("{} {first} and then {last}, which lacks {what}.", who(book, place)),
            Some(seen) => {
                places.extend([seen.write, seen.read]);
                let again = if seen.read == place {
                    format!("{} {last}, which includes the second and lacks {what}", who(book, place))
                } else {
                    let look = deed(book, seen.read);
                    format!(
                        "{} {look}, which includes the second, and then {last}, which lacks {what}",
                        who(book, place)
                    )
                };
                let writer = who(book, seen.write);
                format!("{writer} {first} and then {}; {again}.", deed(book, seen.write))
            }
        };
        let mut ops: Vec<u64> = places.iter().map(|&place| book.operation(place).index).collect();
        ops.sort_unstable();
        ops.dedup();
        Anomaly {
            kind: guarantee.anomaly().to_owned(),
            key: book.operation(place).key().cloned(),
            ops,
            context: Vec::new(),
            explanation: capitalised(&explanation),
            cycle: Vec::new(),
        }
    }

    fn what(&self, missing: Missing) -> String {
        match missing.dot {
            Some(dot) => format!("version {} of {}", self.book.show(dot), key(self.book, missing.place)),
            None => "the former".to_owned(),
        }
    }

    pub(super) fn result(self) -> CheckResult {
        let mut stats = BTreeMap::new();
        for guarantee in Guarantee::ALL {
            let mut rate = self.rate(guarantee).json();
            let of_kinds = self.rates.iter().map(|rates| rates[guarantee as usize]).enumerate();
            let judged = of_kinds.filter(|(_, rate)| rate.judged > 0);
            rate["by"] =
                Value::Object(judged.map(|(kind, rate)| (self.book.kinds.name(kind), rate.json())).collect());
            stats.insert(guarantee.name().to_owned(), rate);
        }
        let valid = if self.anomalies.is_empty() { Validity::Valid } else { Validity::Invalid };
        CheckResult { valid, anomalies: self.anomalies, unknown: Vec::new(), stats }
    }
}
