//! How one run counts in its suite: the only place where a suite looks away from a run's own verdict.
//!
//! A row may be measured rather than judged, and a row may expect a verdict. Neither hides what has nothing to
//! do with the promise that was tested: a defect of growler, an interruption and a failing environment count
//! always, also where a violation outranks them in the run's own verdict.

use crate::verdict::Verdict;
use crate::words::join_and;

/// How a run ended, as far as it bears on the suite.
#[derive(Debug, Clone, Copy)]
pub struct Ending<'a> {
    /// The run's verdict.
    pub verdict: Verdict,
    /// What applied to it as well ([`crate::Results::also`]), and to the measurements of its history.
    pub also: &'a [Verdict],
}

/// The verdict that counts, and the reason where it is another one than the run's own.
///
/// - Not judged: only trouble counts.
/// - Expected: that verdict is the pass of this row. Any other answer is a violation, as with
///   `growler test --expect`; trouble stays what it is.
/// - Else the run's own verdict, and trouble of its measurements.
#[must_use]
pub fn count(ending: Ending<'_>, judge: bool, expect: Option<Verdict>) -> (Verdict, Option<String>) {
    let applied = || [ending.verdict].into_iter().chain(ending.also.iter().copied());
    let trouble = applied()
        .filter(|verdict| is_trouble(*verdict) && Some(*verdict) != expect)
        .fold(Verdict::Pass, Verdict::combine);
    match expect {
        _ if !judge => (trouble, None),
        None => (ending.verdict.combine(trouble), None),
        Some(expected) if expected == ending.verdict => (trouble, None),
        Some(_) if is_trouble(ending.verdict) => (trouble, None),
        Some(expected) => {
            let seen: Vec<&str> = applied().map(Verdict::name).collect();
            let why = format!("expected {expected}, and it was {}", join_and(&seen, "and"));
            (Verdict::Violation.combine(trouble), Some(why))
        }
    }
}

/// Whether a verdict says nothing about the system under test.
fn is_trouble(verdict: Verdict) -> bool {
    match verdict {
        Verdict::Environment | Verdict::Interrupted | Verdict::Usage | Verdict::Internal => true,
        Verdict::Pass | Verdict::Violation | Verdict::Unknown | Verdict::Vacuous => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{Environment, Internal, Interrupted, Pass, Unknown, Vacuous, Violation};

    fn counted(verdict: Verdict, also: &[Verdict], judge: bool, expect: Option<Verdict>) -> Verdict {
        count(Ending { verdict, also }, judge, expect).0
    }

    #[test]
    fn a_judged_run_counts_as_what_it_is() {
        for verdict in Verdict::ALL {
            assert_eq!(counted(verdict, &[], true, None), verdict);
        }
        assert_eq!(counted(Pass, &[Internal], true, None), Internal, "trouble of a measurement");
        assert_eq!(counted(Violation, &[Internal], true, None), Violation);
    }

    #[test]
    fn a_measured_run_counts_only_for_its_trouble() {
        for answer in [Pass, Violation, Unknown, Vacuous] {
            assert_eq!(counted(answer, &[], false, None), Pass);
        }
        for trouble in [Environment, Interrupted, Internal] {
            assert_eq!(counted(trouble, &[], false, None), trouble);
            assert_eq!(counted(Violation, &[trouble], false, None), trouble, "a violation hides nothing");
        }
    }

    #[test]
    fn the_expected_verdict_passes_and_every_other_answer_is_a_violation() {
        assert_eq!(counted(Violation, &[], true, Some(Violation)), Pass);
        assert_eq!(counted(Vacuous, &[], true, Some(Vacuous)), Pass);
        for other in [Pass, Unknown, Vacuous] {
            let (verdict, why) = count(Ending { verdict: other, also: &[] }, true, Some(Violation));
            assert_eq!(verdict, Violation);
            assert_eq!(why, Some(format!("expected violation, and it was {other}")));
        }
        for trouble in [Environment, Interrupted, Internal] {
            assert_eq!(counted(trouble, &[], true, Some(Violation)), trouble);
            assert_eq!(counted(Violation, &[trouble], true, Some(Violation)), trouble);
        }
        assert_eq!(counted(Environment, &[], true, Some(Environment)), Pass);
        assert_eq!(counted(Environment, &[Unknown], true, Some(Environment)), Pass);
    }
}
