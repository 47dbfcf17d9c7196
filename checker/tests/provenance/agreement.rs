//! The check against the statement of its rule, and what judges its certificates against both.

use std::collections::BTreeMap;

use growler_checker::evidence::provenance::verify_all;
use growler_checker::history::Event;
use growler_checker::model::catalogue as models;
use growler_checker::promise::{catalogue as promises, checks_for};
use growler_checker::verdict::{Anomaly, Budget, Check, Validity};
use growler_checker::{anomaly, model};

use super::random;
use super::statement::provenance;

/// Histories of each model and promise.
fn histories() -> u64 {
    200 * crate::times()
}

fn show(events: &[Event]) -> String {
    events.iter().map(|event| serde_json::to_string(event).expect("JSON") + "\n").collect()
}

/// Every pair that can be checked, with the check.
fn pairs() -> Vec<(&'static str, &'static str, Box<dyn Check>)> {
    let mut pairs = Vec::new();
    for model in models() {
        for promise in promises() {
            let Ok(checks) = checks_for(model.name, promise.name) else { continue };
            let mut own: Vec<_> = checks.into_iter().filter(|check| check.name() == "provenance").collect();
            assert_eq!(own.len(), 1, "{} as {}", model.name, promise.name);
            pairs.push((model.name, promise.name, own.remove(0)));
        }
    }
    pairs
}

#[test]
fn every_model_and_promise_agrees_with_the_statement() {
    let mut names: BTreeMap<&str, u64> = BTreeMap::new();
    let mut checked = 0;
    for (number, (model, promise, check)) in pairs().into_iter().enumerate() {
        let mut violations = 0;
        for seed in 0..histories() {
            let events = random::history(model, seed * 100 + number as u64);
            let name = || format!("{model} as {promise}, seed {seed}\n{}", show(&events));
            let result = check.check(&events, &Budget::default());
            let expected = provenance(&events, model);
            let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
            for (kind, _) in &expected {
                *counts.entry(kind).or_default() += 1;
                *names.entry(kind).or_default() += 1;
            }
            for kind in ["phantom-value", "aborted-read", "future-read", "wrong-version"] {
                let counted = result.stats.get(kind).and_then(serde_json::Value::as_u64).unwrap_or(0);
                let wanted = counts.get(kind).copied().unwrap_or(0);
                assert_eq!(counted, wanted, "{kind}: {expected:?}\n{:#?}\n{}", result.anomalies, name());
                let mut shown: Vec<Vec<u64>> =
                    result.anomalies.iter().filter(|a| a.kind == kind).map(|a| a.ops.clone()).collect();
                let mut wanted: Vec<Vec<u64>> =
                    expected.iter().filter(|(of, _)| *of == kind).map(|(_, ops)| ops.clone()).collect();
                shown.sort_unstable();
                wanted.sort_unstable();
                assert!(
                    wanted.len() > 10 || shown == wanted,
                    "{kind}: {shown:?}, not {wanted:?}\n{}",
                    name()
                );
            }
            assert_eq!(result.valid == Validity::Invalid, !expected.is_empty(), "{}", name());
            assert_ne!(result.valid, Validity::Unknown, "{:?}\n{}", result.unknown, name());
            violations += u64::from(!expected.is_empty());
            certificates(model, &events, &result.anomalies, &name());
            checked += 1;
        }
        let share = violations as f64 / histories() as f64;
        let least = if model == "mutex" || model == "bank" { 0.05 } else { 0.2 };
        assert!(
            (least..0.999).contains(&share),
            "{model} as {promise}: {share} of the histories are violations"
        );
    }
    assert_eq!(names.len(), 4, "{names:?}");
    eprintln!("{checked} histories, findings: {names:?}");
}

/// Every certificate is confirmed, and the same claim of any other operation is not.
fn certificates(model: &str, events: &[Event], anomalies: &[Anomaly], name: &str) {
    for (found, verified) in anomalies.iter().zip(verify_all(events, model, anomalies)) {
        assert_eq!(verified, Ok(()), "{found:?}\n{name}");
        assert!(anomaly::find(&found.kind).is_some() && found.explanation.ends_with('.'), "{found:?}");
    }
    if model == "bank" || anomalies.len() > 9 {
        return;
    }
    let calls = events.iter().filter(|event| event.kind == growler_checker::history::EventType::Invoke);
    for call in calls {
        for kind in ["phantom-value", "wrong-version"] {
            let is_version = |kind: &str| kind == "wrong-version";
            let told = anomalies
                .iter()
                .any(|found| found.ops == [call.index] && is_version(&found.kind) == is_version(kind));
            if !told {
                let claim = Anomaly { key: call.key.clone(), ..Anomaly::claim(kind, &[call.index]) };
                // What nobody brought at all stands beside no version of a write of it either.
                let is_bare = is_version(kind) && anomalies.iter().any(|found| found.ops == [call.index]);
                let verified = verify_all(events, model, &[claim]);
                assert!(is_bare || verified[0].is_err(), "{kind} {}: confirmed\n{name}", call.index);
            }
        }
    }
}

#[test]
fn every_model_that_can_be_checked_is_among_them() {
    for model in model::catalogue().iter().filter(|model| model.checked) {
        assert!(pairs().iter().any(|(name, ..)| *name == model.name), "{}", model.name);
    }
}
