//! A value came back: somebody saw it after a newer one.
//!
//! Two members make the point: `newer` wrote or saw another value and had ended before `seer` began, which saw
//! the old one. That is impossible only if the old value was over by then ([`Past`]):
//!
//! - conditional writes (or what members say that they replaced) lead from the old value to the newer one; or
//! - a member that wrote or saw the old value had ended before one began that wrote or saw the newer one, and a
//!   value which one operation wrote is in force only once; or
//! - nothing can have brought it back: every write of it that had been invoked by the time it was seen had ended
//!   before `newer` began, or asked for what nothing can have brought either.
//!
//! Of several such pairs, it is the one whose seer ended last: a certificate is about the first answer that was
//! wrong, so all before that one may be believed.
//!
//! Whether it came back *for good* is another question. If something as new as the newer value was seen when the
//! seer was, or later, only this one answer is old. If nothing was, the old value is back where a write replaced
//! it, or where a second operation saw it that began after all that saw something newer. A single look is no more
//! than a stale one.

use std::collections::HashSet;

use super::super::cycle::Blocks;
use super::super::general::END;
use super::super::object::{Action, Entry};
use super::{Case, Shape};
use crate::history::hash::Fast;
use crate::model::register::{ABSENT, Symbol};

/// Why the old value was over when the newer one was in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::linearizability) enum Past {
    /// It had been replaced on the way to the newer one.
    Replaced,
    /// `shown` wrote or saw it, and had ended before `then` began, which wrote or saw the newer one.
    Shown { shown: usize, then: usize },
    /// The last write of it that counts had ended before the newer one was seen or written.
    Written { last: usize },
    /// It is the absence of the beginning, and nobody had tried to delete anything.
    Initial,
    /// No write that may have taken effect in between leads back to it.
    NoWay,
}

/// An old value that was seen after a newer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::linearizability) struct Return {
    /// Who saw the old value.
    pub(in crate::linearizability) seer: usize,
    /// Who wrote or saw the newer one before that.
    pub(in crate::linearizability) newer: usize,
    pub(in crate::linearizability) old: Symbol,
    pub(in crate::linearizability) new: Symbol,
    pub(in crate::linearizability) past: Past,
}

impl Case<'_, '_> {
    pub(super) fn came_back(&self) -> Option<Shape> {
        let back = self.return_of_the_old()?;
        let Return { seer, newer, old, new, .. } = back;
        if let Some(stale) = self.deleted_before(&back) {
            return Some(Shape::Stale { back: stale, later: Some(seer) });
        }
        // What was written over itself is as if it had only been seen.
        let is_replaced = self.entry(seer).action.wrote().is_some_and(|wrote| wrote != old);
        if is_replaced && matches!(self.entry(seer).action, Action::Cas { .. }) {
            return Some(Shape::HeldOnOld { back });
        }
        if let Some(later) = self.seen_later(&back) {
            return Some(Shape::Stale { back, later: Some(later) });
        }
        let again = self.seen_again(&back);
        if !is_replaced && again.is_none() {
            return Some(Shape::Stale { back, later: None });
        }
        if new == ABSENT {
            return Some(Shape::Resurrected { back, again });
        }
        let seen_before = |&at: &usize| {
            self.entry(at).saw() == Some(old) && at != seer && self.entry(at).ret <= self.entry(newer).ret
        };
        let before = (0..self.object.entries.len()).find(seen_before).filter(|_| self.was_unanswered(old));
        Some(match before {
            Some(before) => Shape::Twice { back, before, again },
            None => Shape::Lost { back, again },
        })
    }

    /// A member that saw an old value, and one before it that wrote or saw a newer one.
    fn return_of_the_old(&self) -> Option<Return> {
        let blocks = Blocks::new(self.object, self.writers, self.members);
        let mut found: Option<Return> = None;
        for &seer in self.members {
            let Some(old) = self.entry(seer).saw() else { continue };
            for &newer in self.members {
                let Some(new) = self.in_force_after(newer).filter(|&new| new != old) else { continue };
                let ends = |back: &Return| (self.entry(back.seer).ret, self.entry(back.newer).ret);
                let is_later = found
                    .as_ref()
                    .is_none_or(|found| ends(found) < (self.entry(seer).ret, self.entry(newer).ret));
                if is_later
                    && self.entry(newer).precedes(self.entry(seer))
                    && let Some(past) = self.past(&blocks, (old, seer), (new, newer))
                {
                    found = Some(Return { seer, newer, old, new, past });
                }
            }
        }
        found
    }

    /// Why one value was over when another was written or seen by `newer`, and can't have been back when it was
    /// seen by `seer`; nothing if that is not certain.
    fn past(
        &self,
        blocks: &Blocks<'_, '_>,
        (old, seer): (Symbol, usize),
        (new, newer): (Symbol, usize),
    ) -> Option<Past> {
        if let Some(own) = blocks.of_value(old) {
            if self.is_over(old, new, seer) {
                return Some(Past::Replaced);
            }
            let other = blocks.of_value(new);
            if other == Some(own) {
                return None;
            }
            let last = other.and_then(|other| blocks.last_begun(other));
            let shown = [Some(newer), last].into_iter().flatten().find_map(|then| {
                let is_before = |&shown: &usize| self.entry(shown).precedes(self.entry(then));
                let own = self.first_to_show(old).filter(is_before).or(blocks.first_ended(own));
                own.filter(is_before).map(|shown| Past::Shown { shown, then })
            });
            if shown.is_some() {
                return shown;
            }
        }
        self.not_brought_back((old, seer), (new, newer))
    }

    /// Of the members that wrote or saw this value, the one that ended first.
    fn first_to_show(&self, value: Symbol) -> Option<usize> {
        let shows = |&at: &usize| {
            let wrote = self.entry(at).action.wrote();
            self.entry(at).ret.is_some() && (wrote == Some(value) || self.entry(at).saw() == Some(value))
        };
        self.members.iter().copied().filter(shows).min_by_key(|&at| self.entry(at).ret)
    }

    /// Whether the members that replaced something, and the conditional writes, lead from the old value to the
    /// new one, but for this one's own write.
    fn is_over(&self, old: Symbol, new: Symbol, seer: usize) -> bool {
        let mut passed: HashSet<Symbol, Fast> = HashSet::default();
        let mut at = new;
        while passed.insert(at) {
            let Some(writer) = self.only_writer(at).filter(|&writer| writer != seer) else { return false };
            match self.below(writer) {
                Some(below) if below == old => return true,
                Some(below) if below != ABSENT => at = below,
                _ => return false,
            }
        }
        false
    }

    /// Why a value that had been there before `newer` ended was not brought back between that and the
    /// operation that saw it; nothing if it may have been.
    fn not_brought_back(&self, (old, seer): (Symbol, usize), (new, newer): (Symbol, usize)) -> Option<Past> {
        let (ended, ret) = (self.entry(newer).ret?, self.entry(seer).ret?);
        let begun = self.entry(newer).call;
        // What the seer wrote came after what it saw.
        let others = |at: usize| at != seer && at != newer;
        let is_open = |at: usize| self.entry(at).ret.is_none_or(|ended| ended > begun);
        let in_between = |at: usize| others(at) && self.entry(at).call < ret && is_open(at);
        let was_there = || self.writers(old).any(|at| self.entry(at).ret.is_some_and(|ret| ret < ended));
        if self.is_brought(old, new, in_between) || !(old == ABSENT || was_there()) {
            return None;
        }
        let writers = || self.writers(old).filter(|&at| others(at) && self.entry(at).call < ret);
        Some(match writers().max_by_key(|&at| self.entry(at).ret) {
            _ if writers().any(is_open) => Past::NoWay,
            Some(last) => Past::Written { last },
            None => Past::Initial,
        })
    }

    /// Whether some of the writes can have brought a value where there was another one first.
    fn is_brought(&self, value: Symbol, first: Symbol, counts: impl Fn(usize) -> bool) -> bool {
        let mut needed: HashSet<Symbol, Fast> = [value].into_iter().collect();
        let mut next = vec![value];
        while let Some(value) = next.pop() {
            if value == first {
                return true;
            }
            for at in self.writers(value).filter(|&at| counts(at)) {
                match self.below(at) {
                    Some(below) => next.extend(needed.insert(below).then_some(below)),
                    None => return true,
                }
            }
        }
        false
    }

    /// Where an item was seen and then, rightly, was not there: it is the first of the two that was stale, if a
    /// delete had ended before it began, and the item's only write before that.
    fn deleted_before(&self, back: &Return) -> Option<Return> {
        let Return { newer, old, new, .. } = *back;
        let is_read = self.entry(newer).action.wrote().is_none();
        let writer = self.only_writer(new).filter(|_| old == ABSENT && is_read)?;
        let delete = self.writers(ABSENT).find(|&delete| {
            let entry = self.entry(delete);
            self.entry(writer).precedes(entry) && entry.precedes(self.entry(newer))
        })?;
        let past = Past::Shown { shown: writer, then: delete };
        Some(Return { seer: newer, newer: delete, old: new, new: ABSENT, past })
    }

    /// Values that are certainly newer than the old one and were in force before it was seen again.
    fn newer_values(&self, back: &Return) -> HashSet<Symbol, Fast> {
        let over_by = match back.past {
            Past::Replaced | Past::NoWay => self.entry(back.newer).ret,
            Past::Shown { shown, .. } => self.entry(shown).ret,
            Past::Written { last } => self.entry(last).ret,
            Past::Initial => Some(0),
        };
        let seer = self.entry(back.seer);
        let evident = |entry: &Entry| entry.call > over_by.unwrap_or(END) && entry.precedes(seer);
        let all = (0..self.object.entries.len()).filter(|&at| evident(self.entry(at)));
        // What was seen before anybody wrote it proves nothing.
        let was_written = |at: usize, value| {
            self.writers(value).any(|writer| Some(self.entry(writer).call) < self.entry(at).ret)
        };
        let values = all.filter_map(|at| self.in_force_after(at).filter(|&value| was_written(at, value)));
        let is_below = |value| self.only_writer(value).is_some() && self.is_over(value, back.old, back.seer);
        let is_newer = |&value: &Symbol| value != back.old && !is_below(value);
        values.filter(is_newer).chain([back.new]).collect()
    }

    /// Who saw, when the seer was open or later, something that is newer than the old value.
    fn seen_later(&self, back: &Return) -> Option<usize> {
        let seer = self.entry(back.seer);
        let newer = self.newer_values(back);
        (0..self.object.entries.len()).find(|&at| {
            let entry = self.entry(at);
            let later = at != back.seer && entry.ret > Some(seer.call);
            let seen = entry.saw().filter(|value| later && newer.contains(value));
            seen.is_some_and(|value| !self.may_be_rewritten(value, seer, entry))
        })
    }

    /// Whether the value may have been written again between two operations.
    fn may_be_rewritten(&self, value: Symbol, start: &Entry, end: &Entry) -> bool {
        let in_time = |at: usize| {
            let writer = self.entry(at);
            writer.ret.is_none_or(|ret| ret > start.call) && writer.call < end.ret.unwrap_or(END)
        };
        self.only_writer(value).is_none()
            && self.writers(value).any(|at| in_time(at) && self.below(at) != Some(value))
    }

    /// Who else saw the old value, after all that saw something newer.
    fn seen_again(&self, back: &Return) -> Option<usize> {
        let newer = self.newer_values(back);
        // Who saw one of them when the seer was open, or later, saw it written again.
        let saw_newer = |entry: &&Entry| {
            let in_time = entry.ret <= Some(self.entry(back.seer).call);
            entry.saw().is_some_and(|value| in_time && newer.contains(&value))
        };
        let last = self.object.entries.iter().filter(saw_newer).filter_map(|entry| entry.ret).max();
        let from = self.entry(back.newer);
        // A delete that found nothing, though it should have, may be why there is nothing after it.
        let rewrites = self.entry(back.seer).action.wrote() == Some(back.old);
        (0..self.object.entries.len()).find(|&at| {
            let entry = self.entry(at);
            let is_past = || {
                self.only_writer(back.old).is_some()
                    || self.not_brought_back((back.old, at), (back.new, back.newer)).is_some()
            };
            at != back.seer
                && entry.saw() == Some(back.old)
                && from.precedes(entry)
                && last.is_none_or(|last| last < entry.call)
                && (!rewrites || entry.precedes(self.entry(back.seer)))
                && is_past()
        })
    }
}
