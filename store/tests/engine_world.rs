//! The parts of the world that a node gets on a real machine.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use growler_store::world::{
    Clock, ClockPageError, Crash, Disk, HostClock, HostDisk, ManualClock, Mono, Net, OpenMode, SimDisk,
    TokioNet, VolatileDisk,
};
use nix::time::{ClockId, clock_gettime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn host_mono() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap();
    (time.tv_sec() * 1_000_000_000 + time.tv_nsec()).try_into().unwrap()
}

/// A clock page as a nemesis writes it.
fn page(sequence: u64, offset: i64, ppm: i64, anchor: u64, gain: i64) -> [u8; 64] {
    let mut bytes = [0; 64];
    let words = [0x0001_6b6c_6177_6f72, sequence, offset as u64, ppm as u64, anchor, gain as u64];
    for (slot, word) in bytes.chunks_exact_mut(8).zip(words) {
        slot.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

fn close(left: i64, right: i64) -> bool {
    left.abs_diff(right) < 500_000_000
}

#[test]
fn the_wall_clock_jumps_as_the_page_says_and_the_monotonic_clock_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clock");
    fs::write(&path, page(2, 0, 0, 0, 0)).unwrap();
    let (bent, host) = (HostClock::with_page(&path).unwrap(), HostClock::new());
    assert!(close(bent.wall(), host.wall()));
    for offset in [3_600_000_000_000, -3_600_000_000_000] {
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all_at(&page(4, offset, 0, 0, 0), 0).unwrap();
        std::thread::sleep(Duration::from_millis(1));
        assert!(close(bent.wall(), host.wall() + offset));
        assert!(close(bent.now().0 as i64, host.now().0 as i64));
    }
}

#[test]
fn drift_bends_both_clocks_and_sleeping_follows_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clock");
    // Twice as fast since 100 s ago, with 7 s gained before.
    let anchor = host_mono() - 100_000_000_000;
    fs::write(&path, page(2, 0, 1_000_000, anchor, 7_000_000_000)).unwrap();
    let (bent, host) = (HostClock::with_page(&path).unwrap(), HostClock::new());
    assert!(close(bent.now().0 as i64, host.now().0 as i64 + 107_000_000_000));
    assert!(close(bent.wall(), host.wall() + 107_000_000_000));

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (began, from) = (Instant::now(), bent.now());
    runtime.block_on(bent.sleep(Duration::from_millis(400)));
    assert!(bent.now() - from >= Duration::from_millis(400));
    assert!(began.elapsed() >= Duration::from_millis(199), "{:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_millis(399), "{:?} is not the node's own time", began.elapsed());
}

#[test]
fn the_monotonic_clock_never_goes_back_when_drift_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clock");
    let file = fs::File::create(&path).unwrap();
    file.write_all_at(&page(2, 0, 1_000_000, host_mono(), 0), 0).unwrap();
    let clock = HostClock::with_page(&path).unwrap();
    let mut last = Mono(0);
    for sequence in 2..200u64 {
        // A page that takes the gain back: worse than any honest nemesis.
        let ppm = if sequence % 2 == 0 { 1_000_000 } else { -500_000 };
        file.write_all_at(&page(sequence * 2, 0, ppm, host_mono(), 0), 0).unwrap();
        for _ in 0..200 {
            let now = clock.now();
            assert!(now >= last, "{now:?} after {last:?}");
            last = now;
        }
    }
}

#[test]
fn a_page_that_is_none_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clock");
    assert!(matches!(HostClock::with_page(&path), Err(ClockPageError::Io { .. })));
    fs::write(&path, [7; 64]).unwrap();
    assert!(matches!(HostClock::with_page(&path), Err(ClockPageError::Magic { .. })));
    fs::write(&path, &page(2, 0, 0, 0, 0)[..60]).unwrap();
    assert!(matches!(HostClock::with_page(&path), Err(ClockPageError::Io { .. })));
    fs::write(&path, page(3, 0, 0, 0, 0)).unwrap();
    assert!(matches!(HostClock::with_page(&path), Err(ClockPageError::Torn { .. })));
}

#[tokio::test]
async fn a_manual_clock_wakes_sleepers_when_it_is_turned() {
    let clock = ManualClock::new(Mono(0), 1_000);
    let sleeper = tokio::spawn(clock.sleep(Duration::from_secs(5)));
    clock.advance(Duration::from_secs(4));
    tokio::task::yield_now().await;
    assert!(!sleeper.is_finished());
    clock.jump(-900);
    clock.advance(Duration::from_secs(1));
    sleeper.await.unwrap();
    assert_eq!((clock.now(), clock.wall()), (Mono(5_000_000_000), 5_000_000_100));
}

#[test]
fn unsynced_bytes_and_names_never_reach_the_host() {
    let folder = tempfile::tempdir().unwrap();
    let host = Arc::new(HostDisk::open(folder.path()).unwrap());
    let disk = VolatileDisk::new(host);
    let on_host = |name: &str| fs::read(folder.path().join(name)).ok();
    let (a, b, top) = (Path::new("a"), Path::new("b"), Path::new(""));

    let file = disk.open(a, OpenMode::New).unwrap();
    file.write_at(0, b"synced").unwrap();
    file.sync().unwrap();
    assert_eq!(on_host("a"), None, "the name was not synced");
    file.write_at(6, b" and more").unwrap();
    disk.sync_dir(top).unwrap();
    assert_eq!(on_host("a").unwrap(), b"synced");
    let mut all = [0; 15];
    file.read_at(0, &mut all).unwrap();
    assert_eq!(&all, b"synced and more");

    file.set_len(3).unwrap();
    file.write_at(5, b"!").unwrap();
    assert_eq!(on_host("a").unwrap(), b"synced");
    let mut cut = [9; 6];
    file.read_at(0, &mut cut).unwrap();
    assert_eq!(&cut, b"syn\0\0!", "what was cut off does not come back");
    file.sync().unwrap();
    assert_eq!(on_host("a").unwrap(), b"syn\0\0!");

    disk.rename(a, b).unwrap();
    assert_eq!(disk.list(top).unwrap(), ["b"]);
    assert!(on_host("a").is_some() && on_host("b").is_none());
    disk.sync_dir(top).unwrap();
    assert!(on_host("a").is_none() && on_host("b").is_some());
    disk.remove(b).unwrap();
    assert!(disk.open(b, OpenMode::Existing).is_err());
    assert!(on_host("b").is_some(), "another process after a power loss still finds it");
    // What a process leaves unsynced dies with it, however politely it ends.
    drop((file, disk));
    assert_eq!(on_host("b").unwrap(), b"syn\0\0!");
}

#[test]
fn a_simulated_disk_refuses_everything_once_the_power_is_off() {
    let disk = SimDisk::new();
    let file = disk.open(Path::new("f"), OpenMode::New).unwrap();
    file.write_at(0, b"1").unwrap();
    file.sync().unwrap();
    disk.sync_dir(Path::new("")).unwrap();
    file.write_at(1, b"2").unwrap();
    let after = disk.restart(Crash::Clean);
    assert!(file.sync().is_err() && file.write_at(2, b"3").is_err() && file.len().is_err());
    assert!(disk.open(Path::new("f"), OpenMode::Existing).is_err());
    assert_eq!(after.open(Path::new("f"), OpenMode::Existing).unwrap().len().unwrap(), 1);
}

#[tokio::test]
async fn peers_are_reached_by_name() {
    let mut listener = TokioNet::default().listen("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let net = TokioNet::new([("n2".to_owned(), address)].into());
    let (dialled, accepted) = tokio::join!(net.connect("n2"), listener.accept());
    dialled.unwrap().write_all(b"hello").await.unwrap();
    let mut hello = [0; 5];
    accepted.unwrap().read_exact(&mut hello).await.unwrap();
    assert_eq!(&hello, b"hello");
    let unknown = net.connect("n9").await.err().unwrap();
    assert!(unknown.to_string().contains("n9"), "{unknown}");
}
