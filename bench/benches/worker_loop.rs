//! The workers' loop (the register workload's generator, signing, sending, sorting, recording) against a server
//! that gives one and the same answer, beside bare reqwest sending the same bytes over as many connections: what is left between
//! the two is growler's own.
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]
#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use growler::{Load, Mode, RunClock};
use growler_results::history::Recorder;
use growler_workloads::dynamodb::{Caps, ClientConfig, ClientFactory, Endpoint, Identity};
use growler_workloads::workload::{Mode as Reads, Popularity, Shape};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;

const CONNECTIONS: usize = 16;
const ANSWER: &str = r#"{"Item":{"pk":{"S":"k1"},"v":{"N":"12"}}}"#;

/// A server that answers everything alike, on a thread of its own.
fn constant_server() -> SocketAddr {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            sender.send(listener.local_addr().unwrap()).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let answer = service_fn(|_| async {
                    Ok::<_, Infallible>(hyper::Response::new(Full::new(Bytes::from_static(
                        ANSWER.as_bytes(),
                    ))))
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer),
                );
            }
        });
    });
    receiver.recv().unwrap()
}

/// Time for `operations` recorded operations.
async fn recorded(server: SocketAddr, operations: u64) -> Duration {
    let folder = tempfile::tempdir().unwrap();
    let clock = RunClock::start();
    let recorder = Recorder::create(&folder.path().join("h.jsonl"), move || clock.now_ns()).unwrap();
    let endpoints =
        vec![Endpoint { name: "n1".to_owned(), url: format!("http://{server}"), connect_to: None }];
    let identity = Identity::from_environment(&endpoints).unwrap();
    let caps = Arc::new(Caps::new(None, None, None));
    let timeout = Duration::from_secs(5);
    let clients =
        ClientFactory::new(ClientConfig { endpoints, identity, timeout, cacert: None, caps }).unwrap();
    let (mode, watched) = watch::channel(Mode::Go);
    let shape = Shape {
        keys: 24,
        popularity: Popularity::Zipf(0.8),
        ops_per_key: 400,
        concurrency: CONNECTIONS,
        seed: 1,
        table_prefix: "growler-bench-".to_owned(),
        mode: Reads::Strong,
        terms: growler_checker::promise::Terms::default(),
        convergence: Duration::ZERO,
    };
    let workload = Arc::from(growler_workloads::create("register", &shape).unwrap());
    let nodes = vec!["n1".to_owned()];
    let load = Arc::new(Load::new(workload, recorder.clone(), clock, nodes, CONNECTIONS, None, watched));
    let began = Instant::now();
    let workers: Vec<_> = (0..CONNECTIONS as u64)
        .map(|client| {
            let (load, dynamodb) = (Arc::clone(&load), clients.client(0).unwrap());
            tokio::spawn(async move { load.work(client, dynamodb).await })
        })
        .collect();
    while load.counters.ok.load(std::sync::atomic::Ordering::Relaxed) < operations {
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    let done = load.counters.ok.load(std::sync::atomic::Ordering::Relaxed);
    let taken = began.elapsed();
    mode.send(Mode::Stop).unwrap();
    for worker in workers {
        worker.await.unwrap();
    }
    recorder.finish().unwrap();
    taken.mul_f64(operations as f64 / done as f64)
}

/// Time for `operations` requests of bare reqwest, unsigned and unrecorded.
async fn bare(server: SocketAddr, operations: u64) -> Duration {
    let began = Instant::now();
    let share = operations.div_ceil(CONNECTIONS as u64);
    let tasks: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let http = reqwest::Client::builder().no_proxy().build().unwrap();
            tokio::spawn(async move {
                for _ in 0..share {
                    let request = http
                        .post(format!("http://{server}/"))
                        .header("x-amz-target", "DynamoDB_20120810.GetItem")
                        .header("content-type", "application/x-amz-json-1.0")
                        .body(
                            r#"{"TableName":"growler-bench","Key":{"pk":{"S":"k1"}},"ConsistentRead":true}"#,
                        );
                    request.send().await.unwrap().bytes().await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    began.elapsed()
}

fn worker_loop(c: &mut Criterion) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let server = constant_server();
    let runtime = Runtime::new().unwrap();
    let mut group = c.benchmark_group("worker loop");
    group.throughput(Throughput::Elements(1));
    group.sample_size(10).measurement_time(Duration::from_secs(10));
    group.bench_function("growler, recorded", |b| b.iter_custom(|n| runtime.block_on(recorded(server, n))));
    group.bench_function("bare reqwest", |b| b.iter_custom(|n| runtime.block_on(bare(server, n))));
    group.finish();
}

criterion_group!(benches, worker_loop);
criterion_main!(benches);
