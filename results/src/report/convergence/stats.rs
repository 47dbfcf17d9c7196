//! The numbers in a check's stats, by their names, each as it reads best.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Figure, TableRow};
use crate::words::{count, duration};

/// The stats of one check, or an object in them.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stats<'a> {
    Of(&'a BTreeMap<String, Value>),
    In(&'a Value),
}

impl<'a> Stats<'a> {
    pub(super) fn of(stats: &'a BTreeMap<String, Value>) -> Self {
        Self::Of(stats)
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        match self {
            Self::Of(stats) => stats.get(name),
            Self::In(value) => value.get(name),
        }
    }

    /// An object in it.
    pub(super) fn object(&self, name: &str) -> Option<Self> {
        self.get(name).filter(|value| value.is_object()).map(Self::In)
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.as_u64()
    }

    /// How often the check found an anomaly: what it did not find it does not count.
    pub(super) fn found(&self, anomaly: &str) -> u64 {
        self.number(anomaly).unwrap_or(0)
    }

    /// The members of an object in it, in their order.
    pub(super) fn members(&self, name: &str) -> impl Iterator<Item = (&'a str, Self)> + use<'a> {
        let members = self.get(name).and_then(Value::as_object);
        members.into_iter().flatten().map(|(name, value)| (name.as_str(), Self::In(value)))
    }

    /// A list of numbers.
    pub(super) fn numbers(&self, name: &str) -> Vec<u64> {
        let list = self.get(name).and_then(Value::as_array);
        list.into_iter().flatten().map_while(Value::as_u64).collect()
    }

    /// A number as a figure; none where it is not there.
    pub(super) fn figure(&self, name: &str, title: &'static str, note: &str) -> Option<Figure> {
        let value = count(self.number(name)?);
        Some(Figure { name: title, value, note: note.to_owned(), bad: false })
    }

    /// These numbers as a row, each written in one way; a number that is not there is a dash. None where none is.
    pub(super) fn row(&self, name: &str, fields: &[&str], write: fn(u64) -> String) -> Option<TableRow> {
        let numbers: Vec<Option<u64>> = fields.iter().map(|field| self.number(field)).collect();
        let cells = numbers.iter().map(|number| number.map_or("–".to_owned(), write)).collect();
        let row = TableRow { name: name.to_owned(), cells, bad: false };
        numbers.iter().any(Option::is_some).then_some(row)
    }
}

/// A number of milliseconds. Checks that count whole ones call less nothing.
pub(super) fn milliseconds(ms: u64) -> String {
    if ms == 0 { "< 1 ms".to_owned() } else { duration(ms.saturating_mul(1_000_000)) }
}
