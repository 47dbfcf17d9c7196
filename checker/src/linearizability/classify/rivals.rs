//! Rivals: more operations replaced a value than there were times that it was there.
//!
//! A write puts its value in force once, and what replaces it ends that *spell*. So of a value that one operation
//! wrote, one operation can say that it replaced it. Of absence (and of a value that several operations wrote)
//! there are more spells: one at the beginning, and one for each delete that did not certainly fail, unless it says
//! that nothing was there before. An operation
//! can have ended a spell if that had begun before the operation ended, and was not over before it began: between
//! a delete that had ended and an operation that began, no third one ended which wrote or saw something else.
//! Where the operations that replaced a value cannot have ended a spell each, at least two of them replaced the
//! same one.
//!
//! Which operations those are is a matching: one that cannot be completed leaves over a set of n + 1 operations
//! that have but n spells among them. Who has only one spell takes it along, so that in the end most sentences
//! are about two operations and one spell.

use std::collections::{BTreeMap, BTreeSet};

use super::{Case, Shape};
use crate::linearizability::general::END;
use crate::linearizability::object::Action;
use crate::model::register::{ABSENT, Symbol};

/// Operations that replaced one value; of more, no matching is looked for.
const MOST: usize = 64;

/// Who put a value in force; none for the absence of the beginning.
pub(in crate::linearizability) type Spell = Option<usize>;

/// Operations that replaced a value, more than there were spells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::linearizability) struct Rivals {
    /// The value.
    pub(in crate::linearizability) value: Symbol,
    /// Who replaced it, in order of invocation.
    pub(in crate::linearizability) heirs: Vec<usize>,
    /// The spells that these can have ended: one less.
    pub(in crate::linearizability) spells: Vec<Spell>,
    /// Where the value's write never got an answer: who saw what the first had written before the second began.
    pub(in crate::linearizability) between: Option<usize>,
}

/// Operations by what they replaced, each with a moment by which it had.
type Heirs = BTreeMap<Symbol, BTreeMap<usize, u32>>;

/// For each heir the spells, by place, that it can have ended.
type Open = BTreeMap<usize, BTreeSet<usize>>;

impl Case<'_, '_> {
    pub(super) fn rivals(&self) -> Option<Shape> {
        self.heirs().into_iter().find_map(|(value, heirs)| {
            let rivals = match self.only_writer(value) {
                Some(writer) => self.of_one_spell(value, writer, &heirs),
                None => self.of_several_spells(value, &heirs),
            };
            rivals.map(Shape::Rivals)
        })
    }

    /// Who replaced which value: members of the certificate, and conditional writes without which they could
    /// not have seen what they saw.
    fn heirs(&self) -> Heirs {
        let mut heirs = Heirs::new();
        for &member in self.members {
            let (Some(value), Some(ret)) = (self.entry(member).saw(), self.entry(member).ret) else {
                continue;
            };
            if self.entry(member).action.wrote().is_some_and(|new| new != value) {
                let by = heirs.entry(value).or_default().entry(member).or_insert(ret);
                *by = ret.min(*by);
            }
            for seen in self.chain(value) {
                let Some(writer) = self.only_writer(seen) else { continue };
                if let Some(old) = self.below(writer).filter(|&old| old != seen) {
                    let own = self.entry(writer).ret.unwrap_or(END);
                    let by = heirs.entry(old).or_default().entry(writer).or_insert(own);
                    *by = ret.min(*by);
                }
            }
        }
        heirs
    }

    fn of_one_spell(&self, value: Symbol, writer: usize, heirs: &BTreeMap<usize, u32>) -> Option<Rivals> {
        let mut heirs = heirs.keys();
        let (&first, &second) = (heirs.next()?, heirs.next()?);
        let between = self.was_unanswered(value).then(|| self.seen_between(first, second)).flatten();
        Some(Rivals { value, heirs: vec![first, second], spells: vec![Some(writer)], between })
    }

    /// Who saw what the first wrote, before the second began.
    fn seen_between(&self, first: usize, second: usize) -> Option<usize> {
        let wrote = self.entry(first).action.wrote()?;
        (0..self.object.entries.len()).find(|&at| {
            let entry = self.entry(at);
            entry.saw() == Some(wrote) && entry.precedes(self.entry(second)) && at != first
        })
    }

    fn of_several_spells(&self, value: Symbol, heirs: &BTreeMap<usize, u32>) -> Option<Rivals> {
        if heirs.len() < 2 {
            return None;
        }
        let initial = (value == ABSENT).then_some(None);
        let begins = |&at: &usize| self.below(at) != Some(value);
        let all: Vec<Spell> =
            initial.into_iter().chain(self.writers(value).filter(begins).map(Some)).collect();
        let others = self.others(value, heirs);
        let over_by = |&spell: &Spell| {
            let begun = spell.map_or(0, |writer| self.entry(writer).ret.unwrap_or(END));
            others.iter().filter(|&&(call, _)| call > begun).map(|&(_, ret)| ret).min().unwrap_or(END)
        };
        let over: Vec<u32> = all.iter().map(over_by).collect();
        let open = self.open(value, heirs, &all, &over)?;
        let (heirs, spells) = crisp(left_over(&open)?, &open);
        let spells = spells.into_iter().map(|at| all[at]).collect();
        Some(Rivals { value, heirs, spells, between: None })
    }

    /// The spells that each heir can have ended. Who began a spell in the place of another value has heirs below
    /// that: they are brought along. None if there are too many.
    fn open(&self, value: Symbol, heirs: &BTreeMap<usize, u32>, all: &[Spell], over: &[u32]) -> Option<Open> {
        let brought_by: Vec<Option<usize>> =
            all.iter().map(|&spell| self.heir_below(value, spell?)).collect();
        let can_end = |heir: usize, by: u32, at: usize| {
            let begun = all[at].map_or(0, |writer| self.entry(writer).call);
            begun < by && self.entry(heir).call < over[at] && brought_by[at] != Some(heir)
        };
        let mut open = Open::new();
        let mut next: Vec<(usize, Option<usize>)> = heirs.keys().map(|&heir| (heir, None)).collect();
        while let Some((heir, spell)) = next.pop() {
            let by = heirs.get(&heir).copied().or(self.entry(heir).ret).unwrap_or(END);
            let mut spells: BTreeSet<usize> = (0..all.len()).filter(|&at| can_end(heir, by, at)).collect();
            // Who cannot have replaced it at all is no rival: it saw what was over, or had not yet come.
            if open.contains_key(&heir) || spells.is_empty() {
                continue;
            }
            next.extend(spells.iter().filter_map(|&at| Some((brought_by[at]?, Some(at)))));
            // One that may not have happened takes the spell with it that it was brought by.
            let may_not_have = !heirs.contains_key(&heir) && self.entry(heir).ret.is_none();
            spells.extend(spell.filter(|_| may_not_have));
            if open.len() == MOST {
                return None;
            }
            open.insert(heir, spells);
        }
        Some(open)
    }

    /// The conditional write on this value without which what a write of it found could not have been there.
    fn heir_below(&self, value: Symbol, writer: usize) -> Option<usize> {
        let found = self.below(writer)?;
        self.chain(found).into_iter().filter_map(|found| self.only_writer(found)).find(|&at| {
            matches!(self.entry(at).action, Action::Cas { old, new, .. } if old == value && new != value)
        })
    }

    /// When members began and ended that wrote or saw something else: a spell that had begun before one of these is
    /// over when it ends. The heirs themselves do not count, nor what was written over what they wrote: they are
    /// what is to be judged.
    fn others(&self, value: Symbol, heirs: &BTreeMap<usize, u32>) -> Vec<(u32, u32)> {
        let is_heirs = |other: Symbol| {
            let mut writers = self.chain(other).into_iter().filter_map(|other| self.only_writer(other));
            writers.any(|writer| heirs.contains_key(&writer))
        };
        let others = self.members.iter().filter(|&&at| {
            let other = self.in_force_after(at).filter(|&other| other != value && !is_heirs(other));
            other.is_some() && !heirs.contains_key(&at)
        });
        others.filter_map(|&at| Some((self.entry(at).call, self.entry(at).ret?))).collect()
    }
}

/// A set of heirs that have one spell less than they are, and these spells; none if each can have one.
fn left_over(open: &Open) -> Option<(BTreeSet<usize>, BTreeSet<usize>)> {
    let mut taken: BTreeMap<usize, usize> = BTreeMap::new();
    for &heir in open.keys() {
        let mut seen = BTreeSet::new();
        if !place(heir, open, &mut taken, &mut seen) {
            let heirs = seen.iter().filter_map(|spell| taken.get(spell).copied()).chain([heir]).collect();
            return Some((heirs, seen));
        }
    }
    None
}

/// Finds a spell for an heir, moving others to another where they have one.
fn place(heir: usize, open: &Open, taken: &mut BTreeMap<usize, usize>, seen: &mut BTreeSet<usize>) -> bool {
    for &spell in &open[&heir] {
        if !seen.insert(spell) {
            continue;
        }
        let holder = taken.get(&spell).copied();
        if holder.is_none_or(|holder| place(holder, open, taken, seen)) {
            taken.insert(spell, heir);
            return true;
        }
    }
    false
}

/// The same contradiction with as few operations as go without saying: who has but one spell left takes it along.
fn crisp(
    (mut heirs, mut spells): (BTreeSet<usize>, BTreeSet<usize>),
    open: &Open,
) -> (Vec<usize>, Vec<usize>) {
    while heirs.len() > 2 {
        let only = |heir: &usize| {
            let mut left = open[heir].intersection(&spells);
            left.next().filter(|_| left.next().is_none()).map(|&spell| (*heir, spell))
        };
        let Some((heir, spell)) = heirs.iter().find_map(only) else { break };
        // Two that have the same spell and no other are the contradiction by themselves.
        let has_the_same = |other: &&usize| **other != heir && only(other) == Some((**other, spell));
        let rival = heirs.iter().find(has_the_same).copied();
        if let Some(rival) = rival {
            return (vec![heir.min(rival), heir.max(rival)], vec![spell]);
        }
        heirs.remove(&heir);
        spells.remove(&spell);
    }
    (heirs.into_iter().collect(), spells.into_iter().collect())
}
