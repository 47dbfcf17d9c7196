//! How long the checks of weak consistency take from recorded events to a verdict, on one core, and how much
//! memory: the second table of `checker/BENCHMARKS.md`, which a whole run rewrites.
//!
//! Times are processor times of the one thread that works, so that a busy machine does not count. Memory is the
//! kernel's high-water mark during one check, less what was there before: the events themselves, which the
//! table shows apart.

use std::cell::{LazyCell, RefCell};
use std::fmt::Write as _;
use std::time::Duration;

use criterion::Criterion;
use growler_bench::memory::{forget_peak, processor_time, resident};
use growler_bench::report::{self, megabytes, time};
use growler_bench::simulation_replicas::{Replicas, Versions};
use growler_checker::convergence::causal::Causal;
use growler_checker::convergence::order::Rules;
use growler_checker::convergence::sessions::SessionGuarantees;
use growler_checker::convergence::staleness::Staleness;
use growler_checker::history::Event;
use growler_checker::verdict::{Budget, Check, Validity};

const SEED: u64 = 1;
/// What each check must keep to.
const MUST_S: f64 = 2.0;
const MUST_BYTES: u64 = 1_000_000_000;

fn plans() -> [(&'static str, Replicas); 5] {
    let base = Replicas::HEALTHY;
    [
        ("1,000 keys, 50 clients, clocks", base),
        ("10 keys, 50 clients, clocks, no deletes", Replicas { keys: 10, deletes: 0.0, ..base }),
        ("1,000 keys, 50 clients, clocks, replicas 50 ms behind", Replicas { lag_us: 50_000.0, ..base }),
        (
            "10,000 keys, 100 clients, timestamps",
            Replicas { keys: 10_000, clients: 100, versions: Versions::Timestamps, ..base },
        ),
        ("1,000 keys, 50 clients, real time", Replicas { versions: Versions::Nothing, ..base }),
    ]
}

struct Measured {
    check: &'static str,
    plan: &'static str,
    median_s: f64,
    beside_bytes: u64,
    input_bytes: u64,
    valid: Validity,
}

fn main() {
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    let is_test = std::env::args().any(|argument| argument == "--test" || argument == "--list");
    let mut group = criterion.benchmark_group("convergence");
    group.warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_secs(3));
    let mut measured = Vec::new();
    for (plan, replicas) in plans() {
        let before_bytes = resident().expect("the kernel tells the memory").now;
        let events: LazyCell<Vec<Event>, _> = LazyCell::new(|| {
            let operations = if is_test { 10_000 } else { replicas.operations };
            Replicas { operations, ..replicas }.run(SEED)
        });
        let rules = Rules { lww: replicas.versions == Versions::Timestamps, ordered_writes: true };
        let checks: [&dyn Check; 3] = [
            &SessionGuarantees::new(rules),
            &Causal::new(rules),
            &Staleness::new(rules, Some(Duration::from_millis(500))),
        ];
        for check in checks {
            let samples = RefCell::new(Vec::new());
            let facts = RefCell::new(None);
            group.bench_function(format!("{}: {plan}", check.name()), |b| {
                let events: &[Event] = &events;
                b.iter_custom(|passes| {
                    let mut spent = Duration::ZERO;
                    for _ in 0..passes {
                        forget_peak().expect("the kernel forgets");
                        let held = resident().expect("the kernel tells the memory");
                        let began = processor_time().expect("the kernel tells the time");
                        let result = check.check(events, &Budget::default());
                        spent += processor_time().expect("the kernel tells the time") - began;
                        let peak = resident().expect("the kernel tells the memory").peak;
                        *facts.borrow_mut() = Some((result.valid, held.now, peak - held.now));
                    }
                    samples.borrow_mut().push(spent.as_secs_f64() / passes as f64);
                    spent
                });
            });
            let mut samples = samples.into_inner();
            samples.sort_by(f64::total_cmp);
            if let (Some(&median_s), Some((valid, held_bytes, beside_bytes))) =
                (samples.get(samples.len() / 2), facts.into_inner())
            {
                let input_bytes = held_bytes.saturating_sub(before_bytes);
                measured.push(Measured {
                    check: check.name(),
                    plan,
                    median_s,
                    beside_bytes,
                    input_bytes,
                    valid,
                });
            }
        }
    }
    group.finish();
    criterion.final_summary();
    let content = format!("Measured on {}.\n\n{}", report::machine(), table(&measured));
    eprintln!("{content}");
    if is_test || measured.len() < 3 * plans().len() {
        eprintln!("not everything was measured: checker/BENCHMARKS.md is left as it is");
        return;
    }
    report::replace_section(&report::page(), "convergence", &content).expect("the page can be written");
}

fn table(measured: &[Measured]) -> String {
    let mut text = String::from(
        "| check | 1 M operations | verdict | must | time | memory beside the events | the events | reached |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for Measured { check, plan, median_s, beside_bytes, input_bytes, valid } in measured {
        let verdict = match valid {
            Validity::Valid => "valid",
            Validity::Invalid => "invalid",
            Validity::Unknown => "unknown",
        };
        let reached = if *median_s < MUST_S && *beside_bytes < MUST_BYTES { "must" } else { "**no**" };
        let _ = writeln!(
            text,
            "| {check} | {plan} | {verdict} | < {}, {} | {} | {} | {} | {reached} |",
            time(MUST_S),
            megabytes(MUST_BYTES),
            time(*median_s),
            megabytes(*beside_bytes),
            megabytes(*input_bytes),
        );
    }
    text
}
