//! `growler store` in the background, and requests to it as any client would send them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::growler;

/// `growler store`, on ports of its own.
pub struct Store {
    process: Child,
    urls: Vec<String>,
}

/// What came back.
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Value,
}

impl Store {
    /// Starts it with these options, and waits until it says that it is ready.
    pub fn start(options: &[&str]) -> Self {
        let port = free_ports(8).to_string();
        let mut process = growler(&[&["store", "--port", &port], options].concat())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let nodes = lines.take_while(|line| !line.is_empty());
        let urls = nodes.map(|line| line.split_whitespace().nth(1).unwrap().to_owned()).collect();
        Self { process, urls }
    }

    /// The first node's.
    pub fn url(&self) -> &str {
        &self.urls[0]
    }

    /// All nodes'.
    pub fn urls(&self) -> &[String] {
        &self.urls
    }

    pub fn tables(&self) -> Vec<String> {
        let answer = self.ask(0, "ListTables", "{}", &[]);
        let names = answer.body["TableNames"].as_array().unwrap();
        names.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    }

    /// One request to one node, with these headers besides.
    pub fn ask(&self, node: usize, operation: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
        let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!(
            "X-Amz-Target: DynamoDB_20120810.{operation}\r\n\
             Content-Type: application/x-amz-json-1.0\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/dynamodb/aws4_request, \
             SignedHeaders=host, Signature=0\r\nX-Amz-Date: 20260101T000000Z\r\n{more}"
        );
        self.exchange(node, "POST /", &head, body)
    }

    /// What a node says of itself.
    pub fn status(&self, node: usize) -> Value {
        self.exchange(node, "GET /growler/status", "", "").body
    }

    fn exchange(&self, node: usize, line: &str, head: &str, body: &str) -> Answer {
        let address = self.urls[node].trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).unwrap();
        let request = format!(
            "{line} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{head}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split_whitespace().nth(1).unwrap().parse().unwrap();
        let header = |line: &str| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_lowercase(), value.trim().to_owned())
        };
        let body = serde_json::from_str(body).unwrap_or_else(|e| panic!("{answer}: {e}"));
        Answer { status, headers: lines.map(header).collect(), body }
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.process.id().cast_signed()), Signal::SIGTERM);
        let _ = self.process.wait();
    }
}

/// The first of so many ports in a row that were free a moment ago.
fn free_ports(count: u16) -> u16 {
    loop {
        let first = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if first.checked_add(count).is_some_and(|end| (first..end).all(free)) {
            return first;
        }
    }
}
