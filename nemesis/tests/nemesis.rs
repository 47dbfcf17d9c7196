//! Plans carried out on a cluster that is only an account of what was done to it.

#![allow(clippy::unwrap_used, reason = "tests, and helpers of tests")]

mod fake;

use std::sync::Arc;
use std::time::{Duration, Instant};

use fake::{Fake, clock};
use growler_nemesis::cluster::{ClusterError, NemesisEvent, ProcessState};
use growler_nemesis::plan::{Capabilities, Outcome, Plan, PlanRequest, PlannedFault};
use growler_nemesis::run::{Nemesis, NemesisReport};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::watch;

const MS: u64 = 1_000_000;
const SOON: Duration = Duration::from_secs(20);

fn planned(fault: &str, targets: &[&str], detail: Value, window_ms: [u64; 2]) -> PlannedFault {
    PlannedFault {
        fault: fault.to_owned(),
        targets: targets.iter().map(|t| (*t).to_owned()).collect(),
        detail,
        planned: window_ms.map(|ms| ms * MS),
        actual: None,
        outcome: None,
        reason: None,
        evidence: Value::Null,
    }
}

fn plan(faults: Vec<PlannedFault>) -> Plan {
    Plan { seed: 1, faults }
}

/// Carries a plan out to its end: the report and the events.
async fn carry_out(fake: &Arc<Fake>, plan: Plan) -> (NemesisReport, Vec<NemesisEvent>) {
    let events = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&events);
    let nemesis = Nemesis::new(plan, fake.clone(), clock(), Arc::new(move |e| sink.lock().push(e)));
    let (_go_on, stop) = watch::channel(false);
    let report = tokio::time::timeout(SOON, nemesis.run(stop)).await.unwrap();
    let events = events.lock().clone();
    (report, events)
}

fn outcome(fault: &PlannedFault) -> (Option<Outcome>, Option<&str>) {
    (fault.outcome, fault.reason.as_deref())
}

const INSTALLED: (Option<Outcome>, Option<&str>) = (Some(Outcome::Installed), None);

#[tokio::test]
async fn a_random_plan_is_carried_out_with_evidence_for_every_fault_and_all_is_healed() {
    let fake = Fake::new();
    let request = PlanRequest {
        seed: 7,
        kinds: ["partition", "kill", "pause", "clock", "delay"].map(str::to_owned).into(),
        nodes: ["n1", "n2", "n3"].map(str::to_owned).into(),
        window: [0, 1500 * MS],
        min_window_ns: 150 * MS,
        cover: 0.4,
        can: Capabilities { roles: true, peer_links: true },
    };
    let plan = Plan::random(&request).unwrap();
    let (report, events) = carry_out(&fake, plan.clone()).await;
    assert_eq!((report.heal_errors.len(), report.crashed.len()), (0, 0), "{report:?}");
    assert!(fake.is_healed(), "{:?}", fake.done());
    assert_eq!(events.len(), 2 * plan.faults.len());
    for (was, is) in plan.faults.iter().zip(&report.plan.faults) {
        assert_eq!(outcome(is), INSTALLED, "{is:?}");
        assert_eq!(is.planned, was.planned);
        assert!(!is.targets.is_empty() && is.evidence.is_object());
        let [begun, ended] = is.actual.unwrap();
        assert!(begun >= was.planned[0] && ended >= was.planned[1] && ended > begun, "{is:?}");
    }
    // What was written down can be carried out again.
    let (again, _) = carry_out(&Fake::new(), report.plan).await;
    assert!(again.plan.faults.iter().all(|f| f.outcome == Some(Outcome::Installed)));
}

#[tokio::test]
async fn a_fault_aimed_at_the_leader_meets_whoever_leads_then() {
    let fake = Fake::new();
    let leader = json!({ "role": "leader", "pick": 5, "clients": true });
    let (report, events) =
        carry_out(&fake, plan(vec![planned("partition", &[], leader.clone(), [50, 200])])).await;
    let fault = &report.plan.faults[0];
    assert_eq!(outcome(fault), INSTALLED);
    assert_eq!(fault.targets, ["n2"]);
    let grudge = json!({
        "clients": ["n2"], "n1": ["n2"], "n2": ["clients", "n1", "n3"], "n3": ["n2"],
    });
    assert_eq!(fault.detail["grudge"], grudge);
    assert!(fault.evidence["bytes_dropped"].as_u64().unwrap() > 0);
    assert_eq!(events.iter().map(|e| e.f.as_str()).collect::<Vec<_>>(), ["partition", "heal-partition"]);
    assert_eq!((&events[0].value["targets"], &events[0].value["grudge"]), (&json!(["n2"]), &grudge));
    assert_eq!(fake.done(), [format!("grudge {grudge}"), "grudge {}".to_owned()]);

    // The same plan again: the role counts, not the node that it was last time.
    *fake.leader.lock() = Some("n3".to_owned());
    let (again, _) = carry_out(&fake, report.plan).await;
    assert_eq!(again.plan.faults[0].targets, ["n3"]);

    *fake.leader.lock() = None;
    let (nobody, _) = carry_out(&fake, plan(vec![planned("kill", &[], leader, [0, 50])])).await;
    assert_eq!(nobody.plan.faults[0].targets, ["n3"], "the fifth, counted round");
    assert_eq!(nobody.plan.faults[0].detail["leader_known"], false);
}

#[tokio::test]
async fn two_partitions_at_once_cut_what_either_cuts_and_heal_one_by_one() {
    let fake = Fake::new();
    let cut = |to: &str, from: &str| json!({ "grudge": { to: [from] } });
    let faults = vec![
        planned("partition", &["n1"], cut("n1", "n2"), [0, 300]),
        planned("partition", &["n3"], cut("n3", "n2"), [100, 200]),
    ];
    carry_out(&fake, plan(faults)).await;
    let both = r#"grudge {"n1":["n2"],"n3":["n2"]}"#;
    let first = r#"grudge {"n1":["n2"]}"#;
    assert_eq!(fake.done(), [first, both, first, "grudge {}"]);
}

#[tokio::test]
async fn a_node_that_is_killed_twice_stays_dead_until_both_are_over() {
    let fake = Fake::new();
    let faults = vec![
        planned("kill", &["n1"], Value::Null, [0, 200]),
        planned("kill", &["n1", "n2"], Value::Null, [100, 400]),
    ];
    let (report, _) = carry_out(&fake, plan(faults)).await;
    assert_eq!(fake.done()[..2], ["kill n1", "kill n2"]);
    assert_eq!(fake.done().len(), 4, "{:?}", fake.done());
    assert!(report.plan.faults[0].actual.unwrap()[1] < report.plan.faults[1].actual.unwrap()[1]);
    assert_eq!(outcome(&report.plan.faults[1]), INSTALLED, "n2 was alive before");
    let seen = &report.plan.faults[1].evidence["processes"];
    assert_eq!(seen["n1"]["alive_before"], false);
    assert_eq!((&seen["n2"]["dead"], &seen["n2"]["pid_before"]), (&json!(true), &json!(100)));
    assert!(seen["n2"]["pid_after"].as_u64().unwrap() > 100);
}

#[tokio::test]
async fn a_paused_node_that_is_killed_comes_back_paused() {
    let fake = Fake::new();
    let faults = vec![
        planned("pause", &["n1"], Value::Null, [0, 400]),
        planned("kill", &["n1"], Value::Null, [100, 200]),
    ];
    let (report, _) = carry_out(&fake, plan(faults)).await;
    assert_eq!(fake.done(), ["pause n1", "kill n1", "start n1", "pause n1", "resume n1"]);
    assert!(report.plan.faults.iter().all(|f| outcome(f) == INSTALLED));
}

#[tokio::test]
async fn a_pause_that_ends_while_its_node_is_dead_leaves_it_dead() {
    let fake = Fake::new();
    let faults = vec![
        planned("pause", &["n1"], Value::Null, [0, 200]),
        planned("kill", &["n1"], Value::Null, [100, 300]),
    ];
    carry_out(&fake, plan(faults)).await;
    assert_eq!(fake.done(), ["pause n1", "kill n1", "start n1"]);
}

#[tokio::test]
async fn overlapping_clock_faults_add_up_and_end_in_the_hosts_time() {
    let fake = Fake::new();
    let offset = |ns: i64| json!({ "clocks": { "n1": { "offset_ns": ns, "drift_ppm": 0 } } });
    let faults = vec![
        planned("clock", &["n1"], offset(-9_000_000_000), [0, 300]),
        planned("clock", &["n1"], offset(2_000_000_000), [100, 200]),
    ];
    let (report, _) = carry_out(&fake, plan(faults)).await;
    let first = "clock n1 -9000000000 0";
    assert_eq!(fake.done(), [first, "clock n1 -7000000000 0", first, "clock n1 0 0"]);
    for fault in &report.plan.faults {
        assert_eq!(outcome(fault), INSTALLED);
    }
    let reading = &report.plan.faults[0].evidence["clocks"]["n1"];
    assert_eq!(reading["reported_offset_ns"], -9_000_000_000_i64);
    assert_eq!(reading["expected_offset_ns"], -9_000_000_000_i64);
}

#[tokio::test]
async fn what_leaves_no_trace_is_indeterminate() {
    let fake = Fake::new();
    fake.breaks(|b| &b.quiet);
    fake.breaks(|b| &b.deaf_clocks);
    let jump = json!({ "clocks": { "n1": { "offset_ns": 1_000_000_000, "drift_ppm": 0 } } });
    let faults = vec![
        planned("partition", &["n1"], json!({ "grudge": { "n1": ["n2"] } }), [0, 100]),
        planned("clock", &["n1"], jump, [0, 250]),
        planned("delay", &["n1"], json!({ "links": { "n1": ["n2"] }, "delay_ms": 5 }), [0, 100]),
    ];
    let (report, _) = carry_out(&fake, plan(faults)).await;
    let outcomes: Vec<_> = report.plan.faults.iter().map(outcome).collect();
    let indeterminate = |reason| (Some(Outcome::Indeterminate), Some(reason));
    assert_eq!(
        outcomes,
        [
            indeterminate("no byte was sent, and no connect tried, in a cut direction"),
            indeterminate("no target reported a clock that is off by what it should be"),
            indeterminate("no byte was sent in a slow direction"),
        ]
    );
    assert_eq!(report.plan.faults[1].evidence["clocks"]["n1"]["reported_offset_ns"], 0);
}

#[tokio::test]
async fn what_cannot_be_done_is_skipped_with_the_reason_and_no_event() {
    let fake = Fake::new();
    fake.breaks(|b| &b.no_processes);
    let faults = vec![
        planned("kill", &["n1"], Value::Null, [0, 50]),
        planned("earthquake", &["n1"], Value::Null, [0, 50]),
        planned("partition", &["n1"], json!({ "grudge": "everyone" }), [0, 50]),
    ];
    let (report, events) = carry_out(&fake, plan(faults)).await;
    let reasons: Vec<_> = report.plan.faults.iter().map(|f| f.reason.clone().unwrap()).collect();
    assert_eq!(reasons[0], "this cluster gives growler no control of its processes");
    assert!(reasons[1].starts_with("there is no fault `earthquake`; there are: partition, "));
    assert!(reasons[2].starts_with("the detail of the partition is wrong: "), "{}", reasons[2]);
    for fault in &report.plan.faults {
        assert_eq!((fault.outcome, fault.actual), (Some(Outcome::Skipped), None));
    }
    assert!(events.is_empty() && fake.done().is_empty());
}

#[tokio::test]
async fn a_stop_heals_at_once_and_skips_the_rest() {
    let fake = Fake::new();
    let faults = vec![
        planned("pause", &["n1"], Value::Null, [0, 600_000]),
        planned("kill", &["n2"], Value::Null, [0, 600_000]),
        planned("partition", &["n1"], json!({ "grudge": { "n1": ["n2"] } }), [0, 600_000]),
        planned("kill", &["n3"], Value::Null, [300_000, 600_000]),
    ];
    let nemesis = Nemesis::new(plan(faults), fake.clone(), clock(), Arc::new(|_| ()));
    let mut in_force = nemesis.in_force();
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(nemesis.run(stopped));
    let three = |all: &Vec<growler_nemesis::ActiveFault>| {
        all.len() == 3 && fake.done().len() == 3 && all.iter().all(|f| !f.targets.is_empty())
    };
    tokio::time::timeout(SOON, async {
        while !three(&in_force.borrow_and_update()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    let began = Instant::now();
    stop.send(true).unwrap();
    let report = tokio::time::timeout(SOON, running).await.unwrap().unwrap();
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(fake.is_healed() && in_force.borrow().is_empty());
    assert_eq!(
        outcome(&report.plan.faults[3]),
        (Some(Outcome::Skipped), Some("the run was stopped early, before its time had come"))
    );
    assert_eq!(outcome(&report.plan.faults[0]), INSTALLED);
}

#[tokio::test]
async fn a_nemesis_that_is_dropped_in_the_middle_still_heals() {
    let fake = Fake::new();
    let faults = vec![
        planned("kill", &["n2"], Value::Null, [0, 600_000]),
        planned("partition", &["n1"], json!({ "grudge": { "n1": ["n2"] } }), [0, 600_000]),
    ];
    let nemesis = Nemesis::new(plan(faults), fake.clone(), clock(), Arc::new(|_| ()));
    let (_go_on, stop) = watch::channel(false);
    let running = tokio::spawn(nemesis.run(stop));
    let until = async |condition: &dyn Fn() -> bool| {
        let began = Instant::now();
        while !condition() {
            assert!(began.elapsed() < SOON);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    until(&|| fake.done().len() == 2).await;
    running.abort();
    until(&|| fake.is_healed()).await;
}

#[tokio::test]
async fn a_node_that_does_not_start_again_is_reported_as_crashed() {
    let fake = Fake::new();
    fake.breaks(|b| &b.no_start);
    let faults = vec![
        planned("kill", &["n1"], Value::Null, [0, 100]),
        planned("pause", &["n1"], Value::Null, [150, 200]),
    ];
    let (report, _) = carry_out(&fake, plan(faults)).await;
    let error = ClusterError {
        action: "start",
        node: "n1".to_owned(),
        reason: "its data folder is unreadable".to_owned(),
    };
    assert_eq!((report.crashed, report.heal_errors), (vec![error], vec![]));
    assert_eq!(report.plan.faults[1].outcome, Some(Outcome::Indeterminate));
}

#[tokio::test]
async fn a_node_that_died_unasked_is_reported_once_and_not_started() {
    let fake = Fake::new();
    fake.states.lock().insert("n3".to_owned(), ProcessState::Dead);
    let faults = vec![
        planned("kill", &["n3"], Value::Null, [0, 100]),
        planned("pause", &["n1", "n3"], Value::Null, [0, 100]),
    ];
    let (report, _) = carry_out(&fake, plan(faults)).await;
    assert_eq!(report.crashed.len(), 1);
    assert_eq!(report.crashed[0].to_string(), "watch n3: its process died without being asked");
    assert_eq!(fake.done(), ["pause n1", "resume n1"]);
    assert_eq!(report.plan.faults[0].outcome, Some(Outcome::Indeterminate));
    assert_eq!(outcome(&report.plan.faults[1]), INSTALLED);
}

#[tokio::test]
async fn what_cannot_be_healed_is_reported() {
    let fake = Fake::new();
    fake.breaks(|b| &b.no_heal);
    let (report, _) = carry_out(
        &fake,
        plan(vec![planned("partition", &["n1"], json!({ "grudge": { "n1": ["n2"] } }), [0, 100])]),
    )
    .await;
    assert_eq!(report.heal_errors.len(), 1);
    assert_eq!(report.heal_errors[0].to_string(), "cut n1: the switch does not answer");
    assert_eq!(report.plan.faults[0].outcome, Some(Outcome::Installed));
}
