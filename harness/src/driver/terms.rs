//! What a run is held to beyond its promise, and what the checks are told of the system: [`Terms`].
//!
//! `growler test` and `growler check` share the options and the rules by which terms follow from them, so that
//! a recorded run is judged again as it was judged at first: `check` finds the system and the bounds in
//! `test.json`, and an option of its own goes before. A system of which nothing is known gets cautious terms:
//! failures noticed after [`SLOW`], and a side of a partition able to serve once it has most of the nodes.

use std::collections::BTreeMap;
use std::time::Duration;

use growler_checker::convergence::availability::Floor;
use growler_checker::promise::Terms;
use growler_results::test_file::TestFile;
use growler_store::node::{Limits, Style, limits};
use growler_workloads::promises::System;

use crate::cli::Bounds;

/// How long endpoints are taken to take until they notice that a node is gone.
const SLOW: Duration = Duration::from_secs(5);

/// The terms of a system with this many nodes.
pub(crate) fn terms(system: &System<'_>, nodes: usize, bounds: Bounds) -> Terms {
    let Limits { detection, writable } = limits_of(system, nodes);
    let share = bounds.min_availability.unwrap_or_default();
    let floor = Floor { share, after: detection, nodes: writable, writes_only: true };
    Terms { rules: system.rules(), max_staleness: bounds.max_staleness, floor: Some(floor) }
}

/// What is known of how the system bears the loss of nodes.
pub(crate) fn limits_of(system: &System<'_>, nodes: usize) -> Limits {
    let style = system.store.and_then(|name| name.parse::<Style>().ok());
    let known = style.and_then(|style| limits(style, nodes, system.settings).ok());
    known.unwrap_or(Limits { detection: SLOW, writable: nodes / 2 + 1 })
}

/// The terms of a recorded run; nothing is known of a history that comes without one.
pub(crate) fn recorded_terms(test: Option<&TestFile>, bounds: Bounds) -> Terms {
    let Some(test) = test else {
        // Of a cluster of which nothing is known, every side is held to the floor.
        let floor = |share| Floor { share, after: SLOW, nodes: 1, writes_only: true };
        let floor = bounds.min_availability.map(floor);
        return Terms { max_staleness: bounds.max_staleness, floor, ..Terms::default() };
    };
    let settings = test.options.get("set").cloned().unwrap_or_default();
    let settings: BTreeMap<String, String> = serde_json::from_value(settings).unwrap_or_default();
    let store = test.options.get("store").and_then(serde_json::Value::as_str);
    let system = System { store, settings: &settings, faults: &[] };
    terms(&system, test.nodes.len(), bounds.or_recorded(test))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_recorded_run_keeps_its_bounds_and_an_option_goes_before_them() {
        let options =
            json!({"store": "quorum", "set": {"w": "1"}, "max-staleness": "500ms", "min-availability": 0.9});
        let test = TestFile {
            options: options.as_object().cloned().unwrap_or_default(),
            nodes: ["n1", "n2", "n3", "n4", "n5"].map(str::to_owned).to_vec(),
            ..TestFile::default()
        };
        let terms = recorded_terms(Some(&test), Bounds::default());
        assert_eq!(terms.max_staleness, Some(Duration::from_millis(500)));
        let floor = terms.floor.expect("a floor");
        assert_eq!((floor.share, floor.nodes, floor.after), (0.9, 1, Duration::from_secs(2)));
        assert!(!terms.rules.ordered_writes);
        let mine = Bounds { max_staleness: Some(Duration::from_secs(3)), min_availability: None };
        assert_eq!(recorded_terms(Some(&test), mine).max_staleness, Some(Duration::from_secs(3)));
    }

    #[test]
    fn of_endpoints_little_is_taken_for_granted() {
        let settings = BTreeMap::new();
        let system = System { store: None, settings: &settings, faults: &[] };
        assert_eq!(limits_of(&system, 5), Limits { detection: SLOW, writable: 3 });
    }
}
