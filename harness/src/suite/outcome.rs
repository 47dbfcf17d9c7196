//! From how a process of `growler test` or `growler check` ended to a verdict: a pure function of its exit
//! status, of what it printed, and of whether somebody had asked it to end.
//!
//! The results that it printed are believed where they agree with its exit code. What ended in any other way
//! has a verdict here: a process that crashed is a defect of growler, one that something killed met its
//! surroundings.

use growler_results::Results;
use growler_results::verdict::Verdict;
use nix::sys::signal::Signal;
use serde_json::Value;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// It ended itself.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
    /// It was asked to end in order, and had to be killed, or the suite killed it.
    GivenUp,
}

/// What a process came to.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) verdict: Verdict,
    pub(super) also: Vec<Verdict>,
    pub(super) reasons: Vec<String>,
    /// What it printed, where that was a verdict: typed, and whole.
    pub(super) results: Option<(Results, Value)>,
}

/// Reads an end. `said` is the last that it said on standard error.
pub(super) fn read(exit: Exit, printed: &[u8], said: &str) -> Outcome {
    let results = serde_json::from_slice::<Value>(printed)
        .ok()
        .and_then(|whole| Some((serde_json::from_value::<Results>(whole.clone()).ok()?, whole)));
    let told = if said.is_empty() { "it said nothing".to_owned() } else { format!("it said: {said}") };
    let bare = |verdict: Verdict, why: String| Outcome {
        verdict,
        also: Vec::new(),
        reasons: vec![why],
        results: None,
    };
    match (exit, results) {
        (Exit::GivenUp, _) => bare(Verdict::Interrupted, "it was stopped with the suite".to_owned()),
        (Exit::Signal(number), _) => {
            let name =
                Signal::try_from(number).map_or_else(|_| number.to_string(), |s| s.as_str().to_owned());
            match Signal::try_from(number) {
                Ok(Signal::SIGKILL | Signal::SIGTERM | Signal::SIGINT | Signal::SIGHUP | Signal::SIGXCPU) => {
                    bare(
                        Verdict::Environment,
                        format!("something killed it ({name}; is memory short?); {told}"),
                    )
                }
                _ => bare(Verdict::Internal, format!("it crashed ({name}); {told}")),
            }
        }
        (Exit::Code(code), Some((results, whole))) if i32::from(results.verdict.exit_code()) == code => {
            Outcome {
                verdict: results.verdict,
                also: results.also.clone(),
                reasons: results.reasons.clone(),
                results: Some((results, whole)),
            }
        }
        (Exit::Code(code), Some((results, _))) => {
            let verdict = results.verdict;
            bare(Verdict::Internal, format!("it printed {verdict} and ended with exit code {code}; {told}"))
        }
        (Exit::Code(code), None) => without_results(code, &told),
    }
}

/// An end without a verdict to read.
fn without_results(code: i32, told: &str) -> Outcome {
    let verdict = Verdict::ALL.into_iter().find(|verdict| i32::from(verdict.exit_code()) == code);
    let (verdict, why) = match verdict {
        Some(verdict @ (Verdict::Environment | Verdict::Interrupted | Verdict::Internal)) => {
            (verdict, told.to_owned())
        }
        // The options were checked before: something that they name is not what it was then.
        Some(Verdict::Usage) => {
            (Verdict::Environment, format!("options that were right are not any more; {told}"))
        }
        _ => (Verdict::Internal, format!("it ended with exit code {code} and printed no verdict; {told}")),
    };
    Outcome { verdict, also: Vec::new(), reasons: vec![why], results: None }
}

#[cfg(test)]
mod tests {
    use growler_results::verdict::{Judgement, OpCounts};

    use super::*;

    fn printed(internal: &[&str]) -> Vec<u8> {
        let internal = internal.iter().map(|why| (*why).to_owned()).collect();
        let stats = OpCounts { ops: 1, ok: 1, ..OpCounts::default() };
        let judgement = Judgement { internal, stats, ..Judgement::default() };
        let results = Results::new(&judgement, &|_, _| false).of_run("runs/a", 7);
        serde_json::to_vec(&results).unwrap()
    }

    fn verdict(exit: Exit, printed: &[u8]) -> Verdict {
        let outcome = read(exit, printed, "growler: the port is taken");
        assert_eq!(outcome.verdict == Verdict::Pass, outcome.reasons.is_empty(), "{outcome:?}");
        outcome.verdict
    }

    #[test]
    fn results_are_believed_where_the_exit_code_agrees() {
        let outcome = read(Exit::Code(0), &printed(&[]), "");
        assert_eq!(outcome.verdict, Verdict::Pass);
        let (results, whole) = outcome.results.unwrap();
        assert_eq!((results.run.as_deref(), &whole["seed"]), (Some("runs/a"), &Value::from(7)));
        assert_eq!(verdict(Exit::Code(255), &printed(&["a worker panicked"])), Verdict::Internal);
        assert_eq!(verdict(Exit::Code(1), &printed(&[])), Verdict::Internal, "a pass does not end with 1");
    }

    #[test]
    fn an_end_without_results_is_never_a_pass() {
        for (code, expected) in [
            (0, Verdict::Internal),
            (1, Verdict::Internal),
            (3, Verdict::Internal),
            (4, Verdict::Environment),
            (130, Verdict::Interrupted),
            (254, Verdict::Environment),
            (255, Verdict::Internal),
            (101, Verdict::Internal),
        ] {
            assert_eq!(verdict(Exit::Code(code), b""), expected, "exit code {code}");
            assert_eq!(verdict(Exit::Code(code), b"{\"verdict\": \"pa"), expected, "half a verdict, {code}");
        }
        let outcome = read(Exit::Code(4), b"", "growler: the port is taken");
        assert_eq!(outcome.reasons, ["it said: growler: the port is taken"]);
    }

    #[test]
    fn what_was_killed_met_its_surroundings_and_what_crashed_is_a_defect() {
        assert_eq!(verdict(Exit::Signal(9), &printed(&[])), Verdict::Environment);
        assert_eq!(verdict(Exit::Signal(15), b""), Verdict::Environment);
        assert_eq!(verdict(Exit::Signal(11), b""), Verdict::Internal);
        assert_eq!(verdict(Exit::Signal(6), b""), Verdict::Internal);
        assert_eq!(verdict(Exit::GivenUp, b""), Verdict::Interrupted);
        let told = &read(Exit::Signal(9), b"", "").reasons[0];
        assert!(told.contains("SIGKILL") && told.contains("it said nothing"), "{told}");
    }
}
