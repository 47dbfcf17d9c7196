//! What can be set about a node, by name: `--set KEY=VALUE`.
//!
//! Each style of the store has settings of its own; two styles may have one of the same name with other
//! values. A setting that a node cannot run with is refused before anything starts, by its name and with
//! what to do.

mod leader;
mod quorum;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;

pub use leader::Settings;
pub(super) use quorum::parse as parse_quorum;

use crate::quorum::options::Quorum;

/// How a store replicates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// Each partition has a leader, chosen by consensus.
    #[default]
    Leader,
    /// Every owner of a key takes writes, and they agree later.
    Quorum,
}

impl Style {
    /// All styles, in the order in which they are listed.
    pub const ALL: [Self; 2] = [Self::Leader, Self::Quorum];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Leader => "leader",
            Self::Quorum => "quorum",
        }
    }

    /// How many nodes a store of this style has when nobody says: enough for a majority of three, or for
    /// three owners of a key and two that stand in.
    #[must_use]
    pub const fn default_nodes(self) -> usize {
        match self {
            Self::Leader => 3,
            Self::Quorum => 5,
        }
    }

    /// The settings that it has.
    fn settings(self) -> &'static [SettingInfo] {
        match self {
            Self::Leader => leader::CATALOGUE,
            Self::Quorum => quorum::CATALOGUE,
        }
    }

    /// The setting of this name.
    fn setting(self, name: &str) -> Option<&'static SettingInfo> {
        self.settings().iter().find(|info| info.name == name)
    }
}

impl fmt::Display for Style {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no such style.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no store `{0}`; there are: {names}", names = Style::ALL.map(Style::name).join(", "))]
pub struct UnknownStyle(String);

impl FromStr for Style {
    type Err = UnknownStyle;

    fn from_str(name: &str) -> Result<Self, UnknownStyle> {
        let found = Self::ALL.into_iter().find(|style| style.name() == name);
        found.ok_or_else(|| UnknownStyle(name.to_owned()))
    }
}

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
    /// The styles of the store that have it.
    pub stores: &'static [&'static str],
}

/// All settings of all styles, in the order in which they are listed.
#[must_use]
pub fn settings() -> Vec<SettingInfo> {
    Style::ALL.into_iter().flat_map(Style::settings).copied().collect()
}

/// A setting that a node cannot run with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// There is no setting of this name.
    #[error("there is no setting `{0}`: `growler list settings` names them")]
    Unknown(String),
    /// Another style has it.
    #[error(
        "the {style} store has no setting `{name}`, the {other} store has: use --store {other}, or leave it out"
    )]
    OtherStyle {
        /// The setting.
        name: String,
        /// The style that was to run with it.
        style: Style,
        /// A style that has it.
        other: Style,
    },
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
    /// More copies than nodes to hold them.
    #[error(
        "n={n} copies of each key need as many nodes, and there are {nodes}: set n={nodes} or less, or use \
         --nodes {n}"
    )]
    TooFewNodes {
        /// Copies of each key.
        n: u32,
        /// The nodes.
        nodes: usize,
    },
    /// Fewer parts of the ring than nodes: some node would have none, and some key too few owners.
    #[error("partitions={partitions} is less than the {nodes} nodes: set partitions={nodes} or more")]
    TooFewPartitions {
        /// Parts of the ring.
        partitions: u32,
        /// The nodes.
        nodes: usize,
    },
    /// A read or write that waits for more answers than there are copies.
    #[error(
        "{name}={value} is more than the n={n} copies that each key has: set {name}={n} or less, or a greater n"
    )]
    MoreThanCopies {
        /// `r` or `w`.
        name: &'static str,
        /// Its value.
        value: u32,
        /// Copies of each key.
        n: u32,
    },
}

/// Whether a store of this style with this many nodes can run with these settings.
///
/// # Errors
/// A name is unknown, or a value is not possible.
pub fn check_settings(
    style: Style,
    nodes: usize,
    given: &BTreeMap<String, String>,
) -> Result<(), SettingError> {
    match style {
        Style::Leader => Settings::parse(given).map(drop),
        Style::Quorum => quorum::parse(given, nodes).map(drop),
    }
}

/// What a store does when nodes cannot reach each other, as far as its settings say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// It takes at most so long until a node that is gone is known to be, and others do its work.
    pub detection: Duration,
    /// With so many nodes that reach each other, every item can be written.
    pub writable: usize,
}

/// The limits of a store of this style with this many nodes and these settings.
///
/// # Errors
/// Those of [`check_settings`].
pub fn limits(style: Style, nodes: usize, given: &BTreeMap<String, String>) -> Result<Limits, SettingError> {
    match style {
        Style::Leader => {
            let timing = Settings::parse(given)?.timing;
            // A round of voting may be split; the next one comes after up to two timeouts more.
            Ok(Limits { detection: timing.election * 4, writable: nodes / 2 + 1 })
        }
        Style::Quorum => {
            let options = quorum::parse(given, nodes)?;
            let absent = match options.quorum {
                Quorum::Sloppy => nodes - options.w as usize,
                Quorum::Strict => (options.n - options.w) as usize,
            };
            Ok(Limits { detection: options.detection_bound(nodes), writable: nodes - absent })
        }
    }
}

/// The settings that were given to a store of one style.
struct Given<'a> {
    style: Style,
    values: &'a BTreeMap<String, String>,
}

impl<'a> Given<'a> {
    /// Takes settings of which the style has every one.
    fn new(style: Style, values: &'a BTreeMap<String, String>) -> Result<Self, SettingError> {
        for name in values.keys() {
            if style.setting(name).is_some() {
                continue;
            }
            return Err(match Style::ALL.into_iter().find(|other| other.setting(name).is_some()) {
                Some(other) => SettingError::OtherStyle { name: name.clone(), style, other },
                None => SettingError::Unknown(name.clone()),
            });
        }
        Ok(Self { style, values })
    }

    fn value(&self, name: &str) -> Result<(&'static SettingInfo, &'a str), SettingError> {
        let info = self.style.setting(name).ok_or_else(|| SettingError::Unknown(name.to_owned()))?;
        Ok((info, self.values.get(name).map_or(info.default, String::as_str)))
    }

    fn number(&self, name: &str, low: u64, high: u64) -> Result<u64, SettingError> {
        let (info, text) = self.value(name)?;
        text.parse().ok().filter(|number| (low..=high).contains(number)).ok_or_else(|| impossible(info, text))
    }

    fn small(&self, name: &str, low: u32, high: u32) -> Result<u32, SettingError> {
        let number = self.number(name, low.into(), high.into())?;
        Ok(u32::try_from(number).unwrap_or(high))
    }

    /// One of several words, each of which stands for something.
    fn word<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<T, SettingError> {
        let (info, text) = self.value(name)?;
        let found = words.iter().find(|(word, _)| *word == text);
        found.map(|(_, meaning)| *meaning).ok_or_else(|| impossible(info, text))
    }
}

fn impossible(info: &'static SettingInfo, value: &str) -> SettingError {
    SettingError::Value { name: info.name, value: value.to_owned(), values: info.values }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(style: Style, nodes: usize, given: &[(&str, &str)]) -> Result<(), SettingError> {
        let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        check_settings(style, nodes, &given)
    }

    #[test]
    fn every_style_runs_with_its_defaults_and_knows_its_name() {
        for style in Style::ALL {
            assert_eq!(check(style, style.default_nodes(), &[]), Ok(()));
            assert_eq!(style.name().parse(), Ok(style));
        }
        let message = "paxos".parse::<Style>().unwrap_err().to_string();
        assert_eq!(message, "there is no store `paxos`; there are: leader, quorum");
    }

    #[test]
    fn limits_follow_from_the_settings() {
        let of = |style, nodes, given: &[(&str, &str)]| {
            let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            limits(style, nodes, &given).unwrap()
        };
        assert_eq!(of(Style::Leader, 5, &[]).writable, 3);
        assert_eq!(
            of(Style::Quorum, 5, &[]),
            Limits { detection: Duration::from_millis(2_000), writable: 2 }
        );
        assert_eq!(of(Style::Quorum, 5, &[("quorum", "strict")]).writable, 4);
        assert_eq!(of(Style::Quorum, 5, &[("quorum", "strict"), ("w", "3")]).writable, 5);
        assert_eq!(of(Style::Quorum, 5, &[("w", "1")]).writable, 1);
        let slow = of(Style::Quorum, 3, &[("suspect-ms", "900"), ("gossip-ms", "10")]);
        assert_eq!(slow.detection, Duration::from_millis(1_010));
    }

    #[test]
    fn no_style_has_two_settings_of_one_name() {
        for style in Style::ALL {
            let mut names: Vec<_> = style.settings().iter().map(|info| info.name).collect();
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count, "{style}");
            assert!(style.settings().iter().all(|info| info.stores == [style.name()]));
        }
    }

    #[test]
    fn a_setting_of_another_style_is_refused_with_that_style_s_name() {
        let error = check(Style::Quorum, 5, &[("reads", "lease")]).unwrap_err();
        assert!(error.to_string().contains("--store leader"), "{error}");
        let error = check(Style::Leader, 3, &[("resolve", "lww")]).unwrap_err();
        assert!(error.to_string().contains("--store quorum"), "{error}");
        let error = check(Style::Quorum, 5, &[("colour", "red")]).unwrap_err();
        assert_eq!(error, SettingError::Unknown("colour".into()));
    }
}
