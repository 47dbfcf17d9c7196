//! Which operation comes next on lists of elements: sets and carts.
//!
//! Elements are integers, each added once in a run, so that a read tells which additions it has. What is removed
//! was acknowledged before, and is removed once: a removal of what may never have been there shows nothing.
//! Clients go from node to node.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use growler_checker::history::{Event, EventType, Key};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::{
    Ending, FinalReads, Hops, KeyPool, OpenWrites, ReplicaReads, Through, eventual_read, invocation,
};
use crate::workload::{Context, Generator, Invocation, Next, Shape};

/// How often a workload does what, in percent; the rest are additions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Operations that read a whole list.
    pub reads: u32,
    /// Operations that remove an element.
    pub removes: u32,
}

/// How long a client stays with a node, in operations.
const STAYS: (u32, u32) = (2, 12);

/// The generator of lists of elements.
pub struct ElementsGenerator {
    share: Share,
    rng: ChaCha8Rng,
    keys: KeyPool,
    hops: Hops,
    open: OpenWrites,
    added: i64,
    /// Of the keys in use, the elements that were acknowledged and that nobody tries to remove.
    present: BTreeMap<Key, BTreeSet<i64>>,
    /// Of every key, the elements that somebody tried to add.
    tried: BTreeMap<Key, Vec<i64>>,
    /// Whether a replica can only be asked for elements that are named.
    by_element: bool,
    through: Through,
    convergence: Duration,
    ending: Option<Ending>,
}

impl ElementsGenerator {
    /// Lists that grow until they retire: after `life` operations at most. With `by_element` a replica read
    /// names, as its argument, the elements that it asks for.
    #[must_use]
    pub fn new(shape: &Shape, share: Share, life: u64, by_element: bool, through: Through) -> Self {
        Self {
            share,
            rng: ChaCha8Rng::seed_from_u64(shape.seed),
            keys: KeyPool::new(&Shape { ops_per_key: shape.ops_per_key.min(life), ..shape.clone() }),
            hops: Hops::new(STAYS.0, STAYS.1),
            open: OpenWrites::default(),
            added: 0,
            present: BTreeMap::new(),
            tried: BTreeMap::new(),
            by_element,
            through,
            convergence: shape.convergence,
            ending: None,
        }
    }

    fn add(&mut self, key: &Key) -> Invocation {
        self.added += 1;
        self.tried.entry(key.clone()).or_default().push(self.added);
        invocation("add", json!(self.added))
    }

    /// Removes one of the elements that are there, if there is one.
    fn remove(&mut self, key: &Key) -> Option<Invocation> {
        let present = self.present.get_mut(key)?;
        let place = self.rng.random_range(0..present.len().max(1));
        let element = *present.iter().nth(place)?;
        present.remove(&element);
        Some(invocation("remove", json!(element)))
    }

    fn replica_reads(&self) -> ReplicaReads {
        let read = |key: &Key| {
            let asked = match self.through {
                Through::Replicas if self.by_element => {
                    json!(self.tried.get(key).map_or(&[][..], Vec::as_slice))
                }
                Through::Replicas | Through::Reads => Value::Null,
            };
            Invocation { value: asked, ..eventual_read(key) }
        };
        let reads = self.keys.used().iter().map(read).collect();
        ReplicaReads::new(reads, self.through, self.convergence).after(self.open.sessions())
    }
}

impl Generator for ElementsGenerator {
    fn next(&mut self, context: &Context) -> Next {
        if let Some(ending) = &mut self.ending {
            return ending.next(context);
        }
        let node = self.hops.node(context, &mut self.rng);
        let key = self.keys.pick(&mut self.rng).key.clone();
        let roll = self.rng.random_range(0..100);
        let removes = roll >= self.share.reads && roll < self.share.reads + self.share.removes;
        let op = match removes.then(|| self.remove(&key)).flatten() {
            Some(remove) => remove,
            None if roll < self.share.reads => eventual_read(&key),
            None => self.add(&key),
        };
        Next::Op(Invocation { key: Some(key), node: Some(node), ..op })
    }

    fn update(&mut self, event: &Event) {
        self.keys.update(event);
        self.open.update(event);
        if let Some(ending) = &mut self.ending {
            return ending.update(event);
        }
        let (Some(key), Some(element)) = (&event.key, event.value.as_i64()) else { return };
        if event.kind == EventType::Ok && event.f == "add" && self.keys.has(key) {
            self.present.entry(key.clone()).or_default().insert(element);
            if self.present.len() > 2 * self.keys.slots() {
                let keys = &self.keys;
                self.present.retain(|key, _| keys.has(key));
            }
        }
    }

    fn finish(&mut self) {
        if self.ending.is_none() {
            let reads = self.keys.used().iter().map(eventual_read).collect();
            self.ending = Some(Ending::new(Some(self.replica_reads()), FinalReads::new(reads)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::REPLICA_READ;
    use crate::workload::{Mode, Popularity};
    use growler_checker::history::{Consistency, Process};
    use growler_checker::promise::Terms;
    use std::collections::HashSet;

    const CART: Share = Share { reads: 40, removes: 15 };

    fn shape(seed: u64) -> Shape {
        Shape {
            keys: 4,
            popularity: Popularity::Zipf(1.0),
            ops_per_key: 400,
            concurrency: 4,
            seed,
            table_prefix: String::new(),
            mode: Mode::Eventual,
            terms: Terms::default(),
            convergence: Duration::from_secs(10),
        }
    }

    fn generator(seed: u64, by_element: bool) -> ElementsGenerator {
        ElementsGenerator::new(&shape(seed), CART, 50, by_element, Through::Replicas)
    }

    fn event(op: &Invocation, client: u64, kind: EventType) -> Event {
        Event {
            client: Some(client),
            key: op.key.clone(),
            ..Event::new(Process::Client(client), kind, op.f, op.value.clone())
        }
    }

    /// Operations of four clients, one after the other; every fifth addition is never answered.
    fn operations(generator: &mut ElementsGenerator, count: u64) -> Vec<Invocation> {
        let step = |step: u64| {
            let context = Context { time: Duration::from_millis(step), client: step % 4, nodes: 5 };
            let Next::Op(op) = generator.next(&context) else { panic!("the load goes on") };
            let lost = op.f == "add" && op.value.as_i64().unwrap() % 5 == 0;
            generator.update(&event(&op, step % 4, EventType::Invoke));
            generator.update(&event(&op, step % 4, if lost { EventType::Info } else { EventType::Ok }));
            op
        };
        (0..count).map(step).collect()
    }

    #[test]
    fn the_same_seed_and_completions_give_the_same_operations() {
        assert_eq!(operations(&mut generator(1, false), 500), operations(&mut generator(1, false), 500));
        assert_ne!(operations(&mut generator(1, false), 500), operations(&mut generator(2, false), 500));
    }

    #[test]
    fn elements_are_added_once_and_removed_once_after_they_were_acknowledged() {
        let all = operations(&mut generator(1, false), 4_000);
        let (mut added, mut removed) = (BTreeMap::new(), HashSet::new());
        for op in &all {
            let element = op.value.as_i64();
            match op.f {
                "add" => assert!(added.insert(element.unwrap(), op.key.clone()).is_none()),
                "remove" => {
                    let element = element.unwrap();
                    assert_eq!(added.get(&element), Some(&op.key), "{element}");
                    assert!(element % 5 != 0 && removed.insert(element), "{element}");
                }
                _ => assert_eq!((op.f, op.consistency), ("read", Some(Consistency::Eventual))),
            }
        }
        assert!(added.len() > 1_500 && removed.len() > 400, "{} {}", added.len(), removed.len());
    }

    #[test]
    fn a_list_retires_after_its_life_and_is_forgotten() {
        let mut generator = generator(1, false);
        let all = operations(&mut generator, 2_000);
        let mut lives: BTreeMap<_, u64> = BTreeMap::new();
        all.iter().for_each(|op| *lives.entry(op.key.clone()).or_default() += 1);
        assert!(lives.len() >= 40 && lives.values().all(|life| *life <= 50));
        assert!(generator.present.len() <= 8);
    }

    #[test]
    fn a_replica_that_can_only_be_asked_by_element_is_told_which() {
        for by_element in [false, true] {
            let mut generator = generator(1, by_element);
            let all = operations(&mut generator, 300);
            generator.finish();
            let context = Context { time: Duration::from_secs(1), client: 0, nodes: 5 };
            let Next::Op(op) = generator.next(&context) else { panic!("the end begins") };
            assert_eq!(op.f, REPLICA_READ);
            let added = all.iter().filter(|other| other.f == "add" && other.key == op.key);
            let added: Vec<_> = added.map(|add| add.value.clone()).collect();
            assert_eq!(op.value, if by_element { json!(added) } else { Value::Null });
        }
    }
}
