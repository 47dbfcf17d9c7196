//! The ten types of attribute value, and an item as an ordered map of them.
//!
//! Sets are ordered sets, so two equal sets are equal bytes in the log whatever order a client sent
//! them in. Nothing here checks limits: [`super::json`] does so where values come in.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::number::Number;

/// An item: attribute names to values. Ordered, so that equal items are equal bytes.
pub type Item = BTreeMap<String, AttributeValue>;

/// How deep lists and maps may nest in an item.
pub const MAX_DEPTH: usize = 32;

/// One value of DynamoDB's type system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AttributeValue {
    /// A UTF-8 string; may be empty outside keys.
    S(String),
    /// An exact decimal number of up to 38 digits.
    N(Number),
    /// Binary data; may be empty outside keys.
    B(Bytes),
    /// A boolean.
    Bool(bool),
    /// The null value. Not the same as an attribute that is absent.
    Null,
    /// A list of values of any types.
    L(Vec<AttributeValue>),
    /// A map from names to values of any types.
    M(BTreeMap<String, AttributeValue>),
    /// A set of strings; never empty.
    Ss(BTreeSet<String>),
    /// A set of numbers; never empty.
    Ns(BTreeSet<Number>),
    /// A set of binary values; never empty.
    Bs(BTreeSet<Bytes>),
}

impl AttributeValue {
    /// The type's name on the wire: `S`, `N`, `B`, `BOOL`, `NULL`, `L`, `M`, `SS`, `NS` or `BS`.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::S(_) => "S",
            Self::N(_) => "N",
            Self::B(_) => "B",
            Self::Bool(_) => "BOOL",
            Self::Null => "NULL",
            Self::L(_) => "L",
            Self::M(_) => "M",
            Self::Ss(_) => "SS",
            Self::Ns(_) => "NS",
            Self::Bs(_) => "BS",
        }
    }

    /// How deep lists and maps are nested in this value: 0 for a scalar or a set.
    #[must_use]
    pub fn depth(&self) -> usize {
        match self {
            Self::L(list) => 1 + list.iter().map(Self::depth).max().unwrap_or(0),
            Self::M(map) => 1 + map.values().map(Self::depth).max().unwrap_or(0),
            _ => 0,
        }
    }
}
