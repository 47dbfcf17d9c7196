//! What becomes of a backend's failures, and how a server ends.

use async_trait::async_trait;
use growler_store::api::backend::{Got, Page, QueryRange, ScanRange, TableDescription, Written};
use growler_store::api::{Ask, Backend, BackendError, Consistency, MemoryBackend};
use growler_store::item::{Mutation, PrimaryKey, TableSchema};
use http::StatusCode;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpStream;

use crate::server::{call, create, item, key, start, with_table};

/// A backend with a table whose every read and write fails in one way.
struct Failing {
    inner: MemoryBackend,
    error: BackendError,
}

#[async_trait]
impl Backend for Failing {
    async fn create_table(&self, schema: TableSchema) -> Result<TableDescription, BackendError> {
        self.inner.create_table(schema).await
    }
    async fn describe_table(&self, table: &str) -> Result<TableDescription, BackendError> {
        self.inner.describe_table(table).await
    }
    async fn list_tables(&self, _: Option<&str>, _: usize) -> Result<(Vec<String>, bool), BackendError> {
        Err(self.error.clone())
    }
    async fn delete_table(&self, _: &str) -> Result<TableDescription, BackendError> {
        Err(self.error.clone())
    }
    fn partition_of(&self, _: &str, _: &PrimaryKey) -> Option<String> {
        Some("p2".to_owned())
    }
    async fn write(&self, _: Mutation, _: &Ask) -> Result<Written, BackendError> {
        Err(self.error.clone())
    }
    async fn get(&self, _: &str, _: &PrimaryKey, _: Consistency, _: &Ask) -> Result<Got, BackendError> {
        Err(self.error.clone())
    }
    async fn query(&self, _: QueryRange, _: Consistency) -> Result<Page, BackendError> {
        Err(self.error.clone())
    }
    async fn scan(&self, _: ScanRange, _: Consistency) -> Result<Page, BackendError> {
        Err(self.error.clone())
    }
}

#[tokio::test]
async fn a_backend_s_failure_is_never_milder_on_the_wire_than_it_is() {
    for (error, status, kind) in [
        (
            BackendError::Unknown("no reply".to_owned()),
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalServerError",
        ),
        (
            BackendError::Unavailable("no leader".to_owned()),
            StatusCode::SERVICE_UNAVAILABLE,
            "ServiceUnavailableException",
        ),
    ] {
        let server = start(Failing { inner: MemoryBackend::default(), error }).await;
        server.ok("CreateTable", create("tab")).await;
        for (operation, request) in [
            ("PutItem", json!({"TableName": "tab", "Item": item("k", 1, "x")})),
            ("UpdateItem", json!({"TableName": "tab", "Key": key("k", 1)})),
            ("DeleteItem", json!({"TableName": "tab", "Key": key("k", 1)})),
            ("GetItem", json!({"TableName": "tab", "Key": key("k", 1)})),
        ] {
            let answer = server.call(operation, request).await;
            assert_eq!((answer.status, answer.error().0.as_str()), (status, kind), "{operation}");
            assert_eq!(answer.headers["x-growler-partition"], "p2");
        }
        assert_eq!(server.call("Scan", json!({"TableName": "tab"})).await.status, status);
        assert_eq!(server.call("DeleteTable", json!({"TableName": "tab"})).await.status, status);
    }
}

#[tokio::test]
async fn stopping_closes_idle_connections_and_ends_the_server() {
    let server = with_table().await;
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (mut idle, connection) = handshake(TokioIo::new(stream)).await.unwrap();
    let closed = tokio::spawn(connection);
    call(&mut idle, "ListTables", "{}".to_owned()).await;
    server.stop.cancel();
    server.ended.await.unwrap();
    closed.await.unwrap().unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}
