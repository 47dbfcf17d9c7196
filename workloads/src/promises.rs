//! What a system is held to when the user names no promise, as data with the reason of each row.
//!
//! A promise that a system never made proves nothing when it breaks, so the default is what its makers
//! promise: the bundled leader store linearizability, the quorum store agreement in the end, an endpoint what
//! DynamoDB promises in one region.

use std::collections::BTreeMap;

/// One default: for which system, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Default {
    /// Style of the bundled store. None: endpoints.
    pub store: Option<&'static str>,
    /// The workload that it is for. None: all.
    pub workload: Option<&'static str>,
    /// A setting of the store that it is for. None: whatever the settings.
    pub setting: Option<(&'static str, &'static str)>,
    /// The promise.
    pub promise: &'static str,
    /// Why.
    pub why: &'static str,
}

/// A workload whose history says nothing about a promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaningless {
    /// The workload.
    pub workload: &'static str,
    /// The promise.
    pub promise: &'static str,
    /// Why.
    pub why: &'static str,
}

/// The defaults. The first row that matches decides.
pub const DEFAULTS: &[Default] = &[
    Default {
        store: Some("leader"),
        workload: None,
        setting: None,
        promise: "linearizable",
        why: "a leader orders every write of its partition, and strong reads go through it",
    },
    Default {
        store: Some("quorum"),
        workload: None,
        setting: None,
        promise: "eventual",
        why: "every owner takes writes, and a read may miss what other owners took: all that is promised is \
              that they agree in the end",
    },
    Default {
        store: None,
        workload: None,
        setting: None,
        promise: "dynamodb-region",
        why: "in one region DynamoDB promises linearizable single items, serializable transactions, and pages \
              of a Query that are no snapshot",
    },
];

/// What is refused with a reason rather than checked.
pub const MEANINGLESS: &[Meaningless] = &[Meaningless {
    workload: "bank",
    promise: "linearizable",
    why: "a total by Query in several pages is no single moment, and nobody promises that it is",
}];

/// The promise that a system is held to when none is named. `store` is the bundled store's style; none for
/// endpoints.
#[must_use]
pub fn default_promise(
    store: Option<&str>,
    workload: &str,
    settings: &BTreeMap<String, String>,
) -> &'static str {
    let applies = |row: &&Default| {
        row.store == store
            && row.workload.is_none_or(|name| name == workload)
            && row.setting.is_none_or(|(key, value)| settings.get(key).is_some_and(|set| set == value))
    };
    DEFAULTS.iter().find(applies).map_or("dynamodb-region", |row| row.promise)
}

/// Why `workload` cannot be held to `promise`, where there is a reason worth telling.
#[must_use]
pub fn why_meaningless(workload: &str, promise: &str) -> Option<&'static str> {
    MEANINGLESS.iter().find(|row| row.workload == workload && row.promise == promise).map(|row| row.why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::workloads;

    #[test]
    fn the_default_is_what_the_makers_promise() {
        let none = BTreeMap::new();
        assert_eq!(default_promise(Some("leader"), "register", &none), "linearizable");
        assert_eq!(default_promise(Some("quorum"), "register", &none), "eventual");
        assert_eq!(default_promise(None, "bank", &none), "dynamodb-region");
    }

    #[test]
    fn every_workload_can_be_held_to_its_defaults_and_to_nothing_meaningless() {
        for workload in workloads() {
            for store in workload.stores.iter().map(|store| Some(*store)).chain([None]) {
                let promise = default_promise(store, workload.name, &BTreeMap::new());
                assert!(workload.promises.contains(&promise), "{}: {promise}", workload.name);
            }
            for promise in workload.promises {
                assert_eq!(why_meaningless(workload.name, promise), None);
            }
        }
    }
}
