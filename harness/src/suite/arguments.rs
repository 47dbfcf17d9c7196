//! From a row's options to arguments of `growler test`, checked as `growler test` checks them.
//!
//! The names come from the command line's own definition, so that an option which `growler test` learns is
//! known here at once.

use anyhow::{anyhow, bail};
use clap::{Arg, ArgAction, Args, Command, FromArgMatches};
use serde_json::Value;

use super::matrix::{Flat, PlannedRow};
use crate::cli::TestOptions;
use crate::driver::check_options;

/// What the suite says itself.
const OWN: [(&str, &str); 3] = [
    ("seed", "the seeds of a suite stand at its top: seeds = [1, 2, 3]"),
    ("out", "the runs of a suite are kept in its folder: give --out to `growler suite`"),
    ("json", "every run of a suite answers in JSON"),
];

/// The arguments of a row, without seed and place, after everything about them was checked that can be checked
/// before a run starts.
pub(super) fn checked(row: &PlannedRow, seeds: &[u64]) -> anyhow::Result<Vec<String>> {
    let arguments = written(&row.options)?;
    for seed in seeds {
        let mut all = arguments.clone();
        all.push(format!("--seed={seed}"));
        let options = parse(&all)?;
        check_options(&options).map_err(|e| anyhow!(e.describe()))?;
        for promise in &row.measure {
            check_measure(&options.workload, promise)?;
        }
    }
    Ok(arguments)
}

/// `--name=value` for each option.
pub(super) fn written(options: &Flat) -> anyhow::Result<Vec<String>> {
    let command = command();
    let mut arguments = Vec::new();
    for (name, value) in options {
        if let Some(setting) = name.strip_prefix("set.") {
            let value = scalar(value).ok_or_else(|| anyhow!("the setting {setting} needs one value"))?;
            arguments.push(format!("--set={setting}={value}"));
            continue;
        }
        if let Some((_, why)) = OWN.iter().find(|(own, _)| own == name) {
            bail!("{name} is no option of a row: {why}");
        }
        let known = command.get_arguments().find(|argument| argument.get_long() == Some(name));
        let Some(argument) = known else {
            bail!("`growler test` has no option `{name}`; there are: {}", names(&command));
        };
        arguments.extend(one(argument, name, value)?);
    }
    Ok(arguments)
}

/// The arguments of one option.
fn one(argument: &Arg, name: &str, value: &Value) -> anyhow::Result<Vec<String>> {
    let is_switch = matches!(argument.get_action(), ArgAction::SetTrue);
    let repeats = matches!(argument.get_action(), ArgAction::Append);
    match value {
        Value::Bool(on) if is_switch => Ok(on.then(|| format!("--{name}")).into_iter().collect()),
        _ if is_switch => bail!("{name} is either true or false"),
        Value::Bool(_) => bail!("{name} needs a value, not true or false"),
        Value::Array(values) if name == "faults" && values.is_empty() => {
            bail!("faults = [] says nothing: write faults = \"none\"")
        }
        Value::Array(values) if repeats => values
            .iter()
            .map(|value| {
                let value = scalar(value).ok_or_else(|| anyhow!("{name} is a list of plain values"))?;
                Ok(format!("--{name}={value}"))
            })
            .collect(),
        Value::Array(_) => {
            bail!("{name} takes one value, not a list (a list of values goes into the matrix)")
        }
        value => {
            let value = scalar(value).ok_or_else(|| anyhow!("{name} needs a plain value"))?;
            Ok(vec![format!("--{name}={value}")])
        }
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(on) => Some(on.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn names(command: &Command) -> String {
    let own = |name: &&str| !OWN.iter().any(|(own, _)| own == name) && *name != "help";
    let names: Vec<&str> = command.get_arguments().filter_map(Arg::get_long).filter(own).collect();
    names.join(", ")
}

/// `growler test` as clap knows it.
fn command() -> Command {
    TestOptions::augment_args(Command::new("growler test").no_binary_name(true))
}

fn parse(arguments: &[String]) -> anyhow::Result<TestOptions> {
    let read = command()
        .try_get_matches_from(arguments)
        .and_then(|mut matches| TestOptions::from_arg_matches_mut(&mut matches));
    read.map_err(|e| {
        let text = e.to_string();
        // After the first paragraph come the usage and the way to the help.
        let first = text.split("\n\n").next().unwrap_or_default();
        anyhow!("{}", first.trim_start_matches("error: ").replace('\n', " "))
    })
}

/// A promise that a history of this workload can be held to.
fn check_measure(workload: &str, promise: &str) -> anyhow::Result<()> {
    let described = growler_workloads::workloads().iter().find(|described| described.name == workload);
    let model = described.map_or(workload, |described| described.model);
    match growler_checker::checks_for(model, promise) {
        Ok(_) => Ok(()),
        Err(e) => bail!("measure = [\"{promise}\"]: {e}"),
    }
}
