//! The catalogue: which tables there are. It is the state of group 0.
//!
//! A table becomes visible in three steps, so that nobody ever meets half of one: its name is
//! reserved and numbered here, every partition opens it, and only then is it active here. It goes the
//! other way round. Whoever repeats a step finds it done.

use std::collections::BTreeMap;

use super::command::{Command, Reply, TableEntry, TableId, TableState};

/// Applies one of the catalogue's commands at a position of its log.
pub(super) fn apply(tables: &mut BTreeMap<TableId, TableEntry>, index: u64, command: Command) -> Reply {
    match command {
        Command::CreateTable { schema, created_ns } => {
            if let Some(taken) = by_name(tables, &schema.name) {
                return Reply::NameTaken(taken.clone());
            }
            let entry = TableEntry::new(index, schema, TableState::Creating, created_ns);
            tables.insert(index, entry.clone());
            Reply::Table(entry)
        }
        Command::ActivateTable { table } => change(tables, table, TableState::Active),
        Command::DeleteTable { name } => match by_name(tables, &name).map(|entry| entry.id) {
            Some(table) => change(tables, table, TableState::Deleting),
            None => Reply::NoSuchTable,
        },
        Command::ForgetTable { table } => tables.remove(&table).map_or(Reply::NoSuchTable, Reply::Table),
        // A partition's command in the catalogue's log: there is nothing that it could change.
        Command::Write { .. } | Command::OpenTable { .. } | Command::DropTable { .. } => Reply::NoSuchTable,
    }
}

/// The table of a name.
pub(super) fn by_name<'a>(tables: &'a BTreeMap<TableId, TableEntry>, name: &str) -> Option<&'a TableEntry> {
    tables.values().find(|entry| entry.schema.name == name)
}

fn change(tables: &mut BTreeMap<TableId, TableEntry>, table: TableId, state: TableState) -> Reply {
    match tables.get_mut(&table) {
        Some(entry) => {
            // A table that is being deleted does not come back.
            if entry.state != TableState::Deleting {
                entry.state = state;
            }
            Reply::Table(entry.clone())
        }
        None => Reply::NoSuchTable,
    }
}
