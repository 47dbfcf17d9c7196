//! The check of every model but registers, against an oracle that tries every order.
//!
//! The oracle shares no code with the engine or the models: section 4's table of the contract is written down
//! here a second time, with JSON values as states. Verdicts must agree on every random history, and every
//! certificate must be one by the definition: it still proves the violation when everything else is weakened,
//! and none of its members can be weakened too.

#![expect(clippy::unwrap_used, reason = "a test's helpers may panic as the test may")]

use std::collections::HashSet;

use growler_checker::history::{Event, EventType, HistoryBuilder, Process};
use growler_checker::verdict::{Budget, Validity};
use growler_checker::{checks_for, validate};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

/// An operation, as the contract describes it.
struct Op {
    index: u64,
    call: usize,
    ret: usize,
    f: String,
    argument: Value,
    kind: EventType,
    result: Value,
    observed: Option<Value>,
    /// Whether it is one of a counter.
    counts: bool,
}

fn operations(model: &str, events: &[Event]) -> Vec<Op> {
    let mut ops = Vec::new();
    for (at, event) in events.iter().enumerate().filter(|(_, event)| event.kind == EventType::Invoke) {
        let end = (at + 1..events.len()).find(|&end| events[end].process == event.process);
        let kind = end.map_or(EventType::Info, |end| events[end].kind);
        ops.push(Op {
            index: event.index,
            call: at,
            ret: if kind == EventType::Info { usize::MAX } else { end.unwrap() },
            f: event.f.to_string(),
            argument: event.value.clone(),
            kind,
            result: end.map_or(Value::Null, |end| events[end].value.clone()),
            counts: model == "counter",
            observed: end.and_then(|end| events[end].observed.clone()),
        });
    }
    ops
}

fn initial(model: &str) -> Value {
    match model {
        "counter" => json!(0),
        "kv" => json!(""),
        "set" | "queue" => json!([]),
        "mutex" => json!({"held": false, "token": null, "greatest": null}),
        _ => json!({}),
    }
}

/// Whether the operation only looks.
fn looks(op: &Op) -> bool {
    match op.f.as_str() {
        "read" | "get" => true,
        "dequeue" => op.kind == EventType::Ok && op.result.is_null(),
        "txn" => !op.argument.as_array().unwrap().iter().any(|step| step[0] == "w"),
        _ => false,
    }
}

/// The state after the operation; none if it cannot happen. Without `answer`, any answer will do.
fn apply(state: &Value, op: &Op, answer: bool) -> Option<Value> {
    let list = || state.as_array().unwrap().clone();
    let sorted = |mut elements: Vec<Value>| {
        elements.sort_by_key(Value::as_i64);
        Value::from(elements)
    };
    let without = |gone: &Value| list().into_iter().filter(|element| element != gone).collect::<Vec<_>>();
    match (op.f.as_str(), state) {
        ("add", Value::Number(sum)) => {
            let observed = !answer || op.observed.as_ref().is_none_or(|observed| observed == state);
            observed.then(|| json!(sum.as_i64().unwrap() + op.argument.as_i64().unwrap()))
        }
        ("add", _) => Some(sorted([without(&op.argument), vec![op.argument.clone()]].concat())),
        ("remove", _) => Some(sorted(without(&op.argument))),
        ("read", Value::Array(_)) => {
            (sorted(op.result.as_array().unwrap().clone()) == *state).then(|| state.clone())
        }
        ("read" | "get", _) => (op.result == *state).then(|| state.clone()),
        ("put", _) => Some(op.argument.clone()),
        ("append", _) => Some(json!(format!("{}{}", state.as_str()?, op.argument.as_str()?))),
        ("enqueue", _) => Some(Value::from([list(), vec![op.argument.clone()]].concat())),
        ("dequeue", _) if answer && op.result.is_null() => list().is_empty().then(|| state.clone()),
        ("dequeue", _) => match list().split_first() {
            Some((first, rest)) => (!answer || *first == op.result).then(|| Value::from(rest.to_vec())),
            None => (!answer).then(|| state.clone()),
        },
        ("acquire" | "release", _) => lock(state, op, answer),
        _ => transact(state, op, answer),
    }
}

fn lock(state: &Value, op: &Op, answer: bool) -> Option<Value> {
    let mut next = state.clone();
    let token = match op.f.as_str() {
        "acquire" if answer => op.result.clone(),
        "acquire" => Value::Null,
        _ => op.argument.clone(),
    };
    let held = state["held"] == true;
    let greater =
        token.is_null() || state["greatest"].is_null() || token.as_i64() > state["greatest"].as_i64();
    let grown = if token.is_null() { state["greatest"].clone() } else { token.clone() };
    if op.f == "acquire" {
        next = json!({"held": true, "token": token, "greatest": grown});
        return (!held && greater).then_some(next);
    }
    next["held"] = json!(false);
    next["token"] = Value::Null;
    if token.is_null() || state["token"] == token {
        return held.then_some(next);
    }
    next["greatest"] = grown;
    (held && state["token"].is_null() && greater).then_some(next)
}

fn transact(state: &Value, op: &Op, answer: bool) -> Option<Value> {
    let mut next = state.clone();
    let steps = if answer { &op.result } else { &op.argument };
    for step in steps.as_array().unwrap() {
        let register = step[1].as_str().unwrap();
        if step[0] == "w" {
            next[register] = step[2].clone();
        } else if answer && *next.get(register).unwrap_or(&Value::Null) != step[2] {
            return None;
        }
    }
    Some(next)
}

/// Whether the operation, weakened, still happens within its own interval if it happens.
fn keeps_its_time(op: &Op) -> bool {
    match op.f.as_str() {
        "add" => op.counts,
        "remove" | "dequeue" | "acquire" | "release" => true,
        "txn" => op.argument.as_array().unwrap().iter().any(|step| step[0] == "w" && step[2].is_null()),
        _ => false,
    }
}

/// Whether the operations can be ordered, those whose place is not in `strong` weakened.
fn linearizable(model: &str, ops: &[Op], strong: u32) -> bool {
    let takes_part = |at: &usize| {
        let op = &ops[*at];
        let lost = op.kind == EventType::Info && looks(op);
        op.kind != EventType::Fail && !lost && (strong >> at & 1 == 1 || !looks(op))
    };
    let all: Vec<usize> = (0..ops.len()).filter(takes_part).collect();
    extend(ops, &all, strong, 0, &initial(model), &mut HashSet::new())
}

fn extend(
    ops: &[Op],
    all: &[usize],
    strong: u32,
    placed: u32,
    state: &Value,
    tried: &mut HashSet<(u32, String)>,
) -> bool {
    let is = |mask: u32, at: usize| mask >> at & 1 == 1;
    let must = |at: usize| is(strong, at) && ops[at].kind == EventType::Ok;
    if all.iter().all(|&at| is(placed, at) || !must(at)) {
        return true;
    }
    if !tried.insert((placed, state.to_string())) {
        return false;
    }
    let timed = |at: usize| is(strong, at) || keeps_its_time(&ops[at]);
    let before = |a: usize, b: usize| timed(a) && timed(b) && ops[a].ret < ops[b].call;
    all.iter().copied().filter(|&next| !is(placed, next)).any(|next| {
        let in_time = all.iter().all(|&other| {
            let overtaken = !is(placed, other) && must(other) && before(other, next);
            !(overtaken || is(placed, other) && before(next, other))
        });
        let answer = must(next);
        in_time
            && apply(state, &ops[next], answer)
                .is_some_and(|state| extend(ops, all, strong, placed | 1 << next, &state, tried))
    })
}

/// A random operation: its function, argument, and answer.
fn random_call(random: &mut impl Rng, model: &str) -> (&'static str, Value, Value) {
    let mut up_to = |n: i64| random.random_range(0..n);
    let (kind, small) = (up_to(6), up_to(3));
    match model {
        "counter" if kind < 3 => ("add", json!(small - 1), json!(small - 1)),
        "counter" => ("read", Value::Null, json!(up_to(4) - 1)),
        "set" if kind < 3 => ("add", json!(small), json!(small)),
        "set" if kind < 4 => ("remove", json!(small), json!(small)),
        "set" => {
            let bits = up_to(8);
            let elements: Vec<i64> = (0..3).filter(|bit| bits >> bit & 1 == 1).rev().collect();
            ("read", Value::Null, json!(elements))
        }
        "queue" => {
            // Few elements, so that they repeat, or many.
            let element = if up_to(3) == 0 { small } else { up_to(6) };
            match kind {
                0..3 => ("enqueue", json!(element), json!(element)),
                3 => ("dequeue", Value::Null, Value::Null),
                _ => ("dequeue", Value::Null, json!(element)),
            }
        }
        "kv" if kind < 1 => ("put", json!("a"), json!("a")),
        "kv" if kind < 3 => {
            let text = ["a", "b", "ab"][usize::try_from(small).unwrap()];
            ("append", json!(text), json!(text))
        }
        "kv" => {
            let read = ["", "a", "ab", "b", "aa", "aab"][usize::try_from(up_to(6)).unwrap()];
            ("get", Value::Null, json!(read))
        }
        "mutex" => {
            let token = if up_to(2) == 0 { Value::Null } else { json!(small) };
            if kind < 3 { ("acquire", Value::Null, token) } else { ("release", token.clone(), token) }
        }
        _ => {
            let (mut asked, mut answered) = (Vec::new(), Vec::new());
            for _ in 0..=up_to(2) {
                let register = ["x", "y"][usize::try_from(up_to(2)).unwrap()];
                let value = up_to(3);
                let value = if value == 0 { Value::Null } else { json!(value) };
                if up_to(2) == 0 {
                    asked.push(json!(["w", register, value]));
                    answered.push(json!(["w", register, value]));
                } else {
                    asked.push(json!(["r", register, null]));
                    answered.push(json!(["r", register, value]));
                }
            }
            ("txn", json!(asked), json!(answered))
        }
    }
}

/// A random history of a few operations, some of which fail or never end.
fn random_history(random: &mut impl Rng, model: &str) -> Vec<Event> {
    let mut history = HistoryBuilder::new();
    let mut open: Vec<(u64, &str, Value)> = Vec::new();
    let mut enqueued: Vec<Value> = Vec::new();
    let total = random.random_range(2..8);
    let mut called = 0;
    while called < total || !open.is_empty() {
        if called < total && (open.is_empty() || random.random_range(0..2) == 0) {
            let (f, argument, answer) = random_call(random, model);
            enqueued.extend((f == "enqueue").then(|| argument.clone()));
            history = history.invoke(called, f, argument);
            open.push((called, f, answer));
            called += 1;
            continue;
        }
        let (process, f, answer) = open.remove(random.random_range(0..open.len()));
        history = match random.random_range(0..12) {
            0 => history.fail(process),
            1 | 2 => history.info(process),
            3 if model == "counter" && f == "add" => {
                let before = random.random_range(-1..3);
                history.ok(process, answer).edit(|event| event.observed = Some(json!(before)))
            }
            // Mostly what is there to be had, so that many histories are right.
            4..11 if f == "dequeue" && !answer.is_null() && !enqueued.is_empty() => {
                let element = enqueued[random.random_range(0..enqueued.len())].clone();
                history.ok(process, element)
            }
            _ => history.ok(process, answer),
        };
    }
    history.events()
}

/// How many histories of each model are compared.
const HISTORIES: usize = 4_000;

fn agrees(model: &'static str, seed: u64) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let check = checks_for(model, "linearizable").unwrap().remove(0);
    let (mut valid, mut invalid) = (0, 0);
    for _ in 0..HISTORIES {
        let events = random_history(&mut random, model);
        assert_eq!(validate(model, &events), Ok(()));
        let ops = operations(model, &events);
        let all = u32::MAX;
        let expected = linearizable(model, &ops, all);
        let result = check.check(&events, &Budget::default());
        let history = || serde_json::to_string(&events).unwrap();
        let expected = if expected { Validity::Valid } else { Validity::Invalid };
        assert_eq!(result.valid, expected, "{model}: {}", history());
        if result.valid == Validity::Valid {
            valid += 1;
            continue;
        }
        invalid += 1;
        let kind = &result.anomalies[0].kind;
        assert!(growler_checker::anomaly::admits("nonlinearizable", kind), "{kind}");
        for anomaly in &result.anomalies {
            let strong = anomaly.ops.iter().fold(0_u32, |strong, index| {
                strong | 1 << ops.iter().position(|op| op.index == *index).unwrap()
            });
            assert!(!linearizable(model, &ops, strong), "{model}: {anomaly:?} proves nothing: {}", history());
            for at in (0..ops.len()).filter(|at| strong >> at & 1 == 1) {
                let rest = strong & !(1 << at);
                assert!(linearizable(model, &ops, rest), "{model}: {anomaly:?} is too much: {}", history());
            }
        }
    }
    assert!(valid > 300 && invalid > 300, "{model}: {valid} valid, {invalid} invalid");
}

#[test]
fn counters_agree_with_the_oracle() {
    agrees("counter", 1);
}

#[test]
fn sets_agree_with_the_oracle() {
    agrees("set", 2);
}

#[test]
fn queues_agree_with_the_oracle() {
    agrees("queue", 3);
}

#[test]
fn strings_agree_with_the_oracle() {
    agrees("kv", 4);
}

#[test]
fn locks_agree_with_the_oracle() {
    agrees("mutex", 5);
}

#[test]
fn registers_of_transactions_agree_with_the_oracle() {
    agrees("multi-register", 6);
}

fn new() -> HistoryBuilder {
    HistoryBuilder::new()
}

#[test]
fn what_a_model_does_not_have_is_an_error_that_names_the_event() {
    let message = |model, events: Vec<Event>| validate(model, &events).unwrap_err().to_string();
    let odd = new().write(0, 1).invoke(0, "dance", ()).events();
    assert!(message("queue", odd).contains("event 0: the `queue` model has no function `write`"));
    let half = new().invoke(0, "add", 1).ok(0, 1).invoke(0, "add", 0.5).events();
    assert_eq!(
        message("counter", half),
        "event 2: `add` of the `counter` model needs a whole number, not 0.5"
    );
    let text = new().invoke(0, "read", ()).ok(0, "x").events();
    assert!(message("set", text).contains("a list of elements, not \"x\""));
    assert!(message("kv", new().invoke(0, "put", 5).events()).contains("a string, not 5"));
    assert!(message("queue", new().invoke(0, "enqueue", ()).events()).contains("an element, not null"));
    let other = new().invoke(0, "txn", json!([["r", "x", null]])).ok(0, json!([["r", "y", 1]])).events();
    assert!(message("multi-register", other).contains("is ok with"));
}

#[test]
fn a_violation_is_told_in_a_sentence() {
    let events = new().on("q").invoke(0, "enqueue", 7).ok(0, 7).invoke(1, "dequeue", ()).ok(1, ()).events();
    let result = checks_for("queue", "linearizable").unwrap()[0].check(&events, &Budget::default());
    assert_eq!(
        result.anomalies[0].explanation,
        "No order explains all of this: process 0's `enqueue` of 7 succeeded (0.000 s to 0.001 s); process 1's \
         `dequeue` returned null (0.002 s to 0.003 s)."
    );
}

/// A set in which each element is added by somebody of whom one in ten never hears back, and one element
/// that was acknowledged is gone in the end.
#[test]
fn a_lost_element_among_many_unanswered_adds_is_found() {
    let mut history = new();
    let mut shown = Vec::new();
    for element in 0..600_u64 {
        history = history.invoke(element, "add", element);
        history = if element % 10 == 3 { history.info(element) } else { history.ok(element, element) };
        if element % 20 != 3 {
            shown.push(element);
        }
    }
    let read = |shown: &[u64]| history.clone().invoke(9_999, "read", ()).ok(9_999, json!(shown)).events();
    let check = checks_for("set", "linearizable").unwrap().remove(0);
    assert_eq!(check.check(&read(&shown), &Budget::default()).valid, Validity::Valid);
    shown.retain(|&element| element != 77);
    let result = check.check(&read(&shown), &Budget::default());
    assert_eq!(result.valid, Validity::Invalid);
    assert_eq!(result.anomalies[0].ops.len(), 2, "{:?}", result.anomalies);
}

#[test]
fn transactions_on_other_registers_are_other_objects() {
    // Fifteen pairs of registers, each written by three transactions at once: one object would be hopeless.
    let mut history = new();
    for pair in 0..15_u64 {
        for nth in 0..3 {
            let txn = json!([["w", format!("a{pair}"), nth], ["w", format!("b{pair}"), nth]]);
            history = history.invoke(pair * 3 + nth, "txn", txn);
        }
    }
    for process in 0..45_u64 {
        let (pair, nth) = (process / 3, process % 3);
        let txn = json!([["w", format!("a{pair}"), nth], ["w", format!("b{pair}"), nth]]);
        history = history.ok(process, txn);
    }
    let torn = json!([["r", "a3", 1], ["r", "b3", 2]]);
    let events =
        history.invoke(99, "txn", json!([["r", "a3", null], ["r", "b3", null]])).ok(99, torn).events();
    let result = checks_for("multi-register", "linearizable").unwrap()[0].check(&events, &Budget::default());
    assert_eq!(result.valid, Validity::Invalid);
    assert_eq!(result.stats["keys"], 15);
    assert!(events.iter().all(|event| event.process != Process::Nemesis));
    assert!(result.anomalies[0].ops.len() <= 4, "{:?}", result.anomalies);
}
