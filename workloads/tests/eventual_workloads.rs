//! The workloads of stores that promise no more than to converge, against a small one that keeps versions.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use growler_checker::history::{Consistency, Event, EventType, Process};
use growler_workloads::dynamodb::request::{Expressions, PutItem};
use growler_workloads::dynamodb::{Ask, Client};
use growler_workloads::generator::{NOT_A_REPLICA, REPLICA_READ, invocation};
use growler_workloads::workload::{Completion, Context, Invocation, Mode, Next, SetUpError, Shape, Workload};
use growler_workloads::{create, workloads};
use serde_json::{Value, json};
use support::fake::{Gaps, dynamodb};
use support::versioned::versioned;
use support::{Reply, Server};

const EVENTUAL: [&str; 5] = ["register", "session", "lww", "set", "cart"];

fn shape() -> Shape {
    support::shape(Mode::Eventual, 3)
}

struct Bench {
    server: Server,
    client: Client,
    workload: Box<dyn Workload>,
}

impl Bench {
    async fn new(workload: &str, script: impl Fn(&support::Seen) -> Reply + Send + Sync + 'static) -> Self {
        let server = Server::start(script).await;
        let client = server.client();
        let mut workload = create(workload, &shape()).unwrap();
        workload.set_up(&client).await.unwrap();
        Self { server, client, workload }
    }

    async fn invoke(&self, op: Invocation) -> Completion {
        let op = Invocation { key: Some("k1".into()), ..op };
        self.workload.invoke(&self.client, &op).await
    }

    async fn done(&self, f: &'static str, value: Value) -> Completion {
        let done = self.invoke(invocation(f, value)).await;
        assert_eq!(done.kind, EventType::Ok, "{done:?}");
        done
    }

    /// The headers of the requests of one operation.
    fn header(&self, operation: &str, name: &str) -> Vec<Option<String>> {
        let seen = self.server.seen.lock().unwrap();
        let of = seen.iter().filter(|seen| seen.operation == operation);
        of.map(|seen| seen.header(name).map(str::to_owned)).collect()
    }
}

/// Runs a workload's generator with one client, to its end or for so many steps; what was done.
async fn run(bench: &Bench, steps: u64) -> Vec<(Invocation, Completion)> {
    let (mut generator, mut done, mut now) = (bench.workload.generator(), Vec::new(), 0);
    for step in 0..4 * steps {
        if step == steps {
            generator.finish();
        }
        let context = Context { time: Duration::from_millis(now), client: 0, nodes: 1 };
        let op = match generator.next(&context) {
            Next::Op(op) => op,
            Next::Wait(longest) => {
                now += u64::try_from(longest.as_millis()).unwrap();
                continue;
            }
            Next::Done => return done,
        };
        now += 1;
        let event = |kind, value| {
            let mut event = Event {
                client: Some(0),
                key: op.key.clone(),
                ..Event::new(Process::Client(0), kind, op.f, value)
            };
            event.extra_mut().context = op.context.clone();
            event
        };
        generator.update(&event(EventType::Invoke, op.value.clone()));
        let completion = bench.workload.invoke(&bench.client, &op).await;
        let mut ended = event(completion.kind, completion.value.clone());
        let versioning = completion.versioning.as_deref();
        ended.extra_mut().context =
            versioning.and_then(|v| v.clock.clone()).map(|clock| clock.into_iter().collect());
        ended.extra_mut().version = versioning.map(|v| json!(v.version));
        generator.update(&ended);
        done.push((op, completion));
    }
    done
}

#[tokio::test]
async fn every_workload_runs_to_its_end_needs_only_what_it_says_and_does_all_of_it() {
    for name in EVENTUAL {
        let bench = Bench::new(name, versioned()).await;
        let done = run(&bench, 500).await;
        for (op, completion) in &done {
            assert_eq!(completion.kind, EventType::Ok, "{name} {op:?}: {completion:?}");
        }
        let functions: BTreeSet<_> = done.iter().map(|(op, _)| op.f).collect();
        assert_eq!(functions, bench.workload.functions().iter().copied().collect(), "{name}");
        bench.workload.tear_down(&bench.client).await.unwrap();
        let operations: BTreeSet<String> =
            bench.server.seen.lock().unwrap().iter().map(|seen| seen.operation.clone()).collect();
        let description = workloads().iter().find(|description| description.name == name).unwrap();
        let needs = description.needs.iter().map(|need| (*need).to_owned()).collect();
        assert_eq!(operations, needs, "{name}");
    }
}

#[tokio::test]
async fn what_was_written_is_read_from_the_replicas_in_the_end() {
    for name in ["set", "cart"] {
        let bench = Bench::new(name, versioned()).await;
        let done = run(&bench, 300).await;
        let elements_of = |f: &str, key: &_| {
            let of = done.iter().filter(|(op, _)| op.f == f && op.key == *key);
            of.map(|(op, _)| op.value.clone()).collect::<Vec<_>>()
        };
        let replicas = || done.iter().filter(|(op, _)| op.f == REPLICA_READ);
        assert!(replicas().count() >= 6);
        for (op, completion) in replicas() {
            let mut expected = elements_of("add", &op.key);
            let removed = elements_of("remove", &op.key);
            expected.retain(|element| !removed.contains(element));
            assert_eq!(completion.value, json!(expected), "{name} {:?}", op.key);
        }
    }
}

#[tokio::test]
async fn a_register_asks_for_no_old_images_and_for_eventual_reads() {
    let bench = Bench::new("register", versioned()).await;
    let eventual = Some(Consistency::Eventual);
    bench.done("write", json!(1)).await;
    let read = bench.invoke(Invocation { consistency: eventual, ..invocation("read", Value::Null) }).await;
    assert_eq!(read.value, json!(1));
    assert_eq!(read.versioning.unwrap().version, "f/1:1");
    let seen = bench.server.seen.lock().unwrap();
    assert!(seen.iter().all(|seen| seen.body.get("ReturnValues").is_none()));
    let reads: Vec<_> = seen.iter().filter(|seen| seen.operation == "GetItem").collect();
    assert!(reads.iter().all(|read| read.body["ConsistentRead"] == json!(false)));
}

#[tokio::test]
async fn a_write_in_a_context_sends_the_token_that_came_with_its_clock() {
    let bench = Bench::new("register", versioned()).await;
    let write = |value: i64, context: Value| Invocation {
        context: Some(context.into()),
        ..invocation("write", json!(value))
    };
    bench.done("write", json!(1)).await;
    bench.done("write", json!(2)).await;
    // Two clients that have seen the first two writes and not each other.
    for value in [3, 4] {
        let done = bench.invoke(write(value, json!({"f/1": 2}))).await;
        assert_eq!(done.kind, EventType::Ok, "{done:?}");
    }
    let tokens = bench.header("PutItem", "x-growler-context");
    assert_eq!(tokens, [None, None, Some("token-2".to_owned()), Some("token-2".to_owned())]);
    let held = bench.done(REPLICA_READ, Value::Null).await;
    let versioning = held.versioning.unwrap();
    assert_eq!((versioning.version.as_str(), versioning.siblings), ("f/1:3|f/1:4", Some(2)));

    let sent = bench.header("PutItem", "x-growler-context").len();
    let unknown = bench.invoke(write(5, json!({"f/1": 77}))).await;
    assert_eq!(unknown.kind, EventType::Fail, "nobody knows its token");
    assert_eq!(bench.header("PutItem", "x-growler-context").len(), sent, "so it was not sent");
}

#[tokio::test]
async fn a_cart_is_merged_and_written_back_in_the_context_of_its_read() {
    let bench = Bench::new("cart", versioned()).await;
    assert_eq!(bench.done("read", Value::Null).await.value, Value::Null);
    bench.done("add", json!(1)).await;
    bench.done("add", json!(2)).await;
    assert_eq!(bench.done("read", Value::Null).await.value, json!([1, 2]));
    // Somebody else who had only seen the first version adds beside us.
    let other = PutItem {
        table_name: "run1-cart",
        item: json!({"pk": {"S": "k1"}, "v": {"L": [{"N": "1"}, {"N": "9"}]}}),
        expressions: Expressions::default(),
        return_values: None,
    };
    let ask = Ask { context: Some("token-1"), ..Ask::default() };
    bench.client.ask(0, &other, &ask).await;
    let read = bench.done("read", Value::Null).await;
    assert_eq!((read.value, read.versioning.unwrap().siblings), (json!([1, 2, 9]), Some(2)));
    bench.done("remove", json!(1)).await;
    let read = bench.done("read", Value::Null).await;
    assert_eq!((read.value, read.versioning.unwrap().siblings), (json!([2, 9]), Some(1)));
    bench.done("remove", json!(2)).await;
    bench.done("remove", json!(9)).await;
    assert_eq!(bench.done("read", Value::Null).await.value, json!([]), "an empty cart is there");
    assert!(bench.header("PutItem", "x-growler-context").iter().all(Option::is_some), "never blindly");
}

#[tokio::test]
async fn a_change_whose_read_fails_has_certainly_not_been_made() {
    let store = versioned();
    let broken = std::sync::atomic::AtomicBool::new(false);
    let broken = std::sync::Arc::new(broken);
    let switch = broken.clone();
    let bench = Bench::new("cart", move |seen| {
        let fails = switch.load(std::sync::atomic::Ordering::SeqCst);
        if fails && seen.operation == "GetItem" { Reply::json(500, &json!({})) } else { store(seen) }
    })
    .await;
    broken.store(true, std::sync::atomic::Ordering::SeqCst);
    let failed = bench.invoke(invocation("add", json!(1))).await;
    assert_eq!((failed.kind, failed.value), (EventType::Fail, json!(1)));
    assert!(bench.header("PutItem", "x-growler-context").is_empty());
}

#[tokio::test]
async fn a_node_without_a_part_in_the_key_is_recorded_as_that_and_needs_no_rest() {
    let message = "n4 has no copy of this item: its owners are n1, n2, n3";
    for name in EVENTUAL {
        let store = versioned();
        let bench = Bench::new(name, move |seen| {
            if seen.header("x-growler-replica").is_none() {
                return store(seen);
            }
            Reply::json(
                400,
                &json!({"__type": "com.amazon.coral.validate#ValidationException", "message": message}),
            )
        })
        .await;
        assert!(bench.workload.functions().contains(&REPLICA_READ), "it knows replicas: {name}");
        let asked = if name == "set" { json!([1, 2]) } else { Value::Null };
        let refused = bench.invoke(invocation(REPLICA_READ, asked)).await;
        assert_eq!(
            (refused.kind, refused.error.clone()),
            (EventType::Fail, Some(json!(NOT_A_REPLICA))),
            "{name}"
        );
        assert!(refused.served());
    }
}

#[tokio::test]
async fn a_server_that_keeps_no_versions_is_read_ordinarily_and_cannot_have_carts() {
    for name in ["register", "session", "lww", "set"] {
        let bench = Bench::new(name, dynamodb(Gaps::default())).await;
        let done = run(&bench, 300).await;
        assert!(done.iter().all(|(_, completion)| completion.kind == EventType::Ok), "{name}");
        let functions: BTreeSet<_> = done.iter().map(|(op, _)| op.f).collect();
        assert_eq!(functions, bench.workload.functions().iter().copied().collect(), "{name}");
        assert!(!functions.contains(REPLICA_READ) && done.iter().all(|(op, _)| op.context.is_none()));
    }
    let server = Server::start(dynamodb(Gaps::default())).await;
    let mut cart = create("cart", &shape()).unwrap();
    let error = cart.set_up(&server.client()).await.unwrap_err();
    assert!(matches!(error, SetUpError::Unsupported { .. }), "{error:?}");
    assert!(error.to_string().contains("versions"), "{error}");
}
