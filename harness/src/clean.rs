//! What runs have left on an endpoint, and which of it may go.
//!
//! A run that is killed, or that may not delete, leaves its tables. Their names tell whose they are: `growler-`, the
//! run's start (`20261130T235624123Z`), and what for. While it goes on, a run marks itself as alive in its
//! canary's table ([`keep_marking`]), so that a look from any machine can tell. A table may go if its run began
//! over an hour ago and has not marked itself for a quarter of an hour. Whatever cannot be told is kept, with
//! the reason.
//!
//! Nothing here may touch a table whose name is not of that form, nor delete one without having asked for the
//! mark just before.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use growler_workloads::dynamodb::Client;
use growler_workloads::probe::Canary;
use growler_workloads::tables;
use growler_workloads::workload::SetUpError;
use jiff::{SignedDuration, Timestamp};

/// What the name of every table of a run begins with.
const PREFIX: &str = "growler-";

/// A run's moment of start in a table's name: `%Y%m%dT%H%M%S`, and behind it milliseconds and `Z`.
const START: &str = "%Y%m%dT%H%M%S";
const START_LENGTH: usize = "20261130T235624".len();

/// Younger runs are left alone, whatever they say.
const YOUNG: SignedDuration = SignedDuration::from_hours(1);

/// A run that has marked itself within this time is alive. Links to all nodes may be cut for a while, and the
/// clocks of two machines may differ.
const ALIVE: SignedDuration = SignedDuration::from_mins(15);

/// Between two marks.
const MARKS_EVERY: Duration = Duration::from_secs(30);

/// What the names of a run's tables begin with, by the name of its folder.
pub(crate) fn table_prefix(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let id: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("{PREFIX}{id}-")
}

/// Marks the run as alive now and then, until it is dropped. A mark that fails is tried again in time.
pub(crate) async fn keep_marking(canary: Arc<Canary>, client: Arc<Client>) {
    for node in 0.. {
        let _ = canary.mark(&client, node % client.nodes(), Timestamp::now().as_second()).await;
        tokio::time::sleep(MARKS_EVERY).await;
    }
}

/// A table that a run left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leftover {
    pub(crate) table: String,
    pub(crate) fate: Fate,
}

/// What may become of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Its run is over: it may go. For how long since the run began.
    Abandoned(SignedDuration),
    /// Its run began this short a time ago.
    Young(SignedDuration),
    /// Its run marked itself this short a time ago.
    Alive(SignedDuration),
    /// The name is none that a run gives.
    Foreign,
    /// It could not be told whether its run is alive.
    Unsure(String),
}

/// All tables under growler's prefix, and what may become of each at this moment.
///
/// # Errors
/// When the endpoint cannot be asked for its tables.
pub(crate) async fn survey(client: &Client, now: Timestamp) -> Result<Vec<Leftover>, SetUpError> {
    let mut runs: BTreeMap<String, Fate> = BTreeMap::new();
    let mut found = Vec::new();
    for table in tables::list(client, PREFIX).await? {
        let fate = match run_of(&table) {
            None => Fate::Foreign,
            Some((prefix, _)) if runs.contains_key(prefix) => runs[prefix].clone(),
            Some((prefix, started)) => {
                let fate = fate_of(client, prefix, started, now).await;
                runs.entry(prefix.to_owned()).or_insert(fate).clone()
            }
        };
        found.push(Leftover { table, fate });
    }
    Ok(found)
}

/// What may become of the tables of the run that began then.
async fn fate_of(client: &Client, prefix: &str, started: Timestamp, now: Timestamp) -> Fate {
    let age = now.duration_since(started);
    if age < YOUNG {
        return Fate::Young(age);
    }
    match Canary::new(prefix).last_mark(client).await {
        Ok(mark) => judge(age, mark.map(|at| now.duration_since(Timestamp::from_second(at).unwrap_or(now)))),
        Err(failure) => Fate::Unsure(format!("{}: {}", failure.error, failure.message)),
    }
}

/// Of a run that is old enough: alive or over. A mark from the future is one of a clock that goes ahead.
fn judge(age: SignedDuration, since_mark: Option<SignedDuration>) -> Fate {
    match since_mark {
        Some(since) if since < ALIVE => Fate::Alive(since),
        _ => Fate::Abandoned(age),
    }
}

/// The prefix of the run that a table is of, and when that run began.
fn run_of(table: &str) -> Option<(&str, Timestamp)> {
    let id = table.strip_prefix(PREFIX)?.split_once('-')?.0;
    let (start, rest) = (id.get(..START_LENGTH)?, id.get(START_LENGTH..)?);
    let milliseconds = rest.split_once('Z')?.0;
    let is_number = milliseconds.len() == 3 && milliseconds.bytes().all(|b| b.is_ascii_digit());
    let started = jiff::civil::DateTime::strptime(START, start).ok().filter(|_| is_number)?;
    let started = started.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    Some((&table[..PREFIX.len() + id.len() + 1], started))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tables_name_tells_its_run_and_when_that_began() {
        for folder in ["20261130T235624.123Z", "20261130T235624.123Z-02"] {
            let folder = Path::new(folder);
            let table = format!("{}register", table_prefix(folder));
            let (prefix, started) = run_of(&table).unwrap();
            assert_eq!(prefix, table_prefix(folder));
            assert_eq!(started.to_string(), "2026-11-30T23:56:24Z");
        }
        for other in [
            "growler-",
            "growler-register",
            "growler-20261130-x",
            "growler-20269930T235624123Z-register",
            "growler-20261130T235624-register",
            "growler-20261130T235624abcZ-register",
            "growler-20261130T235624123Z",
            "growler-ü0261130T235624123Z-x",
            "other-20261130T235624123Z-register",
        ] {
            assert_eq!(run_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_run_is_over_when_its_last_mark_is_old_or_it_never_made_one() {
        let minutes = SignedDuration::from_mins;
        let age = minutes(90);
        assert_eq!(judge(age, None), Fate::Abandoned(age));
        assert_eq!(judge(age, Some(minutes(15))), Fate::Abandoned(age));
        assert_eq!(judge(age, Some(minutes(14))), Fate::Alive(minutes(14)));
        assert_eq!(judge(age, Some(minutes(-300))), Fate::Alive(minutes(-300)), "a clock that goes ahead");
    }
}
