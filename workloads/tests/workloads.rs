//! The workloads against a small DynamoDB: what they send, and what they record.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use growler_checker::history::{Consistency, EventType};
use growler_workloads::dynamodb::Client;
use growler_workloads::generator::invocation;
use growler_workloads::probe::{Canary, Service};
use growler_workloads::workload::{Completion, Context, Invocation, Mode, Next, SetUpError, Shape, Workload};
use growler_workloads::{create, workloads};
use serde_json::{Value, json};
use support::fake::{Gaps, dynamodb};
use support::{Reply, Seen, Server, client};

fn shape() -> Shape {
    support::shape(Mode::Strong, 5)
}

struct Bench {
    server: Server,
    client: Client,
    workload: Box<dyn Workload>,
}

impl Bench {
    async fn new(workload: &str, gaps: Gaps) -> Self {
        let server = Server::start(dynamodb(gaps)).await;
        let client = server.client();
        let mut workload = create(workload, &shape()).unwrap();
        workload.set_up(&client).await.unwrap();
        Self { server, client, workload }
    }

    async fn invoke(&self, op: Invocation) -> Completion {
        let op = Invocation { key: op.key.or(Some("k1".into())), ..op };
        self.workload.invoke(&self.client, &op).await
    }

    /// Invokes, and returns type, value, what was observed, and the error.
    async fn ended(&self, f: &'static str, value: Value) -> (EventType, Value, Option<Value>, Option<Value>) {
        let done = self.invoke(invocation(f, value)).await;
        (done.kind, done.value, done.observed, done.error)
    }

    async fn by_update(&self, value: Value) -> (EventType, Option<Value>) {
        let done = self.invoke(Invocation { via: Some("update"), ..invocation("cas", value) }).await;
        (done.kind, done.observed)
    }

    fn operations(&self) -> BTreeSet<String> {
        self.server.seen.lock().unwrap().iter().map(|seen| seen.operation.clone()).collect()
    }
}

const OK: EventType = EventType::Ok;
const FAIL: EventType = EventType::Fail;

#[tokio::test]
async fn a_register_is_written_read_and_deleted() {
    let bench = Bench::new("register", Gaps::default()).await;
    assert_eq!(bench.ended("read", Value::Null).await, (OK, Value::Null, None, None));
    assert_eq!(bench.ended("write", json!(7)).await, (OK, json!(7), Some(Value::Null), None));
    assert_eq!(bench.ended("write", json!(8)).await, (OK, json!(8), Some(json!(7)), None));
    assert_eq!(bench.ended("read", Value::Null).await, (OK, json!(8), None, None));
    assert_eq!(bench.ended("write", Value::Null).await, (OK, Value::Null, Some(json!(8)), None));
    assert_eq!(bench.ended("write", Value::Null).await, (OK, Value::Null, Some(Value::Null), None));
    assert_eq!(bench.ended("read", Value::Null).await, (OK, Value::Null, None, None));
}

#[tokio::test]
async fn only_an_eventual_read_asks_for_less() {
    let bench = Bench::new("register", Gaps::default()).await;
    bench.invoke(invocation("read", Value::Null)).await;
    let eventual = Some(Consistency::Eventual);
    bench.invoke(Invocation { consistency: eventual, ..invocation("read", Value::Null) }).await;
    let seen = bench.server.seen.lock().unwrap();
    let asked: Vec<_> =
        seen.iter().filter(|s| s.operation == "GetItem").map(|s| s.body["ConsistentRead"].clone()).collect();
    assert_eq!(asked, [json!(true), json!(false)]);
}

#[tokio::test]
async fn conditions_hold_or_show_what_they_met() {
    let bench = Bench::new("cas-register", Gaps::default()).await;
    let failed = Some(json!("condition-failed"));
    let ended = |value| bench.ended("cas", value);
    assert_eq!(ended(json!([3, 4])).await, (FAIL, json!([3, 4]), Some(Value::Null), failed.clone()));
    assert_eq!(ended(json!([null, 1])).await, (OK, json!([null, 1]), Some(Value::Null), None));
    assert_eq!(ended(json!([null, 2])).await, (FAIL, json!([null, 2]), Some(json!(1)), failed.clone()));
    assert_eq!(ended(json!([1, 5])).await, (OK, json!([1, 5]), Some(json!(1)), None));
    assert_eq!(ended(json!([1, null])).await, (FAIL, json!([1, null]), Some(json!(5)), failed));
    assert_eq!(bench.by_update(json!([1, 6])).await, (FAIL, Some(json!(5))));
    assert_eq!(bench.by_update(json!([5, 6])).await, (OK, Some(json!(5))));
    assert_eq!(bench.ended("read", Value::Null).await.1, json!(6));
    assert_eq!(bench.ended("cas", json!([6, null])).await.2, Some(json!(6)));
    assert_eq!(bench.ended("read", Value::Null).await.1, Value::Null);
}

#[tokio::test]
async fn what_the_server_does_not_return_is_not_recorded_as_observed() {
    for gaps in [
        Gaps { no_failed_images: true, ..Gaps::default() },
        Gaps { refuses_failed_images: true, ..Gaps::default() },
    ] {
        let bench = Bench::new("cas-register", gaps).await;
        assert_eq!(bench.ended("write", json!(1)).await.2, Some(Value::Null));
        let failed = Some(json!("condition-failed"));
        assert_eq!(bench.ended("cas", json!([2, 3])).await, (FAIL, json!([2, 3]), None, failed.clone()));
        assert_eq!(bench.ended("cas", json!([null, 3])).await, (FAIL, json!([null, 3]), None, failed));
        assert_eq!(bench.by_update(json!([2, 3])).await, (FAIL, None));
    }
    let bench = Bench::new("cas-register", Gaps { no_old_images: true, ..Gaps::default() }).await;
    assert_eq!(bench.ended("write", json!(1)).await, (OK, json!(1), None, None));
    assert_eq!(bench.ended("cas", json!([1, 2])).await.2, None);
    assert_eq!(bench.ended("cas", json!([1, 3])).await.2, Some(json!(2)));
    assert_eq!(bench.ended("write", Value::Null).await.2, None);
}

#[tokio::test]
async fn old_images_are_probed_also_while_the_server_is_settling() {
    let bench = Bench::new("cas-register", Gaps { slow_start: 3, ..Gaps::default() }).await;
    assert_eq!(bench.ended("write", json!(1)).await.2, Some(Value::Null));
    assert_eq!(bench.ended("cas", json!([9, 2])).await.2, Some(json!(1)));
}

#[tokio::test]
async fn a_failure_keeps_the_argument_and_names_the_error() {
    let server = Server::start(|_| Reply::json(500, &json!({}))).await;
    let workload = create("cas-register", &shape()).unwrap();
    let op = |f, value| Invocation { key: Some("k1".into()), ..invocation(f, value) };
    for (op, kind) in [
        (op("write", json!(3)), EventType::Info),
        (op("cas", json!([1, 2])), EventType::Info),
        (op("read", Value::Null), FAIL),
    ] {
        let done = workload.invoke(&server.client(), &op).await;
        assert_eq!((done.kind, done.value.clone(), done.observed.clone()), (kind, op.value, None));
        assert_eq!(done.error, Some(json!("http-500")));
        assert!(!done.served());
    }
}

#[tokio::test]
async fn money_moves_and_totals_stay() {
    let bench = Bench::new("bank", Gaps::default()).await;
    let total = |via| bench.invoke(Invocation { via: Some(via), ..invocation("read", Value::Null) });
    let transfer = |amount| json!({"from": "a0", "to": "a1", "amount": amount});
    assert_eq!(bench.ended("transfer", transfer(30)).await, (OK, transfer(30), None, None));
    let expected = json!({"a0": 70, "a1": 130, "a2": 100, "a3": 100, "a4": 100});
    for via in ["txn", "query"] {
        let done = total(via).await;
        assert_eq!((done.kind, done.value), (OK, expected.clone()), "{via}");
    }
    let queries = || bench.server.seen.lock().unwrap().iter().filter(|s| s.operation == "Query").count();
    assert!(queries() > 1, "one page shows nothing");

    let (kind, value, _, error) = bench.ended("transfer", transfer(71)).await;
    assert_eq!((kind, value), (FAIL, transfer(71)));
    assert_eq!(error, Some(json!(["TransactionCanceledException", "ConditionalCheckFailed", "None"])));
    assert_eq!(total("txn").await.value, expected);

    let seen = bench.server.seen.lock().unwrap();
    let transfers = seen.iter().filter(|s| s.operation == "TransactWriteItems");
    let tokens: Vec<_> =
        transfers.map(|s| s.body["ClientRequestToken"].as_str().unwrap().to_owned()).collect();
    assert_eq!(tokens.iter().collect::<BTreeSet<_>>().len(), tokens.len());
    assert!(tokens.iter().all(|token| token.len() <= 36));
}

#[tokio::test]
async fn a_server_without_transactions_is_refused_by_name() {
    let server = Server::start(dynamodb(Gaps { no_transactions: true, ..Gaps::default() })).await;
    let mut bank = create("bank", &shape()).unwrap();
    let error = bank.set_up(&server.client()).await.unwrap_err();
    assert!(matches!(error, SetUpError::Unsupported { .. }), "{error:?}");
    let message = error.to_string();
    assert!(message.contains("bank") && message.contains("TransactGetItems"), "{message}");
}

#[tokio::test]
async fn nobody_at_the_address_is_said_soon_and_names_it() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let mut register = create("register", &shape()).unwrap();
    let set_up = register.set_up(&client(&url, Duration::from_secs(5))).await;
    let message = set_up.unwrap_err().to_string();
    assert!(message.contains(&url) && message.contains("connection-refused"), "{message}");
}

#[tokio::test]
async fn every_strong_workload_runs_needs_only_what_it_says_and_leaves_no_table() {
    for name in ["register", "cas-register", "bank"] {
        let description = workloads().iter().find(|description| description.name == name).unwrap();
        let bench = Bench::new(description.name, Gaps::default()).await;
        let mut generator = bench.workload.generator();
        let mut functions = BTreeSet::new();
        for step in 0..300 {
            let context = Context { time: Duration::from_millis(step), client: 0, nodes: 1 };
            if step == 200 {
                generator.finish();
            }
            let Next::Op(op) = generator.next(&context) else { break };
            let done = bench.workload.invoke(&bench.client, &op).await;
            assert!(done.served() || op.f == "transfer", "{op:?}: {done:?}");
            functions.insert(op.f);
        }
        assert_eq!(functions, bench.workload.functions().iter().copied().collect());
        bench.workload.tear_down(&bench.client).await.unwrap();
        bench.workload.tear_down(&bench.client).await.unwrap();
        let needs = description.needs.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(bench.operations(), needs, "{}", description.name);
        for seen in bench.server.seen.lock().unwrap().iter() {
            let table = seen.body["TableName"].as_str().unwrap_or("run1-");
            assert!(table.starts_with("run1-"), "{table}");
        }
    }
}

#[tokio::test]
async fn the_canary_finds_every_partition_and_asks_the_node_that_it_is_told() {
    let server = Server::start(|seen| match seen.body["Item"]["pk"]["S"].as_str() {
        None => Reply::json(200, &json!({"Table": {"TableStatus": "ACTIVE"}})),
        Some(key) => {
            let partition = format!("p{}", key.len() + usize::from(key.ends_with('5')));
            Reply::Answer(200, vec![("x-growler-partition", partition)], b"{}".to_vec())
        }
    })
    .await;
    let (client, canary) = (server.client(), Canary::new("run1-"));
    canary.set_up(&client).await.unwrap();
    let found = canary.discover(&client, 1).await.unwrap();
    let expected = [("c0", "p2"), ("c5", "p3"), ("c15", "p4")];
    assert_eq!(found, expected.map(|(key, partition)| (key.to_owned(), partition.to_owned())));
    assert_eq!(canary.ask(&client, 0, "c5", Service::Write).await, Ok(()));
}

#[tokio::test]
async fn a_server_that_takes_writes_and_refuses_reads_does_not_serve() {
    let refuses = |strong: bool| {
        move |seen: &Seen| match seen.body["ConsistentRead"].as_bool() {
            Some(asked) if asked == strong => Reply::json(500, &json!({"__type": "x#InternalServerError"})),
            _ => Reply::json(200, &json!({})),
        }
    };
    for strong in [true, false] {
        let server = Server::start(refuses(strong)).await;
        let (client, canary) = (server.client(), Canary::new("run1-"));
        let mut served = Vec::new();
        for service in [Service::Write, Service::StrongRead, Service::EventualRead] {
            served.push(canary.ask(&client, 0, "c0", service).await.is_ok());
        }
        assert_eq!(served, [true, !strong, strong]);
    }
}

#[test]
fn a_system_serves_again_when_it_serves_what_the_workload_asks_for() {
    use Service::{EventualRead, StrongRead, Write};
    for (name, mode, services) in [
        ("register", Mode::Strong, &[Write, StrongRead][..]),
        ("register", Mode::Eventual, &[Write, EventualRead]),
        ("session", Mode::Eventual, &[Write, StrongRead, EventualRead]),
        ("lww", Mode::Eventual, &[Write, EventualRead]),
        ("set", Mode::Eventual, &[Write, EventualRead]),
        ("cart", Mode::Eventual, &[Write, EventualRead]),
        ("bank", Mode::Strong, &[Write, StrongRead]),
    ] {
        let workload = create(name, &Shape { mode, ..shape() }).unwrap();
        assert_eq!(workload.services(), services, "{name} {mode:?}");
    }
}

#[tokio::test]
async fn a_server_that_tells_of_no_partition_is_one() {
    let server = Server::start(dynamodb(Gaps { slow_start: 2, ..Gaps::default() })).await;
    let (client, canary) = (server.client(), Canary::new("run1-"));
    canary.set_up(&client).await.unwrap();
    let found = canary.discover(&client, 1).await.unwrap();
    assert_eq!(found, [("c0".to_owned(), "all".to_owned())]);
    canary.tear_down(&client).await.unwrap();
}
