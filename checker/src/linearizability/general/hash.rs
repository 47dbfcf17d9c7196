//! A hash without a seed: the same in every run, and cheap for the few words that a configuration has.
//!
//! The tables here are not exposed to anyone who gains by filling them badly, and the budget ends a search
//! that is slow for whatever reason.

use std::hash::Hasher;

/// An odd number without a pattern: 2^64 divided by the golden ratio.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// The hash of what came so far and one more word.
pub(super) fn mix(hash: u64, word: u64) -> u64 {
    (hash.rotate_left(23) ^ word).wrapping_mul(SPREAD)
}

/// Moves what the multiplication left in the high bits to where a table looks for it.
pub(super) fn finish(hash: u64) -> usize {
    // Tables have fewer than 2^32 places: whatever `usize` keeps is enough.
    (hash ^ (hash >> 32)) as usize
}

/// [`mix`] for anything that can be hashed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mixer(u64);

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 = mix(self.0, u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, word: u8) {
        self.0 = mix(self.0, u64::from(word));
    }

    fn write_u32(&mut self, word: u32) {
        self.0 = mix(self.0, u64::from(word));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = mix(self.0, word);
    }

    fn write_usize(&mut self, word: usize) {
        self.0 = mix(self.0, word as u64);
    }
}

/// Where numbered things are found by their content: open addressing over their numbers. The things
/// themselves are kept by the caller, who says whether a number is the one that is looked for.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// The generation in which a place was taken, and by which number.
    places: Vec<(u32, u32)>,
    generation: u32,
    taken: usize,
}

impl Index {
    /// Forgets everything, without touching it.
    pub(super) fn clear(&mut self) {
        self.taken = 0;
        self.generation = self.generation.wrapping_add(1);
        if self.generation == 0 {
            self.places.clear();
        }
    }

    /// The place of the number that `is` what is looked for, or the free place where it belongs.
    pub(super) fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> (usize, Option<u32>) {
        let last = self.places.len() - 1;
        let mut place = finish(hash) & last;
        loop {
            let (generation, number) = self.places[place];
            if generation != self.generation {
                return (place, None);
            }
            if is(number) {
                return (place, Some(number));
            }
            place = (place + 1) & last;
        }
    }

    /// Sets the number at a place that [`Index::find`] named.
    pub(super) fn set(&mut self, place: usize, number: u32) {
        self.taken += usize::from(self.places[place].0 != self.generation);
        self.places[place] = (self.generation, number);
    }

    /// Makes room for one more, so that a third of the places stays free. `hash_of` is asked for every number
    /// that is there.
    pub(super) fn reserve(&mut self, hash_of: impl Fn(u32) -> u64) {
        const FIRST: usize = 64;
        if self.places.len() * 2 >= (self.taken + 1) * 3 {
            return;
        }
        let size = (self.places.len() * 2).max(FIRST);
        let old = std::mem::replace(&mut self.places, vec![(0, 0); size]);
        let generation = std::mem::replace(&mut self.generation, 1);
        for (_, number) in old.into_iter().filter(|&(taken, _)| taken == generation && generation != 0) {
            let (place, _) = self.find(hash_of(number), |_| false);
            self.places[place] = (1, number);
        }
    }
}
