//! The comparison of checker and oracle, counted.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::panic::{self, AssertUnwindSafe};

use growler_checker::anomaly;
use growler_checker::evidence::{certificate, order};
use growler_checker::history::{Event, pair};
use growler_checker::linearizability::{Engine, Linearizable, Linearization};
use growler_checker::verdict::{Budget, Check, Validity};

use super::history::{Call, Op, events};
use super::{orders, weakened};

/// What is compared beyond verdicts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Thoroughness {
    /// Each certificate is judged of one history in so many; of none if this is 0.
    pub(crate) certificates: u64,
    /// The smallest certificate is looked for in one history in so many; in none if this is 0.
    pub(crate) smallest: u64,
    /// The engines by themselves are asked about every way to weaken operations, not about one and none.
    pub(crate) every_weakening: bool,
}

impl Thoroughness {
    /// Every certificate is judged, and compared with the smallest one.
    pub(crate) const FULL: Self = Self { certificates: 1, smallest: 1, every_weakening: true };
}

/// One history on which they disagree.
#[derive(Debug)]
pub(crate) struct Mismatch {
    /// Its number in the command that made it.
    pub(crate) number: u64,
    /// How, and the history.
    pub(crate) text: String,
}

/// What came out of comparing.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Histories compared.
    pub(crate) histories: u64,
    /// Those that are not linearizable.
    pub(crate) invalid: u64,
    /// Weakened histories that the engines were asked about by themselves.
    pub(crate) weakened: u64,
    /// Alarms that the monitor raised.
    pub(crate) alarms: u64,
    /// Certificates that were judged.
    pub(crate) judged: u64,
    /// Certificates by size, and by the size of a smallest one where that was looked for.
    pub(crate) sizes: BTreeMap<(usize, Option<usize>), u64>,
    /// Anomalies by name.
    pub(crate) names: BTreeMap<String, u64>,
    /// Histories, and those that are not linearizable, by sort.
    pub(crate) sorts: BTreeMap<&'static str, (u64, u64)>,
    /// Histories that an engine could not decide, where that is no mismatch.
    pub(crate) undecided: BTreeMap<&'static str, u64>,
    /// Histories on which checker and oracle disagree; the first few are kept.
    pub(crate) mismatches: Vec<Mismatch>,
    /// How many they are.
    pub(crate) disagreements: u64,
}

/// So many mismatches are kept.
const KEPT: usize = 5;

/// The engines that are compared with the oracle, and with each other.
pub(crate) fn engines() -> [(&'static str, Linearizable); 2] {
    let check = Linearizable::cas_register();
    [("auto", check), ("general", check.with_engine(Engine::General))]
}

impl Tally {
    /// Compares the checker with the oracle on one history of this sort and number.
    pub(crate) fn compare(&mut self, sort: &'static str, number: u64, ops: &[Op], how: Thoroughness) {
        self.histories += 1;
        let events = events(ops);
        let compared = panic::catch_unwind(AssertUnwindSafe(|| self.faults(sort, number, ops, &events, how)));
        for fault in compared.unwrap_or_else(|_| vec!["it panics".to_owned()]) {
            self.disagree(number, &format!("{sort}: {fault}"), &events);
        }
    }

    fn faults(
        &mut self,
        sort: &'static str,
        number: u64,
        ops: &[Op],
        events: &[Event],
        how: Thoroughness,
    ) -> Vec<String> {
        let valid = orders::linearizable(ops, u32::MAX);
        let (all, invalid) = self.sorts.entry(sort).or_default();
        *all += 1;
        *invalid += u64::from(!valid);
        self.invalid += u64::from(!valid);
        let mut faults = Vec::new();
        for strong in weakenings(number, ops, how) {
            self.weakened += 1;
            faults.extend(weakened::fault(ops, strong));
            faults.extend(weakened::fault_of_verifier(ops, events, strong));
        }
        let (alarm, fault) = weakened::fault_of_alarm(ops, events);
        self.alarms += u64::from(alarm);
        faults.extend(fault);
        for (engine, check) in engines() {
            let fault = if valid {
                fault_of_pass(check, ops, events)
            } else {
                self.fault_of_violation(engine, check, number, ops, events, how)
            };
            faults.extend(fault.map(|fault| format!("{engine}: {fault}")));
        }
        faults
    }

    /// What is wrong with what an engine makes of a history that is not linearizable.
    fn fault_of_violation(
        &mut self,
        engine: &str,
        check: Linearizable,
        number: u64,
        ops: &[Op],
        events: &[Event],
        how: Thoroughness,
    ) -> Option<String> {
        let result = check.check(events, &Budget::default());
        if result.valid != Validity::Invalid {
            return Some(format!("it is not linearizable, and the answer is {:?}", result.valid));
        }
        let [found] = result.anomalies.as_slice() else { return Some("not exactly one anomaly".to_owned()) };
        if !anomaly::admits(anomaly::NONLINEARIZABLE, &found.kind) {
            return Some(format!("{} is no case of nonlinearizable", found.kind));
        }
        let one_in = |share: u64| number.checked_rem(share) == Some(0);
        if engine == engines()[0].0 {
            *self.names.entry(found.kind.to_string()).or_default() += 1;
            let size = found.ops.len();
            let smallest =
                one_in(how.smallest).then(|| orders::smallest_certificate(ops, size).unwrap_or(size));
            *self.sizes.entry((size, smallest)).or_default() += 1;
        }
        if !one_in(how.certificates) {
            return None;
        }
        self.judged += 1;
        if let Err(fault) = certificate::verify(events, "cas-register", found) {
            return Some(format!("{:?}: the verifier says: {fault}", found.ops));
        }
        orders::fault_of_certificate(ops, &found.ops).map(|fault| format!("{:?}: {fault}", found.ops))
    }

    /// Notes a mismatch.
    pub(crate) fn disagree(&mut self, number: u64, reason: &str, events: &[Event]) {
        self.disagreements += 1;
        let mut text = reason.to_owned();
        for event in events {
            let _ = write!(text, "\n{}", serde_json::to_string(event).unwrap_or_default());
        }
        self.mismatches.push(Mismatch { number, text });
        self.mismatches.sort_by_key(|mismatch| mismatch.number);
        self.mismatches.truncate(KEPT);
    }

    /// Adds what another one has counted.
    pub(crate) fn add(&mut self, other: Self) {
        self.histories += other.histories;
        self.invalid += other.invalid;
        self.weakened += other.weakened;
        self.alarms += other.alarms;
        self.judged += other.judged;
        self.disagreements += other.disagreements;
        for (sizes, count) in other.sizes {
            *self.sizes.entry(sizes).or_default() += count;
        }
        for (name, count) in other.names {
            *self.names.entry(name).or_default() += count;
        }
        for (engine, count) in other.undecided {
            *self.undecided.entry(engine).or_default() += count;
        }
        for (sort, (all, invalid)) in other.sorts {
            let sum = self.sorts.entry(sort).or_default();
            *sum = (sum.0 + all, sum.1 + invalid);
        }
        self.mismatches.extend(other.mismatches);
        self.mismatches.sort_by_key(|mismatch| mismatch.number);
        self.mismatches.truncate(KEPT);
    }

    /// Certificates by size alone.
    pub(crate) fn by_size(&self) -> BTreeMap<usize, u64> {
        let mut sizes = BTreeMap::new();
        for (&(size, _), count) in &self.sizes {
            *sizes.entry(size).or_default() += count;
        }
        sizes
    }
}

/// Which operations are at full strength when the engines are asked by themselves: all of them, and some
/// others.
fn weakenings(number: u64, ops: &[Op], how: Thoroughness) -> impl Iterator<Item = u32> {
    let whole = (1_u32 << ops.len()) - 1;
    // Another one for each history, spread over all.
    let spread = |by: u64| (number.wrapping_mul(by) >> 40) as u32;
    let some = match number % 4 {
        0 | 1 => spread(0x9E37_79B9_7F4A_7C15),
        2 => spread(0x9E37_79B9_7F4A_7C15) | spread(0xC2B2_AE3D_27D4_EB4F),
        // Only what was read.
        _ => (0..ops.len()).filter(|&at| ops[at].call == Call::Read).map(|at| 1 << at).sum(),
    };
    let some = some & whole;
    let others = if how.every_weakening { 0..whole } else { some..some + u32::from(some < whole) };
    others.chain([whole])
}

/// What is wrong with what an engine makes of a history that is linearizable.
fn fault_of_pass(check: Linearizable, ops: &[Op], events: &[Event]) -> Option<String> {
    let result = check.check(events, &Budget::default());
    if result.valid != Validity::Valid || !result.anomalies.is_empty() {
        return Some(format!("it is linearizable, and the answer is {:?}", result.valid));
    }
    let Ok(found) = check.orders(events, &Budget::default()) else { return Some("no orders".to_owned()) };
    let Ok(operations) = pair(events) else { return Some("no operations".to_owned()) };
    match found.as_slice() {
        [Linearization { order: Some(order), .. }] => {
            let fault = order::explains(&operations, order).err();
            fault.map(|fault| format!("{order:?} is no linearization: {fault}"))
        }
        [] if ops.is_empty() => None,
        other => Some(format!("there is an order, and the answer is {other:?}")),
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "histories {}, not linearizable {}", self.histories, self.invalid)?;
        if self.sorts.len() > 1 {
            for (sort, (all, invalid)) in &self.sorts {
                writeln!(f, "  {sort}: {all}, not linearizable {invalid}")?;
            }
        }
        writeln!(f, "weakened histories {}, alarms {}", self.weakened, self.alarms)?;
        writeln!(f, "anomalies {:?}", self.names)?;
        writeln!(f, "certificates by size {:?}, judged {}", self.by_size(), self.judged)?;
        let compared = || self.sizes.iter().filter_map(|(&(ours, least), count)| Some((ours, least?, count)));
        if compared().next().is_some() {
            write!(f, "certificates by (our size, smallest possible):")?;
            for (ours, least, count) in compared() {
                write!(f, " ({ours}, {least}) {count}")?;
            }
            writeln!(f)?;
        }
        if !self.undecided.is_empty() {
            writeln!(f, "undecided {:?}", self.undecided)?;
        }
        write!(f, "mismatches {}", self.disagreements)?;
        for Mismatch { number, text } in &self.mismatches {
            write!(f, "\n\nhistory {number}: {text}")?;
        }
        Ok(())
    }
}
