//! What recording costs: nanoseconds for each operation (an invocation and a completion), with one thread and
//! with several at once, writing to a real file.
//!
//! Run it with `cargo run --release -p growler-results --example recorder_cost`.

use std::time::Instant;

use growler_checker::history::{Event, EventType, Process};
use growler_results::Recorder;
use growler_results::history::RecordError;
use serde_json::json;

const OPERATIONS: u64 = 500_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for threads in [1, 2, 4] {
        let path =
            std::env::temp_dir().join(format!("growler-recorder-cost-{}-{threads}", std::process::id()));
        let outcome = measure(&path, threads);
        std::fs::remove_file(&path)?;
        let (ns, bytes) = outcome?;
        eprintln!("{threads} threads: {ns:.0} ns an operation, {bytes:.0} bytes an event");
    }
    Ok(())
}

/// Nanoseconds an operation, and bytes an event.
fn measure(path: &std::path::Path, threads: u64) -> Result<(f64, f64), RecordError> {
    let began = Instant::now();
    let clock = move || u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let recorder = Recorder::create(path, clock)?;
    let start = Instant::now();
    std::thread::scope(|scope| {
        for process in 0..threads {
            let recorder = recorder.clone();
            scope.spawn(move || record(&recorder, process, OPERATIONS / threads));
        }
    });
    let ns = start.elapsed().as_nanos() as f64;
    let written = recorder.finish()?;
    Ok((ns / OPERATIONS as f64, written.bytes as f64 / written.events as f64))
}

fn record(recorder: &Recorder, process: u64, operations: u64) {
    for value in 0..operations {
        let mut invoke = Event::new(Process::Client(process), EventType::Invoke, "write", json!(value));
        invoke.client = Some(process);
        invoke.key = Some("k17".into());
        invoke.node = Some("n1".into());
        let invoke = recorder.record(invoke);
        let mut complete = Event { kind: EventType::Ok, ..invoke };
        complete.observed = Some(json!(value));
        complete.partition = Some("p2".into());
        recorder.record(complete);
    }
}
