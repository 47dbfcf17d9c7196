//! Certificates by hand, and the work that those of long histories are.
//!
//! Work is counted in steps of the search, which do not depend on the machine.

use serde_json::{Value, json};

use super::*;
use crate::history::HistoryBuilder;
use crate::history::{EventType, Process};

fn anomaly(ops: &[u64]) -> Anomaly {
    Anomaly::claim("nonlinearizable", ops)
}

fn verdict(events: &[Event], ops: &[u64]) -> Result<(), CertificateFault> {
    verify(events, "cas-register", &anomaly(ops))
}

/// The steps that a certificate takes, which must be right.
fn steps(events: &[Event], ops: &[u64]) -> u64 {
    let operations = pair(events).unwrap();
    let members = places(&operations, &operations, ops).unwrap();
    let (left, verdict) = of_register(&operations, &members, STEPS);
    assert_eq!(verdict, Ok(()), "{ops:?}");
    STEPS - left
}

/// A long history, written quickly.
#[derive(Default)]
struct Long {
    events: Vec<Event>,
}

impl Long {
    fn push(&mut self, process: u64, kind: EventType, f: &str, value: Value) -> u64 {
        let mut event = Event::new(Process::Client(process), kind, f, value);
        event.index = self.events.len() as u64;
        self.events.push(event);
        self.events.len() as u64 - 1
    }

    /// A whole operation. Answers its name.
    fn ok(&mut self, f: &str, argument: Value, result: Value) -> u64 {
        let index = self.push(0, EventType::Invoke, f, argument);
        self.push(0, EventType::Ok, f, result);
        index
    }

    fn write(&mut self, value: impl Into<Value>) -> u64 {
        let value = value.into();
        self.ok("write", value.clone(), value)
    }

    fn cas(&mut self, old: impl Into<Value>, new: impl Into<Value>) -> u64 {
        let argument = json!([old.into(), new.into()]);
        self.ok("cas", argument.clone(), argument)
    }

    fn read(&mut self, value: impl Into<Value>) -> u64 {
        self.ok("read", Value::Null, value.into())
    }

    /// A condition on `old` that was refused, and nothing more was said.
    fn refused(&mut self, old: impl Into<Value>) -> u64 {
        let index = self.push(0, EventType::Invoke, "cas", json!([old.into(), -1]));
        self.push(0, EventType::Fail, "cas", Value::Null);
        self.events[index as usize + 1].error = Some(json!("condition-failed").into());
        index
    }
}

/// A new value seen, and then the old one again.
#[test]
fn a_stale_read_is_proven_by_three_operations() {
    use CertificateFault::{NotNeeded, ProvesNothing};
    let events = HistoryBuilder::new().write(0, 1).write(0, 2).read(1, 2).read(1, 1).read(2, 2).events();
    assert_eq!(verdict(&events, &[0, 2, 6]), Ok(()));
    assert_eq!(
        verdict(&events, &[0, 4, 6]),
        Ok(()),
        "2 was seen after 1 was written, and before it was seen"
    );
    assert_eq!(verdict(&events, &[4, 6, 8]), Ok(()), "2 was not written twice");
    assert_eq!(verdict(&events, &[2, 6]), Err(ProvesNothing), "1 may have been written late");
    assert_eq!(verdict(&events, &[2, 4, 6]), Err(ProvesNothing));
    assert_eq!(verdict(&events, &[0, 2, 4, 6]), Err(NotNeeded { index: 2 }));
}

#[test]
fn what_is_no_certificate_is_told() {
    let events = HistoryBuilder::new().on("a").write(0, 1).on("b").write(1, 2).read(1, 1).events();
    let of = |key: &str, ops: &[u64]| {
        verify(&events, "register", &Anomaly { key: Some(key.into()), ..anomaly(ops) })
    };
    assert_eq!(of("b", &[4]), Ok(()));
    assert_eq!(of("b", &[]), Err(CertificateFault::Empty));
    assert_eq!(of("b", &[5]), Err(CertificateFault::Stranger { index: 5 }));
    assert_eq!(of("b", &[4, 4]), Err(CertificateFault::Twice { index: 4 }));
    assert_eq!(of("b", &[0]), Err(CertificateFault::OtherKey { index: 0 }));
    assert_eq!(of("c", &[4]), Err(CertificateFault::OtherKey { index: 4 }));
    assert!(matches!(verify(&events[1..], "register", &anomaly(&[4])), Err(CertificateFault::Pair(_))));
    let undecided = verify(&events, "bank", &Anomaly { key: Some("b".into()), ..anomaly(&[4]) });
    assert!(undecided.is_err_and(|fault| !fault.is_defect()));
    let of = |key: &str, index| Anomaly { key: Some(key.into()), ..anomaly(&[index]) };
    let two = [of("b", 4), of("a", 0)];
    assert_eq!(verify_all(&events, "register", &two), [Ok(()), Err(CertificateFault::ProvesNothing)]);
}

/// How long a long history is here: the verifier's work must not depend on it.
const LONG: i64 = 20_000;

#[test]
fn a_long_chain_of_conditional_writes_is_two_steps() {
    let mut history = Long::default();
    history.write(0);
    (0..LONG).for_each(|n| {
        history.cas(n, n + 1);
    });
    let late = history.read(LONG);
    let early = history.read(5);
    assert!(steps(&history.events, &[late, early]) < 100);
    let other = history.read(LONG / 2);
    let fault = CertificateFault::NotNeeded { index: early };
    assert_eq!(verdict(&history.events, &[late, early, other]), Err(fault));
    // Each second value was also the end of an attempt to delete it, of which nobody heard again.
    let mut deleted = Long { events: history.events.split_off(0) };
    for n in 0..LONG / 2 {
        deleted.push(n as u64 + 1, EventType::Invoke, "cas", json!([2 * n, null]));
    }
    assert!(steps(&deleted.events, &[late, early]) < 100);
    let absent = deleted.read(Value::Null);
    let back = deleted.read(7);
    assert_eq!(verdict(&deleted.events, &[absent, back]), Err(CertificateFault::ProvesNothing));
    let fault = CertificateFault::NotNeeded { index: absent };
    assert_eq!(verdict(&deleted.events, &[late, absent, back]), Err(fault));
}

#[test]
fn deletes_by_the_thousand_are_looked_up() {
    let mut history = Long::default();
    (1..LONG).for_each(|n| {
        history.write(n);
        if n % 3 == 0 {
            history.write(Value::Null)
        } else {
            history.cas(n, Value::Null)
        };
    });
    let written = history.write(LONG);
    let absent = history.read(Value::Null);
    assert!(steps(&history.events, &[written, absent]) < 100);
    (1..LONG).for_each(|n| {
        history.cas(Value::Null, -n);
        history.cas(-n, Value::Null);
    });
    assert!(steps(&history.events, &[written, absent]) < 100);
    // After all of them someone saw a value, and then absence again.
    let absent_again = history.read(Value::Null);
    let back = history.read(-LONG / 2);
    let gone = history.read(Value::Null);
    let fault = CertificateFault::NotNeeded { index: absent_again };
    assert_eq!(verdict(&history.events, &[absent_again, back, gone]), Err(fault));
    assert_eq!(verdict(&history.events, &[absent_again, back]), Err(CertificateFault::ProvesNothing));
    assert!(steps(&history.events, &[back, gone]) < 200);
}

#[test]
fn indeterminate_and_repeated_writes_by_the_thousand_are_counted() {
    let mut history = Long::default();
    for n in 1..LONG {
        history.push(n as u64, EventType::Invoke, "write", json!(n));
        history.write(-n % 5);
        history.cas(-n % 5, -n % 7);
        history.cas(n % 3, Value::Null);
    }
    let seen = history.read(77);
    let other = history.read(78);
    let again = history.read(77);
    assert!(steps(&history.events, &[seen, other, again]) < 300);
    let common = history.read(-4);
    assert_eq!(verdict(&history.events, &[seen, common]), Err(CertificateFault::ProvesNothing));
    let fault = CertificateFault::NotNeeded { index: common };
    assert_eq!(verdict(&history.events, &[seen, other, again, common]), Err(fault));
}

#[test]
fn refusals_that_say_nothing_are_met_by_any_write() {
    let mut history = Long::default();
    (1..LONG).for_each(|n| {
        history.write(n);
        history.refused(n - 1);
    });
    let only = history.write(LONG);
    let refused = history.refused(LONG);
    let read = history.read(LONG);
    assert_eq!(verdict(&history.events, &[only, refused]), Err(CertificateFault::ProvesNothing));
    assert!(steps(&history.events, &[only, refused, read]) < 500);
    // Here every write has its place before the last one.
    let mut cas = Long::default();
    cas.write(0);
    (0..LONG).for_each(|n| {
        cas.cas(n, n + 1);
        cas.refused(n - 1);
    });
    let refused = cas.refused(LONG);
    let seen = cas.read(LONG);
    assert_eq!(verdict(&cas.events, &[refused, seen]), Err(CertificateFault::ProvesNothing));
    let before = cas.read(LONG);
    let refused = cas.refused(LONG);
    assert!(steps(&cas.events, &[before, refused]) < 500);
}

#[test]
fn certificates_of_other_models_are_verified_by_trying_everything() {
    let check = |model: &str, events: &[Event], ops: &[u64]| verify(events, model, &anomaly(ops));
    let invoke = |history: HistoryBuilder, process, f: &str, argument: i64| {
        history.invoke(process, f, argument).ok(process, argument)
    };
    // Two in order, and out of order.
    let history = invoke(invoke(HistoryBuilder::new(), 0, "enqueue", 1), 0, "enqueue", 2);
    let queue = history.invoke(1, "dequeue", ()).ok(1, 2).invoke(1, "dequeue", ()).ok(1, 1).events();
    assert_eq!(check("queue", &queue, &[0, 2, 4]), Ok(()));
    assert_eq!(check("queue", &queue, &[0, 2, 4, 6]), Err(CertificateFault::NotNeeded { index: 6 }));
    let fault = check("queue", &queue, &[0, 4, 6]);
    assert_eq!(fault, Err(CertificateFault::ProvesNothing), "2 may have come first");
    let history = invoke(invoke(HistoryBuilder::new(), 0, "add", 1), 0, "add", 1);
    let counter = history.read(1, 3).read(1, 2).events();
    assert_eq!(check("counter", &counter, &[4]), Ok(()));
    assert_eq!(check("counter", &counter, &[6]), Err(CertificateFault::ProvesNothing));
    assert_eq!(check("counter", &counter, &[4, 6]), Err(CertificateFault::NotNeeded { index: 6 }));
    assert_eq!(check("counter", &counter, &[6, 4, 4]), Err(CertificateFault::Twice { index: 4 }));
}

#[test]
fn what_the_checks_of_other_models_find_passes() {
    let mut queue = Long::default();
    for n in 0..6 {
        queue.ok("enqueue", json!(n), json!(n));
    }
    for n in [0, 2, 1, 3, 4, 5] {
        queue.ok("dequeue", Value::Null, json!(n));
    }
    let mut counter = Long::default();
    for n in 0..6 {
        counter.ok("add", json!(n), json!(n));
        counter.ok("read", Value::Null, json!(n * 2));
    }
    let mut mutex = Long::default();
    for process in 0..3 {
        mutex.push(process, EventType::Invoke, "acquire", Value::Null);
        mutex.push(process, EventType::Ok, "acquire", Value::Null);
    }
    for (model, history) in [("queue", queue), ("counter", counter), ("mutex", mutex)] {
        let checks = crate::checks_for(model, "linearizable").unwrap();
        let result = checks[0].check(&history.events, &crate::verdict::Budget::default());
        assert_eq!(result.anomalies.len(), 1, "{model}");
        assert_eq!(verify_all(&history.events, model, &result.anomalies), [Ok(())], "{model}: {result:?}");
    }
}
