//! A figure of a run that a map shows: where it stands, what it is called, and how several become one.
//!
//! Figures are named by paths into one object per run: what `results.json` holds, and beside it `measured`,
//! which holds the same of every further promise by the promise's name. So `checks.linearizable.valid` is the
//! run's own check, and `measured.linearizable.valid` the one that was only measured. A figure may be the share
//! of one number in another.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::words;

/// What is shown of every run. In a file it may also be its path alone.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Figure {
    /// Where it stands: see [`value_at`].
    pub path: String,
    /// Where the number stands that it is divided by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// What it is called.
    pub label: String,
    /// How it is written.
    pub unit: Unit,
    /// Which end of its scale is the good one.
    pub better: Better,
    /// How the numbers of several runs become one.
    pub over: Over,
}

/// How a number is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// As it is, to three digits.
    #[default]
    Number,
    /// A share from 0 to 1, as a percentage.
    Share,
    /// Nanoseconds, in the unit that suits them. Colours follow their logarithm.
    Ns,
    /// The same of milliseconds.
    Ms,
}

/// Which end of a scale is the good one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// Small numbers are good.
    #[default]
    Low,
    /// Large numbers are good.
    High,
}

/// How the numbers of several runs become one. Answers never become a mean: one that was broken counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Over {
    /// Their mean.
    #[default]
    Mean,
    /// The smallest.
    Min,
    /// The largest.
    Max,
}

/// Several runs' values of a figure, as one.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Whole {
    /// No run has it.
    Missing,
    /// Numbers.
    Number(f64),
    /// Answers of checks: how many held, could not be decided, were broken.
    Answers { held: usize, unknown: usize, broken: usize },
    /// Anything else: the different ones.
    Words(String),
}

impl Unit {
    /// Whether it measures time, whose colours follow the logarithm.
    pub(super) fn is_a_time(self) -> bool {
        matches!(self, Self::Ns | Self::Ms)
    }
}

impl<'de> Deserialize<'de> for Figure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PathOrTable)
    }
}

/// A figure as its path, or with all that is to be said of it.
struct PathOrTable;

/// A figure in full.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Full {
    path: String,
    of: Option<String>,
    label: Option<String>,
    #[serde(default)]
    unit: Unit,
    #[serde(default)]
    better: Better,
    #[serde(default)]
    over: Over,
}

impl<'de> Visitor<'de> for PathOrTable {
    type Value = Figure;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a path such as \"checks.linearizable.valid\", or a table with a path")
    }

    fn visit_str<E: de::Error>(self, path: &str) -> Result<Figure, E> {
        Ok(Figure { path: path.to_owned(), label: path.to_owned(), ..Figure::default() })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Figure, A::Error> {
        let Full { path, of, label, unit, better, over } =
            Full::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Figure { label: label.unwrap_or_else(|| path.clone()), path, of, unit, better, over })
    }
}

/// The value at a path: names separated by dots (`stats.ok`, `reasons.0`, and `sides.side=n1.served` for the item
/// of a list whose `side` is `n1`), or a JSON pointer, which also finds names that hold a dot (`/measured/a.b`).
fn value_at<'a>(document: &'a Value, path: &str) -> Option<&'a Value> {
    if path.starts_with('/') {
        return document.pointer(path);
    }
    path.split('.').try_fold(document, |value, name| match value {
        Value::Object(fields) => fields.get(name),
        Value::Array(items) => match name.split_once('=') {
            Some((field, wanted)) => items.iter().find(|item| item[field] == wanted),
            None => items.get(name.parse::<usize>().ok()?),
        },
        _ => None,
    })
}

impl Figure {
    /// This figure of a run. None where it has none, or where what it is a share of is nothing.
    #[must_use]
    pub fn of_run(&self, document: &Value) -> Option<Value> {
        let value = value_at(document, &self.path)?;
        let Some(of) = &self.of else { return Some(value.clone()) };
        let whole = value_at(document, of)?.as_f64().filter(|whole| *whole != 0.0)?;
        Some(Value::from(value.as_f64()? / whole))
    }

    /// Several runs' values as one.
    pub(super) fn whole<'a>(&self, values: impl IntoIterator<Item = &'a Value>) -> Whole {
        let present: Vec<&Value> = values.into_iter().filter(|value| !value.is_null()).collect();
        if present.is_empty() {
            return Whole::Missing;
        }
        let numbers: Vec<f64> = present.iter().filter_map(|value| value.as_f64()).collect();
        if numbers.len() == present.len() {
            return Whole::Number(match self.over {
                Over::Mean => numbers.iter().sum::<f64>() / numbers.len() as f64,
                Over::Min => numbers.iter().copied().fold(f64::INFINITY, f64::min),
                Over::Max => numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            });
        }
        let count = |answer: &Value| present.iter().filter(|value| **value == answer).count();
        let [held, broken] = [true, false].map(|answer| count(&Value::Bool(answer)));
        let unknown = count(&Value::from("unknown"));
        if held + broken + unknown == present.len() {
            return Whole::Answers { held, unknown, broken };
        }
        let mut words: Vec<String> =
            present.iter().map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)).collect();
        words.sort_unstable();
        words.dedup();
        Whole::Words(words.join(", "))
    }

    /// A whole in words.
    pub(super) fn words(&self, whole: &Whole) -> String {
        match whole {
            Whole::Missing => "–".to_owned(),
            Whole::Number(number) => self.number(*number),
            Whole::Words(words) => words.clone(),
            Whole::Answers { held, unknown, broken } => {
                let all = held + unknown + broken;
                let (word, times) = match (broken, unknown) {
                    (0, 0) => ("yes", all),
                    (0, _) => ("unknown", *unknown),
                    _ => ("no", *broken),
                };
                if times == all { word.to_owned() } else { format!("{word} ({times} of {all})") }
            }
        }
    }

    /// A number of this figure, as people read it.
    pub(super) fn number(&self, number: f64) -> String {
        match self.unit {
            Unit::Share => format!("{} %", digits(number * 100.0)),
            Unit::Ns if number >= 0.0 => words::duration(number.round() as u64),
            Unit::Ms if number >= 0.0 => words::duration((number * 1e6).round() as u64),
            Unit::Ns | Unit::Ms | Unit::Number => digits(number),
        }
    }
}

/// A number to three digits; whole ones in full.
fn digits(number: f64) -> String {
    let size = number.abs();
    if !number.is_finite() {
        return number.to_string();
    }
    if size >= 999.5 {
        let sign = if number < 0.0 { "−" } else { "" };
        return format!("{sign}{}", words::count(size.round() as u64));
    }
    let places = match size {
        99.95.. => 0,
        9.995.. => 1,
        0.9995.. => 2,
        _ => 3,
    };
    let text = format!("{number:.places$}");
    let short = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if short == "0" && size > 0.0 { format!("{number:.1e}") } else { short.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_find_fields_items_and_names_with_dots() {
        let document = json!({"checks": {"staleness": {"stats": {"k": [1, 2]}}}, "measured": {"a.b": true}});
        let found = |path: &str| value_at(&document, path).cloned();
        assert_eq!(found("checks.staleness.stats.k.1"), Some(json!(2)));
        assert_eq!(found("/checks/staleness/stats/k/0"), Some(json!(1)));
        assert_eq!(found("/measured/a.b"), Some(json!(true)));
        let sides = json!({"sides": [{"side": "a", "served": 1}, {"side": "b", "served": 3, "all": 4}]});
        assert_eq!(value_at(&sides, "sides.side=b.served"), Some(&json!(3)));
        assert_eq!(value_at(&sides, "sides.side=c.served"), None);
        let share = |side: &str| Figure {
            path: format!("sides.side={side}.served"),
            of: Some(format!("sides.side={side}.all")),
            ..Figure::default()
        };
        assert_eq!(share("b").of_run(&sides), Some(json!(0.75)));
        assert_eq!([share("a").of_run(&sides), share("c").of_run(&sides)], [None, None]);
        assert_eq!(
            [found("checks.none"), found("checks.staleness.stats.k.x"), found("")],
            [None, None, None]
        );
    }

    #[test]
    fn a_figure_is_a_path_or_a_table() {
        let figure: Figure = serde_json::from_value(json!("stats.ok")).unwrap();
        assert_eq!((figure.path.as_str(), figure.label.as_str()), ("stats.ok", "stats.ok"));
        let table =
            json!({"path": "a.b", "label": "stale reads", "unit": "share", "better": "high", "over": "max"});
        let figure: Figure = serde_json::from_value(table).unwrap();
        assert_eq!(
            (figure.label.as_str(), figure.unit, figure.over),
            ("stale reads", Unit::Share, Over::Max)
        );
        assert_eq!(figure.better, Better::High);
        let again: Figure = serde_json::from_value(serde_json::to_value(&figure).unwrap()).unwrap();
        assert_eq!(again, figure);
        let wrong = serde_json::from_value::<Figure>(json!({"path": "a", "units": "share"})).unwrap_err();
        assert!(wrong.to_string().contains("unknown field `units`"), "{wrong}");
    }

    #[test]
    fn several_runs_become_one_and_a_broken_answer_counts() {
        let figure = |over| Figure { over, ..Figure::default() };
        let numbers = [json!(1), json!(4), json!(null), json!(7.0)];
        let whole = |over| figure(over).whole(&numbers);
        assert_eq!([Over::Mean, Over::Min, Over::Max].map(whole), [4.0, 1.0, 7.0].map(Whole::Number));
        assert_eq!(figure(Over::Mean).whole(&[]), Whole::Missing);
        let said = |answers: &[Value]| {
            let figure = figure(Over::Mean);
            figure.words(&figure.whole(answers))
        };
        assert_eq!(said(&[json!(true), json!(true)]), "yes");
        assert_eq!(said(&[json!(true), json!(false), json!("unknown")]), "no (1 of 3)");
        assert_eq!(said(&[json!("unknown"), json!(true)]), "unknown (1 of 2)");
        assert_eq!(said(&[json!("pass"), json!("vacuous"), json!("pass")]), "pass, vacuous");
        assert_eq!(said(&[json!(null)]), "–");
    }

    #[test]
    fn numbers_read_well() {
        let written = |unit, number| Figure { unit, ..Figure::default() }.number(number);
        assert_eq!(written(Unit::Share, 0.12345), "12.3 %");
        assert_eq!(written(Unit::Share, 1.0), "100 %");
        assert_eq!(written(Unit::Share, 0.0), "0 %");
        assert_eq!(written(Unit::Share, 0.000_001), "1.0e-4 %");
        assert_eq!(written(Unit::Ns, 3_412_000.4), "3.41 ms");
        assert_eq!(written(Unit::Number, 12_345.0), "12\u{202f}345");
        assert_eq!(written(Unit::Number, -2.5), "-2.5");
        assert_eq!(written(Unit::Number, 3.0), "3");
    }
}
