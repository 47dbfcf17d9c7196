//! Which tables there are, as one node believes it.
//!
//! Every node has the whole catalogue; entries travel whole, when a table is created or deleted, with
//! gossip, and when a node starts. Merging is a join, so all nodes end with the same catalogue in
//! whatever order they hear: of two tables of one name the one that was created later is there, and a
//! deleted table stays deleted. Nobody prevents two nodes that are cut off from creating the same name:
//! the earlier table, with its rows, goes when they meet. That is what this style promises and no more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::version::Hasher;
use crate::item::TableSchema;

/// A table's number: a hash of its name, the time and the node of its creation.
pub type TableId = u64;

/// The numbers below this one belong to the store itself.
const RESERVED: TableId = 16;

/// What the catalogue knows about a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableEntry {
    /// Its number.
    pub id: TableId,
    /// Its name and keys. Shared: every request asks for it.
    pub schema: Arc<TableSchema>,
    /// When it was created, in nanoseconds since 1970 by its creator's wall clock.
    pub created_ns: i64,
    /// Whether it was deleted. Its entry stays, so that others hear of it.
    pub deleted: bool,
}

impl TableEntry {
    /// A table that `node` creates.
    #[must_use]
    pub fn new(schema: TableSchema, created_ns: i64, node: &str) -> Self {
        let mut hasher = Hasher::default();
        hasher.bytes(schema.name.as_bytes());
        hasher.bytes(&created_ns.to_le_bytes());
        hasher.bytes(node.as_bytes());
        let id = hasher.finish().max(RESERVED);
        Self { id, schema: Arc::new(schema), created_ns, deleted: false }
    }
}

/// What a merge did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// The entry, if it is news.
    pub changed: Option<TableEntry>,
    /// A table whose rows have to go.
    pub dropped: Option<TableId>,
}

/// All tables that a node knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    by_name: BTreeMap<String, TableEntry>,
    /// The tables that were there and lost their names to others, as far as was heard.
    replaced: BTreeSet<TableId>,
}

impl Catalogue {
    /// Takes over what somebody else, or this node, says of a table.
    pub fn merge(&mut self, entry: TableEntry) -> Merged {
        let known = self.by_name.get(&entry.schema.name);
        let (wins, loser) = match known {
            None => (true, None),
            Some(known) if known.id == entry.id => (entry.deleted && !known.deleted, None),
            Some(known) => {
                let wins = (entry.created_ns, entry.id) > (known.created_ns, known.id);
                (wins, Some(if wins { known.id } else { entry.id }))
            }
        };
        self.replaced.extend(loser);
        if !wins {
            return Merged { changed: None, dropped: loser };
        }
        let dropped = loser.or_else(|| entry.deleted.then_some(entry.id));
        self.by_name.insert(entry.schema.name.clone(), entry.clone());
        Merged { changed: Some(entry), dropped }
    }

    /// The table of a name, unless it was deleted.
    #[must_use]
    pub fn live(&self, name: &str) -> Option<&TableEntry> {
        self.by_name.get(name).filter(|entry| !entry.deleted)
    }

    /// The entry of a name, also of a deleted table.
    #[must_use]
    pub fn entry(&self, name: &str) -> Option<&TableEntry> {
        self.by_name.get(name)
    }

    /// Whether rows of this table are to be kept: those of a table that nobody has spoken of yet are.
    #[must_use]
    pub fn keeps(&self, id: TableId) -> bool {
        !self.replaced.contains(&id) && self.by_name.values().all(|entry| entry.id != id || !entry.deleted)
    }

    /// All entries, in the order of names, deleted ones too.
    pub fn entries(&self) -> impl Iterator<Item = &TableEntry> {
        self.by_name.values()
    }

    /// A number for the whole catalogue, to be compared with that of another node.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let mut hasher = Hasher::default();
        for entry in self.entries() {
            hasher.bytes(&entry.id.to_le_bytes());
            hasher.bytes(&[u8::from(entry.deleted)]);
        }
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::{Billing, KeyAttribute, KeyType};

    fn entry(name: &str, created_ns: i64, node: &str) -> TableEntry {
        let hash = KeyAttribute { name: String::from("k"), kind: KeyType::S };
        let schema =
            TableSchema { name: name.to_owned(), hash, range: None, billing: Billing::PayPerRequest };
        TableEntry::new(schema, created_ns, node)
    }

    #[test]
    fn the_catalogue_is_the_same_in_whatever_order_entries_come() {
        let mut entries =
            vec![entry("a", 1, "n1"), entry("a", 1, "n2"), entry("a", 2, "n3"), entry("b", 1, "n1")];
        entries.push(TableEntry { deleted: true, ..entries[2].clone() });
        entries.push(TableEntry { deleted: true, ..entries[0].clone() });
        let merged = |order: &[usize]| {
            let mut catalogue = Catalogue::default();
            for at in order {
                catalogue.merge(entries[*at].clone());
            }
            catalogue
        };
        let expected = merged(&[0, 1, 2, 3, 4, 5]);
        assert_eq!(expected.live("a"), None);
        assert_eq!(expected.live("b"), Some(&entries[3]));
        let mut order: Vec<usize> = (0..entries.len()).collect();
        for round in 0..200 {
            let at = round * 7 % order.len();
            order.rotate_left(at);
            order.swap(0, round % 5 + 1);
            assert_eq!(merged(&order), expected, "{order:?}");
            assert_eq!(merged(&order).digest(), expected.digest());
        }
    }

    #[test]
    fn rows_go_with_the_table_that_lost_its_name_or_was_deleted() {
        let mut catalogue = Catalogue::default();
        let (first, second) = (entry("a", 1, "n1"), entry("a", 2, "n1"));
        assert_eq!(catalogue.merge(second.clone()).dropped, None);
        assert_eq!(catalogue.merge(first.clone()), Merged { changed: None, dropped: Some(first.id) });
        let gone = TableEntry { deleted: true, ..second.clone() };
        assert_eq!(
            catalogue.merge(gone.clone()),
            Merged { changed: Some(gone.clone()), dropped: Some(second.id) }
        );
        assert_eq!(catalogue.merge(second.clone()), Merged::default());
        assert!(!catalogue.keeps(second.id) && !catalogue.keeps(first.id) && catalogue.keeps(first.id + 1));
    }
}
