//! Requests, one type an operation, serialised straight from borrowed parts.
//!
//! [`Request`] ties an operation to its answer and to what a failure of it means: a request that only reads
//! has no effect whatever happens to it. A new operation is a new type here, and nothing else changes.

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::caps::Units;
use super::value::{Item, Number, Pairs};

/// A request, and what it is answered with.
pub trait Request: Serialize + Send + Sync {
    /// The answer's body.
    type Output: DeserializeOwned + Send;
    /// The name of the operation, as it stands in `X-Amz-Target`.
    const OPERATION: &'static str;
    /// What it does.
    const KIND: Kind;
}

/// What an operation does, as far as sorting its failures and counting its cost go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Reads only: no effect, whatever happens.
    Read,
    /// Writes items.
    Write,
    /// Reads several items as one transaction.
    ReadTransaction,
    /// Writes several items as one transaction.
    WriteTransaction,
    /// Makes, removes or describes tables: not counted against the caps.
    Control,
}

impl Kind {
    /// True where no failure can leave an effect behind.
    #[must_use]
    pub fn only_reads(self) -> bool {
        matches!(self, Self::Read | Self::ReadTransaction)
    }

    /// The estimated cost of a body of this many bytes. None: not counted.
    pub(super) fn cost(self, bytes: usize) -> Option<Units> {
        let kilobytes = (bytes as u64).div_ceil(1024).max(1);
        let units = |write, read| Some(Units { write, read });
        match self {
            Self::Read => units(0, 1),
            // The body of a transactional read names every item; 64 bytes are less than any key takes.
            Self::ReadTransaction => units(0, 2 * (bytes as u64).div_ceil(64)),
            Self::Write => units(kilobytes, 0),
            // Its items take 128 bytes each at least, and each costs two units.
            Self::WriteTransaction => units(2 * (bytes as u64).div_ceil(128), 0),
            Self::Control => None,
        }
    }
}

macro_rules! request {
    ($type:ident $(< $($parameter:ident),+ >)? , $kind:ident, $output:ty) => {
        impl<$($($parameter: Serialize + Send + Sync),+)?> Request for $type<'_ $(, $($parameter),+)?> {
            type Output = $output;
            const OPERATION: &'static str = stringify!($type);
            const KIND: Kind = Kind::$kind;
        }
    };
}

/// Asks the server to return the item as it was.
pub const ALL_OLD: &str = "ALL_OLD";

/// A condition, and the placeholders of all expressions, flattened into the requests that take them.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Expressions<'a> {
    /// The condition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition_expression: Option<&'a str>,
    /// Names behind `#` placeholders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expression_attribute_names: Option<Pairs<'a, &'a str>>,
    /// Values behind `:` placeholders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expression_attribute_values: Option<Pairs<'a, Number>>,
    /// Whether the item that failed the condition is returned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_values_on_condition_check_failure: Option<&'static str>,
}

/// Reads one item.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetItem<'a, K> {
    /// The table.
    pub table_name: &'a str,
    /// The key.
    pub key: K,
    /// A strong read.
    pub consistent_read: bool,
}
request!(GetItem<K>, Read, GetOutput);

/// What [`GetItem`] returns.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct GetOutput {
    /// The item, where there is one.
    #[serde(rename = "Item", default)]
    pub item: Option<Item>,
    /// All versions, where they were asked for and the server keeps them.
    #[serde(rename = "Siblings", default)]
    pub siblings: Option<Vec<Sibling>>,
}

/// One of the versions that an item has side by side.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Sibling {
    /// The item; none: a deletion.
    #[serde(rename = "Item")]
    pub item: Option<Item>,
    /// Its version.
    #[serde(rename = "Version")]
    pub version: String,
    /// When it was written, in nanoseconds, and the node whose clock that was.
    #[serde(rename = "Timestamp")]
    pub timestamp: (i64, String),
}

/// Writes one whole item.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PutItem<'a, I> {
    /// The table.
    pub table_name: &'a str,
    /// The item.
    pub item: I,
    /// The condition, where there is one.
    #[serde(flatten)]
    pub expressions: Expressions<'a>,
    /// Whether the old item is returned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_values: Option<&'static str>,
}
request!(PutItem<I>, Write, WriteOutput);

/// Removes one item.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteItem<'a, K> {
    /// The table.
    pub table_name: &'a str,
    /// The key.
    pub key: K,
    /// The condition, where there is one.
    #[serde(flatten)]
    pub expressions: Expressions<'a>,
    /// Whether the old item is returned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_values: Option<&'static str>,
}
request!(DeleteItem<K>, Write, WriteOutput);

/// Changes attributes of one item.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateItem<'a, K> {
    /// The table.
    pub table_name: &'a str,
    /// The key.
    pub key: K,
    /// What is changed.
    pub update_expression: &'a str,
    /// The condition, where there is one, and the placeholders of both expressions.
    #[serde(flatten)]
    pub expressions: Expressions<'a>,
    /// Whether the old item is returned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_values: Option<&'static str>,
}
request!(UpdateItem<K>, Write, WriteOutput);

/// What [`PutItem`], [`DeleteItem`] and [`UpdateItem`] return.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct WriteOutput {
    /// The old item, where it was asked for, the server returns it, and there was one.
    #[serde(rename = "Attributes", default)]
    pub attributes: Option<Item>,
}

/// Reads the items of one partition key, a page at a time.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Query<'a, V> {
    /// The table.
    pub table_name: &'a str,
    /// Which items.
    pub key_condition_expression: &'a str,
    /// Values behind `:` placeholders.
    pub expression_attribute_values: V,
    /// A strong read.
    pub consistent_read: bool,
    /// Items on a page at most.
    pub limit: u32,
    /// Where the page before ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclusive_start_key: Option<&'a Item>,
}
request!(Query<V>, Read, QueryOutput);

/// What [`Query`] returns.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct QueryOutput {
    /// The page.
    #[serde(rename = "Items", default)]
    pub items: Vec<Item>,
    /// Where the next page starts, if there is one.
    #[serde(rename = "LastEvaluatedKey", default)]
    pub last_evaluated_key: Option<Item>,
}

/// Reads several items as one transaction.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TransactGetItems<'a, T> {
    /// Which items, each as `{"Get": …}`.
    pub transact_items: &'a [T],
}
request!(TransactGetItems<T>, ReadTransaction, TransactGetOutput);

/// What [`TransactGetItems`] returns.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct TransactGetOutput {
    /// One entry for each item that was asked for, in that order.
    #[serde(rename = "Responses", default)]
    pub responses: Vec<GetOutput>,
}

/// Writes several items as one transaction.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TransactWriteItems<'a, T> {
    /// The writes, each as `{"Update": …}` and its like.
    pub transact_items: &'a [T],
    /// The idempotency token.
    pub client_request_token: &'a str,
}
request!(TransactWriteItems<T>, WriteTransaction, IgnoredAny);

/// One key attribute of a table.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct KeySchema<'a> {
    /// Its name.
    pub attribute_name: &'a str,
    /// `HASH` or `RANGE`.
    pub key_type: &'a str,
}

/// The type of one key attribute.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AttributeDefinition<'a> {
    /// Its name.
    pub attribute_name: &'a str,
    /// `S` or `N`.
    pub attribute_type: &'a str,
}

/// Makes a table that is paid by the request.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateTable<'a> {
    /// Its name.
    pub table_name: &'a str,
    /// Its key.
    pub key_schema: &'a [KeySchema<'a>],
    /// The types of its key's attributes.
    pub attribute_definitions: &'a [AttributeDefinition<'a>],
    /// `PAY_PER_REQUEST`.
    pub billing_mode: &'a str,
}
request!(CreateTable, Control, IgnoredAny);

/// Describes a table.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeTable<'a> {
    /// Its name.
    pub table_name: &'a str,
}
request!(DescribeTable, Control, DescribeOutput);

/// What [`DescribeTable`] returns, as much as is needed of it.
#[derive(Debug, Clone, Deserialize)]
pub struct DescribeOutput {
    /// The table.
    #[serde(rename = "Table")]
    pub table: TableDescription,
}

/// A table, as the server describes it.
#[derive(Debug, Clone, Deserialize)]
pub struct TableDescription {
    /// `CREATING`, `ACTIVE`, `DELETING` and so on.
    #[serde(rename = "TableStatus")]
    pub table_status: String,
    /// When it was made, where the server says: seconds since 1970, or whatever else it takes for a time.
    #[serde(rename = "CreationDateTime", default)]
    pub creation_date_time: Option<Value>,
}

/// Lists the tables, a page at a time.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListTables<'a> {
    /// The last name of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclusive_start_table_name: Option<&'a str>,
}
request!(ListTables, Control, ListOutput);

/// What [`ListTables`] returns.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct ListOutput {
    /// The names.
    #[serde(rename = "TableNames", default)]
    pub table_names: Vec<String>,
    /// The last name, where there are more.
    #[serde(rename = "LastEvaluatedTableName", default)]
    pub last: Option<String>,
}

/// Removes a table.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteTable<'a> {
    /// Its name.
    pub table_name: &'a str,
}
request!(DeleteTable, Control, IgnoredAny);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamodb::value::Text;
    use serde_json::json;

    #[test]
    fn a_conditional_put_is_what_dynamodb_expects() {
        let put = PutItem {
            table_name: "t",
            item: Pairs(&[("pk", Text("k1"))]),
            expressions: Expressions {
                condition_expression: Some("#v = :old"),
                expression_attribute_names: Some(Pairs(&[("#v", "v")])),
                expression_attribute_values: Some(Pairs(&[(":old", Number(3))])),
                return_values_on_condition_check_failure: Some(ALL_OLD),
            },
            return_values: None,
        };
        let expected = json!({
            "TableName": "t", "Item": {"pk": {"S": "k1"}}, "ConditionExpression": "#v = :old",
            "ExpressionAttributeNames": {"#v": "v"}, "ExpressionAttributeValues": {":old": {"N": "3"}},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        });
        assert_eq!(serde_json::to_value(put).unwrap(), expected);
        assert_eq!(<PutItem<'_, ()> as Request>::OPERATION, "PutItem");
    }

    #[test]
    fn table_operations_cost_nothing_and_everything_else_does() {
        assert_eq!(Kind::Control.cost(5000), None);
        assert_eq!(Kind::Write.cost(1025), Some(Units { write: 2, read: 0 }));
        assert_eq!(Kind::Read.cost(10), Some(Units { write: 0, read: 1 }));
    }
}
