//! How long the checker takes from parsed operations to a verdict, on one core, and how much memory: the
//! table of `checker/BENCHMARKS.md`, which a whole run rewrites.
//!
//! Times are processor times of the one thread that works, so that a busy machine does not count. Memory is
//! measured apart, each case in a process of its own (the program `linearize`), from the kernel's high-water
//! mark; the operations themselves are its input, and are shown apart.

use std::cell::{LazyCell, RefCell};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use growler_bench::memory::processor_time;
use growler_bench::operations::Operations;
use growler_bench::report::{self, megabytes, time};
use growler_bench::simulation::{Bursts, Mix, Simulation};
use growler_bench::subject::{Engine, Verdict, verdict};
use growler_bench::{etcd, lines};
use growler_checker::history::Event;
use growler_checker::linearizability::{Limits, Linearizable};
use growler_checker::verdict::{Budget, Check, Validity};

const LIMITS: Limits = Limits { steps: u64::MAX, bytes: 4 << 30 };
const SEED: u64 = 1;

/// The case that the others vary: one hot item, everything that can be asked of it.
const ITEM: Simulation = Simulation {
    operations: 1_000_000,
    keys: 1,
    clients: 100,
    mix: Mix::ITEM,
    unanswered: 0.1,
    bursts: None,
};

/// A line of the table.
struct Row {
    id: &'static str,
    about: &'static str,
    must: (f64, Option<u64>),
    aim: (f64, Option<u64>),
    engine: Engine,
    input: Input,
}

/// What is known of a case.
struct Measured {
    median_s: f64,
    operations: usize,
    input_bytes: u64,
    beside_bytes: u64,
    /// With the certificate, where there is one: from the whole check of the events, less the part that
    /// makes operations of them.
    certified_s: Option<f64>,
}

/// Where histories come from.
#[derive(Clone, Copy)]
enum Input {
    Honest(Simulation),
    /// With one stale read at 60 %.
    Stale(Simulation),
    /// The logs of Jepsen's etcd runs in the folder that `GROWLER_CORPORA` names.
    Etcd,
}

fn rows() -> [Row; 7] {
    let keys = Simulation { keys: 10_000, ..ITEM };
    let row = |id, about, must_s, aim_s, input| Row {
        id,
        about,
        must: (must_s, None),
        aim: (aim_s, None),
        engine: Engine::Item,
        input,
    };
    let burst = Simulation { bursts: Some(Bursts::HALF), unanswered: 0.05, ..keys };
    let cas = Simulation { operations: 1_000, clients: 20, mix: Mix::CASX, unanswered: 0.0, ..ITEM };
    [
        Row {
            must: (0.5, Some(256_000_000)),
            aim: (0.15, Some(64_000_000)),
            ..row(
                "1 M, one key",
                "1 M ops, one key, 100 clients, 10 % indeterminate, full item mix, valid",
                0.5,
                0.15,
                Input::Honest(ITEM),
            )
        },
        row("1 M, one key, stale", "the same with one stale read", 0.5, 0.15, Input::Stale(ITEM)),
        row(
            "10 M, one key",
            "10 M ops, one key",
            5.0,
            2.0,
            Input::Honest(Simulation { operations: 10_000_000, ..ITEM }),
        ),
        row("1 M, 10,000 keys", "1 M ops over 10,000 keys", 0.5, 0.1, Input::Honest(keys)),
        row(
            "1 M, 10,000 keys, bursts",
            "1 M ops over 10,000 keys, half of the writes indeterminate in bursts",
            0.5,
            0.15,
            Input::Honest(burst),
        ),
        Row {
            engine: Engine::General,
            ..row("etcd", "the 52 etcd logs together, general engine", 0.025, 0.003, Input::Etcd)
        },
        Row {
            engine: Engine::General,
            ..row(
                "1,000 cas",
                "general engine, 1,000 ops, concurrency 20, cas mix",
                0.3,
                0.05,
                Input::Honest(cas),
            )
        },
    ]
}

impl Input {
    /// The histories, each with the verdict that it deserves.
    fn make(self) -> Vec<(Operations, Verdict)> {
        match self {
            Self::Honest(plan) => vec![(Operations::from(&plan.run(SEED)), Verdict::Valid)],
            Self::Stale(plan) => {
                let mut history = plan.run(SEED);
                history.stale_read(0.6).expect("no read can be made stale: choose another seed");
                vec![(Operations::from(&history), Verdict::Invalid)]
            }
            Self::Etcd => etcd_logs().unwrap_or_default(),
        }
    }
}

/// The logs, with the verdicts that came with them. None where there are no logs.
fn etcd_logs() -> Option<Vec<(Operations, Verdict)>> {
    let folder = PathBuf::from(std::env::var_os("GROWLER_CORPORA")?).join("porcupine-etcd");
    let verdicts = fs::read_to_string(folder.join("verdicts.jsonl")).expect("the verdicts are readable");
    let logs = verdicts.lines().map(|line| {
        let known: serde_json::Value = serde_json::from_str(line).expect("a verdict is JSON");
        let name = known["file"].as_str().expect("a verdict names its file");
        let log = fs::read_to_string(folder.join(name)).expect("the logs are readable");
        let operations = etcd::operations(&log).expect("the log is one of etcd");
        (operations, if known["valid"] == true { Verdict::Valid } else { Verdict::Invalid })
    });
    Some(logs.collect())
}

/// The median processor time of one pass over the histories; none where the benchmark was not asked for.
fn measure(
    group: &mut BenchmarkGroup<'_, WallTime>,
    id: &str,
    engine: Engine,
    histories: &LazyCell<Vec<(Operations, Verdict)>, impl FnOnce() -> Vec<(Operations, Verdict)>>,
) -> Option<f64> {
    let samples = RefCell::new(Vec::new());
    group.bench_function(id, |b| {
        let histories: &[_] = histories;
        b.iter_custom(|passes| {
            let began = processor_time().expect("the kernel tells the time");
            for _ in 0..passes {
                for (operations, expected) in histories {
                    assert_eq!(verdict(operations, engine, LIMITS), *expected, "{id}");
                }
            }
            let spent = processor_time().expect("the kernel tells the time") - began;
            samples.borrow_mut().push(spent.as_secs_f64() / passes as f64);
            spent
        });
    });
    median(samples.into_inner())
}

fn median(mut samples: Vec<f64>) -> Option<f64> {
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied()
}

/// The median processor time from operations to a verdict with its certificate.
fn measure_certificate(group: &mut BenchmarkGroup<'_, WallTime>, id: &str, plan: Simulation) -> Option<f64> {
    let samples = RefCell::new(Vec::new());
    let events = LazyCell::new(|| stale_events(plan));
    let check = Linearizable::cas_register();
    let now = || processor_time().expect("the kernel tells the time");
    group.bench_function(format!("{id}, certificate"), |b| {
        let events: &[Event] = &events;
        b.iter_custom(|passes| {
            let mut spent = Duration::ZERO;
            for _ in 0..passes {
                let began = now();
                check.validate(events).expect("the history is one of a register");
                let validated = now();
                let result = check.check(events, &Budget::default());
                spent += (now() - validated).saturating_sub(validated - began);
                assert_eq!(result.valid, Validity::Invalid, "{id}");
            }
            samples.borrow_mut().push(spent.as_secs_f64() / passes as f64);
            spent
        });
    });
    median(samples.into_inner())
}

fn stale_events(plan: Simulation) -> Vec<Event> {
    let mut history = plan.run(SEED);
    history.stale_read(0.6).expect("no read can be made stale: choose another seed");
    let mut text = Vec::new();
    lines::write(&history, &mut text).expect("a vector takes everything");
    let lines = text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).expect("a line is an event")).collect()
}

/// Judges the histories in a process of their own: the most bytes that one of them takes, and the most that
/// judging one takes beside it.
fn memory(histories: &[(Operations, Verdict)], engine: Engine) -> (u64, u64) {
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let mut judge = Command::new(env!("CARGO_BIN_EXE_linearize"));
    judge.arg("--engine").arg(if engine == Engine::Item { "item" } else { "general" });
    for (number, (operations, _)) in histories.iter().enumerate() {
        let path = folder.path().join(number.to_string());
        let mut file = BufWriter::new(File::create(&path).expect("a temporary file can be made"));
        operations.write(&mut file).and_then(|()| file.flush()).expect("there is room for the operations");
        judge.arg(path);
    }
    let output = judge.output().expect("the program `linearize` runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("the output is JSON")).collect();
    assert_eq!(lines.len(), histories.len());
    let bytes = |line: &serde_json::Value, name: &str| line[name].as_u64().expect("a number of bytes");
    let input = lines.iter().map(|line| bytes(line, "input_bytes")).max();
    let beside = lines.iter().map(|line| bytes(line, "peak_bytes") - bytes(line, "before_bytes")).max();
    (input.unwrap_or(0), beside.unwrap_or(0))
}

fn main() {
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    let is_test = std::env::args().any(|argument| argument == "--test" || argument == "--list");
    let mut group = criterion.benchmark_group("linearizability");
    group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    let mut measured = Vec::new();
    for row in rows() {
        let input = row.input;
        let histories = LazyCell::new(move || input.make());
        if matches!(input, Input::Etcd) && histories.is_empty() {
            eprintln!("{}: skipped, since GROWLER_CORPORA names no folder of corpora", row.id);
            continue;
        }
        if let Some(median_s) = measure(&mut group, row.id, row.engine, &histories) {
            let operations = histories.iter().map(|(operations, _)| operations.jobs.len()).sum();
            let (input_bytes, beside_bytes) = memory(&histories, row.engine);
            drop(histories);
            let certified_s = match input {
                Input::Stale(plan) => measure_certificate(&mut group, row.id, plan),
                Input::Honest(_) | Input::Etcd => None,
            };
            let known = Measured { median_s, operations, input_bytes, beside_bytes, certified_s };
            measured.push((row, known));
        }
    }
    let mut growth = Vec::new();
    for operations in [1_000, 10_000, 100_000] {
        group.throughput(Throughput::Elements(operations.into()));
        let histories = LazyCell::new(|| Input::Honest(Simulation { operations, ..ITEM }).make());
        let median_s = measure(&mut group, &format!("growth, {operations}"), Engine::Item, &histories);
        growth.extend(median_s.map(|median_s| (operations, median_s)));
    }
    group.finish();
    criterion.final_summary();
    let of_row = |id| measured.iter().find(|(row, _)| row.id == id).map(|(_, measured)| measured.median_s);
    growth.extend(of_row("1 M, one key").map(|median_s| (1_000_000, median_s)));
    growth.extend(of_row("10 M, one key").map(|median_s| (10_000_000, median_s)));
    if is_test || measured.len() < rows().len() || growth.len() < 5 {
        eprintln!("not everything was measured: checker/BENCHMARKS.md is left as it is");
        return;
    }
    let content = format!("Measured on {}.\n\n{}\n{}", report::machine(), table(&measured), growing(&growth));
    report::replace_section(&report::page(), "linearizability", &content).expect("the page can be written");
    eprintln!("{content}");
}

/// The rows as a table.
fn table(measured: &[(Row, Measured)]) -> String {
    let mut text = String::from(
        "| case | must | aim | time | memory beside the operations | the operations | reached |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for (row, Measured { median_s, operations, input_bytes, beside_bytes, certified_s }) in measured {
        let whole_s = certified_s.unwrap_or(*median_s);
        let total_bytes = input_bytes + beside_bytes;
        let within = |(limit_s, limit_bytes): (f64, Option<u64>), bytes: u64| {
            whole_s < limit_s && limit_bytes.is_none_or(|limit| bytes <= limit)
        };
        // What must hold counts the input; the aim is for what the algorithm itself takes.
        let reached = match (within(row.must, total_bytes), within(row.aim, *beside_bytes)) {
            (true, true) => "aim",
            (true, false) => "must",
            (false, _) => "**no**",
        };
        let wanted = |(limit_s, limit_bytes): (f64, Option<u64>), per_operation: bool| match limit_bytes {
            Some(bytes) if per_operation => format!("{}, ≤ {} B an op", time(limit_s), bytes / 1_000_000),
            Some(bytes) => format!("{}, {}", time(limit_s), megabytes(bytes)),
            None => time(limit_s),
        };
        let _ = writeln!(
            text,
            "| {} | < {} | < {} | {} | {}{} | {} | {reached} |",
            row.about,
            wanted(row.must, false),
            wanted(row.aim, true),
            match certified_s {
                Some(certified_s) => format!("{}, with certificate {}", time(*median_s), time(*certified_s)),
                None => time(*median_s),
            },
            megabytes(*beside_bytes),
            // Of a small history, most of it is what any process needs.
            if *operations < 100_000 {
                String::new()
            } else {
                format!(" ({:.0} B an op)", *beside_bytes as f64 / *operations as f64)
            },
            megabytes(*input_bytes),
        );
    }
    text
}

/// Time against length, and how well n log n describes it.
fn growing(growth: &[(u32, f64)]) -> String {
    let logs: Vec<(f64, f64)> = growth.iter().map(|&(n, time_s)| (f64::from(n).ln(), time_s.ln())).collect();
    let mean = |of: &dyn Fn(&(f64, f64)) -> f64| logs.iter().map(of).sum::<f64>() / logs.len() as f64;
    let (x, y) = (mean(&|log| log.0), mean(&|log| log.1));
    let slope = |of: &dyn Fn(&(f64, f64)) -> f64| {
        mean(&|log| (log.0 - x) * of(log)) / mean(&|log| (log.0 - x) * (log.0 - x))
    };
    let (fitted, ideal) = (slope(&|log| log.1 - y), slope(&|log| (log.0 * log.0.exp()).ln()));
    let mut text = String::from("| n | time | time / n | time / (n log₂ n) |\n|---|---|---|---|\n");
    for &(n, time_s) in growth {
        let n = f64::from(n);
        let _ = writeln!(
            text,
            "| {n} | {} | {:.1} ns | {:.2} ns |",
            time(time_s),
            time_s * 1e9 / n,
            time_s * 1e9 / (n * n.log2()),
        );
    }
    let _ = writeln!(
        text,
        "\nFitted over these lengths, the time grows like n to the {fitted:.2}; n log n itself does like n to \
         the {ideal:.2}."
    );
    text
}
