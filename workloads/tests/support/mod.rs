//! A scripted HTTP server: it answers each request as a test says, counts connections, and keeps what it saw.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test binary uses its own part")]

pub mod fake;
pub mod versioned;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use growler_checker::promise::Terms;
use growler_workloads::dynamodb::{
    Caps, Client, ClientConfig, ClientFactory, Credentials, Endpoint, Identity,
};
use growler_workloads::workload::{Mode, Popularity, Shape};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Generous: the machine may be busy.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The operation named in `x-amz-target`.
    pub operation: String,
    /// Every header line, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Value,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// What the server does with a request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// A complete response; the connection stays open.
    Answer(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// The same, and the connection is closed right after it, unannounced.
    AnswerAndClose(Vec<u8>),
    /// These bytes, and then the end of the stream.
    Raw(Vec<u8>),
    /// These bytes, and then nothing, for ever.
    Stall(Vec<u8>),
    /// A reset of the connection.
    Reset,
    /// Nothing, for ever.
    Swallow,
}

impl Reply {
    pub fn json(status: u16, body: &Value) -> Self {
        Self::Answer(status, Vec::new(), body.to_string().into_bytes())
    }
}

type Script = dyn Fn(&Seen) -> Reply + Send + Sync;

/// A running server.
pub struct Server {
    pub address: SocketAddr,
    pub connections: Arc<AtomicUsize>,
    pub seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Serves plain http by `script`.
    pub async fn start(script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let (server, listener, script) = Self::bind(script).await;
        let (connections, seen) = (server.connections.clone(), server.seen.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                let (script, seen) = (script.clone(), seen.clone());
                tokio::spawn(async move {
                    if let Some(stream) = serve(stream, &*script, &seen).await {
                        reset(stream);
                    }
                });
            }
        });
        server
    }

    /// The same over TLS.
    pub async fn start_tls(
        config: Arc<rustls::ServerConfig>,
        script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let (server, listener, script) = Self::bind(script).await;
        let (connections, seen) = (server.connections.clone(), server.seen.clone());
        let acceptor = tokio_rustls::TlsAcceptor::from(config);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                let (script, seen, acceptor) = (script.clone(), seen.clone(), acceptor.clone());
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        serve(stream, &*script, &seen).await;
                    }
                });
            }
        });
        server
    }

    async fn bind(
        script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> (Self, TcpListener, Arc<Script>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            connections: Arc::default(),
            seen: Arc::default(),
        };
        (server, listener, Arc::new(script))
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn client(&self) -> Client {
        client(&self.url(), DEADLINE)
    }
}

fn reset(stream: TcpStream) {
    let stream = stream.into_std().unwrap();
    let socket = socket2::Socket::from(stream);
    socket.set_linger(Some(Duration::ZERO)).unwrap();
}

/// Serves one connection; gives it back if it is to be reset.
async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    script: &Script,
    log: &Mutex<Vec<Seen>>,
) -> Option<S> {
    let mut buffer = Vec::new();
    loop {
        let request = read_request(&mut stream, &mut buffer).await?;
        log.lock().unwrap().push(request.clone());
        match script(&request) {
            Reply::Answer(status, headers, body) => {
                stream.write_all(&response(status, &headers, &body)).await.ok()?;
            }
            Reply::AnswerAndClose(body) => {
                stream.write_all(&response(200, &[], &body)).await.ok()?;
                return None;
            }
            Reply::Raw(bytes) => {
                stream.write_all(&bytes).await.ok()?;
                stream.shutdown().await.ok()?;
                return None;
            }
            Reply::Stall(bytes) => {
                stream.write_all(&bytes).await.ok()?;
                std::future::pending::<()>().await;
            }
            Reply::Reset => return Some(stream),
            Reply::Swallow => std::future::pending().await,
        }
    }
}

/// A complete HTTP response.
pub fn response(status: u16, headers: &[(&str, String)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} Scripted\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

async fn read_request<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut Vec<u8>) -> Option<Seen> {
    let head = loop {
        if let Some(end) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
            break buffer.drain(..end + 4).collect::<Vec<_>>();
        }
        more(stream, buffer).await?;
    };
    let head = String::from_utf8(head).unwrap();
    let headers: Vec<_> = head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let find = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone());
    let length: usize = find("content-length").unwrap().parse().unwrap();
    while buffer.len() < length {
        more(stream, buffer).await?;
    }
    let body: Vec<u8> = buffer.drain(..length).collect();
    let operation = find("x-amz-target").unwrap().rsplit('.').next().unwrap().to_owned();
    Some(Seen { operation, headers, body: serde_json::from_slice(&body).unwrap() })
}

async fn more<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut Vec<u8>) -> Option<()> {
    let mut chunk = [0; 4096];
    let n = stream.read(&mut chunk).await.ok().filter(|&n| n > 0)?;
    buffer.extend_from_slice(&chunk[..n]);
    Some(())
}

/// A factory for the given endpoints.
pub fn factory(
    endpoints: Vec<Endpoint>,
    timeout: Duration,
    cacert: Option<std::path::PathBuf>,
) -> ClientFactory {
    try_factory(endpoints, timeout, cacert, Caps::default()).unwrap()
}

pub fn try_factory(
    endpoints: Vec<Endpoint>,
    timeout: Duration,
    cacert: Option<std::path::PathBuf>,
    caps: Caps,
) -> Result<ClientFactory, growler_workloads::dynamodb::ClientError> {
    let identity = Identity {
        credentials: Credentials::from_keys("AKIDEXAMPLE", "secret", None),
        region: "us-east-1".into(),
        source: "test".into(),
    };
    ClientFactory::new(ClientConfig { endpoints, identity, timeout, cacert, caps: Arc::new(caps) })
}

pub fn endpoint(url: &str, connect_to: Option<SocketAddr>) -> Endpoint {
    Endpoint { name: "n1".into(), url: url.into(), connect_to }
}

pub fn client(url: &str, timeout: Duration) -> Client {
    factory(vec![endpoint(url, None)], timeout, None).client(0).unwrap()
}

/// A small run in this mode, on a quick store.
pub fn shape(mode: Mode, keys: usize) -> Shape {
    Shape {
        keys,
        popularity: Popularity::Uniform,
        ops_per_key: 100,
        concurrency: 4,
        seed: 1,
        table_prefix: "run1-".into(),
        mode,
        terms: Terms::default(),
        convergence: Duration::from_secs(10),
    }
}
