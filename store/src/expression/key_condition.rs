//! Key conditions: which hash key, and which of its sort keys.
//!
//! They are written in the grammar of conditions, so they are parsed as one, and then read against
//! the table's schema: one equality on the hash key, and at most one condition on the sort key.

use super::ast::{Comparator, Condition, Operand, Path};
use super::condition::parse_condition;
use super::error::ExpressionError;
use super::placeholders::Placeholders;
use crate::item::{AttributeValue, KeyValue, SortCondition, TableSchema};

/// The key conditions of a query, not yet held against a table.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyCondition(Vec<OneKey>);

/// A condition on one attribute.
#[derive(Clone, Debug, PartialEq)]
struct OneKey {
    name: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Compare(Comparator, AttributeValue),
    Between(AttributeValue, AttributeValue),
    BeginsWith(AttributeValue),
}

/// A condition that is none on a key. The texts are DynamoDB's.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum KeyConditionError {
    /// It is no expression.
    #[error(transparent)]
    Expression(#[from] ExpressionError),
    /// An operator that keys do not have.
    #[error("Invalid operator used in KeyConditionExpression: {0}")]
    Operator(&'static str),
    /// A function or path within a function.
    #[error("KeyConditionExpressions cannot contain nested operations")]
    NestedOperation,
    /// A path below the top level.
    #[error("KeyConditionExpressions cannot have conditions on nested attributes")]
    NestedAttribute,
    /// Two attributes in one comparison.
    #[error("Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition")]
    SeveralNames,
    /// No attribute in a comparison.
    #[error("Invalid condition in KeyConditionExpression: No key attribute specified")]
    NoName,
    /// `BETWEEN` or `begins_with` of something else than an attribute.
    #[error(
        "Invalid condition in KeyConditionExpression: {0} operator must have the key attribute as its first operand"
    )]
    NameNotFirst(&'static str),
    /// Two conditions on one attribute.
    #[error("KeyConditionExpressions must only contain one condition per key")]
    SeveralPerKey,
    /// More than two conditions.
    #[error("Conditions can be of length 1 or 2 only")]
    TooMany,
    /// Nothing about a key attribute, or something about another one.
    #[error("Query condition missed key schema element: {0}")]
    MissedKey(String),
    /// Not an equality on the hash key, or `<>` on the sort key.
    #[error("Query key condition not supported")]
    NotSupported,
    /// A value of another type than the key's.
    #[error("One or more parameter values were invalid: Condition parameter type does not match schema type")]
    TypeMismatch,
    /// An empty key value.
    #[error(
        "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty {what} value. Key: {name}"
    )]
    EmptyKey {
        /// The attribute.
        name: String,
        /// `string` or `binary`.
        what: &'static str,
    },
}

/// Parses a key condition expression.
///
/// # Errors
/// What DynamoDB would say of it.
pub fn parse_key_condition(
    source: &str,
    placeholders: &mut Placeholders,
) -> Result<KeyCondition, KeyConditionError> {
    let condition = parse_condition("KeyConditionExpression", source, placeholders)?;
    let mut keys: Vec<OneKey> = Vec::new();
    collect(condition, &mut keys)?;
    for (index, key) in keys.iter().enumerate() {
        if keys[..index].iter().any(|other| other.name == key.name) {
            return Err(KeyConditionError::SeveralPerKey);
        }
    }
    if keys.len() > 2 {
        return Err(KeyConditionError::TooMany);
    }
    Ok(KeyCondition(keys))
}

fn collect(condition: Condition, keys: &mut Vec<OneKey>) -> Result<(), KeyConditionError> {
    use KeyConditionError::{NameNotFirst, Operator};
    let key = match condition {
        Condition::And(all) => return all.into_iter().try_for_each(|condition| collect(condition, keys)),
        Condition::Or(_) => return Err(Operator("OR")),
        Condition::Not(_) => return Err(Operator("NOT")),
        Condition::In(..) => return Err(Operator("IN")),
        Condition::AttributeExists(_) => return Err(Operator("attribute_exists")),
        Condition::AttributeNotExists(_) => return Err(Operator("attribute_not_exists")),
        Condition::AttributeType(..) => return Err(Operator("attribute_type")),
        Condition::Contains(..) => return Err(Operator("contains")),
        Condition::Compare(Comparator::NotEqual, ..) => return Err(Operator("<>")),
        Condition::Compare(comparator, left, right) => compared(comparator, left, right)?,
        Condition::Between(Operand::Path(path), low, high) => {
            OneKey { name: key_name(path)?, test: Test::Between(constant(low)?, constant(high)?) }
        }
        Condition::Between(..) => return Err(NameNotFirst("BETWEEN")),
        Condition::BeginsWith(Operand::Path(path), prefix) => {
            OneKey { name: key_name(path)?, test: Test::BeginsWith(constant(prefix)?) }
        }
        Condition::BeginsWith(..) => return Err(NameNotFirst("begins_with")),
    };
    keys.push(key);
    Ok(())
}

/// A comparison, either way round.
fn compared(comparator: Comparator, left: Operand, right: Operand) -> Result<OneKey, KeyConditionError> {
    match (left, right) {
        (Operand::Path(_), Operand::Path(_)) => Err(KeyConditionError::SeveralNames),
        (Operand::Path(path), value) => {
            Ok(OneKey { name: key_name(path)?, test: Test::Compare(comparator, constant(value)?) })
        }
        (value, Operand::Path(path)) => {
            let turned = match comparator {
                Comparator::Less => Comparator::Greater,
                Comparator::LessOrEqual => Comparator::GreaterOrEqual,
                Comparator::Greater => Comparator::Less,
                Comparator::GreaterOrEqual => Comparator::LessOrEqual,
                same @ (Comparator::Equal | Comparator::NotEqual) => same,
            };
            Ok(OneKey { name: key_name(path)?, test: Test::Compare(turned, constant(value)?) })
        }
        (Operand::Size(_), _) | (_, Operand::Size(_)) => Err(KeyConditionError::NestedOperation),
        _ => Err(KeyConditionError::NoName),
    }
}

fn key_name(path: Path) -> Result<String, KeyConditionError> {
    if path.steps.is_empty() { Ok(path.root) } else { Err(KeyConditionError::NestedAttribute) }
}

fn constant(operand: Operand) -> Result<AttributeValue, KeyConditionError> {
    match operand {
        Operand::Value(value) => Ok(value),
        Operand::Path(_) => Err(KeyConditionError::SeveralNames),
        Operand::Size(_) => Err(KeyConditionError::NestedOperation),
    }
}

impl KeyCondition {
    /// The hash key and the part of the sort keys that the condition means in a table.
    ///
    /// # Errors
    /// When it does not fix the hash key, names other attributes or has values of other types.
    pub fn for_schema(&self, schema: &TableSchema) -> Result<(KeyValue, SortCondition), KeyConditionError> {
        let missed = || KeyConditionError::MissedKey(schema.hash.name.clone());
        let hash = self.0.iter().find(|key| key.name == schema.hash.name).ok_or_else(missed)?;
        let Test::Compare(Comparator::Equal, value) = &hash.test else {
            return Err(KeyConditionError::NotSupported);
        };
        let hash_value = key_value(&schema.hash, value)?;
        let Some(other) = self.0.iter().find(|key| key.name != schema.hash.name) else {
            return Ok((hash_value, SortCondition::Any));
        };
        let Some(range) = &schema.range else { return Err(KeyConditionError::NotSupported) };
        if other.name != range.name {
            return Err(KeyConditionError::MissedKey(range.name.clone()));
        }
        let value = |value| key_value(range, value);
        let sort = match &other.test {
            Test::Between(low, high) => SortCondition::Between(value(low)?, value(high)?),
            Test::BeginsWith(prefix) => match value(prefix)? {
                KeyValue::N(_) => return Err(KeyConditionError::NotSupported),
                prefix => SortCondition::BeginsWith(prefix),
            },
            Test::Compare(comparator, bound) => {
                let bound = value(bound)?;
                match comparator {
                    Comparator::Equal => SortCondition::Equal(bound),
                    Comparator::Less => SortCondition::Less(bound),
                    Comparator::LessOrEqual => SortCondition::LessOrEqual(bound),
                    Comparator::Greater => SortCondition::Greater(bound),
                    Comparator::GreaterOrEqual => SortCondition::GreaterOrEqual(bound),
                    Comparator::NotEqual => return Err(KeyConditionError::NotSupported),
                }
            }
        };
        Ok((hash_value, sort))
    }
}

fn key_value(
    attribute: &crate::item::KeyAttribute,
    value: &AttributeValue,
) -> Result<KeyValue, KeyConditionError> {
    let value = KeyValue::from_attribute(value)
        .filter(|value| value.kind() == attribute.kind)
        .ok_or(KeyConditionError::TypeMismatch)?;
    if value.is_empty() {
        let what = if matches!(value, KeyValue::S(_)) { "string" } else { "binary" };
        return Err(KeyConditionError::EmptyKey { name: attribute.name.clone(), what });
    }
    Ok(value)
}
