//! Promises follow from the store, its settings and faults, and the page tells the same.

use super::*;
use crate::registry::workloads;

fn settings(of: &[(&str, &str)]) -> BTreeMap<String, String> {
    of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn faults(kinds: &[&str]) -> Vec<String> {
    kinds.iter().map(|kind| (*kind).to_owned()).collect()
}

/// The promise of the quorum style.
fn quorum(workload: &str, of: &[(&str, &str)], kinds: &[&str]) -> Option<&'static str> {
    let (settings, faults) = (settings(of), faults(kinds));
    System { store: Some("quorum"), settings: &settings, faults: &faults }.promise(workload).promise
}

/// The guarantees of the quorum style that hold.
fn held(of: &[(&str, &str)], kinds: &[&str]) -> Vec<&'static str> {
    let (settings, faults) = (settings(of), faults(kinds));
    let system = System { store: Some("quorum"), settings: &settings, faults: &faults };
    guarantees(&system).iter().filter(|row| row.holds).map(|row| row.guarantee.name()).collect()
}

const ALL_FAULTS: &[&str] = &["partition", "kill", "pause", "clock"];

#[test]
fn the_leader_and_endpoints_are_held_to_what_they_promise() {
    let (none, no_faults) = (BTreeMap::new(), Vec::new());
    let of = |store, workload| {
        System { store, settings: &none, faults: &no_faults }.promise(workload).promise.unwrap()
    };
    for (workload, leader, endpoint) in [
        ("register", "linearizable", "dynamodb-region"),
        ("cas-register", "linearizable", "dynamodb-region"),
        ("bank", "linearizable", "dynamodb-region"),
        ("set", "eventual", "eventual"),
        ("session", "eventual", "eventual"),
        ("lww", "linearizable", "eventual"),
        ("cart", "linearizable", "eventual"),
    ] {
        assert_eq!((of(Some("leader"), workload), of(None, workload)), (leader, endpoint), "{workload}");
    }
}

#[test]
fn the_quorum_store_s_default_is_eventual_under_all_faults() {
    for workload in ["register", "set", "cart", "session", "lww"] {
        assert_eq!(quorum(workload, &[], &[]), Some("eventual"), "{workload}");
        assert_eq!(quorum(workload, &[], ALL_FAULTS), Some("eventual"), "{workload}");
        assert_eq!(quorum(workload, &[("quorum", "strict")], ALL_FAULTS), Some("eventual"));
    }
}

#[test]
fn checks_are_told_what_the_settings_say() {
    let (lww, none) = (settings(&[("resolve", "lww")]), BTreeMap::new());
    let rules = |store, settings| System { store, settings, faults: &[] }.rules();
    assert_eq!(rules(Some("quorum"), &lww), Rules { lww: true, ordered_writes: false });
    assert_eq!(rules(Some("quorum"), &none), Rules { lww: false, ordered_writes: false });
    assert_eq!(rules(Some("leader"), &none), Rules { lww: false, ordered_writes: true });
    assert_eq!(rules(None, &none), Rules::default());
}

#[test]
fn a_cart_needs_siblings() {
    assert_eq!(quorum("cart", &[("resolve", "lww")], &[]), None);
    assert_eq!(quorum("set", &[("resolve", "lww")], &[]), Some("eventual"));
}

#[test]
fn without_repair_nothing_is_promised_once_something_breaks() {
    let off = [("anti-entropy", "off"), ("hints", "off")];
    assert_eq!(quorum("register", &off, &["partition"]), None);
    assert_eq!(quorum("register", &off, &[]), Some("eventual"));
    let no_anti_entropy = [("anti-entropy", "off")];
    assert_eq!(quorum("register", &no_anti_entropy, &["partition", "pause"]), Some("eventual"));
    assert_eq!(quorum("register", &no_anti_entropy, &["kill"]), None);
    let no_hints = [("hints", "off"), ("read-repair", "off")];
    assert_eq!(quorum("register", &no_hints, ALL_FAULTS), Some("eventual"));
}

#[test]
fn reading_all_owners_under_one_order_of_timestamps_is_causal() {
    let all = [("quorum", "strict"), ("r", "3"), ("w", "1"), ("resolve", "lww")];
    for workload in REGISTERS {
        assert_eq!(quorum(workload, &all, &["partition", "kill", "pause"]), Some("causal"));
        assert_eq!(quorum(workload, &all, &["clock"]), Some("eventual"));
        assert_eq!(quorum(workload, &[&all[..], &[("n", "5")]].concat(), &[]), Some("eventual"));
        assert_eq!(quorum(workload, &[&all[..], &[("resolve", "siblings")]].concat(), &[]), Some("eventual"));
        assert_eq!(quorum(workload, &[&all[..], &[("quorum", "sloppy")]].concat(), &[]), Some("eventual"));
    }
    assert_eq!(quorum("set", &all, &[]), Some("eventual"));
}

#[test]
fn each_guarantee_follows_from_the_quorum() {
    let strict = |r, w, resolve| [("quorum", "strict"), ("r", r), ("w", w), ("resolve", resolve)];
    const RYW: &str = "read-your-writes";
    const MR: &str = "monotonic-reads";
    const MW: &str = "monotonic-writes";
    const WFR: &str = "writes-follow-reads";
    let none: &[&str] = &[];
    assert_eq!(held(&[], &[]), none, "R = 1 and W = 2 of 3, sloppy");
    assert_eq!(held(&[("r", "3"), ("w", "3")], &[]), none, "sloppy, whatever R and W are");
    assert_eq!(held(&strict("1", "2", "siblings"), &[]), none);
    assert_eq!(held(&strict("2", "2", "siblings"), &[]), [RYW]);
    assert_eq!(held(&strict("1", "3", "siblings"), &[]), [RYW, MW]);
    assert_eq!(held(&strict("3", "1", "siblings"), &[]), [RYW, MR]);
    assert_eq!(held(&strict("3", "3", "siblings"), &[]), [RYW, MR, MW]);
    assert_eq!(held(&strict("2", "2", "lww"), &[]), [RYW, MW]);
    assert_eq!(held(&strict("1", "1", "lww"), &[]), none);
    assert_eq!(held(&strict("3", "1", "lww"), &[]), [RYW, MR, MW, WFR]);
    assert_eq!(held(&strict("3", "3", "lww"), &["clock"]), [MR], "clocks break what timestamps order");
    assert_eq!(held(&strict("3", "1", "lww"), &["partition", "kill"]), [RYW, MR, MW, WFR]);
}

#[test]
fn sessions_are_promised_exactly_where_all_four_guarantees_hold() {
    let mut strongest = 0;
    for n in ["1", "2", "3"] {
        for (r, w) in ["1", "2", "3"].iter().flat_map(|r| ["1", "2", "3"].map(|w| (*r, w))) {
            for (style, resolve) in
                ["sloppy", "strict"].iter().flat_map(|q| ["siblings", "lww"].map(|resolve| (*q, resolve)))
            {
                for kinds in [&[][..], &["clock"], &["partition", "kill"], ALL_FAULTS] {
                    let of = [("n", n), ("r", r), ("w", w), ("quorum", style), ("resolve", resolve)];
                    if r > n || w > n {
                        continue;
                    }
                    let all = held(&of, kinds).len() == 4;
                    strongest += u32::from(all);
                    let expected = if all { "causal" } else { "eventual" };
                    assert_eq!(quorum("session", &of, kinds), Some(expected), "{of:?} {kinds:?}");
                }
            }
        }
    }
    assert!(strongest > 0);
}

#[test]
fn every_row_decides_somewhere_and_has_a_reason() {
    for (i, row) in PROMISES.iter().enumerate() {
        assert!(row.why.len() > 30, "{}", row.why);
        let hides = |earlier: &Row| {
            earlier.store == row.store && earlier.when.is_empty() && earlier.workloads.is_empty()
        };
        assert!(!PROMISES[..i].iter().any(hides), "row {i} is hidden");
    }
    for guarantee in Guarantee::ALL {
        let rows: Vec<_> = GUARANTEES.iter().filter(|row| row.guarantee == guarantee).collect();
        assert!(rows.iter().any(|row| row.holds) && rows.iter().any(|row| !row.holds));
        assert!(rows.last().is_some_and(|row| row.when.is_empty()));
    }
}

#[test]
fn every_workload_can_be_held_to_its_promises_and_to_nothing_meaningless() {
    let (none, no_faults) = (BTreeMap::new(), Vec::new());
    for workload in workloads() {
        for store in workload.stores.iter().map(|store| Some(*store)).chain([None]) {
            let system = System { store, settings: &none, faults: &no_faults };
            let promise = system.promise(workload.name).promise.unwrap();
            assert!(workload.promises.contains(&promise), "{}: {promise}", workload.name);
        }
        for promise in workload.promises {
            assert_eq!(why_meaningless(workload.name, promise), None);
        }
    }
}

#[test]
fn a_workload_s_rows_are_those_that_can_count() {
    let listed = of_workload("cart", &["quorum"]);
    let rows: Vec<_> = listed.iter().map(|row| (row.system, row.when.as_str(), row.promise)).collect();
    let expected = [
        ("quorum", "resolve=lww", "nothing"),
        ("quorum", "anti-entropy=off, hints=off, with faults", "nothing"),
        ("quorum", "anti-entropy=off, with kill faults", "nothing"),
        ("quorum", "", "eventual"),
        ("endpoint", "", "eventual"),
    ];
    assert_eq!(rows, expected);
    let register = of_workload("register", &["leader", "quorum"]);
    assert!(register.iter().any(|row| row.promise == "causal" && row.when.contains("r=n")));
    assert_eq!(register[0].promise, "linearizable");
}

#[test]
fn the_page_of_promises_has_every_row() {
    let page = include_str!("../../../docs/promises.md");
    let has = |promise: &str, when: &str, why: &str| {
        page.lines().any(|line| {
            let line = line.replace('`', "");
            line.contains(promise) && line.contains(why) && line.contains(when)
        })
    };
    for row in PROMISES {
        assert!(has(row.promise.unwrap_or("nothing"), &words(row.when), row.why), "{}", row.why);
    }
    for row in of_sessions() {
        assert!(has(row.promise, &row.when, row.why), "{}", row.why);
    }
}
