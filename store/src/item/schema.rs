//! What is fixed about a table when it is created: its name and its key attributes.
//!
//! A schema takes the key out of an item or out of a request's key map, and says in DynamoDB's own
//! words what is wrong when it cannot.

use serde::{Deserialize, Serialize};

use super::key::{KeyValue, MAX_HASH_KEY, MAX_SORT_KEY, PrimaryKey};
use super::value::Item;

/// The three types that a key attribute may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyType {
    /// String.
    S,
    /// Number.
    N,
    /// Binary.
    B,
}

impl KeyType {
    /// The type's name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::S => "S",
            Self::N => "N",
            Self::B => "B",
        }
    }
}

/// One key attribute of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyAttribute {
    /// The attribute's name.
    pub name: String,
    /// Its type.
    pub kind: KeyType,
}

/// How a table is paid for. The store only remembers it, for DescribeTable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Billing {
    /// On demand.
    PayPerRequest,
    /// Provisioned, with capacity units per second. Not enforced.
    Provisioned {
        /// Read capacity units.
        read: u64,
        /// Write capacity units.
        write: u64,
    },
}

/// A table's fixed properties.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSchema {
    /// The table's name.
    pub name: String,
    /// The hash (partition) key.
    pub hash: KeyAttribute,
    /// The range (sort) key, for tables that have one.
    pub range: Option<KeyAttribute>,
    /// The billing mode that the creator asked for.
    pub billing: Billing,
}

/// Why a map of attributes does not give a key of this table. The texts are DynamoDB's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaMismatch {
    /// An item without a key attribute.
    #[error("One or more parameter values were invalid: Missing the key {0} in the item")]
    MissingKey(String),
    /// An item whose key attribute has another type than the table's.
    #[error(
        "One or more parameter values were invalid: Type mismatch for key {name} expected: {expected} actual: {actual}"
    )]
    WrongType {
        /// The attribute.
        name: String,
        /// The table's type for it.
        expected: &'static str,
        /// The type that came.
        actual: &'static str,
    },
    /// A key map with too few, too many or other attributes, or other types.
    #[error("The provided key element does not match the schema")]
    NotTheKey,
    /// A key of zero length.
    #[error(
        "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty {what} value. Key: {name}"
    )]
    Empty {
        /// The attribute.
        name: String,
        /// `string` or `binary`.
        what: &'static str,
    },
    /// A hash key above 2048 bytes.
    #[error(
        "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes"
    )]
    HashTooLong,
    /// A sort key above 1024 bytes.
    #[error(
        "One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit of 1024 bytes"
    )]
    RangeTooLong,
}

impl TableSchema {
    /// Whether an attribute belongs to the key.
    #[must_use]
    pub fn is_key(&self, name: &str) -> bool {
        self.hash.name == name || self.range.as_ref().is_some_and(|range| range.name == name)
    }

    /// The key attributes, hash first.
    pub fn key_attributes(&self) -> impl Iterator<Item = &KeyAttribute> {
        std::iter::once(&self.hash).chain(self.range.as_ref())
    }

    /// The key of a whole item.
    ///
    /// # Errors
    /// When a key attribute is missing, has the wrong type, is empty or too long.
    pub fn key_of_item(&self, item: &Item) -> Result<PrimaryKey, SchemaMismatch> {
        let take = |attribute: &KeyAttribute| {
            let value = item
                .get(&attribute.name)
                .ok_or_else(|| SchemaMismatch::MissingKey(attribute.name.clone()))?;
            KeyValue::from_attribute(value).filter(|key| key.kind() == attribute.kind).ok_or_else(|| {
                SchemaMismatch::WrongType {
                    name: attribute.name.clone(),
                    expected: attribute.kind.name(),
                    actual: value.type_name(),
                }
            })
        };
        let hash = take(&self.hash)?;
        let range = self.range.as_ref().map(take).transpose()?;
        self.checked(PrimaryKey { hash, range })
    }

    /// The key given as a request's `Key` or `ExclusiveStartKey` map: the key attributes and
    /// nothing else.
    ///
    /// # Errors
    /// When the map is not exactly a key of this table, or a value is empty or too long.
    pub fn key_of_map(&self, map: &Item) -> Result<PrimaryKey, SchemaMismatch> {
        if map.len() != self.key_attributes().count() {
            return Err(SchemaMismatch::NotTheKey);
        }
        let take = |attribute: &KeyAttribute| {
            map.get(&attribute.name)
                .and_then(KeyValue::from_attribute)
                .filter(|key| key.kind() == attribute.kind)
                .ok_or(SchemaMismatch::NotTheKey)
        };
        let hash = take(&self.hash)?;
        let range = self.range.as_ref().map(take).transpose()?;
        self.checked(PrimaryKey { hash, range })
    }

    /// The key as a map of attributes, as in `LastEvaluatedKey`.
    #[must_use]
    pub fn key_map(&self, key: &PrimaryKey) -> Item {
        let mut map = Item::from([(self.hash.name.clone(), key.hash.to_attribute())]);
        if let (Some(attribute), Some(value)) = (&self.range, &key.range) {
            map.insert(attribute.name.clone(), value.to_attribute());
        }
        map
    }

    /// The same key, unless one of its values is empty or too long.
    fn checked(&self, key: PrimaryKey) -> Result<PrimaryKey, SchemaMismatch> {
        for (attribute, value) in self.key_attributes().zip(key.values()) {
            if value.is_empty() {
                let what = if attribute.kind == KeyType::S { "string" } else { "binary" };
                return Err(SchemaMismatch::Empty { name: attribute.name.clone(), what });
            }
        }
        if key.hash.len() > MAX_HASH_KEY {
            return Err(SchemaMismatch::HashTooLong);
        }
        if key.range.as_ref().is_some_and(|range| range.len() > MAX_SORT_KEY) {
            return Err(SchemaMismatch::RangeTooLong);
        }
        Ok(key)
    }
}
