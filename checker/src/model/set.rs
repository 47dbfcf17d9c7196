//! A set, empty at first: elements are added and removed, and read all together.
//!
//! Elements are numbered ([`Symbol`]), and a set is a string of bits: a read compares words.

use super::Model;
use super::register::Symbol;

/// A set of numbered elements.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Elements(Vec<u64>);

impl Elements {
    /// Whether the element is there.
    #[must_use]
    pub fn has(&self, element: Symbol) -> bool {
        self.0.get(element as usize / 64).is_some_and(|word| word >> (element % 64) & 1 == 1)
    }

    /// Puts the element in. Says whether it was new.
    pub fn insert(&mut self, element: Symbol) -> bool {
        let (word, bit) = (element as usize / 64, 1 << (element % 64));
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        let new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        new
    }

    /// Takes the element out.
    pub fn remove(&mut self, element: Symbol) {
        if self.has(element) {
            self.0[element as usize / 64] &= !(1 << (element % 64));
        }
        // Equal sets have equal words.
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    /// The bytes behind it.
    #[must_use]
    pub fn bytes_owned(&self) -> usize {
        self.0.capacity() * size_of::<u64>()
    }

    /// Whether this set, without what is in `others`, is the other set.
    #[must_use]
    pub fn is_without(&self, others: &Self, set: &Self) -> bool {
        let word = |elements: &Self, at: usize| elements.0.get(at).copied().unwrap_or(0);
        let most = self.0.len().max(set.0.len());
        (0..most).all(|at| word(self, at) & !word(others, at) == word(set, at))
    }

    /// The elements.
    pub fn iter(&self) -> impl Iterator<Item = Symbol> {
        let words = self.0.iter().zip((0..).step_by(64));
        words.flat_map(|(&word, first)| {
            (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| first + bit)
        })
    }
}

/// A call on a set with its answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SetOp {
    /// It put this element in, whether it was there or not.
    Add(Symbol),
    /// It put one more element in that is like this one in all that anybody saw. Only where a check has
    /// found such: the model by itself takes it for the element.
    AddLike(Symbol),
    /// It took this element out, whether it was there or not.
    Remove(Symbol),
    /// It returned these elements.
    Read(Elements),
    /// It returned what no set is: an element twice.
    Never,
}

/// The model of one set.
#[derive(Debug, Clone, Copy, Default)]
pub struct Set;

impl Model for Set {
    type State = Elements;
    type Op = SetOp;

    fn initial(&self) -> Elements {
        Elements::default()
    }

    fn step(&self, state: &Elements, op: &SetOp) -> impl Iterator<Item = Elements> {
        let next = match op {
            SetOp::Add(element) | SetOp::AddLike(element) => {
                let mut next = state.clone();
                next.insert(*element);
                Some(next)
            }
            SetOp::Remove(element) => {
                let mut next = state.clone();
                next.remove(*element);
                Some(next)
            }
            SetOp::Read(elements) => (elements == state).then(|| state.clone()),
            SetOp::Never => None,
        };
        next.into_iter()
    }

    fn is_read(&self, op: &SetOp) -> bool {
        matches!(op, SetOp::Read(_) | SetOp::Never)
    }

    fn bytes(&self, state: &Elements) -> usize {
        size_of::<Elements>() + state.bytes_owned()
    }
}
