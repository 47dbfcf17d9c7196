//! What is left of a history around the members of a certificate: small, and nothing lost.
//!
//! Every operation that is no member is weakened, so only its write is left, and a write without a moment
//! (unless it is a delete). An outline names what such writes can do for the members, and no more:
//!
//! - The values that a member names, and [`ABSENT`], are *kept*. So is any value that several operations
//!   write.
//! - Every other value is *plain*: one write brings it, nobody but writes conditional on it cares for it.
//!   Follow from a plain value the conditions backwards (v was written on the condition that u, u on the
//!   condition that t, …) as long as values are plain: that leads to a *root*, which is written blindly or
//!   on the condition of a kept value, its *foot*. The plain values with one root are a [`Place::Tree`]:
//!   they come into force by the root's write, which happens once, and go down the tree, so that at most one
//!   way down is ever taken. Where in its tree the object is can be left open until it leaves: whatever is
//!   in force, it is no value that a member names, and every value of the tree can be reached from the root
//!   by writes that have no moment. So a chain of conditional writes is two steps, however long it is. What
//!   hangs on a circle, or on a value that nobody writes, never happens.
//! - Trees that lead to no kept value but [`ABSENT`] are alike, if they have the same foot: they are put into
//!   one [`Place::Pool`]. It can be entered as often as it has trees, and left by the deletes of its trees,
//!   those of each tree once. Which tree it was that was entered is left open until then: there are as many
//!   of them as entries, and their writes have no moment.
//! - Equal writes without a moment are interchangeable, and counted.
//! - Deletes keep their intervals. Those with the same foot are a [`Family`].
//!
//! So the outline of a history with unique values has some places for each member, whatever its length; only
//! the lists of deletes are long, and they are sorted, so that the few that can matter are found at once.

use std::collections::HashMap;

use serde_json::Value;

use super::super::table::{self, Effect};
use crate::history::hash::Fast;
use crate::history::{Operation, Outcome};

/// An interned value.
pub(super) type Symbol = u32;

/// JSON null: no item.
pub(super) const ABSENT: Symbol = 0;

/// After every moment.
pub(super) const END: usize = usize::MAX;

/// What can be in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Place {
    /// A kept value.
    Value(Symbol),
    /// Some plain value of the tree with this root.
    Tree(Symbol),
    /// Some plain value of a tree with this foot (none: its root is written blindly) that leads nowhere.
    Pool(Option<Symbol>),
}

/// A way to bring a place into force at any moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    /// What must be in force before; none where anything may be.
    pub(super) from: Option<Place>,
    /// Its number among all that can be used up.
    pub(super) id: u32,
    /// How often it can be taken.
    pub(super) count: u32,
    /// The member whose weak write it is: it can be taken if that one is weakened.
    pub(super) member: Option<usize>,
}

/// Weak deletes that can stand in for each other, but for their intervals.
#[derive(Debug)]
pub(super) struct Family {
    /// What must be in force before; none where anything may be.
    pub(super) from: Option<Place>,
    /// By the end of their intervals.
    pub(super) deletes: Vec<Delete>,
    /// The first call among the deletes from each place on.
    pub(super) first_call: Vec<usize>,
}

/// A weak delete.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delete {
    pub(super) call: usize,
    pub(super) ret: usize,
    /// What it uses up: itself, or its tree.
    pub(super) unit: u32,
    /// Whether no other delete uses up the same.
    pub(super) is_alone: bool,
    /// The member whose weak form it is.
    pub(super) member: Option<usize>,
}

/// What a member needs at full strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Any,
    Is(Symbol),
    Not(Symbol),
    Never,
}

/// A member at full strength.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    pub(super) need: Need,
    pub(super) set: Option<Symbol>,
    pub(super) call: usize,
    pub(super) ret: usize,
    pub(super) must: bool,
}

/// A history, outlined.
#[derive(Debug)]
pub(super) struct Outline {
    /// The members; none for one that says nothing.
    pub(super) members: Vec<Option<Member>>,
    /// The ways to bring each place into force at any moment.
    pub(super) steps: HashMap<Place, Vec<Step>, Fast>,
    /// The ways to [`ABSENT`] that have a moment.
    pub(super) families: Vec<Family>,
    /// All places, in a fixed order.
    pub(super) places: Vec<Place>,
}

/// The write that is left of an operation when it is weakened.
struct Write {
    need: Option<Symbol>,
    set: Symbol,
    call: usize,
    ret: usize,
    member: Option<usize>,
}

impl Outline {
    /// The outline of the operations of one key around `members` (places in `operations`, each once).
    pub(super) fn new(operations: &[Operation<'_>], members: &[usize]) -> Self {
        let mut symbols = Symbols::with_room(operations.len());
        let members: HashMap<usize, usize, Fast> = members.iter().copied().zip(0..).collect();
        let mut strong = vec![None; members.len()];
        let mut writes = Vec::new();
        let mut kept_by_members = vec![ABSENT];
        for (place, operation) in operations.iter().enumerate() {
            let member = members.get(&place).copied();
            let ret = operation.ret.filter(|_| operation.outcome() != Outcome::Info).unwrap_or(END);
            let call = operation.call;
            if let Some(Effect { need, sets: Some(new) }) = table::weakened(operation) {
                let need = match need {
                    table::Need::Is(old) => Some(symbols.of(old)),
                    _ => None,
                };
                let set = symbols.of(new);
                // A weak write that changes nothing is of no use, unless it may have to be strong.
                if member.is_some() || need != Some(set) {
                    writes.push(Write { need, set, call, ret, member });
                }
                if member.is_some() {
                    kept_by_members.extend(need.into_iter().chain([set]));
                }
            }
            if let (Some(member), Some(effect)) = (member, table::recorded(operation)) {
                let need = symbols.need(effect.need);
                let set = effect.sets.map(|value| symbols.of(value));
                if let Need::Is(value) | Need::Not(value) = need {
                    kept_by_members.push(value);
                }
                strong[member] = Some(Member { need, set, call, ret, must: ret != END });
            }
        }
        let mut kept = vec![false; symbols.named.len()];
        for value in kept_by_members {
            kept[value as usize] = true;
        }
        let forest = Forest::grow(&writes, kept);
        Draft::new(&writes, &forest).finish(strong)
    }
}

struct Symbols<'h> {
    named: HashMap<&'h Value, Symbol, Fast>,
}

impl<'h> Symbols<'h> {
    fn with_room(values: usize) -> Self {
        let mut named = HashMap::with_capacity_and_hasher(values, Fast::default());
        named.insert(&Value::Null, ABSENT);
        Self { named }
    }

    fn of(&mut self, value: &'h Value) -> Symbol {
        let fresh = Symbol::try_from(self.named.len()).unwrap_or(Symbol::MAX);
        *self.named.entry(value).or_insert(fresh)
    }

    fn need(&mut self, need: table::Need<'h>) -> Need {
        match need {
            table::Need::Any => Need::Any,
            table::Need::Is(value) => Need::Is(self.of(value)),
            table::Need::Not(value) => Need::Not(self.of(value)),
            table::Need::Never => Need::Never,
        }
    }
}

/// The trees of plain values.
struct Forest {
    kept: Vec<bool>,
    /// What the one write of each plain value needs.
    parent: Vec<Option<Symbol>>,
    /// The root of each plain value; [`Forest::NEVER`] for those that never come into force.
    root: Vec<Symbol>,
    /// Which roots lead to a kept value other than [`ABSENT`].
    leads: Vec<bool>,
}

impl Forest {
    const NEVER: Symbol = Symbol::MAX;
    const UNKNOWN: Symbol = Symbol::MAX - 1;

    fn grow(writes: &[Write], mut kept: Vec<bool>) -> Self {
        let mut writers = vec![0_u32; kept.len()];
        let mut parent = vec![None; kept.len()];
        for write in writes {
            writers[write.set as usize] += 1;
            parent[write.set as usize] = write.need;
        }
        let mut root = vec![Self::UNKNOWN; kept.len()];
        for (value, &writers) in writers.iter().enumerate() {
            match writers {
                0 if !kept[value] => root[value] = Self::NEVER,
                0 | 1 => {}
                _ => kept[value] = true,
            }
        }
        let leads = vec![false; kept.len()];
        let mut forest = Self { kept, parent, root, leads };
        let values = 0..Symbol::try_from(forest.kept.len()).unwrap_or(Symbol::MAX);
        for value in values {
            forest.find_root(value);
        }
        for write in writes {
            if let Some(Place::Tree(root)) = write.need.and_then(|need| forest.tree_of(need))
                && forest.kept[write.set as usize]
                && write.set != ABSENT
            {
                forest.leads[root as usize] = true;
            }
        }
        forest
    }

    /// Finds the roots of a plain value and of all plain values on the way to it.
    fn find_root(&mut self, value: Symbol) {
        let mut way = Vec::new();
        let mut at = value;
        let root = loop {
            if self.kept[at as usize] {
                break way.last().copied().unwrap_or(Self::NEVER);
            }
            if self.root[at as usize] != Self::UNKNOWN {
                break self.root[at as usize];
            }
            way.push(at);
            // Whoever comes back here while the way is being walked has gone round in a circle.
            self.root[at as usize] = Self::NEVER;
            match self.parent[at as usize] {
                Some(parent) => at = parent,
                None => break at,
            }
        };
        for value in way {
            self.root[value as usize] = root;
        }
    }

    /// The tree of a plain value that can come into force.
    fn tree_of(&self, value: Symbol) -> Option<Place> {
        let root = self.root[value as usize];
        (!self.kept[value as usize] && root != Self::NEVER).then_some(Place::Tree(root))
    }

    /// Where the object is while this value is in force; none if that cannot be.
    fn place(&self, value: Symbol) -> Option<Place> {
        if self.kept[value as usize] {
            return Some(Place::Value(value));
        }
        match self.tree_of(value)? {
            Place::Tree(root) if !self.leads[root as usize] => Some(Place::Pool(self.parent[root as usize])),
            tree => Some(tree),
        }
    }
}

/// An outline in the making.
struct Draft<'w> {
    forest: &'w Forest,
    steps: HashMap<Place, Vec<Step>, Fast>,
    places: Vec<Place>,
    /// Where the step between two places is listed.
    listed: HashMap<(Option<Place>, Place), usize, Fast>,
    families: Vec<Family>,
    family_of: HashMap<Option<Place>, usize, Fast>,
    /// The unit of each tree that is in a pool.
    units: HashMap<Symbol, u32, Fast>,
    ids: u32,
}

impl<'w> Draft<'w> {
    fn new(writes: &[Write], forest: &'w Forest) -> Self {
        let mut draft = Self {
            forest,
            steps: HashMap::default(),
            places: Vec::new(),
            listed: HashMap::default(),
            families: Vec::new(),
            family_of: HashMap::default(),
            units: HashMap::default(),
            ids: 0,
        };
        for write in writes {
            draft.add(write);
        }
        draft
    }

    fn add(&mut self, write: &Write) {
        let from = match write.need.map(|need| self.forest.place(need)) {
            Some(None) => return,
            Some(from) => from,
            None => None,
        };
        let Some(to) = self.forest.place(write.set) else { return };
        if to == Place::Value(ABSENT) {
            self.add_delete(write, from);
        } else if self.forest.kept[write.set as usize] || self.forest.root[write.set as usize] == write.set {
            self.add_step(from, to, write.member);
        }
    }

    fn add_step(&mut self, from: Option<Place>, to: Place, member: Option<usize>) {
        let id = self.ids;
        let steps = self.steps.entry(to).or_insert_with(|| {
            self.places.push(to);
            Vec::new()
        });
        if member.is_none() {
            let place = *self.listed.entry((from, to)).or_insert(steps.len());
            if let Some(step) = steps.get_mut(place) {
                step.count += 1;
                return;
            }
        }
        steps.push(Step { from, id, count: 1, member });
        self.ids += 1;
    }

    fn add_delete(&mut self, write: &Write, from: Option<Place>) {
        let family = *self.family_of.entry(from).or_insert_with(|| {
            self.families.push(Family { from, deletes: Vec::new(), first_call: Vec::new() });
            self.families.len() - 1
        });
        let fresh = self.ids;
        let unit = match (from, write.need) {
            (Some(Place::Pool(_)), Some(need)) => {
                *self.units.entry(self.forest.root[need as usize]).or_insert(fresh)
            }
            _ => fresh,
        };
        if unit == fresh {
            self.ids += 1;
        }
        let Write { call, ret, member, .. } = *write;
        self.families[family].deletes.push(Delete { call, ret, unit, is_alone: true, member });
    }

    fn finish(mut self, members: Vec<Option<Member>>) -> Outline {
        for family in &mut self.families {
            family.settle();
        }
        self.places.push(Place::Value(ABSENT));
        Outline { members, steps: self.steps, families: self.families, places: self.places }
    }
}

impl Family {
    /// Sorts the deletes, and leaves out those of a tree that has one with a wider interval.
    fn settle(&mut self) {
        let deletes = &mut self.deletes;
        deletes.sort_by_key(|delete| (delete.unit, delete.call, std::cmp::Reverse(delete.ret)));
        let mut widest = None;
        deletes.retain(|delete| {
            let is_narrower = widest.is_some_and(|(unit, ret)| unit == delete.unit && ret >= delete.ret);
            if !is_narrower {
                widest = Some((delete.unit, delete.ret));
            }
            !is_narrower
        });
        for at in 1..deletes.len() {
            if deletes[at - 1].unit == deletes[at].unit {
                deletes[at - 1].is_alone = false;
                deletes[at].is_alone = false;
            }
        }
        deletes.sort_by_key(|delete| (delete.ret, delete.call));
        self.first_call = vec![END; deletes.len()];
        let mut first = END;
        for (delete, first_call) in deletes.iter().zip(&mut self.first_call).rev() {
            first = first.min(delete.call);
            *first_call = first;
        }
    }
}
