//! Each kind of fault, in histories in which it is certain what must be found; and the quick answer against the check
//! of whole copies.

use serde_json::{Value, json};

use super::super::Balances;
use super::*;
use crate::anomaly;
use crate::history::{EventType, HistoryBuilder, Process};
use crate::sensitivity::Tally;

const PLAN: SensitivityPlan<'_> =
    SensitivityPlan { seed: 1, injections: 100, operations: 1_000_000, stop: None };

/// A bank of two accounts with 10 each.
fn bank() -> Bank {
    Bank::new(Balances::from([("a".to_owned(), 10), ("b".to_owned(), 10)]))
}

fn moved(amount: i64) -> Value {
    json!({"from": "a", "to": "b", "amount": amount})
}

fn holds(a: i64, b: i64) -> Value {
    json!({"a": a, "b": b})
}

fn tally(history: HistoryBuilder, kind: &str) -> Tally {
    let measured = bank().sensitivity(&history.events(), &PLAN).expect("there are places");
    measured.kinds[kind].clone()
}

/// Places, and how many of the faults there were refuted.
fn found(tally: &Tally) -> (u64, u64) {
    assert_eq!(tally.places, tally.injected);
    (tally.places, tally.refuted)
}

fn reasons_of(tally: &Tally) -> Vec<&str> {
    tally.rest.keys().map(String::as_str).collect()
}

/// A read in pages.
fn in_pages(history: HistoryBuilder, process: u64, balances: Value) -> HistoryBuilder {
    history.read(process, balances).edit(|event| event.via = Some("query".into()))
}

fn transfer(history: HistoryBuilder, process: u64, from: &str, to: &str, amount: i64) -> HistoryBuilder {
    let argument = json!({"from": from, "to": to, "amount": amount});
    history.invoke(process, "transfer", argument.clone()).ok(process, argument)
}

#[test]
fn a_read_beside_a_transfer_may_be_torn_and_is_found() {
    let beside =
        || HistoryBuilder::new().invoke(0, "transfer", moved(3)).read(1, holds(10, 10)).ok(0, moved(3));
    let tally_of_it = tally(beside(), "torn-read");
    assert_eq!(found(&tally_of_it), (1, 1));
    let with_others = in_pages(beside().read(1, holds(7, 13)), 1, holds(7, 13));
    let measured = tally(with_others, "torn-read");
    assert_eq!(
        found(&measured),
        (1, 1),
        "nothing can tear a read that is alone, or one that promises no moment"
    );
}

#[test]
fn a_read_beside_what_never_certainly_moved_is_torn_by_nothing() {
    let unanswered =
        HistoryBuilder::new().invoke(0, "transfer", moved(3)).read(1, holds(10, 10)).info(0).events();
    assert_eq!(bank().sensitivity(&unanswered, &PLAN), None, "nobody said that it was made");
}

#[test]
fn half_a_transfer_is_found_by_whoever_adds_up_later() {
    let made = || HistoryBuilder::new().invoke(0, "transfer", moved(3)).ok(0, moved(3));
    assert_eq!(found(&tally(made().read(1, holds(7, 13)), "half-transfer")), (1, 1));
    // An account that was emptied since has not what half the transfer did not bring.
    let emptied = transfer(made(), 0, "b", "a", 13).read(1, holds(20, 0));
    assert_eq!(found(&tally(emptied, "half-transfer")), (2, 2));
}

#[test]
fn half_a_transfer_is_not_found_without_a_later_read_of_one_moment() {
    let made = || HistoryBuilder::new().invoke(0, "transfer", moved(3)).ok(0, moved(3));
    for (history, reason) in [
        (made(), "no-later-read"),
        (
            HistoryBuilder::new().read(1, holds(10, 10)).invoke(0, "transfer", moved(3)).ok(0, moved(3)),
            "no-later-read",
        ),
        (in_pages(made(), 1, holds(7, 13)), "indistinguishable"),
        (
            HistoryBuilder::new().invoke(0, "transfer", moved(3)).read(1, holds(7, 13)).ok(0, moved(3)),
            "concurrent",
        ),
    ] {
        let measured = tally(history, "half-transfer");
        assert_eq!((found(&measured), reasons_of(&measured)), ((1, 0), vec![reason]));
    }
}

#[test]
fn a_history_that_does_not_pass_is_not_measured() {
    let wrong = HistoryBuilder::new().invoke(0, "transfer", moved(3)).ok(0, moved(3)).read(1, holds(7, 10));
    assert_eq!(bank().sensitivity(&wrong.events(), &PLAN), None);
}

/// A bank that keeps its promises, with three accounts, six clients, and reads of both sorts.
fn honest(seed: u64, steps: u64) -> Vec<Event> {
    let mut dice = Dice::new(seed, 7);
    let mut held = [4_i64; 3];
    let mut open: Vec<Option<(Event, EventType)>> = vec![None; 6];
    let mut events = Vec::new();
    for step in 0..steps {
        let who = dice.below(6) as usize;
        let event = match open[who].take() {
            None => {
                let (asked, answer) = one_operation(&mut dice, &mut held);
                let process = Process::Client(who as u64 + 6 * step);
                let invoked = Event { process, ..asked };
                open[who] = Some((Event { process, ..answer.0 }, answer.1));
                invoked
            }
            Some((answer, kind)) => Event { kind, ..answer },
        };
        events.push(Event { index: step, ..event });
    }
    events
}

/// What is asked for, and what is answered: it takes effect when it is invoked.
fn one_operation(dice: &mut Dice, held: &mut [i64; 3]) -> (Event, (Event, EventType)) {
    let event = |f: &str, value: Value| Event::new(Process::Client(0), EventType::Invoke, f, value);
    if dice.below(2) == 0 {
        let via = ["txn", "query"][dice.below(2) as usize];
        let via = |event: Event| Event { via: Some(via.into()), ..event };
        let shown = json!({"a": held[0], "b": held[1], "c": held[2]});
        return (via(event("read", Value::Null)), (via(event("read", shown)), EventType::Ok));
    }
    let from = dice.below(3) as usize;
    let to = (from + 1 + dice.below(2) as usize) % 3;
    let amount = 1 + dice.below(4) as i64;
    let names = ["a", "b", "c"];
    let asked = event("transfer", json!({"from": names[from], "to": names[to], "amount": amount}));
    let mut answer = asked.clone();
    if held[from] < amount {
        answer.error = Some(json!("condition-failed").into());
        return (asked, (answer, EventType::Fail));
    }
    held[from] -= amount;
    held[to] += amount;
    let kind = if dice.below(8) == 0 { EventType::Info } else { EventType::Ok };
    (asked, (answer, kind))
}

#[test]
fn the_quick_answer_is_that_of_the_check_of_the_whole_copy() {
    let books = Balances::from(["a", "b", "c"].map(|name| (name.to_owned(), 4)));
    let mut tried = [[0; 2]; Kind::ALL.len()];
    for seed in 0..300 {
        let events = honest(seed, 40);
        for bank in [Bank::new(books.clone()), Bank::from_history()] {
            assert_eq!(bank.check(&events, &Budget::default()).valid, Validity::Valid, "seed {seed}");
            let subject = Subject::new(&bank, &events).expect("a history");
            for kind in Kind::ALL {
                for place in 0..subject.places(kind) {
                    let fault = Fault { kind, place };
                    let quick = subject.outcome(fault, seed).is_ok();
                    let copy = subject.slip(fault, seed).map(|slip| subject.copy(&slip));
                    let answer = copy.map(|copy| bank.check(&copy, &Budget::default()));
                    let whole = answer.as_ref().is_ok_and(|answer| answer.valid == Validity::Invalid);
                    let below_zero =
                        answer.is_ok_and(|answer| answer.stats.contains_key(anomaly::NEGATIVE_VALUE));
                    assert!(!below_zero, "seed {seed}, {fault:?}");
                    assert_eq!(quick, whole, "seed {seed}, {fault:?}");
                    tried[kind as usize][usize::from(quick)] += 1;
                }
            }
        }
    }
    assert!(tried.iter().all(|[_, found]| *found > 100), "{tried:?}");
    assert!(tried[Kind::HalfTransfer as usize][0] > 100, "{tried:?}");
}

#[test]
fn the_same_seed_gives_the_same_numbers_and_a_small_plan_few_faults() {
    let events = honest(5, 4_000);
    let books = Balances::from(["a", "b", "c"].map(|name| (name.to_owned(), 4)));
    let measure = |plan| Bank::new(books.clone()).sensitivity(&events, &plan).expect("places");
    assert_eq!(measure(PLAN), measure(PLAN));
    let kinds = |plan| measure(plan).kinds.into_values().map(|tally| tally.injected).collect::<Vec<_>>();
    assert_eq!(kinds(PLAN), [100, 100]);
    assert_eq!(kinds(SensitivityPlan { injections: 7, ..PLAN }), [7, 7]);
    assert_eq!(kinds(SensitivityPlan { operations: 20, ..PLAN }), [10, 10]);
    let stop = std::sync::atomic::AtomicBool::new(true);
    let least = sampling::LEAST;
    assert_eq!(kinds(SensitivityPlan { stop: Some(&stop), ..PLAN }), [least, least]);
}
