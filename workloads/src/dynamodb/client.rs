//! One logical client: one session, its own connections, one attempt a call.
//!
//! Everything that reqwest would do behind the caller's back is off: retries, redirects, proxy variables.
//! One thing cannot be switched off, and needs none: when the connection that the pool hands out turns out to
//! be dead, hyper-util dials again for a request *that hyper gave back unserialised* (`TrySendError` with its
//! message; a request of which a byte was written is never given back). No byte of it had left this
//! process, so what is on the wire is still one request for one call; a test counts them. A call on which
//! an error was seen leaves no connection behind: hyper closes one whose answer was not read to its end.
//!
//! The order of certainty follows from that. Before a connection stands, a failure is *not sent*; after that,
//! everything but a complete answer is *unknown*. The deadline for connecting is half of the whole, so that a
//! connection that never comes is told apart from an answer that never comes.

use std::error::Error as _;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::caps::Caps;
use super::credentials::Identity;
use super::endpoint::{ClientError, Endpoint, Route};
use super::outcome::{Answer, ErrorBody, Failure, Outcome, Seen};
use super::request::Request;
use super::signer::Signer;
use super::tls::Tls;

const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
const CHECKSUM: HeaderName = HeaderName::from_static("x-amz-crc32");
const PARTITION: HeaderName = HeaderName::from_static("x-growler-partition");
const JSON: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.0");

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

/// One logical client: one session, which can ask any node. Calls take turns; clones are not offered.
#[derive(Debug)]
pub struct Client {
    shared: Arc<Shared>,
    nodes: Vec<reqwest::Client>,
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
    /// When reqwest refuses its configuration.
    pub fn client(&self, home: usize) -> Result<Client, ClientError> {
        let nodes = self.shared.routes.iter().map(|route| self.shared.connections(route));
        Ok(Client {
            nodes: nodes.collect::<Result<_, _>>()?,
            home: home % self.shared.routes.len(),
            shared: self.shared.clone(),
        })
    }

    /// The caps that all clients share.
    #[must_use]
    pub fn caps(&self) -> &Caps {
        &self.shared.caps
    }
}

impl Shared {
    /// A pool of at most one idle connection to one node.
    fn connections(&self, route: &Route) -> Result<reqwest::Client, ClientError> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("growler/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(self.tls.config(route.certified.as_ref())?)
            .retry(reqwest::retry::never())
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .connect_timeout(self.timeout / 2)
            .pool_idle_timeout(None)
            .pool_max_idle_per_host(1);
        if let Some((name, address)) = &route.resolve {
            builder = builder.resolve(name, *address);
        }
        Ok(builder.build()?)
    }
}

/// A complete response.
struct Response {
    status: StatusCode,
    checksum: Option<u32>,
    partition: Option<String>,
    body: Bytes,
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
        let failed = |seen, failure, partition| Answer {
            outcome: Outcome::failed(seen, R::KIND.only_reads(), failure),
            partition,
        };
        let body = match serde_json::to_vec(request) {
            Ok(body) => Bytes::from(body),
            Err(e) => return failed(Seen::Unsendable, Failure::new("", e.to_string()), None),
        };
        if let Some(cost) = R::KIND.cost(body.len()) {
            if let Err(reached) = self.shared.caps.take(cost) {
                return failed(Seen::CapReached, Failure::new("", reached.to_string()), None);
            }
        }
        let response = match self.exchange(node % self.nodes.len(), R::OPERATION, body).await {
            Ok(response) => response,
            Err((seen, message)) => return failed(seen, Failure::new("", message), None),
        };
        match response.read::<R>() {
            Ok(output) => Answer { outcome: Outcome::Ok(output), partition: response.partition },
            Err((seen, failure)) => failed(seen, failure, response.partition),
        }
    }

    /// One request and its complete response, within the deadline.
    async fn exchange(&self, node: usize, operation: &str, body: Bytes) -> Result<Response, (Seen, String)> {
        let route = &self.shared.routes[node];
        let headers = self.headers(route, operation, &body).map_err(|reason| (Seen::Unsendable, reason))?;
        let request = self.nodes[node].post(route.url.clone()).headers(headers).body(body);
        let call = async {
            let response = request.send().await.map_err(|e| (interrupted(&e), innermost(&e)))?;
            let status = response.status();
            let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
            let checksum = header(CHECKSUM).and_then(|value| value.parse().ok());
            let partition = header(PARTITION).map(str::to_owned);
            let body = response.bytes().await.map_err(|e| (Seen::Truncated, innermost(&e)))?;
            Ok(Response { status, checksum, partition, body })
        };
        match tokio::time::timeout(self.shared.timeout, call).await {
            Ok(result) => result,
            Err(_elapsed) => Err((Seen::Timeout, String::new())),
        }
    }

    /// All headers of a request, signature included.
    fn headers(&self, route: &Route, operation: &str, body: &[u8]) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::with_capacity(8);
        let target = HeaderValue::try_from(format!("DynamoDB_20120810.{operation}"));
        headers.insert(HOST, route.host.clone());
        headers.insert(CONTENT_TYPE, JSON);
        headers.insert(TARGET, target.map_err(|e| e.to_string())?);
        self.shared
            .signer
            .sign(&route.path, &mut headers, body, SystemTime::now())
            .map_err(|e| e.to_string())?;
        Ok(headers)
    }
}

impl Response {
    /// The good answer in it, or what was seen instead.
    fn read<R: Request>(&self) -> Result<R::Output, (Seen, Failure)> {
        if self.checksum.is_some_and(|sent| sent != crc32fast::hash(&self.body)) {
            return Err((Seen::Checksum, Failure::new("", "")));
        }
        if self.status == StatusCode::OK {
            return serde_json::from_slice(&self.body)
                .map_err(|e| (Seen::Garbage, Failure::new("", e.to_string())));
        }
        let status = self.status.as_u16();
        let Ok(error) = serde_json::from_slice::<ErrorBody>(&self.body) else {
            let seen = Seen::from_status(status, "");
            return Err((seen, Failure::new(format!("http-{status}"), "")));
        };
        let seen = Seen::from_status(status, error.name());
        let mut failure = error.into_failure();
        if failure.error.is_empty() {
            failure.error = format!("http-{status}");
        }
        Err((seen, failure))
    }
}

/// What it means that a request ended before a response began.
fn interrupted(error: &reqwest::Error) -> Seen {
    if error.is_builder() {
        return Seen::Unsendable;
    }
    if !error.is_connect() {
        return Seen::ConnectionLost;
    }
    if error.is_timeout() {
        return Seen::ConnectTimeout;
    }
    match causes(error).find_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => Seen::Refused,
        Some(io::ErrorKind::TimedOut) => Seen::ConnectTimeout,
        _ => Seen::NotConnected,
    }
}

/// What an error was caused by, outermost first.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    let mut next = error.source();
    std::iter::from_fn(move || {
        let cause = next?;
        next = cause.source();
        Some(cause)
    })
}

/// The innermost cause's message: what the operating system or hyper said.
fn innermost(error: &reqwest::Error) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}
