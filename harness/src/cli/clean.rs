//! `growler clean`: finds and removes what earlier runs left.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use growler_results::verdict::Verdict;
use growler_workloads::dynamodb::{Caps, Client, ClientConfig, ClientFactory, Endpoint, Identity};
use growler_workloads::tables;
use jiff::{SignedDuration, Timestamp};

use crate::clean::{Fate, Leftover, survey};
use crate::cluster::remove_abandoned_scratch;
use crate::driver::check_endpoints;
use crate::error::{CommandError, Sort};

/// Options of `growler clean`.
///
/// Without --endpoint: removes the folders that killed runs of this user left on this machine. With it: lists the
/// tables that runs left there, and says of each whether it may go; with --yes those that may are deleted.
#[derive(Debug, Args)]
pub(crate) struct CleanCommand {
    /// Look for tables on this DynamoDB-compatible endpoint. Only names that growler's runs give count, and
    /// never those of a run that is alive or younger than an hour
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,

    /// Delete them, rather than only list them
    #[arg(long, requires = "endpoint")]
    yes: bool,

    /// Allow an endpoint that is not on this machine
    #[arg(long, requires = "endpoint")]
    allow_remote: bool,

    /// Trust this PEM certificate (an https endpoint's own authority)
    #[arg(long, value_name = "FILE", requires = "endpoint")]
    cacert: Option<PathBuf>,

    /// How long to wait for an answer
    #[arg(long, default_value = "10s", value_parser = super::options::duration, value_name = "TIME")]
    timeout: Duration,
}

impl CleanCommand {
    pub(crate) fn run(self) -> Result<Verdict, CommandError> {
        match &self.endpoint {
            None => {
                let removed = remove_abandoned_scratch().environment()?;
                super::print(
                    &removed.iter().map(|path| format!("removed {}\n", path.display())).collect::<String>(),
                );
                super::print(&format!("{} of killed runs removed", count(removed.len(), "folder")));
                Ok(Verdict::Pass)
            }
            Some(url) => {
                let endpoint = Endpoint { name: "n1".to_owned(), url: url.clone(), connect_to: None };
                check_endpoints(std::slice::from_ref(&endpoint), self.cacert.as_deref(), self.allow_remote)
                    .usage()?;
                let runtime = tokio::runtime::Runtime::new().environment()?;
                runtime.block_on(self.clean(endpoint))
            }
        }
    }

    async fn clean(&self, endpoint: Endpoint) -> Result<Verdict, CommandError> {
        let endpoints = vec![endpoint];
        let factory = ClientFactory::new(ClientConfig {
            identity: Identity::from_environment(&endpoints).usage()?,
            endpoints,
            timeout: self.timeout,
            cacert: self.cacert.clone(),
            caps: Arc::new(Caps::new(None, None, None)),
        });
        let client = factory.environment()?.client(0).environment()?;
        let found = survey(&client, Timestamp::now()).await.environment()?;
        let (mut gone, mut failed) = (0, 0);
        for leftover in &found {
            let line = match self.settle(&client, leftover).await {
                Ok(line) => line,
                Err(why) => {
                    failed += 1;
                    why
                }
            };
            gone += usize::from(matches!(leftover.fate, Fate::Abandoned(_)));
            super::print(&format!("{}  {line}", leftover.table));
        }
        super::print(&self.summary(gone, failed, found.len() - gone));
        Ok(if failed == 0 { Verdict::Pass } else { Verdict::Environment })
    }

    /// Deletes the table if it may go and that is wanted. What is, or what went wrong, as a line.
    async fn settle(&self, client: &Client, leftover: &Leftover) -> Result<String, String> {
        match &leftover.fate {
            Fate::Abandoned(age) if !self.yes => {
                Ok(format!("may go: its run began {} ago and is over", words(*age)))
            }
            Fate::Abandoned(_) => match tables::remove(client, &leftover.table).await {
                Ok(()) => Ok("deleted".to_owned()),
                Err(e) => Err(format!("NOT deleted: {e}")),
            },
            Fate::Young(age) => Ok(format!("kept: its run began {} ago, and may still go on", words(*age))),
            Fate::Alive(since) => Ok(format!("kept: its run is alive, and said so {} ago", words(*since))),
            Fate::Foreign => Ok("kept: no run of growler gives such a name".to_owned()),
            Fate::Unsure(why) => Ok(format!("kept: whether its run is alive cannot be found out: {why}")),
        }
    }

    fn summary(&self, gone: usize, failed: usize, kept: usize) -> String {
        let kept = format!("{kept} kept");
        match (gone, self.yes) {
            (0, _) => format!("nothing to delete, {kept}"),
            (_, false) => {
                format!("{} to delete, {kept}; nothing was deleted: add --yes", count(gone, "table"))
            }
            (_, true) if failed > 0 => {
                format!("{} deleted, {failed} could not be, {kept}", count(gone - failed, "table"))
            }
            (_, true) => format!("{} deleted, {kept}", count(gone, "table")),
        }
    }
}

/// `1 table`, `2 tables`.
fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// A length of time in its greatest unit: `3 h`, `12 min`, `4 s`.
fn words(time: SignedDuration) -> String {
    match time.as_secs().max(0) {
        s if s >= 48 * 3600 => format!("{} days", s / 86_400),
        s if s >= 3600 => format!("{} h", s / 3600),
        s if s >= 60 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}
