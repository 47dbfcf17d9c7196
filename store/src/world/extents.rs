//! Bytes written over a file but not yet handed to it: a sparse overlay of separate extents.

use std::collections::BTreeMap;

/// Extents by their offset; they never overlap.
#[derive(Clone, Debug, Default)]
pub(super) struct Extents {
    parts: BTreeMap<u64, Vec<u8>>,
}

fn end_of(start: u64, part: &[u8]) -> u64 {
    start + part.len() as u64
}

impl Extents {
    /// Puts `data` at `offset`, over what was there.
    pub(super) fn write(&mut self, offset: u64, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        let end = end_of(offset, data);
        // The extent that begins at or before `offset` and reaches it takes the new bytes in.
        let start = match self.parts.range_mut(..=offset).next_back() {
            Some((&start, part)) if end_of(start, part) >= offset => {
                let at = (offset - start) as usize;
                let overlap = data.len().min(part.len() - at);
                part[at..at + overlap].copy_from_slice(&data[..overlap]);
                part.extend_from_slice(&data[overlap..]);
                start
            }
            _ => {
                self.parts.insert(offset, data.to_vec());
                offset
            }
        };
        self.absorb(start, end);
    }

    /// Removes the extents behind `start` that begin before `end`; a rest beyond `end` joins `start`'s.
    fn absorb(&mut self, start: u64, end: u64) {
        while let Some((&next, _)) = self.parts.range(start + 1..end).next() {
            let part = self.parts.remove(&next).unwrap_or_default();
            let known = ((end - next) as usize).min(part.len());
            if let Some(first) = self.parts.get_mut(&start) {
                first.extend_from_slice(&part[known..]);
            }
        }
    }

    /// Copies what is known of `offset..offset + out.len()` over `out`.
    pub(super) fn overlay(&self, offset: u64, out: &mut [u8]) {
        let end = end_of(offset, out);
        let before = self.parts.range(..offset).next_back();
        for (&start, part) in before.into_iter().chain(self.parts.range(offset..end)) {
            let (from, to) = (start.max(offset), end_of(start, part).min(end));
            if from < to {
                let source = &part[(from - start) as usize..(to - start) as usize];
                out[(from - offset) as usize..(to - offset) as usize].copy_from_slice(source);
            }
        }
    }

    /// Forgets everything from `len` on.
    pub(super) fn truncate(&mut self, len: u64) {
        self.parts.split_off(&len);
        if let Some((&start, part)) = self.parts.range_mut(..len).next_back() {
            part.truncate((len - start) as usize);
        }
    }

    /// The extents in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.parts.iter().map(|(&start, part)| (start, part.as_slice()))
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.parts.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn extents_read_like_a_plain_array(
            writes in prop::collection::vec((0u64..60, prop::collection::vec(1u8.., 0..20), any::<bool>()), 0..30)
        ) {
            let mut extents = Extents::default();
            let mut plain = vec![0u8; 100];
            for (offset, data, cut) in writes {
                if cut {
                    extents.truncate(offset);
                    plain[offset as usize..].fill(0);
                } else {
                    extents.write(offset, &data);
                    plain[offset as usize..offset as usize + data.len()].copy_from_slice(&data);
                }
                let mut seen = vec![0u8; 100];
                extents.overlay(0, &mut seen);
                prop_assert_eq!(&seen, &plain);
                let mut part = vec![0u8; 13];
                extents.overlay(7, &mut part);
                prop_assert_eq!(&part[..], &plain[7..20]);
                let ends: Vec<_> = extents.iter().map(|(start, part)| (start, end_of(start, part))).collect();
                prop_assert!(ends.windows(2).all(|pair| pair[0].1 <= pair[1].0), "overlap: {:?}", ends);
            }
        }
    }
}
