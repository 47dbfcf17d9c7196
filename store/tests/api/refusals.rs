//! What DynamoDB refuses, in its order and its words.

use growler_store::api::MemoryBackend;
use http::{Request, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::server::{call, create, key, send, start, validation, with_table};

#[tokio::test]
async fn tables_that_make_no_sense_or_need_more_than_there_is_are_refused() {
    let server = start(MemoryBackend::default()).await;
    let with = |field: &str, value: Value| {
        let mut request = create("tab");
        request.as_object_mut().unwrap().insert("TableName".to_owned(), json!("table"));
        request[field] = value;
        request
    };
    for (request, message) in [
        (
            with("TableName", Value::Null),
            "The parameter 'TableName' is required but was not present in the request",
        ),
        (
            with("TableName", json!("ab")),
            "1 validation error detected: Value 'ab' at 'tableName' failed to satisfy constraint: Member must have length greater than or equal to 3",
        ),
        (
            with("KeySchema", json!([{"AttributeName": "pk", "KeyType": "X"}])),
            "1 validation error detected: Value 'X' at 'keySchema.1.member.keyType' failed to satisfy constraint: Member must satisfy enum value set: [HASH, RANGE]",
        ),
        (
            with("KeySchema", json!([{"AttributeName": "pk", "KeyType": "RANGE"}])),
            "Invalid KeySchema: The first KeySchemaElement is not a HASH key type",
        ),
        (
            with("KeySchema", json!([{"AttributeName": "pk", "KeyType": "HASH"}])),
            "One or more parameter values were invalid: Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions",
        ),
        (
            with("BillingMode", Value::Null),
            "One or more parameter values were invalid: ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED",
        ),
        (
            with("GlobalSecondaryIndexes", json!([{}])),
            "GlobalSecondaryIndexes is not supported by this store",
        ),
        (
            with("StreamSpecification", json!({"StreamEnabled": true})),
            "StreamSpecification is not supported by this store",
        ),
    ] {
        assert_eq!(server.refused("CreateTable", request).await, validation(message));
    }
}

#[tokio::test]
async fn parameters_are_checked_before_values() {
    let server = with_table().await;
    for (operation, request, message) in [
        (
            "PutItem",
            json!({}),
            "2 validation errors detected: Value null at 'tableName' failed to satisfy constraint: Member must not be null; Value null at 'item' failed to satisfy constraint: Member must not be null",
        ),
        (
            "GetItem",
            json!({"TableName": "a b", "Key": {}}),
            "1 validation error detected: Value 'a b' at 'tableName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+",
        ),
        (
            "PutItem",
            json!({"TableName": "tab", "Item": {}, "ReturnValues": "ALL_NEW"}),
            "ReturnValues can only be ALL_OLD or NONE",
        ),
        (
            "PutItem",
            json!({"TableName": "tab", "Item": {}, "Expected": {}}),
            "The legacy parameter Expected is not supported by this store; use an expression instead",
        ),
        (
            "PutItem",
            json!({"TableName": "tab", "Item": {}, "Expected": {}, "ConditionExpression": "x"}),
            "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: {Expected} Expression parameters: {ConditionExpression}",
        ),
        (
            "PutItem",
            json!({"TableName": "tab", "Item": {}, "ExpressionAttributeNames": {"#a": "a"}}),
            "ExpressionAttributeNames can only be specified when using expressions",
        ),
        (
            "UpdateItem",
            json!({"TableName": "tab", "Key": {}, "ExpressionAttributeValues": {":a": {"S": "a"}}}),
            "ExpressionAttributeValues can only be specified when using expressions: UpdateExpression and ConditionExpression are null",
        ),
        (
            "UpdateItem",
            json!({"TableName": "tab", "Key": {}, "UpdateExpression": "SET a = :a", "ExpressionAttributeValues": {":a": {"N": "x"}}}),
            "ExpressionAttributeValues contains invalid value: The parameter cannot be converted to a numeric value: x for key :a",
        ),
    ] {
        assert_eq!(server.refused(operation, request).await, validation(message), "{operation}");
    }
}

#[tokio::test]
async fn items_and_keys_are_held_against_the_table() {
    let server = with_table().await;
    for (operation, request, message) in [
        (
            "PutItem",
            json!({"TableName": "tab", "Item": {"pk": {"S": "k"}}}),
            "One or more parameter values were invalid: Missing the key sk in the item",
        ),
        (
            "PutItem",
            json!({"TableName": "tab", "Item": {"pk": {"S": "k"}, "sk": {"S": "1"}}}),
            "One or more parameter values were invalid: Type mismatch for key sk expected: N actual: S",
        ),
        (
            "PutItem",
            json!({"TableName": "tab", "Item": {"pk": {"S": ""}, "sk": {"N": "1"}}}),
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: pk",
        ),
        (
            "PutItem",
            json!({"TableName": "tab", "Item": {"x": {"S": "x".repeat(400 * 1024)}}}),
            "Item size has exceeded the maximum allowed size",
        ),
        (
            "GetItem",
            json!({"TableName": "tab", "Key": {"pk": {"S": "k"}}}),
            "The provided key element does not match the schema",
        ),
        (
            "GetItem",
            json!({"TableName": "tab", "Key": {"pk": {"S": "k"}, "sk": {"N": "1"}, "x": {"N": "1"}}}),
            "The provided key element does not match the schema",
        ),
        (
            "UpdateItem",
            json!({"TableName": "tab", "Key": key("k", 1), "UpdateExpression": "REMOVE sk"}),
            "One or more parameter values were invalid: Cannot update attribute sk. This attribute is part of the key",
        ),
    ] {
        assert_eq!(server.refused(operation, request).await, validation(message), "{operation}");
    }
    let none = server.refused("PutItem", json!({"TableName": "none", "Item": {"x": {"S": "x"}}})).await;
    assert_eq!(none, ("ResourceNotFoundException".to_owned(), "Requested resource not found".to_owned()));
}

#[tokio::test]
async fn queries_and_scans_are_checked_like_any_other() {
    let server = with_table().await;
    for (operation, request, message) in [
        (
            "Query",
            json!({"TableName": "tab"}),
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.",
        ),
        (
            "Query",
            json!({"TableName": "tab", "KeyConditionExpression": "pk = :k", "FilterExpression": "sk = :k", "ExpressionAttributeValues": {":k": {"S": "k"}}}),
            "Filter Expression can only contain non-primary key attributes: Primary key attribute: sk",
        ),
        (
            "Query",
            json!({"TableName": "tab", "KeyConditionExpression": "pk = :k", "ExclusiveStartKey": key("other", 1), "ExpressionAttributeValues": {":k": {"S": "k"}}}),
            "The provided starting key is outside query boundaries based on provided conditions",
        ),
        (
            "Query",
            json!({"TableName": "tab", "IndexName": "index", "KeyConditionExpression": "pk = :k", "ExpressionAttributeValues": {":k": {"S": "k"}}}),
            "The table does not have the specified index: index",
        ),
        (
            "Scan",
            json!({"TableName": "tab", "Limit": 0}),
            "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1",
        ),
        (
            "Scan",
            json!({"TableName": "tab", "Segment": 5, "TotalSegments": 5}),
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: 5 is not less than TotalSegments: 5",
        ),
        (
            "Scan",
            json!({"TableName": "tab", "ExclusiveStartKey": {"pk": {"S": "k"}}}),
            "The provided starting key is invalid: The provided key element does not match the schema",
        ),
        (
            "Scan",
            json!({"TableName": "tab", "Select": "COUNT", "ProjectionExpression": "pk"}),
            "Cannot specify the ProjectionExpression when choosing to get only the Count",
        ),
    ] {
        assert_eq!(server.refused(operation, request).await, validation(message), "{operation}");
    }
}

#[tokio::test]
async fn what_is_no_request_is_refused_before_it_is_read() {
    let server = with_table().await;
    for body in [
        "",
        "{",
        "[]",
        r#"{"TableName": 1}"#,
        r#"{"TableName":"tab","Key":{"pk":["k"],"sk":[null,"1"]}}"#,
        r#"{"TableName":"tab","Key":{"pk":{"S":1}}}"#,
        r#"{"TableName":"tab","Key":{"pk":{"B":"?"}}}"#,
    ] {
        let answer = call(&mut server.connect().await, "GetItem", body.to_owned()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(answer.json()["__type"], "com.amazon.coral.service#SerializationException", "{body}");
        assert!(answer.json()["Message"].is_string());
    }
    let (kind, message) = server.refused("TransactWriteItems", json!({"TransactItems": []})).await;
    assert_eq!(kind, "UnknownOperationException");
    assert!(message.contains("TransactWriteItems"), "{message}");
    let unsigned =
        Request::post("/").header("host", "x").header("x-amz-target", "DynamoDB_20120810.ListTables");
    let answer = send(&mut server.connect().await, unsigned.body(Full::from("{}")).unwrap()).await;
    assert_eq!(
        (answer.status, answer.error().0.as_str()),
        (StatusCode::BAD_REQUEST, "MissingAuthenticationTokenException")
    );
    let huge = call(&mut server.connect().await, "PutItem", " ".repeat(16 * 1024 * 1024 + 1)).await;
    assert_eq!(huge.status, StatusCode::PAYLOAD_TOO_LARGE);
}
