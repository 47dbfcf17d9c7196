//! Tables and log together: what a node finds when it starts again.
//!
//! The workload is that of a replica: append an entry, apply it, now and then take a checkpoint, purge,
//! or install a snapshot. A crash is placed at every disk step. Afterwards the tables of each group must
//! be exactly the sum of its entries up to the applied position, no older than the last checkpoint, and
//! the log must lead on from there to everything that was acknowledged.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::FutureExt;
use growler_store::engine::{
    Direction, Engine, EngineError, EngineOptions, GroupRead, GroupRows, GroupWrite, KeyRange, WalOptions,
};
use growler_store::world::{Crash, InlineSpawn, SimDisk};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const TABLE: u64 = 9;

fn options() -> EngineOptions {
    let wal = WalOptions { segment_bytes: 900, carry_bytes: 100, no_fsync: false };
    EngineOptions { wal, checkpoint_bytes: usize::MAX, cache_bytes: 1 << 20 }
}

fn open(disk: &SimDisk, options: EngineOptions) -> Result<Engine, EngineError> {
    Engine::open(Arc::new(disk.clone()), Arc::new(InlineSpawn), "n1", options)
}

/// With an inline spawn nothing ever waits.
fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().unwrap()
}

/// What entry `index` of `group` does: sets one key of a few.
fn effect(group: u32, index: u64) -> (Vec<u8>, Vec<u8>) {
    (format!("key{}", index * 7 % 5).into_bytes(), format!("{group}/{index}").repeat(20).into_bytes())
}

/// The rows of `group` once entries up to and including `applied` are applied.
fn rows_at(group: u32, applied: Option<u64>) -> BTreeMap<Vec<u8>, Vec<u8>> {
    applied.map_or(BTreeMap::new(), |last| (0..=last).map(|index| effect(group, index)).collect())
}

fn rows(read: &impl GroupRows, table: u64) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut rows = BTreeMap::new();
    let mut visit = |key: &[u8], value: &[u8]| {
        rows.insert(key.to_vec(), value.to_vec());
        ControlFlow::Continue(())
    };
    read.scan(table, KeyRange::ALL, Direction::Forward, &mut visit).unwrap();
    rows
}

fn apply(engine: &Engine, group: u32, index: u64) -> Result<(), EngineError> {
    now(engine.write(group, |write: &mut GroupWrite<'_>| {
        let (key, value) = effect(group, index);
        write.put(TABLE, &key, &value)?;
        write.set_meta("last", Some(&index.to_le_bytes()))?;
        write.set_applied(index, format!("id{index}").as_bytes())
    }))
}

fn append(engine: &Engine, group: u32, index: u64) -> bool {
    let durable = Arc::new(AtomicBool::new(false));
    let sink = Arc::clone(&durable);
    let entry = Bytes::from(format!("entry {index}"));
    engine.log(group).append(
        index,
        vec![entry],
        Box::new(move |outcome| sink.store(outcome.is_ok(), Ordering::Relaxed)),
    );
    durable.load(Ordering::Relaxed)
}

/// What the workload was promised, per group.
#[derive(Clone, Debug, Default)]
struct Promised {
    /// Entries below are acknowledged.
    appended: u64,
    /// The position that a checkpoint covers.
    checkpointed: Option<u64>,
}

/// Runs the workload until it ends or the power is gone.
fn work(disk: &SimDisk, seed: u64, steps: usize) -> BTreeMap<u32, Promised> {
    let mut promised: BTreeMap<u32, Promised> = [1, 2].map(|group| (group, Promised::default())).into();
    let Ok(engine) = open(disk, options()) else { return promised };
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for _ in 0..steps {
        let group = rng.random_range(1..=2);
        let applied = engine.read(group).ok().and_then(|read| read.applied().ok()).flatten();
        match rng.random_range(0..10) {
            0..8 => {
                let index = promised[&group].appended;
                if append(&engine, group, index) && apply(&engine, group, index).is_ok() {
                    promised.entry(group).or_default().appended = index + 1;
                }
            }
            8 => {
                if now(engine.checkpoint()).is_ok() {
                    for promise in promised.values_mut() {
                        promise.checkpointed = promise.appended.checked_sub(1);
                    }
                }
            }
            _ => {
                let Some((through, log_id)) = applied else { continue };
                if now(engine.purge(group, through, log_id.into())).is_ok() {
                    let promise = promised.entry(group).or_default();
                    promise.checkpointed = promise.checkpointed.max(Some(through));
                }
            }
        }
        if disk.is_off() {
            break;
        }
    }
    promised
}

fn verify(engine: &Engine, promised: &BTreeMap<u32, Promised>, place: &str) {
    for (&group, promise) in promised {
        let read = engine.read(group).unwrap();
        let applied = read.applied().unwrap().map(|(index, log_id)| {
            assert_eq!(log_id, format!("id{index}").into_bytes());
            index
        });
        assert!(applied >= promise.checkpointed, "{place}: applied {applied:?}, promised {promise:?}");
        assert_eq!(rows(&read, TABLE), rows_at(group, applied), "{place}: group {group} at {applied:?}");
        assert_eq!(read.meta("last").unwrap(), applied.map(|index| index.to_le_bytes().to_vec()), "{place}");
        let bounds = engine.log(group).bounds();
        assert!(bounds.entries.end >= promise.appended, "{place}: {bounds:?}, promised {promise:?}");
        assert!(
            bounds.entries.start <= applied.map_or(0, |index| index + 1),
            "{place}: a gap behind {applied:?}: {bounds:?}"
        );
        assert!(
            applied < Some(bounds.entries.end),
            "{place}: the tables are ahead of the log: {applied:?} {bounds:?}"
        );
    }
}

#[test]
fn after_a_crash_anywhere_tables_and_log_fit_together() {
    for seed in 0..2 {
        let whole = SimDisk::new();
        work(&whole, seed, 18);
        for at in 0..whole.steps() {
            for crash in [Crash::Clean, Crash::Torn(at)] {
                let disk = SimDisk::new();
                disk.crash_at(at);
                let promised = work(&disk, seed, 18);
                let place = format!("seed {seed}, step {at}, {crash:?}");
                let engine =
                    open(&disk.restart(crash), options()).unwrap_or_else(|error| panic!("{place}: {error}"));
                verify(&engine, &promised, &place);
            }
        }
    }
}

#[test]
fn a_snapshot_installs_whole_or_not_at_all() {
    let fill = |engine: &Engine, group, entries: u64| {
        for index in 0..entries {
            append(engine, group, index);
            apply(engine, group, index).unwrap();
        }
    };
    let source = open(&SimDisk::new(), options()).unwrap();
    fill(&source, 1, 30);
    now(source.write(1, |write: &mut GroupWrite<'_>| write.put(TABLE + 1, b"only", b"here")))
        .unwrap_or_else(|error: EngineError| panic!("{error}"));
    let mut snapshot = source.snapshot(1).unwrap();
    apply(&source, 1, 30).unwrap();
    let chunks: Vec<Bytes> = std::iter::from_fn(|| snapshot.next_chunk(100).unwrap()).collect();
    assert!(chunks.len() > 3, "{} chunks are too few for this test", chunks.len());

    // Nothing but the whole is accepted.
    let target = open(&SimDisk::new(), options()).unwrap();
    fill(&target, 1, 3);
    let mut swapped = chunks.clone();
    swapped.swap(1, 2);
    let mut flipped = chunks.clone();
    let mut bytes = flipped[1].to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    flipped[1] = bytes.into();
    for bad in [vec![], chunks[..chunks.len() - 1].to_vec(), chunks[1..].to_vec(), swapped, flipped] {
        assert!(matches!(now(target.install(1, bad)), Err(EngineError::Snapshot(_))));
        assert_eq!(rows(&target.read(1).unwrap(), TABLE), rows_at(1, Some(2)));
    }

    let whole = SimDisk::new();
    let install = |disk: &SimDisk| {
        let Ok(engine) = open(disk, options()) else { return (false, 0) };
        (0..3).for_each(|index| drop(apply(&engine, 2, index)));
        (0..3).for_each(|index| drop(apply(&engine, 1, index)));
        let ready = now(engine.checkpoint()).is_ok();
        let steps = disk.steps();
        (ready && now(engine.install(1, chunks.clone())).is_ok(), steps)
    };
    let (installed, before) = install(&whole);
    assert!(installed);
    for at in before..whole.steps() {
        for crash in [Crash::Clean, Crash::Torn(at)] {
            let disk = SimDisk::new();
            disk.crash_at(at);
            let (installed, _) = install(&disk);
            let engine = open(&disk.restart(crash), options()).unwrap();
            let read = engine.read(1).unwrap();
            let applied = read.applied().unwrap().map(|(index, _)| index);
            assert!(applied == Some(29) || (applied == Some(2) && !installed), "step {at}: {applied:?}");
            assert_eq!(rows(&read, TABLE), rows_at(1, applied));
            assert_eq!(rows(&read, TABLE + 1).len(), usize::from(applied == Some(29)));
            assert_eq!(
                rows(&engine.read(2).unwrap(), TABLE),
                rows_at(2, Some(2)),
                "another group was touched"
            );
        }
    }
}

#[test]
fn a_purge_waits_for_the_tables() {
    let disk = SimDisk::new();
    let engine = open(&disk, options()).unwrap();
    (0..5).for_each(|index| assert!(append(&engine, 1, index)));
    (0..3).for_each(|index| apply(&engine, 1, index).unwrap());
    let refused = now(engine.purge(1, 4, Bytes::new()));
    assert!(matches!(refused, Err(EngineError::NotApplied { applied: Some(2), .. })), "{refused:?}");
    assert_eq!(engine.log(1).bounds().entries, 0..5);
    apply(&engine, 1, 3).unwrap();
    now(engine.purge(1, 3, Bytes::new())).unwrap();
    assert_eq!(engine.log(1).bounds().entries, 4..5);
    let engine = open(&disk.restart(Crash::Clean), options()).unwrap();
    assert_eq!(engine.read(1).unwrap().applied().unwrap().map(|(index, _)| index), Some(3));
}

#[test]
fn a_checkpoint_syncs_the_log_first_even_with_no_fsync() {
    let disk = SimDisk::new();
    let no_fsync = WalOptions { no_fsync: true, ..WalOptions::default() };
    let engine = open(&disk, EngineOptions { wal: no_fsync, ..options() }).unwrap();
    for index in 0..10 {
        assert!(append(&engine, 1, index));
        apply(&engine, 1, index).unwrap();
        if index == 6 {
            now(engine.checkpoint()).unwrap();
        }
    }
    let engine = open(&disk.restart(Crash::Clean), options()).unwrap();
    assert_eq!(engine.log(1).bounds().entries, 0..7);
    assert_eq!(rows(&engine.read(1).unwrap(), TABLE), rows_at(1, Some(6)));
}

#[test]
fn a_checkpoint_follows_when_enough_has_changed() {
    let disk = SimDisk::new();
    let engine = open(&disk, EngineOptions { checkpoint_bytes: 1000, ..options() }).unwrap();
    for index in 0..100 {
        append(&engine, 1, index);
        apply(&engine, 1, index).unwrap();
    }
    assert!(engine.checkpointed(1) >= Some(80), "{:?}", engine.checkpointed(1));
}

#[test]
fn rows_of_other_groups_and_tables_stay_out_of_a_scan() {
    let engine = open(&SimDisk::new(), options()).unwrap();
    let fill = |group, table: u64| {
        let change =
            |write: &mut GroupWrite<'_>| (0..5u8).try_for_each(|key| write.put(table, &[key, 0xff], &[key]));
        now(engine.write::<_, EngineError>(group, change)).unwrap();
    };
    for (group, table) in [(1, 1), (1, u64::MAX), (2, 0), (u32::MAX, u64::MAX), (1, 2)] {
        fill(group, table);
    }
    let scan = |read: &GroupRead, table, range, direction, limit: usize| {
        let mut keys = Vec::new();
        let mut visit = |key: &[u8], _: &[u8]| {
            keys.push(key[0]);
            if keys.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        read.scan(table, range, direction, &mut visit).unwrap();
        keys
    };
    use std::ops::Bound::{Excluded, Included, Unbounded};
    let between = KeyRange { start: Excluded(&[1, 0xff]), end: Included(&[3, 0xff]) };
    let backwards = KeyRange { start: Included(&[3, 0xff]), end: Excluded(&[1, 0xff]) };
    let upto = KeyRange { start: Unbounded, end: Excluded(&[2, 0xff]) };
    for (group, table) in [(1, 1), (1, u64::MAX), (u32::MAX, u64::MAX)] {
        let read = engine.read(group).unwrap();
        assert_eq!(scan(&read, table, KeyRange::ALL, Direction::Forward, 99), [0, 1, 2, 3, 4]);
        assert_eq!(scan(&read, table, KeyRange::ALL, Direction::Backward, 2), [4, 3]);
        assert_eq!(scan(&read, table, between, Direction::Forward, 99), [2, 3]);
        assert_eq!(scan(&read, table, upto, Direction::Backward, 99), [1, 0]);
        assert_eq!(scan(&read, table, backwards, Direction::Forward, 99), [0u8; 0]);
    }
    let change = |write: &mut GroupWrite<'_>| write.clear_table(1);
    now(engine.write::<_, EngineError>(1, change)).unwrap();
    assert!(rows(&engine.read(1).unwrap(), 1).is_empty());
    assert_eq!(rows(&engine.read(1).unwrap(), 2).len(), 5);
}

#[test]
fn a_failed_change_leaves_nothing_and_a_reader_sees_one_moment() {
    let engine = open(&SimDisk::new(), options()).unwrap();
    apply(&engine, 1, 0).unwrap();
    let before = engine.read(1).unwrap();
    let failing = |write: &mut GroupWrite<'_>| {
        write.put(TABLE, b"key9", b"never")?;
        assert_eq!(write.get(TABLE, b"key9")?, Some(b"never".to_vec()), "a change sees itself");
        Err::<(), _>(EngineError::Snapshot("for the test".to_owned()))
    };
    assert!(now(engine.write(1, failing)).is_err());
    apply(&engine, 1, 1).unwrap();
    assert_eq!(rows(&before, TABLE), rows_at(1, Some(0)));
    assert_eq!(rows(&engine.read(1).unwrap(), TABLE), rows_at(1, Some(1)));
}
