//! What several operations have in common: expression parameters and their rules, legacy parameters,
//! consumed capacity, and the table that a request is for.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde::de::IgnoredAny;

use super::backend::{Backend, BackendError, Consistency};
use super::error::{ApiError, Exception};
use crate::expression::{Placeholders, Projection, parse_projection};
use crate::item::TableSchema;
use crate::item::json::{RawItem, check_item};

/// Which of an operation's parameters were given, for DynamoDB's rules on which go together.
pub(super) struct Given<'a> {
    /// The operation's expression parameters, with whether each was given.
    pub(super) expressions: &'a [(&'static str, bool)],
    /// Its legacy parameters.
    pub(super) legacy: &'a [(&'static str, &'a Option<IgnoredAny>)],
}

impl Given<'_> {
    /// Checks that legacy parameters and expressions are not mixed, that no legacy parameter is used
    /// at all (this store has none: ignoring a condition would be worse than refusing it), and that
    /// placeholders come with an expression.
    pub(super) fn check(&self, names: bool, values: bool) -> Result<(), ApiError> {
        let list = |given: Vec<&str>| given.join(", ");
        let legacy: Vec<&str> =
            self.legacy.iter().filter(|(_, value)| value.is_some()).map(|(name, _)| *name).collect();
        let used: Vec<&str> =
            self.expressions.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect();
        if let Some(first) = legacy.first() {
            if !used.is_empty() {
                return Err(ApiError::validation(format!(
                    "Can not use both expression and non-expression parameters in the same request: \
                     Non-expression parameters: {{{}}} Expression parameters: {{{}}}",
                    list(legacy),
                    list(used)
                )));
            }
            return Err(ApiError::validation(format!(
                "The legacy parameter {first} is not supported by this store; use an expression instead"
            )));
        }
        if names && used.is_empty() {
            return Err(ApiError::validation(
                "ExpressionAttributeNames can only be specified when using expressions",
            ));
        }
        let with_values: Vec<_> =
            self.expressions.iter().filter(|(name, _)| *name != "ProjectionExpression").collect();
        if values && with_values.iter().all(|(_, given)| !given) {
            let verb = if with_values.len() == 1 { "is" } else { "are" };
            let all: Vec<&str> = with_values.iter().map(|(name, _)| *name).collect();
            return Err(ApiError::validation(format!(
                "ExpressionAttributeValues can only be specified when using expressions: {} {verb} null",
                all.join(" and ")
            )));
        }
        Ok(())
    }
}

/// Checks the values of `ExpressionAttributeValues` and takes both maps of placeholders.
pub(super) fn placeholders(
    names: Option<BTreeMap<String, String>>,
    values: Option<RawItem>,
) -> Result<Placeholders, ApiError> {
    let checked = |raw: RawItem| {
        raw.into_iter()
            .map(|(key, value)| match value.check() {
                Ok(value) => Ok((key, value)),
                Err(error) => Err(ApiError::validation(format!(
                    "ExpressionAttributeValues contains invalid value: {error} for key {key}"
                ))),
            })
            .collect::<Result<BTreeMap<_, _>, _>>()
    };
    Ok(Placeholders::new(names, values.map(checked).transpose()?)?)
}

/// Parses the projection, if there is one.
pub(super) fn projection(
    source: Option<&String>,
    placeholders: &mut Placeholders,
) -> Result<Option<Projection>, ApiError> {
    Ok(source.map(|source| parse_projection(source, placeholders)).transpose()?)
}

/// The values of a key map that came with a request.
pub(super) fn key_map(raw: Option<RawItem>) -> Result<crate::item::Item, ApiError> {
    Ok(check_item(raw.unwrap_or_default())?)
}

/// The schema of the table that a data operation is for.
pub(super) async fn schema(backend: &dyn Backend, table: &str) -> Result<Arc<TableSchema>, ApiError> {
    match backend.describe_table(table).await {
        Ok(description) => Ok(description.schema),
        // data operations do not name the table, as DynamoDB's do not
        Err(BackendError::TableNotFound(_)) => {
            Err(ApiError::new(Exception::ResourceNotFound, "Requested resource not found"))
        }
        Err(error) => Err(error.into()),
    }
}

/// `ConsistentRead` as what the backend is asked for.
pub(super) fn consistency(consistent_read: Option<bool>) -> Consistency {
    if consistent_read == Some(true) { Consistency::Strong } else { Consistency::Eventual }
}

/// `ConsumedCapacity` in an answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ConsumedCapacity {
    table_name: String,
    capacity_units: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    table: Option<TableCapacity>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct TableCapacity {
    capacity_units: f64,
}

/// The capacity that a request used, if `ReturnConsumedCapacity` asks for it.
pub(super) fn consumed(asked: Option<&str>, table: &str, units: f64) -> Option<ConsumedCapacity> {
    let per_table = match asked? {
        "TOTAL" => None,
        "INDEXES" => Some(TableCapacity { capacity_units: units }),
        _ => return None,
    };
    Some(ConsumedCapacity { table_name: table.to_owned(), capacity_units: units, table: per_table })
}

/// One write unit per KB begun, one at least.
pub(super) fn write_units(bytes: usize) -> f64 {
    units(bytes, 1024)
}

/// One read unit per 4 KB begun, one at least; half of it for eventual reads.
pub(super) fn read_units(bytes: usize, consistency: Consistency) -> f64 {
    let strong = units(bytes, 4096);
    if consistency == Consistency::Strong { strong } else { strong / 2.0 }
}

fn units(bytes: usize, unit: usize) -> f64 {
    let count = bytes.div_ceil(unit).max(1);
    u32::try_from(count).map_or(f64::MAX, f64::from)
}
