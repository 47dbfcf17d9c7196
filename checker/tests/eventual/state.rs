//! What a replica of the simulated store holds of one key.

use std::collections::BTreeMap;

use serde_json::Value;

pub(crate) type Clock = BTreeMap<String, u64>;
pub(crate) type Stamp = (i64, String);

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Version {
    pub(crate) dot: (String, u64),
    pub(crate) value: Value,
    pub(crate) stamp: Stamp,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct State {
    pub(crate) clock: Clock,
    pub(crate) versions: Vec<Version>,
}

pub(crate) fn join(clock: &mut Clock, other: &Clock) {
    for (actor, &counter) in other {
        let own = clock.entry(actor.clone()).or_insert(0);
        *own = counter.max(*own);
    }
}

/// The sibling that is shown: values before tombstones, then the newest.
pub(crate) fn shown(state: &State) -> Option<&Version> {
    state
        .versions
        .iter()
        .max_by_key(|version| (!version.value.is_null(), version.stamp.clone(), version.dot.clone()))
}

/// The elements of all siblings.
pub(crate) fn merged(state: &State) -> Vec<Value> {
    let all = state.versions.iter().filter_map(|version| version.value.as_array()).flatten();
    let mut elements: Vec<i64> = all.filter_map(Value::as_i64).collect();
    elements.sort_unstable();
    elements.dedup();
    elements.into_iter().map(Value::from).collect()
}
