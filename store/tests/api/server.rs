//! A server over real HTTP, and a plain client for it.

use std::sync::Arc;

use growler_store::api::{Backend, MemoryBackend, Service, serve};
use http::{HeaderMap, HeaderName, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

pub(crate) type Body = Full<bytes::Bytes>;

pub(crate) struct Server {
    pub(crate) address: std::net::SocketAddr,
    pub(crate) stop: CancellationToken,
    pub(crate) ended: tokio::task::JoinHandle<()>,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The exception's short name and message.
    pub(crate) fn error(&self) -> (String, String) {
        let body = self.json();
        let kind = body["__type"].as_str().unwrap().rsplit('#').next().unwrap().to_owned();
        let message = body.get("message").or_else(|| body.get("Message")).unwrap();
        (kind, message.as_str().unwrap().to_owned())
    }
}

pub(crate) async fn start(backend: impl Backend + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let status = Arc::new(|| json!({"name": "n1"}));
    let service = Arc::new(Service::new(Arc::new(backend), status, 7));
    let ended = tokio::spawn(serve(listener, service, stop.clone()));
    Server { address, stop, ended }
}

impl Server {
    pub(crate) async fn connect(&self) -> SendRequest<Body> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        sender
    }

    pub(crate) async fn call(&self, operation: &str, body: Value) -> Answer {
        call(&mut self.connect().await, operation, body.to_string()).await
    }

    /// A call with these headers besides.
    pub(crate) async fn call_with(&self, headers: &[(&str, &str)], operation: &str, body: Value) -> Answer {
        let mut request = request(operation, body.to_string());
        for (name, value) in headers {
            request.headers_mut().append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        send(&mut self.connect().await, request).await
    }

    pub(crate) async fn ok(&self, operation: &str, body: Value) -> Value {
        let answer = self.call(operation, body).await;
        assert_eq!(answer.status, StatusCode::OK, "{operation}: {}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }

    /// A refused call: the exception's short name and message.
    pub(crate) async fn refused(&self, operation: &str, body: Value) -> (String, String) {
        let answer = self.call(operation, body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{operation}");
        answer.error()
    }
}

pub(crate) async fn call(sender: &mut SendRequest<Body>, operation: &str, body: String) -> Answer {
    send(sender, request(operation, body)).await
}

fn request(operation: &str, body: String) -> Request<Body> {
    Request::post("/")
        .header("host", "localhost")
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
        .header("authorization", "AWS4-HMAC-SHA256 Credential=x/20250101/us-east-1/dynamodb/aws4_request")
        .body(Full::from(body))
        .unwrap()
}

pub(crate) async fn send(sender: &mut SendRequest<Body>, request: Request<Body>) -> Answer {
    sender.ready().await.unwrap();
    let response = sender.send_request(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    Answer { status: head.status, headers: head.headers, body }
}

/// A server with table `tab`: hash key `pk` (S), sort key `sk` (N).
pub(crate) async fn with_table() -> Server {
    let server = start(MemoryBackend::default()).await;
    server.ok("CreateTable", create("tab")).await;
    server
}

pub(crate) fn create(name: &str) -> Value {
    json!({
        "TableName": name,
        "AttributeDefinitions": [
            {"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "N"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        "BillingMode": "PAY_PER_REQUEST",
    })
}

pub(crate) fn key(pk: &str, sk: i32) -> Value {
    json!({"pk": {"S": pk}, "sk": {"N": sk.to_string()}})
}

pub(crate) fn item(pk: &str, sk: i32, value: &str) -> Value {
    json!({"pk": {"S": pk}, "sk": {"N": sk.to_string()}, "v": {"S": value}})
}

pub(crate) fn validation(message: &str) -> (String, String) {
    ("ValidationException".to_owned(), message.to_owned())
}
