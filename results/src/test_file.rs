//! `test.json`: what was tested, how, and when each phase of it happened.
//!
//! The driver writes it when the run starts and again when it ends, so a run that was cut short still says
//! what it was. It holds every option after defaults: enough to run the test again. It must never hold a
//! secret; [`SystemUnderTest::new`] strips credentials from endpoints.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::verdict::{Expectations, RunEnd};

/// `test.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TestFile {
    /// The test's name, as in the folder's path.
    pub name: String,
    /// Every option by its name on the command line, without dashes, after defaults.
    pub options: Map<String, Value>,
    /// Arguments of `growler` that repeat this run, seed included: `["test", "--seed", "1", …]`.
    pub command: Vec<String>,
    /// The seed that every random choice follows from.
    pub seed: u64,
    /// Versions of growler and of what it ran, by name.
    pub versions: BTreeMap<String, String>,
    /// What was tested.
    pub system: SystemUnderTest,
    /// Facts of the machine: cores, memory, kernel, ….
    pub host: BTreeMap<String, Value>,
    /// The workload.
    pub workload: String,
    /// The model of the history's functions and values, `growler check --model`.
    pub model: String,
    /// What the system is held to, `--promise`.
    pub promise: String,
    /// The nodes' names, in order.
    pub nodes: Vec<String>,
    /// When what happened.
    pub timings: Timings,
    /// How the run ended. None while it is going on, and for ever where growler was killed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<RunEnd>,
}

/// The system under test, as far as it may be told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SystemUnderTest {
    /// One line for people: `bundled leader store, 3 nodes, 3 partitions, reads=index`.
    pub description: String,
    /// Endpoints, without credentials and queries.
    pub endpoints: Vec<String>,
}

/// When what happened. Times are ns since the run began, but for `started`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Timings {
    /// When the run began: UTC, RFC 3339.
    pub started: String,
    /// The phases, in order.
    pub phases: Vec<Phase>,
    /// One entry for each heal that left no fault in force.
    pub recoveries: Vec<Recovery>,
    /// When and why the load ended before its time, where a violation (`--fail-fast`) or a cap did that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_early: Option<StoppedEarly>,
}

/// The end of a load before its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoppedEarly {
    /// When, ns since the run began.
    pub at_ns: u64,
    /// Why, without a full stop.
    pub reason: String,
}

/// One phase of the run: `set-up`, `warm-up`, `main`, `recovery`, `teardown`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// Its start, ns since the run began.
    pub start_ns: u64,
    /// Its end, ns since the run began.
    pub end_ns: u64,
}

/// How the system came back after a heal that left no fault in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    /// When the last fault was healed, ns since the run began.
    pub healed_ns: u64,
    /// When it had to serve again, ns since the run began.
    pub deadline_ns: u64,
    /// When every partition had served everything that was asked for (a write, and the reads that the workload
    /// makes) through every node; null if it never did.
    pub recovered_ns: Option<u64>,
    /// When the next fault (or the user, or `--fail-fast`) ended the measurement, where that came first: then a missing
    /// `recovered_ns` says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_short_ns: Option<u64>,
    /// The same for each node asked, each partition, and each sort of request.
    #[serde(default)]
    pub per: Vec<PartRecovery>,
}

impl Recovery {
    /// Whether it came too late or never, within a run that lasted to its deadline.
    #[must_use]
    pub fn missed(&self) -> bool {
        match (self.recovered_ns, self.cut_short_ns) {
            (Some(recovered), _) => recovered > self.deadline_ns,
            (None, Some(cut_short)) => cut_short > self.deadline_ns,
            (None, None) => true,
        }
    }
}

/// The first time that a partition served a request of one sort through a node after a heal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartRecovery {
    /// The node asked.
    pub node: String,
    /// The partition.
    pub partition: String,
    /// What was asked for: `write`, `strong read` or `eventual read`.
    #[serde(default = "write")]
    pub asked: String,
    /// When it was served, ns since the run began; null if it never was.
    pub acked_ns: Option<u64>,
}

/// What was asked for before reads were asked for too.
fn write() -> String {
    "write".to_owned()
}

impl SystemUnderTest {
    /// Describes a system. What endpoints carry of user names, passwords and queries is left out.
    #[must_use]
    pub fn new(description: impl Into<String>, endpoints: &[String]) -> Self {
        Self {
            description: description.into(),
            endpoints: endpoints.iter().map(|e| without_secrets(e)).collect(),
        }
    }
}

impl TestFile {
    /// The command that runs this test again, quoted for a POSIX shell.
    #[must_use]
    pub fn command_line(&self) -> String {
        if self.command.is_empty() {
            return format!("growler test --seed {}", self.seed);
        }
        command_line(&self.command)
    }

    /// What the run's options allowed and expected.
    #[must_use]
    pub fn expectations(&self) -> Expectations {
        let names = |option: &str| match self.options.get(option) {
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            Some(Value::String(name)) => vec![name.clone()],
            _ => Vec::new(),
        };
        Expectations { allow: names("allow"), expect: names("expect") }
    }
}

/// `growler` with these arguments, quoted for a POSIX shell.
pub(crate) fn command_line(arguments: &[String]) -> String {
    let mut line = String::from("growler");
    for argument in arguments {
        line.push(' ');
        line.push_str(&shell_quoted(argument));
    }
    line
}

/// Strips `user:password@`, `?query` and `#fragment` from a URL.
fn without_secrets(url: &str) -> String {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let url = &url[..end];
    let host = url.find("://").map_or(0, |i| i + 3);
    let host_end = url[host..].find('/').map_or(url.len(), |i| host + i);
    match url[host..host_end].rfind('@') {
        Some(at) => format!("{}{}", &url[..host], &url[host + at + 1..]),
        None => url.to_owned(),
    }
}

/// Quotes where a POSIX shell would not take the word as it is.
pub(crate) fn shell_quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+./:,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_lose_their_credentials() {
        let urls =
            ["http://AKIA:secret@db.example:8000/p", "https://db.example/?token=x", "http://[::1]:8000"];
        let system = SystemUnderTest::new("theirs", &urls.map(String::from));
        assert_eq!(
            system.endpoints,
            ["http://db.example:8000/p", "https://db.example/", "http://[::1]:8000"]
        );
    }

    #[test]
    fn the_command_line_survives_a_shell() {
        let command = ["test", "--set", "note=it's $HOME", ""].map(String::from).to_vec();
        let test = TestFile { command, ..TestFile::default() };
        assert_eq!(test.command_line(), r"growler test --set 'note=it'\''s $HOME' ''");
    }

    #[test]
    fn a_file_of_another_version_is_read() {
        let test: TestFile = serde_json::from_str(r#"{"seed": 7, "news": true}"#).unwrap();
        assert_eq!(test.seed, 7);
        assert_eq!(test.command_line(), "growler test --seed 7");
    }
}
