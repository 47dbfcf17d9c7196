//! The write-ahead log against every moment at which the power can go.
//!
//! A random workload of two groups runs once to count its disk steps, then again with a crash at each
//! of them, with nothing or with random sectors of the unsynced bytes surviving. The log is one queue
//! for all groups, so what is found afterwards must be exactly the state of all groups after some
//! record of that queue, and not an earlier one than the last that was reported durable. That one
//! comparison covers it all: nothing acknowledged is lost, votes never go back, no holes, and what was
//! cut off stays cut off.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use growler_store::engine::{EngineError, Flushed, GroupWal, Wal, WalOptions};
use growler_store::world::{Crash, Disk, Job, OpenMode, SimDisk, Spawn, Task};
use parking_lot::Mutex;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const GROUPS: [u32; 2] = [1, 7];

/// Keeps flush jobs until the test runs them, so that batches gather.
#[derive(Clone, Debug, Default)]
struct HeldSpawn {
    jobs: Arc<Mutex<Vec<Held>>>,
}

struct Held(Job);

impl std::fmt::Debug for Held {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("job")
    }
}

impl HeldSpawn {
    fn run(&self) {
        let jobs = std::mem::take(&mut *self.jobs.lock());
        jobs.into_iter().for_each(|Held(job)| job());
    }
}

impl Spawn for HeldSpawn {
    fn task(&self, _task: Task) {
        unreachable!("the log starts no tasks");
    }

    fn blocking(&self, job: Job) {
        self.jobs.lock().push(Held(job));
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct GroupModel {
    vote: Option<Bytes>,
    purged: Option<(u64, Bytes)>,
    entries: BTreeMap<u64, Bytes>,
}

impl GroupModel {
    fn next(&self) -> u64 {
        let after_purged = self.purged.as_ref().map_or(0, |(index, _)| index + 1);
        self.entries.last_key_value().map_or(after_purged, |(index, _)| index + 1)
    }

    fn first(&self) -> u64 {
        self.purged.as_ref().map_or(0, |(index, _)| index + 1)
    }

    fn read(log: &GroupWal) -> Self {
        let bounds = log.bounds();
        let entries: BTreeMap<_, _> = log.read(0..u64::MAX, usize::MAX).into_iter().collect();
        assert_eq!(entries.len() as u64, bounds.entries.end - bounds.entries.start, "{bounds:?}");
        assert_eq!(entries.values().next_back(), bounds.last.as_ref());
        GroupModel { vote: log.vote(), purged: bounds.purged, entries }
    }
}

type Model = BTreeMap<u32, GroupModel>;

fn read(wal: &Wal) -> Model {
    GROUPS.iter().map(|&group| (group, GroupModel::read(&wal.group(group)))).collect()
}

/// One life of the log: the states that it went through, record by record, and how many of them were
/// reported durable.
struct Life {
    states: Vec<Model>,
    durable: Arc<AtomicUsize>,
    /// `durable` before the last flush that brought something.
    durable_before: usize,
}

impl Life {
    fn flush(&mut self, spawn: &HeldSpawn) {
        let before = self.durable.load(Ordering::Relaxed);
        spawn.run();
        if self.durable.load(Ordering::Relaxed) > before {
            self.durable_before = before;
        }
    }

    fn change(&mut self, group: u32, change: impl FnOnce(&mut GroupModel)) {
        let mut next = self.states.last().unwrap().clone();
        change(next.get_mut(&group).unwrap());
        self.states.push(next);
    }

    /// Reports that everything up to here is durable.
    fn done(&self) -> Flushed {
        let (durable, state) = (Arc::clone(&self.durable), self.states.len() - 1);
        Box::new(move |outcome| {
            if outcome.is_ok() {
                durable.fetch_max(state, Ordering::Relaxed);
            }
        })
    }

    fn current(&self, group: u32) -> &GroupModel {
        &self.states.last().unwrap()[&group]
    }

    fn step(&mut self, log: &GroupWal, rng: &mut ChaCha8Rng) {
        let group = log.group();
        let (first, next) = (self.current(group).first(), self.current(group).next());
        let bytes =
            |rng: &mut ChaCha8Rng, most| Bytes::from(vec![rng.random::<u8>(); rng.random_range(0..most)]);
        match rng.random_range(0..100) {
            0..60 => {
                let entries: Vec<_> = (0..rng.random_range(1..4)).map(|_| bytes(rng, 120)).collect();
                for (index, body) in (next..).zip(entries.clone()) {
                    self.change(group, |log| drop(log.entries.insert(index, body)));
                }
                log.append(next, entries, self.done());
            }
            60..75 => {
                let vote = bytes(rng, 20);
                self.change(group, |log| log.vote = Some(vote.clone()));
                log.save_vote(vote, self.done());
            }
            75..83 => {
                let cut = rng.random_range(first..=next);
                self.change(group, |log| drop(log.entries.split_off(&cut)));
                log.truncate(cut, self.done());
            }
            83..95 if first < next => {
                let through = rng.random_range(first..next);
                let log_id = bytes(rng, 20);
                self.change(group, |log| {
                    log.entries = log.entries.split_off(&(through + 1));
                    log.purged = Some((through, log_id.clone()));
                });
                log.purge(through, log_id, self.done());
            }
            _ => log.save_committed(bytes(rng, 20)),
        }
    }
}

fn options() -> WalOptions {
    WalOptions { segment_bytes: 700, carry_bytes: 150, no_fsync: false }
}

/// Opens the log on `disk`, goes on for `steps` random steps, and tells what should be there.
fn live(disk: &SimDisk, options: &WalOptions, seed: u64, steps: usize) -> Life {
    let spawn = HeldSpawn::default();
    let mut life = Life { states: Vec::new(), durable: Arc::default(), durable_before: 0 };
    let opened = Wal::open(Arc::new(disk.clone()), Arc::new(spawn.clone()), options.clone());
    let wal = match opened {
        Ok(wal) => wal,
        Err(error) => {
            assert!(disk.is_off(), "the log does not open: {error}");
            return life;
        }
    };
    life.states.push(read(&wal));
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for _ in 0..steps {
        let group = GROUPS[rng.random_range(0..GROUPS.len())];
        life.step(&wal.group(group), &mut rng);
        if rng.random_bool(0.4) {
            life.flush(&spawn);
        }
        if disk.is_off() {
            return life;
        }
        assert_eq!(&read(&wal), life.states.last().unwrap(), "the log in memory is not what was asked for");
    }
    life.flush(&spawn);
    life
}

/// What the log says after a crash; panics if it does not open.
fn recover(disk: &SimDisk) -> Model {
    let wal = Wal::open(Arc::new(disk.clone()), Arc::new(HeldSpawn::default()), options());
    read(&wal.unwrap_or_else(|error| panic!("the log does not open after a crash: {error}")))
}

/// Whether `found` is a state that the crash may leave.
fn is_allowed(life: &Life, found: &Model) -> bool {
    let empty = Model::from(GROUPS.map(|group| (group, GroupModel::default())));
    match life.states.as_slice() {
        [] => *found == empty,
        states => states[life.durable.load(Ordering::Relaxed)..].contains(found),
    }
}

#[test]
fn no_crash_loses_or_invents_anything() {
    let mut cuts = 0;
    for seed in 0..12 {
        let whole = SimDisk::new();
        live(&whole, &options(), seed, 40);
        for at in 0..whole.steps() {
            for crash in [Crash::Clean, Crash::Torn(at), Crash::Torn(at + 1_000_000)] {
                let disk = SimDisk::new();
                disk.crash_at(at);
                let life = live(&disk, &options(), seed, 40);
                let disk = disk.restart(crash);
                let found = recover(&disk);
                assert!(is_allowed(&life, &found), "seed {seed}, step {at}, {crash:?}: found {found:#?}");
                cuts += usize::from(life.states.last() != Some(&found));

                // The next life starts from there, and is cut short as well.
                let disk = disk.restart(Crash::Clean);
                disk.crash_at(at % 23);
                let second = live(&disk, &options(), seed ^ at, 12);
                let found_again = recover(&disk.restart(crash));
                let allowed = if second.states.is_empty() {
                    found_again == found
                } else {
                    is_allowed(&second, &found_again)
                };
                assert!(allowed, "seed {seed}, step {at}, {crash:?}, second life: found {found_again:#?}");
            }
        }
    }
    assert!(cuts > 100, "the crashes hit nothing");
}

#[test]
fn the_planted_bug_no_fsync_loses_what_was_acknowledged_and_nothing_else_breaks() {
    let mut lost = 0;
    for seed in 0..60 {
        // With long segments, and with short ones whose ends are synced all the same.
        let segment_bytes = if seed % 2 == 0 { 1 << 20 } else { 700 };
        let options = WalOptions { no_fsync: true, segment_bytes, ..options() };
        for crash in [Crash::Clean, Crash::Torn(seed)] {
            let disk = SimDisk::new();
            let life = live(&disk, &options, seed, 40);
            // What is found may be old, but it was so once, and the log opens.
            let found = recover(&disk.restart(crash));
            assert!(life.states.contains(&found), "seed {seed}, {crash:?}: found {found:#?}");
            lost += usize::from(!is_allowed(&life, &found));
        }
    }
    assert!(lost > 40, "only {lost} runs lost something");
}

/// Every byte of a log that was closed in peace, one after the other, is flipped.
#[test]
fn damage_is_told_from_a_torn_tail() {
    let segment_bytes = 1500;
    let options = WalOptions { segment_bytes, ..options() };
    let write = |upto: usize| {
        let disk = SimDisk::new();
        let life = live(&disk, &options, 5, upto);
        (disk.restart(Crash::Clean), life)
    };
    let (disk, life) = write(30);
    let names = disk.list("wal".as_ref()).unwrap();
    assert!(names.len() >= 2, "one segment is not enough for this test: {names:?}");
    let (mut damaged, mut cut) = (0, 0);
    for name in &names {
        let path = std::path::Path::new("wal").join(name);
        let length = disk.open(&path, OpenMode::Existing).unwrap().len().unwrap();
        for at in 0..length {
            let (disk, _) = write(30);
            let file = disk.open(&path, OpenMode::Existing).unwrap();
            let mut byte = [0];
            file.read_at(at, &mut byte).unwrap();
            file.write_at(at, &[!byte[0]]).unwrap();
            match Wal::open(Arc::new(disk.clone()), Arc::new(HeldSpawn::default()), options.clone()) {
                Err(EngineError::Damaged { file, offset, .. }) => {
                    assert!(file == path && offset <= at, "{file:?} {offset}, but {at} of {path:?} is bad");
                    damaged += 1;
                }
                Err(other) => panic!("{other}"),
                // Only what the last sync brought, of which no later record tells, can look torn.
                Ok(wal) => {
                    assert_eq!(names.last(), Some(name));
                    assert!(
                        life.states[life.durable_before..].contains(&read(&wal)),
                        "byte {at} cut too much"
                    );
                    cut += 1;
                }
            }
        }
    }
    assert!(cut > 0 && damaged > 5 * cut, "{damaged} damaged, {cut} cut");
}

#[test]
fn everything_queued_goes_with_one_write_and_one_sync() {
    let disk = SimDisk::new();
    let spawn = HeldSpawn::default();
    let wal = Wal::open(Arc::new(disk.clone()), Arc::new(spawn.clone()), WalOptions::default()).unwrap();
    let durable = Arc::new(AtomicUsize::new(0));
    for round in 0..20 {
        for group in 0..5 {
            let count = Arc::clone(&durable);
            let done: Flushed =
                Box::new(move |outcome| drop(outcome.map(|()| count.fetch_add(1, Ordering::Relaxed))));
            wal.group(group).append(round, vec![Bytes::from_static(b"entry")], done);
        }
        wal.group(9).save_committed(Bytes::from_static(b"goes along"));
    }
    let (before, waiting) = (disk.steps(), durable.load(Ordering::Relaxed));
    spawn.run();
    assert_eq!((waiting, durable.load(Ordering::Relaxed), disk.steps() - before), (0, 100, 2));
    let wal =
        Wal::open(Arc::new(disk.restart(Crash::Clean)), Arc::new(spawn), WalOptions::default()).unwrap();
    assert_eq!(wal.group(9).committed(), Some(Bytes::from_static(b"goes along")));
}

#[test]
fn old_segments_go_and_the_log_reads_the_same_without_them() {
    let mut removed = 0;
    for seed in 0..10 {
        let disk = SimDisk::new();
        let life = live(&disk, &options(), seed, 400);
        let names = disk.list("wal".as_ref()).unwrap();
        removed += usize::from(!names.contains(&format!("{:012}.wal", 1)));
        assert_eq!(Some(&recover(&disk.restart(Crash::Clean))), life.states.last());
    }
    assert!(removed > 5, "no segment was ever removed");
}

#[test]
fn a_group_at_rest_does_not_hold_back_the_segments_of_others() {
    let disk = SimDisk::new();
    let spawn = HeldSpawn::default();
    let wal = Wal::open(Arc::new(disk.clone()), Arc::new(spawn.clone()), options()).unwrap();
    let kept: Vec<_> = (0..10).map(|byte| Bytes::from(vec![byte; 100])).collect();
    wal.group(1).append(0, kept.clone(), Box::new(|outcome| outcome.unwrap()));
    for index in 0..300 {
        wal.group(7).append(index, vec![Bytes::from(vec![7; 100])], Box::new(|outcome| outcome.unwrap()));
        wal.group(7).purge(index, Bytes::new(), Box::new(|outcome| outcome.unwrap()));
        spawn.run();
        let segments = disk.list("wal".as_ref()).unwrap().len();
        assert!(segments <= 6, "{segments} segments after {index} entries");
    }
    let found = recover(&disk.restart(Crash::Clean));
    assert!(found[&1].entries.values().eq(&kept));
    assert!(found[&7].entries.is_empty() && found[&7].next() == 300);
}

#[test]
fn a_failed_sync_is_reported_and_nothing_is_taken_after_it() {
    let disk = SimDisk::new();
    let spawn = HeldSpawn::default();
    let wal = Wal::open(Arc::new(disk.clone()), Arc::new(spawn.clone()), options()).unwrap();
    let log = wal.group(1);
    let outcomes: Arc<Mutex<Vec<bool>>> = Arc::default();
    let done = || -> Flushed {
        let outcomes = Arc::clone(&outcomes);
        Box::new(move |outcome| outcomes.lock().push(outcome.is_ok()))
    };
    log.append(0, vec![Bytes::from_static(b"kept")], done());
    spawn.run();
    disk.fail_syncs(true);
    log.append(1, vec![Bytes::from_static(b"lost")], done());
    spawn.run();
    // The disk works again, but nobody knows what it holds.
    disk.fail_syncs(false);
    log.append(2, vec![Bytes::from_static(b"refused")], done());
    log.save_vote(Bytes::from_static(b"refused"), done());
    spawn.run();
    assert_eq!(*outcomes.lock(), [true, false, false, false]);
    let found = recover(&disk.restart(Crash::Clean));
    assert_eq!(found[&1].entries, BTreeMap::from([(0, Bytes::from_static(b"kept"))]));
}

#[test]
fn a_step_that_does_not_fit_is_refused_and_changes_nothing() {
    let spawn = HeldSpawn::default();
    let wal = Wal::open(Arc::new(SimDisk::new()), Arc::new(spawn.clone()), options()).unwrap();
    let log = wal.group(1);
    let refused = |step: &dyn Fn(Flushed)| {
        let outcome: Arc<Mutex<Option<bool>>> = Arc::default();
        let sink = Arc::clone(&outcome);
        let before = log.bounds();
        step(Box::new(move |result| *sink.lock() = Some(result.is_err())));
        spawn.run();
        assert_eq!(log.bounds(), before);
        *outcome.lock() == Some(true)
    };
    log.append(0, vec![Bytes::from_static(b"0"), Bytes::from_static(b"1")], Box::new(|_| ()));
    assert!(refused(&|done| log.append(3, vec![Bytes::new()], done)), "a hole");
    assert!(refused(&|done| log.append(1, vec![Bytes::new()], done)), "an overlap");
    log.purge(0, Bytes::new(), Box::new(|_| ()));
    assert!(refused(&|done| log.truncate(0, done)), "cutting off what is purged");
}
