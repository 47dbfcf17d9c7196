//! Every row of the outcome table, against a server that produces that very answer.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use growler_workloads::dynamodb::outcome::{Class, TABLE};
use growler_workloads::dynamodb::request::{Expressions, GetItem, Kind, PutItem};
use growler_workloads::dynamodb::{Ask, Caps, Client, Failure, Outcome, Pairs, Request, Text};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use support::{DEADLINE, Reply, Server, client, endpoint, try_factory};

/// Short, for what is meant to time out.
const SHORT: Duration = Duration::from_millis(400);

async fn write(client: &Client) -> Outcome<()> {
    let item = Pairs(&[("pk", Text("k1"))]);
    let request = PutItem { table_name: "t", item, expressions: Expressions::default(), return_values: None };
    client.send(0, &request).await.outcome.map(|_| ())
}

async fn read(client: &Client) -> Outcome<()> {
    let key = Pairs(&[("pk", Text("k1"))]);
    let request = GetItem { table_name: "t", key, consistent_read: true };
    client.send(0, &request).await.outcome.map(|_| ())
}

fn sorted(outcome: Outcome<()>) -> (Class, Failure) {
    match outcome {
        Outcome::Ok(()) => panic!("this must not be ok"),
        Outcome::Fail(failure) => (Class::Fail, failure),
        Outcome::Info(failure) => (Class::Info, failure),
    }
}

/// Expects what a write meets, and that a read which meets it is `fail`; returns the write's failure.
async fn expect(client: &Client, class: Class, error: &str) -> Failure {
    let (seen, failure) = sorted(write(client).await);
    assert_eq!((seen, failure.error.as_str()), (class, error), "{failure:?}");
    let (seen, failed_read) = sorted(read(client).await);
    assert_eq!((seen, failed_read.error.as_str()), (Class::Fail, error), "{failed_read:?}");
    failure
}

async fn expect_reply(reply: Reply, class: Class, error: &str) -> Failure {
    let server = Server::start(move |_| reply.clone()).await;
    expect(&server.client(), class, error).await
}

fn service_error(name: &str) -> Reply {
    let kind = format!("com.amazonaws.dynamodb.v20120810#{name}");
    Reply::json(400, &json!({"__type": kind, "message": "because"}))
}

#[tokio::test]
async fn every_service_error_of_the_table_is_sorted_by_its_row() {
    let mut tested = 0;
    for row in TABLE {
        if let growler_workloads::dynamodb::outcome::Seen::Service(name) = row.seen {
            let failure = expect_reply(service_error(name), row.class, row.error).await;
            assert_eq!(failure.message, "because");
            tested += 1;
        }
    }
    assert!(tested > 20);
}

#[tokio::test]
async fn the_table_holds_every_certain_refusal_that_is_documented() {
    let names: BTreeSet<_> = TABLE.iter().filter(|r| r.class == Class::Fail).map(|r| r.error).collect();
    for name in [
        "condition-failed",
        "ValidationException",
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
        "TransactionCanceledException",
        "TransactionConflictException",
        "IdempotentParameterMismatchException",
    ] {
        assert!(names.contains(name), "{name}");
    }
}

#[tokio::test]
async fn a_refused_connection_is_certain() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    expect(&client(&url, DEADLINE), Class::Fail, "connection-refused").await;
}

#[tokio::test]
async fn a_connection_that_never_comes_is_certain() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", silent.local_addr().unwrap());
    expect(&client(&url, SHORT), Class::Fail, "connect-timeout").await;
}

#[tokio::test]
async fn a_failed_handshake_is_certain() {
    let server = Server::start(|_| Reply::Reset).await;
    let plain = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", plain.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = plain.accept().await {
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"this is no TLS\r\n").await;
        }
    });
    expect(&client(&url, DEADLINE), Class::Fail, "not-connected").await;
    assert!(server.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_reset_after_sending_is_unknown() {
    expect_reply(Reply::Reset, Class::Info, "connection-lost").await;
}

#[tokio::test]
async fn an_end_instead_of_an_answer_is_unknown() {
    expect_reply(Reply::Raw(Vec::new()), Class::Info, "connection-lost").await;
    expect_reply(Reply::Raw(b"HTTP/1.1 20".to_vec()), Class::Info, "connection-lost").await;
    expect_reply(Reply::Raw(b"\x00\x01 not http\r\n\r\n".to_vec()), Class::Info, "connection-lost").await;
}

#[tokio::test]
async fn a_swallowed_request_is_unknown_after_the_deadline() {
    let server = Server::start(|_| Reply::Swallow).await;
    expect(&client(&server.url(), SHORT), Class::Info, "timeout").await;
    assert_eq!(server.seen.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_body_that_stalls_is_unknown_after_the_deadline() {
    let mut stalled = support::response(200, &[], b"{}      ");
    stalled.truncate(stalled.len() - 4);
    let server = Server::start(move |_| Reply::Stall(stalled.clone())).await;
    expect(&client(&server.url(), SHORT), Class::Info, "timeout").await;
}

#[tokio::test]
async fn a_truncated_body_is_unknown_even_when_its_beginning_is_json() {
    let mut bytes = support::response(200, &[], b"{}   ");
    bytes.truncate(bytes.len() - 3);
    expect_reply(Reply::Raw(bytes), Class::Info, "truncated-answer").await;
    let mut error =
        support::response(400, &[], &json!({"__type": "ValidationException"}).to_string().into_bytes());
    error.truncate(error.len() - 1);
    expect_reply(Reply::Raw(error), Class::Info, "truncated-answer").await;
}

#[tokio::test]
async fn a_wrong_checksum_is_unknown_and_a_right_one_is_fine() {
    let with = |status, body: &[u8], sum: u32| {
        Reply::Answer(status, vec![("x-amz-crc32", sum.to_string())], body.to_vec())
    };
    let right = crc32fast::hash(b"{}");
    expect_reply(with(200, b"{}", right ^ 1), Class::Info, "wrong-checksum").await;
    let refusal = json!({"__type": "ValidationException"}).to_string();
    expect_reply(with(400, refusal.as_bytes(), 7), Class::Info, "wrong-checksum").await;
    let server = Server::start(move |_| with(200, b"{}", right)).await;
    assert_eq!(write(&server.client()).await, Outcome::Ok(()));
}

#[tokio::test]
async fn garbage_is_unknown() {
    for body in ["", "<html>", "{\"Attributes\":", "{\"Attributes\": 5, \"Item\": 5}", "null"] {
        let reply = Reply::Answer(200, Vec::new(), body.as_bytes().to_vec());
        expect_reply(reply, Class::Info, "garbled-answer").await;
    }
}

#[tokio::test]
async fn a_server_that_failed_does_not_know() {
    let body = json!({"__type": "com.amazonaws.dynamodb.v20120810#InternalServerError", "message": "oops"});
    let failure = expect_reply(Reply::json(500, &body), Class::Info, "http-500").await;
    assert_eq!(failure.message, "oops");
    expect_reply(Reply::json(503, &json!({})), Class::Info, "http-503").await;
    expect_reply(Reply::Answer(502, Vec::new(), b"<html>".to_vec()), Class::Info, "http-502").await;
    // A status beats the name in the body.
    expect_reply(Reply::json(500, &json!({"__type": "ValidationException"})), Class::Info, "http-500").await;
}

#[tokio::test]
async fn what_the_table_does_not_know_is_unknown() {
    expect_reply(service_error("BrandNewException"), Class::Info, "BrandNewException").await;
    expect_reply(Reply::Answer(404, Vec::new(), b"not found".to_vec()), Class::Info, "http-404").await;
    let elsewhere = vec![("location", "http://127.0.0.1:1/".to_owned())];
    expect_reply(Reply::Answer(307, elsewhere, Vec::new()), Class::Info, "http-307").await;
}

#[tokio::test]
async fn a_failed_condition_brings_the_item_where_the_server_returns_it() {
    let mut body = json!({"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
        "message": "The conditional request failed"});
    let failure = expect_reply(Reply::json(400, &body), Class::Fail, "condition-failed").await;
    assert_eq!((failure.item.clone(), failure.recorded()), (None, json!("condition-failed")));
    body["Item"] = json!({"pk": {"S": "k1"}, "v": {"N": "41"}});
    let failure = expect_reply(Reply::json(400, &body), Class::Fail, "condition-failed").await;
    assert_eq!(failure.item.unwrap().recorded("v"), json!(41));
}

#[tokio::test]
async fn a_cancelled_transaction_tells_its_reasons_in_order() {
    let body = json!({"__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": "cancelled", "CancellationReasons": [{"Code": "None"}, {"Code": "TransactionConflict",
        "Message": "busy"}]});
    let failure = expect_reply(Reply::json(400, &body), Class::Fail, "TransactionCanceledException").await;
    assert_eq!(failure.recorded(), json!(["TransactionCanceledException", "None", "TransactionConflict"]));
}

#[tokio::test]
async fn an_error_in_both_spellings_keeps_its_name() {
    let body = json!({"__type": "ValidationException", "message": "one", "Message": "two"});
    let failure = expect_reply(Reply::json(400, &body), Class::Fail, "ValidationException").await;
    assert_eq!(failure.message, "one");
}

#[tokio::test]
async fn throttling_is_certain_and_keeps_its_message() {
    let failure =
        expect_reply(service_error("ThrottlingException"), Class::Fail, "ThrottlingException").await;
    assert_eq!(failure.recorded(), json!(["ThrottlingException", "because"]));
}

#[tokio::test]
async fn a_good_answer_is_ok_and_names_the_partition() {
    let headers = vec![("x-growler-partition", "p2".to_owned())];
    let server = Server::start(move |_| Reply::Answer(200, headers.clone(), b"{}".to_vec())).await;
    let key = Pairs(&[("pk", Text("k1"))]);
    let answer = server.client().send(0, &GetItem { table_name: "t", key, consistent_read: true }).await;
    assert!(matches!(answer.outcome, Outcome::Ok(ref got) if got.item.is_none()));
    assert_eq!(answer.partition.as_deref(), Some("p2"));
    let seen = server.seen.lock().unwrap()[0].clone();
    assert_eq!(seen.header("x-amz-target"), Some("DynamoDB_20120810.GetItem"));
    assert_eq!(seen.header("content-type"), Some("application/x-amz-json-1.0"));
    assert_eq!(seen.body, json!({"TableName": "t", "Key": {"pk": {"S": "k1"}}, "ConsistentRead": true}));
}

#[tokio::test]
async fn versions_are_asked_for_and_told_in_headers() {
    let headers = vec![
        ("x-growler-version", "n1/3:5|n2/1:2".to_owned()),
        ("x-growler-context", "AgRu".to_owned()),
        ("x-growler-clock", r#"{"n1/3":5,"n2/1":2}"#.to_owned()),
        ("x-growler-timestamp", "70,n1".to_owned()),
        ("x-growler-siblings", "2".to_owned()),
    ];
    let body = json!({"Item": {"pk": {"S": "k1"}}, "Siblings": [
        {"Item": {"pk": {"S": "k1"}}, "Version": "n1/3:5", "Timestamp": [70, "n1"]},
        {"Item": null, "Version": "n2/1:2", "Timestamp": [60, "n2"]},
    ]});
    let server =
        Server::start(move |_| Reply::Answer(200, headers.clone(), body.to_string().into_bytes())).await;
    let key = Pairs(&[("pk", Text("k1"))]);
    let get = GetItem { table_name: "t", key, consistent_read: false };
    let ask = Ask { r: Some(2), siblings: true, local: true, ..Ask::default() };
    let answer = server.client().ask(0, &get, &ask).await;
    let seen = server.seen.lock().unwrap().pop().unwrap();
    assert_eq!(seen.header("x-growler-quorum"), Some("r=2"));
    assert_eq!(seen.header("x-growler-siblings"), Some("all"));
    assert_eq!(seen.header("x-growler-replica"), Some("local"));
    let versioning = answer.versioning.unwrap();
    assert_eq!((versioning.version.as_str(), versioning.siblings), ("n1/3:5|n2/1:2", Some(2)));
    assert_eq!(versioning.token.as_deref(), Some("AgRu"));
    let Outcome::Ok(got) = answer.outcome else { panic!("not ok") };
    let siblings = got.siblings.unwrap();
    assert_eq!((siblings.len(), siblings[1].item.as_ref()), (2, None));
    assert_eq!(siblings[0].timestamp, (70, "n1".to_owned()));

    let item = Pairs(&[("pk", Text("k1"))]);
    let put = PutItem { table_name: "t", item, expressions: Expressions::default(), return_values: None };
    let ask = Ask { context: Some("AgRu"), ..Ask::default() };
    let answer = server.client().ask(0, &put, &ask).await;
    assert_eq!(answer.versioning.unwrap().siblings, Some(2));
    let seen = server.seen.lock().unwrap().pop().unwrap();
    assert_eq!(seen.header("x-growler-context"), Some("AgRu"));
    server.client().send(0, &put).await;
    let seen = server.seen.lock().unwrap().pop().unwrap();
    assert!(seen.headers.iter().all(|(name, _)| !name.starts_with("x-growler")), "{seen:?}");
}

#[tokio::test]
async fn a_request_that_cannot_be_built_or_exceeds_a_cap_is_not_sent() {
    struct Broken;
    impl Serialize for Broken {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("broken"))
        }
    }
    impl Request for Broken {
        type Output = Value;
        const OPERATION: &'static str = "PutItem";
        const KIND: Kind = Kind::Write;
    }
    let server = Server::start(|_| Reply::json(200, &json!({}))).await;
    let outcome = server.client().send(0, &Broken).await.outcome.map(|_| ());
    assert_eq!(sorted(outcome).1.error, "unsendable");

    let endpoints = vec![endpoint(&server.url(), None)];
    let factory = try_factory(endpoints, DEADLINE, None, Caps::new(Some(1), None, None)).unwrap();
    let client = factory.client(0).unwrap();
    assert_eq!(write(&client).await, Outcome::Ok(()));
    assert_eq!(factory.caps().reached(), None);
    expect(&client, Class::Fail, "cap-reached").await;
    assert_eq!(factory.caps().reached().map(|cap| cap.limit), Some(1));
    assert_eq!(server.seen.lock().unwrap().len(), 1);
}
