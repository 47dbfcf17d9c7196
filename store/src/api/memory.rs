//! A backend in this process's memory: no replication, no durability.
//!
//! It is the simplest thing that keeps the trait's promises, for tests of the protocol and for trying
//! a client against it. A lock over ordered maps makes every operation atomic, so it is linearizable.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use parking_lot::Mutex;

use super::backend::{
    Ask, Backend, BackendError, Consistency, Got, Page, QueryRange, ScanRange, TableDescription, TableStatus,
    Written,
};
use crate::item::key::{KeyRange, is_void};
use crate::item::size::item_size;
use crate::item::{Change, Item, Mutation, PrimaryKey, TableSchema, apply};

/// What the partition header says of everything here.
const PARTITION: &str = "memory";

/// Tables in memory.
#[derive(Default)]
pub struct MemoryBackend {
    tables: Mutex<BTreeMap<String, Table>>,
    /// How many tables were ever created: the next one's id.
    created: AtomicU64,
}

struct Table {
    description: TableDescription,
    items: BTreeMap<Vec<u8>, Item>,
}

impl MemoryBackend {
    fn with_table<T>(&self, name: &str, act: impl FnOnce(&mut Table) -> T) -> Result<T, BackendError> {
        let mut tables = self.tables.lock();
        tables.get_mut(name).map(act).ok_or_else(|| BackendError::TableNotFound(name.to_owned()))
    }
}

#[async_trait]
impl Backend for MemoryBackend {
    async fn create_table(&self, schema: TableSchema) -> Result<TableDescription, BackendError> {
        let mut tables = self.tables.lock();
        if tables.contains_key(&schema.name) {
            return Err(BackendError::TableInUse(schema.name));
        }
        let description = TableDescription {
            id: u128::from(self.created.fetch_add(1, Ordering::Relaxed)),
            schema: Arc::new(schema),
            status: TableStatus::Active,
            created_ms: 0,
            item_count: 0,
            size_bytes: 0,
        };
        let name = description.schema.name.clone();
        tables.insert(name, Table { description: description.clone(), items: BTreeMap::new() });
        Ok(description)
    }

    async fn describe_table(&self, table: &str) -> Result<TableDescription, BackendError> {
        self.with_table(table, |table| {
            let item_count = table.items.len() as u64;
            TableDescription { item_count, ..table.description.clone() }
        })
    }

    async fn list_tables(
        &self,
        start: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<String>, bool), BackendError> {
        let tables = self.tables.lock();
        let from = start.map_or(Bound::Unbounded, Bound::Excluded);
        let mut names: Vec<String> = tables
            .range::<str, _>((from, Bound::Unbounded))
            .map(|(name, _)| name.clone())
            .take(limit + 1)
            .collect();
        let more = names.len() > limit;
        names.truncate(limit);
        Ok((names, more))
    }

    async fn delete_table(&self, table: &str) -> Result<TableDescription, BackendError> {
        let removed = self.tables.lock().remove(table);
        removed.map(|table| table.description).ok_or_else(|| BackendError::TableNotFound(table.to_owned()))
    }

    async fn write(&self, mutation: Mutation, _ask: &Ask) -> Result<Written, BackendError> {
        self.with_table(&mutation.table, |table| {
            let key = mutation.key.storage_key();
            let applied = apply(&mutation, &table.description.schema, table.items.get(&key));
            match applied.change {
                Change::Keep => {}
                Change::Put(item) => {
                    table.items.insert(key, item);
                }
                Change::Delete => {
                    table.items.remove(&key);
                }
            }
            Written { reply: applied.reply, partition: PARTITION.to_owned(), extension: None }
        })
    }

    async fn get(
        &self,
        table: &str,
        key: &PrimaryKey,
        _consistency: Consistency,
        _ask: &Ask,
    ) -> Result<Got, BackendError> {
        self.with_table(table, |table| Got {
            item: table.items.get(&key.storage_key()).cloned(),
            partition: PARTITION.to_owned(),
            extension: None,
        })
    }

    async fn query(&self, range: QueryRange, _consistency: Consistency) -> Result<Page, BackendError> {
        self.with_table(&range.table, |table| {
            let found = items_in(table, range.storage_range());
            if range.forward {
                page(found, range.max_bytes, range.max_items)
            } else {
                page(found.rev(), range.max_bytes, range.max_items)
            }
        })
    }

    async fn scan(&self, range: ScanRange, _consistency: Consistency) -> Result<Page, BackendError> {
        self.with_table(&range.table, |table| {
            page(items_in(table, range.storage_range()), range.max_bytes, range.max_items)
        })
    }
}

fn items_in(table: &Table, range: KeyRange) -> impl DoubleEndedIterator<Item = &Item> {
    let found = (!is_void(&range)).then(|| table.items.range(range));
    found.into_iter().flatten().map(|(_, item)| item)
}

fn page<'a>(found: impl Iterator<Item = &'a Item>, max_bytes: usize, max_items: usize) -> Page {
    let mut page = Page { partition: PARTITION.to_owned(), ..Page::default() };
    let mut bytes = 0;
    for item in found {
        bytes += item_size(item);
        if page.items.len() == max_items || (bytes > max_bytes && !page.items.is_empty()) {
            page.more = true;
            break;
        }
        page.items.push(item.clone());
    }
    page
}
