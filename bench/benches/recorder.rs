//! What recording costs: an invocation and its completion, from the event to the writer's buffer, while the
//! writer's thread appends to a real file. Target: under 5 µs an operation.
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]
#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::time::Instant;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use growler_checker::history::{Event, EventType, Process};
use growler_results::history::Recorder;
use serde_json::json;

fn record(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let clock = move || u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let recorder = Recorder::create(&folder.path().join("history.jsonl"), clock).unwrap();
    let event = |kind, value| Event {
        client: Some(7),
        key: Some("k42".into()),
        node: Some("n1".into()),
        ..Event::new(Process::Client(7), kind, "write", value)
    };
    let mut group = c.benchmark_group("recorder");
    group.throughput(Throughput::Elements(1));
    let mut n = 0_u64;
    group.bench_function("one operation", |b| {
        b.iter(|| {
            n += 1;
            recorder.record(event(EventType::Invoke, json!(n)));
            recorder.record(Event { observed: Some(json!(n - 1)), ..event(EventType::Ok, json!(n)) });
        });
    });
    group.finish();
    recorder.finish().unwrap();
}

criterion_group!(benches, record);
criterion_main!(benches);
