//! DynamoDB's protocol as an HTTP/1.1 server.
//!
//! `POST /` with an `X-Amz-Target` is an operation; `GET /` says that the process is alive;
//! `GET /growler/status` shows what the node says of itself. Every answer to an operation carries
//! DynamoDB's headers (a request id, the CRC-32 of the body) and `x-growler-partition`, the partition
//! that decided it; a store with versions adds the headers of [`extension`]. Signatures must be there and are not verified: the store serves loopback.
//!
//! Connections are served on any stream ([`serve_connection`]), so that a simulation can bring its
//! own; [`serve`] accepts them from a TCP listener and owns their tasks: when it ends or is dropped,
//! so do they.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::backend::{Backend, Extension};
use super::error::{ApiError, Exception};
use super::extension;
use super::operations::Operation;

/// The largest request, as DynamoDB has it.
const MAX_REQUEST: usize = 16 * 1024 * 1024;

/// The response header that names the partition which decided the request.
pub const PARTITION_HEADER: &str = "x-growler-partition";

const JSON: &str = "application/x-amz-json-1.0";

/// What a node says of itself at `GET /growler/status`. Must return at once, whatever the node is
/// busy with.
pub type Status = Arc<dyn Fn() -> serde_json::Value + Send + Sync>;

/// The protocol over one backend; shared by all connections of a node.
pub struct Service {
    backend: Arc<dyn Backend>,
    status: Status,
    request_ids: Mutex<ChaCha8Rng>,
}

impl Service {
    /// A service over a backend. The seed is for request ids.
    #[must_use]
    pub fn new(backend: Arc<dyn Backend>, status: Status, seed: u64) -> Self {
        Self { backend, status, request_ids: Mutex::new(ChaCha8Rng::seed_from_u64(seed)) }
    }

    /// Answers one request.
    pub async fn respond<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        match (request.method(), request.uri().path()) {
            (&Method::GET, "/growler/status") => {
                plain(StatusCode::OK, "application/json", (self.status)().to_string())
            }
            (&Method::GET, _) => plain(StatusCode::OK, "text/plain", "healthy: growler store".to_owned()),
            (&Method::POST, _) => self.operate(request).await,
            _ => plain(StatusCode::NOT_FOUND, "text/plain", "<UnknownOperationException/>\n".to_owned()),
        }
    }

    async fn operate<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (head, body) = request.into_parts();
        let operation = operation(&head.headers);
        let body = match Limited::new(body, MAX_REQUEST).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => return plain(StatusCode::PAYLOAD_TOO_LARGE, "text/plain", error.to_string()),
        };
        let outcome = match operation {
            Ok(operation) => operation.run(self.backend.as_ref(), &head.headers, &body).await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(reply) => self.json(StatusCode::OK, reply.body, reply.partition, reply.extension.as_deref()),
            Err(error) => {
                tracing::debug!(%error, "refused");
                // an error is a few strings and at most an item: serialising it cannot fail
                let body = serde_json::to_vec(&error).unwrap_or_default();
                let status = error.exception.status();
                self.json(status, body, error.partition, error.extension.as_deref())
            }
        }
    }

    fn json(
        &self,
        status: StatusCode,
        body: Vec<u8>,
        partition: Option<String>,
        extension: Option<&Extension>,
    ) -> Response<Full<Bytes>> {
        let crc = crc32fast::hash(&body);
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
        headers.insert("x-amz-crc32", HeaderValue::from(crc));
        if let Ok(id) = HeaderValue::from_bytes(&self.request_id()) {
            headers.insert("x-amzn-requestid", id);
        }
        if let Some(partition) = partition.and_then(|name| HeaderValue::try_from(name).ok()) {
            headers.insert(PARTITION_HEADER, partition);
        }
        if let Some(extension) = extension {
            extension::write(extension, headers);
        }
        response
    }

    /// 52 characters of five random bits each, as AWS's request ids look.
    fn request_id(&self) -> [u8; 52] {
        let mut id = [0; 52];
        self.request_ids.lock().fill_bytes(&mut id);
        id.map(|byte| b"0123456789ABCDEFGHIJKLMNOPQRSTUV"[usize::from(byte & 31)])
    }
}

/// The operation that the headers ask for, when they are fit for one.
fn operation(headers: &HeaderMap) -> Result<Operation, ApiError> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let operation = Operation::from_target(text("x-amz-target").unwrap_or_default())?;
    let signed = text(AUTHORIZATION.as_str()).is_some_and(|value| value.trim_start().starts_with("AWS4-"));
    if signed {
        return Ok(operation);
    }
    Err(ApiError::new(Exception::MissingAuthenticationToken, "Request is missing Authentication Token"))
}

fn plain(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Serves connections from a listener until `stop` is cancelled; requests in progress are answered.
pub async fn serve(listener: TcpListener, service: Arc<Service>, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, "cannot set TCP_NODELAY");
                    }
                    connections.spawn(serve_connection(stream, service.clone(), stop.clone()));
                }
                // Out of file descriptors, or a client that went away: neither ends the server. Let
                // other tasks run first, since the next accept may fail just as quickly.
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::task::yield_now().await;
                }
            },
        }
    }
    while connections.join_next().await.is_some() {}
}

/// Serves one connection until the client closes it or `stop` is cancelled.
pub async fn serve_connection<S>(stream: S, service: Arc<Service>, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let respond = service_fn(move |request| {
        let service = service.clone();
        async move { Ok::<_, Infallible>(service.respond(request).await) }
    });
    let mut connection =
        pin!(http1::Builder::new().header_read_timeout(None).serve_connection(TokioIo::new(stream), respond));
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}
