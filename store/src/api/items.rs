//! PutItem, DeleteItem, UpdateItem and GetItem.
//!
//! Each request is checked in DynamoDB's order: single fields, which parameters go together, values,
//! expressions, then the table and the key. Only then is the backend asked.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::backend::{Ask, Backend, SiblingVersion, Written};
use super::constraint::Constraints;
use super::error::ApiError;
use super::extension::Asked;
use super::parameters::{
    ConsumedCapacity, Given, consistency, consumed, key_map, placeholders, projection, read_units, schema,
    write_units,
};
use super::reply::{Reply, reply};
use crate::expression::{Condition, Placeholders, Projection, Update, parse_condition, parse_update};
use crate::item::json::{RawItem, Wire, check_item};
use crate::item::size::{MAX_ITEM, item_size};
use crate::item::{Action, Item, Mutation, MutationRefused, TableSchema};

/// The parameters that every write has.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct WriteRequest {
    table_name: Option<String>,
    item: Option<RawItem>,
    key: Option<RawItem>,
    update_expression: Option<String>,
    condition_expression: Option<String>,
    expression_attribute_names: Option<BTreeMap<String, String>>,
    expression_attribute_values: Option<RawItem>,
    return_values: Option<String>,
    return_values_on_condition_check_failure: Option<String>,
    return_consumed_capacity: Option<String>,
    return_item_collection_metrics: Option<String>,
    expected: Option<IgnoredAny>,
    attribute_updates: Option<IgnoredAny>,
    conditional_operator: Option<IgnoredAny>,
}

/// GetItem's parameters.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct GetRequest {
    table_name: Option<String>,
    key: Option<RawItem>,
    consistent_read: Option<bool>,
    projection_expression: Option<String>,
    expression_attribute_names: Option<BTreeMap<String, String>>,
    return_consumed_capacity: Option<String>,
    attributes_to_get: Option<IgnoredAny>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct WriteAnswer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<Wire<'a, Item>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consumed_capacity: Option<ConsumedCapacity>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetAnswer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<Wire<'a, Item>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    siblings: Option<Vec<SiblingAnswer<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consumed_capacity: Option<ConsumedCapacity>,
}

/// One of the versions that an item has side by side; a null item is a deletion.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SiblingAnswer<'a> {
    item: Option<Wire<'a, Item>>,
    version: &'a str,
    timestamp: (i64, &'a str),
}

impl<'a> SiblingAnswer<'a> {
    /// The version, with as much of its item as was asked for.
    fn new((version, shown): &'a (&SiblingVersion, Option<Item>)) -> Self {
        let at = &version.timestamp;
        Self { item: shown.as_ref().map(Wire), version: &version.version, timestamp: (at.ns, &at.node) }
    }
}

pub(super) async fn put_item(
    backend: &dyn Backend,
    mut request: WriteRequest,
    asked: Asked,
) -> Result<Reply, ApiError> {
    let ask = asked.of_write(request.returns_old())?;
    request.check_fields("item", request.item.is_some())?;
    request.check_given(&[("ConditionExpression", request.condition_expression.is_some())])?;
    request.check_old_only()?;
    let item = check_item(request.item.take().unwrap_or_default())?;
    let size = item_size(&item);
    if size > MAX_ITEM {
        return Err(ApiError::validation(MutationRefused::ItemTooLarge { after_update: false }.to_string()));
    }
    let mut placeholders = request.placeholders()?;
    let condition = request.condition(&mut placeholders)?;
    placeholders.all_used()?;
    let table = request.table();
    let schema = schema(backend, &table).await?;
    let key = schema.key_of_item(&item)?;
    let written =
        request.write(backend, &ask, Mutation { table, key, action: Action::Put(item), condition }).await?;
    request.answer_write(written, size, None)
}

pub(super) async fn delete_item(
    backend: &dyn Backend,
    mut request: WriteRequest,
    asked: Asked,
) -> Result<Reply, ApiError> {
    let ask = asked.of_write(request.returns_old())?;
    request.check_fields("key", request.key.is_some())?;
    request.check_given(&[("ConditionExpression", request.condition_expression.is_some())])?;
    request.check_old_only()?;
    let key = key_map(request.key.take())?;
    let mut placeholders = request.placeholders()?;
    let condition = request.condition(&mut placeholders)?;
    placeholders.all_used()?;
    let table = request.table();
    let key = schema(backend, &table).await?.key_of_map(&key)?;
    let written =
        request.write(backend, &ask, Mutation { table, key, action: Action::Delete, condition }).await?;
    request.answer_write(written, 0, None)
}

pub(super) async fn update_item(
    backend: &dyn Backend,
    mut request: WriteRequest,
    asked: Asked,
) -> Result<Reply, ApiError> {
    let ask = asked.of_write(request.returns_old())?;
    request.check_fields("key", request.key.is_some())?;
    request.check_given(&[
        ("UpdateExpression", request.update_expression.is_some()),
        ("ConditionExpression", request.condition_expression.is_some()),
    ])?;
    let key = key_map(request.key.take())?;
    let mut placeholders = request.placeholders()?;
    let update = match &request.update_expression {
        Some(source) => parse_update(source, &mut placeholders)?,
        None => Update::default(),
    };
    let condition = request.condition(&mut placeholders)?;
    placeholders.all_used()?;
    let table = request.table();
    let schema = schema(backend, &table).await?;
    let key = schema.key_of_map(&key)?;
    check_key_untouched(&update, &schema)?;
    let targets = request.returns_updated().then(|| Projection(update.targets().cloned().collect()));
    let written = request
        .write(backend, &ask, Mutation { table, key, action: Action::Update(update), condition })
        .await?;
    request.answer_write(written, 0, targets.as_ref())
}

pub(super) async fn get_item(
    backend: &dyn Backend,
    mut request: GetRequest,
    asked: Asked,
) -> Result<Reply, ApiError> {
    let ask = asked.of_read()?;
    let mut constraints = Constraints::default();
    constraints.consumed_capacity(request.return_consumed_capacity.as_deref());
    constraints.table_name("tableName", request.table_name.as_deref(), 1);
    constraints.required("key", request.key.as_ref());
    constraints.finish()?;
    Given {
        expressions: &[("ProjectionExpression", request.projection_expression.is_some())],
        legacy: &[("AttributesToGet", &request.attributes_to_get)],
    }
    .check(request.expression_attribute_names.is_some(), false)?;
    let key = key_map(request.key.take())?;
    let mut placeholders = placeholders(request.expression_attribute_names.take(), None)?;
    let projection = projection(request.projection_expression.as_ref(), &mut placeholders)?;
    placeholders.all_used()?;
    let table = request.table_name.unwrap_or_default();
    let key = schema(backend, &table).await?.key_of_map(&key)?;
    let consistency = consistency(request.consistent_read);
    let got = backend
        .get(&table, &key, consistency, &ask)
        .await
        .map_err(|error| ApiError::from(error).at(backend.partition_of(&table, &key)))?;
    let size = got.item.as_ref().map_or(0, item_size);
    let shown = |item: &Item| projection.as_ref().map_or_else(|| item.clone(), |shown| shown.apply(item));
    let item = match projection {
        Some(_) => got.item.as_ref().map(shown),
        None => got.item,
    };
    let versions = got.extension.as_deref().and_then(|extension| extension.versions.as_deref());
    let siblings: Option<Vec<_>> =
        versions.map(|all| all.iter().map(|version| (version, version.item.as_ref().map(shown))).collect());
    let asked = request.return_consumed_capacity.as_deref();
    let consumed_capacity = consumed(asked, &table, read_units(size, consistency));
    let answer = GetAnswer {
        item: item.as_ref().map(Wire),
        siblings: siblings.as_ref().map(|all| all.iter().map(SiblingAnswer::new).collect()),
        consumed_capacity,
    };
    Ok(reply(&answer, Some(got.partition))?.with(got.extension))
}

impl WriteRequest {
    fn table(&self) -> String {
        self.table_name.clone().unwrap_or_default()
    }

    fn check_fields(&self, what: &str, given: bool) -> Result<(), ApiError> {
        let mut constraints = Constraints::default();
        constraints.consumed_capacity(self.return_consumed_capacity.as_deref());
        constraints.table_name("tableName", self.table_name.as_deref(), 1);
        constraints.required(what, given.then_some(&()));
        constraints.one_of(
            "returnValues",
            self.return_values.as_deref(),
            &["ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW"],
        );
        constraints.one_of(
            "returnItemCollectionMetrics",
            self.return_item_collection_metrics.as_deref(),
            &["SIZE", "NONE"],
        );
        constraints.one_of(
            "returnValuesOnConditionCheckFailure",
            self.return_values_on_condition_check_failure.as_deref(),
            &["ALL_OLD", "NONE"],
        );
        constraints.finish()
    }

    fn check_given(&self, expressions: &[(&'static str, bool)]) -> Result<(), ApiError> {
        let legacy = [
            ("AttributeUpdates", &self.attribute_updates),
            ("Expected", &self.expected),
            ("ConditionalOperator", &self.conditional_operator),
        ];
        Given { expressions, legacy: &legacy }
            .check(self.expression_attribute_names.is_some(), self.expression_attribute_values.is_some())
    }

    /// PutItem and DeleteItem return the old item or nothing.
    fn check_old_only(&self) -> Result<(), ApiError> {
        match self.return_values.as_deref() {
            None | Some("ALL_OLD" | "NONE") => Ok(()),
            Some(_) => Err(ApiError::validation("ReturnValues can only be ALL_OLD or NONE")),
        }
    }

    fn placeholders(&mut self) -> Result<Placeholders, ApiError> {
        placeholders(self.expression_attribute_names.take(), self.expression_attribute_values.take())
    }

    fn condition(&self, placeholders: &mut Placeholders) -> Result<Option<Condition>, ApiError> {
        let source = self.condition_expression.as_deref();
        let parse = |source| parse_condition("ConditionExpression", source, placeholders);
        Ok(source.map(parse).transpose()?)
    }

    fn returns_updated(&self) -> bool {
        matches!(self.return_values.as_deref(), Some("UPDATED_OLD" | "UPDATED_NEW"))
    }

    /// Whether the answer shows the item as it was.
    fn returns_old(&self) -> bool {
        matches!(self.return_values.as_deref(), Some("ALL_OLD" | "UPDATED_OLD"))
    }

    async fn write(&self, backend: &dyn Backend, ask: &Ask, mutation: Mutation) -> Result<Written, ApiError> {
        let partition = backend.partition_of(&mutation.table, &mutation.key);
        backend.write(mutation, ask).await.map_err(|error| ApiError::from(error).at(partition))
    }

    /// The answer to a decided write; `size` is that of the item put, `targets` what an update wrote.
    fn answer_write(
        &self,
        written: Written,
        size: usize,
        targets: Option<&Projection>,
    ) -> Result<Reply, ApiError> {
        let with_item = self.return_values_on_condition_check_failure.as_deref() == Some("ALL_OLD");
        let done = match written.reply {
            Ok(done) => done,
            Err(refused) => {
                let error = ApiError::refused(refused, written.partition, with_item);
                return Err(error.with(written.extension));
            }
        };
        let asked = self.return_consumed_capacity.as_deref();
        let consumed_capacity = asked.and_then(|_| {
            let sizes = [done.old.as_ref(), done.new.as_ref()].map(|item| item.map_or(0, item_size));
            let largest = sizes.into_iter().fold(size, usize::max);
            consumed(asked, self.table_name.as_deref().unwrap_or_default(), write_units(largest))
        });
        let image = match self.return_values.as_deref() {
            Some("ALL_OLD" | "UPDATED_OLD") => done.old,
            Some("ALL_NEW" | "UPDATED_NEW") => done.new,
            _ => None,
        };
        let attributes = match targets {
            Some(targets) => image.map(|image| targets.apply(&image)).filter(|part| !part.is_empty()),
            None => image,
        };
        let answer = WriteAnswer { attributes: attributes.as_ref().map(Wire), consumed_capacity };
        Ok(reply(&answer, Some(written.partition))?.with(written.extension))
    }
}

fn check_key_untouched(update: &Update, schema: &TableSchema) -> Result<(), ApiError> {
    match update.targets().find(|path| schema.is_key(&path.root)) {
        None => Ok(()),
        Some(path) => Err(ApiError::validation(format!(
            "One or more parameter values were invalid: Cannot update attribute {}. This attribute is part of the key",
            path.root
        ))),
    }
}
