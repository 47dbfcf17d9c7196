//! The names say what they mean: each is stated here a second time, by brute force, and must hold of every
//! finding that bears it.
//!
//! A name is a statement about the history: who saw what although it was over, who replaced what was there once
//! only. The statements below share no code with the checker. Where one speaks of what is possible, the oracle
//! tries every order.
//!
//! `NAMES_TIMES=100 cargo test --release -p growler-checker --test names` is the long run.

mod oracle;

use std::collections::BTreeMap;

use growler_checker::linearizability::Linearizable;
use growler_checker::verdict::{Anomaly, Budget, Check};
use oracle::history::{ABSENT, Answer, Call, Op, Value, events};
use oracle::orders::{LATER, Meaning, Needs, as_recorded, meanings, orderable, weakened};
use oracle::{profiles, random};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A history with a finding, and the certificate as bits.
struct Found<'h> {
    ops: &'h [Op],
    members: u32,
    /// The certificate alone in full, the rest weakened.
    meanings: Vec<Meaning>,
}

/// The value that an operation says was in force.
fn saw(op: &Op) -> Option<Value> {
    match (op.call, op.answer()) {
        (_, Answer::Ok(Some(seen)) | Answer::Refused(Some(seen))) => Some(seen),
        (Call::Cas(old, _), Answer::Ok(None)) => Some(old),
        _ => None,
    }
}

/// The value that an operation wrote, or may have written.
fn wrote(op: &Op) -> Option<Value> {
    match (op.call, op.answer()) {
        (Call::Write(new) | Call::Cas(_, new), Answer::Ok(_) | Answer::Info) => Some(new),
        _ => None,
    }
}

/// Where it ended, if its answer says that it happened or was refused.
fn end(op: &Op) -> Option<usize> {
    op.ended.filter(|(_, answer)| matches!(answer, Answer::Ok(_) | Answer::Refused(_))).map(|(at, _)| at)
}

fn precedes(one: &Op, other: &Op) -> bool {
    end(one).is_some_and(|end| end < other.called)
}

/// The value that it certainly left or saw in force.
fn leaves(op: &Op) -> Option<Value> {
    end(op).and_then(|_| wrote(op).or(saw(op)))
}

fn a_write(value: Value, start: usize, end: usize) -> Meaning {
    Meaning { start, end, must: false, needs: Needs::Anything, leaves: Some(value) }
}

fn a_look(value: Value, start: usize, end: usize) -> Meaning {
    Meaning { start, end, must: true, needs: Needs::This(value), leaves: None }
}

impl<'h> Found<'h> {
    fn new(ops: &'h [Op], anomaly: &Anomaly) -> Self {
        let place = |index: &u64| ops.iter().position(|op| op.index == *index).expect("an invocation");
        let members = anomaly.ops.iter().map(place).fold(0, |set, at| set | 1 << at);
        Self { ops, members, meanings: meanings(ops, members) }
    }

    fn members(&self) -> impl Iterator<Item = &'h Op> {
        let is_member = |&(at, _): &(usize, &Op)| self.members >> at & 1 == 1;
        self.ops.iter().enumerate().filter(is_member).map(|(_, op)| op)
    }

    /// Whether it would all be right if the value had been there once more.
    fn once_more_explains(&self, value: Value) -> bool {
        let mut more = self.meanings.clone();
        more.push(a_write(value, 0, LATER));
        orderable(&more)
    }

    /// Whether the value that the seer saw was there before it began: a write of it was acknowledged, or the rest of
    /// the certificate allows it.
    fn was_there(&self, seer: &Op, old: Value) -> bool {
        if self.ops.iter().any(|op| wrote(op) == Some(old) && precedes(op, seer)) {
            return true;
        }
        let mut rest = meanings(self.ops, self.members & !self.bit(seer));
        rest.push(a_look(old, 0, seer.called + 1));
        orderable(&rest)
    }

    /// Whether an operation that saw what the seer saw can have seen that at any time since another had ended: by
    /// the rest of the certificate, and by the writes, each in its own interval and whatever it asked for, with
    /// what this other one wrote or saw. Where they don't even allow the latter, they say nothing.
    fn is_back(&self, op: &Op, seer: &Op, newer: &Op) -> bool {
        let (Some(recorded), Some(ended)) = (as_recorded(op), end(newer)) else { return true };
        let wide = Meaning { start: ended + 2, ..recorded };
        let strong = self.members & !self.bit(seer) | self.bit(newer);
        let full =
            |other: &Op| if strong & self.bit(other) > 0 { as_recorded(other) } else { weakened(other) };
        let bare = |other: &Op| {
            let recorded = as_recorded(other)?;
            let bare = Meaning { needs: Needs::Anything, ..recorded };
            if other.index == newer.index {
                Some(recorded)
            } else {
                Some(bare).filter(|op| op.leaves.is_some())
            }
        };
        let with = |meaning: &dyn Fn(&Op) -> Option<Meaning>| {
            let others = self.ops.iter().filter(|other| other.index != op.index);
            others.filter_map(meaning).chain([wide]).collect::<Vec<_>>()
        };
        let writes: Vec<Meaning> = self.ops.iter().filter_map(bare).collect();
        orderable(&with(&full)) && (!orderable(&writes) || orderable(&with(&bare)))
    }

    fn bit(&self, op: &Op) -> u32 {
        self.ops.iter().position(|other| other.index == op.index).map_or(0, |at| 1 << at)
    }

    /// All ways in which a member saw a value that was over: it, and a member that had ended before with another.
    fn returns(&self) -> Vec<(&'h Op, &'h Op)> {
        let mut found = Vec::new();
        for seer in self.members() {
            let Some(old) = saw(seer) else { continue };
            for newer in self.ops {
                if !precedes(newer, seer) || leaves(newer) == Some(old) {
                    continue;
                }
                let was_there = self.was_there(seer, old);
                let is_back = self.is_back(seer, seer, newer);
                if was_there && !is_back {
                    found.push((seer, newer));
                }
            }
        }
        found
    }

    /// Who saw the value of `newer` at the time of the seer or later, unless it may have been written once more.
    fn is_seen_later(&self, seer: &Op, newer: &Op) -> bool {
        let value = leaves(newer);
        let keeps = |op: &Op| matches!(op.call, Call::Cas(old, new) if old == new);
        let writers = || self.ops.iter().filter(|op| wrote(op) == value && !keeps(op));
        let rewritten = |until: usize| {
            (value == Some(ABSENT) || writers().count() > 1)
                && writers().any(|op| end(op).is_none_or(|end| end > seer.called) && op.called < until)
        };
        self.ops.iter().any(|op| {
            let later = end(op).filter(|&end| end > seer.called && op.index != seer.index);
            saw(op) == value && later.is_some_and(|end| !rewritten(end))
        })
    }

    /// Whether a value that is certainly newer than the old one, and was in force before the seer began, was seen
    /// by an operation that ended after this.
    fn newer_is_seen(&self, seer: &Op, newer: &Op, after: usize) -> bool {
        let Some(old) = saw(seer) else { return false };
        let is_newer = |value: Value| {
            let shows = |op: &&Op| precedes(op, seer) && leaves(op) == Some(value);
            value != old
                && self
                    .ops
                    .iter()
                    .filter(shows)
                    .any(|op| op.index == newer.index || !self.is_back(seer, seer, op))
        };
        let looks = self.ops.iter().filter(|op| op.index != seer.index && end(op) > Some(after));
        looks.filter_map(saw).any(is_newer)
    }

    /// The other operations that saw the old value after the newer one, and not because it was written again.
    fn witnesses(&self, seer: &Op, newer: &Op) -> impl Iterator<Item = &'h Op> {
        let old = saw(seer);
        let (seer, newer) = (*seer, *newer);
        let writes = |op: &&Op| wrote(op) == old && (saw(op) != old || op.index == seer.index);
        let writers: Vec<&Op> = self.ops.iter().filter(writes).collect();
        let is_rewritten = move |until: usize| {
            let matters = old == Some(ABSENT) || writers.len() > 1;
            let may = |op: &&Op| op.called < until && end(op).is_none_or(|end| end > newer.called);
            matters && writers.iter().any(may)
        };
        self.ops.iter().filter(move |op| {
            let is_other = op.index != seer.index && saw(op) == old && precedes(&newer, op);
            is_other && end(op).is_some_and(|end| !is_rewritten(end))
        })
    }

    /// Whether the seer's answer is the only one that shows a loss: it only looked, and nobody else saw the old
    /// value after all that saw something newer.
    fn is_alone(&self, seer: &Op, newer: &Op) -> bool {
        let only_looked = leaves(seer) == saw(seer);
        only_looked && !self.witnesses(seer, newer).any(|op| !self.newer_is_seen(seer, newer, op.called))
    }

    /// Whether another operation saw the old value too, or the seer replaced it.
    fn is_for_good(&self, seer: &Op, newer: &Op) -> bool {
        let again = |op: &Op| {
            let is_other = op.index != seer.index && saw(op) == saw(seer) && precedes(newer, op);
            is_other && !self.is_back(op, seer, newer)
        };
        leaves(seer) != saw(seer)
            || self.witnesses(seer, newer).next().is_some()
            || self.ops.iter().any(again)
    }

    /// Whether the looks at the old value are right if writes may be lost that were acknowledged.
    fn loss_explains(&self, seer: &Op, newer: &Op) -> bool {
        let looks = |op: &Op| saw(op) == saw(seer) && (op.index == seer.index || precedes(newer, op));
        let mut lossy: Vec<Meaning> = Vec::new();
        for op in self.ops {
            let Some(recorded) = as_recorded(op) else { continue };
            match (looks(op), op.call) {
                (true, _) if op.index == seer.index => lossy.push(recorded),
                (_, Call::Read) => {}
                _ if recorded.leaves.is_none() => {}
                (_, Call::Write(_)) => {
                    lossy.push(Meaning { must: false, needs: Needs::Anything, ..recorded });
                }
                (_, Call::Cas(old, _)) => {
                    lossy.push(Meaning { must: false, needs: Needs::This(old), ..recorded });
                }
            }
        }
        orderable(&lossy)
    }

    fn came_back(&self, holds: impl Fn(&Op, &Op) -> bool) -> bool {
        self.returns().into_iter().any(|(seer, newer)| holds(seer, newer))
    }

    /// Whether a member saw what nobody can have written by then: with the writes that these allow.
    fn cannot_be(&self, seer: &Op, failed: bool, later: bool) -> bool {
        let (Some(value), Some(seen)) = (saw(seer), end(seer)) else { return false };
        let mut writes = Vec::new();
        for op in self.ops.iter().filter(|op| later || op.called < seen) {
            let needs = match op.call {
                Call::Cas(old, _) => Needs::This(old),
                _ => Needs::Anything,
            };
            match (op.call, op.answer()) {
                (Call::Write(new) | Call::Cas(_, new), Answer::Ok(_) | Answer::Info) => {
                    writes.push(Meaning { needs, ..a_write(new, 0, LATER) });
                }
                (Call::Write(new) | Call::Cas(_, new), _) if failed => {
                    writes.push(a_write(new, 0, LATER));
                }
                _ => {}
            }
        }
        writes.push(a_look(value, 0, LATER));
        !orderable(&writes)
    }

    fn unanswered(&self, value: Value) -> bool {
        let writers: Vec<&Op> = self.ops.iter().filter(|op| wrote(op) == Some(value)).collect();
        value != ABSENT && writers.len() == 1 && writers[0].answer() == Answer::Info
    }

    /// Whether the name's statement holds.
    fn is(&self, name: &str) -> bool {
        let member = |holds: &dyn Fn(&Op) -> bool| self.members().any(holds);
        let is_cas =
            |op: &Op| matches!((op.call, op.answer()), (Call::Cas(old, new), Answer::Ok(_)) if old != new);
        match name {
            "condition-failed-though-it-held" => member(&|op| match (op.call, op.answer()) {
                (Call::Cas(old, _), Answer::Refused(Some(met))) => old == met,
                (Call::Cas(..), Answer::Refused(None)) => true,
                _ => false,
            }),
            "condition-held-though-it-failed" => member(&|op| match (op.call, op.answer()) {
                (Call::Cas(old, _), Answer::Ok(Some(replaced))) => old != replaced,
                _ => false,
            }),
            "phantom-value" => {
                member(&|op| self.cannot_be(op, true, false) && self.cannot_be(op, false, true))
            }
            "aborted-read" => {
                member(&|op| self.cannot_be(op, false, false) && !self.cannot_be(op, true, false))
            }
            "future-read" => {
                member(&|op| self.cannot_be(op, true, false) && !self.cannot_be(op, false, true))
            }
            "lost-update" => self.two_replaced_one() || self.came_back(|seer, _| is_cas(seer)),
            "stale-read" => self.came_back(|seer, newer| {
                !is_cas(seer) && (self.newer_is_seen(seer, newer, seer.called) || self.is_alone(seer, newer))
            }),
            "lost-write" | "resurrected" => self.came_back(|seer, newer| {
                (leaves(newer) == Some(ABSENT)) == (name == "resurrected")
                    && !self.is_seen_later(seer, newer)
                    && self.is_for_good(seer, newer)
                    && self.loss_explains(seer, newer)
            }),
            "double-apply" => {
                let met_itself = |op: &Op| matches!(op.call, Call::Write(new) if saw(op) == Some(new));
                // Of an operation that was never answered: what it asked for, if it happened.
                let met = |op: &Op| match (saw(op), op.call) {
                    (None, Call::Cas(old, _)) => Some(old),
                    (saw, _) => saw,
                };
                let twice = |op: &Op| {
                    let other = |other: &Op| {
                        precedes(other, op) && leaves(other).is_some() && leaves(other) != met(op)
                    };
                    let before = |first: &Op| first.index != op.index && met(first) == met(op);
                    met(op).is_some_and(|value| self.unanswered(value))
                        && self.ops.iter().any(other)
                        && self.ops.iter().any(before)
                };
                member(&met_itself) || self.ops.iter().any(twice)
            }
            "nonlinearizable" => true,
            other => panic!("what does {other} mean?"),
        }
    }

    /// Whether at least two operations replaced the same value, and all would be right if it had been there once
    /// more.
    fn two_replaced_one(&self) -> bool {
        let replaced = |op: &Op| match op.call {
            Call::Cas(old, new) if wrote(op).is_some() => {
                Some(saw(op).unwrap_or(old)).filter(|&old| old != new)
            }
            Call::Write(new) if wrote(op).is_some() => saw(op).filter(|&old| old != new),
            _ => None,
        };
        let mut count: BTreeMap<Value, usize> = BTreeMap::new();
        self.ops.iter().filter_map(replaced).for_each(|value| *count.entry(value).or_default() += 1);
        count.into_iter().any(|(value, count)| count > 1 && self.once_more_explains(value))
    }
}

/// How many times as many histories as usual.
fn times() -> u32 {
    std::env::var("NAMES_TIMES").ok().and_then(|times| times.parse().ok()).unwrap_or(1)
}

#[test]
fn every_name_is_true_of_the_history_that_bears_it() {
    let mut rng = ChaCha8Rng::seed_from_u64(13);
    let mut named: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..40_000 * times() {
        let profile = profiles::draw(&mut rng);
        let count = rng.random_range(2..=9);
        let ops = random::history(&mut rng, profile, count);
        let events = events(&ops);
        let result = Linearizable::cas_register().check(&events, &Budget::default());
        for anomaly in &result.anomalies {
            let lines: Vec<String> =
                events.iter().filter_map(|event| serde_json::to_string(event).ok()).collect();
            let holds = Found::new(&ops, anomaly).is(&anomaly.kind);
            assert!(
                holds,
                "{} {:?}: {}\n{}",
                anomaly.kind,
                anomaly.ops,
                anomaly.explanation,
                lines.join("\n")
            );
            *named.entry(anomaly.kind.clone()).or_default() += 1;
        }
    }
    let all: u32 = named.values().sum();
    assert!(named.len() == 11 && named.values().all(|&count| count >= 5), "each is shown: {named:?}");
    assert!(named["nonlinearizable"] * 20 < all, "most findings have a name of their own: {named:?}");
}
