//! `ExpressionAttributeNames` and `ExpressionAttributeValues`: what the `#` and `:` placeholders of a
//! request stand for, and which of them no expression used, which is an error in DynamoDB.

use std::collections::BTreeMap;

use crate::item::{AttributeValue, Item};

/// The placeholders of one request, shared by all its expressions.
#[derive(Clone, Debug, Default)]
pub struct Placeholders {
    names: BTreeMap<String, (String, bool)>,
    values: BTreeMap<String, (AttributeValue, bool)>,
}

/// Placeholders that make no sense. The texts are DynamoDB's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceholderError {
    /// A map without entries.
    #[error("{0} must not be empty")]
    Empty(&'static str),
    /// A key that is not `#` or `:` and then letters, digits or underscores.
    #[error("{parameter} contains invalid key: Syntax error; key: \"{key}\"")]
    Key {
        /// The parameter.
        parameter: &'static str,
        /// The key.
        key: String,
    },
    /// Entries that no expression uses.
    #[error("Value provided in {parameter} unused in expressions: keys: {{{}}}", .keys.join(", "))]
    Unused {
        /// The parameter.
        parameter: &'static str,
        /// The keys.
        keys: Vec<String>,
    },
}

const NAMES: &str = "ExpressionAttributeNames";
const VALUES: &str = "ExpressionAttributeValues";

impl Placeholders {
    /// Takes a request's two maps; `None` where it has none.
    ///
    /// # Errors
    /// When a map is there but empty, or a key is malformed.
    pub fn new(
        names: Option<BTreeMap<String, String>>,
        values: Option<Item>,
    ) -> Result<Self, PlaceholderError> {
        Ok(Self { names: tracked(NAMES, '#', names)?, values: tracked(VALUES, ':', values)? })
    }

    /// The name that `#name` stands for.
    pub(super) fn name(&mut self, placeholder: &str) -> Option<String> {
        let (name, used) = self.names.get_mut(placeholder)?;
        *used = true;
        Some(name.clone())
    }

    /// The value that `:value` stands for.
    pub(super) fn value(&mut self, placeholder: &str) -> Option<AttributeValue> {
        let (value, used) = self.values.get_mut(placeholder)?;
        *used = true;
        Some(value.clone())
    }

    /// To be asked when every expression of the request is parsed.
    ///
    /// # Errors
    /// When some placeholders were never used.
    pub fn all_used(&self) -> Result<(), PlaceholderError> {
        unused(NAMES, &self.names)?;
        unused(VALUES, &self.values)
    }
}

fn tracked<T>(
    parameter: &'static str,
    sign: char,
    map: Option<BTreeMap<String, T>>,
) -> Result<BTreeMap<String, (T, bool)>, PlaceholderError> {
    let Some(map) = map else { return Ok(BTreeMap::new()) };
    if map.is_empty() {
        return Err(PlaceholderError::Empty(parameter));
    }
    for key in map.keys() {
        let name = key.strip_prefix(sign).unwrap_or_default();
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Err(PlaceholderError::Key { parameter, key: key.clone() });
        }
    }
    Ok(map.into_iter().map(|(key, value)| (key, (value, false))).collect())
}

fn unused<T>(parameter: &'static str, map: &BTreeMap<String, (T, bool)>) -> Result<(), PlaceholderError> {
    let keys: Vec<String> = map.iter().filter(|(_, (_, used))| !used).map(|(key, _)| key.clone()).collect();
    if keys.is_empty() { Ok(()) } else { Err(PlaceholderError::Unused { parameter, keys }) }
}
