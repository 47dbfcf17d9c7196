//! The settings of the leader style.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Given, SettingError, SettingInfo, Style};
use crate::leader::raft_group::{Reads, Timing};

const STORES: &[&str] = &[Style::Leader.name()];

/// All of them, in the order in which they are listed.
pub(super) const CATALOGUE: &[SettingInfo] = &[
    SettingInfo {
        name: "partitions",
        about: "how many partitions the tables are cut into; fixed once a node has data",
        default: "3",
        values: "1 to 64",
        stores: STORES,
    },
    SettingInfo {
        name: "reads",
        about: "how strong reads are made strong: by asking a quorum, or by the leader's lease",
        default: "index",
        values: "index, lease",
        stores: STORES,
    },
    SettingInfo {
        name: "election-timeout-ms",
        about: "how long a follower stays loyal to a leader that it no longer hears, in milliseconds",
        default: "500",
        values: "100 to 60000",
        stores: STORES,
    },
    SettingInfo {
        name: "heartbeat-ms",
        about: "how often an idle leader is heard, in milliseconds; at most a third of the election timeout",
        default: "100",
        values: "10 to 20000",
        stores: STORES,
    },
    SettingInfo {
        name: "snapshot-entries",
        about: "how many log entries of a partition are kept before a snapshot takes their place",
        default: "5000",
        values: "10 to 10000000",
        stores: STORES,
    },
];

/// Settings of the leader style that fit together.
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
        let given = Given::new(Style::Leader, given)?;
        let reads = given.word("reads", &[("index", Reads::Index), ("lease", Reads::Lease)])?;
        let election = given.number("election-timeout-ms", 100, 60_000)?;
        let heartbeat = given.number("heartbeat-ms", 10, 20_000)?;
        if heartbeat * 3 > election {
            return Err(SettingError::Heartbeat { heartbeat, election });
        }
        let timing =
            Timing { election: Duration::from_millis(election), heartbeat: Duration::from_millis(heartbeat) };
        Ok(Self {
            partitions: given.small("partitions", 1, 64)?,
            reads,
            timing,
            snapshot_entries: given.number("snapshot-entries", 10, 10_000_000)?,
        })
    }
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
