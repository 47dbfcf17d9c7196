//! The circle that a certificate closes: which value would have had to be in force before which.
//!
//! A value is in force once, and values that conditional writes chain together follow each other without a
//! gap: they make a *block* ([`super::item`]). If an operation that wrote or saw a value of one block had ended
//! before one of another block was called, the first block was in force before the second. These relations
//! between the blocks of a certificate's members are put into a graph; where they go round in a circle, there
//! is no order, and the circle says why. By Theorem 1 of [`super::item`] two blocks are enough.
//!
//! Not every certificate has one: a value that nobody wrote, an answer that contradicts itself or an absence
//! that nothing explains is no matter of before and after. Values that several operations wrote, and absence,
//! are in no block.

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::unionfind::UnionFind;

use super::buckets::Buckets;
use super::object::{Action, Object};
use crate::model::register::{ABSENT, Symbol};
use crate::verdict::Precedence;

/// The certificate's members that speak of values, as a graph of blocks.
pub(super) struct Blocks<'b, 'h> {
    object: &'b Object<'h>,
    writers: &'b Buckets,
    /// Values that make one block are united.
    of: UnionFind<usize>,
    /// The values that members wrote or saw.
    named: Vec<Symbol>,
    /// The certificate.
    members: &'b [usize],
}

/// How far down a chain of conditional writes a common block is looked for.
const LONGEST_CHAIN: usize = 10_000;

/// The shortest circle among the blocks that the members speak of; empty if there is none.
pub(super) fn find(object: &Object<'_>, writers: &Buckets, members: &[usize]) -> Vec<Precedence> {
    let blocks = Blocks::new(object, writers, members);
    let mut graph: DiGraph<(), (usize, usize)> = DiGraph::new();
    for _ in &blocks.named {
        graph.add_node(());
    }
    for &one in members {
        for &other in members {
            if !object.entries[one].precedes(&object.entries[other]) {
                continue;
            }
            for before in blocks.spoken_of_by(one) {
                for after in blocks.spoken_of_by(other) {
                    let (before, after) = (blocks.block(before), blocks.block(after));
                    if before != after {
                        graph.update_edge(NodeIndex::new(before), NodeIndex::new(after), (one, other));
                    }
                }
            }
        }
    }
    let circle = circle(&graph);
    circle.into_iter().map(|(ended, began)| blocks.precedence(ended, began)).collect()
}

/// The pairs of members along a circle of two blocks, if there is one.
fn circle(graph: &DiGraph<(), (usize, usize)>) -> Vec<(usize, usize)> {
    let component = tarjan_scc(graph).into_iter().find(|component| component.len() > 1);
    let component = component.unwrap_or_default();
    let pairs = component.iter().flat_map(|&one| component.iter().map(move |&other| (one, other)));
    let edge = |one, other| graph.find_edge(one, other).map(|edge| graph[edge]);
    pairs
        .filter_map(|(one, other)| Some(vec![edge(one, other)?, edge(other, one)?]))
        .min()
        .unwrap_or_default()
}

impl<'b, 'h> Blocks<'b, 'h> {
    /// The blocks of the values that a certificate's members speak of.
    pub(super) fn new(object: &'b Object<'h>, writers: &'b Buckets, members: &'b [usize]) -> Self {
        let mut blocks = Self { object, writers, of: UnionFind::new(0), named: Vec::new(), members };
        blocks.unite();
        blocks
    }

    /// The block of a value; none where it is in none, or no member speaks of it.
    pub(super) fn of_value(&self, value: Symbol) -> Option<usize> {
        self.place(value).map(|place| self.block(place))
    }

    /// Of the members that wrote or saw a value of this block, the one that ended first.
    pub(super) fn first_ended(&self, block: usize) -> Option<usize> {
        let ended = self.speaking_of(block).filter(|&at| self.object.entries[at].ret.is_some());
        ended.min_by_key(|&at| self.object.entries[at].ret)
    }

    /// Of the members that wrote or saw a value of this block, the one that began last.
    pub(super) fn last_begun(&self, block: usize) -> Option<usize> {
        self.speaking_of(block).max_by_key(|&at| self.object.entries[at].call)
    }

    fn speaking_of(&self, block: usize) -> impl Iterator<Item = usize> {
        let speaks =
            move |&at: &usize| self.spoken_of_by(at).into_iter().any(|place| self.block(place) == block);
        self.members.iter().copied().filter(speaks)
    }

    /// Names the values of the members, and unites those that are chained.
    fn unite(&mut self) {
        let mut together = Vec::new();
        for &member in self.members {
            let action = self.object.entries[member].action;
            let spoken: Vec<Symbol> = [action.saw(), action.wrote()].into_iter().flatten().collect();
            for value in spoken.iter().copied().filter(|&value| self.is_once(value)) {
                let mut chain = vec![value];
                while let Some(below) = chain.last().and_then(|&last| self.below(last))
                    && chain.len() < LONGEST_CHAIN
                {
                    chain.push(below);
                }
                together.push(chain);
            }
            // What a member saw and replaced is chained, whether it was a condition or not.
            if let [saw, wrote] = spoken[..]
                && self.is_once(saw)
                && self.is_once(wrote)
            {
                together.push(vec![saw, wrote]);
            }
        }
        self.named = together.iter().flatten().copied().collect();
        self.named.sort_unstable();
        self.named.dedup();
        self.of = UnionFind::new(self.named.len());
        for chain in together {
            for two in chain.windows(2) {
                if let (Some(one), Some(other)) = (self.place(two[0]), self.place(two[1])) {
                    self.of.union(one, other);
                }
            }
        }
    }

    /// Whether a value was written by one operation only.
    fn is_once(&self, value: Symbol) -> bool {
        value != ABSENT && self.writers.of(value).len() == 1
    }

    /// The value that the only writer of this one asked for.
    fn below(&self, value: Symbol) -> Option<Symbol> {
        let &writer = self.writers.of(value).first()?;
        match self.object.entries[writer].action {
            Action::Cas { old, .. } if self.is_once(old) => Some(old),
            _ => None,
        }
    }

    fn place(&self, value: Symbol) -> Option<usize> {
        self.named.binary_search(&value).ok()
    }

    fn block(&self, place: usize) -> usize {
        self.of.find(place)
    }

    /// The places of the values that an entry wrote or certainly saw.
    fn spoken_of_by(&self, entry: usize) -> Vec<usize> {
        let action = self.object.entries[entry].action;
        let values = [self.object.entries[entry].saw(), action.wrote()].into_iter().flatten();
        values.filter(|&value| self.is_once(value)).filter_map(|value| self.place(value)).collect()
    }

    fn precedence(&self, ended: usize, began: usize) -> Precedence {
        let value = |entry: usize| {
            let entry = &self.object.entries[entry];
            let value = entry.action.wrote().filter(|&value| self.is_once(value)).or(entry.saw());
            self.object.values[value.unwrap_or(ABSENT) as usize].clone()
        };
        let index = |entry: usize| self.object.operation(entry).index;
        Precedence { before: value(ended), after: value(began), ended: index(ended), began: index(began) }
    }
}
