//! States by number, and where each operation leads from each of them.
//!
//! Two configurations often hold the same state, and one operation is tried in the same state again and
//! again. So states are numbered, and a small table remembers the answers of the model: what it costs to make
//! a step (a string that grows, a set that is copied) is paid once for many configurations.

use std::hash::{Hash, Hasher};

use super::hash::{Index, Mixer, finish, mix};
use super::row;
use crate::model::Model;

/// Where an operation leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// It cannot happen.
    Nowhere,
    /// To this state.
    To(u32),
    /// To several: their place in the list, and their number.
    Choice(u32, u32),
}

/// A remembered step: the state, the operation, and where it leads.
type Step = (u32, u32, Next);

const NO_STATE: u32 = u32::MAX;

/// Fewer states than this are not worth a collection.
const FEW: usize = 1 << 12;

/// How many steps are remembered, at most.
const STEPS: usize = 1 << 14;

/// The states of a model that have been met.
pub(super) struct States<'a, M: Model> {
    model: &'a M,
    states: Vec<M::State>,
    index: Index,
    steps: Vec<Step>,
    choices: Vec<u32>,
    bytes: u64,
    /// How many there were after the last collection.
    kept: usize,
}

impl<'a, M: Model> States<'a, M> {
    /// Only the initial state, as number 0. `jobs` is the size of the problem.
    pub(super) fn new(model: &'a M, jobs: usize) -> Self {
        let size = (jobs * 4).clamp(64, STEPS).next_power_of_two();
        let steps = vec![(NO_STATE, 0, Next::Nowhere); size];
        let (states, index, choices) = (Vec::new(), Index::default(), Vec::new());
        let mut new = Self { model, states, index, steps, choices, bytes: 0, kept: 0 };
        new.number(model.initial());
        new
    }

    /// The state with this number.
    pub(super) fn get(&self, number: u32) -> &M::State {
        &self.states[number as usize]
    }

    /// Where `op`, whose number is `name`, leads from a state.
    pub(super) fn next(&mut self, state: u32, op: &M::Op, name: u32) -> Next {
        let at = finish(mix(mix(0, u64::from(state)), u64::from(name))) & (self.steps.len() - 1);
        let (known, of, next) = self.steps[at];
        if known == state && of == name {
            return next;
        }
        let next = self.step(state, op);
        self.steps[at] = (state, name, next);
        next
    }

    fn step(&mut self, state: u32, op: &M::Op) -> Next {
        let model = self.model;
        let from = &self.states[state as usize];
        let mut reached = model.step(from, op);
        let Some(first) = reached.next() else { return Next::Nowhere };
        let Some(second) = reached.next() else {
            drop(reached);
            // Most steps that stay are reads: no need to look the state up.
            return Next::To(if first == *from { state } else { self.number(first) });
        };
        let all: Vec<M::State> = [first, second].into_iter().chain(reached).collect();
        let start = self.choices.len();
        for state in all {
            let number = self.number(state);
            if !self.choices[start..].contains(&number) {
                self.choices.push(number);
            }
        }
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Next::Choice(place(start), place(self.choices.len() - start))
    }

    /// The states that a step leads to, one after another.
    pub(super) fn choice(&self, next: Next, at: u32) -> Option<u32> {
        match next {
            Next::Nowhere => None,
            Next::To(state) => (at == 0).then_some(state),
            Next::Choice(start, len) => (at < len).then(|| self.choices[(start + at) as usize]),
        }
    }

    /// Whether the operation can happen in this state and leaves it as it is.
    pub(super) fn stays(&mut self, state: u32, op: &M::Op, name: u32) -> bool {
        match self.next(state, op, name) {
            Next::Nowhere => false,
            Next::To(next) => next == state,
            Next::Choice(start, len) => self.choices[start as usize..][..len as usize].contains(&state),
        }
    }

    fn number(&mut self, state: M::State) -> u32 {
        let states = &self.states;
        self.index.reserve(|at| hash_of(&states[at as usize]));
        let (place, found) = self.index.find(hash_of(&state), |at| states[at as usize] == state);
        if let Some(number) = found {
            return number;
        }
        let number = u32::try_from(states.len()).unwrap_or(NO_STATE);
        self.index.set(place, number);
        self.bytes += self.model.bytes(&state) as u64;
        self.states.push(state);
        number
    }

    /// Forgets all states but those of these rows, if that is worth the effort, and renumbers them.
    pub(super) fn collect<'r>(&mut self, heads: impl Iterator<Item = &'r mut u64>) {
        if self.states.len() < FEW.max(2 * self.kept) {
            return;
        }
        let mut moved = vec![NO_STATE; self.states.len()];
        let mut old: Vec<Option<M::State>> = self.states.drain(..).map(Some).collect();
        self.index.clear();
        self.choices.clear();
        self.bytes = 0;
        self.steps.fill((NO_STATE, 0, Next::Nowhere));
        for head in heads {
            let number = row::state(&[*head]) as usize;
            if let Some(state) = old[number].take() {
                moved[number] = self.number(state);
            }
            *head = row::head(moved[number], row::way(&[*head]));
        }
        self.kept = self.states.len();
    }

    /// The memory of all states, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes + (self.choices.len() * size_of::<u32>()) as u64
    }
}

fn hash_of(state: &impl Hash) -> u64 {
    let mut hasher = Mixer::default();
    state.hash(&mut hasher);
    hasher.finish()
}
