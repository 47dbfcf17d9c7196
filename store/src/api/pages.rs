//! Query and Scan: pages of at most 1 MB, filtered and projected after they are read.
//!
//! A page ends by its size, by `Limit`, or because nothing is left; filters do not make it longer, so
//! that a page may be empty and still have a `LastEvaluatedKey`.

use std::collections::BTreeMap;
use std::ops::RangeBounds;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::backend::{Backend, Consistency, Page, QueryRange, ScanRange};
use super::constraint::Constraints;
use super::error::ApiError;
use super::parameters::{
    ConsumedCapacity, Given, consistency, consumed, placeholders, projection, read_units, schema,
};
use super::reply::{Reply, reply};
use crate::expression::{Condition, Projection, parse_condition, parse_key_condition};
use crate::item::json::{RawItem, Wire, check_item};
use crate::item::size::item_size;
use crate::item::{Item, PrimaryKey, TableSchema, key};

/// The most bytes of items in a page, before the filter.
const MAX_PAGE: usize = 1024 * 1024;
/// The most segments of a parallel scan.
const MAX_SEGMENTS: i64 = 1_000_000;

const SELECTS: [&str; 4] = ["SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES"];

/// The parameters of both operations; each refuses those of the other by not having them.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct PageRequest {
    table_name: Option<String>,
    index_name: Option<String>,
    select: Option<String>,
    limit: Option<i64>,
    consistent_read: Option<bool>,
    scan_index_forward: Option<bool>,
    exclusive_start_key: Option<RawItem>,
    segment: Option<i64>,
    total_segments: Option<i64>,
    key_condition_expression: Option<String>,
    filter_expression: Option<String>,
    projection_expression: Option<String>,
    expression_attribute_names: Option<BTreeMap<String, String>>,
    expression_attribute_values: Option<RawItem>,
    return_consumed_capacity: Option<String>,
    key_conditions: Option<IgnoredAny>,
    query_filter: Option<IgnoredAny>,
    scan_filter: Option<IgnoredAny>,
    attributes_to_get: Option<IgnoredAny>,
    conditional_operator: Option<IgnoredAny>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PageAnswer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    items: Option<Wire<'a, [Item]>>,
    count: usize,
    scanned_count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_evaluated_key: Option<Wire<'a, Item>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consumed_capacity: Option<ConsumedCapacity>,
}

/// What is done with the items of a page.
struct Shape {
    filter: Option<Condition>,
    projection: Option<Projection>,
    count_only: bool,
}

pub(super) async fn query(backend: &dyn Backend, mut request: PageRequest) -> Result<Reply, ApiError> {
    request.check_query_fields()?;
    let start = request.start_key()?;
    let Some(source) = request.key_condition_expression.clone() else {
        return Err(ApiError::validation(
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.",
        ));
    };
    let mut placeholders =
        placeholders(request.expression_attribute_names.take(), request.expression_attribute_values.take())?;
    let key_condition = parse_key_condition(&source, &mut placeholders)?;
    let shape = request.shape(&mut placeholders)?;
    placeholders.all_used()?;
    let table = request.table_name.clone().unwrap_or_default();
    let schema = schema(backend, &table).await?;
    request.refuse_index()?;
    let (hash, sort) = key_condition.for_schema(&schema)?;
    shape.check_filter_of_query(&schema)?;
    let start = start.map(|map| starting_key(&schema, &map)).transpose()?;
    if let Some(start) = &start
        && (start.hash != hash || !sort.storage_range(&hash).contains(&start.storage_key()))
    {
        return Err(ApiError::validation(
            "The provided starting key is outside query boundaries based on provided conditions",
        ));
    }
    let consistency = consistency(request.consistent_read);
    let range = QueryRange {
        table,
        hash,
        sort,
        forward: request.scan_index_forward != Some(false),
        start,
        max_bytes: MAX_PAGE,
        max_items: request.max_items(),
    };
    let partition = backend.partition_of(&range.table, &PrimaryKey { hash: range.hash.clone(), range: None });
    let page =
        backend.query(range, consistency).await.map_err(|error| ApiError::from(error).at(partition))?;
    request.answer(page, &schema, &shape, consistency)
}

pub(super) async fn scan(backend: &dyn Backend, mut request: PageRequest) -> Result<Reply, ApiError> {
    request.check_scan_fields()?;
    let start = request.start_key()?;
    let segment = request.segment()?;
    let mut placeholders =
        placeholders(request.expression_attribute_names.take(), request.expression_attribute_values.take())?;
    let shape = request.shape(&mut placeholders)?;
    placeholders.all_used()?;
    let table = request.table_name.clone().unwrap_or_default();
    let schema = schema(backend, &table).await?;
    request.refuse_index()?;
    let start = start.map(|map| starting_key(&schema, &map)).transpose()?;
    if let (Some(start), Some((segment, total))) = (&start, segment)
        && !key::segment_range(segment, total).contains(&start.storage_key())
    {
        return Err(ApiError::validation(format!(
            "The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment. TotalSegments: {total} Segment: {segment}"
        )));
    }
    let consistency = consistency(request.consistent_read);
    let range = ScanRange { table, start, segment, max_bytes: MAX_PAGE, max_items: request.max_items() };
    let page = backend.scan(range, consistency).await?;
    request.answer(page, &schema, &shape, consistency)
}

impl PageRequest {
    fn check_query_fields(&self) -> Result<(), ApiError> {
        let mut constraints = self.constraints();
        constraints.one_of("select", self.select.as_deref(), &SELECTS);
        constraints.finish()?;
        // Query's own wording, unlike Scan's
        if self.limit.is_some_and(|limit| limit < 1) {
            return Err(ApiError::validation(
                "1 validation error detected: Value at 'Limit' failed to satisfy constraint: Member must have value greater than or equal to 1",
            ));
        }
        let legacy = [
            ("AttributesToGet", &self.attributes_to_get),
            ("QueryFilter", &self.query_filter),
            ("ConditionalOperator", &self.conditional_operator),
            ("KeyConditions", &self.key_conditions),
        ];
        let expressions = [
            ("ProjectionExpression", self.projection_expression.is_some()),
            ("FilterExpression", self.filter_expression.is_some()),
            ("KeyConditionExpression", self.key_condition_expression.is_some()),
        ];
        self.check_given(&expressions, &legacy)
    }

    fn check_scan_fields(&self) -> Result<(), ApiError> {
        let mut constraints = self.constraints();
        constraints.between("limit", self.limit, 1, i64::MAX);
        constraints.one_of("select", self.select.as_deref(), &SELECTS);
        constraints.between("segment", self.segment, 0, MAX_SEGMENTS - 1);
        constraints.between("totalSegments", self.total_segments, 1, MAX_SEGMENTS);
        constraints.finish()?;
        let legacy = [
            ("AttributesToGet", &self.attributes_to_get),
            ("ScanFilter", &self.scan_filter),
            ("ConditionalOperator", &self.conditional_operator),
        ];
        let expressions = [
            ("ProjectionExpression", self.projection_expression.is_some()),
            ("FilterExpression", self.filter_expression.is_some()),
        ];
        self.check_given(&expressions, &legacy)
    }

    fn constraints(&self) -> Constraints {
        let mut constraints = Constraints::default();
        constraints.consumed_capacity(self.return_consumed_capacity.as_deref());
        constraints.table_name("tableName", self.table_name.as_deref(), 1);
        constraints
    }

    fn check_given(
        &self,
        expressions: &[(&'static str, bool)],
        legacy: &[(&'static str, &Option<IgnoredAny>)],
    ) -> Result<(), ApiError> {
        Given { expressions, legacy }
            .check(self.expression_attribute_names.is_some(), self.expression_attribute_values.is_some())?;
        let projected = self.projection_expression.is_some();
        let wrong = match self.select.as_deref() {
            Some("COUNT") if projected => {
                "Cannot specify the ProjectionExpression when choosing to get only the Count"
            }
            Some("ALL_ATTRIBUTES") if projected => {
                "Cannot specify the ProjectionExpression when choosing to get ALL_ATTRIBUTES"
            }
            Some("SPECIFIC_ATTRIBUTES") if !projected => {
                "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES"
            }
            Some("ALL_PROJECTED_ATTRIBUTES") if self.index_name.is_none() => {
                "One or more parameter values were invalid: ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName"
            }
            _ => return Ok(()),
        };
        Err(ApiError::validation(wrong))
    }

    fn refuse_index(&self) -> Result<(), ApiError> {
        match &self.index_name {
            None => Ok(()),
            Some(index) => {
                Err(ApiError::validation(format!("The table does not have the specified index: {index}")))
            }
        }
    }

    fn start_key(&mut self) -> Result<Option<Item>, ApiError> {
        self.exclusive_start_key
            .take()
            .map(|raw| {
                check_item(raw).map_err(|error| {
                    ApiError::validation(format!("The provided starting key is invalid: {error}"))
                })
            })
            .transpose()
    }

    fn segment(&self) -> Result<Option<(u32, u32)>, ApiError> {
        let (segment, total) = match (self.segment, self.total_segments) {
            (None, None) => return Ok(None),
            (Some(_), None) => {
                return Err(ApiError::validation(
                    "The TotalSegments parameter is required but was not present in the request when Segment parameter is present",
                ));
            }
            (None, Some(_)) => {
                return Err(ApiError::validation(
                    "The Segment parameter is required but was not present in the request when parameter TotalSegments is present",
                ));
            }
            (Some(segment), Some(total)) => (segment, total),
        };
        if segment >= total {
            return Err(ApiError::validation(format!(
                "The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: {segment} is not less than TotalSegments: {total}"
            )));
        }
        // both were checked to be within 0..=1,000,000
        Ok(u32::try_from(segment).ok().zip(u32::try_from(total).ok()))
    }

    fn shape(&self, placeholders: &mut crate::expression::Placeholders) -> Result<Shape, ApiError> {
        let filter = self.filter_expression.as_deref();
        let filter =
            filter.map(|source| parse_condition("FilterExpression", source, placeholders)).transpose()?;
        let projection = projection(self.projection_expression.as_ref(), placeholders)?;
        Ok(Shape { filter, projection, count_only: self.select.as_deref() == Some("COUNT") })
    }

    fn max_items(&self) -> usize {
        self.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX)
    }

    fn answer(
        &self,
        page: Page,
        schema: &TableSchema,
        shape: &Shape,
        consistency: Consistency,
    ) -> Result<Reply, ApiError> {
        let scanned_count = page.items.len();
        let bytes = page.items.iter().map(item_size).sum();
        let full = page.more || scanned_count == self.max_items();
        let last = page.items.last().filter(|_| full).map(|item| schema.key_of_item(item)).transpose()?;
        let last_key = last.map(|key| schema.key_map(&key));
        let items: Vec<Item> = page.items.into_iter().filter_map(|item| shape.apply(item)).collect();
        let asked = self.return_consumed_capacity.as_deref();
        let table = self.table_name.as_deref().unwrap_or_default();
        let answer = PageAnswer {
            items: (!shape.count_only).then_some(Wire(items.as_slice())),
            count: items.len(),
            scanned_count,
            last_evaluated_key: last_key.as_ref().map(Wire),
            consumed_capacity: consumed(asked, table, read_units(bytes, consistency)),
        };
        reply(&answer, Some(page.partition))
    }
}

impl Shape {
    fn apply(&self, item: Item) -> Option<Item> {
        if self.filter.as_ref().is_some_and(|filter| !filter.holds(&item)) {
            return None;
        }
        match &self.projection {
            Some(projection) => Some(projection.apply(&item)),
            None => Some(item),
        }
    }

    /// A query's filter may not name key attributes: those belong into the key condition.
    fn check_filter_of_query(&self, schema: &TableSchema) -> Result<(), ApiError> {
        let Some(filter) = &self.filter else { return Ok(()) };
        let mut paths = Vec::new();
        filter.paths(&mut paths);
        match paths.iter().find(|path| schema.is_key(&path.root)) {
            None => Ok(()),
            Some(path) => Err(ApiError::validation(format!(
                "Filter Expression can only contain non-primary key attributes: Primary key attribute: {}",
                path.root
            ))),
        }
    }
}

fn starting_key(schema: &TableSchema, map: &Item) -> Result<PrimaryKey, ApiError> {
    schema
        .key_of_map(map)
        .map_err(|error| ApiError::validation(format!("The provided starting key is invalid: {error}")))
}
