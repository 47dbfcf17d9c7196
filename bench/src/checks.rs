//! What checks cost from recorded events to a verdict, on one core: time and memory, as a table of
//! `checker/BENCHMARKS.md` that a whole run rewrites.
//!
//! Times are processor times of the one thread that works, so that a busy machine does not count. Memory is the
//! kernel's high-water mark during one check, less what was there before: the events themselves, which the
//! table shows apart.

use std::cell::{LazyCell, RefCell};
use std::fmt::Write as _;
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
/// What each check must keep to.
const MUST_S: f64 = 2.0;
const MUST_BYTES: u64 = 1_000_000_000;

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
    beside_bytes: u64,
    input_bytes: u64,
}

/// Measures every check of every case, and rewrites the section of the page if nothing was left out.
///
/// # Panics
///
/// If the kernel does not tell time and memory, or the page cannot be written.
pub fn measure(section: &str, cases: &[Case]) {
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    let is_test = std::env::args().any(|argument| argument == "--test" || argument == "--list");
    let mut group = criterion.benchmark_group(section);
    group.warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_secs(3));
    let mut measured = Vec::new();
    for Case { about, events, checks } in cases {
        let before = resident().expect("the kernel tells the memory").now;
        let events = LazyCell::new(|| events(if is_test { TRIED } else { OPERATIONS }));
        for check in checks {
            let meter = Meter::default();
            group.bench_function(format!("{}: {about}", check.name()), |b| {
                b.iter_custom(|passes| meter.spend(&**check, &events, passes));
            });
            measured.extend(meter.measured(check.name(), about, before));
        }
    }
    group.finish();
    criterion.final_summary();
    let content = format!("Measured on {}.\n\n{}", report::machine(), table(&measured));
    eprintln!("{content}");
    if is_test || measured.len() < cases.iter().map(|case| case.checks.len()).sum() {
        eprintln!("not everything was measured: checker/BENCHMARKS.md is left as it is");
        return;
    }
    report::replace_section(&report::page(), section, &content).expect("the page can be written");
}

/// What one check of one history costs, sample by sample.
#[derive(Default)]
struct Meter {
    seconds_a_pass: RefCell<Vec<f64>>,
    /// The verdict, and of the pass that took most, the bytes held before and taken during it: what an allocator
    /// keeps of one pass does not show in the next.
    most: RefCell<Option<(String, u64, u64)>>,
}

impl Meter {
    fn spend(&self, check: &dyn Check, events: &[Event], passes: u64) -> Duration {
        let now = || processor_time().expect("the kernel tells the time");
        let mut spent = Duration::ZERO;
        for _ in 0..passes {
            forget_peak().expect("the kernel forgets");
            let held = resident().expect("the kernel tells the memory").now;
            let began = now();
            let result = check.check(events, &Budget::default());
            spent += now() - began;
            let peak = resident().expect("the kernel tells the memory").peak;
            let verdict = format!("{:?}", result.valid).to_lowercase();
            let taken = peak.saturating_sub(held);
            let mut most = self.most.borrow_mut();
            if most.as_ref().is_none_or(|&(_, _, before)| before <= taken) {
                *most = Some((verdict, held, taken));
            }
        }
        self.seconds_a_pass.borrow_mut().push(spent.as_secs_f64() / passes as f64);
        spent
    }

    /// Nothing if the user's filter left this one out.
    fn measured(self, check: &'static str, about: &'static str, before_bytes: u64) -> Option<Measured> {
        let mut samples = self.seconds_a_pass.into_inner();
        samples.sort_by(f64::total_cmp);
        let median_s = *samples.get(samples.len() / 2)?;
        let (verdict, held, beside_bytes) = self.most.into_inner()?;
        let input_bytes = held.saturating_sub(before_bytes);
        Some(Measured { check, about, verdict, median_s, beside_bytes, input_bytes })
    }
}

fn table(measured: &[Measured]) -> String {
    let mut text = String::from(
        "| check | 1 M operations | verdict | must | time | memory beside the events | the events | reached |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for Measured { check, about, verdict, median_s, beside_bytes, input_bytes } in measured {
        let reached = if *median_s < MUST_S && *beside_bytes < MUST_BYTES { "must" } else { "**no**" };
        let _ = writeln!(
            text,
            "| {check} | {about} | {verdict} | < {}, {} | {} | {} | {} | {reached} |",
            time(MUST_S),
            megabytes(MUST_BYTES),
            time(*median_s),
            megabytes(*beside_bytes),
            megabytes(*input_bytes),
        );
    }
    text
}
