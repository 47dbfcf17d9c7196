//! The comparison of checker and oracle, counted.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use growler_checker::anomaly;
use growler_checker::history::Event;
use growler_checker::linearizability::Linearizable;
use growler_checker::verdict::{Budget, Check, Validity};

use super::history::{Op, events};
use super::{orders, weakened};

/// What is compared beyond verdicts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Thoroughness {
    /// Each certificate is judged of one history in so many; of none if this is 0.
    pub(crate) certificates: u64,
    /// The smallest certificate is looked for in one history in so many; in none if this is 0.
    pub(crate) smallest: u64,
    /// The item algorithm is asked about every way to weaken operations, not about one and none.
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
    /// Questions put to the item algorithm alone.
    pub(crate) weakened: u64,
    /// Certificates that were judged.
    pub(crate) judged: u64,
    /// Certificates by size, and by the size of a smallest one where that was looked for.
    pub(crate) sizes: BTreeMap<(usize, Option<usize>), u64>,
    /// Anomalies by name.
    pub(crate) names: BTreeMap<String, u64>,
    /// Histories, and those that are not linearizable, by sort.
    pub(crate) sorts: BTreeMap<&'static str, (u64, u64)>,
    /// Histories on which checker and oracle disagree; the first few are kept.
    pub(crate) mismatches: Vec<Mismatch>,
    /// How many they are.
    pub(crate) disagreements: u64,
}

/// So many mismatches are kept.
const KEPT: usize = 5;

/// The engines that are compared with the oracle.
fn engines() -> [(&'static str, Linearizable); 1] {
    [("auto", Linearizable::cas_register())]
}

impl Tally {
    /// Compares the checker with the oracle on one history of this sort and number.
    pub(crate) fn compare(&mut self, sort: &'static str, number: u64, ops: &[Op], how: Thoroughness) {
        self.histories += 1;
        let valid = orders::linearizable(ops, u32::MAX);
        let (all, invalid) = self.sorts.entry(sort).or_default();
        *all += 1;
        *invalid += u64::from(!valid);
        self.invalid += u64::from(!valid);
        let events = events(ops);
        for strong in self.weakenings(number, ops.len(), how) {
            if let Some(reason) = weakened::fault(ops, strong) {
                self.disagree(number, &format!("{sort}: {reason}"), &events);
            }
            self.weakened += 1;
        }
        for (engine, check) in engines() {
            if let Some(reason) = self.disagreement(check, number, ops, &events, valid, how) {
                self.disagree(number, &format!("{engine}, {sort}: {reason}"), &events);
            }
        }
    }

    /// Which operations are at full strength when the item algorithm is asked: all of them, and some others.
    fn weakenings(&self, number: u64, ops: usize, how: Thoroughness) -> impl Iterator<Item = u32> + use<> {
        let whole = (1_u32 << ops) - 1;
        // A different one for each history, spread over all.
        let some = (number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as u32 & whole;
        let all = if how.every_weakening { 0..whole } else { some..some + u32::from(some < whole) };
        all.chain([whole])
    }

    fn disagreement(
        &mut self,
        check: Linearizable,
        number: u64,
        ops: &[Op],
        events: &[Event],
        valid: bool,
        how: Thoroughness,
    ) -> Option<String> {
        let result = check.check(events, &Budget::default());
        let wanted = if valid { Validity::Valid } else { Validity::Invalid };
        if result.valid != wanted {
            return Some(format!("the checker says {:?}, the oracle {wanted:?}", result.valid));
        }
        if valid {
            return (!result.anomalies.is_empty()).then(|| "an anomaly in a valid history".to_owned());
        }
        let [found] = result.anomalies.as_slice() else { return Some("not exactly one anomaly".to_owned()) };
        if !anomaly::admits(anomaly::NONLINEARIZABLE, &found.kind) {
            return Some(format!("{} is no case of nonlinearizable", found.kind));
        }
        *self.names.entry(found.kind.to_string()).or_default() += 1;
        let one_in = |share: u64| number.checked_rem(share) == Some(0);
        let size = found.ops.len();
        let smallest = one_in(how.smallest).then(|| orders::smallest_certificate(ops, size).unwrap_or(size));
        *self.sizes.entry((size, smallest)).or_default() += 1;
        if !one_in(how.certificates) {
            return None;
        }
        self.judged += 1;
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
        self.judged += other.judged;
        self.disagreements += other.disagreements;
        for (sizes, count) in other.sizes {
            *self.sizes.entry(sizes).or_default() += count;
        }
        for (name, count) in other.names {
            *self.names.entry(name).or_default() += count;
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

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "histories {}, not linearizable {}", self.histories, self.invalid)?;
        if self.sorts.len() > 1 {
            for (sort, (all, invalid)) in &self.sorts {
                writeln!(f, "  {sort}: {all}, not linearizable {invalid}")?;
            }
        }
        writeln!(f, "questions to the item algorithm alone {}", self.weakened)?;
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
        write!(f, "mismatches {}", self.disagreements)?;
        for Mismatch { number, text } in &self.mismatches {
            write!(f, "\n\nhistory {number}: {text}")?;
        }
        Ok(())
    }
}
