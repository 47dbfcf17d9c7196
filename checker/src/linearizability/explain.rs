//! One plain sentence for an anomaly, in terms of clients, times and values.
//!
//! Every clause is something that the history says. Times are seconds since the run began, to the
//! millisecond; in a history without times, operations are placed by the indexes of their events.

use super::classify::{Origin, Past, Return, Rivals, Shape, Spell, Unwritten};
use super::object::{Action, Object};
use crate::history::Operation;
use crate::model::register::{ABSENT, Symbol};

/// Letters of a value that are told.
const LETTERS: usize = 60;

/// Tells what happened to one object.
pub(super) struct Narrator<'n, 'h> {
    pub(super) object: &'n Object<'h>,
}

impl Narrator<'_, '_> {
    /// The sentence for a shape, or for its members if it has none.
    pub(super) fn explain(&self, shape: &Shape, members: &[usize]) -> String {
        let told = |at: usize| self.told(at);
        let sentence = match *shape {
            Shape::RefusedItsOwn { refused } => {
                format!("{}, which is what it asked for.", told(refused))
            }
            Shape::AcceptedAnother { accepted } => {
                format!("{}, although what it replaced did not satisfy its condition.", told(accepted))
            }
            Shape::MetItself { writer } => {
                format!("{}, although nobody else ever wrote {}.", told(writer), self.written(writer))
            }
            Shape::Unwritten(unwritten) => self.unwritten(unwritten),
            Shape::RefusedOpaquely { refused } => self.refused_opaquely(refused, members),
            Shape::Rivals(ref rivals) => self.rivals(rivals),
            Shape::HeldOnOld { back } => format!("{}.", self.back(back)),
            Shape::Stale { back, later: None } => format!("{}.", self.back(back)),
            Shape::Stale { back, later: Some(later) } => {
                format!("{}; at that time or later, {}.", self.back(back), told(later))
            }
            Shape::Resurrected { back, again } => {
                format!("{}{}.", self.back(back), self.for_good(back, again))
            }
            Shape::Twice { back, before, again } => format!(
                "{}{}; {} had been seen before ({}), and its write was never answered, or sent again.",
                self.back(back),
                self.for_good(back, again),
                self.value(back.old),
                self.briefly(before)
            ),
            Shape::Lost { back, again } => format!("{}{}.", self.back(back), self.for_good(back, again)),
            Shape::Other => {
                let all: Vec<String> = members.iter().map(|&at| told(at)).collect();
                format!("No order explains all of this: {}.", listed(&all))
            }
        };
        capitalised(&sentence)
    }

    /// Who saw the old value, who had written or seen the newer one, and why that is the newer one.
    fn back(&self, back: Return) -> String {
        let Return { seer, newer, old, new, past } = back;
        let (stale, newest) = (self.told(seer), self.told(newer));
        let why = match past {
            Past::Replaced if self.object.entries[newer].action.saw() == Some(old) => String::new(),
            Past::Replaced => {
                format!(", and {} had been written in place of {}", self.value(new), self.value(old))
            }
            Past::Shown { shown, then } if then == newer => {
                format!(", and still earlier {}", self.told(shown))
            }
            Past::Shown { shown, then } => {
                format!(
                    ", and {} came after {}: {}, and only then {}",
                    self.value(new),
                    self.value(old),
                    self.told(shown),
                    self.told(then)
                )
            }
            Past::Written { last } if old == ABSENT => {
                format!(", and the last delete had ended before that: {}", self.told(last))
            }
            Past::Written { last } => {
                format!(
                    ", and the last write of {} had ended before that: {}",
                    self.value(old),
                    self.told(last)
                )
            }
            Past::Initial => ", and nobody had tried to delete it".to_owned(),
            Past::NoWay if old == ABSENT => {
                ", and no delete that was under way after that can have taken effect".to_owned()
            }
            Past::NoWay => format!(
                ", and no write that was under way after that can have brought {} back",
                self.value(old)
            ),
        };
        format!("{stale}, although before that {newest}{why}")
    }

    /// That nobody saw the newer value any more.
    fn for_good(&self, back: Return, again: Option<usize>) -> String {
        let again = again.map_or_else(String::new, |again| format!("; so did {}", self.briefly(again)));
        let gone = match back.new {
            ABSENT => "the item was still gone".to_owned(),
            new => format!("{} was still there", self.value(new)),
        };
        format!("{again}; nothing shows that {gone} after that")
    }

    /// Why what was seen cannot have been there.
    fn unwritten(&self, unwritten: Unwritten) -> String {
        let Unwritten { seer, root, origin } = unwritten;
        let seen = self.told(seer);
        let (over, it) = match self.object.entries[seer].saw() == Some(root) {
            true => (String::new(), ", which"),
            false => {
                let over = format!(", which can only have been written over {}", self.value(root));
                (over, ", and that")
            }
        };
        let failed = |failed: usize| self.operation(&self.object.ops[failed]);
        let why = match origin {
            Origin::Nobody => match self.object.failed.iter().find(|&&(_, value)| value == root) {
                Some(&(late, _)) => {
                    let late = failed(late);
                    format!("nobody had tried to write: {late} did only after that, and certainly failed")
                }
                None => "nobody ever wrote".to_owned(),
            },
            Origin::Aborted { failed: tried } => {
                format!("nobody had written by then: {} tried to, and certainly failed", failed(tried))
            }
            Origin::Future { writer } => {
                format!("nobody had tried to write by then: {} was the first", self.briefly(writer))
            }
        };
        format!("{seen}{over}{it} {why}.")
    }

    fn rivals(&self, rivals: &Rivals) -> String {
        let Rivals { value, heirs, spells, between } = rivals;
        let told: Vec<String> = heirs.iter().map(|&at| self.told(at)).collect();
        let seen = between.map_or_else(String::new, |at| format!("; in between, {}", self.told(at)));
        match (heirs.as_slice(), spells.as_slice()) {
            ([_, _], &[spell]) => format!(
                "Only one operation can have replaced {}, but two did: {}, and {}{seen}.",
                self.spell(*value, spell),
                told[0],
                told[1]
            ),
            (_, spells) => {
                let each: Vec<String> = spells.iter().map(|&spell| self.spell(*value, spell)).collect();
                let what = if *value == ABSENT {
                    "the item was absent".to_owned()
                } else {
                    format!("{} was there", self.value(*value))
                };
                format!(
                    "{} operations replaced {}, but {what} only {} times by then ({}), so two of them replaced the same: {}.",
                    heirs.len(),
                    self.value(*value),
                    spells.len(),
                    listed(&each),
                    listed(&told)
                )
            }
        }
    }

    /// One time that a value was there.
    fn spell(&self, value: Symbol, spell: Spell) -> String {
        match spell {
            _ if value != ABSENT => self.value(value),
            None => "the absence of the beginning".to_owned(),
            Some(delete) => format!("the absence that the delete by {} left", self.briefly(delete)),
        }
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

    /// Who called it and when.
    fn operation(&self, operation: &Operation<'_>) -> String {
        format!("{} {}", who(operation), self.when(operation))
    }

    /// The same of an entry.
    fn briefly(&self, at: usize) -> String {
        self.operation(self.object.operation(at))
    }

    /// What an operation did, who did it and when.
    fn told(&self, at: usize) -> String {
        let operation = self.object.operation(at);
        format!("{} {} {}", who(operation), self.did(at), self.when(operation))
    }

    fn did(&self, at: usize) -> String {
        let name = |value| self.value(value);
        match self.object.entries[at].action {
            Action::Read(ABSENT) => "found nothing".to_owned(),
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
            "there was nothing".to_owned()
        } else {
            format!("the value was {}", self.value(value))
        }
    }

    fn written(&self, at: usize) -> String {
        self.object.entries[at].action.wrote().map_or_else(|| "it".to_owned(), |value| self.value(value))
    }

    fn value(&self, value: Symbol) -> String {
        match self.object.values.get(value as usize) {
            Some(value) if !value.is_null() => clipped(&value.to_string()),
            _ => "nothing".to_owned(),
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

/// So many operations are told one by one; of more, only the first.
const TOLD: usize = 8;

/// A list that a person may still want to read. All operations are in the certificate.
pub(super) fn listed(told: &[String]) -> String {
    match told.len() {
        0..=TOLD => told.join("; "),
        all => format!("{}; and {} more", told[..TOLD].join("; "), all - TOLD),
    }
}

/// A value of which a person need not see all.
pub(crate) fn clipped(value: &str) -> String {
    match value.char_indices().nth(LETTERS) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

/// The sentence with a great first letter.
pub(crate) fn capitalised(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
