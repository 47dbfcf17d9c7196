//! `set-full` against Jepsen's own fold over the events, written out.

use std::collections::BTreeMap;

use growler_checker::convergence::order::Rules;
use growler_checker::convergence::replicas::Convergence;
use growler_checker::convergence::set_full::SetFull;
use growler_checker::history::{Event, EventType, HistoryBuilder, Process};
use growler_checker::verdict::{Budget, Check, CheckResult, Validity};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::reading::{Op, Out, keys};

/// What Jepsen's checker tracks of an element: (position, time) of each.
#[derive(Default, Clone, Debug)]
struct Tracked {
    known: Option<(usize, u64)>,
    present: Option<(usize, u64)>,
    absent: Option<(usize, u64)>,
}

#[derive(Debug, Default, PartialEq)]
struct Jepsen {
    attempts: u64,
    stable: u64,
    lost: u64,
    never_read: u64,
    stale: u64,
    latencies_ms: Vec<u64>,
}

/// The fold, event by event.
fn jepsen(ops: &[Op]) -> Jepsen {
    let mut moments: Vec<(usize, &Op, bool)> = ops.iter().map(|op| (op.call, op, true)).collect();
    moments.extend(ops.iter().filter(|op| op.out == Out::Ok).map(|op| (op.end, op, false)));
    moments.sort_by_key(|&(at, ..)| at);
    let mut elements: BTreeMap<String, Tracked> = BTreeMap::new();
    for (at, op, begins) in moments {
        match (op.f.as_str(), begins) {
            ("add", true) => drop(elements.insert(op.argument.to_string(), Tracked::default())),
            ("add", false) => {
                let element = elements.get_mut(&op.argument.to_string()).expect("it was invoked");
                element.known = element.known.or(Some((at, op.end_ns)));
            }
            ("read", false) => {
                for (name, element) in &mut elements {
                    let invoked = Some((op.call, op.call_ns));
                    let shown: Vec<String> = op.elements().iter().map(Value::to_string).collect();
                    if shown.contains(name) {
                        element.known = element.known.or(Some((at, op.end_ns)));
                        element.present = element.present.max(invoked);
                    } else {
                        element.absent = element.absent.max(invoked);
                    }
                }
            }
            _ => {}
        }
    }
    let mut result = Jepsen { attempts: elements.len() as u64, ..Jepsen::default() };
    for element in elements.values() {
        let at = |moment: Option<(usize, u64)>| moment.map_or(-1, |(at, _)| at as i64);
        let since = |moment: Option<(usize, u64)>| {
            moment.map_or(0, |(_, time)| time + 1).saturating_sub(element.known.expect("known").1) / 1_000_000
        };
        let stable = element.present.is_some() && at(element.absent) < at(element.present);
        let lost = element.known.is_some()
            && element.absent.is_some()
            && at(element.present) < at(element.absent)
            && at(element.known) < at(element.absent);
        if stable {
            result.stable += 1;
            result.stale += u64::from(since(element.absent) > 0);
            result.latencies_ms.push(since(element.absent));
        } else if lost {
            result.lost += 1;
        } else {
            result.never_read += 1;
        }
    }
    result.latencies_ms.sort_unstable();
    result
}

/// A history of one set: overlapping adds, and reads of whatever.
fn random(rng: &mut impl Rng) -> Vec<Event> {
    let mut builder = HistoryBuilder::new();
    let mut free: Vec<u64> = (0..4).collect();
    let mut open: Vec<(u64, bool, i64)> = Vec::new();
    let (mut next, mut fresh) = (0, 4);
    let sound = rng.random_bool(0.4);
    let mut there: Vec<i64> = Vec::new();
    for _ in 0..rng.random_range(5..60) {
        if rng.random_bool(0.5) && !free.is_empty() {
            let process = free.swap_remove(rng.random_range(0..free.len()));
            let adds = rng.random_bool(0.5);
            if adds && !(next > 0 && rng.random_bool(0.05)) {
                next += 1;
            }
            builder =
                if adds { builder.invoke(process, "add", next) } else { builder.invoke(process, "read", ()) };
            open.push((process, adds, next));
        } else if !open.is_empty() {
            let (process, adds, value) = open.swap_remove(rng.random_range(0..open.len()));
            builder = match (rng.random_range(0..10), adds) {
                (0, _) => builder.info(process),
                (1, _) => builder.fail(process),
                (_, true) => {
                    if !there.contains(&value) {
                        there.push(value);
                    }
                    builder.ok(process, value)
                }
                _ => {
                    let read: Vec<i64> = if sound {
                        there.clone()
                    } else {
                        (1..=next).filter(|_| rng.random_bool(0.6)).collect()
                    };
                    builder.ok(process, json!(read))
                }
            };
            if builder.clone().events().last().is_some_and(|event| event.kind == EventType::Info) {
                free.push(fresh);
                fresh += 1;
            } else {
                free.push(process);
            }
        }
        let pause = rng.random_range(0..2_000_000);
        builder = if builder.clone().events().is_empty() {
            builder
        } else {
            builder.edit(|event| event.time += pause)
        };
    }
    builder.events()
}

fn count(result: &CheckResult, name: &str) -> u64 {
    result.stats.get(name).and_then(Value::as_u64).unwrap_or(0)
}

#[test]
fn says_what_jepsen_says() {
    let mut seen = [0_u64; 4];
    for seed in 0..8_000 * crate::times() {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let events = random(&mut rng);
        let expected = keys(&events).values().next().map(|ops| jepsen(ops)).unwrap_or_default();
        let result = SetFull::eventual().check(&events, &Budget::default());
        // Lost elements that nobody can have added are told apart here.
        let found = Jepsen {
            attempts: count(&result, "attempts"),
            stable: count(&result, "stable"),
            lost: count(&result, "lost"),
            never_read: count(&result, "never_read"),
            stale: count(&result, "stale"),
            latencies_ms: expected.latencies_ms.clone(),
        };
        let only_failed = expected.lost - found.lost;
        assert_eq!(
            found,
            Jepsen {
                lost: expected.lost - only_failed,
                never_read: expected.never_read + only_failed,
                ..expected
            },
            "{seed}"
        );
        assert!(only_failed == 0 || count(&result, "unexpected-element") > 0, "{seed}");
        let latencies = &found.latencies_ms;
        let median = latencies.get(latencies.len() / 2).copied();
        assert_eq!(result.stats["stable_latency_ms"].get("p50").and_then(Value::as_u64), median, "{seed}");
        let invalid = found.lost + count(&result, "unexpected-element") > 0;
        let valid = if invalid {
            Validity::Invalid
        } else if found.stable == 0 {
            Validity::Unknown
        } else {
            Validity::Valid
        };
        assert_eq!(result.valid, valid, "{seed} {result:#?}");
        let strict = SetFull::linearizable().check(&events, &Budget::default());
        assert_eq!(count(&strict, "stale-element"), found.stale, "{seed}");
        seen[valid as usize] += 1;
        seen[3] += u64::from(found.stale > 0);
    }
    assert!(seen.iter().all(|&times| times > 200), "{seen:?}");
}

/// Adds 1 and 2, an ordinary read shows both, and then three nodes say what they hold themselves.
fn in_the_end(held: [Value; 3], before: impl FnOnce(HistoryBuilder) -> HistoryBuilder) -> HistoryBuilder {
    let set = HistoryBuilder::new().on("s").invoke(0, "add", 1).ok(0, 1).invoke(0, "add", 2).ok(0, 2);
    let set = before(set).read(1, json!([1, 2]));
    held.into_iter().zip(["n1", "n2", "n3"]).fold(set, |set, (held, node)| {
        let asked = |event: &mut Event| event.node = Some(node.into());
        set.invoke(9, "replica-read", ()).edit(asked).ok(9, held).edit(asked)
    })
}

fn lost(history: HistoryBuilder) -> Vec<Vec<u64>> {
    let result = SetFull::eventual().check(&history.events(), &Budget::default());
    let lost = result.anomalies.into_iter().filter(|anomaly| anomaly.kind == "lost-element");
    lost.map(|anomaly| anomaly.ops).collect()
}

#[test]
fn an_element_that_no_replica_holds_is_lost_although_a_read_had_merged_it() {
    let none = [json!([1]), json!([1]), json!([1])];
    assert_eq!(lost(in_the_end(none.clone(), |set| set)), [[2, 10]]);
    let absent = [Value::Null, Value::Null, Value::Null];
    assert_eq!(lost(in_the_end(absent, |set| set)).len(), 2);
    let one = [json!([1]), json!([1, 2]), json!([1])];
    assert_eq!(
        lost(in_the_end(one.clone(), |set| set)),
        [[0; 2]; 0],
        "that replicas differ is told by convergence"
    );
    let diverged = Convergence::new(Rules::default());
    let result = diverged.check(&in_the_end(one, |set| set).events(), &Budget::default());
    assert_eq!((result.valid, result.anomalies[0].kind.as_str()), (Validity::Invalid, "diverged"));
    // Who tried to remove it may have done so; and so may a fault that is still in force keep it away.
    let removed = |set: HistoryBuilder| set.invoke(5, "remove", 2).info(5);
    assert_eq!(lost(in_the_end(none.clone(), removed)), [[0; 2]; 0]);
    let failed = |set: HistoryBuilder| set.invoke(5, "remove", 2).fail(5);
    assert_eq!(lost(in_the_end(none.clone(), failed)).len(), 1);
    let mut events = in_the_end(none.clone(), |set| set).events();
    let value = json!({"grudge": {"n1": ["n2", "n3"]}, "targets": ["n1"]});
    events.insert(4, Event::new(Process::Nemesis, EventType::Info, "partition", value));
    events.iter_mut().zip(0..).for_each(|(event, index)| event.index = index);
    let result = SetFull::eventual().check(&events, &Budget::default());
    assert_eq!(result.valid, Validity::Valid, "{:?}", result.anomalies);
    // Nobody asked for the element, or one node did not answer.
    let mut events = in_the_end(none.clone(), |set| set).events();
    for event in
        events.iter_mut().filter(|event| event.f == "replica-read" && event.kind == EventType::Invoke)
    {
        event.value = json!([1]);
    }
    assert_eq!(SetFull::eventual().check(&events, &Budget::default()).valid, Validity::Valid);
    let mut events = in_the_end(none, |set| set).events();
    events.pop();
    assert_eq!(SetFull::eventual().check(&events, &Budget::default()).valid, Validity::Valid);
}
