//! Creating and deleting tables: the steps between the catalogue and the partitions.
//!
//! Each step may be repeated by anyone. The node that leads the catalogue looks now and then for
//! tables whose creator or deleter went away half-way, and finishes what they began.

use std::time::Duration;

use futures_util::future::try_join_all;

use super::command::{Command, Reply, TableEntry, TableState};
use super::group::{ReplicaGroup, Role};
use super::store::{CATALOGUE, LeaderStore, odd};
use super::wire::{Operation, Outcome};
use crate::api::BackendError;

/// How often unfinished tables are looked for, and so how long one may stay unfinished before
/// somebody else than its creator takes over.
const REPAIR: Duration = Duration::from_secs(3);

impl LeaderStore {
    /// Opens a table in every partition, then makes it active.
    pub(super) async fn open_everywhere(&self, entry: &TableEntry) -> Result<TableEntry, BackendError> {
        let schema = entry.schema.as_ref();
        let open = || Command::OpenTable { table: entry.id, schema: schema.clone() };
        self.in_every_partition(open).await?;
        self.catalogue_step(Command::ActivateTable { table: entry.id }).await
    }

    /// Drops a table in every partition, then frees its name.
    pub(super) async fn drop_everywhere(&self, entry: &TableEntry) -> Result<(), BackendError> {
        self.in_every_partition(|| Command::DropTable { table: entry.id }).await?;
        match self.catalogue_step(Command::ForgetTable { table: entry.id }).await {
            // Somebody else took the last step.
            Ok(_) | Err(BackendError::TableNotFound(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn in_every_partition(&self, command: impl Fn() -> Command) -> Result<(), BackendError> {
        let steps = self.partition_groups().map(|group| self.route(group, Operation::Propose(command())));
        try_join_all(steps).await.map(drop)
    }

    async fn catalogue_step(&self, command: Command) -> Result<TableEntry, BackendError> {
        match self.route(CATALOGUE, Operation::Propose(command)).await? {
            Outcome::Applied(Reply::Table(entry)) => Ok(entry),
            Outcome::Applied(Reply::NoSuchTable) => {
                Err(BackendError::TableNotFound(String::from("it was deleted meanwhile")))
            }
            other => Err(odd(&other)),
        }
    }

    /// Finishes what others left half-done, for as long as it is polled.
    pub async fn repair_tables(&self) {
        let mut seen: Vec<(u64, TableState)> = Vec::new();
        loop {
            self.inner.world.clock.sleep(REPAIR).await;
            let catalogue = &self.inner.groups[CATALOGUE as usize];
            if catalogue.status().role != Role::Leader {
                seen.clear();
                continue;
            }
            let tables = catalogue.state().tables();
            let unfinished = tables.values().filter(|entry| entry.state != TableState::Active);
            let mut still = Vec::new();
            for entry in unfinished {
                let mark = (entry.id, entry.state);
                // Who is at work gets the time between two looks.
                let outcome = match entry.state {
                    _ if !seen.contains(&mark) => Ok(()),
                    TableState::Deleting => self.drop_everywhere(entry).await,
                    TableState::Creating | TableState::Active => self.open_everywhere(entry).await.map(drop),
                };
                if let Err(error) = outcome {
                    tracing::info!(table = entry.schema.name, %error, "an unfinished table waits for the next look");
                }
                still.push(mark);
            }
            seen = still;
        }
    }
}
