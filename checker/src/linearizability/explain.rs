//! One plain sentence for an anomaly, in terms of clients, times and values.
//!
//! Every clause is something that the history says. Times are seconds since the run began, to the
//! millisecond; in a history without times, operations are placed by the indexes of their events.

use super::classify::Shape;
use super::object::{Action, Object};
use crate::history::Operation;
use crate::model::register::{ABSENT, Symbol};

/// Tells what happened to one object.
pub(super) struct Narrator<'n, 'h> {
    pub(super) object: &'n Object<'h>,
}

impl Narrator<'_, '_> {
    /// The sentence for a shape, or for its members if it has none.
    pub(super) fn explain(&self, shape: Shape, members: &[usize]) -> String {
        let told = |at: usize| self.told(at);
        let sentence = match shape {
            Shape::RefusedItsOwn { refused } => {
                format!("{}, which is the value that it asked for.", told(refused))
            }
            Shape::AcceptedAnother { accepted } => {
                format!("{}, although the value in force did not satisfy its condition.", told(accepted))
            }
            Shape::MetItself { writer } => {
                format!("{}, although nobody else ever wrote {}.", told(writer), self.written(writer))
            }
            Shape::Phantom { seer, root } => format!("{}{}.", told(seer), self.nobody_wrote(seer, root)),
            Shape::Aborted { seer, root, failed } => {
                let failed = &self.object.ops[failed];
                let (who, when) = (who(failed), self.when(failed));
                format!(
                    "{}{}: {who} tried to, and that certainly failed {when}.",
                    told(seer),
                    self.nobody_wrote(seer, root)
                )
            }
            Shape::Future { seer, writer } => {
                let value = self.written(writer);
                let writer = self.object.operation(writer);
                format!(
                    "{}, before the first write of {value} was invoked, by {} {}.",
                    told(seer),
                    who(writer),
                    self.when(writer)
                )
            }
            Shape::RefusedOpaquely { refused } => self.refused_opaquely(refused, members),
            Shape::Rivals { first, second, value, between } => {
                let what = if value == ABSENT { "the item's absence".to_owned() } else { self.value(value) };
                let seen = between.map_or_else(String::new, |at| format!("; in between, {}", told(at)));
                let (first, second) = (told(first), told(second));
                format!(
                    "Only one operation can have replaced {what}, but two did: {first}, and {second}{seen}."
                )
            }
            Shape::HeldOnOld { newer, seer } => {
                format!("{}, although before that {}.", told(seer), told(newer))
            }
            Shape::Stale { newer, seer, later } => {
                let (stale, newer, later) = (told(seer), told(newer), told(later));
                format!("{stale}, although before that {newer}; at that time or later, {later}.")
            }
            Shape::Resurrected { newer, seer } => format!(
                "{}, although before that {}, and nothing shows that the item was still gone later.",
                told(seer),
                told(newer)
            ),
            Shape::Twice { before, newer, seer } => {
                let first =
                    if before == newer { String::new() } else { format!("{}, and then ", told(before)) };
                let (again, newer, left) = (told(seer), told(newer), self.left(newer));
                format!(
                    "{again}, although before that {first}{newer}; nothing shows that {left} was still in force \
                     later, and the write that came back was never answered, or sent again."
                )
            }
            Shape::Lost { newer, seer } => format!(
                "{}, although before that {}, and nothing shows that {} was still in force later.",
                told(seer),
                told(newer),
                self.left(newer)
            ),
            Shape::Other => {
                let all: Vec<String> = members.iter().map(|&at| told(at)).collect();
                format!("No order explains all of this: {}.", listed(&all))
            }
        };
        capitalised(&sentence)
    }

    fn refused_opaquely(&self, refused: usize, members: &[usize]) -> String {
        let others: Vec<String> =
            members.iter().filter(|&&at| at != refused).map(|&at| self.told(at)).collect();
        let told = self.told(refused);
        if others.is_empty() {
            return format!("{told}, although nothing else can have been in force at that time.");
        }
        format!("{told}, although the rest leaves no moment for that: {}.", listed(&others))
    }

    /// Why nobody can have seen what was seen.
    fn nobody_wrote(&self, seer: usize, root: Symbol) -> String {
        if self.object.entries[seer].saw() == Some(root) {
            return ", which nobody ever wrote".to_owned();
        }
        format!(", which can only have been written over {}, and nobody ever wrote that", self.value(root))
    }

    /// What an operation did, who did it and when.
    fn told(&self, at: usize) -> String {
        let operation = self.object.operation(at);
        format!("{} {} {}", who(operation), self.did(at), self.when(operation))
    }

    fn did(&self, at: usize) -> String {
        let name = |value| self.value(value);
        match self.object.entries[at].action {
            Action::Read(ABSENT) => "read that there was no item".to_owned(),
            Action::Read(value) => format!("read {}", name(value)),
            Action::Write { new, replaced } => {
                let over = replaced.map_or_else(String::new, |old| format!(", replacing {},", name(old)));
                self.wrote(at, new) + &over
            }
            Action::Cas { old, new, replaced } => {
                let over = replaced.map_or_else(String::new, |old| format!(", replacing {},", name(old)));
                format!("{} on the condition that {}{over}", self.wrote(at, new), self.holds(old))
            }
            Action::Refused { old, met: Some(met), .. } => {
                format!("was refused the condition that {}, since it met {},", self.holds(old), name(met))
            }
            Action::Refused { old, met: None, .. } => {
                format!("was refused the condition that {}", self.holds(old))
            }
        }
    }

    fn wrote(&self, at: usize, new: Symbol) -> String {
        let answered = self.object.entries[at].ret.is_some();
        match (answered, new) {
            (true, ABSENT) => "deleted the item".to_owned(),
            (false, ABSENT) => "tried to delete the item".to_owned(),
            (true, new) => format!("wrote {}", self.value(new)),
            (false, new) => format!("tried to write {}", self.value(new)),
        }
    }

    fn holds(&self, value: Symbol) -> String {
        if value == ABSENT {
            "there was no item".to_owned()
        } else {
            format!("the value was {}", self.value(value))
        }
    }

    /// What an operation left in force, as a noun.
    fn left(&self, at: usize) -> String {
        let entry = &self.object.entries[at];
        entry.action.wrote().or(entry.saw()).map_or_else(|| "it".to_owned(), |value| self.value(value))
    }

    fn written(&self, at: usize) -> String {
        self.object.entries[at].action.wrote().map_or_else(|| "it".to_owned(), |value| self.value(value))
    }

    fn value(&self, value: Symbol) -> String {
        match self.object.values.get(value as usize) {
            Some(value) if !value.is_null() => value.to_string(),
            _ => "no item".to_owned(),
        }
    }

    fn when(&self, operation: &Operation<'_>) -> String {
        when(operation, self.object.ops.iter().any(|operation| operation.invocation.time > 0))
    }
}

/// When an operation was called and answered; by its events, if the history is not `timed`.
pub(crate) fn when(operation: &Operation<'_>, timed: bool) -> String {
    let start = operation.invocation;
    match operation.completion {
        Some(end) if timed => format!("({} to {})", seconds(start.time), seconds(end.time)),
        Some(end) if end.index > start.index => format!("(events {} to {})", start.index, end.index),
        None if timed => format!("(from {}, never answered)", seconds(start.time)),
        _ => format!("(event {})", operation.index),
    }
}

/// Who called it.
pub(crate) fn who(operation: &Operation<'_>) -> String {
    match (operation.invocation.client, operation.session()) {
        (Some(client), _) => format!("client {client}"),
        (None, Some(process)) => format!("process {process}"),
        (None, None) => "someone".to_owned(),
    }
}

fn seconds(nanoseconds: u64) -> String {
    let milliseconds = nanoseconds / 1_000_000;
    format!("{}.{:03} s", milliseconds / 1000, milliseconds % 1000)
}

/// The sentence with a great first letter.
/// So many operations are told one by one; of more, only the first.
const TOLD: usize = 8;

/// A list that a person may still want to read. All operations are in the certificate.
pub(super) fn listed(told: &[String]) -> String {
    match told.len() {
        0..=TOLD => told.join("; "),
        all => format!("{}; and {} more", told[..TOLD].join("; "), all - TOLD),
    }
}

pub(crate) fn capitalised(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
