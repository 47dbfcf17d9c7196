//! Versions against their meaning: random clients and replicas, side by side with a model that keeps
//! the whole causal history of every write as a set of writes.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};

use growler_store::bugs::Bugs;
use growler_store::item::{AttributeValue, Item};
use growler_store::quorum::version::{Actor, BadContext, Context, Resolve, Rules, State, Write};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const SIBLINGS: Rules = Rules { resolve: Resolve::Siblings, bugs: Bugs::NONE };
const LWW: Rules = Rules { resolve: Resolve::Lww, bugs: Bugs::NONE };

fn item(number: usize) -> Item {
    Item::from([(String::from("v"), AttributeValue::S(number.to_string()))])
}

/// A write's number in the model; its causal history, itself included.
type History = BTreeSet<usize>;

/// The same replicas twice: states, and the sets of writes that they know.
struct Simulation {
    rules: Rules,
    states: Vec<State>,
    known: Vec<History>,
    /// The writes that came here themselves, not only in what a writer had seen.
    came: Vec<History>,
    histories: Vec<History>,
    dots: BTreeMap<String, usize>,
    times: Vec<(i64, String, String)>,
    /// What clients carry: a context and what it stands for.
    contexts: Vec<(Context, History)>,
    epochs: Vec<u64>,
}

impl Simulation {
    fn new(rules: Rules, replicas: usize) -> Self {
        Self {
            rules,
            states: vec![State::default(); replicas],
            known: vec![History::new(); replicas],
            came: vec![History::new(); replicas],
            histories: Vec::new(),
            dots: BTreeMap::new(),
            times: Vec::new(),
            contexts: vec![(Context::default(), History::new())],
            epochs: vec![1; replicas],
        }
    }

    fn write(&mut self, replica: usize, context: Option<usize>, wall_ns: i64) {
        let number = self.histories.len();
        let seen = context.map(|at| self.contexts[at].clone());
        let past = seen.as_ref().map_or_else(|| self.known[replica].clone(), |(_, past)| past.clone());
        let actor = Actor { node: format!("n{replica}"), epoch: self.epochs[replica] };
        let write = Write {
            actor: &actor,
            context: seen.as_ref().map(|(clock, _)| clock),
            value: (number % 3 != 2).then(|| item(number)),
            wall_ns,
        };
        let version = self.rules.put(&mut self.states[replica], write);
        let fresh = self.dots.insert(version.dot.to_string(), number);
        assert_eq!(fresh, None, "the dot {} was minted twice", version.dot);
        self.times.push((version.timestamp.ns, version.timestamp.node, version.dot.to_string()));
        let mut history = past;
        history.insert(number);
        self.known[replica].extend(&history);
        self.came[replica].insert(number);
        self.histories.push(history);
    }

    fn send(&mut self, from: usize, to: usize) {
        self.states[to] = self.rules.sync(&self.states[to], &self.states[from]);
        let sent = self.known[from].clone();
        self.known[to].extend(sent);
        let came = self.came[from].clone();
        self.came[to].extend(came);
    }

    fn read(&mut self, first: usize, second: usize) {
        let merged = self.rules.sync(&self.states[first], &self.states[second]);
        let known = self.known[first].union(&self.known[second]).copied().collect();
        self.contexts.push((Context::of(&merged), known));
    }

    fn versions(&self, replica: usize) -> BTreeSet<usize> {
        self.states[replica].versions.iter().map(|version| self.dots[&version.dot.to_string()]).collect()
    }

    /// The writes that no other known one had in its past.
    fn maximal(&self, replica: usize) -> BTreeSet<usize> {
        let known = &self.known[replica];
        let superseded = |write: &usize| {
            known.iter().any(|other| other != write && self.histories[*other].contains(write))
        };
        known.iter().filter(|write| !superseded(write)).copied().collect()
    }

    /// Whoever had seen a write has a later time, whatever the clocks.
    fn times_follow_contexts(&self) -> bool {
        let later = |write: usize| {
            self.histories[write]
                .iter()
                .all(|seen| *seen == write || self.times[*seen].0 < self.times[write].0)
        };
        (0..self.histories.len()).all(later)
    }

    /// The latest of all that came.
    fn latest(&self, replica: usize) -> BTreeSet<usize> {
        let time = |write: &&usize| self.times[**write].clone();
        self.came[replica].iter().max_by_key(time).copied().into_iter().collect()
    }

    fn step(&mut self, rng: &mut ChaCha8Rng) {
        let replicas = self.states.len();
        let (one, other) = (rng.random_range(0..replicas), rng.random_range(0..replicas));
        match rng.random_range(0..10) {
            0..=2 => self.write(one, None, rng.random_range(0..50)),
            3..=5 => {
                let context = rng.random_range(0..self.contexts.len());
                self.write(one, Some(context), rng.random_range(0..50));
            }
            6 | 7 => self.read(one, other),
            // A node that has forgotten whether it minted before takes a new epoch.
            8 if rng.random_bool(0.2) => self.epochs[one] += 1,
            _ => self.send(one, other),
        }
    }
}

#[test]
fn siblings_are_exactly_the_writes_that_nobody_superseded() {
    let mut conflicts = 0;
    for seed in 0..400 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut simulation = Simulation::new(SIBLINGS, 2 + seed as usize % 4);
        for _ in 0..60 {
            simulation.step(&mut rng);
            for replica in 0..simulation.states.len() {
                let versions = simulation.versions(replica);
                assert_eq!(versions, simulation.maximal(replica), "seed {seed}");
                conflicts += usize::from(versions.len() > 1);
            }
        }
        assert!(simulation.times_follow_contexts(), "seed {seed}");
    }
    assert!(conflicts > 1000, "only {conflicts} conflicts: nothing was shown");
}

#[test]
fn the_last_writer_wins_whatever_the_order_and_the_clocks() {
    for seed in 0..400 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut simulation = Simulation::new(LWW, 2 + seed as usize % 4);
        for _ in 0..60 {
            simulation.step(&mut rng);
            for replica in 0..simulation.states.len() {
                assert_eq!(simulation.versions(replica), simulation.latest(replica), "seed {seed}");
            }
        }
        assert!(simulation.times_follow_contexts(), "seed {seed}");
    }
}

#[test]
fn merging_is_commutative_associative_and_idempotent() {
    for rules in [SIBLINGS, LWW] {
        for seed in 0..300 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut simulation = Simulation::new(rules, 4);
            for _ in 0..40 {
                simulation.step(&mut rng);
            }
            let [a, b, c, _] = simulation.states.as_slice() else { unreachable!() };
            let sync = |left: &State, right: &State| rules.sync(left, right);
            assert_eq!(sync(a, b), sync(b, a), "seed {seed}");
            assert_eq!(sync(&sync(a, b), c), sync(a, &sync(b, c)), "seed {seed}");
            assert_eq!(sync(a, a), *a, "seed {seed}");
            assert_eq!(sync(&sync(a, b), b), sync(a, b), "seed {seed}");
            assert_eq!(sync(a, &State::default()), *a, "seed {seed}");
        }
    }
}

#[test]
fn two_blind_writers_at_one_coordinator_that_saw_the_same_are_siblings() {
    let mut state = State::default();
    let actor = Actor { node: String::from("n1"), epoch: 3 };
    let empty = Context::default();
    let write =
        |number| Write { actor: &actor, context: Some(&empty), value: Some(item(number)), wall_ns: 0 };
    SIBLINGS.put(&mut state, write(1));
    SIBLINGS.put(&mut state, write(2));
    assert_eq!(state.dots(), "n1/3:1|n1/3:2");
    let context = Context::of(&state);
    SIBLINGS.put(&mut state, Write { context: Some(&context), ..write(3) });
    assert_eq!((state.dots().as_str(), state.clock.to_text()["n1/3"]), ("n1/3:3", 3));
}

#[test]
fn a_value_is_shown_before_a_later_tombstone_and_the_latest_value_before_others() {
    let actor = |node: &str| Actor { node: node.to_owned(), epoch: 1 };
    let empty = Context::default();
    let mut state = State::default();
    for (node, value, wall_ns) in [("n1", Some(1), 5), ("n2", Some(2), 7), ("n3", None, 9)] {
        let value = value.map(item);
        let write = Write { actor: &actor(node), context: Some(&empty), value, wall_ns };
        SIBLINGS.put(&mut state, write);
    }
    assert_eq!(state.shown().unwrap().value, Some(item(2)));
    assert!(!state.is_grave());
    let mut grave = State::default();
    SIBLINGS.put(&mut grave, Write { actor: &actor("n1"), context: None, value: None, wall_ns: 1 });
    assert!(grave.is_grave() && !State::default().is_grave());
}

#[test]
fn a_context_comes_back_as_it_was_given_and_nothing_else_is_one() {
    let mut simulation = Simulation::new(SIBLINGS, 3);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for _ in 0..50 {
        simulation.step(&mut rng);
    }
    for state in &simulation.states {
        let context = Context::of(state);
        assert_eq!(Context::from_token(&context.token()), Ok(context));
    }
    for forged in ["", "!", "AAAA", "n1/3", "////", "BQ"] {
        assert_eq!(Context::from_token(forged), Err(BadContext), "{forged}");
    }
}

#[test]
fn states_that_differ_have_different_digests() {
    let mut simulation = Simulation::new(SIBLINGS, 4);
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let mut seen: BTreeMap<u64, String> = BTreeMap::new();
    for _ in 0..2000 {
        simulation.step(&mut rng);
        for state in &simulation.states {
            let text = format!("{:?} {}", state.clock, state.dots());
            assert_eq!(seen.entry(state.digest()).or_insert_with(|| text.clone()), &text);
        }
    }
    assert!(seen.len() > 500);
}
