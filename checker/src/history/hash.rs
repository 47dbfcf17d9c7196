//! A quick hash for short keys: interned text, numbers, JSON scalars.
//!
//! The standard hash withstands an attacker who chooses the keys, and costs more than all the rest of an
//! interning for it. A history is no attacker. This one is the multiply-and-rotate hash that rustc uses: one
//! multiplication a word. It has no seed, so the same history takes the same path on every run; even so,
//! nothing may depend on the order in which a map gives out its entries.

use std::hash::{BuildHasherDefault, Hasher};

/// Builds the quick hash.
pub(crate) type Fast = BuildHasherDefault<Multiply>;

/// An odd number without pattern: a product's upper bits depend on all of the factor's.
const FACTOR: u64 = 0xf135_7aea_2e62_a9c5;

/// The state of the quick hash.
#[derive(Debug, Default, Clone)]
pub(crate) struct Multiply(u64);

impl Multiply {
    fn add(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(FACTOR);
    }
}

impl Hasher for Multiply {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.add(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            self.add(u64::from_le_bytes(word));
        }
        self.add(bytes.len() as u64);
    }

    fn write_u8(&mut self, n: u8) {
        self.add(n.into());
    }

    fn write_u32(&mut self, n: u32) {
        self.add(n.into());
    }

    fn write_u64(&mut self, n: u64) {
        self.add(n);
    }

    fn write_u128(&mut self, n: u128) {
        self.add(n as u64);
        self.add((n >> 64) as u64);
    }

    fn write_i64(&mut self, n: i64) {
        self.add(n.cast_unsigned());
    }

    fn write_usize(&mut self, n: usize) {
        self.add(n as u64);
    }

    fn write_isize(&mut self, n: isize) {
        self.add(n.cast_unsigned() as u64);
    }

    /// The good bits of a product are the upper ones; a table takes the lower ones first.
    fn finish(&self) -> u64 {
        self.0.rotate_left(26)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::BuildHasher;

    use super::*;

    #[test]
    fn close_keys_spread_over_the_low_and_the_high_bits() {
        let numbers = (0..10_000_u64).map(|n| Fast::default().hash_one(n));
        let texts = (0..10_000).map(|n| Fast::default().hash_one(format!("k{n}")));
        for hashes in [numbers.collect::<Vec<_>>(), texts.collect()] {
            let low: HashSet<u64> = hashes.iter().map(|hash| hash % (1 << 14)).collect();
            let high: HashSet<u64> = hashes.iter().map(|hash| hash >> 50).collect();
            // 10,000 balls into 16,384 urns hit some 7,500 of them.
            assert!(low.len() > 7_000 && high.len() > 4_000, "{} {}", low.len(), high.len());
        }
    }

    #[test]
    fn length_and_content_both_count() {
        let hash = |text: &str| Fast::default().hash_one(text);
        assert_ne!(hash("a"), hash("a\0"));
        assert_ne!(hash("abcdefgh"), hash("abcdefgi"));
        assert_eq!(hash("k1"), hash("k1"));
    }
}
