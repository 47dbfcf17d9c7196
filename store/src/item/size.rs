//! Sizes as DynamoDB counts them, for the 400 KB limit on items, the 1 MB limit on pages and the
//! capacity units in answers.
//!
//! An item is the UTF-8 bytes of its names plus its values. A number costs one byte per two
//! significant digits and one more, plus one when negative; a list or map costs three bytes and one
//! more per element. AWS documents the numbers as approximate, so these are what its answers show.

use super::number::Number;
use super::value::{AttributeValue, Item};

/// The largest item, in bytes: names and values, 400 KB.
pub const MAX_ITEM: usize = 400 * 1024;

/// The bytes an item counts for.
#[must_use]
pub fn item_size(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + value_size(value)).sum()
}

/// The bytes a value counts for, without its name.
#[must_use]
pub fn value_size(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(number) => number_size(number),
        AttributeValue::B(bytes) => bytes.len(),
        AttributeValue::Bool(_) | AttributeValue::Null => 1,
        AttributeValue::L(list) => 3 + list.iter().map(|value| 1 + value_size(value)).sum::<usize>(),
        AttributeValue::M(map) => {
            3 + map.iter().map(|(name, value)| 1 + name.len() + value_size(value)).sum::<usize>()
        }
        AttributeValue::Ss(set) => set.iter().map(String::len).sum(),
        AttributeValue::Ns(set) => set.iter().map(number_size).sum(),
        AttributeValue::Bs(set) => set.iter().map(bytes::Bytes::len).sum(),
    }
}

fn number_size(number: &Number) -> usize {
    let digits = usize::try_from(number.digits()).unwrap_or(usize::MAX);
    1 + digits.div_ceil(2) + usize::from(number.is_negative())
}
