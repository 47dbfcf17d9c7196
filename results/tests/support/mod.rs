//! Synthetic runs: thousands of operations, faults, recoveries, and an anomaly where one is wanted.
//!
//! Everything follows from a small generator of its own, so that the same run comes out everywhere.

use std::path::Path;

use growler_checker::history::{Event, EventType, Process};
use growler_checker::sensitivity::{Sensitivity, Tally};
use growler_checker::verdict::{Anomaly, CheckResult, Validity};
use growler_results::RunFolder;
use growler_results::plan::PlanFile;
use growler_results::test_file::{PartRecovery, Phase, Recovery, SystemUnderTest, TestFile, Timings};
use growler_results::verdict::{Coverage, Judgement, OpCounts, Results, RunEnd};
use serde_json::{Value, json};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;

/// Kind, target, and the window in ms.
const FAULTS: [(&str, u64, u64, u64); 7] = [
    ("partition", 1, 3_000, 6_100),
    ("kill", 2, 5_200, 8_000),
    ("pause", 3, 10_200, 12_300),
    ("clock", 1, 11_000, 15_100),
    ("partition", 3, 16_400, 19_000),
    ("kill", 1, 21_000, 23_200),
    ("clock", 2, 22_500, 25_000),
];
/// Heals that leave no fault in force: when (ms), and how long until all served again.
const HEALS: [(u64, u64); 4] = [(8_000, 912), (15_100, 143), (19_000, 734), (25_000, 388)];

/// Xorshift: small and the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// Writes a run of about `operations` operations under `out`, whole but for the reports.
pub(crate) fn run(out: &Path, operations: u64, violation: bool) -> RunFolder {
    let started = "2026-11-21T03:04:05Z".parse().unwrap();
    let run = RunFolder::create(out, "register leader", started).unwrap();
    let mut events = history(operations);
    let mut checks = vec![("linearizable".to_owned(), held())];
    if violation {
        checks[0].1 = broken(&mut events);
    }
    write_history(&run, &events);
    let plan: PlanFile = serde_json::from_value(plan()).unwrap();
    let test = test(operations);
    run.write_json(&run.plan_json(), &plan).unwrap();
    run.write_json(&run.test_json(), &test).unwrap();
    let mut coverage =
        Coverage::of(&events, &plan, &["read", "write"], &["partition", "kill", "pause", "clock"], 500);
    if !violation {
        coverage.sensitivity.insert("linearizable".to_owned(), sensitivity());
    }
    let end = RunEnd { coverage, ..RunEnd::default() };
    let input = Judgement {
        checks: checks.into_iter().collect(),
        stats: OpCounts::of(&events),
        run: Some(end),
        ..Judgement::default()
    };
    let results =
        Results::new(&input, &|_, _| false).of_run("runs/register-leader/20261121T030405.000Z", test.seed);
    run.write_json(&run.results_json(), &results).unwrap();
    run
}

/// Writes events as a history.
pub(crate) fn write_history(run: &RunFolder, events: &[Event]) {
    let lines: Vec<String> = events.iter().map(|e| serde_json::to_string(e).unwrap() + "\n").collect();
    std::fs::write(run.history(), lines.concat()).unwrap();
}

/// What was measured of a run that passed.
pub(crate) fn sensitivity() -> Sensitivity {
    let tally = |refuted, rest: &[(&str, u64)]| Tally {
        places: 9_120,
        injected: 400,
        refuted,
        rest: rest.iter().map(|&(reason, count)| (reason.to_owned(), count)).collect(),
    };
    let kinds = [
        ("stale-read".to_owned(), tally(379, &[("concurrent", 19), ("indeterminate", 2)])),
        ("lost-write".to_owned(), tally(400, &[])),
    ];
    Sensitivity { kinds: kinds.into() }
}

fn held() -> CheckResult {
    let stats = [("keys".to_owned(), json!(412)), ("operations".to_owned(), json!(20_411))];
    CheckResult { valid: Validity::Valid, anomalies: vec![], unknown: vec![], stats: stats.into() }
}

/// Clients in a closed loop; a broken node refuses or is slow.
fn history(operations: u64) -> Vec<Event> {
    const CLIENTS: u64 = 12;
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let each = operations / CLIENTS;
    let mean = 29 * SECOND / each.max(1);
    let mut timed: Vec<Event> = Vec::new();
    let mut written = 0;
    for client in 0..CLIENTS {
        let mut process = client;
        let mut now = dice.below(20 * MS);
        while now < 29 * SECOND {
            let node = 1 + dice.below(3);
            let key = dice.below(40);
            let write = dice.below(3) == 0;
            written += u64::from(write);
            let value = if write { json!(written) } else { Value::Null };
            let f = if write { "write" } else { "read" };
            let mut invoke = Event::new(Process::Client(process), EventType::Invoke, f, value.clone());
            invoke.time = now;
            invoke.client = Some(client);
            invoke.key = Some(format!("k{key}").into());
            invoke.node = Some(format!("n{node}").into());
            let (kind, took) = fate(&mut dice, node, now / MS, mean);
            let mut complete = Event { kind, time: now + took, ..invoke.clone() };
            match kind {
                EventType::Ok => complete.partition = Some(format!("p{}", key % 3).into()),
                EventType::Fail => complete.error = Some("connection-refused".into()),
                EventType::Info | EventType::Invoke => {
                    complete.error = Some(json!(["timeout", "1 s"]).into());
                }
            }
            if f == "read" && kind == EventType::Ok {
                complete.value = json!(written);
            }
            timed.extend([invoke, complete]);
            if kind == EventType::Info {
                process += CLIENTS;
            }
            let rest = if kind == EventType::Ok { dice.below(mean / 2 + 1) + mean / 4 } else { 100 * MS };
            now += took + rest;
        }
    }
    timed.sort_by_key(|e| (e.time, e.kind == EventType::Invoke, e.process));
    number(&mut timed);
    timed
}

fn number(events: &mut [Event]) {
    for (index, event) in events.iter_mut().enumerate() {
        event.index = index as u64;
    }
}

/// How an operation through a node at some moment (ms) ends, and after how long.
fn fate(dice: &mut Dice, node: u64, ms: u64, mean: u64) -> (EventType, u64) {
    let usual = mean / 8 + dice.below(mean / 4 + 1) + if dice.below(100) == 0 { 6 * mean } else { 0 };
    let hit = FAULTS.iter().find(|(_, target, from, to)| *target == node && (*from..*to).contains(&ms));
    match hit.map(|(kind, ..)| *kind) {
        Some("partition") if dice.below(4) == 0 => (EventType::Info, SECOND),
        Some("kill") => (EventType::Fail, MS / 2),
        Some("pause") => (EventType::Info, SECOND),
        Some(_) => (EventType::Ok, 3 * usual),
        None => (EventType::Ok, usual),
    }
}

/// Adds a stale read around 5.6 s, while n1 is cut off and n2 is down.
fn broken(events: &mut Vec<Event>) -> CheckResult {
    let script: [(u64, &str, Value, u64, u64, EventType); 6] = [
        (3, "write", json!(9), 5_420, 5_424, EventType::Ok),
        (5, "read", json!(9), 5_431, 5_440, EventType::Ok),
        (8, "write", json!(14), 5_500, 6_500, EventType::Info),
        (5, "write", json!(17), 5_590, 5_597, EventType::Ok),
        (9, "read", json!(17), 5_596, 5_604, EventType::Ok),
        (3, "read", json!(9), 5_716, 5_719, EventType::Ok),
    ];
    for (client, f, value, from, to, kind) in script {
        let argument = if f == "write" { value.clone() } else { Value::Null };
        let mut invoke = Event::new(Process::Client(9_000 + from), EventType::Invoke, f, argument);
        invoke.time = from * MS;
        invoke.client = Some(client);
        invoke.key = Some("k7-17".into());
        invoke.node = Some(format!("n{}", 1 + client % 3).into());
        let complete = Event { time: to * MS, kind, value, ..invoke.clone() };
        events.extend([invoke, complete]);
    }
    events.sort_by_key(|e| (e.time, e.kind == EventType::Invoke));
    number(events);
    let added = events.iter().filter(|e| e.kind == EventType::Invoke && e.key == Some("k7-17".into()));
    let added: Vec<u64> = added.map(|e| e.index).collect();
    let anomaly = Anomaly {
        kind: "stale-read".to_owned(),
        key: Some("k7-17".into()),
        ops: vec![added[3], added[4], added[5]],
        cycle: Vec::new(),
        context: vec![added[0], added[1], added[2]],
        explanation:
            "client 3 read 9 from k7-17 at 5.716 s, but 17 had been written over it by 5.597 s, and \
                      client 9 had read 17 by 5.604 s"
                .to_owned(),
    };
    let other = Anomaly { ops: vec![added[3], added[5]], context: vec![], ..anomaly.clone() };
    CheckResult { valid: Validity::Invalid, anomalies: vec![anomaly, other], ..held() }
}

fn plan() -> Value {
    let evidence = |kind: &str, n: u64| match kind {
        "partition" => json!({"bytes_dropped": 81_200 + n, "connections_held": 4}),
        "kill" => json!({"exit": "signal 9", "down": "2.1 s"}),
        "pause" => json!({"state": "T (stopped)"}),
        _ => json!({"clock_off_by": "-3.2 s", "drift": "+4.0 %"}),
    };
    let mut faults: Vec<Value> = FAULTS
        .iter()
        .map(|&(kind, target, from, to)| {
            let detail = match kind {
                "partition" => json!({"grudge": {format!("n{target}"): ["n1", "n2", "n3"]}}),
                _ => Value::Null,
            };
            json!({
                "fault": kind, "targets": [format!("n{target}")], "detail": detail,
                "planned": [from * MS, to * MS], "actual": [(from + 1) * MS, (to + 3) * MS],
                "outcome": "installed", "reason": null, "evidence": evidence(kind, target),
            })
        })
        .collect();
    faults.push(json!({
        "fault": "pause", "targets": ["n2"], "planned": [26_000 * MS, 27_500 * MS], "actual": null,
        "outcome": "skipped", "reason": "n2 was being restarted",
    }));
    json!({"seed": 1, "faults": faults})
}

fn test(operations: u64) -> TestFile {
    let phase = |name: &str, start: u64, end: u64| Phase {
        name: name.to_owned(),
        start_ns: start * MS,
        end_ns: end * MS,
    };
    let recovery = |&(healed, took): &(u64, u64)| {
        let per = (0..9).map(|i| PartRecovery {
            node: format!("n{}", 1 + i / 3),
            partition: format!("p{}", i % 3),
            asked: "write".to_owned(),
            acked_ns: Some((healed + took * (10 - i) / 10) * MS),
        });
        Recovery {
            healed_ns: healed * MS,
            deadline_ns: (healed + 10_000) * MS,
            recovered_ns: Some((healed + took) * MS),
            cut_short_ns: None,
            per: per.collect(),
        }
    };
    let options = json!({
        "workload": "register", "store": "leader", "nodes": 3, "faults": ["partition", "kill", "pause", "clock"],
        "time": "30s", "concurrency": 12, "keys": 40, "recovery": "10s", "min-ok": 500, "expected-operations": operations,
    });
    let Value::Object(options) = options else { unreachable!("an object literal") };
    let endpoints: Vec<String> = (1..=3).map(|n| format!("http://127.0.0.1:{}", 8000 + n)).collect();
    TestFile {
        name: "register leader".to_owned(),
        options,
        command: ["test", "--workload", "register", "--store", "leader", "--seed", "1", "--time", "30s"]
            .map(String::from)
            .to_vec(),
        seed: 1,
        versions: [("growler".to_owned(), "0.1.0".to_owned())].into(),
        system: SystemUnderTest::new("bundled leader store: 3 nodes, 3 partitions, reads=index", &endpoints),
        host: [("cores".to_owned(), json!(2)), ("kernel".to_owned(), json!("6.12.0"))].into(),
        workload: "register".to_owned(),
        model: "register".to_owned(),
        promise: "linearizable".to_owned(),
        nodes: ["n1", "n2", "n3"].map(String::from).to_vec(),
        timings: Timings {
            started: "2026-11-21T03:04:05Z".to_owned(),
            phases: vec![
                phase("warm-up", 0, 2_000),
                phase("main", 2_000, 26_000),
                phase("recovery", 26_000, 30_000),
            ],
            recoveries: HEALS.iter().map(recovery).collect(),
            stopped_early: None,
        },
        end: None,
    }
}
