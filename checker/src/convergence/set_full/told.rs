//! What became of an element, in one sentence: who added it, who saw it, who did not, and when.

use serde_json::Value;

use super::{Element, Object, ReadPlace};
use crate::convergence::findings::{named, shown};
use crate::history::{Operation, Outcome};
use crate::linearizability::explain::{capitalised, when, who};

impl Object<'_> {
    /// An element that is gone.
    pub(super) fn told_lost(&self, element: &Element<'_>) -> String {
        let by = |number, did: &str| format!("{} {did}", self.reader(number));
        let (seen, found) = match element.last_present {
            Some(last) => (by(last, "read it last"), "did not find it any more"),
            None => ("nobody ever read it".to_owned(), "did not find it"),
        };
        let missed = element.last_absent.map_or_else(|| "it is lost".to_owned(), |last| by(last, found));
        capitalised(&format!("{}; {seen}, and {missed}.", self.added(element)))
    }

    /// An element that a read should have shown, so long after it was known to be there.
    pub(super) fn told_stale(&self, element: &Element<'_>, latency_ms: u64) -> String {
        let reader = element.last_absent.map_or_else(|| "someone".to_owned(), |last| self.reader(last));
        capitalised(&format!(
            "{}; {reader} asked {latency_ms} ms after it was known to be there, and did not find it.",
            self.added(element)
        ))
    }

    /// An element that was not to be expected.
    pub(super) fn unexpected(&self, read: &Operation<'_>, value: &Value, is_tracked: bool) -> String {
        let why = if is_tracked {
            "before anybody had tried to add it in a way that could succeed"
        } else {
            "and nobody ever tried to add it"
        };
        let (element, key) = (shown(Some(value)), named(self.key));
        capitalised(&format!(
            "{} read element {element} from {key} {}, {why}.",
            who(read),
            when(read, self.timed)
        ))
    }

    /// An element that one read shows several times.
    pub(super) fn twice(&self, read: &Operation<'_>, value: &Value) -> String {
        let (element, key) = (shown(Some(value)), named(self.key));
        capitalised(&format!(
            "{} found element {element} more than once in one read of {key} {}.",
            who(read),
            when(read, self.timed)
        ))
    }

    /// Who added an element and when.
    fn added(&self, element: &Element<'_>) -> String {
        let (add, value, key) = (element.add, shown(Some(element.value)), named(self.key));
        let did = if add.outcome() == Outcome::Ok { "added" } else { "tried to add" };
        format!("{} {did} element {value} to {key} {}", who(add), when(add, self.timed))
    }

    /// Who read and when.
    fn reader(&self, number: ReadPlace) -> String {
        let read = &self.read_at(number).operation;
        format!("{} {}", who(read), when(read, self.timed))
    }
}
