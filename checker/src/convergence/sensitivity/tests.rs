//! Each kind of fault, put into a history in which it is certain what must be found.

use super::looks::History;
use super::*;
use crate::convergence::causal::Causal;
use crate::convergence::order::Rules;
use crate::convergence::replicas::Convergence;
use crate::convergence::resurrection::Resurrection;
use crate::convergence::sessions::SessionGuarantees;
use crate::convergence::set_full::SetFull;
use crate::convergence::siblings::Siblings;
use crate::convergence::staleness::Staleness;
use crate::history::{EventType, Process};
use serde_json::{Value, json};

const PLAN: SensitivityPlan<'_> =
    SensitivityPlan { seed: 1, injections: 100, operations: 1_000_000, stop: None };

/// Operations that come one after the other.
#[derive(Default)]
struct Tape(Vec<Event>);

impl Tape {
    #[allow(clippy::needless_pass_by_value, reason = "values are made where they are passed")]
    fn op(mut self, process: u64, f: &str, node: &str, value: Value, version: &str, clock: Value) -> Self {
        for kind in [EventType::Invoke, EventType::Ok] {
            let argument =
                if f.contains("read") && kind == EventType::Invoke { Value::Null } else { value.clone() };
            let mut event = Event::new(Process::Client(process), kind, f, argument);
            event.index = self.0.len() as u64;
            event.time = event.index * 1_000_000;
            event.key = Some("k".into());
            event.node = Some(node.into());
            if kind == EventType::Ok {
                event.extra_mut().version = Some(version.into());
                event.extra_mut().context = Some(clock.clone().into());
            }
            self.0.push(event);
        }
        self
    }

    /// What is done on another key.
    fn on(self, key: &str, act: impl FnOnce(Self) -> Self) -> Self {
        let before = self.0.len();
        let mut tape = act(self);
        tape.0[before..].iter_mut().for_each(|event| event.key = Some(key.into()));
        tape
    }

    /// Both replicas show this in the end.
    fn end(self, value: &Value, version: &str, clock: &Value) -> Self {
        let read = |tape: Self, node| tape.op(9, "replica-read", node, value.clone(), version, clock.clone());
        read(read(self, "n1"), "n2")
    }
}

/// Writes 1 and 2, the second of which has seen the first, with reads in between.
fn two_writes() -> Vec<Event> {
    let (first, second) = (json!({"n1/1": 1}), json!({"n1/1": 2}));
    Tape::default()
        .op(1, "write", "n1", json!(1), "n1/1:1", first.clone())
        .op(1, "read", "n1", json!(1), "n1/1:1", first)
        .op(1, "write", "n1", json!(2), "n1/1:2", second.clone())
        .op(1, "read", "n2", json!(2), "n1/1:2", second.clone())
        .end(&json!(2), "n1/1:2", &second)
        .0
}

fn tally(check: &dyn Check, kind: &str, events: &[Event]) -> (u64, u64, u64) {
    let measured = check.sensitivity(events, &PLAN).expect("there are places");
    let tally = &measured.kinds[kind];
    (tally.places, tally.injected, tally.refuted)
}

#[test]
fn a_replica_that_is_behind_and_a_write_that_all_have_lost_are_found_in_the_end() {
    let check = Convergence::new(Rules::default());
    assert_eq!(tally(&check, "replica-behind", &two_writes()), (2, 2, 2));
    assert_eq!(tally(&check, "write-lost", &two_writes()), (1, 1, 1));
}

#[test]
fn who_has_seen_the_newer_answer_finds_the_stale_one() {
    let events = two_writes();
    for check in [
        &SessionGuarantees::new(Rules::default()) as &dyn Check,
        &Causal::new(Rules::default()),
        &Staleness::new(Rules::default(), Some(std::time::Duration::from_micros(1))),
    ] {
        assert_eq!(tally(check, "stale-read", &events), (1, 1, 1), "{}", check.name());
    }
    let measured = Staleness::new(Rules::default(), None).sensitivity(&events, &PLAN);
    assert_eq!(measured, None, "without a bound nothing is judged");
    // Client 5 has seen the first write and not the second, so that to it the old answer is as good.
    let (first, second) = (json!({"n1/1": 1}), json!({"n1/1": 2}));
    let others = Tape::default()
        .op(1, "write", "n1", json!(1), "n1/1:1", first.clone())
        .op(5, "read", "n1", json!(1), "n1/1:1", first)
        .op(1, "write", "n1", json!(2), "n1/1:2", second.clone())
        .op(5, "read", "n2", json!(2), "n1/1:2", second)
        .0;
    let check = SessionGuarantees::new(Rules::default());
    assert_eq!(tally(&check, "stale-read", &others), (1, 1, 0));
}

#[test]
fn what_was_deleted_and_is_back_in_the_end_is_found() {
    let (first, second) = (json!({"n1/1": 1}), json!({"n1/1": 2}));
    let events = Tape::default()
        .op(1, "write", "n1", json!(1), "n1/1:1", first.clone())
        .op(1, "read", "n1", json!(1), "n1/1:1", first)
        .op(1, "write", "n1", Value::Null, "n1/1:2", second.clone())
        .end(&Value::Null, "n1/1:2", &second)
        .0;
    assert_eq!(tally(&Resurrection::new(Rules::default()), "delete-undone", &events), (1, 1, 1));
}

#[test]
fn a_version_that_disappears_from_beside_another_is_found() {
    // Client 1 reads both versions, and again after client 3 has replaced its own one.
    let (one, other) = (json!({"n1/1": 1}), json!({"n2/1": 1}));
    let (both, last) = (json!({"n1/1": 1, "n2/1": 1}), json!({"n1/1": 2}));
    let siblings = |tape: Tape| {
        tape.op(1, "read", "n1", json!(2), "n2/1:1|n1/1:1", both.clone())
            .op(4, "write", "n3", json!(4), "n3/1:1", json!({"n3/1": 1}))
            .op(1, "read", "n3", json!(4), "n3/1:1", json!({"n3/1": 1}))
    };
    let dropped = |tape: Tape| tally(&Siblings::default(), "sibling-dropped", &tape.0);
    let written = || Tape::default().op(1, "write", "n1", json!(1), "n1/1:1", one.clone());
    let twice = || written().op(2, "write", "n2", json!(2), "n2/1:1", other.clone());
    assert_eq!(dropped(siblings(twice())), (2, 2, 2));
    let replaced = siblings(twice().op(3, "write", "n1", json!(3), "n1/1:2", last.clone()));
    assert_eq!(dropped(replaced), (1, 1, 1), "that a replica is behind loses nothing of n1's");
    let mut unanswered = siblings(twice());
    unanswered.0[3].kind = EventType::Info;
    unanswered.0[3].extra = None;
    assert_eq!(dropped(unanswered), (1, 1, 0), "what was never acknowledged may have replaced anything");
}

#[test]
fn where_nothing_acknowledged_is_lost_there_is_no_place_for_a_lost_write() {
    let mut events = two_writes();
    assert_eq!(tally(&Convergence::new(Rules::default()), "write-lost", &events), (1, 1, 1));
    let second = events.iter_mut().filter(|event| event.f == "write" && event.kind == EventType::Ok).nth(1);
    let second = second.expect("two writes");
    (second.kind, second.extra) = (EventType::Info, None);
    let measured = Convergence::new(Rules::default()).sensitivity(&events, &PLAN).unwrap_or_default();
    assert!(!measured.kinds.contains_key("write-lost"), "{measured:?}");
}

#[test]
fn an_element_that_all_replicas_have_lost_is_found() {
    let nothing = json!({});
    let events = Tape::default()
        .op(1, "add", "n1", json!(1), "", nothing.clone())
        .op(1, "read", "n1", json!([1]), "", nothing.clone())
        .op(1, "add", "n1", json!(2), "", nothing.clone())
        .op(2, "read", "n1", json!([1, 2]), "", nothing.clone())
        .op(2, "read", "n1", json!([1, 2]), "", nothing)
        .0;
    let undressed: Vec<Event> = events.into_iter().map(|event| Event { extra: None, ..event }).collect();
    assert_eq!(tally(&SetFull::eventual(), "write-lost", &undressed), (1, 1, 1));
}

#[test]
fn a_history_that_fails_already_is_left_out_and_each_key_is_judged_by_itself() {
    let mut events = two_writes();
    let second = events.iter().map(|event| {
        let process = match event.process {
            Process::Client(number) => Process::Client(number + 100),
            Process::Nemesis => Process::Nemesis,
        };
        Event { key: Some("l".into()), process, ..event.clone() }
    });
    let second: Vec<Event> = second.collect();
    events.extend(second);
    (0..).zip(&mut events).for_each(|(index, event)| event.index = index);
    let history = History::new(&events).expect("a history");
    assert_eq!([history.of(0).len(), history.of(1).len()], [12, 12]);
    let check = Convergence::new(Rules::default());
    assert_eq!(tally(&check, "replica-behind", &events), (4, 4, 4));
    let place = history.changes(0, Kind::ReplicaBehind, false).next().expect("a place");
    let broken = history.with(&place);
    assert_eq!(History::new(&broken).expect("a history").of(0), history.of_key_with(&place));
    assert_eq!(check.check(&broken, &Budget::default()).valid, Validity::Invalid);
    assert_eq!(tally(&check, "replica-behind", &broken), (2, 2, 2), "the broken key is left out");
}

#[test]
fn the_same_seed_picks_the_same_faults_and_a_small_plan_few() {
    let events = two_writes();
    let check = SessionGuarantees::new(Rules::default());
    assert_eq!(check.sensitivity(&events, &PLAN), check.sensitivity(&events, &PLAN));
    let poor = SensitivityPlan { operations: 1, ..PLAN };
    let measured = Convergence::new(Rules::default()).sensitivity(&events, &poor).expect("places");
    assert_eq!(measured.kinds["replica-behind"].injected, 1);
}

#[test]
fn a_key_that_nobody_read_in_the_end_counts_as_one_where_nothing_shows() {
    let (first, second) = (json!({"n1/1": 1}), json!({"n1/1": 2}));
    let mut events = two_writes();
    let unread = Tape::default()
        .op(1, "write", "n1", json!(1), "n1/1:1", first.clone())
        .op(1, "read", "n1", json!(1), "n1/1:1", first)
        .op(1, "write", "n1", Value::Null, "n1/1:2", second)
        .0;
    events.extend(unread.into_iter().map(|event| Event { key: Some("unread".into()), ..event }));
    (0..).zip(&mut events).for_each(|(index, event)| event.index = index);
    let measured = Convergence::new(Rules::default()).sensitivity(&events, &PLAN).expect("places");
    let lost = &measured.kinds["write-lost"];
    assert_eq!((lost.places, lost.refuted), (3, 1));
    assert_eq!(lost.rest, [(NO_LATER_READ.name.to_owned(), 2)].into());
    assert_eq!(tally(&Resurrection::new(Rules::default()), "delete-undone", &events), (1, 1, 0));
}

#[test]
fn what_one_key_does_not_show_the_whole_history_may() {
    let (x1, x2, y) = (json!({"n1/1": 1}), json!({"n1/1": 2}), json!({"n2/1": 1}));
    let events = Tape::default()
        .op(1, "write", "n1", json!(1), "n1/1:1", x1.clone())
        .op(2, "read", "n1", json!(1), "n1/1:1", x1)
        .op(1, "write", "n1", json!(2), "n1/1:2", x2.clone())
        .on("other", |tape| tape.op(1, "write", "n2", json!(7), "n2/1:1", y.clone()))
        .on("other", |tape| tape.op(2, "read", "n2", json!(7), "n2/1:1", y))
        .op(2, "read", "n2", json!(2), "n1/1:2", x2)
        .0;
    // The read of 2 might have been of 1 as far as the key tells; but who reads 7 has 2 in its past.
    let check = Causal::new(Rules::default());
    assert_eq!(tally(&check, "stale-read", &events), (1, 1, 1));
    let history = History::new(&events).expect("a history");
    let stale = history.changes(0, Kind::StaleRead, false).next().expect("a place");
    let answer = |events: Vec<Event>| check.check(&events, &Budget::default()).valid;
    assert_eq!(answer(history.of_key_with(&stale)), Validity::Valid);
    assert_eq!(answer(history.with(&stale)), Validity::Invalid);
}
