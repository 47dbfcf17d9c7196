//! The keys in use, and when one retires.
//!
//! A checker's work on one key grows with the operations on it, and explodes with writes of unknown outcome.
//! So a key retires after a bounded number of operations, or once [`MAX_INDETERMINATE`] writes on it have
//! an unknown outcome, and a fresh key takes its place and its popularity. Every key ever used is kept for
//! the reads at the end.

use std::collections::BTreeMap;

use growler_checker::history::{Event, EventType, Key};
use rand::{Rng, RngExt};
use serde_json::Value;

use super::popularity::Sampler;
use crate::workload::Shape;

/// Writes of unknown outcome on one key before it retires.
pub const MAX_INDETERMINATE: u32 = 8;

/// Of so many operations on a key the first ones are hot, which is as many clients meet on it as come, and the last
/// [`CALM`] are calm: one at a time. A race shows in the hot stretch, and in the calm one whether anything was lost:
/// amid writes, most wrong answers are those that another order would have given.
const STRETCH: u64 = 100;
/// See [`STRETCH`].
const CALM: u64 = 25;

/// One look in so many does not care whether its key is being written.
const OVERLAPPING: u32 = 8;

/// How many keys a look may draw to find one that is not being written.
const DRAWS: usize = 4;

/// A key in use, and what the completions told of it.
#[derive(Debug, Clone)]
pub struct KeyState {
    /// The key.
    pub key: Key,
    /// The value that the newest completion showed; null for absent. None: unknown.
    pub latest: Option<Value>,
    /// The value that was shown before that one.
    pub earlier: Option<Value>,
    /// Writes on it that are open now.
    pub writing: u32,
    /// Operations on it that are open now.
    pub open: u32,
    operations: u64,
    indeterminate: u32,
}

impl KeyState {
    fn new(number: usize) -> Self {
        Self {
            key: Key::from(format!("k{number}")),
            latest: None,
            earlier: None,
            writing: 0,
            open: 0,
            operations: 0,
            indeterminate: 0,
        }
    }

    /// Whether its next operation is one of a calm stretch: see [`STRETCH`].
    fn is_calm(&self) -> bool {
        self.operations % STRETCH >= STRETCH - CALM
    }

    fn shown(&mut self, value: &Value) {
        if self.latest.as_ref() != Some(value) {
            self.earlier = self.latest.replace(value.clone()).or(self.earlier.take());
        }
    }

    fn update(&mut self, event: &Event) {
        let writes = event.f != "read";
        if event.kind == EventType::Invoke {
            self.open += 1;
            self.writing += u32::from(writes);
            return;
        }
        self.open = self.open.saturating_sub(1);
        if writes {
            self.writing = self.writing.saturating_sub(1);
            self.indeterminate += u32::from(event.kind == EventType::Info);
        }
        let value = match (event.kind, event.f.as_str()) {
            (EventType::Ok, "cas") => event.value.get(1),
            (EventType::Ok, _) => Some(&event.value),
            (EventType::Fail, _) => event.observed.as_ref(),
            _ => None,
        };
        if let Some(value) = value {
            self.shown(value);
        }
    }
}

/// The keys in use.
#[derive(Debug, Clone)]
pub struct KeyPool {
    sampler: Sampler,
    slots: Vec<KeyState>,
    slot_of: BTreeMap<Key, usize>,
    used: Vec<Key>,
    operations_per_key: u64,
}

impl KeyPool {
    /// A pool as the command line shapes it.
    #[must_use]
    pub fn new(shape: &Shape) -> Self {
        let keys = shape.keys.max(1);
        let mut pool = Self {
            sampler: Sampler::new(shape.popularity, keys),
            slots: Vec::with_capacity(keys),
            slot_of: BTreeMap::new(),
            used: Vec::new(),
            operations_per_key: shape.ops_per_key.max(1),
        };
        for slot in 0..keys {
            let fresh = pool.fresh(slot);
            pool.slots.push(fresh);
        }
        pool
    }

    /// A key for one operation, which counts against its life.
    pub fn pick(&mut self, rng: &mut impl Rng) -> &KeyState {
        let slot = self.sampler.sample(rng);
        self.take(slot)
    }

    /// A key for an operation that is to look at it, which counts against its life: mostly one that nobody
    /// writes to just now, if a few draws find one, and best one with no write of unknown outcome. A look that
    /// overlaps a write may be answered from before or after it, and proves less for that.
    pub fn pick_quiet(&mut self, rng: &mut impl Rng) -> &KeyState {
        let mut slot = self.sampler.sample(rng);
        if !rng.random_ratio(1, OVERLAPPING) {
            let unrest = |slot: &usize| (self.slots[*slot].writing > 0, self.slots[*slot].indeterminate > 0);
            let redrawn = (1..DRAWS).map(|_| self.sampler.sample(rng));
            slot = std::iter::once(slot).chain(redrawn).min_by_key(unrest).unwrap_or(slot);
        }
        self.take(slot)
    }

    /// As [`KeyPool::pick`], or [`KeyPool::pick_quiet`] for a look, where each key has hot and calm stretches, with
    /// whether a hot one begins. None: all keys that were drawn are calm, and somebody is there.
    pub fn pick_in_turn(&mut self, look: bool, rng: &mut impl Rng) -> Option<(&KeyState, bool)> {
        let overlaps = !look || rng.random_ratio(1, OVERLAPPING);
        let draws: [usize; DRAWS] = std::array::from_fn(|_| self.sampler.sample(rng));
        let admits = |slot: &&usize| !self.slots[**slot].is_calm() || self.slots[**slot].open == 0;
        let quiet = |slot: &&usize| self.slots[**slot].writing == 0;
        let free = || draws.iter().filter(admits);
        let slot = *free().find(|slot| overlaps || quiet(slot)).or_else(|| free().next())?;
        let state = self.take(slot);
        let begins = state.operations % STRETCH == 1;
        Some((state, begins))
    }

    /// This key for one more operation, which counts against its life. None: it has retired, or does now.
    pub fn pick_again(&mut self, key: &Key) -> Option<&KeyState> {
        let slot = *self.slot_of.get(key)?;
        if self.take(slot).key == *key { Some(&self.slots[slot]) } else { None }
    }

    /// How many keys are in use at a time.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    /// Whether the key is still in use.
    #[must_use]
    pub fn has(&self, key: &Key) -> bool {
        self.slot_of.contains_key(key)
    }

    fn take(&mut self, slot: usize) -> &KeyState {
        let state = &self.slots[slot];
        if state.operations >= self.operations_per_key || state.indeterminate >= MAX_INDETERMINATE {
            self.slot_of.remove(&state.key);
            self.slots[slot] = self.fresh(slot);
        }
        let state = &mut self.slots[slot];
        state.operations += 1;
        state
    }

    /// Tells the pool of an event.
    pub fn update(&mut self, event: &Event) {
        let slot = event.key.as_ref().and_then(|key| self.slot_of.get(key));
        if let Some(&slot) = slot {
            self.slots[slot].update(event);
        }
    }

    /// Every key that was ever in use, oldest first.
    #[must_use]
    pub fn used(&self) -> &[Key] {
        &self.used
    }

    fn fresh(&mut self, slot: usize) -> KeyState {
        let state = KeyState::new(self.used.len());
        self.slot_of.insert(state.key.clone(), slot);
        self.used.push(state.key.clone());
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::{Mode, Popularity};
    use growler_checker::history::Process;
    use growler_checker::promise::Terms;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use serde_json::json;
    use std::time::Duration;

    fn pool(ops_per_key: u64) -> KeyPool {
        KeyPool::new(&Shape {
            keys: 1,
            popularity: Popularity::Uniform,
            ops_per_key,
            concurrency: 1,
            seed: 1,
            table_prefix: String::new(),
            mode: Mode::Strong,
            terms: Terms::default(),
            convergence: Duration::from_secs(10),
        })
    }

    fn event(kind: EventType, f: &str, value: Value) -> Event {
        Event { key: Some("k0".into()), ..Event::new(Process::Client(0), kind, f, value) }
    }

    #[test]
    fn a_key_retires_after_its_operations() {
        let (mut pool, mut rng) = (pool(3), ChaCha8Rng::seed_from_u64(1));
        let keys: Vec<_> = (0..7).map(|_| pool.pick(&mut rng).key.to_string()).collect();
        assert_eq!(keys, ["k0", "k0", "k0", "k1", "k1", "k1", "k2"]);
        assert_eq!(pool.used().len(), 3);
    }

    #[test]
    fn a_key_retires_after_some_writes_of_unknown_outcome() {
        let (mut pool, mut rng) = (pool(1000), ChaCha8Rng::seed_from_u64(1));
        for _ in 0..MAX_INDETERMINATE {
            assert_eq!(pool.pick(&mut rng).key, "k0".into());
            pool.update(&event(EventType::Info, "read", Value::Null));
            pool.update(&event(EventType::Fail, "write", json!(1)));
            pool.update(&event(EventType::Info, "write", json!(1)));
        }
        assert_eq!(pool.pick(&mut rng).key, "k1".into());
    }

    #[test]
    fn a_key_is_picked_again_until_it_retires() {
        let (mut pool, mut rng) = (pool(2), ChaCha8Rng::seed_from_u64(1));
        assert_eq!(pool.pick(&mut rng).key, "k0".into());
        assert_eq!(pool.pick_again(&"k0".into()).map(|state| state.key.clone()), Some("k0".into()));
        assert!(pool.pick_again(&"k0".into()).is_none());
        assert!(!pool.has(&"k0".into()) && pool.has(&"k1".into()));
        assert_eq!(pool.used().len(), 2);
    }

    #[test]
    fn reads_mostly_find_a_key_that_is_not_being_written() {
        let mut pool = KeyPool::new(&Shape {
            keys: 4,
            popularity: Popularity::Uniform,
            ops_per_key: 100_000,
            concurrency: 1,
            seed: 1,
            table_prefix: String::new(),
            mode: Mode::Strong,
            terms: Terms::default(),
            convergence: Duration::from_secs(10),
        });
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let written =
            |key: &str| Event { key: Some(key.into()), ..event(EventType::Invoke, "write", json!(1)) };
        let busy = |pool: &mut KeyPool, rng: &mut ChaCha8Rng, picks: u32| {
            (0..picks).filter(|_| pool.pick_quiet(rng).writing > 0).count()
        };
        pool.update(&written("k0"));
        pool.update(&written("k1"));
        let share = busy(&mut pool, &mut rng, 4_000);
        assert!(
            (350..650).contains(&share),
            "an eighth does not care, and half of it meets a write: {share}"
        );
        let unknown = |key: &str| Event { kind: EventType::Info, ..written(key) };
        pool.update(&unknown("k0"));
        let uncertain = (0..4_000).filter(|_| pool.pick_quiet(&mut rng).key == "k0".into()).count();
        assert!((100..700).contains(&uncertain), "what may still change proves less: {uncertain}");
        pool.update(&written("k0"));
        pool.update(&written("k2"));
        pool.update(&written("k3"));
        assert_eq!(busy(&mut pool, &mut rng, 100), 100, "where all are being written, any will do");
    }

    #[test]
    fn completions_show_the_value_in_force() {
        let (mut pool, mut rng) = (pool(1000), ChaCha8Rng::seed_from_u64(1));
        pool.update(&event(EventType::Ok, "read", Value::Null));
        pool.update(&event(EventType::Invoke, "cas", json!([null, 4])));
        assert_eq!(pool.pick(&mut rng).writing, 1);
        pool.update(&event(EventType::Ok, "cas", json!([null, 4])));
        let failed = Event { observed: Some(json!(9)), ..event(EventType::Fail, "cas", json!([4, 5])) };
        pool.update(&failed);
        pool.update(&event(EventType::Info, "write", json!(11)));
        let state = pool.pick(&mut rng);
        assert_eq!((state.latest.clone(), state.earlier.clone()), (Some(json!(9)), Some(json!(4))));
        assert_eq!(state.writing, 0);
    }
}
