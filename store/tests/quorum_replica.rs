//! One node's rows across crashes: what was said to be durable is there, and no event is minted twice.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use growler_store::bugs::Bugs;
use growler_store::engine::{Engine, EngineOptions, WalOptions};
use growler_store::item::{AttributeValue, Item, KeyValue, PrimaryKey};
use growler_store::quorum::merkle::Tree;
use growler_store::quorum::replica::{Decision, Limits, Replica};
use growler_store::quorum::ring::Ring;
use growler_store::quorum::version::{Actor, Context, Resolve, Rules, State, Write};
use growler_store::world::{Crash, InlineSpawn, ManualClock, Mono, Rng, SimDisk, TokioNet, World};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const TABLE: u64 = 77;
const RULES: Rules = Rules { resolve: Resolve::Siblings, bugs: Bugs::NONE };

fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().unwrap()
}

fn try_open(disk: &SimDisk, clock: &ManualClock) -> std::io::Result<Replica> {
    let wal = WalOptions { segment_bytes: 2000, carry_bytes: 100, no_fsync: false };
    let options = EngineOptions { wal, checkpoint_bytes: 3000, cache_bytes: 1 << 20 };
    let world = World {
        clock: Arc::new(clock.clone()),
        disk: Arc::new(disk.clone()),
        net: Arc::new(TokioNet::default()),
        rng: Rng::new(1, "n1"),
        spawn: Arc::new(InlineSpawn),
    };
    let engine = Engine::open(world.disk.clone(), world.spawn.clone(), "n1", options)?;
    let ring = Arc::new(Ring::deal(&[String::from("n1")], 4));
    now(Replica::open("n1", RULES, ring, engine, world))
}

fn open(disk: &SimDisk) -> Replica {
    try_open(disk, &ManualClock::new(Mono(0), 0)).unwrap()
}

fn key(number: usize) -> Vec<u8> {
    PrimaryKey { hash: KeyValue::S(format!("k{number}")), range: None }.storage_key()
}

fn item(number: u64) -> Item {
    Item::from([(String::from("v"), AttributeValue::S(number.to_string()))])
}

/// A state that another node made.
fn foreign(number: u64, dead: bool) -> State {
    let mut state = State::default();
    let actor = Actor { node: String::from("n2"), epoch: number };
    let value = (!dead).then(|| item(number));
    RULES.put(&mut state, Write { actor: &actor, context: None, value, wall_ns: 5 });
    state
}

/// What happened, as somebody outside knows it.
#[derive(Default)]
struct Ledger {
    /// All that was said to be durable of each key.
    acknowledged: Vec<State>,
    /// Every dot that this node minted and somebody may have seen.
    shown: BTreeSet<String>,
    /// How many of them somebody may have seen before they were durable.
    early: usize,
    hints: Vec<State>,
}

/// One random step; false when the disk failed.
fn step(replica: &Replica, ledger: &mut Ledger, rng: &mut ChaCha8Rng, number: u64) -> bool {
    let at = rng.random_range(0..ledger.acknowledged.len());
    let merged = |known: &State, state: &State| RULES.sync(known, state);
    match rng.random_range(0..6) {
        0..=2 => {
            let context = rng.random_bool(0.5).then(Context::default);
            let put = |_: &State| Decision::Put { context, value: Some(item(number)), told: () };
            let Ok(updated) = replica.update(TABLE, &key(at), &State::default(), &[], put) else {
                return false;
            };
            let dot = format!("{at} {}", updated.minted.unwrap().dot);
            if updated.early {
                // Others may know of it, whatever becomes of it here.
                ledger.early += 1;
                assert!(ledger.shown.insert(dot.clone()), "{dot} was minted twice");
            }
            if now(updated.durable.wait()).is_err() {
                return false;
            }
            assert!(ledger.shown.insert(dot.clone()) != updated.early, "{dot} was minted twice");
            ledger.acknowledged[at] = merged(&ledger.acknowledged[at], &updated.state);
        }
        3 => {
            let Ok((state, durable)) = replica.merge(TABLE, &key(at), &foreign(number, false)) else {
                return false;
            };
            if now(durable.wait()).is_err() {
                return false;
            }
            ledger.acknowledged[at] = merged(&ledger.acknowledged[at], &state);
        }
        4 => {
            let state = foreign(number, false);
            let Ok(durable) = replica.hint("n3", TABLE, &key(at), &state) else { return false };
            if now(durable.wait()).is_err() {
                return false;
            }
            ledger.hints[at] = merged(&ledger.hints[at], &state);
        }
        _ => return now(replica.apply_ready()).is_ok(),
    }
    true
}

/// Everything acknowledged is included in what is there, and what is read agrees with the trees.
fn check(replica: &Replica, ledger: &Ledger, what: &str) {
    let mut trees = vec![Tree::default(); 4];
    let ring = Ring::deal(&[String::from("n1")], 4);
    for (at, expected) in ledger.acknowledged.iter().enumerate() {
        let found = replica.row(TABLE, &key(at)).unwrap();
        assert_eq!(RULES.sync(&found, expected), found, "{what}: key {at} lost something");
        if !found.is_empty() {
            let hash = PrimaryKey { hash: KeyValue::S(format!("k{at}")), range: None }.partition_hash();
            trees[ring.partition_of(hash) as usize].change(&key(at), None, Some(found.digest()));
        }
    }
    for (at, expected) in ledger.hints.iter().enumerate() {
        let found = replica.look(TABLE, &key(at)).unwrap();
        assert_eq!(RULES.sync(&found, expected), found, "{what}: the hint for key {at} lost something");
    }
    for (partition, tree) in (0..).zip(&trees) {
        assert_eq!(replica.tree(TABLE, partition, Tree::root), tree.root(), "{what}: tree {partition}");
    }
}

#[test]
fn what_was_durable_survives_a_crash_at_any_step_and_no_dot_is_minted_again() {
    for seed in 0..60 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut disk = SimDisk::new();
        let mut ledger = Ledger {
            acknowledged: vec![State::default(); 6],
            hints: vec![State::default(); 6],
            ..Ledger::default()
        };
        let mut number = 0;
        for life in 0..6 {
            let replica = open(&disk);
            check(&replica, &ledger, &format!("seed {seed}, life {life}"));
            disk.crash_at(disk.steps() + rng.random_range(1..120));
            for _ in 0..80 {
                number += 1;
                if !step(&replica, &mut ledger, &mut rng, number) {
                    break;
                }
            }
            drop(replica);
            let crash = if rng.random_bool(0.5) { Crash::Clean } else { Crash::Torn(seed) };
            disk = disk.restart(crash);
        }
        assert!(ledger.early > 20 && ledger.shown.len() > ledger.early, "both ways were taken");
    }
}

#[test]
fn what_is_not_durable_is_not_shown() {
    let disk = SimDisk::new();
    let replica = open(&disk);
    let (_, durable) = replica.merge(TABLE, &key(1), &foreign(1, false)).unwrap();
    now(durable.wait()).unwrap();
    disk.fail_syncs(true);
    let (state, durable) = replica.merge(TABLE, &key(1), &foreign(2, false)).unwrap();
    assert_eq!(state.versions.len(), 2);
    assert!(now(durable.wait()).is_err());
    assert_eq!(replica.row(TABLE, &key(1)).unwrap(), foreign(1, false));
    assert!(replica.failure().is_some(), "a node whose disk failed must say so");
}

#[test]
fn a_page_shows_tables_memory_and_hints_as_one_in_both_directions() {
    for applied in [true, false] {
        let disk = SimDisk::new();
        let replica = open(&disk);
        let mut keys: Vec<Vec<u8>> = (0..20).map(key).collect();
        for (at, key) in (0..).zip(&keys) {
            if at % 5 == 4 {
                replica.hint("n2", TABLE, key, &foreign(at, false)).unwrap();
            } else {
                replica.merge(TABLE, key, &foreign(at, false)).unwrap();
            }
            if applied && at == 10 {
                now(replica.apply_ready()).unwrap();
            }
        }
        keys.sort();
        for forward in [true, false] {
            let expected: Vec<Vec<u8>> =
                if forward { keys.clone() } else { keys.iter().rev().cloned().collect() };
            let (mut found, mut range) = (Vec::new(), (Bound::Unbounded, Bound::Unbounded));
            loop {
                let limits = Limits { forward, rows: 3, bytes: usize::MAX };
                let (page, more) = replica.page(TABLE, &range, limits).unwrap();
                assert!(page.len() <= 3);
                found.extend(page.into_iter().map(|(key, _)| key));
                if !more {
                    break;
                }
                let last = Bound::Excluded(found.last().unwrap().clone());
                range = if forward { (last, Bound::Unbounded) } else { (Bound::Unbounded, last) };
            }
            assert_eq!(found, expected, "applied {applied}, forward {forward}");
        }
    }
}

#[test]
fn a_buried_key_stays_buried_for_who_comes_late_and_is_free_for_a_new_write() {
    let clock = ManualClock::new(Mono(0), 0);
    let replica = try_open(&SimDisk::new(), &clock).unwrap();
    let age = Duration::from_secs(2);
    let mut old = foreign(1, false);
    replica.merge(TABLE, &key(1), &old).unwrap();
    let late = old.clone();
    let actor = Actor { node: String::from("n2"), epoch: 1 };
    RULES.put(&mut old, Write { actor: &actor, context: None, value: None, wall_ns: 6 });
    replica.merge(TABLE, &key(1), &old).unwrap();
    let digest = old.digest();
    assert!(!replica.is_settled(TABLE, &key(1), digest, age).unwrap(), "too young");
    clock.advance(age);
    assert_eq!(replica.graves(age), [(TABLE, key(1))]);
    assert!(replica.is_settled(TABLE, &key(1), digest, age).unwrap());
    assert!(!replica.is_settled(TABLE, &key(1), digest + 1, age).unwrap(), "another state");
    assert!(!replica.remove(TABLE, &key(1), digest + 1, true).unwrap());
    assert!(replica.remove(TABLE, &key(1), digest, true).unwrap());
    assert!(replica.has_nothing(TABLE, &key(1)).unwrap());

    replica.merge(TABLE, &key(1), &late).unwrap();
    replica.merge(TABLE, &key(1), &old).unwrap();
    assert!(replica.row(TABLE, &key(1)).unwrap().is_empty(), "a late message revived a buried key");
    let put = |_: &State| Decision::Put { context: None, value: Some(item(9)), told: () };
    let updated = replica.update(TABLE, &key(1), &State::default(), &[], put).unwrap();
    assert_eq!(
        RULES.sync(&updated.state, &old).versions.len(),
        1,
        "a tombstone that comes late is no sibling"
    );

    replica.merge(TABLE, &key(2), &old).unwrap();
    replica.hint("n2", TABLE, &key(2), &late).unwrap();
    clock.advance(age);
    assert!(!replica.is_settled(TABLE, &key(2), digest, age).unwrap(), "a hint for it waits here");
    assert!(!replica.remove(TABLE, &key(2), digest, true).unwrap());
}

#[test]
fn a_hint_goes_when_what_was_delivered_is_all_of_it_or_it_is_too_old() {
    let clock = ManualClock::new(Mono(0), 0);
    let replica = try_open(&SimDisk::new(), &clock).unwrap();
    replica.hint("n2", TABLE, &key(1), &foreign(1, false)).unwrap();
    let delivered = replica.hints_for("n2", 10).unwrap();
    assert_eq!(delivered.len(), 1);
    let digests = |hints: &[(growler_store::quorum::hints::HintKey, State)]| {
        hints.iter().map(|(hint, state)| (hint.clone(), state.digest())).collect::<Vec<_>>()
    };
    replica.hint("n2", TABLE, &key(1), &foreign(2, false)).unwrap();
    replica.drop_hints(&digests(&delivered)).unwrap();
    assert_eq!(replica.hint_counts()["n2"], 1, "it has changed since");
    replica.drop_hints(&digests(&replica.hints_for("n2", 10).unwrap())).unwrap();
    assert!(replica.hint_counts().is_empty());

    replica.hint("n3", TABLE, &key(1), &foreign(3, false)).unwrap();
    clock.advance(Duration::from_secs(10));
    replica.hint("n3", TABLE, &key(2), &foreign(3, false)).unwrap();
    let expired = replica.expired_hints(Duration::from_secs(9)).unwrap();
    assert_eq!(expired.len(), 1);
    replica.drop_hints(&expired).unwrap();
    assert_eq!(replica.hint_counts()["n3"], 1);
}
