//! One request for one call, over connections that are kept, through proxies and TLS.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use growler_workloads::dynamodb::request::{Expressions, PutItem};
use growler_workloads::dynamodb::{Caps, Client, Outcome, Pairs, Text};
use rustls::pki_types::PrivateKeyDer;
use serde_json::json;
use support::{DEADLINE, Reply, Server, endpoint, factory, try_factory};

async fn put(client: &Client, key: &str) -> Outcome<()> {
    let item = Pairs(&[("pk", Text(key))]);
    let request = PutItem { table_name: "t", item, expressions: Expressions::default(), return_values: None };
    client.send(0, &request).await.outcome.map(|_| ())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_session_keeps_one_connection() {
    let server = Server::start(|_| Reply::json(200, &json!({}))).await;
    let client = server.client();
    for i in 0..300 {
        assert_eq!(put(&client, &format!("k{i}")).await, Outcome::Ok(()));
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_connection_that_the_server_ends_politely_is_replaced_without_a_failure() {
    let close = vec![("connection", "close".to_owned())];
    let server = Server::start(move |_| Reply::Answer(200, close.clone(), b"{}".to_vec())).await;
    let client = server.client();
    for i in 0..20 {
        assert_eq!(put(&client, &format!("k{i}")).await, Outcome::Ok(()));
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 20);
}

/// Closes connections behind a complete answer without saying so, or resets them, so that many requests meet
/// a connection that is dead or dying.
fn treacherous() -> impl Fn(&support::Seen) -> Reply + Send + Sync {
    let count = AtomicUsize::new(0);
    move |_| match count.fetch_add(1, Ordering::SeqCst) % 3 {
        0 => Reply::json(200, &json!({})),
        1 => Reply::AnswerAndClose(b"{}".to_vec()),
        _ => Reply::Reset,
    }
}

/// Sends many requests, and holds what arrived against how each call ended.
async fn expect_at_most_one_request_a_call(server: &Server, client: &Client) {
    let (mut ended, mut ok) = (BTreeMap::new(), 0);
    for i in 0..600 {
        let outcome = put(client, &format!("k{i}")).await;
        ok += usize::from(outcome == Outcome::Ok(()));
        if i % 2 == 0 {
            // Lets the other side's close arrive, or not.
            tokio::task::yield_now().await;
        }
        ended.insert(format!("k{i}"), outcome);
    }
    let mut arrived: BTreeMap<String, u32> = BTreeMap::new();
    for seen in server.seen.lock().unwrap().iter() {
        *arrived.entry(seen.body["Item"]["pk"]["S"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    for (key, outcome) in &ended {
        let times = arrived.get(key).copied().unwrap_or_default();
        match outcome {
            Outcome::Ok(()) => assert_eq!(times, 1, "{key} is ok"),
            Outcome::Fail(failure) => assert_eq!(times, 0, "{key} failed: {failure:?}"),
            Outcome::Info(_) => assert!(times <= 1, "{key} was sent {times} times"),
        }
    }
    let connections = server.connections.load(Ordering::SeqCst);
    assert!(ok > 200 && connections > 100, "{ok} ok over {connections} connections");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_dies_idle_never_doubles_a_request() {
    let server = Server::start(treacherous()).await;
    expect_at_most_one_request_a_call(&server, &server.client()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls_a_connection_that_dies_idle_never_doubles_a_request_either() {
    let folder = tempfile::tempdir().unwrap();
    let (config, root) = certificate("127.0.0.1", folder.path());
    let server = Server::start_tls(config, treacherous()).await;
    let endpoints = vec![endpoint(&format!("https://{}", server.address), None)];
    let client = factory(endpoints, DEADLINE, Some(root)).client(0).unwrap();
    expect_at_most_one_request_a_call(&server, &client).await;
}

#[tokio::test]
async fn each_node_is_asked_at_its_own_address() {
    let first = Server::start(|_| Reply::json(200, &json!({}))).await;
    let second = Server::start(|_| Reply::json(200, &json!({}))).await;
    let endpoints = vec![endpoint(&first.url(), None), endpoint(&second.url(), None)];
    let client = factory(endpoints, DEADLINE, None).client(3).unwrap();
    assert_eq!((client.home(), client.nodes()), (1, 2));
    let request = PutItem {
        table_name: "t",
        item: Pairs(&[("pk", Text("k"))]),
        expressions: Expressions::default(),
        return_values: None,
    };
    for node in [0, 1, 1] {
        client.send(node, &request).await;
    }
    let asked = |server: &Server| server.seen.lock().unwrap().len();
    assert_eq!((asked(&first), asked(&second)), (1, 2));
}

#[tokio::test]
async fn behind_a_proxy_the_host_stays_the_real_one_and_is_signed() {
    let server = Server::start(|_| Reply::json(200, &json!({}))).await;
    let endpoints = vec![endpoint("http://db.example:8000", Some(server.address))];
    let client = factory(endpoints, DEADLINE, None).client(0).unwrap();
    assert_eq!(put(&client, "k").await, Outcome::Ok(()));
    let seen = server.seen.lock().unwrap()[0].clone();
    assert_eq!(seen.header("host"), Some("db.example:8000"));
    let authorization = seen.header("authorization").unwrap();
    assert!(
        authorization.contains("SignedHeaders=content-type;host;x-amz-date;x-amz-target"),
        "{authorization}"
    );
}

/// A server certificate for `name`, and the root file that vouches for it.
fn certificate(name: &str, folder: &Path) -> (Arc<rustls::ServerConfig>, std::path::PathBuf) {
    self_signed(&rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap(), folder)
}

fn self_signed(
    params: &rcgen::CertificateParams,
    folder: &Path,
) -> (Arc<rustls::ServerConfig>, std::path::PathBuf) {
    let signing_key = rcgen::KeyPair::generate().unwrap();
    let cert = params.self_signed(&signing_key).unwrap();
    let root = folder.join("root.pem");
    std::fs::write(&root, cert.pem()).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    (Arc::new(config), root)
}

#[tokio::test]
async fn behind_a_proxy_the_certificate_is_held_to_the_real_name() {
    for (real, url, other) in [
        ("db.example", "https://db.example:8443", "https://other.example:8443"),
        ("10.0.0.7", "https://10.0.0.7:8443", "https://10.0.0.8:8443"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (config, root) = certificate(real, folder.path());
        let server = Server::start_tls(config, |_| Reply::json(200, &json!({}))).await;
        let through = |url| {
            let endpoints = vec![endpoint(url, Some(server.address))];
            factory(endpoints, DEADLINE, Some(root.clone())).client(0).unwrap()
        };
        assert_eq!(put(&through(url), "k").await, Outcome::Ok(()), "{url}");
        let host = url.trim_start_matches("https://");
        assert_eq!(server.seen.lock().unwrap()[0].header("host"), Some(host));

        let Outcome::Fail(failure) = put(&through(other), "k").await else { panic!("{other} was believed") };
        assert_eq!(failure.error, "untrusted-certificate", "{failure:?}");
        assert_eq!(server.seen.lock().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn https_needs_no_proxy_and_trusts_no_stranger() {
    let folder = tempfile::tempdir().unwrap();
    let (config, root) = certificate("127.0.0.1", folder.path());
    let server = Server::start_tls(config, |_| Reply::json(200, &json!({}))).await;
    let url = format!("https://{}", server.address);
    let at = |root| factory(vec![endpoint(&url, None)], DEADLINE, root).client(0).unwrap();
    assert_eq!(put(&at(Some(root)), "k").await, Outcome::Ok(()));
    let (_, stranger) = certificate("127.0.0.1", folder.path());
    let Outcome::Fail(failure) = put(&at(Some(stranger)), "k").await else {
        panic!("a stranger was believed")
    };
    assert_eq!(failure.error, "untrusted-certificate");
}

/// As `openssl req -x509` makes them: valid for the name, and an authority as well.
fn own_authority(name: &str) -> rcgen::CertificateParams {
    let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params
}

#[tokio::test]
async fn a_certificate_that_is_its_own_authority_is_believed_where_it_was_named() {
    let folder = tempfile::tempdir().unwrap();
    let (config, root) = self_signed(&own_authority("db.example"), folder.path());
    let server = Server::start_tls(config, |_| Reply::json(200, &json!({}))).await;
    let at =
        |url, root| factory(vec![endpoint(url, Some(server.address))], DEADLINE, root).client(0).unwrap();
    assert_eq!(put(&at("https://db.example:8443", Some(root.clone())), "k").await, Outcome::Ok(()));

    let Outcome::Fail(failure) = put(&at("https://other.example:8443", Some(root)), "k").await else {
        panic!("it was believed under another name")
    };
    assert_eq!(failure.error, "untrusted-certificate", "{failure:?}");
    let Outcome::Fail(failure) = put(&at("https://db.example:8443", None), "k").await else {
        panic!("it was believed without being named")
    };
    assert!(failure.error == "untrusted-certificate" && failure.message.contains("--cacert"), "{failure:?}");
}

#[tokio::test]
async fn a_named_certificate_that_is_its_own_authority_expires_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let mut params = own_authority("127.0.0.1");
    params.not_before = rcgen::date_time_ymd(2001, 1, 1);
    params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    let (config, root) = self_signed(&params, folder.path());
    let server = Server::start_tls(config, |_| Reply::json(200, &json!({}))).await;
    let url = format!("https://{}", server.address);
    let client = factory(vec![endpoint(&url, None)], DEADLINE, Some(root)).client(0).unwrap();
    let Outcome::Fail(failure) = put(&client, "k").await else { panic!("an expired one was believed") };
    assert!(failure.error == "untrusted-certificate" && failure.message.contains("expired"), "{failure:?}");
}

#[test]
fn a_root_file_without_a_certificate_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("roots.pem");
    for content in [None, Some("no certificate here")] {
        if let Some(content) = content {
            std::fs::write(&file, content).unwrap();
        }
        let endpoints = vec![endpoint("https://127.0.0.1:1", None)];
        let refused = try_factory(endpoints, DEADLINE, Some(file.clone()), Caps::default());
        let message = refused.unwrap_err().to_string();
        assert!(message.contains("roots.pem") && message.contains("--cacert"), "{message}");
    }
}
