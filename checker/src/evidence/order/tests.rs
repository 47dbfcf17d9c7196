//! Right orders pass; each way to be wrong is told by its name.

use serde_json::json;

use super::*;
use crate::history::{HistoryBuilder, pair};
use crate::model::register::{Register, Symbol};

fn write(value: Symbol, call: u32, ret: u32) -> Job<RegisterOp> {
    Job { op: RegisterOp { need: Need::Any, set: Some(value) }, call, ret, must: true }
}

fn read(value: Symbol, call: u32, ret: u32) -> Job<RegisterOp> {
    Job { op: RegisterOp { need: Need::Is(value), set: None }, call, ret, must: true }
}

/// ```text
/// 0  |--- write 1 ---|
/// 1      |- read 0 -|
/// 2                      |- read 1 -|
/// 3  |--- write 2 (may have happened) ...
/// ```
fn jobs() -> Vec<Job<RegisterOp>> {
    let maybe = Job { must: false, ..write(2, 1, u32::MAX) };
    vec![write(1, 0, 4), read(ABSENT, 2, 3), read(1, 5, 6), maybe]
}

/// Both variants say the same.
fn both(jobs: &[Job<RegisterOp>], order: &[u32]) -> Result<(), OrderFault> {
    let direct = replay(jobs, order);
    assert_eq!(direct, replay_with(&Register, jobs, order));
    direct
}

#[test]
fn right_orders_pass() {
    assert_eq!(both(&[], &[]), Ok(()));
    assert_eq!(both(&jobs(), &[1, 0, 2]), Ok(()));
    assert_eq!(both(&jobs(), &[1, 3, 0, 2]), Ok(()));
    assert_eq!(both(&jobs(), &[1, 0, 2, 3]), Ok(()));
}

#[test]
fn wrong_orders_do_not() {
    use OrderFault::{Missing, OutOfTime, Stranger, Twice, Unexplained};
    assert_eq!(both(&jobs(), &[1, 0]), Err(Missing { name: 2 }));
    assert_eq!(both(&jobs(), &[1, 0, 0, 2]), Err(Twice { name: 0 }));
    assert_eq!(both(&jobs(), &[1, 0, 2, 7]), Err(Stranger { name: 7 }));
    assert_eq!(both(&jobs(), &[0, 1, 2]), Err(Unexplained { name: 1 }));
    assert_eq!(both(&jobs(), &[3, 1, 0, 2]), Err(Unexplained { name: 1 }));
    assert_eq!(both(&jobs(), &[1, 2, 0]), Err(OutOfTime { name: 0, after: 2 }));
    let touching = [write(1, 0, 3), read(ABSENT, 3, 5)];
    assert_eq!(both(&touching, &[1, 0]), Ok(()), "intervals are closed");
}

#[test]
fn needs_are_those_of_the_table() {
    let with = |need, set| {
        let op = RegisterOp { need, set };
        both(&[write(1, 0, 1), Job { op, call: 2, ret: 3, must: true }], &[0, 1])
    };
    let wrong = Err(OrderFault::Unexplained { name: 1 });
    assert_eq!(with(Need::Not(2), None), Ok(()));
    assert_eq!(with(Need::Not(1), None), wrong);
    assert_eq!(with(Need::Is(1), Some(2)), Ok(()));
    assert_eq!(with(Need::Is(2), Some(1)), wrong);
    assert_eq!(with(Need::Never, None), wrong);
}

#[test]
fn a_recorded_history_is_replayed_by_the_contracts_table() {
    let events = HistoryBuilder::new()
        .invoke(0, "write", 1)
        .read(1, ())
        .ok_observed(0, ())
        .invoke(2, "write", 3)
        .invoke(3, "cas", json!([1, 2]))
        .condition_met(3, 3)
        .info(2)
        .cas(4, 3, 4)
        .invoke(5, "write", 9)
        .fail(5)
        .events();
    let operations = pair(&events).unwrap();
    let index: Vec<u64> = operations.iter().map(|operation| operation.index).collect();
    let order = |places: &[usize]| {
        let order: Vec<u64> = places.iter().map(|&place| index[place]).collect();
        explains(&operations, &order)
    };
    assert_eq!(order(&[1, 0, 2, 3, 4]), Ok(()));
    assert_eq!(order(&[1, 0, 3, 2, 4]), Err(OrderFault::Unexplained { name: index[3] }));
    assert_eq!(order(&[0, 1, 2, 3, 4]), Err(OrderFault::Unexplained { name: index[1] }));
    assert_eq!(order(&[1, 0, 2, 4, 3]), Err(OrderFault::OutOfTime { name: index[3], after: index[4] }));
    assert_eq!(order(&[1, 0, 2, 4]), Err(OrderFault::Missing { name: index[3] }));
    assert_eq!(order(&[1, 0, 5]), Err(OrderFault::Stranger { name: index[5] }), "it failed for certain");
}
