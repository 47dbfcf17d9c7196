//! `growler clean`: finds and removes what earlier runs left.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use growler_results::verdict::Verdict;
use growler_workloads::dynamodb::{Caps, Client, ClientConfig, ClientFactory, Endpoint, Identity};
use growler_workloads::tables;
use jiff::{SignedDuration, Timestamp};

use crate::clean::{Fate, Leftover, WATCHED_FOR, Watch, survey};
use crate::cluster::remove_abandoned_scratch;
use crate::driver::check_endpoints;
use crate::error::{CommandError, Sort};
use crate::terminal::say;

/// What a user should know who lets it delete.
const MARKS: &str = "A run marks itself as alive in its canary's table, twice a minute and outside --max-requests. \
With --yes a run counts as over only if its mark stays as it is while it is watched, so that the clocks of two \
machines need not agree. Older growlers made no marks: what protects the tables of their runs is their age alone.";

/// Options of `growler clean`.
///
/// Without --endpoint: removes the folders that killed runs of this user left on this machine. With it: lists the
/// tables that runs left there, and says of each whether it may go; with --yes those that may are deleted.
#[derive(Debug, Args)]
#[command(after_help = MARKS)]
pub(crate) struct CleanCommand {
    /// Look for tables on this DynamoDB-compatible endpoint. Only names that growler's runs give count, and
    /// never those of a run that is alive or younger than an hour
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,

    /// Delete them, rather than only list them
    #[arg(long, requires = "endpoint")]
    yes: bool,

    /// How long to watch the marks of the runs that seem to be over, before their tables are deleted. A run that is
    /// alive makes one every 30 s
    #[arg(long, value_parser = super::options::duration, value_name = "TIME", requires = "yes",
          default_value = WATCHED_FOR)]
    watch: Duration,

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
                for path in &removed {
                    super::print(&format!("removed {}", path.display()));
                }
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
        self.watch(&found).await;
        let (mut watch, mut gone, mut failed) = (Watch::default(), 0, 0);
        for leftover in &found {
            let fate =
                if self.yes { watch.look_again(&client, leftover).await } else { leftover.fate.clone() };
            gone += usize::from(matches!(fate, Fate::Abandoned { .. }));
            let settled = self.settle(&client, &leftover.table, &fate).await;
            failed += usize::from(settled.is_err());
            let line = settled.unwrap_or_else(|why| why);
            super::print(&format!("{}  {line}", leftover.table));
        }
        super::print(&self.summary(gone, failed, found.len() - gone));
        Ok(if failed == 0 { Verdict::Pass } else { Verdict::Environment })
    }

    /// Gives the runs that seem to be over the time to show that they are not.
    async fn watch(&self, found: &[Leftover]) {
        let some_may_go = found.iter().any(|leftover| matches!(leftover.fate, Fate::Abandoned { .. }));
        if self.yes && some_may_go {
            let seconds = self.watch.as_secs_f64();
            say(&format!("watching for {seconds} s whether a run marks itself as alive"));
            tokio::time::sleep(self.watch).await;
        }
    }

    /// Deletes the table if it may go and that is wanted. What is, or what went wrong, as a line.
    async fn settle(&self, client: &Client, table: &str, fate: &Fate) -> Result<String, String> {
        match fate {
            Fate::Abandoned { age, .. } if !self.yes => {
                Ok(format!("may go: its run began {} ago and is over", words(*age)))
            }
            Fate::Abandoned { .. } => match tables::remove(client, table).await {
                Ok(()) => Ok("deleted".to_owned()),
                Err(e) => Err(format!("NOT deleted: {e}")),
            },
            Fate::Young(age) => Ok(format!("kept: it is {} old, and its run may still go on", words(*age))),
            Fate::Alive(since) => Ok(format!("kept: its run is alive, and said so {} ago", words(*since))),
            Fate::Stirring => Ok("kept: its run is alive, and said so just now".to_owned()),
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
