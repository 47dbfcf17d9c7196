//! From a suite's file to its rows: every combination of a test's matrix is one, in the order of the file, the
//! last option of the matrix changing fastest.
//!
//! A row's options are those of `[defaults]`, overridden by those of the test, and those of its combination.
//! Settings of the store are merged one by one, and named `set.NAME` here.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::bail;
use growler_results::verdict::Verdict;
use serde_json::Value;

use super::file::{File, Options, Test, line_of};

/// Runs of one suite. More are a slip of the pen.
const RUNS_MAX: usize = 10_000;

/// Options by their long names, settings of the store as `set.NAME`.
pub(super) type Flat = BTreeMap<String, Value>;

/// A row that nobody has checked yet.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PlannedRow {
    /// The test's name and what tells this row from its neighbours.
    pub(super) name: String,
    /// The test's name.
    pub(super) test: String,
    /// Where the test stands in the file.
    pub(super) line: usize,
    pub(super) options: Flat,
    pub(super) judge: bool,
    pub(super) expect: Option<Verdict>,
    pub(super) measure: Vec<String>,
    pub(super) all_reads: bool,
}

/// The rows of a file called `name`, each of which will run `seeds` times.
pub(super) fn rows(file: &File, name: &str, text: &str, seeds: usize) -> anyhow::Result<Vec<PlannedRow>> {
    let place = Place { name, text };
    let defaults: Flat = place.flat(&file.defaults)?.into_iter().map(|e| (e.option, e.value)).collect();
    let mut rows: Vec<PlannedRow> = Vec::new();
    let mut names = BTreeSet::new();
    for test in &file.test {
        for row in place.rows_of(test, &defaults, RUNS_MAX / seeds.max(1))? {
            if !names.insert(row.name.clone()) {
                bail!("{name}:{}: a second row is called `{}`: names tell rows apart", row.line, row.name);
            }
            rows.push(row);
        }
    }
    if rows.len() * seeds > RUNS_MAX {
        bail!("{name}: {} rows × {seeds} seeds: at most {RUNS_MAX} runs make one suite", rows.len());
    }
    Ok(rows)
}

/// Options with settings under `set`, as `suite.json` shows them.
pub(super) fn nested(options: &Flat) -> serde_json::Map<String, Value> {
    let mut nested = serde_json::Map::new();
    let mut settings = serde_json::Map::new();
    for (name, value) in options {
        match name.strip_prefix("set.") {
            Some(setting) => settings.insert(setting.to_owned(), value.clone()),
            None => nested.insert(name.clone(), value.clone()),
        };
    }
    if !settings.is_empty() {
        nested.insert("set".to_owned(), Value::Object(settings));
    }
    nested
}

/// One option of the file.
struct Entry {
    option: String,
    value: Value,
    line: usize,
}

/// The file that errors name.
struct Place<'a> {
    name: &'a str,
    text: &'a str,
}

impl Place<'_> {
    /// The options of a table, its settings one by one.
    fn flat(&self, options: &Options) -> anyhow::Result<Vec<Entry>> {
        let mut flat = Vec::new();
        for (option, value) in &options.0 {
            let line = line_of(self.text, option);
            let option = option.get_ref().clone();
            match value {
                Value::Object(settings) if option == "set" => {
                    flat.extend(settings.iter().map(|(setting, value)| Entry {
                        option: format!("set.{setting}"),
                        value: value.clone(),
                        line,
                    }));
                }
                _ if option == "set" => {
                    bail!("{}:{line}: set is a table of settings: set = {{ name = value }}", self.name)
                }
                value => flat.push(Entry { option, value: value.clone(), line }),
            }
        }
        for (at, entry) in flat.iter().enumerate() {
            if flat[..at].iter().any(|earlier| earlier.option == entry.option) {
                bail!("{}:{}: {} stands there twice", self.name, entry.line, entry.option);
            }
        }
        Ok(flat)
    }

    fn rows_of(&self, test: &Test, defaults: &Flat, most: usize) -> anyhow::Result<Vec<PlannedRow>> {
        let mut options = defaults.clone();
        let own = self.flat(&test.options)?;
        let matrix = self.matrix(test, &own)?;
        options.extend(own.into_iter().map(|entry| (entry.option, entry.value)));
        let count = matrix.iter().try_fold(1_usize, |n, (_, values)| n.checked_mul(values.len()));
        if count.is_none_or(|count| count > most) {
            let line = line_of(self.text, &test.name);
            bail!("{}:{line}: the matrix of `{}` has too many combinations", self.name, test.name.get_ref());
        }
        let row = |combination: Vec<(&str, &Value)>| {
            let mut row = PlannedRow {
                name: test.name.get_ref().clone(),
                test: test.name.get_ref().clone(),
                line: line_of(self.text, &test.name),
                options: options.clone(),
                judge: test.judge,
                expect: test.expect_verdict,
                measure: test.measure.clone(),
                all_reads: test.all_reads,
            };
            for (option, value) in combination {
                let short = option.strip_prefix("set.").unwrap_or(option);
                row.name = format!("{} {short}={}", row.name, words(value));
                row.options.insert(option.to_owned(), value.clone());
            }
            row
        };
        Ok(combinations(&matrix).into_iter().map(row).collect())
    }

    /// The options of a test's matrix, with their values.
    fn matrix(&self, test: &Test, own: &[Entry]) -> anyhow::Result<Vec<(String, Vec<Value>)>> {
        let mut matrix = Vec::new();
        for Entry { option, value, line } in self.flat(&test.matrix)? {
            let at = format!("{}:{line}: matrix of `{}`", self.name, test.name.get_ref());
            if own.iter().any(|entry| entry.option == option) {
                bail!("{at}: {option} also stands in the test's options: which is it?");
            }
            match value {
                Value::Array(values) if values.is_empty() => bail!("{at}: {option} has no value"),
                Value::Array(values) => matrix.push((option, values)),
                _ => bail!("{at}: {option} needs a list of values: {option} = [1, 2]"),
            }
        }
        Ok(matrix)
    }
}

/// Every combination, the last option changing fastest. One, of nothing, where there is no option.
fn combinations(matrix: &[(String, Vec<Value>)]) -> Vec<Vec<(&str, &Value)>> {
    let mut found = vec![Vec::new()];
    for (option, values) in matrix {
        found = found
            .into_iter()
            .flat_map(|combination: Vec<(&str, &Value)>| {
                values.iter().map(move |value| {
                    let mut longer = combination.clone();
                    longer.push((option, value));
                    longer
                })
            })
            .collect();
    }
    found
}

/// A value in a row's name.
fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(words).collect::<Vec<_>>().join("+"),
        other => other.to_string(),
    }
}
