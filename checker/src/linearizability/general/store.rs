//! Configurations, and sets of them without dominated ones.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher, Hash};
use std::mem::size_of;

use super::Mask;
use super::trail::Link;

/// One way to explain the history so far.
#[derive(Debug, Clone)]
pub(super) struct Config<S, const W: usize> {
    /// What the object holds.
    pub(super) state: S,
    /// The open jobs that have taken effect, by slot.
    pub(super) done: Mask<W>,
    /// How many of each class have.
    pub(super) used: Box<[u32]>,
    /// The order in which all that has happened did.
    pub(super) way: Link,
}

/// What the slots that are in use mean for dominance.
#[derive(Debug, Clone)]
pub(super) struct Roles<const W: usize> {
    /// Better done than open: reads and free jobs.
    pub(super) free: Mask<W>,
    /// Better open than done: optional jobs.
    pub(super) optional: Mask<W>,
    /// Neither.
    pub(super) contested: Mask<W>,
}

impl<S: Eq, const W: usize> Config<S, W> {
    /// Whether this can do all that the other can, given that state and contested jobs are the same.
    fn dominates(&self, other: &Self, roles: &Roles<W>) -> bool {
        other.done.within(&self.done, &roles.free)
            && self.done.within(&other.done, &roles.optional)
            && self.used.iter().zip(&other.used).all(|(mine, theirs)| mine <= theirs)
    }
}

const NONE: u32 = u32::MAX;

/// A set of configurations in which none dominates another, in order of arrival.
#[derive(Debug)]
pub(super) struct Store<S, const W: usize> {
    configs: Vec<Config<S, W>>,
    /// Whether a configuration is still undominated.
    alive: Vec<bool>,
    /// The next configuration of the same state and contested jobs.
    next: Vec<u32>,
    /// The first one. The hasher has no random seed: order and cost are the same in every run.
    heads: HashMap<(S, Mask<W>), u32, BuildHasherDefault<DefaultHasher>>,
}

impl<S: Clone + Eq + Hash, const W: usize> Store<S, W> {
    pub(super) fn new() -> Self {
        Self { configs: Vec::new(), alive: Vec::new(), next: Vec::new(), heads: HashMap::default() }
    }

    pub(super) fn clear(&mut self) {
        self.configs.clear();
        self.alive.clear();
        self.next.clear();
        self.heads.clear();
    }

    /// Adds a configuration unless one that is at least as good is there. Says whether it was added.
    pub(super) fn insert(&mut self, config: Config<S, W>, roles: &Roles<W>) -> bool {
        let key = (config.state.clone(), config.done.and(&roles.contested));
        let head = self.heads.entry(key).or_insert(NONE);
        let mut at = *head;
        while at != NONE {
            let i = at as usize;
            if self.alive[i] {
                if self.configs[i].dominates(&config, roles) {
                    return false;
                }
                self.alive[i] = !config.dominates(&self.configs[i], roles);
            }
            at = self.next[i];
        }
        self.next.push(*head);
        *head = u32::try_from(self.configs.len()).unwrap_or(NONE);
        self.configs.push(config);
        self.alive.push(true);
        true
    }

    /// The configuration that arrived at this place, unless it is dominated by now; the outer `None` is the
    /// end.
    pub(super) fn get(&self, at: usize) -> Option<Option<&Config<S, W>>> {
        self.configs.get(at).map(|config| self.alive[at].then_some(config))
    }

    /// All configurations, in order of arrival.
    pub(super) fn iter(&self) -> std::slice::Iter<'_, Config<S, W>> {
        self.configs.iter()
    }

    /// Takes all undominated configurations out.
    pub(super) fn drain(&mut self) -> Vec<Config<S, W>> {
        let alive = std::mem::take(&mut self.alive);
        let configs = std::mem::take(&mut self.configs);
        self.clear();
        configs.into_iter().zip(alive).filter_map(|(config, alive)| alive.then_some(config)).collect()
    }

    /// How many configurations are held, dominated ones included.
    pub(super) fn len(&self) -> usize {
        self.configs.len()
    }

    /// Bytes per configuration, with its share of the index.
    pub(super) fn bytes_each(classes: usize) -> u64 {
        let index = size_of::<(S, Mask<W>)>() * 2 + 16;
        (size_of::<Config<S, W>>() + classes * size_of::<u32>() + index) as u64
    }
}
