//! `results.json`: the verdict as a file, contract section 5.
//!
//! The same judgement gives the same bytes: maps are ordered, and nothing in here measures time.

use std::collections::BTreeMap;

use growler_checker::history::{Event, EventType, Process};
use growler_checker::sensitivity::Sensitivity;
use growler_checker::verdict::{CheckResult, Validity};
use serde::{Deserialize, Serialize};

use super::{Coverage, Exposure, Judgement, RunEnd, Verdict, by_kind, judge, outranked};

/// `results.json`, and what `--json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// The verdict after expectations.
    pub verdict: Verdict,
    /// Verdicts that apply as well, and that `verdict` outranks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Verdict>,
    /// The checkers' own answer, before expectations.
    pub valid: Validity,
    /// Sentences that say why, for every verdict but `pass`.
    #[serde(default)]
    pub reasons: Vec<String>,
    /// What a person should know that is no failure, as sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The run's folder, for runs only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The seed, for runs only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Each check's answer by name.
    pub checks: BTreeMap<String, CheckResult>,
    /// Counts of operations.
    pub stats: OpCounts,
    /// What raced, for runs only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposure: Option<Exposure>,
    /// Per kind of injected single fault, the share that the checks refuted in copies of this history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensitivity: Option<BTreeMap<String, f64>>,
    /// Where each of these shares lies, with a confidence of 95 %; both ends are the share where every place for
    /// such a fault was tried.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sensitivity_intervals: BTreeMap<String, [f64; 2]>,
    /// The counts behind it, by check and kind, with the reasons why the rest was not refuted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sensitivity_details: BTreeMap<String, Sensitivity>,
}

/// Operations by outcome. One that is still open counts as `info`, so the three add up to `ops`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpCounts {
    /// Invocations of clients.
    pub ops: u64,
    /// Completed, and they happened.
    pub ok: u64,
    /// Completed, and they certainly did not happen.
    pub fail: u64,
    /// They may or may not have happened.
    pub info: u64,
}

impl OpCounts {
    /// Counts a history.
    #[must_use]
    pub fn of(events: &[Event]) -> Self {
        let mut counts = Self::default();
        for event in events.iter().filter(|e| e.process != Process::Nemesis) {
            match event.kind {
                EventType::Invoke => counts.ops += 1,
                EventType::Ok => counts.ok += 1,
                EventType::Fail => counts.fail += 1,
                EventType::Info => {}
            }
        }
        counts.info = counts.ops.saturating_sub(counts.ok + counts.fail);
        counts
    }
}

impl Results {
    /// Judges, and keeps what was judged. `admits(parent, child)` is the catalogue of anomalies.
    #[must_use]
    pub fn new(input: &Judgement, admits: &dyn Fn(&str, &str) -> bool) -> Self {
        let (verdict, reasons) = judge(input, admits);
        let checks = input.all_checks();
        let valid = checks.values().map(|check| check.valid).max().unwrap_or(Validity::Valid);
        let details = input.run.as_ref().map(|run| run.coverage.sensitivity.clone()).unwrap_or_default();
        let shares: BTreeMap<String, f64> =
            by_kind(&details).into_iter().map(|(kind, tally)| (kind.to_owned(), tally.share())).collect();
        let intervals =
            by_kind(&details).into_iter().map(|(kind, t)| (kind.to_owned(), t.interval())).collect();
        Self {
            verdict,
            also: outranked(input, admits),
            valid,
            reasons,
            notes: input.all_notes(),
            run: None,
            seed: None,
            checks,
            stats: input.stats,
            exposure: input.run.as_ref().and_then(|run| run.coverage.exposure.clone()),
            sensitivity: (!details.is_empty()).then_some(shares),
            sensitivity_intervals: intervals,
            sensitivity_details: details,
        }
    }

    /// The same, as the results of a run: its folder and seed.
    #[must_use]
    pub fn of_run(mut self, run: impl Into<String>, seed: u64) -> Self {
        self.run = Some(run.into());
        self.seed = Some(seed);
        self
    }

    /// Whether this verdict applies, be it outranked.
    #[must_use]
    pub fn applies(&self, verdict: Verdict) -> bool {
        self.verdict == verdict || self.also.contains(&verdict)
    }

    /// Adds what came up after the verdict: it can make it worse, never better.
    pub fn add(&mut self, verdict: Verdict, why: String) {
        let before = self.verdict;
        self.verdict = before.combine(verdict);
        for outranked in [before, verdict] {
            let told = self.also.contains(&outranked);
            if outranked != self.verdict && outranked != Verdict::Pass && !told {
                self.also.push(outranked);
            }
        }
        if !self.reasons.contains(&why) {
            self.reasons.push(why);
        }
    }

    /// The end of a run whose `test.json` holds none, although it has results: an older growler kept only these.
    /// What is no answer of a check of the history counts on, in their words.
    #[must_use]
    pub fn end(&self) -> RunEnd {
        let befell = |name: &str| self.checks.get(name).is_some_and(|c| c.valid == Validity::Invalid);
        let stays = |verdict: &Verdict| match verdict {
            Verdict::Pass | Verdict::Unknown => false,
            Verdict::Violation => befell("recovery") || befell("crashes"),
            _ => true,
        };
        let before = [self.verdict].into_iter().chain(self.also.iter().copied()).filter(stays);
        let sentence =
            |verdict| format!("when the run ended it was judged {verdict}: {}", self.reasons.join("; "));
        let told = before.map(|verdict| (verdict, sentence(verdict))).collect();
        let coverage = Coverage { sensitivity: self.sensitivity_details.clone(), ..Coverage::default() };
        RunEnd { coverage, told, ..RunEnd::default() }
    }

    /// The file's bytes: indented JSON and a line end.
    ///
    /// # Errors
    /// None in practice; a map with keys that are no strings would be one.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|json| json + "\n")
    }
}
