//! `growler list WHAT`: what there is.

use clap::{Args, ValueEnum};
use growler_results::formats::Format;
use growler_results::verdict::Verdict;
use growler_workloads::workload::Description;
use serde_json::Value;

use crate::error::{CommandError, Sort};

/// Options of `growler list`.
#[derive(Debug, Args)]
pub(crate) struct ListCommand {
    /// What to list
    #[arg(value_enum)]
    what: What,

    /// Print an array of objects instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    /// What the clients can do
    Workloads,
    /// What the nemesis can break
    Faults,
    /// Objects that a history can be checked as
    Models,
    /// What a system can be held to
    Promises,
    /// What a check can find
    Anomalies,
    /// Faults planted in the bundled store, to see that growler finds them
    Bugs,
    /// Settings of the bundled store, for --set
    Settings,
    /// History formats that can be read and written
    Formats,
}

impl ListCommand {
    pub(crate) fn run(self) -> Result<Verdict, CommandError> {
        let rows = rows(self.what).internal()?;
        if self.json {
            super::print(&serde_json::to_string_pretty(&rows).internal()?);
        } else {
            super::print(&table(&rows));
        }
        Ok(Verdict::Pass)
    }
}

/// The catalogue, every row an object with at least `name` and `about`.
fn rows(what: What) -> serde_json::Result<Vec<Value>> {
    let value = match what {
        What::Workloads => workloads()?,
        What::Faults => serde_json::to_value(growler_nemesis::faults())?,
        What::Models => serde_json::to_value(growler_checker::model::catalogue())?,
        What::Promises => promises()?,
        What::Anomalies => serde_json::to_value(growler_checker::anomaly::catalogue())?,
        What::Bugs => serde_json::to_value(growler_store::bugs::catalogue())?,
        What::Settings => serde_json::to_value(growler_store::node::settings())?,
        What::Formats => serde_json::to_value(Format::ALL.map(Format::info))?,
    };
    match value {
        Value::Array(rows) => Ok(rows),
        other => Ok(vec![other]),
    }
}

/// The workloads, each with what is promised to it and why.
fn workloads() -> serde_json::Result<Value> {
    let row = |workload: &Description| {
        let mut row = serde_json::to_value(workload)?;
        let promised = growler_workloads::promises::of_workload(workload.name, workload.stores);
        row["promised"] = serde_json::to_value(promised)?;
        Ok(row)
    };
    growler_workloads::workloads().iter().map(|workload| row(workload)).collect()
}

/// The promises; that of sessions with the guarantees that the quorum store gives, and why.
fn promises() -> serde_json::Result<Value> {
    let mut rows = serde_json::to_value(growler_checker::promise::catalogue())?;
    let of_sessions = rows.as_array_mut().into_iter().flatten().find(|row| row["name"] == "sessions");
    if let Some(row) = of_sessions {
        row["promised"] = serde_json::to_value(growler_workloads::promises::of_sessions())?;
    }
    Ok(rows)
}

/// Name and description first, then whatever else a row has, one line each.
fn table(rows: &[Value]) -> String {
    let name = |row: &Value| row["name"].as_str().unwrap_or_default().to_owned();
    let width = rows.iter().map(|r| name(r).len()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for row in rows {
        lines.push(format!("{:<width$}  {}", name(row), row["about"].as_str().unwrap_or_default()));
        for (field, value) in row.as_object().into_iter().flatten() {
            if field == "name" || field == "about" || value.is_null() {
                continue;
            }
            if field == "promised" {
                lines.extend(
                    value
                        .as_array()
                        .into_iter()
                        .flatten()
                        .map(|p| format!("{:<width$}    {}", "", promised(p))),
                );
                continue;
            }
            lines.push(format!("{:<width$}    {field}: {}", "", words(value)));
        }
    }
    lines.join("\n")
}

/// What is promised on which system, and why, as a sentence.
fn promised(row: &Value) -> String {
    let text = |field: &str| row[field].as_str().unwrap_or_default();
    let when = if text("when").is_empty() { String::new() } else { format!(" ({})", text("when")) };
    format!("promised on {}{when}: {}; {}", text("system"), text("promise"), text("why"))
}

fn words(value: &Value) -> String {
    match value {
        Value::String(s) => s.clone(),
        Value::Array(items) if items.is_empty() => "–".to_owned(),
        Value::Array(items) => {
            let separator =
                if items.iter().any(|i| i.as_str().is_some_and(|s| s.starts_with('-'))) { " " } else { ", " };
            items.iter().map(words).collect::<Vec<_>>().join(separator)
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn workloads_are_listed_with_what_is_promised_to_them_and_why() {
        let text = table(&rows(What::Workloads).unwrap());
        assert!(text.contains("promised on quorum (resolve=lww): nothing; a cart merges siblings"), "{text}");
        assert!(text.contains("promised on leader: linearizable; a leader orders"), "{text}");
        let text = table(&rows(What::Promises).unwrap());
        assert!(text.contains("promised on quorum (quorum=strict, r+w>n): read-your-writes;"), "{text}");
    }

    #[test]
    fn every_planted_bug_says_how_to_see_it_and_how_not_to() {
        for bug in growler_store::bugs::catalogue() {
            for expected in bug.expect {
                assert!(growler_checker::anomaly::find(expected).is_some(), "{}: {expected}", bug.name);
            }
            for (store, options) in
                bug.stores.iter().flat_map(|store| [(store, bug.options), (store, bug.quiet)])
            {
                let command = ["growler", "test", "--bug", bug.name, "--store", store];
                let parsed = crate::cli::Cli::try_parse_from(command.iter().chain(options));
                assert!(parsed.is_ok(), "{}: {options:?}", bug.name);
                assert!(options.contains(&"--workload") && options.contains(&"--faults"), "{}", bug.name);
            }
        }
        let text = table(&rows(What::Bugs).unwrap());
        assert!(text.contains("options: --workload register --faults partition --set"), "{text}");
        assert!(text.contains("quiet: --workload register --faults none --set"), "{text}");
    }

    #[test]
    fn settings_are_listed_with_the_stores_that_have_them() {
        let rows = rows(What::Settings).unwrap();
        let row = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap();
        assert_eq!(row("reads")["stores"], serde_json::json!(["leader"]));
        assert_eq!(row("resolve")["stores"], serde_json::json!(["quorum"]));
        assert!(table(&rows).contains("stores: quorum"), "{}", table(&rows));
    }
}
