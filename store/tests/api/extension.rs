//! Headers beyond DynamoDB's API: what reaches the backend, what comes back, and what is refused.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use growler_store::api::backend::{
    Extension, Got, Page, QueryRange, ScanRange, SiblingVersion, TableDescription, Timestamp, Written,
};
use growler_store::api::{Ask, Backend, BackendError, Consistency, MemoryBackend};
use growler_store::item::{AttributeValue, Item, Mutation, PrimaryKey, TableSchema};
use http::StatusCode;
use parking_lot::Mutex;
use serde_json::json;

use crate::server::{Answer, Server, create, item, key, start, with_table};

/// A backend that notes what it is asked, and answers with versions made up for it.
#[derive(Default)]
struct Versioned {
    inner: MemoryBackend,
    asked: Arc<Mutex<Vec<Ask>>>,
}

fn at(ns: i64, node: &str) -> Timestamp {
    Timestamp { ns, node: node.to_owned() }
}

fn extension(ask: &Ask) -> Extension {
    let shown = |text: &str| {
        let attribute = |name: &str, text: &str| (name.to_owned(), AttributeValue::S(text.to_owned()));
        Item::from([attribute("pk", "k"), attribute("v", text)])
    };
    let versions = vec![
        SiblingVersion { item: Some(shown("x")), version: "n1/3:5".to_owned(), timestamp: at(70, "n1") },
        SiblingVersion { item: None, version: "n2/1:2".to_owned(), timestamp: at(60, "n2") },
    ];
    Extension {
        context: "AgRuMS8z".to_owned(),
        clock: BTreeMap::from([("n1/3".to_owned(), 5), ("n2/1".to_owned(), 2)]),
        version: "n1/3:5|n2/1:2".to_owned(),
        timestamp: Some(at(70, "n1")),
        siblings: 2,
        versions: ask.siblings.then_some(versions),
    }
}

#[async_trait]
impl Backend for Versioned {
    async fn create_table(&self, schema: TableSchema) -> Result<TableDescription, BackendError> {
        self.inner.create_table(schema).await
    }
    async fn describe_table(&self, table: &str) -> Result<TableDescription, BackendError> {
        self.inner.describe_table(table).await
    }
    async fn list_tables(
        &self,
        start: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<String>, bool), BackendError> {
        self.inner.list_tables(start, limit).await
    }
    async fn delete_table(&self, table: &str) -> Result<TableDescription, BackendError> {
        self.inner.delete_table(table).await
    }
    async fn write(&self, mutation: Mutation, ask: &Ask) -> Result<Written, BackendError> {
        self.asked.lock().push(ask.clone());
        let written = self.inner.write(mutation, ask).await?;
        Ok(Written { extension: Some(Box::new(extension(ask))), ..written })
    }
    async fn get(
        &self,
        table: &str,
        key: &PrimaryKey,
        consistency: Consistency,
        ask: &Ask,
    ) -> Result<Got, BackendError> {
        self.asked.lock().push(ask.clone());
        let got = self.inner.get(table, key, consistency, ask).await?;
        Ok(Got { extension: Some(Box::new(extension(ask))), ..got })
    }
    async fn query(&self, range: QueryRange, consistency: Consistency) -> Result<Page, BackendError> {
        self.inner.query(range, consistency).await
    }
    async fn scan(&self, range: ScanRange, consistency: Consistency) -> Result<Page, BackendError> {
        self.inner.scan(range, consistency).await
    }
}

async fn versioned() -> (Server, Arc<Mutex<Vec<Ask>>>) {
    let backend = Versioned::default();
    let asked = backend.asked.clone();
    let server = start(backend).await;
    server.ok("CreateTable", create("tab")).await;
    (server, asked)
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.get(name).map(|value| value.to_str().unwrap())
}

const PUT: &str = "PutItem";
const GET: &str = "GetItem";

#[tokio::test]
async fn what_a_request_asks_for_reaches_the_backend() {
    let (server, asked) = versioned().await;
    let put = json!({"TableName": "tab", "Item": item("k", 1, "x")});
    let put_for_old = json!({"TableName": "tab", "Item": item("k", 1, "x"), "ReturnValues": "ALL_OLD"});
    let update_for_new = json!({"TableName": "tab", "Key": key("k", 1), "ReturnValues": "ALL_NEW"});
    let get = json!({"TableName": "tab", "Key": key("k", 1)});
    let nothing = Ask::default();
    let context = Some("AgRu-_M8z==".to_owned());
    for (headers, operation, body, expected) in [
        (&[][..], PUT, &put, nothing.clone()),
        (&[], GET, &get, nothing.clone()),
        (&[], PUT, &put_for_old, Ask { old_image: true, ..nothing.clone() }),
        (&[], "UpdateItem", &update_for_new, nothing.clone()),
        (&[("x-growler-quorum", "r=2")], GET, &get, Ask { r: Some(2), ..nothing.clone() }),
        (&[("x-growler-quorum", "w=1, r=3")], PUT, &put, Ask { r: Some(3), w: Some(1), ..nothing.clone() }),
        (&[("x-growler-context", "AgRu-_M8z==")], PUT, &put, Ask { context, ..nothing.clone() }),
        (&[("x-growler-siblings", "all")], GET, &get, Ask { siblings: true, ..nothing.clone() }),
        (
            &[("x-growler-replica", "local")],
            GET,
            &get,
            Ask { siblings: true, local: true, ..nothing.clone() },
        ),
    ] {
        let answer = server.call_with(headers, operation, body.clone()).await;
        assert_eq!(answer.status, StatusCode::OK, "{headers:?}: {}", answer.json());
        assert_eq!(asked.lock().pop(), Some(expected), "{operation} {headers:?}");
    }
}

#[tokio::test]
async fn what_the_backend_says_comes_back_in_headers() {
    let (server, _) = versioned().await;
    let put = json!({"TableName": "tab", "Item": item("k", 1, "x")});
    let refused = json!({
        "TableName": "tab", "Item": item("k", 1, "x"), "ConditionExpression": "attribute_not_exists(pk)"});
    let get = json!({"TableName": "tab", "Key": key("k", 1)});
    for (operation, body, status) in
        [(PUT, put, StatusCode::OK), (GET, get, StatusCode::OK), (PUT, refused, StatusCode::BAD_REQUEST)]
    {
        let answer = server.call(operation, body).await;
        assert_eq!(answer.status, status);
        assert_eq!(header(&answer, "x-growler-context"), Some("AgRuMS8z"));
        assert_eq!(header(&answer, "x-growler-clock"), Some(r#"{"n1/3":5,"n2/1":2}"#));
        assert_eq!(header(&answer, "x-growler-version"), Some("n1/3:5|n2/1:2"));
        assert_eq!(header(&answer, "x-growler-timestamp"), Some("70,n1"));
        assert_eq!(header(&answer, "x-growler-siblings"), Some("2"));
        assert_eq!(header(&answer, "x-growler-partition"), Some("memory"));
        assert!(answer.json().get("Siblings").is_none());
    }
}

#[tokio::test]
async fn all_versions_are_listed_when_asked_for_with_as_much_of_each_as_the_projection_shows() {
    let (server, _) = versioned().await;
    server.ok(PUT, json!({"TableName": "tab", "Item": item("k", 1, "x")})).await;
    let all = [("x-growler-siblings", "all")];
    let get = json!({"TableName": "tab", "Key": key("k", 1)});
    let answer = server.call_with(&all, GET, get).await.json();
    let tombstone = json!({"Item": null, "Version": "n2/1:2", "Timestamp": [60, "n2"]});
    let whole = json!({"pk": {"S": "k"}, "v": {"S": "x"}});
    let expected = json!([{"Item": whole, "Version": "n1/3:5", "Timestamp": [70, "n1"]}, tombstone]);
    assert_eq!(answer["Siblings"], expected);
    assert_eq!(answer["Item"], item("k", 1, "x"));
    let get = json!({"TableName": "tab", "Key": key("k", 1), "ProjectionExpression": "v"});
    let answer = server.call_with(&all, GET, get).await.json();
    assert_eq!(answer["Siblings"][0]["Item"], json!({"v": {"S": "x"}}));
    assert_eq!(answer["Siblings"][1], tombstone);
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_by_the_header_s_name() {
    let (server, asked) = versioned().await;
    let put = json!({"TableName": "tab", "Item": item("k", 1, "x")});
    let get = json!({"TableName": "tab", "Key": key("k", 1)});
    let scan = json!({"TableName": "tab"});
    let quorum = "x-growler-quorum";
    for (headers, operation, body) in [
        (&[(quorum, "r=0")][..], GET, &get),
        (&[(quorum, "2")], GET, &get),
        (&[(quorum, "n=2")], GET, &get),
        (&[(quorum, "r=1,r=2")], GET, &get),
        (&[(quorum, "r=-1")], GET, &get),
        (&[(quorum, "r=1,")], GET, &get),
        (&[(quorum, "")], GET, &get),
        (&[(quorum, "r=1"), (quorum, "w=1")], GET, &get),
        (&[(quorum, "r=1")], "Scan", &scan),
        (&[("x-growler-context", "")], PUT, &put),
        (&[("x-growler-context", "a b")], PUT, &put),
        (&[("x-growler-context", "AgRuMS8z")], GET, &get),
        (&[("x-growler-context", "AgRuMS8z")], "Scan", &scan),
        (&[("x-growler-siblings", "some")], GET, &get),
        (&[("x-growler-siblings", "all")], PUT, &put),
        (&[("x-growler-replica", "n2")], GET, &get),
        (&[("x-growler-replica", "local")], PUT, &put),
        (&[("x-growler-replica", "local")], "Scan", &scan),
    ] {
        let answer = server.call_with(headers, operation, body.clone()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{operation} {headers:?}");
        let (kind, message) = answer.error();
        assert_eq!(kind, "ValidationException");
        assert!(message.contains(headers[0].0), "{message}");
    }
    assert!(asked.lock().is_empty(), "nothing that was refused reached the backend");
}

#[tokio::test]
async fn a_store_without_versions_passes_over_the_headers_and_sends_none() {
    let server = with_table().await;
    let put = json!({"TableName": "tab", "Item": item("k", 1, "x")});
    let headers = [("x-growler-quorum", "r=9,w=9"), ("x-growler-context", "AgRuMS8z")];
    let answer = server.call_with(&headers, PUT, put).await;
    assert_eq!(answer.status, StatusCode::OK);
    let get = json!({"TableName": "tab", "Key": key("k", 1)});
    let answer = server.call_with(&[("x-growler-replica", "local")], GET, get).await;
    assert_eq!(answer.json(), json!({"Item": item("k", 1, "x")}));
    let names = ["context", "clock", "version", "timestamp", "siblings"];
    assert!(names.iter().all(|name| header(&answer, &format!("x-growler-{name}")).is_none()));
}
