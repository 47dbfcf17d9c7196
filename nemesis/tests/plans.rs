//! The rules that every random plan keeps, over many seeds, lengths and kinds.

#![allow(clippy::unwrap_used, reason = "tests, and helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};

use growler_nemesis::clock::MAX_DRIFT_PPM;
use growler_nemesis::cluster::{ClockSetting, Grudge};
use growler_nemesis::{
    Capabilities, DEFAULT_FAULTS, Plan, PlanError, PlanRequest, PlannedFault, fault, faults,
};
use proptest::prelude::*;

const SECOND: u64 = 1_000_000_000;
const MIN_WINDOW: u64 = 3 * SECOND / 2;

fn request(seed: u64, kinds: &[&str], nodes: usize, seconds: f64) -> PlanRequest {
    let start = 2 * SECOND;
    PlanRequest {
        seed,
        kinds: kinds.iter().map(|k| (*k).to_owned()).collect(),
        nodes: (1..=nodes).map(|i| format!("n{i}")).collect(),
        window: [start, start + (seconds * 1e9) as u64],
        min_window_ns: MIN_WINDOW,
        cover: 0.4,
        can: Capabilities { roles: true, peer_links: true },
    }
}

/// The stretches of time in which something is in force, merged.
fn busy(plan: &Plan) -> Vec<[u64; 2]> {
    let mut windows: Vec<[u64; 2]> = plan.faults.iter().map(|f| f.planned).collect();
    windows.sort_unstable();
    let mut merged: Vec<[u64; 2]> = Vec::new();
    for [begin, end] in windows {
        match merged.last_mut() {
            Some(last) if begin <= last[1] => last[1] = last[1].max(end),
            _ => merged.push([begin, end]),
        }
    }
    merged
}

/// The lengths of the stretches between faults in which nothing is in force.
fn calm(plan: &Plan) -> Vec<u64> {
    busy(plan).windows(2).map(|pair| pair[1][0] - pair[0][1]).collect()
}

fn overlap(a: &PlannedFault, b: &PlannedFault) -> bool {
    a.planned[0] < b.planned[1] && b.planned[0] < a.planned[1]
}

fn of<'a>(plan: &'a Plan, kind: &str) -> Vec<&'a PlannedFault> {
    plan.faults.iter().filter(|f| f.fault == kind).collect()
}

fn clocks(fault: &PlannedFault) -> BTreeMap<String, ClockSetting> {
    serde_json::from_value(fault.detail["clocks"].clone()).unwrap()
}

/// A leader is cut off, and soon after, while it still is, all clocks jump back.
fn leader_partition_meets_jump(plan: &Plan, nodes: usize) -> bool {
    let partitions = of(plan, "partition");
    let leaders = partitions.iter().filter(|p| p.detail["role"] == "leader" && p.detail["clients"] == false);
    let clock_faults = of(plan, "clock");
    leaders.into_iter().any(|p| {
        clock_faults.iter().any(|c| {
            let settings = clocks(c);
            settings.len() == nodes
                && settings.values().all(|s| s.offset_ns <= -5 * SECOND.cast_signed())
                && c.planned[0] > p.planned[0]
                && c.planned[0] - p.planned[0] <= SECOND / 2
                && p.planned[1] - c.planned[0] >= SECOND
        })
    })
}

fn check_rules(request: &PlanRequest, plan: &Plan) {
    let [start, end] = request.window;
    for kind in &request.kinds {
        assert!(plan.faults.iter().any(|f| f.fault == *kind), "{kind} is not planned");
    }
    for (id, fault) in plan.faults.iter().enumerate() {
        let [begin, over] = fault.planned;
        assert!(begin >= start && over <= end, "outside of the main phase");
        assert!(over - begin >= request.min_window_ns, "too short: {fault:?}");
        assert_eq!((fault.actual, fault.outcome, &fault.reason), (None, None, &None));
        assert!(fault.targets.iter().all(|t| request.nodes.contains(t)));
        fault::build(id, fault).map(|_| ()).unwrap();
    }
    assert!(plan.faults.is_sorted_by_key(|f| f.planned[0]));
    let covered: u64 = busy(plan).iter().map(|[a, b]| b - a).sum();
    assert!(covered as f64 >= request.cover * (end - start) as f64, "covers only {covered} ns");
}

fn kinds() -> impl Strategy<Value = Vec<&'static str>> {
    let all: Vec<&str> = faults().iter().map(|f| f.name).collect();
    proptest::sample::subsequence(all, 1..=5)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_plan_keeps_the_rules(
        seed: u64, kinds in kinds(), nodes in 1_usize..8, seconds in 1.0..120.0_f64, cover in 0.0..=0.9_f64,
        roles: bool, peer_links: bool,
    ) {
        let mut request = request(seed, &kinds, nodes, seconds);
        (request.cover, request.can) = (cover, Capabilities { roles, peer_links });
        match Plan::random(&request) {
            Ok(plan) => {
                check_rules(&request, &plan);
                prop_assert!(roles || plan.faults.iter().all(|f| f.detail.get("role").is_none()));
                prop_assert_eq!(&plan, &Plan::random(&request).unwrap(), "not from the seed alone");
            }
            Err(PlanError::TooShort { needed_s, .. }) => {
                prop_assert!(needed_s > seconds - 0.1);
                request.window[1] = request.window[0] + (needed_s * 1e9).ceil() as u64;
                check_rules(&request, &Plan::random(&request).unwrap());
            }
            Err(e) => panic!("{e}"),
        }
    }

    #[test]
    fn the_default_set_fits_into_nine_seconds_with_calm_to_recover_in(seed: u64) {
        let request = request(seed, &DEFAULT_FAULTS, 3, 9.0);
        let plan = Plan::random(&request).unwrap();
        check_rules(&request, &plan);
        prop_assert!(calm(&plan).iter().any(|gap| *gap >= MIN_WINDOW), "{:?}", calm(&plan));
        prop_assert!(leader_partition_meets_jump(&plan, 3));
    }

    #[test]
    fn thirty_seconds_hold_about_ten_faults_composed_and_with_calm_between(seed: u64) {
        let request = request(seed, &DEFAULT_FAULTS, 3, 27.0);
        let plan = Plan::random(&request).unwrap();
        check_rules(&request, &plan);
        prop_assert!((8..=16).contains(&plan.faults.len()), "{} faults", plan.faults.len());
        prop_assert!(plan.faults.iter().all(|f| f.planned[1] - f.planned[0] <= 5 * SECOND));
        prop_assert!(calm(&plan).iter().filter(|gap| **gap >= MIN_WINDOW).count() >= 3, "{:?}", calm(&plan));
        prop_assert!(leader_partition_meets_jump(&plan, 3));
        let meets = of(&plan, "kill").into_iter().any(|kill| {
            of(&plan, "pause").into_iter().any(|pause| {
                overlap(pause, kill) && kill.planned[0] > pause.planned[0] && pause.targets != kill.targets
            })
        });
        prop_assert!(meets, "no kill during a pause of another node");
    }
}

#[test]
fn over_a_few_plans_every_variant_comes_up() {
    let mut shapes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut leaders = BTreeSet::new();
    let (mut cut_clients, mut kept_clients) = (0, 0);
    for seed in 0..60 {
        let plan = Plan::random(&request(seed, &DEFAULT_FAULTS, 5, 27.0)).unwrap();
        for fault in plan.faults {
            let shape = fault.detail["shape"].as_str().unwrap().to_owned();
            shapes.entry(fault.fault.clone()).or_default().insert(shape);
            if fault.detail["role"] == "leader" {
                leaders.insert(fault.fault.clone());
            }
            if let Ok(grudge) = serde_json::from_value::<Grudge>(fault.detail["grudge"].clone()) {
                if grudge.contains_key("clients") { cut_clients += 1 } else { kept_clients += 1 }
            }
            if fault.fault == "clock" {
                assert!(clocks(&fault).values().all(|s| s.drift_ppm.abs() <= MAX_DRIFT_PPM));
            }
        }
    }
    let shapes = |kind: &str| shapes[kind].iter().map(String::as_str).collect::<Vec<_>>().join(" ");
    assert_eq!(shapes("partition"), "bridge halves isolate majorities-ring one-way-in one-way-out");
    assert_eq!(shapes("kill"), "all minority one");
    assert_eq!(shapes("pause"), "all minority one");
    assert_eq!(shapes("clock"), "drift drift-all jump jump-all jump-and-drift jump-back-all");
    assert_eq!(leaders.into_iter().collect::<Vec<_>>(), ["kill", "partition", "pause"]);
    assert!(cut_clients > 0 && kept_clients > 2 * cut_clients, "{cut_clients} cut, {kept_clients} kept");
}

#[test]
fn kills_alone_soon_kill_everything_at_once() {
    for seed in 0..200 {
        let plan = Plan::random(&request(seed, &["kill"], 3, 27.0)).unwrap();
        let first_two = plan.faults.iter().take(2).collect::<Vec<_>>();
        assert!(first_two.iter().any(|f| f.detail["shape"] == "all"), "seed {seed}");
        assert!(calm(&plan).iter().all(|gap| *gap >= MIN_WINDOW), "seed {seed}");
    }
}

#[test]
fn without_links_between_nodes_partitions_cut_clients() {
    let mut request = request(1, &["partition", "delay"], 2, 20.0);
    request.can = Capabilities { roles: false, peer_links: false };
    for fault in Plan::random(&request).unwrap().faults {
        let field = if fault.fault == "delay" { "links" } else { "grudge" };
        let grudge: Grudge = serde_json::from_value(fault.detail[field].clone()).unwrap();
        for (to, froms) in grudge {
            assert!(!froms.is_empty() && froms.iter().all(|from| (from == "clients") != (to == "clients")));
        }
    }
}

#[test]
fn what_cannot_be_planned_is_refused_in_words() {
    let refuse = |request: &PlanRequest| Plan::random(request).unwrap_err().to_string();
    assert_eq!(
        refuse(&request(1, &DEFAULT_FAULTS, 3, 3.0)),
        "the main phase of 3.0 s is too short for the faults partition, kill, pause, clock: they need at \
         least 3.9 s; give the test more --time, or fewer --faults"
    );
    assert_eq!(
        refuse(&request(1, &["earthquake"], 3, 30.0)),
        "there is no fault `earthquake`; there are: partition, kill, pause, clock, delay"
    );
    assert_eq!(refuse(&request(1, &["kill"], 0, 30.0)), "faults were asked for, but the cluster has no node");
    let mut covers_all = request(1, &["kill"], 3, 30.0);
    covers_all.cover = 0.95;
    assert!(refuse(&covers_all).contains("0.95"));
    assert!(Plan::random(&request(1, &[], 0, 30.0)).unwrap().faults.is_empty());
}

#[test]
fn a_plan_is_written_and_read_as_the_contract_says() {
    let text = r#"{"seed":1,"faults":[{"fault":"partition","targets":["n1"],"detail":{"grudge":{"n1":["n2","n3"]}},"planned":[4000000000,9000000000],"actual":[4001200000,9003100000],"outcome":"installed","reason":null,"evidence":{"bytes_dropped":81200}}]}"#;
    let plan: Plan = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&plan).unwrap(), text);
    let short = r#"{"seed":1,"faults":[{"fault":"kill","targets":["n1"],"planned":[1,2]}]}"#;
    let plan: Plan = serde_json::from_str(short).unwrap();
    fault::build(0, &plan.faults[0]).map(|_| ()).unwrap();
}
