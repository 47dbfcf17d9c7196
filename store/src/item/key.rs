//! Primary keys and the bytes they are stored under.
//!
//! A storage key is `hash of the hash key (8 bytes) · hash key, escaped and ended · sort key`. Its
//! byte order is the order in which a table is scanned: first by [`PrimaryKey::partition_hash`], so
//! that a partition or a scan's segment is one range of bytes, then by hash key, then by sort key in
//! DynamoDB's order (strings by UTF-8 bytes, numbers by value, binary by unsigned bytes). The hash
//! key is escaped so that no key's bytes are a prefix of another's; the sort key comes last and needs
//! no escape. The encoding is on disk: changing it is a change of the disk format.

use std::ops::Bound;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::number::Number;
use super::schema::KeyType;
use super::value::AttributeValue;

/// The longest hash key, in bytes.
pub const MAX_HASH_KEY: usize = 2048;
/// The longest sort key, in bytes.
pub const MAX_SORT_KEY: usize = 1024;

/// The value of one key attribute.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum KeyValue {
    /// A string.
    S(String),
    /// A number.
    N(Number),
    /// Binary data.
    B(Bytes),
}

/// The primary key of an item.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PrimaryKey {
    /// The hash (partition) key's value.
    pub hash: KeyValue,
    /// The range (sort) key's value, for tables that have one.
    pub range: Option<KeyValue>,
}

/// What a query asks of the sort key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SortCondition {
    /// Every sort key, and tables without one.
    Any,
    /// Exactly this one.
    Equal(KeyValue),
    /// Below.
    Less(KeyValue),
    /// Below or equal.
    LessOrEqual(KeyValue),
    /// Above.
    Greater(KeyValue),
    /// Above or equal.
    GreaterOrEqual(KeyValue),
    /// From the first to the second, both included.
    Between(KeyValue, KeyValue),
    /// Strings or binary that start with this.
    BeginsWith(KeyValue),
}

/// A range of storage keys.
pub type KeyRange = (Bound<Vec<u8>>, Bound<Vec<u8>>);

impl KeyValue {
    /// The key value that an attribute value is, if it is a string, a number or binary.
    #[must_use]
    pub fn from_attribute(value: &AttributeValue) -> Option<Self> {
        match value {
            AttributeValue::S(text) => Some(Self::S(text.clone())),
            AttributeValue::N(number) => Some(Self::N(*number)),
            AttributeValue::B(bytes) => Some(Self::B(bytes.clone())),
            _ => None,
        }
    }

    /// The same as an attribute value.
    #[must_use]
    pub fn to_attribute(&self) -> AttributeValue {
        match self {
            Self::S(text) => AttributeValue::S(text.clone()),
            Self::N(number) => AttributeValue::N(*number),
            Self::B(bytes) => AttributeValue::B(bytes.clone()),
        }
    }

    /// The type.
    #[must_use]
    pub fn kind(&self) -> KeyType {
        match self {
            Self::S(_) => KeyType::S,
            Self::N(_) => KeyType::N,
            Self::B(_) => KeyType::B,
        }
    }

    /// The length in bytes that key limits count; 1 for a number.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::S(text) => text.len(),
            Self::N(_) => 1,
            Self::B(bytes) => bytes.len(),
        }
    }

    /// Whether it is an empty string or binary, which no key may be.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends bytes whose order, among values of one type, is DynamoDB's order.
    pub fn write_ordered(&self, out: &mut Vec<u8>) {
        match self {
            Self::S(text) => out.extend_from_slice(text.as_bytes()),
            Self::N(number) => number.write_ordered(out),
            Self::B(bytes) => out.extend_from_slice(bytes),
        }
    }

    /// The position in the hash space that places the key: equal on every node, for ever. FNV-1a
    /// over the ordered bytes, then MurmurHash3's 64-bit finaliser, which spreads short keys over
    /// the high bits that ranges are cut by.
    #[must_use]
    pub fn partition_hash(&self) -> u64 {
        let mut bytes = Vec::with_capacity(self.len() + 24);
        self.write_ordered(&mut bytes);
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in bytes {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        hash ^ (hash >> 33)
    }

    /// The start of the storage key of every item with this hash key.
    #[must_use]
    pub fn storage_prefix(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len() + 40);
        out.extend_from_slice(&self.partition_hash().to_be_bytes());
        let start = out.len();
        self.write_ordered(&mut out);
        if out[start..].contains(&0) {
            let escaped: Vec<u8> = out[start..]
                .iter()
                .flat_map(|byte| [*byte, 0xff].into_iter().take(1 + usize::from(*byte == 0)))
                .collect();
            out.truncate(start);
            out.extend_from_slice(&escaped);
        }
        out.extend_from_slice(&[0, 0]);
        out
    }
}

impl PrimaryKey {
    /// The values, hash first.
    pub fn values(&self) -> impl Iterator<Item = &KeyValue> {
        std::iter::once(&self.hash).chain(self.range.as_ref())
    }

    /// The position of the hash key in the hash space, see [`KeyValue::partition_hash`].
    #[must_use]
    pub fn partition_hash(&self) -> u64 {
        self.hash.partition_hash()
    }

    /// The bytes under which the item is stored, within its table.
    #[must_use]
    pub fn storage_key(&self) -> Vec<u8> {
        let mut out = self.hash.storage_prefix();
        if let Some(range) = &self.range {
            range.write_ordered(&mut out);
        }
        out
    }
}

impl SortCondition {
    /// The storage keys of the items under `hash` that fulfil this condition: exactly those, so
    /// that a backend needs no more than a scan of a byte range.
    #[must_use]
    pub fn storage_range(&self, hash: &KeyValue) -> KeyRange {
        let prefix = hash.storage_prefix();
        let at = |value: &KeyValue| {
            let mut key = prefix.clone();
            value.write_ordered(&mut key);
            key
        };
        let end = || after_prefix(&prefix);
        let start = || Bound::Included(prefix.clone());
        match self {
            Self::Any => (start(), end()),
            Self::Equal(value) => (Bound::Included(at(value)), Bound::Included(at(value))),
            Self::Less(value) => (start(), Bound::Excluded(at(value))),
            Self::LessOrEqual(value) => (start(), Bound::Included(at(value))),
            Self::Greater(value) => (Bound::Excluded(at(value)), end()),
            Self::GreaterOrEqual(value) => (Bound::Included(at(value)), end()),
            Self::Between(low, high) => (Bound::Included(at(low)), Bound::Included(at(high))),
            Self::BeginsWith(value) => (Bound::Included(at(value)), after_prefix(&at(value))),
        }
    }
}

/// The storage keys whose partition hash is in segment `segment` of `total` equal ones. `total` must
/// be above `segment`.
#[must_use]
pub fn segment_range(segment: u32, total: u32) -> KeyRange {
    let cut = |n: u32| ((u128::from(n) << 64) / u128::from(total.max(1))) as u64;
    let low = Bound::Included(cut(segment).to_be_bytes().to_vec());
    let high = if segment + 1 >= total {
        Bound::Unbounded
    } else {
        Bound::Excluded(cut(segment + 1).to_be_bytes().to_vec())
    };
    (low, high)
}

/// The part of a range that comes after `start` in the direction asked for.
#[must_use]
pub fn resume(range: KeyRange, start: &PrimaryKey, forward: bool) -> KeyRange {
    let at = start.storage_key();
    let bytes = |bound: &Bound<Vec<u8>>| match bound {
        Bound::Included(key) | Bound::Excluded(key) => Some(key.clone()),
        Bound::Unbounded => None,
    };
    if forward {
        let low = if bytes(&range.0).is_some_and(|low| low > at) { range.0 } else { Bound::Excluded(at) };
        (low, range.1)
    } else {
        let high = if bytes(&range.1).is_some_and(|high| high < at) { range.1 } else { Bound::Excluded(at) };
        (range.0, high)
    }
}

/// Whether a range holds no key at all, so that it must not be given to `BTreeMap::range`, which
/// panics on ranges that are backwards.
#[must_use]
pub fn is_void(range: &KeyRange) -> bool {
    match range {
        (Bound::Included(low), Bound::Included(high)) => low > high,
        (Bound::Included(low) | Bound::Excluded(low), Bound::Excluded(high))
        | (Bound::Excluded(low), Bound::Included(high)) => low >= high,
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
    }
}

/// The upper bound of the keys that start with `prefix`.
fn after_prefix(prefix: &[u8]) -> Bound<Vec<u8>> {
    match prefix.iter().rposition(|byte| *byte != 0xff) {
        Some(last) => {
            let mut end = prefix[..=last].to_vec();
            end[last] += 1;
            Bound::Excluded(end)
        }
        None => Bound::Unbounded,
    }
}
