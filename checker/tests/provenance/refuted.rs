//! Where values repeat nothing need be searched for an answer that no write can explain, however large the history;
//! and its certificate is confirmed.

use growler_checker::evidence::certificate::verify_all;
use growler_checker::history::{Event, EventType, HistoryBuilder, Process};
use growler_checker::promise::checks_for;
use growler_checker::verdict::{Anomaly, Budget, Check, Validity};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

/// What the check of linearizability finds, with steps for a linear look and no search.
fn refute(model: &str, events: &[Event]) -> Anomaly {
    let checks = checks_for(model, "linearizable").expect("a pair");
    let check: &dyn Check =
        checks.iter().find(|check| check.name() == "linearizable").expect("the check").as_ref();
    let steps = 200 * events.len() as u64;
    let result = check.check(events, &Budget { steps, ..Budget::default() });
    assert_eq!(result.valid, Validity::Invalid, "{model}: {:?}", result.unknown);
    assert_eq!(verify_all(events, model, &result.anomalies), [Ok(())], "{model}: {:?}", result.anomalies);
    result.anomalies.into_iter().next().expect("one")
}

/// Many concurrent operations on five values, 30 open at a time.
fn crowd(seed: u64, operations: u64) -> Vec<Event> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut history = HistoryBuilder::new().write(40, 0);
    // What each process has open: the value that it writes, null for a read.
    let mut open: Vec<Option<Value>> = vec![None; 30];
    let mut state = json!(0);
    let mut invoked = 0;
    while invoked < operations || open.iter().any(Option::is_some) {
        let process = rng.random_range(0..30_u64);
        history = match open[process as usize].take() {
            None if invoked == operations => history,
            None => {
                invoked += 1;
                let is_read = rng.random_bool(0.5);
                let value = if is_read { Value::Null } else { json!(rng.random_range(0..5)) };
                open[process as usize] = Some(value.clone());
                history.invoke(process, if is_read { "read" } else { "write" }, value)
            }
            Some(Value::Null) => history.ok(process, state.clone()),
            Some(written) => {
                state.clone_from(&written);
                history.ok(process, written)
            }
        };
    }
    history.events()
}

#[test]
fn a_phantom_among_repeated_values_is_one_operation() {
    let mut events = crowd(1, 800);
    let mut reads = events.iter_mut().filter(|event| event.kind == EventType::Ok && event.f == "read");
    let read = reads.nth(100).expect("many reads");
    read.value = json!(99);
    let process = read.process;
    for model in ["register", "cas-register"] {
        let found = refute(model, &events);
        assert_eq!((found.kind.as_str(), found.ops.len()), ("phantom-value", 1));
        let call = events.iter().find(|event| event.index == found.ops[0]).expect("an invocation");
        assert_eq!(call.process, process);
    }
}

#[test]
fn a_failed_write_among_repeated_values_is_named() {
    let crowd = |seed| {
        let mut events = crowd(seed, 400);
        let next = events.len() as u64;
        let mut call = Event::new(Process::Client(99), EventType::Invoke, "write", json!(42));
        call.index = next;
        let mut failed = Event { kind: EventType::Fail, ..call.clone() };
        failed.index = next + 1;
        events.extend([call, failed]);
        let mut read = Event::new(Process::Client(98), EventType::Invoke, "read", Value::Null);
        read.index = next + 2;
        let mut shown = Event { kind: EventType::Ok, value: json!(42), ..read.clone() };
        shown.index = next + 3;
        events.extend([read, shown]);
        (events, next + 2)
    };
    let (events, read) = crowd(2);
    let found = refute("register", &events);
    assert_eq!((found.kind.as_str(), found.ops.as_slice()), ("aborted-read", [read].as_slice()));
}

#[test]
fn a_value_from_the_future_is_proven_by_its_writes() {
    let mut events = crowd(3, 400);
    let next = events.len() as u64;
    // Read before anything, written twice in the end.
    let mut early = vec![
        Event::new(Process::Client(98), EventType::Invoke, "read", Value::Null),
        Event::new(Process::Client(98), EventType::Ok, "read", json!(42)),
    ];
    for process in [96, 97] {
        events.push(Event::new(Process::Client(process), EventType::Invoke, "write", json!(42)));
        events.push(Event::new(Process::Client(process), EventType::Ok, "write", json!(42)));
    }
    early.append(&mut events);
    early.iter_mut().zip(0..).for_each(|(event, index)| event.index = index);
    let found = refute("register", &early);
    assert_eq!(
        (found.kind.as_str(), found.ops.as_slice()),
        ("future-read", [0, next + 2, next + 4].as_slice())
    );
}

/// Twenty writes one after the other, and one answer that none explains.
#[test]
fn every_model_is_refuted_by_one_confirmed_operation() {
    let repeat = |times: usize, one: &dyn Fn(HistoryBuilder, usize) -> HistoryBuilder| {
        (0..times).fold(HistoryBuilder::new(), one)
    };
    let txn = |history: HistoryBuilder, process, steps: Value, answer: Value| {
        history.invoke(process, "txn", steps).ok(process, answer)
    };
    for times in [20, 800] {
        let multi = repeat(times, &|history, at| {
            let steps = json!([["w", "k", at % 20]]);
            txn(history, at as u64 % 4, steps.clone(), steps)
        });
        let multi = txn(multi, 9, json!([["r", "k", null]]), json!([["r", "k", -7]]));
        let counter =
            repeat(times, &|history, at| history.invoke(at as u64 % 4, "add", 1).ok(at as u64 % 4, 1));
        let counter = counter.read(9, times as i64 + 1);
        let kv = repeat(times, &|history, at| {
            history.invoke(at as u64 % 4, "append", format!("<{at}>")).ok(at as u64 % 4, ())
        });
        let kv = kv.invoke(9, "get", ()).ok(9, "<0><x>");
        let queue = repeat(times, &|history, at| {
            history.invoke(at as u64 % 4, "enqueue", at as u64 % 7).ok(at as u64 % 4, ())
        });
        let queue = queue.invoke(9, "dequeue", ()).ok(9, 77);
        let set = repeat(times, &|history, at| {
            history.invoke(at as u64 % 4, "add", at as u64).ok(at as u64 % 4, ())
        });
        let set = set.invoke(9, "read", ()).ok(9, json!([0, 1, 5_000]));
        for (model, history) in
            [("multi-register", multi), ("counter", counter), ("kv", kv), ("queue", queue), ("set", set)]
        {
            let found = refute(model, &history.events());
            let last = 2 * times as u64;
            assert_eq!(
                (found.kind.as_str(), found.ops.as_slice()),
                ("phantom-value", [last].as_slice()),
                "{model}"
            );
        }
    }
}

/// The same question is answered where nothing is wrong, too: the answers of both ways are the same.
#[test]
fn what_is_explained_is_left_to_the_search() {
    let events = HistoryBuilder::new().write(0, 1).write(0, 2).write(0, 1).read(1, 2).events();
    let found = refute("register", &events);
    assert!(found.ops.len() > 1, "a stale read, not a phantom: {found:?}");
}
