//! Simulated stores that never show what nobody wrote: no alarm, whatever was never answered, deleted, forgotten or
//! written at once. And the same stores when they answer with values, or versions, of another.

use growler_checker::history::{Event, EventType};
use growler_checker::provenance::Provenance;
use growler_checker::verdict::{Budget, Check, CheckResult, Validity};
use serde_json::json;

use super::simulation::{Replicas, Versions};

fn histories() -> u64 {
    100 * crate::times().min(100)
}

fn base() -> Replicas {
    Replicas {
        operations: 80,
        keys: 3,
        clients: 5,
        deletes: 0.4,
        unanswered: 0.2,
        hops: 0.5,
        ..Replicas::HEALTHY
    }
}

fn judge(events: &[Event]) -> CheckResult {
    Provenance::of("register").expect("a model").check(events, &Budget::default())
}

const ALL: [Versions; 4] = [Versions::Clocks, Versions::Timestamps, Versions::Numbers, Versions::Nothing];

#[test]
fn replicas_that_lag_behind_raise_no_alarm() {
    for versions in ALL {
        for (deletes, whole) in [(0.0, false), (0.4, true), (0.4, false)] {
            let plan = Replicas { versions, deletes, whole, lag_us: 4_000.0, ..base() };
            for seed in 0..histories() {
                let result = judge(&plan.run(seed));
                assert_eq!(
                    result.valid,
                    Validity::Valid,
                    "{versions:?}, {deletes} deletes, seed {seed}: {:#?}",
                    result.anomalies
                );
            }
        }
    }
}

/// A changed answer is found wherever it stands, and nothing else is.
#[test]
fn one_value_out_of_nowhere_is_found_in_each_of_them() {
    for versions in ALL {
        let plan = Replicas { versions, ..base() };
        for seed in 0..histories() {
            let mut events = plan.run(seed);
            let reads = events
                .iter_mut()
                .filter(|event| event.kind == EventType::Ok && event.f == "read" && !event.value.is_null());
            let Some(read) = reads.last() else { continue };
            read.value = json!(-1);
            let (key, process) = (read.key.clone(), read.process);
            let result = judge(&events);
            let found = &result.anomalies[0];
            assert_eq!(
                (result.anomalies.len(), found.kind.as_str()),
                (1, "phantom-value"),
                "{versions:?}, {seed}"
            );
            assert_eq!((found.key.clone(), found.ops.len()), (key, 1));
            let call = events.iter().find(|event| event.index == found.ops[0]).expect("an invocation");
            assert_eq!(call.process, process);
        }
    }
}

#[test]
fn versions_of_other_values_are_found_where_versions_are_shown() {
    for versions in [Versions::Clocks, Versions::Timestamps, Versions::Numbers] {
        let plan = Replicas { versions, deletes: 0.0, unanswered: 0.05, ..base() };
        let (mut swapped, mut found) = (0, 0);
        for seed in 0..histories() {
            let mut events = plan.run(seed);
            let acknowledged = |event: &&Event| event.kind == EventType::Ok && event.f == "write";
            let (writes, key): (Vec<_>, _) = {
                let key = events[0].key.clone();
                let of_key = events.iter().filter(acknowledged).filter(|event| event.key == key);
                (of_key.map(|event| (event.value.clone(), event.extra().clone())).collect(), key)
            };
            let shown = |event: &&mut Event| {
                event.kind == EventType::Ok && event.f == "read" && event.key == key && !event.value.is_null()
            };
            let Some(read) = events.iter_mut().filter(shown).last() else { continue };
            let single = read
                .extra()
                .version
                .as_ref()
                .is_none_or(|version| version.as_str().is_none_or(|dots| !dots.contains('|')));
            let is_own = writes.iter().any(|(value, _)| *value == read.value);
            let other = writes.iter().find(|(value, _)| *value != read.value);
            let Some((_, extra)) = other.filter(|_| single && is_own) else { continue };
            *read.extra_mut() = extra.clone();
            swapped += 1;
            found += u64::from(judge(&events).stats.contains_key("wrong-version"));
        }
        assert!(swapped > histories() / 2, "{versions:?}: only {swapped} histories have a place for it");
        assert_eq!(found, swapped, "{versions:?}");
    }
}
