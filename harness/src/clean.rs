//! What runs have left on an endpoint, and which of it may go.
//!
//! A run that is killed, or that may not delete, leaves its tables. Their names tell whose they are: `growler-`, the
//! run's start (`20261130T235624123Z`), and what for. While it goes on, a run marks itself as alive in its
//! canary's table ([`keep_marking`]), so that a look from any machine can tell. These marks are written whatever
//! `--max-requests` says: without them a run that has used up its cap would be taken for dead.
//!
//! A table may go if its run began over an hour ago, if it was not made within the hour, where the server says when, and
//! if its run has not marked itself for a quarter of an hour ([`survey`]). That holds by the clocks of three machines,
//! and these need not agree. So before a run's tables are deleted its mark is looked for a second time, and that mark
//! has to be the first one still, although more time has passed than a live run leaves between two ([`Watch`]). Growlers
//! before there were marks made none: what protects the tables of their runs is their age alone. Whatever cannot be
//! told is kept, with the reason.
//!
//! Nothing here may touch a table whose name is not of that form, nor delete one without having asked for the
//! mark just before.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use growler_workloads::dynamodb::{Client, Failure};
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

/// So long a run's mark has to stay as it is until the run is taken for dead: two marks, and time for their answers.
pub(crate) const WATCHED_FOR: &str = "75s";

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
    /// Its run is over: it may go.
    Abandoned {
        /// For how long since the run began, or the table was made.
        age: SignedDuration,
        /// The run's last mark, in seconds since 1970.
        mark: Option<i64>,
    },
    /// It is this old only.
    Young(SignedDuration),
    /// Its run marked itself this short a time ago.
    Alive(SignedDuration),
    /// Its run marked itself while it was watched.
    Stirring,
    /// The name is none that a run gives.
    Foreign,
    /// It could not be told whether its run is alive.
    Unsure(String),
}

impl Fate {
    fn unsure(failure: &Failure) -> Self {
        Self::Unsure(format!("{}: {}", failure.error, failure.message))
    }
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
            Some((prefix, started)) => {
                if !runs.contains_key(prefix) {
                    runs.insert(prefix.to_owned(), fate_of(client, prefix, started, now).await);
                }
                of_table(client, &table, runs[prefix].clone(), now).await
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
        Ok(mark) => judge(age, mark, now),
        Err(failure) => Fate::unsure(&failure),
    }
}

/// Of a run that is old enough: alive or over. A mark from the future is one of a clock that goes ahead.
fn judge(age: SignedDuration, mark: Option<i64>, now: Timestamp) -> Fate {
    match mark.map(|at| now.duration_since(Timestamp::from_second(at).unwrap_or(now))) {
        Some(since) if since < ALIVE => Fate::Alive(since),
        _ => Fate::Abandoned { age, mark },
    }
}

/// What may become of one table of a run: the server may know that it is younger than its name says.
async fn of_table(client: &Client, table: &str, of_run: Fate, now: Timestamp) -> Fate {
    let Fate::Abandoned { age, mark } = of_run else { return of_run };
    match tables::made_at(client, table).await {
        Ok(made) => younger(age, mark, made, now),
        Err(failure) => Fate::unsure(&failure),
    }
}

/// The younger of two ages counts.
fn younger(age: SignedDuration, mark: Option<i64>, made: Option<i64>, now: Timestamp) -> Fate {
    let since = made.map(|at| now.duration_since(Timestamp::from_second(at).unwrap_or(now)));
    match age.min(since.unwrap_or(age)) {
        age if age < YOUNG => Fate::Young(age),
        age => Fate::Abandoned { age, mark },
    }
}

/// The second look at the runs whose tables are to be deleted.
#[derive(Default)]
pub(crate) struct Watch {
    /// Whether a run's mark is what it was, or what was found instead. Asked once for each run: with the first of its
    /// tables the mark may go.
    runs: BTreeMap<String, Option<Fate>>,
}

impl Watch {
    /// What may become of a table, now that its run was watched for a while.
    pub(crate) async fn look_again(&mut self, client: &Client, leftover: &Leftover) -> Fate {
        let (Fate::Abandoned { mark, .. }, Some((prefix, _))) = (&leftover.fate, run_of(&leftover.table))
        else {
            return leftover.fate.clone();
        };
        if !self.runs.contains_key(prefix) {
            let changed = changed(*mark, Canary::new(prefix).last_mark(client).await);
            self.runs.insert(prefix.to_owned(), changed);
        }
        self.runs[prefix].clone().unwrap_or_else(|| leftover.fate.clone())
    }
}

/// What a second look makes of a run that seemed to be over. None: it is.
fn changed(first: Option<i64>, second: Result<Option<i64>, Failure>) -> Option<Fate> {
    match second {
        Ok(mark) if mark == first => None,
        Ok(_) => Some(Fate::Stirring),
        Err(failure) => Some(Fate::unsure(&failure)),
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
        let (minutes, now) = (SignedDuration::from_mins, Timestamp::from_second(1_000_000).unwrap());
        let age = minutes(90);
        let before = |count: i64| Some(1_000_000 - 60 * count);
        assert_eq!(judge(age, None, now), Fate::Abandoned { age, mark: None });
        assert_eq!(judge(age, before(15), now), Fate::Abandoned { age, mark: before(15) });
        assert_eq!(judge(age, before(14), now), Fate::Alive(minutes(14)));
        assert_eq!(judge(age, before(-300), now), Fate::Alive(minutes(-300)), "a clock that goes ahead");
        assert_eq!(judge(age, Some(i64::MAX), now), Fate::Alive(minutes(0)), "no moment at all");
    }

    #[test]
    fn the_younger_of_two_ages_counts() {
        let (minutes, now) = (SignedDuration::from_mins, Timestamp::from_second(1_000_000).unwrap());
        let made = |count: i64| Some(1_000_000 - 60 * count);
        let abandoned = |age| Fate::Abandoned { age: minutes(age), mark: Some(7) };
        let fate = |made| younger(minutes(90), Some(7), made, now);
        assert_eq!(fate(None), abandoned(90), "the server does not say");
        assert_eq!(fate(made(600)), abandoned(90));
        assert_eq!(fate(made(60)), abandoned(60));
        assert_eq!(fate(made(59)), Fate::Young(minutes(59)));
        assert_eq!(fate(made(-5)), Fate::Young(minutes(-5)), "the server's clock goes ahead");
        assert_eq!(fate(Some(i64::MAX)), Fate::Young(minutes(0)), "no moment at all");
    }

    #[test]
    fn a_run_is_over_only_if_a_second_look_finds_the_same_mark() {
        let failure = || Failure {
            error: "timeout".to_owned(),
            message: "5 s".to_owned(),
            item: None,
            reasons: Vec::new(),
        };
        assert_eq!(changed(Some(7), Ok(Some(7))), None);
        assert_eq!(changed(None, Ok(None)), None);
        for (first, second) in [(Some(7), Some(8)), (Some(7), Some(6)), (None, Some(7)), (Some(7), None)] {
            assert_eq!(changed(first, Ok(second)), Some(Fate::Stirring), "{first:?} {second:?}");
        }
        assert_eq!(changed(Some(7), Err(failure())), Some(Fate::Unsure("timeout: 5 s".to_owned())));
        assert!(WATCHED_FOR.parse::<SignedDuration>().unwrap().unsigned_abs() > MARKS_EVERY * 2);
    }
}
