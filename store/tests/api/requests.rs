//! Operations on items and tables, and the headers of their answers.

use std::sync::Arc;

use growler_store::api::MemoryBackend;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use serde_json::json;

use crate::server::{call, create, item, key, send, start, with_table};

#[tokio::test]
async fn answers_carry_dynamodb_s_headers_and_the_partition() {
    let server = with_table().await;
    let mut sender = server.connect().await;
    let mut ids = Vec::new();
    // one connection, kept alive
    for (operation, body) in [
        ("PutItem", json!({"TableName": "tab", "Item": item("k", 1, "x")})),
        ("GetItem", json!({"TableName": "tab", "Key": key("k", 1), "ConsistentRead": true})),
        (
            "PutItem",
            json!({"TableName": "tab", "Item": item("k", 1, "y"), "ConditionExpression": "attribute_not_exists(pk)"}),
        ),
    ] {
        let answer = call(&mut sender, operation, body.to_string()).await;
        let header = |name: &str| answer.headers[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), "application/x-amz-json-1.0");
        assert_eq!(header("x-amz-crc32"), crc32fast::hash(&answer.body).to_string());
        assert_eq!(header("x-growler-partition"), "memory");
        let id = header("x-amzn-requestid");
        assert!(id.len() == 52 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'V')), "{id}");
        ids.push(id);
    }
    assert!(ids[0] != ids[1] && ids[1] != ids[2]);
}

#[tokio::test]
async fn items_are_put_read_updated_and_deleted_with_the_images_asked_for() {
    let server = with_table().await;
    let put = |value: &str, returns: &str| json!({"TableName": "tab", "Item": item("k", 1, value), "ReturnValues": returns});
    assert_eq!(server.ok("PutItem", put("one", "ALL_OLD")).await, json!({}));
    assert_eq!(server.ok("PutItem", put("two", "ALL_OLD")).await, json!({"Attributes": item("k", 1, "one")}));
    assert_eq!(server.ok("PutItem", put("three", "NONE")).await, json!({}));
    let get = json!({"TableName": "tab", "Key": key("k", 1), "ConsistentRead": true});
    assert_eq!(server.ok("GetItem", get.clone()).await, json!({"Item": item("k", 1, "three")}));
    let update = |returns: &str, value: &str| {
        json!({"TableName": "tab", "Key": key("k", 1), "ReturnValues": returns, "UpdateExpression": "SET v = :v",
               "ExpressionAttributeValues": {":v": {"S": value}}})
    };
    for (returns, attributes) in [
        ("UPDATED_OLD", json!({"v": {"S": "three"}})),
        ("UPDATED_NEW", json!({"v": {"S": "UPDATED_NEW"}})),
        ("ALL_OLD", item("k", 1, "UPDATED_NEW")),
        ("ALL_NEW", item("k", 1, "ALL_NEW")),
    ] {
        assert_eq!(
            server.ok("UpdateItem", update(returns, returns)).await,
            json!({"Attributes": attributes})
        );
    }
    assert_eq!(server.ok("UpdateItem", update("NONE", "last")).await, json!({}));
    let delete = json!({"TableName": "tab", "Key": key("k", 1), "ReturnValues": "ALL_OLD"});
    assert_eq!(server.ok("DeleteItem", delete.clone()).await, json!({"Attributes": item("k", 1, "last")}));
    assert_eq!(server.ok("DeleteItem", delete).await, json!({}));
    assert_eq!(server.ok("GetItem", get).await, json!({}));
}

#[tokio::test]
async fn a_failed_condition_shows_the_item_only_when_asked_and_changes_nothing() {
    let server = with_table().await;
    server.ok("PutItem", json!({"TableName": "tab", "Item": item("k", 1, "x")})).await;
    let condition = json!({"TableName": "tab", "Key": key("k", 1), "Item": item("k", 1, "y"), "ConditionExpression": "v = :v",
                           "ExpressionAttributeValues": {":v": {"S": "other"}}});
    for operation in ["PutItem", "DeleteItem", "UpdateItem"] {
        let mut request = condition.clone();
        request.as_object_mut().unwrap().remove(if operation == "PutItem" { "Key" } else { "Item" });
        let answer = server.call(operation, request.clone()).await;
        assert_eq!(
            answer.json(),
            json!({
                "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
                "message": "The conditional request failed",
            })
        );
        request["ReturnValuesOnConditionCheckFailure"] = json!("ALL_OLD");
        assert_eq!(server.call(operation, request).await.json()["Item"], item("k", 1, "x"));
    }
    let absent = json!({"TableName": "tab", "Key": key("none", 1), "ConditionExpression": "attribute_exists(pk)",
                        "ReturnValuesOnConditionCheckFailure": "ALL_OLD"});
    assert_eq!(server.call("DeleteItem", absent).await.json().get("Item"), None);
    let get = json!({"TableName": "tab", "Key": key("k", 1)});
    assert_eq!(server.ok("GetItem", get).await, json!({"Item": item("k", 1, "x")}));
}

#[tokio::test]
async fn concurrent_updates_are_all_counted() {
    let server = Arc::new(with_table().await);
    let add = json!({"TableName": "tab", "Key": key("counter", 0), "UpdateExpression": "ADD n :one",
                     "ExpressionAttributeValues": {":one": {"N": "1"}}})
    .to_string();
    let workers = (0..8).map(|_| {
        let (server, add) = (server.clone(), add.clone());
        tokio::spawn(async move {
            let mut sender = server.connect().await;
            for _ in 0..50 {
                assert_eq!(call(&mut sender, "UpdateItem", add.clone()).await.status, StatusCode::OK);
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
    let get = json!({"TableName": "tab", "Key": key("counter", 0), "ProjectionExpression": "n"});
    assert_eq!(server.ok("GetItem", get).await, json!({"Item": {"n": {"N": "400"}}}));
}

#[tokio::test]
async fn tables_are_created_described_listed_and_deleted() {
    let server = start(MemoryBackend::default()).await;
    for name in ["one", "two", "three"] {
        server.ok("CreateTable", create(name)).await;
    }
    let described = server.ok("DescribeTable", json!({"TableName": "one"})).await;
    assert_eq!(described["Table"]["TableStatus"], "ACTIVE");
    assert_eq!(described["Table"]["KeySchema"][1], json!({"AttributeName": "sk", "KeyType": "RANGE"}));
    assert_eq!(
        described["Table"]["AttributeDefinitions"][1],
        json!({"AttributeName": "sk", "AttributeType": "N"})
    );
    assert_eq!(described["Table"]["BillingModeSummary"]["BillingMode"], "PAY_PER_REQUEST");
    let first = server.ok("ListTables", json!({"Limit": 2})).await;
    assert_eq!(first, json!({"TableNames": ["one", "three"], "LastEvaluatedTableName": "three"}));
    let rest = server.ok("ListTables", json!({"ExclusiveStartTableName": "three"})).await;
    assert_eq!(rest, json!({"TableNames": ["two"]}));
    assert_eq!(server.refused("CreateTable", create("one")).await.0, "ResourceInUseException");
    let gone = server.ok("DeleteTable", json!({"TableName": "one"})).await;
    assert_eq!(gone["TableDescription"]["TableStatus"], "DELETING");
    let missing = (
        "ResourceNotFoundException".to_owned(),
        "Requested resource not found: Table: one not found".to_owned(),
    );
    assert_eq!(server.refused("DescribeTable", json!({"TableName": "one"})).await, missing);
    assert_eq!(server.refused("DeleteTable", json!({"TableName": "one"})).await, missing);
}

#[tokio::test]
async fn health_and_status_are_plain_gets() {
    let server = start(MemoryBackend::default()).await;
    let mut sender = server.connect().await;
    let get = |path: &str| {
        Request::builder().method(Method::GET).uri(path).header("host", "x").body(Full::default()).unwrap()
    };
    let health = send(&mut sender, get("/")).await;
    assert_eq!((health.status, health.body.starts_with(b"healthy")), (StatusCode::OK, true));
    assert_eq!(send(&mut sender, get("/growler/status")).await.json(), json!({"name": "n1"}));
}
