//! Small histories by hand, for each kind of fault and each reason; random ones, for what a copy must be.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::slip::{Fault, Images, Kind, Slip, slip};
use super::{Subject, verdict};
use crate::history::{Event, HistoryBuilder};
use crate::linearizability::general::{Job, Limits};
use crate::linearizability::{Linearizable, Problem};
use crate::model::register::{ABSENT, Need, RegisterOp, Symbol};
use crate::sensitivity::{Dice, Sensitivity, SensitivityPlan};
use crate::verdict::{Budget, Check, Validity};

const LIMITS: Limits = Limits { steps: 1_000_000, bytes: 1 << 26 };

fn measured(events: &[Event]) -> Sensitivity {
    let check = Linearizable::cas_register();
    assert_eq!(check.check(events, &Budget::default()).valid, Validity::Valid, "only such are measured");
    check.sensitivity(events, &SensitivityPlan::new(1)).unwrap()
}

/// Faults tried, those refuted, and the reasons for the rest. Nothing where there is no place.
fn tally(events: &[Event], kind: &str) -> Option<(u64, u64, BTreeMap<String, u64>)> {
    let tally = measured(events).kinds.get(kind)?.clone();
    assert_eq!(tally.injected, tally.places, "so few places are all tried");
    assert_eq!(tally.injected, tally.refuted + tally.rest.values().sum::<u64>());
    Some((tally.injected, tally.refuted, tally.rest))
}

fn none_for(reason: &str) -> Option<(u64, u64, BTreeMap<String, u64>)> {
    Some((1, 0, [(reason.to_owned(), 1)].into()))
}

fn all(count: u64) -> Option<(u64, u64, BTreeMap<String, u64>)> {
    Some((count, count, BTreeMap::new()))
}

fn history() -> HistoryBuilder {
    HistoryBuilder::new().on("a")
}

/// A write that says what it replaced.
trait PutsWithImage {
    fn put(self, process: u64, value: impl Into<Value>, replaced: impl Into<Value>) -> Self;
    fn pause(self, events: u64) -> Self;
}

impl PutsWithImage for HistoryBuilder {
    fn put(self, process: u64, value: impl Into<Value>, replaced: impl Into<Value>) -> Self {
        self.invoke(process, "write", value).ok_observed(process, replaced)
    }

    /// Time passes: things happen to another key.
    fn pause(self, events: u64) -> Self {
        (0..events).fold(self.on("elsewhere"), |history, _| history.read(99, ())).on("a")
    }
}

#[test]
fn a_history_that_looks_after_every_write_shows_everything() {
    let mut history = history().put(0, 1, ()).read(1, 1);
    for i in 1..30 {
        history = history.put(0, i * 10, if i == 1 { json!(1) } else { json!(i * 10 - 9) }).read(1, i * 10);
        history = history.put(0, (), i * 10).read(1, ()).put(2, i * 10 + 1, ()).read(1, i * 10 + 1);
        let stale = json!([null, i * 10 + 2]);
        history = history.invoke(2, "cas", stale).condition_met(2, i * 10 + 1).read(0, i * 10 + 1);
    }
    let events = history.events();
    let sensitivity = measured(&events);
    assert_eq!(sensitivity.kinds.len(), Fault::ALL.len(), "nothing overlaps");
    for (kind, tally) in sensitivity.kinds {
        assert!(tally.injected >= 29 && tally.refuted == tally.injected, "{kind}: {tally:?}");
    }
}

#[test]
fn a_history_that_never_looks_shows_nothing() {
    let events = (1..50).fold(history(), |history, i| history.write(0, i)).events();
    let sensitivity = measured(&events);
    let names: Vec<_> = sensitivity.kinds.keys().collect();
    assert_eq!(names, ["lost-write"], "where nobody is told a state, nothing else can go wrong");
    let tally = &sensitivity.kinds["lost-write"];
    assert_eq!((tally.injected, tally.refuted), (49, 0));
    assert_eq!(tally.rest, [("next-write-is-blind".to_owned(), 48), ("no-later-read".to_owned(), 1)].into());
}

#[test]
fn a_stale_read_shows_unless_the_write_that_it_missed_was_still_open() {
    assert_eq!(tally(&history().write(0, 1).read(1, 1).events(), "stale-read"), all(1));
    assert_eq!(tally(&history().read(1, ()).events(), "stale-read"), None, "nothing older is there");
    let overlapping = history().write(0, 1).invoke(0, "write", 2).pause(5).invoke(1, "read", ()).ok(1, 2);
    assert_eq!(tally(&overlapping.ok(0, 2).events(), "stale-read-amid-writes"), none_for("concurrent"));
    // A refusal that says what it met is an answer too, one that does not is none.
    let refused = history().write(0, 1).invoke(1, "cas", json!([9, 10]));
    assert_eq!(tally(&refused.clone().condition_met(1, 1).events(), "stale-read"), all(1));
    assert_eq!(tally(&refused.condition_failed(1).events(), "stale-read"), None);
    // A replica on which the condition holds would apply it: that is another fault.
    let holds_there = history().write(0, 1).invoke(1, "cas", json!([null, 10])).condition_met(1, 1);
    assert_eq!(tally(&holds_there.clone().events(), "stale-read"), None);
    assert_eq!(tally(&holds_there.events(), "lost-update"), all(1));
}

#[test]
fn an_open_delete_explains_a_read_that_finds_nothing() {
    let events = history().invoke(9, "write", ()).info(9).write(0, 1).read(1, 1).events();
    assert_eq!(tally(&events, "stale-read"), none_for("indeterminate"));
    let events = history().invoke(9, "write", ()).fail(9).write(0, 1).read(1, 1).events();
    assert_eq!(tally(&events, "stale-read"), all(1));
}

#[test]
fn a_lost_write_shows_to_whoever_looks_next() {
    let lost = |events: HistoryBuilder| tally(&events.events(), "lost-write");
    let written = || history().write(0, 1);
    assert_eq!(lost(written()), none_for("no-later-read"));
    assert_eq!(lost(written().read(1, 1)), all(1));
    assert_eq!(lost(written().put(1, (), 1)), all(1), "an image is a look");
    assert_eq!(lost(written().write(1, ())), none_for("next-write-is-blind"));
    assert_eq!(lost(written().cas(1, 1, ())), all(1), "a condition is one");
    let told_nothing = written().invoke(1, "cas", json!([7, 8])).condition_failed(1);
    assert_eq!(lost(told_nothing), none_for("indistinguishable"));
    let overwritten = written().invoke(9, "write", ()).info(9).read(1, ());
    assert_eq!(lost(overwritten), none_for("indeterminate"));
    let early =
        history().invoke(0, "write", 1).read(1, ()).invoke(1, "write", 2).ok(0, 1).ok(1, 2).read(1, 2);
    assert_eq!(lost(early.clone()), None, "both were written amid writes");
    let (tried, refuted, rest) = tally(&early.events(), "lost-write-amid-writes").unwrap();
    assert_eq!((tried, refuted), (2, 0), "if 2 is lost, 1 is read, which may have come after it");
    assert_eq!(rest, [("next-write-is-blind".to_owned(), 1), ("concurrent".to_owned(), 1)].into());
}

#[test]
fn conditions_are_evaluated_again_down_the_chain() {
    // 1 is lost: the first condition is refused, so is the second, and the last read finds nothing.
    let events = history().write(0, 1).cas(1, 1, 2).cas(2, 2, 3).read(0, 3).events();
    in_copies(&events, |subject, kind, copy| {
        if kind == Fault::LostWrite && copy.changes.len() == 3 {
            let needs: Vec<_> = verdict::changed(subject, copy)
                .iter()
                .map(|job| (job.op.need, job.op.set.is_some()))
                .collect();
            let [one, two] = [Need::Not(1), Need::Not(2)];
            let expected = [(Need::Any, true), (one, false), (two, false), (Need::Is(ABSENT), false)];
            assert_eq!(needs, expected, "no image was ever returned here, so refusals bring none");
        }
    });
    assert_eq!(tally(&events, "lost-write"), all(3));
}

#[test]
fn a_lost_update_shows_where_two_say_that_they_replaced_the_same() {
    let lost = |events: HistoryBuilder| tally(&events.events(), "lost-update");
    assert_eq!(lost(history().put(0, 1, ()).put(1, 2, 1)), all(1));
    assert_eq!(lost(history().put(0, 1, ()).write(1, 2)), None, "a blind write updates nothing");
    let refused = history().write(0, 1).cas(1, 1, 2).invoke(2, "cas", json!([1, 3])).condition_met(2, 2);
    assert_eq!(lost(refused), all(1));
    let overlapping =
        history().write(0, 1).invoke(0, "write", 2).invoke(1, "write", 3).ok(0, 2).ok_observed(1, 2);
    let amid = tally(&overlapping.events(), "lost-update-amid-writes");
    assert_eq!(amid, none_for("concurrent"), "3 may have come first");
}

#[test]
fn a_delete_undone_shows_to_whoever_looks_before_the_next_write() {
    let undone = |events: HistoryBuilder| tally(&events.events(), "delete-undone");
    let deleted = || history().write(0, 1).write(0, ());
    assert_eq!(undone(deleted()), none_for("no-later-read"));
    assert_eq!(undone(deleted().write(0, 2)), none_for("next-write-is-blind"));
    assert_eq!(undone(deleted().put(0, 2, ())), all(1));
    assert_eq!(undone(deleted().cas(0, (), 2)), all(1));
    assert_eq!(undone(history().write(0, ())), None, "there was nothing to delete");
    // It comes back before one of the reads, or after both; the next write looks in any case.
    assert_eq!(undone(deleted().read(1, ()).read(1, ()).put(0, 2, ())), all(1));
}

#[test]
fn keys_without_a_witness_are_left_out() {
    let good = history().write(0, 1).read(1, 1);
    let bad = good.on("b").write(0, 1).read(1, 2).events();
    let sensitivity = Linearizable::register().sensitivity(&bad, &SensitivityPlan::new(1)).unwrap();
    assert_eq!(sensitivity.kinds["lost-write"].places, 1);
    let not_a_register = HistoryBuilder::new().invoke(0, "transfer", 1).events();
    assert_eq!(Linearizable::register().sensitivity(&not_a_register, &SensitivityPlan::new(1)), None);
}

/// Function, argument, and the answer: whether the condition held, and what was in force.
type Open = (String, Value, Option<(bool, Value)>);

/// A history of one key as clients would record it from a store that works, or from one that tells little.
fn random(seed: u64, operations: usize, tells: bool) -> Vec<Event> {
    let mut dice = Dice::new(seed, 7);
    let mut history = history();
    let mut state = Value::Null;
    // Each open operation with its answer, once it has had its effect.
    let mut open: BTreeMap<u64, Open> = BTreeMap::new();
    let mut next_value = 0;
    let mut processes: Vec<u64> = (0..4).collect();
    for _ in 0..operations * 3 {
        let slot = dice.below(4) as usize;
        let process = processes[slot];
        let Some((f, argument, answer)) = open.get_mut(&process) else {
            next_value += 1;
            let new = if dice.below(4) == 0 { Value::Null } else { json!(next_value) };
            let (f, argument) = match dice.below(3) {
                0 => ("read", Value::Null),
                1 => ("write", new),
                _ => (
                    "cas",
                    json!([if dice.below(3) > 0 { state.clone() } else { json!(next_value - 1) }, new]),
                ),
            };
            history = history.invoke(process, f, argument.clone());
            open.insert(process, (f.to_owned(), argument, None));
            continue;
        };
        let Some((holds, before)) = answer else {
            let holds = f != "cas" || argument[0] == state;
            *answer = Some((holds, state.clone()));
            match f.as_str() {
                "write" => state = argument.clone(),
                "cas" if holds => state = argument[1].clone(),
                _ => {}
            }
            continue;
        };
        let unanswered = dice.below(10) == 0;
        history = match (f.as_str(), *holds) {
            _ if unanswered => history.info(process),
            ("read", _) => history.ok(process, before.clone()),
            (_, true) if tells => history.ok_observed(process, before.clone()),
            (_, true) => history.ok(process, argument.clone()),
            (_, false) if tells => history.condition_met(process, before.clone()),
            (_, false) => history.condition_failed(process),
        };
        open.remove(&process);
        if unanswered {
            processes[slot] += 4;
        }
    }
    history.events()
}

/// Shows every copy of the history, one for each kind and place.
fn in_copies(events: &[Event], mut look: impl FnMut(&Subject<'_, '_>, Fault, &Slip)) {
    let check = Linearizable::cas_register();
    let objects = check.objects(events).unwrap();
    let images = Images::of(&objects);
    for object in &objects {
        let subject = Subject::new(object, check.engine, LIMITS).unwrap();
        for kind in Kind::all() {
            for &place in &subject.places[kind.number()] {
                let mut dice = Dice::new(3, u64::from(place));
                look(
                    &subject,
                    kind.fault,
                    &slip(object, &subject.witness, &images, kind.fault, place as usize, &mut dice),
                );
            }
        }
    }
}

/// Whether a store that slips at most once, and only in this way, answers so in this order. Follows all
/// states in which it could be: what is in force, and what was before the last change; before and after.
fn is_explained(jobs: &[Job<RegisterOp>], order: &[u32], slips: Option<Fault>) -> bool {
    let meets = |need: Need, state: Symbol| match need {
        Need::Any => true,
        Need::Is(value) => state == value,
        Need::Not(value) => state != value,
        Need::Never => false,
    };
    type State = (Symbol, Symbol, bool);
    let mut states: Vec<State> = vec![(ABSENT, ABSENT, false)];
    let mut seen = vec![ABSENT];
    for &at in order {
        let RegisterOp { need, set } = jobs[at as usize].op;
        let mut next: Vec<State> = Vec::new();
        let mut push = |state: State| {
            if !next.contains(&state) {
                next.push(state);
            }
        };
        let apply = |now: Symbol, before: Symbol| match set {
            Some(new) if new != now => (new, now),
            _ => (now, before),
        };
        let back: Vec<State> = states
            .iter()
            .filter(|state| slips == Some(Fault::DeleteUndone) && state.0 == ABSENT && !state.2)
            .map(|&(now, before, _)| (before, now, true))
            .collect();
        for &(now, before, slipped) in states.iter().chain(&back) {
            if meets(need, now) {
                let (after, last) = apply(now, before);
                push((after, last, slipped));
                if slips == Some(Fault::LostWrite) && set.is_some() && !slipped {
                    push((now, before, true));
                }
            }
            if slips == Some(Fault::LostUpdate) && set.is_some() && !slipped && meets(need, before) {
                let (after, last) = apply(now, before);
                push((after, last, true));
            }
            let was_in_force = || seen.iter().any(|&old| old != now && meets(need, old));
            if slips == Some(Fault::StaleRead) && set.is_none() && !slipped && was_in_force() {
                push((now, before, true));
            }
        }
        states = next;
        seen.extend(states.iter().map(|state| state.0));
    }
    !states.is_empty()
}

#[test]
fn copies_are_what_a_store_with_that_one_fault_would_have_led_to() {
    let mut copies = [0; Fault::ALL.len()];
    for seed in 0..60 {
        in_copies(&random(seed, 40, seed % 2 == 0), |subject, kind, slip| {
            let jobs = verdict::changed(subject, slip);
            let mut order = subject.witness.order.clone();
            assert!(is_explained(&subject.whole.jobs, &order, None), "the witness explains the history");
            order.retain(|at| !slip.unapplied.contains(at));
            assert!(is_explained(&jobs, &order, Some(kind)), "seed {seed}: {kind:?} {slip:?}");
            assert!(
                slip.changes.is_empty() || !is_explained(&jobs, &order, None),
                "a copy is wrong in order"
            );
            copies[kind as usize] += 1;
        });
    }
    assert!(copies.iter().all(|&count| count > 100), "{copies:?}");
}

#[test]
fn what_is_not_refuted_could_have_been_recorded_from_a_store_that_works() {
    let (mut refuted, mut hidden) = (0, 0);
    for seed in 0..60 {
        in_copies(&random(seed, 40, seed % 2 == 0), |subject, _, slip| {
            let jobs = verdict::changed(subject, slip);
            let solution =
                Problem { jobs: jobs.clone(), values: subject.whole.values }.solve(subject.engine, LIMITS);
            let outcome = verdict::of(subject, slip);
            match solution.order {
                Some(order) => {
                    assert!(outcome.is_err());
                    crate::evidence::order::replay(&jobs, &order).unwrap();
                    hidden += 1;
                }
                None => {
                    assert_eq!(outcome, Ok(()));
                    refuted += 1;
                }
            }
        });
    }
    assert!(refuted > 500 && hidden > 100, "{refuted} {hidden}");
}

#[test]
fn the_same_history_and_seed_give_the_same_numbers_and_others_do_not() {
    let events = random(5, 1_000, true);
    let check = Linearizable::cas_register();
    let with =
        |seed| check.sensitivity(&events, &SensitivityPlan { injections: 30, ..SensitivityPlan::new(seed) });
    assert_eq!(with(1), with(1));
    assert!((2..9).any(|seed| with(seed) != with(1)), "other places are tried");
    assert!(with(1).unwrap().kinds.values().all(|tally| tally.injected == tally.places.min(30)));
}

#[test]
fn a_plan_that_costs_too_much_tries_fewer() {
    let events = random(5, 1_000, true);
    let plan = SensitivityPlan { operations: 20_000, ..SensitivityPlan::new(1) };
    let kinds = Linearizable::cas_register().sensitivity(&events, &plan).unwrap().kinds;
    for (kind, tally) in kinds {
        assert!((1..10).contains(&tally.injected) && tally.places > 10, "{kind}: {tally:?}");
    }
}
