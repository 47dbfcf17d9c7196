//! What checks cost from recorded events to a verdict, on one core: time and memory, as a table of
//! `checker/BENCHMARKS.md` that a whole run rewrites.
//!
//! Times are processor times of the one thread that works, so that a busy machine does not count. Memory is the
//! kernel's high-water mark during one check, less what was there before: the events themselves, which the
//! table shows apart. It is measured in a process of its own, since what the allocator keeps of one check would
//! hide what the next one takes.

use std::cell::{LazyCell, RefCell};
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Command;
use std::time::Duration;

use criterion::Criterion;
use growler_checker::history::Event;
use growler_checker::verdict::{Budget, Check};

use crate::memory::{forget_peak, processor_time, resident};
use crate::report::{self, megabytes, time};

/// Operations of each history.
const OPERATIONS: u32 = 1_000_000;
/// Operations of each history if nothing is to be measured.
const TRIED: u32 = 10_000;
/// Tells a process that it is to measure the memory of one case and one of its checks, by their numbers.
const MEASURE_MEMORY: &str = "GROWLER_BENCH_MEMORY";
/// What each check must keep to.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The time that it may take.
    pub must: Duration,
    /// The time that it should take, where less is asked for than it may.
    pub aim: Option<Duration>,
    /// The memory that it may take beside the events, in bytes.
    pub bytes: u64,
}

impl Bounds {
    /// Those of the checks of weak consistency.
    pub const USUAL: Self = Self { must: Duration::from_secs(2), aim: None, bytes: 1_000_000_000 };
}

/// Checks of one history.
pub struct Case {
    /// Which history, for people.
    pub about: &'static str,
    /// The history, of so many operations.
    pub events: Box<dyn Fn(u32) -> Vec<Event>>,
    /// What judges it.
    pub checks: Vec<Box<dyn Check>>,
}

struct Measured {
    check: &'static str,
    about: &'static str,
    verdict: String,
    median_s: f64,
    memory: Memory,
}

/// What is in memory, in bytes: the events, and the most that a check takes beside them.
struct Memory {
    input_bytes: u64,
    beside_bytes: u64,
}

/// Measures every check of every case, and rewrites the section of the page if nothing was left out.
///
/// # Panics
///
/// If the kernel does not tell time and memory, or the page cannot be written.
pub fn measure(section: &str, bounds: Bounds, cases: &[Case]) {
    if let Ok(which) = std::env::var(MEASURE_MEMORY) {
        let Memory { input_bytes, beside_bytes } = take_memory(cases, &which).expect("a case and its check");
        writeln!(std::io::stdout(), "{input_bytes} {beside_bytes}").expect("somebody reads it");
        return;
    }
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    let is_test = std::env::args().any(|argument| argument == "--test" || argument == "--list");
    let mut group = criterion.benchmark_group(section);
    group.warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_secs(3));
    let mut measured = Vec::new();
    for (number, Case { about, events, checks }) in cases.iter().enumerate() {
        let events = LazyCell::new(|| events(if is_test { TRIED } else { OPERATIONS }));
        for (at, check) in checks.iter().enumerate() {
            let meter = Meter::default();
            group.bench_function(format!("{}: {about}", check.name()), |b| {
                b.iter_custom(|passes| meter.spend(&**check, &events, passes));
            });
            let Some((verdict, median_s)) = meter.measured().filter(|_| !is_test) else { continue };
            let memory = ask_memory(number, at);
            measured.push(Measured { check: check.name(), about, verdict, median_s, memory });
        }
    }
    group.finish();
    criterion.final_summary();
    let content = format!("Measured on {}.\n\n{}", report::machine(), table(bounds, &measured));
    eprintln!("{content}");
    if is_test || measured.len() < cases.iter().map(|case| case.checks.len()).sum() {
        eprintln!("not everything was measured: checker/BENCHMARKS.md is left as it is");
        return;
    }
    report::replace_section(&report::page(), section, &content).expect("the page can be written");
}

/// What one check takes of the memory, in this process.
fn take_memory(cases: &[Case], which: &str) -> Option<Memory> {
    let mut numbers = which.split(' ').map(|number| number.parse::<usize>().ok());
    let case = cases.get(numbers.next()??)?;
    let check = case.checks.get(numbers.next()??)?;
    let before = resident().ok()?.now;
    let events = (case.events)(OPERATIONS);
    forget_peak().ok()?;
    let held = resident().ok()?.now;
    std::hint::black_box(check.check(&events, &Budget::default()));
    let peak = resident().ok()?.peak;
    Some(Memory { input_bytes: held.saturating_sub(before), beside_bytes: peak.saturating_sub(held) })
}

/// The same, in a process of its own, which runs this program anew: so it must call [`measure`] once only.
fn ask_memory(case: usize, check: usize) -> Memory {
    let program = std::env::current_exe().expect("the kernel tells the program");
    let mut command = Command::new(program);
    // The allocator gives back at once what the making of the events left: a check must not live on that.
    command.env(MEASURE_MEMORY, format!("{case} {check}")).env("MIMALLOC_PURGE_DELAY", "0");
    let output = command.output();
    let output = output.expect("the program runs again");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    let mut bytes = text.split_whitespace().map(|bytes| bytes.parse().expect("a number"));
    let mut next = || bytes.next().expect("two numbers");
    Memory { input_bytes: next(), beside_bytes: next() }
}

/// What one check of one history costs, sample by sample.
#[derive(Default)]
struct Meter {
    seconds_a_pass: RefCell<Vec<f64>>,
    verdict: RefCell<String>,
}

impl Meter {
    fn spend(&self, check: &dyn Check, events: &[Event], passes: u64) -> Duration {
        let now = || processor_time().expect("the kernel tells the time");
        let mut spent = Duration::ZERO;
        for _ in 0..passes {
            let began = now();
            let result = check.check(events, &Budget::default());
            spent += now() - began;
            *self.verdict.borrow_mut() = format!("{:?}", result.valid).to_lowercase();
        }
        self.seconds_a_pass.borrow_mut().push(spent.as_secs_f64() / passes as f64);
        spent
    }

    /// The verdict and the median of the seconds; nothing if the user's filter left this one out.
    fn measured(self) -> Option<(String, f64)> {
        let mut samples = self.seconds_a_pass.into_inner();
        samples.sort_by(f64::total_cmp);
        Some((self.verdict.into_inner(), *samples.get(samples.len() / 2)?))
    }
}

fn table(bounds: Bounds, measured: &[Measured]) -> String {
    let mut text = String::from(
        "| check | 1 M operations | verdict | must | time | memory beside the events | the events | reached |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for Measured { check, about, verdict, median_s, memory } in measured {
        let Memory { input_bytes, beside_bytes } = memory;
        let keeps = |limit: Duration| *median_s < limit.as_secs_f64() && *beside_bytes < bounds.bytes;
        let reached = match bounds.aim {
            Some(aim) if keeps(aim) => "aim",
            _ if keeps(bounds.must) => "must",
            _ => "**no**",
        };
        let aim = bounds.aim.map_or_else(String::new, |aim| format!(" (aim {})", time(aim.as_secs_f64())));
        let _ = writeln!(
            text,
            "| {check} | {about} | {verdict} | < {}{aim}, {} | {} | {} | {} | {reached} |",
            time(bounds.must.as_secs_f64()),
            megabytes(bounds.bytes),
            time(*median_s),
            megabytes(*beside_bytes),
            megabytes(*input_bytes),
        );
    }
    text
}
