//! CreateTable, DescribeTable, ListTables and DeleteTable.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::backend::{Backend, TableDescription, TableStatus};
use super::constraint::Constraints;
use super::error::ApiError;
use super::reply::{Reply, reply};
use crate::item::{Billing, KeyAttribute, KeyType, TableSchema};

/// The most tables in one answer of ListTables.
const MAX_LISTED: i64 = 100;
/// The longest name of a key attribute.
const MAX_KEY_NAME: usize = 255;

/// CreateTable's parameters. Those about AWS's own storage (encryption, table class) are ignored.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct CreateRequest {
    table_name: Option<String>,
    attribute_definitions: Option<Vec<AttributeDefinition>>,
    key_schema: Option<Vec<KeySchemaElement>>,
    billing_mode: Option<String>,
    provisioned_throughput: Option<Throughput>,
    global_secondary_indexes: Option<Vec<IgnoredAny>>,
    local_secondary_indexes: Option<Vec<IgnoredAny>>,
    stream_specification: Option<StreamSpecification>,
    deletion_protection_enabled: Option<bool>,
    tags: Option<Vec<IgnoredAny>>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default)]
struct AttributeDefinition {
    attribute_name: Option<String>,
    attribute_type: Option<String>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default)]
struct KeySchemaElement {
    attribute_name: Option<String>,
    key_type: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Throughput {
    read_capacity_units: Option<i64>,
    write_capacity_units: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct StreamSpecification {
    stream_enabled: bool,
}

/// The parameters of DescribeTable and DeleteTable.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct TableRequest {
    table_name: Option<String>,
}

/// ListTables' parameters.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ListRequest {
    exclusive_start_table_name: Option<String>,
    limit: Option<i64>,
}

pub(super) async fn create_table(backend: &dyn Backend, request: CreateRequest) -> Result<Reply, ApiError> {
    if request.table_name.is_none() {
        return Err(ApiError::validation(
            "The parameter 'TableName' is required but was not present in the request",
        ));
    }
    request.check_fields()?;
    let schema = request.schema()?;
    request.refuse_features()?;
    let name = schema.name.clone();
    let description = backend.create_table(schema).await?;
    tracing::info!(table = name, "created table");
    reply(&Described { table_description: Description::of(&description) }, None)
}

pub(super) async fn describe_table(backend: &dyn Backend, request: TableRequest) -> Result<Reply, ApiError> {
    let description = backend.describe_table(&request.name()?).await?;
    reply(&Table { table: Description::of(&description) }, None)
}

pub(super) async fn delete_table(backend: &dyn Backend, request: TableRequest) -> Result<Reply, ApiError> {
    let description = backend.delete_table(&request.name()?).await?;
    tracing::info!(table = description.schema.name, "deleted table");
    let mut shown = Description::of(&description);
    shown.table_status = status_name(TableStatus::Deleting);
    reply(&Described { table_description: shown }, None)
}

pub(super) async fn list_tables(backend: &dyn Backend, request: ListRequest) -> Result<Reply, ApiError> {
    let start = request.exclusive_start_table_name.as_deref();
    let mut constraints = Constraints::default();
    if start.is_some() {
        constraints.table_name("exclusiveStartTableName", start, 3);
    }
    constraints.between("limit", request.limit, 1, MAX_LISTED);
    constraints.finish()?;
    let limit = usize::try_from(request.limit.unwrap_or(MAX_LISTED)).unwrap_or_default();
    let (table_names, more) = backend.list_tables(start, limit).await?;
    let last_evaluated_table_name = table_names.last().filter(|_| more).cloned();
    reply(&Listed { table_names, last_evaluated_table_name }, None)
}

impl TableRequest {
    fn name(self) -> Result<String, ApiError> {
        let mut constraints = Constraints::default();
        constraints.table_name("tableName", self.table_name.as_deref(), 1);
        constraints.finish()?;
        Ok(self.table_name.unwrap_or_default())
    }
}

impl CreateRequest {
    fn check_fields(&self) -> Result<(), ApiError> {
        let mut constraints = Constraints::default();
        constraints.required("attributeDefinitions", self.attribute_definitions.as_ref());
        constraints.table_name("tableName", self.table_name.as_deref(), 3);
        constraints.required("keySchema", self.key_schema.as_ref());
        constraints.one_of("billingMode", self.billing_mode.as_deref(), &["PROVISIONED", "PAY_PER_REQUEST"]);
        let keys = self.key_schema.as_deref().unwrap_or_default();
        if self.key_schema.is_some() && !(1..=2).contains(&keys.len()) {
            let shown: Vec<String> = keys.iter().map(KeySchemaElement::shown).collect();
            let bound =
                if keys.is_empty() { "greater than or equal to 1" } else { "less than or equal to 2" };
            let constraint = format!("Member must have length {bound}");
            constraints.breach(&format!("'[{}]'", shown.join(", ")), "keySchema", &constraint);
        }
        for (index, key) in keys.iter().enumerate() {
            let field = |name| format!("keySchema.{}.member.{name}", index + 1);
            constraints.required(&field("attributeName"), key.attribute_name.as_ref());
            constraints.required(&field("keyType"), key.key_type.as_ref());
            constraints.one_of(&field("keyType"), key.key_type.as_deref(), &["HASH", "RANGE"]);
        }
        for (index, definition) in self.definitions().iter().enumerate() {
            let field = |name| format!("attributeDefinitions.{}.member.{name}", index + 1);
            constraints.required(&field("attributeName"), definition.attribute_name.as_ref());
            constraints.required(&field("attributeType"), definition.attribute_type.as_ref());
            let kind = definition.attribute_type.as_deref();
            constraints.one_of(&field("attributeType"), kind, &["B", "N", "S"]);
        }
        if let Some(throughput) = &self.provisioned_throughput {
            let units = [
                ("provisionedThroughput.readCapacityUnits", throughput.read_capacity_units),
                ("provisionedThroughput.writeCapacityUnits", throughput.write_capacity_units),
            ];
            for (field, value) in units {
                constraints.required(field, value.as_ref());
                constraints.between(field, value, 1, i64::MAX);
            }
        }
        constraints.finish()
    }

    fn definitions(&self) -> &[AttributeDefinition] {
        self.attribute_definitions.as_deref().unwrap_or_default()
    }

    /// What this store does not have is refused by name rather than left out quietly.
    fn refuse_features(&self) -> Result<(), ApiError> {
        let some = |list: &Option<Vec<IgnoredAny>>| list.as_ref().is_some_and(|list| !list.is_empty());
        let asked = [
            ("GlobalSecondaryIndexes", some(&self.global_secondary_indexes)),
            ("LocalSecondaryIndexes", some(&self.local_secondary_indexes)),
            ("StreamSpecification", self.stream_specification.as_ref().is_some_and(|s| s.stream_enabled)),
            ("DeletionProtectionEnabled", self.deletion_protection_enabled == Some(true)),
            ("Tags", some(&self.tags)),
        ];
        match asked.iter().find(|(_, asked)| *asked) {
            None => Ok(()),
            Some((name, _)) => Err(ApiError::validation(format!("{name} is not supported by this store"))),
        }
    }

    fn schema(&self) -> Result<TableSchema, ApiError> {
        let keys = self.key_schema.as_deref().unwrap_or_default();
        let invalid = |text: &str| ApiError::validation(format!("Invalid KeySchema: {text}"));
        let hash = match keys.first() {
            Some(key) if key.is("HASH") => self.key_attribute(key)?,
            _ => return Err(invalid("The first KeySchemaElement is not a HASH key type")),
        };
        let range = match keys.get(1) {
            None => None,
            // DynamoDB's own words for this case, wherever they come from
            Some(key) if key.attribute_name == keys[0].attribute_name => {
                return Err(invalid("Some index key attribute have no definition"));
            }
            Some(key) if key.is("RANGE") => Some(self.key_attribute(key)?),
            Some(_) => return Err(invalid("The second KeySchemaElement is not a RANGE key type")),
        };
        let indexed = self.global_secondary_indexes.is_some() || self.local_secondary_indexes.is_some();
        if self.definitions().len() != keys.len() && !indexed {
            return Err(ApiError::validation(
                "One or more parameter values were invalid: Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions",
            ));
        }
        let name = self.table_name.clone().unwrap_or_default();
        Ok(TableSchema { name, hash, range, billing: self.billing()? })
    }

    fn key_attribute(&self, key: &KeySchemaElement) -> Result<KeyAttribute, ApiError> {
        let name = key.attribute_name.clone().unwrap_or_default();
        if name.is_empty() || name.len() > MAX_KEY_NAME {
            return Err(ApiError::validation(format!(
                "One or more parameter values were invalid: the name of a key attribute must have 1 to {MAX_KEY_NAME} bytes"
            )));
        }
        let definition =
            self.definitions().iter().find(|definition| definition.attribute_name.as_ref() == Some(&name));
        let kind = match definition.and_then(|definition| definition.attribute_type.as_deref()) {
            Some("S") => KeyType::S,
            Some("N") => KeyType::N,
            Some("B") => KeyType::B,
            _ => {
                let defined: Vec<&str> =
                    self.definitions().iter().filter_map(|other| other.attribute_name.as_deref()).collect();
                return Err(ApiError::validation(format!(
                    "One or more parameter values were invalid: Some index key attributes are not defined in AttributeDefinitions. Keys: [{name}], AttributeDefinitions: [{}]",
                    defined.join(", ")
                )));
            }
        };
        Ok(KeyAttribute { name, kind })
    }

    fn billing(&self) -> Result<Billing, ApiError> {
        let units = self.provisioned_throughput.as_ref().map(|throughput| {
            let unit = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok()).unwrap_or(1);
            (unit(throughput.read_capacity_units), unit(throughput.write_capacity_units))
        });
        match (self.billing_mode.as_deref(), units) {
            (Some("PAY_PER_REQUEST"), None) => Ok(Billing::PayPerRequest),
            (Some("PAY_PER_REQUEST"), Some(_)) => Err(ApiError::validation(
                "One or more parameter values were invalid: Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST",
            )),
            (_, Some((read, write))) => Ok(Billing::Provisioned { read, write }),
            (_, None) => Err(ApiError::validation(
                "One or more parameter values were invalid: ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED",
            )),
        }
    }
}

impl KeySchemaElement {
    fn is(&self, kind: &str) -> bool {
        self.key_type.as_deref() == Some(kind)
    }

    fn shown(&self) -> String {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "null".to_owned());
        let (name, kind) = (text(&self.attribute_name), text(&self.key_type));
        format!("KeySchemaElement(attributeName={name}, keyType={kind})")
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Described {
    table_description: Description,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Table {
    table: Description,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    table_names: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_evaluated_table_name: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Description {
    attribute_definitions: Vec<AttributeDefinition>,
    table_name: String,
    key_schema: Vec<KeySchemaElement>,
    table_status: &'static str,
    creation_date_time: f64,
    provisioned_throughput: ThroughputDescription,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_mode_summary: Option<BillingModeSummary>,
    table_size_bytes: u64,
    item_count: u64,
    table_arn: String,
    table_id: String,
    deletion_protection_enabled: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ThroughputDescription {
    number_of_decreases_today: u64,
    read_capacity_units: u64,
    write_capacity_units: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct BillingModeSummary {
    billing_mode: &'static str,
}

impl Description {
    fn of(table: &TableDescription) -> Self {
        let schema = &table.schema;
        let (read, write) = match schema.billing {
            Billing::PayPerRequest => (0, 0),
            Billing::Provisioned { read, write } => (read, write),
        };
        let on_demand = schema.billing == Billing::PayPerRequest;
        let kinds = ["HASH", "RANGE"];
        Self {
            attribute_definitions: schema.key_attributes().map(definition).collect(),
            table_name: schema.name.clone(),
            key_schema: schema.key_attributes().zip(kinds).map(|(key, kind)| element(key, kind)).collect(),
            table_status: status_name(table.status),
            creation_date_time: std::time::Duration::from_millis(table.created_ms).as_secs_f64(),
            provisioned_throughput: ThroughputDescription {
                number_of_decreases_today: 0,
                read_capacity_units: read,
                write_capacity_units: write,
            },
            billing_mode_summary: on_demand.then_some(BillingModeSummary { billing_mode: "PAY_PER_REQUEST" }),
            table_size_bytes: table.size_bytes,
            item_count: table.item_count,
            table_arn: format!("arn:aws:dynamodb:us-east-1:000000000000:table/{}", schema.name),
            table_id: uuid_text(table.id),
            deletion_protection_enabled: false,
        }
    }
}

fn definition(key: &KeyAttribute) -> AttributeDefinition {
    AttributeDefinition {
        attribute_name: Some(key.name.clone()),
        attribute_type: Some(key.kind.name().to_owned()),
    }
}

fn element(key: &KeyAttribute, kind: &str) -> KeySchemaElement {
    KeySchemaElement { attribute_name: Some(key.name.clone()), key_type: Some(kind.to_owned()) }
}

fn status_name(status: TableStatus) -> &'static str {
    match status {
        TableStatus::Creating => "CREATING",
        TableStatus::Active => "ACTIVE",
        TableStatus::Deleting => "DELETING",
    }
}

/// 128 bits in the form of a UUID.
fn uuid_text(id: u128) -> String {
    let hex = format!("{id:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
