//! What answers include and lack, one order after the other.

use serde_json::{Value, json};

use super::*;
use crate::history::HistoryBuilder;

/// The last answer carries a version, a clock and a timestamp.
fn told(history: HistoryBuilder, version: &str, clock: Value, stamp: Option<(i64, &str)>) -> HistoryBuilder {
    history.edit(|event| {
        let extra = event.extra_mut();
        extra.version = Some(version.into());
        extra.context = Some(clock.into());
        extra.timestamp = stamp.map(|(ns, node)| json!([ns, node]).into());
    })
}

fn book(events: &[Event], lww: bool) -> Book<'_> {
    Book::new(events, Rules { lww, ordered_writes: true }).expect("a history")
}

#[test]
fn clocks_cover_include_and_meet() {
    let dot = |actor, counter| Dot { actor, counter };
    let clock = [dot(1, 3), dot(4, 1)];
    assert!(covers(&clock, dot(1, 3)) && !covers(&clock, dot(1, 4)) && !covers(&clock, dot(2, 1)));
    assert!(includes(&clock, &[dot(1, 2), dot(4, 1)]) && includes(&clock, &[]));
    assert!(!includes(&clock, &[dot(1, 2), dot(4, 2)]) && !includes(&clock, &[dot(0, 1), dot(1, 1)]));
    assert!(!includes(&clock, &[dot(5, 1)]) && includes(&clock, &[dot(4, 1)]));
    assert!(meet(&clock, &[dot(4, 9)]) && !meet(&clock, &[dot(2, 1), dot(5, 1)]) && !meet(&clock, &[]));
    let mut grown = clock.to_vec();
    for one in [dot(4, 7), dot(2, 1), dot(1, 1)] {
        add(&mut grown, one);
    }
    assert_eq!(grown, [dot(1, 3), dot(2, 1), dot(4, 7)]);
}

#[test]
fn a_clock_includes_the_dots_that_it_covers() {
    let mut history = HistoryBuilder::new().on("k");
    history = told(history.write(0, 1), "n1/1:1", json!({"n1/1": 1}), None);
    history = told(history.write(1, 2), "n2/1:1", json!({"n2/1": 1}), None);
    history = told(history.read(2, 2), "n2/1:1", json!({"n2/1": 1}), None);
    history = told(history.read(2, 1), "n1/1:1|n2/1:1", json!({"n1/1": 1, "n2/1": 1}), None);
    let events = history.events();
    let book = book(&events, false);
    assert_eq!(book.orders, [Order::Clock]);
    assert!(book.lacks(2, 0) && !book.lacks(2, 1), "the first read saw one of two");
    assert!(!book.lacks(3, 0) && !book.lacks(3, 1) && !book.lacks(3, 2), "the second saw both");
    assert!(book.lacks(2, 3) && !book.lacks(1, 2));
    assert_eq!(book.writer(book.own_dot(1).unwrap()), Some(1));
    assert_eq!(
        book.dots(3).unwrap().iter().map(|&dot| book.show(dot)).collect::<Vec<_>>(),
        ["n1/1:1", "n2/1:1"]
    );
}

#[test]
fn a_key_that_may_have_been_forgotten_lacks_nothing() {
    let history = |value: Value, clock: Value| {
        let mut history = HistoryBuilder::new().on("k");
        history = told(history.write(0, 1), "n1/1:1", json!({"n1/1": 1, "n2/1": 4}), None);
        history = told(history.write(1, ()), "n2/1:5", json!({"n1/1": 1, "n2/1": 5}), None);
        let version = if value.is_null() { "" } else { "n3/7:1" };
        told(history.read(0, value), version, clock, None).events()
    };
    let lacks = |events: &[Event]| {
        let book = book(events, false);
        (book.lacks(2, 0), book.lacks(2, 1))
    };
    assert_eq!(lacks(&history(Value::Null, json!({}))), (false, false), "forgotten");
    assert_eq!(lacks(&history(3.into(), json!({"n3/7": 1}))), (false, false), "written again");
    assert_eq!(lacks(&history(3.into(), json!({"n2/1": 4}))), (true, true), "it knows the old state");
    // A delete that had ended before the write began does not explain that the write is missing.
    let mut before = HistoryBuilder::new().on("k");
    before = told(before.write(1, ()), "n2/1:5", json!({"n2/1": 5}), None);
    before = told(before.write(0, 1), "n1/1:1", json!({"n1/1": 1, "n2/1": 5}), None);
    before = told(before.read(0, ()), "", json!({}), None);
    let events = before.events();
    let line = book(&events, false);
    assert!(!line.lacks(2, 0) && line.lacks(2, 1), "the delete may be forgotten, the write after it not");
}

#[test]
fn timestamps_stand_in_a_line_and_nodes_break_ties() {
    let mut history = HistoryBuilder::new().on("k");
    let clock = |n: u64| json!({"n1/1": n});
    history = told(history.read(0, ()), "", json!({}), None);
    history = told(history.write(0, 1), "n1/1:1", clock(1), Some((5, "n1")));
    history = told(history.write(1, 2), "n1/1:2", clock(2), Some((5, "n2")));
    history = told(history.read(1, 1), "n1/1:1", clock(2), Some((5, "n1")));
    let events = history.events();
    let line = book(&events, true);
    assert_eq!(line.orders, [Order::Timestamp]);
    assert!(!line.lacks(3, 1) && line.lacks(3, 2), "older by the node, though its clock covers it");
    assert!(line.lacks(0, 1) && !line.lacks(1, 0));
    assert_eq!(book(&events, false).orders, [Order::Clock]);
    assert!(!book(&events, false).lacks(3, 2));
}

#[test]
fn numbers_stand_in_a_line_that_a_delete_may_break() {
    let numbered =
        |history: HistoryBuilder, n: i64| history.edit(|event| event.extra_mut().version = Some(n.into()));
    let mut history = HistoryBuilder::new().on("k");
    history = numbered(history.write(0, 1), -3);
    history = numbered(history.write(0, 2), 4);
    history = numbered(history.read(0, 1), -3).read(0, ());
    let events = history.clone().events();
    let line = book(&events, false);
    assert_eq!(line.orders, [Order::Integer]);
    assert!(line.lacks(2, 1) && !line.lacks(2, 0) && line.lacks(3, 0) && line.lacks(3, 2));
    let deleted = numbered(history.invoke(1, "write", ()).read(0, 1), 1).events();
    assert!(!book(&deleted, false).lacks(5, 1), "the delete is open, and numbers may begin anew");
}

#[test]
fn real_time_knows_what_was_over_before_a_write_began() {
    let events = HistoryBuilder::new()
        .on("k")
        .write(0, 1)
        .invoke(1, "write", 2)
        .write(0, 3)
        .info(1)
        .read(2, 1)
        .read(2, 2)
        .read(2, ())
        .read(2, 9)
        .read(2, 3)
        .events();
    let line = book(&events, false);
    assert_eq!(line.orders, [Order::RealTime]);
    assert!(line.lacks(3, 2) && !line.lacks(3, 0), "1 is older than 3");
    assert!(!line.lacks(4, 2), "2 was never answered: it may be newer");
    assert!(line.lacks(5, 0) && line.lacks(5, 2), "nobody deleted it");
    assert!(!line.lacks(6, 2), "nobody wrote 9");
    assert!(line.lacks(3, 7) && !line.lacks(4, 7) && !line.lacks(7, 3) && !line.lacks(2, 7));
    let unordered = Book::new(&events, Rules { lww: false, ordered_writes: false }).expect("a history");
    assert_eq!((unordered.orders[0], unordered.lacks(3, 2)), (Order::Nothing, false));
}

#[test]
fn what_is_malformed_or_failed_says_nothing() {
    let mut history = HistoryBuilder::new().on("k");
    history = told(history.write(0, 1), "n1", json!({"n1": -1}), None);
    history = told(history.read(0, 1), "n1:x", json!([1]), None);
    history = told(history.invoke(0, "write", 5).fail(0), "n1:1", json!({"n1": 1}), Some((1, "n1")));
    let events = history.events();
    let book = book(&events, true);
    assert_eq!(book.orders, [Order::RealTime]);
    assert!((0..3).all(|place| book.clock(place).is_none() && book.dots(place).is_none()));
    assert_eq!((book.actors(), book.entry_at(2).stamp), (0, None), "what failed is not read");
}
