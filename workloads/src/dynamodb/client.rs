//! One logical client: one session, its own connections, one attempt a call.
//!
//! The order of certainty: before a connection stands, a failure is *not sent*; after that, everything but a
//! complete answer is *unknown*. Connecting may take half of the deadline, so that a connection that never
//! comes is told apart from an answer that never comes. How connections are kept is in `connection`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use super::caps::Caps;
use super::connection::Connection;
use super::credentials::Identity;
use super::endpoint::{ClientError, Endpoint, Route};
use super::extension::{Ask, Versioning};
use super::outcome::{Answer, ErrorBody, Failure, Outcome, Seen};
use super::request::Request;
use super::signer::Signer;
use super::tls::Tls;

const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
const CHECKSUM: HeaderName = HeaderName::from_static("x-amz-crc32");
const PARTITION: HeaderName = HeaderName::from_static("x-growler-partition");
const JSON: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.0");
const AGENT: HeaderValue = HeaderValue::from_static(concat!("growler/", env!("CARGO_PKG_VERSION")));

/// What all clients of a run share.
#[derive(Debug)]
pub struct ClientConfig {
    /// The nodes, in the order of their indexes.
    pub endpoints: Vec<Endpoint>,
    /// Who asks.
    pub identity: Identity,
    /// The deadline of a whole call. Connecting may take half of it.
    pub timeout: Duration,
    /// A PEM file with roots to trust beside the system's.
    pub cacert: Option<PathBuf>,
    /// Caps, shared by all clients.
    pub caps: Arc<Caps>,
}

/// Makes clients.
#[derive(Debug, Clone)]
pub struct ClientFactory {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    endpoints: Vec<Endpoint>,
    routes: Vec<Route>,
    signer: Signer,
    tls: Tls,
    timeout: Duration,
    caps: Arc<Caps>,
}

/// One logical client: one session, which can ask any node. One call at a time keeps one connection a node.
#[derive(Debug)]
pub struct Client {
    shared: Arc<Shared>,
    nodes: Vec<Connection>,
    home: usize,
}

impl ClientFactory {
    /// Checks the configuration, and reads what TLS needs once.
    ///
    /// # Errors
    /// When an endpoint is not a URL that can be asked, or TLS cannot be set up.
    pub fn new(config: ClientConfig) -> Result<Self, ClientError> {
        if config.endpoints.is_empty() {
            return Err(ClientError::NoEndpoint);
        }
        let routes = config.endpoints.iter().map(Endpoint::route).collect::<Result<_, _>>()?;
        let tls = if config.endpoints.iter().any(Endpoint::is_https) {
            Tls::new(config.cacert.as_deref())?
        } else {
            Tls::none()
        };
        let shared = Shared {
            endpoints: config.endpoints,
            routes,
            signer: Signer::new(&config.identity),
            tls,
            timeout: config.timeout,
            caps: config.caps,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// A new logical client without any connection yet. `home` is the index of the node that it asks when an
    /// operation names none; it wraps around.
    ///
    /// # Errors
    /// When the HTTP library refuses its configuration.
    pub fn client(&self, home: usize) -> Result<Client, ClientError> {
        let shared = &self.shared;
        let connection = |route| Connection::new(route, &shared.tls, shared.timeout / 2);
        let nodes = shared.routes.iter().map(connection).collect::<Result<_, _>>()?;
        Ok(Client { nodes, home: home % shared.routes.len(), shared: Arc::clone(shared) })
    }

    /// The caps that all clients share.
    #[must_use]
    pub fn caps(&self) -> &Caps {
        &self.shared.caps
    }
}

impl Client {
    /// Number of nodes that can be asked.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// The index of the node that is asked when an operation names none.
    #[must_use]
    pub fn home(&self) -> usize {
        self.home
    }

    /// The node with this index, which wraps around.
    #[must_use]
    pub fn endpoint(&self, node: usize) -> &Endpoint {
        &self.shared.endpoints[node % self.nodes.len()]
    }

    /// Sends `request` to the node with this index (it wraps around), once, and sorts what comes back.
    pub async fn send<R: Request>(&self, node: usize, request: &R) -> Answer<R::Output> {
        self.ask(node, request, &Ask::default()).await
    }

    /// As [`Client::send`], and asks for what a store that keeps versions can give beyond DynamoDB's API.
    pub async fn ask<R: Request>(&self, node: usize, request: &R, ask: &Ask<'_>) -> Answer<R::Output> {
        self.transmit(node, request, ask, Some(&*self.shared.caps)).await
    }

    /// As [`Client::send`], beyond the caps.
    pub(crate) async fn send_uncapped<R: Request>(&self, node: usize, request: &R) -> Answer<R::Output> {
        self.transmit(node, request, &Ask::default(), None).await
    }

    async fn transmit<R: Request>(
        &self,
        node: usize,
        request: &R,
        ask: &Ask<'_>,
        caps: Option<&Caps>,
    ) -> Answer<R::Output> {
        let failed = |seen, failure| Answer {
            outcome: Outcome::failed(seen, R::KIND.only_reads(), failure),
            partition: None,
            versioning: None,
        };
        let body = match serde_json::to_vec(request) {
            Ok(body) => Bytes::from(body),
            Err(e) => return failed(Seen::Unsendable, Failure::new("", e.to_string())),
        };
        if let Some(caps) = caps
            && let Some(cost) = R::KIND.cost(body.len())
            && let Err(reached) = caps.take(cost)
        {
            return failed(Seen::CapReached, Failure::new("", reached.to_string()));
        }
        let response = match self.exchange(node % self.nodes.len(), R::OPERATION, body, ask).await {
            Ok(response) => response,
            Err((seen, message)) => return failed(seen, Failure::new("", message)),
        };
        let partition = header(&response, &PARTITION).map(str::to_owned);
        let versioning = Versioning::read(response.headers());
        match read::<R>(&response) {
            Ok(output) => Answer { outcome: Outcome::Ok(output), partition, versioning },
            Err((seen, failure)) => Answer { partition, versioning, ..failed(seen, *failure) },
        }
    }

    /// One request and its complete response, within the deadline.
    async fn exchange(
        &self,
        node: usize,
        operation: &str,
        body: Bytes,
        ask: &Ask<'_>,
    ) -> Result<Response<Bytes>, (Seen, String)> {
        let route = &self.shared.routes[node];
        let headers =
            self.headers(route, operation, &body, ask).map_err(|reason| (Seen::Unsendable, reason))?;
        let call = self.nodes[node].exchange(&route.path, headers, body);
        match tokio::time::timeout(self.shared.timeout, call).await {
            Ok(result) => result,
            Err(_elapsed) => Err((Seen::Timeout, String::new())),
        }
    }

    /// All headers of a request, signature included.
    fn headers(
        &self,
        route: &Route,
        operation: &str,
        body: &[u8],
        ask: &Ask<'_>,
    ) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::with_capacity(8);
        let target = HeaderValue::try_from(format!("DynamoDB_20120810.{operation}"));
        headers.insert(HOST, route.host.clone());
        headers.insert(CONTENT_TYPE, JSON);
        headers.insert(TARGET, target.map_err(|e| e.to_string())?);
        ask.write(&mut headers)?;
        let signed = self.shared.signer.sign(&route.path, &mut headers, body, SystemTime::now());
        signed.map_err(|e| e.to_string())?;
        headers.insert(USER_AGENT, AGENT);
        Ok(headers)
    }
}

/// A header's value, where it is text.
fn header<'a>(response: &'a Response<Bytes>, name: &HeaderName) -> Option<&'a str> {
    response.headers().get(name).and_then(|value| value.to_str().ok())
}

/// The good answer in a response, or what was seen instead.
fn read<R: Request>(response: &Response<Bytes>) -> Result<R::Output, (Seen, Box<Failure>)> {
    let checksum = header(response, &CHECKSUM).and_then(|value| value.parse::<u32>().ok());
    if checksum.is_some_and(|sent| sent != crc32fast::hash(response.body())) {
        return Err((Seen::Checksum, Box::new(Failure::new("", ""))));
    }
    if response.status() == StatusCode::OK {
        return serde_json::from_slice(response.body())
            .map_err(|e| (Seen::Garbage, Box::new(Failure::new("", e.to_string()))));
    }
    let status = response.status().as_u16();
    let error: ErrorBody = serde_json::from_slice(response.body()).unwrap_or_default();
    let seen = Seen::from_status(status, error.name());
    let mut failure = error.into_failure();
    if failure.error.is_empty() {
        failure.error = format!("http-{status}");
    }
    Err((seen, Box::new(failure)))
}
