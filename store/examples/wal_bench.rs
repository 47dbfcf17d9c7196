//! How many appends a second the write-ahead log takes from concurrent writers, with real fsync.
//!
//! `cargo run --release -p growler-store --example wal_bench -- [folder] [writers] [seconds]`
//!
//! Each writer appends entries of 300 bytes to a group of its own, one at a time, and waits until each
//! is durable. The folder must be on the disk that is to be measured; by default it is made in the system's folder for
//! temporary files, which may be in memory.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use growler_store::engine::{Wal, WalOptions};
use growler_store::world::{HostDisk, TokioSpawn};
use tokio::sync::oneshot;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let folder = match arguments.first() {
        Some(folder) => folder.into(),
        None => std::env::temp_dir().join(format!("growler-wal-bench-{}", std::process::id())),
    };
    let writers: u32 = arguments.get(1).map_or(Ok(32), |text| text.parse())?;
    let length = Duration::from_secs(arguments.get(2).map_or(Ok(3), |text| text.parse())?);

    let spawn = Arc::new(TokioSpawn::new(tokio::runtime::Handle::current()));
    let wal = Wal::open(Arc::new(HostDisk::open(&folder)?), spawn, WalOptions::default())?;
    let began = Instant::now();
    let tasks: Vec<_> =
        (0..writers).map(|writer| tokio::spawn(write(wal.clone(), writer, began + length))).collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await?);
    }
    let elapsed = began.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let quantile = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
    eprintln!(
        "{writers} writers: {:.0} durable appends/s, latency p50 {:?}, p99 {:?}, longest {:?}",
        latencies.len() as f64 / elapsed,
        quantile(0.5),
        quantile(0.99),
        quantile(1.0),
    );
    drop(wal);
    if arguments.is_empty() {
        std::fs::remove_dir_all(&folder)?;
    }
    Ok(())
}

/// Appends until `end`, one entry after the other, and gives how long each took.
async fn write(wal: Wal, writer: u32, end: Instant) -> Vec<Duration> {
    let log = wal.group(writer);
    let entry = Bytes::from(vec![42; 300]);
    let mut latencies = Vec::new();
    let mut next = log.bounds().entries.end;
    while Instant::now() < end {
        let began = Instant::now();
        let (sender, receiver) = oneshot::channel();
        log.append(next, vec![entry.clone()], Box::new(move |outcome| drop(sender.send(outcome))));
        next += 1;
        match receiver.await {
            Ok(Ok(())) => latencies.push(began.elapsed()),
            failed => {
                eprintln!("an append failed: {failed:?}");
                break;
            }
        }
    }
    latencies
}
