//! Evaluation of conditions and projections against an item.
//!
//! An operand that has no value makes its comparison false, as DynamoDB has it; values of different
//! types are never equal and never ordered. Nothing here fails: what could be wrong with an
//! expression was found when it was parsed.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::ast::{Comparator, Condition, Operand, Path, Projection, Step};
use crate::item::{AttributeValue, Item, Number};

impl Path {
    /// What the item has at this path.
    #[must_use]
    pub fn get<'a>(&self, item: &'a Item) -> Option<&'a AttributeValue> {
        self.steps.iter().try_fold(item.get(&self.root)?, |value, step| match (value, step) {
            (AttributeValue::M(map), Step::Name(name)) => map.get(name),
            (AttributeValue::L(list), Step::Index(index)) => list.get(*index as usize),
            _ => None,
        })
    }
}

impl Operand {
    fn value<'a>(&'a self, item: &'a Item) -> Option<Cow<'a, AttributeValue>> {
        match self {
            Self::Path(path) => path.get(item).map(Cow::Borrowed),
            Self::Value(value) => Some(Cow::Borrowed(value)),
            Self::Size(path) => path
                .get(item)
                .and_then(size_of)
                .map(|size| Cow::Owned(AttributeValue::N(Number::from(size as u64)))),
        }
    }
}

impl Condition {
    /// Whether the condition holds of an item; of an absent item, give an empty one.
    #[must_use]
    pub fn holds(&self, item: &Item) -> bool {
        match self {
            Self::And(all) => all.iter().all(|condition| condition.holds(item)),
            Self::Or(any) => any.iter().any(|condition| condition.holds(item)),
            Self::Not(condition) => !condition.holds(item),
            Self::Compare(comparator, left, right) => {
                compare(*comparator, left.value(item).as_deref(), right.value(item).as_deref())
            }
            Self::Between(value, low, high) => {
                let value = value.value(item);
                let value = value.as_deref();
                compare(Comparator::GreaterOrEqual, value, low.value(item).as_deref())
                    && compare(Comparator::LessOrEqual, value, high.value(item).as_deref())
            }
            Self::In(value, among) => {
                let value = value.value(item);
                among
                    .iter()
                    .any(|other| compare(Comparator::Equal, value.as_deref(), other.value(item).as_deref()))
            }
            Self::AttributeExists(path) => path.get(item).is_some(),
            Self::AttributeNotExists(path) => path.get(item).is_none(),
            Self::AttributeType(path, name) => path.get(item).is_some_and(|value| value.type_name() == name),
            Self::BeginsWith(value, prefix) => {
                match (value.value(item).as_deref(), prefix.value(item).as_deref()) {
                    (Some(AttributeValue::S(text)), Some(AttributeValue::S(prefix))) => {
                        text.starts_with(prefix)
                    }
                    (Some(AttributeValue::B(bytes)), Some(AttributeValue::B(prefix))) => {
                        bytes.starts_with(prefix)
                    }
                    _ => false,
                }
            }
            Self::Contains(value, part) => match (value.value(item), part.value(item)) {
                (Some(value), Some(part)) => contains(&value, &part),
                _ => false,
            },
        }
    }
}

/// Compares two values that may be absent. An absent one is unequal to everything, so that only
/// `<>` holds of it.
fn compare(comparator: Comparator, left: Option<&AttributeValue>, right: Option<&AttributeValue>) -> bool {
    let (Some(left), Some(right)) = (left, right) else {
        return comparator == Comparator::NotEqual;
    };
    match comparator {
        Comparator::Equal => left == right,
        Comparator::NotEqual => left != right,
        Comparator::Less => order(left, right).is_some_and(Ordering::is_lt),
        Comparator::LessOrEqual => order(left, right).is_some_and(Ordering::is_le),
        Comparator::Greater => order(left, right).is_some_and(Ordering::is_gt),
        Comparator::GreaterOrEqual => order(left, right).is_some_and(Ordering::is_ge),
    }
}

/// The order of two strings, numbers or binary values; `None` for anything else.
pub(super) fn order(left: &AttributeValue, right: &AttributeValue) -> Option<Ordering> {
    match (left, right) {
        (AttributeValue::S(left), AttributeValue::S(right)) => Some(left.cmp(right)),
        (AttributeValue::N(left), AttributeValue::N(right)) => Some(left.cmp(right)),
        (AttributeValue::B(left), AttributeValue::B(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

fn contains(value: &AttributeValue, part: &AttributeValue) -> bool {
    match (value, part) {
        (AttributeValue::S(text), AttributeValue::S(part)) => text.contains(part.as_str()),
        (AttributeValue::B(bytes), AttributeValue::B(part)) => {
            part.is_empty() || bytes.windows(part.len()).any(|window| window == part)
        }
        (AttributeValue::Ss(set), AttributeValue::S(part)) => set.contains(part),
        (AttributeValue::Ns(set), AttributeValue::N(part)) => set.contains(part),
        (AttributeValue::Bs(set), AttributeValue::B(part)) => set.contains(part),
        (AttributeValue::L(list), part) => list.contains(part),
        _ => false,
    }
}

/// What `size` gives: characters of a string, bytes of binary, elements of a collection.
pub(super) fn size_of(value: &AttributeValue) -> Option<usize> {
    match value {
        AttributeValue::S(text) => Some(text.chars().count()),
        AttributeValue::B(bytes) => Some(bytes.len()),
        AttributeValue::L(list) => Some(list.len()),
        AttributeValue::M(map) => Some(map.len()),
        AttributeValue::Ss(set) => Some(set.len()),
        AttributeValue::Ns(set) => Some(set.len()),
        AttributeValue::Bs(set) => Some(set.len()),
        AttributeValue::N(_) | AttributeValue::Bool(_) | AttributeValue::Null => None,
    }
}

impl Projection {
    /// The parts of an item that the projection names, in their places: maps keep the shape around
    /// them, and elements of a list close up in their order.
    #[must_use]
    pub fn apply(&self, item: &Item) -> Item {
        let mut tree = Selection::default();
        for path in &self.0 {
            tree.add(path);
        }
        let Selection::Parts { names, .. } = tree else { return Item::new() };
        select_names(&names, item)
    }
}

/// What to take from a value: all of it, or parts by name and position.
enum Selection {
    All,
    Parts { names: BTreeMap<String, Selection>, positions: BTreeMap<u32, Selection> },
}

impl Default for Selection {
    fn default() -> Self {
        Self::Parts { names: BTreeMap::new(), positions: BTreeMap::new() }
    }
}

impl Selection {
    fn add(&mut self, path: &Path) {
        let root = Step::Name(path.root.clone());
        let mut at = self;
        for step in std::iter::once(&root).chain(&path.steps) {
            let Self::Parts { names, positions } = at else { return };
            at = match step {
                Step::Name(name) => names.entry(name.clone()).or_default(),
                Step::Index(index) => positions.entry(*index).or_default(),
            };
        }
        *at = Self::All;
    }

    fn select(&self, value: &AttributeValue) -> Option<AttributeValue> {
        match (self, value) {
            (Self::All, value) => Some(value.clone()),
            (Self::Parts { names, .. }, AttributeValue::M(map)) => {
                let part = select_names(names, map);
                (!part.is_empty()).then_some(AttributeValue::M(part))
            }
            (Self::Parts { positions, .. }, AttributeValue::L(list)) => {
                let part: Vec<_> = positions
                    .iter()
                    .filter_map(|(index, selection)| selection.select(list.get(*index as usize)?))
                    .collect();
                (!part.is_empty()).then_some(AttributeValue::L(part))
            }
            _ => None,
        }
    }
}

fn select_names(names: &BTreeMap<String, Selection>, map: &Item) -> Item {
    names
        .iter()
        .filter_map(|(name, selection)| Some((name.clone(), selection.select(map.get(name)?)?)))
        .collect()
}
