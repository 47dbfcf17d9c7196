//! What can be set about a node, by name: `--set KEY=VALUE`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::leader::raft_group::{Reads, Timing};

/// What the catalogue of settings says about one.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SettingInfo {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// Its value when nobody sets it.
    pub default: &'static str,
    /// The values that it may have, in words.
    pub values: &'static str,
}

/// All settings, in the order in which they are listed.
const CATALOGUE: &[SettingInfo] = &[
    SettingInfo {
        name: "partitions",
        about: "how many partitions the tables are cut into; fixed once a node has data",
        default: "3",
        values: "1 to 64",
    },
    SettingInfo {
        name: "reads",
        about: "how strong reads are made strong: by asking a quorum, or by the leader's lease",
        default: "index",
        values: "index, lease",
    },
    SettingInfo {
        name: "election-timeout-ms",
        about: "how long a follower stays loyal to a leader that it no longer hears, in milliseconds",
        default: "500",
        values: "100 to 60000",
    },
    SettingInfo {
        name: "heartbeat-ms",
        about: "how often an idle leader is heard, in milliseconds; at most a third of the election timeout",
        default: "100",
        values: "10 to 20000",
    },
    SettingInfo {
        name: "snapshot-entries",
        about: "how many log entries of a partition are kept before a snapshot takes their place",
        default: "5000",
        values: "10 to 10000000",
    },
];

/// All settings.
#[must_use]
pub fn settings() -> &'static [SettingInfo] {
    CATALOGUE
}

/// A setting that a node cannot run with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// There is no setting of this name.
    #[error("there is no setting `{0}`: `growler list settings` names them")]
    Unknown(String),
    /// The value is none of those allowed.
    #[error("{name}={value} is not possible; possible are: {values}")]
    Value {
        /// The setting.
        name: &'static str,
        /// What was given.
        value: String,
        /// What is possible.
        values: &'static str,
    },
    /// Heartbeats must be several times as frequent as elections.
    #[error("heartbeat-ms={heartbeat} is more than a third of election-timeout-ms={election}: choose less")]
    Heartbeat {
        /// The heartbeat's interval.
        heartbeat: u64,
        /// The election timeout.
        election: u64,
    },
}

/// Settings that fit together.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How many partitions there are.
    pub partitions: u32,
    /// How strong reads are made strong.
    pub reads: Reads,
    /// The times of consensus.
    pub timing: Timing,
    /// Entries between snapshots.
    pub snapshot_entries: u64,
}

impl Settings {
    /// The settings given by name, and the defaults of the others.
    ///
    /// # Errors
    /// A name is unknown, or a value is not possible.
    pub fn parse(given: &BTreeMap<String, String>) -> Result<Self, SettingError> {
        if let Some(unknown) = given.keys().find(|name| CATALOGUE.iter().all(|info| info.name != **name)) {
            return Err(SettingError::Unknown(unknown.clone()));
        }
        let reads = match value(given, "reads")? {
            (_, "index") => Reads::Index,
            (_, "lease") => Reads::Lease,
            (info, other) => return Err(impossible(info, other)),
        };
        let election = number(given, "election-timeout-ms", 100, 60_000)?;
        let heartbeat = number(given, "heartbeat-ms", 10, 20_000)?;
        if heartbeat * 3 > election {
            return Err(SettingError::Heartbeat { heartbeat, election });
        }
        let timing =
            Timing { election: Duration::from_millis(election), heartbeat: Duration::from_millis(heartbeat) };
        Ok(Self {
            partitions: u32::try_from(number(given, "partitions", 1, 64)?).unwrap_or(1),
            reads,
            timing,
            snapshot_entries: number(given, "snapshot-entries", 10, 10_000_000)?,
        })
    }
}

/// Whether a node can run with these settings.
///
/// # Errors
/// A name is unknown, or a value is not possible.
pub fn check_settings(given: &BTreeMap<String, String>) -> Result<(), SettingError> {
    Settings::parse(given).map(drop)
}

fn value<'a>(
    given: &'a BTreeMap<String, String>,
    name: &str,
) -> Result<(&'static SettingInfo, &'a str), SettingError> {
    let info = CATALOGUE.iter().find(|info| info.name == name);
    let info = info.ok_or_else(|| SettingError::Unknown(name.to_owned()))?;
    Ok((info, given.get(name).map_or(info.default, String::as_str)))
}

fn number(given: &BTreeMap<String, String>, name: &str, low: u64, high: u64) -> Result<u64, SettingError> {
    let (info, text) = value(given, name)?;
    text.parse().ok().filter(|number| (low..=high).contains(number)).ok_or_else(|| impossible(info, text))
}

fn impossible(info: &'static SettingInfo, value: &str) -> SettingError {
    SettingError::Value { name: info.name, value: value.to_owned(), values: info.values }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(given: &[(&str, &str)]) -> Result<Settings, SettingError> {
        let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Settings::parse(&given)
    }

    #[test]
    fn the_catalogues_defaults_are_possible() {
        let settings = parse(&[]).unwrap();
        assert_eq!((settings.partitions, settings.reads), (3, Reads::Index));
    }

    #[test]
    fn what_is_not_possible_is_refused_by_name() {
        assert_eq!(parse(&[("colour", "red")]).unwrap_err(), SettingError::Unknown("colour".into()));
        for (name, value) in [("partitions", "0"), ("partitions", "many"), ("reads", "guess")] {
            let error = parse(&[(name, value)]).unwrap_err();
            assert!(matches!(error, SettingError::Value { name: at, .. } if at == name), "{error}");
        }
        let error = parse(&[("election-timeout-ms", "200")]).unwrap_err();
        assert_eq!(error, SettingError::Heartbeat { heartbeat: 100, election: 200 });
    }
}
