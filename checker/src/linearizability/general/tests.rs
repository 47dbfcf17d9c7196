//! The engine on hand-made problems, and its orders replayed.

use rand::{Rng, RngExt, SeedableRng};

use super::super::problem::Problem;
use super::super::reduce::{Manner, Reduced};
use super::*;
use crate::model::register::{Need, Register, RegisterOp};

/// A set of digits, from which `Take` removes whichever it gets.
struct Bag;

#[derive(Clone, PartialEq, Eq, Hash)]
enum Op {
    Put(u8),
    /// Removes something; nobody knows what.
    Take,
    Sum(u8),
}

impl Model for Bag {
    type State = Vec<u8>;
    type Op = Op;

    fn initial(&self) -> Vec<u8> {
        Vec::new()
    }

    fn step(&self, state: &Vec<u8>, op: &Op) -> impl Iterator<Item = Vec<u8>> {
        let mut next = Vec::new();
        match *op {
            Op::Put(digit) => next.push([state.as_slice(), &[digit]].concat()),
            Op::Take => next.extend((0..state.len()).map(|at| [&state[..at], &state[at + 1..]].concat())),
            Op::Sum(sum) if state.iter().sum::<u8>() == sum => next.push(state.clone()),
            Op::Sum(_) => {}
        }
        next.into_iter()
    }

    fn is_read(&self, op: &Op) -> bool {
        matches!(op, Op::Sum(_))
    }
}

fn must(op: Op, call: u32, ret: u32) -> Job<Op> {
    Job { op, call, ret, must: true }
}

fn may(op: Op, call: u32, ret: u32) -> Job<Op> {
    Job { op, call, ret, must: false }
}

const PLENTY: Limits = Limits { steps: 1_000_000, bytes: 1 << 20 };

fn answer(jobs: &[Job<Op>]) -> Answer {
    search(&Bag, &Unguided, jobs, PLENTY).answer
}

#[test]
fn follows_every_state_of_a_nondeterministic_model() {
    let puts = [must(Op::Put(1), 1, 2), must(Op::Put(2), 3, 4), must(Op::Take, 5, 6)];
    for (sum, expected) in [(1, true), (2, true), (3, false), (0, false)] {
        let jobs = [puts.as_slice(), &[must(Op::Sum(sum), 7, 8)]].concat();
        assert_eq!(answer(&jobs) == Answer::Linearizable, expected, "{sum}");
    }
}

#[test]
fn an_operation_takes_effect_between_its_call_and_its_return_ends_included() {
    let put = must(Op::Put(1), 3, 5);
    assert_eq!(answer(&[put.clone(), must(Op::Sum(0), 1, 3)]), Answer::Linearizable);
    assert_eq!(answer(&[put.clone(), must(Op::Sum(1), 1, 3)]), Answer::Linearizable);
    assert_eq!(answer(&[put.clone(), must(Op::Sum(1), 1, 2)]), Answer::Not { at: 2 });
    assert_eq!(answer(&[put.clone(), must(Op::Sum(0), 6, 7)]), Answer::Not { at: 7 });
    assert_eq!(answer(&[put, must(Op::Sum(0), 5, 7)]), Answer::Linearizable);
}

#[test]
fn optional_jobs_happen_at_most_once_and_only_in_their_interval() {
    let sums = |first, second| [must(Op::Sum(first), 1, 2), must(Op::Sum(second), 9, 10)];
    let with = |job: Job<Op>, first, second| answer(&[vec![job], sums(first, second).to_vec()].concat());
    assert_eq!(with(may(Op::Put(1), 0, END), 0, 1), Answer::Linearizable);
    assert_eq!(with(may(Op::Put(1), 0, END), 0, 0), Answer::Linearizable);
    assert_eq!(with(may(Op::Put(1), 0, END), 1, 2), Answer::Not { at: 10 });
    assert_eq!(with(may(Op::Put(1), 3, END), 1, 1), Answer::Not { at: 2 });
    assert_eq!(with(may(Op::Put(1), 3, 4), 0, 1), Answer::Linearizable);
    assert_eq!(with(may(Op::Put(1), 11, 12), 0, 1), Answer::Not { at: 10 });
}

#[test]
fn equal_optional_jobs_are_counted() {
    let ones = |n| vec![may(Op::Put(1), 0, END); n];
    let sum = |n, sum| answer(&[ones(n), vec![must(Op::Sum(sum), 1, 2)]].concat());
    assert_eq!(sum(3, 3), Answer::Linearizable);
    assert_eq!(sum(3, 4), Answer::Not { at: 2 });
}

#[test]
fn more_than_64_open_jobs_are_told_apart() {
    let mut jobs: Vec<Job<Op>> = (0..100).map(|n| must(Op::Sum(0), n, 500 + n)).collect();
    jobs.push(must(Op::Put(7), 200, 201));
    jobs.push(must(Op::Sum(7), 202, 203));
    assert_eq!(answer(&jobs), Answer::Linearizable);
    jobs.push(must(Op::Sum(0), 202, 700));
    assert_eq!(answer(&jobs), Answer::Not { at: 700 });
}

#[test]
fn limits_end_a_search_and_name_the_window() {
    let mut jobs = vec![must(Op::Sum(0), 1, 2)];
    jobs.extend((0..8).map(|n| must(Op::Put(n), 3, 20)));
    jobs.push(must(Op::Sum(99), 4, 21));
    let limited = |limits| search(&Bag, &Unguided, &jobs, limits).answer;
    let unknown = |why| Answer::Unknown { from: 2, to: 20, why };
    assert_eq!(limited(Limits { steps: 9, ..PLENTY }), unknown(Exhausted::Steps));
    assert_eq!(limited(Limits { bytes: 999, ..PLENTY }), unknown(Exhausted::Bytes));
}

/// Whether the order is a run of the model inside the intervals with every job that must happen: written
/// against the definition, not the engine.
fn replays<M: Model>(model: &M, jobs: &[Job<M::Op>], order: &[u32]) -> bool {
    let mut states = vec![model.initial()];
    let (mut placed, mut now) = (vec![false; jobs.len()], 0);
    for &at in order {
        let job = &jobs[at as usize];
        now = job.call.max(now);
        if now > job.ret || std::mem::replace(&mut placed[at as usize], true) {
            return false;
        }
        states = states.iter().flat_map(|state| model.step(state, &job.op)).collect();
    }
    !states.is_empty() && jobs.iter().zip(placed).all(|(job, placed)| placed || !job.must)
}

#[test]
fn the_order_of_a_linearizable_problem_replays() {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let mut found = 0;
    for _ in 0..20_000 {
        let values = random.random_range(2..5);
        let jobs: Vec<Job<RegisterOp>> =
            (0..random.random_range(1..9)).map(|_| random_job(&mut random, values)).collect();
        let outcome = search(&Register, &Unguided, &jobs, PLENTY);
        if let Some(order) = &outcome.order {
            assert!(replays(&Register, &jobs, order), "{jobs:?}: {order:?}");
            found += 1;
        }
        assert_eq!(outcome.order.is_some(), outcome.answer == Answer::Linearizable);
        let problem = Problem { jobs, values: values as usize };
        let Reduced { jobs, lifetimes, .. } = Reduced::new(&problem, Manner::Careful);
        let guided = search(&Register, &lifetimes, &jobs, PLENTY);
        assert_eq!(guided.order.is_some(), outcome.order.is_some(), "{problem:?}");
        if let Some(order) = guided.order {
            assert!(replays(&Register, &jobs, &order), "{jobs:?}: {order:?}");
        }
    }
    assert!(found > 2_000 && found < 18_000, "both answers are met: {found}");
}

fn random_job(random: &mut impl Rng, values: u32) -> Job<RegisterOp> {
    let mut value = || random.random_range(0..values);
    let (a, b) = (value(), value());
    let (need, set) = match random.random_range(0..6) {
        0 | 1 => (Need::Is(a), None),
        2 | 3 => (Need::Any, Some(a)),
        4 => (Need::Is(a), Some(b)),
        _ => (Need::Not(a), None),
    };
    let call = random.random_range(1..12);
    let op = RegisterOp { need, set };
    match random.random_range(0..4) {
        0 if set.is_some() => Job { op, call, ret: END, must: false },
        _ => Job { op, call, ret: call + random.random_range(0..8), must: true },
    }
}

#[test]
fn however_narrow_the_first_walk_the_answer_is_the_same() {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(2);
    let (mut yes, mut no) = (0, 0);
    for _ in 0..5_000 {
        let values = random.random_range(2..4);
        let jobs: Vec<_> = (0..random.random_range(4..14)).map(|_| random_job(&mut random, values)).collect();
        let timeline = Timeline::of(&Register, &jobs);
        let walk = |beam| Search::new(&Register, &Unguided, &jobs, &timeline, PLENTY, beam).run();
        let (narrow, wide) = (walk(Beam::of_width(1)), walk(Beam::of_width(usize::MAX)));
        assert_eq!(narrow.answer, wide.answer, "{jobs:?}");
        if let Some(order) = narrow.order {
            assert!(replays(&Register, &jobs, &order), "{jobs:?}: {order:?}");
            yes += 1;
        } else {
            no += 1;
        }
    }
    assert!(yes > 500 && no > 500, "{yes} {no}");
}

#[test]
fn any_number_of_jobs_may_be_open_at_once() {
    for open in [63, 64, 65, 127, 128, 129, 700] {
        let end = 10_000;
        let mut jobs: Vec<Job<Op>> = (0..open).map(|n| must(Op::Sum(0), n, end + n)).collect();
        jobs.push(must(Op::Put(7), 2_000, 2_001));
        jobs.push(must(Op::Sum(7), 2_002, 2_003));
        let outcome = search(&Bag, &Unguided, &jobs, PLENTY);
        assert_eq!(outcome.answer, Answer::Linearizable, "{open}");
        assert!(replays(&Bag, &jobs, &outcome.order.unwrap()));
        jobs.push(must(Op::Sum(0), 2_002, end + 5_000));
        assert_eq!(answer(&jobs), Answer::Not { at: end + 5_000 }, "{open}");
    }
}

#[test]
fn any_number_of_indeterminate_jobs_may_be_told_apart() {
    let cas = |old| RegisterOp { need: Need::Is(old), set: Some(old + 1) };
    let read = |value| RegisterOp { need: Need::Is(value), set: None };
    for length in [63, 64, 65, 200] {
        let mut jobs: Vec<_> =
            (0..length).map(|old| Job { op: cas(old), call: 1 + old, ret: END, must: false }).collect();
        jobs.push(Job { op: read(length), call: 1_000, ret: 1_001, must: true });
        let outcome = search(&Register, &Unguided, &jobs, PLENTY);
        let order = outcome.order.unwrap();
        assert!(order.len() == jobs.len() && replays(&Register, &jobs, &order), "{order:?}");
        jobs.push(Job { op: read(length + 1), call: 1_002, ret: 1_003, must: true });
        assert_eq!(search(&Register, &Unguided, &jobs, PLENTY).answer, Answer::Not { at: 1_003 });
    }
}
