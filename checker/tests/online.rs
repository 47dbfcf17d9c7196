//! The online monitor raises its alarm at the very completion that makes a violation certain.

mod oracle;

use growler_checker::history::{Event, EventType};
use growler_checker::linearizability::Linearizable;
use growler_checker::linearizability::online::Monitor;
use growler_checker::verdict::{Budget, Check, Validity};
use oracle::history::{ABSENT, Answer, Call, Op, events};
use oracle::simulation::Simulation;
use oracle::{profiles, random};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

/// The completion at which a prefix of the history stops being linearizable, by the check of whole histories.
fn first_certain(events: &[Event]) -> Option<usize> {
    let invalid = |end: usize| {
        let result = Linearizable::cas_register().check(&events[..end], &Budget::default());
        assert_ne!(result.valid, Validity::Unknown);
        result.valid == Validity::Invalid
    };
    if !invalid(events.len()) {
        return None;
    }
    let (mut good, mut bad) = (0, events.len());
    while good + 1 < bad {
        let middle = good.midpoint(bad);
        if invalid(middle) {
            bad = middle;
        } else {
            good = middle;
        }
    }
    Some(bad - 1)
}

fn alarm(events: &[Event]) -> Option<usize> {
    let mut monitor = Monitor::new();
    events
        .iter()
        .find_map(|event| monitor.observe(event))
        .map(|alarm| usize::try_from(alarm.position).unwrap_or(usize::MAX))
}

/// Refusals that did not say what they met are not judged online.
fn without_opaque(mut events: Vec<Event>) -> Vec<Event> {
    for event in &mut events {
        if event.kind == EventType::Fail && event.observed.is_none() {
            *event = Event::new(event.process, event.kind, &*event.f, event.value.clone());
        }
    }
    events
}

/// Whether a conditional delete was not answered: it may have hit a value whose write was not answered
/// either, and then it is let pass.
fn is_let_pass(ops: &[Op]) -> bool {
    let is_delete = |op: &&Op| matches!(op.call, Call::Cas(old, ABSENT) if old != ABSENT);
    ops.iter().filter(is_delete).any(|op| op.answer() == Answer::Info)
}

#[test]
fn agrees_with_the_check_of_every_prefix() {
    let times = std::env::var("ONLINE_TIMES").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    let (mut alarms, mut quiet, mut missed) = (0, 0, 0);
    for seed in 0..1_500 * times {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let profile = profiles::draw(&mut rng);
        if profile.values != 0 {
            continue;
        }
        let size = rng.random_range(2..60);
        let ops = random::history(&mut rng, profile, size);
        let events = without_opaque(events(&ops));
        let (expected, found) = (first_certain(&events), alarm(&events));
        match (expected, found) {
            (Some(_), Some(_)) => alarms += 1,
            (None, None) => quiet += 1,
            _ => {}
        }
        if expected != found {
            let late = found.is_none_or(|found| expected.is_some_and(|expected| expected < found));
            if late && is_let_pass(&ops) {
                missed += 1;
                continue;
            }
            for event in &events {
                eprintln!("{}", serde_json::to_string(event).unwrap());
            }
            panic!("seed {seed}: certain at {expected:?}, alarm at {found:?}");
        }
    }
    assert!(alarms > 300 && quiet > 150 && missed * 50 < alarms, "{alarms} {quiet} {missed}");
}

/// A long run of many clients on one key.
const RUN: Simulation = Simulation {
    keys: 1,
    ops: 12_000,
    clients: 24,
    hot: 1.0,
    writes: 0.3,
    cas: 0.2,
    deletes: 0.05,
    images: 0.5,
    opaque: false,
    indeterminate: 0.0,
    values: None,
};

/// The most operations that a monitor held during a run, and how many never got an answer until then.
fn most_held(events: &[Event]) -> (usize, usize) {
    let mut monitor = Monitor::new();
    let (mut most, mut unanswered) = (0, 0);
    for event in events {
        assert_eq!(monitor.observe(event), None, "the run is honest");
        unanswered += usize::from(event.kind == EventType::Info);
        most = most.max(monitor.held());
    }
    (most, unanswered)
}

#[test]
fn memory_follows_what_is_open_and_not_the_length_of_the_run() {
    let (most, _) = most_held(&RUN.events(1));
    assert!(most < 20 * RUN.clients, "{most}");
    let unanswered = Simulation { indeterminate: 0.03, ..RUN };
    let (most, never) = most_held(&unanswered.events(2));
    assert!(most < 20 * RUN.clients + never, "{most} with {never} that were never answered");
}

#[test]
fn an_unanswered_conditional_write_is_forgotten_once_another_has_excluded_it() {
    let conditional = Simulation { writes: 0.0, deletes: 0.0, cas: 0.5, indeterminate: 0.05, ..RUN };
    let events = conditional.events(3);
    // The simulation's wrong guesses are on 0, which nobody has written yet, and somebody still may.
    let guess = |event: &&Event| event.kind == EventType::Info && event.value[0] == json!(0);
    let guesses = events.iter().filter(guess).count();
    let (most, never) = most_held(&events);
    assert!(never > 300 && guesses < 200, "{guesses} of {never}");
    // The window is cleaned up when it has doubled.
    assert!(most < 2 * (10 * RUN.clients + guesses), "{most} held, {never} were never answered");
}

#[test]
fn a_value_from_long_ago_raises_the_alarm() {
    let mut events = RUN.events(4);
    let old =
        events.iter().find(|event| event.kind == EventType::Ok && event.f == *"write").unwrap().value.clone();
    let late = events.iter().rposition(|event| event.kind == EventType::Ok && event.f == *"read").unwrap();
    events[late].value = if old.is_null() { json!(-1) } else { old };
    assert_eq!(alarm(&events), Some(late));
}
