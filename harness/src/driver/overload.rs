//! How a system that is there refused its work: too much of it (no answer in time, 5xx), or more than it lets this
//! user have (throttling). That says nothing about its promises, and it did not go away either.

use std::collections::BTreeMap;

use growler_checker::history::{Event, EventType, Process};
use growler_workloads::dynamodb::outcome::Seen;
use serde_json::Value;

/// A run of endpoints in which more than one operation in so many was refused like this is told about.
const TOLD_FROM_ONE_IN: u64 = 20;

/// What refused requests ended with, by the name that the history gives it, and how often.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Refusals(BTreeMap<String, u64>);

/// Why a request was not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// The system lets this user have no more.
    Throttled,
    /// The system cannot do more.
    Overloaded,
    Other,
}

impl Refusals {
    /// Notes one.
    pub(crate) fn note(&mut self, error: &str) {
        *self.0.entry(error.to_owned()).or_default() += 1;
    }

    /// Those of a history.
    pub(crate) fn of(events: &[Event]) -> Self {
        let mut refusals = Self::default();
        let failed = events.iter().filter(|e| matches!(e.kind, EventType::Fail | EventType::Info));
        for event in failed.filter(|e| matches!(e.process, Process::Client(_))) {
            let name = match event.error.as_deref() {
                Some(Value::String(name)) => Some(name.as_str()),
                Some(Value::Array(parts)) => parts.first().and_then(Value::as_str),
                _ => None,
            };
            name.into_iter().for_each(|name| refusals.note(name));
        }
        refusals
    }

    fn count(&self, cause: Cause) -> u64 {
        self.0.iter().filter(|(error, _)| cause_of(error) == cause).map(|(_, count)| count).sum()
    }

    /// Whether throttling is what most requests met.
    pub(crate) fn are_throttling(&self) -> bool {
        2 * self.count(Cause::Throttled) > self.0.values().sum()
    }

    /// What most requests met, as the beginning of a sentence about the endpoint.
    pub(crate) fn headline(&self) -> &'static str {
        let all: u64 = self.0.values().sum();
        match () {
            () if self.are_throttling() => "the endpoint throttles growler",
            () if 2 * (self.count(Cause::Throttled) + self.count(Cause::Overloaded)) > all => {
                "the endpoint is overloaded"
            }
            () => "the endpoint stopped serving",
        }
    }

    /// How often each was met, the most frequent first.
    pub(crate) fn counts(&self) -> String {
        let mut all: Vec<_> = self.0.iter().collect();
        all.sort_by_key(|(error, count)| (std::cmp::Reverse(**count), *error));
        all.iter().map(|(error, count)| format!("{count} {error}")).collect::<Vec<_>>().join(", ")
    }

    /// A sentence about a load of so many operations, where it was more than the endpoint takes.
    pub(crate) fn of_load(&self, operations: u64) -> Option<String> {
        let mut met = self.clone();
        met.0.retain(|error, _| cause_of(error) != Cause::Other);
        let refused: u64 = met.0.values().sum();
        (refused * TOLD_FROM_ONE_IN > operations && refused > 0).then(|| {
            format!(
                "{}: {refused} of {operations} operations ended with {}; fewer clients (--concurrency), a lower \
                 --rate or a longer --timeout may suit it",
                met.headline(),
                met.counts()
            )
        })
    }
}

fn cause_of(error: &str) -> Cause {
    let slow = [Seen::Timeout, Seen::ConnectTimeout].map(|seen| seen.row().error);
    match error {
        "ProvisionedThroughputExceededException"
        | "ThrottlingException"
        | "RequestLimitExceeded"
        | "http-429" => Cause::Throttled,
        _ if slow.contains(&error) || error.starts_with("http-5") => Cause::Overloaded,
        _ => Cause::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusals(counts: &[(&str, u64)]) -> Refusals {
        Refusals(counts.iter().map(|(error, count)| ((*error).to_owned(), *count)).collect())
    }

    #[test]
    fn the_headline_is_what_most_requests_met() {
        for (counts, headline) in [
            (
                &[("timeout", 6), ("http-503", 3), ("AccessDeniedException", 8)][..],
                "the endpoint is overloaded",
            ),
            (&[("ThrottlingException", 9), ("timeout", 3)], "the endpoint throttles growler"),
            (&[("http-503", 3), ("RequestLimitExceeded", 3)], "the endpoint is overloaded"),
            (&[("AccessDeniedException", 5), ("timeout", 5)], "the endpoint stopped serving"),
            (&[], "the endpoint stopped serving"),
        ] {
            assert_eq!(refusals(counts).headline(), headline, "{counts:?}");
        }
        let counts = refusals(&[("http-500", 2), ("timeout", 7)]).counts();
        assert_eq!(counts, "7 timeout, 2 http-500");
    }

    #[test]
    fn a_load_is_told_of_from_a_twentieth_on_and_failed_conditions_are_answers() {
        let met = refusals(&[("timeout", 4), ("http-503", 2), ("condition-failed", 500)]);
        let told = met.of_load(100).unwrap();
        assert!(
            told.starts_with("the endpoint is overloaded: 6 of 100 operations ended with 4 timeout, 2 http"),
            "{told}"
        );
        assert_eq!(met.of_load(120), None);
        assert_eq!(Refusals::default().of_load(0), None);
    }
}
