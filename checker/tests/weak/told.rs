//! Small histories by hand, with what a store says of its versions.

use growler_checker::history::HistoryBuilder;
use serde_json::{Map, Value};

/// The last event carries these dots, and this clock: `"n1:2 n2:1"`.
pub(crate) fn clock(history: HistoryBuilder, dots: &str, clock: &str) -> HistoryBuilder {
    let dots = dots.replace(' ', "|");
    let clock: Map<String, Value> = clock
        .split_whitespace()
        .map(|dot| dot.rsplit_once(':').expect("actor:counter"))
        .map(|(actor, counter)| (actor.to_owned(), counter.parse::<u64>().expect("a counter").into()))
        .collect();
    history.edit(|event| {
        event.extra_mut().version = Some(dots.into());
        event.extra_mut().context = Some(Value::Object(clock).into());
    })
}

/// The last event carries this timestamp.
pub(crate) fn stamp(history: HistoryBuilder, ns: i64, node: &str) -> HistoryBuilder {
    history.edit(|event| event.extra_mut().timestamp = Some(serde_json::json!([ns, node]).into()))
}

/// The last event carries this version number.
pub(crate) fn number(history: HistoryBuilder, number: i64) -> HistoryBuilder {
    history.edit(|event| event.extra_mut().version = Some(number.into()))
}
